//! The memory form of the store: the contract without a disk, for tests.

use crate::directory_state::Directory;
use crate::folder::OwnFolders;
use crate::id::QueueIdSource;
use crate::limits::{READ_OCTETS_MAX, SUBSCRIPTION_ACCOUNTS_MAX};
use crate::mailbox::{DocumentUsage, check_documents, check_mailbox_changes};
use crate::marks::{change_labels, tidy_labels};
use crate::queue_entry::{changed_maildrops, check_changes};
use crate::{
    Acceptance, Account, AccountId, Alias, Changes, ContentRef, ContentWriter, DirectoryChange, DocumentName,
    DomainSettings, Filing, Folder, FolderId, LocalDelivery, MailboxChange, MailboxSelection,
    MaildropMessage, MaildropSnapshot, Now, QueueChange, QueueEntry, QueueId, Store, StoreError, Tally,
    Usage,
};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use posta_address::{Domain, Mailbox};
use posta_journal::Fate;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::sync::broadcast;

/// A store that forgets all when it is dropped. Clones are the same store.
#[derive(Clone)]
pub struct MemoryStore {
    inner: Arc<Inner>,
}

struct Inner {
    now: Now,
    queue_ids: QueueIdSource,
    account_ids: AtomicU64,
    notices: broadcast::Sender<AccountId>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    directory: Directory,
    contents: HashMap<QueueId, Content>,
    /// Contents that are gone but may still be read through a snapshot.
    leased: HashMap<QueueId, Weak<Octets>>,
    maildrops: BTreeMap<AccountId, BTreeMap<QueueId, MaildropMessage>>,
    folders: HashMap<AccountId, OwnFolders>,
    documents: BTreeMap<(AccountId, DocumentName), Bytes>,
    /// The number of the last change of any mailbox.
    change: u64,
    /// Messages that left, with the number of the change.
    removed: HashMap<AccountId, Vec<(u64, QueueId)>>,
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
            notices: broadcast::Sender::new(SUBSCRIPTION_ACCOUNTS_MAX),
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

    /// To whom it may concern: without receivers, nobody.
    fn tell(&self, accounts: impl IntoIterator<Item = AccountId>) {
        accounts.into_iter().for_each(|account| _ = self.inner.notices.send(account));
    }
}

impl State {
    fn check_failure(&self) -> Result<(), StoreError> {
        self.failure.as_ref().map_or(Ok(()), |failure| Err(StoreError::Failed(failure.clone())))
    }

    fn check_account(&self, account: AccountId) -> Result<(), StoreError> {
        if self.directory.has_account(account) {
            return Ok(());
        }
        Err(StoreError::NotFound(format!("account {}", account.0)))
    }

    fn messages(&self, account: AccountId) -> impl Iterator<Item = &MaildropMessage> {
        self.maildrops.get(&account).into_iter().flat_map(BTreeMap::values)
    }

    /// Puts a content into a folder; into the Inbox, if there is no such folder.
    fn place(&mut self, content: ContentRef, delivery: LocalDelivery, received_at: Timestamp) {
        self.change += 1;
        let LocalDelivery { account, prefix, folder, flags, labels } = delivery;
        let has_folder = self.folders.entry(account).or_default().has(folder);
        let folder = if has_folder { folder } else { FolderId::INBOX };
        let (labels, changed) = (tidy_labels(&labels), self.change);
        let message = MaildropMessage { content, prefix, received_at, folder, flags, labels, changed };
        self.maildrops.entry(account).or_default().insert(content.id, message);
    }

    fn change_mailbox(&mut self, account: AccountId, changes: Vec<MailboxChange>) -> Result<(), StoreError> {
        self.check_failure()?;
        self.check_account(account)?;
        let of_account = || self.documents.iter().filter(|((owner, _), _)| *owner == account);
        let octets = of_account().map(|(_, octets)| octets.len() as u64).sum();
        let usage = DocumentUsage { documents: of_account().count() as u64, octets };
        let octets_of = |name: &DocumentName| {
            self.documents.get(&(account, name.clone())).map(|octets| octets.len() as u64)
        };
        check_documents(&changes, usage, octets_of)?;
        let mut folders = self.folders.get(&account).cloned().unwrap_or_default();
        folders.change(&changes, |folder| {
            let held = self.messages(account).filter(|message| message.folder == folder);
            Ok(held.map(|message| message.content.id).collect())
        })?;
        self.folders.insert(account, folders);
        self.change += 1;
        for change in changes {
            self.make_mailbox_change(account, change);
        }
        Ok(())
    }

    fn make_mailbox_change(&mut self, account: AccountId, change: MailboxChange) {
        let number = self.change;
        let maildrop = self.maildrops.entry(account).or_default();
        let mut update = |messages: &[QueueId], update: &dyn Fn(&mut MaildropMessage)| {
            for id in messages {
                let Some(message) = maildrop.get_mut(id) else { continue };
                let before = message.clone();
                update(message);
                if *message != before {
                    message.changed = number;
                }
            }
        };
        match change {
            MailboxChange::Move { messages, folder } => {
                update(&messages, &|message| message.folder = folder);
            }
            MailboxChange::Flag { messages, add, remove } => {
                update(&messages, &|message| message.flags = message.flags.changed(add, remove));
            }
            MailboxChange::Label { messages, add, remove } => {
                update(&messages, &|message| change_labels(&mut message.labels, &add, &remove));
            }
            MailboxChange::PutDocument { name, octets } => {
                self.documents.insert((account, name), octets);
            }
            MailboxChange::RemoveDocument { name } => {
                self.documents.remove(&(account, name));
            }
            // Made before.
            MailboxChange::CreateFolder { .. }
            | MailboxChange::RenameFolder { .. }
            | MailboxChange::RemoveFolder { .. } => {}
        }
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
            self.place(content, delivery, acceptance.accepted_at);
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
            self.place(content, delivery, at);
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
        let deliveries: Vec<_> = acceptance.deliveries.iter().map(|delivery| delivery.account).collect();
        let late = changed_maildrops(&acceptance.changes);
        let accepted = self.store.state().accept(self.id, self.octets.freeze(), acceptance)?;
        self.store.tell(deliveries.into_iter().chain(late));
        Ok(accepted)
    }

    async fn file(self: Box<Self>, filing: Filing) -> Result<(), StoreError> {
        let account = filing.account;
        {
            let mut state = self.store.state();
            state.check_failure()?;
            state.check_account(account)?;
            let octets = self.octets.freeze();
            let content = ContentRef { id: self.id, size_octets: octets.len() as u64, hint: (0, 0) };
            state.contents.insert(self.id, Content { octets: Arc::new(Octets(octets)), references: 1 });
            state.place(content, filing.delivery(), filing.received_at);
        }
        self.store.tell([account]);
        Ok(())
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
            state.folders.remove(id);
            state.removed.remove(id);
            state.documents.retain(|(account, _), _| account != id);
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

    async fn mailbox(
        &self,
        account: AccountId,
        selection: MailboxSelection,
    ) -> Result<MaildropSnapshot, StoreError> {
        let state = self.state();
        let is_in = |message: &&MaildropMessage| match selection {
            MailboxSelection::All => true,
            MailboxSelection::Folder(folder) => message.folder == folder,
        };
        let messages: Vec<_> = state.messages(account).filter(is_in).cloned().collect();
        let octets = |message: &MaildropMessage| {
            state.contents.get(&message.content.id).map(|content| content.octets.clone())
        };
        let lease: Vec<Arc<Octets>> = messages.iter().filter_map(octets).collect();
        Ok(MaildropSnapshot { messages, lease: Arc::new(lease) })
    }

    async fn message(&self, account: AccountId, id: QueueId) -> Result<Option<MaildropMessage>, StoreError> {
        Ok(self.state().maildrops.get(&account).and_then(|maildrop| maildrop.get(&id)).cloned())
    }

    async fn folders(&self, account: AccountId) -> Result<Vec<Folder>, StoreError> {
        Ok(self.state().folders.get(&account).cloned().unwrap_or_default().list())
    }

    async fn new_folder_id(&self, account: AccountId) -> Result<FolderId, StoreError> {
        let mut state = self.state();
        state.check_account(account)?;
        Ok(state.folders.entry(account).or_default().new_id())
    }

    async fn change_mailbox(
        &self,
        account: AccountId,
        changes: Vec<MailboxChange>,
    ) -> Result<(), StoreError> {
        check_mailbox_changes(&changes)?;
        self.state().change_mailbox(account, changes)?;
        self.tell([account]);
        Ok(())
    }

    async fn document(&self, account: AccountId, name: &DocumentName) -> Result<Option<Bytes>, StoreError> {
        Ok(self.state().documents.get(&(account, name.clone())).cloned())
    }

    async fn documents(
        &self,
        account: AccountId,
        prefix: &str,
    ) -> Result<Vec<(DocumentName, Bytes)>, StoreError> {
        let state = self.state();
        let of_account = state.documents.iter().filter(|((owner, _), _)| *owner == account);
        let wanted = of_account.filter(|((_, name), _)| name.as_str().starts_with(prefix));
        Ok(wanted.map(|((_, name), octets)| (name.clone(), octets.clone())).collect())
    }

    async fn changes_since(&self, account: AccountId, change: u64) -> Result<Changes, StoreError> {
        let state = self.state();
        let changed = state.messages(account).filter(|message| message.changed > change).cloned().collect();
        let left =
            state.removed.get(&account).into_iter().flatten().filter(|(at, _)| *at > change && change > 0);
        let removed = left.map(|(_, id)| *id).collect();
        Ok(Changes { now: state.change, changed, removed, complete: change <= state.change })
    }

    fn subscribe(&self) -> broadcast::Receiver<AccountId> {
        self.inner.notices.subscribe()
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
        state.change += 1;
        let change = state.change;
        for id in messages {
            if state.maildrops.get_mut(&account).and_then(|maildrop| maildrop.remove(id)).is_some() {
                state.release(*id);
                state.removed.entry(account).or_default().push((change, *id));
            }
        }
        drop(state);
        self.tell([account]);
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
        let late = changed_maildrops(&changes);
        state.change_queue(changes);
        drop(state);
        self.tell(late);
        Ok(())
    }

    async fn tally(&self) -> Result<Tally, StoreError> {
        Ok(self.state().tally)
    }
}
