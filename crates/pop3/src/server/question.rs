//! What the server's session asks and reports.

use bytes::Bytes;
use posta_wire::Secret;

/// One message of the session's snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageEntry {
    /// Octets in wire form, without byte-stuffing (RFC 1939 §11). Where the last line of the content
    /// has no CRLF one is added on the way, and counts here.
    pub size_octets: u64,
    /// 1 to 70 printable characters, stable for ever (RFC 1939 §7 UIDL).
    pub unique_id: String,
}

/// What the session wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// USER and PASS: is it so, and what is in the maildrop?
    Login {
        /// As given to USER.
        user: String,
        /// As given to PASS.
        password: Secret,
    },
    /// APOP (RFC 1939 §7): the answerer computes MD5(timestamp + secret) and compares in constant time.
    Apop {
        /// The name.
        user: String,
        /// The greeting's timestamp, angle brackets included.
        timestamp: String,
        /// 16 octets, decoded from hex.
        digest: [u8; 16],
    },
    /// The next piece of message `index` (0-based in the snapshot) from `offset`, for RETR and TOP:
    /// any number of octets from 1 on; empty at the end.
    Content {
        /// Which.
        index: usize,
        /// From where.
        offset: u64,
    },
    /// QUIT in the TRANSACTION state: remove these (indices), durably.
    Update {
        /// 0-based.
        deleted: Vec<usize>,
    },
}

/// Why a login failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginFailure {
    /// Wrong name or password; which of the two is not said.
    Credentials,
    /// We can't look now.
    Temporary,
}

/// The answer to a [`Question`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To `Login` and `Apop`.
    Login(Result<Vec<MessageEntry>, LoginFailure>),
    /// To `Content`; `None` when it can't be read.
    Content(Option<Bytes>),
    /// To `Update`: whether all is durable.
    Updated(bool),
}

/// What the session reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// RETR was answered whole (not TOP).
    Retrieved {
        /// 0-based.
        index: usize,
    },
    /// The session is over.
    Ended {
        /// `quit`, `peer closed`, `timeout`, `shutdown`, `too many errors`, `too many failed logins`,
        /// `content unreadable` (half-way through a message), `refused`.
        reason: &'static str,
    },
}
