//! The engine as a whole: a desk over a store, mail delivered, sent, changed, found.

mod automation;
mod changes;
mod lists;
mod place;
mod reading;
#[path = "../support/mod.rs"]
mod support;
mod transfer;
mod writing;
