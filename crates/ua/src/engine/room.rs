//! One account: its index kept up with the store, its documents, whoever is told of news.

use super::index::{Index, IndexError, Indexed, Located};
use super::{Shared, store_error};
use crate::desk::{ConversationKey, DeskError, FolderKey, MessageKey, Notice, limits};
use crate::reader::gist;
use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use posta_address::Mailbox;
use posta_store::{
    Account, AccountId, Changes, Folder, FolderId, MailboxChange, MaildropMessage, QueueId,
    limits as store_limits,
};
use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OnceCell, mpsc};

/// Messages read and put into the index at once.
const BATCH_MESSAGES_MAX: usize = 256;
/// Octets of them.
const BATCH_OCTETS_MAX: u64 = 16 * 1024 * 1024;
/// Octets of one message that the index reads.
const INDEXED_OCTETS_MAX: u64 = 4 * 1024 * 1024;
/// Conversations that a notice names.
const NOTICE_CONVERSATIONS_MAX: usize = 200;

/// A way back that is kept.
pub(super) struct Kept {
    pub(super) key: String,
    pub(super) changes: Vec<MailboxChange>,
    pub(super) text: String,
}

pub(crate) struct Room {
    pub(super) shared: Arc<Shared>,
    pub(super) account: AccountId,
    pub(super) address: Mailbox,
    pub(super) name: String,
    index: OnceCell<Arc<Index>>,
    /// One at a time follows the store.
    following: tokio::sync::Mutex<()>,
    /// One at a time looks at accounts elsewhere: two would bring each message twice.
    pub(super) fetching: tokio::sync::Mutex<()>,
    stale: AtomicBool,
    undos: Mutex<VecDeque<Kept>>,
    listeners: Mutex<Vec<mpsc::Sender<Notice>>>,
    /// The person's addresses, and when they were looked for.
    pub(super) own: Mutex<Option<(Timestamp, Vec<String>)>>,
}

/// The index was not brought up to the end: it has to be tried again.
struct Unfinished<'a>(&'a Room);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        self.0.set_stale();
    }
}

impl Room {
    pub(super) fn new(shared: Arc<Shared>, account: &Account) -> Room {
        Room {
            shared,
            account: account.id,
            address: account.address.clone(),
            name: account.name.clone().unwrap_or_default(),
            index: OnceCell::new(),
            following: tokio::sync::Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
            stale: AtomicBool::new(true),
            undos: Mutex::default(),
            listeners: Mutex::default(),
            own: Mutex::default(),
        }
    }

    /// Whether somebody has looked here since the start.
    pub(super) fn is_open(&self) -> bool {
        self.index.initialized()
    }

    pub(super) fn set_stale(&self) {
        self.stale.store(true, Ordering::SeqCst);
    }

    pub(super) fn store(&self) -> &dyn posta_store::Store {
        &*self.shared.parts.store
    }

    pub(super) fn undos(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        self.undos.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn opened(&self) -> Result<Arc<Index>, DeskError> {
        let path = self.shared.parts.folder.join(format!("{}.sqlite", self.account.0));
        let open = || async {
            let opened = tokio::task::spawn_blocking(move || Index::open(&path)).await;
            opened.map_err(|error| DeskError::Failed(error.to_string()))?.map(Arc::new).map_err(index_error)
        };
        self.index.get_or_try_init(open).await.cloned()
    }

    /// Asks the index, on a thread that may wait. It is as new as the last [`Room::fresh`].
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Index) -> Result<T, IndexError> + Send + 'static,
    ) -> Result<T, DeskError> {
        let index = self.opened().await?;
        let answer = tokio::task::spawn_blocking(move || question(&index)).await;
        answer.map_err(|error| DeskError::Failed(error.to_string()))?.map_err(index_error)
    }

    /// Brings the index up to what the store has now.
    pub(super) async fn fresh(&self) -> Result<(), DeskError> {
        self.shared.take_news();
        // While somebody brings it up, it is not up yet: then it is waited for.
        if !self.stale.load(Ordering::SeqCst) && self.following.try_lock().is_ok() {
            return Ok(());
        }
        let _one = self.following.lock().await;
        if !self.stale.swap(false, Ordering::SeqCst) {
            return Ok(());
        }
        // Whoever asked may go away in the midst of it, and this is dropped with them.
        let unfinished = Unfinished(self);
        self.follow().await?;
        std::mem::forget(unfinished);
        Ok(())
    }

    async fn follow(&self) -> Result<(), DeskError> {
        // What rules do to new mail are changes again; they settle at once.
        for _ in 0..4 {
            let mark = self.ask(Index::mark).await?;
            let since = mark.unwrap_or(0);
            let changes = self.store().changes_since(self.account, since).await.map_err(store_error)?;
            if mark == Some(changes.now) && changes.changed.is_empty() && changes.removed.is_empty() {
                return Ok(());
            }
            self.take_in(changes, mark.is_none()).await?;
            if !self.treat_arrivals().await? {
                return Ok(());
            }
        }
        self.set_stale();
        Ok(())
    }

    async fn take_in(&self, changes: Changes, is_first: bool) -> Result<(), DeskError> {
        let Changes { now, changed, removed, complete } = changes;
        let removed = if complete { removed } else { self.gone(&changed).await? };
        let ids: Vec<QueueId> = changed.iter().map(|message| message.content.id).collect();
        let unknown = self.ask(move |index| index.unknown(&ids)).await?;
        let treated = if is_first { self.treated_until().await? } else { Some(0) };
        let (mut folders, mut threads) = (HashSet::new(), HashSet::new());
        let (mut batch, mut octets) = (Vec::new(), 0);
        for message in changed {
            octets += message.content.size_octets.min(INDEXED_OCTETS_MAX);
            let is_new = unknown.contains(&message.content.id);
            batch.push((message, is_new));
            if batch.len() >= BATCH_MESSAGES_MAX || octets >= BATCH_OCTETS_MAX {
                let applied = self.put(std::mem::take(&mut batch), Vec::new(), None, treated).await?;
                folders.extend(applied.folders);
                threads.extend(applied.threads);
                octets = 0;
            }
        }
        let applied = self.put(batch, removed, Some(now), treated).await?;
        folders.extend(applied.folders);
        threads.extend(applied.threads);
        self.tell_changes(&folders, &threads);
        Ok(())
    }

    /// Reads the new ones, and puts all into the index.
    async fn put(
        &self,
        batch: Vec<(MaildropMessage, bool)>,
        removed: Vec<QueueId>,
        mark: Option<u64>,
        treated: Option<u64>,
    ) -> Result<super::index::Applied, DeskError> {
        let mut read = Vec::with_capacity(batch.len());
        for (message, is_new) in batch {
            let octets = if is_new { self.read(&message, INDEXED_OCTETS_MAX).await? } else { None };
            read.push((message, octets));
        }
        self.ask(move |index| {
            let indexed = read.into_iter().map(|(message, octets)| Indexed {
                gist: octets.map(|octets| gist(&octets)),
                is_arrival: treated.is_some_and(|treated| is_arrival(&message, treated)),
                message,
            });
            let indexed: Vec<Indexed> = indexed.collect();
            index.apply(&indexed, &removed, mark)
        })
        .await
    }

    /// What the index has and the store hasn't.
    async fn gone(&self, there: &[MaildropMessage]) -> Result<Vec<QueueId>, DeskError> {
        let there: HashSet<QueueId> = there.iter().map(|message| message.content.id).collect();
        self.ask(move |index| Ok(index.ids()?.into_iter().filter(|id| !there.contains(id)).collect())).await
    }

    /// The octets of a message without its prefix, up to a bound; none if it has gone meanwhile.
    pub(super) async fn read(
        &self,
        message: &MaildropMessage,
        octets_max: u64,
    ) -> Result<Option<Bytes>, DeskError> {
        let size = message.content.size_octets.min(octets_max);
        let mut octets = BytesMut::new();
        while (octets.len() as u64) < size {
            let length = (size - octets.len() as u64).min(store_limits::READ_OCTETS_MAX as u64) as usize;
            match self.store().read(&message.content, octets.len() as u64, length).await {
                Ok(piece) if piece.is_empty() => break,
                Ok(piece) if octets.is_empty() && piece.len() as u64 == size => return Ok(Some(piece)),
                Ok(piece) => octets.extend_from_slice(&piece),
                Err(posta_store::StoreError::NotFound(_)) => return Ok(None),
                Err(error) => return Err(store_error(error)),
            }
        }
        Ok(Some(octets.freeze()))
    }

    /// A message with all its octets, prefix included.
    pub(super) async fn whole(&self, key: &MessageKey) -> Result<(MaildropMessage, Bytes), DeskError> {
        let message = self.stored(key).await?;
        let content = self.read(&message, limits::READ_OCTETS_MAX).await?;
        let content = content.ok_or_else(|| DeskError::NotFound("the message".to_owned()))?;
        if message.prefix.is_empty() {
            return Ok((message, content));
        }
        let mut octets = BytesMut::with_capacity(message.prefix.len() + content.len());
        octets.extend_from_slice(&message.prefix);
        octets.extend_from_slice(&content);
        Ok((message, octets.freeze()))
    }

    pub(super) async fn stored(&self, key: &MessageKey) -> Result<MaildropMessage, DeskError> {
        let missing = || DeskError::NotFound("the message".to_owned());
        let id: QueueId = key.as_str().parse().map_err(|_| missing())?;
        self.store().message(self.account, id).await.map_err(store_error)?.ok_or_else(missing)
    }

    /// A message as the index knows it.
    pub(super) async fn located(&self, key: &MessageKey) -> Result<Located, DeskError> {
        let missing = || DeskError::NotFound("the message".to_owned());
        let id: QueueId = key.as_str().parse().map_err(|_| missing())?;
        self.ask(move |index| index.message(id)).await?.ok_or_else(missing)
    }

    pub(super) async fn own_folders(&self) -> Result<Vec<Folder>, DeskError> {
        self.store().folders(self.account).await.map_err(store_error)
    }

    /// The folder of a key, which must be there.
    pub(super) async fn folder(&self, key: &FolderKey) -> Result<FolderId, DeskError> {
        let id = key.id().ok_or_else(|| DeskError::NotFound("the folder".to_owned()))?;
        let there = id.role().is_some() || self.own_folders().await?.iter().any(|folder| folder.id == id);
        if there { Ok(id) } else { Err(DeskError::NotFound("the folder".to_owned())) }
    }

    /// Changes the store, and sees it.
    pub(super) async fn commit(&self, changes: Vec<MailboxChange>) -> Result<(), DeskError> {
        if changes.is_empty() {
            return Ok(());
        }
        self.store().change_mailbox(self.account, changes).await.map_err(store_error)?;
        self.set_stale();
        self.fresh().await
    }

    pub(super) fn listen(&self) -> mpsc::Receiver<Notice> {
        let (sender, receiver) = mpsc::channel(limits::NOTICES_WAITING_MAX);
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        receiver
    }

    pub(super) fn tell(&self, notice: &Notice) {
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|listener| match listener.try_send(notice.clone()) {
            // Whoever is that slow is cut off: the next subscription begins with everything.
            Err(mpsc::error::TrySendError::Closed(_) | mpsc::error::TrySendError::Full(_)) => false,
            Ok(()) => true,
        });
    }

    fn tell_changes(&self, folders: &HashSet<u32>, threads: &HashSet<i64>) {
        if folders.is_empty() {
            return;
        }
        let keys = |threads: &HashSet<i64>| -> Vec<ConversationKey> {
            threads.iter().map(|thread| super::index::thread_key(*thread)).collect()
        };
        let conversations =
            if threads.len() <= NOTICE_CONVERSATIONS_MAX { keys(threads) } else { Vec::new() };
        let folders = folders.iter().map(|folder| super::index::folder_key(*folder)).collect();
        self.tell(&Notice::Changed { folders, conversations });
    }
}

/// Whether a message came by delivery, and nobody has dealt with it.
fn is_arrival(message: &MaildropMessage, treated: u64) -> bool {
    message.folder == FolderId::INBOX
        && !message.prefix.is_empty()
        && message.flags.is_empty()
        && message.labels.is_empty()
        && message.changed > treated
}

pub(super) fn index_error(error: IndexError) -> DeskError {
    DeskError::Failed(error.to_string())
}
