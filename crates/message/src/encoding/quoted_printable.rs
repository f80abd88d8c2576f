//! The quoted-printable content transfer encoding, written (RFC 2045 §6.7).

use crate::encoded_word::hex;
use crate::limits::BODY_ENCODED_LINE_OCTETS_MAX;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Appends the content. CRLF stays a line break; a CR or LF alone is encoded, so that decoding
/// gives back the very octets. Lines have at most 76 characters, none ends with white space
/// (rule 3), and lines that a mailbox file or an SMTP client could trip over (`From `, a dot
/// alone) are written so that they do not begin with it.
pub fn encode(content: &[u8], out: &mut Vec<u8>) {
    out.reserve(content.len() + content.len() / 8 + 16);
    let mut start = 0;
    loop {
        let line_end = memchr::memmem::find(&content[start..], b"\r\n");
        let line = &content[start..line_end.map_or(content.len(), |length| start + length)];
        encode_line(line, out);
        match line_end {
            Some(length) => start += length + 2,
            None => return,
        }
        out.extend_from_slice(b"\r\n");
    }
}

fn encode_line(line: &[u8], out: &mut Vec<u8>) {
    let mut column = 0;
    for (index, &octet) in line.iter().enumerate() {
        let is_last = index + 1 == line.len();
        let plain = match octet {
            b'=' => false,
            b' ' | b'\t' => !is_last,
            _ => octet.is_ascii_graphic(),
        };
        // The last character may use the column that a soft line break would need.
        let room = BODY_ENCODED_LINE_OCTETS_MAX - usize::from(!is_last);
        if column + if plain { 1 } else { 3 } > room {
            out.extend_from_slice(b"=\r\n");
            column = 0;
        }
        if plain && !(column == 0 && is_guarded(&line[index..])) {
            out.push(octet);
            column += 1;
        } else {
            out.extend_from_slice(&[b'=', HEX[usize::from(octet >> 4)], HEX[usize::from(octet & 15)]]);
            column += 3;
        }
    }
}

/// Whether a line should not begin with this: `From ` is changed in mailbox files (RFC 2049 §3),
/// a dot alone ends a mail for agents that forget dot-stuffing.
fn is_guarded(rest: &[u8]) -> bool {
    rest.starts_with(b"From ") || rest.first() == Some(&b'.')
}

/// Octets that [`encode`] makes of the content, nearly: soft line breaks are estimated.
pub fn encoded_octets(content: &[u8]) -> usize {
    let escaped = content
        .iter()
        .map(|&octet| {
            usize::from(octet == b'=' || !(octet.is_ascii_graphic() || octet.is_ascii_whitespace()))
        })
        .sum::<usize>();
    let octets = content.len() + 2 * escaped;
    octets + octets / 75 * 3
}

/// Appends what the text decodes to. White space before a line end is dropped (rule 3), line ends
/// stay as they are, an `=` that begins nothing known stays too. Gives whether there was none.
pub fn decode_into(text: &[u8], out: &mut Vec<u8>) -> bool {
    out.reserve(text.len());
    let mut is_clean = true;
    let mut start = 0;
    // What stands before this in `out` is no more subject to the trimming of white space.
    let mut settled = out.len();
    for at in memchr::memchr2_iter(b'=', b'\n', text) {
        if at < start {
            continue;
        }
        out.extend_from_slice(&text[start..at]);
        if text[at] == b'\n' {
            let has_cr = out.len() > settled && out.last() == Some(&b'\r');
            if has_cr {
                out.pop();
            }
            trim_white_space(out, settled);
            out.extend_from_slice(if has_cr { b"\r\n" } else { b"\n" });
            start = at + 1;
            settled = out.len();
            continue;
        }
        let rest = &text[at + 1..];
        start = match (rest.first().copied().and_then(hex), rest.get(1).copied().and_then(hex)) {
            (Some(high), Some(low)) => {
                out.push(high << 4 | low);
                at + 3
            }
            _ => match soft_break(rest) {
                Some(length) => at + 1 + length,
                None => {
                    is_clean = false;
                    out.push(b'=');
                    at + 1
                }
            },
        };
        settled = out.len();
    }
    out.extend_from_slice(&text[start.min(text.len())..]);
    trim_white_space(out, settled);
    is_clean
}

fn trim_white_space(out: &mut Vec<u8>, settled: usize) {
    while out.len() > settled && matches!(out.last(), Some(b' ' | b'\t')) {
        out.pop();
    }
}

/// Octets of a soft line break behind its `=`: white space, then a line end or the end of all.
fn soft_break(rest: &[u8]) -> Option<usize> {
    let blank = rest.iter().take_while(|octet| matches!(octet, b' ' | b'\t')).count();
    match &rest[blank..] {
        [] => Some(blank),
        [b'\r', b'\n', ..] => Some(blank + 2),
        [b'\n', ..] => Some(blank + 1),
        [b'\r'] => Some(blank + 1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &[u8], expected: &[u8], expected_clean: bool) {
        let mut out = Vec::new();
        assert_eq!(decode_into(text, &mut out), expected_clean, "{:?}", String::from_utf8_lossy(text));
        assert_eq!(out, expected, "{:?}", String::from_utf8_lossy(text));
    }

    #[test]
    fn whatever_comes() {
        check(b"a=3Db", b"a=b", true);
        check(b"a=3db=\r\nc", b"a=bc", true);
        check(b"a \t\r\nb  \nc ", b"a\r\nb\nc", true);
        check(b"a=20\r\nb=09", b"a \r\nb\t", true);
        check(b"a= \t\nb", b"ab", true);
        check(b"a=", b"a", true);
        check(b"a=\r", b"a", true);
        check(b"a=zz=4", b"a=zz=4", false);
        check(b"==41", b"=A", false);
        check(b"\r\n\r\n", b"\r\n\r\n", true);
    }

    #[test]
    fn what_was_encoded_comes_back() {
        let all: Vec<u8> = (0..=255u8).cycle().take(4000).collect();
        for content in
            [&all[..], b"a \r\n b\t\r\n", b"From x\r\n.\r\n..", b"\r\r\n\n\r", b"", "ä".repeat(99).as_bytes()]
        {
            let mut text = Vec::new();
            encode(content, &mut text);
            let lines: Vec<&[u8]> = text.split(|octet| *octet == b'\n').collect();
            assert!(lines.iter().all(|line| line.len() <= 77), "{:?}", String::from_utf8_lossy(&text));
            check(&text, content, true);
        }
    }
}
