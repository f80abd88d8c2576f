//! Every bound of POP3 in one place, with the RFC's minimum beside it.

use std::time::Duration;

/// Octets of a command line, CRLF included. A server with CAPA must take 255 (RFC 2449 §4).
pub const COMMAND_OCTETS_MAX: usize = 255;

/// Octets of an AUTH command, CRLF included. Quirk "long AUTH": RFC 5034 §4 has clients wait for an empty
/// challenge where the initial response does not fit into a command; many send their token all the same.
pub const AUTH_COMMAND_OCTETS_MAX: usize = posta_wire::sasl::limits::LINE_OCTETS_MAX + 2;

/// Octets of the first line of a reply, CRLF included (RFC 1939 §3, RFC 2449 §4).
pub const REPLY_LINE_OCTETS_MAX: usize = 512;

/// Octets of a unique-id (RFC 1939 §7 UIDL).
pub const UNIQUE_ID_OCTETS_MAX: usize = 70;

/// The shortest time without a command after which a server may hang up (RFC 1939 §3: at least 10 minutes).
pub const IDLE_MIN: Duration = Duration::from_secs(600);

/// Failed logins after which the server hangs up. No RFC names a number; three is what a person with
/// a forgotten password needs, and a guesser pays a new connection for each three.
pub const LOGIN_FAILURES_MAX: u32 = 3;

/// Commands refused in one session after which the server hangs up.
pub const ERRORS_MAX: u32 = 20;

/// Octets of content that the server asks for at a time, as a hint to the answerer.
pub const CONTENT_PIECE_OCTETS: usize = 64 * 1024;

/// Octets of replies that are gathered before they are sent although more commands wait.
pub const GATHER_OCTETS_MAX: usize = 64 * 1024;

/// How long a client waits for a reply, or for the next octets of a long one. A server may work for
/// a while on QUIT, where it removes messages durably.
pub const REPLY_WAIT_MAX: Duration = Duration::from_secs(120);

/// Octets of a single-line reply that a client puts up with: eight times what the RFC allows, because
/// some servers tell stories in their greeting, and nothing is gained by refusing them.
pub const REPLY_LINE_TOLERATED_OCTETS_MAX: usize = 8 * REPLY_LINE_OCTETS_MAX;

/// Lines of a listing (LIST, UIDL, CAPA) that a client reads.
pub const LISTING_LINES_MAX: u64 = 1_000_000;

/// Octets of one message that a client reads, unless it is told otherwise.
pub const RETRIEVED_OCTETS_MAX: u64 = 1 << 30;
