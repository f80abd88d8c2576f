//! What waits to be sent elsewhere.

use crate::limits::CHANGES_PER_RECORD_MAX;
use crate::{
    AccountId, ContentRef, Envelope, FolderId, LocalDelivery, QueueId, RecipientRequests, RemoteRecipient,
    StoreError, Tally,
};
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
    /// See [`RemoteRecipient::maildrop`].
    pub maildrop: Option<AccountId>,
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
    /// What the sender asked for.
    pub requests: RecipientRequests,
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
    /// The recipient is one of ours, and its time has come: into the maildrop, and out of the queue. Passed
    /// over unless it waits for this very account; dropped if the account is gone meanwhile.
    Delivered {
        /// Which.
        mailbox: Mailbox,
        /// How.
        delivery: LocalDelivery,
        /// When.
        at: Timestamp,
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

impl QueueRecipient {
    /// A recipient as it enters the queue.
    pub(crate) fn new(recipient: RemoteRecipient, due: Timestamp) -> Self {
        QueueRecipient {
            mailbox: recipient.mailbox,
            maildrop: recipient.maildrop,
            original: recipient.original,
            attempts: 0,
            next_attempt_at: due,
            last_attempt: None,
            delay_reported: false,
            requests: recipient.requests,
        }
    }

    /// Notes an attempt that failed for now.
    pub(crate) fn defer(&mut self, attempt: Attempt, next_attempt_at: Timestamp) {
        self.attempts = self.attempts.saturating_add(1);
        self.next_attempt_at = next_attempt_at;
        self.last_attempt = Some(attempt);
    }
}

impl QueueEntry {
    /// From when on delivery is tried, so that expiry counts from here: acceptance, or release.
    pub fn tried_since(&self) -> Timestamp {
        let release = self.envelope.requests.release;
        release.map_or(self.accepted_at, |release| release.at.max(self.accepted_at))
    }

    /// Whether the recipient waits for a delivery into this maildrop.
    pub(crate) fn awaits(&self, mailbox: &Mailbox, account: AccountId) -> bool {
        let awaits = |known: &QueueRecipient| known.mailbox == *mailbox && known.maildrop == Some(account);
        self.recipients.iter().any(awaits)
    }

    /// Makes a change; what concerns a recipient that is gone is passed over. A delivery into a maildrop
    /// is made by the store before.
    pub(crate) fn apply(&mut self, change: QueueChange, tally: &mut Tally) {
        match change {
            QueueChange::Settled { mailbox, fate } => {
                let before = self.recipients.len();
                self.recipients.retain(|recipient| recipient.mailbox != mailbox);
                if self.recipients.len() < before {
                    tally.settle(fate);
                }
            }
            QueueChange::Delivered { mailbox, .. } => {
                self.apply(QueueChange::Settled { mailbox, fate: Fate::Delivered }, tally);
            }
            QueueChange::Deferred { mailbox, attempt, next_attempt_at } => {
                if let Some(recipient) = self.recipient_mut(&mailbox) {
                    recipient.defer(attempt, next_attempt_at);
                }
            }
            QueueChange::DelayReported { mailbox } => {
                if let Some(recipient) = self.recipient_mut(&mailbox) {
                    recipient.delay_reported = true;
                }
            }
            QueueChange::Rescheduled { next_attempt_at } => {
                for recipient in &mut self.recipients {
                    recipient.next_attempt_at = next_attempt_at;
                }
            }
            QueueChange::Held(held) => self.held = held,
        }
    }

    fn recipient_mut(&mut self, mailbox: &Mailbox) -> Option<&mut QueueRecipient> {
        self.recipients.iter_mut().find(|recipient| recipient.mailbox == *mailbox)
    }
}

impl QueueChange {
    /// The delivery that it makes, if it is one.
    pub(crate) fn delivery_mut(&mut self) -> Option<&mut LocalDelivery> {
        match self {
            QueueChange::Delivered { delivery, .. } => Some(delivery),
            _ => None,
        }
    }
}

/// The folders of one's own that deliveries go to.
pub(crate) fn needed_folders(
    deliveries: &[LocalDelivery],
    changes: &[(QueueId, QueueChange)],
) -> Vec<(AccountId, FolderId)> {
    let late = changes.iter().filter_map(|(_, change)| match change {
        QueueChange::Delivered { delivery, .. } => Some(delivery),
        _ => None,
    });
    let own = deliveries.iter().chain(late).filter(|delivery| delivery.folder >= FolderId::OWN_MIN);
    own.map(|delivery| (delivery.account, delivery.folder)).collect()
}

/// The maildrops that changes may put something into.
pub(crate) fn changed_maildrops(changes: &[(QueueId, QueueChange)]) -> Vec<AccountId> {
    let maildrop = |(_, change): &(QueueId, QueueChange)| match change {
        QueueChange::Delivered { delivery, .. } => Some(delivery.account),
        _ => None,
    };
    changes.iter().filter_map(maildrop).collect()
}

/// Refuses what may not be written: a settled recipient is never `Deferred`.
pub(crate) fn check_changes(changes: &[(QueueId, QueueChange)]) -> Result<(), StoreError> {
    if changes.len() > CHANGES_PER_RECORD_MAX {
        return Err(StoreError::Conflict(format!("more than {CHANGES_PER_RECORD_MAX} changes at once")));
    }
    for (id, change) in changes {
        if let QueueChange::Settled { mailbox, fate: Fate::Deferred } = change {
            return Err(StoreError::Conflict(format!("{mailbox} in {id} cannot be settled as deferred")));
        }
        if let QueueChange::Delivered { delivery, .. } = change {
            delivery.check()?;
        }
    }
    Ok(())
}
