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
        if value.chars().any(|c| c.is_control() || is_deceptive(c)) {
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

/// RFC 6531 §3.3 lets any non-ASCII character in. These make an address look like another one, or break
/// lines, wherever it is shown, and no identifier has them (RFC 8264 §9.13): line and paragraph
/// separators, controls of writing direction, private use, noncharacters.
fn is_deceptive(c: char) -> bool {
    let private_or_none = matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}' | '\u{f0000}'..);
    matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || private_or_none
        || u32::from(c) & 0xfffe == 0xfffe
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
            // quoted-pairSMTP = %d92 %d32-126
            '\\' => match characters.next() {
                Some(c @ ' '..='~') => value.push(c),
                _ => return Err(AddressError::LocalPart),
            },
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn local_parts() {
        let longest = "x".repeat(64);
        // The text, the value, and how it is printed.
        let cases = [
            ("bob", "bob", "bob"),
            ("Bob.B", "Bob.B", "Bob.B"),
            ("!#$%&'*+-/=?^_`{|}~", "!#$%&'*+-/=?^_`{|}~", "!#$%&'*+-/=?^_`{|}~"),
            (r#""bob""#, "bob", "bob"),
            (r#""\b\o\b""#, "bob", "bob"),
            (r#""John Q. Public""#, "John Q. Public", r#""John Q. Public""#),
            (r#""a@b""#, "a@b", r#""a@b""#),
            (r#""a\"b\\c""#, r#"a"b\c"#, r#""a\"b\\c""#),
            (r#""a..b""#, "a..b", r#""a..b""#),
            (r#""""#, "", r#""""#),
            ("jörg", "jörg", "jörg"),
            ("伊昭傑", "伊昭傑", "伊昭傑"),
            ("\"\u{a0}\"", "\u{a0}", "\"\u{a0}\""),
            (longest.as_str(), longest.as_str(), longest.as_str()),
        ];
        for (text, value, printed) in cases {
            let local_part = LocalPart::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((local_part.as_str(), local_part.to_string().as_str()), (value, printed));
            assert_eq!(local_part.is_ascii(), value.is_ascii());
        }
    }

    #[test]
    fn no_local_parts() {
        let too_long = "ä".repeat(33);
        let cases = [
            "",
            ".",
            ".a",
            "a.",
            "a..b",
            "a b",
            "a@b",
            "a,b",
            "<a",
            r"a\b",
            "\"",
            "\"a",
            "a\"",
            r#""a"b""#,
            r#"a"b"c"#,
            r#""a\""#,
            "\"a\nb\"",
            "\"a\\\u{7f}\"",
            r#""\ä""#,
            "\u{7}",
            "a\u{202e}b",
            "a\u{2028}b",
            "a\u{fdef}",
            "a\u{10fffe}",
            "a\u{a0}b",
            &too_long,
        ];
        for text in cases {
            assert!(LocalPart::parse(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn printed_and_read_again(value in "[ -~äλ\u{a0}\u{1f600}]{0,16}") {
            let local_part = LocalPart::from_unquoted(&value).expect("no controls");
            prop_assert_eq!(local_part.to_string().parse(), Ok(local_part));
        }

        #[test]
        fn any_text_is_read_without_panic(text in ".{0,80}") {
            let _ = LocalPart::parse(&text);
        }
    }
}
