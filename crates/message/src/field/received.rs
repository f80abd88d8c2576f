//! `Received` fields (RFC 5321 §4.4; RFC 5322 §3.6.7).

use super::date;
use super::scan::Cursor;
use crate::charset;
use crate::date::DateTime;
use std::borrow::Cow;

/// The clauses of a trace field; each as it stands, comments left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Received<'a> {
    /// The name that the sending host gave.
    pub from: Option<Cow<'a, str>>,
    /// The comment behind it: by custom the name and address that the receiving host saw.
    pub from_comment: Option<Cow<'a, str>>,
    /// The receiving host.
    pub by: Option<Cow<'a, str>>,
    /// The link, `TCP` nearly always.
    pub via: Option<Cow<'a, str>>,
    /// The protocol.
    pub with: Option<Cow<'a, str>>,
    /// The name the receiving host gave the message.
    pub id: Option<Cow<'a, str>>,
    /// The recipient, without angle brackets.
    pub recipient: Option<Cow<'a, str>>,
    /// When it was received.
    pub date: Option<DateTime>,
}

/// Reads a `Received` value. Clauses nobody knows are passed over.
pub fn parse(value: &[u8]) -> Received<'_> {
    let mut received = Received::default();
    // The date stands behind the last semicolon, since none can occur in it.
    let (clauses, date) = match memchr::memrchr(b';', value) {
        Some(semicolon) => (&value[..semicolon], &value[semicolon + 1..]),
        None => (value, &value[..0]),
    };
    received.date = date::parse(date).map(|parsed| parsed.date);
    let mut cursor = Cursor::new(clauses);
    cursor.skip_cfws();
    while cursor.peek().is_some() {
        let name = word(&mut cursor);
        cursor.comment = None;
        cursor.skip_cfws();
        let slot = match name.to_ascii_lowercase().as_slice() {
            b"from" => &mut received.from,
            b"by" => &mut received.by,
            b"via" => &mut received.via,
            b"with" => &mut received.with,
            b"id" => &mut received.id,
            b"for" => &mut received.recipient,
            _ => continue,
        };
        let is_from = name.eq_ignore_ascii_case(b"from");
        let content = word(&mut cursor);
        if slot.is_none() && !content.is_empty() {
            let content =
                content.strip_prefix(b"<").and_then(|inner| inner.strip_suffix(b">")).unwrap_or(content);
            *slot = Some(charset::decode_unlabelled(content).text);
        }
        cursor.skip_cfws();
        if is_from && received.from_comment.is_none() {
            received.from_comment = cursor.comment.map(|comment| crate::encoded_word::unfold(comment).text);
        }
    }
    received
}

/// Up to white space or a comment; at least one octet.
fn word<'a>(cursor: &mut Cursor<'a>) -> &'a [u8] {
    let start = cursor.at;
    if cursor.peek() == Some(b'"') {
        return cursor.quoted();
    }
    cursor.take_while(|octet| !octet.is_ascii_whitespace() && octet != b'(');
    cursor.at = cursor.at.max((start + 1).min(cursor.octets.len()));
    &cursor.octets[start..cursor.at]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clauses() {
        let value = b"from x.y.test (mail.y.test [192.0.2.1])\r\n\tby example.net (Posta) via TCP with ESMTP id ABC12345\r\n\tfor <mary@example.net>; 21 Nov 1997 10:05:43 -0600";
        let received = parse(value);
        assert_eq!(received.from.as_deref(), Some("x.y.test"));
        assert_eq!(received.from_comment.as_deref(), Some("mail.y.test [192.0.2.1]"));
        assert_eq!(received.by.as_deref(), Some("example.net"));
        assert_eq!(received.via.as_deref(), Some("TCP"));
        assert_eq!(received.with.as_deref(), Some("ESMTP"));
        assert_eq!(received.id.as_deref(), Some("ABC12345"));
        assert_eq!(received.recipient.as_deref(), Some("mary@example.net"));
        assert_eq!(received.date.unwrap().instant.to_string(), "1997-11-21T16:05:43Z");
        assert_eq!(parse(b"(qmail 123 invoked by uid 0); 1 Jan 2000 00:00:00 -0000").from, None);
        assert_eq!(parse(b"").date, None);
    }
}
