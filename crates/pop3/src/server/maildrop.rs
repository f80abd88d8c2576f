//! The snapshot of a maildrop that a session works on, with its marks.

use super::MessageEntry;
use crate::{MessageNumber, Reply};

/// A snapshot, and which of its messages are marked as deleted.
#[derive(Debug)]
pub(super) struct Maildrop {
    entries: Vec<MessageEntry>,
    /// As long as `entries`.
    deleted: Vec<bool>,
    /// Of what is not marked.
    messages_left: usize,
    /// Of what is not marked.
    octets_left: u64,
}

impl Maildrop {
    pub(super) fn new(entries: Vec<MessageEntry>) -> Maildrop {
        let mut maildrop =
            Maildrop { deleted: vec![false; entries.len()], entries, messages_left: 0, octets_left: 0 };
        maildrop.count();
        maildrop
    }

    fn count(&mut self) {
        self.messages_left = self.entries.len();
        self.octets_left = self.entries.iter().fold(0, |sum, entry| sum.saturating_add(entry.size_octets));
    }

    /// The index of a message that is there and not marked, or the reply that says why not.
    pub(super) fn find(&self, message: MessageNumber) -> Result<usize, Reply> {
        let index = message.get() as usize - 1;
        match self.deleted.get(index) {
            Some(false) => Ok(index),
            Some(true) => Err(negative(format!("message {message} is deleted"))),
            None => Err(negative(format!("no such message, only {} in maildrop", self.entries.len()))),
        }
    }

    /// A message by its index, unless it is marked.
    pub(super) fn entry(&self, index: usize) -> Option<&MessageEntry> {
        if self.deleted.get(index).copied().unwrap_or(true) { None } else { self.entries.get(index) }
    }

    /// How many there are, marked ones included.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Marks (RFC 1939 §5 DELE). `index` comes from [`Self::find`].
    pub(super) fn delete(&mut self, index: usize) {
        debug_assert!(!self.deleted[index], "found messages are not marked");
        self.deleted[index] = true;
        self.messages_left -= 1;
        self.octets_left = self.octets_left.saturating_sub(self.entries[index].size_octets);
    }

    /// Takes all marks away (RFC 1939 §5 RSET).
    pub(super) fn reset(&mut self) {
        self.deleted.fill(false);
        self.count();
    }

    /// Indices of what is marked.
    pub(super) fn marked(&self) -> Vec<usize> {
        (0..self.deleted.len()).filter(|index| self.deleted[*index]).collect()
    }

    /// `2 320`: the drop listing (RFC 1939 §5 STAT), without what is marked.
    pub(super) fn drop_listing(&self) -> String {
        format!("{} {}", self.messages_left, self.octets_left)
    }

    /// `2 messages (320 octets)`
    pub(super) fn described(&self) -> String {
        let plural = if self.messages_left == 1 { "" } else { "s" };
        format!("{} message{plural} ({} octets)", self.messages_left, self.octets_left)
    }

    /// What stays behind: `maildrop empty`, `2 messages left`.
    pub(super) fn remainder(&self) -> String {
        match self.messages_left {
            0 => "maildrop empty".to_owned(),
            1 => "1 message left".to_owned(),
            count => format!("{count} messages left"),
        }
    }
}

fn negative(text: String) -> Reply {
    Reply { positive: false, code: None, text: text.into() }
}
