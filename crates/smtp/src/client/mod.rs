//! The client's end of a session: greets, sends transactions one after another, quits.
//!
//! Its files mirror those of [`server`](crate::server).

mod authentication;
mod chunking;
mod content;
mod envelope;
mod greeting;
mod question;
mod security;
mod session;
mod settings;
mod turn;

pub use question::{
    Answer, Event, Failure, Fault, Question, Recipient, RecipientOutcome, Request, Requests, Stage,
    Transaction,
};
pub use session::Session;
pub use settings::{Settings, TimeLimits, TlsUse};
