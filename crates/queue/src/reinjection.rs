//! Where reports go: the way back into the mail system.

use async_trait::async_trait;
use bytes::Bytes;
use posta_address::Mailbox;
use posta_store::{QueueChange, QueueId};
use thiserror::Error;

/// Takes in messages that the queue makes itself.
#[async_trait]
pub trait Reinjection: Send + Sync + 'static {
    /// Accepts a report for `to` from the null reverse-path, as any message is accepted: into a
    /// maildrop or into the queue. `reported` is committed together with it, so that no failure is
    /// ever settled without its report, or reported twice.
    async fn inject(
        &self,
        to: &Mailbox,
        message: Bytes,
        reported: Vec<(QueueId, QueueChange)>,
    ) -> Result<QueueId, InjectError>;
}

/// Why a report was not taken in. Nothing was committed then.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InjectError {
    /// It cannot go there (the sender's address is one of ours that does not exist). Permanent.
    #[error("refused: {0}")]
    Refused(String),
    /// The store failed. Transient.
    #[error("{0}")]
    Failed(String),
}
