//! What can go wrong for an agent, in words for its user.

use crate::Endpoint;
use posta_pop3::{Reply, ResponseCode, client};
use posta_smtp::client as smtp;
use thiserror::Error;

/// No connection.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("cannot connect to {endpoint}: {reason}")]
pub struct ConnectError {
    /// Where to.
    pub endpoint: Endpoint,
    /// The system's words.
    pub reason: String,
}

/// A letter could not be submitted at all. What a host says of single recipients is no error but an outcome.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SubmitError {
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The session failed before or between transactions.
    #[error("{}", describe_smtp(.0))]
    Session(smtp::Failure),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// There is nobody to send it to.
    #[error("no recipients")]
    NoRecipients,
}

/// A maildrop could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MaildropError {
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The server said no.
    #[error("{}", describe_refusal(.stage, .reply))]
    Refused {
        /// To what.
        stage: client::Stage,
        /// In its words.
        reply: Reply,
    },
    /// The session failed.
    #[error("{}", describe_pop3(.0))]
    Session(client::Failure),
    /// The connection broke, or the session ended before its time.
    #[error("the connection broke")]
    Broken,
    /// The password would cross the network in the clear.
    #[error("the server offers no TLS, and the password is not sent in the clear")]
    InTheClear,
    /// A token is what we have, and the server takes none here.
    #[error("the server takes no tokens here (it offers neither OAUTHBEARER nor XOAUTH2 inside TLS)")]
    NoTokens,
    /// What came is more than we take.
    #[error("message {message} has more than {limit} octets; `posta mail fetch` puts it into a file")]
    TooLarge {
        /// Which.
        message: u32,
        /// The limit.
        limit: u64,
    },
    /// Our own side: a file could not be written.
    #[error("{0}")]
    Sink(String),
}

impl MaildropError {
    /// Whether trying the same again later makes sense.
    pub fn is_transient(&self) -> bool {
        match self {
            MaildropError::Connect(_) | MaildropError::Broken => true,
            MaildropError::Refused { reply, .. } => reply.is_transient(),
            MaildropError::Session(failure) => failure.fault.is_transient(),
            MaildropError::InTheClear
            | MaildropError::NoTokens
            | MaildropError::TooLarge { .. }
            | MaildropError::Sink(_) => false,
        }
    }
}

/// What became of one recipient, in words.
pub fn describe_outcome(outcome: &smtp::RecipientOutcome) -> String {
    match outcome {
        Ok(reply) => describe_smtp_reply(reply),
        Err(failure) => describe_smtp(failure),
    }
}

/// Code, enhanced status and text of a reply in one line.
pub fn describe_smtp_reply(reply: &posta_smtp::Reply) -> String {
    let enhanced = reply.enhanced.map(|status| format!(" {status}")).unwrap_or_default();
    format!("{}{enhanced} {}", reply.code, reply.lines.join(" "))
}

/// A failure in words.
pub fn describe_smtp(failure: &smtp::Failure) -> String {
    use smtp::{Fault, Stage};
    let stage = match failure.stage {
        Stage::Greeting => "when we connected",
        Stage::Hello => "to our greeting",
        Stage::Request => "to what was asked",
        Stage::StartTls => "to STARTTLS",
        Stage::Authentication => "to the login",
        Stage::Mail => "to the sender",
        Stage::Recipient => "to the recipient",
        Stage::Data => "to DATA",
        Stage::Content => "while the letter was sent",
        Stage::EndOfData => "to the letter",
    };
    match &failure.fault {
        Fault::Refused(reply) => format!("the server said no {stage}: {}", describe_smtp_reply(reply)),
        Fault::ConnectionLost if failure.stage == Stage::EndOfData => {
            "the connection was lost after the letter was sent; it may have arrived or not".to_owned()
        }
        Fault::ConnectionLost => "the connection was lost".to_owned(),
        Fault::TimedOut if failure.stage == Stage::EndOfData => {
            "no answer in time after the letter was sent; it may have arrived or not".to_owned()
        }
        Fault::TimedOut => "the server gave no answer in time".to_owned(),
        Fault::TlsMissing => "the server offers no TLS, and nothing is said without it".to_owned(),
        Fault::Tls(failure) => format!("no secure connection: {failure}"),
        Fault::Authentication(why) => format!("cannot log in: {why}"),
        Fault::BadReply(words) => format!("the server does not speak SMTP: {words}"),
        Fault::ExtensionMissing(name) => format!("the letter needs {name}, which the server does not offer"),
        Fault::TooLarge { limit_octets } => {
            format!("the letter is larger than the {limit_octets} octets that the server takes")
        }
        Fault::ContentMalformed => "the letter has line ends that SMTP cannot carry".to_owned(),
        Fault::ContentUnreadable => "the letter could not be read while it was sent".to_owned(),
    }
}

fn describe_refusal(stage: &client::Stage, reply: &Reply) -> String {
    let words = if reply.text.is_empty() { "no reason given" } else { &reply.text };
    match (stage, &reply.code) {
        (client::Stage::Greeting, _) => format!("the server refuses the connection: {words}"),
        (client::Stage::Quit, _) => format!("the server did not finish its work: {words}"),
        // RFC 2449 §8.1, RFC 3206 §4: what the code says is surer than the words.
        (_, Some(ResponseCode::LoginDelay)) => format!("cannot log in again so soon: {words}"),
        (_, Some(ResponseCode::InUse)) => format!("another program is using the maildrop: {words}"),
        (_, Some(ResponseCode::SystemPermanent)) => {
            format!("something is broken at the server, which its postmaster must mend: {words}")
        }
        (client::Stage::Login, Some(code)) if code.is_transient() => format!("cannot log in now: {words}"),
        (client::Stage::Login, _) => format!("cannot log in: {words}"),
        (client::Stage::Command(name), _) => format!("the server said no to {name}: {words}"),
    }
}

fn describe_pop3(failure: &client::Failure) -> String {
    use client::{Fault, Stage};
    match (&failure.fault, failure.stage) {
        (Fault::ApopMissing, _) => {
            "the server does not offer APOP, and the secret is not sent in the clear".to_owned()
        }
        (fault, Stage::Quit) => format!("{fault} at QUIT; whether deletions were carried out is not known"),
        (fault, _) => fault.to_string(),
    }
}
