//! POP3 as pure values (RFC 1939, RFC 2449): commands, replies, capabilities, and both ends of a session.

pub mod client;
pub mod server;
