//! A host that fetches its mail from another: ATRN and TURN, where the roles switch on the same connection
//! (RFC 2645, RFC 821 §3.8), and ETRN (RFC 1985).

mod fixture;

use posta_server::{
    OutgoingEnvelope, Running,
    admin::{self, FetchInfo, FetchKind, Request, Response, SecretText},
    config::{Config, Protocol},
};
use posta_store::{DirectoryChange, DomainSettings};
use posta_wire::Secret;
use std::{path::Path, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

/// A provider that keeps the mail for a customer's domain.
async fn provider(more: &str) -> Running {
    let mut config = fixture::config();
    let text = format!(
        "hostname = \"x\"\ndata_dir = \"x\"\n[turn]\n\
         domains = {{ \"customer.example\" = \"alice@north.example\" }}\n{more}"
    );
    let read = Config::parse(&text, Path::new("posta.toml")).expect("valid");
    (config.turn, config.relay) = (read.turn, read.relay);
    fixture::start(config).await
}

/// The customer, whose data folder has a socket for the operator.
async fn customer(folder: &Path) -> Running {
    let mut config = fixture::config();
    config.hostname = fixture::domain("mail.customer.example");
    config.data_dir = folder.to_owned();
    let running = fixture::start(config).await;
    let domain = fixture::domain("customer.example");
    let settings = DomainSettings { domain, catch_all: None, subaddress_separator: None };
    running.store().change_directory(DirectoryChange::PutDomain(settings)).await.expect("put");
    running
        .store()
        .change_directory(DirectoryChange::PutAlias(posta_store::Alias {
            address: fixture::mailbox("bob@customer.example"),
            kind: posta_store::AliasKind::Alias,
            name: None,
            members: vec![fixture::mailbox("bob@north.example")],
            owner: None,
        }))
        .await
        .expect("put");
    running
}

async fn send(provider: &Running, to: &str) {
    let address = provider.address(Protocol::Smtp).expect("listens");
    let mut stream = BufReader::new(TcpStream::connect(address).await.expect("connects"));
    for (said, expected) in [
        ("", "220"),
        ("HELO client.example\r\n", "250"),
        ("MAIL FROM:<ann@client.example>\r\n", "250"),
        (&*format!("RCPT TO:<{to}>\r\n"), "250"),
        ("DATA\r\n", "354"),
        ("Subject: x\r\n\r\n..y\r\n.\r\n", "250"),
    ] {
        stream.get_mut().write_all(said.as_bytes()).await.expect("sent");
        let mut line = String::new();
        stream.read_line(&mut line).await.expect("a reply");
        assert!(line.starts_with(expected), "{said}: {line}");
    }
}

/// What the operator of the customer is told.
async fn fetch(
    folder: &Path,
    provider: &Running,
    kind: FetchKind,
    domains: &[&str],
    password: &str,
) -> Response {
    let info = FetchInfo {
        host: provider.address(Protocol::Submission).expect("listens").to_string(),
        kind,
        domains: domains.iter().map(|domain| (*domain).to_owned()).collect(),
        user: Some("alice@north.example".into()),
        password: Some(SecretText(Secret::new(password))),
    };
    let folder = folder.to_owned();
    let asked = tokio::task::spawn_blocking(move || admin::ask(&folder, &Request::Fetch(info)));
    asked.await.expect("asked").expect("the socket").expect("a server runs")
}

fn done(response: Response) -> String {
    match response {
        Response::Done(text) => text,
        other => panic!("{other:?}"),
    }
}

fn refused(response: Response) -> String {
    match response {
        Response::Error { message, .. } => message,
        other => panic!("{other:?}"),
    }
}

async fn bobs_messages(customer: &Running) -> Vec<String> {
    let bob = fixture::mailbox("bob@north.example");
    let bob = customer.store().account(&bob).await.expect("read").expect("Bob");
    let mut texts = Vec::new();
    for message in customer.store().maildrop(bob.id).await.expect("read").messages {
        let octets = fixture::read_message(&**customer.store(), &message).await;
        texts.push(String::from_utf8_lossy(&octets).replace("\r\n\t", " "));
    }
    texts
}

/// What is settled is in the store a moment later.
async fn queue_is(running: &Running, count: usize) {
    for _ in 0..500 {
        if running.store().queue().await.expect("read").len() == count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{:?}", running.store().queue().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn atrn() {
    let folder = tempfile::tempdir().expect("a folder");
    let (provider, customer) = (provider("").await, customer(folder.path()).await);
    let ask = async |kind, domains: &[&str], password: &str| {
        fetch(folder.path(), &provider, kind, domains, password).await
    };
    let said = refused(ask(FetchKind::Atrn, &[], fixture::PASSWORD).await);
    assert!(said.contains("453 4.0.0"), "{said}");
    for _ in 0..3 {
        send(&provider, "bob@customer.example").await;
    }
    send(&provider, "nobody@customer.example").await;
    queue_is(&provider, 4).await;
    let said = refused(ask(FetchKind::Atrn, &["other.example"], fixture::PASSWORD).await);
    assert!(said.contains("450 4.7.1"), "{said}");
    let said = refused(ask(FetchKind::Atrn, &[], "wrong").await);
    assert!(said.contains("535") || said.contains("authenticat"), "{said}");
    let said = refused(ask(FetchKind::Turn, &[], fixture::PASSWORD).await);
    assert!(said.contains("502"), "{said}");

    let said = done(ask(FetchKind::Atrn, &["customer.example"], fixture::PASSWORD).await);
    assert!(said.ends_with("has sent 3 messages"), "{said}");
    let texts = bobs_messages(&customer).await;
    assert_eq!(texts.len(), 3, "{texts:?}");
    let expected = "by mail.customer.example with ESMTP";
    assert!(texts[0].contains(expected) && texts[0].ends_with("\r\n\r\n.y\r\n"), "{}", texts[0]);
    // What is left is the report that nobody was not there; it goes to the sender.
    queue_is(&provider, 1).await;
    customer.shutdown(Duration::from_secs(5)).await;
    provider.shutdown(Duration::from_secs(5)).await;
}

// RFC 8689 §4.2.1: it is not kept until there is TLS, and above all it stands in nobody's way.
#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_leave_tls_goes_back_and_the_rest_is_sent() {
    let folder = tempfile::tempdir().expect("a folder");
    let (provider, customer) = (provider("").await, customer(folder.path()).await);
    let (alice, bob) = (fixture::mailbox("alice@north.example"), fixture::mailbox("bob@customer.example"));
    let secret = OutgoingEnvelope { require_tls: true, ..OutgoingEnvelope::new(alice.clone(), [bob]) };
    let letter = bytes::Bytes::from_static(b"Subject: secret\r\n\r\nx\r\n");
    provider.outbox().submit(&alice, secret, letter, None).await.expect("taken");
    send(&provider, "bob@customer.example").await;
    queue_is(&provider, 2).await;
    let said = done(fetch(folder.path(), &provider, FetchKind::Atrn, &[], fixture::PASSWORD).await);
    assert!(said.ends_with("has sent 1 messages"), "{said}");
    queue_is(&provider, 0).await;
    let texts = bobs_messages(&customer).await;
    assert!(texts.len() == 1 && !texts[0].contains("secret"), "{texts:?}");
    let alice = provider.store().account(&alice).await.expect("read").expect("Alice");
    let reports = provider.store().maildrop(alice.id).await.expect("read").messages;
    let report = fixture::read_message(&**provider.store(), reports.last().expect("a report")).await;
    assert!(String::from_utf8_lossy(&report).contains("5.7.10"), "{}", String::from_utf8_lossy(&report));
}

#[tokio::test(flavor = "multi_thread")]
async fn turn() {
    let folder = tempfile::tempdir().expect("a folder");
    let (provider, customer) = (provider("historic = true\n").await, customer(folder.path()).await);
    send(&provider, "bob@customer.example").await;
    queue_is(&provider, 1).await;
    // It is tried at once when it comes, and waits from then on.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let said = done(fetch(folder.path(), &provider, FetchKind::Turn, &[], fixture::PASSWORD).await);
    assert!(said.ends_with("has sent 1 messages"), "{said}");
    assert_eq!(bobs_messages(&customer).await.len(), 1);
    queue_is(&provider, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn etrn() {
    let folder = tempfile::tempdir().expect("a folder");
    let provider = provider("[relay]\ndomains = [\"elsewhere.example\"]\n").await;
    let _customer = customer(folder.path()).await;
    let ask =
        async |name: &str| fetch(folder.path(), &provider, FetchKind::Etrn, &[name], fixture::PASSWORD).await;
    let said = done(ask("elsewhere.example").await);
    assert!(said.contains("251 2.0.0 OK, no messages waiting"), "{said}");
    send(&provider, "someone@elsewhere.example").await;
    let said = done(ask("@elsewhere.example").await);
    assert!(said.contains("253 2.0.0 OK, 1 pending messages"), "{said}");
    assert!(refused(ask("a b").await).contains("expected a domain"));
}
