//! The local-part of a mailbox.

use crate::{AddressError, LOCAL_PART_OCTETS_MAX, serde_as_text};
use std::{fmt, str::FromStr, sync::Arc};

/// What stands left of the `@`, kept without quotes (RFC 5321 §4.1.2: the quoted and unquoted
/// forms are equivalent). Case is kept; whether it matters is the receiving host's business.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocalPart(Arc<str>);

impl LocalPart {
    /// Reads a dot-string or a quoted-string, UTF-8 allowed (RFC 6531 §3.3).
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let value = match text.strip_prefix('"') {
            Some(rest) => unquote(rest.strip_suffix('"').ok_or(AddressError::LocalPart)?)?,
            None if is_dot_string(text) => text.to_owned(),
            None => return Err(AddressError::LocalPart),
        };
        Self::from_unquoted(&value)
    }

    /// Takes a text as it is meant, quotes not needed.
    pub fn from_unquoted(value: &str) -> Result<Self, AddressError> {
        if value.len() > LOCAL_PART_OCTETS_MAX {
            return Err(AddressError::LocalPartTooLong);
        }
        // qtextSMTP and quoted-pairSMTP reach no control character (RFC 5321 §4.1.2).
        if value.chars().any(char::is_control) {
            return Err(AddressError::LocalPart);
        }
        Ok(LocalPart(value.into()))
    }

    /// The value, unquoted.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it needs no SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.0.is_ascii()
    }
}

fn is_atext(c: char) -> bool {
    !c.is_ascii() && !c.is_control() && !c.is_whitespace()
        || c.is_ascii_alphanumeric()
        || "!#$%&'*+-/=?^_`{|}~".contains(c)
}

fn is_dot_string(text: &str) -> bool {
    text.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
}

fn unquote(quoted: &str) -> Result<String, AddressError> {
    let mut value = String::with_capacity(quoted.len());
    let mut characters = quoted.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => value.push(characters.next().ok_or(AddressError::LocalPart)?),
            '"' => return Err(AddressError::LocalPart),
            _ => value.push(c),
        }
    }
    Ok(value)
}

impl fmt::Display for LocalPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_dot_string(&self.0) {
            return f.write_str(&self.0);
        }
        f.write_str("\"")?;
        for c in self.0.chars() {
            if matches!(c, '"' | '\\') {
                f.write_str("\\")?;
            }
            write!(f, "{c}")?;
        }
        f.write_str("\"")
    }
}
impl fmt::Debug for LocalPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalPart({self})")
    }
}
impl FromStr for LocalPart {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        LocalPart::parse(text)
    }
}
serde_as_text!(LocalPart);
