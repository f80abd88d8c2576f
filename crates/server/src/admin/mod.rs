//! The operator's interface: [`Request`] and [`Response`], over a Unix socket while a server runs, by
//! opening the store where none does.

mod client;
mod desk;
mod protocol;
mod socket;

pub use client::{AdminError, ask, offline, perform};
pub use desk::{Desk, Maintenance};
pub use protocol::{
    AccountChange, AccountInfo, AliasInfo, CheckInfo, DomainInfo, ErrorKind, NewAccount, QueueAction,
    QueueInfo, QueueRecipientInfo, Request, Response, SecretText, StatusInfo, UsageInfo,
};
pub(crate) use socket::AdminSocket;
pub use socket::{Control, SOCKET_NAME};
