//! The journal: a typed [`Event`] for everything decided, with its reason.
//!
//! Bounded in size and age, written in batches off the hot path, and read by `explain`, `audit`, logs
//! and pages. Refused mail is in it too; secrets and bodies are not.
//!
//! - [`Journal`]: the handle through which all parts note what they decide. Noting never waits.
//! - [`Reader`]: finds records by queue id, `Message-ID`, address or peer.
//! - [`story`]: tells what happened to a letter in plain words.

mod event;
mod journal;
pub mod limits;
mod query;
mod reader;
mod segments;
pub mod story;
mod writer;

pub use event::{Event, Fate, Record, SessionKind};
pub use journal::{ClockFn, Journal, JournalError, LogObserver, Observer, Settings};
pub use query::Query;
pub use reader::{Direction, Reader};
