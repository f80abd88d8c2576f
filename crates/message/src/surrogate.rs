//! Messages with UTF-8 in their header sections (RFC 6532) made readable for programs that know only ASCII
//! there (RFC 6857): what a POP3 client gets that did not say UTF8.
//!
//! Bodies stay as they are, 8bit ones included. Where an address has no ASCII form it becomes the name of
//! an empty group, so that nobody answers to a wrong one. Signed parts are left alone (RFC 1847 §2.1), and
//! so are the fields of reports within a body (RFC 6857 §4.2).

use crate::{
    build::{Address, NamedMailbox, fold::FieldWriter},
    charset,
    field::{address, content},
    header::{Fields, HeaderName, HeaderText, RawField},
    limits::ADDRESSES_MAX,
    read::{Entity, Message},
};
use posta_address::Domain;
use std::borrow::Cow;

/// RFC 6857 §3.2.1.
const ADDRESS_FIELDS: [&str; 14] = [
    "From",
    "Sender",
    "To",
    "Cc",
    "Bcc",
    "Reply-To",
    "Resent-From",
    "Resent-Sender",
    "Resent-To",
    "Resent-Cc",
    "Resent-Bcc",
    "Resent-Reply-To",
    "Return-Path",
    "Disposition-Notification-To",
];

/// RFC 6857 §3.2.3: what can't be told otherwise is told under another name.
const ENCAPSULATED_FIELDS: [&str; 6] =
    ["Message-ID", "Resent-Message-ID", "In-Reply-To", "References", "Original-Recipient", "Final-Recipient"];

/// RFC 6857 §3.2.2, §3.2.4: words, with comments between them.
const WORD_FIELDS: [&str; 9] = [
    "Received",
    "Date",
    "Resent-Date",
    "MIME-Version",
    "Content-ID",
    "Content-Transfer-Encoding",
    "Content-Language",
    "Accept-Language",
    "Auto-Submitted",
];

/// Whether the message is unfit for programs that don't know RFC 6532: its header section, or that of a
/// part, holds octets over 127.
pub fn is_needed(message: &[u8]) -> bool {
    matches!(with_ascii_headers(message), Cow::Owned(_))
}

/// The message with all its header sections in ASCII; the same octets if there was nothing to do.
pub fn with_ascii_headers(message: &[u8]) -> Cow<'_, [u8]> {
    if message.is_ascii() {
        return Cow::Borrowed(message);
    }
    let parsed = Message::parse(message);
    let mut writer = Writer { raw: message, out: Vec::with_capacity(message.len() + 512), changed: false };
    let root = parsed.root();
    writer.out.extend_from_slice(&message[..root.offset()]);
    writer.entity(root);
    if writer.changed { Cow::Owned(writer.out) } else { Cow::Borrowed(message) }
}

struct Writer<'r> {
    raw: &'r [u8],
    out: Vec<u8>,
    changed: bool,
}

impl Writer<'_> {
    fn entity(&mut self, entity: Entity<'_>) {
        if entity.raw().is_ascii() {
            return self.out.extend_from_slice(entity.raw());
        }
        for field in Fields::new(entity.raw_header()) {
            match field.raw.is_ascii() {
                true => self.out.extend_from_slice(field.raw),
                false => {
                    self.changed = true;
                    self.field(field);
                }
            }
        }
        let header_octets: usize = Fields::new(entity.raw_header()).map(|field| field.raw.len()).sum();
        let mut at = entity.offset() + header_octets;
        let children: Vec<Entity<'_>> = match entity.message() {
            _ if &*entity.media_type() == "multipart/signed" => Vec::new(),
            _ if entity.is_multipart() => entity.parts().collect(),
            Some(inner) if entity.encoding().is_identity() => vec![inner],
            _ => Vec::new(),
        };
        for child in children {
            self.out.extend_from_slice(&self.raw[at..child.offset()]);
            self.entity(child);
            at = child.offset() + child.raw().len();
        }
        let end = entity.offset() + entity.raw().len();
        self.out.extend_from_slice(&self.raw[at..end]);
    }

    fn field(&mut self, field: RawField<'_>) {
        let text = text_of(field.value);
        let name = std::str::from_utf8(field.name).ok().and_then(|name| HeaderName::parse(name).ok());
        let Some(name) = name else {
            // No field at all: nobody can mean anything by it.
            let line = String::from_utf8_lossy(field.raw);
            self.out.extend(line.chars().map(|c| if c.is_ascii() { c as u8 } else { b'?' }));
            return;
        };
        let is_one_of = |names: &[&str]| names.iter().any(|other| other.eq_ignore_ascii_case(name.as_str()));
        let mut writer = FieldWriter::new(&mut self.out, false);
        if is_one_of(&ADDRESS_FIELDS)
            && let Some(addresses) = ascii_addresses(text.as_bytes())
        {
            return writer.addresses(name.as_str(), &addresses);
        }
        if is_one_of(&ENCAPSULATED_FIELDS)
            && let Ok(name) = HeaderName::parse(&format!("Downgraded-{}", name.as_str()))
        {
            return writer.unstructured(&name, &HeaderText::clean(text.trim()));
        }
        if is_one_of(&WORD_FIELDS) {
            let words = ascii_words(&text);
            return writer.words(name.as_str(), words.iter().map(String::as_str));
        }
        let with_parameters = match name.as_str() {
            name if name.eq_ignore_ascii_case("Content-Type") => {
                let read = content::content_type(text.as_bytes());
                Some((read.essence, read.parameters))
            }
            name if name.eq_ignore_ascii_case("Content-Disposition") => {
                let read = content::content_disposition(text.as_bytes());
                Some((read.kind, read.parameters))
            }
            _ => None,
        };
        if let Some((value, parameters)) = with_parameters.filter(|(value, _)| is_word(value)) {
            let writable = parameters.list.iter().filter(|parameter| is_word(parameter.name));
            let list = writable.map(|parameter| (parameter.name, &*parameter.value));
            return writer.parameters(name.as_str(), &value, list);
        }
        if is_one_of(&["Keywords"]) {
            let phrases = text.split(',').map(str::trim).filter(|phrase| !phrase.is_empty());
            return writer.phrases(name.as_str(), phrases);
        }
        writer.unstructured(&name, &HeaderText::clean(text.trim()));
    }
}

/// Whether it can stand as it is where a token is due.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_graphic())
}

/// A value as text, unfolded. What is not UTF-8 is read as what it most likely is.
fn text_of(value: &[u8]) -> String {
    let text = match std::str::from_utf8(value) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => charset::decode_unlabelled(value).text,
    };
    text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect()
}

/// RFC 6857 §3.1.5 to §3.1.8. Nothing where no address is found.
fn ascii_addresses(value: &[u8]) -> Option<Vec<Address>> {
    let list = address::parse(value);
    let count = list.mailboxes().count();
    if list.addresses.is_empty() || count >= ADDRESSES_MAX {
        return None;
    }
    Some(list.addresses.iter().map(ascii_address).collect())
}

fn ascii_address(address: &address::Address<'_>) -> Address {
    match address {
        address::Address::Mailbox(mailbox) => match ascii_mailbox(mailbox) {
            Some(mailbox) => Address::Mailbox(mailbox),
            None => empty_group(&shown(mailbox)),
        },
        address::Address::Group { name, members } => {
            let ascii: Option<Vec<NamedMailbox>> = members.iter().map(ascii_mailbox).collect();
            match ascii {
                Some(members) => Address::Group { name: HeaderText::clean(name), members },
                None => {
                    let members: Vec<String> = members.iter().map(shown).collect();
                    empty_group(&format!("{name} {}", members.join(", ")))
                }
            }
        }
    }
}

fn empty_group(name: &str) -> Address {
    Address::Group { name: HeaderText::clean(name), members: Vec::new() }
}

/// One that has an ASCII form: its domain may be written in A-labels.
fn ascii_mailbox(mailbox: &address::Mailbox<'_>) -> Option<NamedMailbox> {
    NamedMailbox::try_from(mailbox).ok().filter(|mailbox| mailbox.mailbox.local_part().is_ascii())
}

fn shown(mailbox: &address::Mailbox<'_>) -> String {
    match &mailbox.name {
        Some(name) if !name.is_empty() => format!("{name} <{}>", mailbox.address),
        _ => mailbox.address.to_string(),
    }
}

/// RFC 6857 §3.2.2, §3.2.4: words in comments are encoded, domains written in A-labels, and the clauses
/// FOR and ID go where they can't be written.
fn ascii_words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut depth = 0usize;
    for word in text.split_ascii_whitespace() {
        let in_comment = depth > 0 || word.starts_with('(');
        for c in word.chars() {
            match c {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        if word.is_ascii() {
            words.push(word.to_owned());
        } else if in_comment {
            words.push(comment_word(word));
        } else if words.last().is_some_and(|last| ["for", "id"].contains(&&*last.to_ascii_lowercase())) {
            words.pop();
            // The date comes behind it.
            if let (true, Some(last)) = (word.ends_with(';'), words.last_mut()) {
                last.push(';');
            }
        } else {
            words.push(match Domain::parse(word) {
                Ok(domain) => domain.to_ascii().to_owned(),
                Err(_) => word.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect(),
            });
        }
    }
    words
}

/// RFC 2047 §5 (2): the parentheses stay outside.
fn comment_word(word: &str) -> String {
    let core = word.trim_start_matches('(');
    let before = &word[..word.len() - core.len()];
    let inner = core.trim_end_matches([')', ';']);
    let after = &core[inner.len()..];
    let mut encoded = Vec::new();
    FieldWriter::new(&mut encoded, false).encoded(inner);
    let encoded = String::from_utf8_lossy(&encoded).replace("\r\n", "");
    format!("{before}{}{after}", encoded.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(before: &str, expected: &str) {
        let after = with_ascii_headers(before.as_bytes());
        assert_eq!(String::from_utf8_lossy(&after), expected);
    }

    #[test]
    fn fields_become_ascii_each_in_its_way() {
        for (before, expected) in [
            ("Subject: plain", "Subject: plain"),
            ("Subject: grüne Wiesen", "Subject: =?UTF-8?B?Z3LDvG5l?= Wiesen"),
            ("X-Mood: fröhlich", "X-Mood: =?UTF-8?B?ZnLDtmhsaWNo?="),
            ("From: Jürgen <j@north.example>", "From: =?UTF-8?Q?J=C3=BCrgen?= <j@north.example>"),
            ("To: Ann <ann@grün.example>", "To: Ann <ann@xn--grn-ioa.example>"),
            (
                "To: jürgen@north.example, ann@x.example",
                "To: =?UTF-8?B?asO8cmdlbkBub3J0aC5leGFtcGxl?=:;, ann@x.example",
            ),
            (
                "Return-Path: <jürgen@north.example>",
                "Return-Path: =?UTF-8?B?asO8cmdlbkBub3J0aC5leGFtcGxl?=:;",
            ),
            ("Cc: Freunde: ann@grün.example;", "Cc: Freunde: ann@xn--grn-ioa.example;"),
            ("Message-ID: <ä@x.example>", "Downgraded-Message-ID: =?UTF-8?B?PMOkQHguZXhhbXBsZT4=?="),
            (
                "Received: from grün.example (ein Gruß) by x.example\r\n for <ü@x.example>; Mon, 1 Jan 2024 00:00:00 +0000",
                "Received: from xn--grn-ioa.example (ein =?UTF-8?B?R3J1w58=?=) by x.example;\r\n Mon, 1 Jan 2024 00:00:00 +0000",
            ),
            (
                "Content-Disposition: attachment; filename=\"Plän.txt\"",
                "Content-Disposition: attachment; filename*=utf-8''Pl%C3%A4n.txt",
            ),
            ("Keywords: Grüße, klein", "Keywords: =?UTF-8?B?R3LDvMOfZQ==?=, klein"),
        ] {
            check(&format!("{before}\r\n\r\nbödy\r\n"), &format!("{expected}\r\n\r\nbödy\r\n"));
        }
    }

    #[test]
    fn parts_and_embedded_messages_too_but_not_signed_ones() {
        let inner = "Subject: ä\r\n\r\nü\r\n";
        let whole = |kind: &str, inner: &str| {
            format!(
                "MIME-Version: 1.0\r\nContent-Type: multipart/{kind}; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n{inner}--b--\r\nend ö\r\n"
            )
        };
        check(&whole("mixed", inner), &whole("mixed", "Subject: =?UTF-8?B?w6Q=?=\r\n\r\nü\r\n"));
        check(&whole("signed", inner), &whole("signed", inner));
        // What is signed are the parts (RFC 1847 §2.1), not the header section that they stand under.
        let under = |subject: &str| format!("Subject: {subject}\r\n{}", whole("signed", inner));
        check(&under("ö"), &under("=?UTF-8?B?w7Y=?="));
        assert!(!is_needed("Subject: x\r\n\r\nü\r\n".as_bytes()));
    }

    #[test]
    fn what_is_not_utf8_is_guessed() {
        let after = with_ascii_headers(b"Subject: caf\xe9\r\n\r\n").into_owned();
        assert_eq!(after, b"Subject: =?UTF-8?B?Y2Fmw6k=?=\r\n\r\n");
    }

    proptest! {
        #[test]
        fn header_sections_are_ascii_and_bodies_stay(
            lines in proptest::collection::vec("(From|To|Subject|Received|Message-ID|Content-Disposition|x): [ -~é漢]{0,60}", 0..6),
            body in "[ -~ü]{0,40}",
        ) {
            let before = format!("{}\r\n{body}\r\n", lines.iter().map(|line| format!("{line}\r\n")).collect::<String>());
            let after = with_ascii_headers(before.as_bytes()).into_owned();
            let end = memchr::memmem::find(&after, b"\r\n\r\n").map_or(0, |at| at + 2);
            prop_assert!(after[..end].is_ascii(), "{}", String::from_utf8_lossy(&after));
            let tail = format!("\r\n{body}\r\n");
            prop_assert!(after.ends_with(tail.as_bytes()));
            prop_assert!(!is_needed(&after));
        }

        #[test]
        fn any_octets_are_no_panic(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = with_ascii_headers(&octets);
        }
    }
}
