//! Enhanced mail system status codes (RFC 3463, RFC 5248).

use std::fmt;

/// `class.subject.detail`; the class is that of the reply code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EnhancedStatus {
    /// 2 success, 4 transient failure, 5 permanent failure.
    pub class: u8,
    /// What it is about: 1 address, 2 mailbox, 3 system, 4 network, 5 protocol, 6 content, 7 security.
    pub subject: u16,
    /// What exactly.
    pub detail: u16,
}

impl EnhancedStatus {
    /// Puts the three numbers together.
    pub const fn new(class: u8, subject: u16, detail: u16) -> Self {
        EnhancedStatus { class, subject, detail }
    }

    /// Reads the status at the start of a reply's text. It counts only if its class is that of the code
    /// (RFC 2034 §4). Gives the rest of the text as well.
    pub fn split_off(text: &str, code: u16) -> Option<(Self, &str)> {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        let mut numbers = word.split('.');
        let class = number(numbers.next()?, 1)? as u8;
        let status = EnhancedStatus::new(class, number(numbers.next()?, 3)?, number(numbers.next()?, 3)?);
        let fits = numbers.next().is_none() && matches!(class, 2 | 4 | 5) && u16::from(class) == code / 100;
        fits.then_some((status, rest))
    }
}

/// RFC 3463 §2: so many digits at most.
fn number(text: &str, digits_max: usize) -> Option<u16> {
    let plain = (1..=digits_max).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

impl fmt::Display for EnhancedStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}
