//! What POP3 clients that did not say UTF8 get in place of messages with UTF-8 in their header sections
//! (RFC 6856 §2.1, RFC 6857).
//!
//! Such a message came with SMTPUTF8 (our own `Received:` on top says so) and has octets over 127 in its own
//! header section, or it has some in `Return-Path:`. Whatever else has them there was sent so against the rules:
//! it is read as it came, as it always has been. Of a message that is not too large all header sections within it
//! are rewritten, of a larger one its own. LIST and STAT count the surrogate's octets. Bodies stay as they are,
//! 8bit ones included.

use crate::limits::{
    CONTENT_READ_OCTETS, HEADER_OCTETS_MAX, HEADERS_KNOWN_MAX, SURROGATE_OCTETS_MAX, SURROGATES_AT_ONCE_MAX,
    SURROGATES_KEPT_MAX,
};
use bytes::{Bytes, BytesMut};
use posta_message::surrogate;
use posta_store::{MaildropMessage, QueueId, Store, StoreError};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What is known of messages, so that each is looked at once. Forgetting costs another look, no more.
#[derive(Debug)]
pub(crate) struct Surrogates {
    known: Mutex<Known>,
    /// Each is in memory while it is made.
    making: Semaphore,
    /// Those that stay in memory while they are sent, which a client can make last.
    keeping: Arc<Semaphore>,
}

/// Two generations: when the newer is full, the older goes.
#[derive(Debug, Default)]
struct Known {
    newer: HashMap<QueueId, Need>,
    older: HashMap<QueueId, Need>,
}

/// Whether a message needs a surrogate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    No,
    /// One of so many octets.
    Octets(u64),
}

/// A message with ASCII header sections: `head`, then the original from `rest_from` on.
#[derive(Debug)]
pub(crate) struct Surrogate {
    pub(crate) head: Bytes,
    pub(crate) rest_from: u64,
    place: Option<OwnedSemaphorePermit>,
}

impl Default for Surrogates {
    fn default() -> Self {
        Surrogates {
            known: Mutex::default(),
            making: Semaphore::new(SURROGATES_AT_ONCE_MAX),
            keeping: Arc::new(Semaphore::new(SURROGATES_KEPT_MAX)),
        }
    }
}

impl Surrogates {
    /// A message was accepted whose header section and return path are ASCII.
    pub(crate) fn note_plain(&self, id: QueueId) {
        self.remember(id, Need::No);
    }

    /// The octets of the surrogate that a message needs, if it does.
    pub(crate) async fn size(
        &self,
        store: &dyn Store,
        message: &MaildropMessage,
    ) -> Result<Option<u64>, StoreError> {
        let id = message.content.id;
        let need = match self.recall(id) {
            Some(need) => need,
            None => {
                let need = match self.make(store, message).await? {
                    Some(made) => Need::Octets(made.size_octets(message)),
                    None => Need::No,
                };
                self.remember(id, need);
                need
            }
        };
        Ok(match need {
            Need::No => None,
            Need::Octets(octets) => Some(octets),
        })
    }

    /// The surrogate of a message, if it needs one.
    pub(crate) async fn make(
        &self,
        store: &dyn Store,
        message: &MaildropMessage,
    ) -> Result<Option<Surrogate>, StoreError> {
        let head = header_section(store, message).await?;
        if head.is_ascii() || (message.prefix.is_ascii() && !came_with_smtputf8(&head)) {
            return Ok(None);
        }
        let _turn = self.making.acquire().await;
        let octets = total_octets(message);
        let original = match octets <= SURROGATE_OCTETS_MAX {
            true => read_up_to(store, message, octets).await?,
            false => head,
        };
        let rest_from = original.len() as u64;
        // Some milliseconds for each megabyte: not on a thread that serves connections.
        let made = tokio::task::spawn_blocking(move || {
            Bytes::from(surrogate::with_ascii_headers(&original).into_owned())
        });
        let head = made.await.map_err(|error| StoreError::Failed(format!("a surrogate: {error}")))?;
        Ok(Some(self.placed(head, rest_from)))
    }

    fn placed(&self, head: Bytes, rest_from: u64) -> Surrogate {
        Surrogate { head, rest_from, place: self.keeping.clone().try_acquire_owned().ok() }
    }

    fn recall(&self, id: QueueId) -> Option<Need> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.newer.get(&id).or_else(|| known.older.get(&id)).copied()
    }

    fn remember(&self, id: QueueId, need: Need) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.newer.len() >= HEADERS_KNOWN_MAX / 2 {
            known.older = std::mem::take(&mut known.newer);
        }
        known.newer.insert(id, need);
    }
}

impl Surrogate {
    /// Whether it may stay in memory between two of its pieces. Else it is made again for each: that takes longer,
    /// but however many clients are slow, memory is bounded.
    pub(crate) fn may_stay(&self) -> bool {
        self.place.is_some() || self.head.len() <= HEADER_OCTETS_MAX
    }

    fn size_octets(&self, message: &MaildropMessage) -> u64 {
        self.head.len() as u64 + (total_octets(message) - self.rest_from)
    }
}

fn total_octets(message: &MaildropMessage) -> u64 {
    message.prefix.len() as u64 + message.content.size_octets
}

/// The header section with the prefix before it, up to its empty line, or as much of it as is looked at.
async fn header_section(store: &dyn Store, message: &MaildropMessage) -> Result<Bytes, StoreError> {
    let first = store.read(&message.content, 0, CONTENT_READ_OCTETS.min(HEADER_OCTETS_MAX)).await?;
    let end = memchr::memmem::find(&first, b"\r\n\r\n").map_or(first.len(), |at| at + 2);
    let mut section = BytesMut::with_capacity(message.prefix.len() + end);
    section.extend_from_slice(&message.prefix);
    section.extend_from_slice(&first[..end]);
    Ok(section.freeze())
}

/// Whether the topmost `Received:`, which is our own, has a protocol of RFC 6531 §4.3 (UTF8SMTP, UTF8LMTPS …).
fn came_with_smtputf8(head: &[u8]) -> bool {
    let Some(at) = memchr::memmem::find(head, b"Received:") else { return false };
    let field = &head[at..];
    // It ends where a line begins without white space.
    let next = memchr::memmem::find_iter(field, b"\r\n")
        .find(|end| !matches!(field.get(end + 2), Some(b' ' | b'\t')))
        .unwrap_or(field.len());
    let mut words = field[..next].split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.any(|word| word == b"with") && words.next().is_some_and(|protocol| protocol.starts_with(b"UTF8"))
}

/// Prefix and content up to `octets`.
async fn read_up_to(store: &dyn Store, message: &MaildropMessage, octets: u64) -> Result<Bytes, StoreError> {
    let mut read = BytesMut::with_capacity(usize::try_from(octets).unwrap_or_default());
    read.extend_from_slice(&message.prefix);
    while (read.len() as u64) < octets {
        let at = read.len() - message.prefix.len();
        let piece = store.read(&message.content, at as u64, CONTENT_READ_OCTETS).await?;
        if piece.is_empty() {
            return Err(StoreError::Damaged(format!("message {} ends before its end", message.content.id)));
        }
        read.extend_from_slice(&piece);
    }
    Ok(read.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_bounded() {
        let surrogates = Surrogates::default();
        for number in 0..HEADERS_KNOWN_MAX as u64 + 10 {
            surrogates.note_plain(QueueId(number));
        }
        let known = surrogates.known.lock().expect("not poisoned");
        assert!(known.newer.len() + known.older.len() <= HEADERS_KNOWN_MAX);
        drop(known);
        assert_eq!(surrogates.recall(QueueId(HEADERS_KNOWN_MAX as u64 + 9)), Some(Need::No));
        assert_eq!(surrogates.recall(QueueId(0)), None);
    }

    #[test]
    fn slow_clients_keep_only_so_many_in_memory() {
        let surrogates = Surrogates::default();
        let large = Bytes::from(vec![b'x'; HEADER_OCTETS_MAX + 1]);
        let mut made: Vec<_> =
            (0..SURROGATES_KEPT_MAX).map(|_| surrogates.placed(large.clone(), 0)).collect();
        assert!(made.iter().all(Surrogate::may_stay));
        assert!(!surrogates.placed(large.clone(), 0).may_stay());
        assert!(surrogates.placed(large.slice(1..), 0).may_stay(), "a header section is no burden");
        made.pop();
        assert!(surrogates.placed(large, 0).may_stay());
    }
}
