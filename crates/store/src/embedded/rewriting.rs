//! Rewriting: what is still needed of a volume that is mostly dead is written again at the log's
//! end, and the volume goes.
//!
//! It is done by the log writer, between batches and in small steps. Each step first waits until the
//! index has all that was written; then what the index says of a message, queue entry or name is the
//! truth as of this place in the log, and is restated here as a whole. From here on whatever the old
//! volume said about it is superseded, whether the old volume is there or not, so a crash at any
//! moment leaves a store that says the same.
//!
//! Facts that only take something back (a removal) are restated while any older volume is left that
//! may hold what they take back. The count is restated in the record that ends the rewriting.

use super::applier::Item;
use super::fact::{Fact, Kept, Piece};
use super::index::{ContentRow, VolumeRow};
use super::log::{Draft, Effect, LogWriter};
use super::record::TRAILER_OCTETS;
use super::restating::Named;
use super::volume::{Record, Walk};
use crate::{AccountId, DirectoryChange, QueueChange, QueueId, StoreError};
use bytes::Bytes;
use std::collections::HashSet;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Octets that one step writes, about.
const STEP_OCTETS: usize = 1024 * 1024;
/// Records that one step looks at.
const STEP_RECORDS: usize = 1024;

/// Which volumes may be rewritten now.
#[derive(Debug, Clone)]
pub(super) enum Candidates {
    /// Whichever is mostly dead.
    All,
    /// Of those, only these.
    Of(Arc<HashSet<u64>>),
}

impl Candidates {
    fn include(&self, volume: u64) -> bool {
        match self {
            Candidates::All => true,
            Candidates::Of(volumes) => volumes.contains(&volume),
        }
    }
}

/// A volume being rewritten.
pub(super) struct Rewriting {
    pub(super) volume: u64,
    offset: u64,
    /// Volumes older than this one are left.
    pub(super) has_older: bool,
    /// Moved already; the index knows only after the step.
    moved: HashSet<QueueId>,
}

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing is to be done now.
    Idle,
    /// So many octets were written; there is more to do.
    Moved(usize),
    /// So many octets were written, and with them all of a volume is written again.
    Drained(usize),
    /// A volume is gone.
    Unlinked,
}

/// What a step has gathered.
#[derive(Default)]
pub(super) struct Gathered {
    drafts: Vec<Draft>,
    octets: usize,
}

impl Gathered {
    pub(super) fn add(&mut self, fact: &Fact, content: Bytes) {
        let draft = Draft::of(fact, content, Effect::None);
        self.octets += draft.meta.len() + draft.content.len();
        self.drafts.push(draft);
    }
}

impl LogWriter {
    /// One step.
    pub(super) fn rewrite_step(&mut self, candidates: &Candidates) -> Result<Step, StoreError> {
        self.sync()?;
        self.core.applier.catch_up(self.sequence())?;
        let Some(rewriting) = self.rewriting.take() else { return self.choose(candidates) };
        let volume = rewriting.volume;
        // Kept only if the step succeeds: else all begins anew, and what was moved already is passed over.
        let (step, rewriting) = match self.step(rewriting) {
            Err(StoreError::Damaged(why)) => self.leave_damaged(volume, 0, &why)?,
            other => other?,
        };
        self.rewriting = rewriting;
        Ok(step)
    }

    /// Unlinks what can go, or chooses what to rewrite.
    fn choose(&mut self, candidates: &Candidates) -> Result<Step, StoreError> {
        let rows = self.core.ask_blocking(|index| index.volumes())?;
        if let Some((number, drained)) = rows.iter().find_map(|row| Some((row.number, row.drained?))) {
            return self.unlink(number, drained);
        }
        let first = self.existing.first().copied().unwrap_or(0);
        let damage = self.core.ask_blocking(|index| index.damage())?;
        for row in rows {
            let sealed = row.number < self.volume && self.existing.contains(&row.number);
            let damaged = damage.iter().any(|(volume, ..)| *volume == row.number);
            if !sealed || damaged || !candidates.include(row.number) || !self.is_mostly_dead(&row, first)? {
                continue;
            }
            // Contents that are still arriving stay where they are.
            if self.core.ask_blocking(|index| index.has_chunks(row.number))? {
                continue;
            }
            let has_older = first < row.number;
            tracing::debug!(volume = row.number, live_octets = row.live, "a volume is rewritten");
            self.rewriting =
                Some(Rewriting { volume: row.number, offset: 0, has_older, moved: HashSet::new() });
            return Ok(Step::Moved(0));
        }
        Ok(Step::Idle)
    }

    fn is_mostly_dead(&self, row: &VolumeRow, first: u64) -> Result<bool, StoreError> {
        let length = self.core.volumes.file(row.number)?.metadata()?.len();
        let passing = if row.number == first { 0 } else { row.passing };
        Ok((row.live + row.standing + passing) * 2 < length)
    }

    fn unlink(&mut self, number: u64, drained: u64) -> Result<Step, StoreError> {
        if self.core.leases.oldest() < drained {
            return Ok(Step::Idle);
        }
        // An index that a loss of power set back would look for what it has still to apply.
        let (done, checkpointed) = oneshot::channel();
        self.core.applier.push([Item::Checkpoint(done)]);
        checkpointed.blocking_recv().map_err(|_| StoreError::Failed("the index has stopped".into()))?;
        self.core.volumes.unlink(number)?;
        self.existing.remove(&number);
        self.core.applier.push([Item::ForgetVolume(number)]);
        // Seen by the next step, which must not choose it again.
        let (done, forgotten) = oneshot::channel();
        self.core.applier.push([Item::Checkpoint(done)]);
        forgotten.blocking_recv().map_err(|_| StoreError::Failed("the index has stopped".into()))?;
        tracing::debug!(volume = number, "a volume was given back");
        Ok(Step::Unlinked)
    }

    fn step(&mut self, mut rewriting: Rewriting) -> Result<(Step, Option<Rewriting>), StoreError> {
        let volume = rewriting.volume;
        let mut walk = Walk::new(&self.core.volumes, &self.core.store_id, volume, rewriting.offset, None)?;
        let mut gathered = Gathered::default();
        let mut ended = false;
        for _ in 0..STEP_RECORDS {
            match walk.next()? {
                None => {
                    ended = true;
                    break;
                }
                Some(Ok(record)) => self.restate(&record, &mut rewriting, &mut gathered)?,
                // A damaged volume is not touched: it is the only witness of what was in it.
                Some(Err(bad)) => return self.leave_damaged(volume, bad.offset, bad.why.0),
            }
            if gathered.octets >= STEP_OCTETS {
                break;
            }
        }
        rewriting.offset = walk.offset();
        if !gathered.drafts.is_empty() {
            self.write_and_sync(&gathered.drafts, |_, _| ())?;
        }
        if !ended {
            return Ok((Step::Moved(gathered.octets), Some(rewriting)));
        }
        self.core.applier.catch_up(self.sequence())?;
        let tally = self.core.ask_blocking(|index| Ok(index.read_mark()?.tally))?;
        let volumes = self.existing.iter().copied().collect();
        let drained = Fact::VolumeDrained { volume, tally, volumes };
        self.write_and_sync(&[Draft::of(&drained, Bytes::new(), Effect::None)], |_, _| ())?;
        Ok((Step::Drained(gathered.octets), None))
    }

    fn leave_damaged(
        &mut self,
        volume: u64,
        offset: u64,
        why: &str,
    ) -> Result<(Step, Option<Rewriting>), StoreError> {
        tracing::error!(volume, offset, why, "a volume is damaged and is left as it is");
        self.core.applier.push([Item::Damage { volume, offset, why: why.to_owned() }]);
        let (done, noted) = oneshot::channel();
        self.core.applier.push([Item::Checkpoint(done)]);
        noted.blocking_recv().map_err(|_| StoreError::Failed("the index has stopped".into()))?;
        Ok((Step::Moved(0), None))
    }

    /// Restates what a record speaks of.
    fn restate(
        &mut self,
        record: &Record,
        rewriting: &mut Rewriting,
        gathered: &mut Gathered,
    ) -> Result<(), StoreError> {
        let fact = Fact::decode(record.header.kind, &record.meta).map_err(|why| {
            StoreError::Damaged(format!("volume {} at {}: {why}", record.volume, record.offset))
        })?;
        match fact {
            Fact::Accepted(accepted) => {
                let accounts = accepted.acceptance.accounts();
                self.restate_content(record, accepted.id, accounts, rewriting, gathered)?;
                self.restate_changes(accepted.acceptance.changes, rewriting, gathered)
            }
            Fact::Kept(kept) => self.restate_content(record, kept.id, kept.accounts(), rewriting, gathered),
            Fact::Chunk { id } => self.restate_chunk(record, id, rewriting, gathered),
            Fact::Removed { .. } if rewriting.has_older => {
                gathered.add(&fact, Bytes::new());
                Ok(())
            }
            Fact::QueueChanged(changes) => self.restate_changes(changes, rewriting, gathered),
            Fact::Placed { id, place } => self.restate_place(place.account, id, gathered),
            Fact::MailboxChanged { account, changes } => {
                self.restate_mailbox(account, Named::by(&changes), rewriting, gathered)
            }
            Fact::MailboxState { account, state } => {
                self.restate_mailbox(account, Named::of(&state), rewriting, gathered)
            }
            Fact::QueueState(state) => self.restate_queue(vec![state.id], rewriting, gathered),
            Fact::QueueGone(ids) => self.restate_queue(ids, rewriting, gathered),
            Fact::Directory(change) => self.restate_directory(change, gathered),
            Fact::Removed { .. } | Fact::VolumeStart { .. } | Fact::VolumeDrained { .. } => Ok(()),
        }
    }

    fn restate_content(
        &mut self,
        record: &Record,
        id: QueueId,
        accounts: Vec<AccountId>,
        rewriting: &mut Rewriting,
        gathered: &mut Gathered,
    ) -> Result<(), StoreError> {
        let Some(row) = self.core.ask_blocking(|index| index.content(id))? else { return Ok(()) };
        let at = if row.pieces.is_empty() { record.content_offset() } else { record.offset };
        if (row.volume, row.offset) != (record.volume, at) || !rewriting.moved.insert(id) {
            return Ok(());
        }
        self.move_content(&row, accounts, gathered)
    }

    /// A chunk of a content moves with the whole content.
    fn restate_chunk(
        &mut self,
        record: &Record,
        id: QueueId,
        rewriting: &mut Rewriting,
        gathered: &mut Gathered,
    ) -> Result<(), StoreError> {
        let Some(row) = self.core.ask_blocking(|index| index.content(id))? else { return Ok(()) };
        let here = (record.volume, record.content_offset());
        let is_part = row.pieces.iter().any(|piece| (piece.volume, piece.offset) == here);
        if !is_part || !rewriting.moved.insert(id) {
            return Ok(());
        }
        let mut walk = Walk::new(&self.core.volumes, &self.core.store_id, row.volume, row.offset, None)?;
        let accounts = match walk.next()? {
            Some(Ok(last)) => match Fact::decode(last.header.kind, &last.meta) {
                Ok(Fact::Accepted(accepted)) => accepted.acceptance.accounts(),
                Ok(Fact::Kept(kept)) => kept.accounts(),
                _ => return Err(damaged(row.volume, row.offset)),
            },
            _ => return Err(damaged(row.volume, row.offset)),
        };
        self.move_content(&row, accounts, gathered)
    }

    fn move_content(
        &mut self,
        row: &ContentRow,
        accounts: Vec<AccountId>,
        gathered: &mut Gathered,
    ) -> Result<(), StoreError> {
        let id = row.id;
        let (places, queue) = self.core.ask_blocking(|index| {
            let mut places = Vec::new();
            for account in &accounts {
                places.extend(index.place(*account, id)?);
            }
            Ok((places, index.queue_state(id)?))
        })?;
        let mut pieces = Vec::with_capacity(row.pieces.len());
        for piece in &row.pieces {
            // One at a time, so that a large content needs little memory here too.
            let octets = self.read_checked(*piece)?;
            let draft = Draft::of(&Fact::Chunk { id }, octets, Effect::Chunk);
            let written = self.write_and_sync(&[draft], |_, _| ())?;
            let at = written.first().ok_or_else(|| damaged(piece.volume, piece.offset))?;
            pieces.push(Piece { volume: at.volume, offset: at.content_offset, octets: piece.octets });
        }
        let content = if pieces.is_empty() {
            let octets = u32::try_from(row.size_octets).map_err(|_| damaged(row.volume, row.offset))?;
            self.read_checked(Piece { volume: row.volume, offset: row.offset, octets })?
        } else {
            Bytes::new()
        };
        let kept = Kept { id, size_octets: row.size_octets, pieces, places, queue };
        gathered.add(&Fact::Kept(Box::new(kept)), content);
        Ok(())
    }

    /// Reads a part whole. A content that is not what it was is not written again as if it were.
    fn read_checked(&self, piece: Piece) -> Result<Bytes, StoreError> {
        let length = piece.octets as usize;
        let mut octets = vec![0; length + TRAILER_OCTETS];
        self.core.volumes.file(piece.volume)?.read_exact_at(&mut octets, piece.offset)?;
        let trailer = octets.split_off(length);
        if crc32fast::hash(&octets).to_le_bytes() != trailer[..] {
            return Err(damaged(piece.volume, piece.offset));
        }
        Ok(octets.into())
    }

    /// What changes of the queue have brought about: its entries as they are, and places in maildrops.
    fn restate_changes(
        &mut self,
        changes: Vec<(QueueId, QueueChange)>,
        rewriting: &Rewriting,
        gathered: &mut Gathered,
    ) -> Result<(), StoreError> {
        for (id, change) in &changes {
            if let QueueChange::Delivered { delivery, .. } = change {
                self.restate_place(delivery.account, *id, gathered)?;
            }
        }
        self.restate_queue(changes.into_iter().map(|(id, _)| id).collect(), rewriting, gathered)
    }

    /// The record of the content knows only that the message might come to be there.
    fn restate_place(
        &mut self,
        account: AccountId,
        id: QueueId,
        gathered: &mut Gathered,
    ) -> Result<(), StoreError> {
        if let Some(place) = self.core.ask_blocking(|index| index.place(account, id))? {
            gathered.add(&Fact::Placed { id, place }, Bytes::new());
        }
        Ok(())
    }

    fn restate_queue(
        &mut self,
        ids: Vec<QueueId>,
        rewriting: &Rewriting,
        gathered: &mut Gathered,
    ) -> Result<(), StoreError> {
        let mut gone = Vec::new();
        for id in ids.into_iter().collect::<HashSet<_>>() {
            match self.core.ask_blocking(|index| index.queue_state(id))? {
                Some(state) => gathered.add(&Fact::QueueState(Box::new(state)), Bytes::new()),
                None => gone.push(id),
            }
        }
        if rewriting.has_older && !gone.is_empty() {
            gathered.add(&Fact::QueueGone(gone), Bytes::new());
        }
        Ok(())
    }

    /// What a name stands for now. A removed account stays removed for ever: its id is not used again.
    fn restate_directory(
        &mut self,
        change: DirectoryChange,
        gathered: &mut Gathered,
    ) -> Result<(), StoreError> {
        let found = self.core.ask_blocking(|index| match &change {
            DirectoryChange::PutDomain(settings) => index.domain_fact(&settings.domain),
            DirectoryChange::RemoveDomain(domain) => index.domain_fact(domain),
            DirectoryChange::PutAccount(account) => index.account_fact(account.id),
            DirectoryChange::RemoveAccount(id) => index.account_fact(*id),
            DirectoryChange::PutAlias(alias) => index.alias_fact(&alias.address),
            DirectoryChange::RemoveAlias(address) => index.alias_fact(address),
        })?;
        let now = found.unwrap_or_else(|| {
            Fact::Directory(match change {
                DirectoryChange::PutDomain(settings) => DirectoryChange::RemoveDomain(settings.domain),
                DirectoryChange::PutAccount(account) => DirectoryChange::RemoveAccount(account.id),
                DirectoryChange::PutAlias(alias) => DirectoryChange::RemoveAlias(alias.address),
                removal => removal,
            })
        });
        gathered.add(&now, Bytes::new());
        Ok(())
    }
}

fn damaged(volume: u64, offset: u64) -> StoreError {
    StoreError::Damaged(format!("volume {volume} at {offset} is not as it was written"))
}
