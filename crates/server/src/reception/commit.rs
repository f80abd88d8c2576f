//! Step three: the store takes responsibility, and only then does anybody say 250.
//!
//! **This is the one place where an acceptance by the store becomes a positive reply to the final dot**
//! ([`commit`] returns an id only after the store has reported every copy durable).

use super::{
    facts::full_maildrops,
    screen, success,
    transaction::{Copy, Transaction, original_if_different, return_path_prefix},
};
use crate::{
    host::Host,
    recipients::{Dropped, Place, Target},
};
use bytes::Bytes;
use jiff::tz::Offset;
use posta_address::Domain;
use posta_journal::{Event, Fate};
use posta_smtp::{Received, TransmissionType};
use posta_store::{
    Acceptance, ContentWriter, Envelope, LocalDelivery, QueueChange, QueueEntry, QueueId, RemoteRecipient,
    StoreError,
};
use posta_wire::{ContentFacts, TlsFacts};
use std::net::IpAddr;

/// Where a message came from.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) session: Option<u64>,
    pub(crate) peer: Option<IpAddr>,
}

/// How a message came in over SMTP, for its `Received:` field.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hop<'a> {
    pub(crate) hello_name: &'a str,
    pub(crate) peer: IpAddr,
    /// Its name in the DNS, where somebody trusted has looked it up.
    pub(crate) client_name: Option<&'a Domain>,
    pub(crate) with: TransmissionType,
    pub(crate) tls: Option<&'a TlsFacts>,
}

/// Opens the places where the content will go, each with its trace field on top (RFC 5321 §4.4).
/// A message of our own has no hop, and gets none.
pub(crate) async fn open(
    host: &Host,
    hop: Option<Hop<'_>>,
    transaction: &Transaction,
) -> Result<Vec<Copy>, StoreError> {
    let mut copies = Vec::with_capacity(1);
    let date = posta_message::date::format(host.clock.timestamp(), Offset::UTC);
    let policy = host.policy();
    for reverse_path in transaction.reverse_paths(&[]) {
        let writer = host.store.receive().await?;
        let mut copy = Copy { reverse_path, trace_octets: 0, trace_longest_line: 0, writer };
        if let Some(hop) = hop {
            let received = Received {
                hello_name: hop.hello_name,
                client_name: hop.client_name,
                client_ip: hop.peer,
                by: &policy.config.hostname,
                with: hop.with,
                id: &copy.writer.id().to_string(),
                recipients: &transaction.recipients,
                tls: hop.tls,
                date: &date,
            };
            let field = received.to_string();
            copy.trace_octets = field.len() as u64;
            copy.trace_longest_line = field.split_inclusive('\n').map(str::len).max().unwrap_or(0) as u64;
            copy.writer.write(Bytes::from(field)).await?;
        }
        copies.push(copy);
    }
    Ok(copies)
}

/// What is known when the final dot has come.
pub(crate) struct Arrived<'a> {
    pub(crate) transaction: &'a Transaction,
    pub(crate) copies: Vec<Copy>,
    pub(crate) content: ContentFacts,
    pub(crate) origin: Origin,
    /// Changes of the queue that belong to the same commit.
    pub(crate) changes: Vec<(QueueId, QueueChange)>,
}

/// Who of a transaction has room for the message. Members of lists that have none are passed over, and
/// counted as dropped.
pub(crate) async fn make_room(
    host: &Host,
    transaction: &mut Transaction,
    size_octets: u64,
) -> Result<Room, StoreError> {
    if transaction.targets.iter().all(|(_, target)| !has_quota(target)) {
        return Ok(Room {
            recipients: transaction.targets.len() + transaction.dropped.len(),
            never_fits: false,
        });
    }
    let targets: Vec<Target> = transaction.targets.iter().map(|(_, target)| target.clone()).collect();
    let full = full_maildrops(&*host.store, &targets, size_octets).await?;
    let never_fits = !full.is_empty() && full.iter().all(|full| full.never_fits);
    let recipients = targets.len() - full.len();
    for full in full.iter().rev().filter(|full| targets[full.target].through_list && recipients > 0) {
        let (_, target) = transaction.targets.remove(full.target);
        transaction.dropped.push(Dropped { mailbox: target.mailbox, rule: RULE_FULL });
    }
    Ok(Room { recipients, never_fits })
}

const RULE_FULL: &str = "list member's maildrop is full";

/// The answer of [`make_room`].
pub(crate) struct Room {
    pub(crate) recipients: usize,
    pub(crate) never_fits: bool,
}

fn has_quota(target: &Target) -> bool {
    matches!(target.place, Place::Maildrop { quota_octets: Some(_), .. })
}

/// Commits. Returns the id of the message (of its first copy) once everything is durable.
pub(crate) async fn commit(host: &Host, arrived: Arrived<'_>) -> Result<QueueId, StoreError> {
    let Arrived { transaction, copies, content, origin, mut changes } = arrived;
    let message_id = transaction.message_id.found();
    let mut first = None;
    for copy in copies {
        let Copy { reverse_path, writer, trace_octets, trace_longest_line } = copy;
        let id = writer.id();
        let mut requests = transaction.requests_under(&reverse_path);
        if let Some(release) = &mut requests.release {
            release.of = first;
        }
        let envelope = Envelope {
            smtputf8: transaction.parameters.smtputf8,
            facts: ContentFacts {
                size_octets: content.size_octets + trace_octets,
                longest_line_octets: content.longest_line_octets.max(trace_longest_line),
                received_fields: content.received_fields + u32::from(trace_octets > 0),
                ..content
            },
            message_id: message_id.clone(),
            requests,
            reverse_path,
        };
        let discarded = if first.is_none() { transaction.dropped.len() as u32 } else { 0 };
        let changes = std::mem::take(&mut changes);
        let acceptance = acceptance(host, transaction, envelope, discarded, changes);
        let journal = Entry::new(transaction, &acceptance, first.is_none());
        let is_plain = !content.has_8bit_headers && acceptance.envelope.reverse_path.is_ascii();
        let queued = accept(writer, acceptance).await?;
        if screen::concerns_anybody(host, transaction) {
            // Rare: boxed, for a session's future to stay small.
            let (path, octets) = (journal.reverse_path.clone(), journal.size_octets);
            Box::pin(screen::announce(host, transaction, id, path, octets)).await;
        }
        if is_plain {
            host.surrogates.note_plain(id);
        }
        journal.note(host, id, &origin);
        if let Some(entry) = queued {
            host.queue().submit(entry);
        }
        first.get_or_insert(id);
    }
    let statuses = success::statuses(transaction);
    if let Some(id) = first
        && !statuses.is_empty()
    {
        // Boxed likewise. Before the 250, so that a sender who is told
        // that the message was taken can rely on the report as well.
        Box::pin(success::report(host, transaction, &statuses, id, host.clock.timestamp())).await;
    }
    first.ok_or_else(|| StoreError::Failed("nothing was opened to commit".into()))
}

/// **The** commit (see the top of this file): durable when it returns.
async fn accept(
    writer: Box<dyn ContentWriter>,
    acceptance: Acceptance,
) -> Result<Option<QueueEntry>, StoreError> {
    writer.accept(acceptance).await
}

fn acceptance(
    host: &Host,
    transaction: &Transaction,
    envelope: Envelope,
    discarded: u32,
    changes: Vec<(QueueId, QueueChange)>,
) -> Acceptance {
    let mut deliveries = Vec::new();
    let mut remote = Vec::new();
    let prefix = return_path_prefix(&envelope.reverse_path);
    for (place, target) in &transaction.targets {
        if transaction.reverse_path_for(target) != envelope.reverse_path {
            continue;
        }
        let maildrop = match target.place {
            Place::Maildrop { account, .. } if transaction.timing.release.is_none() => {
                deliveries.push(LocalDelivery::to_inbox(account, prefix.clone()));
                continue;
            }
            Place::Maildrop { account, .. } => Some(account),
            Place::Elsewhere => None,
        };
        remote.push(RemoteRecipient {
            mailbox: target.mailbox.clone(),
            maildrop,
            original: transaction.recipients[*place].clone(),
            requests: transaction.requests_for(*place, target),
        });
    }
    let accepted_at = host.clock.timestamp();
    Acceptance { envelope, accepted_at, deliveries, remote, discarded, changes }
}

/// What the journal gets to know about one copy; made before the commit takes the values.
struct Entry<'a> {
    transaction: &'a Transaction,
    reverse_path: posta_address::ReversePath,
    size_octets: u64,
    message_id: Option<String>,
    /// Steps and dropped recipients belong to the first copy.
    is_first: bool,
}

impl<'a> Entry<'a> {
    fn new(transaction: &'a Transaction, acceptance: &Acceptance, is_first: bool) -> Self {
        Entry {
            transaction,
            reverse_path: acceptance.envelope.reverse_path.clone(),
            size_octets: acceptance.envelope.facts.size_octets,
            message_id: acceptance.envelope.message_id.clone(),
            is_first,
        }
    }

    fn note(self, host: &Host, id: QueueId, origin: &Origin) {
        let transaction = self.transaction;
        let id = id.to_string();
        let mut reason = transaction.reasons.join(", ");
        if self.reverse_path != transaction.reverse_path {
            // RFC 5321 §3.9.2: what a list sends on has the list's owner as its reverse-path.
            reason.push_str(&format!("; as a list's mail, with {} for failures", self.reverse_path));
        }
        host.journal.note(Event::Accepted {
            id: id.clone(),
            session: origin.session,
            peer: origin.peer,
            from: transaction.reverse_path.clone(),
            to: transaction.recipients.clone(),
            size_octets: self.size_octets,
            message_id: self.message_id,
            reason,
        });
        if self.is_first {
            for step in &transaction.steps {
                host.journal.note(Event::Expanded {
                    id: id.clone(),
                    address: step.address.clone(),
                    into: step.into.clone(),
                    rule: step.rule.to_owned(),
                });
            }
            for dropped in &transaction.dropped {
                let to = dropped.mailbox.clone();
                host.journal.note(outcome(&id, to, None, Fate::Discarded, dropped.rule, None));
            }
        }
        for (place, target) in &transaction.targets {
            if transaction.reverse_path_for(target) != self.reverse_path {
                continue;
            }
            let (fate, detail, next_attempt_at) = match (transaction.timing.release, &target.place) {
                (Some(release), _) => (Fate::Deferred, "waits for its time", Some(release.at)),
                (None, Place::Maildrop { .. }) => (Fate::Delivered, "in the maildrop", None),
                (None, Place::Elsewhere) => continue,
            };
            let original = original_if_different(&transaction.recipients[*place], &target.mailbox);
            let to = target.mailbox.clone();
            host.journal.note(outcome(&id, to, original, fate, detail, next_attempt_at));
        }
    }
}

fn outcome(
    id: &str,
    to: posta_address::Mailbox,
    original: Option<posta_address::ForwardPath>,
    fate: Fate,
    detail: &str,
    next_attempt_at: Option<jiff::Timestamp>,
) -> Event {
    Event::Outcome {
        id: id.to_owned(),
        to,
        original,
        fate,
        host: None,
        detail: detail.to_owned(),
        next_attempt_at,
    }
}
