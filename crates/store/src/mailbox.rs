//! What happens to an account's mail and documents after delivery.

use crate::limits::{
    CHANGES_PER_RECORD_MAX, DOCUMENT_NAME_OCTETS_MAX, DOCUMENT_OCTETS_MAX, DOCUMENT_OCTETS_PER_ACCOUNT_MAX,
    DOCUMENTS_PER_ACCOUNT_MAX, RECORD_META_OCTETS_MAX,
};
use crate::{
    AccountId, BadName, Flags, FolderId, FolderName, Label, LocalDelivery, MaildropMessage, QueueId,
    StoreError,
};
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, fmt, str::FromStr};

/// Which of an account's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailboxSelection {
    /// All, whichever folder they lie in.
    All,
    /// Those of one folder.
    Folder(FolderId),
}

/// A message that is put into a folder without having been accepted from anybody: a draft, the copy of
/// what was sent, an import. It counts in no tally.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filing {
    /// Whose.
    pub account: AccountId,
    /// Where; a folder that is not there means the Inbox.
    pub folder: FolderId,
    /// Set from the beginning.
    pub flags: Flags,
    /// There from the beginning.
    pub labels: Vec<Label>,
    /// Its date in the folder.
    pub received_at: Timestamp,
}

impl Filing {
    /// As a delivery, which nothing stands before.
    pub(crate) fn delivery(&self) -> LocalDelivery {
        let Filing { account, folder, flags, .. } = *self;
        LocalDelivery { account, prefix: Bytes::new(), folder, flags, labels: self.labels.clone() }
    }
}

/// A change of an account's mailbox. Messages that are not there are passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailboxChange {
    /// Makes a folder; its id is from [`crate::Store::new_folder_id`].
    CreateFolder {
        /// A new one.
        folder: FolderId,
        /// One that no other folder has: else `Conflict`.
        name: FolderName,
    },
    /// Gives one of the person's own folders another name.
    RenameFolder {
        /// Which; `NotFound` if it is not there.
        folder: FolderId,
        /// As with `CreateFolder`.
        name: FolderName,
    },
    /// Removes one of the person's own folders. It must be empty, or be emptied by moves before this in
    /// the same change: else `Conflict`.
    RemoveFolder {
        /// Which; `NotFound` if it is not there.
        folder: FolderId,
    },
    /// Puts messages into a folder.
    Move {
        /// Which.
        messages: Vec<QueueId>,
        /// Where; `NotFound` if it is not there.
        folder: FolderId,
    },
    /// Sets and clears flags.
    Flag {
        /// Of which.
        messages: Vec<QueueId>,
        /// Set.
        add: Flags,
        /// Cleared, after that.
        remove: Flags,
    },
    /// Adds and removes labels.
    Label {
        /// Of which.
        messages: Vec<QueueId>,
        /// Added, within the limit of labels that a message has.
        add: Vec<Label>,
        /// Removed, after that.
        remove: Vec<Label>,
    },
    /// Keeps a document, in place of the one with the same name.
    PutDocument {
        /// Its name.
        name: DocumentName,
        /// What it holds.
        octets: Bytes,
    },
    /// Removes a document; it need not be there.
    RemoveDocument {
        /// Its name.
        name: DocumentName,
    },
}

/// The name of a document: visible ASCII. What belongs together begins alike (`contact/…`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DocumentName(String);

impl DocumentName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DocumentName {
    type Err = BadName;
    fn from_str(text: &str) -> Result<Self, BadName> {
        if text.is_empty() || text.len() > DOCUMENT_NAME_OCTETS_MAX {
            return Err(BadName("a document's name is empty or too long"));
        }
        if !text.bytes().all(|octet| octet.is_ascii_graphic()) {
            return Err(BadName("a document's name is visible ASCII"));
        }
        Ok(DocumentName(text.to_owned()))
    }
}
impl TryFrom<String> for DocumentName {
    type Error = BadName;
    fn try_from(text: String) -> Result<Self, BadName> {
        text.parse()
    }
}
impl From<DocumentName> for String {
    fn from(name: DocumentName) -> String {
        name.0
    }
}
impl fmt::Display for DocumentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What has changed in an account's mailbox since a change number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// From where to ask the next time.
    pub now: u64,
    /// Messages that came or changed since, by id. (Asked from 0: all there are.)
    pub changed: Vec<MaildropMessage>,
    /// Messages that left since. One that came and left meanwhile may be among them.
    pub removed: Vec<QueueId>,
    /// `false`: it is too long ago to tell which messages left. Then `changed` has all there are, and
    /// what is not in it is gone.
    pub complete: bool,
}

/// How many documents an account has, and their octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct DocumentUsage {
    pub(crate) documents: u64,
    pub(crate) octets: u64,
}

/// Refuses what is too much for one record or one document.
pub(crate) fn check_mailbox_changes(changes: &[MailboxChange]) -> Result<(), StoreError> {
    let (mut count, mut octets) = (changes.len(), 0);
    for change in changes {
        match change {
            MailboxChange::Move { messages, .. }
            | MailboxChange::Flag { messages, .. }
            | MailboxChange::Label { messages, .. } => count += messages.len(),
            MailboxChange::PutDocument { octets: value, .. } => {
                if value.len() > DOCUMENT_OCTETS_MAX {
                    return Err(StoreError::Conflict(format!(
                        "a document exceeds {DOCUMENT_OCTETS_MAX} octets"
                    )));
                }
                octets += value.len() + DOCUMENT_NAME_OCTETS_MAX;
            }
            _ => {}
        }
    }
    if count > CHANGES_PER_RECORD_MAX || octets > RECORD_META_OCTETS_MAX / 2 {
        return Err(StoreError::Conflict("more changes than can be made at once".into()));
    }
    Ok(())
}

/// Refuses what would be more documents than an account may have. (Changes made at the same moment may
/// go beyond by what they bring.)
pub(crate) fn check_documents(
    changes: &[MailboxChange],
    mut usage: DocumentUsage,
    octets_of: impl Fn(&DocumentName) -> Option<u64>,
) -> Result<(), StoreError> {
    let mut put = HashMap::new();
    for change in changes {
        if let MailboxChange::PutDocument { name, octets } = change {
            let before = put.insert(name, octets.len() as u64).or_else(|| octets_of(name));
            usage.documents += u64::from(before.is_none());
            usage.octets = (usage.octets + octets.len() as u64).saturating_sub(before.unwrap_or(0));
        }
    }
    let is_more =
        usage.documents > DOCUMENTS_PER_ACCOUNT_MAX || usage.octets > DOCUMENT_OCTETS_PER_ACCOUNT_MAX;
    if is_more && !put.is_empty() {
        return Err(StoreError::Conflict("more documents than an account may have".into()));
    }
    Ok(())
}

/// Whether any of them puts a document.
pub(crate) fn puts_documents(changes: &[MailboxChange]) -> bool {
    changes.iter().any(|change| matches!(change, MailboxChange::PutDocument { .. }))
}

/// Those on which it depends whether the changes can be made: which messages are moved matters only to
/// whether a folder is empty.
pub(crate) fn to_be_judged(changes: &[MailboxChange]) -> Vec<MailboxChange> {
    use MailboxChange::{CreateFolder, Move, RemoveFolder, RenameFolder};
    let is_whole = changes_folders(changes);
    let judged = |change: &MailboxChange| match change {
        Move { folder, .. } if !is_whole => Some(Move { messages: Vec::new(), folder: *folder }),
        Move { .. } | CreateFolder { .. } | RenameFolder { .. } | RemoveFolder { .. } => Some(change.clone()),
        _ => None,
    };
    changes.iter().filter_map(judged).collect()
}

/// Whether any of them makes, renames or removes a folder.
pub(crate) fn changes_folders(changes: &[MailboxChange]) -> bool {
    use MailboxChange::{CreateFolder, RemoveFolder, RenameFolder};
    let concerns = |change: &MailboxChange| {
        matches!(change, CreateFolder { .. } | RenameFolder { .. } | RemoveFolder { .. })
    };
    changes.iter().any(concerns)
}
