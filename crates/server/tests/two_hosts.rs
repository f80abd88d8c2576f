//! Two whole servers in one process, each with its own embedded store, that find one another through
//! the DNS: relaying, bouncing, the operator's socket, and what is left after a restart.

mod fixture;

use fixture::{domain, mailbox};
use posta_dns::{Zone, ZoneResolver};
use posta_journal::{Event, Fate, Record};
use posta_server::{
    Running, Server, World,
    admin::{self, AliasInfo, ErrorKind, NewAccount, QueueAction, Request, Response, SecretText},
    config::{Config, Listener, Protocol},
};
use posta_store::Tally;
use posta_wire::Secret;
use std::{net::Ipv4Addr, path::Path, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

const GRACE: Duration = Duration::from_secs(10);

/// Both domains, and one whose host is never there.
const ZONE: &str = "
north.example.     60 IN MX 10 mx.north.example.
south.example.     60 IN MX 10 mx.south.example.
mx.north.example.  60 IN A  127.0.0.1
mx.south.example.  60 IN A  127.0.0.1
away.example.      60 IN MX 10 mx.away.example.
mx.away.example.   60 IN A  127.0.0.1
";

fn config(name: &str, folder: &Path) -> Config {
    let mut config = Config::new(domain(&format!("mx.{name}.example")), folder.join(name));
    let loopback = |protocol| Listener { protocol, address: (Ipv4Addr::LOCALHOST, 0).into(), proxy: false };
    config.listeners = vec![loopback(Protocol::Smtp), loopback(Protocol::Pop3)];
    config.domains = vec![domain(&format!("{name}.example"))];
    config.relay.networks = vec!["127.0.0.0/8".parse().expect("a network")];
    config
}

async fn start(config: Config) -> Running {
    let resolver = ZoneResolver::new(Zone::parse(ZONE).expect("a zone"));
    let world = World { resolver: Some(Arc::new(resolver)), log_events: false, ..World::default() };
    Server::start(config, world).await.expect("starts")
}

/// Two hosts that know one another's ports.
async fn start_both(folder: &Path) -> (Running, Running, Config) {
    let south = start(config("south", folder)).await;
    let mut north_config = config("north", folder);
    let port = |running: &Running| running.address(Protocol::Smtp).expect("listens").port();
    north_config.delivery.host_ports.insert(domain("mx.south.example"), port(&south));
    // A port where nobody listens: taken, and given up again.
    let nobody = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bound");
    let nobody = nobody.local_addr().expect("bound").port();
    north_config.delivery.host_ports.insert(domain("mx.away.example"), nobody);
    let north = start(north_config.clone()).await;
    (north, south, north_config)
}

async fn perform(config: &Config, request: Request) -> Response {
    admin::perform(config, request).await.expect("performed")
}

async fn add_account(config: &Config, address: &str) {
    let request = Request::AccountAdd(NewAccount {
        address: mailbox(address),
        name: None,
        password: Some(SecretText(Secret::new(fixture::PASSWORD))),
        apop_secret: None,
        quota_octets: None,
    });
    let response = perform(config, request).await;
    assert!(matches!(response, Response::Done(_)), "{response:?}");
}

/// One transaction; the reply to the final dot.
async fn send(server: &Running, from: &str, to: &[&str], text: &str) -> String {
    let address = server.address(Protocol::Smtp).expect("listens");
    let mut stream = BufReader::new(TcpStream::connect(address).await.expect("connected"));
    let mut commands = vec!["EHLO client.example".to_owned(), format!("MAIL FROM:{from}")];
    commands.extend(to.iter().map(|to| format!("RCPT TO:{to}")));
    commands.push("DATA".into());
    commands.push(format!("{text}\r\n."));
    reply(&mut stream).await;
    let mut last = String::new();
    for command in commands {
        stream.write_all(format!("{command}\r\n").as_bytes()).await.expect("written");
        last = reply(&mut stream).await;
    }
    stream.write_all(b"QUIT\r\n").await.expect("written");
    last
}

async fn reply(stream: &mut BufReader<TcpStream>) -> String {
    loop {
        let mut line = String::new();
        assert!(stream.read_line(&mut line).await.expect("read") > 0, "closed");
        if line.as_bytes().get(3) == Some(&b' ') {
            return line.trim_end().to_owned();
        }
    }
}

/// Waits until a host's count says what is wanted; there is no time at which that must be.
async fn tally(server: &Running, wanted: impl Fn(&Tally) -> bool) -> Tally {
    for _ in 0..2000 {
        server.queue().flush().await;
        let tally = server.store().tally().await.expect("counted");
        if wanted(&tally) {
            return tally;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{:?}", server.store().tally().await);
}

async fn maildrop(server: &Running, address: &str) -> Vec<String> {
    let store = server.store();
    let account = store.account(&mailbox(address)).await.expect("looked up").expect("exists");
    let mut messages = Vec::new();
    for message in store.maildrop(account.id).await.expect("opened").messages {
        messages.push(String::from_utf8_lossy(&fixture::read_message(&**store, &message).await).into_owned());
    }
    messages
}

async fn explain(config: &Config, subject: &str) -> Vec<Record> {
    let request = Request::Explain { subject: subject.into(), limit: 100 };
    match perform(config, request).await {
        Response::Records(records) => records,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_goes_from_host_to_host_and_a_bounce_comes_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let (north, south, north_config) = start_both(folder.path()).await;
    let south_config = config("south", folder.path());
    add_account(&north_config, "alice@north.example").await;
    add_account(&south_config, "bob@south.example").await;

    let to = ["<bob@south.example>", "<nobody@south.example>", "<alice@north.example>"];
    let text = "Message-ID: <1@north.example>\r\nSubject: hello\r\n\r\n..dotted\r\nend";
    let said = send(&north, "<alice@north.example>", &to, text).await;
    assert!(said.starts_with("250 2.6.0 Message accepted as "), "{said}");

    // Bob's copy is relayed; nobody's bounces, which is one message-recipient more: Alice's report.
    let counted = tally(&north, |tally| tally.queued == 0 && tally.relayed == 1).await;
    assert_eq!(counted, Tally { accepted: 4, delivered: 2, relayed: 1, bounced: 1, discarded: 0, queued: 0 });
    let bobs = maildrop(&south, "bob@south.example").await;
    assert_eq!(bobs.len(), 1);
    assert!(bobs[0].starts_with("Return-Path: <alice@north.example>\r\nReceived: from mx.north.example "));
    assert!(bobs[0].ends_with("Message-ID: <1@north.example>\r\nSubject: hello\r\n\r\n.dotted\r\nend\r\n"));
    let alices = maildrop(&north, "alice@north.example").await;
    assert_eq!(alices.len(), 2);
    assert!(alices[1].starts_with("Return-Path: <>\r\n"), "{}", alices[1]);
    assert!(alices[1].contains("multipart/report") && alices[1].contains("nobody@south.example"));

    let story = explain(&north_config, "<1@north.example>").await;
    let fates: Vec<(String, Fate)> = story
        .iter()
        .filter_map(|record| match &record.event {
            Event::Outcome { to, fate, .. } => Some((to.to_string(), *fate)),
            _ => None,
        })
        .collect();
    for expected in [
        ("alice@north.example", Fate::Delivered),
        ("bob@south.example", Fate::Relayed),
        ("nobody@south.example", Fate::Bounced),
    ] {
        assert!(fates.iter().any(|(to, fate)| (to.as_str(), *fate) == expected), "{expected:?} in {fates:?}");
    }
    let refused = explain(&south_config, "nobody@south.example").await;
    assert!(
        refused.iter().any(|record| matches!(&record.event,
            Event::Refused { stage, reason, .. } if stage == "rcpt" && reason.starts_with("unknown"))),
        "{refused:?}"
    );
    north.shutdown(GRACE).await;
    south.shutdown(GRACE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_there_after_a_restart_and_obeys_the_operator() {
    let folder = tempfile::tempdir().expect("a folder");
    let (north, south, north_config) = start_both(folder.path()).await;
    south.shutdown(GRACE).await;
    add_account(&north_config, "alice@north.example").await;
    for number in 0..3 {
        let text = format!("Message-ID: <{number}@north.example>\r\n\r\n{number}");
        let said = send(&north, "<alice@north.example>", &["<carol@away.example>"], &text).await;
        assert!(said.starts_with("250 "), "{said}");
    }
    tally(&north, |tally| tally.queued == 3).await;
    north.shutdown(GRACE).await;

    // Nobody runs now: the commands work on the store itself.
    let Response::Queue(queue) = perform(&north_config, Request::QueueList { limit: 10 }).await else {
        panic!("no queue");
    };
    let ids: Vec<_> = queue.iter().map(|entry| entry.id).collect();
    assert_eq!(ids.len(), 3);
    assert_eq!(queue[0].from.to_string(), "<alice@north.example>");
    let act = |id, action| Request::QueueAct { id: Some(id), action };
    let offline = perform(&north_config, act(ids[2], QueueAction::Bounce)).await;
    assert!(matches!(offline, Response::Error { kind: ErrorKind::NeedsServer, .. }), "{offline:?}");
    assert!(matches!(perform(&north_config, act(ids[0], QueueAction::Delete)).await, Response::Done(_)));
    assert!(matches!(perform(&north_config, act(ids[1], QueueAction::Hold)).await, Response::Done(_)));
    let offline = perform(&north_config, Request::Status).await;
    assert!(matches!(offline, Response::Error { kind: ErrorKind::NeedsServer, .. }), "{offline:?}");

    let north = start(north_config.clone()).await;
    assert!(matches!(perform(&north_config, act(ids[2], QueueAction::Bounce)).await, Response::Done(_)));
    let counted = tally(&north, |tally| tally.bounced == 1).await;
    assert_eq!((counted.discarded, counted.queued, counted.delivered), (1, 1, 1));
    assert_eq!(maildrop(&north, "alice@north.example").await.len(), 1, "the report");
    let Response::Queue(queue) = perform(&north_config, Request::QueueShow { id: ids[1] }).await else {
        panic!("no entry");
    };
    assert!(queue[0].held);
    let Response::Check(check) = perform(&north_config, Request::StoreCheck).await else {
        panic!("no check")
    };
    assert!(check.sound, "{:?}", check.lines);
    assert_eq!(perform(&north_config, Request::Audit).await, Response::Tally(counted));
    north.shutdown(GRACE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operator_and_a_running_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let north_config = config("north", folder.path());
    let north = start(north_config.clone()).await;
    add_account(&north_config, "alice@north.example").await;
    let again = Request::AccountAdd(NewAccount {
        address: mailbox("Alice@north.example"),
        name: None,
        password: None,
        apop_secret: None,
        quota_octets: None,
    });
    assert_error(perform(&north_config, again).await, ErrorKind::Conflict);
    let elsewhere = Request::AliasPut(AliasInfo {
        address: mailbox("info@elsewhere.example"),
        list: false,
        name: None,
        members: vec![mailbox("alice@north.example")],
        owner: None,
    });
    assert_error(perform(&north_config, elsewhere).await, ErrorKind::NotFound);
    let domain_in_use = Request::DomainRemove { domain: domain("north.example") };
    assert_error(perform(&north_config, domain_in_use).await, ErrorKind::Conflict);
    let nonsense = Request::Explain { subject: "what".into(), limit: 1 };
    assert_error(perform(&north_config, nonsense).await, ErrorKind::Invalid);
    assert_error(perform(&north_config, Request::Reload).await, ErrorKind::Invalid);

    let Response::Status(status) = perform(&north_config, Request::Status).await else { panic!("no status") };
    assert_eq!(status.listeners.len(), 2);
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(north_config.data_dir.join(admin::SOCKET_NAME)).expect("there").permissions(),
    );
    assert_eq!(mode & 0o777, 0o600, "nobody else may talk to the server");

    let asked = north.stop_requested();
    assert!(matches!(perform(&north_config, Request::Stop).await, Response::Done(_)));
    asked.await;
    north.shutdown(GRACE).await;
    assert!(!north_config.data_dir.join(admin::SOCKET_NAME).exists());
    let Response::Accounts(accounts) = perform(&north_config, Request::AccountList { domain: None }).await
    else {
        panic!("no accounts");
    };
    assert_eq!(accounts.len(), 1);
    assert!(accounts[0].has_password && accounts[0].enabled);
}

fn assert_error(response: Response, wanted: ErrorKind) {
    assert!(matches!(&response, Response::Error { kind, .. } if *kind == wanted), "{response:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_is_followed_without_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut north_config = config("north", folder.path());
    let north = start(north_config.clone()).await;
    add_account(&north_config, "alice@north.example").await;
    north_config.relay.networks.clear();
    north_config.domains.push(domain("more.example"));
    north_config.dns.servers = vec!["127.0.0.1:1".parse().expect("an address")];
    let restart = north.reload(north_config.clone()).await.expect("reloaded");
    assert_eq!(restart, ["[dns]"]);
    let said = send(&north, "<alice@north.example>", &["<bob@south.example>"], "x").await;
    assert!(said.starts_with("5"), "relaying is off now: {said}");
    let said = send(&north, "<>", &["<postmaster@more.example>"], "x").await;
    assert!(said.starts_with("250 "), "{said}");
    assert_eq!(maildrop(&north, "alice@north.example").await.len(), 1, "the oldest account reads it");
    north.shutdown(GRACE).await;
}
