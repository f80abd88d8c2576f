//! The message format: RFC 5322 and MIME, read and written.
//!
//! Pure: bytes in, values out, and back; no clock, no randomness, no IO.
//!
//! - [`build`]: messages written from typed values; what it gives out, a strict reader accepts.
//! - [`report`]: delivery status notifications and their kin.
//! - [`header`]: field names and texts that cannot carry an injection, and quick look-ups in raw
//!   header sections.
//! - [`date`], [`message_id`]: the two smaller notations.
//! - [`encoding`]: content transfer encodings.

pub mod build;
pub mod charset;
pub mod date;
pub mod defect;
pub mod downgrade;
pub mod encoded_word;
pub mod encoding;
pub mod field;
pub mod header;
pub mod limits;
pub mod message_id;
pub mod partial;
pub mod read;
pub mod report;
pub mod text;

pub use build::{Address, BuiltMessage, MediaType, MessageBuilder, Part};
pub use date::DateTime;
pub use defect::{Defect, DefectKind};
pub use header::{HeaderError, HeaderName, HeaderText};
pub use message_id::MessageId;
pub use read::{Entity, Message};
