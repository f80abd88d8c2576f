//! What the server's session asks and reports.

use super::Authentication;
use crate::{
    Delivery, Introduction, QueueName, Reply, Turning,
    parameters::{MailParameters, RecipientParameters},
};
use bytes::Bytes;
use posta_address::{ForwardPath, ReversePath};
use posta_wire::{
    ContentFacts, TlsFacts,
    sasl::{self, Mechanism, server::Identity},
};
use std::sync::Arc;

/// HELO or EHLO, as the client said it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// EHLO (or LHLO) rather than HELO.
    pub extended: bool,
    /// The argument as given (bounded, printable); empty where a HELO without argument is let through.
    pub name: String,
}

/// What the session wants decided. Each is answered by [`Answer`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// The connection is open: greet (220), or refuse (421, 554).
    Greeting,
    /// HELO or EHLO was said: a positive reply welcomes; the session adds the extensions' lines to
    /// a 250 for EHLO by itself.
    Hello(Hello),
    /// MAIL FROM, SEND FROM, SOML FROM or SAML FROM.
    Mail {
        /// Where the message is to appear.
        delivery: Delivery,
        /// Reverse-path.
        reverse_path: ReversePath,
        /// Its parameters. Boxed, for a session to stay small.
        parameters: Box<MailParameters>,
    },
    /// RCPT TO.
    Recipient {
        /// Forward-path.
        forward_path: ForwardPath,
        /// Its parameters.
        parameters: RecipientParameters,
    },
    /// DATA, after at least one recipient was accepted: 354 lets it begin. The driver opens the
    /// place where the content goes.
    Data,
    /// End of data: commit, and say so. The only place where a 250 for a message comes from.
    EndOfData(ContentFacts),
    /// VRFY with its argument.
    Verify(String),
    /// EXPN with its argument.
    Expand(String),
    /// ETRN: begin to send what waits. 250 to 253, 458 or 459 (RFC 1985 §5.3).
    StartQueue(QueueName),
    /// ATRN or TURN, by a client that has proven who it is: 250 switches the roles.
    Turn(Turning),
    /// XCLIENT, from a client that may: 220 greets whom it names, as if that had just connected.
    Introduce(Box<Introduction>),
    /// AUTH by a mechanism that was announced: begin an exchange ([`Answer::Exchange`]) or refuse.
    Authenticate(Mechanism),
    /// What the exchange must know: [`Answer::Credentials`].
    Credentials(Box<sasl::server::Question>),
}

/// The answer to a question.
#[derive(Debug)]
pub enum Answer {
    /// The reply. Its code decides how the session goes on.
    Reply(Reply),
    /// To `EndOfData` in LMTP (RFC 2033 §4.2): one for each recipient that was accepted, in their order. A
    /// bare `Reply` is for all of them.
    Each(Vec<Reply>),
    /// To `Hello`, with what AUTH is for this client from now on; a bare `Reply` leaves that as it is.
    Welcome(Reply, Authentication),
    /// To `Authenticate`: the exchange, not yet begun.
    Exchange(Box<sasl::server::Exchange>),
    /// To `Credentials`.
    Credentials(sasl::server::Answer),
}

/// What the session reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The next piece of the content, dot-stuffing undone, in wire form.
    Content(Bytes),
    /// The transaction is gone (RSET, HELO, EHLO, QUIT, connection lost, limits, bare line feeds, a
    /// question answered negatively): throw away what was gathered. Comes once per transaction that
    /// had a MAIL accepted and was not committed.
    Aborted {
        /// In plain words, for the journal.
        reason: String,
    },
    /// The session itself refused something (syntax, order, limit).
    Refused {
        /// Lower-case verb, or `command`, `end-of-data`.
        stage: &'static str,
        /// As sent.
        reply: Reply,
    },
    /// The client has proven who it is; once per session at most. Comes before the reply.
    Authenticated {
        /// Who.
        identity: Identity,
        /// By which mechanism.
        mechanism: Mechanism,
    },
    /// The client has not proven it. Comes before the reply, so carrying it out slowly slows the client.
    AuthenticationFailed {
        /// By which mechanism.
        mechanism: Mechanism,
        /// Why.
        failure: sasl::server::Failure,
    },
    /// TLS is on. What was told in HELO or EHLO and proven by AUTH before is to be forgotten.
    Secured(Arc<TlsFacts>),
    /// The session is over.
    Ended {
        /// `quit`, `peer closed`, `timeout`, `shutdown`, `too many errors`, `too many failed logins`,
        /// `refused`, `TLS failed`, `turned`.
        reason: &'static str,
    },
}
