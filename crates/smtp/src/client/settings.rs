//! What a client session is told at its start.

use crate::limits;
use posta_address::Host;
use std::time::Duration;

/// All that shapes a client session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The name in EHLO: this host's own, or its address literal (RFC 5321 §4.1.4).
    pub hostname: Host,
    /// LMTP (RFC 2033) rather than SMTP.
    pub lmtp: bool,
    /// Whether to speak inside TLS.
    pub tls: TlsUse,
    /// Whether to prove who we are (RFC 4954), and to say nothing where that is not possible.
    pub authenticates: bool,
    /// Whether to pipeline where it is offered.
    pub pipelining: bool,
    /// Whether to send contents in chunks where that is offered (RFC 3030).
    pub chunking: bool,
    /// How long to wait for what.
    pub time_limits: TimeLimits,
}

impl Settings {
    /// In the clear; pipelines, and sends chunks, where offered; time limits as in [`crate::limits`].
    pub fn new(hostname: impl Into<Host>) -> Self {
        Settings {
            hostname: hostname.into(),
            lmtp: false,
            tls: TlsUse::Never,
            authenticates: false,
            pipelining: true,
            chunking: true,
            time_limits: TimeLimits::default(),
        }
    }
}

/// Whether a session is inside TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsUse {
    /// No: in the clear.
    #[default]
    Never,
    /// STARTTLS where it is offered and given, else in the clear (RFC 7435). A handshake that fails ends
    /// the session.
    IfOffered,
    /// STARTTLS; nothing is said where it is not offered.
    Required,
    /// From the first octet on (RFC 8314 §3.3).
    Implicit,
}

/// How long to wait for the reply at each stage (RFC 5321 §4.5.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLimits {
    /// The greeting.
    pub greeting: Duration,
    /// HELO, EHLO.
    pub hello: Duration,
    /// ETRN, ATRN, TURN.
    pub request: Duration,
    /// MAIL (and RSET).
    pub mail: Duration,
    /// RCPT.
    pub recipient: Duration,
    /// DATA, until 354.
    pub data: Duration,
    /// Writing one block of the content.
    pub content_block: Duration,
    /// The final dot.
    pub end_of_data: Duration,
    /// QUIT.
    pub quit: Duration,
}

impl Default for TimeLimits {
    fn default() -> Self {
        TimeLimits {
            greeting: limits::GREETING_TIMEOUT,
            hello: limits::HELLO_TIMEOUT,
            request: limits::REQUEST_TIMEOUT,
            mail: limits::MAIL_TIMEOUT,
            recipient: limits::RECIPIENT_TIMEOUT,
            data: limits::DATA_TIMEOUT,
            content_block: limits::CONTENT_BLOCK_TIMEOUT,
            end_of_data: limits::END_OF_DATA_TIMEOUT,
            quit: limits::QUIT_TIMEOUT,
        }
    }
}
