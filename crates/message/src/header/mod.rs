//! Header fields: names and values that are safe to write, and quick look-ups in raw sections.

mod section;

pub use section::{Fields, RawField, all, first, split};

use crate::limits::HEADER_NAME_OCTETS_MAX;
use std::{borrow::Cow, fmt, str::FromStr};
use thiserror::Error;

/// Why a text cannot be a field's name or value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// Empty, too long, or with other than visible ASCII, or with a colon (RFC 5322 §3.6.8).
    #[error("bad field name")]
    Name,
    /// A control character: a line break above all, which would begin another field.
    #[error("control character in a field value")]
    Text,
}

/// A field name (RFC 5322 §3.6.8 `field-name`), kept as written, compared without case.
#[derive(Debug, Clone)]
pub struct HeaderName(Cow<'static, str>);

impl HeaderName {
    /// A name known when compiling; a bad one fails the build where it is used in a constant.
    pub const fn of(name: &'static str) -> Self {
        assert!(is_name(name.as_bytes()), "bad field name");
        HeaderName(Cow::Borrowed(name))
    }

    /// Checks a name.
    pub fn parse(name: &str) -> Result<Self, HeaderError> {
        if is_name(name.as_bytes()) {
            Ok(HeaderName(Cow::Owned(name.to_owned())))
        } else {
            Err(HeaderError::Name)
        }
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

const fn is_name(name: &[u8]) -> bool {
    if name.is_empty() || name.len() > HEADER_NAME_OCTETS_MAX {
        return false;
    }
    let mut index = 0;
    while index < name.len() {
        if !name[index].is_ascii_graphic() || name[index] == b':' {
            return false;
        }
        index += 1;
    }
    true
}

impl PartialEq for HeaderName {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}
impl Eq for HeaderName {}
impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl FromStr for HeaderName {
    type Err = HeaderError;
    fn from_str(name: &str) -> Result<Self, HeaderError> {
        HeaderName::parse(name)
    }
}

/// Text of a field or a display name: any Unicode but control characters (tab excepted), so that
/// no value can begin another field or end the header section.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct HeaderText(String);

impl HeaderText {
    /// Checks a text.
    pub fn parse(text: &str) -> Result<Self, HeaderError> {
        if text.chars().any(is_refused) {
            return Err(HeaderError::Text);
        }
        Ok(HeaderText(text.to_owned()))
    }

    /// Takes any text: each run of control characters and line breaks becomes one space.
    pub fn clean(text: &str) -> Self {
        let mut cleaned = String::with_capacity(text.len());
        let mut in_run = false;
        for character in text.chars() {
            if !is_refused(character) {
                cleaned.push(character);
            } else if !in_run {
                cleaned.push(' ');
            }
            in_run = is_refused(character);
        }
        HeaderText(cleaned)
    }

    /// The text, decoded.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn is_refused(character: char) -> bool {
    // U+2028 and U+2029 are line breaks to some readers.
    character != '\t' && (character.is_control() || matches!(character, '\u{2028}' | '\u{2029}'))
}

impl fmt::Display for HeaderText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl FromStr for HeaderText {
    type Err = HeaderError;
    fn from_str(text: &str) -> Result<Self, HeaderError> {
        HeaderText::parse(text)
    }
}
impl TryFrom<&str> for HeaderText {
    type Error = HeaderError;
    fn try_from(text: &str) -> Result<Self, HeaderError> {
        HeaderText::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_begin_another_field() {
        for bad in ["a\r\nBcc: x", "a\nb", "a\rb", "a\0b", "a\u{85}b", "a\u{2028}b"] {
            assert_eq!(HeaderText::parse(bad), Err(HeaderError::Text), "{bad:?}");
        }
        assert_eq!(HeaderText::clean("a\r\n b\0c").as_str(), "a  b c");
        assert_eq!(HeaderText::parse("grüße\t☺").unwrap().as_str(), "grüße\t☺");
    }

    #[test]
    fn names_are_visible_ascii_without_colon() {
        for bad in ["", "a b", "a:", "ä", "a\r", "a\u{7f}"] {
            assert!(HeaderName::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(HeaderName::parse("x-FOO").unwrap(), HeaderName::of("X-Foo"));
    }
}
