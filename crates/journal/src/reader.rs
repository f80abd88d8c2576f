//! Finding records: a segment at a time is taken into memory, lines are sieved before they are parsed.

use crate::{
    Query, Record,
    segments::{self, Segment},
};
use std::{
    fs, io,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

/// From which end to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// As it happened.
    OldestFirst,
    /// The latest first.
    NewestFirst,
}

/// Reads a journal's folder, also while a server writes to it. Lines that are no records (torn by a
/// crash, or from a later version) are passed over.
#[derive(Debug, Clone)]
pub struct Reader {
    folder: PathBuf,
}

impl Reader {
    /// Of this folder (`DIR/journal`). One that does not exist is an empty journal.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Reader { folder: folder.into() }
    }

    /// Up to `limit` records that match.
    pub fn find(&self, query: &Query, direction: Direction, limit: usize) -> io::Result<Vec<Record>> {
        let mut found = Vec::new();
        if limit == 0 {
            return Ok(found);
        }
        let sieve = query.sieve();
        self.scan(direction, |line| {
            if sieve.passes(line)
                && let Ok(record) = serde_json::from_slice::<Record>(line)
                && query.matches(&record)
            {
                found.push(record);
            }
            if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok(found)
    }

    /// Hands over every line until told to stop.
    pub(crate) fn scan(
        &self,
        direction: Direction,
        mut each: impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> io::Result<()> {
        let mut segments = match segments::list(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            listed => listed?,
        };
        if direction == Direction::NewestFirst {
            segments.reverse();
        }
        for Segment { path, .. } in &segments {
            let Some(octets) = read_if_there(path)? else { continue };
            if lines(&octets, direction, &mut each).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// The writer may have removed it since the folder was listed.
fn read_if_there(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    }
}

fn lines(
    octets: &[u8],
    direction: Direction,
    each: &mut impl FnMut(&[u8]) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let mut rest = octets;
    match direction {
        Direction::OldestFirst => {
            while let Some(end) = memchr::memchr(b'\n', rest) {
                each(&rest[..end])?;
                rest = &rest[end + 1..];
            }
            each(rest)
        }
        Direction::NewestFirst => {
            while let Some(end) = memchr::memrchr(b'\n', rest) {
                each(&rest[end + 1..])?;
                rest = &rest[..end];
            }
            each(rest)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Event;

    fn line(id: &str) -> String {
        let event = Event::Operator { id: Some(id.into()), action: "held".into() };
        serde_json::to_string(&Record { at: "2026-11-23T18:45:00Z".parse().expect("a time"), event })
            .expect("serializes")
    }

    fn ids(records: &[Record]) -> Vec<&str> {
        records.iter().filter_map(|record| record.event.queue_id()).collect()
    }

    #[test]
    fn both_directions_skip_what_is_torn_or_unknown() {
        let folder = tempfile::tempdir().expect("a folder");
        let unknown = r#"{"at":"2026-11-23T18:45:00Z","event":"from-the-future"}"#;
        let first = format!("{}\n{unknown}\n{}\n{{\"at\":\"2026-\n", line("a"), line("b"));
        let second = format!("{}\n{}\n{}", line("c"), line("d"), &line("e")[..20]);
        fs::write(folder.path().join("0000000000000001.jsonl"), first).expect("writes");
        fs::write(folder.path().join("0000000000000002.jsonl"), second).expect("writes");
        let reader = Reader::new(folder.path());
        let oldest = reader.find(&Query::All, Direction::OldestFirst, 10).expect("reads");
        assert_eq!(ids(&oldest), ["a", "b", "c", "d"]);
        let newest = reader.find(&Query::All, Direction::NewestFirst, 3).expect("reads");
        assert_eq!(ids(&newest), ["d", "c", "b"]);
        let one = reader.find(&Query::QueueId("c".into()), Direction::OldestFirst, 9).expect("reads");
        assert_eq!(ids(&one), ["c"]);
    }

    #[test]
    fn a_journal_that_never_was_is_empty() {
        let folder = tempfile::tempdir().expect("a folder");
        let reader = Reader::new(folder.path().join("journal"));
        assert!(reader.find(&Query::All, Direction::OldestFirst, 10).expect("reads").is_empty());
    }
}
