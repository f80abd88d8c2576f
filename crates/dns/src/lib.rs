//! Looking things up in the DNS through a [`Resolver`] that is handed in.
//!
//! - [`route`]: from a mail domain to the hosts that take its mail, in order (RFC 5321 §5.1).
//! - [`DnsResolver`]: the real one, with a cache.
//! - [`Zone`], [`ZoneResolver`], [`ZoneServer`]: zones in memory, asked directly or served over UDP
//!   and TCP, for tests and the demo.

pub mod limits;
mod resolver;
mod routing;
mod server;
mod system;
mod zone;

pub use resolver::{DnsError, MxRecord, Resolver, SrvRecord};
pub use routing::{OwnHosts, Ports, Route, RouteError, RouteFailure, RouteHost, fixed_route, route};
pub use server::{DnsExchange, ZoneObserver, ZoneServer};
pub use system::DnsResolver;
pub use zone::{Fault, RecordType, Zone, ZoneAnswer, ZoneData, ZoneError, ZoneRecord, ZoneResolver};
