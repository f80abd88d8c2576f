//! SMTP as pure values (RFC 5321): commands, replies, extensions, and both ends of a session.
//!
//! No sockets, clock, randomness or runtime: the sessions are [`posta_wire::Conversation`]s.

pub mod client;
mod enhanced;
mod reply;
pub mod server;

pub use enhanced::EnhancedStatus;
pub use reply::Reply;
