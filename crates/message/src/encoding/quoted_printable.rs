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
