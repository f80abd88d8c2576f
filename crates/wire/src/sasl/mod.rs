//! SASL (RFC 4422), both ends, as SMTP (RFC 4954) and POP3 (RFC 5034) carry it.
//!
//! An exchange is a value of its own, [`server::Exchange`] or [`client::Exchange`]: lines of base64 go
//! in and come out; passwords, verifiers and tokens that a server needs are questions, answered from
//! outside. Nothing here waits, reads a clock or makes random numbers: what is needed of them is handed
//! in when an exchange begins. A session holds one boxed exchange while `AUTH` is going on.
//!
//! One file per mechanism, both of its halves in it.

mod binding;
pub mod client;
mod cram_md5;
mod external;
mod framing;
pub mod limits;
mod login;
mod mechanism;
mod oauthbearer;
mod plain;
pub mod prepare;
pub mod scram;
pub mod server;
mod set;
#[cfg(test)]
mod tests;
mod xoauth2;

pub use binding::{BindingKind, ChannelBindings};
pub use framing::{CANCEL, EMPTY_INITIAL};
pub use mechanism::{Mechanism, UnknownMechanism};
pub use set::MechanismSet;
