//! How much the embedded store takes: messages per second with 1, 16 and 128 writers, the 99th
//! percentile of the time until a message is durable, CPU, octets written per octet of mail.
//!
//! `cargo run --release -p posta-store --example load -- [DIR] [SECONDS]`
//!
//! DIR should lie on the disk that is to be measured (default: a new folder below the current one).
#![allow(clippy::print_stdout, reason = "its purpose")]

use bytes::Bytes;
use posta_address::ReversePath;
use posta_store::embedded::Settings;
use posta_store::{
    Acceptance, Account, AccountId, DirectoryChange, EmbeddedStore, Envelope, LocalDelivery, Store,
    StoreError,
};
use posta_wire::ContentFacts;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

const MESSAGE_OCTETS: usize = 10 * 1024;
const MAILDROPS: usize = 100;

fn main() -> Result<(), StoreError> {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments.next().map_or_else(|| PathBuf::from("store-load"), PathBuf::from);
    let seconds = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(5);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    println!("writers     msgs/s   p50 ms   p99 ms  CPU us/msg  index us/msg  written/octet  read us/msg");
    for writers in [1, 16, 128] {
        let dir = dir.join(writers.to_string());
        runtime.block_on(measure(&dir, writers, Duration::from_secs(seconds)))?;
        std::fs::remove_dir_all(&dir)?;
    }
    std::fs::remove_dir(&dir)?;
    Ok(())
}

async fn measure(dir: &Path, writers: usize, time: Duration) -> Result<(), StoreError> {
    let store = EmbeddedStore::open(dir, Settings::default(), Arc::new(jiff::Timestamp::now))?;
    let accounts = make_accounts(&store).await?;
    let (cpu, written, start) = (cpu_time(), written_octets(), Instant::now());
    let mut running = tokio::task::JoinSet::new();
    for writer in 0..writers {
        let (store, accounts) = (store.clone(), accounts.clone());
        running.spawn(async move { write_until(&store, &accounts, writer, start + time).await });
    }
    let mut latencies = Vec::new();
    while let Some(done) = running.join_next().await {
        latencies.extend(done.map_err(|error| StoreError::Failed(error.to_string()))??);
    }
    let elapsed = start.elapsed();
    // The index's share is part of the price.
    store.tally().await?;
    let (cpu, index_cpu, count) = (cpu_time() - cpu, index_cpu_time(), latencies.len());
    let read_micros = read_some(&store, accounts[0]).await?;
    store.close().await;
    let written = written_octets() - written;
    latencies.sort_unstable();
    let percentile = |part: usize| latencies[count * part / 100].as_secs_f64() * 1000.0;
    println!(
        "{writers:>7} {:>10.0} {:>8.2} {:>8.2} {:>11.1} {:>13.1} {:>14.2} {read_micros:>12.1}",
        count as f64 / elapsed.as_secs_f64(),
        percentile(50),
        percentile(99),
        cpu.as_secs_f64() * 1e6 / count as f64,
        index_cpu.as_secs_f64() * 1e6 / count as f64,
        written as f64 / (count * MESSAGE_OCTETS) as f64,
    );
    Ok(())
}

async fn make_accounts(store: &EmbeddedStore) -> Result<Arc<Vec<AccountId>>, StoreError> {
    let mut accounts = Vec::new();
    for number in 0..MAILDROPS {
        let id = store.new_account_id();
        let address = format!("user{number}@north.example").parse();
        let account = Account {
            id,
            address: address.map_err(|_| StoreError::Failed("an address".into()))?,
            name: None,
            password_hash: None,
            apop_secret: None,
            credentials: posta_store::Credentials::default(),
            quota_octets: None,
            enabled: true,
            hold_seconds: 0,
        };
        store.change_directory(DirectoryChange::PutAccount(account)).await?;
        accounts.push(id);
    }
    Ok(Arc::new(accounts))
}

async fn write_until(
    store: &EmbeddedStore,
    accounts: &[AccountId],
    writer: usize,
    until: Instant,
) -> Result<Vec<Duration>, StoreError> {
    // Not all zeros: a disk might be clever.
    let content: Vec<u8> = (0..MESSAGE_OCTETS).map(|at| (at * 31 + writer) as u8).collect();
    let content = Bytes::from(content);
    let mut latencies = Vec::new();
    while Instant::now() < until {
        let account = accounts[(writer * 7 + latencies.len()) % accounts.len()];
        let start = Instant::now();
        let mut receiver = store.receive().await?;
        receiver.write(content.clone()).await?;
        receiver.accept(acceptance(account)).await?;
        latencies.push(start.elapsed());
    }
    Ok(latencies)
}

fn acceptance(account: AccountId) -> Acceptance {
    Acceptance {
        envelope: Envelope {
            reverse_path: ReversePath::Null,
            smtputf8: false,
            facts: ContentFacts::default(),
            message_id: Some("<20260101120000.1@north.example>".into()),
            requests: posta_store::Requests::default(),
        },
        accepted_at: jiff::Timestamp::now(),
        deliveries: vec![LocalDelivery::to_inbox(
            account,
            Bytes::from_static(b"Return-Path: <somebody@south.example>\r\n"),
        )],
        remote: Vec::new(),
        discarded: 0,
        changes: Vec::new(),
    }
}

/// Microseconds to read one message whole.
async fn read_some(store: &EmbeddedStore, account: AccountId) -> Result<f64, StoreError> {
    let snapshot = store.maildrop(account).await?;
    let start = Instant::now();
    for message in &snapshot.messages {
        store.read(&message.content, 0, 65_536).await?;
    }
    Ok(start.elapsed().as_secs_f64() * 1e6 / snapshot.messages.len().max(1) as f64)
}

/// CPU time of this process, all threads.
fn cpu_time() -> Duration {
    cpu_time_of(Path::new("/proc/self"))
}

/// CPU time of the thread that applies records to the index.
fn index_cpu_time() -> Duration {
    let is_index = |task: &PathBuf| {
        std::fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim() == "store-index")
    };
    let tasks =
        std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten().map(|entry| entry.path());
    tasks.filter(is_index).map(|task| cpu_time_of(&task)).sum()
}

fn cpu_time_of(task: &Path) -> Duration {
    let stat = std::fs::read_to_string(task.join("stat")).unwrap_or_default();
    // After the name in brackets: state is field 3; utime and stime are fields 14 and 15.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = fields.iter().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// Octets that this process has caused to be written to the disk.
fn written_octets() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|octets| octets.parse().ok()).unwrap_or(0)
}
