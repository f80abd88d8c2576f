//! The server's end of a session.
//!
//! The session asks; whoever drives it decides and answers with a [`Reply`](crate::Reply). A positive
//! reply moves the session on, any other leaves it where it was; 421 ends it. The session itself answers
//! all that needs no decision: syntax, order, limits, RSET, NOOP, HELP, QUIT.

mod authentication;
mod chunking;
mod content;
mod envelope;
mod greeting;
mod inquiry;
mod lmtp;
mod question;
mod security;
mod session;
mod settings;
mod turn;

pub use crate::parameters::{MailParameters, RecipientParameters};
pub use authentication::Authentication;
pub use question::{Answer, Event, Hello, Question};
pub use session::Session;
pub use settings::{BareLineEnd, Extensions, Limits, Quirks, Settings};
