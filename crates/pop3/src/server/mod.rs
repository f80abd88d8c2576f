//! The server's end of a session.
//!
//! The session works on a snapshot of the maildrop that comes with the login; it asks for contents
//! piece by piece, and at QUIT for the removal of what was marked. All else (order of commands, syntax,
//! limits, counting, byte-stuffing) it settles by itself.

mod authentication;
mod listing;
mod maildrop;
mod phrases;
mod question;
mod replies;
mod session;
mod settings;
mod transmission;

pub use question::{Answer, Event, LoginFailure, MechanismRefusal, MessageEntry, Question, Unreadable};
pub use session::Session;
pub use settings::Settings;
