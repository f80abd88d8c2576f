//! Finds a field of a message (`Message-ID`, `TLS-Required`) while it comes in.

use crate::limits::{FIELD_OCTETS_MAX, FIELD_SEARCH_OCTETS_MAX};
use posta_message::header;

/// Looks at the pieces of a content until the field, the end of the header section or the limit is
/// reached. Almost always all of that is in the first piece, and nothing is kept.
#[derive(Debug)]
pub(crate) struct FieldSearch {
    name: &'static str,
    /// The header section so far, when it did not end in the first piece.
    section: Vec<u8>,
    done: bool,
    found: Option<Box<str>>,
}

impl FieldSearch {
    pub(crate) fn new(name: &'static str) -> Self {
        FieldSearch { name, section: Vec::new(), done: false, found: None }
    }

    pub(crate) fn look_at(&mut self, piece: &[u8]) {
        if self.done {
            return;
        }
        if self.section.is_empty() && self.search(piece) {
            return;
        }
        // Looked through once it is whole: pieces may be small, and many.
        let begin = self.section.len().saturating_sub(END.len() - 1);
        let room = FIELD_SEARCH_OCTETS_MAX - self.section.len();
        self.section.extend_from_slice(&piece[..piece.len().min(room)]);
        let is_whole = memchr::memmem::find(&self.section[begin..], END).is_some();
        if is_whole || self.section.len() >= FIELD_SEARCH_OCTETS_MAX {
            let section = std::mem::take(&mut self.section);
            self.search(&section);
            self.done = true;
        }
    }

    /// What was found, in what has come so far.
    pub(crate) fn found(&self) -> Option<String> {
        match &self.found {
            Some(found) => Some(found.to_string()),
            // The content ended within its header section.
            None => find(&self.section, self.name).value.map(String::from),
        }
    }

    /// Whether the search is over.
    fn search(&mut self, octets: &[u8]) -> bool {
        let Found { value, is_certain } = find(octets, self.name);
        self.found = value.filter(|_| is_certain);
        self.done = is_certain;
        self.done
    }
}

/// The end of a header section: that of its last line, and the empty line.
const END: &[u8] = b"\r\n\r\n";

/// What a part of a header section tells.
struct Found {
    value: Option<Box<str>>,
    /// What comes behind cannot change it.
    is_certain: bool,
}

fn find(octets: &[u8], name: &str) -> Found {
    let end = match octets {
        // A content without a header section.
        [b'\r', b'\n', ..] => Some(0),
        _ => memchr::memmem::find(octets, END).map(|at| at + 2),
    };
    // Without its end, the last line may be half a field.
    let whole = end.or_else(|| memchr::memmem::rfind(octets, b"\r\n").map(|at| at + 2)).unwrap_or(0);
    let value = header::first(&octets[..whole], name);
    let may_go_on = |value: &[u8]| end.is_none() && octets[..whole].trim_ascii_end().ends_with(value);
    Found {
        value: value.and_then(clean),
        is_certain: end.is_some() || value.is_some_and(|value| !may_go_on(value)),
    }
}

/// The value as the journal keeps it: on one line, bounded, printable.
fn clean(value: &[u8]) -> Option<Box<str>> {
    let text = String::from_utf8_lossy(value);
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    let text = text.trim();
    (!text.is_empty() && text.len() <= FIELD_OCTETS_MAX).then(|| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &[u8] =
        b"From: a@b\r\nMessage-ID:\r\n <1@north.example>\r\nSubject: x\r\n\r\nMessage-ID: <2@body>\r\n";

    #[test]
    fn found_in_whatever_pieces_it_comes() {
        for length in 1..MESSAGE.len() {
            let mut search = FieldSearch::new("Message-ID");
            MESSAGE.chunks(length).for_each(|piece| search.look_at(piece));
            assert_eq!(search.found().as_deref(), Some("<1@north.example>"), "pieces of {length}");
        }
    }

    #[test]
    fn found_in_a_content_without_a_body() {
        for length in 1..30 {
            let mut search = FieldSearch::new("TLS-Required");
            b"Subject: x\r\nTLS-Required: No\r\n".chunks(length).for_each(|piece| search.look_at(piece));
            assert_eq!(search.found().as_deref(), Some("No"), "pieces of {length}");
        }
    }

    #[test]
    fn not_found_where_there_is_none() {
        let endless = vec![b'x'; FIELD_SEARCH_OCTETS_MAX * 2];
        for message in
            [&b"\r\nMessage-ID: <2@body>\r\n"[..], b"Subject: x\r\n\r\nMessage-ID: <2@b>\r\n", b"", &endless]
        {
            let mut search = FieldSearch::new("Message-ID");
            message.chunks(1000).for_each(|piece| search.look_at(piece));
            assert!(search.section.len() <= FIELD_SEARCH_OCTETS_MAX);
            assert_eq!(search.found(), None);
        }
    }
}
