//! Between the handles and the files: a bounded queue, and the thread that empties it.

use crate::{Event, Observer, Record, limits, segments::Segments};
use serde::Serialize;
use std::{
    io::Write,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

/// What waits for the writer.
pub(crate) struct Pending {
    state: Mutex<State>,
    /// Wakes the writer.
    work: Condvar,
    /// Wakes those who wait in [`Pending::flush`].
    done: Condvar,
}

#[derive(Default)]
struct State {
    records: Vec<Record>,
    new_observers: Vec<Arc<dyn Observer>>,
    lost: u64,
    /// The writer sleeps until there is a first event.
    idle: bool,
    /// Somebody waits: gather no longer.
    urgent: bool,
    closed: bool,
    /// Batches begun and batches written; a flush waits for the batch after the one under way.
    begun: u64,
    written: u64,
}

impl Pending {
    pub(crate) fn new() -> Self {
        Pending { state: Mutex::default(), work: Condvar::new(), done: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, record: Record) {
        let mut state = self.lock();
        if state.records.len() >= limits::PENDING_EVENTS_MAX || state.closed {
            state.lost += 1;
            return;
        }
        state.records.push(record);
        // One waking per batch, not per event; a long queue cuts the gathering short.
        let wake = state.idle || state.records.len() == limits::PENDING_EVENTS_MAX / 2;
        state.idle = false;
        drop(state);
        if wake {
            self.work.notify_one();
        }
    }

    pub(crate) fn observe(&self, observer: Arc<dyn Observer>) {
        self.lock().new_observers.push(observer);
    }

    pub(crate) fn flush(&self) {
        let mut state = self.lock();
        if state.closed || (state.records.is_empty() && state.begun == state.written && state.lost == 0) {
            return;
        }
        let wanted = state.begun + 1;
        state.urgent = true;
        self.work.notify_one();
        while state.written < wanted && !state.closed {
            state = self.done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.work.notify_one();
    }

    /// Waits for events and gathers some more; `None` after closing, when all is taken.
    fn take(&self) -> Option<Batch> {
        let mut state = self.lock();
        while state.records.is_empty() && !state.urgent && !state.closed && state.lost == 0 {
            state.idle = true;
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.idle = false;
        if !state.urgent && !state.closed && state.records.len() < limits::PENDING_EVENTS_MAX / 2 {
            state = self.work.wait_timeout(state, limits::GATHER).unwrap_or_else(PoisonError::into_inner).0;
        }
        if state.closed && state.records.is_empty() && state.lost == 0 {
            return None;
        }
        state.urgent = false;
        state.begun += 1;
        Some(Batch {
            records: std::mem::take(&mut state.records),
            lost: std::mem::take(&mut state.lost),
            new_observers: std::mem::take(&mut state.new_observers),
        })
    }

    fn finished(&self) {
        let mut state = self.lock();
        state.written = state.begun;
        drop(state);
        self.done.notify_all();
    }
}

struct Batch {
    records: Vec<Record>,
    lost: u64,
    new_observers: Vec<Arc<dyn Observer>>,
}

/// The writer's thread: one write per batch.
pub(crate) fn run(pending: &Pending, mut segments: Segments) {
    let mut observers: Vec<Arc<dyn Observer>> = Vec::new();
    let mut octets = Vec::new();
    let mut failing = false;
    while let Some(mut batch) = pending.take() {
        observers.append(&mut batch.new_observers);
        if batch.lost > 0 {
            let at = batch.records.last().map_or_else(|| segments.newest_at(), |record| record.at);
            batch.records.push(Record { at, event: Event::Lost { events: batch.lost } });
        }
        for record in &mut batch.records {
            bound_texts(&mut record.event);
            write_record(&mut octets, record);
        }
        if let (Some(first), Some(last)) = (batch.records.first(), batch.records.last()) {
            let result = segments.append(&octets, first.at, last.at);
            // The journal informs; a full disk must not stop the mail because of it. Said once.
            match result {
                Ok(()) => failing = false,
                Err(error) if !failing => {
                    failing = true;
                    tracing::error!(%error, "the journal can't be written; events are lost until it can");
                }
                Err(_) => {}
            }
        }
        for record in &batch.records {
            for observer in &observers {
                observer.seen(record);
            }
        }
        octets.clear();
        octets.shrink_to(1 << 20);
        pending.finished();
    }
    pending.finished();
}

/// `{"at":"…","event":…}`: as [`Record`] serializes, without the detour that flattening takes.
fn write_record(octets: &mut Vec<u8>, record: &Record) {
    #[derive(Serialize)]
    struct Head {
        at: jiff::Timestamp,
    }
    let start = octets.len();
    let written = serde_json::to_writer(&mut *octets, &Head { at: record.at }).is_ok();
    octets.pop();
    octets.push(b',');
    let body = octets.len();
    if !written || serde_json::to_writer(&mut *octets, &record.event).is_err() {
        octets.truncate(start);
        return;
    }
    octets.remove(body);
    let _ = octets.write_all(b"\n");
}

/// Cuts what a peer may have made long.
fn bound_texts(event: &mut Event) {
    match event {
        Event::Refused { reply, reason, message_id, .. } => {
            cut(reply);
            cut(reason);
            message_id.as_mut().map(cut);
        }
        Event::Accepted { message_id, .. } => {
            message_id.as_mut().map(cut);
        }
        Event::Outcome { detail, .. } => cut(detail),
        Event::Session { hello, .. } => {
            hello.as_mut().map(cut);
        }
        Event::Routed { steps, .. } => steps.iter_mut().for_each(cut),
        _ => {}
    }
}

fn cut(text: &mut String) {
    if text.len() > limits::TEXT_OCTETS_MAX {
        let end = text.floor_char_boundary(limits::TEXT_OCTETS_MAX);
        text.truncate(end);
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_what_serde_makes_of_the_record() {
        let record = Record {
            at: "2026-11-23T18:45:00.123Z".parse().expect("a time"),
            event: Event::Accepted {
                id: "0dqzt4x9h2k3m".into(),
                session: Some(7),
                peer: Some("127.0.0.1".parse().expect("an address")),
                from: "<alice@north.example>".parse().expect("a path"),
                to: vec![
                    "<bob@south.example>".parse().expect("a path"),
                    "<postmaster>".parse().expect("a path"),
                ],
                size_octets: 10240,
                message_id: Some("<1@north.example>".into()),
                reason: "hosted domain".into(),
            },
        };
        let mut line = Vec::new();
        write_record(&mut line, &record);
        let line = String::from_utf8(line).expect("UTF-8");
        assert_eq!(line.trim_end(), serde_json::to_string(&record).expect("serializes"));
        assert_eq!(serde_json::from_str::<Record>(&line).expect("parses"), record);
        assert!(line.ends_with("}\n") && line.len() < 300, "{line}");
    }

    #[test]
    fn long_words_of_a_peer_are_cut_between_characters() {
        let mut text = "é".repeat(limits::TEXT_OCTETS_MAX);
        cut(&mut text);
        assert!(text.len() <= limits::TEXT_OCTETS_MAX + '…'.len_utf8() && text.ends_with('…'));
    }
}
