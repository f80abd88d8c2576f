//! Reports of the queue come back in through the same door as everybody's mail: expanded, committed and
//! noted like a received message.

use crate::{
    host::Host,
    reception::{
        commit::{self, Arrived, Origin},
        transaction::Transaction,
    },
    recipients::Resolution,
};
use async_trait::async_trait;
use bytes::Bytes;
use posta_address::{ForwardPath, Mailbox, ReversePath};
use posta_queue::{InjectError, Reinjection};
use posta_smtp::server::MailParameters;
use posta_store::{QueueChange, QueueId, RecipientRequests, StoreError};
use posta_wire::ContentFacts;
use std::sync::Weak;

/// The door for reports. It does not keep the host alive.
pub(crate) struct Bounces {
    pub(crate) host: Weak<Host>,
}

#[async_trait]
impl Reinjection for Bounces {
    async fn inject(
        &self,
        to: &Mailbox,
        message: Bytes,
        reported: Vec<(QueueId, QueueChange)>,
    ) -> Result<QueueId, InjectError> {
        let host = self.host.upgrade().ok_or_else(|| InjectError::Failed("the server has stopped".into()))?;
        inject(&host, to, message, reported).await
    }
}

/// Takes a report in.
pub(crate) async fn inject(
    host: &Host,
    to: &Mailbox,
    message: Bytes,
    reported: Vec<(QueueId, QueueChange)>,
) -> Result<QueueId, InjectError> {
    let policy = host.policy();
    let path = ForwardPath::Mailbox(to.clone());
    let resolution = match host.directory(&policy).resolve(&path).await.map_err(failed)? {
        Resolution::Unknown => return Err(InjectError::Refused(format!("{to} is nobody here"))),
        Resolution::Disabled => return Err(InjectError::Refused(format!("{to} is disabled"))),
        Resolution::TooMany => {
            return Err(InjectError::Refused(format!("{to} stands for too many recipients")));
        }
        // A report is small and wanted: a full maildrop takes it.
        resolution => resolution,
    };
    let (content, _) = ContentFacts::of(&message);
    let parameters = MailParameters {
        body_8bit: content.has_8bit,
        smtputf8: content.has_8bit_headers,
        ..MailParameters::default()
    };
    let mut transaction = Transaction::new(ReversePath::Null, parameters);
    let reason = match reported.first() {
        Some((id, _)) => format!("report about {id}"),
        None => "report".into(),
    };
    transaction.add(path, RecipientRequests::default(), resolution, reason);
    transaction.message_id.look_at(&message);
    let mut copies = commit::open(host, None, &transaction).await.map_err(failed)?;
    for copy in &mut copies {
        copy.writer.write(message.clone()).await.map_err(failed)?;
    }
    let origin = Origin { session: None, peer: None };
    let arrived = Arrived { transaction: &transaction, copies, content, origin, changes: reported };
    commit::commit(host, arrived).await.map_err(failed)
}

fn failed(error: StoreError) -> InjectError {
    InjectError::Failed(error.to_string())
}
