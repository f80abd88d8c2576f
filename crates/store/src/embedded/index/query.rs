//! Questions to the index.

use super::apply::decode_time;
use super::{COMPARED, Index, IndexError, Mark};
use crate::directory_state::Directory;
use crate::embedded::fact::{Fact, Piece, QueueState, decode_envelope, decode_pieces, decode_recipient};
use crate::{AccountId, ContentRef, DirectoryChange, QueueEntry, QueueId, Tally, Usage};
use posta_address::{Domain, Mailbox};
use rusqlite::{OptionalExtension, Row, params};

/// Where a content lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::embedded) struct ContentRow {
    pub(in crate::embedded) id: QueueId,
    pub(in crate::embedded) volume: u64,
    /// Of its octets; of its record, if it lies in pieces.
    pub(in crate::embedded) offset: u64,
    pub(in crate::embedded) size_octets: u64,
    /// Of its record, content included.
    pub(in crate::embedded) record_octets: u64,
    pub(in crate::embedded) pieces: Vec<Piece>,
}

impl ContentRow {
    pub(in crate::embedded) fn to_ref(&self) -> ContentRef {
        let hint = if self.pieces.is_empty() { (self.volume, self.offset) } else { (0, 0) };
        ContentRef { id: self.id, size_octets: self.size_octets, hint }
    }
}

/// A part of a volume that nobody needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::embedded) struct GarbageRow {
    pub(in crate::embedded) volume: u64,
    pub(in crate::embedded) offset: u64,
    pub(in crate::embedded) octets: u64,
}

/// How much of a volume is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::embedded) struct VolumeRow {
    pub(in crate::embedded) number: u64,
    /// Octets of contents that are needed.
    pub(in crate::embedded) live: u64,
    /// Octets of facts that only take back what older volumes say.
    pub(in crate::embedded) passing: u64,
    /// Octets of facts that last: directory, queue entries.
    pub(in crate::embedded) standing: u64,
    /// The record which says that all of it was written again.
    pub(in crate::embedded) drained: Option<u64>,
}

fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(|value| value as u64)
}

impl Index {
    /// Begins a look at one state, and tells which.
    pub(in crate::embedded) fn begin_reading(&mut self) -> Result<Mark, IndexError> {
        self.connection.execute_batch("BEGIN")?;
        self.read_mark()
    }

    /// Ends the look.
    pub(in crate::embedded) fn end_reading(&mut self) -> Result<(), IndexError> {
        self.connection.execute_batch("ROLLBACK")?;
        Ok(())
    }

    pub(in crate::embedded) fn read_mark(&self) -> Result<Mark, IndexError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT volume, offset, sequence, last_queue_id, last_account_id, accepted, delivered,
             relayed, bounced, discarded, queued FROM mark",
        )?;
        Ok(statement.query_row([], |row| {
            Ok(Mark {
                volume: unsigned(row, 0)?,
                offset: unsigned(row, 1)?,
                sequence: unsigned(row, 2)?,
                last_queue_id: unsigned(row, 3)?,
                last_account_id: unsigned(row, 4)?,
                tally: Tally {
                    accepted: unsigned(row, 5)?,
                    delivered: unsigned(row, 6)?,
                    relayed: unsigned(row, 7)?,
                    bounced: unsigned(row, 8)?,
                    discarded: unsigned(row, 9)?,
                    queued: unsigned(row, 10)?,
                },
            })
        })?)
    }

    pub(in crate::embedded) fn content(&self, id: QueueId) -> Result<Option<ContentRow>, IndexError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT volume, offset, size, record, pieces FROM content WHERE id = ?1")?;
        let found = statement
            .query_row([id.0 as i64], |row| {
                let pieces: Option<Vec<u8>> = row.get(4)?;
                let (volume, offset) = (unsigned(row, 0)?, unsigned(row, 1)?);
                Ok((volume, offset, unsigned(row, 2)?, unsigned(row, 3)?, pieces))
            })
            .optional()?;
        let Some((volume, offset, size_octets, record_octets, pieces)) = found else { return Ok(None) };
        let pieces = pieces.map_or(Ok(Vec::new()), |pieces| decode_pieces(&pieces))?;
        Ok(Some(ContentRow { id, volume, offset, size_octets, record_octets, pieces }))
    }

    /// The pieces of a content that nobody needs but that is not given back yet.
    pub(in crate::embedded) fn garbage_of(&self, id: QueueId) -> Result<Vec<Piece>, IndexError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT volume, offset, octets FROM garbage WHERE id = ?1
             AND sequence = (SELECT max(sequence) FROM garbage WHERE id = ?1) ORDER BY position",
        )?;
        let rows = statement.query_map([id.0 as i64], |row| {
            Ok(Piece {
                volume: unsigned(row, 0)?,
                offset: unsigned(row, 1)?,
                octets: u32::try_from(unsigned(row, 2)?).unwrap_or(u32::MAX),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    pub(in crate::embedded) fn queue_ids(&self) -> Result<Vec<QueueId>, IndexError> {
        let mut statement = self.connection.prepare_cached("SELECT id FROM queue ORDER BY id")?;
        let rows = statement.query_map([], |row| unsigned(row, 0).map(QueueId))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    pub(in crate::embedded) fn queue_state(&self, id: QueueId) -> Result<Option<QueueState>, IndexError> {
        let mut statement =
            self.connection.prepare_cached("SELECT accepted_at, held, envelope FROM queue WHERE id = ?1")?;
        let found = statement
            .query_row([id.0 as i64], |row| {
                Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, bool>(1)?, row.get::<_, Vec<u8>>(2)?))
            })
            .optional()?;
        let Some((accepted_at, held, envelope)) = found else { return Ok(None) };
        let mut statement = self
            .connection
            .prepare_cached("SELECT state FROM queue_recipient WHERE id = ?1 ORDER BY position")?;
        let mut rows = statement.query([id.0 as i64])?;
        let mut recipients = Vec::new();
        while let Some(row) = rows.next()? {
            recipients.push(decode_recipient(row.get_ref(0)?.as_blob().unwrap_or_default())?);
        }
        let (accepted_at, envelope) = (decode_time(&accepted_at)?, decode_envelope(&envelope)?);
        Ok(Some(QueueState { id, envelope, accepted_at, held, recipients }))
    }

    pub(in crate::embedded) fn queue_entry(&self, id: QueueId) -> Result<Option<QueueEntry>, IndexError> {
        let (Some(state), Some(content)) = (self.queue_state(id)?, self.content(id)?) else {
            return Ok(None);
        };
        let QueueState { id, envelope, accepted_at, held, recipients } = state;
        Ok(Some(QueueEntry { id, content: content.to_ref(), envelope, accepted_at, held, recipients }))
    }

    /// Everything that the directory has, as changes that make it.
    pub(in crate::embedded) fn directory(&self) -> Result<Directory, IndexError> {
        let mut directory = Directory::default();
        for table in ["domain", "account", "alias"] {
            let mut statement = self.connection.prepare(&format!("SELECT fact FROM {table}"))?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                if let Fact::Directory(change) =
                    Fact::decode(5, row.get_ref(0)?.as_blob().unwrap_or_default())?
                {
                    directory.apply(change);
                }
            }
        }
        let mut statement = self.connection.prepare("SELECT id FROM removed_account")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            directory.apply(DirectoryChange::RemoveAccount(AccountId(unsigned(row, 0)?)));
        }
        Ok(directory)
    }

    fn fact(&self, query: &str, key: impl rusqlite::ToSql) -> Result<Option<Fact>, IndexError> {
        let found: Option<Vec<u8>> = self.connection.query_row(query, [key], |row| row.get(0)).optional()?;
        Ok(found.map(|fact| Fact::decode(5, &fact)).transpose()?)
    }

    pub(in crate::embedded) fn domain_fact(&self, domain: &Domain) -> Result<Option<Fact>, IndexError> {
        self.fact("SELECT fact FROM domain WHERE name = ?1", domain.to_ascii())
    }

    pub(in crate::embedded) fn account_fact(&self, id: AccountId) -> Result<Option<Fact>, IndexError> {
        self.fact("SELECT fact FROM account WHERE id = ?1", id.0 as i64)
    }

    pub(in crate::embedded) fn alias_fact(&self, address: &Mailbox) -> Result<Option<Fact>, IndexError> {
        self.fact("SELECT fact FROM alias WHERE address = ?1", crate::directory_state::mailbox_key(address))
    }

    pub(in crate::embedded) fn usages(&self) -> Result<Vec<(AccountId, Usage)>, IndexError> {
        let mut statement = self.connection.prepare("SELECT account, messages, octets FROM usage")?;
        let rows = statement.query_map([], |row| {
            let usage = Usage { messages: unsigned(row, 1)?, octets: unsigned(row, 2)? };
            Ok((AccountId(unsigned(row, 0)?), usage))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    pub(in crate::embedded) fn volumes(&self) -> Result<Vec<VolumeRow>, IndexError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT number, live, passing, standing, drained FROM volume ORDER BY number")?;
        let rows = statement.query_map([], |row| {
            Ok(VolumeRow {
                number: unsigned(row, 0)?,
                live: row.get::<_, i64>(1)?.max(0) as u64,
                passing: row.get::<_, i64>(2)?.max(0) as u64,
                standing: row.get::<_, i64>(3)?.max(0) as u64,
                drained: row.get::<_, Option<i64>>(4)?.map(|sequence| sequence as u64),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether parts of contents that still arrive lie in the volume.
    pub(in crate::embedded) fn has_chunks(&self, volume: u64) -> Result<bool, IndexError> {
        let mut statement =
            self.connection.prepare_cached("SELECT 1 FROM chunk WHERE volume = ?1 LIMIT 1")?;
        Ok(statement.exists([volume as i64])?)
    }

    /// What nobody needed any more when the record `until` was applied; in the order of the volumes.
    pub(in crate::embedded) fn garbage(
        &self,
        until: u64,
        rows_max: usize,
    ) -> Result<Vec<GarbageRow>, IndexError> {
        let until = i64::try_from(until).unwrap_or(i64::MAX);
        let mut statement = self.connection.prepare_cached(
            "SELECT volume, offset, octets FROM garbage WHERE sequence <= ?1 ORDER BY volume, offset LIMIT ?2",
        )?;
        let rows = statement.query_map(params![until, rows_max as i64], |row| {
            Ok(GarbageRow { volume: unsigned(row, 0)?, offset: unsigned(row, 1)?, octets: unsigned(row, 2)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    pub(in crate::embedded) fn damage(&self) -> Result<Vec<(u64, u64, String)>, IndexError> {
        let mut statement = self.connection.prepare("SELECT volume, offset, why FROM damage")?;
        let rows = statement.query_map([], |row| Ok((unsigned(row, 0)?, unsigned(row, 1)?, row.get(2)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether a content may lie at this place of a volume, and which.
    pub(in crate::embedded) fn content_at(
        &self,
        id: QueueId,
        volume: u64,
        offset: u64,
    ) -> Result<bool, IndexError> {
        Ok(self.content(id)?.is_some_and(|row| {
            if row.pieces.is_empty() {
                (row.volume, row.offset) == (volume, offset)
            } else {
                row.pieces.iter().any(|piece| (piece.volume, piece.offset) == (volume, offset))
            }
        }))
    }

    /// Makes another index visible as `expected`, to be compared with this one.
    pub(in crate::embedded) fn attach(&self, other: &std::path::Path) -> Result<(), IndexError> {
        self.connection.execute("ATTACH ?1 AS expected", [other.to_string_lossy()])?;
        Ok(())
    }

    /// Ends what [`Self::attach`] began.
    pub(in crate::embedded) fn detach(&self) -> Result<(), IndexError> {
        self.connection.execute_batch("DETACH expected")?;
        Ok(())
    }

    /// Where this index and the attached one differ, in words, a line for each kind.
    pub(in crate::embedded) fn differences(&self) -> Result<Vec<String>, IndexError> {
        let mut differences = Vec::new();
        for (table, columns) in COMPARED {
            let sides = [
                ("main", "expected", "are in the index but not in the volumes"),
                ("expected", "main", "are in the volumes but not in the index"),
            ];
            for (here, there, words) in sides {
                let query = format!(
                    "SELECT count(*) FROM (SELECT {columns} FROM {here}.{table}
                     EXCEPT SELECT {columns} FROM {there}.{table})"
                );
                let count: i64 = self.connection.query_row(&query, [], |row| row.get(0))?;
                if count > 0 {
                    differences.push(format!("{count} rows of {table} ({columns}) {words}"));
                }
            }
        }
        Ok(differences)
    }
}
