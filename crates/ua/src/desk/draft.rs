//! Messages being written, and on their way out.

use super::{DraftKey, MessageKey, OutboxKey, PartPath, Person, UploadKey};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A message being written. It lies in Drafts as a message, so that every agent sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Draft {
    /// None for a new one.
    pub key: Option<DraftKey>,
    /// The version that was read; saving says [`super::DeskError::Conflict`] if there is another by now. None: whatever is there.
    pub version: Option<MessageKey>,
    /// The address of an identity; none for the default one.
    pub from: Option<Person>,
    /// Recipients, maybe half typed.
    pub to: Vec<Person>,
    /// Copies.
    pub cc: Vec<Person>,
    /// Copies that the others don't see.
    pub bcc: Vec<Person>,
    /// The subject.
    pub subject: String,
    /// What is written.
    pub body: DraftBody,
    /// Files, in this order.
    pub attachments: Vec<DraftAttachment>,
    /// What it answers or forwards.
    pub source: Option<DraftSource>,
    /// Asks for a read receipt (RFC 8098).
    pub wants_receipt: bool,
}

/// The words of a draft.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DraftBody {
    /// Plain text.
    Text(String),
    /// Rich text; it is sanitised when saved, and a plain form is made of it when sent.
    Html(String),
}

impl Default for DraftBody {
    fn default() -> Self {
        DraftBody::Text(String::new())
    }
}

/// A file of a draft.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DraftAttachment {
    /// Where its octets are.
    pub octets: AttachmentSource,
    /// File name; empty: as it was.
    #[serde(default)]
    pub name: String,
    /// `image/png`; empty: as it was, or guessed.
    #[serde(default)]
    pub media_type: String,
    /// Octets; set by the engine.
    #[serde(default)]
    pub size_octets: u64,
    /// Set for a picture inside rich text, which refers to it by `cid:` and this.
    #[serde(default)]
    pub content_id: Option<String>,
}

/// Where the octets of a draft's file are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttachmentSource {
    /// Handed in by [`super::Desk::upload`].
    Upload(UploadKey),
    /// A part of a message on this desk (the draft's last version, or a message that is forwarded).
    Part {
        /// Which message.
        message: MessageKey,
        /// Which part; `0` is the whole message, attached as `message/rfc822`.
        path: PartPath,
    },
}

/// What a draft answers or forwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DraftSource {
    /// The message.
    pub message: MessageKey,
    /// How.
    pub kind: ReplyKind,
}

/// Ways to go on from a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyKind {
    /// To who wrote it (or asked for answers elsewhere).
    Reply,
    /// To all that got it.
    ReplyAll,
    /// To the list that it came by (RFC 2369 `List-Post`).
    ReplyList,
    /// To others, quoted, with its files.
    Forward,
    /// To others, as an attached message.
    ForwardAttached,
    /// Written anew from an old one ("edit as new").
    Again,
}

/// A draft was saved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// Its key, the same from now on.
    pub key: DraftKey,
    /// Its version, to be handed in with the next save.
    pub version: MessageKey,
    /// Its files, now as parts of this version.
    pub attachments: Vec<DraftAttachment>,
}

/// How to send.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SendOptions {
    /// Not before then ("send later").
    pub at: Option<Timestamp>,
    /// Seconds in which it can be taken back; none: as the settings say.
    pub undo_secs: Option<u32>,
    /// Moves the answered conversation from the Inbox to Archive.
    pub archive: bool,
}

/// A message was handed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// For [`super::Desk::unsend`].
    pub outbox: OutboxKey,
    /// The copy in Sent.
    pub message: MessageKey,
    /// It leaves then; until then it can be taken back.
    pub release_at: Timestamp,
}

/// A message that waits for its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxEntry {
    /// For [`super::Desk::unsend`].
    pub outbox: OutboxKey,
    /// The copy in Sent.
    pub message: MessageKey,
    /// When it leaves.
    pub release_at: Timestamp,
    /// Its subject.
    pub subject: String,
    /// To whom.
    pub to: Vec<Person>,
}
