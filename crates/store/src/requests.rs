//! What a sender asked for with a message, kept with it as long as it is in the queue.

use posta_wire::{EnvelopeId, Notify, OriginalRecipient, ReturnedPart};

/// Asked for the message as a whole (parameters of MAIL).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Requests {
    /// What of the message goes back with a report of failure: RET (RFC 3461 §4.3).
    pub returned: Option<ReturnedPart>,
    /// The sender's name for the envelope: ENVID (RFC 3461 §4.4).
    pub envelope_id: Option<EnvelopeId>,
}

/// Asked for one recipient (parameters of RCPT).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecipientRequests {
    /// Of what the sender wants to hear: NOTIFY (RFC 3461 §4.1).
    pub notify: Option<Notify>,
    /// The recipient as the sender knew it: ORCPT (RFC 3461 §4.2).
    pub original: Option<OriginalRecipient>,
}

impl RecipientRequests {
    /// Whether delivery (or handing over to a host that sends no reports) is to be reported.
    pub fn wants_success(&self) -> bool {
        self.notify.is_some_and(|notify| notify.success)
    }

    /// Whether failure is to be reported; without NOTIFY it is (RFC 3461 §5.2.6).
    pub fn wants_failure(&self) -> bool {
        self.notify.is_none_or(|notify| notify.failure)
    }

    /// Whether a delay may be reported; without NOTIFY it may (RFC 3461 §5.2.5).
    pub fn wants_delay(&self) -> bool {
        self.notify.is_none_or(|notify| notify.delay)
    }
}
