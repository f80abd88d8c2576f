//! The scheduler: cases by hand, and a model under random operations.

use jiff::Timestamp;
use posta_address::Mailbox;
use posta_queue::{Concurrency, Destination, Dispatch, Scheduler};
use posta_store::QueueId;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn mailbox(text: &str) -> Mailbox {
    text.parse().unwrap()
}

fn destination(mailbox: &Mailbox) -> Destination {
    Destination::Host(mailbox.host().clone())
}

fn insert(scheduler: &mut Scheduler, id: u64, recipients: &[&str], due: Timestamp) {
    let recipients = recipients.iter().map(|text| {
        let mailbox = mailbox(text);
        (mailbox.clone(), destination(&mailbox), due)
    });
    scheduler.insert(QueueId(id), false, recipients);
}

fn all(scheduler: &mut Scheduler, now: Timestamp) -> Vec<Dispatch> {
    std::iter::from_fn(|| scheduler.next(now)).collect()
}

/// `id destination recipients`, `suspended` where it is.
fn describe(dispatches: &[Dispatch]) -> Vec<String> {
    let describe = |dispatch: &Dispatch| {
        let recipients: Vec<String> =
            dispatch.recipients.iter().map(|to| to.local_part().to_string()).collect();
        let suspended = if dispatch.suspended.is_some() { " suspended" } else { "" };
        format!("{} {} {}{suspended}", dispatch.id.0, dispatch.destination, recipients.join(","))
    };
    dispatches.iter().map(describe).collect()
}

fn done(scheduler: &mut Scheduler, dispatch: &Dispatch) {
    scheduler.finish(dispatch.id, &dispatch.destination, []);
}

fn again(scheduler: &mut Scheduler, dispatch: &Dispatch, due: Timestamp) {
    let again = dispatch.recipients.iter().map(|to| (to.clone(), destination(to), due));
    scheduler.finish(dispatch.id, &dispatch.destination, again.collect::<Vec<_>>());
}

#[test]
fn what_is_reserved_goes_to_whoever_reserved_it() {
    let mut scheduler = Scheduler::new(Concurrency::default());
    insert(&mut scheduler, 1, &["a@x.example", "b@y.example"], at(100));
    insert(&mut scheduler, 2, &["c@x.example"], at(200));
    let x = [destination(&mailbox("a@x.example"))];
    assert_eq!(scheduler.reserve(&x, at(0)), Some(2));
    assert_eq!(scheduler.reserve(&x, at(0)), None, "it is another's");
    assert!(all(&mut scheduler, at(0)).is_empty(), "due, but for one connection only");
    let first = scheduler.next_for(&x[0], at(0)).expect("it is due");
    assert_eq!(describe(std::slice::from_ref(&first)), ["1 x.example a"]);
    done(&mut scheduler, &first);
    assert_eq!(describe(&all(&mut scheduler, at(100))), ["1 y.example b"]);
    // What is left when the reservation ends is anybody's again.
    scheduler.release_reserved(&x);
    assert_eq!(describe(&all(&mut scheduler, at(100))), ["2 x.example c"]);
}

#[test]
fn what_is_meant_is_tried_now() {
    let mut scheduler = Scheduler::new(Concurrency::default());
    insert(&mut scheduler, 1, &["a@x.example", "b@y.example"], at(100));
    let x = destination(&mailbox("a@x.example"));
    scheduler.suspend(&x, "down", at(0));
    let started = scheduler.retry_to(at(1), |_, host| host.to_string() == "x.example");
    assert_eq!((started, describe(&all(&mut scheduler, at(1)))), (1, vec!["1 x.example a".to_owned()]));
    assert_eq!(scheduler.retry_to(at(1), |_, host| host.to_string() == "z.example"), 0);
}

#[test]
fn recipients_are_grouped_by_destination() {
    let mut scheduler = Scheduler::new(Concurrency::default());
    insert(&mut scheduler, 1, &["a@x.example", "b@y.example", "c@X.example", "d@[192.0.2.1]"], at(0));
    let dispatches = all(&mut scheduler, at(0));
    let mut described = describe(&dispatches);
    described.sort();
    assert_eq!(described, ["1 [192.0.2.1] d", "1 x.example a,c", "1 y.example b"]);
    assert!(scheduler.is_in_flight(QueueId(1)));
    dispatches.iter().for_each(|dispatch| done(&mut scheduler, dispatch));
    assert!(scheduler.is_empty());
}

#[test]
fn not_before_it_is_due() {
    let mut scheduler = Scheduler::new(Concurrency::default());
    insert(&mut scheduler, 1, &["a@x.example"], at(10));
    insert(&mut scheduler, 2, &["a@x.example"], at(5));
    assert_eq!(scheduler.next_wakeup(), Some(at(5)));
    assert_eq!(all(&mut scheduler, at(4)), []);
    assert_eq!(describe(&all(&mut scheduler, at(5))), ["2 x.example a"]);
    assert_eq!(scheduler.next_wakeup(), Some(at(10)));
    let late = all(&mut scheduler, at(60));
    assert_eq!(describe(&late), ["1 x.example a"]);
    again(&mut scheduler, &late[0], at(100));
    assert_eq!(scheduler.next_wakeup(), Some(at(100)));
}

#[test]
fn limits_and_turns() {
    let mut scheduler = Scheduler::new(Concurrency { total: 3, per_destination: 2 });
    for id in 1..=4 {
        insert(&mut scheduler, id, &["a@x.example"], at(0));
    }
    insert(&mut scheduler, 5, &["a@y.example"], at(0));
    insert(&mut scheduler, 6, &["a@z.example"], at(0));
    let first = all(&mut scheduler, at(0));
    assert_eq!(describe(&first), ["1 x.example a", "5 y.example a", "6 z.example a"]);
    done(&mut scheduler, &first[1]);
    // All slots but one are taken and nobody else waits: the connection to x goes on with x.
    let next = scheduler.next_for(&first[0].destination, at(0)).unwrap();
    assert_eq!(describe(std::slice::from_ref(&next)), ["2 x.example a"]);
    // Others wait for the last slot: it is their turn.
    insert(&mut scheduler, 7, &["a@w.example"], at(0));
    assert_eq!(scheduler.next(at(0)), None);
    done(&mut scheduler, &next);
    assert_eq!(scheduler.next_for(&first[0].destination, at(0)), None);
    let turn = scheduler.next(at(0)).unwrap();
    assert_eq!(scheduler.in_flight(), 3);
    assert!(["7 w.example a", "3 x.example a"].contains(&describe(&[turn])[0].as_str()));
}

#[test]
fn many_recipients_go_in_several_transactions() {
    let mut scheduler = Scheduler::new(Concurrency::default());
    let names: Vec<String> = (0..250).map(|n| format!("u{n}@x.example")).collect();
    insert(&mut scheduler, 1, &names.iter().map(String::as_str).collect::<Vec<_>>(), at(0));
    let mut counts = Vec::new();
    while let Some(dispatch) = scheduler.next(at(0)) {
        assert_eq!(scheduler.next(at(0)), None, "one transaction at a time");
        counts.push(dispatch.recipients.len());
        done(&mut scheduler, &dispatch);
    }
    assert_eq!(counts, [100, 100, 50]);
}

#[test]
fn a_dead_destination_takes_one_slot_and_fails_fast() {
    let mut scheduler = Scheduler::new(Concurrency { total: 10, per_destination: 5 });
    for id in 1..=8 {
        insert(&mut scheduler, id, &["a@dead.example"], at(0));
    }
    let flying = all(&mut scheduler, at(0));
    assert_eq!(flying.len(), 5);
    let dead = flying[0].destination.clone();
    scheduler.suspend(&dead, "connection refused", at(30));
    scheduler.suspend(&dead, "connection refused", at(31));
    for dispatch in &flying {
        again(&mut scheduler, dispatch, at(90));
    }
    // The others need not try: they are told at once, without a slot.
    let told = all(&mut scheduler, at(31));
    assert_eq!(
        describe(&told),
        ["6 dead.example a suspended", "7 dead.example a suspended", "8 dead.example a suspended"]
    );
    assert_eq!(scheduler.in_flight(), 0);
    assert_eq!(told[0].suspended.as_ref().unwrap().until, at(90), "two failures at once are one");
    for dispatch in &told {
        again(&mut scheduler, dispatch, at(91));
    }
    // Then one probe, the others wait for what it finds.
    assert_eq!(all(&mut scheduler, at(95)).len(), 1);
    scheduler.suspend(&dead, "connection refused", at(100));
    let told = all(&mut scheduler, at(100));
    assert_eq!(told.len(), 7);
    assert!(told.iter().all(|dispatch| dispatch.suspended.as_ref().unwrap().until == at(220)));
    for dispatch in &told {
        again(&mut scheduler, dispatch, at(110));
    }
    // New mail comes while it is suspended, and the destination turns out to be alive.
    insert(&mut scheduler, 9, &["a@dead.example"], at(105));
    scheduler.resume(&dead);
    let dispatches = all(&mut scheduler, at(110));
    assert_eq!(dispatches.len(), 4, "five slots, one of them still taken by the probe");
    assert!(dispatches.iter().all(|dispatch| dispatch.suspended.is_none()));
}

#[test]
fn hold_release_retry_remove() {
    let mut scheduler = Scheduler::new(Concurrency::default());
    insert(&mut scheduler, 1, &["a@x.example", "b@y.example"], at(100));
    scheduler.hold(QueueId(1));
    assert_eq!((scheduler.next_wakeup(), all(&mut scheduler, at(200)).len()), (None, 0));
    scheduler.release(QueueId(1));
    assert_eq!(scheduler.next_wakeup(), Some(at(100)));
    scheduler.retry(QueueId(1), at(1));
    let dispatches = all(&mut scheduler, at(1));
    assert_eq!(dispatches.len(), 2);
    // Held while in flight: what comes back waits.
    scheduler.hold(QueueId(1));
    again(&mut scheduler, &dispatches[0], at(50));
    assert_eq!(scheduler.next_wakeup(), None);
    assert_eq!(scheduler.remove(QueueId(1)), dispatches[0].recipients);
    assert!(scheduler.contains(QueueId(1)), "the other one is in flight");
    done(&mut scheduler, &dispatches[1]);
    assert!(scheduler.is_empty());
}

#[test]
fn regroup_after_routes_changed() {
    let mut scheduler = Scheduler::new(Concurrency::default());
    insert(&mut scheduler, 1, &["a@x.example", "b@y.example", "c@z.example"], at(0));
    let flying = scheduler.next(at(0)).unwrap();
    let smarthost = Destination::Fixed("smart.example:25".parse().unwrap());
    scheduler.regroup(|_| smarthost.clone());
    let dispatches = all(&mut scheduler, at(0));
    assert_eq!(dispatches.len(), 1);
    assert_eq!(dispatches[0].recipients.len(), 2);
    assert_eq!(dispatches[0].destination, smarthost);
    done(&mut scheduler, &dispatches[0]);
    done(&mut scheduler, &flying);
    assert!(scheduler.is_empty());
}

#[test]
fn a_hundred_thousand_entries() {
    let mut scheduler = Scheduler::new(Concurrency { total: 50, per_destination: 5 });
    for id in 0..100_000 {
        insert(&mut scheduler, id, &[&format!("a@d{}.example", id % 1000)], at(id as i64 % 100));
    }
    let mut delivered = 0;
    let mut flying = all(&mut scheduler, at(200));
    assert_eq!(flying.len(), 50);
    while let Some(dispatch) = flying.pop() {
        delivered += dispatch.recipients.len();
        done(&mut scheduler, &dispatch);
        flying.extend(scheduler.next(at(200)));
    }
    assert_eq!(delivered, 100_000);
    assert!(scheduler.is_empty());
}

#[derive(Debug, Clone)]
enum Step {
    Insert {
        id: u64,
        recipients: Vec<(u8, u8)>,
        due: i64,
    },
    Advance(i64),
    Next,
    NextFor(u8),
    /// The n-th in flight: settles the first `settled` of its recipients, the rest is due later.
    Finish {
        nth: usize,
        settled: usize,
        pause: i64,
    },
    Suspend(u8),
    Resume(u8),
    Hold(u64),
    Release(u64),
    Retry(u64),
    Remove(u64),
    Regroup(bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let id = 0..12u64;
    let place = 0..4u8;
    let step = prop_oneof![
        3 => (id.clone(), prop::collection::vec((0..5u8, place.clone()), 1..6), 0..50i64)
            .prop_map(|(id, recipients, due)| Step::Insert { id, recipients, due }),
        2 => (0..40i64).prop_map(Step::Advance),
        6 => Just(Step::Next),
        2 => place.clone().prop_map(Step::NextFor),
        5 => (0..8usize, 0..4usize, 0..60i64)
            .prop_map(|(nth, settled, pause)| Step::Finish { nth, settled, pause }),
        1 => place.clone().prop_map(Step::Suspend),
        1 => place.prop_map(Step::Resume),
        1 => id.clone().prop_map(Step::Hold),
        1 => id.clone().prop_map(Step::Release),
        1 => id.clone().prop_map(Step::Retry),
        1 => id.prop_map(Step::Remove),
        1 => any::<bool>().prop_map(Step::Regroup),
    ];
    prop::collection::vec(step, 1..120)
}

const LIMITS: Concurrency = Concurrency { total: 5, per_destination: 2 };

/// What must be true, kept in the simplest way.
struct Model {
    scheduler: Scheduler,
    now: i64,
    /// Waiting recipients with the time they are due.
    waiting: BTreeMap<(u64, Mailbox), i64>,
    held: BTreeSet<u64>,
    flying: Vec<Dispatch>,
    merged: bool,
}

impl Model {
    fn destination(&self, to: &Mailbox) -> Destination {
        if self.merged { Destination::Fixed("smart.example:25".parse().unwrap()) } else { destination(to) }
    }

    fn place(place: u8) -> Destination {
        destination(&mailbox(&format!("x@d{place}.example")))
    }

    fn forget_held_of_gone_entries(&mut self) {
        let scheduler = &self.scheduler;
        self.held.retain(|id| scheduler.contains(QueueId(*id)));
    }

    fn take_off(&mut self, dispatch: Option<Dispatch>) {
        let Some(dispatch) = dispatch else { return };
        assert!(!dispatch.recipients.is_empty());
        assert!(!self.held.contains(&dispatch.id.0), "a held entry was dispatched");
        for to in &dispatch.recipients {
            let due = self.waiting.remove(&(dispatch.id.0, to.clone()));
            let due = due.unwrap_or_else(|| panic!("{to} of {} was in flight, or not there", dispatch.id.0));
            assert!(due <= self.now, "before it was due");
        }
        self.flying.push(dispatch);
        let slots = self.flying.iter().filter(|dispatch| dispatch.suspended.is_none());
        assert_eq!(slots.clone().count(), self.scheduler.in_flight());
        assert!(slots.clone().count() <= LIMITS.total);
        for dispatch in slots.clone() {
            let here = slots.clone().filter(|other| other.destination == dispatch.destination).count();
            assert!(here <= LIMITS.per_destination);
        }
    }

    fn land(&mut self, dispatch: Dispatch, settled: usize, pause: i64) {
        let later: Vec<_> = dispatch.recipients.iter().skip(settled).cloned().collect();
        let again: Vec<_> =
            later.iter().map(|to| (to.clone(), self.destination(to), at(self.now + pause))).collect();
        self.scheduler.finish(dispatch.id, &dispatch.destination, again);
        for to in later {
            self.waiting.insert((dispatch.id.0, to), self.now + pause);
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Insert { id, recipients, due } => {
                let due = self.now + due;
                let mut new = Vec::new();
                for (local, place) in recipients {
                    let to = mailbox(&format!("u{local}@d{place}.example"));
                    let flies =
                        |to: &Mailbox| self.flying.iter().any(|d| d.id.0 == id && d.recipients.contains(to));
                    if !self.waiting.contains_key(&(id, to.clone())) && !flies(&to) {
                        self.waiting.insert((id, to.clone()), due);
                    }
                    new.push((to.clone(), self.destination(&to), at(due)));
                }
                self.scheduler.insert(QueueId(id), false, new);
            }
            Step::Advance(seconds) => self.now += seconds,
            Step::Next => {
                let dispatch = self.scheduler.next(at(self.now));
                self.take_off(dispatch);
            }
            Step::NextFor(place) => {
                let dispatch = self.scheduler.next_for(&Self::place(place), at(self.now));
                self.take_off(dispatch);
            }
            Step::Finish { nth, settled, pause } => {
                if !self.flying.is_empty() {
                    let dispatch = self.flying.remove(nth % self.flying.len());
                    self.land(dispatch, settled, pause);
                }
            }
            Step::Suspend(place) => self.scheduler.suspend(&Self::place(place), "dead", at(self.now)),
            Step::Resume(place) => self.scheduler.resume(&Self::place(place)),
            Step::Hold(id) => {
                self.scheduler.hold(QueueId(id));
                self.held.insert(id);
            }
            Step::Release(id) => {
                self.scheduler.release(QueueId(id));
                self.held.remove(&id);
            }
            Step::Retry(id) => {
                self.scheduler.retry(QueueId(id), at(self.now));
                let now = self.now;
                self.waiting.iter_mut().filter(|((of, _), _)| *of == id).for_each(|(_, due)| *due = now);
            }
            Step::Remove(id) => {
                let removed = self.scheduler.remove(QueueId(id));
                let count = self.waiting.len();
                self.waiting.retain(|(of, _), _| *of != id);
                assert_eq!(removed.len(), count - self.waiting.len());
            }
            Step::Regroup(merged) => {
                self.merged = merged;
                let smarthost = Destination::Fixed("smart.example:25".parse().unwrap());
                self.scheduler.regroup(|to| if merged { smarthost.clone() } else { destination(to) });
            }
        }
        self.forget_held_of_gone_entries();
    }

    /// In the end everything that was ever put in comes out.
    fn drain(&mut self) {
        for id in std::mem::take(&mut self.held) {
            self.scheduler.release(QueueId(id));
        }
        for _ in 0..1000 {
            while let Some(dispatch) = self.flying.pop() {
                let settled = if dispatch.suspended.is_some() { 0 } else { usize::MAX };
                self.land(dispatch, settled, 30);
            }
            self.now += 20;
            while let Some(dispatch) = self.scheduler.next(at(self.now)) {
                self.take_off(Some(dispatch));
            }
            if self.flying.is_empty() && self.waiting.is_empty() {
                break;
            }
        }
        assert!(self.waiting.is_empty(), "forgotten: {:?}", self.waiting);
        assert!(self.scheduler.is_empty());
        assert_eq!((self.scheduler.in_flight(), self.scheduler.next_wakeup()), (0, None));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn none_twice_and_none_forgotten(steps in steps()) {
        let mut model = Model {
            scheduler: Scheduler::new(LIMITS),
            now: 0,
            waiting: BTreeMap::new(),
            held: BTreeSet::new(),
            flying: Vec::new(),
            merged: false,
        };
        for step in steps {
            model.step(step);
        }
        model.drain();
    }
}
