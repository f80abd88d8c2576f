//! A message as a person reads it: headers decoded, plain text, attachments named.
//!
//! All texts here went through [`terminal`](crate::terminal): whatever a stranger wrote, they can be shown.

use crate::terminal::{harmless, harmless_line};
use jiff::tz::TimeZone;
use posta_message::{DateTime, Entity, Message, field::address::AddressList};
use serde::Serialize;

/// One line's worth of a message, from its header section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The author's name, or address where there is no name.
    pub from: String,
    /// The author's address.
    pub from_address: String,
    /// As told by the message.
    #[serde(serialize_with = "as_timestamp")]
    pub date: Option<DateTime>,
    /// Decoded; empty where there is none.
    pub subject: String,
    /// Without angle brackets.
    pub message_id: Option<String>,
}

fn as_timestamp<S: serde::Serializer>(date: &Option<DateTime>, serializer: S) -> Result<S::Ok, S::Error> {
    match date {
        Some(date) => serializer.collect_str(&date.instant),
        None => serializer.serialize_none(),
    }
}

impl Summary {
    /// Reads a header section, or a whole message.
    pub fn of(octets: &[u8]) -> Summary {
        let message = Message::parse(octets);
        let root = message.root();
        let from = root.from();
        let author = from.mailboxes().next();
        let from_address = author.map(|author| harmless_line(&author.address)).unwrap_or_default();
        let name = author.and_then(|author| author.name.as_deref()).map(|name| harmless_line(name.trim()));
        Summary {
            from: name.filter(|name| !name.is_empty()).unwrap_or_else(|| from_address.clone()),
            from_address,
            date: root.date(),
            subject: root.subject().map(|subject| harmless_line(&subject)).unwrap_or_default(),
            message_id: root.message_id().map(|id| harmless_line(&id)),
        }
    }
}

/// A message to be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct View {
    /// Field names with their decoded values, in the order in which people look for them.
    pub fields: Vec<(&'static str, String)>,
    /// The text: what is plain, or HTML as text.
    pub text: String,
    /// What else is in it.
    pub attachments: Vec<AttachmentView>,
}

/// An attachment, named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttachmentView {
    /// The file's name; made up where it has none.
    pub name: String,
    /// `image/png`
    pub media_type: String,
    /// Octets, decoded; of one that lies elsewhere, those there, where it is told.
    pub octets: Option<u64>,
    /// Where it lies, if it isn't in the message (RFC 2046 §5.2.3). Nobody fetches it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elsewhere: Option<String>,
}

impl AttachmentView {
    fn of(entity: Entity<'_>) -> Self {
        let name = harmless_line(&entity.safe_file_name());
        match entity.external_body() {
            Some(body) => AttachmentView {
                name,
                media_type: harmless_line(&body.entity().media_type()),
                octets: body.size_octets,
                elsewhere: Some(harmless_line(&body.url().unwrap_or_else(|| body.access_type.clone()))),
            },
            None => AttachmentView {
                name,
                media_type: harmless_line(&entity.media_type()),
                octets: Some(entity.content().len() as u64),
                elsewhere: None,
            },
        }
    }
}

impl View {
    /// Reads a message; its date is told in `zone`.
    pub fn of(octets: &[u8], zone: &TimeZone) -> View {
        let message = Message::parse(octets);
        let attachments = message.attachments().into_iter();
        let attachments = attachments.map(|attachment| AttachmentView::of(attachment.entity));
        View {
            fields: fields(message.root(), zone),
            text: harmless(&message.readable_text()),
            attachments: attachments.collect(),
        }
    }
}

fn fields(root: Entity<'_>, zone: &TimeZone) -> Vec<(&'static str, String)> {
    let lists = [
        ("From", root.from()),
        ("Sender", root.sender()),
        ("Reply-To", root.reply_to()),
        ("To", root.to()),
        ("Cc", root.cc()),
    ];
    let mut fields: Vec<(&'static str, String)> =
        lists.into_iter().map(|(name, list)| (name, addresses(&list))).collect();
    let raw_date = || root.text_field("Date").map(|text| harmless_line(&text)).unwrap_or_default();
    fields.push(("Date", root.date().map_or_else(raw_date, |date| show_date(date, zone))));
    fields.push(("Subject", root.subject().map(|subject| harmless_line(&subject)).unwrap_or_default()));
    fields.retain(|(_, value)| !value.is_empty());
    fields
}

/// `Ada Löv <ada@north.example>, bob@south.example`
fn addresses(list: &AddressList<'_>) -> String {
    let shown = list.mailboxes().map(|mailbox| match mailbox.name.as_deref().map(str::trim) {
        Some(name) if !name.is_empty() => format!("{name} <{}>", mailbox.address),
        _ => mailbox.address.to_string(),
    });
    harmless_line(&shown.collect::<Vec<_>>().join(", "))
}

/// `2007-11-17 20:18 +01:00`, and the sender's own clock where it differs.
fn show_date(date: DateTime, zone: &TimeZone) -> String {
    let local = date.instant.to_zoned_datetime(zone.clone());
    let shown = local.strftime("%a, %e %b %Y %H:%M %:z").to_string();
    if local.offset() == date.offset {
        return shown;
    }
    let theirs = date.offset.to_datetime(date.instant);
    format!("{shown} ({} there)", theirs.strftime("%H:%M"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LETTER: &str = "Return-Path: <ada@north.example>\r\n\
        From: =?UTF-8?Q?Ada_L=C3=B6v?= <ada@north.example>\r\n\
        To: bob@south.example\r\n\
        Date: Sat, 17 Nov 2007 20:18:49 -0500\r\n\
        Message-ID: <1@north.example>\r\n\
        Subject: =?UTF-8?B?R3LDvMOfZSAbWzJK?=\r\n\
        MIME-Version: 1.0\r\n\
        Content-Type: multipart/mixed; boundary=b\r\n\r\n\
        --b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Dear <b>Bob</b>\x1b[31m</p>\r\n\
        --b\r\nContent-Type: image/png\r\nContent-Disposition: attachment; filename=\"../photo.png\"\r\n\
        Content-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n--b--\r\n";

    #[test]
    fn a_summary_of_the_header() {
        let summary = Summary::of(LETTER.as_bytes());
        assert_eq!(summary.from, "Ada Löv");
        assert_eq!(summary.from_address, "ada@north.example");
        assert_eq!(summary.subject, "Grüße ␛[2J");
        assert_eq!(summary.message_id.as_deref(), Some("1@north.example"));
        assert_eq!(
            summary.date.map(|date| date.instant.to_string()).as_deref(),
            Some("2007-11-18T01:18:49Z")
        );
        let nothing = Summary::of(b"");
        assert_eq!((nothing.from.as_str(), nothing.subject.as_str(), nothing.date), ("", "", None));
    }

    #[test]
    fn a_view_for_a_person() {
        let view = View::of(LETTER.as_bytes(), &TimeZone::UTC);
        let expected = [
            ("From", "Ada Löv <ada@north.example>"),
            ("To", "bob@south.example"),
            ("Date", "Sun, 18 Nov 2007 01:18 +00:00 (20:18 there)"),
            ("Subject", "Grüße ␛[2J"),
        ];
        let fields: Vec<_> = view.fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(fields, expected);
        assert!(view.text.contains("Bob") && !view.text.contains('<'), "{:?}", view.text);
        assert!(!view.text.contains('\x1b'), "{:?}", view.text);
        let [attachment] = view.attachments.as_slice() else { panic!("{:?}", view.attachments) };
        assert_eq!((attachment.media_type.as_str(), attachment.octets), ("image/png", Some(8)));
        assert!(!attachment.name.contains('/'), "{}", attachment.name);
    }
}
