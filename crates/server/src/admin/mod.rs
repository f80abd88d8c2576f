//! The operator's interface: [`Request`] and [`Response`], over a Unix socket while a server runs, by
//! opening the store where none does.

mod protocol;

pub use protocol::{
    AccountChange, AccountInfo, AliasInfo, CheckInfo, DomainInfo, ErrorKind, NewAccount, QueueAction,
    QueueInfo, QueueRecipientInfo, Request, Response, SecretText, StatusInfo, UsageInfo,
};
