//! Reports of the queue come back in through the same door as everybody's mail: expanded, committed and
//! noted like a received message.

use crate::{
    host::Host,
    reception::{
        commit::{self, Arrived, Origin},
        transaction::{Transaction, return_path_prefix},
    },
    recipients::Resolution,
};
use async_trait::async_trait;
use bytes::Bytes;
use posta_address::{ForwardPath, Mailbox, ReversePath};
use posta_queue::{InjectError, MaildropRefusal, Reinjection};
use posta_smtp::{Body, EnhancedStatus, MailParameters};
use posta_store::{
    Account, AccountId, LocalDelivery, QueueChange, QueueEntry, QueueId, RecipientRequests, Store,
    StoreError, Usage,
};
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
        require_tls: bool,
    ) -> Result<QueueId, InjectError> {
        let host = self.host.upgrade().ok_or_else(|| InjectError::Failed("the server has stopped".into()))?;
        inject(&host, to, message, reported, require_tls).await
    }

    async fn delivery(
        &self,
        entry: &QueueEntry,
        account: AccountId,
    ) -> Result<LocalDelivery, MaildropRefusal> {
        let refusal = |class, (subject, detail), reason: &str| {
            Err(MaildropRefusal {
                status: EnhancedStatus::new(class, subject, detail),
                reason: reason.into(),
            })
        };
        let Some(host) = self.host.upgrade() else { return refusal(4, (3, 2), "the server has stopped") };
        let account = match find_account(&*host.store, entry, account).await {
            Ok(Some(account)) => account,
            Ok(None) => return refusal(5, (1, 1), "the account is gone"),
            Err(error) => return refusal(4, (3, 0), &error.to_string()),
        };
        if !account.enabled {
            return refusal(5, (2, 1), "the account is closed");
        }
        let room = |usage: Usage| account.quota_octets.is_none_or(|quota| usage.octets < quota);
        match host.store.usage(account.id).await {
            Ok(usage) if room(usage) => {
                let prefix = return_path_prefix(&entry.envelope.reverse_path);
                Ok(LocalDelivery::to_inbox(account.id, prefix))
            }
            Ok(_) => refusal(4, (2, 2), "the maildrop is full"),
            Err(error) => refusal(4, (3, 0), &error.to_string()),
        }
    }
}

/// The account that a message waits for; its address may have changed meanwhile.
async fn find_account(
    store: &dyn Store,
    entry: &QueueEntry,
    id: AccountId,
) -> Result<Option<Account>, StoreError> {
    let recipient = entry.recipients.iter().find(|recipient| recipient.maildrop == Some(id));
    if let Some(recipient) = recipient
        && let Some(account) = store.account(&recipient.mailbox).await?
        && account.id == id
    {
        return Ok(Some(account));
    }
    Ok(store.accounts().await?.into_iter().find(|account| account.id == id))
}

/// Takes a report in.
pub(crate) async fn inject(
    host: &Host,
    to: &Mailbox,
    message: Bytes,
    reported: Vec<(QueueId, QueueChange)>,
    require_tls: bool,
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
        body: if content.has_8bit { Body::EightBit } else { Body::SevenBit },
        smtputf8: content.has_8bit_headers,
        require_tls,
        ..MailParameters::default()
    };
    let mut transaction = Transaction::new(ReversePath::Null, parameters);
    let reason = match reported.first() {
        Some((id, _)) => format!("report about {id}"),
        None => "report".into(),
    };
    transaction.add(path, RecipientRequests::default(), resolution, reason);
    transaction.look_at(&message);
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
