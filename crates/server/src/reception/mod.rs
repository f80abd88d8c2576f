//! Reception in four steps: gather facts (asynchronously, in parallel) → judge (a pure function) →
//! commit (the store) → reply. One file each.

pub(crate) mod binary;
pub mod commit;
pub(crate) mod completion;
pub mod facts;
mod fetching;
mod field_search;
pub(crate) mod gathered;
mod introduction;
pub mod judge;
mod lmtp;
pub mod replies;
pub(crate) mod screen;
mod session;
mod success;
pub(crate) mod timing;
pub(crate) mod transaction;
pub mod verify;

pub(crate) use session::{SmtpService, SmtpSession};
