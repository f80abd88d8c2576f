//! What can be done to mail, and undone.

use super::{ConversationKey, FolderKey, MessageKey, UndoKey};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a change is about.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Selection {
    /// Whole conversations. Moves take only their messages in `within` (or, without it, all but those in Sent and Drafts).
    pub conversations: Vec<ConversationKey>,
    /// Single messages.
    pub messages: Vec<MessageKey>,
    /// The folder that the person was looking at.
    pub within: Option<FolderKey>,
}

impl Selection {
    /// One message.
    pub fn message(key: MessageKey) -> Selection {
        Selection { messages: vec![key], ..Selection::default() }
    }

    /// One conversation.
    pub fn conversation(key: ConversationKey) -> Selection {
        Selection { conversations: vec![key], ..Selection::default() }
    }
}

/// A change. Each can be undone but `DeleteForEver`. In JSON: `{"change": "move", "selection": {…}, "folder": "archive"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// Into a folder. `archive`, `junk`, `trash` and `inbox` are moves too; Junk marks it as such for rules.
    Move {
        /// What.
        selection: Selection,
        /// Whereto.
        folder: FolderKey,
    },
    /// Read or not.
    Read {
        /// What.
        selection: Selection,
        /// Which.
        read: bool,
    },
    /// Flagged or not. Of a conversation the newest message is flagged, and all are unflagged.
    Flag {
        /// What.
        selection: Selection,
        /// Which.
        flagged: bool,
    },
    /// Labels put on and taken off.
    Label {
        /// What.
        selection: Selection,
        /// Put on.
        #[serde(default)]
        add: Vec<String>,
        /// Taken off.
        #[serde(default)]
        remove: Vec<String>,
    },
    /// Muted: what comes later in these conversations goes to Archive, read by itself no more than before.
    Mute {
        /// What.
        selection: Selection,
        /// Or no longer.
        muted: bool,
    },
    /// Out of the Inbox until then; `None` brings it back at once.
    Snooze {
        /// What.
        selection: Selection,
        /// When.
        until: Option<Timestamp>,
    },
    /// Gone for good, only from Trash, Junk and Drafts; cannot be undone.
    DeleteForEver {
        /// What.
        selection: Selection,
    },
}

/// What came of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Messages that were changed.
    pub messages: u32,
    /// In words, for a toast: "3 messages moved to Archive".
    pub text: String,
    /// The way back, kept for a while; none where nothing was changed or there is no way back.
    pub undo: Option<UndoKey>,
}
