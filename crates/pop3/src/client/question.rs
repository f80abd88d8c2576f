//! What the client's session asks and reports.

use crate::{Capability, Command, MessageNumber, Reply};
use bytes::Bytes;
use posta_wire::{
    Secret, TlsFacts, TlsFailure,
    sasl::{self, client::Exchange},
};
use std::sync::Arc;
use thiserror::Error;

/// What the session wants to know: there is only one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// The greeting came, or the last request is through: what next? The answer is a [`Request`].
    Next(Phase),
}

/// How far the session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Not logged in: [`Request::Login`], [`Request::Capabilities`] and [`Request::Quit`] make sense.
    Authorization {
        /// Whether the greeting has a timestamp, that is, whether the server offers APOP.
        apop_offered: bool,
    },
    /// Logged in.
    Transaction,
}

/// How to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginMethod {
    /// USER and PASS. The secret crosses the network as it is.
    Password,
    /// APOP. Where the server does not offer it the login fails, and the secret is not sent.
    Apop,
    /// APOP where the server offers it, else USER and PASS.
    ApopIfOffered,
    /// An OAuth token (RFC 7628): [`Request::Authenticate`] alone; no command could carry it.
    Token,
    /// The strongest that both ends have: whoever drives the session tries [`Request::Authenticate`] first;
    /// by itself it is USER and PASS.
    Strongest,
}

/// Who logs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The name of the maildrop.
    pub user: String,
    /// The password, or for APOP the shared secret.
    pub secret: Secret,
    /// How.
    pub method: LoginMethod,
}

/// What to do next.
#[derive(Debug)]
pub enum Request {
    /// Log in.
    Login(Credentials),
    /// AUTH (RFC 5034) by this exchange, whose command was not yet taken. A success that the server has
    /// not earned is a failure.
    Authenticate(Box<Exchange>),
    /// STLS and the handshake: [`Event::Secured`]. Where the server says no, nothing has changed.
    StartTls,
    /// UTF8 (RFC 6856 §2.1), before logging in and after TLS: messages come as they are then.
    Utf8,
    /// LANG (RFC 6856 §3.2): the texts of replies in the language for this range (what can't stand in one is
    /// left out); without, one [`Event::Language`] each.
    Language(Option<String>),
    /// CAPA: one [`Event::Capability`] each.
    Capabilities,
    /// STAT: [`Event::Status`].
    Status,
    /// LIST: one [`Event::Size`] per message, or for the one named.
    Sizes(Option<MessageNumber>),
    /// UIDL: one [`Event::UniqueId`] per message, or for the one named.
    UniqueIds(Option<MessageNumber>),
    /// RETR: [`Event::Content`] in pieces.
    Retrieve(MessageNumber),
    /// TOP: [`Event::Content`] in pieces.
    Top {
        /// Which.
        message: MessageNumber,
        /// Lines of the body.
        lines: u32,
    },
    /// DELE.
    Delete(MessageNumber),
    /// RSET.
    Reset,
    /// NOOP.
    Nothing,
    /// QUIT: the only request that makes deletions happen.
    Quit,
}

impl Request {
    /// The command, for all that are one command.
    pub(super) fn command(&self) -> Option<Command> {
        Some(match self {
            Request::Login(_) | Request::Authenticate(_) => return None,
            Request::StartTls => Command::Stls,
            Request::Utf8 => Command::Utf8,
            Request::Language(range) => Command::Lang(range.as_deref().map(language_range)),
            Request::Capabilities => Command::Capa,
            Request::Status => Command::Stat,
            Request::Sizes(message) => Command::List(*message),
            Request::UniqueIds(message) => Command::Uidl(*message),
            Request::Retrieve(message) => Command::Retr(*message),
            Request::Top { message, lines } => Command::Top { message: *message, lines: *lines },
            Request::Delete(message) => Command::Dele(*message),
            Request::Reset => Command::Rset,
            Request::Nothing => Command::Noop,
            Request::Quit => Command::Quit,
        })
    }
}

/// Nothing but what the grammar knows (RFC 4647 §2.1), so that no range can become a command.
fn language_range(range: &str) -> String {
    let range: String =
        range.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '*')).take(40).collect();
    if range.is_empty() { "*".to_owned() } else { range }
}

/// Where in the session something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Waiting for the greeting, or before it for TLS.
    Greeting,
    /// USER, PASS, APOP or AUTH.
    Login,
    /// The command with this keyword.
    Command(&'static str),
    /// QUIT after messages may have been marked: whether they are removed is not known.
    Quit,
}

/// Why there is no (good) reply.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// The connection was lost. Transient.
    #[error("the connection was lost")]
    ConnectionLost,
    /// The TLS handshake failed. Transient: nothing was said.
    #[error("{0}")]
    Tls(TlsFailure),
    /// The server could not prove that it knows us, or broke the mechanism's rules. Permanent at this server.
    #[error("{0}")]
    Authentication(sasl::client::Failure),
    /// Nothing came within the limit. Transient.
    #[error("no reply in time")]
    TimedOut,
    /// What came is no POP3; the words. Transient.
    #[error("the server does not speak POP3: {0}")]
    BadReply(String),
    /// APOP was demanded, and the greeting has no timestamp. Permanent at this server.
    #[error("the server does not offer APOP")]
    ApopMissing,
    /// Name or password can't be said in POP3: control characters, or too long. Our own.
    #[error("the name or the password cannot be sent in POP3")]
    CredentialsUnfit,
    /// More came than we are willing to take.
    #[error("the server sends more than {limit} {unit}")]
    TooMuch {
        /// How many at most.
        limit: u64,
        /// `octets`, `lines`.
        unit: &'static str,
    },
}

impl Fault {
    /// Whether trying later makes sense.
    pub fn is_transient(&self) -> bool {
        matches!(self, Fault::ConnectionLost | Fault::TimedOut | Fault::Tls(_) | Fault::BadReply(_))
    }
}

/// A fault and where. The session is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Where.
    pub stage: Stage,
    /// What.
    pub fault: Fault,
}

/// What the session reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The server's first words.
    Greeted(Reply),
    /// TLS is on.
    Secured(Arc<TlsFacts>),
    /// One line of CAPA's answer.
    Capability(Capability),
    /// One line of LANG's answer.
    Language {
        /// Of the language (RFC 5646).
        tag: String,
        /// The language's name in itself, where the server tells it.
        name: Option<String>,
    },
    /// STAT's answer.
    Status {
        /// Messages in the maildrop.
        messages: u64,
        /// Their octets.
        octets: u64,
    },
    /// One line of LIST's answer.
    Size {
        /// Which.
        message: MessageNumber,
        /// Octets.
        octets: u64,
    },
    /// One line of UIDL's answer.
    UniqueId {
        /// Which.
        message: MessageNumber,
        /// 1 to 70 printable characters.
        unique_id: String,
    },
    /// The next piece of a message in wire form, byte-stuffing undone.
    Content(Bytes),
    /// The request is through, and all of its answer was reported.
    Done(Reply),
    /// The server said no; the session goes on, except after the greeting and QUIT.
    Refused {
        /// To what.
        stage: Stage,
        /// Its words.
        reply: Reply,
    },
    /// The session broke; the request is not through.
    Failed(Failure),
    /// The session is over: QUIT was answered, or we are stopping.
    Ended,
}
