//! The engine as a whole: a desk over a store, mail delivered, sent, changed, found.

mod automation;
mod changes;
mod lists;
mod place;
mod reading;
mod transfer;
mod writing;
