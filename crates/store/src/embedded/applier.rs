//! The applier: one thread that brings the index up to what the volumes say.
//!
//! It is in no hurry: records gather for a while (or until somebody asks) and go into the index in
//! one transaction, so that a page of the index is written once for many messages.

use super::core::Core;
use super::fact::Fact;
use super::index::{Changes, Index, IndexError, beside};
use super::volume::Record;
use crate::{QueueId, StoreError};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{oneshot, watch};

/// Records that may wait; then the log waits for the index.
const PENDING_MAX: usize = 32 * 1024;
/// Octets of facts that may wait.
const PENDING_OCTETS_MAX: usize = 32 * 1024 * 1024;
/// Records in one transaction.
const TRANSACTION_RECORDS_MAX: usize = 8 * 1024;
/// Octets of the write-ahead log beyond which the applier itself moves it into the index's file
/// (usually upkeep has done so before).
const WAL_OCTETS_MAX: u64 = 64 * 1024 * 1024;
/// How long to wait before trying again what a full disk prevented.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What the applier is given to do, in order.
pub(super) enum Item {
    /// A durable record.
    Record(Record),
    /// The writer of this content was dropped.
    Abandon(QueueId),
    /// These parts were given back.
    ForgetGarbage(Vec<(u64, u64)>),
    /// This volume is gone.
    ForgetVolume(u64),
    /// This was found in a volume.
    Damage { volume: u64, offset: u64, why: String },
    /// All moved into the index's file; then tell.
    Checkpoint(oneshot::Sender<()>),
    /// The index made anew from the volumes; then tell.
    Rebuild(oneshot::Sender<Result<(), StoreError>>),
}

/// The way to the applier.
pub(super) struct Applier {
    pending: Mutex<Pending>,
    wake: Condvar,
    moved_on: Condvar,
    progress: watch::Sender<Progress>,
}

/// How far the applier is, for those who wait.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    applied: u64,
    /// It cannot go on now, because the disk is full: nobody waits for that.
    stalled: bool,
    stopped: bool,
}

impl Progress {
    /// Whether a wait for this record has come to an end, and how.
    fn reached(&self, sequence: u64) -> Option<Result<(), StoreError>> {
        if self.applied >= sequence {
            Some(Ok(()))
        } else if self.stopped {
            Some(Err(stopped()))
        } else if self.stalled {
            Some(Err(StoreError::Full))
        } else {
            None
        }
    }
}

#[derive(Default)]
struct Pending {
    items: VecDeque<Item>,
    /// Of the facts in them.
    octets: usize,
    progress: Progress,
    wanted: bool,
    stopping: bool,
}

impl Pending {
    fn is_too_much(&self) -> bool {
        self.items.len() > PENDING_MAX || self.octets > PENDING_OCTETS_MAX
    }

    fn take(&mut self) -> Vec<Item> {
        let count = self.items.len().min(TRANSACTION_RECORDS_MAX);
        let taken: Vec<Item> = self.items.drain(..count).collect();
        self.octets -= taken.iter().map(Item::octets).sum::<usize>();
        taken
    }
}

impl Item {
    fn octets(&self) -> usize {
        match self {
            Item::Record(record) => record.meta.len(),
            _ => 0,
        }
    }
}

impl Applier {
    pub(super) fn new(applied: u64) -> Self {
        let progress = Progress { applied, ..Progress::default() };
        let pending = Pending { progress, ..Pending::default() };
        Applier {
            pending: Mutex::new(pending),
            wake: Condvar::new(),
            moved_on: Condvar::new(),
            progress: watch::Sender::new(progress),
        }
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands over; waits while too much waits.
    pub(super) fn push(&self, items: impl IntoIterator<Item = Item>) {
        let mut pending = self.pending();
        while pending.is_too_much() && !pending.progress.stopped {
            pending.wanted = true;
            self.wake.notify_one();
            pending = self.moved_on.wait(pending).unwrap_or_else(PoisonError::into_inner);
        }
        if pending.progress.stopped {
            // Whoever waits for one of them sees it dropped.
            return;
        }
        let was_empty = pending.items.is_empty();
        for item in items {
            // Whatever is no record is waited for by somebody.
            pending.wanted |= !matches!(item, Item::Record(_) | Item::Abandon(_));
            pending.octets += item.octets();
            pending.items.push_back(item);
        }
        if was_empty || pending.wanted || pending.items.len() >= TRANSACTION_RECORDS_MAX {
            self.wake.notify_one();
        }
    }

    /// Waits until the record `sequence` is applied.
    pub(super) async fn caught_up(&self, sequence: u64) -> Result<(), StoreError> {
        if let Some(reached) = self.progress.borrow().reached(sequence) {
            return reached;
        }
        let mut progress = self.progress.subscribe();
        self.want();
        let reached = progress.wait_for(|progress| progress.reached(sequence).is_some()).await;
        reached.ok().and_then(|progress| progress.reached(sequence)).unwrap_or_else(|| Err(stopped()))
    }

    /// As [`Self::caught_up`], for threads.
    pub(super) fn catch_up(&self, sequence: u64) -> Result<(), StoreError> {
        let mut pending = self.pending();
        loop {
            if let Some(reached) = pending.progress.reached(sequence) {
                return reached;
            }
            pending.wanted = true;
            self.wake.notify_one();
            pending = self.moved_on.wait(pending).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(super) fn applied(&self) -> u64 {
        self.pending().progress.applied
    }

    /// Whether it has all that it can hold and cannot go on now.
    pub(super) fn is_stuck(&self) -> bool {
        let pending = self.pending();
        pending.progress.stalled && pending.items.len() > PENDING_MAX / 2
    }

    fn want(&self) {
        self.pending().wanted = true;
        self.wake.notify_one();
    }

    /// Asks the thread to apply what waits and end.
    pub(super) fn stop(&self) {
        self.pending().stopping = true;
        self.wake.notify_one();
    }

    /// Waits for something worth a transaction; `None` when it is time to end.
    fn take(&self, delay: Duration) -> Option<Vec<Item>> {
        let mut pending = self.pending();
        let mut due: Option<Instant> = None;
        loop {
            if pending.items.is_empty() {
                pending.wanted = false;
                due = None;
                if pending.stopping {
                    return None;
                }
                pending = self.wake.wait(pending).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let now = Instant::now();
            let due_at = *due.get_or_insert(now + delay);
            let enough = pending.items.len() >= TRANSACTION_RECORDS_MAX || pending.is_too_much();
            if enough || pending.wanted || pending.stopping || now >= due_at {
                return Some(pending.take());
            }
            let (guard, _) =
                self.wake.wait_timeout(pending, due_at - now).unwrap_or_else(PoisonError::into_inner);
            pending = guard;
        }
    }

    fn publish(&self, change: impl FnOnce(&mut Progress)) {
        let mut pending = self.pending();
        change(&mut pending.progress);
        let progress = pending.progress;
        drop(pending);
        self.moved_on.notify_all();
        self.progress.send_replace(progress);
    }

    /// From now on nobody waits for the applier in vain.
    fn give_up(&self) {
        let mut pending = self.pending();
        pending.items.clear();
        pending.octets = 0;
        pending.progress.stopped = true;
        drop(pending);
        self.publish(|progress| progress.stopped = true);
    }

    /// Rests before another try; not if the store is being closed.
    fn rest(&self) -> bool {
        let pending = self.pending();
        let rested = self.wake.wait_timeout_while(pending, RETRY_AFTER, |pending| !pending.stopping);
        !rested.unwrap_or_else(PoisonError::into_inner).0.stopping
    }
}

fn stopped() -> StoreError {
    StoreError::Failed("the index has stopped".into())
}

/// The thread's work, until the store stops.
pub(super) fn run(core: &Arc<Core>, mut index: Index) {
    while let Some(items) = core.applier.take(core.settings.index_delay) {
        match work(core, &mut index, items) {
            Ok(true) => {}
            // Nothing behind what was left out may be applied.
            Ok(false) => break,
            Err(error) => {
                // The next opening makes the index anew.
                let _ = std::fs::write(beside(&core.index_path, ".damaged"), error.to_string());
                core.fail(format!("{error}; it is made anew when the store is opened again"));
                break;
            }
        }
    }
    if let Err(error) = index.checkpoint_whole() {
        tracing::warn!(%error, "the index was not checkpointed");
    }
    core.applier.give_up();
}

/// Whether it was done; not, if the store is closed before the disk has room for it.
fn work(core: &Arc<Core>, index: &mut Index, items: Vec<Item>) -> Result<bool, IndexError> {
    let mut rebuilt = false;
    loop {
        let before = index.mark();
        match transact(index, &items) {
            Ok(changes) => {
                note_usage(core, &changes, index.mark().sequence);
                let applied = index.mark().sequence;
                core.applier.publish(|progress| {
                    progress.applied = progress.applied.max(applied);
                    progress.stalled = false;
                });
                break;
            }
            Err(error) if error.is_passing() => {
                tracing::warn!(%error, "the index waits");
                index.roll_back(before);
                core.applier.publish(|progress| progress.stalled = true);
                if !core.applier.rest() {
                    // The volumes have it all; the next opening goes on from here.
                    return Ok(false);
                }
            }
            Err(error) => {
                index.roll_back(before);
                if rebuilt || !error.is_damage() {
                    return Err(error);
                }
                tracing::error!(%error, "the index is damaged and is made anew from the volumes");
                super::opening::rebuild_open(core, index)?;
                rebuilt = true;
            }
        }
    }
    for item in items {
        match item {
            Item::Checkpoint(done) => {
                index.checkpoint_whole()?;
                let _ = done.send(());
            }
            Item::Rebuild(done) => {
                let _ = done.send(super::opening::rebuild_open(core, index).map_err(StoreError::from));
            }
            _ => {}
        }
    }
    let wal = std::fs::metadata(beside(&core.index_path, "-wal")).map_or(0, |metadata| metadata.len());
    if wal > WAL_OCTETS_MAX {
        index.checkpoint()?;
    }
    Ok(true)
}

fn transact(index: &mut Index, items: &[Item]) -> Result<Changes, IndexError> {
    index.begin()?;
    for item in items {
        match item {
            Item::Record(record) => apply_record(index, record)?,
            Item::Abandon(id) => index.abandon(*id)?,
            Item::ForgetGarbage(rows) => index.forget_garbage(rows)?,
            Item::ForgetVolume(number) => index.forget_volume(*number)?,
            Item::Damage { volume, offset, why } => index.note_damage(*volume, *offset, why)?,
            Item::Checkpoint(_) | Item::Rebuild(_) => {}
        }
    }
    index.commit()
}

/// Applies a record; one that cannot be understood is named and passed over.
pub(super) fn apply_record(index: &mut Index, record: &Record) -> Result<(), IndexError> {
    match Fact::decode(record.header.kind, &record.meta) {
        Ok(fact) => index.apply(record, fact),
        Err(why) => {
            tracing::error!(volume = record.volume, offset = record.offset, %why, "a record is damaged");
            index.note_damage(record.volume, record.offset, why.0)
        }
    }
}

fn note_usage(core: &Core, changes: &Changes, applied: u64) {
    let mut usage = core.usage();
    for (account, (messages, octets)) in &changes.usage_late {
        usage.delivered(*account, *messages, *octets);
    }
    for (account, (messages, octets)) in &changes.usage_removed {
        usage.removed(*account, *messages, *octets);
    }
    usage.applied(applied);
    drop(usage);
    if core.notices.receiver_count() > 0 {
        for account in changes.accounts() {
            // Without receivers nobody is to be told.
            let _ = core.notices.send(account);
        }
    }
}
