//! The snapshot of a maildrop that a session works on, with its marks.

use super::{MessageEntry, phrases::Phrase};
use crate::{Language, MessageNumber};
use std::borrow::Cow;

/// Why there is no such message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    Deleted(MessageNumber),
    NeverThere { count: usize },
}

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

    /// The index of a message that is there and not marked.
    pub(super) fn find(&self, message: MessageNumber) -> Result<usize, Missing> {
        let index = message.get() as usize - 1;
        match self.deleted.get(index) {
            Some(false) => Ok(index),
            Some(true) => Err(Missing::Deleted(message)),
            None => Err(Missing::NeverThere { count: self.entries.len() }),
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
    pub(super) fn described(&self, language: Language) -> Cow<'static, str> {
        match self.messages_left {
            1 => Phrase::OneMessage.say(language, &[&self.octets_left]),
            count => Phrase::Messages.say(language, &[&count, &self.octets_left]),
        }
    }

    /// How many are not marked.
    pub(super) fn messages_left(&self) -> usize {
        self.messages_left
    }
}
