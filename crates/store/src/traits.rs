//! What a store is.

use crate::limits::PREFIX_OCTETS_MAX;
use crate::queue_entry::{QueueRecipient, check_changes};
use crate::{
    Account, AccountId, Alias, Changes, DirectoryChange, DocumentName, DomainSettings, Filing, Flags, Folder,
    FolderId, Label, MailboxChange, MailboxSelection, QueueChange, QueueEntry, QueueId, RecipientRequests,
    Requests,
};
use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use posta_address::{Domain, ForwardPath, Mailbox, ReversePath};
use posta_journal::Fate;
use posta_wire::ContentFacts;
use std::{any::Any, collections::HashSet, sync::Arc};
use thiserror::Error;
use tokio::sync::broadcast;

/// What can go wrong.
#[derive(Debug, Clone, Error)]
pub enum StoreError {
    /// Nothing with this id.
    #[error("{0} is not in the store")]
    NotFound(String),
    /// The change contradicts what is there (for instance an address already taken).
    #[error("{0}")]
    Conflict(String),
    /// There is no room on the disk for more mail. Transient; all else goes on.
    #[error("the disk is full")]
    Full,
    /// The disk failed, or the store has stopped after such a failure. What was not acknowledged is
    /// not kept.
    #[error("the store failed: {0}")]
    Failed(String),
    /// Damage was found; says which volume, where, and the command that repairs.
    #[error("{0}")]
    Damaged(String),
}

/// The envelope of an accepted message, with what was found while receiving it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Where failures are reported to.
    pub reverse_path: ReversePath,
    /// Came with SMTPUTF8.
    pub smtputf8: bool,
    /// Of the stored content (trace fields included).
    pub facts: ContentFacts,
    /// `Message-ID`, if any (bounded).
    pub message_id: Option<String>,
    /// What the sender asked for.
    pub requests: Requests,
}

/// Delivery into a maildrop here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalDelivery {
    /// Whose.
    pub account: AccountId,
    /// Octets before the content when it is read from this maildrop: `Return-Path: <…>CRLF`.
    pub prefix: Bytes,
    /// Where; a folder that is not there means the Inbox: mail is not refused for a folder's sake.
    pub folder: FolderId,
    /// Set from the beginning.
    pub flags: Flags,
    /// There from the beginning.
    pub labels: Vec<Label>,
}

/// A recipient that enters the queue: one elsewhere, or one here whose message waits for its time
/// ([`Requests::release`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteRecipient {
    /// After expansion.
    pub mailbox: Mailbox,
    /// Here: whose maildrop the message goes into, by [`QueueChange::Delivered`].
    pub maildrop: Option<AccountId>,
    /// As the envelope had it.
    pub original: ForwardPath,
    /// What the sender asked for.
    pub requests: RecipientRequests,
}

/// All that is to be committed together with a content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// Envelope and facts.
    pub envelope: Envelope,
    /// When.
    pub accepted_at: Timestamp,
    /// Into these maildrops, in the same commit. An account occurs once.
    pub deliveries: Vec<LocalDelivery>,
    /// Into the queue, in the same commit. A mailbox occurs once.
    pub remote: Vec<RemoteRecipient>,
    /// Recipients dropped by a named rule (they count in the tally).
    pub discarded: u32,
    /// Changes of other queue entries in the same commit (a bounce settles what it reports).
    pub changes: Vec<(QueueId, QueueChange)>,
}

impl LocalDelivery {
    /// Into the Inbox, with nothing noted on it.
    pub fn to_inbox(account: AccountId, prefix: Bytes) -> Self {
        LocalDelivery { account, prefix, folder: FolderId::INBOX, flags: Flags::NONE, labels: Vec::new() }
    }

    /// Refuses what is beyond a limit.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        if self.prefix.len() > PREFIX_OCTETS_MAX {
            return Err(StoreError::Conflict(format!("a prefix exceeds {PREFIX_OCTETS_MAX} octets")));
        }
        Ok(())
    }
}

impl Acceptance {
    /// Refuses what contradicts itself: an account or a mailbox that occurs twice, a prefix beyond
    /// its limit, a settled recipient that is deferred.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let mut accounts = HashSet::with_capacity(self.deliveries.len());
        for delivery in &self.deliveries {
            if !accounts.insert(delivery.account) {
                return Err(StoreError::Conflict(format!("account {} occurs twice", delivery.account.0)));
            }
            delivery.check()?;
        }
        let mut mailboxes = HashSet::with_capacity(self.remote.len());
        for recipient in &self.remote {
            if !mailboxes.insert(&recipient.mailbox) {
                return Err(StoreError::Conflict(format!("{} occurs twice", recipient.mailbox)));
            }
            if let Some(account) = recipient.maildrop.filter(|account| !accounts.insert(*account)) {
                return Err(StoreError::Conflict(format!("account {} occurs twice", account.0)));
            }
        }
        check_changes(&self.changes)
    }

    /// The entry that it makes in the queue, if there are remote recipients.
    pub(crate) fn queue_entry(&self, content: ContentRef) -> Option<QueueEntry> {
        let due = self.due();
        let recipient = |remote: &RemoteRecipient| QueueRecipient::new(remote.clone(), due);
        (!self.remote.is_empty()).then(|| QueueEntry {
            id: content.id,
            content,
            envelope: self.envelope.clone(),
            accepted_at: self.accepted_at,
            held: false,
            recipients: self.remote.iter().map(recipient).collect(),
        })
    }

    /// When what enters the queue is first tried.
    pub(crate) fn due(&self) -> Timestamp {
        self.envelope.requests.release.map_or(self.accepted_at, |release| release.at.max(self.accepted_at))
    }

    /// Whose maildrops the message is in, or may come to be in.
    pub(crate) fn accounts(&self) -> Vec<AccountId> {
        let now = self.deliveries.iter().map(|delivery| delivery.account);
        now.chain(self.remote.iter().filter_map(|recipient| recipient.maildrop)).collect()
    }

    /// Whether anybody still needs the content after the commit.
    pub(crate) fn keeps_content(&self) -> bool {
        !self.deliveries.is_empty() || !self.remote.is_empty()
    }
}

impl Tally {
    /// Counts an acceptance (without its changes of other entries).
    pub(crate) fn accept(&mut self, deliveries: usize, remote: usize, discarded: u32) {
        self.accepted += deliveries as u64 + remote as u64 + u64::from(discarded);
        self.delivered += deliveries as u64;
        self.queued += remote as u64;
        self.discarded += u64::from(discarded);
    }

    /// Counts a recipient that leaves the queue.
    pub(crate) fn settle(&mut self, fate: Fate) {
        self.queued = self.queued.saturating_sub(1);
        match fate {
            Fate::Delivered => self.delivered += 1,
            Fate::Relayed => self.relayed += 1,
            Fate::Bounced => self.bounced += 1,
            Fate::Discarded => self.discarded += 1,
            Fate::Deferred => self.queued += 1,
        }
    }
}

/// A content being received. Dropping it undoes all.
#[async_trait]
pub trait ContentWriter: Send {
    /// The id that it will have.
    fn id(&self) -> QueueId;
    /// Appends; large contents go to disk on the way, so memory stays small.
    async fn write(&mut self, octets: Bytes) -> Result<(), StoreError>;
    /// Commits. **Returns only after all of it is durable.** The queue entry, if there are remote recipients.
    async fn accept(self: Box<Self>, acceptance: Acceptance) -> Result<Option<QueueEntry>, StoreError>;
    /// Commits into one folder, as [`Filing`] says. **Returns only after all of it is durable.**
    async fn file(self: Box<Self>, filing: Filing) -> Result<(), StoreError>;
}

/// Where a content lies. The hint makes reading quick; a content that has moved since is still found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentRef {
    /// Which.
    pub id: QueueId,
    /// Octets, without any prefix.
    pub size_octets: u64,
    /// The store's own.
    pub hint: (u64, u64),
}

/// A message in a maildrop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaildropMessage {
    /// Its content; the id is unique in the maildrop and stable for ever.
    pub content: ContentRef,
    /// See [`LocalDelivery::prefix`]. What a reader sees is prefix + content.
    pub prefix: Bytes,
    /// When it was delivered.
    pub received_at: Timestamp,
    /// Where it lies.
    pub folder: FolderId,
    /// What is noted on it.
    pub flags: Flags,
    /// Sorted, each once.
    pub labels: Vec<Label>,
    /// The account's change number when it came or was changed last; see [`Store::changes_since`].
    pub changed: u64,
}

/// A maildrop as it was at one moment. While it lives, its contents can be read, even if deleted since.
#[derive(Clone)]
pub struct MaildropSnapshot {
    /// Oldest first.
    pub messages: Vec<MaildropMessage>,
    /// Keeps the contents readable.
    pub lease: Arc<dyn Any + Send + Sync>,
}

/// What a maildrop holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Messages.
    pub messages: u64,
    /// Octets, prefixes included.
    pub octets: u64,
}

/// What became of every message-recipient ever accepted. `accepted` equals the sum of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Tally {
    /// Message-recipients (after expansion) that were accepted.
    pub accepted: u64,
    /// Put into maildrops.
    pub delivered: u64,
    /// Taken over by other hosts.
    pub relayed: u64,
    /// Reported as failed.
    pub bounced: u64,
    /// Dropped by a named rule.
    pub discarded: u64,
    /// In the queue now.
    pub queued: u64,
}

/// Everything that Posta keeps. All methods may be called at any time from any task; each change is
/// durable when its method returns `Ok`, and seen by every later call.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// A hosted domain.
    async fn domain(&self, domain: &Domain) -> Result<Option<DomainSettings>, StoreError>;
    /// The account with this very address (case aside; no sub-addressing).
    async fn account(&self, address: &Mailbox) -> Result<Option<Account>, StoreError>;
    /// The alias or list with this very address (case aside).
    async fn alias(&self, address: &Mailbox) -> Result<Option<Alias>, StoreError>;
    /// All domains, by name.
    async fn domains(&self) -> Result<Vec<DomainSettings>, StoreError>;
    /// All accounts, by address.
    async fn accounts(&self) -> Result<Vec<Account>, StoreError>;
    /// Whether any account has an APOP secret. At once: every POP3 greeting asks.
    async fn has_apop_accounts(&self) -> Result<bool, StoreError>;
    /// All aliases and lists, by address.
    async fn aliases(&self) -> Result<Vec<Alias>, StoreError>;
    /// Changes the directory. An address has one account or one alias: `Conflict` otherwise.
    async fn change_directory(&self, change: DirectoryChange) -> Result<(), StoreError>;
    /// An account id that was never given out before.
    fn new_account_id(&self) -> AccountId;

    /// Begins to receive a content.
    async fn receive(&self) -> Result<Box<dyn ContentWriter>, StoreError>;
    /// Reads up to `length` octets of a content from `offset`; empty at its end.
    async fn read(&self, content: &ContentRef, offset: u64, length: usize) -> Result<Bytes, StoreError>;

    /// What an account's folders hold, as of now (every acknowledged delivery is in it).
    async fn mailbox(
        &self,
        account: AccountId,
        selection: MailboxSelection,
    ) -> Result<MaildropSnapshot, StoreError>;
    /// The Inbox: what POP3 shows.
    async fn maildrop(&self, account: AccountId) -> Result<MaildropSnapshot, StoreError> {
        self.mailbox(account, MailboxSelection::Folder(FolderId::INBOX)).await
    }
    /// One message of an account, whichever folder it lies in.
    async fn message(&self, account: AccountId, id: QueueId) -> Result<Option<MaildropMessage>, StoreError>;
    /// How much a maildrop holds, all folders together.
    async fn usage(&self, account: AccountId) -> Result<Usage, StoreError>;
    /// Removes messages from a maildrop; ids not in it are passed over.
    async fn remove_messages(&self, account: AccountId, messages: &[QueueId]) -> Result<(), StoreError>;
    /// The account's folders: the six that all have, then its own by name.
    async fn folders(&self, account: AccountId) -> Result<Vec<Folder>, StoreError>;
    /// A folder id that was never given out before in this account.
    async fn new_folder_id(&self, account: AccountId) -> Result<FolderId, StoreError>;
    /// Changes an account's folders, messages and documents: all, in order, or none.
    async fn change_mailbox(&self, account: AccountId, changes: Vec<MailboxChange>)
    -> Result<(), StoreError>;
    /// Puts a content into a folder without its having been accepted from anybody.
    async fn append(&self, filing: Filing, octets: Bytes) -> Result<QueueId, StoreError> {
        let mut writer = self.receive().await?;
        let id = writer.id();
        writer.write(octets).await?;
        writer.file(filing).await?;
        Ok(id)
    }
    /// A document of an account.
    async fn document(&self, account: AccountId, name: &DocumentName) -> Result<Option<Bytes>, StoreError>;
    /// The documents of an account whose names begin with `prefix`, by name.
    async fn documents(
        &self,
        account: AccountId,
        prefix: &str,
    ) -> Result<Vec<(DocumentName, Bytes)>, StoreError>;
    /// What has changed in an account's folders since `change`, which an earlier answer had as its
    /// `now` (or 0). Quick, however much there is that has not changed.
    async fn changes_since(&self, account: AccountId, change: u64) -> Result<Changes, StoreError>;
    /// Tells from now on which account's messages, folders or documents have changed, soon after they
    /// have. A receiver that lags too far is told so, and looks at all that concerns it.
    fn subscribe(&self) -> broadcast::Receiver<AccountId>;

    /// The whole queue, oldest first.
    async fn queue(&self) -> Result<Vec<QueueEntry>, StoreError>;
    /// One entry.
    async fn queue_entry(&self, id: QueueId) -> Result<Option<QueueEntry>, StoreError>;
    /// Changes entries, all or none. Changes to entries or recipients that are gone are passed over.
    async fn change_queue(&self, changes: Vec<(QueueId, QueueChange)>) -> Result<(), StoreError>;

    /// The count for `posta audit`.
    async fn tally(&self) -> Result<Tally, StoreError>;
}
