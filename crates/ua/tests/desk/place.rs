//! Where the tests happen: a store in memory, a clock that is set by hand, an outbox that only remembers.

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use posta_address::{Mailbox, ReversePath};
use posta_runtime::Clock;
use posta_store::{
    Acceptance, Account, AccountId, Alias, AliasKind, Credentials, DirectoryChange, Envelope, LocalDelivery,
    MemoryStore, QueueId, Requests, Store,
};
use posta_ua::Outside;
use posta_ua::desk::*;
use posta_ua::engine::{Engine, OneClick, Outbox, OutboxError, Parts, Submission};
use posta_wire::ContentFacts;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// A clock set by hand; each look is a millisecond later.
pub(crate) struct HandClock {
    micros: AtomicI64,
}

impl HandClock {
    pub(crate) fn set(&self, at: &str) {
        self.micros.store(at.parse::<Timestamp>().unwrap().as_microsecond(), Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Instant {
        Instant::now()
    }
    fn timestamp(&self) -> Timestamp {
        Timestamp::from_microsecond(self.micros.fetch_add(1000, Ordering::SeqCst)).unwrap()
    }
}

#[derive(Default)]
pub(crate) struct Remembering {
    pub(crate) sent: Mutex<Vec<(QueueId, Submission)>>,
    /// What was taken back, and whether that is still possible.
    pub(crate) taken_back: Mutex<Vec<QueueId>>,
    pub(crate) too_late: Mutex<bool>,
    pub(crate) clicked: Mutex<Vec<String>>,
    next: AtomicU64,
}

#[async_trait]
impl Outbox for Remembering {
    async fn submit(&self, _: AccountId, submission: Submission) -> Result<QueueId, OutboxError> {
        if submission.recipients.iter().any(|to| to.local_part().as_str() == "refused") {
            return Err(OutboxError::Refused("refused@ is refused".into()));
        }
        let id = QueueId(self.next.fetch_add(1, Ordering::SeqCst) + 1);
        self.sent.lock().unwrap().push((id, submission));
        Ok(id)
    }
    async fn take_back(&self, _: AccountId, id: QueueId) -> Result<bool, OutboxError> {
        self.taken_back.lock().unwrap().push(id);
        Ok(!*self.too_late.lock().unwrap())
    }
}

#[async_trait]
impl OneClick for Remembering {
    async fn post(&self, address: &str) -> Result<(), String> {
        self.clicked.lock().unwrap().push(address.to_owned());
        Ok(())
    }
}

pub(crate) struct Place {
    pub(crate) store: MemoryStore,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) out: Arc<Remembering>,
    pub(crate) account: AccountId,
    pub(crate) engine: Engine,
    pub(crate) desk: Arc<dyn Desk>,
    pub(crate) dir: tempfile::TempDir,
}

pub(crate) const ADA: &str = "ada@north.example";

impl Place {
    pub(crate) async fn new() -> Place {
        let clock = Arc::new(HandClock { micros: AtomicI64::new(0) });
        clock.set("2026-11-23T12:00:00Z");
        let ticking = clock.clone();
        let store = MemoryStore::new(Arc::new(move || ticking.timestamp()));
        let account = add_account(&store, ADA, "Ada Löv").await;
        let alias = Alias {
            address: "info@north.example".parse().unwrap(),
            kind: AliasKind::Alias,
            name: None,
            members: vec![ADA.parse().unwrap()],
            owner: None,
        };
        store.change_directory(DirectoryChange::PutAlias(alias)).await.unwrap();
        let out = Arc::new(Remembering::default());
        let dir = tempfile::tempdir().unwrap();
        let engine = engine(&store, &clock, &out, dir.path());
        let desk = engine.desk(&ADA.parse().unwrap()).await.unwrap();
        Place { store, clock, out, account, engine, desk, dir }
    }

    /// Delivers a message from outside.
    pub(crate) async fn deliver(&self, from: &str, raw: &str) -> MessageKey {
        let octets = Bytes::from(raw.replace('\n', "\r\n"));
        let mut writer = self.store.receive().await.unwrap();
        let id = writer.id();
        writer.write(octets.clone()).await.unwrap();
        let prefix = Bytes::from(format!("Return-Path: <{from}>\r\n"));
        let reverse_path = if from.is_empty() {
            ReversePath::Null
        } else {
            ReversePath::Mailbox(from.parse::<Mailbox>().unwrap())
        };
        let acceptance = Acceptance {
            envelope: Envelope {
                reverse_path,
                smtputf8: false,
                facts: ContentFacts::of(&octets).0,
                message_id: None,
                requests: Requests::default(),
            },
            accepted_at: self.clock.timestamp(),
            deliveries: vec![LocalDelivery::to_inbox(self.account, prefix)],
            remote: vec![],
            discarded: 0,
            changes: vec![],
        };
        writer.accept(acceptance).await.unwrap();
        MessageKey::new(id.to_string())
    }

    /// A short message.
    pub(crate) async fn letter(&self, from: &str, subject: &str, fields: &str, body: &str) -> MessageKey {
        let raw = format!("From: {from}\nTo: Ada <{ADA}>\nSubject: {subject}\n{fields}\n{body}\n");
        self.deliver(from.rsplit(['<', ' ']).next().unwrap().trim_end_matches('>'), &raw).await
    }

    /// Subjects of the conversations in a folder that fit.
    pub(crate) async fn subjects(&self, folder: Option<&str>, search: &str) -> Vec<String> {
        let query = ConversationQuery {
            folder: folder.map(FolderKey::new),
            search: search.into(),
            ..Default::default()
        };
        self.desk.conversations(&query).await.unwrap().rows.into_iter().map(|row| row.subject).collect()
    }

    /// Subjects and folders of single messages that fit.
    pub(crate) async fn found(&self, search: &str) -> Vec<String> {
        let query = ConversationQuery { search: search.into(), ..Default::default() };
        self.desk.messages(&query).await.unwrap().rows.into_iter().map(|row| row.subject).collect()
    }

    pub(crate) async fn row(&self, key: &MessageKey) -> MessageRow {
        self.desk.message(key, &ReadOptions::default()).await.unwrap().row
    }
}

pub(crate) fn engine(
    store: &MemoryStore,
    clock: &Arc<HandClock>,
    out: &Arc<Remembering>,
    dir: &std::path::Path,
) -> Engine {
    Engine::new(Parts {
        store: Arc::new(store.clone()),
        folder: dir.to_owned(),
        outside: Outside { clock: clock.clone(), ..Outside::system() },
        outbox: out.clone(),
        one_click: Some(out.clone()),
    })
}

async fn add_account(store: &MemoryStore, address: &str, name: &str) -> AccountId {
    let id = store.new_account_id();
    let account = Account {
        id,
        address: address.parse().unwrap(),
        name: Some(name.into()),
        password_hash: None,
        apop_secret: None,
        credentials: Credentials::default(),
        quota_octets: None,
        enabled: true,
        hold_seconds: 0,
    };
    store.change_directory(DirectoryChange::PutAccount(account)).await.unwrap();
    id
}

pub(crate) fn person(address: &str) -> Person {
    Person::new("", address)
}

/// An own draft, saved and sent without delay.
pub(crate) async fn send(place: &Place, draft: &Draft) -> Sent {
    let saved = place.desk.save_draft(draft).await.unwrap();
    place.desk.send(&saved.key, &SendOptions { undo_secs: Some(0), ..Default::default() }).await.unwrap()
}
