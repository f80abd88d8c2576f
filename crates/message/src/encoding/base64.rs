//! The base64 content transfer encoding, written (RFC 2045 §6.8).

use crate::limits::BODY_ENCODED_LINE_OCTETS_MAX;

/// Octets of content that make one line of 76 characters.
const LINE_CONTENT_OCTETS: usize = 57;

/// Octets of content that are encoded in one go: whole lines, and what a near cache holds.
const ENCODED_AT_ONCE: usize = LINE_CONTENT_OCTETS * 64;

/// Appends the content in lines of 76 characters, each with its CRLF.
pub fn encode_lines(content: &[u8], out: &mut Vec<u8>) {
    out.reserve(encoded_octets(content.len()));
    let mut characters = Vec::with_capacity(ENCODED_AT_ONCE / 3 * 4 + 4);
    for lines in content.chunks(ENCODED_AT_ONCE) {
        characters.clear();
        base64_simd::STANDARD.encode_append(lines, &mut characters);
        for line in characters.chunks(LINE_CONTENT_OCTETS / 3 * 4) {
            out.extend_from_slice(line);
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// Octets that [`encode_lines`] makes of so much content.
pub fn encoded_octets(content_octets: usize) -> usize {
    content_octets.div_ceil(3) * 4 + content_octets.div_ceil(LINE_CONTENT_OCTETS) * 2
}

/// One line, without line end, as encoded words have it.
pub(crate) fn encode_run(content: &[u8], out: &mut String) {
    base64_simd::STANDARD.encode_append(content, out);
}

/// Characters that are gathered before they are decoded at once.
const GATHERED_OCTETS: usize = 16 * 1024;

/// Appends what the text decodes to. Line ends are skipped, and so is any character that is not
/// of the alphabet (RFC 2045 §6.8 asks for that). Padding ends the data, unless what follows is
/// base64 again: bodies made by joining encoded pieces have padding in the middle, mailing lists
/// put their footers behind it. Gives whether the text was in order: no foreign characters,
/// padding complete and at the end only.
pub fn decode_into(text: &[u8], out: &mut Vec<u8>) -> bool {
    out.reserve(text.len() / 4 * 3 + 3);
    // One line in order, as encoded words have it, needs no gathering.
    if text.len() <= BODY_ENCODED_LINE_OCTETS_MAX && decode_strict(text, out) {
        return true;
    }
    let mut gathered = Vec::with_capacity(text.len().min(GATHERED_OCTETS) + 4);
    let mut rest = text;
    let mut is_clean = true;
    loop {
        let padding = memchr::memchr(b'=', rest).unwrap_or(rest.len());
        let end = padding + rest[padding..].iter().take_while(|octet| **octet == b'=').count();
        is_clean &= decode_piece(&rest[..end], &mut gathered, out);
        rest = rest[end..].trim_ascii_start();
        if rest.is_empty() {
            return is_clean;
        }
        is_clean = false;
        if !begins_with_group(rest) {
            return false;
        }
    }
}

/// Whether the first word, up to its padding, can be base64.
fn begins_with_group(text: &[u8]) -> bool {
    let is_letter = |octet: &&u8| ALPHABET[usize::from(**octet)] != FOREIGN;
    let letters = text.iter().take_while(is_letter).count();
    let padding = text[letters..].iter().take_while(|octet| **octet == b'=').count();
    let is_whole = matches!(text.get(letters + padding), None | Some(b'\r' | b'\n'));
    letters > 0 && (letters + padding).is_multiple_of(4) && (is_whole || padding > 0)
}

/// A text that has padding at its end at most.
fn decode_piece(text: &[u8], gathered: &mut Vec<u8>, out: &mut Vec<u8>) -> bool {
    let mut start = 0;
    let mut is_clean = true;
    let mut plain = Plain::default();
    while start < text.len() {
        gathered.clear();
        start += gather(&text[start..], gathered);
        let is_whole = gathered.len().is_multiple_of(4) || start >= text.len();
        if !plain.is_empty() || !is_whole || !decode_strict(gathered, out) {
            is_clean &= plain.decode(gathered, out);
        }
    }
    is_clean & plain.finish(out)
}

/// Copies characters without line ends until there are enough for one go, a multiple of four if
/// nothing foreign is among them. Gives the octets used up.
fn gather(text: &[u8], gathered: &mut Vec<u8>) -> usize {
    let mut at = 0;
    // Lines of one length, as nearly all encoders write them, need not be searched for their end.
    let mut usual = usize::MAX;
    while at < text.len() {
        let room = GATHERED_OCTETS - gathered.len();
        let window = &text[at..text.len().min(at + room)];
        let line = match window.get(usual..).and_then(|rest| rest.get(..2)) {
            Some(b"\r\n") => Some(usual + 1),
            _ => memchr::memchr(b'\n', window),
        };
        let end = line.unwrap_or(window.len());
        let content = &window[..end];
        let content = content.strip_suffix(b"\r").unwrap_or(content);
        gathered.extend_from_slice(content);
        usual = content.len();
        at += end + usize::from(line.is_some());
        if gathered.len() >= GATHERED_OCTETS - 128 && gathered.len().is_multiple_of(4) || room <= end {
            break;
        }
    }
    at
}

/// The fast way, for text that is in order; adds nothing where it is not.
fn decode_strict(text: &[u8], out: &mut Vec<u8>) -> bool {
    base64_simd::STANDARD.decode_append(text, out).is_ok()
}

/// The plain way, a character at a time, which copes with anything.
#[derive(Default)]
struct Plain {
    /// The characters of the open group, six bits each.
    bits: u32,
    /// How many they are.
    count: u32,
    /// Whether padding ended the last group.
    is_padded: bool,
    /// Padding characters that are still to come.
    padding_due: u32,
}

const FOREIGN: u8 = 0xff;
const ALPHABET: [u8; 256] = {
    let mut table = [FOREIGN; 256];
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut index = 0;
    while index < 64 {
        table[letters[index] as usize] = index as u8;
        index += 1;
    }
    table
};

impl Plain {
    fn is_empty(&self) -> bool {
        self.count == 0 && self.padding_due == 0
    }

    fn decode(&mut self, text: &[u8], out: &mut Vec<u8>) -> bool {
        let mut is_clean = true;
        for &character in text {
            let value = ALPHABET[usize::from(character)];
            if value != FOREIGN {
                is_clean &= !self.is_padded;
                (self.is_padded, self.padding_due) = (false, 0);
                self.bits = self.bits << 6 | u32::from(value);
                self.count += 1;
                if self.count == 4 {
                    self.flush(out);
                }
            } else if character == b'=' {
                is_clean &= self.pad(out);
            } else {
                is_clean &= character.is_ascii_whitespace();
            }
        }
        is_clean
    }

    /// Ends the group at the first padding character: what follows begins a new one.
    fn pad(&mut self, out: &mut Vec<u8>) -> bool {
        if matches!(self.count, 2 | 3) {
            self.padding_due = 3 - self.count;
            self.is_padded = true;
            self.flush(out);
            return true;
        }
        let was_due = self.count == 0 && self.padding_due > 0;
        self.padding_due = self.padding_due.saturating_sub(1);
        was_due
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        let group = (self.bits << (6 * (4 - self.count))).to_be_bytes();
        // Of `count` characters, the octets that they hold whole.
        out.extend_from_slice(&group[1..1 + self.count.saturating_sub(1) as usize]);
        self.bits = 0;
        self.count = 0;
    }

    /// Whether nothing was left over.
    fn finish(&mut self, out: &mut Vec<u8>) -> bool {
        let is_clean = self.is_empty();
        self.flush(out);
        is_clean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &[u8], expected: &[u8], expected_clean: bool) {
        let mut out = Vec::new();
        let is_clean = decode_into(text, &mut out);
        assert_eq!(out, expected, "{:?}", String::from_utf8_lossy(text));
        assert_eq!(is_clean, expected_clean, "{:?}", String::from_utf8_lossy(text));
        let (mut plain, mut out) = (Plain::default(), Vec::new());
        plain.decode(text, &mut out);
        plain.finish(&mut out);
        assert_eq!(out, expected, "plain: {:?}", String::from_utf8_lossy(text));
    }

    #[test]
    fn whatever_comes() {
        check(b"", b"", true);
        check(b"YQ==", b"a", true);
        check(b"YWI=", b"ab", true);
        check(b"YWJj\r\nYWJj\n", b"abcabc", true);
        check(b"Y W\tJj", b"abc", true);
        check(b"YQ", b"a", false);
        check(b"YQ=", b"a", false);
        check(b"YWJjY", b"abc", false);
        check(b"YQ==YQ==", b"aa", false);
        check(b"YQ==\r\nYWJj\r\n", b"aabc", false);
        check(b"YW*Jj", b"abc", false);
        check(b"====", b"", false);
        check(b"YWJj=", b"abc", false);
    }

    #[test]
    fn a_footer_behind_the_padding_is_no_content() {
        let mut out = Vec::new();
        assert!(!decode_into(b"YQ==\r\n____________\r\nlist mailing list\r\nlist@x.test\r\n", &mut out));
        assert_eq!(out, b"a");
    }

    #[test]
    fn what_was_encoded_comes_back_and_both_ways_agree() {
        let content: Vec<u8> = (0..100_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for length in [0, 1, 2, 3, 56, 57, 58, 12_287, 12_288, 12_289, 50_000, 100_000] {
            let mut text = Vec::new();
            encode_lines(&content[..length], &mut text);
            assert_eq!(text.len(), encoded_octets(length), "{length}");
            check(&text, &content[..length], true);
            let lines: Vec<u8> = text.iter().copied().filter(|octet| *octet != b'\r').collect();
            check(&lines, &content[..length], true);
        }
    }
}
