//! Putting messages in, changing and removing them; which conversation each belongs to.

use super::{EVERYWHERE, Index, IndexError, fingerprint};
use crate::desk::{Person, limits};
use crate::reader::{Gist, base_subject, is_reply_subject};
use posta_store::{Flags, Label, MaildropMessage, QueueId};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashSet};

/// A conversation that nobody wrote in for so long isn't gone on with by the subject alone: 30 days, in microseconds.
const SUBJECT_AGE_MAX_MICROS: i64 = 30 * 24 * 3600 * 1_000_000;
/// People of a message that are kept for lists.
const PEOPLE_SHOWN_MAX: usize = 8;
/// Recipients of one message that are remembered for completing addresses.
const PEOPLE_REMEMBERED_MAX: usize = 50;

/// A message for the index. Without a gist it must be there already: only its place and marks change.
pub(crate) struct Indexed {
    pub(crate) message: MaildropMessage,
    pub(crate) gist: Option<Gist>,
    /// It has just come, and is to go through the rules.
    pub(crate) is_arrival: bool,
}

/// What a list shows of a message; kept as JSON.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Shown {
    #[serde(rename = "f", default)]
    pub(crate) from: Person,
    #[serde(rename = "t", default)]
    pub(crate) to: Vec<Person>,
    #[serde(rename = "s", default)]
    pub(crate) subject: String,
    #[serde(rename = "w", default)]
    pub(crate) snippet: String,
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub(crate) draft: Option<String>,
}

/// What a batch changed.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// Folders with changes.
    pub(crate) folders: BTreeSet<u32>,
    /// Conversations with changes.
    pub(crate) threads: BTreeSet<i64>,
}

#[derive(Default)]
struct Batch {
    applied: Applied,
    /// Folder and thread whose newest message is to be looked for.
    touched: BTreeSet<(i64, i64)>,
}

impl Index {
    /// Which of these aren't there.
    pub(crate) fn unknown(&self, ids: &[QueueId]) -> Result<HashSet<QueueId>, IndexError> {
        let connection = self.read();
        let mut known = connection.prepare_cached("SELECT 1 FROM message WHERE id = ?1")?;
        let mut unknown = HashSet::new();
        for id in ids {
            if !known.exists([id.0 as i64])? {
                unknown.insert(*id);
            }
        }
        Ok(unknown)
    }

    /// All that are there.
    pub(crate) fn ids(&self) -> Result<Vec<QueueId>, IndexError> {
        let connection = self.read();
        let mut all = connection.prepare_cached("SELECT id FROM message")?;
        let ids = all.query_map([], |row| row.get(0).map(|id: i64| QueueId(id as u64)))?;
        Ok(ids.collect::<Result<_, _>>()?)
    }

    /// What has come and hasn't gone through the rules.
    pub(crate) fn arrivals(&self) -> Result<Vec<QueueId>, IndexError> {
        let connection = self.read();
        let mut all = connection.prepare_cached("SELECT id FROM arrival ORDER BY id")?;
        let ids = all.query_map([], |row| row.get(0).map(|id: i64| QueueId(id as u64)))?;
        Ok(ids.collect::<Result<_, _>>()?)
    }

    /// These have gone through the rules.
    pub(crate) fn treated(&self, ids: &[QueueId]) -> Result<(), IndexError> {
        let connection = self.write();
        let mut delete = connection.prepare_cached("DELETE FROM arrival WHERE id = ?1")?;
        ids.iter().try_for_each(|id| delete.execute([id.0 as i64]).map(drop))?;
        Ok(())
    }

    /// Puts in, changes and removes, all in one transaction; `mark`: from then on all up to it is in.
    pub(crate) fn apply(
        &self,
        messages: &[Indexed],
        removed: &[QueueId],
        mark: Option<u64>,
    ) -> Result<Applied, IndexError> {
        let mut connection = self.write();
        let transaction = connection.transaction()?;
        let mut batch = Batch::default();
        for indexed in messages {
            put(&transaction, &mut batch, indexed)?;
        }
        for id in removed {
            remove(&transaction, &mut batch, *id)?;
        }
        refresh(&transaction, &batch.touched)?;
        if let Some(mark) = mark {
            transaction.execute("UPDATE mark SET change = ?1", [mark as i64])?;
        }
        transaction.commit()?;
        Ok(batch.applied)
    }
}

struct Known {
    doc: i64,
    thread: i64,
    folder: i64,
    flags: i64,
    labels: String,
}

fn known(connection: &Connection, id: QueueId) -> Result<Option<Known>, rusqlite::Error> {
    let mut query =
        connection.prepare_cached("SELECT doc, thread, folder, flags, labels FROM message WHERE id = ?1")?;
    query
        .query_row([id.0 as i64], |row| {
            Ok(Known {
                doc: row.get(0)?,
                thread: row.get(1)?,
                folder: row.get(2)?,
                flags: row.get(3)?,
                labels: row.get(4)?,
            })
        })
        .optional()
}

impl Batch {
    fn touch(&mut self, folder: i64, thread: i64) {
        self.touched.insert((folder, thread));
        self.touched.insert((EVERYWHERE, thread));
        self.applied.folders.insert(folder as u32);
        self.applied.threads.insert(thread);
    }
}

fn put(connection: &Transaction<'_>, batch: &mut Batch, indexed: &Indexed) -> Result<(), IndexError> {
    let message = &indexed.message;
    let (folder, flags) = (i64::from(message.folder.0), bits(message.flags));
    let labels = joined(&message.labels);
    if let Some(known) = known(connection, message.content.id)? {
        if (known.folder, known.flags, known.labels.as_str()) == (folder, flags, labels.as_str()) {
            return Ok(());
        }
        let mut update = connection
            .prepare_cached("UPDATE message SET folder = ?2, flags = ?3, labels = ?4 WHERE doc = ?1")?;
        update.execute(params![known.doc, folder, flags, labels])?;
        if known.labels != labels {
            put_labels(connection, known.doc, &message.labels)?;
        }
        batch.touch(known.folder, known.thread);
        batch.touch(folder, known.thread);
        return Ok(());
    }
    let Some(gist) = &indexed.gist else { return Ok(()) };
    let doc = free_doc(connection, message)?;
    let thread = thread_of(connection, batch, gist, doc)?;
    let mut insert =
        connection.prepare_cached("INSERT INTO message VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?;
    insert.execute(params![
        doc,
        message.content.id.0 as i64,
        thread,
        folder,
        flags,
        (message.content.size_octets + message.prefix.len() as u64) as i64,
        message.received_at.as_microsecond(),
        gist.has_attachment,
        gist.message_id.as_deref().map(fingerprint),
        labels
    ])?;
    put_labels(connection, doc, &message.labels)?;
    put_words(connection, doc, gist)?;
    super::address::remember(connection, gist, message.folder, doc, PEOPLE_REMEMBERED_MAX)?;
    batch.touch(folder, thread);
    if indexed.is_arrival {
        connection
            .prepare_cached("INSERT OR IGNORE INTO arrival VALUES (?1)")?
            .execute([message.content.id.0 as i64])?;
    }
    Ok(())
}

/// The flags as SQL sees them: 1 seen, 2 answered, 4 forwarded, 8 flagged, 16 draft, 32 muted.
pub(crate) fn bits(flags: Flags) -> i64 {
    const BITS: [(Flags, i64); 6] = [
        (Flags::SEEN, 1),
        (Flags::ANSWERED, 2),
        (Flags::FORWARDED, 4),
        (Flags::FLAGGED, 8),
        (Flags::DRAFT, 16),
        (Flags::MUTED, 32),
    ];
    BITS.iter().filter(|(flag, _)| flags.contains(*flag)).map(|(_, bit)| bit).sum()
}

fn joined(labels: &[Label]) -> String {
    labels.iter().map(|label| label.as_str()).collect::<Vec<_>>().join("\n")
}

/// A number that grows with the time when the message came, and that nobody has.
fn free_doc(connection: &Connection, message: &MaildropMessage) -> Result<i64, rusqlite::Error> {
    let micros = message.received_at.as_microsecond().clamp(0, i64::MAX / 2048);
    let mut doc = micros * 1024 + (message.content.id.0 & 1023) as i64;
    let mut taken = connection.prepare_cached("SELECT 1 FROM message WHERE doc = ?1")?;
    while taken.exists([doc])? {
        doc += 1;
    }
    Ok(doc)
}

/// The conversation that a message belongs to: by what it refers to, else by its subject, else a new one.
fn thread_of(
    connection: &Transaction<'_>,
    batch: &mut Batch,
    gist: &Gist,
    doc: i64,
) -> Result<i64, IndexError> {
    let subject = base_subject(&gist.subject).to_lowercase();
    let subject = (!subject.is_empty()).then(|| fingerprint(&subject));
    // The message answered stands last; what answers this one may have come before it.
    let ids = gist.references.iter().rev().chain(&gist.message_id);
    let ids: Vec<i64> = ids.map(|id| fingerprint(id)).collect();
    let mut found: Vec<i64> = Vec::new();
    let mut look_up = connection.prepare_cached("SELECT thread FROM reference WHERE id = ?1")?;
    for id in &ids {
        if let Some(thread) = look_up.query_row([id], |row| row.get(0)).optional()?
            && !found.contains(&thread)
        {
            found.push(thread);
        }
    }
    if found.is_empty() && gist.references.is_empty() && is_reply_subject(&gist.subject) {
        found.extend(thread_by_subject(connection, subject, doc)?);
    }
    let thread = match found.first() {
        None => {
            let mut insert = connection.prepare_cached("INSERT INTO thread VALUES (?1, ?2, ?1)")?;
            insert.execute(params![doc, subject])?;
            doc
        }
        Some(first) => {
            let mut thread = *first;
            for other in &found[1..] {
                // Joined only where both are about the same: a stranger's references join nothing else.
                if subject_of(connection, *other)? == subject_of(connection, thread)? {
                    thread = join(connection, batch, thread, *other)?;
                }
            }
            let mut update =
                connection.prepare_cached("UPDATE thread SET latest = max(latest, ?2) WHERE thread = ?1")?;
            update.execute([thread, doc])?;
            thread
        }
    };
    let mut refer = connection.prepare_cached("INSERT OR IGNORE INTO reference VALUES (?1, ?2)")?;
    for id in ids {
        refer.execute([id, thread])?;
    }
    Ok(thread)
}

fn thread_by_subject(
    connection: &Connection,
    subject: Option<i64>,
    doc: i64,
) -> Result<Option<i64>, rusqlite::Error> {
    let Some(subject) = subject else { return Ok(None) };
    let mut query = connection.prepare_cached(
        "SELECT thread FROM thread WHERE subject = ?1 AND latest BETWEEN ?2 AND ?3 ORDER BY latest DESC LIMIT 1",
    )?;
    let age = SUBJECT_AGE_MAX_MICROS * 1024;
    query.query_row([subject, doc - age, doc + age], |row| row.get(0)).optional()
}

fn subject_of(connection: &Connection, thread: i64) -> Result<Option<i64>, rusqlite::Error> {
    let mut query = connection.prepare_cached("SELECT subject FROM thread WHERE thread = ?1")?;
    Ok(query.query_row([thread], |row| row.get(0)).optional()?.flatten())
}

/// Two conversations become one, under the older number.
fn join(connection: &Transaction<'_>, batch: &mut Batch, one: i64, other: i64) -> Result<i64, IndexError> {
    let (kept, gone) = (one.min(other), one.max(other));
    let mut folders = connection.prepare_cached("SELECT DISTINCT folder FROM message WHERE thread = ?1")?;
    let folders: Vec<i64> = folders.query_map([gone], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for folder in folders {
        batch.touch(folder, gone);
        batch.touch(folder, kept);
    }
    for statement in [
        "UPDATE message SET thread = ?1 WHERE thread = ?2",
        "UPDATE reference SET thread = ?1 WHERE thread = ?2",
        "UPDATE joined SET thread = ?1 WHERE thread = ?2",
        "INSERT OR REPLACE INTO joined VALUES (?2, ?1)",
        "UPDATE thread SET latest = max(latest, (SELECT latest FROM thread WHERE thread = ?2)) WHERE thread = ?1",
    ] {
        connection.prepare_cached(statement)?.execute([kept, gone])?;
    }
    connection.prepare_cached("DELETE FROM thread WHERE thread = ?1")?.execute([gone])?;
    Ok(kept)
}

fn put_labels(connection: &Connection, doc: i64, labels: &[Label]) -> Result<(), rusqlite::Error> {
    connection.prepare_cached("DELETE FROM label WHERE doc = ?1")?.execute([doc])?;
    let mut insert = connection.prepare_cached("INSERT OR IGNORE INTO label VALUES (?1, ?2)")?;
    for label in labels {
        insert.execute(params![label.as_str(), doc])?;
    }
    Ok(())
}

fn put_words(connection: &Connection, doc: i64, gist: &Gist) -> Result<(), IndexError> {
    let named = |people: &mut dyn Iterator<Item = &Person>| {
        let mut text = String::new();
        for person in people.take(limits::DRAFT_RECIPIENTS_MAX) {
            text.push_str(&person.name);
            text.push(' ');
            text.push_str(&person.address);
            text.push('\n');
        }
        text
    };
    let senders = named(&mut gist.authors.iter());
    let recipients = named(&mut gist.to.iter().chain(&gist.cc).chain(&gist.bcc));
    let mut words = connection.prepare_cached(
        "INSERT INTO words (rowid, subject, sender, recipients, body, files, list) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    words.execute(params![
        doc,
        gist.subject,
        senders,
        recipients,
        gist.text,
        gist.file_names.join("\n"),
        gist.list
    ])?;
    let shown = Shown {
        from: gist.authors.first().cloned().unwrap_or_default(),
        to: gist.to.iter().chain(&gist.cc).chain(&gist.bcc).take(PEOPLE_SHOWN_MAX).cloned().collect(),
        subject: gist.subject.clone(),
        snippet: gist.snippet.clone(),
        draft: gist.draft.clone(),
    };
    let mut insert = connection.prepare_cached("INSERT OR REPLACE INTO shown VALUES (?1, ?2)")?;
    insert.execute(params![doc, serde_json::to_string(&shown)?])?;
    if let Some(draft) = &gist.draft {
        let mut insert = connection.prepare_cached("INSERT OR REPLACE INTO draft VALUES (?1, ?2)")?;
        insert.execute(params![draft, doc])?;
    }
    Ok(())
}

fn remove(connection: &Transaction<'_>, batch: &mut Batch, id: QueueId) -> Result<(), IndexError> {
    let Some(known) = known(connection, id)? else { return Ok(()) };
    for statement in [
        "DELETE FROM message WHERE doc = ?1",
        "DELETE FROM shown WHERE doc = ?1",
        "DELETE FROM label WHERE doc = ?1",
        "DELETE FROM words WHERE rowid = ?1",
        "DELETE FROM draft WHERE doc = ?1",
    ] {
        connection.prepare_cached(statement)?.execute([known.doc])?;
    }
    batch.touch(known.folder, known.thread);
    Ok(())
}

/// Looks for the newest message of each conversation in each folder where something has changed.
fn refresh(connection: &Transaction<'_>, touched: &BTreeSet<(i64, i64)>) -> Result<(), IndexError> {
    let mut in_folder =
        connection.prepare_cached("SELECT max(doc) FROM message WHERE thread = ?1 AND folder = ?2")?;
    let mut everywhere = connection
        .prepare_cached("SELECT max(doc) FROM message WHERE thread = ?1 AND folder NOT IN (4, 5)")?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO folder_thread VALUES (?1, ?2, ?3) ON CONFLICT (folder, thread) DO UPDATE SET latest = ?3",
    )?;
    let mut delete =
        connection.prepare_cached("DELETE FROM folder_thread WHERE folder = ?1 AND thread = ?2")?;
    for (folder, thread) in touched {
        let latest: Option<i64> = if *folder == EVERYWHERE {
            everywhere.query_row([thread], |row| row.get(0))?
        } else {
            in_folder.query_row([thread, folder], |row| row.get(0))?
        };
        match latest {
            Some(latest) => insert.execute([*folder, *thread, latest])?,
            None => delete.execute([*folder, *thread])?,
        };
    }
    Ok(())
}
