//! The store from outside: one contract for both forms, and what the embedded form promises besides:
//! nothing acknowledged is lost, damage is named, space comes back.

#[macro_use]
mod contract;
mod crash;
mod kill;
mod letters;
mod mailboxes;
mod mirror;
mod model;
mod reclaim;
