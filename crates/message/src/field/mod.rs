//! Structured field values, read: addresses, dates, identifiers, media types.
//!
//! Every reader takes the raw value of a field, folding and all, gives what can be read, and
//! tells whether the value kept to the grammar.

pub mod address;
pub mod content;
pub mod date;
pub mod ids;
pub mod list;
pub mod parameter;
pub mod received;
mod scan;
