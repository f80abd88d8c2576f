//! Where reports go: the way back into the mail system; and what has waited for people here.

use crate::here::MaildropRefusal;
use async_trait::async_trait;
use bytes::Bytes;
use posta_address::Mailbox;
use posta_store::{AccountId, LocalDelivery, QueueChange, QueueEntry, QueueId};
use thiserror::Error;

/// Takes in messages that the queue makes itself.
#[async_trait]
pub trait Reinjection: Send + Sync + 'static {
    /// Accepts a report for `to` from the null reverse-path, as any message is accepted: into a
    /// maildrop or into the queue. `reported` is committed together with it, so that no failure is
    /// ever settled without its report, or reported twice. `require_tls` if what is reported was not to leave
    /// TLS: the report has its header section in it (RFC 8689 §5).
    async fn inject(
        &self,
        to: &Mailbox,
        message: Bytes,
        reported: Vec<(QueueId, QueueChange)>,
        require_tls: bool,
    ) -> Result<QueueId, InjectError>;

    /// How a message that has waited for its time goes into a maildrop here, if it may.
    async fn delivery(
        &self,
        entry: &QueueEntry,
        account: AccountId,
    ) -> Result<LocalDelivery, MaildropRefusal> {
        // RFC 5321 §4.4.
        let prefix = format!("Return-Path: {}\r\n", entry.envelope.reverse_path).into();
        Ok(LocalDelivery::to_inbox(account, prefix))
    }
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
