//! Reading contents.
//!
//! What the page cache holds is read at once, on the caller's own thread (`RWF_NOWAIT`); only what
//! must come from the disk goes to a thread that may wait. A content read in one piece is checked
//! against its checksum.

use super::core::Core;
use super::fact::Piece;
use super::record::TRAILER_OCTETS;
use crate::limits::READ_OCTETS_MAX;
use crate::{ContentRef, QueueId, StoreError};
use bytes::{Bytes, BytesMut};
use rustix::io::{Errno, ReadWriteFlags, preadv2};
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// How often a content that has moved is looked for again.
const LOOK_UPS_MAX: usize = 3;

/// What a place that should hold a content held.
enum Found {
    Octets(Bytes),
    /// It was moved or given back.
    Gone,
}

/// Where a content lies.
#[derive(Clone)]
enum Place {
    Whole(Piece),
    Pieces(Arc<[Piece]>),
}

impl Core {
    /// See [`crate::Store::read`].
    pub(super) async fn read(
        self: &Arc<Self>,
        content: &ContentRef,
        offset: u64,
        length: usize,
    ) -> Result<Bytes, StoreError> {
        let left = content.size_octets.saturating_sub(offset);
        let length = length.min(READ_OCTETS_MAX).min(usize::try_from(left).unwrap_or(usize::MAX));
        if length == 0 {
            return Ok(Bytes::new());
        }
        let mut place = self.place_by_hint(content);
        for _ in 0..LOOK_UPS_MAX {
            let known = match place {
                Some(place) => place,
                None => self.look_up(content).await?,
            };
            if let Found::Octets(octets) = self.read_place(content.id, &known, offset, length).await? {
                return Ok(octets);
            }
            self.pieces.forget(content.id);
            place = None;
        }
        Err(not_found(content.id))
    }

    fn place_by_hint(&self, content: &ContentRef) -> Option<Place> {
        let (volume, offset) = content.hint;
        if volume == 0 {
            return self.pieces.get(content.id).map(Place::Pieces);
        }
        let octets = u32::try_from(content.size_octets).ok()?;
        Some(Place::Whole(Piece { volume, offset, octets }))
    }

    /// Asks the index. A content that was removed is found while a lease keeps it readable.
    async fn look_up(self: &Arc<Self>, content: &ContentRef) -> Result<Place, StoreError> {
        self.caught_up().await?;
        let ContentRef { id, size_octets, .. } = *content;
        let row = self.ask(move |index| {
            if let Some(row) = index.content(id)? {
                return Ok(Some((row.pieces, row.volume, row.offset)));
            }
            Ok(Some((index.garbage_of(id)?, 0, 0)))
        });
        let Some((pieces, volume, offset)) = row.await? else { return Err(not_found(id)) };
        if pieces.is_empty() && volume == 0 {
            return Err(not_found(id));
        }
        if pieces.is_empty() {
            let octets = u32::try_from(size_octets).map_err(|_| not_found(id))?;
            return Ok(Place::Whole(Piece { volume, offset, octets }));
        }
        if pieces.iter().map(|piece| u64::from(piece.octets)).sum::<u64>() != size_octets {
            return Err(not_found(id));
        }
        let pieces: Arc<[Piece]> = pieces.into();
        self.pieces.put(id, pieces.clone());
        Ok(Place::Pieces(pieces))
    }

    async fn read_place(
        self: &Arc<Self>,
        id: QueueId,
        place: &Place,
        offset: u64,
        length: usize,
    ) -> Result<Found, StoreError> {
        let pieces = match place {
            Place::Whole(piece) => return self.read_piece(id, *piece, offset as usize, length).await,
            Place::Pieces(pieces) => pieces,
        };
        let mut start = 0;
        let mut gathered = BytesMut::new();
        for piece in pieces.iter() {
            let end = start + u64::from(piece.octets);
            let from = (offset + gathered.len() as u64).max(start);
            if from < end && gathered.len() < length {
                let part = (length - gathered.len()).min((end - from) as usize);
                match self.read_piece(id, *piece, (from - start) as usize, part).await? {
                    Found::Octets(octets) if octets.len() == length => return Ok(Found::Octets(octets)),
                    Found::Octets(octets) => gathered.extend_from_slice(&octets),
                    Found::Gone => return Ok(Found::Gone),
                }
            }
            start = end;
        }
        Ok(Found::Octets(gathered.freeze()))
    }

    async fn read_piece(
        self: &Arc<Self>,
        id: QueueId,
        piece: Piece,
        from: usize,
        length: usize,
    ) -> Result<Found, StoreError> {
        let file = match self.volumes.file(piece.volume) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Gone),
            Err(error) => return Err(error.into()),
        };
        let whole = from == 0 && length == piece.octets as usize;
        let wanted = length + if whole { TRAILER_OCTETS } else { 0 };
        let mut octets = vec![0; wanted];
        let at = piece.offset + from as u64;
        let read = read_without_waiting(&file, &mut octets, at)?;
        if read < wanted {
            octets = read_waiting(file, octets, read, at).await?;
        }
        // In this order: a place that is no hole now was none while it was read.
        if self.volumes.is_hole(piece.volume, piece.offset) {
            return Ok(Found::Gone);
        }
        if whole {
            let trailer = octets.split_off(length);
            if crc32fast::hash(&octets).to_le_bytes() != trailer[..] {
                return Err(damaged(id, piece));
            }
        }
        Ok(Found::Octets(octets.into()))
    }
}

/// Reads what needs no waiting; returns how much that was.
fn read_without_waiting(file: &File, octets: &mut [u8], at: u64) -> Result<usize, StoreError> {
    match preadv2(file, &mut [IoSliceMut::new(octets)], at, ReadWriteFlags::NOWAIT) {
        Ok(read) => Ok(read),
        Err(Errno::AGAIN | Errno::INTR | Errno::OPNOTSUPP | Errno::NOSYS) => Ok(0),
        Err(error) => Err(io::Error::from(error).into()),
    }
}

async fn read_waiting(
    file: Arc<File>,
    mut octets: Vec<u8>,
    read: usize,
    at: u64,
) -> Result<Vec<u8>, StoreError> {
    let work = tokio::task::spawn_blocking(move || {
        file.read_exact_at(&mut octets[read..], at + read as u64).map(|()| octets)
    });
    match work.await {
        Ok(Ok(octets)) => Ok(octets),
        Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(StoreError::Damaged("a volume is shorter than it was; run posta store check".into()))
        }
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(StoreError::Failed("the reading was broken off".into())),
    }
}

fn not_found(id: QueueId) -> StoreError {
    StoreError::NotFound(format!("message {id}"))
}

fn damaged(id: QueueId, piece: Piece) -> StoreError {
    StoreError::Damaged(format!(
        "message {id} does not match its checksum: volume {} at {}; `posta store check` tells more",
        piece.volume, piece.offset
    ))
}
