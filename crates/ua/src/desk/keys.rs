//! Opaque names of things on a desk. Text that is safe in a URL; what it means is the engine's own.

use posta_store::{FolderId, FolderRole};
use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! key {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// From text that came from this engine before. Whatever else it is, nothing will have this name.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

key! {
    /// A message: stays the same as long as the message exists, whatever folder it is in.
    MessageKey
    /// A conversation. Any conversation that ever had this name is found by it, also after two have been joined.
    ConversationKey
    /// A folder: `inbox`, `drafts`, `sent`, `archive`, `junk`, `trash`, or a number for the person's own ones.
    FolderKey
    /// A draft: stays the same over all its versions.
    DraftKey
    /// A message that waits for its time to be sent.
    OutboxKey
    /// A way back from a change.
    UndoKey
    /// A file handed in for a draft.
    UploadKey
    /// Somebody in the address book.
    ContactKey
    /// A mail account elsewhere.
    FetchKey
    /// Where a page of a list goes on.
    Cursor
    /// A part of a message: numbers with dots as in `2.1`; `0` is the message itself.
    PartPath
}

impl FolderKey {
    /// The folder of this role.
    pub fn of(role: FolderRole) -> FolderKey {
        FolderKey::new(role.key())
    }

    /// The folder that it names, which need not be there.
    pub(crate) fn id(&self) -> Option<FolderId> {
        let role = FolderRole::ALL.into_iter().find(|role| role.key() == self.as_str());
        let own = || self.as_str().parse().ok().map(FolderId).filter(|id| *id >= FolderId::OWN_MIN);
        role.map(FolderRole::folder).or_else(own)
    }
}
