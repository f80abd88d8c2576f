//! `kill -9` under load, again and again: what was acknowledged is there, once.

use crate::letters::*;
use posta_store::embedded::Settings;
use posta_store::{EmbeddedStore, QueueId, Store};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const DIR: &str = "POSTA_STORE_TO_BE_KILLED";
const ROUNDS: u64 = 10;
const LINES_PER_ROUND: usize = 400;

/// Small volumes and busy upkeep: the blow may fall into a rewriting.
fn settings_under_load() -> Settings {
    Settings {
        index_delay: Duration::from_millis(20),
        upkeep_interval: Some(Duration::from_millis(10)),
        upkeep_rest: Duration::from_millis(1),
        ..settings()
    }
}

fn open_under_load(dir: &Path) -> EmbeddedStore {
    EmbeddedStore::open(dir, settings_under_load(), Arc::new(jiff::Timestamp::now)).unwrap()
}

fn size_of(number: u64) -> usize {
    if number.is_multiple_of(97) { 400_000 } else { 100 + (number % 50) as usize * 100 }
}

/// The process that is killed; started by the test below. Says what it begins, then what it was told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn works_until_killed() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let store = open_under_load(Path::new(&dir));
    let bob = store.account(&mailbox("bob@north.example")).await.unwrap().unwrap().id;
    let say = |line: String| std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
    let numbers = Arc::new(AtomicU64::new(0));
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (store, numbers) = (store.clone(), numbers.clone());
        workers.spawn(async move {
            let mut mine: Vec<QueueId> = Vec::new();
            loop {
                let number = numbers.fetch_add(1, Ordering::Relaxed);
                let content = letter(number, size_of(number));
                let (id, _) = accept(&store, &content, acceptance(&[bob], &[])).await.unwrap();
                say(format!("\nkept {id} {number}\n"));
                mine.push(id);
                if mine.len() == 10 {
                    let removed: Vec<QueueId> = mine.drain(..9).collect();
                    removed.iter().for_each(|id| say(format!("\nremoving {id}\n")));
                    store.remove_messages(bob, &removed).await.unwrap();
                    removed.iter().for_each(|id| say(format!("\nremoved {id}\n")));
                    mine.clear();
                }
            }
        });
    }
    workers.join_next().await;
}

/// What the process said about each message.
#[derive(Default)]
struct Told {
    kept: BTreeMap<QueueId, u64>,
    removing: BTreeSet<QueueId>,
    removed: BTreeSet<QueueId>,
}

fn run_and_kill(dir: &Path, told: &mut Told) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::works_until_killed", "--nocapture", "--test-threads=1"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut kept = 0;
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // What it managed to say before it died counts too.
    while let Some(Ok(line)) = lines.next() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["kept", id, number] => {
                let (Ok(id), Ok(number)) = (id.parse(), number.parse()) else { continue };
                told.kept.insert(id, number);
                kept += 1;
                if kept == LINES_PER_ROUND {
                    child.kill().unwrap();
                }
            }
            ["removing", id] => drop(id.parse().map(|id| told.removing.insert(id))),
            ["removed", id] => drop(id.parse().map(|id| told.removed.insert(id))),
            _ => {}
        }
    }
    assert!(!child.wait().unwrap().success());
    assert!(kept >= LINES_PER_ROUND, "only {kept}");
}

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_under_load(dir.path());
    let bob = add_account(&store, "bob@north.example").await;
    store.close().await;
    let mut told = Told::default();
    for round in 0..ROUNDS {
        run_and_kill(dir.path(), &mut told);
        if round % 3 == 2 {
            std::fs::remove_file(dir.path().join("index.sqlite")).unwrap();
        }
        let store = open_under_load(dir.path());
        assert_eq!(store.opening().damage, [], "round {round}");
        let messages = store.maildrop(bob).await.unwrap().messages;
        let found: BTreeSet<QueueId> = messages.iter().map(|message| message.content.id).collect();
        assert_eq!(found.len(), messages.len());
        for (id, number) in &told.kept {
            if told.removed.contains(id) {
                assert!(!found.contains(id), "round {round}: {id} came back");
            } else if !told.removing.contains(id) {
                assert!(found.contains(id), "round {round}: {id}, letter {number}, is lost");
            }
        }
        for message in &messages {
            let octets = read_all(&store, &message.content, 100_000).await.unwrap();
            if let Some(number) = told.kept.get(&message.content.id) {
                assert_eq!(octets, letter(*number, size_of(*number)));
            }
        }
        let tally = store.tally().await.unwrap();
        assert!(tally.accepted == tally.delivered && tally.accepted >= told.kept.len() as u64);
        let unsaid = tally.accepted - told.kept.len() as u64;
        assert!(unsaid <= 16 * (round + 1), "each worker may have been about to say one: {unsaid}");
        assert_eq!(store.check().await.unwrap().problems, [], "round {round}");
        store.close().await;
    }
    assert!(!told.removed.is_empty());
}
