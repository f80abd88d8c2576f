//! Addresses seen in past mail, for completing what is typed.

use super::{Index, IndexError};
use crate::desk::{Person, Suggestion};
use crate::reader::Gist;
use posta_store::FolderId;
use rusqlite::{Connection, params};

/// Notes who wrote, and to whom the person wrote. Junk teaches nothing.
pub(super) fn remember(
    connection: &Connection,
    gist: &Gist,
    folder: FolderId,
    doc: i64,
    people_max: usize,
) -> Result<(), rusqlite::Error> {
    if matches!(folder, FolderId::JUNK | FolderId::TRASH | FolderId::DRAFTS) {
        return Ok(());
    }
    let written = i64::from(folder == FolderId::SENT);
    let mut insert = connection.prepare_cached(
        "INSERT INTO address VALUES (?1, ?2, ?3, 1 - ?3, ?4) ON CONFLICT (address) DO UPDATE SET
            written = written + ?3, got = got + 1 - ?3,
            name = CASE WHEN ?2 != '' AND (last <= ?4 OR name = '') THEN ?2 ELSE name END, last = max(last, ?4)",
    )?;
    let recipients = gist.to.iter().chain(&gist.cc).chain(&gist.bcc);
    let people: Vec<&Person> =
        if written == 1 { recipients.collect() } else { gist.authors.iter().collect() };
    for person in people.into_iter().take(people_max) {
        if person.address.len() <= 254 && person.address.contains('@') {
            insert.execute(params![person.address.to_lowercase(), person.name, written, doc])?;
        }
    }
    Ok(())
}

impl Index {
    /// Whose address, or a word of whose name, begins so; first whom the person writes to most.
    pub(crate) fn complete(&self, typed: &str, limit: u32) -> Result<Vec<Suggestion>, IndexError> {
        let escaped: String = typed
            .trim()
            .to_lowercase()
            .chars()
            .take(100)
            .flat_map(|c| if "%_\\".contains(c) { vec!['\\', c] } else { vec![c] })
            .collect();
        let connection = self.read();
        let mut query = connection.prepare_cached(
            "SELECT address, name, written FROM address
             WHERE address LIKE ?1 ESCAPE '\\' OR address LIKE ?2 ESCAPE '\\' OR name LIKE ?1 ESCAPE '\\' OR name LIKE ?3 ESCAPE '\\'
             ORDER BY written DESC, got DESC, last DESC LIMIT ?4",
        )?;
        let begins = format!("{escaped}%");
        let at_domain = format!("%@{escaped}%");
        let word = format!("% {escaped}%");
        let rows = query.query_map(params![begins, at_domain, word, limit], |row| {
            let person = Person { address: row.get(0)?, name: row.get(1)? };
            Ok(Suggestion { person, is_contact: false, times_written: row.get(2)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
