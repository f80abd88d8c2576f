//! The handle: noting an event is a clock reading and a push onto a bounded queue.

use crate::{
    Event, Record, limits,
    segments::Segments,
    writer::{self, Pending},
};
use jiff::{Timestamp, Unit};
use std::{
    collections::VecDeque,
    fmt, io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};
use thiserror::Error;

/// Where the journal reads the time.
pub type ClockFn = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The journal can't be opened.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The folder can't be made or listed, or the newest segment not be opened.
    #[error("the journal in {folder}: {source}")]
    Folder {
        /// Which folder.
        folder: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Where the journal lies and how much it may hold.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder of the segments; made if absent.
    pub folder: PathBuf,
    /// Octets of all segments together; the oldest segment goes first.
    pub total_octets_max: u64,
    /// How long records are kept.
    pub age_max: Duration,
}

impl Settings {
    /// The default bounds.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Settings {
            folder: folder.into(),
            total_octets_max: limits::TOTAL_OCTETS_DEFAULT,
            age_max: limits::AGE_DEFAULT,
        }
    }
}

/// Sees every record once, in order, on the writer's thread (for logs, counters, the demo).
/// It should be quick: while it works nothing is written.
pub trait Observer: Send + Sync {
    /// A record was noted.
    fn seen(&self, record: &Record);
}

impl<F: Fn(&Record) + Send + Sync> Observer for F {
    fn seen(&self, record: &Record) {
        self(record)
    }
}

/// Hands each record to `tracing`, as structured logs.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogObserver;

impl Observer for LogObserver {
    fn seen(&self, record: &Record) {
        crate::story::log(record);
    }
}

/// Notes events. Cheap to clone; when the last clone goes, what was noted is written.
#[derive(Clone)]
pub struct Journal(Arc<Form>);

enum Form {
    None,
    Memory { records: Mutex<VecDeque<Record>>, observers: Mutex<Vec<Arc<dyn Observer>>>, clock: ClockFn },
    Files { pending: Arc<Pending>, clock: ClockFn, writer: Option<JoinHandle<()>> },
}

impl Journal {
    /// Opens the journal in a folder and starts its writer.
    pub fn open(settings: Settings, clock: ClockFn) -> Result<Self, JournalError> {
        let folder = settings.folder.clone();
        let fail = |source| JournalError::Folder { folder: folder.clone(), source };
        let segments = Segments::open(settings).map_err(fail)?;
        let pending = Arc::new(Pending::new());
        let thread = std::thread::Builder::new().name("journal".into());
        let theirs = Arc::clone(&pending);
        let writer = thread.spawn(move || writer::run(&theirs, segments)).map_err(fail)?;
        Ok(Journal(Arc::new(Form::Files { pending, clock, writer: Some(writer) })))
    }

    /// A journal that keeps nothing.
    pub fn none() -> Self {
        Journal(Arc::new(Form::None))
    }

    /// A journal in memory, for tests: see [`Self::records`].
    pub fn memory(clock: ClockFn) -> Self {
        let (records, observers) = (Mutex::default(), Mutex::default());
        Journal(Arc::new(Form::Memory { records, observers, clock }))
    }

    /// Notes an event. Never waits: when the writer is too far behind, the event is counted as lost,
    /// and a [`Event::Lost`] is written in its place.
    pub fn note(&self, event: Event) {
        match &*self.0 {
            Form::None => {}
            Form::Memory { records, observers, clock } => {
                let record = Record { at: rounded(clock()), event };
                for observer in observers.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                    observer.seen(&record);
                }
                let mut records = records.lock().unwrap_or_else(PoisonError::into_inner);
                if records.len() == limits::MEMORY_RECORDS_MAX {
                    records.pop_front();
                }
                records.push_back(record);
            }
            Form::Files { pending, clock, .. } => pending.push(Record { at: rounded(clock()), event }),
        }
    }

    /// Lets `observer` see every record noted from now on.
    pub fn observe(&self, observer: Arc<dyn Observer>) {
        match &*self.0 {
            Form::None => {}
            Form::Memory { observers, .. } => {
                observers.lock().unwrap_or_else(PoisonError::into_inner).push(observer);
            }
            Form::Files { pending, .. } => pending.observe(observer),
        }
    }

    /// Waits until all that was noted before is written. Blocks the thread for a few milliseconds at
    /// most on a healthy disk.
    pub fn flush(&self) {
        if let Form::Files { pending, .. } = &*self.0 {
            pending.flush();
        }
    }

    /// What a memory journal holds, oldest first; empty for the other forms.
    pub fn records(&self) -> Vec<Record> {
        match &*self.0 {
            Form::Memory { records, .. } => {
                records.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
            }
            Form::None | Form::Files { .. } => Vec::new(),
        }
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &*self.0 {
            Form::None => "Journal(none)",
            Form::Memory { .. } => "Journal(memory)",
            Form::Files { .. } => "Journal(files)",
        })
    }
}

impl Drop for Form {
    fn drop(&mut self) {
        if let Form::Files { pending, writer, .. } = self {
            pending.close();
            // An observer may hold the last handle: then this runs on the writer's own thread.
            if let Some(writer) =
                writer.take().filter(|writer| writer.thread().id() != std::thread::current().id())
            {
                let _ = writer.join();
            }
        }
    }
}

/// Milliseconds: finer parts tell nothing and cost six octets in each record.
fn rounded(at: Timestamp) -> Timestamp {
    at.round(Unit::Millisecond).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Direction, Query, Reader};
    use std::sync::atomic::{AtomicU64, Ordering};

    fn clock() -> ClockFn {
        Arc::new(|| "2026-11-23T18:45:00.123456Z".parse().expect("a time"))
    }

    fn fetched(number: u64) -> Event {
        Event::Fetched {
            session: number,
            account: "bob@south.example".parse().expect("an address"),
            id: format!("{number:013}"),
            deleted: false,
        }
    }

    #[test]
    fn what_was_noted_is_read_back_in_order() {
        let folder = tempfile::tempdir().expect("a folder");
        let journal = Journal::open(Settings::new(folder.path()), clock()).expect("opens");
        let seen = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&seen);
        journal.observe(Arc::new(move |_: &Record| {
            counter.fetch_add(1, Ordering::Relaxed);
        }));
        for number in 0..1000 {
            journal.note(fetched(number));
        }
        journal.flush();
        let records =
            Reader::new(folder.path()).find(&Query::All, Direction::OldestFirst, 5000).expect("reads");
        assert_eq!(records.len(), 1000);
        assert!(records.iter().enumerate().all(|(number, record)| record.event == fetched(number as u64)));
        assert_eq!(seen.load(Ordering::Relaxed), 1000);
        assert_eq!(records[0].at.to_string(), "2026-11-23T18:45:00.123Z");
    }

    #[test]
    fn dropping_the_last_handle_writes_all_and_a_later_one_goes_on() {
        let folder = tempfile::tempdir().expect("a folder");
        for round in 0..3 {
            let journal = Journal::open(Settings::new(folder.path()), clock()).expect("opens");
            journal.note(fetched(round));
        }
        let records =
            Reader::new(folder.path()).find(&Query::All, Direction::NewestFirst, 10).expect("reads");
        let events: Vec<Event> = records.into_iter().map(|record| record.event).collect();
        assert_eq!(events, [fetched(2), fetched(1), fetched(0)]);
        assert_eq!(
            std::fs::read_dir(folder.path()).expect("lists").count(),
            1,
            "one segment is gone on with"
        );
    }

    #[test]
    fn memory_keeps_and_none_forgets() {
        let memory = Journal::memory(clock());
        memory.note(fetched(1));
        assert_eq!(memory.records().len(), 1);
        let none = Journal::none();
        none.note(fetched(1));
        assert!(none.records().is_empty());
    }

    #[test]
    fn a_slow_writer_loses_events_and_says_so() {
        let folder = tempfile::tempdir().expect("a folder");
        let journal = Journal::open(Settings::new(folder.path()), clock()).expect("opens");
        let gate = Arc::new(Mutex::new(()));
        let held = gate.lock().expect("free");
        let theirs = Arc::clone(&gate);
        journal.observe(Arc::new(move |_: &Record| drop(theirs.lock())));
        // More than may wait and more than may be in the writer's hands.
        let noted = 2 * limits::PENDING_EVENTS_MAX as u64 + 7;
        for number in 0..noted {
            journal.note(fetched(number));
        }
        drop(held);
        journal.flush();
        let records =
            Reader::new(folder.path()).find(&Query::All, Direction::OldestFirst, usize::MAX).expect("reads");
        let lost: u64 = records
            .iter()
            .map(|record| if let Event::Lost { events } = record.event { events } else { 0 })
            .sum();
        let kept = records.iter().filter(|record| !matches!(record.event, Event::Lost { .. })).count() as u64;
        assert!(lost >= 7, "{lost} lost");
        assert_eq!(kept + lost, noted);
    }
}
