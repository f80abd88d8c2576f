//! Folders of an account. Six exist without being made; a person's own ones come to them.

use crate::limits::{FOLDER_NAME_OCTETS_MAX, FOLDERS_PER_ACCOUNT_MAX};
use crate::{MailboxChange, QueueId, StoreError};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use std::{fmt, str::FromStr};

/// A folder within its account. Below [`FolderId::OWN_MIN`] are those that every account has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct FolderId(pub u32);

impl FolderId {
    /// Where mail arrives; what POP3 shows.
    pub const INBOX: FolderId = FolderId(0);
    /// Letters that are being written.
    pub const DRAFTS: FolderId = FolderId(1);
    /// Letters that were sent.
    pub const SENT: FolderId = FolderId(2);
    /// Mail that is done with.
    pub const ARCHIVE: FolderId = FolderId(3);
    /// Unwanted mail.
    pub const JUNK: FolderId = FolderId(4);
    /// Mail that was thrown away.
    pub const TRASH: FolderId = FolderId(5);
    /// The first that a folder of one's own may have.
    pub const OWN_MIN: FolderId = FolderId(16);

    /// What the folder is for; nothing for a person's own ones.
    pub fn role(self) -> Option<FolderRole> {
        FolderRole::ALL.into_iter().find(|role| role.folder() == self)
    }
}

/// What a folder is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FolderRole {
    /// See [`FolderId::INBOX`].
    Inbox,
    /// See [`FolderId::DRAFTS`].
    Drafts,
    /// See [`FolderId::SENT`].
    Sent,
    /// See [`FolderId::ARCHIVE`].
    Archive,
    /// See [`FolderId::JUNK`].
    Junk,
    /// See [`FolderId::TRASH`].
    Trash,
}

impl FolderRole {
    /// All roles, in the order of their folders' ids.
    pub const ALL: [FolderRole; 6] = [
        FolderRole::Inbox,
        FolderRole::Drafts,
        FolderRole::Sent,
        FolderRole::Archive,
        FolderRole::Junk,
        FolderRole::Trash,
    ];

    /// The folder that has this role, in every account.
    pub const fn folder(self) -> FolderId {
        FolderId(self as u32)
    }

    /// The role as programs name it: as it is serialised.
    pub const fn key(self) -> &'static str {
        match self {
            FolderRole::Inbox => "inbox",
            FolderRole::Drafts => "drafts",
            FolderRole::Sent => "sent",
            FolderRole::Archive => "archive",
            FolderRole::Junk => "junk",
            FolderRole::Trash => "trash",
        }
    }

    /// The name of its folder.
    pub const fn name(self) -> &'static str {
        match self {
            FolderRole::Inbox => "Inbox",
            FolderRole::Drafts => "Drafts",
            FolderRole::Sent => "Sent",
            FolderRole::Archive => "Archive",
            FolderRole::Junk => "Junk",
            FolderRole::Trash => "Trash",
        }
    }
}

/// A folder's name: UTF-8 without control characters, levels divided by `/`, none of them empty or
/// with blanks around it. Names compare without regard to case ([`FolderName::key`]).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FolderName(String);

/// The text is no name of a folder, a label or a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadName(pub(crate) &'static str);

impl FolderName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form in which names are compared.
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }
}

impl FromStr for FolderName {
    type Err = BadName;
    fn from_str(text: &str) -> Result<Self, BadName> {
        if text.len() > FOLDER_NAME_OCTETS_MAX {
            return Err(BadName("a folder's name is too long"));
        }
        if text.chars().any(char::is_control) {
            return Err(BadName("a folder's name has no control characters"));
        }
        if text.split('/').any(|level| level.is_empty() || level.trim() != level) {
            return Err(BadName("no level of a folder's name is empty or has blanks around it"));
        }
        Ok(FolderName(text.to_owned()))
    }
}

impl TryFrom<String> for FolderName {
    type Error = BadName;
    fn try_from(text: String) -> Result<Self, BadName> {
        text.parse()
    }
}

impl From<FolderName> for String {
    fn from(name: FolderName) -> String {
        name.0
    }
}

impl fmt::Display for FolderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A folder of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folder {
    /// Within its account, for ever.
    pub id: FolderId,
    /// Unique in its account, without regard to case.
    pub name: FolderName,
    /// What it is for; `None`: one of the person's own.
    pub role: Option<FolderRole>,
}

/// The folders that an account has besides the six, and the rules that a change of them must keep.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct OwnFolders {
    names: BTreeMap<FolderId, FolderName>,
    /// The largest id ever given out; none is used again.
    last: u32,
}

impl OwnFolders {
    /// As they are known from the index: a folder without a name was removed.
    pub(crate) fn restore(&mut self, id: FolderId, name: Option<FolderName>) {
        self.last = self.last.max(id.0);
        match name {
            Some(name) => self.names.insert(id, name),
            None => self.names.remove(&id),
        };
    }

    /// An id that no folder ever had.
    pub(crate) fn new_id(&mut self) -> FolderId {
        self.last = (self.last + 1).max(FolderId::OWN_MIN.0);
        FolderId(self.last)
    }

    pub(crate) fn has(&self, id: FolderId) -> bool {
        id.role().is_some() || self.names.contains_key(&id)
    }

    /// The six, and then the others by name.
    pub(crate) fn list(&self) -> Vec<Folder> {
        let of_role = |role: &FolderRole| Folder {
            id: role.folder(),
            name: FolderName(role.name().to_owned()),
            role: Some(*role),
        };
        let mut own: Vec<Folder> =
            self.names.iter().map(|(id, name)| Folder { id: *id, name: name.clone(), role: None }).collect();
        own.sort_by_cached_key(|folder| folder.name.key());
        FolderRole::ALL.iter().map(of_role).chain(own).collect()
    }

    /// Makes those of the changes that concern folders, in order. `held` tells which messages lie in a
    /// folder: only an empty one may be removed.
    pub(crate) fn change(
        &mut self,
        changes: &[MailboxChange],
        mut held: impl FnMut(FolderId) -> Result<Vec<QueueId>, StoreError>,
    ) -> Result<(), StoreError> {
        let mut moved: BTreeMap<FolderId, HashSet<QueueId>> = BTreeMap::new();
        for change in changes {
            match change {
                MailboxChange::CreateFolder { folder, name } => self.create(*folder, name)?,
                MailboxChange::RenameFolder { folder, name } => self.rename(*folder, name)?,
                MailboxChange::RemoveFolder { folder } => {
                    if !self.names.contains_key(folder) {
                        return Err(no_folder(*folder));
                    }
                    let elsewhere = |id: &QueueId| {
                        moved.iter().any(|(target, messages)| target != folder && messages.contains(id))
                    };
                    let receives = moved.get(folder).is_some_and(|messages| !messages.is_empty());
                    if receives || !held(*folder)?.iter().all(elsewhere) {
                        return Err(StoreError::Conflict("the folder is not empty".into()));
                    }
                    self.names.remove(folder);
                }
                MailboxChange::Move { messages, folder } => {
                    if !self.has(*folder) {
                        return Err(no_folder(*folder));
                    }
                    for known in moved.values_mut() {
                        messages.iter().for_each(|id| _ = known.remove(id));
                    }
                    moved.entry(*folder).or_default().extend(messages);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn create(&mut self, folder: FolderId, name: &FolderName) -> Result<(), StoreError> {
        if folder < FolderId::OWN_MIN || folder.0 == u32::MAX || self.names.contains_key(&folder) {
            return Err(StoreError::Conflict(format!("folder {} is there already", folder.0)));
        }
        if self.names.len() >= FOLDERS_PER_ACCOUNT_MAX {
            return Err(StoreError::Conflict(format!("more than {FOLDERS_PER_ACCOUNT_MAX} folders")));
        }
        self.check_name(folder, name)?;
        self.last = self.last.max(folder.0);
        self.names.insert(folder, name.clone());
        Ok(())
    }

    fn rename(&mut self, folder: FolderId, name: &FolderName) -> Result<(), StoreError> {
        if !self.names.contains_key(&folder) {
            return Err(no_folder(folder));
        }
        self.check_name(folder, name)?;
        self.names.insert(folder, name.clone());
        Ok(())
    }

    fn check_name(&self, folder: FolderId, name: &FolderName) -> Result<(), StoreError> {
        let key = name.key();
        let of_role = FolderRole::ALL.iter().any(|role| role.name().to_lowercase() == key);
        let of_other = self.names.iter().any(|(id, other)| *id != folder && other.key() == key);
        if of_role || of_other {
            return Err(StoreError::Conflict(format!("there is a folder {name} already")));
        }
        Ok(())
    }
}

pub(crate) fn no_folder(folder: FolderId) -> StoreError {
    StoreError::NotFound(format!("folder {}", folder.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed() {
        for good in ["Work", "Arbeit/Größe 2026", "a/b/c", "受信"] {
            assert_eq!(good.parse::<FolderName>().unwrap().to_string(), good);
        }
        let long = "x".repeat(FOLDER_NAME_OCTETS_MAX + 1);
        for bad in ["", "/", "a//b", "/a", "a/", " a", "a /b", "a\tb", "a\r\nb", "\u{85}", &long] {
            assert!(bad.parse::<FolderName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn roles_are_the_first_ids() {
        let ids: Vec<_> = FolderRole::ALL.iter().map(|role| role.folder()).collect();
        use FolderId as F;
        assert_eq!(ids, [F::INBOX, F::DRAFTS, F::SENT, F::ARCHIVE, F::JUNK, F::TRASH]);
    }
}
