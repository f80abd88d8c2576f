//! Facts: what records say. Together, in order, they are the store.
//!
//! The first six are written as things happen. The others are written when a volume is rewritten:
//! they restate what is true now as a whole, so that stating it twice does no harm, and count nothing.

use super::{
    account::{Form, account, put_account},
    codec::{Decoder, Encoder, Malformed},
    filing::{
        MailboxState, Marks, delivery_marks, first_place, mailbox_change, mailbox_state, mark, marks, place,
        put_delivery_marks, put_mailbox_change, put_mailbox_state, put_marks, put_place,
    },
    requests::{OfRecipient, put_recipient_requests, put_requests, recipient_requests, requests},
};
use crate::{
    Acceptance, AccountId, Alias, AliasKind, Attempt, DirectoryChange, DomainSettings, Envelope,
    LocalDelivery, MailboxChange, QueueChange, QueueId, QueueRecipient, RecipientRequests, RemoteRecipient,
    Tally,
};
use bytes::Bytes;
use jiff::Timestamp;
use posta_address::{ForwardPath, ReversePath};
use posta_journal::Fate;
use posta_wire::ContentFacts;

/// A part of a content that lies in chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) volume: u64,
    /// Where its octets begin in the volume.
    pub(super) offset: u64,
    pub(super) octets: u32,
}

/// A message as accepted, its content behind it in the same record, or in `pieces` before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Accepted {
    pub(super) id: QueueId,
    pub(super) size_octets: u64,
    pub(super) pieces: Vec<Piece>,
    pub(super) acceptance: Acceptance,
}

/// A place in a maildrop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) account: AccountId,
    pub(super) prefix: Bytes,
    pub(super) received_at: Timestamp,
    pub(super) marks: Marks,
}

impl Place {
    /// As a delivery makes it.
    pub(super) fn of(delivery: &LocalDelivery, received_at: Timestamp) -> Self {
        let LocalDelivery { account, prefix, .. } = delivery;
        Place { account: *account, prefix: prefix.clone(), received_at, marks: Marks::of(delivery) }
    }
}

impl Kept {
    /// Whose maildrops the message is in, or may come to be in.
    pub(super) fn accounts(&self) -> Vec<AccountId> {
        let waiting = self.queue.iter().flat_map(|state| &state.recipients);
        let places = self.places.iter().map(|place| place.account);
        places.chain(waiting.filter_map(|recipient| recipient.maildrop)).collect()
    }
}

/// A queue entry as it is, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct QueueState {
    pub(super) id: QueueId,
    pub(super) envelope: Envelope,
    pub(super) accepted_at: Timestamp,
    pub(super) held: bool,
    pub(super) recipients: Vec<QueueRecipient>,
}

/// A content with all that refers to it: moved here from an older volume, or put into a folder without
/// having been accepted from anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) id: QueueId,
    pub(super) size_octets: u64,
    pub(super) pieces: Vec<Piece>,
    pub(super) places: Vec<Place>,
    pub(super) queue: Option<QueueState>,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fact {
    /// 1: a message was accepted.
    Accepted(Box<Accepted>),
    /// 2: part of a content that is not accepted yet.
    Chunk { id: QueueId },
    /// 3: messages left a maildrop.
    Removed { account: AccountId, messages: Vec<QueueId> },
    /// 4: queue entries changed.
    QueueChanged(Vec<(QueueId, QueueChange)>),
    /// 5: the directory changed. Also written at rewriting.
    Directory(DirectoryChange),
    /// 6: first in each volume: which volumes there are, and the largest ids given out.
    VolumeStart { volumes: Vec<u64>, last_queue_id: u64, last_account_id: u64 },
    /// 12 (7 before there were folders): a content moved, or was filed.
    Kept(Box<Kept>),
    /// 8: a queue entry as it is now.
    QueueState(Box<QueueState>),
    /// 9: entries that are not in the queue any more.
    QueueGone(Vec<QueueId>),
    /// 11: a content that waited in the queue is in a maildrop. Also restates what a change of the queue
    /// has brought about, once that is not there any more.
    Placed { id: QueueId, place: Place },
    /// 13: a person changed folders, messages or documents.
    MailboxChanged { account: AccountId, changes: Vec<MailboxChange> },
    /// 14: what is true of them now.
    MailboxState { account: AccountId, state: Box<MailboxState> },
    /// 10: all needed from this volume was written again; here is the count so far, and which
    /// volumes there are.
    VolumeDrained { volume: u64, tally: Tally, volumes: Vec<u64> },
}

impl Fact {
    pub(super) fn kind(&self) -> u8 {
        match self {
            Fact::Accepted(_) => 1,
            Fact::Chunk { .. } => 2,
            Fact::Removed { .. } => 3,
            Fact::QueueChanged(_) => 4,
            Fact::Directory(_) => 5,
            Fact::VolumeStart { .. } => 6,
            Fact::Kept(_) => 12,
            Fact::QueueState(_) => 8,
            Fact::QueueGone(_) => 9,
            Fact::VolumeDrained { .. } => 10,
            Fact::Placed { .. } => 11,
            Fact::MailboxChanged { .. } => 13,
            Fact::MailboxState { .. } => 14,
        }
    }

    pub(super) fn encode(&self) -> Bytes {
        let mut to = Encoder::with_capacity(256);
        match self {
            Fact::Accepted(accepted) => put_accepted(&mut to, accepted),
            Fact::Chunk { id } => to.number(id.0),
            Fact::Removed { account, messages } => {
                to.number(account.0);
                to.list(messages, |to, id| to.number(id.0));
            }
            Fact::QueueChanged(changes) => to.list(changes, put_change),
            Fact::Directory(change) => put_directory(&mut to, change),
            Fact::VolumeStart { volumes, last_queue_id, last_account_id } => {
                to.list(volumes, |to, volume| to.number(*volume));
                to.number(*last_queue_id);
                to.number(*last_account_id);
            }
            Fact::Kept(kept) => {
                to.number(kept.id.0);
                to.number(kept.size_octets);
                to.list(&kept.pieces, put_piece);
                to.list(&kept.places, put_place);
                to.option(kept.queue.as_ref(), put_queue_state);
            }
            Fact::QueueState(state) => put_queue_state(&mut to, state),
            Fact::QueueGone(ids) => to.list(ids, |to, id| to.number(id.0)),
            Fact::Placed { id, place } => {
                to.number(id.0);
                put_place(&mut to, place);
            }
            Fact::MailboxChanged { account, changes } => {
                to.number(account.0);
                to.list(changes, put_mailbox_change);
            }
            Fact::MailboxState { account, state } => {
                to.number(account.0);
                put_mailbox_state(&mut to, state);
            }
            Fact::VolumeDrained { volume, tally, volumes } => {
                to.number(*volume);
                put_tally(&mut to, tally);
                to.list(volumes, |to, volume| to.number(*volume));
            }
        }
        to.finish()
    }

    pub(super) fn decode(kind: u8, octets: &[u8]) -> Result<Self, Malformed> {
        let mut from = Decoder::new(octets);
        let fact = match kind {
            1 => Fact::Accepted(Box::new(accepted(&mut from)?)),
            2 => Fact::Chunk { id: queue_id(&mut from)? },
            3 => Fact::Removed { account: AccountId(from.number()?), messages: from.list(queue_id)? },
            4 => Fact::QueueChanged(from.list(change)?),
            5 => Fact::Directory(directory(&mut from)?),
            6 => Fact::VolumeStart {
                volumes: from.list(Decoder::number)?,
                last_queue_id: from.number()?,
                last_account_id: from.number()?,
            },
            7 => Fact::Kept(Box::new(kept(&mut from, first_place)?)),
            8 => Fact::QueueState(Box::new(queue_state(&mut from)?)),
            9 => Fact::QueueGone(from.list(queue_id)?),
            10 => Fact::VolumeDrained {
                volume: from.number()?,
                tally: tally(&mut from)?,
                volumes: from.list(Decoder::number)?,
            },
            11 => Fact::Placed { id: queue_id(&mut from)?, place: place(&mut from)? },
            12 => Fact::Kept(Box::new(kept(&mut from, place)?)),
            13 => Fact::MailboxChanged {
                account: AccountId(from.number()?),
                changes: from.list(mailbox_change)?,
            },
            14 => Fact::MailboxState {
                account: AccountId(from.number()?),
                state: Box::new(mailbox_state(&mut from)?),
            },
            _ => return Err(Malformed("a kind of record that is not known")),
        };
        from.finish()?;
        Ok(fact)
    }
}

fn queue_id(from: &mut Decoder<'_>) -> Result<QueueId, Malformed> {
    from.number().map(QueueId)
}

fn put_piece(to: &mut Encoder, piece: &Piece) {
    to.number(piece.volume);
    to.number(piece.offset);
    to.number(u64::from(piece.octets));
}

fn piece(from: &mut Decoder<'_>) -> Result<Piece, Malformed> {
    Ok(Piece { volume: from.number()?, offset: from.number()?, octets: from.number_u32()? })
}

/// The pieces of a content as one value, for the index.
pub(super) fn encode_pieces(pieces: &[Piece]) -> Bytes {
    let mut to = Encoder::default();
    to.list(pieces, put_piece);
    to.finish()
}

pub(super) fn decode_pieces(octets: &[u8]) -> Result<Vec<Piece>, Malformed> {
    let mut from = Decoder::new(octets);
    let pieces = from.list(piece)?;
    from.finish()?;
    Ok(pieces)
}

fn kept(
    from: &mut Decoder<'_>,
    place: impl FnMut(&mut Decoder<'_>) -> Result<Place, Malformed>,
) -> Result<Kept, Malformed> {
    Ok(Kept {
        id: queue_id(from)?,
        size_octets: from.number()?,
        pieces: from.list(piece)?,
        places: from.list(place)?,
        queue: from.option(queue_state)?,
    })
}

fn put_accepted(to: &mut Encoder, accepted: &Accepted) {
    let acceptance = &accepted.acceptance;
    to.number(accepted.id.0);
    to.number(accepted.size_octets);
    to.list(&accepted.pieces, put_piece);
    put_envelope(to, &acceptance.envelope);
    to.time(acceptance.accepted_at);
    to.list(&acceptance.deliveries, put_delivery);
    to.list(&acceptance.remote, |to, remote| {
        to.display(&remote.mailbox);
        put_original(to, &remote.original, &remote.requests, remote.maildrop);
    });
    to.number(u64::from(acceptance.discarded));
    to.list(&acceptance.changes, put_change);
    put_delivery_marks(to, &acceptance.deliveries);
}

fn accepted(from: &mut Decoder<'_>) -> Result<Accepted, Malformed> {
    let mut accepted = Accepted {
        id: queue_id(from)?,
        size_octets: from.number()?,
        pieces: from.list(piece)?,
        acceptance: Acceptance {
            envelope: envelope(from)?,
            accepted_at: from.time()?,
            deliveries: from.list(delivery)?,
            remote: from.list(|from| {
                let mailbox = from.parsed()?;
                let (original, (requests, maildrop)) = original(from)?;
                Ok(RemoteRecipient { mailbox, maildrop, original, requests })
            })?,
            discarded: from.number_u32()?,
            changes: from.list(change)?,
        },
    };
    delivery_marks(from, &mut accepted.acceptance.deliveries)?;
    Ok(accepted)
}

/// Set beside "8bit" for a content that is binary; a Posta that knows nothing of such refuses the record.
const IS_BINARY: u8 = 2;

fn put_delivery(to: &mut Encoder, delivery: &LocalDelivery) {
    to.number(delivery.account.0);
    to.octets(&delivery.prefix);
}

fn delivery(from: &mut Decoder<'_>) -> Result<LocalDelivery, Malformed> {
    let account = AccountId(from.number()?);
    Ok(LocalDelivery::to_inbox(account, Bytes::copy_from_slice(from.octets()?)))
}

fn put_envelope(to: &mut Encoder, envelope: &Envelope) {
    to.option(envelope.reverse_path.mailbox(), |to, mailbox| to.display(mailbox));
    put_requests(to, envelope.smtputf8, &envelope.requests);
    let facts = &envelope.facts;
    to.number(facts.size_octets);
    to.u8(u8::from(facts.has_8bit) | (u8::from(facts.is_binary) * IS_BINARY));
    to.bool(facts.has_8bit_headers);
    to.bool(facts.has_leading_dot);
    to.number(facts.longest_line_octets);
    to.number(u64::from(facts.received_fields));
    to.option(envelope.message_id.as_deref(), Encoder::text);
}

fn envelope(from: &mut Decoder<'_>) -> Result<Envelope, Malformed> {
    let reverse_path = from.option(Decoder::parsed)?.map_or(ReversePath::Null, ReversePath::Mailbox);
    let (smtputf8, requests) = requests(from)?;
    let is_binary;
    Ok(Envelope {
        reverse_path,
        smtputf8,
        requests,
        facts: ContentFacts {
            size_octets: from.number()?,
            has_8bit: {
                let octets = from.u8()?;
                if octets & !(IS_BINARY | 1) != 0 {
                    return Err(Malformed("neither yes nor no"));
                }
                is_binary = octets & IS_BINARY != 0;
                octets & 1 != 0
            },
            is_binary,
            has_8bit_headers: from.bool()?,
            has_leading_dot: from.bool()?,
            longest_line_octets: from.number()?,
            received_fields: from.number_u32()?,
        },
        message_id: from.option(Decoder::string)?,
    })
}

/// The envelope as one value, for the index.
pub(super) fn encode_envelope(value: &Envelope) -> Bytes {
    let mut to = Encoder::with_capacity(128);
    put_envelope(&mut to, value);
    to.finish()
}

pub(super) fn decode_envelope(octets: &[u8]) -> Result<Envelope, Malformed> {
    let mut from = Decoder::new(octets);
    let value = envelope(&mut from)?;
    from.finish()?;
    Ok(value)
}

/// The path of a recipient (its absence means postmaster), with what was asked for it.
fn put_original(
    to: &mut Encoder,
    path: &ForwardPath,
    requests: &RecipientRequests,
    maildrop: Option<AccountId>,
) {
    put_recipient_requests(to, path.mailbox().is_some(), requests, maildrop);
    if let Some(mailbox) = path.mailbox() {
        to.display(mailbox);
    }
}

fn original(from: &mut Decoder<'_>) -> Result<(ForwardPath, OfRecipient), Malformed> {
    let (has_mailbox, requests) = recipient_requests(from)?;
    let path = if has_mailbox { ForwardPath::Mailbox(from.parsed()?) } else { ForwardPath::Postmaster };
    Ok((path, requests))
}

fn put_attempt(to: &mut Encoder, attempt: &Attempt) {
    to.time(attempt.at);
    to.option(attempt.host.as_deref(), Encoder::text);
    to.text(&attempt.detail);
}

fn attempt(from: &mut Decoder<'_>) -> Result<Attempt, Malformed> {
    Ok(Attempt { at: from.time()?, host: from.option(Decoder::string)?, detail: from.string()? })
}

fn put_recipient(to: &mut Encoder, recipient: &QueueRecipient) {
    to.display(&recipient.mailbox);
    put_original(to, &recipient.original, &recipient.requests, recipient.maildrop);
    to.number(u64::from(recipient.attempts));
    to.time(recipient.next_attempt_at);
    to.option(recipient.last_attempt.as_ref(), put_attempt);
    to.bool(recipient.delay_reported);
}

fn recipient(from: &mut Decoder<'_>) -> Result<QueueRecipient, Malformed> {
    let mailbox = from.parsed()?;
    let (original, (requests, maildrop)) = original(from)?;
    Ok(QueueRecipient {
        mailbox,
        maildrop,
        original,
        requests,
        attempts: from.number_u32()?,
        next_attempt_at: from.time()?,
        last_attempt: from.option(attempt)?,
        delay_reported: from.bool()?,
    })
}

/// A recipient as one value, for the index.
pub(super) fn encode_recipient(value: &QueueRecipient) -> Bytes {
    let mut to = Encoder::with_capacity(128);
    put_recipient(&mut to, value);
    to.finish()
}

pub(super) fn decode_recipient(octets: &[u8]) -> Result<QueueRecipient, Malformed> {
    let mut from = Decoder::new(octets);
    let value = recipient(&mut from)?;
    from.finish()?;
    Ok(value)
}

fn put_queue_state(to: &mut Encoder, state: &QueueState) {
    to.number(state.id.0);
    put_envelope(to, &state.envelope);
    to.time(state.accepted_at);
    to.bool(state.held);
    to.list(&state.recipients, put_recipient);
}

fn queue_state(from: &mut Decoder<'_>) -> Result<QueueState, Malformed> {
    Ok(QueueState {
        id: queue_id(from)?,
        envelope: envelope(from)?,
        accepted_at: from.time()?,
        held: from.bool()?,
        recipients: from.list(recipient)?,
    })
}

fn put_change(to: &mut Encoder, (id, change): &(QueueId, QueueChange)) {
    to.number(id.0);
    match change {
        QueueChange::Settled { mailbox, fate } => {
            to.u8(1);
            to.display(mailbox);
            to.u8(match fate {
                Fate::Delivered => 1,
                Fate::Relayed => 2,
                Fate::Bounced => 3,
                Fate::Discarded => 4,
                Fate::Deferred => 5,
            });
        }
        QueueChange::Deferred { mailbox, attempt, next_attempt_at } => {
            to.u8(2);
            to.display(mailbox);
            put_attempt(to, attempt);
            to.time(*next_attempt_at);
        }
        QueueChange::DelayReported { mailbox } => {
            to.u8(3);
            to.display(mailbox);
        }
        QueueChange::Rescheduled { next_attempt_at } => {
            to.u8(4);
            to.time(*next_attempt_at);
        }
        QueueChange::Held(held) => {
            to.u8(5);
            to.bool(*held);
        }
        QueueChange::Delivered { mailbox, delivery, at } => {
            to.u8(6);
            to.display(mailbox);
            put_delivery(to, delivery);
            put_marks(to, &Marks::of(delivery));
            to.time(*at);
        }
    }
}

fn change(from: &mut Decoder<'_>) -> Result<(QueueId, QueueChange), Malformed> {
    let id = queue_id(from)?;
    let change = match from.u8()? {
        1 => QueueChange::Settled {
            mailbox: from.parsed()?,
            fate: match from.u8()? {
                1 => Fate::Delivered,
                2 => Fate::Relayed,
                3 => Fate::Bounced,
                4 => Fate::Discarded,
                5 => Fate::Deferred,
                _ => return Err(Malformed("a fate that is not known")),
            },
        },
        2 => QueueChange::Deferred {
            mailbox: from.parsed()?,
            attempt: attempt(from)?,
            next_attempt_at: from.time()?,
        },
        3 => QueueChange::DelayReported { mailbox: from.parsed()? },
        4 => QueueChange::Rescheduled { next_attempt_at: from.time()? },
        5 => QueueChange::Held(from.bool()?),
        6 => {
            let (mailbox, mut delivery) = (from.parsed()?, delivery(from)?);
            mark(&mut delivery, marks(from)?);
            QueueChange::Delivered { mailbox, delivery, at: from.time()? }
        }
        _ => return Err(Malformed("a change that is not known")),
    };
    Ok((id, change))
}

fn put_tally(to: &mut Encoder, tally: &Tally) {
    let Tally { accepted, delivered, relayed, bounced, discarded, queued } = *tally;
    for count in [accepted, delivered, relayed, bounced, discarded, queued] {
        to.number(count);
    }
}

fn tally(from: &mut Decoder<'_>) -> Result<Tally, Malformed> {
    Ok(Tally {
        accepted: from.number()?,
        delivered: from.number()?,
        relayed: from.number()?,
        bounced: from.number()?,
        discarded: from.number()?,
        queued: from.number()?,
    })
}

fn put_directory(to: &mut Encoder, change: &DirectoryChange) {
    match change {
        DirectoryChange::PutDomain(settings) => {
            to.u8(1);
            to.display(&settings.domain);
            to.option(settings.catch_all.as_ref(), Encoder::display);
            to.option(settings.subaddress_separator, |to, separator| {
                to.number(u64::from(u32::from(separator)))
            });
        }
        DirectoryChange::RemoveDomain(domain) => {
            to.u8(2);
            to.display(domain);
        }
        DirectoryChange::PutAccount(account) => {
            to.u8(match Form::of(account) {
                Form::First => 3,
                Form::WithCredentials => 7,
                Form::WithHold => 8,
            });
            put_account(to, account);
        }
        DirectoryChange::RemoveAccount(id) => {
            to.u8(4);
            to.number(id.0);
        }
        DirectoryChange::PutAlias(alias) => {
            to.u8(5);
            to.display(&alias.address);
            to.bool(alias.kind == AliasKind::List);
            to.option(alias.name.as_deref(), Encoder::text);
            to.list(&alias.members, Encoder::display);
            to.option(alias.owner.as_ref(), Encoder::display);
        }
        DirectoryChange::RemoveAlias(address) => {
            to.u8(6);
            to.display(address);
        }
    }
}

fn directory(from: &mut Decoder<'_>) -> Result<DirectoryChange, Malformed> {
    Ok(match from.u8()? {
        1 => DirectoryChange::PutDomain(DomainSettings {
            domain: from.parsed()?,
            catch_all: from.option(Decoder::parsed)?,
            subaddress_separator: from
                .option(|from| char::from_u32(from.number_u32()?).ok_or(Malformed("not a character")))?,
        }),
        2 => DirectoryChange::RemoveDomain(from.parsed()?),
        3 => DirectoryChange::PutAccount(account(from, Form::First)?),
        7 => DirectoryChange::PutAccount(account(from, Form::WithCredentials)?),
        8 => DirectoryChange::PutAccount(account(from, Form::WithHold)?),
        4 => DirectoryChange::RemoveAccount(AccountId(from.number()?)),
        5 => DirectoryChange::PutAlias(Alias {
            address: from.parsed()?,
            kind: if from.bool()? { AliasKind::List } else { AliasKind::Alias },
            name: from.option(Decoder::string)?,
            members: from.list(Decoder::parsed)?,
            owner: from.option(Decoder::parsed)?,
        }),
        6 => DirectoryChange::RemoveAlias(from.parsed()?),
        _ => return Err(Malformed("a change of the directory that is not known")),
    })
}

#[cfg(test)]
mod tests;
