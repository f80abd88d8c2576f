//! A host that sends everything through another, and proves there who it is (RFC 4954, RFC 6409).

mod fixture;

use posta_server::{Running, config::Protocol};
use posta_wire::Secret;
use std::time::Duration;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

/// A letter that is accepted by this host.
async fn send(running: &Running) {
    let address = running.address(Protocol::Smtp).expect("listens");
    let mut stream = BufReader::new(TcpStream::connect(address).await.expect("connects"));
    for (said, expected) in [
        ("", "220"),
        ("HELO client.example\r\n", "250"),
        ("MAIL FROM:<alice@north.example>\r\n", "250"),
        ("RCPT TO:<someone@elsewhere.example>\r\n", "250"),
        ("DATA\r\n", "354"),
        ("Subject: x\r\n\r\ny\r\n.\r\n", "250"),
    ] {
        stream.get_mut().write_all(said.as_bytes()).await.expect("sent");
        let mut line = String::new();
        stream.read_line(&mut line).await.expect("a reply");
        assert!(line.starts_with(expected), "{said}: {line}");
    }
}

/// Both hosts, the first of which knows this password for the other.
async fn hosts(password: &str) -> (Running, Running) {
    let smarthost = fixture::start(fixture::config()).await;
    let address = smarthost.address(Protocol::Submission).expect("listens");
    let mut config = fixture::config();
    config.relay.networks = vec!["127.0.0.0/8".parse().expect("a network")];
    let text = format!(
        "hostname = \"x\"\ndata_dir = \"x\"\n[delivery]\nsmarthost = \"{address}\"\n\
         smarthost_user = \"alice@north.example\"\nsmarthost_password_file = \"password\"\n"
    );
    let read = posta_server::config::Config::parse(&text, std::path::Path::new("posta.toml"));
    config.delivery = read.expect("valid").delivery;
    config.smarthost_password = Some(Secret::new(password));
    (fixture::start(config).await, smarthost)
}

async fn queued(running: &Running) -> Vec<posta_store::QueueEntry> {
    running.store().queue().await.expect("read")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_smarthost_learns_who_we_are() {
    let (host, smarthost) = hosts(fixture::PASSWORD).await;
    send(&host).await;
    for _ in 0..500 {
        if !queued(&smarthost).await.is_empty() && queued(&host).await.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("not relayed: {:?}", queued(&host).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_keeps_the_mail() {
    let (host, smarthost) = hosts("wrong").await;
    send(&host).await;
    for _ in 0..500 {
        let entries = queued(&host).await;
        let attempt = entries.first().and_then(|entry| entry.recipients.first()?.last_attempt.clone());
        if let Some(attempt) = attempt {
            assert!(attempt.detail.contains("535") || attempt.detail.contains("5.7.8"), "{attempt:?}");
            assert!(queued(&smarthost).await.is_empty());
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("no attempt: {:?}", queued(&host).await);
}
