//! The index: what the volumes say, in a form that answers questions. Derived and disposable.
//!
//! One SQLite file. Its `mark` says up to which record of the volumes it has got; both change in the
//! same transaction, so after a crash the rest is simply applied again. Nothing waits for it to reach
//! the disk (`synchronous=NORMAL`): what is lost in it is in the volumes.

mod apply;
mod filing;
mod query;

pub(super) use apply::Changes;
pub(super) use query::{ContentRow, GarbageRow, VolumeRow};

use super::codec::Malformed;
use crate::{StoreError, Tally};
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};

/// Another number means another schema: the index is then made anew.
const SCHEMA_VERSION: i64 = 2;

const SCHEMA: &str = "
    CREATE TABLE store (id BLOB NOT NULL);
    CREATE TABLE mark (
        volume INTEGER NOT NULL, offset INTEGER NOT NULL, sequence INTEGER NOT NULL,
        last_queue_id INTEGER NOT NULL, last_account_id INTEGER NOT NULL,
        accepted INTEGER NOT NULL, delivered INTEGER NOT NULL, relayed INTEGER NOT NULL,
        bounced INTEGER NOT NULL, discarded INTEGER NOT NULL, queued INTEGER NOT NULL);
    CREATE TABLE content (
        id INTEGER PRIMARY KEY, volume INTEGER NOT NULL, offset INTEGER NOT NULL,
        size INTEGER NOT NULL, record INTEGER NOT NULL, uses INTEGER NOT NULL, pieces BLOB);
    CREATE TABLE maildrop (
        account INTEGER NOT NULL, id INTEGER NOT NULL, received_at BLOB NOT NULL, prefix BLOB NOT NULL,
        folder INTEGER NOT NULL, flags INTEGER NOT NULL, labels BLOB, delivered INTEGER NOT NULL,
        changed INTEGER NOT NULL, PRIMARY KEY (account, id)) WITHOUT ROWID;
    CREATE INDEX maildrop_changed ON maildrop (account, changed) WHERE changed > 0;
    CREATE INDEX maildrop_filed ON maildrop (account, folder) WHERE folder <> 0;
    CREATE TABLE removed (
        account INTEGER NOT NULL, change INTEGER NOT NULL, ids BLOB NOT NULL,
        PRIMARY KEY (account, change)) WITHOUT ROWID;
    CREATE TABLE forgotten (change INTEGER NOT NULL);
    CREATE TABLE folder (
        account INTEGER NOT NULL, id INTEGER NOT NULL, name TEXT, PRIMARY KEY (account, id)) WITHOUT ROWID;
    CREATE TABLE document (
        account INTEGER NOT NULL, name TEXT NOT NULL, octets BLOB NOT NULL, volume INTEGER NOT NULL,
        PRIMARY KEY (account, name));
    CREATE TABLE usage (
        account INTEGER PRIMARY KEY, messages INTEGER NOT NULL, octets INTEGER NOT NULL);
    CREATE TABLE queue (
        id INTEGER PRIMARY KEY, accepted_at BLOB NOT NULL, held INTEGER NOT NULL, envelope BLOB NOT NULL);
    CREATE TABLE queue_recipient (
        id INTEGER NOT NULL, mailbox TEXT NOT NULL, position INTEGER NOT NULL, state BLOB NOT NULL,
        PRIMARY KEY (id, mailbox)) WITHOUT ROWID;
    CREATE TABLE domain (name TEXT PRIMARY KEY, fact BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE account (id INTEGER PRIMARY KEY, address TEXT NOT NULL, fact BLOB NOT NULL);
    CREATE TABLE alias (address TEXT PRIMARY KEY, fact BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE removed_account (id INTEGER PRIMARY KEY);
    CREATE TABLE volume (
        number INTEGER PRIMARY KEY, live INTEGER NOT NULL, passing INTEGER NOT NULL,
        standing INTEGER NOT NULL, drained INTEGER);
    CREATE TABLE chunk (
        id INTEGER NOT NULL, volume INTEGER NOT NULL, offset INTEGER NOT NULL, octets INTEGER NOT NULL,
        PRIMARY KEY (id, volume, offset)) WITHOUT ROWID;
    CREATE TABLE garbage (
        volume INTEGER NOT NULL, offset INTEGER NOT NULL, octets INTEGER NOT NULL,
        sequence INTEGER NOT NULL, id INTEGER NOT NULL, position INTEGER NOT NULL,
        PRIMARY KEY (volume, offset)) WITHOUT ROWID;
    CREATE TABLE damage (volume INTEGER NOT NULL, offset INTEGER NOT NULL, why TEXT NOT NULL,
        PRIMARY KEY (volume, offset)) WITHOUT ROWID;
";

/// All tables with what makes a row of them comparable between two indexes, for `check`.
/// Left out are those that depend on when something was tidied up.
const COMPARED: [(&str, &str); 12] = [
    ("content", "id, volume, offset, size, record, uses, pieces"),
    ("maildrop", "account, id, received_at, prefix, folder, flags, labels, max(delivered, changed)"),
    ("folder", "account, id, name"),
    ("document", "account, name, octets"),
    ("usage", "account, messages, octets"),
    ("queue", "id, accepted_at, held, envelope"),
    ("queue_recipient", "id, mailbox, position, state"),
    ("domain", "name, fact"),
    ("account", "id, address, fact"),
    ("alias", "address, fact"),
    ("removed_account", "id"),
    ("mark", "volume, offset, sequence, accepted, delivered, relayed, bounced, discarded, queued"),
];

/// What can go wrong with the index. It never loses mail.
#[derive(Debug, thiserror::Error)]
pub(super) enum IndexError {
    #[error("the index: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("the index: {0}")]
    Malformed(#[from] Malformed),
    #[error("the index: {0}")]
    Io(#[from] std::io::Error),
    /// It is of another store, of another schema, or older than the volumes can say.
    #[error("the index does not fit the volumes: {0}")]
    Unfit(&'static str),
}

impl IndexError {
    /// Whether the index itself is spoilt, so that making it anew helps.
    pub(super) fn is_damage(&self) -> bool {
        use rusqlite::ErrorCode::{CannotOpen, DatabaseCorrupt, NotADatabase, SchemaChanged, Unknown};
        match self {
            IndexError::Sqlite(rusqlite::Error::SqliteFailure(error, _)) => {
                matches!(error.code, CannotOpen | DatabaseCorrupt | NotADatabase | SchemaChanged | Unknown)
            }
            IndexError::Sqlite(_) | IndexError::Malformed(_) | IndexError::Unfit(_) => true,
            IndexError::Io(_) => false,
        }
    }

    /// Whether waiting can help (a full disk, a file in use by a curious reader).
    pub(super) fn is_passing(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked, DiskFull};
        let IndexError::Sqlite(error) = self else { return false };
        matches!(error.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked | DiskFull))
    }
}

impl From<IndexError> for StoreError {
    fn from(error: IndexError) -> Self {
        StoreError::Failed(error.to_string())
    }
}

/// How far the index has got, and what it counted on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Mark {
    pub(super) volume: u64,
    /// Behind the last record applied.
    pub(super) offset: u64,
    /// Of the last record applied.
    pub(super) sequence: u64,
    pub(super) last_queue_id: u64,
    pub(super) last_account_id: u64,
    pub(super) tally: Tally,
}

/// The index with one connection to it.
pub(super) struct Index {
    connection: Connection,
    mark: Mark,
    changes: Changes,
    /// Of what is remembered of removed messages, about.
    removed_octets: u64,
}

impl Index {
    /// Makes an empty one.
    pub(super) fn create(path: &Path, store_id: &[u8; 16]) -> Result<Self, IndexError> {
        remove_files(path)?;
        // SQLite makes its files with the permissions of the first.
        make_private(path)?;
        let connection = Connection::open(path)?;
        configure(&connection)?;
        connection.execute_batch("BEGIN")?;
        connection.execute_batch(SCHEMA)?;
        connection.execute("INSERT INTO store VALUES (?1)", [store_id])?;
        connection.execute("INSERT INTO mark VALUES (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)", [])?;
        connection.execute("INSERT INTO forgotten VALUES (0)", [])?;
        connection.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        connection.execute_batch("COMMIT")?;
        Ok(Index { connection, mark: Mark::default(), changes: Changes::default(), removed_octets: 0 })
    }

    /// Opens an existing one for reading and, by the one thread that applies, writing.
    pub(super) fn open(path: &Path, store_id: &[u8; 16]) -> Result<Self, IndexError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if version != SCHEMA_VERSION {
            return Err(IndexError::Unfit("it is of another version"));
        }
        configure(&connection)?;
        let found: Vec<u8> = connection.query_row("SELECT id FROM store", [], |row| row.get(0))?;
        if found != store_id {
            return Err(IndexError::Unfit("it belongs to another store"));
        }
        let mut index =
            Index { connection, mark: Mark::default(), changes: Changes::default(), removed_octets: 0 };
        index.mark = index.read_mark()?;
        Ok(index)
    }

    pub(super) fn mark(&self) -> Mark {
        self.mark
    }

    /// Closes the connection; nothing more can be asked.
    pub(super) fn close(&mut self) -> Result<(), IndexError> {
        let nothing = Connection::open_in_memory()?;
        std::mem::replace(&mut self.connection, nothing).close().map_err(|(_, error)| error)?;
        Ok(())
    }

    /// Moves what the write-ahead log holds into the file, so that the log begins anew.
    pub(super) fn checkpoint(&self) -> Result<(), IndexError> {
        let mut statement = self.connection.prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")?;
        statement.query_row([], |_| Ok(()))?;
        Ok(())
    }

    /// As [`Self::checkpoint`], for an index that is about to be closed or moved.
    pub(super) fn checkpoint_whole(&self) -> Result<(), IndexError> {
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(())
    }
}

fn configure(connection: &Connection) -> Result<(), IndexError> {
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(64);
    let _: String = connection.query_row("PRAGMA journal_mode=WAL", [], |row| row.get(0))?;
    connection.execute_batch(
        "PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=-16384;
         PRAGMA temp_store=MEMORY; PRAGMA journal_size_limit=67108864;",
    )?;
    Ok(())
}

fn make_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map(|_| ())
}

/// Removes an index with all that belongs to it.
pub(super) fn remove_files(path: &Path) -> std::io::Result<()> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        match std::fs::remove_file(beside(path, suffix)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// The path with something added to its name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
