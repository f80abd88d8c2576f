//! One person's index: threads, lists, search. Derived from the store and disposable.
//!
//! One SQLite file. `mark` is the store's change number that it has got to; a message is put in by one transaction
//! among others of a batch, and putting it in again changes nothing: a crash in the middle costs the work since, no more.
//! Messages are numbered by the time when they came (`doc`), so that the newest are found first by every way.

mod address;
mod apply;
mod expression;
mod listing;
mod search;

pub(crate) use apply::{Applied, Indexed, bits};
pub(crate) use listing::{Asked, Located, Thread, folder_key, number, thread_key};
pub(crate) use search::SearchContext;

use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use thiserror::Error;

/// Another number means another schema: the index is then made anew.
const SCHEMA_VERSION: i64 = 1;
/// Stands for all folders but Junk and Trash in `folder_thread`.
const EVERYWHERE: i64 = -1;
/// Junk and Trash: folders whose mail is not listed with the rest.
const HIDDEN_SQL: &str = "4, 5";
/// Statements that are kept prepared.
const STATEMENTS_KEPT: usize = 64;

const SCHEMA: &str = "
    CREATE TABLE mark (change INTEGER NOT NULL);
    INSERT INTO mark VALUES (-1);
    CREATE TABLE message (
        doc INTEGER PRIMARY KEY, id INTEGER NOT NULL UNIQUE, thread INTEGER NOT NULL, folder INTEGER NOT NULL,
        flags INTEGER NOT NULL, size INTEGER NOT NULL, received INTEGER NOT NULL, files INTEGER NOT NULL,
        own_id INTEGER, labels TEXT NOT NULL);
    CREATE INDEX message_thread ON message (thread, folder, doc);
    CREATE INDEX message_folder ON message (folder, doc);
    CREATE INDEX message_own_id ON message (own_id) WHERE own_id IS NOT NULL;
    CREATE INDEX message_unread ON message (doc) WHERE flags & 1 = 0;
    CREATE INDEX message_flagged ON message (doc) WHERE flags & 8 != 0;
    CREATE TABLE arrival (id INTEGER PRIMARY KEY);
    CREATE TABLE shown (doc INTEGER PRIMARY KEY, row TEXT NOT NULL);
    CREATE TABLE draft (key TEXT PRIMARY KEY, doc INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE label (label TEXT NOT NULL COLLATE NOCASE, doc INTEGER NOT NULL, PRIMARY KEY (label, doc)) WITHOUT ROWID;
    CREATE TABLE thread (thread INTEGER PRIMARY KEY, subject INTEGER, latest INTEGER NOT NULL);
    CREATE INDEX thread_subject ON thread (subject, latest) WHERE subject IS NOT NULL;
    CREATE TABLE joined (old INTEGER PRIMARY KEY, thread INTEGER NOT NULL);
    CREATE TABLE reference (id INTEGER PRIMARY KEY, thread INTEGER NOT NULL);
    CREATE INDEX reference_thread ON reference (thread);
    CREATE TABLE folder_thread (
        folder INTEGER NOT NULL, thread INTEGER NOT NULL, latest INTEGER NOT NULL, PRIMARY KEY (folder, thread)) WITHOUT ROWID;
    CREATE INDEX folder_latest ON folder_thread (folder, latest);
    CREATE TABLE folder_count (
        folder INTEGER PRIMARY KEY, messages INTEGER NOT NULL, unread INTEGER NOT NULL, threads INTEGER NOT NULL);
    CREATE TABLE address (
        address TEXT PRIMARY KEY, name TEXT NOT NULL, written INTEGER NOT NULL, got INTEGER NOT NULL, last INTEGER NOT NULL)
        WITHOUT ROWID;
    CREATE VIRTUAL TABLE words USING fts5 (
        subject, sender, recipients, body, files, list,
        content='', contentless_delete=1, tokenize='unicode61 remove_diacritics 2', prefix='2 3');

    CREATE TRIGGER message_in AFTER INSERT ON message BEGIN
        INSERT INTO folder_count VALUES (new.folder, 1, new.flags & 1 = 0, 0)
            ON CONFLICT (folder) DO UPDATE SET messages = messages + 1, unread = unread + (new.flags & 1 = 0);
    END;
    CREATE TRIGGER message_out AFTER DELETE ON message BEGIN
        UPDATE folder_count SET messages = messages - 1, unread = unread - (old.flags & 1 = 0) WHERE folder = old.folder;
    END;
    CREATE TRIGGER message_changed AFTER UPDATE OF folder, flags ON message BEGIN
        UPDATE folder_count SET messages = messages - 1, unread = unread - (old.flags & 1 = 0) WHERE folder = old.folder;
        INSERT INTO folder_count VALUES (new.folder, 1, new.flags & 1 = 0, 0)
            ON CONFLICT (folder) DO UPDATE SET messages = messages + 1, unread = unread + (new.flags & 1 = 0);
    END;
    CREATE TRIGGER thread_in AFTER INSERT ON folder_thread BEGIN
        INSERT INTO folder_count VALUES (new.folder, 0, 0, 1) ON CONFLICT (folder) DO UPDATE SET threads = threads + 1;
    END;
    CREATE TRIGGER thread_out AFTER DELETE ON folder_thread BEGIN
        UPDATE folder_count SET threads = threads - 1 WHERE folder = old.folder;
    END;
";

/// What can go wrong with the index; making it anew helps.
#[derive(Debug, Error)]
pub(crate) enum IndexError {
    #[error("the index: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("the index: {0}")]
    Io(#[from] std::io::Error),
    #[error("the index: {0}")]
    Row(#[from] serde_json::Error),
}

/// The index of one account. Its methods wait for the disk: they are called on blocking threads.
pub(crate) struct Index {
    /// Whoever lists and searches doesn't wait for what is being put in.
    reader: Mutex<Connection>,
    writer: Mutex<Connection>,
}

impl Index {
    /// Opens it; makes it anew where it is of another schema or spoilt.
    pub(crate) fn open(path: &Path) -> Result<Index, IndexError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        match Index::open_as_is(path) {
            Ok(index) => Ok(index),
            Err(error) => {
                tracing::info!(%error, path = %path.display(), "the index is made anew");
                for suffix in ["", "-wal", "-shm"] {
                    let file = PathBuf::from(format!("{}{suffix}", path.display()));
                    match std::fs::remove_file(file) {
                        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                            return Err(error.into());
                        }
                        _ => {}
                    }
                }
                Index::open_as_is(path)
            }
        }
    }

    fn open_as_is(path: &Path) -> Result<Index, IndexError> {
        let mut writer = Connection::open(path)?;
        writer.pragma_update(None, "journal_mode", "WAL")?;
        // What a power cut takes from it is in the store.
        writer.pragma_update(None, "synchronous", "OFF")?;
        configure(&writer)?;
        let version: i64 = writer.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if version == 0 {
            let transaction = writer.transaction()?;
            transaction.execute_batch(SCHEMA)?;
            transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
            transaction.commit()?;
        } else if version != SCHEMA_VERSION {
            return Err(IndexError::Sqlite(rusqlite::Error::InvalidQuery));
        }
        // A spoilt file is noticed here rather than in the middle of a list.
        let _: i64 = writer.query_row("SELECT change FROM mark", [], |row| row.get(0))?;
        let reader = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        configure(&reader)?;
        Ok(Index { reader: Mutex::new(reader), writer: Mutex::new(writer) })
    }

    fn read(&self) -> MutexGuard<'_, Connection> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> MutexGuard<'_, Connection> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The change of the store that it has got to; none as long as it has never been brought up to it.
    pub(crate) fn mark(&self) -> Result<Option<u64>, IndexError> {
        let mark: i64 = self.read().query_row("SELECT change FROM mark", [], |row| row.get(0))?;
        Ok(u64::try_from(mark).ok())
    }
}

fn configure(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(std::time::Duration::from_secs(30))?;
    connection.pragma_update(None, "cache_size", -16_000)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "mmap_size", 256 * 1024 * 1024)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    Ok(())
}

/// A number for an identifier or a subject: two different ones share it with no chance worth speaking of.
fn fingerprint(text: &str) -> i64 {
    let hash = blake3::hash(text.as_bytes());
    let mut octets = [0; 8];
    octets.copy_from_slice(&hash.as_bytes()[..8]);
    i64::from_le_bytes(octets)
}
