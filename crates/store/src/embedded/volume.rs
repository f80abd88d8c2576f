//! Volumes as files: making, finding, opening, walking through, giving back.

use super::codec::Malformed;
use super::record::{
    self, FORMAT, HEADER_OCTETS, Header, MAGIC, TRAILER_OCTETS, VOLUME_HEADER_OCTETS, VolumeHeader,
};
use bytes::Bytes;
use rustix::fs::{FallocateFlags, fallocate};
use std::collections::{BTreeMap, HashMap};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Volumes that are kept open for reading.
const OPEN_FILES_MAX: usize = 64;
/// Holes begin and end here.
const BLOCK_OCTETS: u64 = 4096;
/// What one look at a volume reads while walking: header and fact, seldom much of the content.
const WINDOW_OCTETS: usize = 4 * 1024;

/// The folder of volumes.
pub(super) struct Volumes {
    folder: PathBuf,
    open: Mutex<OpenFiles>,
    /// What was given back since the store was opened: beginning and end, by volume.
    holes: Mutex<HashMap<u64, BTreeMap<u64, u64>>>,
    has_holes: AtomicBool,
}

#[derive(Default)]
struct OpenFiles {
    /// File and when it was used last, by volume.
    files: HashMap<u64, (Arc<File>, u64)>,
    uses: u64,
}

/// A part of a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) volume: u64,
    pub(super) offset: u64,
    pub(super) octets: u64,
}

impl Volumes {
    /// Makes the folder where it is missing.
    pub(super) fn new(folder: PathBuf) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        // The names of new folders must be durable before anything in them is.
        for above in folder.ancestors().skip(1).take(2).filter(|above| !above.as_os_str().is_empty()) {
            File::open(above)?.sync_all()?;
        }
        Ok(Volumes {
            folder,
            open: Mutex::default(),
            holes: Mutex::default(),
            has_holes: AtomicBool::new(false),
        })
    }

    pub(super) fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:010}.vol"))
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Removes volumes that were begun and never used. Only while nobody begins one.
    pub(super) fn remove_unfinished(&self) -> io::Result<()> {
        for entry in std::fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.to_str().is_some_and(|name| name.ends_with(".vol.new")) {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// The numbers of all volumes, in order.
    pub(super) fn list(&self) -> io::Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            let Some(name) = name.to_str() else { continue };
            if let Some(number) = name.strip_suffix(".vol").and_then(|digits| digits.parse().ok()) {
                numbers.push(number);
            }
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Begins a volume, with room reserved on the disk; its name is durable when this returns.
    ///
    /// The room is reserved beyond the file's end (`KEEP_SIZE`), so the file's length says how far
    /// was written, and a volume copied elsewhere is no longer than what is in it.
    pub(super) fn create(&self, header: &VolumeHeader, octets: u64) -> io::Result<File> {
        let (path, new) = (self.path(header.number), self.path(header.number).with_extension("vol.new"));
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&new)?;
        let made = (|| {
            reserve(&file, octets)?;
            file.write_all_at(&header.encode(), 0)?;
            file.sync_all()?;
            std::fs::rename(&new, &path)?;
            self.sync_folder()
        })();
        if let Err(error) = made {
            let _ = std::fs::remove_file(&new);
            return Err(error);
        }
        Ok(file)
    }

    /// Makes names that were added or removed durable.
    pub(super) fn sync_folder(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }

    pub(super) fn header(&self, number: u64) -> io::Result<Result<VolumeHeader, Malformed>> {
        let mut octets = [0; VOLUME_HEADER_OCTETS];
        match self.file(number)?.read_exact_at(&mut octets, 0) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Ok(Err(Malformed("it is too short")));
            }
            other => other?,
        }
        Ok(VolumeHeader::decode(&octets))
    }

    /// A volume for reading.
    pub(super) fn file(&self, number: u64) -> io::Result<Arc<File>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.uses += 1;
        let uses = open.uses;
        if let Some((file, last_use)) = open.files.get_mut(&number) {
            *last_use = uses;
            return Ok(file.clone());
        }
        let file = Arc::new(File::open(self.path(number))?);
        if open.files.len() >= OPEN_FILES_MAX
            && let Some(oldest) =
                open.files.iter().min_by_key(|(_, (_, last_use))| *last_use).map(|(key, _)| *key)
        {
            open.files.remove(&oldest);
        }
        open.files.insert(number, (file.clone(), uses));
        Ok(file)
    }

    /// Removes a volume that nobody needs.
    pub(super) fn unlink(&self, number: u64) -> io::Result<()> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).files.remove(&number);
        match std::fs::remove_file(self.path(number)) {
            // An index made anew learns from the records that it went, not that it is gone.
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.holes.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
        self.sync_folder()
    }

    /// Gives back the blocks that lie wholly inside the ranges (of one volume, in order). Whoever
    /// reads there from now on is told that nothing is there.
    pub(super) fn punch(&self, number: u64, ranges: &[Range]) -> io::Result<()> {
        {
            let mut holes = self.holes.lock().unwrap_or_else(PoisonError::into_inner);
            let of_volume = holes.entry(number).or_default();
            for range in ranges {
                of_volume.insert(range.offset, range.offset + range.octets);
            }
            // Before any block goes: a reader looks here after it has read.
            self.has_holes.store(true, Ordering::SeqCst);
        }
        let file = match OpenOptions::new().write(true).open(self.path(number)) {
            // An index made anew may learn from younger records of what lay in a volume that is gone.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        for range in ranges {
            let start = range.offset.next_multiple_of(BLOCK_OCTETS);
            let end = (range.offset + range.octets) / BLOCK_OCTETS * BLOCK_OCTETS;
            if start < end {
                punch_hole(&file, start, end - start)?;
            }
        }
        Ok(())
    }

    /// Whether something was given back since at this place. To be asked after reading.
    pub(super) fn is_hole(&self, number: u64, offset: u64) -> bool {
        if !self.has_holes.load(Ordering::SeqCst) {
            return false;
        }
        let holes = self.holes.lock().unwrap_or_else(PoisonError::into_inner);
        let before = holes.get(&number).and_then(|of_volume| of_volume.range(..=offset).next_back());
        before.is_some_and(|(_, end)| offset < *end)
    }
}

/// Reserves room for so many octets. Not every file system can; the volume then grows as it is written.
pub(super) fn reserve(file: &File, octets: u64) -> io::Result<()> {
    match fallocate(file, FallocateFlags::KEEP_SIZE, 0, octets) {
        Ok(()) | Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn punch_hole(file: &File, offset: u64, octets: u64) -> io::Result<()> {
    match fallocate(file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, offset, octets) {
        // Without holes the space comes back when the volume is rewritten.
        Ok(()) | Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A record met on the way through a volume.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) volume: u64,
    pub(super) offset: u64,
    pub(super) header: Header,
    pub(super) meta: Bytes,
}

impl Record {
    /// Where its content begins in the volume.
    pub(super) fn content_offset(&self) -> u64 {
        self.offset + self.header.content_at()
    }
}

/// A place where no good record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadSpot {
    pub(super) offset: u64,
    /// Where the next good record begins, if its place is known.
    pub(super) next: Option<u64>,
    pub(super) why: Malformed,
}

/// A walk through the records of one volume.
pub(super) struct Walk {
    file: Arc<File>,
    volume: u64,
    seed: u32,
    offset: u64,
    end: u64,
    window: Vec<u8>,
    window_at: u64,
}

impl Walk {
    /// From `offset` (0: the first record) to `end`, or to the file's end.
    pub(super) fn new(
        volumes: &Volumes,
        store_id: &[u8; 16],
        volume: u64,
        offset: u64,
        end: Option<u64>,
    ) -> io::Result<Self> {
        let file = volumes.file(volume)?;
        let length = file.metadata()?.len();
        Ok(Walk {
            file,
            volume,
            seed: record::seed(store_id),
            offset: offset.max(VOLUME_HEADER_OCTETS as u64),
            end: end.map_or(length, |end| end.min(length)),
            window: Vec::new(),
            window_at: 0,
        })
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// The next record; `None` at the end. After a bad spot the walk goes on where `next` says, or
    /// stands still.
    pub(super) fn next(&mut self) -> io::Result<Option<Result<Record, BadSpot>>> {
        if self.offset >= self.end {
            return Ok(None);
        }
        let offset = self.offset;
        let found = self.record_at(offset)?;
        match &found {
            Ok(record) => self.offset = offset + record.header.stride(),
            Err(BadSpot { next: Some(next), .. }) => self.offset = *next,
            Err(_) => {}
        }
        Ok(Some(found))
    }

    fn record_at(&mut self, offset: u64) -> io::Result<Result<Record, BadSpot>> {
        let bad = |why| BadSpot { offset, next: None, why };
        let seed = self.seed;
        let Some(octets) = self.look(offset, HEADER_OCTETS)?.and_then(|octets| octets.first_chunk()) else {
            return Ok(Err(bad(Malformed("the volume ends within a record"))));
        };
        let header = match Header::decode(octets, seed) {
            Ok(header) => header,
            Err(why) => return Ok(Err(bad(why))),
        };
        if offset + header.unpadded() > self.end {
            return Ok(Err(bad(Malformed("the volume ends within a record"))));
        }
        let meta_octets = header.meta_octets as usize;
        let meta = self.look(offset + HEADER_OCTETS as u64, meta_octets)?.map(Bytes::copy_from_slice);
        let Some(meta) = meta.filter(|meta| crc32fast::hash(meta) == header.meta_checksum) else {
            let why = Malformed("the checksum of a record's fact does not match");
            return Ok(Err(BadSpot { offset, next: Some(offset + header.stride()), why }));
        };
        Ok(Ok(Record { volume: self.volume, offset, header, meta }))
    }

    /// The octets there, or `None` where the volume ends before.
    fn look(&mut self, offset: u64, length: usize) -> io::Result<Option<&[u8]>> {
        if offset + length as u64 > self.end {
            return Ok(None);
        }
        let inside =
            offset >= self.window_at && offset + length as u64 <= self.window_at + self.window.len() as u64;
        if !inside {
            let room = usize::try_from(self.end - offset).unwrap_or(usize::MAX);
            self.window.resize(length.max(WINDOW_OCTETS).min(room), 0);
            self.window_at = offset;
            self.file.read_exact_at(&mut self.window, offset)?;
        }
        let start = (offset - self.window_at) as usize;
        Ok(Some(&self.window[start..start + length]))
    }

    /// Whether the content behind the record is as it was written.
    pub(super) fn content_is_whole(&self, record: &Record) -> io::Result<bool> {
        let mut hasher = crc32fast::Hasher::new();
        let mut left = record.header.content_octets as usize;
        let mut at = record.content_offset();
        let mut buffer = vec![0; left.min(64 * 1024)];
        while left > 0 {
            let part = left.min(buffer.len());
            self.file.read_exact_at(&mut buffer[..part], at)?;
            hasher.update(&buffer[..part]);
            at += part as u64;
            left -= part;
        }
        let mut trailer = [0; TRAILER_OCTETS];
        self.file.read_exact_at(&mut trailer, at)?;
        Ok(hasher.finalize().to_le_bytes() == trailer)
    }

    /// The first good record behind `offset`, whatever lies between.
    pub(super) fn find_record_after(&mut self, offset: u64) -> io::Result<Option<Record>> {
        let finder = memchr::memmem::Finder::new(&MAGIC);
        let mut at = (offset + 1).next_multiple_of(8);
        let mut block = Vec::new();
        while at + (HEADER_OCTETS as u64) < self.end {
            let length = (self.end - at).min(64 * 1024) as usize;
            block.resize(length, 0);
            self.file.read_exact_at(&mut block, at)?;
            for place in finder.find_iter(&block) {
                let candidate = at + place as u64;
                if candidate.is_multiple_of(8)
                    && let Ok(record) = self.record_at(candidate)?
                {
                    return Ok(Some(record));
                }
            }
            // A multiple of 8 unless this was the last block: a record's beginning is never cut.
            at += length as u64;
        }
        Ok(None)
    }

    /// Goes on from here.
    pub(super) fn go_to(&mut self, offset: u64) {
        self.offset = offset;
    }
}

/// What [`Volumes::create`] is given for a new volume.
pub(super) fn new_header(number: u64, store_id: [u8; 16], first_sequence: u64) -> VolumeHeader {
    VolumeHeader { format: FORMAT, number, store_id, first_sequence }
}
