//! RFC 2047 encoded words, read.
//!
//! What senders get wrong and readers show all the same is accepted here, under these names:
//! - *touching words*: no white space between encoded words, or to the text beside them;
//! - *spaces inside*: Q-encoded text with spaces that should be `_`;
//! - *split characters*: a character whose octets are divided between adjacent words (§5 forbids);
//! - *loose base64*: padding missing, white space inside;
//! - *in quotes*: encoded words in quoted strings and parameters (§5 (3) forbids).

use crate::charset::{self, Charset};
use crate::encoding::base64;
use memchr::memmem;
use std::borrow::Cow;

/// Text decoded from a field, and whether all encoded words in it could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodedText<'a> {
    /// The text.
    pub text: Cow<'a, str>,
    /// False where an encoded word names an unknown charset or holds octets that are not its
    /// charset's, or where raw octets are not UTF-8.
    pub is_clean: bool,
}

/// One encoded word as it stands.
#[derive(Debug, Clone, Copy)]
struct Word<'a> {
    charset: &'a [u8],
    is_base64: bool,
    text: &'a [u8],
    /// Octets from `=?` to `?=`, both counted.
    length: usize,
}

impl<'a> Word<'a> {
    /// Reads one at the start of the octets.
    fn at_start(octets: &'a [u8]) -> Option<Word<'a>> {
        let rest = octets.strip_prefix(b"=?")?;
        let charset_end = memchr::memchr(b'?', &rest[..rest.len().min(80)])?;
        let (charset, rest) = rest.split_at(charset_end);
        if charset.is_empty() || !charset.iter().all(u8::is_ascii_graphic) {
            return None;
        }
        let is_base64 = match rest {
            [b'?', b'B' | b'b', b'?', ..] => true,
            [b'?', b'Q' | b'q', b'?', ..] => false,
            _ => return None,
        };
        let rest = &rest[3..];
        let end = Self::end_of_text(rest, is_base64)?;
        // RFC 2231 §5: `charset*language`.
        let charset = charset.split(|octet| *octet == b'*').next().unwrap_or(charset);
        Some(Word {
            charset,
            is_base64,
            text: &rest[..end],
            length: charset_end_offset(octets, rest) + end + 2,
        })
    }

    /// `?=` ends it; in Q text not one that goes on as an escape (`…?=20…`), if an end follows.
    fn end_of_text(rest: &[u8], is_base64: bool) -> Option<usize> {
        let first = end_mark(rest)?;
        let is_escape = |at: usize| matches!(rest.get(at + 2..at + 4), Some([a, b]) if a.is_ascii_hexdigit() && b.is_ascii_hexdigit());
        if is_base64 || !is_escape(first) {
            return Some(first);
        }
        let word_end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len()).max(first + 2);
        let later = end_mark(&rest[first + 2..word_end]).map(|at| first + 2 + at);
        Some(later.filter(|at| !is_escape(*at)).unwrap_or(first))
    }

    fn decode_into(&self, octets: &mut Vec<u8>) {
        if self.is_base64 {
            base64::decode_into(self.text, octets);
        } else {
            decode_q(self.text, octets);
        }
    }
}

/// Where `?=` stands.
fn end_mark(text: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'?', text).find(|at| text.get(at + 1) == Some(&b'='))
}

fn charset_end_offset(whole: &[u8], rest: &[u8]) -> usize {
    whole.len() - rest.len()
}

/// Octets of the encoded word that the octets begin with.
pub(crate) fn length_at_start(octets: &[u8]) -> Option<usize> {
    Word::at_start(octets).map(|word| word.length)
}

fn decode_q(text: &[u8], octets: &mut Vec<u8>) {
    let mut rest = text;
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        match (octet, after) {
            (b'_', _) => octets.push(b' '),
            // Folding where none may be (RFC 2047 §2).
            (b'\r' | b'\n', _) => {}
            (b'=', [high, low, ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    octets.push(high << 4 | low);
                    rest = &after[2..];
                }
                _ => octets.push(b'='),
            },
            _ => octets.push(octet),
        }
    }
}

pub(crate) fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Unstructured text: unfolded, encoded words decoded, raw octets read as UTF-8 or else
/// windows-1252. White space around it is cut off.
pub fn decode(value: &[u8]) -> DecodedText<'_> {
    let value = value.trim_ascii();
    if may_hold_word(value) { decode_words(value) } else { unfold(value) }
}

/// Whether `=?` occurs. Most values have no `=` at all, so that one search settles it.
pub(crate) fn may_hold_word(value: &[u8]) -> bool {
    memchr::memchr_iter(b'=', value).any(|at| value.get(at + 1) == Some(&b'?'))
}

/// Folding taken away (RFC 5322 §2.2.3): line ends go, the white space behind them stays.
pub(crate) fn unfold(value: &[u8]) -> DecodedText<'_> {
    if memchr::memchr2(b'\r', b'\n', value).is_none() {
        let decoded = charset::decode_unlabelled(value);
        return DecodedText { text: decoded.text, is_clean: decoded.is_clean };
    }
    let mut joined = Vec::with_capacity(value.len());
    let mut start = 0;
    for at in memchr::memchr2_iter(b'\r', b'\n', value) {
        joined.extend_from_slice(&value[start..at]);
        start = at + 1;
    }
    joined.extend_from_slice(&value[start..]);
    match String::from_utf8(joined) {
        Ok(text) => DecodedText { text: Cow::Owned(text), is_clean: true },
        Err(error) => {
            let text = charset::decode_unlabelled(error.as_bytes()).text.into_owned();
            DecodedText { text: Cow::Owned(text), is_clean: false }
        }
    }
}

/// Encoded words that touch or have only white space between them, gathered to be decoded at once.
#[derive(Default)]
struct Run<'a> {
    charset: &'a [u8],
    octets: Vec<u8>,
}

impl Run<'_> {
    fn flush(&mut self, text: &mut String) -> bool {
        if self.octets.is_empty() {
            return true;
        }
        let (decoded, known) = match Charset::by_name(self.charset) {
            Some(charset) => (charset.decode(&self.octets), true),
            None => (charset::decode_unlabelled(&self.octets), false),
        };
        // A line break in an encoded word would break the field for whoever shows it.
        if memchr::memchr2(b'\r', b'\n', decoded.text.as_bytes()).is_some() {
            text.push_str(&decoded.text.replace(['\r', '\n'], " "));
        } else {
            text.push_str(&decoded.text);
        }
        let is_clean = decoded.is_clean && known;
        self.octets.clear();
        is_clean
    }
}

fn decode_words(value: &[u8]) -> DecodedText<'_> {
    let mut text = String::with_capacity(value.len());
    let mut is_clean = true;
    let mut run = Run::default();
    let mut after_word = false;
    let mut plain_start = 0;
    let mut at = 0;
    while let Some(found) = memmem::find(&value[at..], b"=?") {
        let start = at + found;
        let Some(word) = Word::at_start(&value[start..]) else {
            at = start + 2;
            is_clean = false;
            continue;
        };
        let between = &value[plain_start..start];
        // RFC 2047 §6.2: white space between two encoded words is not shown.
        let adjacent = after_word && between.iter().all(u8::is_ascii_whitespace);
        let same_charset = word.charset.eq_ignore_ascii_case(run.charset);
        let joinable =
            adjacent && same_charset && Charset::by_name(word.charset).is_some_and(Charset::is_stateless);
        if !joinable {
            is_clean &= run.flush(&mut text);
        }
        if !adjacent {
            is_clean &= push_plain(between, &mut text);
        }
        run.charset = word.charset;
        word.decode_into(&mut run.octets);
        after_word = true;
        at = start + word.length;
        plain_start = at;
    }
    is_clean &= run.flush(&mut text);
    is_clean &= push_plain(&value[plain_start..], &mut text);
    DecodedText { text: Cow::Owned(text), is_clean }
}

fn push_plain(octets: &[u8], text: &mut String) -> bool {
    if octets.is_empty() {
        return true;
    }
    let unfolded = unfold(octets);
    text.push_str(&unfolded.text);
    unfolded.is_clean
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, expected: &str) {
        assert_eq!(decode(value.as_bytes()).text, expected, "{value}");
    }

    #[test]
    fn examples_of_rfc_2047_section_8() {
        check("(=?ISO-8859-1?Q?a?=)", "(a)");
        check("(=?ISO-8859-1?Q?a?= b)", "(a b)");
        check("(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)");
        check("(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)", "(ab)");
        check("(=?ISO-8859-1?Q?a?=\r\n       =?ISO-8859-1?Q?b?=)", "(ab)");
        check("(=?ISO-8859-1?Q?a_b?=)", "(a b)");
        check("(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)", "(a b)");
        check("=?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>", "Keith Moore <moore@cs.utk.edu>");
        check("=?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?=", "Keld Jørn Simonsen");
        check("=?ISO-8859-1?Q?Andr=E9?= Pirard", "André Pirard");
        check(
            "=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
            "If you can read this you understand the example.",
        );
        check("=?ISO-8859-1?Q?Patrik_F=E4ltstr=F6m?=", "Patrik Fältström");
        check("=?iso-8859-8?b?7eXs+SDv4SDp7Oj08A==?=", "םולש ןב ילטפנ");
    }

    #[test]
    fn quirks() {
        check("=?US-ASCII*EN?Q?Keith_Moore?=", "Keith Moore");
        check("=?utf-8?Q?a?==?utf-8?Q?b?=", "ab");
        check("a=?utf-8?Q?b?=c", "abc");
        check("=?utf-8?Q?two words?= x", "two words x");
        check("=?utf-8?Q?=C3?= =?utf-8?Q?=A4?=", "ä");
        check("=?utf-8?B?YQ?=", "a");
        check("=?utf-8?Q?what?=20now?=", "what? now");
        check("=?utf-8?Q?line=0D=0Abreak?=", "line  break");
        check("=?nosuch?Q?a=E4?=", "aä");
        check("=?utf-8?X?a?=", "=?utf-8?X?a?=");
        check("=?utf-8?Q?open", "=?utf-8?Q?open");
        check("a =? b", "a =? b");
        check("=?iso-2022-jp?B?GyRCOCEbKEI=?= =?iso-2022-jp?B?GyRCOncbKEI=?=", "検索");
    }

    #[test]
    fn raw_octets() {
        check("gr\u{fc}\r\n\tx", "grü\tx");
        assert_eq!(decode(b"gr\xfc").text, "grü");
        assert!(!decode(b"gr\xfc").is_clean);
    }
}
