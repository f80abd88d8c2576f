//! Replies: the status line, with its response code where there is one (RFC 1939 §3, RFC 2449 §8, RFC 3206).

use std::{borrow::Cow, fmt};
use thiserror::Error;

/// A response code: what a negative reply means to a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponseCode {
    /// `[LOGIN-DELAY]`: too soon after the last login (RFC 2449 §8.1.1).
    LoginDelay,
    /// `[IN-USE]`: the maildrop is locked by another session (RFC 2449 §8.1.2).
    InUse,
    /// `[SYS/TEMP]`: ours, and likely gone soon (RFC 3206 §4).
    SystemTemporary,
    /// `[SYS/PERM]`: ours, and somebody must repair it (RFC 3206 §4).
    SystemPermanent,
    /// `[AUTH]`: the credentials are wrong (RFC 3206 §5).
    Authentication,
    /// `[UTF8]`: the message holds UTF-8, and UTF8 was not said (RFC 6856 §5).
    Utf8,
    /// One that we do not know, without brackets.
    Other(String),
}

impl ResponseCode {
    fn as_str(&self) -> &str {
        match self {
            ResponseCode::LoginDelay => "LOGIN-DELAY",
            ResponseCode::InUse => "IN-USE",
            ResponseCode::SystemTemporary => "SYS/TEMP",
            ResponseCode::SystemPermanent => "SYS/PERM",
            ResponseCode::Authentication => "AUTH",
            ResponseCode::Utf8 => "UTF8",
            ResponseCode::Other(name) => name,
        }
    }

    /// Reads what stands between the brackets. Codes are case-insensitive (RFC 2449 §8).
    fn parse(name: &str) -> Option<ResponseCode> {
        // RFC 2449 §3: rchar, with slashes between levels.
        let valid = !name.is_empty()
            && name.split('/').all(|level| {
                !level.is_empty()
                    && level.bytes().all(|octet| matches!(octet, 0x21..=0x2e | 0x30..=0x5c | 0x5e..=0x7f))
            });
        if !valid {
            return None;
        }
        let known = [
            ResponseCode::LoginDelay,
            ResponseCode::InUse,
            ResponseCode::SystemTemporary,
            ResponseCode::SystemPermanent,
            ResponseCode::Authentication,
            ResponseCode::Utf8,
        ];
        let found = known.into_iter().find(|code| code.as_str().eq_ignore_ascii_case(name));
        Some(found.unwrap_or_else(|| ResponseCode::Other(name.to_owned())))
    }

    /// Whether trying the same again later makes sense.
    pub fn is_transient(&self) -> bool {
        matches!(self, ResponseCode::LoginDelay | ResponseCode::InUse | ResponseCode::SystemTemporary)
    }
}

/// The status line of a reply. `Display` prints it without CRLF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// `+OK` rather than `-ERR`.
    pub positive: bool,
    /// What it means to a program.
    pub code: Option<ResponseCode>,
    /// What it means to a person.
    pub text: Cow<'static, str>,
}

/// The line is no POP3 reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("neither +OK nor -ERR")]
pub struct BadReply;

impl Reply {
    /// `+OK text`
    pub const fn ok(text: &'static str) -> Reply {
        Reply { positive: true, code: None, text: Cow::Borrowed(text) }
    }

    /// `-ERR text`
    pub const fn err(text: &'static str) -> Reply {
        Reply { positive: false, code: None, text: Cow::Borrowed(text) }
    }

    /// `-ERR [code] text`
    pub const fn coded(code: ResponseCode, text: &'static str) -> Reply {
        Reply { positive: false, code: Some(code), text: Cow::Borrowed(text) }
    }

    /// Whether trying the same again later makes sense: only where the server says so.
    pub fn is_transient(&self) -> bool {
        self.code.as_ref().is_some_and(ResponseCode::is_transient)
    }

    /// Reads a line without its CRLF. Octets that are not UTF-8 become replacement characters: the
    /// text is for people only.
    pub fn parse(line: &[u8]) -> Result<Reply, BadReply> {
        let (positive, rest) = match line {
            [b'+', b'O', b'K', rest @ ..] => (true, rest),
            [b'-', b'E', b'R', b'R', rest @ ..] => (false, rest),
            _ => return Err(BadReply),
        };
        let rest = match rest {
            [] => rest,
            [b' ' | b'\t', rest @ ..] => rest,
            // A word that only begins like a status is none.
            _ => return Err(BadReply),
        };
        let text = String::from_utf8_lossy(rest);
        let coded = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        if let Some((name, text)) = coded
            && let Some(code) = ResponseCode::parse(name)
        {
            let text = text.strip_prefix(' ').unwrap_or(text).to_owned();
            return Ok(Reply { positive, code: Some(code), text: text.into() });
        }
        Ok(Reply { positive, code: None, text: text.into_owned().into() })
    }

    /// The timestamp of a greeting, angle brackets included (RFC 1939 §7 APOP): present where the server
    /// offers APOP. Its form is RFC 822's `msg-id`, so there is an `@` in it.
    pub fn timestamp(&self) -> Option<&str> {
        let from = self.text.find('<')?;
        let to = from + self.text[from..].find('>')?;
        let timestamp = &self.text[from..=to];
        let inner = &timestamp[1..timestamp.len() - 1];
        // Only printable ASCII can take part in a digest that both sides compute alike.
        let plain = inner.bytes().all(|octet| octet.is_ascii_graphic());
        (plain && inner.contains('@')).then_some(timestamp)
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.positive { "+OK" } else { "-ERR" })?;
        if let Some(code) = &self.code {
            write!(f, " [{}]", code.as_str())?;
        }
        if !self.text.is_empty() {
            write!(f, " {}", self.text)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn replies_are_read_and_printed() {
        let table: &[(&str, bool, Option<ResponseCode>, &str)] = &[
            ("+OK", true, None, ""),
            ("+OK 2 320", true, None, "2 320"),
            ("-ERR", false, None, ""),
            ("-ERR no such message", false, None, "no such message"),
            (
                "-ERR [IN-USE] Do you have another POP session running?",
                false,
                Some(ResponseCode::InUse),
                "Do you have another POP session running?",
            ),
            ("-ERR [SYS/TEMP] later", false, Some(ResponseCode::SystemTemporary), "later"),
            ("-ERR [X-OWN] words", false, Some(ResponseCode::Other("X-OWN".into())), "words"),
            ("-ERR [not closed", false, None, "[not closed"),
            ("-ERR [] empty", false, None, "[] empty"),
            ("-ERR [two words] x", false, None, "[two words] x"),
        ];
        for (line, positive, code, text) in table {
            let reply = Reply::parse(line.as_bytes()).unwrap();
            assert_eq!((reply.positive, &reply.code, &*reply.text), (*positive, code, *text), "{line}");
            assert_eq!(reply.to_string(), *line);
        }
        for line in ["", "OK", "+ok", "+OKAY", "-ERROR", "-ERR:", "220 hello"] {
            assert_eq!(Reply::parse(line.as_bytes()), Err(BadReply), "{line}");
        }
    }

    #[test]
    fn the_greeting_shows_whether_apop_is_offered() {
        let table = [
            (
                "+OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>",
                Some("<1896.697170952@dbc.mtview.ca.us>"),
            ),
            ("+OK <1.2@host> ready", Some("<1.2@host>")),
            ("+OK POP3 server ready", None),
            ("+OK ready <>", None),
            ("+OK ready <no at>", None),
            ("+OK ready <a b@c>", None),
            ("+OK ready <a@b", None),
            ("+OK ready <ä@b>", None),
        ];
        for (line, expected) in table {
            assert_eq!(Reply::parse(line.as_bytes()).unwrap().timestamp(), expected, "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_octets_are_read_or_refused(line in proptest::collection::vec(any::<u8>(), 0..100)) {
            if let Ok(reply) = Reply::parse(&line) {
                let _ = reply.timestamp();
                prop_assert_eq!(Reply::parse(reply.to_string().as_bytes()).map(|again| again.positive), Ok(reply.positive));
            }
        }
    }
}
