//! Replay: bringing an index from its mark to the end of the volumes.
//!
//! Damage is never guessed away. Only at the very end, behind all that is known to have been synced,
//! may a record be torn: nobody was told that it is kept, and it is cut off.

use super::applier::apply_record;
use super::codec::Malformed;
use super::index::{Index, IndexError, Mark};
use super::volume::{BadSpot, Record, Volumes, Walk};

/// Records in one transaction.
const TRANSACTION_RECORDS: usize = 8 * 1024;

/// A place in a volume that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The volume's number.
    pub volume: u64,
    /// Where.
    pub offset: u64,
    /// What is wrong there.
    pub why: String,
}

/// A replay under way.
pub(super) struct Replay<'a> {
    volumes: &'a Volumes,
    store_id: &'a [u8; 16],
    index: &'a mut Index,
    /// How far is wanted: what lies behind may be in the middle of being written.
    until: Option<Mark>,
    records: usize,
    pub(super) damage: Vec<Damage>,
}

impl<'a> Replay<'a> {
    /// Up to where another index has come, or to the end.
    pub(super) fn new(
        volumes: &'a Volumes,
        store_id: &'a [u8; 16],
        index: &'a mut Index,
        until: Option<Mark>,
    ) -> Self {
        Replay { volumes, store_id, index, until, records: 0, damage: Vec::new() }
    }

    /// Records applied.
    pub(super) fn records(&self) -> usize {
        self.records
    }

    /// All volumes of the list from the mark on; the last is as whole as the others.
    pub(super) fn sealed(&mut self, list: &[u64]) -> Result<(), IndexError> {
        let mark = self.index.mark();
        self.index.begin()?;
        let last = self.until.map_or(u64::MAX, |until| until.volume);
        for number in list.iter().copied().filter(|number| (mark.volume..=last).contains(number)) {
            let from = if number == mark.volume { mark.offset } else { 0 };
            let end = self.until.filter(|until| until.volume == number).map(|until| until.offset);
            let mut walk = Walk::new(self.volumes, self.store_id, number, from, end)?;
            while let Some(found) = walk.next()? {
                match found {
                    Ok(record) => self.apply(&record)?,
                    Err(bad) => self.pass_over(&mut walk, number, bad)?,
                }
            }
        }
        self.index.commit()?;
        Ok(())
    }

    /// The newest volume, whose end may be torn. Returns where its good part ends.
    pub(super) fn newest(&mut self, number: u64) -> Result<u64, IndexError> {
        let mark = self.index.mark();
        let from = if number == mark.volume { mark.offset } else { 0 };
        let mut walk = Walk::new(self.volumes, self.store_id, number, from, None)?;
        self.index.begin()?;
        let end = loop {
            let offset = walk.offset();
            let Some(found) = walk.next()? else { break offset };
            let whole = match &found {
                Ok(record) => walk.content_is_whole(record)?,
                Err(_) => false,
            };
            if !whole && !synced_behind(&mut walk, offset)? {
                break offset;
            }
            match found {
                Err(bad) => self.pass_over(&mut walk, number, bad)?,
                Ok(record) => {
                    self.apply(&record)?;
                    if !whole {
                        // The fact is good: only the content is lost, and whoever reads it is told.
                        let why = Malformed("the checksum of a content does not match");
                        self.name(number, BadSpot { offset, next: None, why })?;
                    }
                }
            }
        };
        self.index.commit()?;
        Ok(end)
    }

    fn apply(&mut self, record: &Record) -> Result<(), IndexError> {
        if record.header.sequence <= self.index.mark().sequence {
            let why = Malformed("a record is out of order");
            return self.name(record.volume, BadSpot { offset: record.offset, next: None, why });
        }
        apply_record(self.index, record)?;
        self.records += 1;
        if self.records.is_multiple_of(TRANSACTION_RECORDS) {
            self.index.commit()?;
            self.index.begin()?;
        }
        Ok(())
    }

    fn pass_over(&mut self, walk: &mut Walk, volume: u64, bad: BadSpot) -> Result<(), IndexError> {
        let next = match bad.next {
            Some(next) => Some(next),
            None => walk.find_record_after(bad.offset)?.map(|record| record.offset),
        };
        walk.go_to(next.unwrap_or(walk.end()));
        self.name(volume, bad)
    }

    fn name(&mut self, volume: u64, bad: BadSpot) -> Result<(), IndexError> {
        tracing::error!(volume, offset = bad.offset, why = bad.why.0, "a volume is damaged");
        self.damage.push(Damage { volume, offset: bad.offset, why: bad.why.0.to_owned() });
        self.index.note_damage(volume, bad.offset, bad.why.0)
    }
}

/// Whether any record behind this place was written after the place had been synced. Then what is
/// wrong here is damage; else it is the torn end of what nobody was told is kept.
fn synced_behind(walk: &mut Walk, offset: u64) -> std::io::Result<bool> {
    let mut at = offset;
    while let Some(record) = walk.find_record_after(at)? {
        if record.header.synced_until > offset {
            return Ok(true);
        }
        at = record.offset;
    }
    Ok(false)
}
