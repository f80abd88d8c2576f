//! What the tests write into stores.

use bytes::Bytes;
use jiff::Timestamp;
use posta_address::{ForwardPath, Mailbox, ReversePath};
use posta_store::embedded::Settings;
use posta_store::{
    Acceptance, Account, AccountId, DirectoryChange, EmbeddedStore, Envelope, LocalDelivery, MemoryStore,
    Now, QueueEntry, QueueId, RecipientRequests, RemoteRecipient, Requests, Store, StoreError,
};
use posta_wire::ContentFacts;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// A clock that goes on by a millisecond at each look.
pub(crate) fn clock() -> Now {
    let ticks = AtomicI64::new(0);
    Arc::new(move || at(ticks.fetch_add(1, Ordering::Relaxed)))
}

/// So many milliseconds after the beginning of these tests' time.
pub(crate) fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(1_790_000_000_000 + milliseconds).unwrap()
}

/// Small volumes, nothing in the background.
pub(crate) fn settings() -> Settings {
    Settings { volume_octets: 64 * 1024, reserve_octets: 0, upkeep_interval: None, ..Settings::default() }
}

pub(crate) fn open(dir: &Path) -> EmbeddedStore {
    EmbeddedStore::open(dir, settings(), clock()).unwrap()
}

pub(crate) fn memory() -> MemoryStore {
    MemoryStore::new(clock())
}

pub(crate) fn mailbox(text: &str) -> Mailbox {
    text.parse().unwrap()
}

pub(crate) fn account(id: AccountId, address: &str) -> Account {
    Account {
        id,
        address: mailbox(address),
        name: Some("Somebody".into()),
        password_hash: None,
        apop_secret: None,
        credentials: posta_store::Credentials::default(),
        quota_octets: None,
        enabled: true,
        hold_seconds: 0,
    }
}

pub(crate) async fn add_account(store: &dyn Store, address: &str) -> AccountId {
    let id = store.new_account_id();
    store.change_directory(DirectoryChange::PutAccount(account(id, address))).await.unwrap();
    id
}

pub(crate) fn envelope(from: &str) -> Envelope {
    Envelope {
        reverse_path: ReversePath::Mailbox(mailbox(from)),
        smtputf8: false,
        facts: ContentFacts { size_octets: 7, longest_line_octets: 3, ..ContentFacts::default() },
        message_id: Some("<1@example.org>".into()),
        requests: Requests::default(),
    }
}

pub(crate) fn prefix() -> Bytes {
    Bytes::from_static(b"Return-Path: <ann@example.org>\r\n")
}

/// An acceptance for these maildrops and these mailboxes elsewhere.
pub(crate) fn acceptance(accounts: &[AccountId], remote: &[&str]) -> Acceptance {
    let delivery = |account: &AccountId| LocalDelivery::to_inbox(*account, prefix());
    let recipient = |text: &&str| RemoteRecipient {
        mailbox: mailbox(text),
        maildrop: None,
        original: ForwardPath::Mailbox(mailbox(text)),
        requests: RecipientRequests::default(),
    };
    Acceptance {
        envelope: envelope("ann@example.org"),
        accepted_at: at(5),
        deliveries: accounts.iter().map(delivery).collect(),
        remote: remote.iter().map(recipient).collect(),
        discarded: 0,
        changes: Vec::new(),
    }
}

/// A message whose octets say which it is.
pub(crate) fn letter(number: u64, octets: usize) -> Bytes {
    let line = format!("Subject: letter {number}\r\n");
    line.bytes().cycle().take(octets).collect()
}

pub(crate) async fn accept(
    store: &dyn Store,
    content: &Bytes,
    acceptance: Acceptance,
) -> Result<(QueueId, Option<QueueEntry>), StoreError> {
    let mut writer = store.receive().await?;
    let id = writer.id();
    for start in (0..content.len()).step_by(40_000) {
        writer.write(content.slice(start..content.len().min(start + 40_000))).await?;
    }
    Ok((id, writer.accept(acceptance).await?))
}

/// Reads a content whole, in pieces of this size.
pub(crate) async fn read_all(
    store: &dyn Store,
    content: &posta_store::ContentRef,
    piece: usize,
) -> Result<Vec<u8>, StoreError> {
    let mut octets = Vec::new();
    loop {
        let part = store.read(content, octets.len() as u64, piece).await?;
        if part.is_empty() {
            return Ok(octets);
        }
        octets.extend_from_slice(&part);
    }
}
