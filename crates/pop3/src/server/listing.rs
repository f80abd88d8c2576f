//! LIST and UIDL without an argument: one line per message that is not marked (RFC 1939 §5, §7).

use super::{MessageEntry, maildrop::Maildrop};
use crate::limits::GATHER_OCTETS_MAX;
use bytes::BytesMut;
use std::fmt::Write;

/// What each line tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    /// LIST: `1 120`, a scan listing.
    Size,
    /// UIDL: `1 0dqzt4x9h2k3m`, a unique-id listing.
    UniqueId,
}

impl Column {
    /// One line's worth, without CRLF.
    pub(super) fn line(self, index: usize, entry: &MessageEntry, out: &mut BytesMut) {
        let number = index + 1;
        let written = match self {
            Column::Size => write!(out, "{number} {}", entry.size_octets),
            Column::UniqueId => write!(out, "{number} {}", entry.unique_id),
        };
        debug_assert!(written.is_ok(), "a buffer takes everything");
    }
}

/// A listing on its way. It is written in pieces, so that a maildrop of a million messages needs no
/// buffer of that size.
#[derive(Debug)]
pub(super) struct Listing {
    column: Column,
    next_index: usize,
}

impl Listing {
    pub(super) fn new(column: Column) -> Listing {
        Listing { column, next_index: 0 }
    }

    /// Writes on; true when that was the end.
    pub(super) fn write(&mut self, maildrop: &Maildrop, out: &mut BytesMut) -> bool {
        while self.next_index < maildrop.len() {
            if out.len() >= GATHER_OCTETS_MAX {
                return false;
            }
            if let Some(entry) = maildrop.entry(self.next_index) {
                self.column.line(self.next_index, entry, out);
                out.extend_from_slice(b"\r\n");
            }
            self.next_index += 1;
        }
        out.extend_from_slice(b".\r\n");
        true
    }
}
