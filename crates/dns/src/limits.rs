//! How much of what the DNS says is used; whoever owns a zone can write anything into it.

use std::time::Duration;

/// CNAMEs followed from a mail domain. No RFC sets a minimum; resolvers in use follow 8 to 16.
pub const ALIASES_MAX: usize = 8;
/// Mail exchangers considered for one domain, best first. RFC 5321 §5.1 asks for at least two
/// addresses to be tried.
pub const EXCHANGES_MAX: usize = 16;
/// Addresses used of one mail exchanger.
pub const ADDRESSES_PER_HOST_MAX: usize = 8;
/// Addresses in a whole route.
pub const ADDRESSES_PER_ROUTE_MAX: usize = 32;
/// Octets of text taken from a look-up's TXT records together.
pub const TEXT_OCTETS_MAX: usize = 64 * 1024;

/// How long one question to one server may take.
pub const QUESTION_TIME_MAX: Duration = Duration::from_secs(5);
/// How often a question is put again when no server answers.
pub const QUESTION_ATTEMPTS: usize = 2;
/// How long a good answer is kept at most, whatever its TTL says.
pub const POSITIVE_TTL_MAX: Duration = Duration::from_secs(24 * 3600);
/// How long a negative answer is kept at most: who has just repaired a zone wants to be seen.
pub const NEGATIVE_TTL_MAX: Duration = Duration::from_secs(300);
/// Answers kept.
pub const CACHE_ENTRIES_MAX: u64 = 8192;
