//! What all parts of an open store share.

use super::Settings;
use super::applier::{Applier, Item};
use super::fact::Piece;
use super::index::{Index, IndexError};
use super::lease::Leases;
use super::log::Log;
use super::volume::Volumes;
use crate::directory_state::Directory;
use crate::folder::{OwnFolders, no_folder};
use crate::id::QueueIdSource;
use crate::{AccountId, FolderId, LocalDelivery, Now, QueueId, StoreError, Usage};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use tokio::sync::{broadcast, oneshot};

/// Contents in pieces whose places are remembered.
const PIECES_CACHED_MAX: usize = 256;
/// Connections to the index that are kept for readers.
const READERS_KEPT_MAX: usize = 8;

pub(super) struct Core {
    pub(super) settings: Settings,
    pub(super) now: Now,
    pub(super) store_id: [u8; 16],
    pub(super) volumes: Volumes,
    pub(super) index_path: PathBuf,
    pub(super) queue_ids: QueueIdSource,
    pub(super) account_ids: AtomicU64,
    pub(super) directory: RwLock<Directory>,
    /// What accounts have made; those that have made none are not in it.
    pub(super) folders: Mutex<HashMap<AccountId, OwnFolders>>,
    /// Told of accounts whose mailbox has changed, once the index knows.
    pub(super) notices: broadcast::Sender<AccountId>,
    pub(super) usage: Mutex<UsageTable>,
    pub(super) leases: Arc<Leases>,
    pub(super) log: Log,
    pub(super) applier: Applier,
    /// The last record that is durable and acknowledged.
    pub(super) durable: AtomicU64,
    pub(super) failure: OnceLock<String>,
    pub(super) readers: Readers,
    pub(super) pieces: PiecesCache,
    /// Held by whoever gives space back or must not be disturbed by that.
    pub(super) upkeep: Mutex<()>,
}

impl Core {
    /// Says why the store has stopped, if it has.
    pub(super) fn check_failure(&self) -> Result<(), StoreError> {
        self.failure.get().map_or(Ok(()), |why| Err(StoreError::Failed(why.clone())))
    }

    /// Stops the store for good: nothing is accepted or changed until it is opened again.
    pub(super) fn fail(&self, why: String) {
        tracing::error!(%why, "the store has stopped");
        let _ = self.failure.set(why);
    }

    /// Waits until the index has all that is acknowledged.
    pub(super) async fn caught_up(&self) -> Result<(), StoreError> {
        self.applier.caught_up(self.durable.load(Ordering::Acquire)).await
    }

    /// Puts a question to the index, where that may wait for the disk.
    pub(super) async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        question: impl Fn(&mut Index) -> Result<T, IndexError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let core = self.clone();
        let answer = tokio::task::spawn_blocking(move || core.ask_blocking(question)).await;
        answer.map_err(|_| StoreError::Failed("the question to the index was broken off".into()))?
    }

    /// As [`Self::ask`], for threads that may wait. An index that turns out to be spoilt is made
    /// anew, and asked again.
    pub(super) fn ask_blocking<T>(
        &self,
        question: impl Fn(&mut Index) -> Result<T, IndexError>,
    ) -> Result<T, StoreError> {
        match self.ask_once(&question) {
            Err(error) if error.is_damage() => {
                tracing::error!(%error, "the index is damaged and is made anew from the volumes");
                let (done, rebuilt) = oneshot::channel();
                self.applier.push([Item::Rebuild(done)]);
                let stopped = |_| StoreError::Failed("the index has stopped".into());
                rebuilt.blocking_recv().map_err(stopped)??;
                Ok(self.ask_once(&question)?)
            }
            other => Ok(other?),
        }
    }

    fn ask_once<T>(&self, question: impl Fn(&mut Index) -> Result<T, IndexError>) -> Result<T, IndexError> {
        let _gate = self.readers.gate.read().unwrap_or_else(PoisonError::into_inner);
        let mut index = match self.readers.take() {
            Some(index) => index,
            None => Index::open(&self.index_path, &self.store_id)?,
        };
        let answer = question(&mut index)?;
        self.readers.give_back(index);
        Ok(answer)
    }

    pub(super) fn directory(&self) -> std::sync::RwLockReadGuard<'_, Directory> {
        self.directory.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn folders(&self) -> MutexGuard<'_, HashMap<AccountId, OwnFolders>> {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the account has the folder. The Inbox is there without a look.
    pub(super) fn check_folder(&self, account: AccountId, folder: FolderId) -> Result<(), StoreError> {
        if folder < FolderId::OWN_MIN && OwnFolders::default().has(folder) {
            return Ok(());
        }
        let has = self.folders().get(&account).is_some_and(|own| own.has(folder));
        if has { Ok(()) } else { Err(no_folder(folder)) }
    }

    /// Mail for a folder that is not there goes to the Inbox.
    pub(super) fn settle_folder(&self, delivery: &mut LocalDelivery) {
        if self.check_folder(delivery.account, delivery.folder).is_err() {
            delivery.folder = FolderId::INBOX;
        }
    }

    pub(super) fn usage(&self) -> MutexGuard<'_, UsageTable> {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What every maildrop holds: deliveries count when they are acknowledged; removals, and deliveries of what
/// has waited in the queue, when the index has applied them (only it knows what such a message holds).
#[derive(Debug, Default)]
pub(super) struct UsageTable {
    rows: HashMap<AccountId, Usage>,
    /// The last such change that is acknowledged, by account; gone once it is applied.
    waiting: HashMap<AccountId, u64>,
}

impl UsageTable {
    pub(super) fn new(rows: impl IntoIterator<Item = (AccountId, Usage)>) -> Self {
        UsageTable { rows: rows.into_iter().collect(), waiting: HashMap::new() }
    }

    pub(super) fn delivered(&mut self, account: AccountId, messages: u64, octets: u64) {
        let usage = self.rows.entry(account).or_default();
        usage.messages += messages;
        usage.octets += octets;
    }

    pub(super) fn change_acknowledged(&mut self, account: AccountId, sequence: u64) {
        self.waiting.insert(account, sequence);
    }

    pub(super) fn removed(&mut self, account: AccountId, messages: u64, octets: u64) {
        if let Some(usage) = self.rows.get_mut(&account) {
            usage.messages = usage.messages.saturating_sub(messages);
            usage.octets = usage.octets.saturating_sub(octets);
            if usage.messages == 0 {
                self.rows.remove(&account);
            }
        }
    }

    pub(super) fn applied(&mut self, sequence: u64) {
        if !self.waiting.is_empty() {
            self.waiting.retain(|_, last| *last > sequence);
        }
    }

    /// The usage as far as it is known.
    pub(super) fn applied_usage(&self, account: AccountId) -> Usage {
        self.rows.get(&account).copied().unwrap_or_default()
    }

    /// The usage, unless changes wait to be applied.
    pub(super) fn get(&self, account: AccountId) -> Option<Usage> {
        if self.waiting.contains_key(&account) {
            return None;
        }
        Some(self.applied_usage(account))
    }
}

/// Connections to the index for readers.
#[derive(Default)]
pub(super) struct Readers {
    idle: Mutex<Vec<Index>>,
    /// Held for writing while the index is exchanged for another: SQLite finds its log by name, so
    /// no connection to the old one may be left then.
    pub(super) gate: RwLock<()>,
}

impl Readers {
    fn take(&self) -> Option<Index> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn give_back(&self, index: Index) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < READERS_KEPT_MAX {
            idle.push(index);
        }
    }

    /// Closes all that are idle.
    pub(super) fn close(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Where large contents lie, for those read lately.
#[derive(Default)]
pub(super) struct PiecesCache {
    by_id: Mutex<HashMap<QueueId, Arc<[Piece]>>>,
}

impl PiecesCache {
    pub(super) fn get(&self, id: QueueId) -> Option<Arc<[Piece]>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    pub(super) fn put(&self, id: QueueId, pieces: Arc<[Piece]>) {
        let mut by_id = self.by_id.lock().unwrap_or_else(PoisonError::into_inner);
        if by_id.len() >= PIECES_CACHED_MAX {
            by_id.clear();
        }
        by_id.insert(id, pieces);
    }

    pub(super) fn forget(&self, id: QueueId) {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}
