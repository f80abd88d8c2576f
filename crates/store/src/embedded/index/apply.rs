//! Applying facts, in order, to the index.

use super::{Index, IndexError, Mark};
use crate::directory_state::{host_key, mailbox_key};
use crate::embedded::codec::{Decoder, Encoder, Malformed};
use crate::embedded::fact::{
    Accepted, Fact, Kept, Piece, Place, QueueState, decode_pieces, decode_recipient, encode_envelope,
    encode_pieces, encode_recipient,
};
use crate::embedded::volume::Record;
use crate::{AccountId, DirectoryChange, Envelope, LocalDelivery, QueueChange, QueueId, QueueRecipient};
use jiff::Timestamp;
use posta_address::{Host, Mailbox};
use posta_journal::Fate;
use rusqlite::{OptionalExtension, params};
use std::collections::{HashMap, HashSet};

/// What a transaction has changed in sums that are written once at its end.
#[derive(Debug, Default)]
pub(in crate::embedded) struct Changes {
    volumes: HashMap<u64, VolumeChange>,
    /// Messages and octets that came into maildrops.
    pub(in crate::embedded) usage_added: HashMap<AccountId, (u64, u64)>,
    /// Of those, what had waited in the queue before.
    pub(in crate::embedded) usage_late: HashMap<AccountId, (u64, u64)>,
    /// Messages and octets that left maildrops.
    pub(in crate::embedded) usage_removed: HashMap<AccountId, (u64, u64)>,
    /// Whose folders, marks or documents changed.
    pub(in crate::embedded) filed: HashSet<AccountId>,
}

impl Changes {
    /// Whoever has anything to look at.
    pub(in crate::embedded) fn accounts(&self) -> HashSet<AccountId> {
        let moved = self.usage_added.keys().chain(self.usage_removed.keys());
        moved.chain(&self.filed).copied().collect()
    }
}

#[derive(Debug, Default)]
pub(super) struct VolumeChange {
    pub(super) live: i64,
    pub(super) passing: i64,
    pub(super) standing: i64,
}

/// Where a content lies.
struct Lie<'a> {
    id: QueueId,
    volume: u64,
    offset: u64,
    size: u64,
    /// Octets of its record.
    record: u64,
    pieces: &'a [Piece],
}

impl<'a> Lie<'a> {
    fn of(record: &Record, id: QueueId, size: u64, pieces: &'a [Piece]) -> Self {
        let offset = if pieces.is_empty() { record.content_offset() } else { record.offset };
        Lie { id, volume: record.volume, offset, size, record: record.header.stride(), pieces }
    }
}

impl Index {
    /// Begins a transaction.
    pub(in crate::embedded) fn begin(&mut self) -> Result<(), IndexError> {
        self.changes = Changes::default();
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        Ok(())
    }

    /// Ends it, with the mark behind the last record applied.
    pub(in crate::embedded) fn commit(&mut self) -> Result<Changes, IndexError> {
        let changes = std::mem::take(&mut self.changes);
        self.write_sums(&changes)?;
        self.write_mark()?;
        self.connection.execute_batch("COMMIT")?;
        Ok(changes)
    }

    /// Undoes the transaction.
    pub(in crate::embedded) fn roll_back(&mut self, to: Mark) {
        self.mark = to;
        self.changes = Changes::default();
        // Without a transaction (it ends by itself on some errors) there is nothing to undo.
        let _ = self.connection.execute_batch("ROLLBACK");
    }

    fn write_sums(&self, changes: &Changes) -> Result<(), IndexError> {
        let mut volume = self.connection.prepare_cached(
            // A volume has a row since the record that begins it; one that has none is gone, though
            // older records may still speak of it when an index is made anew.
            "UPDATE volume SET live = live + ?2, passing = passing + ?3, standing = standing + ?4
             WHERE number = ?1",
        )?;
        for (number, change) in &changes.volumes {
            volume.execute(params![*number as i64, change.live, change.passing, change.standing])?;
        }
        let mut usage = self.connection.prepare_cached(
            "INSERT INTO usage VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE
             SET messages = messages + ?2, octets = octets + ?3",
        )?;
        for (account, (messages, octets)) in &changes.usage_added {
            usage.execute(params![account.0 as i64, *messages as i64, *octets as i64])?;
        }
        for (account, (messages, octets)) in &changes.usage_removed {
            usage.execute(params![account.0 as i64, -(*messages as i64), -(*octets as i64)])?;
        }
        if !changes.usage_removed.is_empty() {
            self.connection.prepare_cached("DELETE FROM usage WHERE messages = 0")?.execute([])?;
        }
        Ok(())
    }

    fn write_mark(&self) -> Result<(), IndexError> {
        let Mark { volume, offset, sequence, last_queue_id, last_account_id, tally } = self.mark;
        let values = [
            volume,
            offset,
            sequence,
            last_queue_id,
            last_account_id,
            tally.accepted,
            tally.delivered,
            tally.relayed,
            tally.bounced,
            tally.discarded,
            tally.queued,
        ];
        let mut statement = self.connection.prepare_cached(
            "UPDATE mark SET volume = ?1, offset = ?2, sequence = ?3, last_queue_id = ?4,
             last_account_id = ?5, accepted = ?6, delivered = ?7, relayed = ?8, bounced = ?9,
             discarded = ?10, queued = ?11",
        )?;
        statement.execute(rusqlite::params_from_iter(values.iter().map(|value| *value as i64)))?;
        Ok(())
    }

    /// Applies one record, which says `fact`, and moves the mark behind it.
    pub(in crate::embedded) fn apply(&mut self, record: &Record, fact: Fact) -> Result<(), IndexError> {
        let octets = record.header.stride();
        let volume = record.volume;
        self.mark.volume = volume;
        self.mark.offset = record.offset + octets;
        self.mark.sequence = record.header.sequence;
        match fact {
            Fact::Accepted(accepted) => self.accepted(record, *accepted)?,
            Fact::Chunk { id } => self.chunk(record, id)?,
            Fact::Removed { account, messages } => {
                self.volume_change(volume).passing += octets as i64;
                let mut removed = Vec::new();
                for id in messages {
                    if self.remove_place(account, id)? {
                        removed.push(id);
                    }
                }
                self.remember_removed(account, &removed)?;
            }
            Fact::QueueChanged(changes) => {
                self.volume_change(volume).passing += octets as i64;
                self.change_queue(changes)?;
            }
            Fact::Directory(change) => {
                self.volume_change(volume).standing += octets as i64;
                self.change_directory(change, &record.meta)?;
            }
            Fact::VolumeStart { volumes, last_queue_id, last_account_id } => {
                self.set_volumes(&volumes)?;
                self.mark.last_queue_id = self.mark.last_queue_id.max(last_queue_id);
                self.mark.last_account_id = self.mark.last_account_id.max(last_account_id);
            }
            Fact::Kept(kept) => self.kept(record, *kept)?,
            Fact::QueueState(state) => {
                self.volume_change(volume).standing += octets as i64;
                self.put_queue_state(&state)?;
            }
            Fact::QueueGone(ids) => {
                self.volume_change(volume).passing += octets as i64;
                for id in ids {
                    self.remove_queue_entry(id)?;
                }
            }
            Fact::Placed { id, place } => {
                self.volume_change(volume).passing += octets as i64;
                // Without the content a later record has all.
                self.place_late(id, &place)?;
            }
            Fact::MailboxChanged { account, changes } => self.change_mailbox(record, account, &changes)?,
            Fact::MailboxState { account, state } => self.state_mailbox(record, account, &state)?,
            Fact::VolumeDrained { volume, tally, volumes } => {
                self.mark.tally = tally;
                self.set_volumes(&volumes)?;
                let mut statement =
                    self.connection.prepare_cached("UPDATE volume SET drained = ?2 WHERE number = ?1")?;
                statement.execute(params![volume as i64, self.mark.sequence as i64])?;
            }
        }
        Ok(())
    }

    /// These volumes there are, and no others.
    fn set_volumes(&mut self, volumes: &[u64]) -> Result<(), IndexError> {
        for number in volumes {
            self.connection
                .prepare_cached("INSERT OR IGNORE INTO volume VALUES (?1, 0, 0, 0, NULL)")?
                .execute([*number as i64])?;
        }
        for row in self.volumes()? {
            if !volumes.contains(&row.number) {
                self.forget_volume(row.number)?;
            }
        }
        Ok(())
    }

    pub(super) fn volume_change(&mut self, number: u64) -> &mut VolumeChange {
        self.changes.volumes.entry(number).or_default()
    }

    fn accepted(&mut self, record: &Record, accepted: Accepted) -> Result<(), IndexError> {
        let Accepted { id, size_octets, pieces, acceptance } = accepted;
        self.mark.last_queue_id = self.mark.last_queue_id.max(id.0);
        let lie = Lie::of(record, id, size_octets, &pieces);
        let uses = acceptance.deliveries.len() + usize::from(!acceptance.remote.is_empty());
        self.settle_chunks(id, &pieces)?;
        if uses > 0 {
            self.put_content(&lie, uses)?;
        } else {
            self.discard(&lie)?;
        }
        for delivery in &acceptance.deliveries {
            let place = Place::of(delivery, acceptance.accepted_at);
            self.put_place(id, size_octets, &place)?;
        }
        if !acceptance.remote.is_empty() {
            self.put_queue(id, acceptance.accepted_at, false, &acceptance.envelope)?;
            for (position, remote) in acceptance.remote.iter().enumerate() {
                let recipient = QueueRecipient::new(remote.clone(), acceptance.due());
                self.put_recipient(id, position, &recipient)?;
            }
        }
        self.mark.tally.accept(acceptance.deliveries.len(), acceptance.remote.len(), acceptance.discarded);
        self.change_queue(acceptance.changes)
    }

    fn chunk(&mut self, record: &Record, id: QueueId) -> Result<(), IndexError> {
        let mut statement =
            self.connection.prepare_cached("INSERT OR REPLACE INTO chunk VALUES (?1, ?2, ?3, ?4)")?;
        statement.execute(params![
            id.0 as i64,
            record.volume as i64,
            record.content_offset() as i64,
            record.header.content_octets
        ])?;
        drop(statement);
        self.volume_change(record.volume);
        self.mark.last_queue_id = self.mark.last_queue_id.max(id.0);
        Ok(())
    }

    /// The chunks that arrived for a content now belong to it, or to nobody.
    fn settle_chunks(&mut self, id: QueueId, kept: &[Piece]) -> Result<(), IndexError> {
        for piece in self.take_chunks(id)? {
            if !kept.contains(&piece) {
                self.put_garbage(id, 0, piece.volume, piece.offset, u64::from(piece.octets))?;
            }
        }
        Ok(())
    }

    fn take_chunks(&mut self, id: QueueId) -> Result<Vec<Piece>, IndexError> {
        let mut statement = self
            .connection
            .prepare_cached("DELETE FROM chunk WHERE id = ?1 RETURNING volume, offset, octets")?;
        let rows = statement.query_map([id.0 as i64], |row| {
            Ok(Piece {
                volume: row.get::<_, i64>(0)? as u64,
                offset: row.get::<_, i64>(1)? as u64,
                octets: row.get(2)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// A content whose writer was dropped: its chunks are of no use.
    pub(in crate::embedded) fn abandon(&mut self, id: QueueId) -> Result<(), IndexError> {
        self.settle_chunks(id, &[])
    }

    /// Chunks whose writers ended with the process that had them.
    pub(in crate::embedded) fn abandon_all(&mut self) -> Result<(), IndexError> {
        let ids: Vec<i64> = {
            let mut statement = self.connection.prepare("SELECT DISTINCT id FROM chunk")?;
            let rows = statement.query_map([], |row| row.get(0))?;
            rows.collect::<Result<_, _>>()?
        };
        ids.into_iter().try_for_each(|id| self.abandon(QueueId(id as u64)))
    }

    fn put_content(&mut self, lie: &Lie<'_>, uses: usize) -> Result<(), IndexError> {
        let pieces = (!lie.pieces.is_empty()).then(|| encode_pieces(lie.pieces));
        let mut statement = self
            .connection
            .prepare_cached("INSERT OR REPLACE INTO content VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
        statement.execute(params![
            lie.id.0 as i64,
            lie.volume as i64,
            lie.offset as i64,
            lie.size as i64,
            lie.record as i64,
            uses as i64,
            pieces.as_deref()
        ])?;
        drop(statement);
        self.count_live(lie, 1);
        Ok(())
    }

    fn count_live(&mut self, lie: &Lie<'_>, sign: i64) {
        self.volume_change(lie.volume).live += sign * lie.record as i64;
        for piece in lie.pieces {
            self.volume_change(piece.volume).live += sign * i64::from(piece.octets);
        }
    }

    /// Nobody needs this content (or this copy of it) any more.
    fn discard(&mut self, lie: &Lie<'_>) -> Result<(), IndexError> {
        if lie.pieces.is_empty() && lie.size > 0 {
            self.put_garbage(lie.id, 0, lie.volume, lie.offset, lie.size)?;
        }
        for (position, piece) in lie.pieces.iter().enumerate() {
            self.put_garbage(lie.id, position, piece.volume, piece.offset, u64::from(piece.octets))?;
        }
        Ok(())
    }

    fn put_garbage(
        &mut self,
        id: QueueId,
        position: usize,
        volume: u64,
        offset: u64,
        octets: u64,
    ) -> Result<(), IndexError> {
        let mut statement = self
            .connection
            .prepare_cached("INSERT OR REPLACE INTO garbage VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
        let sequence = self.mark.sequence;
        statement.execute(params![
            volume as i64,
            offset as i64,
            octets as i64,
            sequence as i64,
            id.0 as i64,
            position as i64
        ])?;
        Ok(())
    }

    fn put_place(&mut self, id: QueueId, size_octets: u64, place: &Place) -> Result<(), IndexError> {
        self.insert_place(id, place)?;
        let added = self.changes.usage_added.entry(place.account).or_default();
        added.0 += 1;
        added.1 += size_octets + place.prefix.len() as u64;
        Ok(())
    }

    /// Whether it was there.
    fn remove_place(&mut self, account: AccountId, id: QueueId) -> Result<bool, IndexError> {
        let mut statement = self
            .connection
            .prepare_cached("DELETE FROM maildrop WHERE account = ?1 AND id = ?2 RETURNING length(prefix)")?;
        let prefix_octets: Option<i64> =
            statement.query_row(params![account.0 as i64, id.0 as i64], |row| row.get(0)).optional()?;
        drop(statement);
        let Some(prefix_octets) = prefix_octets else { return Ok(false) };
        let size = self.release(id)?;
        let removed = self.changes.usage_removed.entry(account).or_default();
        removed.0 += 1;
        removed.1 += size + prefix_octets as u64;
        Ok(true)
    }

    /// One use of a content less; with the last the content goes. Returns its size.
    fn release(&mut self, id: QueueId) -> Result<u64, IndexError> {
        let mut statement = self.connection.prepare_cached(
            "UPDATE content SET uses = uses - 1 WHERE id = ?1 RETURNING uses, volume, offset, size,
             record, pieces",
        )?;
        let found = statement
            .query_row([id.0 as i64], |row| {
                let pieces: Option<Vec<u8>> = row.get(5)?;
                let numbers: [i64; 5] = [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?];
                Ok((numbers, pieces))
            })
            .optional()?;
        drop(statement);
        let Some(([uses, volume, offset, size, record], pieces)) = found else { return Ok(0) };
        if uses > 0 {
            return Ok(size as u64);
        }
        let pieces = pieces.map_or(Ok(Vec::new()), |pieces| decode_pieces(&pieces))?;
        let lie = Lie {
            id,
            volume: volume as u64,
            offset: offset as u64,
            size: size as u64,
            record: record as u64,
            pieces: &pieces,
        };
        self.connection.prepare_cached("DELETE FROM content WHERE id = ?1")?.execute([id.0 as i64])?;
        self.count_live(&lie, -1);
        self.discard(&lie)?;
        Ok(size as u64)
    }

    fn kept(&mut self, record: &Record, kept: Kept) -> Result<(), IndexError> {
        let Kept { id, size_octets, pieces, places, queue } = kept;
        self.mark.last_queue_id = self.mark.last_queue_id.max(id.0);
        if let Some(row) = self.content(id)? {
            let old = Lie {
                id,
                volume: row.volume,
                offset: row.offset,
                size: row.size_octets,
                record: row.record_octets,
                pieces: &row.pieces,
            };
            self.count_live(&old, -1);
            self.discard(&old)?;
        }
        self.settle_chunks(id, &pieces)?;
        let lie = Lie::of(record, id, size_octets, &pieces);
        self.put_content(&lie, places.len() + usize::from(queue.is_some()))?;
        for place in &places {
            if self.has_place(place.account, id)? {
                self.state_marks(place.account, id, &place.marks)?;
            } else {
                self.put_place(id, size_octets, place)?;
            }
        }
        queue.map_or(Ok(()), |state| self.put_queue_state(&state))
    }

    fn has_place(&self, account: AccountId, id: QueueId) -> Result<bool, IndexError> {
        let mut statement =
            self.connection.prepare_cached("SELECT 1 FROM maildrop WHERE account = ?1 AND id = ?2")?;
        Ok(statement.exists(params![account.0 as i64, id.0 as i64])?)
    }

    fn put_queue(
        &mut self,
        id: QueueId,
        accepted_at: Timestamp,
        held: bool,
        envelope: &Envelope,
    ) -> Result<(), IndexError> {
        let mut statement =
            self.connection.prepare_cached("INSERT OR REPLACE INTO queue VALUES (?1, ?2, ?3, ?4)")?;
        statement.execute(params![
            id.0 as i64,
            encode_time(accepted_at).as_ref(),
            held,
            encode_envelope(envelope).as_ref()
        ])?;
        Ok(())
    }

    fn put_recipient(
        &mut self,
        id: QueueId,
        position: usize,
        recipient: &QueueRecipient,
    ) -> Result<(), IndexError> {
        let mut statement = self
            .connection
            .prepare_cached("INSERT OR REPLACE INTO queue_recipient VALUES (?1, ?2, ?3, ?4)")?;
        statement.execute(params![
            id.0 as i64,
            recipient_key(&recipient.mailbox),
            position as i64,
            encode_recipient(recipient).as_ref()
        ])?;
        Ok(())
    }

    fn put_queue_state(&mut self, state: &QueueState) -> Result<(), IndexError> {
        self.put_queue(state.id, state.accepted_at, state.held, &state.envelope)?;
        self.remove_recipients(state.id)?;
        for (position, recipient) in state.recipients.iter().enumerate() {
            self.put_recipient(state.id, position, recipient)?;
        }
        Ok(())
    }

    fn remove_recipients(&mut self, id: QueueId) -> Result<(), IndexError> {
        self.connection
            .prepare_cached("DELETE FROM queue_recipient WHERE id = ?1")?
            .execute([id.0 as i64])?;
        Ok(())
    }

    fn remove_queue_entry(&mut self, id: QueueId) -> Result<(), IndexError> {
        self.remove_recipients(id)?;
        let removed =
            self.connection.prepare_cached("DELETE FROM queue WHERE id = ?1")?.execute([id.0 as i64])?;
        if removed > 0 {
            self.release(id)?;
        }
        Ok(())
    }

    fn change_queue(&mut self, changes: Vec<(QueueId, QueueChange)>) -> Result<(), IndexError> {
        for (id, change) in changes {
            match change {
                QueueChange::Settled { mailbox, fate } => {
                    let removed = self
                        .connection
                        .prepare_cached("DELETE FROM queue_recipient WHERE id = ?1 AND mailbox = ?2")?
                        .execute(params![id.0 as i64, recipient_key(&mailbox)])?;
                    if removed > 0 {
                        self.mark.tally.settle(fate);
                        self.remove_entry_if_settled(id)?;
                    }
                }
                QueueChange::Delivered { mailbox, delivery, at } => {
                    self.deliver_late(id, &mailbox, delivery, at)?;
                }
                QueueChange::Deferred { mailbox, attempt, next_attempt_at } => {
                    self.update_recipients(id, Some(&mailbox), |recipient| {
                        recipient.defer(attempt.clone(), next_attempt_at);
                    })?;
                }
                QueueChange::DelayReported { mailbox } => {
                    self.update_recipients(id, Some(&mailbox), |recipient| recipient.delay_reported = true)?;
                }
                QueueChange::Rescheduled { next_attempt_at } => {
                    self.update_recipients(id, None, |recipient| {
                        recipient.next_attempt_at = next_attempt_at;
                    })?;
                }
                QueueChange::Held(held) => {
                    self.connection
                        .prepare_cached("UPDATE queue SET held = ?2 WHERE id = ?1")?
                        .execute(params![id.0 as i64, held])?;
                }
            }
        }
        Ok(())
    }

    /// A recipient here whose message has waited in the queue.
    fn deliver_late(
        &mut self,
        id: QueueId,
        mailbox: &Mailbox,
        delivery: LocalDelivery,
        at: Timestamp,
    ) -> Result<(), IndexError> {
        let state: Option<Vec<u8>> = self
            .connection
            .prepare_cached("SELECT state FROM queue_recipient WHERE id = ?1 AND mailbox = ?2")?
            .query_row(params![id.0 as i64, recipient_key(mailbox)], |row| row.get(0))
            .optional()?;
        let Some(state) = state else { return Ok(()) };
        if decode_recipient(&state)?.maildrop != Some(delivery.account) {
            return Ok(());
        }
        self.connection
            .prepare_cached("DELETE FROM queue_recipient WHERE id = ?1 AND mailbox = ?2")?
            .execute(params![id.0 as i64, recipient_key(mailbox)])?;
        let is_gone = self
            .connection
            .prepare_cached("SELECT 1 FROM removed_account WHERE id = ?1")?
            .exists([delivery.account.0 as i64])?;
        if is_gone {
            self.mark.tally.settle(Fate::Discarded);
        } else {
            self.place_late(id, &Place::of(&delivery, at))?;
            self.mark.tally.settle(Fate::Delivered);
        }
        self.remove_entry_if_settled(id)
    }

    /// Puts a content that is there into one more maildrop.
    fn place_late(&mut self, id: QueueId, place: &Place) -> Result<(), IndexError> {
        if self.has_place(place.account, id)? {
            return self.state_marks(place.account, id, &place.marks);
        }
        let size: Option<i64> = self
            .connection
            .prepare_cached("UPDATE content SET uses = uses + 1 WHERE id = ?1 RETURNING size")?
            .query_row([id.0 as i64], |row| row.get(0))
            .optional()?;
        let Some(size) = size else { return Ok(()) };
        self.put_place(id, size as u64, place)?;
        let late = self.changes.usage_late.entry(place.account).or_default();
        late.0 += 1;
        late.1 += size as u64 + place.prefix.len() as u64;
        Ok(())
    }

    fn remove_entry_if_settled(&mut self, id: QueueId) -> Result<(), IndexError> {
        let waits = self
            .connection
            .prepare_cached("SELECT 1 FROM queue_recipient WHERE id = ?1 LIMIT 1")?
            .exists([id.0 as i64])?;
        if waits { Ok(()) } else { self.remove_queue_entry(id) }
    }

    /// Changes one recipient of an entry, or all.
    fn update_recipients(
        &mut self,
        id: QueueId,
        mailbox: Option<&Mailbox>,
        change: impl Fn(&mut QueueRecipient),
    ) -> Result<(), IndexError> {
        let key = mailbox.map(recipient_key);
        let mut select = self.connection.prepare_cached(
            "SELECT mailbox, state FROM queue_recipient WHERE id = ?1 AND (?2 IS NULL OR mailbox = ?2)",
        )?;
        let rows = select.query_map(params![id.0 as i64, key], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let rows: Vec<(String, Vec<u8>)> = rows.collect::<Result<_, _>>()?;
        let mut update = self
            .connection
            .prepare_cached("UPDATE queue_recipient SET state = ?3 WHERE id = ?1 AND mailbox = ?2")?;
        for (key, state) in rows {
            let mut recipient = decode_recipient(&state)?;
            change(&mut recipient);
            update.execute(params![id.0 as i64, key, encode_recipient(&recipient).as_ref()])?;
        }
        Ok(())
    }

    fn change_directory(&mut self, change: DirectoryChange, fact: &[u8]) -> Result<(), IndexError> {
        let connection = &self.connection;
        match change {
            DirectoryChange::PutDomain(settings) => {
                let statement = "INSERT OR REPLACE INTO domain VALUES (?1, ?2)";
                connection.execute(statement, params![settings.domain.to_ascii(), fact])?;
            }
            DirectoryChange::RemoveDomain(domain) => {
                connection.execute("DELETE FROM domain WHERE name = ?1", [domain.to_ascii()])?;
            }
            DirectoryChange::PutAccount(account) => {
                self.mark.last_account_id = self.mark.last_account_id.max(account.id.0);
                let statement = "INSERT OR REPLACE INTO account VALUES (?1, ?2, ?3)";
                connection
                    .execute(statement, params![account.id.0 as i64, mailbox_key(&account.address), fact])?;
            }
            DirectoryChange::RemoveAccount(id) => self.remove_account(id)?,
            DirectoryChange::PutAlias(alias) => {
                let statement = "INSERT OR REPLACE INTO alias VALUES (?1, ?2)";
                connection.execute(statement, params![mailbox_key(&alias.address), fact])?;
            }
            DirectoryChange::RemoveAlias(address) => {
                connection.execute("DELETE FROM alias WHERE address = ?1", [mailbox_key(&address)])?;
            }
        }
        Ok(())
    }

    fn remove_account(&mut self, id: AccountId) -> Result<(), IndexError> {
        self.mark.last_account_id = self.mark.last_account_id.max(id.0);
        let messages: Vec<i64> = {
            let mut statement =
                self.connection.prepare_cached("SELECT id FROM maildrop WHERE account = ?1")?;
            let rows = statement.query_map([id.0 as i64], |row| row.get(0))?;
            rows.collect::<Result<_, _>>()?
        };
        for message in messages {
            self.remove_place(id, QueueId(message as u64))?;
        }
        self.remove_filing(id)?;
        self.connection.execute("DELETE FROM account WHERE id = ?1", [id.0 as i64])?;
        self.connection.execute("INSERT OR IGNORE INTO removed_account VALUES (?1)", [id.0 as i64])?;
        Ok(())
    }

    /// Notes damage, so that it stays named.
    pub(in crate::embedded) fn note_damage(
        &mut self,
        volume: u64,
        offset: u64,
        why: &str,
    ) -> Result<(), IndexError> {
        self.connection.execute(
            "INSERT OR REPLACE INTO damage VALUES (?1, ?2, ?3)",
            params![volume as i64, offset as i64, why],
        )?;
        Ok(())
    }

    /// The space was given back.
    pub(in crate::embedded) fn forget_garbage(&mut self, rows: &[(u64, u64)]) -> Result<(), IndexError> {
        let mut statement =
            self.connection.prepare_cached("DELETE FROM garbage WHERE volume = ?1 AND offset = ?2")?;
        for (volume, offset) in rows {
            statement.execute(params![*volume as i64, *offset as i64])?;
        }
        Ok(())
    }

    /// The volume is gone.
    pub(in crate::embedded) fn forget_volume(&mut self, number: u64) -> Result<(), IndexError> {
        for statement in [
            "DELETE FROM garbage WHERE volume = ?1",
            "DELETE FROM volume WHERE number = ?1",
            "DELETE FROM chunk WHERE volume = ?1",
            "DELETE FROM damage WHERE volume = ?1",
        ] {
            self.connection.execute(statement, [number as i64])?;
        }
        self.changes.volumes.remove(&number);
        Ok(())
    }
}

/// How the index tells recipients apart: as [`Mailbox`] itself does.
fn recipient_key(mailbox: &Mailbox) -> String {
    let host = match mailbox.host() {
        domain @ Host::Domain(_) => host_key(domain),
        Host::Literal(literal) => literal.to_string(),
    };
    format!("{}@{host}", mailbox.local_part().as_str())
}

pub(super) fn encode_time(time: Timestamp) -> bytes::Bytes {
    let mut to = Encoder::default();
    to.time(time);
    to.finish()
}

pub(super) fn decode_time(octets: &[u8]) -> Result<Timestamp, Malformed> {
    let mut from = Decoder::new(octets);
    let time = from.time()?;
    from.finish()?;
    Ok(time)
}
