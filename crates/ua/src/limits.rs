//! Bounds of the agents.

use std::time::Duration;

/// How long to wait for a connection, for each address.
pub const CONNECT_WAIT_MAX: Duration = Duration::from_secs(30);

/// Octets of one message that is read into memory to be shown. Larger ones can be fetched into files.
pub const SHOWN_OCTETS_MAX: u64 = 64 * 1024 * 1024;

/// Octets of a header section that is read for a list.
pub const HEADER_OCTETS_MAX: u64 = 256 * 1024;

/// Octets of all attachments of a letter together. What is encoded is a third larger.
pub const ATTACHMENTS_OCTETS_MAX: u64 = 256 * 1024 * 1024;

/// Octets of a password or token. A longer one is a wrong file.
pub const PASSWORD_OCTETS_MAX: usize = posta_wire::sasl::limits::TOKEN_OCTETS_MAX;

/// How long to wait for each server that may be a domain's.
pub const DISCOVERY_WAIT_MAX: Duration = Duration::from_secs(10);

/// SRV records of one service that are looked at.
pub const DISCOVERY_RECORDS_MAX: usize = 8;

/// Octets of the content handed to the session at a time.
pub const CONTENT_PIECE_OCTETS: usize = 64 * 1024;

/// Lines of a content that a shown dialogue prints at each end before it says how many more there were.
pub const DIALOGUE_CONTENT_LINES_MAX: usize = 30;

/// Octets of a line that a shown dialogue prints.
pub const DIALOGUE_LINE_OCTETS_MAX: usize = 500;
