//! From a message to what a person reads: pure functions over `posta_message`, the same for every agent.
//!
//! Whatever comes out was written by a stranger: texts have lost what could mislead a terminal, HTML has gone
//! through [`html`]'s strict list of what is allowed, names of files are safe to create.

mod bounce;
pub mod css;
mod deceit;
pub mod html;
mod html_finish;
mod invitation;
mod parts;
mod people;
mod quotation;
mod subject;
mod unsubscribe;
mod view;

pub use bounce::report_view;
pub use invitation::invitation;
pub use parts::{attachments, content_ids, part_content};
pub use people::{people, person};
pub use quotation::{own_words, snippet, text_blocks};
pub use subject::{base_subject, is_reply_subject};
pub use unsubscribe::unsubscribe_way;
pub use view::{Gist, Reading, gist, reading};
