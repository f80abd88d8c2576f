//! The log writer: the one thread that appends to the volumes.
//!
//! It takes everything that all connections have brought, appends it in one write, syncs once and
//! acknowledges all. While it syncs the next batch gathers: under load batches grow by themselves,
//! and a lone writer waits for nothing.
//!
//! An error of writing or syncing is final: what the disk then holds nobody knows, so the store stops
//! and the next opening reads what is there. Only a full disk is survived: what was written of the
//! batch is cut off again, and its callers are told.

use super::applier::Item;
use super::core::Core;
use super::fact::Fact;
use super::record::{HEADER_OCTETS, Header, TRAILER_OCTETS, seed};
use super::rewriting::{Candidates, Rewriting, Step};
use super::volume::{Record, new_header};
use crate::limits::RECORD_META_OCTETS_MAX;
use crate::mailbox::changes_folders;
use crate::{AccountId, DirectoryChange, FolderId, MailboxChange, QueueId, StoreError};
use bytes::Bytes;
use rustix::io::Errno;
use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::io::{self, IoSlice};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Octets of one batch, about; more waits for the next.
const BATCH_OCTETS_MAX: u64 = 8 * 1024 * 1024;
/// Records of one batch.
const BATCH_RECORDS_MAX: usize = 4096;
/// Chunks that may be unsynced: beyond it they are synced on the way, so that the last sync of a
/// large message holds nobody up for long.
const UNSYNCED_OCTETS_MAX: u64 = 4 * 1024 * 1024;
/// How often the free space is looked at: after so many octets.
const SPACE_CHECK_OCTETS: u64 = 16 * 1024 * 1024;
/// A volume with less in it is not left for another, however large the next record.
const FRESH_OCTETS: u64 = 4096;
/// Slices that one `pwritev` takes (Linux: `UIO_MAXIOV`).
const SLICES_MAX: usize = 1024;

/// A record to be written.
pub(super) struct Draft {
    pub(super) kind: u8,
    pub(super) meta: Bytes,
    pub(super) content: Bytes,
    pub(super) effect: Effect,
}

impl Draft {
    pub(super) fn of(fact: &Fact, content: Bytes, effect: Effect) -> Self {
        Draft { kind: fact.kind(), meta: fact.encode(), content, effect }
    }

    fn header(&self, sequence: u64, synced_until: u64) -> Header {
        Header {
            kind: self.kind,
            meta_octets: self.meta.len() as u32,
            content_octets: self.content.len() as u32,
            sequence,
            synced_until,
            meta_checksum: crc32fast::hash(&self.meta),
        }
    }
}

/// What follows when the record is durable, besides what the index makes of it.
pub(super) enum Effect {
    /// A part of a large content: acknowledged when written, not when durable.
    Chunk,
    /// A message was accepted.
    Accepted {
        /// Deliveries, with their octets.
        deliveries: Vec<(AccountId, u64)>,
        /// Maildrops that get it later.
        waiting: Vec<AccountId>,
        /// Maildrops into which what waited goes in the same record.
        changed: Vec<AccountId>,
        /// Folders that must be there for that.
        folders: Vec<(AccountId, FolderId)>,
    },
    /// The queue changed, and with it these maildrops; the folders that must be there for that.
    Queue(Vec<AccountId>, Vec<(AccountId, FolderId)>),
    /// An account's mailbox changed. Of the changes, those on which it depends whether they are made.
    Mailbox(AccountId, Vec<MailboxChange>),
    /// Messages left this maildrop.
    Removed(AccountId),
    /// The directory changed.
    Directory(Box<DirectoryChange>),
    /// Nothing else.
    None,
}

impl Effect {
    /// Whether what follows is judged by what it leaves: then it is alone in its batch.
    fn is_judged_by(&self) -> bool {
        match self {
            Effect::Directory(_) => true,
            Effect::Mailbox(_, changes) => changes_folders(changes),
            _ => false,
        }
    }
}

/// Where a record lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) volume: u64,
    /// Of its content.
    pub(super) content_offset: u64,
}

type Ack = oneshot::Sender<Result<Written, StoreError>>;

/// What the thread is asked to do.
pub(super) enum Request {
    Write(Draft, Ack),
    Abandon(QueueId),
    /// A small step of rewriting; between batches, so that it sees all before it and nothing after.
    Rewrite(Candidates, oneshot::Sender<Result<Step, StoreError>>),
}

/// The way to the thread.
#[derive(Default)]
pub(super) struct Log {
    gathered: Mutex<Gathered>,
    wake: Condvar,
}

#[derive(Default)]
struct Gathered {
    requests: Vec<Request>,
    stopping: bool,
    stopped: bool,
}

impl Log {
    fn gathered(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands over. After the thread has ended the request is dropped, which its caller sees.
    pub(super) fn push(&self, request: Request) {
        let mut gathered = self.gathered();
        if !gathered.stopped {
            gathered.requests.push(request);
            self.wake.notify_one();
        }
    }

    /// Writes a record and waits until it is durable (a chunk: written).
    pub(super) async fn write(&self, core: &Core, draft: Draft) -> Result<Written, StoreError> {
        core.check_failure()?;
        if draft.meta.len() > RECORD_META_OCTETS_MAX {
            return Err(StoreError::Conflict(format!(
                "more than {RECORD_META_OCTETS_MAX} octets of facts at once"
            )));
        }
        let (ack, acknowledged) = oneshot::channel();
        self.push(Request::Write(draft, ack));
        acknowledged.await.unwrap_or_else(|_| Err(StoreError::Failed("the store was closed".into())))
    }

    /// Asks the thread to finish what it has and end.
    pub(super) fn stop(&self) {
        self.gathered().stopping = true;
        self.wake.notify_one();
    }

    fn take(&self) -> Option<VecDeque<Request>> {
        let mut gathered = self.gathered();
        while gathered.requests.is_empty() {
            if gathered.stopping {
                gathered.stopped = true;
                return None;
            }
            gathered = self.wake.wait(gathered).unwrap_or_else(PoisonError::into_inner);
        }
        Some(std::mem::take(&mut gathered.requests).into())
    }
}

/// The thread's own things.
pub(super) struct LogWriter {
    pub(super) core: Arc<Core>,
    file: File,
    pub(super) volume: u64,
    /// Where the next record goes.
    offset: u64,
    synced_until: u64,
    /// Of the last record written.
    sequence: u64,
    /// All volumes there are.
    pub(super) existing: BTreeSet<u64>,
    /// Written, but not durable: the index must not know of them yet.
    unsynced: Vec<Record>,
    has_room: bool,
    since_space_check: u64,
    pub(super) rewriting: Option<Rewriting>,
}

/// Where the log goes on.
pub(super) struct Tail {
    pub(super) file: File,
    pub(super) volume: u64,
    pub(super) offset: u64,
    pub(super) sequence: u64,
    pub(super) existing: BTreeSet<u64>,
}

impl LogWriter {
    /// Goes on at the tail.
    pub(super) fn new(core: Arc<Core>, tail: Tail) -> Self {
        LogWriter {
            core,
            file: tail.file,
            volume: tail.volume,
            offset: tail.offset,
            synced_until: tail.offset,
            sequence: tail.sequence,
            existing: tail.existing,
            unsynced: Vec::new(),
            has_room: true,
            since_space_check: SPACE_CHECK_OCTETS,
            rewriting: None,
        }
    }

    /// The thread's work, until the store stops.
    pub(super) fn run(mut self) {
        let core = self.core.clone();
        while let Some(mut requests) = core.log.take() {
            while let Some(request) = requests.pop_front() {
                match request {
                    Request::Write(draft, ack) => {
                        let batch = gather(draft, ack, &mut requests, core.settings.volume_octets);
                        self.commit(batch);
                    }
                    Request::Abandon(id) => {
                        // Behind its chunks, which wait for a sync.
                        let _ = self.sync();
                        core.applier.push([Item::Abandon(id)]);
                    }
                    Request::Rewrite(candidates, done) => {
                        let _ = done.send(self.rewrite_step(&candidates));
                    }
                }
            }
        }
        let _ = self.sync();
        // Gives back what was reserved and not used.
        let _ = self.file.set_len(self.offset);
    }

    /// Writes, syncs, acknowledges.
    fn commit(&mut self, batch: Vec<(Draft, Ack)>) {
        let mut drafts = Vec::with_capacity(batch.len());
        let mut acks = Vec::with_capacity(batch.len());
        for (draft, ack) in batch {
            match self.admit(&draft) {
                Ok(()) => {
                    drafts.push(draft);
                    acks.push(Some(ack));
                }
                Err(error) => drop(ack.send(Err(error))),
            }
        }
        if drafts.is_empty() {
            return;
        }
        let outcome = self.write_and_sync(&drafts, |place, written| {
            if let Effect::Chunk = drafts[place].effect
                && let Some(ack) = acks[place].take()
            {
                let _ = ack.send(Ok(written));
            }
        });
        match outcome {
            Ok(written) => {
                for ((draft, ack), written) in drafts.into_iter().zip(acks).zip(written) {
                    self.take_effect(draft.effect);
                    if let Some(ack) = ack {
                        let _ = ack.send(Ok(written));
                    }
                }
            }
            Err(error) => {
                for ack in acks.into_iter().flatten() {
                    let _ = ack.send(Err(error.clone()));
                }
            }
        }
    }

    /// Whether the record may be written now.
    fn admit(&mut self, draft: &Draft) -> Result<(), StoreError> {
        self.core.check_failure()?;
        if self.core.applier.is_stuck() {
            return Err(StoreError::Full);
        }
        match &draft.effect {
            Effect::Chunk | Effect::Accepted { .. } if !self.look_for_room() => {
                return Err(StoreError::Full);
            }
            _ => {}
        }
        match &draft.effect {
            Effect::Accepted { deliveries, waiting, folders, .. } => {
                let now = deliveries.iter().map(|(account, _)| account);
                check_accounts(&self.core, now.chain(waiting))?;
                self.check_folders(folders)
            }
            Effect::Queue(_, folders) => self.check_folders(folders),
            Effect::Mailbox(account, changes) => self.check_mailbox(*account, changes),
            Effect::Directory(change) => self.core.directory().check(change),
            _ => Ok(()),
        }
    }

    fn check_folders(&self, folders: &[(AccountId, FolderId)]) -> Result<(), StoreError> {
        let check = |(account, folder): &(AccountId, FolderId)| self.core.check_folder(*account, *folder);
        folders.iter().try_for_each(check)
    }

    /// Changes of folders are judged by what all records before them have left.
    fn check_mailbox(&mut self, account: AccountId, changes: &[MailboxChange]) -> Result<(), StoreError> {
        check_accounts(&self.core, [&account].into_iter())?;
        if changes.iter().any(|change| matches!(change, MailboxChange::RemoveFolder { .. })) {
            self.sync()?;
            self.core.applier.catch_up(self.sequence)?;
        }
        let mut own = self.core.folders().get(&account).cloned().unwrap_or_default();
        own.change(changes, |folder| self.core.ask_blocking(|index| index.held(account, folder)))
    }

    /// Contents are refused while there is still room to note what happens to those there are.
    fn look_for_room(&mut self) -> bool {
        if self.has_room && self.since_space_check < SPACE_CHECK_OCTETS {
            return true;
        }
        self.since_space_check = 0;
        let free = rustix::fs::statvfs(self.core.volumes.folder())
            .map_or(u64::MAX, |space| space.f_bavail.saturating_mul(space.f_frsize));
        let had_room = self.has_room;
        self.has_room = free >= self.core.settings.reserve_octets;
        if had_room && !self.has_room {
            tracing::error!(free_octets = free, "the disk is nearly full: no mail is accepted");
        }
        self.has_room
    }

    /// The directory changes before the acknowledgement. (Usage has: the index must not be ahead of it.)
    fn take_effect(&self, effect: Effect) {
        match effect {
            Effect::Directory(change) => {
                if let DirectoryChange::RemoveAccount(account) = *change {
                    self.core.folders().remove(&account);
                }
                let mut directory = self.core.directory.write().unwrap_or_else(PoisonError::into_inner);
                directory.apply(*change);
            }
            Effect::Mailbox(account, changes) if changes_folders(&changes) => {
                let mut folders = self.core.folders();
                // It was judged before it was written.
                let _ = folders.entry(account).or_default().change(&changes, |_| Ok(Vec::new()));
            }
            _ => {}
        }
    }

    /// Appends records; when this returns they are durable, unless all are chunks. `written` is called
    /// for each as soon as it is written.
    pub(super) fn write_and_sync(
        &mut self,
        drafts: &[Draft],
        mut written: impl FnMut(usize, Written),
    ) -> Result<Vec<Written>, StoreError> {
        let octets: u64 = drafts.iter().map(|draft| draft.header(0, 0).stride()).sum();
        let volume_octets = self.core.settings.volume_octets;
        if self.offset + octets > volume_octets && self.offset > FRESH_OCTETS {
            // Without room for another volume this one grows: changes may still be noted in it.
            if let Err(error) = self.begin_volume() {
                self.core.check_failure()?;
                tracing::error!(%error, volume = self.volume, "the volume grows beyond its size");
            }
        }
        let places = self.append(drafts)?;
        places.iter().enumerate().for_each(|(place, at)| written(place, *at));
        let all_chunks = drafts.iter().all(|draft| matches!(draft.effect, Effect::Chunk));
        if !all_chunks || self.offset - self.synced_until > UNSYNCED_OCTETS_MAX {
            self.note_usage_before_ack(drafts);
            self.sync()?;
        }
        Ok(places)
    }

    /// Usage, and which maildrops' is not known for a while, are known before the index can apply them.
    fn note_usage_before_ack(&self, drafts: &[Draft]) {
        let last = self.sequence;
        let mut usage = self.core.usage();
        for draft in drafts {
            match &draft.effect {
                Effect::Accepted { deliveries, changed, .. } => {
                    for (account, octets) in deliveries {
                        usage.delivered(*account, 1, *octets);
                    }
                    changed.iter().for_each(|account| usage.change_acknowledged(*account, last));
                }
                Effect::Queue(changed, _) => {
                    changed.iter().for_each(|account| usage.change_acknowledged(*account, last));
                }
                Effect::Removed(account) => usage.change_acknowledged(*account, last),
                Effect::Directory(change) => {
                    if let DirectoryChange::RemoveAccount(account) = **change {
                        usage.change_acknowledged(account, last);
                    }
                }
                Effect::Mailbox(..) | Effect::Chunk | Effect::None => {}
            }
        }
    }

    /// One write for all. A full disk is survived.
    fn append(&mut self, drafts: &[Draft]) -> Result<Vec<Written>, StoreError> {
        self.core.check_failure()?;
        let seed = seed(&self.core.store_id);
        let mut parts = Vec::with_capacity(drafts.len());
        let mut records = Vec::with_capacity(drafts.len());
        let mut places = Vec::with_capacity(drafts.len());
        let (mut offset, mut sequence) = (self.offset, self.sequence);
        for draft in drafts {
            sequence += 1;
            let header = draft.header(sequence, self.synced_until);
            let mut tail = [0; TRAILER_OCTETS + 8];
            tail[..TRAILER_OCTETS].copy_from_slice(&crc32fast::hash(&draft.content).to_le_bytes());
            let tail_octets = (header.stride() - header.unpadded()) as usize + TRAILER_OCTETS;
            parts.push((header.encode(seed), tail, tail_octets));
            let record = Record { volume: self.volume, offset, header, meta: draft.meta.clone() };
            places.push(Written { volume: self.volume, content_offset: record.content_offset() });
            records.push(record);
            offset += header.stride();
        }
        let mut slices = Vec::with_capacity(drafts.len() * 4);
        for (draft, (head, tail, tail_octets)) in drafts.iter().zip(&parts) {
            debug_assert_eq!(head.len(), HEADER_OCTETS);
            slices.push(IoSlice::new(head));
            slices.push(IoSlice::new(&draft.meta));
            slices.push(IoSlice::new(&draft.content));
            slices.push(IoSlice::new(&tail[..*tail_octets]));
        }
        if let Err(error) = write_all_at(&self.file, &mut slices, self.offset) {
            return Err(self.write_failed(error));
        }
        self.since_space_check += offset - self.offset;
        (self.offset, self.sequence) = (offset, sequence);
        self.unsynced.append(&mut records);
        Ok(places)
    }

    fn write_failed(&mut self, error: Errno) -> StoreError {
        let full = matches!(error, Errno::NOSPC | Errno::DQUOT);
        if full && self.file.set_len(self.offset).is_ok() {
            self.has_room = false;
            return StoreError::Full;
        }
        let why = format!("writing volume {} failed: {error}", self.volume);
        self.core.fail(why.clone());
        StoreError::Failed(why)
    }

    /// Makes all written durable and hands it to the index. A failure is final.
    pub(super) fn sync(&mut self) -> Result<(), StoreError> {
        self.core.check_failure()?;
        if self.synced_until == self.offset {
            return Ok(());
        }
        if let Err(error) = rustix::fs::fdatasync(&self.file) {
            let why = format!("syncing volume {} failed: {error}", self.volume);
            self.core.fail(why.clone());
            return Err(StoreError::Failed(why));
        }
        self.synced_until = self.offset;
        self.core.durable.store(self.sequence, Ordering::Release);
        self.core.applier.push(self.unsynced.drain(..).map(Item::Record));
        Ok(())
    }

    /// Ends the volume and begins the next.
    pub(super) fn begin_volume(&mut self) -> Result<(), StoreError> {
        self.sync()?;
        let header = new_header(self.volume + 1, self.core.store_id, self.sequence + 1);
        let file = match self.core.volumes.create(&header, self.core.settings.volume_octets) {
            Ok(file) => file,
            Err(error) => {
                self.has_room = false;
                return Err(StoreError::Failed(format!("no new volume could be made: {error}")));
            }
        };
        // Gives back what was reserved and not used. If this fails, the space is the only loss.
        let _ = self.file.set_len(self.offset);
        self.file = file;
        self.volume = header.number;
        self.offset = super::record::VOLUME_HEADER_OCTETS as u64;
        self.synced_until = self.offset;
        self.existing.insert(self.volume);
        self.begin_records()
    }

    /// Writes a volume's first record.
    pub(super) fn begin_records(&mut self) -> Result<(), StoreError> {
        let start = Fact::VolumeStart {
            volumes: self.existing.iter().copied().collect(),
            last_queue_id: self.core.queue_ids.last().0,
            last_account_id: self.core.account_ids.load(Ordering::Relaxed),
        };
        self.append(&[Draft::of(&start, Bytes::new(), Effect::None)])?;
        Ok(())
    }

    /// The last record written.
    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }
}

/// Takes from the requests what goes into one batch with the first.
fn gather(first: Draft, ack: Ack, requests: &mut VecDeque<Request>, volume_octets: u64) -> Vec<(Draft, Ack)> {
    let octets_max = BATCH_OCTETS_MAX.min(volume_octets);
    let mut octets = first.header(0, 0).stride();
    let alone = first.effect.is_judged_by();
    let mut batch = vec![(first, ack)];
    while !alone && batch.len() < BATCH_RECORDS_MAX {
        match requests.front() {
            Some(Request::Write(draft, _)) if !draft.effect.is_judged_by() => {
                octets += draft.header(0, 0).stride();
                if octets > octets_max {
                    break;
                }
            }
            _ => break,
        }
        if let Some(Request::Write(draft, ack)) = requests.pop_front() {
            batch.push((draft, ack));
        }
    }
    batch
}

/// Whether all accounts of the deliveries are there.
fn check_accounts<'a>(
    core: &Core,
    mut accounts: impl Iterator<Item = &'a AccountId>,
) -> Result<(), StoreError> {
    let directory = core.directory();
    match accounts.find(|account| !directory.has_account(**account)) {
        Some(account) => Err(StoreError::NotFound(format!("account {}", account.0))),
        None => Ok(()),
    }
}

/// Writes all slices, however many calls it takes.
fn write_all_at(file: &File, slices: &mut [IoSlice<'_>], mut offset: u64) -> Result<(), Errno> {
    let mut rest = slices;
    IoSlice::advance_slices(&mut rest, 0);
    while !rest.is_empty() {
        let count = rest.len().min(SLICES_MAX);
        match rustix::io::pwritev(file, &rest[..count], offset) {
            Ok(0) => return Err(Errno::IO),
            Ok(written) => {
                offset += written as u64;
                IoSlice::advance_slices(&mut rest, written);
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        StoreError::Failed(error.to_string())
    }
}
