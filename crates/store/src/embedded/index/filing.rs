//! Folders, flags, labels and documents in the index.
//!
//! A message in a maildrop has two numbers: `delivered`, the record that brought it, and `changed`, the
//! last one that changed it, or 0. As long as ids and records come in the same order (almost always), the
//! rows of an account, which lie by id, lie by `delivered` too, and what is new is at their end. Rows that
//! are out of that order have `changed` set from the beginning; and rows with `changed` set are few and in
//! an index of their own. So a delivery costs no second index, and yet a question for what is new is a
//! look-up.

use super::apply::{decode_time, encode_time};
use super::{Index, IndexError};
use crate::embedded::fact::Place;
use crate::embedded::filing::{MailboxState, Marks, decode_ids, decode_labels, encode_ids, encode_labels};
use crate::embedded::volume::Record;
use crate::folder::OwnFolders;
use crate::limits::REMOVED_OCTETS_MAX;
use crate::mailbox::{DocumentUsage, changes_folders};
use crate::marks::change_labels;
use crate::{
    AccountId, Changes, ContentRef, DocumentName, Flags, FolderId, FolderName, Label, MailboxChange,
    MailboxSelection, MaildropMessage, QueueId,
};
use bytes::Bytes;
use rusqlite::{OptionalExtension, Row, params};
use std::collections::HashMap;

/// What a row of removed messages takes besides the ids.
const REMOVED_ROW_OCTETS: u64 = 32;

/// Columns of a message in a maildrop, in the order in which [`message`] reads them.
const MESSAGE: &str = "maildrop.id, received_at, prefix, folder, flags, labels, max(delivered, changed),
    volume, offset, size, pieces IS NOT NULL";

fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(|value| value as u64)
}

fn message(row: &Row<'_>) -> Result<MaildropMessage, IndexError> {
    let in_pieces: bool = row.get(10)?;
    let hint = if in_pieces { (0, 0) } else { (unsigned(row, 7)?, unsigned(row, 8)?) };
    let id = QueueId(unsigned(row, 0)?);
    let Marks { folder, flags, labels, changed } = marks(row, 3)?;
    Ok(MaildropMessage {
        content: ContentRef { id, size_octets: unsigned(row, 9)?, hint },
        prefix: Bytes::copy_from_slice(row.get_ref(2)?.as_blob().unwrap_or_default()),
        received_at: decode_time(row.get_ref(1)?.as_blob().unwrap_or_default())?,
        folder,
        flags,
        labels,
        changed,
    })
}

/// Folder, flags, labels and change number, from this column on.
fn marks(row: &Row<'_>, column: usize) -> Result<Marks, IndexError> {
    let labels = match row.get_ref(column + 2)?.as_blob_or_null() {
        Ok(Some(octets)) => decode_labels(octets)?,
        _ => Vec::new(),
    };
    Ok(Marks {
        folder: FolderId(row.get(column)?),
        flags: Flags::from_bits(unsigned(row, column + 1)?).unwrap_or_default(),
        labels,
        changed: unsigned(row, column + 3)?,
    })
}

fn labels_value(labels: &[Label]) -> Option<Bytes> {
    (!labels.is_empty()).then(|| encode_labels(labels))
}

/// Reading.
impl Index {
    /// The messages of an account, by id.
    pub(in crate::embedded) fn mailbox(
        &self,
        account: AccountId,
        selection: MailboxSelection,
    ) -> Result<Vec<MaildropMessage>, IndexError> {
        let (index, which) = match selection {
            MailboxSelection::All => ("", "?2 = 0"),
            MailboxSelection::Folder(FolderId::INBOX) => ("", "folder = ?2"),
            MailboxSelection::Folder(_) => ("INDEXED BY maildrop_filed", "folder = ?2 AND folder <> 0"),
        };
        let folder = match selection {
            MailboxSelection::All => 0,
            MailboxSelection::Folder(folder) => folder.0,
        };
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {MESSAGE} FROM maildrop {index} JOIN content ON content.id = maildrop.id
             WHERE account = ?1 AND {which} ORDER BY maildrop.id"
        ))?;
        let mut rows = statement.query(params![account.0 as i64, folder])?;
        let mut messages = Vec::new();
        while let Some(row) = rows.next()? {
            messages.push(message(row)?);
        }
        Ok(messages)
    }

    pub(in crate::embedded) fn message(
        &self,
        account: AccountId,
        id: QueueId,
    ) -> Result<Option<MaildropMessage>, IndexError> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {MESSAGE} FROM maildrop JOIN content ON content.id = maildrop.id
             WHERE account = ?1 AND maildrop.id = ?2"
        ))?;
        let mut rows = statement.query(params![account.0 as i64, id.0 as i64])?;
        rows.next()?.map(message).transpose()
    }

    /// See [`crate::Store::changes_since`]; within one look at the index.
    pub(in crate::embedded) fn changes_since(
        &self,
        account: AccountId,
        change: u64,
    ) -> Result<Changes, IndexError> {
        let now = self.read_mark()?.sequence;
        let forgotten: u64 =
            self.connection.query_row("SELECT change FROM forgotten", [], |row| unsigned(row, 0))?;
        let complete = change == 0 || (change >= forgotten && change <= now);
        if change == 0 || !complete {
            let changed = self.mailbox(account, MailboxSelection::All)?;
            return Ok(Changes { now, changed, removed: Vec::new(), complete });
        }
        let mut ids = self.touched_since(account, change)?;
        ids.extend(self.delivered_since(account, change)?);
        ids.sort_unstable();
        let mut changed = Vec::with_capacity(ids.len());
        for id in ids {
            changed.extend(self.message(account, id)?);
        }
        Ok(Changes { now, changed, removed: self.removed_since(account, change)?, complete })
    }

    fn touched_since(&self, account: AccountId, change: u64) -> Result<Vec<QueueId>, IndexError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id FROM maildrop INDEXED BY maildrop_changed
             WHERE account = ?1 AND changed > ?2 AND changed > 0",
        )?;
        let rows = statement
            .query_map(params![account.0 as i64, change as i64], |row| unsigned(row, 0).map(QueueId))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// From the end: what came in order and was never changed, as far as it is new. A row that was
    /// changed stands in the way of nothing: it has the number of its delivery still, unless it came
    /// out of order.
    fn delivered_since(&self, account: AccountId, change: u64) -> Result<Vec<QueueId>, IndexError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id, delivered, changed FROM maildrop WHERE account = ?1 ORDER BY id DESC",
        )?;
        let mut rows = statement.query([account.0 as i64])?;
        let mut ids = Vec::new();
        while let Some(row) = rows.next()? {
            let (delivered, changed) = (unsigned(row, 1)?, unsigned(row, 2)?);
            if changed == 0 && delivered > change {
                ids.push(QueueId(unsigned(row, 0)?));
            } else if delivered > 0 && delivered <= change {
                break;
            }
        }
        Ok(ids)
    }

    fn removed_since(&self, account: AccountId, change: u64) -> Result<Vec<QueueId>, IndexError> {
        let mut statement =
            self.connection.prepare_cached("SELECT ids FROM removed WHERE account = ?1 AND change > ?2")?;
        let mut rows = statement.query(params![account.0 as i64, change as i64])?;
        let mut removed = Vec::new();
        while let Some(row) = rows.next()? {
            removed.extend(decode_ids(row.get_ref(0)?.as_blob().unwrap_or_default())?);
        }
        Ok(removed)
    }

    /// The place of a content in one maildrop.
    pub(in crate::embedded) fn place(
        &self,
        account: AccountId,
        id: QueueId,
    ) -> Result<Option<Place>, IndexError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT received_at, prefix, folder, flags, labels, max(delivered, changed)
             FROM maildrop WHERE account = ?1 AND id = ?2",
        )?;
        let mut rows = statement.query(params![account.0 as i64, id.0 as i64])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let received_at = decode_time(row.get_ref(0)?.as_blob().unwrap_or_default())?;
        let prefix = Bytes::copy_from_slice(row.get_ref(1)?.as_blob().unwrap_or_default());
        Ok(Some(Place { account, prefix, received_at, marks: marks(row, 2)? }))
    }

    /// Which messages lie in a folder.
    pub(in crate::embedded) fn held(
        &self,
        account: AccountId,
        folder: FolderId,
    ) -> Result<Vec<QueueId>, IndexError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT id FROM maildrop WHERE account = ?1 AND folder = ?2 AND folder <> 0")?;
        let rows =
            statement.query_map(params![account.0 as i64, folder.0], |row| unsigned(row, 0).map(QueueId))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// All folders that were made, by account.
    pub(in crate::embedded) fn folders(&self) -> Result<HashMap<AccountId, OwnFolders>, IndexError> {
        let mut folders: HashMap<AccountId, OwnFolders> = HashMap::new();
        let mut statement = self.connection.prepare("SELECT account, id, name FROM folder ORDER BY id")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let name: Option<String> = row.get(2)?;
            let of_account = folders.entry(AccountId(unsigned(row, 0)?)).or_default();
            of_account.restore(FolderId(row.get(1)?), name.and_then(|name| name.parse().ok()));
        }
        Ok(folders)
    }

    /// One account's folders as they are restated.
    pub(in crate::embedded) fn folder_rows(
        &self,
        account: AccountId,
    ) -> Result<Vec<(FolderId, Option<FolderName>)>, IndexError> {
        let mut statement =
            self.connection.prepare_cached("SELECT id, name FROM folder WHERE account = ?1 ORDER BY id")?;
        let rows = statement.query_map([account.0 as i64], |row| {
            Ok((FolderId(row.get(0)?), row.get::<_, Option<String>>(1)?))
        })?;
        let named = |row: rusqlite::Result<(FolderId, Option<String>)>| {
            row.map(|(id, name)| (id, name.and_then(|name| name.parse().ok())))
        };
        Ok(rows.map(named).collect::<Result<_, _>>()?)
    }

    pub(in crate::embedded) fn document(
        &self,
        account: AccountId,
        name: &DocumentName,
    ) -> Result<Option<Bytes>, IndexError> {
        let mut statement =
            self.connection.prepare_cached("SELECT octets FROM document WHERE account = ?1 AND name = ?2")?;
        let found: Option<Vec<u8>> =
            statement.query_row(params![account.0 as i64, name.as_str()], |row| row.get(0)).optional()?;
        Ok(found.map(Bytes::from))
    }

    pub(in crate::embedded) fn documents(
        &self,
        account: AccountId,
        prefix: &str,
    ) -> Result<Vec<(DocumentName, Bytes)>, IndexError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT name, octets FROM document
             WHERE account = ?1 AND name >= ?2 AND substr(name, 1, ?3) = ?2 ORDER BY name",
        )?;
        let mut rows = statement.query(params![account.0 as i64, prefix, prefix.chars().count() as i64])?;
        let mut documents = Vec::new();
        while let Some(row) = rows.next()? {
            if let Ok(name) = row.get::<_, String>(0)?.parse() {
                documents.push((name, Bytes::from(row.get::<_, Vec<u8>>(1)?)));
            }
        }
        Ok(documents)
    }

    /// Octets and volume of a document.
    pub(in crate::embedded) fn document_row(
        &self,
        account: AccountId,
        name: &DocumentName,
    ) -> Result<Option<(u64, u64)>, IndexError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT length(octets), volume FROM document WHERE account = ?1 AND name = ?2")?;
        let key = params![account.0 as i64, name.as_str()];
        Ok(statement.query_row(key, |row| Ok((unsigned(row, 0)?, unsigned(row, 1)?))).optional()?)
    }

    pub(in crate::embedded) fn document_usage(
        &self,
        account: AccountId,
    ) -> Result<DocumentUsage, IndexError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT count(*), coalesce(sum(length(octets)), 0) FROM document WHERE account = ?1",
        )?;
        Ok(statement.query_row([account.0 as i64], |row| {
            Ok(DocumentUsage { documents: unsigned(row, 0)?, octets: unsigned(row, 1)? })
        })?)
    }
}

/// Applying.
impl Index {
    /// Puts a message into an account's folder.
    pub(super) fn insert_place(&mut self, id: QueueId, place: &Place) -> Result<(), IndexError> {
        let Marks { folder, flags, labels, changed } = &place.marks;
        let last: Option<i64> = self
            .connection
            .prepare_cached("SELECT max(id) FROM maildrop WHERE account = ?1")?
            .query_row([place.account.0 as i64], |row| row.get(0))?;
        let is_in_order = *changed == 0 && last.is_none_or(|last| (last as u64) < id.0);
        let number = if *changed == 0 { self.mark.sequence } else { *changed };
        // What is out of order has no place in the order of deliveries.
        let (delivered, changed) = if is_in_order { (number, 0) } else { (0, number) };
        let mut statement = self
            .connection
            .prepare_cached("INSERT OR REPLACE INTO maildrop VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?;
        statement.execute(params![
            place.account.0 as i64,
            id.0 as i64,
            encode_time(place.received_at).as_ref(),
            place.prefix.as_ref(),
            folder.0,
            flags.bits(),
            labels_value(labels).as_deref(),
            delivered as i64,
            changed as i64
        ])?;
        Ok(())
    }

    /// What is said of a message that is there (if it is) as of this record.
    pub(super) fn state_marks(
        &mut self,
        account: AccountId,
        id: QueueId,
        marks: &Marks,
    ) -> Result<(), IndexError> {
        let Marks { folder, flags, labels, changed } = marks;
        let number = if *changed == 0 { self.mark.sequence } else { *changed };
        let mut statement = self.connection.prepare_cached(
            "UPDATE maildrop SET folder = ?3, flags = ?4, labels = ?5,
             changed = CASE WHEN delivered = ?6 THEN 0 ELSE ?6 END
             WHERE account = ?1 AND id = ?2",
        )?;
        statement.execute(params![
            account.0 as i64,
            id.0 as i64,
            folder.0,
            flags.bits(),
            labels_value(labels).as_deref(),
            number as i64
        ])?;
        Ok(())
    }

    /// A person changed something.
    pub(super) fn change_mailbox(
        &mut self,
        record: &Record,
        account: AccountId,
        changes: &[MailboxChange],
    ) -> Result<(), IndexError> {
        let mut live = 0;
        for change in changes {
            match change {
                MailboxChange::CreateFolder { folder, name }
                | MailboxChange::RenameFolder { folder, name } => {
                    self.put_folder(account, *folder, Some(name))?;
                }
                MailboxChange::RemoveFolder { folder } => self.remove_folder(account, *folder)?,
                MailboxChange::Move { messages, folder } => self.move_messages(account, messages, *folder)?,
                MailboxChange::Flag { messages, add, remove } => {
                    self.flag_messages(account, messages, *add, *remove)?;
                }
                MailboxChange::Label { messages, add, remove } => {
                    self.label_messages(account, messages, add, remove)?;
                }
                MailboxChange::PutDocument { name, octets } => {
                    live += self.put_document(record.volume, account, name, octets)?;
                }
                MailboxChange::RemoveDocument { name } => self.remove_document(account, name)?,
            }
        }
        self.count_filing(record, live, changes_folders(changes));
        self.changes.filed.insert(account);
        Ok(())
    }

    /// What is true now, said again.
    pub(super) fn state_mailbox(
        &mut self,
        record: &Record,
        account: AccountId,
        state: &MailboxState,
    ) -> Result<(), IndexError> {
        if let Some(folders) = &state.folders {
            self.connection
                .prepare_cached("DELETE FROM folder WHERE account = ?1")?
                .execute([account.0 as i64])?;
            for (folder, name) in folders {
                self.put_folder(account, *folder, name.as_ref())?;
            }
        }
        for (id, marks) in &state.marks {
            self.state_marks(account, *id, marks)?;
        }
        let mut live = 0;
        for (name, octets) in &state.documents {
            match octets {
                Some(octets) => live += self.put_document(record.volume, account, name, octets)?,
                None => self.remove_document(account, name)?,
            }
        }
        self.count_filing(record, live, state.folders.is_some());
        Ok(())
    }

    /// Documents count as long as they are there; folders for ever; the rest as long as older volumes do.
    fn count_filing(&mut self, record: &Record, live: u64, lasts: bool) {
        let change = self.volume_change(record.volume);
        let rest = record.header.stride().saturating_sub(live) as i64;
        if lasts {
            change.standing += rest;
        } else {
            change.passing += rest;
        }
    }

    fn put_folder(
        &self,
        account: AccountId,
        folder: FolderId,
        name: Option<&FolderName>,
    ) -> Result<(), IndexError> {
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO folder VALUES (?1, ?2, ?3)")?
            .execute(params![account.0 as i64, folder.0, name.map(FolderName::as_str)])?;
        Ok(())
    }

    /// The last id ever used stays known, so that it is not used again.
    fn remove_folder(&self, account: AccountId, folder: FolderId) -> Result<(), IndexError> {
        self.put_folder(account, folder, None)?;
        self.connection
            .prepare_cached(
                "DELETE FROM folder WHERE account = ?1 AND name IS NULL
                 AND id < (SELECT max(id) FROM folder WHERE account = ?1)",
            )?
            .execute([account.0 as i64])?;
        Ok(())
    }

    fn move_messages(
        &self,
        account: AccountId,
        messages: &[QueueId],
        folder: FolderId,
    ) -> Result<(), IndexError> {
        let mut statement = self.connection.prepare_cached(
            "UPDATE maildrop SET folder = ?3, changed = ?4
             WHERE account = ?1 AND id = ?2 AND folder <> ?3",
        )?;
        for id in messages {
            statement.execute(params![account.0 as i64, id.0 as i64, folder.0, self.mark.sequence as i64])?;
        }
        Ok(())
    }

    fn flag_messages(
        &self,
        account: AccountId,
        messages: &[QueueId],
        add: Flags,
        remove: Flags,
    ) -> Result<(), IndexError> {
        let mut statement = self.connection.prepare_cached(
            "UPDATE maildrop SET flags = (flags | ?3) & ~?4, changed = ?5
             WHERE account = ?1 AND id = ?2 AND flags <> ((flags | ?3) & ~?4)",
        )?;
        for id in messages {
            statement.execute(params![
                account.0 as i64,
                id.0 as i64,
                add.bits(),
                remove.bits(),
                self.mark.sequence as i64
            ])?;
        }
        Ok(())
    }

    fn label_messages(
        &self,
        account: AccountId,
        messages: &[QueueId],
        add: &[Label],
        remove: &[Label],
    ) -> Result<(), IndexError> {
        let mut select =
            self.connection.prepare_cached("SELECT labels FROM maildrop WHERE account = ?1 AND id = ?2")?;
        let mut update = self
            .connection
            .prepare_cached("UPDATE maildrop SET labels = ?3, changed = ?4 WHERE account = ?1 AND id = ?2")?;
        for id in messages {
            let found: Option<Option<Vec<u8>>> =
                select.query_row(params![account.0 as i64, id.0 as i64], |row| row.get(0)).optional()?;
            let Some(found) = found else { continue };
            let before = found.map_or(Ok(Vec::new()), |octets| decode_labels(&octets))?;
            let mut labels = before.clone();
            change_labels(&mut labels, add, remove);
            if labels != before {
                update.execute(params![
                    account.0 as i64,
                    id.0 as i64,
                    labels_value(&labels).as_deref(),
                    self.mark.sequence as i64
                ])?;
            }
        }
        Ok(())
    }

    /// Returns what the document counts for in its volume.
    fn put_document(
        &mut self,
        volume: u64,
        account: AccountId,
        name: &DocumentName,
        octets: &Bytes,
    ) -> Result<u64, IndexError> {
        self.remove_document(account, name)?;
        self.connection.prepare_cached("INSERT INTO document VALUES (?1, ?2, ?3, ?4)")?.execute(params![
            account.0 as i64,
            name.as_str(),
            octets.as_ref(),
            volume as i64
        ])?;
        let live = document_live(name, octets.len() as u64);
        self.volume_change(volume).live += live as i64;
        Ok(live)
    }

    fn remove_document(&mut self, account: AccountId, name: &DocumentName) -> Result<(), IndexError> {
        if let Some((octets, volume)) = self.document_row(account, name)? {
            self.volume_change(volume).live -= document_live(name, octets) as i64;
            self.connection
                .prepare_cached("DELETE FROM document WHERE account = ?1 AND name = ?2")?
                .execute(params![account.0 as i64, name.as_str()])?;
        }
        Ok(())
    }

    /// Remembers, for a while, that messages are gone.
    pub(super) fn remember_removed(&mut self, account: AccountId, ids: &[QueueId]) -> Result<(), IndexError> {
        if ids.is_empty() {
            return Ok(());
        }
        let ids = encode_ids(ids);
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO removed VALUES (?1, ?2, ?3)")?
            .execute(params![account.0 as i64, self.mark.sequence as i64, ids.as_ref()])?;
        self.removed_octets += ids.len() as u64 + REMOVED_ROW_OCTETS;
        if self.removed_octets > REMOVED_OCTETS_MAX {
            self.forget_removed()?;
        }
        Ok(())
    }

    /// Forgets the older half.
    fn forget_removed(&mut self) -> Result<(), IndexError> {
        let mut until = 0;
        let mut octets = 0;
        {
            let mut statement =
                self.connection.prepare("SELECT change, length(ids) FROM removed ORDER BY change")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                if octets > REMOVED_OCTETS_MAX / 2 {
                    break;
                }
                octets += unsigned(row, 1)? + REMOVED_ROW_OCTETS;
                until = unsigned(row, 0)?;
            }
        }
        self.connection.execute("DELETE FROM removed WHERE change <= ?1", [until as i64])?;
        self.connection.execute("UPDATE forgotten SET change = max(change, ?1)", [until as i64])?;
        self.removed_octets = self.count_removed()?;
        Ok(())
    }

    /// Octets of what is remembered of removed messages.
    pub(super) fn count_removed(&self) -> Result<u64, IndexError> {
        let counted = "SELECT coalesce(sum(length(ids) + ?1), 0) FROM removed";
        Ok(self.connection.query_row(counted, [REMOVED_ROW_OCTETS as i64], |row| unsigned(row, 0))?)
    }

    /// An index made anew has not seen all that was removed: volumes that said so are gone.
    pub(in crate::embedded) fn forget_all_removed(&mut self) -> Result<(), IndexError> {
        self.connection.execute("DELETE FROM removed", [])?;
        self.connection.execute("UPDATE forgotten SET change = ?1", [self.mark.sequence as i64])?;
        self.removed_octets = 0;
        Ok(())
    }

    /// All that an account has besides messages.
    pub(super) fn remove_filing(&mut self, account: AccountId) -> Result<(), IndexError> {
        let documents: Vec<(String, i64, i64)> = {
            let mut statement = self
                .connection
                .prepare_cached("SELECT name, length(octets), volume FROM document WHERE account = ?1")?;
            let rows =
                statement.query_map([account.0 as i64], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            rows.collect::<Result<_, _>>()?
        };
        for (name, octets, volume) in documents {
            self.volume_change(volume as u64).live -= name.len() as i64 + octets;
        }
        for statement in [
            "DELETE FROM document WHERE account = ?1",
            "DELETE FROM folder WHERE account = ?1",
            "DELETE FROM removed WHERE account = ?1",
        ] {
            self.connection.execute(statement, [account.0 as i64])?;
        }
        self.changes.filed.insert(account);
        Ok(())
    }
}

fn document_live(name: &DocumentName, octets: u64) -> u64 {
    name.as_str().len() as u64 + octets
}
