//! SCRAM (RFC 5802), with SHA-1 and SHA-256 (RFC 7677), with and without channel binding.
//!
//! The server keeps a [`Verifier`] per account and hash; it can check a client and prove itself with
//! it, but not log in elsewhere. Each end proves to the other that it knows the password.

mod client;
mod hash;
mod messages;
mod server;
mod verifier;

pub(super) use client::Client;
pub use hash::Hash;
pub(super) use messages::{read_saslname, write_saslname};
pub(super) use server::Server;
pub use verifier::{BadVerifier, Verifier};

#[cfg(test)]
mod tests;
