//! Looking things up in the DNS through a [`Resolver`] that is handed in; MX routing (RFC 5321 §5.1)
//! on top of it; zones in memory, served over UDP and TCP for tests and the demo; the real resolver.

mod resolver;

pub use resolver::{DnsError, MxRecord, Resolver};
