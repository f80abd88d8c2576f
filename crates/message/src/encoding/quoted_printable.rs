//! The quoted-printable content transfer encoding, written (RFC 2045 §6.7).

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
    let mut rest = line;
    while !rest.is_empty() {
        // Whole runs of characters that stand for themselves, as far as the line has room.
        let room = BODY_ENCODED_LINE_OCTETS_MAX - 1 - column;
        let plain =
            rest[..rest.len().min(room)].iter().take_while(|octet| IS_PLAIN[usize::from(**octet)]).count();
        // The last octet has rules of its own, and so has the first of a line.
        let plain = plain.min(rest.len() - 1);
        if plain > 0 && !(column == 0 && is_guarded(rest)) {
            out.extend_from_slice(&rest[..plain]);
            column += plain;
            rest = &rest[plain..];
        }
        column = encode_octet(rest, column, out);
        rest = &rest[1..];
    }
}

/// The first octet of the rest of a line. Gives the column behind it.
fn encode_octet(rest: &[u8], column: usize, out: &mut Vec<u8>) -> usize {
    let octet = rest[0];
    let is_last = rest.len() == 1;
    let is_space = matches!(octet, b' ' | b'\t');
    let plain = IS_PLAIN[usize::from(octet)] && !(is_space && is_last);
    // The last character may use the column that a soft line break would need.
    let room = BODY_ENCODED_LINE_OCTETS_MAX - usize::from(!is_last);
    let mut column = column;
    if column + if plain { 1 } else { 3 } > room {
        out.extend_from_slice(b"=\r\n");
        column = 0;
    }
    if plain && !(column == 0 && is_guarded(rest)) {
        out.push(octet);
        return column + 1;
    }
    out.extend_from_slice(&[b'=', HEX[usize::from(octet >> 4)], HEX[usize::from(octet & 15)]]);
    column + 3
}

/// Visible characters but `=`, and white space.
const IS_PLAIN: [bool; 256] = {
    let mut table = [false; 256];
    let mut octet = 0;
    while octet < 256 {
        table[octet] = matches!(octet as u8, b' '..=b'~' | b'\t') && octet as u8 != b'=';
        octet += 1;
    }
    table
};

/// Whether a line should not begin with this: `From ` is changed in mailbox files (RFC 2049 §3),
/// a dot alone ends a mail for agents that forget dot-stuffing.
fn is_guarded(rest: &[u8]) -> bool {
    rest.starts_with(b"From ") || rest.first() == Some(&b'.')
}

/// Octets that [`encode`] makes of the content, nearly: soft line breaks are estimated.
pub fn encoded_octets(content: &[u8]) -> usize {
    let escaped = super::count(content, |octet| {
        (octet == b'=') | (octet >= 0x7f) | ((octet < 0x20) & !matches!(octet, b'\t' | b'\r' | b'\n'))
    });
    let octets = content.len() + 2 * escaped;
    octets + octets / 75 * 3
}

/// Characters that are gone through one by one before the rest of a run is searched: escapes come
/// in flocks, and a search has its price.
const STEPS_BEFORE_SEARCH: usize = 12;

/// Octets up to the next `=` or line feed.
fn run_length(text: &[u8]) -> usize {
    let is_special = |octet: &u8| matches!(octet, b'=' | b'\n');
    let steps = text.len().min(STEPS_BEFORE_SEARCH);
    match text[..steps].iter().position(is_special) {
        Some(length) => length,
        None => memchr::memchr2(b'=', b'\n', &text[steps..]).map_or(text.len(), |length| steps + length),
    }
}

/// Appends what the text decodes to. White space before a line end is dropped (rule 3), line ends
/// stay as they are, an `=` that begins nothing known stays too. Gives whether there was none.
pub fn decode_into(text: &[u8], out: &mut Vec<u8>) -> bool {
    out.reserve(text.len());
    let mut is_clean = true;
    let mut rest = text;
    // What stands before this in `out` is no more subject to the trimming of white space.
    let mut settled = out.len();
    loop {
        let (run, special) = rest.split_at(run_length(rest));
        out.extend_from_slice(run);
        match special {
            [] => break,
            [b'\n', after @ ..] => {
                let has_cr = out.len() > settled && out.last() == Some(&b'\r');
                if has_cr {
                    out.pop();
                }
                trim_white_space(out, settled);
                out.extend_from_slice(if has_cr { b"\r\n" } else { b"\n" });
                rest = after;
            }
            [_, high, low, after @ ..]
                if HEX_VALUE[usize::from(*high)] | HEX_VALUE[usize::from(*low)] < 16 =>
            {
                out.push(HEX_VALUE[usize::from(*high)] << 4 | HEX_VALUE[usize::from(*low)]);
                rest = after;
            }
            [_, after @ ..] => match soft_break(after) {
                Some(length) => rest = &after[length..],
                None => {
                    is_clean = false;
                    out.push(b'=');
                    rest = after;
                }
            },
        }
        settled = out.len();
    }
    trim_white_space(out, settled);
    is_clean
}

/// The value of a hexadecimal digit, or 255.
const HEX_VALUE: [u8; 256] = {
    let mut table = [255; 256];
    let mut value = 0u8;
    while value < 16 {
        table[HEX[value as usize] as usize] = value;
        table[HEX[value as usize].to_ascii_lowercase() as usize] = value;
        value += 1;
    }
    table
};

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
