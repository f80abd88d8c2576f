//! The server's end of a session.
//!
//! The session asks; whoever drives it decides and answers with a [`Reply`]. A positive reply moves the
//! session on, any other leaves it where it was. The session itself answers all that needs no
//! decision: syntax, order, limits, RSET, NOOP, HELP, QUIT.

mod question;

pub use question::{Answer, Event, Hello, MailParameters, Question, RecipientParameters};
