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
        let mut facts =
            ContentFacts { octets_8bit: 0, line_octets_max: 0, is_binary: false, has_control: false };
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', content).chain([content.len()]) {
            let mut line = &content[start..end];
            if end < content.len() {
                match line.strip_suffix(b"\r") {
                    Some(stripped) => line = stripped,
                    None => facts.is_binary = true,
                }
            }
            facts.look_at_line(line);
            start = end + 1;
        }
        facts
    }

    fn look_at_line(&mut self, line: &[u8]) {
        self.line_octets_max = self.line_octets_max.max(line.len());
        let mut controls = 0usize;
        let mut breaks = 0usize;
        let mut high = 0usize;
        for &octet in line {
            high += usize::from(octet >= 0x80);
            controls += usize::from((octet < 0x20 && octet != b'\t') || octet == 0x7f);
            breaks += usize::from(octet == b'\r' || octet == 0);
        }
        self.octets_8bit += high;
        self.has_control |= controls > 0;
        self.is_binary |= breaks > 0;
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
