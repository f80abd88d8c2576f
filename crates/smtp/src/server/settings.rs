//! What a server session is told at its start.

use crate::{Reply, SyntaxQuirks, limits, replies, server::Hello};
use posta_address::Domain;
use std::time::Duration;

/// All that shapes a server session; shared by all sessions of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The name that this host gives itself in greeting, EHLO and `Received:`.
    pub hostname: Domain,
    /// LMTP (RFC 2033) rather than SMTP: the client says LHLO, and each recipient has its own reply at the
    /// end of the content.
    pub lmtp: bool,
    /// Bounds of size, count and time.
    pub limits: Limits,
    /// What EHLO offers.
    pub extensions: Extensions,
    /// Tolerance for the faults of others.
    pub quirks: Quirks,
}

impl Settings {
    /// All extensions on, limits as in [`crate::limits`], tolerance as in [`Quirks::default`].
    pub fn new(hostname: Domain) -> Self {
        Settings {
            hostname,
            lmtp: false,
            limits: Limits::default(),
            extensions: Extensions::default(),
            quirks: Quirks::default(),
        }
    }

    /// `220 host ESMTP Posta`: the answer to [`Question::Greeting`](super::Question::Greeting) that lets
    /// the client in (RFC 5321 §3.1).
    pub fn greeting(&self) -> Reply {
        let protocol = if self.lmtp { "LMTP" } else { "ESMTP" };
        Reply::new(220, None, format!("{} {protocol} Posta", self.hostname.to_ascii()))
    }

    /// `250 host greets name`: the answer to [`Question::Hello`](super::Question::Hello) that lets the
    /// client go on (RFC 5321 §4.1.1.1).
    pub fn welcome(&self, hello: &Hello) -> Reply {
        let hostname = self.hostname.to_ascii();
        if hello.name.is_empty() {
            return Reply::new(replies::OK.code, None, hostname.to_owned());
        }
        Reply::new(replies::OK.code, None, format!("{hostname} greets {}", hello.name))
    }
}

/// Bounds of a server session. The defaults stand, with their reasons, in [`crate::limits`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Octets of a command line, CR LF included.
    pub command_line_octets: usize,
    /// Octets of a message's content; said in EHLO's SIZE (RFC 1870).
    pub content_octets: u64,
    /// Octets of a text line, CR LF included.
    pub text_line_octets: u64,
    /// Octets of the header section.
    pub header_section_octets: u64,
    /// Recipients of one message.
    pub recipients: u32,
    /// Seconds that `BY=…;R` must leave at least; said in EHLO's DELIVERBY (RFC 2852). 0: any time is enough.
    pub deliver_by_seconds_min: u32,
    /// Messages of one session, as whoever drives it enforces; said in EHLO's LIMITS (RFC 9422).
    pub messages: Option<u32>,
    /// Faulty commands in one session.
    pub errors: u32,
    /// Commands refused for other reasons in one session.
    pub refusals: u32,
    /// Failed authentications in one session.
    pub authentication_failures: u32,
    /// Commands in a row that move no mail.
    pub idle_commands: u32,
    /// From one command to the next.
    pub command_timeout: Duration,
    /// From one piece of content to the next.
    pub content_timeout: Duration,
    /// For the whole content of one message.
    pub content_total_timeout: Duration,
    /// For a refused client to say QUIT.
    pub rejected_timeout: Duration,
    /// For the whole session.
    pub session_timeout: Duration,
    /// For the open transaction after a shutdown.
    pub shutdown_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            command_line_octets: limits::COMMAND_LINE_OCTETS_MAX,
            content_octets: limits::CONTENT_OCTETS_MAX,
            text_line_octets: limits::TEXT_LINE_OCTETS_MAX,
            header_section_octets: limits::HEADER_SECTION_OCTETS_MAX,
            recipients: limits::RECIPIENTS_MAX,
            deliver_by_seconds_min: 0,
            messages: None,
            errors: limits::ERRORS_MAX,
            refusals: limits::REFUSALS_MAX,
            authentication_failures: limits::AUTHENTICATION_FAILURES_MAX,
            idle_commands: limits::IDLE_COMMANDS_MAX,
            command_timeout: limits::COMMAND_TIMEOUT,
            content_timeout: limits::CONTENT_TIMEOUT,
            content_total_timeout: limits::CONTENT_TOTAL_TIMEOUT,
            rejected_timeout: limits::REJECTED_TIMEOUT,
            session_timeout: limits::SESSION_TIMEOUT,
            shutdown_timeout: limits::SHUTDOWN_TIMEOUT,
        }
    }
}

/// Which service extensions are on: all but STARTTLS by default. ENHANCEDSTATUSCODES and HELP always are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extensions {
    /// PIPELINING (RFC 2920).
    pub pipelining: bool,
    /// SIZE (RFC 1870).
    pub size: bool,
    /// 8BITMIME (RFC 6152).
    pub eight_bit_mime: bool,
    /// SMTPUTF8 (RFC 6531); needs 8BITMIME.
    pub smtputf8: bool,
    /// CHUNKING (RFC 3030).
    pub chunking: bool,
    /// BINARYMIME (RFC 3030 §3); needs CHUNKING and 8BITMIME.
    pub binary_mime: bool,
    /// REQUIRETLS (RFC 8689); offered inside TLS only.
    pub require_tls: bool,
    /// DSN (RFC 3461).
    pub dsn: bool,
    /// DELIVERBY (RFC 2852). Off by default: whoever drives the session has to keep deadlines.
    pub deliver_by: bool,
    /// MT-PRIORITY (RFC 6710). Off by default likewise.
    pub priority: bool,
    /// LIMITS (RFC 9422).
    pub limits: bool,
    /// STARTTLS (RFC 3207): whoever drives the session has a certificate.
    pub starttls: bool,
    /// ETRN (RFC 1985).
    pub etrn: bool,
    /// ATRN (RFC 2645).
    pub atrn: bool,
    /// TURN (RFC 821 §3.8), for whoever has proven who it is.
    pub turn: bool,
    /// XCLIENT: the client is a proxy of ours.
    pub xclient: bool,
    /// VRFY answers; without it every VRFY gets 252 (RFC 5321 §7.3).
    pub vrfy: bool,
    /// SEND, SOML and SAML (RFC 821 §3.4); without it each gets 502. Off by default.
    pub send: bool,
    /// EXPN answers; without it every EXPN gets 502 (RFC 5321 §7.3).
    pub expn: bool,
}

impl Extensions {
    /// Whether BINARYMIME is offered, with all that it needs.
    pub(crate) fn offers_binary_mime(&self) -> bool {
        self.binary_mime && self.chunking && self.eight_bit_mime
    }
}

impl Default for Extensions {
    fn default() -> Self {
        Extensions {
            pipelining: true,
            size: true,
            eight_bit_mime: true,
            smtputf8: true,
            chunking: true,
            binary_mime: true,
            require_tls: true,
            dsn: true,
            deliver_by: false,
            priority: false,
            limits: true,
            starttls: false,
            etrn: false,
            atrn: false,
            turn: false,
            xclient: false,
            vrfy: true,
            send: false,
            expn: true,
        }
    }
}

/// Tolerance for the faults of others, each by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quirks {
    /// In the syntax of commands.
    pub syntax: SyntaxQuirks,
    /// What to do about a CR or LF that is not part of a CR LF. Refused by default.
    pub bare_line_end: BareLineEnd,
    /// Content with NUL octets is let through, although neither 7bit nor 8bit content may have any
    /// (RFC 2045 §2.7, §2.8) and hosts that skip them can be shown a final dot that is none. It can be
    /// delivered here, but not sent on. Off by default.
    pub nul_in_content: bool,
}

/// A CR or LF that is not part of a CR LF (RFC 5321 §2.3.8 forbids it: two hosts that read it
/// differently can be made to see two messages where one was sent). Whatever is chosen, only
/// CR LF . CR LF ends the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BareLineEnd {
    /// The message is read to its true end and refused with 554; a command that ends so, with 500.
    #[default]
    Refuse,
    /// Commands may end in LF; in content, LF is made CR LF and other CRs are dropped, so that what
    /// is kept is clean.
    Normalize,
}
