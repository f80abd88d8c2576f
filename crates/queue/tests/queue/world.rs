//! A small world for the queue: virtual time, a zone, hosts that behave as a text says.

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use posta_address::{Domain, ForwardPath, Mailbox, ReversePath};
use posta_dns::ZoneResolver;
use posta_journal::{Event, Fate, Journal};
use posta_queue::{InjectError, Parts, Queue, Reinjection, Settings};
use posta_runtime::{Clock, Entropy, Network, Stream};
use posta_smtp::{Command, RecipientParameters, SyntaxQuirks};
use posta_store::{
    Acceptance, Envelope, MemoryStore, QueueChange, QueueEntry, QueueId, RecipientRequests, RemoteRecipient,
    Requests, Store, Tally,
};
use posta_wire::ContentFacts;
use std::{
    collections::{BTreeMap, HashMap},
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

/// When everything begins.
const BEGINNING: &str = "2026-11-23T12:00:00Z";

/// Follows tokio's (paused) clock.
pub(crate) struct VirtualClock {
    start: tokio::time::Instant,
}

impl Clock for VirtualClock {
    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
    fn timestamp(&self) -> Timestamp {
        let beginning: Timestamp = BEGINNING.parse().unwrap();
        beginning + (tokio::time::Instant::now() - self.start)
    }
}

/// Counts; tests must not depend on luck.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Entropy for Counter {
    fn fill(&self, buffer: &mut [u8]) {
        let value = self.0.fetch_add(1, Ordering::Relaxed).to_le_bytes();
        buffer.iter_mut().zip(value.iter().cycle()).for_each(|(octet, value)| *octet = *value);
    }
}

/// A host that behaves as its rules say.
///
/// A rule is a line `when: reply | reply | …`: the first time the first reply, then the next, and so
/// on; the last one stays. `when` is `greeting`, a command's beginning, or `content`. A reply is text
/// (`\n` between lines), or `close` (the connection breaks), `silence` (nothing comes), and may end
/// with `; close`. What has no rule gets the usual positive reply.
pub(crate) struct FakeHost {
    rules: Mutex<BTreeMap<String, Vec<String>>>,
    pub(crate) log: Mutex<Vec<String>>,
    pub(crate) contents: Mutex<Vec<String>>,
    pub(crate) connections: AtomicU64,
}

const EHLO: &str = "250-mx\\n250-PIPELINING\\n250-8BITMIME\\n250-SMTPUTF8\\n250 SIZE 100000";

impl FakeHost {
    pub(crate) fn new(rules: &str) -> Arc<Self> {
        let mut parsed = BTreeMap::new();
        for line in rules.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (when, replies) = line.split_once(": ").unwrap_or_else(|| panic!("no rule: {line}"));
            let replies = replies.split(" | ").map(|reply| reply.trim().to_owned()).collect();
            parsed.insert(when.to_owned(), replies);
        }
        Arc::new(FakeHost {
            rules: Mutex::new(parsed),
            log: Mutex::default(),
            contents: Mutex::default(),
            connections: AtomicU64::new(0),
        })
    }

    fn reply(&self, said: &str, usual: &str) -> String {
        let mut rules = self.rules.lock().unwrap();
        // The longest beginning fits best.
        let rule = rules.iter_mut().rev().find(|(when, _)| said.starts_with(when.as_str()));
        match rule {
            Some((_, replies)) if replies.len() > 1 => replies.remove(0),
            Some((_, replies)) => replies[0].clone(),
            None => usual.to_owned(),
        }
    }

    fn note(&self, number: u64, line: &str) {
        self.log.lock().unwrap().push(format!("{number} {line}"));
    }

    /// Sends a reply; `Err` when the connection is to end.
    async fn say(&self, stream: &mut BufReader<impl Stream>, reply: &str) -> io::Result<()> {
        let (text, closes) = match reply.strip_suffix("; close") {
            Some(text) => (text.trim(), true),
            None => (reply, reply == "close"),
        };
        match text {
            "close" => {}
            "silence" => std::future::pending().await,
            text => {
                let wire = text.replace("\\n", "\r\n") + "\r\n";
                stream.write_all(wire.as_bytes()).await?;
            }
        }
        if closes { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }

    pub(crate) async fn serve(self: Arc<Self>, stream: impl Stream) -> io::Result<()> {
        let number = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
        let mut stream = BufReader::new(stream);
        self.say(&mut stream, &self.reply("greeting", "220 mx")).await?;
        let mut recipients = 0;
        let mut chunks = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                self.note(number, "(closed)");
                return Ok(());
            }
            let line = line.trim_end();
            self.note(number, line);
            if line.starts_with("BDAT") {
                self.take_chunk(number, line, &mut stream, &mut chunks).await?;
                continue;
            }
            let usual = match line.split([' ', ':']).next().unwrap_or("") {
                "EHLO" => EHLO,
                "MAIL" => {
                    recipients = 0;
                    "250 ok"
                }
                "DATA" if recipients == 0 => "554 no valid recipients",
                "DATA" => "354 go on",
                "QUIT" => "221 bye; close",
                _ => "250 ok",
            };
            let reply = self.reply(line, usual);
            if line.starts_with("RCPT") && reply.starts_with('2') {
                recipients += 1;
            }
            self.say(&mut stream, &reply).await?;
            if reply.starts_with("354") {
                self.take_content(number, &mut stream).await?;
            }
        }
    }

    async fn take_chunk(
        &self,
        number: u64,
        line: &str,
        stream: &mut BufReader<impl Stream>,
        chunks: &mut Vec<u8>,
    ) -> io::Result<()> {
        let octets = line.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("octets");
        let mut chunk = vec![0; octets];
        stream.read_exact(&mut chunk).await?;
        chunks.extend_from_slice(&chunk);
        let reply = self.reply(line, "250 ok");
        if !line.ends_with(" LAST") || !reply.starts_with('2') {
            return self.say(stream, &reply).await;
        }
        self.note(number, "(content)");
        let content = String::from_utf8_lossy(&std::mem::take(chunks)).into_owned();
        self.contents.lock().unwrap().push(content);
        self.say(stream, &self.reply("content", "250 2.0.0 queued")).await
    }

    async fn take_content(&self, number: u64, stream: &mut BufReader<impl Stream>) -> io::Result<()> {
        let cut = self.reply("cut", "");
        let mut content = String::new();
        loop {
            let mut line = Vec::new();
            if stream.read_until(b'\n', &mut line).await? == 0 {
                self.note(number, "(closed in the content)");
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let line = String::from_utf8_lossy(&line);
            if line == ".\r\n" {
                break;
            }
            content.push_str(line.strip_prefix('.').unwrap_or(&line));
            if cut == "close" {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
        }
        self.note(number, "(content)");
        self.contents.lock().unwrap().push(content);
        self.say(stream, &self.reply("content", "250 2.0.0 queued")).await
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn contents(&self) -> Vec<String> {
        self.contents.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }
}

/// Knows the hosts by their addresses; `None` is one that never answers, others refuse.
#[derive(Default)]
pub(crate) struct FakeNetwork {
    pub(crate) hosts: Mutex<HashMap<SocketAddr, Option<Arc<FakeHost>>>>,
    pub(crate) attempts: Mutex<Vec<SocketAddr>>,
}

#[async_trait]
impl Network for FakeNetwork {
    async fn connect(&self, remote: SocketAddr) -> io::Result<Box<dyn Stream>> {
        self.attempts.lock().unwrap().push(remote);
        let host = self.hosts.lock().unwrap().get(&remote).cloned();
        match host {
            Some(Some(host)) => {
                let (ours, theirs) = tokio::io::duplex(64 * 1024);
                tokio::spawn(host.serve(theirs));
                Ok(Box::new(ours))
            }
            Some(None) => std::future::pending().await,
            None => Err(io::ErrorKind::ConnectionRefused.into()),
        }
    }
}

/// Takes reports in as the server would: into the queue, or straight into the world's hands.
pub(crate) struct TestReinjection {
    store: MemoryStore,
    clock: Arc<VirtualClock>,
    /// `to` and text of what was taken in, with `REQUIRETLS` on top where that was asked for.
    pub(crate) reports: Mutex<Vec<(Mailbox, String)>>,
    /// Addresses that do not exist.
    pub(crate) refused: Mutex<Vec<Mailbox>>,
    /// The store fails so many times.
    pub(crate) failures: AtomicU64,
}

#[async_trait]
impl Reinjection for TestReinjection {
    async fn inject(
        &self,
        to: &Mailbox,
        message: Bytes,
        reported: Vec<(QueueId, QueueChange)>,
        require_tls: bool,
    ) -> Result<QueueId, InjectError> {
        if self.refused.lock().unwrap().contains(to) {
            return Err(InjectError::Refused("no such mailbox".to_owned()));
        }
        let take_one = |left: u64| left.checked_sub(1);
        if self.failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take_one).is_ok() {
            return Err(InjectError::Failed("disk full".to_owned()));
        }
        let fail = |error: posta_store::StoreError| InjectError::Failed(error.to_string());
        let writer = self.store.receive().await.map_err(fail)?;
        let id = writer.id();
        let text = String::from_utf8(message.to_vec()).unwrap();
        let text = if require_tls { format!("REQUIRETLS\r\n{text}") } else { text };
        self.reports.lock().unwrap().push((to.clone(), text));
        // Here a report is only looked at; for the store it is a message that a rule drops.
        let acceptance = Acceptance {
            envelope: envelope(ReversePath::Null, &message),
            accepted_at: self.clock.timestamp(),
            deliveries: Vec::new(),
            remote: Vec::new(),
            discarded: 1,
            changes: reported,
        };
        writer.accept(acceptance).await.map_err(fail)?;
        Ok(id)
    }
}

fn envelope(reverse_path: ReversePath, content: &[u8]) -> Envelope {
    let facts = ContentFacts {
        size_octets: content.len() as u64,
        has_8bit: !content.is_ascii(),
        has_8bit_headers: false,
        has_leading_dot: content.windows(3).any(|octets| octets == b"\r\n."),
        is_binary: ContentFacts::of(content).0.is_binary,
        longest_line_octets: 80,
        received_fields: 1,
    };
    Envelope {
        reverse_path,
        smtputf8: false,
        facts,
        message_id: Some("<letter@north.example>".to_owned()),
        requests: Requests::default(),
    }
}

/// Everything together.
pub(crate) struct World {
    pub(crate) clock: Arc<VirtualClock>,
    pub(crate) store: MemoryStore,
    pub(crate) resolver: Arc<ZoneResolver>,
    pub(crate) network: Arc<FakeNetwork>,
    pub(crate) journal: Journal,
    pub(crate) reinjection: Arc<TestReinjection>,
    pub(crate) queue: Queue,
}

/// A recipient, perhaps with parameters of RCPT behind it.
fn asked(text: &str) -> (&str, RecipientRequests) {
    let Some((mailbox, _)) = text.split_once(' ') else { return (text, RecipientRequests::default()) };
    let line = format!("RCPT TO:<{}", text.replacen(' ', "> ", 1));
    match Command::parse(line.as_bytes(), &SyntaxQuirks::NONE) {
        Ok(Command::Rcpt { parameters: RecipientParameters { notify, original }, .. }) => {
            (mailbox, RecipientRequests { notify, original })
        }
        other => panic!("{text}: {other:?}"),
    }
}

pub(crate) fn mailbox(text: &str) -> Mailbox {
    text.parse().unwrap_or_else(|_| panic!("{text} is no mailbox"))
}

/// North's own settings.
pub(crate) fn settings() -> Settings {
    Settings::new(Domain::parse("north.example").unwrap())
}

pub(crate) const LETTER: &str = "Received: from pen by north.example; Mon, 23 Nov 2026 12:00:00 +0000\r\n\
    From: Alice <alice@north.example>\r\nTo: bob@south.example\r\nSubject: Tea\r\n\
    Message-ID: <letter@north.example>\r\n\r\nDear Bob,\r\n.come to tea.\r\n";

impl World {
    /// A world with this zone, and hosts by `address:port`.
    pub(crate) async fn new(zone: &str, hosts: &[(&str, Arc<FakeHost>)], settings: Settings) -> Self {
        let clock = Arc::new(VirtualClock { start: tokio::time::Instant::now() });
        let now = clock.clone();
        let store = MemoryStore::new(Arc::new(move || now.timestamp()));
        Self::with_store(zone, hosts, settings, clock, store).await
    }

    /// The same over what an earlier one left in its store.
    pub(crate) async fn with_store(
        zone: &str,
        hosts: &[(&str, Arc<FakeHost>)],
        settings: Settings,
        clock: Arc<VirtualClock>,
        store: MemoryStore,
    ) -> Self {
        let zone: String =
            zone.lines().map(|line| line.strip_prefix("    ").unwrap_or(line).to_owned() + "\n").collect();
        let resolver = Arc::new(ZoneResolver::parse(&zone).expect("the zone is well-formed"));
        let network = Arc::new(FakeNetwork::default());
        for (address, host) in hosts {
            network.hosts.lock().unwrap().insert(address.parse().unwrap(), Some(host.clone()));
        }
        let now = clock.clone();
        let journal = Journal::memory(Arc::new(move || now.timestamp()));
        let reinjection = Arc::new(TestReinjection {
            store: store.clone(),
            clock: clock.clone(),
            reports: Mutex::default(),
            refused: Mutex::default(),
            failures: AtomicU64::new(0),
        });
        let parts = Parts {
            store: Arc::new(store.clone()),
            resolver: resolver.clone(),
            network: network.clone(),
            clock: clock.clone(),
            entropy: Arc::new(Counter::default()),
            journal: journal.clone(),
            reinjection: reinjection.clone(),
            transcripts: None,
            settings,
        };
        let queue = Queue::start(parts).await.expect("the queue starts");
        World { clock, store, resolver, network, journal, reinjection, queue }
    }

    /// One host at mx.south.example that takes mail for south.example.
    pub(crate) async fn south(rules: &str) -> (Self, Arc<FakeHost>) {
        let host = FakeHost::new(rules);
        let zone = "south.example. 60 IN MX 10 mx.south.example.\nmx.south.example. 60 IN A 10.0.0.1";
        let world = World::new(zone, &[("10.0.0.1:25", host.clone())], settings()).await;
        (world, host)
    }

    /// Accepts a message as the server would.
    pub(crate) async fn accept(
        &self,
        from: &str,
        to: &[&str],
        content: &str,
        change: impl FnOnce(&mut Envelope),
    ) -> QueueEntry {
        let mut writer = self.store.receive().await.unwrap();
        writer.write(Bytes::copy_from_slice(content.as_bytes())).await.unwrap();
        let reverse_path: ReversePath = format!("<{from}>").parse().unwrap();
        let mut envelope = envelope(reverse_path, content.as_bytes());
        change(&mut envelope);
        let remote = |to: &&str| {
            let (to, requests) = asked(to);
            RemoteRecipient {
                mailbox: mailbox(to),
                maildrop: None,
                original: ForwardPath::Mailbox(mailbox(to)),
                requests,
            }
        };
        let acceptance = Acceptance {
            envelope,
            accepted_at: self.clock.timestamp(),
            deliveries: Vec::new(),
            remote: to.iter().map(remote).collect(),
            discarded: 0,
            changes: Vec::new(),
        };
        writer.accept(acceptance).await.unwrap().expect("it has remote recipients")
    }

    /// Accepts the letter and hands it to the queue.
    pub(crate) async fn send(&self, from: &str, to: &[&str]) -> QueueId {
        let entry = self.accept(from, to, LETTER, |_| {}).await;
        let id = entry.id;
        self.queue.submit(entry);
        id
    }

    /// What time it is for the queue.
    pub(crate) fn queue_time(&self) -> Timestamp {
        self.clock.timestamp()
    }

    /// Lets time pass.
    pub(crate) async fn wait(&self, time: Duration) {
        tokio::time::sleep(time).await;
        self.queue.flush().await;
    }

    /// Lets time pass until the queue is empty; at most a week.
    pub(crate) async fn settle(&self) {
        for _ in 0..7 * 24 * 60 {
            if self.queue.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        self.queue.flush().await;
        assert!(self.queue.is_empty(), "still in the queue after a week: {:#?}", self.store.queue().await);
        assert_eq!(self.store.queue().await.unwrap(), [], "the store's queue is not empty");
        self.audit().await;
    }

    /// Every accepted message-recipient has its fate.
    pub(crate) async fn audit(&self) -> Tally {
        let tally = self.store.tally().await.unwrap();
        let fates = tally.delivered + tally.relayed + tally.bounced + tally.discarded + tally.queued;
        assert_eq!(tally.accepted, fates, "{tally:?}");
        tally
    }

    /// The outcomes in the journal: `+minutes recipient fate host: words`.
    pub(crate) fn outcomes(&self) -> Vec<String> {
        let beginning: Timestamp = BEGINNING.parse().unwrap();
        let describe = |record: posta_journal::Record| {
            let Event::Outcome { to, fate, host, detail, .. } = record.event else { return None };
            let minutes = record.at.duration_since(beginning).as_mins();
            let fate = match fate {
                Fate::Delivered => "delivered",
                Fate::Relayed => "relayed",
                Fate::Bounced => "bounced",
                Fate::Discarded => "discarded",
                Fate::Deferred => "deferred",
            };
            let host = host.map(|host| format!(" {host}")).unwrap_or_default();
            Some(format!("+{minutes} {to} {fate}{host}: {detail}"))
        };
        self.journal.records().into_iter().filter_map(describe).collect()
    }

    /// The routes in the journal.
    pub(crate) fn routes(&self) -> Vec<(Vec<String>, Vec<String>)> {
        let pick = |record: posta_journal::Record| match record.event {
            Event::Routed { steps, hosts, .. } => Some((steps, hosts)),
            _ => None,
        };
        self.journal.records().into_iter().filter_map(pick).collect()
    }

    pub(crate) fn reports(&self) -> Vec<(String, String)> {
        let reports = self.reinjection.reports.lock().unwrap();
        reports.iter().map(|(to, text)| (to.to_string(), text.clone())).collect()
    }

    pub(crate) fn attempts(&self) -> Vec<String> {
        self.network.attempts.lock().unwrap().iter().map(SocketAddr::to_string).collect()
    }
}
