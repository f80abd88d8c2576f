//! A conversation and its messages as they are read.

use super::{ConversationKey, MessageKey, MessageRow, PartPath, Person};
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How a message is to be shown.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ReadOptions {
    /// Shows remote images now, whatever the settings say.
    pub remote_images: bool,
    /// Put before `MESSAGE/PATH` to make the address of a picture inside the message (`cid:`), for instance `/mail/part/`.
    /// Empty: such pictures are left out of the HTML (they are among the attachments).
    pub part_base: String,
}

/// A conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationView {
    /// Its key.
    pub key: ConversationKey,
    /// Without "Re:" and the like.
    pub subject: String,
    /// Muted.
    pub is_muted: bool,
    /// Comes back to the Inbox then.
    pub snoozed_until: Option<Timestamp>,
    /// Oldest first, at most [`super::limits::CONVERSATION_MESSAGES_MAX`] (the newest ones).
    pub messages: Vec<MessageRow>,
    /// Messages that are older than these.
    pub older: u32,
}

/// A message as it is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageView {
    /// What a list shows of it.
    #[serde(flatten)]
    pub row: MessageRow,
    /// All of From.
    pub authors: Vec<Person>,
    /// `Sender`, where it is somebody else.
    pub sender: Option<Person>,
    /// `Reply-To`.
    pub reply_to: Vec<Person>,
    /// All of To.
    pub all_to: Vec<Person>,
    /// All of Cc.
    pub cc: Vec<Person>,
    /// All of Bcc (of own messages).
    pub bcc: Vec<Person>,
    /// As the author dated it.
    pub date: Option<Timestamp>,
    /// `Message-ID`, without the angle brackets.
    pub message_id: Option<String>,
    /// The name of the list that it came by.
    pub list: Option<String>,
    /// How to get off that list.
    pub unsubscribe: Option<Unsubscribe>,
    /// The sender asks for a receipt, and the person hasn't said yes or no.
    pub wants_receipt: bool,
    /// Words to be careful about.
    pub warnings: Vec<Warning>,
    /// What is read.
    pub body: BodyView,
    /// Files; pictures inside the HTML are among them, marked.
    pub attachments: Vec<AttachmentPart>,
    /// A calendar invitation in it.
    pub invitation: Option<Invitation>,
    /// It is a report on another message, explained.
    pub report: Option<ReportView>,
}

/// The words of a message.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BodyView {
    /// Sanitised, where the message has HTML. Still to be shown in a frame without scripts and same origin.
    pub html: Option<HtmlView>,
    /// Always there; made from the HTML where there is no plain text.
    pub text: Vec<TextBlock>,
    /// Something was left out because the message is too large.
    pub is_cut: bool,
}

/// Sanitised HTML.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HtmlView {
    /// The inside of a `body`. Quoted text at its end is in `<details class="quoted">`.
    pub html: String,
    /// Remote images in it (shown or taken out), tracking pixels not among them.
    pub remote_images: u32,
    /// They were taken out.
    pub remote_blocked: bool,
    /// Pictures of one pixel that would have told the sender that it was read; always taken out.
    pub trackers: u32,
    /// Where its links really lead, at most 200.
    pub links: Vec<LinkView>,
}

/// A link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkView {
    /// What is seen, shortened.
    pub text: String,
    /// Where it leads.
    pub target: String,
    /// What is seen is the address of another host than the one that it leads to.
    pub is_deceptive: bool,
}

/// A piece of text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextBlock {
    /// What it is.
    pub kind: TextBlockKind,
    /// Depth of the quotation, 0 for own words.
    pub depth: u32,
    /// Lines with LF, without the quotation marks.
    pub text: String,
}

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextBlockKind {
    /// Own words.
    Own,
    /// The line before a quotation ("On Monday Ada wrote:").
    Attribution,
    /// Quoted; folded in a conversation.
    Quoted,
    /// After `-- `.
    Signature,
}

/// A file of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachmentPart {
    /// For [`super::Desk::part`].
    pub path: PartPath,
    /// Safe as a file name: no separators, no leading dots, no control characters.
    pub name: String,
    /// As declared, in lower case.
    pub media_type: String,
    /// Octets, decoded.
    pub size_octets: u64,
    /// Shown inside the HTML.
    pub is_inline: bool,
    /// A browser can show it without harm (pictures but SVG, plain text, PDF).
    pub is_previewable: bool,
    /// Its name or type says that it is a program: to be opened with care.
    pub is_risky: bool,
}

/// The octets of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartContent {
    /// Safe as a file name.
    pub name: String,
    /// As declared, in lower case; `application/octet-stream` where a browser might run it.
    pub media_type: String,
    /// Decoded.
    pub octets: Bytes,
}

/// How to get off a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unsubscribe {
    /// One request, no questions (RFC 8058): POST `List-Unsubscribe=One-Click` to this address.
    OneClick(String),
    /// A message to be sent there (RFC 2369 §3.2).
    Mail {
        /// To whom.
        address: String,
        /// With this subject.
        subject: String,
    },
    /// A page to be opened by the person.
    Page(String),
}

/// Something to be careful about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Warning {
    /// The name of the sender looks like an address, and it is another one than the sender's.
    NameIsAnotherAddress {
        /// The name.
        name: String,
    },
    /// Answers go to another domain than the one that it came from.
    AnswersGoElsewhere {
        /// There.
        address: String,
    },
    /// It claims to come from the person whose desk it is, and didn't pass through here.
    NotFromYou,
    /// Files that are programs.
    Programs,
    /// A link looks like another one.
    DeceptiveLinks,
}

/// A calendar invitation, readable (RFC 5545, 5546).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Invitation {
    /// `REQUEST`, `CANCEL`, `REPLY`, `PUBLISH`, … in upper case; empty if not said.
    pub method: String,
    /// What.
    pub summary: String,
    /// Where.
    pub location: String,
    /// More about it.
    pub description: String,
    /// Who invites.
    pub organizer: Option<Person>,
    /// Who else, at most 200.
    pub attendees: Vec<Person>,
    /// When, in words with its own time zone: `2026-12-24 18:00–20:00 (Europe/Vienna)`.
    pub when: String,
    /// Its beginning, where the zone is known.
    pub start: Option<Timestamp>,
    /// Its end, likewise.
    pub end: Option<Timestamp>,
    /// Comes again: `weekly, 10 times`.
    pub repeats: String,
}

/// A report on another message, explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportView {
    /// On what.
    pub kind: ReportKind,
    /// In one or two sentences: what happened, and what can be done.
    pub text: String,
    /// One by one.
    pub recipients: Vec<ReportRecipient>,
    /// The message of this person that it is about, if it is still here.
    pub about: Option<MessageKey>,
    /// Its subject, from the report.
    pub subject: Option<String>,
}

/// What a report is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportKind {
    /// It could not be delivered.
    Failed,
    /// It is late; it is still being tried.
    Delayed,
    /// It arrived.
    Delivered,
    /// It was shown to who got it, or not (RFC 8098).
    Receipt,
    /// Somebody complained (RFC 5965).
    Complaint,
}

/// What became of one recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportRecipient {
    /// Who.
    pub address: String,
    /// In words: why, and what can be done.
    pub text: String,
    /// What the other host said, as it said it.
    pub said: Option<String>,
    /// `5.1.1`.
    pub status: Option<String>,
}

/// Marks of a message that is put in by [`super::Desk::append`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MarkView {
    /// Read.
    pub is_read: bool,
    /// Flagged.
    pub is_flagged: bool,
    /// Answered.
    pub is_answered: bool,
    /// Passed on.
    pub is_forwarded: bool,
    /// Being written.
    pub is_draft: bool,
    /// Labels.
    pub labels: Vec<String>,
    /// When it came; none: now.
    pub received_at: Option<Timestamp>,
}
