//! The server's end of a session.

mod question;

pub use question::{Answer, Event, LoginFailure, MessageEntry, Question};
