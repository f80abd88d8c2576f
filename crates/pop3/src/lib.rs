//! POP3 as pure values (RFC 1939, RFC 2449): commands, replies, capabilities, and both ends of a session.
//!
//! No sockets, clock, randomness or runtime: the sessions are [`posta_wire::Conversation`]s.
//!
//! - [`Command`], [`Reply`], [`Capability`]: what goes over the wire, read and printed.
//! - [`server::Session`]: asks who may log in, what is in a message, what to remove.
//! - [`client::Session`]: asks what to do next, and reports what came.
//! - [`apop_digest`], [`digests_equal`]: what APOP needs on both sides.

mod apop;
mod capability;
pub mod client;
mod command;
mod language;
pub mod limits;
mod reply;
pub mod server;

pub use apop::{apop_digest, digests_equal};
pub use capability::{Capability, Retention};
pub use command::{Argument, Command, CommandError, MessageNumber};
pub use language::Language;
pub use reply::{BadReply, Reply, ResponseCode};
