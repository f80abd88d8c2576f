//! Sockets and timers: the one loop that drives a [`posta_wire::Conversation`], and the seam to the
//! world (network, clock, entropy) with forms that a simulation can replace.

mod drive;
mod world;

pub use drive::{Driven, Handler, Transcript, drive};
pub use world::{Clock, Entropy, Network, OsEntropy, Stream, SystemClock, TcpNetwork};
