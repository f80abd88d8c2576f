//! The embedded form of the store: volumes, which are the truth, and an index derived from them.
//!
//! ```text
//! accept ─┐                            ┌─ maildrop, queue, tally (they wait until it has caught up)
//! change ─┼─> log writer ─> volumes    │
//! remove ─┘    one write,     │     index (SQLite) <─ applier
//!              one sync,      └─> records, when durable ─┘
//!              all told
//! ```
//!
//! - `record`, `codec`, `fact`, `filing`: what is written, octet by octet.
//! - `volume`, `log`: files, and the one thread that appends to them.
//! - `index`, `applier`, `replay`: what answers questions, and how it follows.
//! - `content`, `reading`: contents in and out.
//! - `rewriting`, `restating`, `upkeep`, `lease`: giving space back.
//! - `opening`, `check`, `lock`: beginning, looking, and being alone.

mod account;
mod applier;
mod check;
mod codec;
mod content;
mod core;
mod fact;
mod filing;
mod index;
mod lease;
mod lock;
mod log;
#[cfg(test)]
mod older;
mod opening;
mod reading;
mod record;
mod replay;
mod requests;
mod restating;
mod rewriting;
mod upkeep;
mod volume;

pub use check::{CheckReport, Problem};
pub use opening::Opening;
pub use replay::Damage;
pub use upkeep::Maintained;

use self::applier::Item;
use self::content::EmbeddedWriter;
use self::core::Core;
use self::fact::Fact;
use self::lock::LockFile;
use self::log::{Draft, Effect};
use self::rewriting::Candidates;
use crate::limits::CHANGES_PER_RECORD_MAX;
use crate::mailbox::{check_documents, check_mailbox_changes, puts_documents, to_be_judged};
use crate::queue_entry::{changed_maildrops, check_changes, needed_folders};
use crate::{
    Account, AccountId, Alias, Changes, ContentRef, ContentWriter, DirectoryChange, DocumentName,
    DomainSettings, Folder, FolderId, MailboxChange, MailboxSelection, MaildropMessage, MaildropSnapshot,
    Now, QueueChange, QueueEntry, QueueId, Store, StoreError, Tally, Usage,
};
use async_trait::async_trait;
use bytes::Bytes;
use posta_address::{Domain, Mailbox};
use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::broadcast;

/// How the embedded store works. The defaults are meant for use; tests make volumes small.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Octets of a volume; reserved on the disk when it is begun.
    pub volume_octets: u64,
    /// With less free space on the disk no mail is accepted, so that there is room to note what
    /// becomes of the mail there is.
    pub reserve_octets: u64,
    /// How long records may wait for the index while nobody asks.
    pub index_delay: Duration,
    /// How often space is given back; `None`: only by [`EmbeddedStore::maintain`].
    pub upkeep_interval: Option<Duration>,
    /// How long upkeep rests between its steps.
    pub upkeep_rest: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            volume_octets: 64 * 1024 * 1024,
            reserve_octets: 256 * 1024 * 1024,
            index_delay: Duration::from_millis(500),
            upkeep_interval: Some(Duration::from_secs(10)),
            upkeep_rest: Duration::from_millis(50),
        }
    }
}

/// A store in a folder. Clones are the same store; it is closed when the last is dropped.
#[derive(Clone)]
pub struct EmbeddedStore {
    inner: Arc<Inner>,
}

struct Inner {
    core: Arc<Core>,
    opening: Opening,
    threads: Mutex<Vec<JoinHandle<()>>>,
    upkeep: Arc<upkeep::Stop>,
    /// Given up last.
    _lock: LockFile,
}

impl EmbeddedStore {
    /// Opens the store in `dir` (`volumes/`, `index.sqlite`, `lock`), or makes one. Replays what the
    /// index lacks, which may take a while: call it where waiting does no harm.
    pub fn open(dir: &Path, settings: Settings, now: Now) -> Result<Self, StoreError> {
        let opened = opening::open(dir, settings, now)?;
        let (core, index, writer) = (opened.core, opened.index, opened.writer);
        let upkeep = Arc::new(upkeep::Stop::default());
        let mut threads = Vec::new();
        threads.push(spawn("store-index", {
            let core = core.clone();
            move || applier::run(&core, index)
        })?);
        threads.push(spawn("store-log", move || writer.run())?);
        if let Some(interval) = core.settings.upkeep_interval {
            let (core, stop) = (core.clone(), upkeep.clone());
            threads.push(spawn("store-upkeep", move || upkeep::run(&core, &stop, interval))?);
        }
        let (threads, opening, _lock) = (Mutex::new(threads), opened.opening, opened.lock);
        Ok(EmbeddedStore { inner: Arc::new(Inner { core, opening, threads, upkeep, _lock }) })
    }

    /// What was found and done at opening.
    pub fn opening(&self) -> &Opening {
        &self.inner.opening
    }

    /// Gives back what space can be given back now, at once.
    pub async fn maintain(&self) -> Result<Maintained, StoreError> {
        self.run_blocking(|core| upkeep::round(core, &Candidates::All, || false)).await
    }

    /// As [`Self::maintain`], in small steps; `break_off` is asked after each whether that is enough.
    pub async fn maintain_until(
        &self,
        break_off: impl FnMut() -> bool + Send + 'static,
    ) -> Result<Maintained, StoreError> {
        self.run_blocking(|core| upkeep::round(core, &Candidates::All, break_off)).await
    }

    /// Checks volumes and index; mail goes on meanwhile.
    pub async fn check(&self) -> Result<CheckReport, StoreError> {
        self.core().caught_up().await?;
        self.run_blocking(check::check).await
    }

    /// Makes the index anew from the volumes and puts it in the place of the old one.
    pub async fn rebuild(&self) -> Result<(), StoreError> {
        let (done, rebuilt) = tokio::sync::oneshot::channel();
        self.core().applier.push([Item::Rebuild(done)]);
        rebuilt.await.unwrap_or_else(|_| Err(StoreError::Failed("the store was closed".into())))
    }

    /// Finishes what is begun and closes the files. Also done when the last clone is dropped.
    pub async fn close(self) {
        // Joining threads waits for the disk.
        let _ = tokio::task::spawn_blocking(move || drop(self)).await;
    }

    fn core(&self) -> &Arc<Core> {
        &self.inner.core
    }

    async fn run_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Core) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&store.inner.core)).await;
        done.map_err(|_| StoreError::Failed("the work was broken off".into()))?
    }

    async fn write(&self, fact: Fact, effect: Effect) -> Result<(), StoreError> {
        self.core().log.write(self.core(), Draft::of(&fact, Bytes::new(), effect)).await.map(|_| ())
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    Ok(std::thread::Builder::new().name(name.to_owned()).spawn(work)?)
}

impl Drop for Inner {
    fn drop(&mut self) {
        // In this order: who asks others ends before them.
        self.upkeep.stop();
        let mut threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads.split_off(2.min(threads.len())) {
            let _ = thread.join();
        }
        self.core.log.stop();
        if threads.len() > 1 {
            let _ = threads.remove(1).join();
        }
        self.core.applier.stop();
        for thread in threads {
            let _ = thread.join();
        }
        self.core.readers.close();
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    async fn domain(&self, domain: &Domain) -> Result<Option<DomainSettings>, StoreError> {
        Ok(self.core().directory().domain(domain).cloned())
    }

    async fn account(&self, address: &Mailbox) -> Result<Option<Account>, StoreError> {
        Ok(self.core().directory().account(address).cloned())
    }

    async fn alias(&self, address: &Mailbox) -> Result<Option<Alias>, StoreError> {
        Ok(self.core().directory().alias(address).cloned())
    }

    async fn domains(&self) -> Result<Vec<DomainSettings>, StoreError> {
        Ok(self.core().directory().domains().cloned().collect())
    }

    async fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        Ok(self.core().directory().accounts().cloned().collect())
    }

    async fn has_apop_accounts(&self) -> Result<bool, StoreError> {
        Ok(self.core().directory().has_apop_accounts())
    }

    async fn aliases(&self) -> Result<Vec<Alias>, StoreError> {
        Ok(self.core().directory().aliases().cloned().collect())
    }

    async fn change_directory(&self, change: DirectoryChange) -> Result<(), StoreError> {
        if let DirectoryChange::PutAccount(Account { id, .. }) | DirectoryChange::RemoveAccount(id) = &change
        {
            self.core().account_ids.fetch_max(id.0, Ordering::Relaxed);
        }
        let effect = Effect::Directory(Box::new(change.clone()));
        self.write(Fact::Directory(change), effect).await
    }

    fn new_account_id(&self) -> AccountId {
        AccountId(self.core().account_ids.fetch_add(1, Ordering::Relaxed) + 1)
    }

    async fn receive(&self) -> Result<Box<dyn ContentWriter>, StoreError> {
        let core = self.core();
        core.check_failure()?;
        let id = core.queue_ids.next((core.now)());
        Ok(Box::new(EmbeddedWriter::new(core.clone(), id)))
    }

    async fn read(&self, content: &ContentRef, offset: u64, length: usize) -> Result<Bytes, StoreError> {
        self.core().read(content, offset, length).await
    }

    async fn mailbox(
        &self,
        account: AccountId,
        selection: MailboxSelection,
    ) -> Result<MaildropSnapshot, StoreError> {
        let core = self.core();
        core.caught_up().await?;
        // Before the look: what the look finds is not given back.
        let lease = core.leases.take(core.applier.applied());
        let messages = core.ask(move |index| index.mailbox(account, selection)).await?;
        Ok(MaildropSnapshot { messages, lease: Arc::new(lease) })
    }

    async fn usage(&self, account: AccountId) -> Result<Usage, StoreError> {
        let known = self.core().usage().get(account);
        if let Some(usage) = known {
            return Ok(usage);
        }
        self.core().caught_up().await?;
        Ok(self.core().usage().applied_usage(account))
    }

    async fn remove_messages(&self, account: AccountId, messages: &[QueueId]) -> Result<(), StoreError> {
        for part in messages.chunks(CHANGES_PER_RECORD_MAX) {
            let fact = Fact::Removed { account, messages: part.to_vec() };
            self.write(fact, Effect::Removed(account)).await?;
        }
        Ok(())
    }

    async fn message(&self, account: AccountId, id: QueueId) -> Result<Option<MaildropMessage>, StoreError> {
        self.core().caught_up().await?;
        self.core().ask(move |index| index.message(account, id)).await
    }

    async fn folders(&self, account: AccountId) -> Result<Vec<Folder>, StoreError> {
        Ok(self.core().folders().get(&account).cloned().unwrap_or_default().list())
    }

    async fn new_folder_id(&self, account: AccountId) -> Result<FolderId, StoreError> {
        if !self.core().directory().has_account(account) {
            return Err(StoreError::NotFound(format!("account {}", account.0)));
        }
        Ok(self.core().folders().entry(account).or_default().new_id())
    }

    async fn change_mailbox(
        &self,
        account: AccountId,
        changes: Vec<MailboxChange>,
    ) -> Result<(), StoreError> {
        check_mailbox_changes(&changes)?;
        if puts_documents(&changes) {
            let asked = changes.clone();
            self.core().caught_up().await?;
            let known = move |index: &mut index::Index| {
                let mut octets = HashMap::new();
                for change in &asked {
                    if let MailboxChange::PutDocument { name, .. } = change
                        && let Some((length, _)) = index.document_row(account, name)?
                    {
                        octets.insert(name.clone(), length);
                    }
                }
                Ok((index.document_usage(account)?, octets))
            };
            let (usage, octets) = self.core().ask(known).await?;
            check_documents(&changes, usage, |name| octets.get(name).copied())?;
        }
        let effect = Effect::Mailbox(account, to_be_judged(&changes));
        self.write(Fact::MailboxChanged { account, changes }, effect).await
    }

    async fn document(&self, account: AccountId, name: &DocumentName) -> Result<Option<Bytes>, StoreError> {
        self.core().caught_up().await?;
        let name = name.clone();
        self.core().ask(move |index| index.document(account, &name)).await
    }

    async fn documents(
        &self,
        account: AccountId,
        prefix: &str,
    ) -> Result<Vec<(DocumentName, Bytes)>, StoreError> {
        self.core().caught_up().await?;
        let prefix = prefix.to_owned();
        self.core().ask(move |index| index.documents(account, &prefix)).await
    }

    async fn changes_since(&self, account: AccountId, change: u64) -> Result<Changes, StoreError> {
        self.core().caught_up().await?;
        let question = move |index: &mut index::Index| {
            index.begin_reading()?;
            let changes = index.changes_since(account, change);
            index.end_reading()?;
            changes
        };
        self.core().ask(question).await
    }

    fn subscribe(&self) -> broadcast::Receiver<AccountId> {
        self.core().notices.subscribe()
    }

    async fn queue(&self) -> Result<Vec<QueueEntry>, StoreError> {
        self.core().caught_up().await?;
        let question = |index: &mut index::Index| {
            index.begin_reading()?;
            let ids = index.queue_ids()?;
            let entries: Result<Vec<_>, _> = ids.into_iter().map(|id| index.queue_entry(id)).collect();
            index.end_reading()?;
            Ok(entries?.into_iter().flatten().collect())
        };
        self.core().ask(question).await
    }

    async fn queue_entry(&self, id: QueueId) -> Result<Option<QueueEntry>, StoreError> {
        self.core().caught_up().await?;
        let question = move |index: &mut index::Index| {
            index.begin_reading()?;
            let entry = index.queue_entry(id);
            index.end_reading()?;
            entry
        };
        self.core().ask(question).await
    }

    async fn change_queue(&self, mut changes: Vec<(QueueId, QueueChange)>) -> Result<(), StoreError> {
        check_changes(&changes)?;
        let late = changes.iter_mut().filter_map(|(_, change)| change.delivery_mut());
        late.for_each(|delivery| self.core().settle_folder(delivery));
        let effect = Effect::Queue(changed_maildrops(&changes), needed_folders(&[], &changes));
        self.write(Fact::QueueChanged(changes), effect).await
    }

    async fn tally(&self) -> Result<Tally, StoreError> {
        self.core().caught_up().await?;
        self.core().ask(|index| Ok(index.read_mark()?.tally)).await
    }
}
