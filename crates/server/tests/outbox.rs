//! What people send otherwise than over SMTP: the policy of submission, the hold, and taking back.

mod fixture;

use bytes::Bytes;
use fixture::{domain, mailbox};
use jiff::{SignedDuration, Timestamp};
use posta_address::Mailbox;
use posta_dns::{Zone, ZoneResolver};
use posta_journal::{Event, Fate};
use posta_server::{
    OutgoingEnvelope, Running, Server, SubmitError, World,
    admin::{self, AccountChange, ErrorKind, Request, Response},
    config::{Config, Listener, Protocol},
};
use posta_store::{AliasKind, QueueId, Tally};
use std::{net::Ipv4Addr, path::Path, sync::Arc, task::Poll, time::Duration};

const ALICE: &str = "alice@north.example";
const BOB: &str = "bob@north.example";
const GRACE: Duration = Duration::from_secs(10);

fn config(folder: &Path) -> Config {
    let mut config = Config::new(domain("mx.north.example"), folder.join("north"));
    config.listeners =
        vec![Listener { protocol: Protocol::Smtp, address: (Ipv4Addr::LOCALHOST, 0).into(), proxy: false }];
    config.domains = vec![domain("north.example")];
    config
}

async fn start(config: &Config) -> Running {
    let resolver = ZoneResolver::new(Zone::parse("").expect("a zone"));
    let world = World { resolver: Some(Arc::new(resolver)), log_events: false, ..World::default() };
    let server = Server::start(config.clone(), world).await.expect("starts");
    if server.store().accounts().await.expect("listed").is_empty() {
        for address in [ALICE, BOB, "carol@north.example"] {
            act(
                config,
                Request::AccountAdd(admin::NewAccount {
                    address: mailbox(address),
                    name: None,
                    password: None,
                    apop_secret: None,
                    quota_octets: None,
                }),
            )
            .await;
        }
        act(
            config,
            Request::AliasPut(admin::AliasInfo {
                address: mailbox("tea@north.example"),
                list: true,
                name: None,
                members: vec![mailbox(BOB), mailbox("carol@north.example")],
                owner: Some(mailbox("carol@north.example")),
            }),
        )
        .await;
        assert_eq!(server.store().aliases().await.expect("listed")[0].kind, AliasKind::List);
    }
    server
}

async fn act(config: &Config, request: Request) {
    let response = admin::perform(config, request).await.expect("performed");
    assert!(matches!(response, Response::Done(_)), "{response:?}");
}

fn to(recipients: &[&str]) -> OutgoingEnvelope {
    OutgoingEnvelope::new(mailbox(ALICE), recipients.iter().map(|to| mailbox(to)))
}

const LETTER: &str = "Subject: Tea\r\nBcc: bob@north.example\r\n\r\nDear Bob,\r\ncome.\r\n";

fn letter() -> Bytes {
    Bytes::from_static(LETTER.as_bytes())
}

fn in_an_hour() -> Option<Timestamp> {
    Some(Timestamp::now() + SignedDuration::from_hours(1))
}

async fn messages(server: &Running, address: &str) -> Vec<String> {
    let store = server.store();
    let account = store.account(&mailbox(address)).await.expect("looked up").expect("exists");
    let mut messages = Vec::new();
    for message in store.maildrop(account.id).await.expect("opened").messages {
        messages.push(String::from_utf8_lossy(&fixture::read_message(&**store, &message).await).into_owned());
    }
    messages
}

async fn tally(server: &Running, wanted: impl Fn(&Tally) -> bool) -> Tally {
    for _ in 0..2000 {
        server.queue().flush().await;
        let tally = server.store().tally().await.expect("counted");
        let fates = tally.delivered + tally.relayed + tally.bounced + tally.discarded + tally.queued;
        assert_eq!(tally.accepted, fates, "{tally:?}");
        if wanted(&tally) {
            return tally;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{:?}", server.store().tally().await);
}

fn codes(error: SubmitError) -> Vec<(Option<Mailbox>, u16)> {
    match error {
        SubmitError::Refused(refusals) => refusals.into_iter().map(|(to, reply)| (to, reply.code)).collect(),
        error => panic!("{error}"),
    }
}

#[tokio::test]
async fn what_is_due_is_there_at_once_complete_and_without_bcc() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = start(&config(folder.path())).await;
    let id = server.outbox().submit(&mailbox(ALICE), to(&[BOB]), letter(), None).await.expect("taken");
    let [message] = &messages(&server, BOB).await[..] else { panic!("one message") };
    for part in ["Return-Path: <alice@north.example>\r\n", "\r\nFrom: <alice@north.example>\r\n", "Date: "] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert!(message.contains(&format!("Message-ID: <{id}.")) && !message.contains("Bcc"), "{message}");
    assert!(message.ends_with("\r\n\r\nDear Bob,\r\ncome.\r\n"), "{message}");
    assert_eq!(server.outbox().pending(&mailbox(ALICE)).await.expect("listed"), []);
    assert!(!server.outbox().take_back(&mailbox(ALICE), id).await.expect("asked"));
    server.shutdown(GRACE).await;
}

#[tokio::test]
async fn what_is_from_nobody_has_the_null_reverse_path() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = start(&config(folder.path())).await;
    let envelope = OutgoingEnvelope { from_nobody: true, ..to(&[BOB]) };
    server.outbox().submit(&mailbox(ALICE), envelope, letter(), None).await.expect("taken");
    let [message] = &messages(&server, BOB).await[..] else { panic!("one message") };
    assert!(message.starts_with("Return-Path: <>\r\n"), "{message}");
    // Whose it is counts all the same.
    let as_bob =
        OutgoingEnvelope { from_nobody: true, ..OutgoingEnvelope::new(mailbox(BOB), [mailbox(ALICE)]) };
    assert!(server.outbox().submit(&mailbox(ALICE), as_bob, letter(), None).await.is_err());
    server.shutdown(GRACE).await;
}

#[tokio::test]
async fn the_policy_of_submission_holds() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut few = config(folder.path());
    few.submission.messages_per_hour = 1;
    let server = start(&few).await;
    let outbox = server.outbox();
    let submit = |account: &str, envelope, content: &'static str| {
        let (outbox, account) = (outbox.clone(), mailbox(account));
        async move { outbox.submit(&account, envelope, Bytes::from_static(content.as_bytes()), None).await }
    };
    let another = OutgoingEnvelope::new(mailbox(BOB), [mailbox(BOB)]);
    for (account, envelope, content, expected) in [
        (ALICE, another, LETTER, vec![(None, 550)]),
        ("nobody@north.example", to(&[BOB]), LETTER, vec![(None, 550)]),
        (ALICE, to(&[]), LETTER, vec![(None, 554)]),
        (ALICE, to(&[BOB]), "Subject: bare\n\nline ends\n", vec![(None, 554)]),
        (ALICE, to(&[BOB]), "Subject: \0\r\n\r\n", vec![(None, 554)]),
        // All or none, and it is said who.
        (ALICE, to(&[BOB, "who@north.example"]), LETTER, vec![(Some(mailbox("who@north.example")), 550)]),
    ] {
        assert_eq!(codes(submit(account, envelope, content).await.expect_err("refused")), expected);
    }
    assert_eq!(server.store().tally().await.expect("counted").accepted, 0);
    submit(ALICE, to(&[BOB]), "no header section").await.expect("taken");
    let spent = submit(ALICE, to(&[BOB]), LETTER).await.expect_err("refused");
    assert_eq!(codes(spent), [(None, 451)]);
    server.shutdown(GRACE).await;
}

#[tokio::test]
async fn it_arrives_when_its_time_has_come() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = config(folder.path());
    let server = start(&config).await;
    let release_at = Timestamp::now() + SignedDuration::from_millis(300);
    let id =
        server.outbox().submit(&mailbox(ALICE), to(&[BOB]), letter(), Some(release_at)).await.expect("taken");
    tally(&server, |tally| tally.delivered == 1).await;
    let account = server.store().account(&mailbox(BOB)).await.expect("looked up").expect("exists");
    let delivered = server.store().maildrop(account.id).await.expect("opened").messages.remove(0);
    assert!(delivered.received_at >= release_at, "{} {release_at}", delivered.received_at);
    assert_eq!(delivered.content.id, id);
    server.shutdown(GRACE).await;
}

#[tokio::test]
async fn what_waits_can_be_taken_back_by_its_sender_alone_and_also_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = config(folder.path());
    let server = start(&config).await;
    let outbox = server.outbox();
    // To people, to a list that makes copies of its own, and elsewhere.
    let recipients = to(&[BOB, "tea@north.example", "eve@away.example"]);
    let id = outbox.submit(&mailbox(ALICE), recipients, letter(), in_an_hour()).await.expect("taken");
    let waiting = outbox.pending(&mailbox(ALICE)).await.expect("listed");
    assert_eq!(waiting.iter().map(|waiting| waiting.id).collect::<Vec<_>>(), [id]);
    assert!(!outbox.take_back(&mailbox(BOB), id).await.expect("asked"));
    // It keeps the host, and so the store.
    drop(outbox);
    server.shutdown(GRACE).await;
    let server = start(&config).await;
    let outbox = server.outbox();
    assert_eq!(outbox.pending(&mailbox(ALICE)).await.expect("listed"), waiting);
    assert!(tally(&server, |_| true).await.queued >= 3);
    assert!(outbox.take_back(&mailbox(ALICE), id).await.expect("asked"));
    assert!(!outbox.take_back(&mailbox(ALICE), id).await.expect("asked"));
    let tally = tally(&server, |_| true).await;
    assert_eq!((tally.queued, tally.delivered, tally.discarded), (0, 0, tally.accepted));
    assert_eq!(messages(&server, BOB).await, [""; 0]);
    server.journal().flush();
    server.shutdown(GRACE).await;
}

#[tokio::test]
async fn an_accounts_own_hold_and_the_operators_hand() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = config(folder.path());
    let server = start(&config).await;
    let hold = |seconds| Request::AccountChange {
        address: mailbox(ALICE),
        changes: vec![AccountChange::Hold(seconds)],
    };
    act(&config, hold(3600)).await;
    let submitted = Timestamp::now();
    let id = server.outbox().submit(&mailbox(ALICE), to(&[BOB]), letter(), None).await.expect("taken");
    let [waiting] = server.outbox().pending(&mailbox(ALICE)).await.expect("listed")[..] else {
        panic!("one waits")
    };
    assert!(waiting.release_at >= submitted + SignedDuration::from_secs(3600));
    act(&config, Request::TakeBack { id }).await;
    for gone in [id, QueueId(7)] {
        let response = admin::perform(&config, Request::TakeBack { id: gone }).await.expect("performed");
        assert!(matches!(response, Response::Error { kind: ErrorKind::NotFound, .. }), "{response:?}");
    }
    let explain = Request::Explain { subject: id.to_string(), limit: 100 };
    let Response::Records(records) = admin::perform(&config, explain).await.expect("performed") else {
        panic!("records")
    };
    let fate = |event: &Event| match event {
        Event::Outcome { fate, .. } => Some(*fate),
        _ => None,
    };
    let fates: Vec<Fate> = records.iter().filter_map(|record| fate(&record.event)).collect();
    assert_eq!(fates, [Fate::Deferred, Fate::Discarded]);
    act(&config, hold(0)).await;
    server.outbox().submit(&mailbox(ALICE), to(&[BOB]), letter(), None).await.expect("taken");
    assert_eq!(messages(&server, BOB).await.len(), 1);
    server.shutdown(GRACE).await;
}

// Without a server the store itself is asked.
#[tokio::test]
async fn taken_back_while_no_server_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = config(folder.path());
    let server = start(&config).await;
    let id =
        server.outbox().submit(&mailbox(ALICE), to(&[BOB]), letter(), in_an_hour()).await.expect("taken");
    server.shutdown(GRACE).await;
    act(&config, Request::TakeBack { id }).await;
    let server = start(&config).await;
    let tally = tally(&server, |_| true).await;
    assert_eq!((tally.queued, tally.discarded), (0, 1));
    server.shutdown(GRACE).await;
}

/// Asks for so many steps only, then goes away.
async fn abandoned_after(polls: usize, submitting: impl Future<Output = Result<QueueId, SubmitError>>) {
    let mut submitting = std::pin::pin!(submitting);
    let mut left = polls;
    std::future::poll_fn(|context| match left {
        0 => Poll::Ready(()),
        _ => {
            left -= 1;
            submitting.as_mut().poll(context).map(|_| ())
        }
    })
    .await;
}

// A page that is closed at the wrong moment: what is in the store is delivered, not only after the next start.
#[tokio::test]
async fn whoever_goes_away_meanwhile_stops_nothing_half_way() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = start(&config(folder.path())).await;
    let (alice, outbox) = (mailbox(ALICE), server.outbox());
    for polls in 1..20 {
        let envelope = to(&["ann@nowhere.example"]);
        abandoned_after(polls, outbox.submit(&alice, envelope, letter(), None)).await;
    }
    tally(&server, |tally| tally.bounced > 0 && tally.queued == 0).await;
    drop(outbox);
    server.shutdown(GRACE).await;
}
