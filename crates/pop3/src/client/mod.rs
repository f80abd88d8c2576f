//! The client's end of a session: asks what to do next, does it, reports what came.
//!
//! Each [`Request`] ends with exactly one of [`Event::Done`], [`Event::Refused`] and [`Event::Failed`];
//! what it asked for comes before that, in pieces, so that nothing needs to fit into memory.

mod listing;
mod question;
mod session;

pub use question::{Credentials, Event, Failure, Fault, LoginMethod, Phase, Question, Request, Stage};
pub use session::{Session, Settings};
