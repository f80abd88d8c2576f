//! What an open agent is told without asking.

use super::{ConversationKey, FolderKey, MessageKey, Person};
use serde::{Deserialize, Serialize};

/// Something has changed. In JSON: `{"notice": "new_mail", …}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "notice", rename_all = "snake_case")]
pub enum Notice {
    /// A message came into the Inbox.
    NewMail {
        /// Which.
        message: MessageKey,
        /// Where it belongs.
        conversation: ConversationKey,
        /// Who wrote it.
        from: Person,
        /// About what.
        subject: String,
        /// How it begins.
        snippet: String,
    },
    /// These have changed: lists and counts are to be read again.
    Changed {
        /// Folders.
        folders: Vec<FolderKey>,
        /// Conversations, at most 200; empty with `folders` set when there were more.
        conversations: Vec<ConversationKey>,
    },
    /// Settings, identities, rules or contacts have changed.
    Settings,
    /// Something was missed: read all again.
    Everything,
}
