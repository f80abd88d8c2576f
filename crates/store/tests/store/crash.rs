//! What a crash may leave: torn ends, an index that is behind, or none. Nothing acknowledged is lost.

use crate::letters::*;
use posta_store::{AccountId, ContentRef, EmbeddedStore, QueueId, Store, StoreError};
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The folder of a store that has `count` letters in one maildrop.
async fn filled(dir: &Path, count: u64, octets: usize) -> (AccountId, Vec<QueueId>) {
    let store = open(dir);
    let bob = add_account(&store, "bob@north.example").await;
    let mut ids = Vec::new();
    for number in 0..count {
        ids.push(accept(&store, &letter(number, octets), acceptance(&[bob], &[])).await.unwrap().0);
    }
    store.close().await;
    (bob, ids)
}

fn newest_volume(dir: &Path) -> PathBuf {
    volumes(dir).pop().unwrap()
}

fn volumes(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir.join("volumes")).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.join("volumes")).unwrap();
    // The index before the volumes: it may be behind them, never ahead.
    for name in ["index.sqlite", "index.sqlite-wal"] {
        if from.join(name).exists() {
            std::fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
    for volume in volumes(from) {
        std::fs::copy(&volume, to.join("volumes").join(volume.file_name().unwrap())).unwrap();
    }
}

async fn check_letters(store: &EmbeddedStore, bob: AccountId, ids: &[QueueId], octets: usize) -> usize {
    let messages = store.maildrop(bob).await.unwrap().messages;
    assert!(messages.len() >= ids.len());
    for (number, (message, id)) in messages.iter().zip(ids).enumerate() {
        assert_eq!(message.content.id, *id);
        assert_eq!(read_all(store, &message.content, 1 << 20).await.unwrap(), letter(number as u64, octets));
    }
    messages.len()
}

#[tokio::test]
async fn a_volume_cut_at_any_octet_keeps_all_before_the_last_batch() {
    let dir = tempfile::tempdir().unwrap();
    let (bob, ids) = filled(dir.path(), 3, 20).await;
    let before = tempfile::tempdir().unwrap();
    copy(dir.path(), before.path());
    let start = newest_volume(dir.path()).metadata().unwrap().len();
    let store = open(dir.path());
    accept(&store, &letter(3, 20), acceptance(&[bob], &["a@b.example"])).await.unwrap();
    store.close().await;
    let end = newest_volume(dir.path()).metadata().unwrap().len();
    let whole = std::fs::read(newest_volume(dir.path())).unwrap();
    let mut kept = 0;
    for cut in start..=end {
        // In turn: the file ends, zeros follow, other octets follow; an index that is behind, or none.
        let crashed = tempfile::tempdir().unwrap();
        copy(before.path(), crashed.path());
        let mut octets = whole[..cut as usize].to_vec();
        match cut % 3 {
            0 => {}
            1 => octets.resize(whole.len() + 4096, 0),
            _ => octets.resize(whole.len(), 0xa5),
        }
        std::fs::write(newest_volume(crashed.path()), octets).unwrap();
        if cut % 2 == 0 {
            std::fs::remove_file(crashed.path().join("index.sqlite")).unwrap();
        }
        let store = open(crashed.path());
        assert_eq!(store.opening().damage, [], "cut at {cut}");
        let found = check_letters(&store, bob, &ids, 20).await;
        let tally = store.tally().await.unwrap();
        assert_eq!((tally.accepted, tally.queued), if found == 4 { (5, 1) } else { (3, 0) }, "cut at {cut}");
        kept += usize::from(found == 4);
        // And it goes on from there.
        let (id, _) = accept(&store, &letter(9, 20), acceptance(&[bob], &[])).await.unwrap();
        store.close().await;
        let store = open(crashed.path());
        let last = store.maildrop(bob).await.unwrap().messages.pop().unwrap();
        assert_eq!(last.content.id, id);
        assert_eq!(read_all(&store, &last.content, 100).await.unwrap(), letter(9, 20));
        assert_eq!(store.check().await.unwrap().problems, []);
        store.close().await;
    }
    assert!((1..=16).contains(&kept), "only where nothing of the record is missing: {kept}");
}

#[tokio::test]
async fn flipped_bits_are_named_and_all_else_can_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let (bob, ids) = filled(dir.path(), 60, 3000).await;
    let first = &volumes(dir.path())[0];
    assert!(volumes(dir.path()).len() >= 3);
    let length = first.metadata().unwrap().len();
    let mut named = 0;
    for place in (64..length).step_by(977) {
        for with_index in [true, false] {
            let spoilt = tempfile::tempdir().unwrap();
            copy(dir.path(), spoilt.path());
            flip(&volumes(spoilt.path())[0], place);
            if !with_index {
                std::fs::remove_file(spoilt.path().join("index.sqlite")).unwrap();
            }
            let store = open(spoilt.path());
            let report = store.check().await.unwrap();
            let lost = unreadable(&store, bob, &ids).await;
            let in_padding = report.problems.is_empty();
            assert!(lost <= usize::from(!in_padding), "{place}: {lost} lost, {:?}", report.problems);
            if !in_padding {
                named += 1;
                let problem = &report.problems[0];
                let (volume, offset) = problem.place.unwrap();
                assert_eq!(volume, 1);
                assert!(offset <= place && place < offset + 4000, "{place}: {problem}");
                assert!(problem.to_string().contains("posta store rebuild"), "{problem}");
            }
            store.close().await;
        }
    }
    assert!(named > 100, "{named}");
}

fn flip(path: &Path, place: u64) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut octet = [0];
    file.read_exact_at(&mut octet, place).unwrap();
    file.write_all_at(&[octet[0] ^ 0x10], place).unwrap();
}

/// How many of the letters are not there, or are known to be damaged. What is read is right.
async fn unreadable(store: &EmbeddedStore, bob: AccountId, ids: &[QueueId]) -> usize {
    let messages = store.maildrop(bob).await.unwrap().messages;
    let mut lost = 0;
    for (number, id) in ids.iter().enumerate() {
        let Some(message) = messages.iter().find(|message| message.content.id == *id) else {
            lost += 1;
            continue;
        };
        match read_all(store, &message.content, 1 << 20).await {
            Ok(octets) => assert_eq!(octets, letter(number as u64, 3000)),
            Err(StoreError::Damaged(_)) => lost += 1,
            Err(error) => panic!("{error}"),
        }
    }
    lost
}

#[tokio::test]
async fn damage_in_the_newest_volume_is_no_torn_end() {
    let dir = tempfile::tempdir().unwrap();
    let (bob, ids) = filled(dir.path(), 4, 3000).await;
    let length = newest_volume(dir.path()).metadata().unwrap().len();
    // Inside the second letter's content, in its header, in its fact.
    let third_from_end = length - 3 * 3200;
    for place in (third_from_end..third_from_end + 3300).step_by(61) {
        let spoilt = tempfile::tempdir().unwrap();
        copy(dir.path(), spoilt.path());
        std::fs::remove_file(spoilt.path().join("index.sqlite")).unwrap();
        flip(&newest_volume(spoilt.path()), place);
        let store = open(spoilt.path());
        assert_eq!(store.opening().cut_octets, 0);
        assert!(unreadable(&store, bob, &ids).await <= 1);
        let (id, _) = accept(&store, &letter(9, 20), acceptance(&[bob], &[])).await.unwrap();
        store.close().await;
        let store = open(spoilt.path());
        assert_eq!(store.maildrop(bob).await.unwrap().messages.pop().unwrap().content.id, id);
        store.close().await;
    }
}

#[tokio::test]
async fn a_missing_volume_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (bob, _) = filled(dir.path(), 60, 3000).await;
    std::fs::remove_file(&volumes(dir.path())[1]).unwrap();
    for _ in 0..2 {
        let store = open(dir.path());
        let missing = |volume: u64, why: &str| volume == 2 && why.contains("missing");
        assert!(store.opening().damage.iter().any(|damage| missing(damage.volume, &damage.why)));
        let messages = store.maildrop(bob).await.unwrap().messages;
        assert!(!messages.is_empty());
        let report = store.check().await.unwrap();
        assert!(report.problems.iter().any(|problem| problem.place == Some((2, 0))), "{report:?}");
        store.close().await;
        // Also when the index does not know of it.
        std::fs::remove_file(dir.path().join("index.sqlite")).unwrap();
    }
}

#[tokio::test]
async fn a_spoilt_index_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (bob, ids) = filled(dir.path(), 40, 300).await;
    let index = dir.path().join("index.sqlite");
    let good = std::fs::read(&index).unwrap();
    let mut rebuilt = 0;
    for page in 0..good.len() / 4096 {
        let mut spoilt = good.clone();
        spoilt[page * 4096..(page + 1) * 4096].fill(0x5a);
        std::fs::write(&index, spoilt).unwrap();
        let store = open(dir.path());
        rebuilt += usize::from(store.opening().rebuilt.is_some());
        assert_eq!(check_letters(&store, bob, &ids, 300).await, 40);
        assert_eq!(store.tally().await.unwrap().delivered, 40);
        assert_eq!(store.queue().await.unwrap(), []);
        store.close().await;
    }
    assert!(rebuilt > 0);
    for content in [&b""[..], b"something else altogether"] {
        std::fs::write(&index, content).unwrap();
        let store = open(dir.path());
        assert!(store.opening().rebuilt.is_some());
        assert_eq!(check_letters(&store, bob, &ids, 300).await, 40);
        store.close().await;
    }
}

#[tokio::test]
async fn an_index_of_another_store_is_not_used() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (bob, ids) = filled(dir.path(), 3, 300).await;
    filled(other.path(), 5, 300).await;
    std::fs::copy(other.path().join("index.sqlite"), dir.path().join("index.sqlite")).unwrap();
    let store = open(dir.path());
    assert!(store.opening().rebuilt.as_ref().unwrap().contains("another store"));
    assert_eq!(check_letters(&store, bob, &ids, 300).await, 3);
    store.close().await;
    // And neither are volumes.
    std::fs::copy(&volumes(other.path())[0], dir.path().join("volumes/0000000009.vol")).unwrap();
    let refused = EmbeddedStore::open(dir.path(), settings(), clock());
    assert!(matches!(refused, Err(StoreError::Damaged(_))));
}

#[tokio::test]
async fn a_store_is_opened_once_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let Err(StoreError::Failed(words)) = EmbeddedStore::open(dir.path(), settings(), clock()) else {
        panic!("opened twice")
    };
    assert!(words.contains(&format!("in use by process {}", std::process::id())), "{words}");
    store.close().await;
    open(dir.path()).close().await;
}

#[tokio::test]
async fn ids_grow_over_restarts_even_if_the_clock_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let mut last = QueueId(0);
    let mut last_account = AccountId(0);
    for _ in 0..3 {
        // The clock begins anew each time.
        let store = open(dir.path());
        let account = add_account(&store, &format!("a{}@north.example", last_account.0)).await;
        assert!(account > last_account);
        last_account = account;
        for _ in 0..3 {
            let (id, _) = accept(&store, &letter(1, 10), acceptance(&[account], &[])).await.unwrap();
            assert!(id > last);
            last = id;
        }
        store.close().await;
        std::fs::remove_file(dir.path().join("index.sqlite")).unwrap();
    }
}

#[tokio::test]
async fn a_closed_store_takes_nothing_more() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let bob = add_account(&store, "bob@north.example").await;
    let mut writer = store.receive().await.unwrap();
    writer.write(letter(1, 100)).await.unwrap();
    store.close().await;
    assert!(matches!(writer.accept(acceptance(&[bob], &[])).await, Err(StoreError::Failed(_))));
    let store = open(dir.path());
    assert_eq!(store.maildrop(bob).await.unwrap().messages, []);
    let nothing = ContentRef { id: QueueId(1), size_octets: 1, hint: (77, 64) };
    assert!(matches!(store.read(&nothing, 0, 1).await, Err(StoreError::NotFound(_))));
}

#[tokio::test]
async fn without_room_no_mail_is_taken_but_changes_are() {
    let dir = tempfile::tempdir().unwrap();
    let (bob, ids) = filled(dir.path(), 3, 300).await;
    let full = posta_store::embedded::Settings { reserve_octets: u64::MAX, ..settings() };
    let store = EmbeddedStore::open(dir.path(), full, clock()).unwrap();
    for size in [10, 300_000] {
        let refused = accept(&store, &letter(1, size), acceptance(&[bob], &[])).await;
        assert!(matches!(refused, Err(StoreError::Full)), "{refused:?}");
    }
    store.remove_messages(bob, &ids[..1]).await.unwrap();
    assert_eq!(store.maildrop(bob).await.unwrap().messages.len(), 2);
    store.close().await;
}
