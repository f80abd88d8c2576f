//! Composition: configuration, reception, POP3 service, admin interface.
//!
//! - [`Server::start`] makes a running server out of a [`config::Config`] and a [`World`]; there may be
//!   several in one process.
//! - [`reception`]: what happens between a client's `MAIL` and our 250.
//! - [`recipients`]: whom an address stands for.
//! - [`admin`]: what the operator can ask for.

pub mod admin;
mod allowances;
mod bounces;
mod certificates;
pub mod config;
mod credentials;
mod host;
pub mod limits;
mod logins;
pub mod passwords;
mod pop3;
pub mod privileges;
pub mod reception;
pub mod recipients;
mod server;
mod storage;
mod surrogates;

pub use host::TranscriptObserver;
pub use server::{Running, Server, Sockets, StartError, World};
