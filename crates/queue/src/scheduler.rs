//! When what is tried: a pure value. Time is handed in; nothing waits here.
//!
//! A *group* is an entry's recipients at one destination; it is what travels in one transaction.
//!
//! ```text
//!              due                    slot free                  finish
//!   Waiting ───────► Ready ─────────────────────────► InFlight ─────────► gone, or Waiting again
//!      ▲               │  destination suspended:          ▲
//!      └── hold ◄──────┤  dispatched as such, no slot ────┘
//!            Parked    ▼
//! ```
//!
//! Every operation is O(log n) in the number of entries (times the groups of the entry concerned).

use crate::{
    limits::{
        CONNECTIONS_MAX, CONNECTIONS_PER_DESTINATION_MAX, IDLE_SUSPENSIONS_MAX,
        RECIPIENTS_PER_TRANSACTION_MAX, SUSPENSION_MAX, SUSPENSION_MIN,
    },
    retry::later,
    settings::Destination,
};
use jiff::Timestamp;
use posta_address::{Host, Mailbox};
use posta_store::QueueId;
use posta_wire::Priority;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

/// How much may go on at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Concurrency {
    /// Dispatches in flight, all destinations together.
    pub total: usize,
    /// Dispatches in flight to one destination.
    pub per_destination: usize,
}

impl Default for Concurrency {
    fn default() -> Self {
        Concurrency { total: CONNECTIONS_MAX, per_destination: CONNECTIONS_PER_DESTINATION_MAX }
    }
}

/// A destination is left alone for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspension {
    /// When it failed to answer.
    pub since: Timestamp,
    /// Until when nothing is tried.
    pub until: Timestamp,
    /// What happened.
    pub reason: String,
}

/// "Try this now." Must be answered by [`Scheduler::finish`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispatch {
    /// Which entry.
    pub id: QueueId,
    /// Where.
    pub destination: Destination,
    /// For whom: at least one, at most [`RECIPIENTS_PER_TRANSACTION_MAX`].
    pub recipients: Vec<Mailbox>,
    /// The destination is not to be tried now: this attempt has failed already.
    pub suspended: Option<Suspension>,
}

type Place = usize;

/// What is smaller goes first (RFC 6710 §5).
type Rank = (Reverse<Priority>, u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In `timers` under this time.
    Waiting(Timestamp),
    /// In the destination's `ready` under this rank.
    Ready(Rank),
    /// Dispatched.
    InFlight { takes_slot: bool },
    /// Nothing to do: held, or nobody left to send to.
    Parked,
}

#[derive(Debug)]
struct Group {
    place: Place,
    state: State,
    /// Not in flight, with the time each is due.
    recipients: Vec<(Mailbox, Timestamp)>,
    in_flight: Vec<Mailbox>,
}

#[derive(Debug)]
struct Entry {
    held: bool,
    priority: Priority,
    /// Nobody's coming for it makes it due before.
    release_at: Timestamp,
    groups: Vec<Group>,
}

#[derive(Debug)]
struct DestinationState {
    name: Destination,
    /// Due groups by priority, then by the order in which they became due.
    ready: BTreeMap<Rank, QueueId>,
    in_flight: usize,
    /// Groups of entries that point here.
    groups: usize,
    /// In a row, without success.
    failures: u32,
    suspension: Option<Suspension>,
    in_turns: bool,
}

impl DestinationState {
    fn suspended(&self, now: Timestamp) -> Option<&Suspension> {
        self.suspension.as_ref().filter(|suspension| now < suspension.until)
    }

    /// One probe at a time while it is failing: a dead host must not eat all slots.
    fn slots(&self, concurrency: &Concurrency) -> usize {
        if self.failures > 0 { 1 } else { concurrency.per_destination }
    }

    fn is_unused(&self) -> bool {
        self.groups == 0 && self.in_flight == 0
    }
}

/// All entries of the queue, by when and where they are due.
#[derive(Debug, Default)]
pub struct Scheduler {
    concurrency: Concurrency,
    entries: HashMap<QueueId, Entry>,
    places: HashMap<Destination, Place>,
    destinations: Vec<Option<DestinationState>>,
    free_places: Vec<Place>,
    timers: BTreeSet<(Timestamp, QueueId, Place)>,
    /// Destinations that may have something to dispatch, in turn.
    turns: VecDeque<Place>,
    in_flight: usize,
    sequence: u64,
    /// Destinations whose mail goes over one connection only, by [`Scheduler::next_for`].
    reserved: HashSet<Destination>,
    /// Destinations kept only for their suspension.
    idle_suspensions: BTreeSet<Place>,
}

impl Scheduler {
    /// An empty one.
    pub fn new(concurrency: Concurrency) -> Self {
        Scheduler { concurrency, ..Scheduler::default() }
    }

    /// Changes the limits; what is in flight goes on.
    pub fn set_concurrency(&mut self, concurrency: Concurrency) {
        self.concurrency = concurrency;
        for place in 0..self.destinations.len() {
            self.take_turn(place);
        }
    }

    /// Entries in it.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Dispatches that take a slot now.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Whether the entry is known.
    pub fn contains(&self, id: QueueId) -> bool {
        self.entries.contains_key(&id)
    }

    /// Whether any of the entry's recipients is in flight.
    pub fn is_in_flight(&self, id: QueueId) -> bool {
        self.entries.get(&id).is_some_and(|entry| {
            entry.groups.iter().any(|group| matches!(group.state, State::InFlight { .. }))
        })
    }

    /// The destination's suspension, if it is suspended now.
    pub fn suspension(&self, destination: &Destination, now: Timestamp) -> Option<&Suspension> {
        let place = *self.places.get(destination)?;
        self.destinations[place].as_ref()?.suspended(now)
    }

    /// Adds an entry, or recipients to one: each with its destination and the time it is due.
    /// A recipient that is in the entry already is passed over.
    pub fn insert(
        &mut self,
        id: QueueId,
        held: bool,
        recipients: impl IntoIterator<Item = (Mailbox, Destination, Timestamp)>,
    ) {
        let entry = self.entries.entry(id).or_insert_with(|| Entry {
            held,
            priority: Priority::default(),
            release_at: Timestamp::MIN,
            groups: Vec::new(),
        });
        entry.held |= held;
        for (mailbox, destination, due) in recipients {
            if !self.has_recipient(id, &mailbox) {
                self.add_recipient(id, mailbox, destination, due);
            }
        }
        self.settle_entry(id);
    }

    /// What becomes due of an entry from now on goes before what is less urgent (RFC 6710 §5).
    pub fn prefer(&mut self, id: QueueId, priority: Priority) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.priority = priority;
        }
    }

    /// Its sender has put an entry off until then: [`retry_to`](Self::retry_to) passes it over before.
    pub fn put_off(&mut self, id: QueueId, release_at: Timestamp) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.release_at = release_at;
        }
    }

    fn has_recipient(&self, id: QueueId, mailbox: &Mailbox) -> bool {
        self.entries.get(&id).is_some_and(|entry| {
            entry.groups.iter().any(|group| {
                group.in_flight.contains(mailbox)
                    || group.recipients.iter().any(|(known, _)| known == mailbox)
            })
        })
    }

    fn add_recipient(&mut self, id: QueueId, mailbox: Mailbox, destination: Destination, due: Timestamp) {
        let place = self.place_of(destination);
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let group = match entry.groups.iter_mut().position(|group| group.place == place) {
            Some(index) => &mut entry.groups[index],
            None => {
                let state = State::Parked;
                entry.groups.push(Group { place, state, recipients: Vec::new(), in_flight: Vec::new() });
                if let Some(destination) = &mut self.destinations[place] {
                    destination.groups += 1;
                }
                self.idle_suspensions.remove(&place);
                entry.groups.last_mut().expect("it was just added")
            }
        };
        group.recipients.push((mailbox, due));
    }

    /// Brings each group of an entry that is not in flight to where it belongs, and removes groups
    /// and the entry when nobody is left.
    fn settle_entry(&mut self, id: QueueId) {
        let Some(mut entry) = self.entries.remove(&id) else { return };
        let held = entry.held;
        let mut index = 0;
        while index < entry.groups.len() {
            let group = &mut entry.groups[index];
            let keeps_its_place = match group.state {
                State::InFlight { .. } => true,
                State::Ready(_) => !held && !group.recipients.is_empty(),
                State::Waiting(_) | State::Parked => false,
            };
            if keeps_its_place {
                index += 1;
                continue;
            }
            self.unlink(id, group);
            let Some(due) = group.recipients.iter().map(|(_, due)| *due).min() else {
                let place = entry.groups.swap_remove(index).place;
                self.drop_group(place);
                continue;
            };
            if !held {
                group.state = State::Waiting(due);
                self.timers.insert((due, id, group.place));
            }
            index += 1;
        }
        if !entry.groups.is_empty() {
            self.entries.insert(id, entry);
        }
    }

    /// Out of timers and ready; then it is parked.
    fn unlink(&mut self, id: QueueId, group: &mut Group) {
        match group.state {
            State::Waiting(due) => {
                self.timers.remove(&(due, id, group.place));
            }
            State::Ready(number) => {
                if let Some(destination) = &mut self.destinations[group.place] {
                    destination.ready.remove(&number);
                }
            }
            State::InFlight { .. } | State::Parked => {}
        }
        group.state = State::Parked;
    }

    /// The next thing to try, if any; its slot is taken until [`finish`](Self::finish).
    pub fn next(&mut self, now: Timestamp) -> Option<Dispatch> {
        self.promote(now);
        for _ in 0..self.turns.len() {
            let place = self.turns.pop_front()?;
            let Some(destination) = &mut self.destinations[place] else { continue };
            if self.in_flight >= self.concurrency.total && destination.suspended(now).is_none() {
                self.turns.push_front(place);
                return None;
            }
            destination.in_turns = false;
            if self.reserved.contains(&destination.name) {
                continue;
            }
            let dispatch = self.dispatch_from(place, now);
            self.take_turn(place);
            if dispatch.is_some() {
                return dispatch;
            }
        }
        None
    }

    /// The next thing to try at this destination, for whoever has a connection open to it. `None`
    /// also when other destinations wait and all slots are in use: then it is their turn.
    pub fn next_for(&mut self, destination: &Destination, now: Timestamp) -> Option<Dispatch> {
        self.promote(now);
        let place = *self.places.get(destination)?;
        let others = self.turns.iter().any(|other| *other != place);
        if others && self.in_flight + 1 >= self.concurrency.total {
            return None;
        }
        let dispatch = self.dispatch_from(place, now);
        self.take_turn(place);
        dispatch
    }

    /// When something becomes due, if nothing is now. (A free slot is announced by `finish`.)
    pub fn next_wakeup(&self) -> Option<Timestamp> {
        self.timers.first().map(|(due, ..)| *due)
    }

    /// Moves what is due to its destination's ready list.
    fn promote(&mut self, now: Timestamp) {
        while let Some((due, id, place)) = self.timers.first().copied() {
            if due > now {
                return;
            }
            self.timers.pop_first();
            let number = self.sequence;
            self.sequence += 1;
            let entry = self.entries.get_mut(&id);
            let priority = entry.as_ref().map(|entry| entry.priority).unwrap_or_default();
            let group = entry.and_then(|entry| entry.groups.iter_mut().find(|group| group.place == place));
            let (Some(group), Some(destination)) = (group, &mut self.destinations[place]) else {
                debug_assert!(false, "a timer without its group");
                continue;
            };
            let rank = (Reverse(priority), number);
            group.state = State::Ready(rank);
            destination.ready.insert(rank, id);
            self.take_turn(place);
        }
    }

    /// Puts a destination in line if it has something ready and might get a slot.
    fn take_turn(&mut self, place: Place) {
        let Some(destination) = &mut self.destinations[place] else { return };
        let has_slot = destination.in_flight < destination.slots(&self.concurrency);
        let wanted = !destination.ready.is_empty() && (has_slot || destination.suspension.is_some());
        if wanted && !destination.in_turns && !self.reserved.contains(&destination.name) {
            destination.in_turns = true;
            self.turns.push_back(place);
        }
    }

    fn dispatch_from(&mut self, place: Place, now: Timestamp) -> Option<Dispatch> {
        let total = self.in_flight;
        let destination = self.destinations[place].as_mut()?;
        // Over: now one probe shows whether it answers again.
        destination.suspension.take_if(|suspension| now >= suspension.until);
        let suspended = destination.suspended(now).cloned();
        let has_slot =
            total < self.concurrency.total && destination.in_flight < destination.slots(&self.concurrency);
        if suspended.is_none() && !has_slot {
            return None;
        }
        let (_, id) = destination.ready.pop_first()?;
        let takes_slot = suspended.is_none();
        if takes_slot {
            destination.in_flight += 1;
            self.in_flight += 1;
        }
        let name = destination.name.clone();
        let entry = self.entries.get_mut(&id).expect("what is ready is an entry");
        let group = entry.groups.iter_mut().find(|group| group.place == place).expect("with this group");
        debug_assert!(matches!(group.state, State::Ready(_)) && group.in_flight.is_empty());
        group.state = State::InFlight { takes_slot };
        let mut recipients = Vec::new();
        group.recipients.retain(|(mailbox, due)| {
            let goes = *due <= now && recipients.len() < RECIPIENTS_PER_TRANSACTION_MAX;
            if goes {
                recipients.push(mailbox.clone());
            }
            !goes
        });
        group.in_flight.clone_from(&recipients);
        Some(Dispatch { id, destination: name, recipients, suspended })
    }

    /// A dispatch is over. Recipients in `again` are due again, where they then belong; the others of
    /// the dispatch are settled.
    pub fn finish(
        &mut self,
        id: QueueId,
        destination: &Destination,
        again: impl IntoIterator<Item = (Mailbox, Destination, Timestamp)>,
    ) {
        let Some(place) = self.places.get(destination).copied() else { return };
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let Some(group) = entry.groups.iter_mut().find(|group| group.place == place) else { return };
        let State::InFlight { takes_slot } = group.state else { return };
        group.state = State::Parked;
        group.in_flight.clear();
        if takes_slot {
            self.in_flight -= 1;
            if let Some(destination) = &mut self.destinations[place] {
                destination.in_flight -= 1;
            }
        }
        for (mailbox, destination, due) in again {
            self.add_recipient(id, mailbox, destination, due);
        }
        self.settle_entry(id);
        if self.destinations[place].is_some() {
            self.take_turn(place);
        }
    }

    /// The destination does not answer: it is left alone for a while, longer each time.
    pub fn suspend(&mut self, destination: &Destination, reason: &str, now: Timestamp) {
        let place = self.place_of(destination.clone());
        let Some(state) = &mut self.destinations[place] else { return };
        // Several attempts may fail at the same time: that is one failure.
        if state.suspended(now).is_none() {
            let doubled = SUSPENSION_MIN.saturating_mul(1 << state.failures.min(16));
            state.failures = state.failures.saturating_add(1);
            let until = later(now, doubled.min(SUSPENSION_MAX));
            state.suspension = Some(Suspension { since: now, until, reason: reason.to_owned() });
        }
        self.take_turn(place);
        self.forget_if_unused(place);
    }

    /// The destination answers.
    pub fn resume(&mut self, destination: &Destination) {
        let Some(place) = self.places.get(destination).copied() else { return };
        let Some(state) = &mut self.destinations[place] else { return };
        if state.failures == 0 {
            return;
        }
        state.failures = 0;
        state.suspension = None;
        self.take_turn(place);
        self.forget_if_unused(place);
    }

    /// Stops an entry; what is in flight goes on.
    pub fn hold(&mut self, id: QueueId) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.held = true;
            self.settle_entry(id);
        }
    }

    /// Lets an entry go again.
    pub fn release(&mut self, id: QueueId) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.held = false;
            self.settle_entry(id);
        }
    }

    /// Makes all recipients of an entry that wait due now, and their destinations worth trying.
    pub fn retry(&mut self, id: QueueId, now: Timestamp) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.release_at = entry.release_at.min(now);
        let mut destinations = Vec::new();
        for group in &mut entry.groups {
            for (_, due) in &mut group.recipients {
                *due = now;
            }
            destinations.extend(self.destinations[group.place].as_ref().map(|found| found.name.clone()));
        }
        self.settle_entry(id);
        for destination in destinations {
            self.resume(&destination);
        }
    }

    /// Makes due now what waits for recipients that are meant, and their destinations worth trying. How many
    /// entries that are. What its sender has put off is not meant.
    pub fn retry_to(&mut self, now: Timestamp, is_meant: impl Fn(&Destination, &Host) -> bool) -> usize {
        let mut started = Vec::new();
        let mut destinations = BTreeSet::new();
        for (id, entry) in self.entries.iter_mut().filter(|(_, entry)| entry.release_at <= now) {
            for group in &mut entry.groups {
                let Some(destination) = &self.destinations[group.place] else { continue };
                let meant = |mailbox: &Mailbox| is_meant(&destination.name, mailbox.host());
                let mut is_started = group.in_flight.iter().any(meant);
                for (mailbox, due) in &mut group.recipients {
                    if meant(mailbox) && !entry.held {
                        *due = (*due).min(now);
                        is_started = true;
                    }
                }
                if is_started {
                    destinations.insert(destination.name.clone());
                    started.push(*id);
                }
            }
        }
        started.dedup();
        for id in &started {
            self.settle_entry(*id);
        }
        for destination in destinations {
            self.resume(&destination);
        }
        started.len()
    }

    /// Keeps these destinations for one connection, and makes due now what waits for them. How many entries
    /// that are; `None` if one of them is reserved already.
    pub fn reserve(&mut self, destinations: &[Destination], now: Timestamp) -> Option<usize> {
        if destinations.iter().any(|destination| self.reserved.contains(destination)) {
            return None;
        }
        self.reserved.extend(destinations.iter().cloned());
        let waiting = self.retry_to(now, |destination, _| destinations.contains(destination));
        Some(waiting)
    }

    /// Ends what [`reserve`](Self::reserve) began.
    pub fn release_reserved(&mut self, destinations: &[Destination]) {
        for destination in destinations {
            self.reserved.remove(destination);
            if let Some(place) = self.places.get(destination).copied() {
                self.take_turn(place);
            }
        }
    }

    /// Takes an entry's waiting recipients out; those in flight stay until `finish`. Returns those
    /// taken out.
    pub fn remove(&mut self, id: QueueId) -> Vec<Mailbox> {
        let Some(entry) = self.entries.get_mut(&id) else { return Vec::new() };
        let waiting = entry.groups.iter_mut().flat_map(|group| group.recipients.drain(..));
        let removed = waiting.map(|(mailbox, _)| mailbox).collect();
        self.settle_entry(id);
        removed
    }

    /// Groups all waiting recipients elsewhere anew, after routes were changed.
    pub fn regroup(&mut self, destination_of: impl Fn(&Mailbox) -> Destination) {
        let here = self.places.get(&Destination::Here).copied();
        let ids: Vec<QueueId> = self.entries.keys().copied().collect();
        for id in ids {
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            let elsewhere = entry.groups.iter_mut().filter(|group| Some(group.place) != here);
            let waiting: Vec<(Mailbox, Timestamp)> =
                elsewhere.flat_map(|group| group.recipients.drain(..)).collect();
            for (mailbox, due) in waiting {
                let destination = destination_of(&mailbox);
                self.add_recipient(id, mailbox, destination, due);
            }
            self.settle_entry(id);
        }
    }

    fn place_of(&mut self, destination: Destination) -> Place {
        if let Some(place) = self.places.get(&destination) {
            return *place;
        }
        let state = DestinationState {
            name: destination.clone(),
            ready: BTreeMap::new(),
            in_flight: 0,
            groups: 0,
            failures: 0,
            suspension: None,
            in_turns: false,
        };
        let place = match self.free_places.pop() {
            Some(place) => {
                self.destinations[place] = Some(state);
                place
            }
            None => {
                self.destinations.push(Some(state));
                self.destinations.len() - 1
            }
        };
        self.places.insert(destination, place);
        place
    }

    fn drop_group(&mut self, place: Place) {
        if let Some(destination) = &mut self.destinations[place] {
            destination.groups -= 1;
        }
        self.forget_if_unused(place);
    }

    /// A destination without mail is kept only for its failures, and only so many of them are.
    fn forget_if_unused(&mut self, place: Place) {
        let Some(destination) = &self.destinations[place] else { return };
        if !destination.is_unused() {
            return;
        }
        if destination.failures == 0 {
            self.forget(place);
            return;
        }
        self.idle_suspensions.insert(place);
        if self.idle_suspensions.len() > IDLE_SUSPENSIONS_MAX
            && let Some(oldest) = self.idle_suspensions.first().copied()
        {
            self.forget(oldest);
        }
    }

    fn forget(&mut self, place: Place) {
        self.idle_suspensions.remove(&place);
        let Some(destination) = self.destinations[place].take() else { return };
        debug_assert!(destination.is_unused() && destination.ready.is_empty());
        // Its place will be another's.
        if destination.in_turns {
            self.turns.retain(|other| *other != place);
        }
        self.places.remove(&destination.name);
        self.free_places.push(place);
    }
}
