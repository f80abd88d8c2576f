//! The files: segments of JSON lines named by the time of their first record, the newest written to.

use crate::{Settings, limits};
use jiff::Timestamp;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

const SUFFIX: &str = ".jsonl";

/// One file of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Milliseconds since 1970 of the first record; also the file's name, so that names sort by time.
    pub(crate) began_ms: i64,
    pub(crate) path: PathBuf,
    pub(crate) octets: u64,
}

/// The segments of a folder, oldest first. Files with other names are left alone.
pub(crate) fn list(folder: &Path) -> io::Result<Vec<Segment>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(began_ms) = name.to_str().and_then(|name| name.strip_suffix(SUFFIX)?.parse().ok()) else {
            continue;
        };
        // Gone meanwhile: the writer removed the oldest.
        let Ok(metadata) = entry.metadata() else { continue };
        segments.push(Segment { began_ms, path: entry.path(), octets: metadata.len() });
    }
    segments.sort_by_key(|segment| segment.began_ms);
    Ok(segments)
}

/// The writer's view of the folder.
pub(crate) struct Segments {
    settings: Settings,
    segment_octets_max: u64,
    segments: Vec<Segment>,
    newest: Option<File>,
    newest_at: Timestamp,
}

impl Segments {
    pub(crate) fn open(settings: Settings) -> io::Result<Self> {
        fs::create_dir_all(&settings.folder)?;
        let segments = list(&settings.folder)?;
        let segment_octets_max = (settings.total_octets_max / limits::SEGMENTS_MIN)
            .clamp(limits::SEGMENT_OCTETS_MIN, limits::SEGMENT_OCTETS_MAX);
        let newest_at = segments
            .last()
            .and_then(|segment| Timestamp::from_millisecond(segment.began_ms).ok())
            .unwrap_or(Timestamp::UNIX_EPOCH);
        let mut this = Segments { settings, segment_octets_max, segments, newest: None, newest_at };
        this.resume()?;
        Ok(this)
    }

    /// Goes on with the newest segment; a line torn by a crash is ended, so that only it is lost.
    fn resume(&mut self) -> io::Result<()> {
        let Some(last) = self.segments.last_mut() else { return Ok(()) };
        let mut file = OpenOptions::new().read(true).append(true).open(&last.path)?;
        if last.octets > 0 {
            let mut octet = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut octet)?;
            if octet != *b"\n" {
                file.write_all(b"\n")?;
                last.octets += 1;
            }
        }
        self.newest = Some(file);
        Ok(())
    }

    /// The time of the last record written.
    pub(crate) fn newest_at(&self) -> Timestamp {
        self.newest_at
    }

    /// Appends whole lines, in one write unless they are more than a segment may hold.
    pub(crate) fn append(&mut self, lines: &[u8], first: Timestamp, last: Timestamp) -> io::Result<()> {
        let mut rest = lines;
        while !rest.is_empty() {
            let fits = rest.len().min(self.segment_octets_max as usize);
            let end = match memchr::memrchr(b'\n', &rest[..fits]) {
                Some(at) => at + 1,
                None => memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1),
            };
            self.append_piece(&rest[..end], first.as_millisecond())?;
            rest = &rest[end..];
        }
        self.newest_at = last;
        Ok(())
    }

    fn append_piece(&mut self, lines: &[u8], now_ms: i64) -> io::Result<()> {
        let full = self.segments.last().is_none_or(|segment| {
            segment.octets > 0
                && (segment.octets + lines.len() as u64 > self.segment_octets_max
                    || now_ms - segment.began_ms > millis(limits::SEGMENT_AGE_MAX))
        });
        if full || self.newest.is_none() {
            self.begin(now_ms)?;
            self.forget(now_ms);
        }
        let (Some(file), Some(segment)) = (&mut self.newest, self.segments.last_mut()) else { return Ok(()) };
        if let Err(error) = file.write_all(lines) {
            // Part of it may be there: the next line must not be joined to it.
            self.newest = None;
            return Err(error);
        }
        segment.octets += lines.len() as u64;
        Ok(())
    }

    fn begin(&mut self, now_ms: i64) -> io::Result<()> {
        // Later than all others even when the clock was set back: the order of names is the order of time.
        let began_ms = self.segments.last().map_or(now_ms, |last| now_ms.max(last.began_ms + 1));
        let path = self.settings.folder.join(format!("{began_ms:016}{SUFFIX}"));
        self.newest = Some(OpenOptions::new().append(true).create(true).open(&path)?);
        self.segments.push(Segment { began_ms, path, octets: 0 });
        Ok(())
    }

    /// Removes what is too old or too much; the newest always stays.
    fn forget(&mut self, now_ms: i64) {
        // The new segment will fill up; count it as full, so that the bound holds at any time.
        let mut total: u64 =
            self.segments.iter().map(|segment| segment.octets).sum::<u64>() + self.segment_octets_max;
        while self.segments.len() > 1 {
            // A segment's last record is no younger than the next one's first.
            let too_old = now_ms - self.segments[1].began_ms > millis(self.settings.age_max);
            if !too_old && total <= self.settings.total_octets_max {
                break;
            }
            let oldest = self.segments.remove(0);
            total -= oldest.octets;
            if let Err(error) = fs::remove_file(&oldest.path) {
                tracing::warn!(path = %oldest.path.display(), %error, "an old segment of the journal stays");
            }
        }
    }
}

fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).expect("a time")
    }

    fn settings(folder: &Path, total: u64) -> Settings {
        Settings {
            folder: folder.into(),
            total_octets_max: total,
            age_max: Duration::from_secs(10 * 24 * 3600),
        }
    }

    #[test]
    fn the_whole_stays_within_its_size() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut segments = Segments::open(settings(folder.path(), 64 << 10)).expect("opens");
        let line = [[b'x'; 999].as_slice(), b"\n"].concat();
        for second in 0..500 {
            segments.append(&line, at(second), at(second)).expect("writes");
            let total: u64 = list(folder.path()).expect("lists").iter().map(|segment| segment.octets).sum();
            assert!(total <= 64 << 10, "{total}");
        }
        let total: u64 = list(folder.path()).expect("lists").iter().map(|segment| segment.octets).sum();
        assert!(total > 48 << 10, "as much as may be is kept: {total}");
    }

    #[test]
    fn a_batch_larger_than_a_segment_is_divided_between_lines() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut segments = Segments::open(settings(folder.path(), 64 << 10)).expect("opens");
        let lines = [[b'x'; 99].as_slice(), b"\n"].concat().repeat(500);
        segments.append(&lines, at(0), at(1)).expect("writes");
        let listed = list(folder.path()).expect("lists");
        assert!(listed.len() > 10 && listed.iter().all(|segment| segment.octets % 100 == 0));
        assert_eq!(listed.iter().map(|segment| segment.octets).sum::<u64>(), 50_000);
    }

    #[test]
    fn what_is_too_old_goes() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut segments = Segments::open(settings(folder.path(), 1 << 30)).expect("opens");
        for day in 0..40 {
            segments.append(b"x\n", at(day * 86_401), at(day * 86_401)).expect("writes");
        }
        assert!((10..=13).contains(&list(folder.path()).expect("lists").len()));
    }

    #[test]
    fn a_torn_line_does_not_spoil_the_next() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("0001800000000000.jsonl"), "whole\nto").expect("writes");
        fs::write(folder.path().join("notes.txt"), "not ours").expect("writes");
        let mut segments = Segments::open(settings(folder.path(), 1 << 20)).expect("opens");
        segments.append(b"next\n", at(1), at(1)).expect("writes");
        let text = fs::read_to_string(folder.path().join("0001800000000000.jsonl")).expect("reads");
        assert_eq!(text, "whole\nto\nnext\n");
    }

    #[test]
    fn names_grow_even_when_the_clock_goes_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut segments = Segments::open(settings(folder.path(), 64 << 10)).expect("opens");
        let line = [[b'x'; 3999].as_slice(), b"\n"].concat();
        for second in [5, 3, 1] {
            segments.append(&line, at(second), at(second)).expect("writes");
        }
        let began: Vec<i64> =
            list(folder.path()).expect("lists").iter().map(|segment| segment.began_ms).collect();
        assert_eq!(began, [at(5).as_millisecond(), at(5).as_millisecond() + 1, at(5).as_millisecond() + 2]);
    }
}
