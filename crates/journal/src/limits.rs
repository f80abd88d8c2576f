//! The journal's bounds, in one place.

use std::time::Duration;

/// Octets that all segments together may have, unless configured otherwise.
pub const TOTAL_OCTETS_DEFAULT: u64 = 256 << 20;
/// How long a record is kept, unless configured otherwise.
pub const AGE_DEFAULT: Duration = Duration::from_secs(30 * 24 * 3600);
/// A segment is closed at this size at the latest, so that a reader can take one into memory whole.
pub const SEGMENT_OCTETS_MAX: u64 = 16 << 20;
/// The journal is cut into at least so many segments, so that little more than needed goes at once.
pub const SEGMENTS_MIN: u64 = 16;
/// Octets below which a segment makes no sense, however small the whole is to be.
pub const SEGMENT_OCTETS_MIN: u64 = 4 << 10;
/// A segment is closed after this time even if small, so that the bound on age holds for quiet hosts.
pub const SEGMENT_AGE_MAX: Duration = Duration::from_secs(24 * 3600);
/// Events that may wait for the writer; more are counted and lost. About 300 octets each.
pub const PENDING_EVENTS_MAX: usize = 32 * 1024;
/// How long the writer gathers events into one write.
pub const GATHER: Duration = Duration::from_millis(20);
/// Records that a memory journal keeps; the oldest go first.
pub const MEMORY_RECORDS_MAX: usize = 100_000;
/// Octets of a single text (a peer's words, a reason) in a record; longer ones are cut.
pub const TEXT_OCTETS_MAX: usize = 2 << 10;
/// Stories that `explain` tells at once.
pub const STORIES_MAX: usize = 50;
