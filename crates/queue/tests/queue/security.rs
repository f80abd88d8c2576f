//! TLS to other hosts over real sockets: what is used, what is fallen back from, what is deferred.

use crate::world::settings;
use async_trait::async_trait;
use bytes::Bytes;
use posta_address::{Domain, ForwardPath, Mailbox};
use posta_dns::{DnsResolver, Zone, ZoneServer};
use posta_journal::{Event, Fate, Journal};
use posta_queue::{InjectError, Parts, Queue, Reinjection, TlsLevel, TlsPolicy};
use posta_runtime::{
    Handler, OsEntropy, SystemClock, TcpNetwork, drive,
    tls::{Acceptor, Authority, Identity, TlsEnd, Trust},
};
use posta_smtp::{Reply, replies, server};
use posta_store::{
    Acceptance, Envelope, MemoryStore, QueueChange, QueueEntry, QueueId, RemoteRecipient, Store, TlsRequest,
};
use posta_wire::ReturnedPart;
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{net::TcpListener, sync::watch};

/// What a host is like just now.
#[derive(Clone)]
struct Manner {
    offers: bool,
    tls: Option<TlsEnd>,
}

/// A host with our own server's session; notes for each message whether it came inside TLS.
struct SecureHost {
    manner: Mutex<Manner>,
    messages: Mutex<Vec<bool>>,
    /// What MAIL said of each.
    mails: Mutex<Vec<server::MailParameters>>,
    /// REQUIRETLS is offered.
    requires: AtomicBool,
    /// Connections that are open.
    open: watch::Sender<usize>,
}

struct Receiver {
    host: Arc<SecureHost>,
    secured: bool,
}

#[async_trait]
impl Handler<server::Session> for Receiver {
    async fn answer(&mut self, question: server::Question) -> server::Answer {
        use server::Question;
        server::Answer::Reply(match question {
            Question::Greeting => Reply::new(220, None, "mx.south.example"),
            Question::Hello(_) => Reply::new(250, None, "mx.south.example"),
            Question::Mail { parameters, .. } => {
                self.host.mails.lock().unwrap().push(*parameters);
                replies::SENDER_OK.reply()
            }
            Question::Recipient { .. } => replies::RECIPIENT_OK.reply(),
            Question::Data => replies::START_CONTENT.reply(),
            _ => {
                self.host.messages.lock().unwrap().push(self.secured);
                replies::MESSAGE_ACCEPTED.reply()
            }
        })
    }

    async fn event(&mut self, event: server::Event) {
        self.secured |= matches!(event, server::Event::Secured(_));
    }
}

async fn listen(host: Arc<SecureHost>) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let host = host.clone();
            host.open.send_modify(|count| *count += 1);
            tokio::spawn(async move {
                let manner = host.manner.lock().unwrap().clone();
                let mut settings = server::Settings::new(Domain::parse("mx.south.example").unwrap());
                settings.extensions.starttls = manner.offers;
                settings.extensions.require_tls = host.requires.load(Ordering::Relaxed);
                let mut session = server::Session::new(Arc::new(settings), Instant::now());
                let mut receiver = Receiver { host: host.clone(), secured: false };
                let (_running, shutdown) = watch::channel(false);
                let tls = manner.tls.as_ref();
                drive(&mut session, &mut receiver, &mut stream, tls, &SystemClock, None, shutdown).await;
                host.open.send_modify(|count| *count -= 1);
            });
        }
    });
    address
}

/// Reports, with whether they may leave TLS.
struct Reports {
    store: MemoryStore,
    taken: Mutex<Vec<(bool, String)>>,
}

#[async_trait]
impl Reinjection for Reports {
    async fn inject(
        &self,
        _to: &Mailbox,
        message: Bytes,
        reported: Vec<(QueueId, QueueChange)>,
        require_tls: bool,
    ) -> Result<QueueId, InjectError> {
        self.taken.lock().unwrap().push((require_tls, String::from_utf8_lossy(&message).into_owned()));
        let id = reported[0].0;
        self.store.change_queue(reported).await.map_err(|error| InjectError::Failed(error.to_string()))?;
        Ok(id)
    }
}

struct Scene {
    authority: Authority,
    host: Arc<SecureHost>,
    store: MemoryStore,
    journal: Journal,
    reports: Arc<Reports>,
    queue: Queue,
    _dns: ZoneServer,
}

impl Scene {
    async fn new(level: TlsLevel) -> Scene {
        Scene::with(level, |_| {}).await
    }

    async fn with(level: TlsLevel, change: impl FnOnce(&mut posta_queue::Settings)) -> Scene {
        let authority = Authority::new("A test authority").unwrap();
        let manner = Manner { offers: true, tls: None };
        let (manner, messages, open) = (Mutex::new(manner), Mutex::default(), watch::Sender::new(0));
        let (mails, requires) = (Mutex::default(), AtomicBool::new(true));
        let host = Arc::new(SecureHost { manner, messages, mails, requires, open });
        let address = listen(host.clone()).await;
        let zone = "south.example. 60 IN MX 1 mx.south.example.\nmx.south.example. 60 IN A 127.0.0.1";
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let dns = ZoneServer::start(loopback, Zone::parse(zone).unwrap(), None).await.unwrap();
        let mut settings = settings();
        settings.ports.default = address.port();
        settings.idle_connection = Duration::ZERO;
        change(&mut settings);
        let trust = Arc::new(Trust::only(authority.pem().as_bytes()).unwrap());
        settings.tls = TlsPolicy { default: level, trust, ..TlsPolicy::default() };
        let (store, journal) = (
            MemoryStore::new(Arc::new(jiff::Timestamp::now)),
            Journal::memory(Arc::new(jiff::Timestamp::now)),
        );
        let reports = Arc::new(Reports { store: store.clone(), taken: Mutex::default() });
        let queue = Queue::start(Parts {
            store: Arc::new(store.clone()),
            resolver: Arc::new(DnsResolver::with_servers(&[dns.address()]).unwrap()),
            network: Arc::new(TcpNetwork),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(OsEntropy),
            journal: journal.clone(),
            reinjection: reports.clone(),
            transcripts: None,
            settings,
        });
        let queue = queue.await.unwrap();
        Scene { authority, host, store, journal, reports, queue, _dns: dns }
    }

    /// From now on the host has a certificate for this name.
    fn certify(&self, name: &str) {
        let (chain, key) = self.authority.issue(&[name.to_owned()]).unwrap();
        let identity = Identity::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
        let tls = Some(TlsEnd::Accept(Acceptor::new(vec![identity], None).unwrap()));
        *self.host.manner.lock().unwrap() = Manner { offers: true, tls };
    }

    /// From now on the host offers STARTTLS (or not), and breaks off when it is asked for.
    fn break_tls(&self, offers: bool) {
        *self.host.manner.lock().unwrap() = Manner { offers, tls: None };
    }

    /// Sends a letter; what became of it, and what the journal says about TLS meanwhile.
    async fn send(&self) -> (Fate, String, Vec<String>) {
        self.send_with(TlsRequest::None, "<alice@north.example>").await
    }

    /// The same, for one with a wish.
    async fn send_with(&self, tls: TlsRequest, from: &str) -> (Fate, String, Vec<String>) {
        let before = self.journal.records().len();
        self.queue.submit(accept(&self.store, tls, from).await);
        loop {
            let records = self.journal.records();
            let new = &records[before..];
            let outcome = new.iter().find_map(|record| match &record.event {
                Event::Outcome { fate, detail, .. } => Some((*fate, detail.clone())),
                _ => None,
            });
            if let Some((fate, detail)) = outcome {
                let notes = new.iter().filter_map(|record| match &record.event {
                    Event::Secured { tls, detail, .. } => Some(format!("{tls:?} {detail}")),
                    _ => None,
                });
                let notes = notes.collect();
                // The next letter must not go over this connection.
                let _ = self.host.open.subscribe().wait_for(|count| *count == 0).await;
                return (fate, detail, notes);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn last_was_secured(&self) -> Option<bool> {
        self.host.messages.lock().unwrap().last().copied()
    }
}

async fn accept(store: &MemoryStore, tls: TlsRequest, from: &str) -> QueueEntry {
    let mut writer = store.receive().await.unwrap();
    let letter = Bytes::from_static(b"Subject: x\r\n\r\nx\r\n");
    let facts = posta_wire::ContentFacts { size_octets: letter.len() as u64, ..Default::default() };
    writer.write(letter).await.unwrap();
    let mailbox: Mailbox = "bob@south.example".parse().unwrap();
    let original = ForwardPath::Mailbox(mailbox.clone());
    let acceptance = Acceptance {
        envelope: Envelope {
            reverse_path: from.parse().unwrap(),
            smtputf8: false,
            facts,
            message_id: None,
            requests: posta_store::Requests { tls, returned: Some(ReturnedPart::Full), ..Default::default() },
        },
        accepted_at: jiff::Timestamp::now(),
        deliveries: Vec::new(),
        remote: vec![RemoteRecipient { original, mailbox, maildrop: None, requests: Default::default() }],
        discarded: 0,
        changes: Vec::new(),
    };
    writer.accept(acceptance).await.unwrap().expect("it has a remote recipient")
}

#[tokio::test]
async fn opportunistic_uses_what_can_be_had() {
    let scene = Scene::new(TlsLevel::Opportunistic).await;
    scene.certify("mx.south.example");
    let (fate, _, notes) = scene.send().await;
    assert_eq!((fate, scene.last_was_secured()), (Fate::Relayed, Some(true)));
    assert!(notes[0].starts_with("Some(\"TLS 1.3, TLS_") && notes[0].contains("has proven"), "{notes:?}");

    scene.certify("another.example");
    let (fate, _, notes) = scene.send().await;
    assert_eq!((fate, scene.last_was_secured()), (Fate::Relayed, Some(true)));
    assert!(notes[0].contains("nobody vouches"), "{notes:?}");

    // A handshake that fails: in the clear, and said so.
    scene.break_tls(true);
    let (fate, _, notes) = scene.send().await;
    assert_eq!((fate, scene.last_was_secured()), (Fate::Relayed, Some(false)));
    assert!(notes[0].starts_with("None") && notes[0].contains("tried again in the clear"), "{notes:?}");

    // Somebody takes STARTTLS out of the offer: mail goes, but not silently.
    scene.break_tls(false);
    let (fate, _, notes) = scene.send().await;
    assert_eq!((fate, scene.last_was_secured()), (Fate::Relayed, Some(false)));
    assert!(notes[0].contains("had TLS before"), "{notes:?}");
}

#[tokio::test]
async fn remember_never_goes_back_to_the_clear() {
    let scene = Scene::new(TlsLevel::Remember).await;
    scene.break_tls(false);
    assert_eq!((scene.send().await.0, scene.last_was_secured()), (Fate::Relayed, Some(false)));
    scene.certify("mx.south.example");
    assert_eq!((scene.send().await.0, scene.last_was_secured()), (Fate::Relayed, Some(true)));
    let before = scene.host.messages.lock().unwrap().len();
    scene.break_tls(false);
    let (fate, detail, _) = scene.send().await;
    assert_eq!(fate, Fate::Deferred);
    assert!(detail.contains("does not offer STARTTLS"), "{detail}");
    assert_eq!(scene.host.messages.lock().unwrap().len(), before, "nothing went in the clear");
}

#[tokio::test]
async fn remember_defers_when_the_handshake_fails() {
    let scene = Scene::new(TlsLevel::Remember).await;
    scene.certify("mx.south.example");
    scene.send().await;
    scene.break_tls(true);
    let (fate, detail, _) = scene.send().await;
    assert_eq!(fate, Fate::Deferred, "{detail}");
    assert_eq!(*scene.host.messages.lock().unwrap(), [true]);
}

#[tokio::test]
async fn verified_says_nothing_to_a_stranger() {
    for (name, fate) in [("mx.south.example", Fate::Relayed), ("another.example", Fate::Deferred)] {
        let scene = Scene::new(TlsLevel::Verified).await;
        scene.certify(name);
        let (found, detail, _) = scene.send().await;
        assert_eq!(found, fate, "{name}: {detail}");
        assert_eq!(scene.last_was_secured(), (fate == Fate::Relayed).then_some(true), "{name}");
    }
    let scene = Scene::new(TlsLevel::Verified).await;
    scene.break_tls(false);
    assert_eq!((scene.send().await.0, scene.last_was_secured()), (Fate::Deferred, None));
}

#[tokio::test]
async fn none_uses_none() {
    let scene = Scene::new(TlsLevel::None).await;
    scene.certify("mx.south.example");
    let (fate, _, notes) = scene.send().await;
    assert_eq!((fate, scene.last_was_secured(), notes.len()), (Fate::Relayed, Some(false), 0));
}

/// RFC 8689 §4.2.1: inside verified TLS, to a host that promises the same; else it comes back, and the report
/// is not to leave TLS either, and has no more than the headers (§5).
#[tokio::test]
async fn what_requires_tls_never_leaves_it() {
    let scene = Scene::new(TlsLevel::Opportunistic).await;
    let required = || scene.send_with(TlsRequest::Required, "<alice@north.example>");
    scene.certify("mx.south.example");
    let (fate, detail, _) = required().await;
    assert_eq!((fate, scene.last_was_secured()), (Fate::Relayed, Some(true)), "{detail}");
    assert!(scene.host.mails.lock().unwrap().iter().all(|parameters| parameters.require_tls));

    let refused = |report: Option<(bool, String)>, status: &str| {
        let (require_tls, report) = report.expect("a report");
        assert!(require_tls && report.contains(&format!("Status: {status}\r\n")), "{report}");
        assert!(report.contains("text/rfc822-headers"), "{report}");
    };
    let last = || scene.reports.taken.lock().unwrap().pop();
    // No promise.
    scene.host.requires.store(false, Ordering::Relaxed);
    assert_eq!(required().await.0, Fate::Bounced);
    refused(last(), "5.7.30");
    scene.host.requires.store(true, Ordering::Relaxed);
    // Nobody vouches for the host, the handshake fails, there is none.
    scene.certify("another.example");
    assert_eq!(required().await.0, Fate::Bounced);
    refused(last(), "5.7.10");
    scene.break_tls(false);
    assert_eq!(required().await.0, Fate::Bounced);
    refused(last(), "5.7.10");
    scene.break_tls(true);
    let (fate, detail, _) = required().await;
    assert_eq!(fate, Fate::Deferred, "the host may be about to restart: {detail}");
    assert_eq!(*scene.host.messages.lock().unwrap(), [true], "nothing went otherwise");
}

/// A connection that was begun for mail that asks for less is not used for what asks for more.
#[tokio::test]
async fn what_requires_tls_does_not_share_a_lesser_connection() {
    let one_connection = |settings: &mut posta_queue::Settings| {
        settings.concurrency.per_destination = 1;
        settings.idle_connection = Duration::from_secs(60);
    };
    let scene = Scene::with(TlsLevel::Opportunistic, one_connection).await;
    scene.certify("another.example");
    for tls in [TlsRequest::None, TlsRequest::Required, TlsRequest::None] {
        scene.queue.submit(accept(&scene.store, tls, "<alice@north.example>").await);
    }
    let fates = loop {
        let records = scene.journal.records();
        let fates = records.iter().filter_map(|record| match &record.event {
            Event::Outcome { fate, .. } => Some(*fate),
            _ => None,
        });
        let fates: Vec<Fate> = fates.collect();
        if fates.len() == 3 {
            break fates;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert_eq!(fates.iter().filter(|fate| **fate == Fate::Relayed).count(), 2, "{fates:?}");
    assert_eq!(fates.iter().filter(|fate| **fate == Fate::Bounced).count(), 1, "{fates:?}");
    assert!(scene.host.mails.lock().unwrap().iter().all(|mail| !mail.require_tls));
    assert_eq!(scene.host.messages.lock().unwrap().len(), 2);
}

/// RFC 8689 §5: reports ask for it where they can, and are not lost for want of it.
#[tokio::test]
async fn reports_ask_for_tls_but_go_without() {
    let scene = Scene::new(TlsLevel::Opportunistic).await;
    scene.certify("mx.south.example");
    assert_eq!(scene.send_with(TlsRequest::Required, "<>").await.0, Fate::Relayed);
    scene.break_tls(false);
    assert_eq!(scene.send_with(TlsRequest::Required, "<>").await.0, Fate::Relayed);
    let asked: Vec<bool> = scene.host.mails.lock().unwrap().iter().map(|mail| mail.require_tls).collect();
    assert_eq!((asked, scene.host.messages.lock().unwrap().clone()), (vec![true, false], vec![true, false]));
}

/// RFC 8689 §4.2.2: arriving matters more.
#[tokio::test]
async fn what_need_not_have_tls_goes_without() {
    let scene = Scene::new(TlsLevel::Verified).await;
    scene.certify("another.example");
    let (fate, ..) = scene.send_with(TlsRequest::Optional, "<alice@north.example>").await;
    assert_eq!((fate, scene.last_was_secured()), (Fate::Relayed, Some(true)), "TLS all the same");
    scene.break_tls(false);
    let (fate, ..) = scene.send_with(TlsRequest::Optional, "<alice@north.example>").await;
    assert_eq!((fate, scene.last_was_secured()), (Fate::Relayed, Some(false)));
}
