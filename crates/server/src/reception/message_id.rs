//! Finds the `Message-ID` of a message while it comes in.

use crate::limits::{MESSAGE_ID_OCTETS_MAX, MESSAGE_ID_SEARCH_OCTETS_MAX};
use posta_message::header;

/// Looks at the pieces of a content until the field, the end of the header section or the limit is
/// reached. Almost always all of that is in the first piece, and nothing is kept.
#[derive(Debug, Default)]
pub(crate) struct MessageIdSearch {
    /// The header section so far, when it did not end in the first piece.
    section: Vec<u8>,
    done: bool,
    found: Option<Box<str>>,
}

impl MessageIdSearch {
    pub(crate) fn look_at(&mut self, piece: &[u8]) {
        if self.done {
            return;
        }
        if self.section.is_empty() && self.search(piece) {
            return;
        }
        let room = MESSAGE_ID_SEARCH_OCTETS_MAX - self.section.len();
        self.section.extend_from_slice(&piece[..piece.len().min(room)]);
        let section = std::mem::take(&mut self.section);
        if !self.search(&section) && section.len() < MESSAGE_ID_SEARCH_OCTETS_MAX {
            self.section = section;
        } else {
            self.done = true;
        }
    }

    pub(crate) fn found(&self) -> Option<String> {
        self.found.as_deref().map(str::to_owned)
    }

    /// Whether the search is over.
    fn search(&mut self, octets: &[u8]) -> bool {
        let end = memchr::memmem::find(octets, b"\r\n\r\n").map(|at| at + 2);
        // Without its end, the last line may be half a field.
        let whole = end.or_else(|| memchr::memmem::rfind(octets, b"\r\n").map(|at| at + 2)).unwrap_or(0);
        if let Some(value) = header::first(&octets[..whole], "Message-ID") {
            let last_field = end.is_none() && octets[..whole].ends_with(value);
            if !last_field {
                self.found = clean(value);
                self.done = true;
                return true;
            }
        }
        self.done = end.is_some();
        self.done
    }
}

/// The value as the journal keeps it: on one line, bounded, printable.
fn clean(value: &[u8]) -> Option<Box<str>> {
    let text = String::from_utf8_lossy(value);
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    let text = text.trim();
    (!text.is_empty() && text.len() <= MESSAGE_ID_OCTETS_MAX).then(|| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &[u8] =
        b"From: a@b\r\nMessage-ID:\r\n <1@north.example>\r\nSubject: x\r\n\r\nMessage-ID: <2@body>\r\n";

    #[test]
    fn found_in_whatever_pieces_it_comes() {
        for length in 1..MESSAGE.len() {
            let mut search = MessageIdSearch::default();
            MESSAGE.chunks(length).for_each(|piece| search.look_at(piece));
            assert_eq!(search.found().as_deref(), Some("<1@north.example>"), "pieces of {length}");
        }
    }

    #[test]
    fn not_found_where_there_is_none() {
        let endless = vec![b'x'; MESSAGE_ID_SEARCH_OCTETS_MAX * 2];
        for message in
            [&b"\r\nMessage-ID: <2@body>\r\n"[..], b"Subject: x\r\n\r\nMessage-ID: <2@b>\r\n", b"", &endless]
        {
            let mut search = MessageIdSearch::default();
            message.chunks(1000).for_each(|piece| search.look_at(piece));
            assert!(search.section.len() <= MESSAGE_ID_SEARCH_OCTETS_MAX);
            assert_eq!(search.found(), None);
        }
    }
}
