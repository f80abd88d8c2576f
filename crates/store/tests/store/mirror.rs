//! Mailboxes in the model: what may be done to them, and somebody who follows them by their changes.

use crate::letters::*;
use bytes::Bytes;
use posta_store::{
    AccountId, ContentRef, DocumentName, Filing, Flags, FolderId, Label, MailboxChange, MailboxSelection,
    MaildropMessage, QueueId, Store, StoreError,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Messages by their number; few folders, labels and documents, so that operations meet.
#[derive(Debug, Clone)]
pub(crate) enum MailboxOperation {
    Create { folder: u32, name: u8 },
    Rename { folder: u32, name: u8 },
    RemoveFolder { folder: u32 },
    Move { messages: Vec<usize>, folder: u32 },
    Flag { messages: Vec<usize>, add: u8, remove: u8 },
    Label { messages: Vec<usize>, add: u8, remove: u8 },
    Put { name: u8, octets: usize },
    RemoveDocument { name: u8 },
}

pub(crate) fn folders() -> impl Strategy<Value = u32> {
    prop_oneof![2 => 0u32..6, 3 => 16u32..20]
}

pub(crate) fn mailbox_operations() -> impl Strategy<Value = Vec<MailboxOperation>> {
    use MailboxOperation as M;
    let messages = || prop::collection::vec(0usize..30, 0..5);
    let one = prop_oneof![
        3 => (16u32..20, 0u8..6).prop_map(|(folder, name)| M::Create { folder, name }),
        1 => (16u32..20, 0u8..6).prop_map(|(folder, name)| M::Rename { folder, name }),
        1 => (16u32..20).prop_map(|folder| M::RemoveFolder { folder }),
        5 => (messages(), folders()).prop_map(|(messages, folder)| M::Move { messages, folder }),
        4 => (messages(), 0u8..6, 0u8..6).prop_map(|(messages, add, remove)| M::Flag { messages, add, remove }),
        3 => (messages(), 0u8..4, 0u8..4).prop_map(|(messages, add, remove)| M::Label { messages, add, remove }),
        2 => (0u8..4, 0usize..9000).prop_map(|(name, octets)| M::Put { name, octets }),
        1 => (0u8..4).prop_map(|name| M::RemoveDocument { name }),
    ];
    prop::collection::vec(one, 1..4)
}

fn flag(number: u8) -> Flags {
    [Flags::SEEN, Flags::ANSWERED, Flags::FORWARDED, Flags::FLAGGED, Flags::DRAFT, Flags::MUTED]
        [usize::from(number)]
}

fn label(number: u8) -> Label {
    format!("label {number}").parse().unwrap()
}

fn document(number: u8) -> DocumentName {
    format!("kind{}/{number}", number % 2).parse().unwrap()
}

impl MailboxOperation {
    fn change(&self, id: impl Fn(usize) -> QueueId) -> MailboxChange {
        let ids = |messages: &[usize]| messages.iter().map(|number| id(*number)).collect();
        let name = |name: &u8| match name {
            // Never free.
            0 => "TRASH".parse().unwrap(),
            name => format!("Folder {name}").parse().unwrap(),
        };
        match self {
            Self::Create { folder, name: number } => {
                MailboxChange::CreateFolder { folder: FolderId(*folder), name: name(number) }
            }
            Self::Rename { folder, name: number } => {
                MailboxChange::RenameFolder { folder: FolderId(*folder), name: name(number) }
            }
            Self::RemoveFolder { folder } => MailboxChange::RemoveFolder { folder: FolderId(*folder) },
            Self::Move { messages, folder } => {
                MailboxChange::Move { messages: ids(messages), folder: FolderId(*folder) }
            }
            Self::Flag { messages, add, remove } => {
                MailboxChange::Flag { messages: ids(messages), add: flag(*add), remove: flag(*remove) }
            }
            Self::Label { messages, add, remove } => MailboxChange::Label {
                messages: ids(messages),
                add: vec![label(*add)],
                remove: vec![label(*remove)],
            },
            Self::Put { name, octets } => {
                MailboxChange::PutDocument { name: document(*name), octets: letter(7, *octets) }
            }
            Self::RemoveDocument { name } => MailboxChange::RemoveDocument { name: document(*name) },
        }
    }
}

pub(crate) async fn change(
    store: &dyn Store,
    account: AccountId,
    operations: &[MailboxOperation],
    id: impl Fn(usize) -> QueueId,
) -> Result<(), StoreError> {
    let changes = operations.iter().map(|operation| operation.change(&id)).collect();
    store.change_mailbox(account, changes).await
}

pub(crate) async fn file(
    store: &dyn Store,
    account: AccountId,
    folder: u32,
    octets: Bytes,
    number: i64,
) -> Result<QueueId, StoreError> {
    let (folder, flags, labels) = (FolderId(folder), Flags::SEEN, vec![label(1)]);
    store.append(Filing { account, folder, flags, labels, received_at: at(number) }, octets).await
}

/// What somebody knows of a mailbox who asks only for its changes.
#[derive(Debug, Default)]
pub(crate) struct Mirror {
    now: u64,
    messages: BTreeMap<QueueId, MaildropMessage>,
}

/// Where contents lie changes without the messages' changing.
fn without_place(message: MaildropMessage) -> MaildropMessage {
    MaildropMessage { content: ContentRef { hint: (0, 0), ..message.content }, ..message }
}

impl Mirror {
    pub(crate) async fn look(&mut self, store: &dyn Store, account: AccountId) {
        let changes = store.changes_since(account, self.now).await.unwrap();
        assert!(changes.now >= self.now, "{changes:?}");
        self.now = changes.now;
        if !changes.complete {
            self.messages.clear();
        }
        for id in changes.removed {
            self.messages.remove(&id);
        }
        for message in changes.changed {
            self.messages.insert(message.content.id, without_place(message));
        }
    }

    pub(crate) async fn assert_true(&mut self, store: &dyn Store, account: AccountId) {
        self.look(store, account).await;
        let all = store.mailbox(account, MailboxSelection::All).await.unwrap().messages;
        let all: Vec<_> = all.into_iter().map(without_place).collect();
        assert_eq!(self.messages.values().cloned().collect::<Vec<_>>(), all);
        for message in all {
            let found = store.message(account, message.content.id).await.unwrap();
            assert_eq!(found.map(without_place), Some(message));
        }
    }
}
