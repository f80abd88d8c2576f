//! Checking: whether the volumes are as they were written, and the index says what they say.

use super::core::Core;
use super::fact::Fact;
use super::index::{Index, IndexError, Mark, beside, remove_files};
use super::replay::Replay;
use super::volume::Walk;
use crate::StoreError;
use std::fmt;
use std::sync::PoisonError;

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Volumes looked through.
    pub volumes: usize,
    /// Records in them.
    pub records: u64,
    /// Contents that are needed, checked octet by octet.
    pub contents: u64,
    /// Their octets.
    pub octets: u64,
    /// What is wrong. Empty: all is well.
    pub problems: Vec<Problem>,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where: volume and offset, if it is in a volume.
    pub place: Option<(u64, u64)>,
    /// What, in words.
    pub what: String,
    /// What to do about it.
    pub repair: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((volume, offset)) = self.place {
            write!(f, "volume {volume} at {offset}: ")?;
        }
        write!(f, "{}. {}", self.what, self.repair)
    }
}

const REBUILD: &str = "Repair: `posta store rebuild` makes the index anew from the volumes";

/// Checks an open store. Space is not given back meanwhile; all else goes on.
pub(super) fn check(core: &Core) -> Result<CheckReport, StoreError> {
    let _upkeep = core.upkeep.lock().unwrap_or_else(PoisonError::into_inner);
    let expected_path = beside(&core.index_path, ".check");
    let outcome = check_against(core, &expected_path);
    remove_files(&expected_path)?;
    outcome
}

fn check_against(core: &Core, expected_path: &std::path::Path) -> Result<CheckReport, StoreError> {
    let _gate = core.readers.gate.read().unwrap_or_else(PoisonError::into_inner);
    let mut expected = Index::create(expected_path, &core.store_id)?;
    // A connection of its own: it is not given to others with another index attached.
    let mut index = Index::open(&core.index_path, &core.store_id)?;
    index.attach(expected_path)?;
    let mark = index.begin_reading()?;
    let list: Vec<u64> = core.volumes.list()?.into_iter().filter(|number| *number <= mark.volume).collect();
    let mut report = CheckReport { volumes: list.len(), ..CheckReport::default() };
    for (volume, offset, why) in index.damage()? {
        report.problems.push(volume_problem(core, volume, offset, why));
    }
    for number in &list {
        if let Err(why) = core.volumes.header(*number)? {
            report.add(volume_problem(core, *number, 0, format!("the volume's header: {why}")));
        }
        check_volume(core, &index, *number, mark, &mut report)?;
    }
    let mut replay = Replay::new(&core.volumes, &core.store_id, &mut expected, Some(mark));
    replay.sealed(&list)?;
    for difference in index.differences()? {
        report.add(Problem { place: None, what: difference, repair: REBUILD.into() });
    }
    index.end_reading()?;
    index.detach()?;
    Ok(report)
}

impl CheckReport {
    fn add(&mut self, problem: Problem) {
        let known = problem.place.is_some() && self.problems.iter().any(|other| other.place == problem.place);
        if !known {
            self.problems.push(problem);
        }
    }
}

fn volume_problem(core: &Core, volume: u64, offset: u64, what: String) -> Problem {
    let repair = format!(
        "Repair: bring {} back from a backup, then `posta store rebuild`; all other mail can be read meanwhile",
        core.volumes.path(volume).display()
    );
    Problem { place: Some((volume, offset)), what, repair }
}

/// Walks through one volume: headers, facts, and the contents that are needed.
fn check_volume(
    core: &Core,
    index: &Index,
    number: u64,
    mark: Mark,
    report: &mut CheckReport,
) -> Result<(), IndexError> {
    let end = (number == mark.volume).then_some(mark.offset);
    let mut walk = Walk::new(&core.volumes, &core.store_id, number, 0, end)?;
    while let Some(found) = walk.next()? {
        let record = match found {
            Ok(record) => record,
            Err(bad) => {
                report.add(volume_problem(core, number, bad.offset, bad.why.0.to_owned()));
                if bad.next.is_none() {
                    let next = walk.find_record_after(bad.offset)?.map(|record| record.offset);
                    walk.go_to(next.unwrap_or(walk.end()));
                }
                continue;
            }
        };
        report.records += 1;
        let id = match Fact::decode(record.header.kind, &record.meta) {
            Ok(Fact::Accepted(accepted)) => accepted.id,
            Ok(Fact::Kept(kept)) => kept.id,
            Ok(Fact::Chunk { id }) => id,
            Ok(_) => continue,
            Err(why) => {
                report.add(volume_problem(core, number, record.offset, why.0.to_owned()));
                continue;
            }
        };
        // What nobody needs may have been given back.
        if record.header.content_octets == 0 || !index.content_at(id, number, record.content_offset())? {
            continue;
        }
        report.contents += 1;
        report.octets += u64::from(record.header.content_octets);
        if !walk.content_is_whole(&record)? {
            let what = format!("the content of message {id} does not match its checksum");
            report.add(volume_problem(core, number, record.offset, what));
        }
    }
    Ok(())
}
