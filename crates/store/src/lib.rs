//! Where mail is kept: directory (domains, accounts, aliases), contents, maildrops, queue.
//!
//! [`Store`] is what the rest of Posta sees. It has a memory form for tests and the embedded form:
//! volumes (the truth) with an index derived from them. Both pass one contract suite.

mod directory;
mod id;
mod queue_entry;
mod traits;

pub use directory::{Account, Alias, AliasKind, DirectoryChange, DomainSettings};
pub use id::{AccountId, QueueId};
pub use queue_entry::{Attempt, QueueChange, QueueEntry, QueueRecipient};
pub use traits::{
    Acceptance, ContentRef, ContentWriter, Envelope, LocalDelivery, MaildropMessage, MaildropSnapshot,
    RemoteRecipient, Store, StoreError, Tally, Usage,
};
