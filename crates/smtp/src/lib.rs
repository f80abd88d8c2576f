//! SMTP as pure values (RFC 5321): commands, replies, extensions, and both ends of a session.
//!
//! No sockets, clock, randomness or runtime: the sessions are [`posta_wire::Conversation`]s.

pub mod client;
mod enhanced;
pub mod limits;
mod parameters;
pub mod replies;
mod reply;
pub mod server;

pub use enhanced::EnhancedStatus;
pub use parameters::{MailParameters, RecipientParameters};
pub use reply::Reply;
