//! Recipients here, whose message has waited in the queue for its time: into their maildrops.
//!
//! Nothing is sent, so there is no route and no connection; all else is as for other recipients: one outcome
//! for each, and one commit that settles it.

use crate::{
    outcome::{Obstacle, Outcome},
    scheduler::Dispatch,
    service::Shared,
    settlement::{Concluded, Offers},
};
use posta_smtp::EnhancedStatus;
use std::sync::Arc;

/// Why a maildrop does not take a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaildropRefusal {
    /// Transient (class 4) or permanent (class 5).
    pub status: EnhancedStatus,
    /// In words.
    pub reason: String,
}

/// Delivers to those of a dispatch's recipients that are here.
pub(crate) async fn deliver_here(shared: Arc<Shared>, dispatch: Dispatch) {
    if let Some(job) = shared.load(dispatch).await {
        let entry = job.shared_entry();
        let mut concluded = Vec::new();
        for mailbox in job.take_pending() {
            let known = entry.recipients.iter().find(|recipient| recipient.mailbox == mailbox);
            let Some(account) = known.and_then(|recipient| recipient.maildrop) else { continue };
            let outcome = match shared.reinjection.delivery(&entry, account).await {
                Ok(delivery) => Outcome::Delivered(delivery),
                Err(refusal) => Outcome::Failed(Obstacle::Maildrop(refusal)),
            };
            concluded.push(Concluded { mailbox, outcome, peer: None, offers: Offers::default() });
        }
        job.conclude_here(concluded).await;
    }
    shared.pump();
}
