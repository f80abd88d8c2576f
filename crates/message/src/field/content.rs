//! The MIME fields: Content-Type, Content-Disposition, Content-Transfer-Encoding.

use super::parameter::{self, Parameters};
use super::scan::Cursor;
use std::borrow::Cow;

/// A media type as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentType<'a> {
    /// `type/subtype` in lower case.
    pub essence: Cow<'a, str>,
    /// Its parameters.
    pub parameters: Parameters<'a>,
    /// Whether `type/subtype` was there and valid.
    pub is_clean: bool,
}

impl ContentType<'_> {
    /// What stands before the slash.
    pub fn kind(&self) -> &str {
        self.essence.split('/').next().unwrap_or_default()
    }

    /// What stands behind the slash.
    pub fn subtype(&self) -> &str {
        self.essence.split_once('/').map_or("", |(_, subtype)| subtype)
    }
}

/// What holds where there is no Content-Type, or none that can be read (RFC 2045 §5.2).
pub const DEFAULT_TYPE: &str = "text/plain";

/// Reads a Content-Type. One without a subtype, or otherwise broken, counts as the default, but
/// `multipart` alone as `multipart/mixed`, so that its parts are found.
pub fn content_type(value: &[u8]) -> ContentType<'_> {
    let (essence, rest, is_clean) = essence(value);
    ContentType { essence, parameters: parameter::parse(rest), is_clean }
}

/// As [`content_type`], without reading the parameters: gives what follows the type instead.
pub(crate) fn essence(value: &[u8]) -> (Cow<'_, str>, &[u8], bool) {
    if let Some((essence, rest)) = plain_essence(value) {
        return (Cow::Borrowed(essence), rest, true);
    }
    let mut cursor = Cursor::new(value);
    cursor.skip_cfws();
    let start = cursor.at;
    let kind = cursor.take_while(is_type_char);
    let slash_at = cursor.at;
    cursor.skip_cfws();
    if kind.is_empty() || !cursor.take(b'/') {
        let essence = if kind.eq_ignore_ascii_case(b"multipart") { "multipart/mixed" } else { DEFAULT_TYPE };
        return (Cow::Borrowed(essence), behind_semicolon(&value[slash_at..]), false);
    }
    let is_close = cursor.at == slash_at + 1;
    cursor.skip_cfws();
    let subtype_at = cursor.at;
    let subtype = cursor.take_while(is_type_char);
    let end = cursor.at;
    cursor.skip_cfws();
    let rest = cursor.rest();
    let is_clean = matches!(rest.first(), None | Some(b';'));
    if subtype.is_empty() {
        let essence = if kind.eq_ignore_ascii_case(b"multipart") { "multipart/mixed" } else { DEFAULT_TYPE };
        return (Cow::Borrowed(essence), behind_semicolon(rest), false);
    }
    let whole = &value[start..end];
    // Type characters are ASCII.
    let lower = |octets: &[u8]| String::from_utf8_lossy(octets).to_ascii_lowercase();
    let essence = if is_close && subtype_at == slash_at + 1 {
        match std::str::from_utf8(whole) {
            Ok(text) if !whole.iter().any(u8::is_ascii_uppercase) => Cow::Borrowed(text),
            _ => Cow::Owned(lower(whole)),
        }
    } else {
        Cow::Owned(format!("{}/{}", lower(kind), lower(subtype)))
    };
    let rest = if is_clean { rest } else { behind_junk(rest) };
    (essence, rest, is_clean)
}

/// The usual form: lower case, and nothing but white space before the end or the semicolon.
fn plain_essence(value: &[u8]) -> Option<(&str, &[u8])> {
    let value = value.trim_ascii_start();
    let is_plain = |octet: &u8| matches!(octet, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'+');
    let slash = value.iter().position(|octet| !is_plain(octet)).filter(|at| *at > 0 && value[*at] == b'/')?;
    let subtype = value[slash + 1..].iter().take_while(|octet| is_plain(octet)).count();
    let (essence, rest) = value.split_at(slash + 1 + subtype);
    let rest = rest.trim_ascii_start();
    let is_usual = subtype > 0 && matches!(rest.first(), None | Some(b';'));
    Some((std::str::from_utf8(essence).ok().filter(|_| is_usual)?, rest))
}

fn is_type_char(octet: u8) -> bool {
    octet.is_ascii_graphic() && !matches!(octet, b'/' | b';' | b'(' | b'"' | b',' | b'=')
}

fn behind_semicolon(rest: &[u8]) -> &[u8] {
    memchr::memchr(b';', rest).map_or(&[], |at| &rest[at..])
}

/// `text/plain charset=utf-8`: the semicolon is missing, a parameter follows; else junk.
fn behind_junk(rest: &[u8]) -> &[u8] {
    let name =
        rest.iter().take_while(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'*' | b'-')).count();
    if name > 0 && rest.get(name) == Some(&b'=') { rest } else { behind_semicolon(rest) }
}

/// A Content-Disposition as read (RFC 2183).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentDisposition<'a> {
    /// `inline`, `attachment`, or another in lower case; empty where only parameters are given.
    pub kind: Cow<'a, str>,
    /// Its parameters.
    pub parameters: Parameters<'a>,
}

impl ContentDisposition<'_> {
    /// Unknown dispositions are to be treated as `attachment` (RFC 2183 §2.8).
    pub fn is_attachment(&self) -> bool {
        !matches!(&*self.kind, "inline" | "")
    }
}

/// Reads a Content-Disposition.
pub fn content_disposition(value: &[u8]) -> ContentDisposition<'_> {
    let mut cursor = Cursor::new(value);
    cursor.skip_cfws();
    let start = cursor.at;
    let kind = cursor.take_while(is_type_char);
    if cursor.peek() == Some(b'=') {
        return ContentDisposition { kind: Cow::Borrowed(""), parameters: parameter::parse(&value[start..]) };
    }
    let kind = match std::str::from_utf8(kind) {
        Ok(text) if !kind.iter().any(u8::is_ascii_uppercase) => Cow::Borrowed(text),
        _ => Cow::Owned(String::from_utf8_lossy(kind).to_ascii_lowercase()),
    };
    cursor.skip_cfws();
    let rest = cursor.rest();
    let rest = if matches!(rest.first(), None | Some(b';')) { rest } else { behind_junk(rest) };
    ContentDisposition { kind, parameters: parameter::parse(rest) }
}

/// The one word of a Content-Transfer-Encoding, or of a MIME-Version, comments left out.
pub fn token(value: &[u8]) -> &[u8] {
    let mut cursor = Cursor::new(value);
    cursor.skip_cfws();
    cursor.take_while(|octet| octet.is_ascii_graphic() && !matches!(octet, b';' | b'(' | b'"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, expected: &str, expected_clean: bool) {
        let read = content_type(value.as_bytes());
        let parameters: String =
            read.parameters.list.iter().map(|one| format!("; {}={}", one.name, one.value)).collect();
        assert_eq!(format!("{}{parameters}", read.essence), expected, "{value}");
        assert_eq!(read.is_clean, expected_clean, "{value}");
    }

    #[test]
    fn media_types() {
        check("text/plain; charset=us-ascii (Plain text)", "text/plain; charset=us-ascii", true);
        check("TEXT/HTML;charset=\"UTF-8\"", "text/html; charset=UTF-8", true);
        check("(c)text(c)/(c)plain(c)", "text/plain", true);
        check("text", "text/plain", false);
        check("multipart; boundary=x", "multipart/mixed; boundary=x", false);
        check("multipart/; boundary=x", "multipart/mixed; boundary=x", false);
        check("text/html charset=utf-8", "text/html; charset=utf-8", false);
        check("", "text/plain", false);
        check("/", "text/plain", false);
    }

    #[test]
    fn dispositions() {
        assert_eq!(content_disposition(b"Attachment; filename=x").kind, "attachment");
        assert_eq!(content_disposition(b"filename=x.txt").parameters.get("filename"), Some("x.txt"));
        assert!(content_disposition(b"x-strange").is_attachment());
        assert!(!content_disposition(b"INLINE").is_attachment());
    }
}
