//! The beginning of a content, kept while it comes in.

use crate::{limits::NOTICE_READ_OCTETS_MAX, presence::Shown};

/// The beginning of a content, for those who are to see it at once.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    octets: Vec<u8>,
    is_cut: bool,
}

impl Gathered {
    /// Takes the next piece.
    pub(crate) fn take(&mut self, piece: &[u8]) {
        let room = NOTICE_READ_OCTETS_MAX - self.octets.len();
        self.octets.extend_from_slice(&piece[..piece.len().min(room)]);
        self.is_cut |= piece.len() > room;
    }

    /// As it is shown.
    pub(crate) fn shown(&self) -> Shown {
        Shown::of(&self.octets, !self.is_cut)
    }
}
