//! The memory form of the store: the contract without a disk, for tests.

use crate::directory_state::Directory;
use crate::id::QueueIdSource;
use crate::limits::READ_OCTETS_MAX;
use crate::queue_entry::check_changes;
use crate::{
    Acceptance, Account, AccountId, Alias, ContentRef, ContentWriter, DirectoryChange, DomainSettings,
    LocalDelivery, MaildropMessage, MaildropSnapshot, Now, QueueChange, QueueEntry, QueueId, Store,
    StoreError, Tally, Usage,
};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use posta_address::{Domain, Mailbox};
use posta_journal::Fate;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// A store that forgets all when it is dropped. Clones are the same store.
#[derive(Clone)]
pub struct MemoryStore {
    inner: Arc<Inner>,
}

struct Inner {
    now: Now,
    queue_ids: QueueIdSource,
    account_ids: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    directory: Directory,
    contents: HashMap<QueueId, Content>,
    /// Contents that are gone but may still be read through a snapshot.
    leased: HashMap<QueueId, Weak<Octets>>,
    maildrops: BTreeMap<AccountId, BTreeMap<QueueId, MaildropMessage>>,
    queue: BTreeMap<QueueId, QueueEntry>,
    tally: Tally,
    failure: Option<String>,
}

struct Octets(Bytes);

struct Content {
    octets: Arc<Octets>,
    /// Places in maildrops and in the queue.
    references: usize,
}

impl MemoryStore {
    /// An empty store; queue ids come from `now`.
    pub fn new(now: Now) -> Self {
        let inner = Inner {
            now,
            queue_ids: QueueIdSource::after(QueueId(0)),
            account_ids: AtomicU64::new(0),
            state: Mutex::default(),
        };
        MemoryStore { inner: Arc::new(inner) }
    }

    /// From now on each change fails with these words, as if the disk had; `None` ends that.
    pub fn set_failure(&self, failure: Option<String>) {
        self.state().failure = failure;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn check_failure(&self) -> Result<(), StoreError> {
        self.failure.as_ref().map_or(Ok(()), |failure| Err(StoreError::Failed(failure.clone())))
    }

    fn release(&mut self, id: QueueId) {
        let Some(content) = self.contents.get_mut(&id) else { return };
        content.references -= 1;
        if content.references == 0 {
            self.leased.insert(id, Arc::downgrade(&content.octets));
            self.contents.remove(&id);
        }
        self.leased.retain(|_, octets| octets.strong_count() > 0);
    }

    fn accept(
        &mut self,
        id: QueueId,
        octets: Bytes,
        acceptance: Acceptance,
    ) -> Result<Option<QueueEntry>, StoreError> {
        acceptance.check()?;
        self.check_failure()?;
        let gone = acceptance.accounts().into_iter().find(|account| !self.directory.has_account(*account));
        if let Some(gone) = gone {
            return Err(StoreError::NotFound(format!("account {}", gone.0)));
        }
        let content = ContentRef { id, size_octets: octets.len() as u64, hint: (0, 0) };
        let entry = acceptance.queue_entry(content);
        let (deliveries, remote) = (acceptance.deliveries.len(), acceptance.remote.len());
        if acceptance.keeps_content() {
            let references = deliveries + usize::from(entry.is_some());
            self.contents.insert(id, Content { octets: Arc::new(Octets(octets)), references });
        }
        for delivery in acceptance.deliveries {
            let message =
                MaildropMessage { content, prefix: delivery.prefix, received_at: acceptance.accepted_at };
            self.maildrops.entry(delivery.account).or_default().insert(id, message);
        }
        if let Some(entry) = &entry {
            self.queue.insert(id, entry.clone());
        }
        self.tally.accept(deliveries, remote, acceptance.discarded);
        self.change_queue(acceptance.changes);
        Ok(entry)
    }

    fn change_queue(&mut self, changes: Vec<(QueueId, QueueChange)>) {
        for (id, change) in changes {
            if let QueueChange::Delivered { mailbox, delivery, at } = change {
                self.deliver_late(id, mailbox, delivery, at);
                continue;
            }
            let Some(entry) = self.queue.get_mut(&id) else { continue };
            entry.apply(change, &mut self.tally);
            self.remove_if_settled(id);
        }
    }

    fn remove_if_settled(&mut self, id: QueueId) {
        if self.queue.get(&id).is_some_and(|entry| entry.recipients.is_empty()) {
            self.queue.remove(&id);
            self.release(id);
        }
    }

    /// A recipient here whose message has waited in the queue.
    fn deliver_late(&mut self, id: QueueId, mailbox: Mailbox, delivery: LocalDelivery, at: Timestamp) {
        let account = delivery.account;
        let has_account = self.directory.has_account(account);
        let Some(entry) = self.queue.get_mut(&id).filter(|entry| entry.awaits(&mailbox, account)) else {
            return;
        };
        let fate = if has_account { Fate::Delivered } else { Fate::Discarded };
        let content = entry.content;
        entry.apply(QueueChange::Settled { mailbox, fate }, &mut self.tally);
        if has_account {
            let message = MaildropMessage { content, prefix: delivery.prefix, received_at: at };
            self.maildrops.entry(account).or_default().insert(id, message);
            if let Some(content) = self.contents.get_mut(&id) {
                content.references += 1;
            }
        }
        self.remove_if_settled(id);
    }
}

struct MemoryWriter {
    store: MemoryStore,
    id: QueueId,
    octets: BytesMut,
}

#[async_trait]
impl ContentWriter for MemoryWriter {
    fn id(&self) -> QueueId {
        self.id
    }

    async fn write(&mut self, octets: Bytes) -> Result<(), StoreError> {
        self.octets.extend_from_slice(&octets);
        Ok(())
    }

    async fn accept(self: Box<Self>, acceptance: Acceptance) -> Result<Option<QueueEntry>, StoreError> {
        self.store.state().accept(self.id, self.octets.freeze(), acceptance)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn domain(&self, domain: &Domain) -> Result<Option<DomainSettings>, StoreError> {
        Ok(self.state().directory.domain(domain).cloned())
    }

    async fn account(&self, address: &Mailbox) -> Result<Option<Account>, StoreError> {
        Ok(self.state().directory.account(address).cloned())
    }

    async fn alias(&self, address: &Mailbox) -> Result<Option<Alias>, StoreError> {
        Ok(self.state().directory.alias(address).cloned())
    }

    async fn domains(&self) -> Result<Vec<DomainSettings>, StoreError> {
        Ok(self.state().directory.domains().cloned().collect())
    }

    async fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        Ok(self.state().directory.accounts().cloned().collect())
    }

    async fn has_apop_accounts(&self) -> Result<bool, StoreError> {
        Ok(self.state().directory.has_apop_accounts())
    }

    async fn aliases(&self) -> Result<Vec<Alias>, StoreError> {
        Ok(self.state().directory.aliases().cloned().collect())
    }

    async fn change_directory(&self, change: DirectoryChange) -> Result<(), StoreError> {
        let mut state = self.state();
        state.check_failure()?;
        state.directory.check(&change)?;
        if let DirectoryChange::PutAccount(Account { id, .. }) | DirectoryChange::RemoveAccount(id) = &change
        {
            self.inner.account_ids.fetch_max(id.0, Ordering::Relaxed);
        }
        if let DirectoryChange::RemoveAccount(id) = &change {
            let maildrop = state.maildrops.remove(id).unwrap_or_default();
            maildrop.into_keys().for_each(|message| state.release(message));
        }
        state.directory.apply(change);
        Ok(())
    }

    fn new_account_id(&self) -> AccountId {
        AccountId(self.inner.account_ids.fetch_add(1, Ordering::Relaxed) + 1)
    }

    async fn receive(&self) -> Result<Box<dyn ContentWriter>, StoreError> {
        self.state().check_failure()?;
        let id = self.inner.queue_ids.next((self.inner.now)());
        Ok(Box::new(MemoryWriter { store: self.clone(), id, octets: BytesMut::new() }))
    }

    async fn read(&self, content: &ContentRef, offset: u64, length: usize) -> Result<Bytes, StoreError> {
        let state = self.state();
        let leased = || state.leased.get(&content.id).and_then(Weak::upgrade);
        let octets = state.contents.get(&content.id).map(|found| found.octets.clone()).or_else(leased);
        let octets = octets.ok_or_else(|| StoreError::NotFound(format!("message {}", content.id)))?;
        let size = octets.0.len();
        let start = usize::try_from(offset).map_or(size, |offset| offset.min(size));
        let end = start.saturating_add(length.min(READ_OCTETS_MAX)).min(size);
        Ok(octets.0.slice(start..end))
    }

    async fn maildrop(&self, account: AccountId) -> Result<MaildropSnapshot, StoreError> {
        let state = self.state();
        let messages: Vec<_> =
            state.maildrops.get(&account).into_iter().flat_map(|drop| drop.values().cloned()).collect();
        let octets = |message: &MaildropMessage| {
            state.contents.get(&message.content.id).map(|content| content.octets.clone())
        };
        let lease: Vec<Arc<Octets>> = messages.iter().filter_map(octets).collect();
        Ok(MaildropSnapshot { messages, lease: Arc::new(lease) })
    }

    async fn usage(&self, account: AccountId) -> Result<Usage, StoreError> {
        let state = self.state();
        let mut usage = Usage::default();
        for message in state.maildrops.get(&account).into_iter().flat_map(BTreeMap::values) {
            usage.messages += 1;
            usage.octets += message.content.size_octets + message.prefix.len() as u64;
        }
        Ok(usage)
    }

    async fn remove_messages(&self, account: AccountId, messages: &[QueueId]) -> Result<(), StoreError> {
        let mut state = self.state();
        state.check_failure()?;
        for id in messages {
            if state.maildrops.get_mut(&account).and_then(|maildrop| maildrop.remove(id)).is_some() {
                state.release(*id);
            }
        }
        Ok(())
    }

    async fn queue(&self) -> Result<Vec<QueueEntry>, StoreError> {
        Ok(self.state().queue.values().cloned().collect())
    }

    async fn queue_entry(&self, id: QueueId) -> Result<Option<QueueEntry>, StoreError> {
        Ok(self.state().queue.get(&id).cloned())
    }

    async fn change_queue(&self, changes: Vec<(QueueId, QueueChange)>) -> Result<(), StoreError> {
        check_changes(&changes)?;
        let mut state = self.state();
        state.check_failure()?;
        state.change_queue(changes);
        Ok(())
    }

    async fn tally(&self) -> Result<Tally, StoreError> {
        Ok(self.state().tally)
    }
}
