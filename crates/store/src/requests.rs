//! What a sender asked for with a message, kept with it as long as it is in the queue.

use crate::{AccountId, QueueId};
use jiff::Timestamp;
use posta_wire::{ByTerms, DeliverBy, EnvelopeId, Hold, Notify, OriginalRecipient, Priority, ReturnedPart};

/// Asked for the message as a whole (parameters of MAIL).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Requests {
    /// What of the message goes back with a report of failure: RET (RFC 3461 §4.3).
    pub returned: Option<ReturnedPart>,
    /// The sender's name for the envelope: ENVID (RFC 3461 §4.4).
    pub envelope_id: Option<EnvelopeId>,
    /// Whether it may leave TLS (RFC 8689).
    pub tls: TlsRequest,
    /// It waits in the queue, for recipients here too.
    pub release: Option<Release>,
    /// When it is to have arrived: BY (RFC 2852).
    pub deadline: Option<Deadline>,
    /// What goes before others: MT-PRIORITY (RFC 6710); 0 where nothing was asked.
    pub priority: Priority,
}

/// A message that waits for its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Release {
    /// Nothing is sent or delivered before.
    pub at: Timestamp,
    /// Who sent it, and may take it back until then.
    pub by: Option<AccountId>,
    /// Of several copies (lists have their own), which id the sender was told; `None` in that one.
    pub of: Option<QueueId>,
    /// How it was asked for (RFC 4865 §3), if it was, for reports (§5.1.2).
    pub asked: Option<Hold>,
}

/// When a message is to have arrived (RFC 2852 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// The deliver-by-time.
    pub at: Timestamp,
    /// What happens then.
    pub terms: ByTerms,
}

impl Deadline {
    /// What another host is told at this moment.
    pub fn left(self, now: Timestamp) -> DeliverBy {
        DeliverBy::until(self.at, self.terms, now)
    }
}

/// What a sender says of TLS (RFC 8689).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsRequest {
    /// Nothing: as hosts see fit.
    #[default]
    None,
    /// `REQUIRETLS`: inside TLS, to hosts that prove who they are and promise the same, or not at all.
    Required,
    /// `TLS-Required: No`: arriving matters more than any policy about TLS.
    Optional,
}

impl std::fmt::Display for TlsRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            TlsRequest::None => "none",
            TlsRequest::Required => "required",
            TlsRequest::Optional => "optional",
        })
    }
}

/// The text names no [`TlsRequest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadTlsRequest;

impl std::str::FromStr for TlsRequest {
    type Err = BadTlsRequest;

    fn from_str(text: &str) -> Result<Self, BadTlsRequest> {
        let all = [TlsRequest::None, TlsRequest::Required, TlsRequest::Optional];
        all.into_iter().find(|request| request.to_string() == text).ok_or(BadTlsRequest)
    }
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
