//! Bounds of this crate; the protocols' own limits stand in their crates.

use std::time::Duration;

/// Octets taken from a socket at once. The buffer lives on the stack of one poll, never in a
/// connection.
pub const READ_OCTETS_MAX: usize = 64 * 1024;

/// Replies and content gathered before they are written though more is ready to be said.
pub const GATHER_OCTETS_MAX: usize = 64 * 1024;

/// Pieces handed to the kernel in one vectored write.
pub const GATHER_PIECES_MAX: usize = 16;

/// How long a peer may refuse to take a single octet of what we send. RFC 5321 §4.5.3.2.5 gives
/// three minutes for a block of data; we are as patient as its most patient command (5 minutes).
pub const WRITE_STALL_MAX: Duration = Duration::from_secs(300);

/// How long a TLS handshake may take. RFC 3207 names no limit; a command may take five minutes, but here
/// nobody has to think.
pub const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(60);

/// After we closed: how long and how much we still read, so that the kernel does not answer with a
/// reset that would destroy our last reply on its way.
pub const LINGER_MAX: Duration = Duration::from_secs(2);
/// See [`LINGER_MAX`].
pub const LINGER_OCTETS_MAX: usize = 1024 * 1024;

/// Octets of a PROXY header of version 1, CR LF included (§2.1: 107).
pub const PROXY_TEXT_OCTETS_MAX: usize = 107;

/// Octets of one of version 2 behind its first sixteen. Two Unix addresses take 216, certificates that a
/// proxy tells of some hundreds.
pub const PROXY_HEADER_OCTETS_MAX: usize = 4096;

/// How long a proxy may take for its header, which it sends at once (§2: at least 3 seconds).
pub const PROXY_TIME_MAX: Duration = Duration::from_secs(10);

/// Connections that the kernel keeps ready for us.
pub const ACCEPT_BACKLOG: i32 = 4096;

/// Pauses after an accept that failed for want of descriptors or memory.
pub const ACCEPT_PAUSE_MIN: Duration = Duration::from_millis(20);
/// See [`ACCEPT_PAUSE_MIN`].
pub const ACCEPT_PAUSE_MAX: Duration = Duration::from_secs(1);

/// Addresses remembered for their failures.
pub const PEERS_REMEMBERED_MAX: usize = 65_536;

/// How often the time is doubled for which an address is turned away: 64 windows are the longest.
pub const BAN_DOUBLINGS_MAX: u32 = 6;

/// For how many windows it is remembered that an address was turned away: with one of ten minutes, a day.
pub const BAN_MEMORY_WINDOWS: u32 = 144;
