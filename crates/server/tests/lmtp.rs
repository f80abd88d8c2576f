//! A host that hands over what is for one domain in LMTP (RFC 2033): each recipient has an outcome of its own.

mod fixture;

use posta_server::{
    Running,
    config::{Config, Protocol},
};
use std::time::Duration;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

/// A host for `north.example`, and one before it that only passes its mail on.
async fn hosts() -> (Running, Running) {
    let home = fixture::start(fixture::config()).await;
    let address = home.address(Protocol::Lmtp).expect("listens");
    let mut config = fixture::config();
    config.hostname = fixture::domain("gate.elsewhere.example");
    let text = format!(
        "hostname = \"x\"\ndata_dir = \"x\"\n[delivery]\nroutes = {{ \"elsewhere.example\" = \"lmtp:{address}\" }}\n\
         [relay]\ndomains = [\"elsewhere.example\"]\n"
    );
    let read = Config::parse(&text, std::path::Path::new("posta.toml")).expect("valid");
    (config.delivery, config.relay) = (read.delivery, read.relay);
    (fixture::start(config).await, home)
}

async fn say(stream: &mut BufReader<TcpStream>, said: &str, expected: &str) {
    stream.get_mut().write_all(said.as_bytes()).await.expect("sent");
    let mut line = String::new();
    stream.read_line(&mut line).await.expect("a reply");
    assert!(line.starts_with(expected), "{said}: {line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_by_lmtp() {
    let (gate, home) = hosts().await;
    // For the host behind, the domain is an alias of its own people.
    let put = |change| async { home.store().change_directory(change).await.expect("put") };
    put(posta_store::DirectoryChange::PutDomain(posta_store::DomainSettings {
        domain: fixture::domain("elsewhere.example"),
        catch_all: None,
        subaddress_separator: None,
    }))
    .await;
    for (address, member) in
        [("bob@elsewhere.example", "bob@north.example"), ("full@elsewhere.example", "full@north.example")]
    {
        put(posta_store::DirectoryChange::PutAlias(posta_store::Alias {
            address: fixture::mailbox(address),
            kind: posta_store::AliasKind::Alias,
            name: None,
            members: vec![fixture::mailbox(member)],
            owner: None,
        }))
        .await;
    }
    let address = gate.address(Protocol::Smtp).expect("listens");
    let mut stream = BufReader::new(TcpStream::connect(address).await.expect("connects"));
    for (said, expected) in [
        ("", "220"),
        ("HELO client.example\r\n", "250"),
        ("MAIL FROM:<ann@client.example>\r\n", "250"),
        ("RCPT TO:<bob@elsewhere.example>\r\n", "250"),
        ("RCPT TO:<nobody@elsewhere.example>\r\n", "250"),
        ("RCPT TO:<full@elsewhere.example>\r\n", "250"),
        ("DATA\r\n", "354"),
        ("Subject: by LMTP\r\n\r\ny\r\n.\r\n", "250"),
    ] {
        say(&mut stream, said, expected).await;
    }
    let bob = home.store().account(&fixture::mailbox("bob@north.example")).await.expect("read").expect("Bob");
    for _ in 0..500 {
        let entries = gate.store().queue().await.expect("read");
        let messages = home.store().maildrop(bob.id).await.expect("read").messages;
        // Bob has it; the two others are refused for good, of which the sender is told.
        if let [message] = messages.as_slice()
            && let [report] = entries.as_slice()
            && report.envelope.reverse_path == posta_address::ReversePath::Null
        {
            let text = fixture::read_message(&**home.store(), message).await;
            let text = String::from_utf8_lossy(&text).replace("\r\n\t", " ");
            assert!(text.contains("by mx.north.example with LMTP"), "{text}");
            let report = gate.store().read(&report.content, 0, 64 * 1024).await.expect("read");
            let report = String::from_utf8_lossy(&report).into_owned();
            for (address, expected) in [("nobody", true), ("full", true), ("bob", false)] {
                let field = format!("Final-Recipient: rfc822;{address}@elsewhere.example");
                assert_eq!(report.replace("; ", ";").contains(&field), expected, "{address}: {report}");
            }
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("not as expected: {:?}", gate.store().queue().await);
}

// Who has no room may be the only one under a reverse-path; the audit counts what was kept all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_gets_what_a_full_maildrop_refuses() {
    let home = fixture::start(fixture::config()).await;
    let before = home.store().tally().await.expect("counted");
    let address = home.address(Protocol::Lmtp).expect("listens");
    let mut stream = BufReader::new(TcpStream::connect(address).await.expect("connects"));
    say(&mut stream, "", "220").await;
    stream.get_mut().write_all(b"LHLO client.example\r\n").await.expect("sent");
    let mut line = String::new();
    while !line.starts_with("250 ") {
        line.clear();
        stream.read_line(&mut line).await.expect("a reply");
    }
    let large = format!("Subject: large\r\n\r\n{}.\r\n", "0123456789 0123456789 0123456789\r\n".repeat(2000));
    for (said, expected) in [
        ("MAIL FROM:<ann@client.example>\r\n", "250"),
        ("RCPT TO:<small@north.example>\r\n", "250"),
        ("RCPT TO:<friends@north.example>\r\n", "250"),
        ("DATA\r\n", "354"),
        (&*large, "552"),
        ("", "250"),
    ] {
        say(&mut stream, said, expected).await;
    }
    let bob = home.store().account(&fixture::mailbox("bob@north.example")).await.expect("read").expect("Bob");
    let messages = home.store().maildrop(bob.id).await.expect("read").messages;
    let [message] = messages.as_slice() else { panic!("one message: {messages:?}") };
    assert_eq!(message.prefix, "Return-Path: <friends-owner@north.example>\r\n");
    let tally = home.store().tally().await.expect("counted");
    let fates = tally.delivered + tally.relayed + tally.bounced + tally.discarded + tally.queued;
    assert_eq!((tally.accepted - before.accepted, fates), (2, tally.accepted), "{tally:?}");
    assert_eq!(home.queue().len(), 1);
}
