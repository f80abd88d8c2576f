//! A whole message, read: for showing, and for the index.

use super::html::{self, ImagePolicy, cut};
use super::quotation::{own_words, snippet, text_blocks};
use super::{attachments, bounce, deceit, invitation, parts, people, unsubscribe};
use crate::desk::limits::{INDEXED_TEXT_OCTETS_MAX, SUBJECT_OCTETS_MAX, TEXT_OCTETS_MAX};
use crate::desk::{
    AttachmentPart, BodyView, HtmlView, Invitation, Person, ReportView, TextBlock, Unsubscribe, Warning,
};
use crate::terminal::harmless_line;
use jiff::Timestamp;
use posta_message::{Entity, Message, field::list};
use std::collections::HashSet;

/// Identifiers of a message's references that are followed.
const REFERENCES_MAX: usize = 100;

/// What the index keeps of a message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Gist {
    /// All of From.
    pub authors: Vec<Person>,
    /// All of To.
    pub to: Vec<Person>,
    /// All of Cc.
    pub cc: Vec<Person>,
    /// All of Bcc.
    pub bcc: Vec<Person>,
    /// As written.
    pub subject: String,
    /// Own words' beginning.
    pub snippet: String,
    /// What is searched in.
    pub text: String,
    /// Names of files, for searching.
    pub file_names: Vec<String>,
    /// Has files that aren't shown in the text.
    pub has_attachment: bool,
    /// Its own identifier.
    pub message_id: Option<String>,
    /// Identifiers of what it answers, `References` and `In-Reply-To`.
    pub references: Vec<String>,
    /// The `List-Id`, or empty.
    pub list: String,
    /// As dated by its author.
    pub date: Option<Timestamp>,
    /// The draft that it is a version of.
    pub draft: Option<String>,
    /// Asks for a receipt.
    pub wants_receipt: bool,
}

/// Reads what the index keeps.
pub fn gist(octets: &[u8]) -> Gist {
    let message = Message::parse(octets);
    let root = message.root();
    let text = message.readable_text();
    let blocks = text_blocks(cut(&text, INDEXED_TEXT_OCTETS_MAX));
    let files = message.attachments();
    let mut references: Vec<String> = Vec::new();
    for id in root.references().into_iter().chain(root.in_reply_to()) {
        if references.len() < REFERENCES_MAX && !references.iter().any(|known| *known == id) {
            references.push(id.into_owned());
        }
    }
    Gist {
        authors: people(&root.from()),
        to: people(&root.to()),
        cc: people(&root.cc()),
        bcc: people(&root.bcc()),
        subject: subject(root),
        snippet: snippet(&blocks),
        text: if blocks.len() > 1 {
            searched(&blocks)
        } else {
            cut(&text, INDEXED_TEXT_OCTETS_MAX).to_owned()
        },
        file_names: files.iter().take(50).map(|file| file.entity.safe_file_name()).collect(),
        has_attachment: files.iter().any(|file| !file.is_related && !is_machinery(&file.entity.media_type())),
        message_id: root.message_id().map(|id| id.into_owned()),
        references,
        list: list_of(root).unwrap_or_default(),
        date: root.date().map(|date| date.instant),
        draft: root.text_field(crate::desk_fields::DRAFT_KEY).map(|key| key.trim().to_owned()),
        wants_receipt: root.field("Disposition-Notification-To").is_some(),
    }
}

/// Own words first: a search that is cut short has seen what matters.
fn searched(blocks: &[TextBlock]) -> String {
    let mut text = own_words(blocks);
    for block in blocks.iter().filter(|block| block.depth == 1) {
        text.push('\n');
        text.push_str(&block.text);
    }
    text
}

/// Parts that agents make for one another.
fn is_machinery(media_type: &str) -> bool {
    matches!(
        media_type,
        "application/pgp-signature"
            | "application/pkcs7-signature"
            | "application/x-pkcs7-signature"
            | "message/delivery-status"
            | "message/disposition-notification"
            | "text/rfc822-headers"
            | "text/calendar"
    )
}

pub(super) fn subject(root: Entity<'_>) -> String {
    harmless_line(cut(root.subject().unwrap_or_default().trim(), SUBJECT_OCTETS_MAX))
}

fn list_of(root: Entity<'_>) -> Option<String> {
    let field = root.field("List-Id")?;
    list::list_id(field.value).map(|found| harmless_line(&found.id))
}

/// A message as it is shown, without what only the desk knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// All of From.
    pub authors: Vec<Person>,
    /// `Sender`, if somebody else.
    pub sender: Option<Person>,
    /// `Reply-To`.
    pub reply_to: Vec<Person>,
    /// To, Cc, Bcc.
    pub to: Vec<Person>,
    /// Copies.
    pub cc: Vec<Person>,
    /// Hidden copies.
    pub bcc: Vec<Person>,
    /// As written.
    pub subject: String,
    /// As dated.
    pub date: Option<Timestamp>,
    /// Without angle brackets.
    pub message_id: Option<String>,
    /// The list's name or identifier.
    pub list: Option<String>,
    /// The way off the list.
    pub unsubscribe: Option<Unsubscribe>,
    /// Who wants a receipt.
    pub receipt_to: Vec<Person>,
    /// Words to be careful about.
    pub warnings: Vec<Warning>,
    /// The words.
    pub body: BodyView,
    /// The files.
    pub attachments: Vec<AttachmentPart>,
    /// An invitation.
    pub invitation: Option<Invitation>,
    /// A report, and the Message-ID of what it is about.
    pub report: Option<(ReportView, Option<String>)>,
}

/// Reads a message for showing. `remote_images`: whether they are shown. `part_base` is put before the path of a
/// picture inside the message; empty: such pictures are left out.
pub fn reading(octets: &[u8], remote_images: bool, part_base: &str) -> Reading {
    let message = Message::parse(octets);
    let root = message.root();
    let html_source = root.html_text();
    let html =
        html_source.as_deref().and_then(|source| html_view(&message, source, remote_images, part_base));
    let shown = html_source.as_deref().map(shown_ids).unwrap_or_default();
    let attachments = attachments(&message, &|id| shown.contains(id) && !part_base.is_empty());
    let authors = people(&root.from());
    let reply_to = people(&root.reply_to());
    let mut warnings = deceit::sender_warnings(authors.first(), &reply_to);
    if attachments.iter().any(|part| part.is_risky) {
        warnings.push(Warning::Programs);
    }
    if html.as_ref().is_some_and(|html| html.links.iter().any(|link| link.is_deceptive)) {
        warnings.push(Warning::DeceptiveLinks);
    }
    let sender = people(&root.sender()).into_iter().next();
    let text = message.readable_text();
    let list_field = root.field("List-Id").and_then(|field| {
        let found = list::list_id(field.value)?;
        Some(harmless_line(found.name.as_deref().unwrap_or(&found.id)))
    });
    Reading {
        sender: sender.filter(|sender| !authors.iter().any(|author| author.address == sender.address)),
        reply_to,
        to: people(&root.to()),
        cc: people(&root.cc()),
        bcc: people(&root.bcc()),
        subject: subject(root),
        date: root.date().map(|date| date.instant),
        message_id: root.message_id().map(|id| harmless_line(&id)),
        list: list_field,
        unsubscribe: unsubscribe::unsubscribe_way(root),
        receipt_to: people(&root.address_field("Disposition-Notification-To")),
        warnings,
        body: BodyView { html, text: text_blocks(&text), is_cut: text.len() > TEXT_OCTETS_MAX },
        attachments,
        invitation: invitation(&message),
        report: bounce::report_view(&message).map(|(view, about)| (view, about.message_id)),
        authors,
    }
}

fn html_view(message: &Message<'_>, source: &str, remote: bool, part_base: &str) -> Option<HtmlView> {
    let mut policy = ImagePolicy { remote, ..ImagePolicy::default() };
    if !part_base.is_empty() {
        let parts = parts::content_ids(message);
        policy.inside = parts.into_iter().map(|(id, path)| (id, format!("{part_base}{path}"))).collect();
    }
    html::sanitise(source, &policy)
}

/// Content-IDs that the HTML asks for.
fn shown_ids(html: &str) -> HashSet<String> {
    let asked = html.match_indices("cid:").take(1000).map(|(at, _)| {
        let rest = &html[at + 4..];
        let end = rest.find(['"', '\'', ' ', '>', ')']).unwrap_or(rest.len());
        html::percent_decoded(&rest[..end])
    });
    asked.collect()
}
