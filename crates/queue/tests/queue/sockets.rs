//! The real thing on loopback: a DNS server, the real resolver, TCP, the system's clock.

use crate::world::{FakeHost, LETTER, settings};
use async_trait::async_trait;
use bytes::Bytes;
use posta_address::{Domain, ForwardPath, Mailbox};
use posta_dns::{DnsResolver, Zone, ZoneServer};
use posta_journal::{Event, Journal};
use posta_queue::{InjectError, Parts, Queue, Reinjection};
use posta_runtime::{OsEntropy, SystemClock, TcpNetwork, Transcript};
use posta_store::{
    Acceptance, Envelope, MemoryStore, QueueChange, QueueEntry, QueueId, RemoteRecipient, Store,
};
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::net::TcpListener;

pub(crate) struct NoReports;

#[async_trait]
impl Reinjection for NoReports {
    async fn inject(
        &self,
        _to: &Mailbox,
        _message: Bytes,
        _reported: Vec<(QueueId, QueueChange)>,
        _require_tls: bool,
    ) -> Result<QueueId, InjectError> {
        Err(InjectError::Failed("nothing is to be reported here".to_owned()))
    }
}

/// Keeps a dialogue as text.
struct Dialogue(Arc<Mutex<String>>);

impl Transcript for Dialogue {
    fn sent(&self, octets: &[u8]) {
        self.0.lock().unwrap().push_str(&String::from_utf8_lossy(octets));
    }
    fn received(&self, octets: &[u8]) {
        self.0.lock().unwrap().push_str(&String::from_utf8_lossy(octets));
    }
    fn closed(&self) {
        self.0.lock().unwrap().push_str("(closed)");
    }
}

async fn listen(host: Arc<FakeHost>) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(host.clone().serve(stream));
        }
    });
    address
}

/// The lecture's letter, accepted.
async fn accept(store: &MemoryStore) -> QueueEntry {
    let mut writer = store.receive().await.unwrap();
    writer.write(Bytes::from_static(LETTER.as_bytes())).await.unwrap();
    let mailbox: Mailbox = "ast@cs.vu.nl".parse().unwrap();
    let size_octets = LETTER.len() as u64;
    let facts = posta_wire::ContentFacts { size_octets, has_leading_dot: true, ..Default::default() };
    let acceptance = Acceptance {
        envelope: Envelope {
            reverse_path: "<hollingd@cs.rpi.edu>".parse().unwrap(),
            smtputf8: false,
            facts,
            message_id: None,
            requests: posta_store::Requests::default(),
        },
        accepted_at: jiff::Timestamp::now(),
        deliveries: Vec::new(),
        remote: vec![RemoteRecipient {
            maildrop: None,
            original: ForwardPath::Mailbox(mailbox.clone()),
            mailbox,
            requests: Default::default(),
        }],
        discarded: 0,
        changes: Vec::new(),
    };
    writer.accept(acceptance).await.unwrap().expect("it has a remote recipient")
}

#[tokio::test]
async fn lecture_example_over_real_sockets() {
    let zephyr = FakeHost::new("");
    let address = listen(zephyr.clone()).await;
    // What nobody listens on refuses.
    let nobody = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let closed_port = nobody.local_addr().unwrap().port();
    drop(nobody);
    let zone = "cs.vu.nl. 60 IN MX 1 gone.cs.vu.nl.\ncs.vu.nl. 60 IN MX 2 zephyr.cs.vu.nl.\n\
        gone.cs.vu.nl. 60 IN A 127.0.0.1\nzephyr.cs.vu.nl. 60 IN A 127.0.0.1";
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let dns = ZoneServer::start(loopback, Zone::parse(zone).unwrap(), None).await.unwrap();

    let store = MemoryStore::new(Arc::new(jiff::Timestamp::now));
    let journal = Journal::memory(Arc::new(jiff::Timestamp::now));
    let dialogue = Arc::new(Mutex::new(String::new()));
    let shown = dialogue.clone();
    let mut settings = settings();
    settings.ports.by_host = [
        (Domain::parse("zephyr.cs.vu.nl").unwrap(), address.port()),
        (Domain::parse("gone.cs.vu.nl").unwrap(), closed_port),
    ]
    .into();
    let queue = Queue::start(Parts {
        store: Arc::new(store.clone()),
        resolver: Arc::new(DnsResolver::with_servers(&[dns.address()]).unwrap()),
        network: Arc::new(TcpNetwork),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(OsEntropy),
        journal: journal.clone(),
        reinjection: Arc::new(NoReports),
        transcripts: Some(Arc::new(move |_| Some(Box::new(Dialogue(shown.clone()))))),
        settings,
    })
    .await
    .unwrap();

    queue.submit(accept(&store).await);
    while !queue.is_empty() {
        let deferred = |record: &posta_journal::Record| {
            matches!(&record.event, Event::Outcome { fate: posta_journal::Fate::Deferred, .. })
        };
        assert!(!journal.records().iter().any(deferred), "{:#?}", journal.records());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    queue.shutdown(Duration::from_secs(5)).await;

    assert_eq!(zephyr.contents(), [LETTER]);
    assert_eq!(store.tally().await.unwrap().relayed, 1);
    let steps = journal.records().into_iter().find_map(|record| match record.event {
        Event::Routed { steps, .. } => Some(steps),
        _ => None,
    });
    assert_eq!(
        steps.unwrap()[..2],
        ["CNAME cs.vu.nl? none", "MX cs.vu.nl? 1 gone.cs.vu.nl, 2 zephyr.cs.vu.nl"]
    );
    let dialogue = dialogue.lock().unwrap().clone();
    assert!(dialogue.starts_with("220 mx\r\nEHLO north.example\r\n"), "{dialogue}");
    assert!(dialogue.ends_with("QUIT\r\n221 bye\r\n(closed)"), "{dialogue}");
    dns.stop().await;
}
