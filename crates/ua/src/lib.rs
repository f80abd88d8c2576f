//! The engine that all user agents share: accounts, composing, submitting, the maildrop, reading, files.
//!
//! The commands `posta mail …` are one face of it. Network, clock, randomness and host names are handed in
//! ([`Outside`]); nothing is printed here.

mod account;
mod compose;
pub mod desk;
mod desk_fields;
mod dialogue;
pub mod discovery;
mod endpoint;
pub mod engine;
mod error;
mod folder;
pub mod home;
pub mod limits;
mod mailboxes;
mod maildrop;
pub mod media_type;
mod outside;
pub mod reader;
mod reading;
pub mod remote;
mod security;
mod submit;
pub mod terminal;
pub mod watch;

pub use account::{ACCOUNTS_FILE, Account, AccountError, Accounts};
pub use compose::{Attachment, ComposeError, Draft, Letter, Wishes};
pub use dialogue::{Dialogue, Protocol, Speaker};
pub use endpoint::{BadEndpoint, Endpoint};
pub use error::{
    ConnectError, MaildropError, SubmitError, describe_outcome, describe_smtp, describe_smtp_reply,
};
pub use folder::{EmlFolder, EmlWriter, Mbox};
pub use mailboxes::{BadMailbox, parse_mailbox, parse_mailboxes};
pub use maildrop::{Listed, Maildrop};
pub use outside::{Hosts, Outside, SystemHosts};
pub use reading::{AttachmentView, Summary, View};
pub use security::Security;
pub use submit::{Login, Outcomes, Proof, probe_submission, submit, submit_as};
