//! Composition: configuration, reception, POP3 service, admin interface.
//!
//! - [`Server::start`] makes a running server out of a [`config::Config`] and a [`World`]; there may be
//!   several in one process.
//! - [`reception`]: what happens between a client's `MAIL` and our 250.
//! - [`recipients`]: whom an address stands for.
//! - [`admin`]: what the operator can ask for.
//! - [`web`]: how HTTP(S) listeners are handed to whoever speaks HTTP.

pub mod admin;
mod allowances;
mod bounces;
mod certificates;
pub mod config;
mod credentials;
mod fetch;
mod folder_names;
mod guesses;
mod host;
pub mod limits;
mod logins;
mod outbox;
pub mod passwords;
mod pop3;
pub mod presence;
pub mod privileges;
mod proxy;
pub mod reception;
pub mod recipients;
mod server;
mod storage;
mod surrogates;
mod tokens;
pub mod web;

pub use host::TranscriptObserver;
pub use outbox::{Outbox, OutgoingEnvelope, SubmitError, Waiting};
pub use server::{Running, Server, Sockets, StartError, World};
