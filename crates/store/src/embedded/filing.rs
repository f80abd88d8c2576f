//! How folders, flags, labels and documents are written.

use super::codec::{Decoder, Encoder, Malformed};
use super::fact::Place;
use crate::limits::LABELS_PER_MESSAGE_MAX;
use crate::{
    AccountId, DocumentName, Flags, FolderId, FolderName, Label, LocalDelivery, MailboxChange, QueueId,
};
use bytes::Bytes;
use std::str::FromStr;

/// What is true now of parts of an account's mailbox; written when a volume is rewritten.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct MailboxState {
    /// All its own folders, if that is a part; one without a name was removed.
    pub(super) folders: Option<Vec<(FolderId, Option<FolderName>)>>,
    /// Messages, wherever their contents lie.
    pub(super) marks: Vec<(QueueId, Marks)>,
    /// Documents; one without octets is not there.
    pub(super) documents: Vec<(DocumentName, Option<Bytes>)>,
}

impl MailboxState {
    pub(super) fn is_empty(&self) -> bool {
        *self == MailboxState::default()
    }
}

/// What may change of a message in an account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Marks {
    pub(super) folder: FolderId,
    pub(super) flags: Flags,
    pub(super) labels: Vec<Label>,
    /// The record which changed it last; 0: the one that says this.
    pub(super) changed: u64,
}

impl Marks {
    pub(super) fn of(delivery: &LocalDelivery) -> Self {
        let LocalDelivery { folder, flags, .. } = *delivery;
        Marks { folder, flags, labels: crate::marks::tidy_labels(&delivery.labels), changed: 0 }
    }
}

pub(super) fn put_marks(to: &mut Encoder, marks: &Marks) {
    to.number(u64::from(marks.folder.0));
    to.u8(marks.flags.bits());
    to.list(&marks.labels, Encoder::display);
    to.number(marks.changed);
}

pub(super) fn marks(from: &mut Decoder<'_>) -> Result<Marks, Malformed> {
    Ok(Marks { folder: folder(from)?, flags: flags(from)?, labels: labels(from)?, changed: from.number()? })
}

/// Whether anything is to be said of a delivery that the first form cannot say.
fn is_marked(delivery: &LocalDelivery) -> bool {
    delivery.folder != FolderId::INBOX || !delivery.flags.is_empty() || !delivery.labels.is_empty()
}

/// Behind all else that a record says of an acceptance: the marks of those of its deliveries that have
/// any. Without such nothing is written, as before there were marks; a Posta that knows nothing of them
/// refuses the record instead of forgetting them.
pub(super) fn put_delivery_marks(to: &mut Encoder, deliveries: &[LocalDelivery]) {
    let marked: Vec<_> = deliveries.iter().enumerate().filter(|(_, delivery)| is_marked(delivery)).collect();
    if !marked.is_empty() {
        to.list(&marked, |to, (place, delivery)| {
            to.number(*place as u64);
            put_marks(to, &Marks::of(delivery));
        });
    }
}

pub(super) fn delivery_marks(
    from: &mut Decoder<'_>,
    deliveries: &mut [LocalDelivery],
) -> Result<(), Malformed> {
    if from.is_empty() {
        return Ok(());
    }
    for (place, marks) in from.list(|from| Ok((from.number()?, marks(from)?)))? {
        let delivery = usize::try_from(place).ok().and_then(|place| deliveries.get_mut(place));
        let delivery = delivery.ok_or(Malformed("marks of a delivery that is not there"))?;
        mark(delivery, marks);
    }
    Ok(())
}

/// Puts marks on a delivery.
pub(super) fn mark(delivery: &mut LocalDelivery, marks: Marks) {
    (delivery.folder, delivery.flags, delivery.labels) = (marks.folder, marks.flags, marks.labels);
}

pub(super) fn put_place(to: &mut Encoder, place: &Place) {
    to.number(place.account.0);
    to.octets(&place.prefix);
    to.time(place.received_at);
    put_marks(to, &place.marks);
}

pub(super) fn place(from: &mut Decoder<'_>) -> Result<Place, Malformed> {
    let place = first_place(from)?;
    Ok(Place { marks: marks(from)?, ..place })
}

/// As it was written before there were folders.
pub(super) fn first_place(from: &mut Decoder<'_>) -> Result<Place, Malformed> {
    Ok(Place {
        account: AccountId(from.number()?),
        prefix: Bytes::copy_from_slice(from.octets()?),
        received_at: from.time()?,
        marks: Marks::default(),
    })
}

pub(super) fn put_mailbox_change(to: &mut Encoder, change: &MailboxChange) {
    match change {
        MailboxChange::CreateFolder { folder, name } => {
            to.u8(1);
            to.number(u64::from(folder.0));
            to.display(name);
        }
        MailboxChange::RenameFolder { folder, name } => {
            to.u8(2);
            to.number(u64::from(folder.0));
            to.display(name);
        }
        MailboxChange::RemoveFolder { folder } => {
            to.u8(3);
            to.number(u64::from(folder.0));
        }
        MailboxChange::Move { messages, folder } => {
            to.u8(4);
            put_ids(to, messages);
            to.number(u64::from(folder.0));
        }
        MailboxChange::Flag { messages, add, remove } => {
            to.u8(5);
            put_ids(to, messages);
            to.u8(add.bits());
            to.u8(remove.bits());
        }
        MailboxChange::Label { messages, add, remove } => {
            to.u8(6);
            put_ids(to, messages);
            to.list(add, Encoder::display);
            to.list(remove, Encoder::display);
        }
        MailboxChange::PutDocument { name, octets } => {
            to.u8(7);
            to.display(name);
            to.octets(octets);
        }
        MailboxChange::RemoveDocument { name } => {
            to.u8(8);
            to.display(name);
        }
    }
}

pub(super) fn mailbox_change(from: &mut Decoder<'_>) -> Result<MailboxChange, Malformed> {
    Ok(match from.u8()? {
        1 => MailboxChange::CreateFolder { folder: folder(from)?, name: name(from)? },
        2 => MailboxChange::RenameFolder { folder: folder(from)?, name: name(from)? },
        3 => MailboxChange::RemoveFolder { folder: folder(from)? },
        4 => MailboxChange::Move { messages: ids(from)?, folder: folder(from)? },
        5 => MailboxChange::Flag { messages: ids(from)?, add: flags(from)?, remove: flags(from)? },
        6 => MailboxChange::Label { messages: ids(from)?, add: from.list(name)?, remove: from.list(name)? },
        7 => MailboxChange::PutDocument { name: name(from)?, octets: Bytes::copy_from_slice(from.octets()?) },
        8 => MailboxChange::RemoveDocument { name: name(from)? },
        _ => return Err(Malformed("a change of a mailbox that is not known")),
    })
}

pub(super) fn put_mailbox_state(to: &mut Encoder, state: &MailboxState) {
    to.option(state.folders.as_ref(), |to, folders| {
        to.list(folders, |to, (folder, name)| {
            to.number(u64::from(folder.0));
            to.option(name.as_ref(), Encoder::display);
        });
    });
    to.list(&state.marks, |to, (id, marks)| {
        to.number(id.0);
        put_marks(to, marks);
    });
    to.list(&state.documents, |to, (name, octets)| {
        to.display(name);
        to.option(octets.as_ref(), |to, octets| to.octets(octets));
    });
}

pub(super) fn mailbox_state(from: &mut Decoder<'_>) -> Result<MailboxState, Malformed> {
    let one_folder = |from: &mut Decoder<'_>| Ok((folder(from)?, from.option(name)?));
    let octets = |from: &mut Decoder<'_>| Ok(Bytes::copy_from_slice(from.octets()?));
    Ok(MailboxState {
        folders: from.option(|from| from.list(one_folder))?,
        marks: from.list(|from| Ok((QueueId(from.number()?), marks(from)?)))?,
        documents: from.list(|from| Ok((name(from)?, from.option(octets)?)))?,
    })
}

/// The labels of a message as one value, for the index.
pub(super) fn encode_labels(labels: &[Label]) -> Bytes {
    let mut to = Encoder::default();
    to.list(labels, Encoder::display);
    to.finish()
}

pub(super) fn decode_labels(octets: &[u8]) -> Result<Vec<Label>, Malformed> {
    let mut from = Decoder::new(octets);
    let labels = labels(&mut from)?;
    from.finish()?;
    Ok(labels)
}

/// Ids of messages as one value, for the index.
pub(super) fn encode_ids(ids: &[QueueId]) -> Bytes {
    let mut to = Encoder::default();
    put_ids(&mut to, ids);
    to.finish()
}

pub(super) fn decode_ids(octets: &[u8]) -> Result<Vec<QueueId>, Malformed> {
    let mut from = Decoder::new(octets);
    let ids = ids(&mut from)?;
    from.finish()?;
    Ok(ids)
}

fn put_ids(to: &mut Encoder, ids: &[QueueId]) {
    to.list(ids, |to, id| to.number(id.0));
}

fn ids(from: &mut Decoder<'_>) -> Result<Vec<QueueId>, Malformed> {
    from.list(|from| from.number().map(QueueId))
}

fn folder(from: &mut Decoder<'_>) -> Result<FolderId, Malformed> {
    from.number_u32().map(FolderId)
}

fn flags(from: &mut Decoder<'_>) -> Result<Flags, Malformed> {
    Flags::from_bits(u64::from(from.u8()?)).ok_or(Malformed("a flag that is not known"))
}

fn labels(from: &mut Decoder<'_>) -> Result<Vec<Label>, Malformed> {
    let labels = from.list(name)?;
    if labels.len() > LABELS_PER_MESSAGE_MAX {
        return Err(Malformed("more labels than a message has"));
    }
    Ok(labels)
}

fn name<T: FromStr>(from: &mut Decoder<'_>) -> Result<T, Malformed> {
    from.text()?.parse().map_err(|_| Malformed("not a name"))
}
