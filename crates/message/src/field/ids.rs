//! Lists of message identifiers (RFC 5322 §3.6.4, §4.5.4).

use super::scan::Cursor;
use crate::charset;
use std::borrow::Cow;

/// The identifiers of a field, without angle brackets, and whether nothing else stood there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IdList<'a> {
    /// In their order.
    pub ids: Vec<Cow<'a, str>>,
    /// False where an identifier has no brackets or no `@`, or where brackets do not close.
    /// Words between identifiers are the obsolete grammar's and do no harm.
    pub is_clean: bool,
}

/// Reads all identifiers. Without any bracket, words with an `@` are taken for identifiers; if
/// there is none either, the first word (broken Message-IDs are such).
pub fn parse(value: &[u8]) -> IdList<'_> {
    let mut list = IdList { ids: Vec::new(), is_clean: true };
    let mut cursor = Cursor::new(value);
    while let Some(octet) = cursor.peek() {
        match octet {
            b'<' => {
                cursor.at += 1;
                let content = cursor.take_while(|octet| octet != b'>' && octet != b'<');
                list.is_clean &= cursor.take(b'>');
                list.push(content);
            }
            b'"' => drop(cursor.quoted()),
            b'(' | b' ' | b'\t' | b'\r' | b'\n' => drop(cursor.skip_cfws()),
            _ => cursor.at += 1,
        }
    }
    if list.ids.is_empty() {
        let words = || {
            value.split(u8::is_ascii_whitespace).map(|word| word.trim_ascii()).filter(|word| !word.is_empty())
        };
        words().filter(|word| word.contains(&b'@')).for_each(|word| list.push(word));
        if list.ids.is_empty() {
            words().take(1).for_each(|word| list.push(word));
        }
        list.is_clean = false;
    }
    list
}

impl<'a> IdList<'a> {
    fn push(&mut self, content: &'a [u8]) {
        let content = content.trim_ascii();
        self.is_clean &= content.contains(&b'@');
        if content.is_empty() {
            return;
        }
        if !content.iter().any(u8::is_ascii_whitespace) {
            return self.ids.push(charset::decode_unlabelled(content).text);
        }
        // White space inside is folding that should not be there, or the obsolete grammar.
        let compact: Vec<u8> = content.iter().copied().filter(|octet| !octet.is_ascii_whitespace()).collect();
        self.ids.push(Cow::Owned(charset::decode_unlabelled(&compact).text.into_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, expected: &[&str], expected_clean: bool) {
        let list = parse(value.as_bytes());
        assert_eq!(list.ids, expected, "{value}");
        assert_eq!(list.is_clean, expected_clean, "{value}");
    }

    #[test]
    fn what_fields_hold() {
        check("<a@b>", &["a@b"], true);
        check("<a@b>\r\n <c@d> (note <x@y>)", &["a@b", "c@d"], true);
        check("Your message of \"<today@x>\" <a@b>", &["a@b"], true);
        check("<a@b><c@d>", &["a@b", "c@d"], true);
        check("<a@\r\n b>", &["a@b"], true);
        check("a@b c@d", &["a@b", "c@d"], false);
        check("nothing here", &["nothing"], false);
        check("<a@b", &["a@b"], false);
        check("<>", &["<>"], false);
        check("", &[], false);
    }
}
