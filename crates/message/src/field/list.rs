//! Mailing list fields: RFC 2369 (`List-Unsubscribe` and its kin), RFC 2919 (`List-Id`),
//! RFC 8058 (`List-Unsubscribe-Post`).

use super::scan::{Cursor, text_of};
use crate::charset;
use std::borrow::Cow;

/// `List-Id`: a name for people and the identifier (RFC 2919 §3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListId<'a> {
    /// The description before the brackets, decoded.
    pub name: Option<Cow<'a, str>>,
    /// The identifier.
    pub id: Cow<'a, str>,
}

/// Reads a `List-Id`; without brackets the whole is the identifier.
pub fn list_id(value: &[u8]) -> Option<ListId<'_>> {
    let value = value.trim_ascii();
    let (name, id) = match (memchr::memrchr(b'<', value), memchr::memrchr(b'>', value)) {
        (Some(open), Some(close)) if open < close => (value[..open].trim_ascii(), &value[open + 1..close]),
        _ => (&value[..0], value),
    };
    let name = name.strip_prefix(b"\"").and_then(|inner| inner.strip_suffix(b"\"")).unwrap_or(name);
    let id = charset::decode_unlabelled(id.trim_ascii()).text;
    let name = Some(text_of(name)).filter(|name| !name.is_empty());
    if id.is_empty() { None } else { Some(ListId { name, id }) }
}

/// The URLs of a `List-…` field in the order of preference (RFC 2369 §2). `NO` gives none.
pub fn urls(value: &[u8]) -> Vec<Cow<'_, str>> {
    let mut cursor = Cursor::new(value);
    let mut urls = Vec::new();
    loop {
        cursor.skip_cfws();
        match cursor.peek() {
            None => return urls,
            Some(b'<') => {
                cursor.at += 1;
                let url = cursor.take_while(|octet| octet != b'>');
                // RFC 2369 §2: white space within the brackets is to be ignored.
                let compact: Vec<u8> =
                    url.iter().copied().filter(|octet| !octet.is_ascii_whitespace()).collect();
                if compact.len() == url.len() {
                    urls.push(charset::decode_unlabelled(url).text);
                } else {
                    urls.push(Cow::Owned(charset::decode_unlabelled(&compact).text.into_owned()));
                }
                cursor.take(b'>');
            }
            Some(_) => cursor.at += 1,
        }
    }
}

/// Whether a `List-Unsubscribe-Post` promises one click (RFC 8058 §3.1).
pub fn is_one_click(value: &[u8]) -> bool {
    value.trim_ascii().eq_ignore_ascii_case(b"List-Unsubscribe=One-Click")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_of_the_rfcs() {
        assert_eq!(
            urls(b"<ftp://ftp.host.com/list.txt> (FTP),\r\n    <mailto:list@host.com?subject=help>"),
            ["ftp://ftp.host.com/list.txt", "mailto:list@host.com?subject=help"]
        );
        assert!(urls(b"NO (posting not allowed on this list)").is_empty());
        assert_eq!(urls(b"<mailto:list@\r\n host.com>"), ["mailto:list@host.com"]);
        let id = list_id(
            b"\"Lena's Personal Joke List\" <lenas-jokes.da39efc25c530ad145d41b86f7420c3b.021999.localhost>",
        )
        .unwrap();
        assert_eq!(id.name.as_deref(), Some("Lena's Personal Joke List"));
        assert_eq!(list_id(b"<a.b>").unwrap(), ListId { name: None, id: "a.b".into() });
        assert_eq!(list_id(b" ").map(|list| list.id), None);
        assert!(is_one_click(b" List-Unsubscribe=One-Click\r\n"));
    }
}
