//! Upkeep: giving space back, and moving the index's log into its file; in the background.

use super::applier::Item;
use super::core::Core;
use super::index::beside;
use super::log::Request;
use super::rewriting::{Candidates, Step};
use super::volume::Range;
use crate::StoreError;
use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Octets of the index's write-ahead log that are worth moving.
const WAL_OCTETS: u64 = 16 * 1024 * 1024;
/// Dead contents that are given back in one go.
const GARBAGE_ROWS: usize = 4096;

/// What one round of upkeep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Maintained {
    /// Octets of contents that nobody needs, whose blocks were given back.
    pub given_back_octets: u64,
    /// Octets that were written again.
    pub moved_octets: u64,
    /// Volumes that are gone.
    pub volumes_unlinked: u64,
}

/// Tells the upkeep thread to end.
#[derive(Default)]
pub(super) struct Stop {
    stopping: Mutex<bool>,
    wake: Condvar,
}

impl Stop {
    pub(super) fn stop(&self) {
        *self.stopping.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.wake.notify_all();
    }

    /// Waits so long; whether it is time to end.
    fn wait(&self, time: Duration) -> bool {
        let stopping = self.stopping.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.wake.wait_timeout_while(stopping, time, |stopping| !*stopping);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// The thread's work, until the store stops.
pub(super) fn run(core: &Arc<Core>, stop: &Stop, interval: Duration) {
    let mut live_before = HashMap::new();
    while !stop.wait(interval) {
        if core.check_failure().is_err() {
            return;
        }
        // Throttled: mail comes first.
        let rest = || stop.wait(core.settings.upkeep_rest);
        let worked = at_rest(core, &mut live_before).and_then(|candidates| round(core, &candidates, rest));
        if let Err(error) = worked {
            tracing::warn!(%error, "upkeep could not be finished");
        }
    }
}

/// Volumes of which nothing has died since the round before. Of the others (mail that is relayed as
/// quickly as it comes) the rest will be gone in a moment by itself, and would be moved for nothing.
fn at_rest(core: &Core, live_before: &mut HashMap<u64, u64>) -> Result<Candidates, StoreError> {
    let rows = core.ask_blocking(|index| index.volumes())?;
    let live: HashMap<u64, u64> = rows.iter().map(|row| (row.number, row.live)).collect();
    let before = std::mem::replace(live_before, live);
    let unchanged = rows.iter().filter(|row| before.get(&row.number) == Some(&row.live));
    Ok(Candidates::Of(Arc::new(unchanged.map(|row| row.number).collect())))
}

/// One round; `rest` is called between steps and says whether to break off.
pub(super) fn round(
    core: &Core,
    candidates: &Candidates,
    mut rest: impl FnMut() -> bool,
) -> Result<Maintained, StoreError> {
    let _upkeep = core.upkeep.lock().unwrap_or_else(PoisonError::into_inner);
    let mut maintained = Maintained::default();
    let wal = std::fs::metadata(beside(&core.index_path, "-wal")).map_or(0, |metadata| metadata.len());
    if wal >= WAL_OCTETS {
        core.ask_blocking(|index| index.checkpoint())?;
    }
    loop {
        let (octets, more) = give_back(core)?;
        maintained.given_back_octets += octets;
        if !more || rest() {
            break;
        }
    }
    loop {
        // Before the log writer waits for it.
        core.applier.catch_up(core.durable.load(std::sync::atomic::Ordering::Acquire))?;
        let (done, stepped) = oneshot::channel();
        core.log.push(Request::Rewrite(candidates.clone(), done));
        let step = stepped.blocking_recv().map_err(|_| StoreError::Failed("the store was closed".into()))?;
        match step? {
            Step::Idle => return Ok(maintained),
            Step::Moved(octets) | Step::Drained(octets) => maintained.moved_octets += octets as u64,
            Step::Unlinked => maintained.volumes_unlinked += 1,
        }
        if rest() {
            return Ok(maintained);
        }
    }
}

/// Punches holes where nobody needs what is there. Whether there is more to do.
fn give_back(core: &Core) -> Result<(u64, bool), StoreError> {
    let until = core.leases.oldest().min(core.applier.applied());
    let (rows, newest) =
        core.ask_blocking(|index| Ok((index.garbage(until, GARBAGE_ROWS)?, index.read_mark()?.volume)))?;
    // The newest volume is left alone: if power fails, its contents are checked to find its end.
    let rows: Vec<_> = rows.into_iter().filter(|row| row.volume < newest).collect();
    let mut octets = 0;
    for of_volume in rows.chunk_by(|one, other| one.volume == other.volume) {
        let range = |row: &super::index::GarbageRow| Range {
            volume: row.volume,
            offset: row.offset,
            octets: row.octets,
        };
        let ranges: Vec<Range> = of_volume.iter().map(range).collect();
        core.volumes.punch(of_volume[0].volume, &ranges)?;
        octets += ranges.iter().map(|range| range.octets).sum::<u64>();
    }
    if !rows.is_empty() {
        let places = rows.iter().map(|row| (row.volume, row.offset)).collect();
        core.applier.push([Item::ForgetGarbage(places)]);
        // So that the next look does not find them again.
        let (done, forgotten) = oneshot::channel();
        core.applier.push([Item::Checkpoint(done)]);
        forgotten.blocking_recv().map_err(|_| StoreError::Failed("the index has stopped".into()))?;
    }
    Ok((octets, rows.len() == GARBAGE_ROWS))
}
