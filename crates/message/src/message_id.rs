//! Message identifiers (RFC 5322 §3.6.4).

use crate::limits::MESSAGE_ID_OCTETS_MAX;
use jiff::Timestamp;
use std::{fmt, str::FromStr};
use thiserror::Error;

/// A message or content identifier, without its angle brackets, that is safe to write.
///
/// It is visible ASCII without angle brackets; the stricter grammar (`id-left@id-right`) is not
/// asked for, because identifiers of other systems have to be referred to as they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(String);

/// The text cannot stand between angle brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a message identifier")]
pub struct MessageIdError;

impl MessageId {
    /// Makes a fresh identifier. `random` must come from a good source: two messages of the same
    /// instant differ only by it (RFC 5322 §3.6.4 asks for global uniqueness).
    pub fn new(random: u64, now: Timestamp, host: &posta_address::Domain) -> Self {
        let instant = now.as_microsecond().unsigned_abs();
        MessageId(format!("{}.{}@{}", base36(instant), base36(random), host.to_ascii()))
    }

    /// Reads one, with or without angle brackets.
    pub fn parse(text: &str) -> Result<Self, MessageIdError> {
        let text = text.trim();
        let text = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(text);
        let visible = text.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'<' && octet != b'>');
        if text.is_empty() || text.len() > MESSAGE_ID_OCTETS_MAX || !visible {
            return Err(MessageIdError);
        }
        Ok(MessageId(text.to_owned()))
    }

    /// Without angle brackets.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn base36(mut value: u64) -> String {
    let mut digits = Vec::with_capacity(13);
    loop {
        digits.push(b"0123456789abcdefghijklmnopqrstuvwxyz"[(value % 36) as usize]);
        value /= 36;
        if value == 0 {
            break;
        }
    }
    digits.iter().rev().map(|&digit| char::from(digit)).collect()
}

/// With angle brackets, as fields carry it.
impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.0)
    }
}
impl FromStr for MessageId {
    type Err = MessageIdError;
    fn from_str(text: &str) -> Result<Self, MessageIdError> {
        MessageId::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_come_and_go() {
        let id = MessageId::parse(" <a.b@c> ").unwrap();
        assert_eq!(id.as_str(), "a.b@c");
        assert_eq!(id.to_string(), "<a.b@c>");
        for bad in ["", "<>", "a b@c", "a\r\n@c", "a<b@c", "ä@c"] {
            assert_eq!(MessageId::parse(bad), Err(MessageIdError), "{bad:?}");
        }
    }

    #[test]
    fn a_fresh_one_has_the_host() {
        let host = posta_address::Domain::parse("mx.example").unwrap();
        let id = MessageId::new(36, Timestamp::from_microsecond(35).unwrap(), &host);
        assert_eq!(id.as_str(), "z.10@mx.example");
    }
}
