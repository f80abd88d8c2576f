//! Folders and the lists in them.

use super::{ConversationKey, Cursor, DraftKey, FolderKey, MessageKey, Person};
use jiff::Timestamp;
use posta_store::FolderRole;
use serde::{Deserialize, Serialize};

/// A folder with what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderView {
    /// Its key.
    pub key: FolderKey,
    /// As shown; `/` nests.
    pub name: String,
    /// None for the person's own ones.
    pub role: Option<FolderRole>,
    /// Messages in it.
    pub messages: u64,
    /// Messages in it that haven't been read.
    pub unread: u64,
}

/// Which conversations are asked for, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ConversationQuery {
    /// Only those with a message in this folder. None: all folders but Junk and Trash, unless `search` names one by `in:`.
    pub folder: Option<FolderKey>,
    /// A search expression, empty for all: words (all must occur; the last one may be a beginning, `word*` always),
    /// `"some words together"`, `-not`, and fields `from: to: subject: body: filename: list: has:attachment before: after: on:
    /// older_than:7d newer_than:2w in: is:unread|read|flagged|answered|muted|snoozed|draft larger:5M smaller:10k label:`.
    /// What cannot be understood is looked for as a word: no expression is an error.
    pub search: String,
    /// Where the last page ended.
    pub cursor: Option<Cursor>,
    /// Rows to pass over first, for lists that are scrolled by position.
    pub skip: u64,
    /// Rows on the page; 0 means 50; at most [`super::limits::PAGE_ROWS_MAX`].
    pub limit: u32,
}

/// A page of conversations.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ConversationPage {
    /// Newest first.
    pub rows: Vec<ConversationRow>,
    /// For the next page; none at the end.
    pub next: Option<Cursor>,
    /// Conversations in the whole list; of a search, those of its first 10,000 messages.
    pub total: u64,
}

/// A conversation in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationRow {
    /// Its key.
    pub key: ConversationKey,
    /// The newest message of it in this list.
    pub latest: MessageKey,
    /// Without "Re:" and the like; may be empty.
    pub subject: String,
    /// Who wrote in it (in Sent and Drafts: to whom), oldest first, each once, at most eight; the person's own is `me`.
    pub people: Vec<RowPerson>,
    /// The beginning of the newest message's own words.
    pub snippet: String,
    /// When the newest message of it in this list came.
    pub time: Timestamp,
    /// Messages in it, in all folders but Junk and Trash (or all, when one of these is listed).
    pub messages: u32,
    /// Of these, not yet read.
    pub unread: u32,
    /// One of them is flagged.
    pub is_flagged: bool,
    /// The person answered one of them.
    pub is_answered: bool,
    /// New mail in it stays out of the Inbox.
    pub is_muted: bool,
    /// One of them has an attachment.
    pub has_attachment: bool,
    /// One of them is a draft.
    pub has_draft: bool,
    /// Comes back to the Inbox then.
    pub snoozed_until: Option<Timestamp>,
    /// Of all of them.
    pub labels: Vec<String>,
    /// Of all of them.
    pub folders: Vec<FolderKey>,
}

/// Somebody who took part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowPerson {
    /// Who.
    #[serde(flatten)]
    pub person: Person,
    /// The person whose desk it is.
    pub me: bool,
    /// Wrote something that hasn't been read.
    pub unread: bool,
}

/// A page of messages, for commands and programs that want no conversations.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MessagePage {
    /// Newest first.
    pub rows: Vec<MessageRow>,
    /// For the next page; none at the end.
    pub next: Option<Cursor>,
    /// Messages in the whole list, counted up to 10,000.
    pub total: u64,
}

/// A message in a list, or folded in a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageRow {
    /// Its key.
    pub key: MessageKey,
    /// Where it belongs.
    pub conversation: ConversationKey,
    /// Set for drafts: opens it.
    pub draft: Option<DraftKey>,
    /// Where it is.
    pub folder: FolderKey,
    /// Who wrote it.
    pub from: Person,
    /// To whom, at most eight.
    pub to: Vec<Person>,
    /// As written.
    pub subject: String,
    /// The beginning of its own words.
    pub snippet: String,
    /// When it came.
    pub time: Timestamp,
    /// Octets of it all.
    pub size_octets: u64,
    /// Read.
    pub is_read: bool,
    /// Flagged.
    pub is_flagged: bool,
    /// Answered.
    pub is_answered: bool,
    /// Passed on.
    pub is_forwarded: bool,
    /// Has files.
    pub has_attachment: bool,
    /// Its labels.
    pub labels: Vec<String>,
}
