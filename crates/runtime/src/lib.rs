//! Sockets, timers and TLS: the one loop that drives a [`posta_wire::Conversation`], and the seam to the
//! world (network, clock, entropy) with forms that a simulation can replace.

mod drive;
pub mod limits;
mod listen;
mod outgoing;
mod peers;
mod proxy;
pub mod tls;
mod world;

pub use drive::{Driven, Handler, Link, Transcript, drive};
pub use listen::{Service, bind, listen};
pub use peers::{Admission, PeerLimits, Peers, Refusal};
pub use proxy::{Proxied, ProxyError, read_proxy_header};
pub use world::{Clock, Entropy, Network, OsEntropy, Stream, SystemClock, TcpNetwork};
