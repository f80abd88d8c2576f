//! Content transfer encodings (RFC 2045 §6).

pub mod base64;
pub mod quoted_printable;
pub mod uuencode;

use std::fmt;

/// How a body is encoded for the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TransferEncoding {
    /// Lines of at most 998 octets of ASCII without NUL.
    SevenBit,
    /// RFC 2045 §6.7.
    QuotedPrintable,
    /// RFC 2045 §6.8.
    Base64,
    /// As 7bit, but with octets over 127.
    EightBit,
    /// Any octets.
    Binary,
}

impl TransferEncoding {
    /// The value of `Content-Transfer-Encoding`.
    pub fn as_str(self) -> &'static str {
        match self {
            TransferEncoding::SevenBit => "7bit",
            TransferEncoding::QuotedPrintable => "quoted-printable",
            TransferEncoding::Base64 => "base64",
            TransferEncoding::EightBit => "8bit",
            TransferEncoding::Binary => "binary",
        }
    }
}

impl fmt::Display for TransferEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a content asks of the way (RFC 2045 §6.2): found in one pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentFacts {
    /// Octets over 127.
    pub octets_8bit: usize,
    /// The longest line, line end not counted.
    pub line_octets_max: usize,
    /// A NUL, or a CR or LF that is not part of a CRLF: needs an encoding or `binary`.
    pub is_binary: bool,
    /// Control characters other than tab, CR, LF: they pass, but do not always arrive.
    pub has_control: bool,
}

impl ContentFacts {
    /// Looks a content over.
    pub fn of(content: &[u8]) -> Self {
        let octets_8bit = if content.is_ascii() { 0 } else { count(content, |octet| octet >= 0x80) };
        let line_ends = count(content, |octet| octet == b'\n');
        let controls = count(content, |octet| {
            ((octet < 0x20) & !matches!(octet, b'\t' | b'\r' | b'\n')) | (octet == 0x7f)
        });
        let carriage_returns = count(content, |octet| octet == b'\r');
        let is_binary = memchr::memchr(0, content).is_some()
            || line_ends != carriage_returns
            || memchr::memmem::find_iter(content, b"\r\n").count() != line_ends;
        let mut start = 0;
        let mut line_octets_max = 0;
        for end in memchr::memchr_iter(b'\n', content) {
            let line = &content[start..end];
            line_octets_max = line_octets_max.max(line.len() - usize::from(line.last() == Some(&b'\r')));
            start = end + 1;
        }
        line_octets_max = line_octets_max.max(content.len() - start);
        ContentFacts { octets_8bit, line_octets_max, is_binary, has_control: controls > 0 }
    }

    /// Whether it can go as `7bit`.
    pub fn is_7bit(&self) -> bool {
        self.octets_8bit == 0 && self.is_8bit()
    }

    /// Whether it can go as `8bit` (or `7bit`).
    pub fn is_8bit(&self) -> bool {
        !self.is_binary && self.line_octets_max <= crate::limits::LINE_OCTETS_MAX
    }
}

/// How many octets are such. In blocks that a byte can count, so that it becomes vector code.
pub(crate) fn count(content: &[u8], is_such: impl Fn(u8) -> bool) -> usize {
    let blocks = content.chunks(255);
    blocks.map(|block| usize::from(block.iter().map(|octet| u8::from(is_such(*octet))).sum::<u8>())).sum()
}
