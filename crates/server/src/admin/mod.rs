//! The operator's interface: [`Request`] and [`Response`], over a Unix socket while a server runs, by
//! opening the store where none does.

mod app_passwords;
mod client;
mod desk;
mod fetching;
mod folders;
mod protocol;
mod socket;
mod taking_back;
mod watch;
mod watcher;

pub use client::{AdminError, ask, offline, perform};
pub use desk::{Desk, Maintenance};
pub(crate) use fetching::perform as perform_fetch;
pub use protocol::{
    AccountChange, AccountInfo, AliasInfo, AppPasswordInfo, CheckInfo, DomainInfo, ErrorKind, FetchInfo,
    FetchKind, FolderInfo, NewAccount, QueueAction, QueueInfo, QueueRecipientInfo, Request, Response, Scope,
    SecretText, StatusInfo, UsageInfo,
};
pub(crate) use socket::AdminSocket;
pub use socket::{Control, SOCKET_NAME};
pub use watcher::Watch;
