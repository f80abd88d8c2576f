//! Who has the message at any moment: 250 means us, anything else means the peer.

mod fixture;

use async_trait::async_trait;
use bytes::Bytes;
use fixture::{config, mailbox};
use posta_address::{Domain, Mailbox};
use posta_journal::{Event, Journal};
use posta_runtime::SystemClock;
use posta_server::{Running, Server, World, config::Protocol};
use posta_store::{
    Acceptance, Account, AccountId, Alias, Changes, ContentRef, ContentWriter, DirectoryChange, DocumentName,
    DomainSettings, Filing, Folder, FolderId, MailboxChange, MailboxSelection, MaildropMessage,
    MaildropSnapshot, MemoryStore, QueueChange, QueueEntry, QueueId, Store, StoreError, Tally, Usage,
};
use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    sync::{Semaphore, mpsc},
};

/// A store whose commits wait until they are let through, and say that they wait.
struct Gated {
    inner: MemoryStore,
    gate: Arc<Semaphore>,
    waiting: mpsc::UnboundedSender<()>,
}

struct GatedWriter {
    inner: Box<dyn ContentWriter>,
    gate: Arc<Semaphore>,
    waiting: mpsc::UnboundedSender<()>,
}

#[async_trait]
impl ContentWriter for GatedWriter {
    fn id(&self) -> QueueId {
        self.inner.id()
    }
    async fn write(&mut self, octets: Bytes) -> Result<(), StoreError> {
        self.inner.write(octets).await
    }
    async fn accept(self: Box<Self>, acceptance: Acceptance) -> Result<Option<QueueEntry>, StoreError> {
        self.waiting.send(()).expect("the test listens");
        self.gate.acquire().await.expect("open").forget();
        self.inner.accept(acceptance).await
    }
    async fn file(self: Box<Self>, filing: Filing) -> Result<(), StoreError> {
        self.inner.file(filing).await
    }
}

#[async_trait]
impl Store for Gated {
    async fn receive(&self) -> Result<Box<dyn ContentWriter>, StoreError> {
        let inner = self.inner.receive().await?;
        Ok(Box::new(GatedWriter { inner, gate: self.gate.clone(), waiting: self.waiting.clone() }))
    }
    async fn domain(&self, domain: &Domain) -> Result<Option<DomainSettings>, StoreError> {
        self.inner.domain(domain).await
    }
    async fn account(&self, address: &Mailbox) -> Result<Option<Account>, StoreError> {
        self.inner.account(address).await
    }
    async fn alias(&self, address: &Mailbox) -> Result<Option<Alias>, StoreError> {
        self.inner.alias(address).await
    }
    async fn domains(&self) -> Result<Vec<DomainSettings>, StoreError> {
        self.inner.domains().await
    }
    async fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        self.inner.accounts().await
    }
    async fn has_apop_accounts(&self) -> Result<bool, StoreError> {
        self.inner.has_apop_accounts().await
    }
    async fn aliases(&self) -> Result<Vec<Alias>, StoreError> {
        self.inner.aliases().await
    }
    async fn change_directory(&self, change: DirectoryChange) -> Result<(), StoreError> {
        self.inner.change_directory(change).await
    }
    fn new_account_id(&self) -> AccountId {
        self.inner.new_account_id()
    }
    async fn read(&self, content: &ContentRef, offset: u64, length: usize) -> Result<Bytes, StoreError> {
        self.inner.read(content, offset, length).await
    }
    async fn mailbox(
        &self,
        account: AccountId,
        selection: MailboxSelection,
    ) -> Result<MaildropSnapshot, StoreError> {
        self.inner.mailbox(account, selection).await
    }
    async fn message(&self, account: AccountId, id: QueueId) -> Result<Option<MaildropMessage>, StoreError> {
        self.inner.message(account, id).await
    }
    async fn folders(&self, account: AccountId) -> Result<Vec<Folder>, StoreError> {
        self.inner.folders(account).await
    }
    async fn new_folder_id(&self, account: AccountId) -> Result<FolderId, StoreError> {
        self.inner.new_folder_id(account).await
    }
    async fn change_mailbox(
        &self,
        account: AccountId,
        changes: Vec<MailboxChange>,
    ) -> Result<(), StoreError> {
        self.inner.change_mailbox(account, changes).await
    }
    async fn document(&self, account: AccountId, name: &DocumentName) -> Result<Option<Bytes>, StoreError> {
        self.inner.document(account, name).await
    }
    async fn documents(
        &self,
        account: AccountId,
        prefix: &str,
    ) -> Result<Vec<(DocumentName, Bytes)>, StoreError> {
        self.inner.documents(account, prefix).await
    }
    async fn changes_since(&self, account: AccountId, change: u64) -> Result<Changes, StoreError> {
        self.inner.changes_since(account, change).await
    }
    fn subscribe(&self) -> tokio::sync::broadcast::Receiver<AccountId> {
        self.inner.subscribe()
    }
    async fn usage(&self, account: AccountId) -> Result<Usage, StoreError> {
        self.inner.usage(account).await
    }
    async fn remove_messages(&self, account: AccountId, messages: &[QueueId]) -> Result<(), StoreError> {
        self.inner.remove_messages(account, messages).await
    }
    async fn queue(&self) -> Result<Vec<QueueEntry>, StoreError> {
        self.inner.queue().await
    }
    async fn queue_entry(&self, id: QueueId) -> Result<Option<QueueEntry>, StoreError> {
        self.inner.queue_entry(id).await
    }
    async fn change_queue(&self, changes: Vec<(QueueId, QueueChange)>) -> Result<(), StoreError> {
        self.inner.change_queue(changes).await
    }
    async fn tally(&self) -> Result<Tally, StoreError> {
        self.inner.tally().await
    }
}

struct Peer(BufReader<TcpStream>);

impl Peer {
    async fn connect(server: &Running) -> Self {
        let address = server.address(Protocol::Smtp).expect("listens");
        let mut peer = Peer(BufReader::new(TcpStream::connect(address).await.expect("connected")));
        assert!(peer.reply().await.starts_with("220 "));
        peer
    }

    async fn say(&mut self, line: &str) {
        self.0.write_all(format!("{line}\r\n").as_bytes()).await.expect("written");
    }

    async fn reply(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).await.expect("read") > 0, "closed");
            if line.as_bytes().get(3) == Some(&b' ') {
                return line;
            }
        }
    }

    async fn ask(&mut self, line: &str) -> String {
        self.say(line).await;
        self.reply().await
    }

    /// Up to the text of a message; its end is not told.
    async fn begin(&mut self, to: &str) {
        for (command, expected) in [
            ("EHLO client.example", "250"),
            ("MAIL FROM:<ann@client.example>", "250"),
            (&format!("RCPT TO:<{to}>"), "250"),
            ("DATA", "354"),
        ] {
            let reply = self.ask(command).await;
            assert!(reply.starts_with(expected), "{command}: {reply}");
        }
        self.say("Message-ID: <1@client.example>\r\n\r\ntext").await;
    }
}

async fn start(store: Arc<dyn Store>) -> Running {
    let world = World {
        resolver: Some(Arc::new(fixture::Silence::default())),
        journal: Some(Journal::memory(Arc::new(jiff::Timestamp::now))),
        store: Some(store),
        clock: Arc::new(SystemClock),
        log_events: false,
        ..World::default()
    };
    Server::start(config(), world).await.expect("starts")
}

async fn memory() -> MemoryStore {
    let store = MemoryStore::new(Arc::new(jiff::Timestamp::now));
    fixture::fill(&store).await;
    store
}

async fn messages_of(server: &Running, address: &str) -> usize {
    let account = server.store().account(&mailbox(address)).await.expect("looked up").expect("exists");
    server.store().maildrop(account.id).await.expect("opened").messages.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_hears_250_before_the_commit() {
    let (waiting, mut waits) = mpsc::unbounded_channel();
    let gate = Arc::new(Semaphore::new(0));
    let store = Gated { inner: memory().await, gate: gate.clone(), waiting };
    let server = start(Arc::new(store)).await;
    let mut peer = Peer::connect(&server).await;
    peer.begin("bob@north.example").await;
    peer.say(".").await;
    waits.recv().await.expect("the commit has come");
    // The server has all it needs but the commit; whatever it would say now would be a lie.
    let mut octet = [0];
    for _ in 0..100 {
        tokio::task::yield_now().await;
        let said = peer.0.get_ref().try_read(&mut octet);
        assert!(said.is_err(), "the server said something before the commit");
    }
    gate.add_permits(1);
    assert!(peer.reply().await.starts_with("250 2.6.0 "));
    assert_eq!(messages_of(&server, "bob@north.example").await, 1);
    server.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_and_a_person_are_two_messages_under_one_250() {
    let (waiting, mut waits) = mpsc::unbounded_channel();
    let gate = Arc::new(Semaphore::new(0));
    let store = Gated { inner: memory().await, gate: gate.clone(), waiting };
    let server = start(Arc::new(store)).await;
    let mut peer = Peer::connect(&server).await;
    assert!(peer.ask("EHLO client.example").await.starts_with("250"));
    assert!(peer.ask("MAIL FROM:<ann@client.example>").await.starts_with("250"));
    assert!(peer.ask("RCPT TO:<friends@north.example>").await.starts_with("250"));
    assert!(peer.ask("RCPT TO:<alice@north.example>").await.starts_with("250"));
    assert!(peer.ask("DATA").await.starts_with("354"));
    peer.say("text\r\n.").await;
    waits.recv().await.expect("the first commit");
    gate.add_permits(1);
    waits.recv().await.expect("the second commit");
    let mut octet = [0];
    assert!(peer.0.get_ref().try_read(&mut octet).is_err(), "the second is not committed yet");
    gate.add_permits(1);
    assert!(peer.reply().await.starts_with("250 2.6.0 "));
    let entries = server.store().queue().await.expect("listed");
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].envelope.reverse_path.to_string(), "<friends-owner@north.example>");
    server.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_store_does_not_take_stays_with_the_peer() {
    let store = memory().await;
    let server = start(Arc::new(store.clone())).await;
    let mut peer = Peer::connect(&server).await;
    peer.begin("bob@north.example").await;
    store.set_failure(Some("the disk broke".into()));
    let reply = peer.ask(".").await;
    assert!(reply.starts_with("451 4.3.0 "), "{reply}");
    // While it lasts nothing is promised either.
    assert!(peer.ask("MAIL FROM:<ann@client.example>").await.starts_with("250"));
    let reply = peer.ask("RCPT TO:<bob@north.example>").await;
    assert!(reply.starts_with("4") || reply.starts_with("250"), "{reply}");
    assert!(!peer.ask("DATA").await.starts_with("354"));
    store.set_failure(None);
    assert!(peer.ask("RSET").await.starts_with("250"));
    assert_eq!(messages_of(&server, "bob@north.example").await, 0);
    peer.begin("bob@north.example").await;
    assert!(peer.ask(".").await.starts_with("250 2.6.0 "));
    assert_eq!(messages_of(&server, "bob@north.example").await, 1);

    let refused: Vec<(String, String)> = server
        .journal()
        .records()
        .into_iter()
        .filter_map(|record| match record.event {
            Event::Refused { stage, reason, message_id: Some(_), .. } => Some((stage, reason)),
            _ => None,
        })
        .collect();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(refused[0].0, "end-of-data");
    assert!(refused[0].1.contains("the disk broke"));
    server.shutdown(Duration::from_secs(5)).await;
}
