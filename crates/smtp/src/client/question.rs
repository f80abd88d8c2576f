//! What the client's session asks and reports.

use crate::{QueueName, RecipientParameters, Reply, Turning};
use bytes::Bytes;
use posta_address::{ForwardPath, ReversePath};
use posta_wire::{
    ContentFacts, DeliverBy, EnvelopeId, Hold, Priority, ReturnedPart, TlsFacts, TlsFailure,
    sasl::{self, MechanismSet},
};
use std::sync::Arc;

/// A message to be sent to several recipients in one go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Envelope sender.
    pub reverse_path: ReversePath,
    /// Envelope recipients, at least one.
    pub recipients: Vec<Recipient>,
    /// What is known of the content: decides SIZE, BODY=8BITMIME and SMTPUTF8. The size must be exact:
    /// a content that turns out shorter or longer is not sent to its end.
    pub facts: ContentFacts,
    /// Whether the message came with SMTPUTF8 (then the next host must have it, unless all turns
    /// out ASCII).
    pub smtputf8: bool,
    /// What the sender asks; said to hosts that understand it.
    pub requests: Requests,
}

/// A recipient, with what the sender asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Where the message goes.
    pub path: ForwardPath,
    /// Said to hosts that understand it: NOTIFY and ORCPT where DSN is offered.
    pub parameters: RecipientParameters,
}

impl From<ForwardPath> for Recipient {
    /// Without any requests.
    fn from(path: ForwardPath) -> Self {
        Recipient { path, parameters: RecipientParameters::default() }
    }
}

/// What the sender asks for a message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Requests {
    /// RET, where DSN is offered (RFC 3461 §4.3).
    pub returned: Option<ReturnedPart>,
    /// ENVID, where DSN is offered (RFC 3461 §4.4).
    pub envelope_id: Option<EnvelopeId>,
    /// HOLDFOR or HOLDUNTIL (RFC 4865): for submission; the message is not sent to hosts that hold none for so
    /// long.
    pub hold: Option<Hold>,
    /// BY (RFC 2852), where DELIVERBY is offered; with R the message is not sent to other hosts, nor to those
    /// that need more time.
    pub deliver_by: Option<DeliverBy>,
    /// MT-PRIORITY (RFC 6710), where that is offered.
    pub priority: Option<Priority>,
    /// REQUIRETLS (RFC 8689): the message is not sent to hosts that do not offer it, inside TLS. Whether the
    /// host has proven who it is, is the driver's to see.
    pub require_tls: bool,
}

/// Something other than a transaction that is asked of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// ETRN: send us what waits (RFC 1985).
    StartQueue(QueueName),
    /// ATRN or TURN: send us what waits over this very connection.
    Turn(Turning),
}

/// What the session wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Ready for a transaction (after EHLO, and after each transaction): answer with
    /// [`Answer::Transaction`] or [`Answer::Quit`].
    Next,
    /// Who are we? Asked after EHLO where the settings say so, with the mechanisms that the host offers
    /// (perhaps none): [`Answer::Exchange`] or [`Answer::NoExchange`].
    Authenticate(MechanismSet),
    /// The next piece of the content: [`Answer::Chunk`] or [`Answer::EndOfContent`], or
    /// [`Answer::ContentFailed`] when it can't be read (the connection is then dropped, so that
    /// nothing half is taken for whole).
    Content,
}

/// An answer to a [`Question`].
#[derive(Debug)]
pub enum Answer {
    /// Send this.
    Transaction(Transaction),
    /// Ask this, then come again; where the roles switch, the session ends with [`Event::Turned`] instead.
    Request(Request),
    /// Nothing more: QUIT.
    Quit,
    /// The exchange, its command not yet taken.
    Exchange(Box<sasl::client::Exchange>),
    /// Why there can be none; the session ends.
    NoExchange(String),
    /// Nothing needs to be proven: go on without.
    Unidentified,
    /// A piece of the content in wire form, not dot-stuffed.
    Chunk(Bytes),
    /// That was all of it.
    EndOfContent,
    /// It can't be read.
    ContentFailed,
}

/// Where in the session something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Waiting for 220.
    Greeting,
    /// HELO or EHLO.
    Hello,
    /// STARTTLS and the handshake.
    StartTls,
    /// AUTH.
    Authentication,
    /// ETRN, ATRN, TURN.
    Request,
    /// MAIL.
    Mail,
    /// RCPT.
    Recipient,
    /// DATA.
    Data,
    /// While the content was sent.
    Content,
    /// After the final dot: the peer may or may not have taken the message.
    EndOfData,
}

/// Why there is no (good) reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The peer said no; 4yz or 5yz tells whether to come back.
    Refused(Reply),
    /// The connection was lost. Transient; at [`Stage::EndOfData`] the message may have arrived.
    ConnectionLost,
    /// No reply within the limit. Transient.
    TimedOut,
    /// STARTTLS is required and not offered: perhaps somebody on the way took it out. Transient.
    TlsMissing,
    /// The TLS handshake failed. Transient: nothing was said.
    Tls(TlsFailure),
    /// We could not prove who we are, or the server could not prove that it knows us. Transient: it is
    /// not the message's fault.
    Authentication(String),
    /// The peer's reply was no SMTP. Transient.
    BadReply(String),
    /// The message needs what the peer does not offer (named). Permanent at this host.
    ExtensionMissing(&'static str),
    /// Larger than the peer's SIZE. Permanent at this host.
    TooLarge {
        /// The peer's limit.
        limit_octets: u64,
    },
    /// We could not read our own content, or it is not as long as its facts say. Transient, and our
    /// own.
    ContentUnreadable,
    /// Our own content has a CR or LF that is not part of a CR LF, or a NUL: it must not go out
    /// (RFC 5321 §2.3.8, RFC 2045 §2.8). Permanent.
    ContentMalformed,
}

/// A fault and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Where.
    pub stage: Stage,
    /// What.
    pub fault: Fault,
}

impl Failure {
    /// Whether trying later makes sense: decided by type and code, never by text.
    pub fn is_transient(&self) -> bool {
        match &self.fault {
            // Whoever is on the way could say no for good: that must not be what makes mail fail for good.
            // And what is wrong with our password is not the message's fault.
            Fault::Refused(_) if matches!(self.stage, Stage::StartTls | Stage::Authentication) => true,
            Fault::Refused(reply) => !reply.is_permanent(),
            Fault::ConnectionLost
            | Fault::TimedOut
            | Fault::TlsMissing
            | Fault::Tls(_)
            | Fault::Authentication(_)
            | Fault::BadReply(_)
            | Fault::ContentUnreadable => true,
            Fault::ExtensionMissing(_) | Fault::TooLarge { .. } | Fault::ContentMalformed => false,
        }
    }
}

/// What became of one recipient.
pub type RecipientOutcome = Result<Reply, Failure>;

/// What the session reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// TLS is on. Comes before `Ready`.
    Secured(Arc<TlsFacts>),
    /// Greeting and EHLO (or HELO) are through; what the host offers, keywords upper-case with
    /// their arguments.
    Ready {
        /// The host's own name from its greeting.
        host: String,
        /// `SIZE 1000`, `PIPELINING`, …
        extensions: Vec<String>,
    },
    /// The transaction is over: one outcome per recipient, in order. Comes once for each transaction,
    /// also if the connection was lost in it.
    Done(Vec<RecipientOutcome>),
    /// What the host said to a request.
    Requested(RecipientOutcome),
    /// The roles have switched: this session is over, and its connection waits for our greeting.
    Turned,
    /// The session ended before a first transaction could be asked for.
    Failed(Failure),
}
