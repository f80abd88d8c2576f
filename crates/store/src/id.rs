//! Identifiers, all made by us.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};
use std::{fmt, str::FromStr};

/// An account, for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(pub u64);

/// An accepted message: names its content, its queue entry, its places in maildrops (UIDL), and
/// stands in `Received:`. Grows with time; prints as 13 characters of base 32 (Crockford's, lower-case).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueueId(pub u64);

const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

impl fmt::Display for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in (0..13).rev() {
            let digit = DIGITS[(self.0 >> (place * 5)) as usize & 31];
            write!(f, "{}", digit as char)?;
        }
        Ok(())
    }
}
impl fmt::Debug for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "QueueId({self})")
    }
}

/// Makes queue ids: each larger than all before, whatever the clock does.
#[derive(Debug)]
pub(crate) struct QueueIdSource {
    last: AtomicU64,
}

impl QueueIdSource {
    /// Goes on after `last`, the largest id ever given out.
    pub(crate) fn after(last: QueueId) -> Self {
        QueueIdSource { last: AtomicU64::new(last.0) }
    }

    /// The last one given out.
    pub(crate) fn last(&self) -> QueueId {
        QueueId(self.last.load(Ordering::Relaxed))
    }

    /// The next one. Microseconds since 1970 times 1024: room for a billion a second, and it fits
    /// a signed 64-bit integer (an index has no others) until the year 2255.
    pub(crate) fn next(&self, now: Timestamp) -> QueueId {
        let by_clock = u64::try_from(now.as_microsecond()).unwrap_or(0).saturating_mul(1024);
        let step = |last: u64| Some(by_clock.max(last + 1));
        let last = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step);
        QueueId(by_clock.max(last.unwrap_or(0) + 1))
    }
}

/// The text is no queue id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a queue id (13 characters, like 0dqzt4x9h2k3m)")]
pub struct BadQueueId;

impl FromStr for QueueId {
    type Err = BadQueueId;
    fn from_str(text: &str) -> Result<Self, BadQueueId> {
        if text.len() != 13 {
            return Err(BadQueueId);
        }
        let mut value: u64 = 0;
        for octet in text.bytes() {
            let octet = octet.to_ascii_lowercase();
            let digit = DIGITS.iter().position(|digit| *digit == octet).ok_or(BadQueueId)?;
            if value >> 59 != 0 {
                return Err(BadQueueId);
            }
            value = value << 5 | digit as u64;
        }
        Ok(QueueId(value))
    }
}
impl Serialize for QueueId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for QueueId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
