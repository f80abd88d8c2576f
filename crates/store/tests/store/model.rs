//! Both forms are asked to do the same things; whatever happens in between to the embedded one
//! (closing, losing its index, rewriting), both give the same answers.

use crate::letters::*;
use crate::mirror::{MailboxOperation, Mirror, change, file, folders, mailbox_operations};
use posta_address::{ForwardPath, Mailbox};
use posta_journal::Fate;
use posta_store::{
    Acceptance, AccountId, Alias, AliasKind, Attempt, ContentRef, DirectoryChange, DomainSettings,
    EmbeddedStore, LocalDelivery, MailboxSelection, MaildropMessage, MemoryStore, QueueChange, QueueEntry,
    QueueId, RemoteRecipient, Store, StoreError, Tally, Usage,
};
use proptest::prelude::*;
use std::collections::HashMap;
use std::path::Path;

/// Names are numbers here: small ones, so that operations meet.
#[derive(Debug, Clone)]
enum Operation {
    PutAccount {
        account: usize,
        address: u8,
    },
    RemoveAccount {
        account: usize,
    },
    PutAlias {
        address: u8,
        members: u8,
    },
    RemoveAlias {
        address: u8,
    },
    PutDomain {
        domain: u8,
        catch_all: bool,
    },
    RemoveDomain {
        domain: u8,
    },
    Accept {
        accounts: Vec<usize>,
        remote: Vec<u8>,
        size: usize,
        discarded: u32,
        settles: Option<(usize, u8)>,
        /// These get it later.
        waiting: Vec<usize>,
    },
    Abandon {
        size: usize,
    },
    Remove {
        account: usize,
        messages: Vec<usize>,
    },
    /// What waited goes into the maildrop, alone or together with an acceptance.
    DeliverLate {
        message: usize,
        account: usize,
        with_mail: bool,
    },
    Change {
        message: usize,
        mailbox: u8,
        change: u8,
    },
    Mailbox {
        account: usize,
        changes: Vec<MailboxOperation>,
    },
    File {
        account: usize,
        folder: u32,
        size: usize,
    },
    Look {
        account: usize,
    },
    Reopen,
    LoseIndex,
    Rebuild,
    Maintain,
}

const ACCOUNTS: usize = 3;

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let account = 0..ACCOUNTS;
    let size = prop_oneof![6 => 0usize..6000, 1 => Just(270_000usize)];
    let accept = (
        prop::collection::btree_set(account.clone(), 0..=2),
        prop::collection::btree_set(0u8..4, 0..=2),
        size.clone(),
        0u32..2,
        prop::option::of((0usize..30, 0u8..4)),
        prop::collection::btree_set(account.clone(), 0..=1),
    )
        .prop_map(|(accounts, remote, size, discarded, settles, waiting)| Operation::Accept {
            waiting: waiting.into_iter().collect(),
            accounts: accounts.into_iter().collect(),
            remote: remote.into_iter().collect(),
            size,
            discarded,
            settles,
        });
    let one = prop_oneof![
        2 => (account.clone(), 0u8..5).prop_map(|(account, address)| Operation::PutAccount { account, address }),
        1 => account.clone().prop_map(|account| Operation::RemoveAccount { account }),
        1 => (0u8..5, 0u8..3).prop_map(|(address, members)| Operation::PutAlias { address, members }),
        1 => (0u8..5).prop_map(|address| Operation::RemoveAlias { address }),
        1 => (0u8..3, any::<bool>()).prop_map(|(domain, catch_all)| Operation::PutDomain { domain, catch_all }),
        1 => (0u8..3).prop_map(|domain| Operation::RemoveDomain { domain }),
        12 => accept,
        1 => size.clone().prop_map(|size| Operation::Abandon { size }),
        10 => (account.clone(), mailbox_operations())
            .prop_map(|(account, changes)| Operation::Mailbox { account, changes }),
        3 => (account.clone(), folders(), size)
            .prop_map(|(account, folder, size)| Operation::File { account, folder, size }),
        3 => account.clone().prop_map(|account| Operation::Look { account }),
        6 => (account.clone(), prop::collection::vec(0usize..30, 0..6))
            .prop_map(|(account, messages)| Operation::Remove { account, messages }),
        4 => (0usize..30, account.clone(), any::<bool>())
            .prop_map(|(message, account, with_mail)| Operation::DeliverLate { message, account, with_mail }),
        8 => (0usize..30, 0u8..4, 0u8..7)
            .prop_map(|(message, mailbox, change)| Operation::Change { message, mailbox, change }),
        1 => Just(Operation::Reopen),
        1 => Just(Operation::LoseIndex),
        1 => Just(Operation::Rebuild),
        3 => Just(Operation::Maintain),
    ];
    prop::collection::vec(one, 1..80)
}

fn address(number: u8) -> Mailbox {
    mailbox(&format!("name{number}@north.example"))
}

fn waiting_mailbox(account: usize) -> Mailbox {
    mailbox(&format!("waiting{account}@north.example"))
}

fn waiting_recipient(account: usize, maildrop: AccountId) -> RemoteRecipient {
    let mailbox = waiting_mailbox(account);
    let (original, requests) = (ForwardPath::Mailbox(mailbox.clone()), Default::default());
    RemoteRecipient { mailbox, maildrop: Some(maildrop), original, requests }
}

fn remote(number: u8) -> String {
    format!("peer{number}@south.example")
}

/// What both do; the messages so far, and the account ids of the names.
struct Doer<'a> {
    store: &'a dyn Store,
    messages: &'a mut Vec<QueueId>,
    mirrors: &'a mut HashMap<AccountId, Mirror>,
    accounts: &'a [AccountId; ACCOUNTS],
}

/// What can be compared of an outcome: errors by their kind.
fn kind<T>(outcome: &Result<T, StoreError>) -> &'static str {
    match outcome {
        Ok(_) => "ok",
        Err(StoreError::NotFound(_)) => "not found",
        Err(StoreError::Conflict(_)) => "conflict",
        Err(StoreError::Full) => "full",
        Err(StoreError::Failed(_)) => "failed",
        Err(StoreError::Damaged(_)) => "damaged",
    }
}

impl Doer<'_> {
    async fn run(&mut self, number: u64, operation: &Operation) -> &'static str {
        match operation {
            Operation::Accept { accounts, remote: peers, size, discarded, settles, waiting } => {
                let accounts: Vec<_> = accounts.iter().map(|account| self.accounts[*account]).collect();
                let peers: Vec<_> = peers.iter().map(|peer| remote(*peer)).collect();
                let peers: Vec<_> = peers.iter().map(String::as_str).collect();
                let mut wanted = acceptance(&accounts, &peers);
                wanted.discarded = *discarded;
                for account in waiting {
                    wanted.remote.push(waiting_recipient(*account, self.accounts[*account]));
                }
                if let Some((message, peer)) = settles {
                    let mailbox = mailbox(&remote(*peer));
                    wanted.changes =
                        vec![(self.message(*message), QueueChange::Settled { mailbox, fate: Fate::Bounced })];
                }
                let outcome = accept(self.store, &letter(number, *size), wanted).await;
                self.messages.push(outcome.as_ref().map_or(QueueId(0), |(id, _)| *id));
                kind(&outcome)
            }
            Operation::Abandon { size } => {
                let mut writer = self.store.receive().await.unwrap();
                kind(&writer.write(letter(number, *size)).await)
            }
            Operation::Remove { account, messages } => {
                let ids: Vec<_> = messages.iter().map(|message| self.message(*message)).collect();
                kind(&self.store.remove_messages(self.accounts[*account], &ids).await)
            }
            Operation::Change { message, mailbox: peer, change } => {
                let change = queue_change(*change, *peer, number as i64);
                kind(&self.store.change_queue(vec![(self.message(*message), change)]).await)
            }
            Operation::DeliverLate { message, account, with_mail } => {
                let change = (self.message(*message), self.late(*account, number as i64));
                if !with_mail {
                    return kind(&self.store.change_queue(vec![change]).await);
                }
                let wanted =
                    Acceptance { changes: vec![change], ..acceptance(&[], &["peer0@south.example"]) };
                let outcome = accept(self.store, &letter(number, 100), wanted).await;
                self.messages.push(outcome.as_ref().map_or(QueueId(0), |(id, _)| *id));
                kind(&outcome)
            }
            Operation::Mailbox { account, changes } => {
                let id = |number| self.message(number);
                kind(&change(self.store, self.accounts[*account], changes, id).await)
            }
            Operation::File { account, folder, size } => {
                let (account, octets) = (self.accounts[*account], letter(number, *size));
                let outcome = file(self.store, account, *folder, octets, number as i64).await;
                self.messages.push(outcome.as_ref().copied().unwrap_or(QueueId(0)));
                kind(&outcome)
            }
            Operation::Look { account } => {
                let account = self.accounts[*account];
                self.mirrors.entry(account).or_default().look(self.store, account).await;
                "looked"
            }
            other => self.change_directory(other).await,
        }
    }

    fn late(&self, account: usize, number: i64) -> QueueChange {
        let delivery = LocalDelivery::to_inbox(self.accounts[account], prefix());
        QueueChange::Delivered { mailbox: waiting_mailbox(account), delivery, at: at(number) }
    }

    fn message(&self, number: usize) -> QueueId {
        self.messages.get(number).copied().unwrap_or(QueueId(1))
    }

    async fn change_directory(&mut self, operation: &Operation) -> &'static str {
        let change = match *operation {
            Operation::PutAccount { account: number, address: name } => {
                DirectoryChange::PutAccount(account(self.accounts[number], &address(name).to_string()))
            }
            Operation::RemoveAccount { account } => DirectoryChange::RemoveAccount(self.accounts[account]),
            Operation::PutAlias { address: name, members } => DirectoryChange::PutAlias(Alias {
                address: address(name),
                kind: AliasKind::Alias,
                name: None,
                members: (0..members).map(address).collect(),
                owner: None,
            }),
            Operation::RemoveAlias { address: name } => DirectoryChange::RemoveAlias(address(name)),
            Operation::PutDomain { domain, catch_all } => DirectoryChange::PutDomain(DomainSettings {
                domain: format!("d{domain}.example").parse().unwrap(),
                catch_all: catch_all.then(|| address(1)),
                subaddress_separator: None,
            }),
            Operation::RemoveDomain { domain } => {
                DirectoryChange::RemoveDomain(format!("d{domain}.example").parse().unwrap())
            }
            _ => return "nothing",
        };
        kind(&self.store.change_directory(change).await)
    }
}

fn queue_change(change: u8, peer: u8, number: i64) -> QueueChange {
    let mailbox = mailbox(&remote(peer));
    match change {
        0 => QueueChange::Settled { mailbox, fate: Fate::Relayed },
        1 => QueueChange::Settled { mailbox, fate: Fate::Discarded },
        2 | 3 => QueueChange::Deferred {
            mailbox,
            attempt: Attempt { at: at(number), host: None, detail: "451 4.3.0 not now".into() },
            next_attempt_at: at(number + 60_000),
        },
        4 => QueueChange::DelayReported { mailbox },
        5 => QueueChange::Rescheduled { next_attempt_at: at(number) },
        _ => QueueChange::Held(number % 2 == 0),
    }
}

/// A message by its number, with its octets.
type Letter = (usize, MaildropMessage, Vec<u8>);

/// All answers of a store, with ids replaced by the order in which messages came.
#[derive(Debug, PartialEq)]
struct Answers {
    directory: String,
    maildrops: Vec<(Vec<Letter>, Usage)>,
    inboxes: Vec<usize>,
    filing: String,
    queue: Vec<(usize, QueueEntry, Vec<u8>)>,
    tally: Tally,
}

async fn answers(
    store: &dyn Store,
    messages: &[QueueId],
    accounts: &[AccountId],
    mirrors: &mut HashMap<AccountId, Mirror>,
) -> Answers {
    let numbers: HashMap<QueueId, usize> =
        messages.iter().enumerate().map(|(number, id)| (*id, number)).collect();
    let plain = |content: ContentRef| ContentRef { id: QueueId(0), hint: (0, 0), ..content };
    let (mut maildrops, mut inboxes, mut filing) = (Vec::new(), Vec::new(), String::new());
    for account in accounts {
        mirrors.entry(*account).or_default().assert_true(store, *account).await;
        inboxes.push(store.maildrop(*account).await.unwrap().messages.len());
        filing += &format!("{:#?}", store.folders(*account).await.unwrap());
        for (name, octets) in store.documents(*account, "").await.unwrap() {
            assert_eq!(store.document(*account, &name).await.unwrap(), Some(octets.clone()));
            filing += &format!("{name}: {}", octets.len());
        }
        let mut found = Vec::new();
        for message in store.mailbox(*account, MailboxSelection::All).await.unwrap().messages {
            let octets = read_all(store, &message.content, 65_536).await.unwrap();
            let number = numbers[&message.content.id];
            found.push((
                number,
                MaildropMessage { content: plain(message.content), changed: 0, ..message },
                octets,
            ));
        }
        maildrops.push((found, store.usage(*account).await.unwrap()));
    }
    let mut queue = Vec::new();
    for entry in store.queue().await.unwrap() {
        let octets = read_all(store, &entry.content, 65_536).await.unwrap();
        let entry_number = numbers[&entry.id];
        queue.push((
            entry_number,
            QueueEntry { id: QueueId(0), content: plain(entry.content), ..entry },
            octets,
        ));
    }
    let (domains, accounts, aliases) =
        (store.domains().await.unwrap(), store.accounts().await.unwrap(), store.aliases().await.unwrap());
    let directory = format!("{domains:#?}\n{accounts:#?}\n{aliases:#?}");
    Answers { directory, maildrops, inboxes, filing, queue, tally: store.tally().await.unwrap() }
}

async fn disturb(store: EmbeddedStore, dir: &Path, operation: &Operation) -> EmbeddedStore {
    match operation {
        Operation::Reopen => {
            store.close().await;
            open(dir)
        }
        Operation::LoseIndex => {
            store.close().await;
            std::fs::remove_file(dir.join("index.sqlite")).unwrap();
            open(dir)
        }
        Operation::Rebuild => {
            store.rebuild().await.unwrap();
            store
        }
        Operation::Maintain => {
            store.maintain().await.unwrap();
            store
        }
        _ => store,
    }
}

async fn run(operations: Vec<Operation>) {
    let dir = tempfile::tempdir().unwrap();
    let model: MemoryStore = memory();
    let mut store = open(dir.path());
    let (mut model_messages, mut messages) = (Vec::new(), Vec::new());
    let (mut model_mirrors, mut mirrors) = (HashMap::new(), HashMap::new());
    let mut accounts = [(); ACCOUNTS].map(|()| model.new_account_id());
    for (number, operation) in operations.iter().enumerate() {
        store = disturb(store, dir.path(), operation).await;
        let mut expecting = Doer {
            store: &model,
            messages: &mut model_messages,
            mirrors: &mut model_mirrors,
            accounts: &accounts,
        };
        let expected = expecting.run(number as u64, operation).await;
        let mut doing =
            Doer { store: &store, messages: &mut messages, mirrors: &mut mirrors, accounts: &accounts };
        assert_eq!(doing.run(number as u64, operation).await, expected, "{operation:?}");
        if let Operation::RemoveAccount { account } = operation {
            accounts[*account] = model.new_account_id();
        }
    }
    let expected = answers(&model, &model_messages, &accounts, &mut model_mirrors).await;
    assert_eq!(answers(&store, &messages, &accounts, &mut mirrors).await, expected);
    for last in [Operation::Maintain, Operation::Rebuild, Operation::LoseIndex] {
        store = disturb(store, dir.path(), &last).await;
        assert_eq!(answers(&store, &messages, &accounts, &mut mirrors).await, expected, "{last:?}");
        assert_eq!(store.check().await.unwrap().problems, [], "{last:?}");
    }
    assert_eq!(store.opening().damage, []);
    store.close().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn both_forms_give_the_same_answers(operations in operations()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(operations));
    }
}

/// Found by the test above: facts about contents in volumes that are gone, met while the index is made
/// anew, are no reason to look for those volumes.
#[tokio::test]
async fn an_index_made_anew_does_not_look_for_volumes_that_are_gone() {
    use Operation::{Accept, Maintain, PutAccount, Rebuild, RemoveAccount};
    let (remote, size) = (Vec::new(), 270_000);
    run(vec![
        PutAccount { account: 0, address: 0 },
        Accept { accounts: vec![0], remote, size, discarded: 0, settles: None, waiting: vec![] },
        RemoveAccount { account: 0 },
        Maintain,
        Rebuild,
        Rebuild,
    ])
    .await;
}
