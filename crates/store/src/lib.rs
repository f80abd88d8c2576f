//! Where mail is kept: directory (domains, accounts, aliases), contents, maildrops, queue.
//!
//! [`Store`] is what the rest of Posta sees. It has a memory form for tests and the embedded form:
//! volumes (the truth) with an index derived from them. Both pass one contract suite.

mod directory;
mod directory_state;
pub mod embedded;
mod folder;
mod id;
pub mod limits;
mod mailbox;
mod marks;
mod memory;
mod queue_entry;
mod requests;
mod traits;

pub use directory::{
    Account, Alias, AliasKind, AppPassword, AppPasswordScope, Credentials, DirectoryChange, DomainSettings,
};
pub use embedded::EmbeddedStore;
pub use folder::{BadName, Folder, FolderId, FolderName, FolderRole};
pub use id::{AccountId, QueueId};
pub use mailbox::{Changes, DocumentName, Filing, MailboxChange, MailboxSelection};
pub use marks::{Flags, Label};
pub use memory::MemoryStore;
pub use posta_journal::Fate;
pub use queue_entry::{Attempt, QueueChange, QueueEntry, QueueRecipient};
pub use requests::{BadTlsRequest, Deadline, RecipientRequests, Release, Requests, TlsRequest};
/// The clock that a store is given: what time it is now.
pub type Now = std::sync::Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>;

pub use traits::{
    Acceptance, ContentRef, ContentWriter, Envelope, LocalDelivery, MaildropMessage, MaildropSnapshot,
    RemoteRecipient, Store, StoreError, Tally, Usage,
};
