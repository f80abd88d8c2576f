//! A reply is a value: code, enhanced status, lines (RFC 5321 §4.2).

use crate::{
    EnhancedStatus,
    limits::{PEER_REPLY_LINES_MAX, REPLY_LINE_OCTETS_MAX},
};
use std::{borrow::Cow, fmt, io::Write};
use thiserror::Error;

/// One reply, of one or more lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Three digits, 200 to 599.
    pub code: u16,
    /// Printed before each line's text when present (RFC 2034).
    pub enhanced: Option<EnhancedStatus>,
    /// Texts of the lines, without code, CR or LF; at least one.
    pub lines: Vec<Cow<'static, str>>,
}

impl Reply {
    /// A reply of one line.
    pub fn new(
        code: u16,
        enhanced: impl Into<Option<EnhancedStatus>>,
        text: impl Into<Cow<'static, str>>,
    ) -> Self {
        Reply { code, enhanced: enhanced.into(), lines: vec![text.into()] }
    }

    /// The same with one more line.
    pub fn and(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.lines.push(text.into());
        self
    }

    /// 2yz.
    pub fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }
    /// 4yz.
    pub fn is_transient(&self) -> bool {
        self.code / 100 == 4
    }
    /// 5yz.
    pub fn is_permanent(&self) -> bool {
        self.code / 100 == 5
    }

    /// Appends the reply in wire form.
    ///
    /// Whatever the texts hold, the result is one reply: control characters become `?`, as do non-ASCII
    /// ones unless `utf8` (RFC 6531 §3.7.4), and a line beyond
    /// [`REPLY_LINE_OCTETS_MAX`](crate::limits::REPLY_LINE_OCTETS_MAX) is cut.
    pub fn write_to(&self, wire: &mut Vec<u8>, utf8: bool) {
        debug_assert!((200..600).contains(&self.code) && !self.lines.is_empty(), "{self:?}");
        for (index, line) in self.lines.iter().enumerate() {
            let start = wire.len();
            let separator = if index + 1 == self.lines.len() { ' ' } else { '-' };
            let _ = write!(wire, "{}{separator}", self.code);
            if let Some(enhanced) = self.enhanced {
                let _ = write!(wire, "{enhanced} ");
            }
            append_text(wire, line, start + REPLY_LINE_OCTETS_MAX - 2, utf8);
            wire.extend_from_slice(b"\r\n");
        }
    }
}

/// Appends `text`, made harmless, as far as it fits before `end`.
fn append_text(wire: &mut Vec<u8>, text: &str, end: usize, utf8: bool) {
    let plain = |octet: &u8| matches!(octet, b' '..=b'~');
    if wire.len() + text.len() <= end && text.as_bytes().iter().all(plain) {
        wire.extend_from_slice(text.as_bytes());
        return;
    }
    let mut encoded = [0; 4];
    for c in text.chars() {
        let c = if c.is_control() || !utf8 && !c.is_ascii() { '?' } else { c };
        let octets = c.encode_utf8(&mut encoded).as_bytes();
        if wire.len() + octets.len() > end {
            return;
        }
        wire.extend_from_slice(octets);
    }
}

/// In one line, for people: `550 5.1.1 No such user here`. Control characters become `?`.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(enhanced) = self.enhanced {
            write!(f, " {enhanced}")?;
        }
        for line in self.lines.iter().filter(|line| !line.is_empty()) {
            f.write_str(" ")?;
            for c in line.chars() {
                write!(f, "{}", if c.is_control() { '?' } else { c })?;
            }
        }
        Ok(())
    }
}

/// Why a peer's line is no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ReplyError {
    /// It does not begin with three digits and then a space, a hyphen or nothing.
    #[error("not a reply line")]
    Syntax,
    /// The lines of one reply have different codes (RFC 5321 §4.2.1).
    #[error("the lines of one reply have different codes")]
    CodeChanged,
    /// More than [`PEER_REPLY_LINES_MAX`].
    #[error("the reply has too many lines")]
    TooManyLines,
}

/// Puts a peer's reply together from its lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReplyAssembler {
    code: u16,
    texts: Vec<String>,
}

impl ReplyAssembler {
    /// Takes the next line, without its line end; gives the reply when it is complete.
    pub fn take(&mut self, line: &[u8]) -> Result<Option<Reply>, ReplyError> {
        let (code, last, text) = split_line(line).ok_or(ReplyError::Syntax)?;
        if !self.texts.is_empty() && code != self.code {
            return Err(ReplyError::CodeChanged);
        }
        if self.texts.len() == PEER_REPLY_LINES_MAX {
            return Err(ReplyError::TooManyLines);
        }
        self.code = code;
        self.texts.push(String::from_utf8_lossy(text).into_owned());
        Ok(last.then(|| finish(code, std::mem::take(&mut self.texts))))
    }

    /// Whether part of a reply is there.
    pub fn is_within_reply(&self) -> bool {
        !self.texts.is_empty()
    }
}

/// RFC 5321 §4.2: `Reply-code [ SP textstring ]` with the code 2yz to 5yz; a bare code is accepted.
fn split_line(line: &[u8]) -> Option<(u16, bool, &[u8])> {
    let (digits, rest) = line.split_at_checked(3)?;
    if !digits.iter().all(u8::is_ascii_digit) || !(b'2'..=b'5').contains(&digits[0]) {
        return None;
    }
    let code = digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
    match rest.split_first() {
        None => Some((code, true, b"")),
        Some((b' ', text)) => Some((code, true, text)),
        Some((b'-', text)) => Some((code, false, text)),
        Some(_) => None,
    }
}

/// Takes the enhanced status off the lines that have it (RFC 2034 §4: all of them, with the same one).
fn finish(code: u16, mut texts: Vec<String>) -> Reply {
    let enhanced =
        texts.first().and_then(|text| EnhancedStatus::split_off(text, code)).map(|(status, _)| status);
    if enhanced.is_some() {
        for text in &mut texts {
            if let Some((status, rest)) = EnhancedStatus::split_off(text, code)
                && Some(status) == enhanced
            {
                *text = rest.to_owned();
            }
        }
    }
    Reply { code, enhanced, lines: texts.into_iter().map(Cow::Owned).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wire(reply: &Reply, utf8: bool) -> String {
        let mut wire = Vec::new();
        reply.write_to(&mut wire, utf8);
        String::from_utf8(wire).expect("UTF-8")
    }

    fn read(text: &str) -> Result<Option<Reply>, ReplyError> {
        let mut assembler = ReplyAssembler::default();
        let mut complete = None;
        for line in text.split_terminator("\r\n") {
            assert_eq!(complete, None, "lines after the last of {text:?}");
            complete = assembler.take(line.as_bytes())?;
        }
        Ok(complete)
    }

    #[test]
    fn printing() {
        let status = EnhancedStatus::new(5, 1, 1);
        let cases = [
            (Reply::new(250, None, "Ok"), "250 Ok\r\n"),
            (
                Reply::new(550, status, "No such user").and("here"),
                "550-5.1.1 No such user\r\n550 5.1.1 here\r\n",
            ),
            (Reply::new(250, None, ""), "250 \r\n"),
            (Reply::new(250, None, "a\r\n550 b\0"), "250 a??550 b?\r\n"),
            (Reply::new(250, None, "grüße"), "250 gr??e\r\n"),
        ];
        for (reply, expected) in cases {
            assert_eq!(wire(&reply, false), expected);
        }
        assert_eq!(wire(&Reply::new(250, None, "grüße\n"), true), "250 grüße?\r\n");
    }

    #[test]
    fn no_line_beyond_the_limit() {
        for text in ["x".repeat(2000), "ü".repeat(2000)] {
            for utf8 in [true, false] {
                let printed = wire(&Reply::new(250, EnhancedStatus::new(2, 0, 0), text.clone()), utf8);
                assert!(printed.len() <= REPLY_LINE_OCTETS_MAX && printed.len() > 500);
                assert!(printed.ends_with("\r\n"));
            }
        }
    }

    #[test]
    fn reading() {
        let status = EnhancedStatus::new(2, 1, 5);
        let cases: &[(&str, Result<Option<Reply>, ReplyError>)] = &[
            ("250 Ok\r\n", Ok(Some(Reply::new(250, None, "Ok")))),
            ("250\r\n", Ok(Some(Reply::new(250, None, "")))),
            ("250-a\r\n250 b\r\n", Ok(Some(Reply::new(250, None, "a").and("b")))),
            ("250 2.1.5 Fine\r\n", Ok(Some(Reply::new(250, status, "Fine")))),
            ("250-2.1.5 Fine\r\n250 2.1.5\r\n", Ok(Some(Reply::new(250, status, "Fine").and("")))),
            ("250 5.1.5 Not of its class\r\n", Ok(Some(Reply::new(250, None, "5.1.5 Not of its class")))),
            ("250-first\r\n", Ok(None)),
            ("250-a\r\n251 b\r\n", Err(ReplyError::CodeChanged)),
            ("150 a\r\n", Err(ReplyError::Syntax)),
            ("650 a\r\n", Err(ReplyError::Syntax)),
            ("25\r\n", Err(ReplyError::Syntax)),
            ("2500 a\r\n", Err(ReplyError::Syntax)),
            ("+OK POP3 ready\r\n", Err(ReplyError::Syntax)),
            ("\r\n", Err(ReplyError::Syntax)),
        ];
        for (text, expected) in cases {
            assert_eq!(&read(text), expected, "{text:?}");
        }
        assert_eq!(read(&"250-x\r\n".repeat(PEER_REPLY_LINES_MAX + 1)), Err(ReplyError::TooManyLines));
    }

    proptest! {
        #[test]
        fn printed_and_read_again(
            code in 200u16..600,
            status in proptest::option::of((0u16..1000, 0u16..1000)),
            texts in proptest::collection::vec("[ -~]{0,80}", 1..5),
        ) {
            // A text that itself begins like an enhanced status reads as one; that is how the wire is.
            prop_assume!(status.is_some() || !texts[0].starts_with(|c: char| c.is_ascii_digit()));
            let enhanced = status.map(|(subject, detail)| EnhancedStatus::new((code / 100) as u8, subject, detail))
                .filter(|status| status.class != 3);
            let lines = texts.into_iter().map(Cow::Owned).collect();
            let reply = Reply { code, enhanced, lines };
            prop_assume!(enhanced.is_some() || !reply.lines[0].starts_with(|c: char| c.is_ascii_digit()));
            prop_assert_eq!(read(&wire(&reply, false)), Ok(Some(reply)));
        }

        #[test]
        fn any_line_is_read_without_panic(line in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = ReplyAssembler::default().take(&line);
        }
    }
}
