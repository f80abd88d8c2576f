//! Names and passwords made comparable: SASLprep (the profile of stringprep for user names and
//! passwords), as RFC 4954 §4, RFC 4616 §2 and RFC 5802 §5.1 ask.

use super::limits::{NAME_OCTETS_MAX, PASSWORD_OCTETS_MAX};
use crate::Secret;
use std::borrow::Cow;
use stringprep::tables;
use unicode_normalization::UnicodeNormalization;

/// The text cannot be a name or a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unprepared {
    /// Nothing is left of it.
    #[error("empty")]
    Empty,
    /// Longer than [`NAME_OCTETS_MAX`] or [`PASSWORD_OCTETS_MAX`].
    #[error("too long")]
    TooLong,
    /// It holds what SASLprep prohibits: controls, private use, mixed directions.
    #[error("prohibited characters")]
    Prohibited,
}

/// A name as it is looked up and compared: a "query" string, so characters that Unicode 3.2 didn't
/// have yet are allowed.
pub fn name(text: &str) -> Result<String, Unprepared> {
    if text.len() > NAME_OCTETS_MAX {
        return Err(Unprepared::TooLong);
    }
    let prepared = saslprep_query(text)?;
    match prepared.len() {
        0 => Err(Unprepared::Empty),
        // Compatibility characters may grow when they are normalized.
        octets if octets > NAME_OCTETS_MAX => Err(Unprepared::TooLong),
        _ => Ok(prepared.into_owned()),
    }
}

/// A password as it is hashed, at both ends and in the store: passwords that are kept as hashes must
/// have passed through here first.
///
/// Deviation of 2026-11-23: what SASLprep prohibits is used as it was typed, and not refused, as
/// PostgreSQL does too. RFC 4616 §2 leaves the preparation to the server; a password of mixed
/// directions is not a worse one, and it works with every mechanism alike.
pub fn password(text: &Secret) -> Result<Secret, Unprepared> {
    let text = text.expose();
    if text.len() > PASSWORD_OCTETS_MAX {
        return Err(Unprepared::TooLong);
    }
    let prepared = match saslprep_query(text) {
        Ok(prepared) => prepared,
        Err(_) => Cow::Borrowed(text),
    };
    if prepared.is_empty() { Err(Unprepared::Empty) } else { Ok(Secret::new(prepared)) }
}

/// SASLprep with unassigned code points allowed, which the library doesn't have; the tables are its.
fn saslprep_query(text: &str) -> Result<Cow<'_, str>, Unprepared> {
    if text.bytes().all(|octet| matches!(octet, b' '..=b'~')) {
        return Ok(Cow::Borrowed(text));
    }
    let prepared: String = text
        .chars()
        .map(|c| if tables::non_ascii_space_character(c) { ' ' } else { c })
        .filter(|c| !tables::commonly_mapped_to_nothing(*c))
        .nfkc()
        .collect();
    if prepared.chars().any(is_prohibited) || mixes_directions(&prepared) {
        return Err(Unprepared::Prohibited);
    }
    Ok(Cow::Owned(prepared))
}

/// The tables that SASLprep names (C.1.2 to C.9 of stringprep).
fn is_prohibited(c: char) -> bool {
    tables::non_ascii_space_character(c)
        || tables::ascii_control_character(c)
        || tables::non_ascii_control_character(c)
        || tables::private_use(c)
        || tables::non_character_code_point(c)
        || tables::surrogate_code(c)
        || tables::inappropriate_for_plain_text(c)
        || tables::inappropriate_for_canonical_representation(c)
        || tables::change_display_properties_or_deprecated(c)
        || tables::tagging_character(c)
}

/// Stringprep's rule for right-to-left texts: nothing left-to-right in them, and both ends right-to-left.
fn mixes_directions(text: &str) -> bool {
    text.contains(tables::bidi_r_or_al)
        && (text.contains(tables::bidi_l)
            || !text.starts_with(tables::bidi_r_or_al)
            || !text.ends_with(tables::bidi_r_or_al))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_prepared() {
        let long = "x".repeat(NAME_OCTETS_MAX + 1);
        let grows = "\u{fdfa}".repeat(NAME_OCTETS_MAX / 3);
        let cases = [
            ("tim", Ok("tim")),
            // The examples of the SASLprep specification.
            ("I\u{ad}X", Ok("IX")),
            ("user", Ok("user")),
            ("USER", Ok("USER")),
            ("\u{aa}", Ok("a")),
            ("\u{2168}", Ok("IX")),
            ("\u{7}", Err(Unprepared::Prohibited)),
            ("\u{627}1", Err(Unprepared::Prohibited)),
            // Ours.
            ("a\u{a0}b", Ok("a b")),
            ("jos\u{65}\u{301}", Ok("jos\u{e9}")),
            ("\u{1f99c}", Ok("\u{1f99c}")),
            ("", Err(Unprepared::Empty)),
            ("\u{ad}", Err(Unprepared::Empty)),
            ("a\0b", Err(Unprepared::Prohibited)),
            ("a\r\nb", Err(Unprepared::Prohibited)),
            ("a\u{7f}", Err(Unprepared::Prohibited)),
            ("a\u{e000}", Err(Unprepared::Prohibited)),
            (&long, Err(Unprepared::TooLong)),
            (&grows, Err(Unprepared::TooLong)),
        ];
        for (text, expected) in cases {
            assert_eq!(name(text).as_deref(), expected.as_ref().map(|name| *name), "{text:?}");
        }
    }

    #[test]
    fn passwords_that_the_profile_prohibits_stay_as_typed() {
        for (text, expected) in [("pa\u{ad}ss", "pass"), ("\u{627}1", "\u{627}1"), ("\u{1f99c}", "\u{1f99c}")]
        {
            assert_eq!(password(&Secret::new(text)), Ok(Secret::new(expected)), "{text:?}");
        }
        assert_eq!(password(&Secret::new("")), Err(Unprepared::Empty));
        assert_eq!(password(&Secret::new("x".repeat(PASSWORD_OCTETS_MAX + 1))), Err(Unprepared::TooLong));
    }

    proptest! {
        /// Where the library's stricter form accepts, ours says the same.
        #[test]
        fn the_library_agrees(text in "\\PC{0,12}") {
            if let Ok(theirs) = stringprep::saslprep(&text) {
                prop_assert_eq!(saslprep_query(&text), Ok(theirs));
            }
        }

        #[test]
        fn what_is_prepared_stays(text in any::<String>()) {
            if let Ok(once) = name(&text) {
                prop_assert_eq!(name(&once), Ok(once.clone()));
            }
        }
    }
}
