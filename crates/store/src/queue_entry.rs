//! What waits to be sent elsewhere.

use crate::{ContentRef, Envelope, QueueId};
use jiff::Timestamp;
use posta_address::{ForwardPath, Mailbox};
use posta_journal::Fate;

/// What was said at the last attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// When.
    pub at: Timestamp,
    /// Remote host with address, if one was reached.
    pub host: Option<String>,
    /// The peer's reply, or our own words.
    pub detail: String,
}

/// One recipient that is not settled yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueRecipient {
    /// Where to, after expansion.
    pub mailbox: Mailbox,
    /// As the envelope had it.
    pub original: ForwardPath,
    /// Attempts so far.
    pub attempts: u32,
    /// Not before this.
    pub next_attempt_at: Timestamp,
    /// The last attempt.
    pub last_attempt: Option<Attempt>,
    /// Whether the sender was told of the delay.
    pub delay_reported: bool,
}

/// A message with its unsettled recipients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueEntry {
    /// Its id.
    pub id: QueueId,
    /// Where its content lies.
    pub content: ContentRef,
    /// Envelope and facts.
    pub envelope: Envelope,
    /// When it was accepted; expiry counts from here.
    pub accepted_at: Timestamp,
    /// Stopped by the operator.
    pub held: bool,
    /// At least one.
    pub recipients: Vec<QueueRecipient>,
}

/// A change of a queue entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueueChange {
    /// The recipient is done with and leaves; an entry without recipients goes.
    Settled {
        /// Which.
        mailbox: Mailbox,
        /// What became of it; never `Deferred`.
        fate: Fate,
    },
    /// An attempt failed for now.
    Deferred {
        /// Which.
        mailbox: Mailbox,
        /// What happened.
        attempt: Attempt,
        /// When to try again.
        next_attempt_at: Timestamp,
    },
    /// The sender was told of the delay.
    DelayReported {
        /// Which.
        mailbox: Mailbox,
    },
    /// All recipients: not before this (the operator's `retry`).
    Rescheduled {
        /// When.
        next_attempt_at: Timestamp,
    },
    /// Stopped or let go by the operator.
    Held(bool),
}
