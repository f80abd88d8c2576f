//! The client's end of a session: greets, sends transactions one after another, quits.

mod question;

pub use question::{Answer, Event, Failure, Fault, Question, RecipientOutcome, Stage, Transaction};
