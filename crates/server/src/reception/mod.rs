//! Reception in four steps: gather facts (asynchronously, in parallel) → judge (a pure function) →
//! commit (the store) → reply. One file each.

pub mod commit;
mod completion;
pub mod facts;
pub mod judge;
mod message_id;
pub mod replies;
mod session;
mod success;
pub(crate) mod transaction;
pub mod verify;

pub(crate) use session::SmtpService;
