//! What can happen, as types.

use jiff::Timestamp;
use posta_address::{ForwardPath, Mailbox, ReversePath};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

/// An event with its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// Which protocol a session speaks, seen from our end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionKind {
    /// A peer speaks SMTP to us.
    Smtp,
    /// A peer speaks POP3 to us.
    Pop3,
}

/// What finally became of one message-recipient (or of an attempt at it).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// In a maildrop here.
    Delivered,
    /// The next host took responsibility.
    Relayed,
    /// Permanent failure; a report was made.
    Bounced,
    /// Dropped by a rule with a name (for instance a double bounce).
    Discarded,
    /// Temporary failure; it stays in the queue.
    Deferred,
}

/// Everything that the system decides or learns about a letter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A session ended (one event for the whole session keeps the journal small).
    Session {
        /// Protocol.
        kind: SessionKind,
        /// Ours, unique in this store.
        session: u64,
        /// Who.
        peer: SocketAddr,
        /// The name given in HELO or EHLO.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hello: Option<String>,
        /// What protected it: `TLS 1.3, TLS_AES_256_GCM_SHA384`; absent in the clear.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tls: Option<String>,
        /// Messages accepted (SMTP) or retrieved (POP3).
        messages: u32,
        /// How it ended: `quit`, `timeout`, `peer closed`, `too many errors`, …
        end: String,
    },
    /// A command of a session was refused for a reason of policy, limits or syntax.
    Refused {
        /// Which session.
        session: u64,
        /// Who.
        peer: IpAddr,
        /// At which command: `connect`, `mail`, `rcpt`, `data`, `end-of-data`, `pass`, …
        stage: String,
        /// Reverse-path, as far as known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<ReversePath>,
        /// The recipient concerned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<ForwardPath>,
        /// Message-ID, once seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message_id: Option<String>,
        /// The reply given, on one line.
        reply: String,
        /// Why, in plain words.
        reason: String,
    },
    /// Responsibility taken: 250 after the final dot was (about to be) sent.
    Accepted {
        /// Queue id (the id of this acceptance, also in `Received:`).
        id: String,
        /// Which session; absent for messages that Posta made itself (bounces).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<u64>,
        /// Peer, if any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        peer: Option<IpAddr>,
        /// Envelope sender.
        from: ReversePath,
        /// Envelope recipients as given.
        to: Vec<ForwardPath>,
        /// Octets.
        size_octets: u64,
        /// `Message-ID`, if any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message_id: Option<String>,
        /// Why it was let in: `hosted domain`, `relay network 127.0.0.0/8`, `bounce for <id>` …
        reason: String,
    },
    /// An address was replaced by others (alias, list, catch-all, sub-address).
    Expanded {
        /// Queue id.
        id: String,
        /// As given.
        address: Mailbox,
        /// What it became.
        into: Vec<Mailbox>,
        /// The rule's name.
        rule: String,
    },
    /// Where a recipient's mail goes, and why.
    Routed {
        /// Queue id.
        id: String,
        /// Destination domain or literal.
        destination: String,
        /// The DNS answers used, or the rule (`static route`, `smarthost`), in plain words, in order.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        steps: Vec<String>,
        /// Hosts to be tried, in order: `name (address:port)`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        hosts: Vec<String>,
    },
    /// How the connection to another host is protected, where TLS was to be had or had been before.
    Secured {
        /// Queue id of the message that opened the connection.
        id: String,
        /// The host with its address.
        host: String,
        /// What protects it: `TLS 1.3, TLS_AES_256_GCM_SHA384`; absent in the clear.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tls: Option<String>,
        /// Whether the host has proven who it is, or why there is no TLS, in plain words.
        detail: String,
    },
    /// One recipient's outcome of one attempt, or its local delivery.
    Outcome {
        /// Queue id.
        id: String,
        /// Recipient (after expansion).
        to: Mailbox,
        /// As the envelope had it, if different.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        original: Option<ForwardPath>,
        /// What became of it.
        fate: Fate,
        /// Remote host with address, if one was reached.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<String>,
        /// The peer's words (reply), or ours.
        detail: String,
        /// When it will be tried again (deferred only).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next_attempt_at: Option<Timestamp>,
    },
    /// A report was sent about a message.
    Reported {
        /// Queue id of the message reported about.
        id: String,
        /// Queue id of the report.
        report: String,
        /// To whom.
        to: Mailbox,
        /// `failure`, `delay`.
        kind: String,
    },
    /// A message was fetched from a maildrop.
    Fetched {
        /// Which session.
        session: u64,
        /// Whose maildrop.
        account: Mailbox,
        /// Queue id of the message.
        id: String,
        /// Whether it was deleted (at QUIT) rather than only read.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        deleted: bool,
    },
    /// The operator did something to a queue entry or an account.
    Operator {
        /// Queue id, if about one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// In plain words.
        action: String,
    },
    /// Somebody seems to guess an account's password: so many logins failed within an hour, from wherever.
    /// Told at 10, and each time that they have doubled.
    Guessed {
        /// The account's address, or a name that nobody has.
        account: String,
        /// How many.
        failures: u32,
        /// Where the last one came from.
        peer: IpAddr,
    },
    /// Events that came faster than they could be written, and are not in the journal.
    Lost {
        /// How many.
        events: u64,
    },
}

impl Event {
    /// The queue id that the event is about, if it is about one.
    pub fn queue_id(&self) -> Option<&str> {
        match self {
            Event::Accepted { id, .. }
            | Event::Expanded { id, .. }
            | Event::Routed { id, .. }
            | Event::Secured { id, .. }
            | Event::Outcome { id, .. }
            | Event::Reported { id, .. }
            | Event::Fetched { id, .. } => Some(id),
            Event::Operator { id, .. } => id.as_deref(),
            Event::Session { .. } | Event::Refused { .. } | Event::Guessed { .. } | Event::Lost { .. } => {
                None
            }
        }
    }
}
