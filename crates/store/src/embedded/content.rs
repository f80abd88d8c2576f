//! A content on its way into the volumes.

use super::core::Core;
use super::fact::{Accepted, Fact, Kept, Piece, Place};
use super::log::{Draft, Effect, Request};
use crate::limits::INLINE_OCTETS_MAX;
use crate::queue_entry::{changed_maildrops, needed_folders};
use crate::{Acceptance, ContentRef, ContentWriter, Filing, QueueEntry, QueueId, StoreError};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use std::sync::Arc;

/// Gathers a small content in memory; a large one goes out in chunks as it arrives.
pub(super) struct EmbeddedWriter {
    core: Arc<Core>,
    id: QueueId,
    buffer: BytesMut,
    pieces: Vec<Piece>,
    /// Octets in pieces.
    written_octets: u64,
    /// Chunks are in the volumes that nobody will need.
    leaves_chunks: bool,
}

impl EmbeddedWriter {
    pub(super) fn new(core: Arc<Core>, id: QueueId) -> Self {
        let (buffer, pieces) = (BytesMut::new(), Vec::new());
        EmbeddedWriter { core, id, buffer, pieces, written_octets: 0, leaves_chunks: false }
    }

    async fn write_chunk(&mut self, octets: Bytes) -> Result<(), StoreError> {
        let length = octets.len() as u32;
        self.leaves_chunks = true;
        let draft = Draft::of(&Fact::Chunk { id: self.id }, octets, Effect::Chunk);
        let written = self.core.log.write(&self.core, draft).await?;
        let piece = Piece { volume: written.volume, offset: written.content_offset, octets: length };
        self.pieces.push(piece);
        self.written_octets += u64::from(length);
        Ok(())
    }
}

#[async_trait]
impl ContentWriter for EmbeddedWriter {
    fn id(&self) -> QueueId {
        self.id
    }

    async fn write(&mut self, octets: Bytes) -> Result<(), StoreError> {
        let mut rest = octets;
        while self.buffer.len() + rest.len() > INLINE_OCTETS_MAX {
            let part = rest.split_to(INLINE_OCTETS_MAX - self.buffer.len());
            self.buffer.extend_from_slice(&part);
            let chunk = self.buffer.split().freeze();
            self.write_chunk(chunk).await?;
        }
        // Copied, so that no reading buffer is held for the sake of a few octets of it.
        self.buffer.extend_from_slice(&rest);
        Ok(())
    }

    async fn accept(
        mut self: Box<Self>,
        mut acceptance: Acceptance,
    ) -> Result<Option<QueueEntry>, StoreError> {
        acceptance.check()?;
        let late = acceptance.changes.iter_mut().filter_map(|(_, change)| change.delivery_mut());
        acceptance.deliveries.iter_mut().chain(late).for_each(|delivery| self.core.settle_folder(delivery));
        let mut content = self.buffer.split().freeze();
        let mut size_octets = self.written_octets + content.len() as u64;
        if !acceptance.keeps_content() {
            content = Bytes::new();
            size_octets = 0;
            self.pieces.clear();
        } else if !self.pieces.is_empty() && !content.is_empty() {
            self.write_chunk(std::mem::take(&mut content)).await?;
        }
        let octets_of = |prefix: &Bytes| size_octets + prefix.len() as u64;
        let effect = Effect::Accepted {
            deliveries: acceptance.deliveries.iter().map(|to| (to.account, octets_of(&to.prefix))).collect(),
            waiting: acceptance.remote.iter().filter_map(|recipient| recipient.maildrop).collect(),
            changed: changed_maildrops(&acceptance.changes),
            folders: needed_folders(&acceptance.deliveries, &acceptance.changes),
        };
        let mut reference = ContentRef { id: self.id, size_octets, hint: (0, 0) };
        let entry = acceptance.queue_entry(reference);
        let pieces = self.pieces.clone();
        let fact = Fact::Accepted(Box::new(Accepted { id: self.id, size_octets, pieces, acceptance }));
        let draft = Draft::of(&fact, content, effect);
        let written = self.core.log.write(&self.core, draft).await?;
        // The record settles the chunks, also those that it does not name.
        self.leaves_chunks = false;
        if self.pieces.is_empty() {
            reference.hint = (written.volume, written.content_offset);
        } else {
            self.core.pieces.put(self.id, self.pieces.as_slice().into());
        }
        Ok(entry.map(|entry| QueueEntry { content: reference, ..entry }))
    }

    async fn file(mut self: Box<Self>, filing: Filing) -> Result<(), StoreError> {
        let mut delivery = filing.delivery();
        self.core.settle_folder(&mut delivery);
        let mut content = self.buffer.split().freeze();
        let size_octets = self.written_octets + content.len() as u64;
        if !self.pieces.is_empty() && !content.is_empty() {
            self.write_chunk(std::mem::take(&mut content)).await?;
        }
        let effect = Effect::Accepted {
            deliveries: vec![(filing.account, size_octets)],
            waiting: Vec::new(),
            changed: Vec::new(),
            folders: needed_folders(std::slice::from_ref(&delivery), &[]),
        };
        let places = vec![Place::of(&delivery, filing.received_at)];
        let pieces = self.pieces.clone();
        let fact = Fact::Kept(Box::new(Kept { id: self.id, size_octets, pieces, places, queue: None }));
        self.core.log.write(&self.core, Draft::of(&fact, content, effect)).await?;
        self.leaves_chunks = false;
        if !self.pieces.is_empty() {
            self.core.pieces.put(self.id, self.pieces.as_slice().into());
        }
        Ok(())
    }
}

impl Drop for EmbeddedWriter {
    fn drop(&mut self) {
        if self.leaves_chunks {
            self.core.log.push(Request::Abandon(self.id));
        }
    }
}
