//! What the server's session asks and reports.

use bytes::Bytes;
use posta_wire::{
    Secret, TlsFacts,
    sasl::{self, Mechanism, MechanismSet},
};
use std::sync::Arc;

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
    /// CAPA: which mechanisms are offered now? [`Answer::Mechanisms`].
    Mechanisms,
    /// AUTH (RFC 5034): begin an exchange ([`Answer::Exchange`]), or refuse ([`Answer::NoExchange`]).
    Authenticate(Mechanism),
    /// What the exchange must know: [`Answer::Credentials`].
    Credentials(Box<sasl::server::Question>),
    /// The exchange has proven who it is: what is in the maildrop? [`Answer::Login`].
    Open(sasl::server::Identity),
    /// The exchange has failed: [`Answer::Login`] with a failure; the longer that takes the slower is
    /// who guesses.
    AuthenticationFailed(sasl::server::Failure),
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
    /// We can't look before somebody has mended something (RFC 3206 §4).
    Permanent,
    /// The last login is too short ago (RFC 2449 §8.1.1).
    TooSoon {
        /// After this it is not.
        wait_secs: u64,
    },
}

/// Why a content can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// For now.
    Temporary,
    /// It is damaged.
    Permanent,
}

/// Why a mechanism is not begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MechanismRefusal {
    /// It is not offered.
    NotOffered,
    /// It would show the password, and there is no TLS.
    NeedsEncryption,
}

/// The answer to a [`Question`].
#[derive(Debug)]
pub enum Answer {
    /// To `Login`, `Apop`, `Open` and `AuthenticationFailed`.
    Login(Result<Vec<MessageEntry>, LoginFailure>),
    /// To `Mechanisms`.
    Mechanisms(MechanismSet),
    /// To `Authenticate`: the exchange, not yet begun.
    Exchange(Box<sasl::server::Exchange>),
    /// To `Authenticate`: why there is none.
    NoExchange(MechanismRefusal),
    /// To `Credentials`.
    Credentials(sasl::server::Answer),
    /// To `Content`.
    Content(Result<Bytes, Unreadable>),
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
    /// TLS is on.
    Secured(Arc<TlsFacts>),
    /// UTF8 was said (RFC 6856 §2): from now on messages go as they are. Without it, whoever answers gives
    /// sizes and contents without UTF-8 in header sections.
    Utf8,
    /// The session is over.
    Ended {
        /// `quit`, `peer closed`, `timeout`, `shutdown`, `too many errors`, `too many failed logins`,
        /// `content unreadable` (half-way through a message), `refused`, `TLS failed`.
        reason: &'static str,
    },
}
