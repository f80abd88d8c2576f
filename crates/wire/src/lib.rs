//! What line protocols share: the [`Conversation`] shape of every session, CRLF lines, dot
//! transparency, [`Secret`].
//!
//! Nothing here waits, reads a clock or opens a socket.

mod content;
mod conversation;
mod secret;

pub use content::ContentFacts;
pub use conversation::{Conversation, Output};
pub use secret::Secret;
