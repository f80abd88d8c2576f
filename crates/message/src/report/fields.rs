//! The field groups that report parts are made of: like header sections, but with rules of their own
//! (RFC 3464 §2.1, RFC 8098 §3.1, RFC 5965 §3).

use crate::encoded_word::unfold;
use crate::header::Fields;
use std::borrow::Cow;

/// Words longer than this are cut: no address or status in use comes near it.
const WORD_OCTETS_MAX: usize = 900;

/// Writes fields, folded so that no line passes 78 octets where white space lets it.
pub(super) struct FieldsWriter {
    pub(super) text: String,
    /// Whether UTF-8 may stand there (RFC 6533 §3).
    pub(super) utf8: bool,
}

impl FieldsWriter {
    pub(super) fn new(utf8: bool) -> Self {
        FieldsWriter { text: String::with_capacity(512), utf8 }
    }

    pub(super) fn add(&mut self, name: &str, value: &str) {
        self.text.push_str(name);
        self.text.push(':');
        let mut column = name.len() + 1;
        for word in value.split([' ', '\t']).filter(|word| !word.is_empty()) {
            let word = self.carriable(word);
            if column + 1 + word.len() > crate::limits::LINE_OCTETS_WANTED && column > name.len() + 1 {
                self.text.push_str("\r\n");
                column = 0;
            }
            self.text.push(' ');
            self.text.push_str(&word);
            column += 1 + word.len();
        }
        self.text.push_str("\r\n");
    }

    pub(super) fn add_some(&mut self, name: &str, value: Option<impl std::fmt::Display>) {
        if let Some(value) = value {
            self.add(name, &value.to_string());
        }
    }

    /// No encoded words are known there: what ASCII cannot hold is written in the notation of
    /// RFC 6533 §3.
    fn carriable<'w>(&self, word: &'w str) -> Cow<'w, str> {
        let mut word = Cow::Borrowed(word);
        if !self.utf8 && !word.is_ascii() {
            let escape = |character: char| match character.is_ascii() {
                true => character.to_string(),
                false => format!("\\x{{{:X}}}", u32::from(character)),
            };
            word = Cow::Owned(word.chars().map(escape).collect());
        }
        if word.len() > WORD_OCTETS_MAX {
            let mut end = WORD_OCTETS_MAX;
            while !word.is_char_boundary(end) {
                end -= 1;
            }
            word = Cow::Owned(word[..end].to_owned());
        }
        word
    }
}

/// Groups of fields that a report part holds.
const GROUPS_MAX: usize = 10_000;

/// One group of fields, as read: names with unfolded values.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReportFields<'a> {
    fields: Vec<(&'a [u8], Cow<'a, str>)>,
}

impl<'a> ReportFields<'a> {
    /// Reads the groups of a part, divided by empty lines; several in a row divide once.
    pub fn groups(content: &'a [u8]) -> Vec<ReportFields<'a>> {
        let mut groups = Vec::new();
        let mut rest = content;
        while groups.len() < GROUPS_MAX {
            let trimmed = rest.iter().take_while(|octet| matches!(octet, b'\r' | b'\n')).count();
            rest = &rest[trimmed..];
            if rest.is_empty() {
                break;
            }
            let mut fields = Fields::new(rest);
            let read = fields.by_ref().filter(|field| !field.name.is_empty());
            let group: Vec<_> =
                read.map(|field| (field.name, unfold(field.value.trim_ascii()).text)).collect();
            rest = &rest[fields.position()..];
            if !group.is_empty() {
                groups.push(ReportFields { fields: group });
            }
        }
        groups
    }

    /// The first value of a field.
    pub fn get(&self, name: &str) -> Option<&str> {
        let is_it = |present: &[u8]| present.eq_ignore_ascii_case(name.as_bytes());
        self.fields.iter().find(|(present, _)| is_it(present)).map(|(_, value)| value.as_ref())
    }

    /// All values of a field.
    pub fn all<'n>(&'n self, name: &'n str) -> impl Iterator<Item = &'n str> {
        let own =
            self.fields.iter().filter(move |(present, _)| present.eq_ignore_ascii_case(name.as_bytes()));
        own.map(|(_, value)| value.as_ref())
    }

    /// Whether any field has this name.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }
}

/// `type; value` (RFC 3464 §2.1.2), white space around both cut off. Without a semicolon the whole
/// is the value.
pub fn typed(value: &str) -> (&str, &str) {
    value.split_once(';').map_or(("", value.trim()), |(kind, value)| (kind.trim(), value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_divided_by_empty_lines() {
        let groups = ReportFields::groups(b"\r\nA: 1\r\nB: 2\r\n 3\r\n\r\n\r\na: 4\n\njunk\n");
        assert_eq!(groups.len(), 2);
        assert_eq!((groups[0].get("b"), groups[1].get("A")), (Some("2 3"), Some("4")));
        assert_eq!(typed("rfc822; a@b"), ("rfc822", "a@b"));
        assert_eq!(typed("a@b"), ("", "a@b"));
        assert!(ReportFields::groups(b"").is_empty());
    }
}
