//! Lists of conversations and messages, and a conversation by its key.

use super::apply::Shown;
use super::search::{Plan, SearchContext};
use super::{EVERYWHERE, Index, IndexError, fingerprint};
use crate::desk::{ConversationKey, Cursor, DraftKey, FolderKey, MessageKey, MessageRow};
use jiff::Timestamp;
use posta_store::{FolderId, QueueId};
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter, types::Value};

/// Messages of a conversation that a row of a list is made of.
const ROW_MESSAGES_MAX: u32 = 100;
/// Matches that are counted exactly.
const COUNTED_MAX: u64 = 10_000;
/// Unread messages that are gone through for a search among them.
const FEW_UNREAD_MAX: i64 = 10_000;

/// A message where it is.
#[derive(Debug, Clone)]
pub(crate) struct Located {
    pub(crate) row: MessageRow,
    pub(crate) id: QueueId,
    pub(crate) folder: u32,
    pub(crate) flags: i64,
    pub(crate) thread: i64,
}

/// A conversation for a list.
#[derive(Debug)]
pub(crate) struct Thread {
    pub(crate) thread: i64,
    /// The newest of it in the list.
    pub(crate) latest: i64,
    /// Newest first, at most [`ROW_MESSAGES_MAX`].
    pub(crate) messages: Vec<Located>,
    /// Of all of it.
    pub(crate) count: u32,
    pub(crate) unread: u32,
}

/// A page, before it is made into rows.
#[derive(Debug)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next: Option<Cursor>,
    pub(crate) total: u64,
}

/// What is asked for.
pub(crate) struct Asked<'a> {
    pub(crate) folder: Option<u32>,
    pub(crate) search: &'a str,
    pub(crate) before: Option<i64>,
    pub(crate) skip: u64,
    pub(crate) limit: usize,
}

pub(crate) fn folder_key(folder: u32) -> FolderKey {
    match FolderId(folder).role() {
        Some(role) => FolderKey::of(role),
        None => FolderKey::new(folder.to_string()),
    }
}

pub(crate) fn thread_key(thread: i64) -> ConversationKey {
    ConversationKey::new(format!("{thread:x}"))
}

pub(crate) fn cursor(doc: i64) -> Cursor {
    Cursor::new(format!("{doc:x}"))
}

/// What [`cursor`] and [`thread_key`] wrote.
pub(crate) fn number(text: &str) -> Option<i64> {
    i64::from_str_radix(text, 16).ok()
}

const LOCATED: &str =
    "SELECT m.doc, m.id, m.thread, m.folder, m.flags, m.size, m.received, m.files, m.labels, s.row
     FROM message m JOIN shown s ON s.doc = m.doc";

fn located(row: &Row<'_>) -> Result<Located, rusqlite::Error> {
    let shown: Shown = serde_json::from_str(row.get_ref(9)?.as_str()?).unwrap_or_default();
    let (id, thread, folder, flags): (i64, i64, u32, i64) =
        (row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?);
    let labels = row.get_ref(8)?.as_str()?;
    let id = QueueId(id as u64);
    Ok(Located {
        row: MessageRow {
            key: MessageKey::new(id.to_string()),
            conversation: thread_key(thread),
            draft: shown.draft.filter(|_| folder == 1).map(DraftKey::new),
            folder: folder_key(folder),
            from: shown.from,
            to: shown.to,
            subject: shown.subject,
            snippet: shown.snippet,
            time: Timestamp::from_microsecond(row.get(6)?).unwrap_or_default(),
            size_octets: row.get::<_, i64>(5)?.unsigned_abs(),
            is_read: flags & 1 != 0,
            is_answered: flags & 2 != 0,
            is_forwarded: flags & 4 != 0,
            is_flagged: flags & 8 != 0,
            has_attachment: row.get(7)?,
            labels: labels.split('\n').filter(|label| !label.is_empty()).map(str::to_owned).collect(),
        },
        id,
        folder,
        flags,
        thread,
    })
}

impl Index {
    /// A page of conversations.
    pub(crate) fn conversations(
        &self,
        asked: &Asked<'_>,
        context: &SearchContext<'_>,
    ) -> Result<Page<Thread>, IndexError> {
        let connection = self.read();
        let plan = Plan::new(asked.search, asked.folder, context, has_few_unread(&connection)?)?;
        let (found, total) = if plan.is_plain {
            plain_threads(&connection, asked)?
        } else {
            matching_threads(&connection, &plan, asked)?
        };
        let next = (found.len() > asked.limit)
            .then(|| found.get(asked.limit - 1).map(|(_, latest)| cursor(*latest)))
            .flatten();
        let hides = asked.folder.is_none_or(|folder| !matches!(folder, 4 | 5));
        let threads = found.into_iter().take(asked.limit);
        let items = threads
            .map(|(thread, latest)| row_of(&connection, thread, latest, hides))
            .collect::<Result<_, _>>()?;
        Ok(Page { items, next, total })
    }

    /// A page of messages.
    pub(crate) fn messages(
        &self,
        asked: &Asked<'_>,
        context: &SearchContext<'_>,
    ) -> Result<Page<Located>, IndexError> {
        let connection = self.read();
        let mut plan = Plan::new(asked.search, asked.folder, context, has_few_unread(&connection)?)?;
        let total = count(&connection, &plan)?;
        if let Some(before) = asked.before {
            let order = plan.order();
            plan.conditions.push(format!("{order} < {before}"));
        }
        let sql = format!(
            "SELECT m.doc FROM {} WHERE {} ORDER BY {} DESC LIMIT {} OFFSET {}",
            plan.from,
            conditions(&plan),
            plan.order(),
            asked.limit + 1,
            asked.skip.min(i64::MAX as u64)
        );
        let mut query = connection.prepare_cached(&sql)?;
        let docs = query.query_map(params_from_iter(&plan.values), |row| row.get(0))?;
        let docs: Vec<i64> = docs.collect::<Result<_, _>>()?;
        let next =
            (docs.len() > asked.limit).then(|| docs.get(asked.limit - 1).map(|doc| cursor(*doc))).flatten();
        let mut one = connection.prepare_cached(&format!("{LOCATED} WHERE m.doc = ?1"))?;
        let items = docs
            .iter()
            .take(asked.limit)
            .map(|doc| one.query_row([doc], located))
            .collect::<Result<_, _>>()?;
        Ok(Page { items, next, total })
    }

    /// A message by its id.
    pub(crate) fn message(&self, id: QueueId) -> Result<Option<Located>, IndexError> {
        let connection = self.read();
        let mut one = connection.prepare_cached(&format!("{LOCATED} WHERE m.id = ?1"))?;
        Ok(one.query_row([id.0 as i64], located).optional()?)
    }

    /// The newest version of a draft.
    pub(crate) fn draft(&self, key: &str) -> Result<Option<Located>, IndexError> {
        let connection = self.read();
        let mut one = connection.prepare_cached(&format!(
            "{LOCATED} JOIN draft d ON d.doc = m.doc WHERE d.key = ?1 AND m.folder = 1"
        ))?;
        Ok(one.query_row([key], located).optional()?)
    }

    /// A message by its Message-ID, preferably one that this person sent.
    pub(crate) fn by_message_id(&self, message_id: &str) -> Result<Option<Located>, IndexError> {
        let connection = self.read();
        let mut one = connection.prepare_cached(&format!(
            "{LOCATED} WHERE m.own_id = ?1 ORDER BY m.folder = 2 DESC, m.doc LIMIT 1"
        ))?;
        Ok(one.query_row([fingerprint(message_id)], located).optional()?)
    }

    /// The conversation of this name, whichever it is now.
    pub(crate) fn thread(&self, key: i64) -> Result<Option<i64>, IndexError> {
        let connection = self.read();
        for sql in [
            "SELECT thread FROM thread WHERE thread = ?1",
            "SELECT thread FROM joined WHERE old = ?1",
            "SELECT thread FROM message WHERE doc = ?1",
        ] {
            let found = connection.prepare_cached(sql)?.query_row([key], |row| row.get(0)).optional()?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The newest messages of a conversation, newest first, and how many there are.
    pub(crate) fn thread_messages(
        &self,
        thread: i64,
        limit: usize,
    ) -> Result<(Vec<Located>, u32), IndexError> {
        let connection = self.read();
        let mut count = connection.prepare_cached("SELECT count(*) FROM message WHERE thread = ?1")?;
        let count = count.query_row([thread], |row| row.get(0))?;
        let mut query = connection
            .prepare_cached(&format!("{LOCATED} WHERE m.thread = ?1 ORDER BY m.doc DESC LIMIT ?2"))?;
        let messages = query.query_map([thread, limit as i64], located)?;
        Ok((messages.collect::<Result<_, _>>()?, count))
    }

    /// Messages, unread ones and conversations of every folder with something in it.
    pub(crate) fn counts(&self) -> Result<Vec<(i64, u64, u64)>, IndexError> {
        let connection = self.read();
        let mut query = connection.prepare_cached("SELECT folder, messages, unread FROM folder_count")?;
        let counts = query.query_map([], |row| {
            Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs(), row.get::<_, i64>(2)?.unsigned_abs()))
        })?;
        Ok(counts.collect::<Result<_, _>>()?)
    }

    /// Labels in use.
    pub(crate) fn labels(&self) -> Result<Vec<(String, u64)>, IndexError> {
        let connection = self.read();
        let mut query = connection
            .prepare_cached("SELECT min(label), count(*) FROM label GROUP BY label ORDER BY label")?;
        let labels = query.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
        Ok(labels.collect::<Result<_, _>>()?)
    }
}

/// Conversations of a folder (or everywhere) by the list that is kept ready; one more than asked for, and their number.
fn plain_threads(connection: &Connection, asked: &Asked<'_>) -> Result<(Vec<(i64, i64)>, u64), IndexError> {
    let folder = asked.folder.map_or(EVERYWHERE, i64::from);
    let mut total = connection.prepare_cached("SELECT threads FROM folder_count WHERE folder = ?1")?;
    let total: Option<i64> = total.query_row([folder], |row| row.get(0)).optional()?;
    let mut query = connection.prepare_cached(
        "SELECT thread, latest FROM folder_thread WHERE folder = ?1 AND latest < ?2 ORDER BY latest DESC LIMIT ?3 OFFSET ?4",
    )?;
    let skip = asked.skip.min(i64::MAX as u64) as i64;
    let found = query
        .query_map([folder, asked.before.unwrap_or(i64::MAX), asked.limit as i64 + 1, skip], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    Ok((found.collect::<Result<_, _>>()?, total.unwrap_or(0).unsigned_abs()))
}

/// Whether the unread messages can be gone through in no time.
fn has_few_unread(connection: &Connection) -> Result<bool, IndexError> {
    let mut unread = connection.prepare_cached("SELECT coalesce(sum(unread), 0) FROM folder_count")?;
    Ok(unread.query_row([], |row| row.get::<_, i64>(0))? < FEW_UNREAD_MAX)
}

fn conditions(plan: &Plan) -> String {
    if plan.conditions.is_empty() { "1".to_owned() } else { plan.conditions.join(" AND ") }
}

/// Messages that match, exactly up to a bound.
fn count(connection: &Connection, plan: &Plan) -> Result<u64, IndexError> {
    let sql = format!(
        "SELECT count(*) FROM (SELECT 1 FROM {} WHERE {} LIMIT {COUNTED_MAX})",
        plan.from,
        conditions(plan)
    );
    let count: i64 =
        connection.prepare_cached(&sql)?.query_row(params_from_iter(&plan.values), |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// Conversations of messages that match, exactly up to a bound.
fn count_threads(connection: &Connection, plan: &Plan) -> Result<u64, IndexError> {
    let sql = format!(
        "SELECT count(DISTINCT thread) FROM (SELECT m.thread FROM {} WHERE {} LIMIT {COUNTED_MAX})",
        plan.from,
        conditions(plan)
    );
    let count: i64 =
        connection.prepare_cached(&sql)?.query_row(params_from_iter(&plan.values), |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// Conversations with a message that matches, by their newest such message, one more than asked for; and how many there
/// are. On the first page one reading finds both; on later ones only what is needed is read.
fn matching_threads(
    connection: &Connection,
    plan: &Plan,
    asked: &Asked<'_>,
) -> Result<(Vec<(i64, i64)>, u64), IndexError> {
    let order = plan.order();
    let before = asked.before.map(|before| format!(" AND {order} < {before}")).unwrap_or_default();
    let sql = format!(
        "SELECT m.thread, m.doc FROM {} WHERE {}{before} ORDER BY {order} DESC",
        plan.from,
        conditions(plan)
    );
    let mut query = connection.prepare_cached(&sql)?;
    let mut rows = query.query(params_from_iter(&plan.values))?;
    let mut seen = std::collections::HashSet::new();
    let (mut found, mut skip, mut read) = (Vec::new(), asked.skip, 0);
    while let Some(row) = rows.next()? {
        let (thread, doc): (i64, i64) = (row.get(0)?, row.get(1)?);
        read += 1;
        if found.len() > asked.limit && (asked.before.is_some() || read > COUNTED_MAX) {
            break;
        }
        if !seen.insert(thread) || found.len() > asked.limit {
            continue;
        }
        if asked.before.is_some() && is_on_earlier_page(connection, plan, thread, asked.before)? {
            continue;
        }
        if skip > 0 {
            skip -= 1;
            continue;
        }
        found.push((thread, doc));
    }
    let total = if asked.before.is_some() { count_threads(connection, plan)? } else { seen.len() as u64 };
    Ok((found, total))
}

/// Whether a newer message of the conversation matches too: then an earlier page had it.
fn is_on_earlier_page(
    connection: &Connection,
    plan: &Plan,
    thread: i64,
    before: Option<i64>,
) -> Result<bool, IndexError> {
    let Some(before) = before else { return Ok(false) };
    let sql = format!(
        "SELECT 1 FROM {} WHERE {} AND m.doc IN (SELECT doc FROM message WHERE thread = {thread} AND doc >= {before}) LIMIT 1",
        plan.from,
        conditions(plan)
    );
    let values: &[Value] = &plan.values;
    let mut query = connection.prepare(&sql)?;
    Ok(query.exists(params_from_iter(values))?)
}

fn row_of(connection: &Connection, thread: i64, latest: i64, hides: bool) -> Result<Thread, IndexError> {
    let hidden = if hides { " AND m.folder NOT IN (4, 5)" } else { "" };
    let mut query = connection
        .prepare_cached(&format!("{LOCATED} WHERE m.thread = ?1{hidden} ORDER BY m.doc DESC LIMIT ?2"))?;
    let messages = query.query_map([thread, i64::from(ROW_MESSAGES_MAX)], located)?;
    let mut messages: Vec<Located> = messages.collect::<Result<_, _>>()?;
    if messages.is_empty() {
        // A search found it in Junk or Trash only.
        let mut all = connection
            .prepare_cached(&format!("{LOCATED} WHERE m.thread = ?1 ORDER BY m.doc DESC LIMIT ?2"))?;
        let found = all.query_map([thread, i64::from(ROW_MESSAGES_MAX)], located)?;
        messages = found.collect::<Result<_, _>>()?;
    }
    let (mut count, mut unread) =
        (messages.len() as u32, messages.iter().filter(|message| !message.row.is_read).count() as u32);
    if count == ROW_MESSAGES_MAX {
        let sql = format!("SELECT count(*), sum(flags & 1 = 0) FROM message m WHERE m.thread = ?1{hidden}");
        (count, unread) =
            connection.prepare_cached(&sql)?.query_row([thread], |row| Ok((row.get(0)?, row.get(1)?)))?;
    }
    Ok(Thread { thread, latest, messages, count, unread })
}
