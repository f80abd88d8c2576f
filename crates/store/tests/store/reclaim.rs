//! Space comes back, and only what nobody needs goes.

use crate::crash::copy;
use crate::letters::*;
use posta_journal::Fate;
use posta_store::{AccountId, EmbeddedStore, QueueChange, QueueEntry, QueueId, Store, Tally, Usage};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

fn blocks(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir.join("volumes")).unwrap();
    entries.map(|entry| entry.unwrap().metadata().unwrap().blocks() * 512).sum()
}

fn volume_count(dir: &Path) -> usize {
    std::fs::read_dir(dir.join("volumes")).unwrap().count()
}

/// A message: id, prefix, octets.
type Letter = (QueueId, bytes::Bytes, Vec<u8>);

/// What a store answers; contents included.
#[derive(Debug, PartialEq)]
struct Answers {
    maildrops: Vec<(Vec<Letter>, Usage)>,
    queue: Vec<(QueueEntry, Vec<u8>)>,
    tally: Tally,
    accounts: String,
}

async fn answers(store: &EmbeddedStore, accounts: &[AccountId]) -> Answers {
    let mut maildrops = Vec::new();
    for account in accounts {
        let mut messages = Vec::new();
        for message in store.maildrop(*account).await.unwrap().messages {
            let octets = read_all(store, &message.content, 100_000).await.unwrap();
            messages.push((message.content.id, message.prefix, octets));
        }
        maildrops.push((messages, store.usage(*account).await.unwrap()));
    }
    let mut queue = Vec::new();
    for mut entry in store.queue().await.unwrap() {
        let octets = read_all(store, &entry.content, 100_000).await.unwrap();
        entry.content.hint = (0, 0);
        queue.push((entry, octets));
    }
    let accounts = format!("{:?} {:?}", store.accounts().await, store.aliases().await);
    Answers { maildrops, queue, tally: store.tally().await.unwrap(), accounts }
}

/// A store in which most is dead, but of everything something is alive, also in the oldest volume.
async fn mostly_dead(dir: &Path) -> (EmbeddedStore, Vec<AccountId>) {
    let store = open(dir);
    let bob = add_account(&store, "bob@north.example").await;
    let ann = add_account(&store, "ann@north.example").await;
    let gone = add_account(&store, "gone@north.example").await;
    let (mut ids, mut queued) = (Vec::new(), Vec::new());
    for number in 0..120u64 {
        let size = if number % 40 == 7 { 300_000 } else { 3000 };
        let accounts: &[AccountId] = if number % 3 == 0 { &[bob, ann, gone] } else { &[bob] };
        let remote: &[&str] = if number % 10 == 0 { &["a@south.example", "b@south.example"] } else { &[] };
        let (id, entry) = accept(&store, &letter(number, size), acceptance(accounts, remote)).await.unwrap();
        ids.push(id);
        queued.extend(entry);
    }
    let dead: Vec<_> =
        ids.iter().copied().enumerate().filter(|(number, _)| number % 20 != 13 && *number != 47).collect();
    let dead: Vec<_> = dead.into_iter().map(|(_, id)| id).collect();
    store.remove_messages(bob, &dead).await.unwrap();
    store.remove_messages(ann, &ids[1..]).await.unwrap();
    store.change_directory(posta_store::DirectoryChange::RemoveAccount(gone)).await.unwrap();
    for (number, entry) in queued.iter().enumerate() {
        let settled = |text: &str| QueueChange::Settled { mailbox: mailbox(text), fate: Fate::Relayed };
        store.change_queue(vec![(entry.id, settled("a@south.example"))]).await.unwrap();
        if number % 4 != 0 {
            store.change_queue(vec![(entry.id, settled("b@south.example"))]).await.unwrap();
        }
    }
    (store, vec![bob, ann, gone])
}

#[tokio::test]
async fn volumes_mostly_dead_are_rewritten() {
    let dir = tempfile::tempdir().unwrap();
    let (store, accounts) = mostly_dead(dir.path()).await;
    let (before, blocks_before, volumes_before) =
        (answers(&store, &accounts).await, blocks(dir.path()), volume_count(dir.path()));
    let done = store.maintain().await.unwrap();
    assert!(done.given_back_octets > 0 && done.moved_octets > 0 && done.volumes_unlinked > 0, "{done:?}");
    assert_eq!(answers(&store, &accounts).await, before);
    assert!(volume_count(dir.path()) < volumes_before / 2);
    // One large letter of 300 kB in pieces is alive, and a volume reserves 64 KiB.
    assert!(blocks(dir.path()) < blocks_before / 2, "{} of {blocks_before}", blocks(dir.path()));
    assert_eq!(store.check().await.unwrap().problems, []);
    // There is an end to it.
    store.maintain().await.unwrap();
    assert_eq!(store.maintain().await.unwrap().moved_octets, 0);
    store.rebuild().await.unwrap();
    assert_eq!(answers(&store, &accounts).await, before);
    assert_eq!(store.check().await.unwrap().problems, []);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_step_leaves_the_same_store() {
    let dir = tempfile::tempdir().unwrap();
    let (store, accounts) = mostly_dead(dir.path()).await;
    let before = answers(&store, &accounts).await;
    let copies: Arc<Mutex<Vec<tempfile::TempDir>>> = Arc::default();
    let (from, to) = (dir.path().to_owned(), copies.clone());
    store
        .maintain_until(move || {
            let crashed = tempfile::tempdir().unwrap();
            copy(&from, crashed.path());
            to.lock().unwrap().push(crashed);
            false
        })
        .await
        .unwrap();
    store.close().await;
    let copies = std::mem::take(&mut *copies.lock().unwrap());
    assert!(copies.len() > 10);
    for (number, crashed) in copies.iter().enumerate() {
        if number % 2 == 0 {
            std::fs::remove_file(crashed.path().join("index.sqlite")).unwrap();
            let _ = std::fs::remove_file(crashed.path().join("index.sqlite-wal"));
        }
        let store = open(crashed.path());
        assert_eq!(store.opening().damage, [], "step {number}");
        assert_eq!(answers(&store, &accounts).await, before, "step {number}");
        store.maintain().await.unwrap();
        assert_eq!(answers(&store, &accounts).await, before, "step {number}, rewritten");
        assert_eq!(store.check().await.unwrap().problems, [], "step {number}");
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_goes_on_between_the_steps() {
    let dir = tempfile::tempdir().unwrap();
    let (store, accounts) = mostly_dead(dir.path()).await;
    let (bob, ann) = (accounts[0], accounts[1]);
    let first_of_ann = store.maildrop(ann).await.unwrap().messages[0].content.id;
    let waiting: Vec<_> = store.queue().await.unwrap().iter().map(|entry| entry.id).collect();
    let tally = store.tally().await.unwrap();
    let (runtime, busy) = (tokio::runtime::Handle::current(), store.clone());
    let mut step = 0u64;
    store
        .maintain_until(move || {
            step += 1;
            runtime.block_on(async {
                let content = letter(1000 + step, 500);
                let (id, _) = accept(&busy, &content, acceptance(&[bob], &[])).await.unwrap();
                busy.remove_messages(bob, &[id]).await.unwrap();
                if step == 2 {
                    busy.remove_messages(ann, &[first_of_ann]).await.unwrap();
                }
                if let Some(id) = waiting.get(step as usize) {
                    let mailbox = mailbox("b@south.example");
                    let settled = QueueChange::Settled { mailbox, fate: Fate::Bounced };
                    busy.change_queue(vec![(*id, settled)]).await.unwrap();
                }
            });
            step > 200
        })
        .await
        .unwrap();
    let now = store.tally().await.unwrap();
    assert!(now.bounced > 0 && now.accepted > tally.accepted);
    assert_eq!(now.accepted, now.delivered + now.relayed + now.bounced + now.discarded + now.queued);
    let live = answers(&store, &accounts).await;
    assert_eq!(live.maildrops[1].0, []);
    assert_eq!(store.check().await.unwrap().problems, []);
    store.rebuild().await.unwrap();
    assert_eq!(answers(&store, &accounts).await, live);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_goes_on_while_it_is_checked_and_rebuilt() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let bob = add_account(&store, "bob@north.example").await;
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..8u64 {
        let store = store.clone();
        workers.spawn(async move {
            for number in 0..60 {
                let size = if number == 30 { 300_000 } else { 2000 };
                let content = letter(worker * 100 + number, size);
                let (id, _) = accept(&store, &content, acceptance(&[bob], &[])).await.unwrap();
                if number % 2 == 0 {
                    store.remove_messages(bob, &[id]).await.unwrap();
                }
                let messages = store.maildrop(bob).await.unwrap().messages;
                assert_eq!(messages.iter().any(|message| message.content.id == id), number % 2 == 1);
            }
        });
    }
    while !workers.is_empty() {
        assert_eq!(store.check().await.unwrap().problems, []);
        store.rebuild().await.unwrap();
        store.maintain().await.unwrap();
        while let Some(done) = workers.try_join_next() {
            done.unwrap();
        }
    }
    let messages = store.maildrop(bob).await.unwrap().messages;
    assert_eq!(messages.len(), 8 * 30);
    assert_eq!(store.usage(bob).await.unwrap().messages, 8 * 30);
    assert_eq!(store.check().await.unwrap().problems, []);
    store.close().await;
    assert_eq!(open(dir.path()).opening().damage, []);
}

#[tokio::test]
async fn a_lease_keeps_what_its_snapshot_shows() {
    let dir = tempfile::tempdir().unwrap();
    let (store, accounts) = mostly_dead(dir.path()).await;
    let bob = accounts[0];
    let snapshot = store.maildrop(bob).await.unwrap();
    let mut expected = Vec::new();
    for message in &snapshot.messages {
        expected.push(read_all(&store, &message.content, 100_000).await.unwrap());
    }
    let ids: Vec<_> = snapshot.messages.iter().map(|message| message.content.id).collect();
    store.remove_messages(bob, &ids).await.unwrap();
    for number in 0..40 {
        // The newest volume is left alone: make these old.
        accept(&store, &letter(number, 3000), acceptance(&[bob], &[])).await.unwrap();
    }
    store.maintain().await.unwrap();
    for (message, expected) in snapshot.messages.iter().zip(&expected) {
        assert_eq!(&read_all(&store, &message.content, 100_000).await.unwrap(), expected);
    }
    let kept = blocks(dir.path());
    let (content, size) = (snapshot.messages[0].content, snapshot.messages[0].content.size_octets);
    drop(snapshot);
    store.maintain().await.unwrap();
    assert!(blocks(dir.path()) < kept, "{} of {kept}", blocks(dir.path()));
    // What was given back is not read as zeros.
    let read = store.read(&content, 0, size as usize).await;
    assert!(matches!(read, Err(posta_store::StoreError::NotFound(_))), "{read:?}");
    store.close().await;
}

#[tokio::test]
async fn what_dropped_writers_leave_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let bob = add_account(&store, "bob@north.example").await;
    for number in 0..10 {
        let mut writer = store.receive().await.unwrap();
        writer.write(letter(number, 1_000_000)).await.unwrap();
        if number == 5 {
            // And a crash: nobody says that it is dropped.
            std::mem::forget(writer);
        }
    }
    accept(&store, &letter(1, 100), acceptance(&[bob], &[])).await.unwrap();
    assert!(blocks(dir.path()) > 7_000_000);
    store.maintain().await.unwrap();
    assert!(blocks(dir.path()) < 2_000_000, "{}", blocks(dir.path()));
    store.close().await;
    let store = open(dir.path());
    store.maintain().await.unwrap();
    assert!(blocks(dir.path()) < 400_000, "{}", blocks(dir.path()));
    assert_eq!(store.check().await.unwrap().problems, []);
    store.close().await;
}

#[tokio::test]
async fn a_damaged_volume_is_not_rewritten() {
    let dir = tempfile::tempdir().unwrap();
    let (store, accounts) = mostly_dead(dir.path()).await;
    let alive = store.maildrop(accounts[0]).await.unwrap().messages[0].content;
    store.close().await;
    let path = dir.path().join(format!("volumes/{:010}.vol", alive.hint.0.max(1)));
    let file = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let place = if alive.hint.0 == 0 { 2000 } else { alive.hint.1 + 5 };
    std::os::unix::fs::FileExt::write_all_at(&file, b"\0\0\0\0", place).unwrap();
    let store = open(dir.path());
    store.maintain().await.unwrap();
    assert!(path.exists());
    let report = store.check().await.unwrap();
    assert!(!report.problems.is_empty());
    assert_eq!(store.tally().await.unwrap().delivered, 200);
    store.close().await;
}
