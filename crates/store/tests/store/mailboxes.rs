//! The contract of [`Store`], for both forms: folders, flags, labels, documents, and what has changed.

use crate::letters::*;
use bytes::Bytes;
use posta_store::limits::{DOCUMENT_OCTETS_MAX, LABELS_PER_MESSAGE_MAX};
use posta_store::{
    AccountId, Changes, DirectoryChange, DocumentName, Filing, Flags, Folder, FolderId, FolderRole, Label,
    LocalDelivery, MailboxChange, MailboxSelection, MaildropMessage, QueueId, Store, StoreError, Tally,
    Usage,
};
use std::time::Duration;

contract! {
    six_folders_are_there_for_everybody
    folders_are_made_renamed_and_removed
    a_folder_with_mail_is_not_removed
    messages_move_and_are_marked
    changes_are_made_all_or_none
    mail_is_delivered_into_folders
    mail_for_a_folder_that_is_not_there_goes_to_the_inbox
    filing_counts_in_no_tally
    documents_are_kept
    changes_are_told_since_any_moment
    what_arrives_out_of_order_is_told
    subscribers_are_told_whose_mailbox_has_changed
    a_removed_account_leaves_nothing
}

fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

async fn own_folders(store: &dyn Store, account: AccountId) -> Vec<(FolderId, String)> {
    let folders = store.folders(account).await.unwrap();
    let own = folders.into_iter().filter(|folder| folder.role.is_none());
    own.map(|folder| (folder.id, folder.name.to_string())).collect()
}

async fn create(store: &dyn Store, account: AccountId, folder: &str) -> FolderId {
    let id = store.new_folder_id(account).await.unwrap();
    let change = MailboxChange::CreateFolder { folder: id, name: name(folder) };
    store.change_mailbox(account, vec![change]).await.unwrap();
    id
}

async fn ids(store: &dyn Store, account: AccountId, selection: MailboxSelection) -> Vec<QueueId> {
    let messages = store.mailbox(account, selection).await.unwrap().messages;
    messages.iter().map(|message| message.content.id).collect()
}

async fn deliver(store: &dyn Store, accounts: &[AccountId]) -> QueueId {
    accept(store, &letter(1, 100), acceptance(accounts, &[])).await.unwrap().0
}

async fn message(store: &dyn Store, account: AccountId, id: QueueId) -> MaildropMessage {
    store.message(account, id).await.unwrap().unwrap()
}

fn conflict<T: std::fmt::Debug>(outcome: Result<T, StoreError>) {
    assert!(matches!(outcome, Err(StoreError::Conflict(_))), "{outcome:?}");
}

fn not_found<T: std::fmt::Debug>(outcome: Result<T, StoreError>) {
    assert!(matches!(outcome, Err(StoreError::NotFound(_))), "{outcome:?}");
}

async fn six_folders_are_there_for_everybody(store: &dyn Store) {
    let bob = add_account(store, "bob@north.example").await;
    let folders = store.folders(bob).await.unwrap();
    let of_role = |role: FolderRole| Folder { id: role.folder(), name: name(role.name()), role: Some(role) };
    assert_eq!(folders, FolderRole::ALL.map(of_role));
    for role in FolderRole::ALL {
        assert_eq!(ids(store, bob, MailboxSelection::Folder(role.folder())).await, []);
    }
    not_found(store.new_folder_id(AccountId(999)).await);
    not_found(store.change_mailbox(AccountId(999), Vec::new()).await);
}

async fn folders_are_made_renamed_and_removed(store: &dyn Store) {
    let bob = add_account(store, "bob@north.example").await;
    let ann = add_account(store, "ann@north.example").await;
    let work = create(store, bob, "Work").await;
    let news = create(store, bob, "News/Größe").await;
    assert!(work >= FolderId::OWN_MIN && news > work);
    assert_eq!(own_folders(store, bob).await, [(news, "News/Größe".into()), (work, "Work".into())]);
    assert_eq!(own_folders(store, ann).await, []);
    for taken in ["WORK", "news/GRÖSSE".replace("SS", "ß").as_str(), "inbox", "Trash"] {
        let create = MailboxChange::CreateFolder { folder: FolderId(99), name: name(taken) };
        conflict(store.change_mailbox(bob, vec![create]).await);
        let rename = MailboxChange::RenameFolder { folder: work, name: name(taken) };
        let outcome = store.change_mailbox(bob, vec![rename]).await;
        if taken == "WORK" { outcome.unwrap() } else { conflict(outcome) }
    }
    for id in [FolderId::INBOX, FolderId(15), work] {
        let create = MailboxChange::CreateFolder { folder: id, name: name("Other") };
        conflict(store.change_mailbox(bob, vec![create]).await);
    }
    for id in [FolderId::TRASH, FolderId(99)] {
        not_found(store.change_mailbox(bob, vec![MailboxChange::RemoveFolder { folder: id }]).await);
        let rename = MailboxChange::RenameFolder { folder: id, name: name("Other") };
        not_found(store.change_mailbox(bob, vec![rename]).await);
    }
    store.change_mailbox(bob, vec![MailboxChange::RemoveFolder { folder: news }]).await.unwrap();
    let again = create(store, bob, "News/Größe").await;
    assert!(again > news, "an id is not used again");
    assert_eq!(own_folders(store, bob).await, [(again, "News/Größe".into()), (work, "WORK".into())]);
}

async fn a_folder_with_mail_is_not_removed(store: &dyn Store) {
    let bob = add_account(store, "bob@north.example").await;
    let work = create(store, bob, "Work").await;
    let (first, second) = (deliver(store, &[bob]).await, deliver(store, &[bob]).await);
    let shift = |messages: &[QueueId], folder| MailboxChange::Move { messages: messages.to_vec(), folder };
    let remove = || MailboxChange::RemoveFolder { folder: work };
    store.change_mailbox(bob, vec![shift(&[first, second], work)]).await.unwrap();
    conflict(store.change_mailbox(bob, vec![remove()]).await);
    conflict(store.change_mailbox(bob, vec![shift(&[first], FolderId::TRASH), remove()]).await);
    let there_and_back = shift(&[first, second], FolderId::TRASH);
    conflict(store.change_mailbox(bob, vec![there_and_back, shift(&[second], work), remove()]).await);
    assert_eq!(ids(store, bob, MailboxSelection::Folder(work)).await, [first, second]);
    store.change_mailbox(bob, vec![shift(&[first, second], FolderId::TRASH), remove()]).await.unwrap();
    assert_eq!(own_folders(store, bob).await, []);
    assert_eq!(ids(store, bob, MailboxSelection::Folder(FolderId::TRASH)).await, [first, second]);
    // What was in it may be removed, and then the folder.
    let work = create(store, bob, "Work").await;
    store.change_mailbox(bob, vec![shift(&[first], work)]).await.unwrap();
    store.remove_messages(bob, &[first]).await.unwrap();
    store.change_mailbox(bob, vec![MailboxChange::RemoveFolder { folder: work }]).await.unwrap();
}

async fn messages_move_and_are_marked(store: &dyn Store) {
    let bob = add_account(store, "bob@north.example").await;
    let ann = add_account(store, "ann@north.example").await;
    let (first, second) = (deliver(store, &[bob, ann]).await, deliver(store, &[bob]).await);
    let (work, urgent): (Label, Label) = (name("work"), name("Urgent"));
    let messages = vec![first, QueueId(5)];
    let changes = vec![
        MailboxChange::Move { messages: messages.clone(), folder: FolderId::ARCHIVE },
        MailboxChange::Flag {
            messages: messages.clone(),
            add: Flags::SEEN | Flags::FLAGGED | Flags::DRAFT,
            remove: Flags::DRAFT | Flags::MUTED,
        },
        MailboxChange::Label { messages, add: vec![work.clone(), urgent.clone()], remove: vec![] },
    ];
    let before = store.usage(bob).await.unwrap();
    store.change_mailbox(bob, changes).await.unwrap();
    let moved = message(store, bob, first).await;
    assert_eq!((moved.folder, moved.flags), (FolderId::ARCHIVE, Flags::SEEN | Flags::FLAGGED));
    assert_eq!((&moved.labels, &moved.prefix), (&vec![urgent.clone(), work.clone()], &prefix()));
    assert_eq!(store.usage(bob).await.unwrap(), before);
    // POP3 shows the Inbox; the message is another person's too, who has done nothing with it.
    assert_eq!(store.maildrop(bob).await.unwrap().messages, [message(store, bob, second).await]);
    assert_eq!(ids(store, bob, MailboxSelection::All).await, [first, second]);
    assert_eq!(ids(store, bob, MailboxSelection::Folder(FolderId::ARCHIVE)).await, [first]);
    let of_ann = message(store, ann, first).await;
    assert_eq!((of_ann.folder, of_ann.flags, of_ann.labels), (FolderId::INBOX, Flags::NONE, Vec::new()));
    assert_eq!(read_all(store, &moved.content, 64).await.unwrap(), letter(1, 100));

    let many = (0..100).map(|number| name(&format!("{number:03}"))).collect();
    let changes = vec![
        MailboxChange::Label { messages: vec![first], add: many, remove: vec![name("000"), urgent] },
        MailboxChange::Flag { messages: vec![first], add: Flags::NONE, remove: Flags::ALL },
    ];
    store.change_mailbox(bob, changes).await.unwrap();
    let moved = message(store, bob, first).await;
    assert_eq!((moved.flags, moved.labels.len()), (Flags::NONE, LABELS_PER_MESSAGE_MAX - 2));
    store.remove_messages(bob, &[first]).await.unwrap();
    assert_eq!(store.message(bob, first).await.unwrap(), None);
    assert_eq!(ids(store, ann, MailboxSelection::All).await, [first]);
}

async fn changes_are_made_all_or_none(store: &dyn Store) {
    let bob = add_account(store, "bob@north.example").await;
    let id = deliver(store, &[bob]).await;
    let before = message(store, bob, id).await;
    let flag = || MailboxChange::Flag { messages: vec![id], add: Flags::SEEN, remove: Flags::NONE };
    let put = MailboxChange::PutDocument { name: name("a"), octets: Bytes::from_static(b"x") };
    let create = MailboxChange::CreateFolder { folder: FolderId(20), name: name("New") };
    let gone = MailboxChange::Move { messages: vec![id], folder: FolderId(77) };
    not_found(store.change_mailbox(bob, vec![flag(), put, create, gone]).await);
    let long = Bytes::from(vec![0; DOCUMENT_OCTETS_MAX + 1]);
    conflict(
        store
            .change_mailbox(bob, vec![flag(), MailboxChange::PutDocument { name: name("a"), octets: long }])
            .await,
    );
    assert_eq!(message(store, bob, id).await, before);
    assert_eq!(store.document(bob, &name("a")).await.unwrap(), None);
    assert_eq!(own_folders(store, bob).await, []);
}

async fn mail_is_delivered_into_folders(store: &dyn Store) {
    let bob = add_account(store, "bob@north.example").await;
    let ann = add_account(store, "ann@north.example").await;
    let news = create(store, bob, "News").await;
    let mut wanted = acceptance(&[bob, ann], &[]);
    wanted.deliveries[0].folder = news;
    wanted.deliveries[0].flags = Flags::FLAGGED;
    wanted.deliveries[0].labels = vec![name("b"), name("a"), name("b")];
    let (id, _) = accept(store, &letter(1, 300_000), wanted).await.unwrap();
    let found = message(store, bob, id).await;
    assert_eq!((found.folder, found.flags), (news, Flags::FLAGGED));
    assert_eq!(found.labels, [name("a"), name("b")]);
    assert_eq!(store.maildrop(bob).await.unwrap().messages, []);
    assert_eq!(ids(store, ann, MailboxSelection::Folder(FolderId::INBOX)).await, [id]);
    assert_eq!(read_all(store, &found.content, 65_536).await.unwrap(), letter(1, 300_000));
    assert_eq!(store.tally().await.unwrap().delivered, 2);
}

async fn mail_for_a_folder_that_is_not_there_goes_to_the_inbox(store: &dyn Store) {
    let bob = add_account(store, "bob@north.example").await;
    for folder in [FolderId(6), FolderId(16), FolderId(u32::MAX)] {
        let mut wanted = acceptance(&[], &[]);
        wanted.deliveries.push(LocalDelivery { folder, ..LocalDelivery::to_inbox(bob, prefix()) });
        let (id, _) = accept(store, &letter(1, 10), wanted).await.unwrap();
        assert_eq!(message(store, bob, id).await.folder, FolderId::INBOX);
        let filing = Filing { folder, ..filing(bob) };
        let id = store.append(filing, letter(2, 10)).await.unwrap();
        assert_eq!(message(store, bob, id).await.folder, FolderId::INBOX);
    }
    assert_eq!(ids(store, bob, MailboxSelection::Folder(FolderId::INBOX)).await.len(), 6);
}

fn filing(account: AccountId) -> Filing {
    let (folder, flags, labels) = (FolderId::DRAFTS, Flags::DRAFT | Flags::SEEN, vec![name("mine")]);
    Filing { account, folder, flags, labels, received_at: at(77) }
}

async fn filing_counts_in_no_tally(store: &dyn Store) {
    let bob = add_account(store, "bob@north.example").await;
    let mut octets = 0;
    for size in [0, 500, 700_000] {
        let id = store.append(filing(bob), letter(size as u64, size)).await.unwrap();
        let found = message(store, bob, id).await;
        assert_eq!((found.folder, found.flags), (FolderId::DRAFTS, Flags::DRAFT | Flags::SEEN));
        assert_eq!((found.labels, found.received_at), (vec![name("mine")], at(77)));
        assert_eq!(found.prefix, Bytes::new());
        let content = read_all(store, &found.content, 65_536).await.unwrap();
        assert!(content == letter(size as u64, size), "{size}");
        octets += size as u64;
    }
    assert_eq!(store.tally().await.unwrap(), Tally::default());
    assert_eq!(store.usage(bob).await.unwrap(), Usage { messages: 3, octets });
    not_found(store.append(filing(AccountId(99)), letter(1, 5)).await);
    let all = ids(store, bob, MailboxSelection::All).await;
    store.remove_messages(bob, &all).await.unwrap();
    assert_eq!(store.usage(bob).await.unwrap(), Usage::default());
}

async fn documents_are_kept(store: &dyn Store) {
    let bob = add_account(store, "bob@north.example").await;
    let ann = add_account(store, "ann@north.example").await;
    let put = |document: &str, octets: &'static str| MailboxChange::PutDocument {
        name: name(document),
        octets: Bytes::from_static(octets.as_bytes()),
    };
    let changes =
        vec![put("contact/2", "B"), put("contact/1", "A"), put("settings", "{}"), put("contact%", "")];
    store.change_mailbox(bob, changes).await.unwrap();
    store.change_mailbox(bob, vec![put("settings", "{1}"), put("settings", "{2}")]).await.unwrap();
    assert_eq!(store.document(bob, &name("settings")).await.unwrap(), Some(Bytes::from_static(b"{2}")));
    assert_eq!(store.document(bob, &name("Settings")).await.unwrap(), None);
    assert_eq!(store.document(ann, &name("settings")).await.unwrap(), None);
    let names = |found: Vec<(DocumentName, Bytes)>| {
        found.into_iter().map(|(name, octets)| (name.to_string(), octets)).collect::<Vec<_>>()
    };
    let contacts = names(store.documents(bob, "contact/").await.unwrap());
    let expected = [("contact/1", "A"), ("contact/2", "B")];
    assert_eq!(contacts, expected.map(|(name, octets)| (name.to_owned(), Bytes::from(octets))));
    assert_eq!(store.documents(bob, "").await.unwrap().len(), 4);
    assert_eq!(store.documents(ann, "").await.unwrap(), []);
    let remove = |document: &str| MailboxChange::RemoveDocument { name: name(document) };
    store.change_mailbox(bob, vec![remove("contact/1"), remove("none"), put("settings", "3")]).await.unwrap();
    assert_eq!(store.documents(bob, "contact/").await.unwrap().len(), 1);
    assert_eq!(store.document(bob, &name("settings")).await.unwrap(), Some(Bytes::from_static(b"3")));
}

fn changed(changes: &Changes) -> Vec<QueueId> {
    assert!(changes.complete, "{changes:?}");
    changes.changed.iter().map(|message| message.content.id).collect()
}

async fn changes_are_told_since_any_moment(store: &dyn Store) {
    let bob = add_account(store, "bob@north.example").await;
    let ann = add_account(store, "ann@north.example").await;
    let nothing = store.changes_since(bob, 0).await.unwrap();
    assert_eq!((changed(&nothing), &nothing.removed), (vec![], &vec![]));
    let mut received = Vec::new();
    for _ in 0..4 {
        received.push(deliver(store, &[bob, ann]).await);
    }
    let all = store.changes_since(bob, 0).await.unwrap();
    assert_eq!(changed(&all), received);
    assert_eq!(changed(&store.changes_since(bob, nothing.now).await.unwrap()), received);
    assert_eq!(changed(&store.changes_since(bob, all.now).await.unwrap()), []);
    let flag = MailboxChange::Flag { messages: received.clone(), add: Flags::NONE, remove: Flags::SEEN };
    let shift = MailboxChange::Move { messages: vec![received[1]], folder: FolderId::JUNK };
    store.change_mailbox(bob, vec![flag, shift]).await.unwrap();
    let moved = store.changes_since(bob, all.now).await.unwrap();
    // Flags that were not set are cleared without a change.
    assert_eq!((changed(&moved), moved.changed[0].folder), (vec![received[1]], FolderId::JUNK));
    assert!(moved.changed[0].changed > all.now && moved.changed[0].changed <= moved.now);
    store.remove_messages(bob, &[received[0], received[1], QueueId(7)]).await.unwrap();
    let fifth = deliver(store, &[bob]).await;
    let since_moved = store.changes_since(bob, moved.now).await.unwrap();
    assert_eq!((changed(&since_moved), since_moved.removed), (vec![fifth], vec![received[0], received[1]]));
    let since_all = store.changes_since(bob, all.now).await.unwrap();
    assert_eq!((changed(&since_all), since_all.removed), (vec![fifth], vec![received[0], received[1]]));
    let of_ann = store.changes_since(ann, all.now).await.unwrap();
    assert_eq!((changed(&of_ann), of_ann.removed), (vec![], vec![]));
    let impossible = store.changes_since(bob, u64::MAX >> 1).await.unwrap();
    assert!(!impossible.complete);
}

async fn what_arrives_out_of_order_is_told(store: &dyn Store) {
    let bob = add_account(store, "bob@north.example").await;
    let mut early = store.receive().await.unwrap();
    early.write(letter(1, 10)).await.unwrap();
    let early_id = early.id();
    let late = deliver(store, &[bob]).await;
    let flag = MailboxChange::Flag { messages: vec![late], add: Flags::SEEN, remove: Flags::NONE };
    store.change_mailbox(bob, vec![flag]).await.unwrap();
    let before = store.changes_since(bob, 0).await.unwrap();
    early.accept(acceptance(&[bob], &[])).await.unwrap();
    let last = deliver(store, &[bob]).await;
    let since = store.changes_since(bob, before.now).await.unwrap();
    assert_eq!((early_id < late, changed(&since)), (true, vec![early_id, last]));
    assert_eq!(changed(&store.changes_since(bob, since.now).await.unwrap()), []);
}

async fn subscribers_are_told_whose_mailbox_has_changed(store: &dyn Store) {
    let bob = add_account(store, "bob@north.example").await;
    let ann = add_account(store, "ann@north.example").await;
    let mut notices = store.subscribe();
    let mut told = async || {
        let told = tokio::time::timeout(Duration::from_secs(30), notices.recv()).await;
        told.expect("told").unwrap()
    };
    let id = deliver(store, &[ann]).await;
    assert_eq!(told().await, ann);
    let flag = MailboxChange::Flag { messages: vec![id], add: Flags::SEEN, remove: Flags::NONE };
    store.change_mailbox(ann, vec![flag]).await.unwrap();
    assert_eq!(told().await, ann);
    let put = MailboxChange::PutDocument { name: name("a"), octets: Bytes::new() };
    store.change_mailbox(bob, vec![put]).await.unwrap();
    assert_eq!(told().await, bob);
    store.append(filing(bob), letter(1, 10)).await.unwrap();
    assert_eq!(told().await, bob);
    store.remove_messages(ann, &[id]).await.unwrap();
    assert_eq!(told().await, ann);
}

async fn a_removed_account_leaves_nothing(store: &dyn Store) {
    let bob = add_account(store, "bob@north.example").await;
    create(store, bob, "Work").await;
    let put = MailboxChange::PutDocument { name: name("a"), octets: Bytes::from_static(b"secret") };
    store.change_mailbox(bob, vec![put]).await.unwrap();
    store.append(filing(bob), letter(1, 10)).await.unwrap();
    store.change_directory(DirectoryChange::RemoveAccount(bob)).await.unwrap();
    assert_eq!(own_folders(store, bob).await, []);
    assert_eq!(store.documents(bob, "").await.unwrap(), []);
    assert_eq!(ids(store, bob, MailboxSelection::All).await, []);
    assert_eq!(store.usage(bob).await.unwrap(), Usage::default());
    not_found(store.change_mailbox(bob, Vec::new()).await);
    not_found(store.append(filing(bob), letter(1, 10)).await);
}
