//! The journal: a typed [`Event`] for everything decided, with its reason.
//!
//! Bounded in size and age, written in batches off the hot path, and read by `explain`, `audit`, logs
//! and pages. Refused mail is in it too; secrets and bodies are not.

mod event;

pub use event::{Event, Fate, Record, SessionKind};
