//! The queue as a service: holds the scheduler, starts workers, takes the operator's commands.

use crate::{
    conversion,
    delivery::{Job, fail_suspended, work},
    here::deliver_here,
    limits::{ENTRIES_CACHED_MAX, OWN_FAILURE_PAUSE, SETTLEMENTS_WAITING_MAX, SLEEP_MAX},
    outcome::{Obstacle, Outcome, PeerName},
    reinjection::Reinjection,
    retry::later,
    scheduler::{Dispatch, Scheduler, Suspension},
    security::TlsMemory,
    settings::{Destination, Settings},
    settlement::{Again, Concluded, Offers, Settlement, write_changes},
};
use jiff::Timestamp;
use posta_address::Mailbox;
use posta_dns::Resolver;
use posta_journal::{Event, Journal};
use posta_runtime::{Clock, Entropy, Network, Transcript};
use posta_smtp::client;
use posta_store::{AccountId, QueueChange, QueueEntry, QueueId, Release, Store, StoreError};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};
use thiserror::Error;
use tokio::{
    sync::{Notify, Semaphore, mpsc, oneshot, watch},
    task::JoinSet,
};

/// Gives a transcript for a connection that is to be shown.
pub type TranscriptFactory = Arc<dyn Fn(&PeerName) -> Option<Box<dyn Transcript>> + Send + Sync>;

/// Everything that the queue needs from outside.
pub struct Parts {
    /// Where the queue lies.
    pub store: Arc<dyn Store>,
    /// The DNS.
    pub resolver: Arc<dyn Resolver>,
    /// How hosts are reached.
    pub network: Arc<dyn Network>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Where events go.
    pub journal: Journal,
    /// Where reports go.
    pub reinjection: Arc<dyn Reinjection>,
    /// For showing dialogues.
    pub transcripts: Option<TranscriptFactory>,
    /// How to deliver.
    pub settings: Settings,
}

/// What can go wrong with a command.
#[derive(Debug, Clone, Error)]
pub enum QueueError {
    /// No such entry.
    #[error("{0} is not in the queue")]
    NotFound(QueueId),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What came of a wish to take a message back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakeBack {
    /// It is gone, as if it had never been sent.
    Done,
    /// Its time has come.
    TooLate,
    /// It is not there (any more), or another's.
    Unknown,
}

/// An entry as it stands now.
#[derive(Debug, Clone)]
pub struct Listing {
    /// As the store has it.
    pub entry: QueueEntry,
    /// Being sent at this moment.
    pub is_in_flight: bool,
    /// Destinations of it that are left alone for a while.
    pub suspensions: Vec<(Destination, Suspension)>,
}

/// Settings in use.
pub(crate) struct Active {
    pub(crate) settings: Settings,
    pub(crate) client: Arc<client::Settings>,
}

impl Active {
    fn new(settings: Settings) -> Arc<Self> {
        let mut client = client::Settings::new(settings.hostname.clone());
        client.time_limits = settings.time_limits;
        client.chunking = settings.chunking;
        Arc::new(Active { settings, client: Arc::new(client) })
    }
}

/// What the operator wants done with recipients that were in flight when asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Intent {
    /// Dropped.
    Delete,
    /// Returned to the sender.
    Return,
}

/// What all deliveries share.
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) resolver: Arc<dyn Resolver>,
    pub(crate) network: Arc<dyn Network>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) journal: Journal,
    pub(crate) reinjection: Arc<dyn Reinjection>,
    pub(crate) settlements: mpsc::Sender<Settlement>,
    /// Which hosts had TLS.
    pub(crate) tls_memory: TlsMemory,
    /// Memory for contents that are made 7bit.
    pub(crate) conversions: Arc<Semaphore>,
    transcripts: Option<TranscriptFactory>,
    state: Mutex<State>,
    /// The timer has to look again.
    wake: Notify,
    stopping: watch::Sender<bool>,
    this: Weak<Shared>,
}

struct State {
    scheduler: Scheduler,
    active: Arc<Active>,
    /// Entries not tried yet, as they were submitted.
    fresh: HashMap<QueueId, Arc<QueueEntry>>,
    /// Open connections that wait for mail.
    idle: HashMap<Destination, Vec<(u64, oneshot::Sender<Dispatch>)>>,
    idle_number: u64,
    intents: HashMap<QueueId, Intent>,
    /// Entries that wait for their time, or have.
    releases: BTreeMap<QueueId, Release>,
    workers: JoinSet<()>,
}

impl State {
    fn schedule(&mut self, entry: &QueueEntry) {
        let settings = &self.active.settings;
        let recipients = entry.recipients.iter().map(|recipient| {
            let destination = settings.destination_of(recipient);
            (recipient.mailbox.clone(), destination, recipient.next_attempt_at)
        });
        self.scheduler.insert(entry.id, entry.held, recipients);
        self.scheduler.prefer(entry.id, entry.envelope.requests.priority);
        if let Some(release) = entry.envelope.requests.release {
            self.scheduler.put_off(entry.id, release.at);
            self.releases.insert(entry.id, release);
        }
    }

    /// Gives a dispatch to an open connection that waits; without one it comes back.
    fn hand_to_idle(&mut self, mut dispatch: Dispatch) -> Option<Dispatch> {
        while let Some(waiting) = self.idle.get_mut(&dispatch.destination) {
            // The one that waits shortest: the others may go.
            let next = waiting.pop();
            if waiting.is_empty() {
                self.idle.remove(&dispatch.destination);
            }
            let Some((_, sender)) = next else { break };
            match sender.send(dispatch) {
                Ok(()) => return None,
                Err(back) => dispatch = back,
            }
        }
        Some(dispatch)
    }

    fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        while let Some(ended) = self.workers.try_join_next() {
            if let Err(error) = ended {
                tracing::error!(%error, "a delivery task ended badly");
            }
        }
        self.workers.spawn(task);
    }

    /// Takes messages that wait for their time out of the scheduler, all or none: from then on nothing of them
    /// can be sent. `entries` are as the store has them.
    fn take_out_waiting(&mut self, copies: &[QueueId], entries: &[QueueEntry], now: Timestamp) -> TakeBack {
        // Gone, or being taken back already.
        if copies.is_empty() || copies.iter().any(|id| !self.scheduler.contains(*id)) {
            return TakeBack::Unknown;
        }
        let has_come = |id: &QueueId| self.releases.get(id).is_none_or(|release| release.at <= now);
        let is_late = |id: &QueueId| has_come(id) || self.scheduler.is_in_flight(*id);
        // Tried before its time by the operator: others may have it already.
        let is_tried = |entry: &QueueEntry| entry.recipients.iter().any(|recipient| recipient.attempts > 0);
        if copies.iter().any(is_late) || entries.len() != copies.len() || entries.iter().any(is_tried) {
            return TakeBack::TooLate;
        }
        copies.iter().for_each(|id| drop(self.scheduler.remove(*id)));
        TakeBack::Done
    }

    fn forget_if_gone(&mut self, id: QueueId) {
        if !self.scheduler.contains(id) {
            self.fresh.remove(&id);
            self.intents.remove(&id);
            self.releases.remove(&id);
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn settings(&self) -> Arc<Active> {
        self.state().active.clone()
    }

    pub(crate) fn intent(&self, id: QueueId) -> Option<Intent> {
        self.state().intents.get(&id).copied()
    }

    pub(crate) fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }

    pub(crate) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    pub(crate) fn transcript(&self, peer: &PeerName) -> Option<Box<dyn Transcript>> {
        self.transcripts.as_ref().and_then(|factory| factory(peer))
    }

    pub(crate) fn after_own_failure(&self) -> Timestamp {
        later(self.clock.timestamp(), OWN_FAILURE_PAUSE)
    }

    /// Starts all that is due and has a slot.
    pub(crate) fn pump(&self) {
        let Some(this) = self.this.upgrade() else { return };
        if self.is_stopping() {
            return;
        }
        let now = self.clock.timestamp();
        let mut suspended = Vec::new();
        let mut state = self.state();
        while let Some(dispatch) = state.scheduler.next(now) {
            if dispatch.suspended.is_some() {
                suspended.push(dispatch);
            } else if dispatch.destination == Destination::Here {
                state.spawn(deliver_here(this.clone(), dispatch));
            } else if let Some(dispatch) = state.hand_to_idle(dispatch) {
                state.spawn(work(this.clone(), dispatch));
            }
        }
        if !suspended.is_empty() {
            state.spawn(fail_suspended(this.clone(), suspended));
        }
    }

    /// The next dispatch for a connection that is open, or a place to wait for one.
    pub(crate) fn next_or_idle(&self, destination: &Destination) -> Result<Dispatch, Idle> {
        let now = self.clock.timestamp();
        let mut state = self.state();
        match state.scheduler.next_for(destination, now) {
            Some(dispatch) if dispatch.suspended.is_none() => return Ok(dispatch),
            // It answers: this connection is the proof. The suspension is of another host.
            Some(mut dispatch) => {
                dispatch.suspended = None;
                return Ok(dispatch);
            }
            None => {}
        }
        let (sender, receiver) = oneshot::channel();
        state.idle_number += 1;
        let number = state.idle_number;
        state.idle.entry(destination.clone()).or_default().push((number, sender));
        drop(state);
        let shared = self.this.upgrade().expect("a connection holds what it shares");
        Err(Idle { shared, destination: destination.clone(), number, receiver })
    }

    /// What is known of a dispatch's entry; `None` if it has left the queue, or can't be read now.
    pub(crate) async fn load(self: &Arc<Self>, dispatch: Dispatch) -> Option<Job> {
        let fresh = self.state().fresh.get(&dispatch.id).cloned();
        let entry = match fresh {
            Some(entry) => entry,
            None => match self.store.queue_entry(dispatch.id).await {
                Ok(Some(entry)) => Arc::new(entry),
                Ok(None) => {
                    self.finish(&dispatch, Again::new());
                    return None;
                }
                Err(error) => {
                    tracing::error!(id = %dispatch.id, %error, "reading a queue entry");
                    let due = self.after_own_failure();
                    let again = dispatch.recipients.iter().map(|to| (to.clone(), due));
                    self.finish(&dispatch, again.collect());
                    return None;
                }
            },
        };
        let job = Job::new(self.clone(), dispatch, entry);
        if job.is_pending() && !job.is_over_time() {
            return Some(job);
        }
        // Rare: boxed, so that the worker stays small.
        Box::pin(job.finish_late()).await;
        None
    }

    /// A dispatch is over; who is in `again` stays.
    pub(crate) fn finish(&self, dispatch: &Dispatch, again: Again) {
        let mut state = self.state();
        let has_more = !again.is_empty();
        if has_more {
            // It is no longer as it was submitted.
            state.fresh.remove(&dispatch.id);
        }
        let active = state.active.clone();
        let is_here = dispatch.destination == Destination::Here;
        let again = again.into_iter().map(|(to, due)| {
            let elsewhere = || active.settings.destination(&to);
            let destination = if is_here { Destination::Here } else { elsewhere() };
            (to, destination, due)
        });
        state.scheduler.finish(dispatch.id, &dispatch.destination, again);
        state.forget_if_gone(dispatch.id);
        drop(state);
        if has_more {
            self.wake.notify_one();
        }
    }

    pub(crate) fn with_scheduler<T>(&self, change: impl FnOnce(&mut Scheduler) -> T) -> T {
        change(&mut self.state().scheduler)
    }

    /// The next message of these, which are reserved; those that have none any more leave the list.
    pub(crate) async fn next_turned(self: &Arc<Self>, destinations: &mut Vec<Destination>) -> Option<Job> {
        while let Some(destination) = destinations.last() {
            let now = self.clock.timestamp();
            let next = self.state().scheduler.next_for(destination, now);
            match next {
                Some(dispatch) => {
                    if let Some(job) = self.load(dispatch).await {
                        return Some(job);
                    }
                }
                None => {
                    destinations.pop();
                }
            }
        }
        None
    }

    pub(crate) fn suspend(&self, destination: &Destination, reason: &str) {
        let now = self.clock.timestamp();
        self.state().scheduler.suspend(destination, reason, now);
    }

    /// The destination answers.
    pub(crate) fn answers(&self, destination: &Destination) {
        self.state().scheduler.resume(destination);
    }

    /// Starts what becomes due, when it does.
    async fn keep_time(self: Arc<Self>) {
        let mut stopping = self.stopping();
        loop {
            self.pump();
            let wakeup = self.state().scheduler.next_wakeup();
            let now = self.clock.timestamp();
            let until = |due: Timestamp| Duration::try_from(due.duration_since(now)).unwrap_or_default();
            // Civil clocks jump: look now and then even if nothing seems due.
            let pause = wakeup.map_or(SLEEP_MAX, until).min(SLEEP_MAX);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.wake.notified() => {}
                _ = stopping.wait_for(|stopping| *stopping) => return,
            }
        }
    }
}

/// A connection that waits for mail.
pub(crate) struct Idle {
    shared: Arc<Shared>,
    destination: Destination,
    number: u64,
    receiver: oneshot::Receiver<Dispatch>,
}

impl Idle {
    /// Waits so long at most.
    pub(crate) async fn wait(
        mut self,
        pause: Duration,
        stopping: &mut watch::Receiver<bool>,
    ) -> Option<Dispatch> {
        tokio::select! {
            dispatch = &mut self.receiver => return dispatch.ok(),
            () = tokio::time::sleep(pause) => {}
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
        self.leave()
    }

    /// Out of the waiting ones. A dispatch may have come at the last moment.
    fn leave(&mut self) -> Option<Dispatch> {
        let mut state = self.shared.state();
        if let Some(waiting) = state.idle.get_mut(&self.destination) {
            waiting.retain(|(number, _)| *number != self.number);
            if waiting.is_empty() {
                state.idle.remove(&self.destination);
            }
        }
        drop(state);
        self.receiver.try_recv().ok()
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        if let Some(dispatch) = self.leave() {
            let due = self.shared.clock.timestamp();
            let again = dispatch.recipients.iter().map(|to| (to.clone(), due)).collect();
            self.shared.finish(&dispatch, again);
        }
    }
}

/// The handle. Clones are the same queue.
#[derive(Clone)]
pub struct Queue {
    shared: Arc<Shared>,
}

impl Queue {
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Loads what is in the store and begins to deliver. To be called inside a runtime.
    pub async fn start(parts: Parts) -> Result<Self, StoreError> {
        let (settlements, waiting) = mpsc::channel(SETTLEMENTS_WAITING_MAX);
        let (stopping, _) = watch::channel(false);
        let active = Active::new(parts.settings);
        let mut state = State {
            scheduler: Scheduler::new(active.settings.concurrency),
            active,
            fresh: HashMap::new(),
            idle: HashMap::new(),
            idle_number: 0,
            intents: HashMap::new(),
            releases: BTreeMap::new(),
            workers: JoinSet::new(),
        };
        for entry in parts.store.queue().await? {
            state.schedule(&entry);
        }
        let shared = Arc::new_cyclic(|this| Shared {
            store: parts.store,
            resolver: parts.resolver,
            network: parts.network,
            clock: parts.clock,
            entropy: parts.entropy,
            journal: parts.journal,
            reinjection: parts.reinjection,
            settlements,
            tls_memory: TlsMemory::default(),
            conversions: conversion::memory(),
            transcripts: parts.transcripts,
            state: Mutex::new(state),
            wake: Notify::new(),
            stopping,
            this: this.clone(),
        });
        tokio::spawn(write_changes(shared.store.clone(), waiting, shared.stopping()));
        tokio::spawn(shared.clone().keep_time());
        Ok(Queue { shared })
    }

    /// Takes over an entry that the store has just committed.
    pub fn submit(&self, entry: QueueEntry) {
        let now = self.shared.clock.timestamp();
        let is_due_later = entry.recipients.iter().any(|recipient| recipient.next_attempt_at > now);
        let mut state = self.shared.state();
        state.schedule(&entry);
        if state.fresh.len() < ENTRIES_CACHED_MAX {
            state.fresh.insert(entry.id, Arc::new(entry));
        }
        drop(state);
        self.shared.pump();
        if is_due_later {
            self.shared.wake.notify_one();
        }
    }

    /// Tries an entry's recipients now.
    pub async fn retry(&self, id: QueueId) -> Result<(), QueueError> {
        self.check(id)?;
        let now = self.shared.clock.timestamp();
        self.shared.store.change_queue(vec![(id, QueueChange::Rescheduled { next_attempt_at: now })]).await?;
        {
            let mut state = self.shared.state();
            state.scheduler.retry(id, now);
            // Its time has come by this.
            state.releases.entry(id).and_modify(|release| release.at = release.at.min(now));
        }
        self.note_operator(id, "tried again at once");
        self.shared.pump();
        Ok(())
    }

    /// Stops an entry; what is being sent at this moment goes on.
    pub async fn hold(&self, id: QueueId) -> Result<(), QueueError> {
        self.check(id)?;
        self.shared.store.change_queue(vec![(id, QueueChange::Held(true))]).await?;
        self.shared.state().scheduler.hold(id);
        self.note_operator(id, "held");
        Ok(())
    }

    /// Lets an entry go again.
    pub async fn release(&self, id: QueueId) -> Result<(), QueueError> {
        self.check(id)?;
        self.shared.store.change_queue(vec![(id, QueueChange::Held(false))]).await?;
        self.shared.state().scheduler.release(id);
        self.note_operator(id, "released");
        self.shared.wake.notify_one();
        Ok(())
    }

    /// Drops an entry's recipients without a report. What is being sent at this moment may still
    /// arrive; if it does not, it is dropped then.
    pub async fn delete(&self, id: QueueId) -> Result<(), QueueError> {
        let (entry, removed) = self.take_out(id, Intent::Delete).await?;
        let removed = entry.recipients.iter().filter(|recipient| removed.contains(&recipient.mailbox));
        let changes: Vec<_> = removed
            .map(|recipient| self.shared.discard(&entry, recipient, "deleted by the operator"))
            .collect();
        if let Err(error) = self.shared.store.change_queue(changes).await {
            // It stays.
            self.shared.state().schedule(&entry);
            self.shared.wake.notify_one();
            return Err(error.into());
        }
        self.note_operator(id, "deleted");
        Ok(())
    }

    /// Returns an entry to its sender now.
    pub async fn bounce(&self, id: QueueId) -> Result<(), QueueError> {
        let (entry, removed) = self.take_out(id, Intent::Return).await?;
        let concluded = removed.into_iter().map(|mailbox| {
            let outcome = Outcome::Failed(Obstacle::ReturnedByOperator);
            Concluded { mailbox, outcome, peer: None, offers: Offers::default() }
        });
        self.note_operator(id, "returned to its sender");
        let again = self.shared.settle(&entry, concluded.collect()).await;
        if !again.is_empty() {
            let mut state = self.shared.state();
            let active = state.active.clone();
            let again = again.into_iter().filter_map(|(to, due)| {
                let recipient = entry.recipients.iter().find(|recipient| recipient.mailbox == to)?;
                Some((to, active.settings.destination_of(recipient), due))
            });
            state.scheduler.insert(id, entry.held, again);
        }
        Ok(())
    }

    /// Takes back a message that still waits for its time, with all of the copies that were made of it. `by`
    /// is who wants it: nobody but who sent it can, or the operator (`None`).
    pub async fn take_back(&self, id: QueueId, by: Option<AccountId>) -> Result<TakeBack, QueueError> {
        // Earlier outcomes first, so that the entries are as the scheduler has them.
        self.flush().await;
        let copies: Vec<QueueId> = {
            let state = self.shared.state();
            let is_copy = |(at, release): &(&QueueId, &Release)| {
                (**at == id || release.of == Some(id)) && by.is_none_or(|by| release.by == Some(by))
            };
            state.releases.iter().filter(is_copy).map(|(id, _)| *id).collect()
        };
        // Read before anything is changed: whatever fails here leaves all as it was.
        let mut entries = Vec::with_capacity(copies.len());
        for copy in &copies {
            entries.extend(self.shared.store.queue_entry(*copy).await?);
        }
        match self.shared.state().take_out_waiting(&copies, &entries, self.shared.clock.timestamp()) {
            TakeBack::Done => {}
            other => return Ok(other),
        }
        let discard = |entry: &QueueEntry| -> Vec<_> {
            let recipients = entry.recipients.iter();
            recipients.map(|to| self.shared.discard(entry, to, "taken back by its sender")).collect()
        };
        let changes = entries.iter().flat_map(discard).collect();
        let written = self.shared.store.change_queue(changes).await;
        let mut state = self.shared.state();
        if let Err(error) = written {
            // They stay.
            entries.iter().for_each(|entry| state.schedule(entry));
            drop(state);
            self.shared.wake.notify_one();
            return Err(error.into());
        }
        copies.iter().for_each(|id| state.forget_if_gone(*id));
        Ok(TakeBack::Done)
    }

    /// What an account's messages wait for, oldest first; copies made for lists are left out.
    pub fn waiting(&self, account: AccountId) -> Vec<(QueueId, Timestamp)> {
        let now = self.shared.clock.timestamp();
        let state = self.shared.state();
        let waits = |(_, release): &(&QueueId, &Release)| {
            release.by == Some(account) && release.of.is_none() && release.at > now
        };
        state.releases.iter().filter(waits).map(|(id, release)| (*id, release.at)).collect()
    }

    /// The whole queue, oldest first.
    pub async fn list(&self) -> Result<Vec<Listing>, QueueError> {
        let entries = self.shared.store.queue().await?;
        Ok(entries.into_iter().map(|entry| self.listing(entry)).collect())
    }

    /// One entry.
    pub async fn show(&self, id: QueueId) -> Result<Listing, QueueError> {
        let entry = self.shared.store.queue_entry(id).await?.ok_or(QueueError::NotFound(id))?;
        Ok(self.listing(entry))
    }

    /// Entries waiting or in flight.
    pub fn len(&self) -> usize {
        self.shared.state().scheduler.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Delivers by other settings from now on; conversations that are going on finish by the old.
    pub fn reload(&self, settings: Settings) {
        let active = Active::new(settings);
        let mut state = self.shared.state();
        state.active = active.clone();
        state.scheduler.set_concurrency(active.settings.concurrency);
        state.scheduler.regroup(|to| active.settings.destination(to));
        drop(state);
        self.shared.pump();
        self.shared.wake.notify_one();
    }

    /// Waits until everything decided so far is in the store.
    pub async fn flush(&self) {
        let (done, written) = oneshot::channel();
        if self.shared.settlements.send(Settlement::Flush(done)).await.is_ok() {
            let _ = written.await;
        }
    }

    /// Begins nothing new, lets what is being sent finish, at most for `limit`, and returns when all
    /// outcomes are in the store. What was not finished is sent after the next start.
    pub async fn shutdown(&self, limit: Duration) {
        self.shared.stopping.send_replace(true);
        let mut workers = std::mem::take(&mut self.shared.state().workers);
        let finished = tokio::time::timeout(limit, async { while workers.join_next().await.is_some() {} });
        if finished.await.is_err() {
            tracing::warn!(count = workers.len(), "deliveries were cut short");
            workers.shutdown().await;
        }
        let _ = tokio::time::timeout(limit, self.flush()).await;
    }

    fn listing(&self, entry: QueueEntry) -> Listing {
        let now = self.shared.clock.timestamp();
        let state = self.shared.state();
        let mut suspensions: Vec<(Destination, Suspension)> = Vec::new();
        for recipient in &entry.recipients {
            let destination = state.active.settings.destination_of(recipient);
            if let Some(suspension) = state.scheduler.suspension(&destination, now)
                && suspensions.iter().all(|(known, _)| *known != destination)
            {
                suspensions.push((destination, suspension.clone()));
            }
        }
        Listing { is_in_flight: state.scheduler.is_in_flight(entry.id), suspensions, entry }
    }

    fn check(&self, id: QueueId) -> Result<(), QueueError> {
        if self.shared.state().scheduler.contains(id) { Ok(()) } else { Err(QueueError::NotFound(id)) }
    }

    /// An entry with those of its recipients that wait; they leave the scheduler. For those in flight
    /// the intent is kept.
    async fn take_out(&self, id: QueueId, intent: Intent) -> Result<(QueueEntry, Vec<Mailbox>), QueueError> {
        // Earlier outcomes first, so that the entry is as the scheduler has it.
        self.flush().await;
        let entry = self.shared.store.queue_entry(id).await?.ok_or(QueueError::NotFound(id))?;
        let mut state = self.shared.state();
        let removed = state.scheduler.remove(id);
        if state.scheduler.contains(id) {
            state.intents.insert(id, intent);
        }
        state.forget_if_gone(id);
        Ok((entry, removed))
    }

    fn note_operator(&self, id: QueueId, action: &str) {
        self.shared.journal.note(Event::Operator { id: Some(id.to_string()), action: action.to_owned() });
    }
}
