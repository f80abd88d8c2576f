//! Opening: lock, volumes, index, replay, and where the log goes on.

use super::core::{Core, PiecesCache, Readers, UsageTable};
use super::index::{Index, IndexError, beside, remove_files};
use super::lease::Leases;
use super::lock::LockFile;
use super::log::{Log, LogWriter, Tail};
use super::record::VOLUME_HEADER_OCTETS;
use super::replay::{Damage, Replay};
use super::volume::{Volumes, new_header, reserve};
use super::{Settings, applier::Applier};
use crate::directory_state::Directory;
use crate::folder::OwnFolders;
use crate::id::QueueIdSource;
use crate::limits::SUBSCRIPTION_ACCOUNTS_MAX;
use crate::{AccountId, Now, QueueId, StoreError, Usage};
use std::collections::{BTreeSet, HashMap};
use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use tokio::sync::broadcast;

/// What was found and done when the store was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opening {
    /// Why the index was made anew, if it was.
    pub rebuilt: Option<String>,
    /// Records that the index did not have yet.
    pub replayed_records: usize,
    /// Octets of a torn end that were cut off; nobody had been told that they are kept.
    pub cut_octets: u64,
    /// Places in the volumes that are not as they were written.
    pub damage: Vec<Damage>,
}

/// A store ready to run.
pub(super) struct Opened {
    pub(super) core: Arc<Core>,
    pub(super) index: Index,
    pub(super) writer: LogWriter,
    pub(super) lock: LockFile,
    pub(super) opening: Opening,
}

/// Opens the store in `dir`, or makes one.
pub(super) fn open(dir: &Path, settings: Settings, now: Now) -> Result<Opened, StoreError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let lock = LockFile::take(&dir.join("lock"))?;
    let volumes = Volumes::new(dir.join("volumes"))?;
    let index_path = dir.join("index.sqlite");
    let mut opening = Opening::default();
    volumes.remove_unfinished()?;
    let mut list = volumes.list()?;
    let store_id = match list.is_empty() {
        false => find_store_id(&volumes, &list, &mut opening)?,
        true => {
            let store_id = new_store_id()?;
            volumes.create(&new_header(1, store_id, 1), settings.volume_octets)?;
            remove_files(&index_path)?;
            list.push(1);
            store_id
        }
    };
    let newest = list[list.len() - 1];
    let file = OpenOptions::new().read(true).write(true).open(volumes.path(newest))?;
    // What a killed process had written may be in memory only: the index must not know what a loss
    // of power could still take away.
    file.sync_all()?;
    let up = bring_up(&volumes, &store_id, &index_path, &list, &mut opening)?;
    let (index, tail_offset) = (up.index, up.tail_offset);
    let length = file.metadata()?.len();
    if tail_offset < length {
        opening.cut_octets = length - tail_offset;
        tracing::warn!(volume = newest, octets = opening.cut_octets, "a torn end was cut off");
        file.set_len(tail_offset)?;
        file.sync_all()?;
    }
    let mark = index.mark();
    let existing: BTreeSet<u64> = list.iter().copied().collect();
    // Without room it grows as it is written; there may be enough for what happens to the mail there is.
    let _ = reserve(&file, settings.volume_octets);
    let newest_is_damaged = opening.damage.iter().any(|damage| damage.volume == newest);
    let tail = Tail { file, volume: newest, offset: tail_offset, sequence: mark.sequence, existing };
    let core = Arc::new(Core {
        settings,
        now,
        store_id,
        volumes,
        index_path,
        queue_ids: QueueIdSource::after(QueueId(mark.last_queue_id)),
        account_ids: AtomicU64::new(mark.last_account_id),
        directory: RwLock::new(up.directory),
        folders: Mutex::new(up.folders),
        notices: broadcast::Sender::new(SUBSCRIPTION_ACCOUNTS_MAX),
        usage: Mutex::new(UsageTable::new(up.usages)),
        leases: Arc::new(Leases::default()),
        log: Log::default(),
        applier: Applier::new(mark.sequence),
        durable: AtomicU64::new(mark.sequence),
        failure: OnceLock::new(),
        readers: Readers::default(),
        pieces: PiecesCache::default(),
        upkeep: Mutex::new(()),
    });
    let mut writer = LogWriter::new(core.clone(), tail);
    if newest_is_damaged {
        // What is damaged is not written to.
        writer.begin_volume()?;
    } else if tail_offset <= VOLUME_HEADER_OCTETS as u64 {
        writer.begin_records()?;
    }
    writer.sync()?;
    Ok(Opened { core, index, writer, lock, opening })
}

fn new_store_id() -> Result<[u8; 16], StoreError> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|error| StoreError::Failed(format!("no randomness: {error}")))?;
    Ok(id)
}

/// The id that all volumes carry.
fn find_store_id(volumes: &Volumes, list: &[u64], opening: &mut Opening) -> Result<[u8; 16], StoreError> {
    let mut found = None;
    for number in list {
        let header = volumes.header(*number)?;
        match header {
            Ok(header) if found.is_some_and(|id| id != header.store_id) => {
                return Err(StoreError::Damaged(format!(
                    "volume {} belongs to another store: take it out of {}",
                    volumes.path(*number).display(),
                    volumes.folder().display()
                )));
            }
            Ok(header) if header.number != *number => {
                return Err(StoreError::Damaged(format!(
                    "{} is volume {}: give it its name back",
                    volumes.path(*number).display(),
                    header.number
                )));
            }
            Ok(header) => found = Some(header.store_id),
            Err(why) => {
                opening.damage.push(Damage { volume: *number, offset: 0, why: why.0.to_owned() });
                tracing::error!(volume = *number, why = why.0, "a volume's header is damaged");
            }
        }
    }
    found.ok_or_else(|| {
        StoreError::Damaged(format!(
            "no volume in {} has a header that can be read: bring the folder back from a backup",
            volumes.folder().display()
        ))
    })
}

/// An index that is at the end of the volumes, with what is held in memory.
struct Up {
    index: Index,
    /// The end of the newest volume's good part.
    tail_offset: u64,
    directory: Directory,
    folders: HashMap<AccountId, OwnFolders>,
    usages: Vec<(AccountId, Usage)>,
}

/// Opens the index and replays what it lacks; makes it anew where it cannot be used.
fn bring_up(
    volumes: &Volumes,
    store_id: &[u8; 16],
    path: &Path,
    list: &[u64],
    opening: &mut Opening,
) -> Result<Up, StoreError> {
    let damaged_flag = beside(path, ".damaged");
    let damage_before = opening.damage.clone();
    let known = if damaged_flag.exists() {
        Err(IndexError::Unfit("it was found damaged"))
    } else if !path.exists() {
        Err(IndexError::Unfit("there is none"))
    } else {
        use_index(volumes, store_id, path, list, opening)
    };
    let why = match known {
        Ok(up) => return Ok(up),
        Err(error) if error.is_damage() => error.to_string(),
        // A new one would meet the same trouble.
        Err(error) => return Err(error.into()),
    };
    if volumes.file(list[list.len() - 1])?.metadata()?.len() > VOLUME_HEADER_OCTETS as u64 || list.len() > 1 {
        tracing::warn!(%why, "the index is made anew from the volumes");
        opening.rebuilt = Some(why);
    }
    opening.damage = damage_before;
    let new_path = beside(path, ".new");
    let mut index = Index::create(&new_path, store_id)?;
    let tail_offset = replay(volumes, store_id, &mut index, list, opening)?;
    index.forget_all_removed()?;
    index.checkpoint_whole()?;
    drop(index);
    remove_files(path)?;
    std::fs::rename(&new_path, path)?;
    remove_files(&new_path)?;
    let _ = std::fs::remove_file(damaged_flag);
    Ok(finish(Index::open(path, store_id)?, tail_offset, list, opening)?)
}

fn use_index(
    volumes: &Volumes,
    store_id: &[u8; 16],
    path: &Path,
    list: &[u64],
    opening: &mut Opening,
) -> Result<Up, IndexError> {
    let mut index = Index::open(path, store_id)?;
    let mark = index.mark();
    if mark.volume != 0 {
        if !list.contains(&mark.volume) {
            return Err(IndexError::Unfit("the volume that it had come to is gone"));
        }
        if volumes.file(mark.volume)?.metadata()?.len() < mark.offset {
            return Err(IndexError::Unfit("a volume is shorter than it was"));
        }
    }
    let tail_offset = replay(volumes, store_id, &mut index, list, opening)?;
    finish(index, tail_offset, list, opening)
}

fn finish(mut index: Index, tail_offset: u64, list: &[u64], opening: &mut Opening) -> Result<Up, IndexError> {
    tidy(&mut index, list, opening)?;
    let (directory, folders, usages) = (index.directory()?, index.folders()?, index.usages()?);
    Ok(Up { index, tail_offset, directory, folders, usages })
}

fn replay(
    volumes: &Volumes,
    store_id: &[u8; 16],
    index: &mut Index,
    list: &[u64],
    opening: &mut Opening,
) -> Result<u64, IndexError> {
    let (newest, sealed) = list.split_last().ok_or(IndexError::Unfit("there are no volumes"))?;
    let mut replay = Replay::new(volumes, store_id, index, None);
    replay.sealed(sealed)?;
    let tail = replay.newest(*newest)?;
    opening.replayed_records = replay.records();
    opening.damage.append(&mut replay.damage);
    Ok(tail)
}

/// What is only true of a process that has ended, and volumes that are not there.
fn tidy(index: &mut Index, list: &[u64], opening: &mut Opening) -> Result<(), IndexError> {
    index.begin()?;
    index.abandon_all()?;
    for row in index.volumes()? {
        if list.contains(&row.number) {
            continue;
        }
        if row.drained.is_some() {
            index.forget_volume(row.number)?;
        } else {
            let why = "the volume is missing";
            tracing::error!(volume = row.number, why);
            index.note_damage(row.number, 0, why)?;
            opening.damage.push(Damage { volume: row.number, offset: 0, why: why.to_owned() });
        }
    }
    for (volume, offset, why) in index.damage()? {
        let damage = Damage { volume, offset, why };
        if !opening.damage.contains(&damage) {
            opening.damage.push(damage);
        }
    }
    index.commit()?;
    Ok(())
}

/// Makes the index of an open store anew, up to where the old one had come. Called by the applier.
pub(super) fn rebuild_open(core: &Core, index: &mut Index) -> Result<(), IndexError> {
    let until = index.mark();
    let new_path = beside(&core.index_path, ".new");
    let mut new = Index::create(&new_path, &core.store_id)?;
    let list = core.volumes.list()?;
    Replay::new(&core.volumes, &core.store_id, &mut new, Some(until)).sealed(&list)?;
    new.forget_all_removed()?;
    new.checkpoint_whole()?;
    drop(new);
    let _gate = core.readers.gate.write().unwrap_or_else(PoisonError::into_inner);
    core.readers.close();
    // Whatever happens from here on, the next opening does not trust what it finds half done.
    let flag = beside(&core.index_path, ".damaged");
    std::fs::write(&flag, "it was being exchanged")?;
    // A damaged one may not close well; its files go in any case.
    let _ = index.close();
    remove_files(&core.index_path)?;
    std::fs::rename(&new_path, &core.index_path)?;
    remove_files(&new_path)?;
    *index = Index::open(&core.index_path, &core.store_id)?;
    std::fs::remove_file(&flag)?;
    Ok(())
}
