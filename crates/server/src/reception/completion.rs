//! What a submission server puts right in a message before anybody else sees it (RFC 6409 §8): it adds
//! `Date`, `Message-ID` and `From` where they are missing, and takes `Bcc` away (RFC 5322 §3.6.3).
//!
//! This is the only place where a content is changed, and only for messages of our own users that no other
//! host has seen. All else passes as it came.

use crate::host::Host;
use bytes::{Bytes, BytesMut};
use posta_address::Mailbox;
use posta_store::QueueId;
use posta_wire::{ContentFacts, ContentScan};

/// What is added where it is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Missing {
    /// For `Date:`.
    pub(crate) date: String,
    /// For `Message-ID:`, with its angle brackets.
    pub(crate) message_id: String,
    /// For `From:`; `None` where there is none that can be written.
    pub(crate) from: Option<String>,
}

impl Missing {
    /// What is added to a message of `sender`, accepted as `id`.
    pub(crate) fn of(host: &Host, sender: &Mailbox, id: QueueId, utf8: bool) -> Self {
        let random = host.entropy.next_u64();
        let policy = host.policy();
        let sender = sender.to_string();
        Missing {
            date: posta_message::date::format(host.clock.timestamp(), jiff::tz::Offset::UTC),
            message_id: format!("<{id}.{random:x}@{}>", policy.config.hostname.to_ascii()),
            // RFC 6531 §3.2: UTF-8 in the header section needs SMTPUTF8.
            from: (sender.is_ascii() || utf8).then(|| format!("<{sender}>")),
        }
    }
}

/// A message on its way in: its header section is held until it is whole.
#[derive(Debug)]
pub(crate) struct Completion {
    missing: Missing,
    /// The header section so far; `None` once it has been passed on.
    section: Option<BytesMut>,
    scan: ContentScan,
}

impl Completion {
    pub(crate) fn new(missing: Missing) -> Self {
        Completion { missing, section: Some(BytesMut::new()), scan: ContentScan::new() }
    }

    /// Takes a piece of the content; gives what may be passed on. The session bounds the header section,
    /// and so what is held here.
    pub(crate) fn take(&mut self, piece: Bytes) -> Bytes {
        let Some(section) = &mut self.section else {
            self.scan.scan(&piece);
            return piece;
        };
        // The end may lie across two pieces.
        let begin = section.len().saturating_sub(END.len() - 1);
        section.extend_from_slice(&piece);
        let end = if section.starts_with(b"\r\n") {
            Some(0)
        } else {
            memchr::memmem::find(&section[begin..], END).map(|at| begin + at + 2)
        };
        match end {
            Some(end) => self.pass_on(end),
            None => Bytes::new(),
        }
    }

    /// The content has ended: what was still held, for it had no body.
    pub(crate) fn finish(&mut self) -> Bytes {
        let end = self.section.as_ref().map(BytesMut::len);
        end.map(|end| self.pass_on(end)).unwrap_or_default()
    }

    /// Of all that was passed on.
    pub(crate) fn facts(&self) -> ContentFacts {
        self.scan.facts()
    }

    fn pass_on(&mut self, end: usize) -> Bytes {
        let section = self.section.take().unwrap_or_default();
        let mut whole = completed(&section[..end], &self.missing);
        whole.extend_from_slice(&section[end..]);
        self.scan.scan(&whole);
        Bytes::from(whole)
    }
}

/// The end of a header section: that of its last line, and the empty line.
const END: &[u8] = b"\r\n\r\n";

/// The header section as it should be; without the empty line, as it came.
fn completed(section: &[u8], missing: &Missing) -> Vec<u8> {
    let (fields, rest) = fields(section);
    let has = |name: &str| fields.iter().any(|field| field.has_name(name));
    let mut whole = Vec::with_capacity(section.len() + 200);
    let mut add = |name: &str, value: &str| {
        whole.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    };
    if !has("Date") {
        add("Date", &missing.date);
    }
    if let Some(from) = missing.from.as_deref().filter(|_| !has("From")) {
        add("From", from);
    }
    if !has("Message-ID") {
        add("Message-ID", &missing.message_id);
    }
    let shown = fields.iter().filter(|field| !field.has_name("Bcc") && !field.has_name("Resent-Bcc"));
    shown.for_each(|field| whole.extend_from_slice(field.octets));
    if fields.is_empty() && !rest.is_empty() {
        // No header section at all: what came is the body.
        whole.extend_from_slice(b"\r\n");
    }
    whole.extend_from_slice(rest);
    whole
}

/// A field with its folded lines and their ends.
struct Field<'a> {
    name: &'a [u8],
    octets: &'a [u8],
}

impl Field<'_> {
    fn has_name(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// The fields of a section, and what follows the last of them: nothing, unless a line is none.
fn fields(section: &[u8]) -> (Vec<Field<'_>>, &[u8]) {
    let mut fields = Vec::new();
    let mut rest = section;
    while let Some(name) = field_name(rest) {
        let mut end = 0;
        loop {
            end = memchr::memchr(b'\n', &rest[end..]).map_or(rest.len(), |at| end + at + 1);
            if !matches!(rest.get(end), Some(b' ' | b'\t')) {
                break;
            }
        }
        fields.push(Field { name, octets: &rest[..end] });
        rest = &rest[end..];
    }
    (fields, rest)
}

/// The name of the field that begins here (RFC 5322 §2.2, §4.5: obsolete white space before the colon).
fn field_name(octets: &[u8]) -> Option<&[u8]> {
    let line = &octets[..memchr::memchr(b'\n', octets).unwrap_or(octets.len())];
    let name = line[..memchr::memchr(b':', line)?].trim_ascii_end();
    (!name.is_empty() && name.iter().all(u8::is_ascii_graphic)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn missing() -> Missing {
        Missing { date: "DATE".into(), message_id: "<ID>".into(), from: Some("<alice@x>".into()) }
    }

    fn complete(content: &str, piece_octets: usize) -> String {
        let mut completion = Completion::new(missing());
        let mut whole = Vec::new();
        for piece in content.as_bytes().chunks(piece_octets) {
            whole.extend_from_slice(&completion.take(Bytes::copy_from_slice(piece)));
        }
        whole.extend_from_slice(&completion.finish());
        assert_eq!(completion.facts(), ContentFacts::of(&whole).0);
        String::from_utf8(whole).expect("text")
    }

    #[test]
    fn what_is_missing_is_added_and_bcc_is_gone() {
        let added = "Date: DATE\r\nFrom: <alice@x>\r\nMessage-ID: <ID>\r\n";
        for (content, expected) in [
            ("Subject: x\r\n\r\nbody\r\n", format!("{added}Subject: x\r\n\r\nbody\r\n")),
            (
                "date: 1\r\nFROM: a\r\nMessage-Id : <1>\r\nX: y\r\n\r\nDate: no\r\n",
                "date: 1\r\nFROM: a\r\nMessage-Id : <1>\r\nX: y\r\n\r\nDate: no\r\n".into(),
            ),
            (
                "Date: 1\r\nBcc: secret,\r\n more@secret\r\nFrom: a\r\nbcc:\r\nMessage-ID: 1\r\n\r\nBcc: body\r\n",
                "Date: 1\r\nFrom: a\r\nMessage-ID: 1\r\n\r\nBcc: body\r\n".into(),
            ),
            ("\r\nonly a body\r\n", format!("{added}\r\nonly a body\r\n")),
            ("\r\nBcc: a\r\n\r\nb\r\n", format!("{added}\r\nBcc: a\r\n\r\nb\r\n")),
            ("no header at all\r\n", format!("{added}\r\nno header at all\r\n")),
            ("Subject: no body\r\n", format!("{added}Subject: no body\r\n")),
            (
                "Subject: x\r\noops\r\nBcc: stays, for it is no header\r\n\r\n",
                format!("{added}Subject: x\r\noops\r\nBcc: stays, for it is no header\r\n\r\n"),
            ),
            ("", added.into()),
        ] {
            for piece_octets in [1, 3, 1000] {
                assert_eq!(complete(content, piece_octets), expected, "{content:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn the_body_passes_as_it_came_and_twice_is_as_once(
            head in "(([A-Z][a-z]{0,4}|Bcc|Date): [a-z]{0,9}\r\n( [a-z]{1,5}\r\n)?){1,5}",
            body in "([a-zB:]{0,9}\r\n){0,5}",
            piece_octets in 1usize..40,
        ) {
            let once = complete(&format!("{head}\r\n{body}"), piece_octets);
            prop_assert!(once.ends_with(&format!("\r\n\r\n{body}")), "{}", once);
            prop_assert_eq!(complete(&once, piece_octets), once);
        }
    }
}
