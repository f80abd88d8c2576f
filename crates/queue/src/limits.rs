//! Bounds of the queue, each with its reason.

use std::time::Duration;

/// Connections (transactions going on) at once, all destinations together.
pub const CONNECTIONS_MAX: usize = 200;
/// Connections at once to one destination. Hosts in the world begin to refuse at some dozens.
pub const CONNECTIONS_PER_DESTINATION_MAX: usize = 20;
/// Recipients in one transaction; every host takes this many (RFC 5321 §4.5.3.1.8: at least 100).
pub const RECIPIENTS_PER_TRANSACTION_MAX: usize = 100;
/// Messages over one connection, so that load spreads over a destination's hosts again.
pub const MESSAGES_PER_CONNECTION_MAX: u32 = 1000;
/// Addresses tried in one attempt. RFC 5321 §5.1: "SHOULD try at least two addresses".
pub const ADDRESSES_PER_ATTEMPT_MAX: usize = 6;
/// How long an open connection waits for more mail to its destination.
pub const IDLE_CONNECTION_MAX: Duration = Duration::from_secs(5);
/// How long opening a connection may take. No RFC has a figure; hosts that are there answer in
/// seconds.
pub const CONNECT_TIME_MAX: Duration = Duration::from_secs(30);
/// How long finding a route may take.
pub const ROUTE_TIME_MAX: Duration = Duration::from_secs(120);

/// How long a destination that does not answer is left alone, at first; doubles with each failure.
pub const SUSPENSION_MIN: Duration = Duration::from_secs(60);
/// How long it is left alone at most, so that mail is really tried about as often as its schedule
/// says (RFC 5321 §4.5.4.1: keep a list of hosts that cannot be reached).
pub const SUSPENSION_MAX: Duration = Duration::from_secs(15 * 60);
/// Destinations remembered as failing without any mail for them.
pub const IDLE_SUSPENSIONS_MAX: usize = 10_000;

/// When our own store fails to give or take something: how long until the next try.
pub const OWN_FAILURE_PAUSE: Duration = Duration::from_secs(5 * 60);
/// Entries kept in memory between submission and their first attempt; others are read from the store.
pub const ENTRIES_CACHED_MAX: usize = 4096;
/// Changes that wait for the store; then deliveries wait.
pub const SETTLEMENTS_WAITING_MAX: usize = 1024;
/// Settlements given to the store in one call.
pub const SETTLEMENTS_PER_CALL_MAX: usize = 256;
/// How long the timer sleeps at most, so that a changed civil clock is noticed.
pub const SLEEP_MAX: Duration = Duration::from_secs(60);

/// Octets of content read and sent at a time.
pub const CONTENT_CHUNK_OCTETS: usize = 64 * 1024;
/// Octets of a content that is made 7bit for a host without 8BITMIME; it lies in memory meanwhile, and a
/// larger one bounces. RFC 5321 §4.5.3.1.7 asks for 64K octets of content.
pub const CONVERTED_OCTETS_MAX: u64 = 32 * 1024 * 1024;
/// Octets of such contents together, before conversion; further ones wait. What is read, its conversion
/// and its structure make it about three times this in memory.
pub const CONVERTED_TOGETHER_OCTETS_MAX: u64 = 64 * 1024 * 1024;
/// Octets of a message that goes back whole with a report of failure, where that is asked for with
/// `RET=FULL` (RFC 3461 §4.3); of a larger one only the header section does.
pub const RETURNED_MESSAGE_OCTETS_MAX: u64 = 1024 * 1024;
/// Octets of a message's header section that go back with a report.
pub const RETURNED_HEADERS_OCTETS_MAX: usize = 64 * 1024;
/// Characters kept of what a peer said.
pub const PEER_WORDS_MAX: usize = 1000;

/// How long it is remembered that a host had TLS (policy "remember"): longer than most outages, and well
/// below the time after which undelivered mail is given up, so that a host that gives up TLS for good loses
/// no mail.
pub const TLS_MEMORY: Duration = Duration::from_secs(2 * 24 * 60 * 60);

/// Hosts remembered for their TLS.
pub const TLS_HOSTS_REMEMBERED_MAX: usize = 20_000;

/// How long a client waits at RCPT for the DNS to say that a domain accepts no mail; RFC 5321 §4.5.3.2.3 has
/// clients wait for 5 minutes, but most will not.
pub const NULL_MX_TIME_MAX: Duration = Duration::from_secs(2);
