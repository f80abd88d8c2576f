//! Clients that mean no good, over sockets: thousands that only wait, some that drip, and names that would be
//! replies. Whoever means well is served all the while.

mod fixture;

use posta_server::{
    Running,
    config::{Config, Period, Protocol},
};
use posta_store::DirectoryChange;
use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Nothing here takes long; whoever waits longer waits in vain.
const PATIENCE: Duration = Duration::from_secs(60);

/// Connections that only wait; `POSTA_IDLE_CONNECTIONS=10000` asks for more.
const IDLE_CONNECTIONS: usize = 300;

fn config() -> Config {
    let mut config = fixture::config();
    config.limits.connections_per_address = 100_000;
    config
}

async fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).await.expect("connects");
    stream.set_nodelay(true).expect("no delay");
    stream
}

/// Says something; reads until what came ends with a line that begins so.
async fn talk(stream: &mut TcpStream, said: &str, last_line: &str) -> String {
    stream.write_all(said.as_bytes()).await.expect("is sent");
    let mut heard = String::new();
    let hear = async {
        let mut octets = [0; 4096];
        while !heard.lines().last().is_some_and(|line| line.starts_with(last_line)) {
            let count = stream.read(&mut octets).await.expect("is heard");
            assert!(count > 0, "{said}: closed after {heard:?}");
            heard.push_str(std::str::from_utf8(&octets[..count]).expect("text"));
        }
    };
    tokio::time::timeout(PATIENCE, hear).await.unwrap_or_else(|_| panic!("{said}: no {last_line}"));
    heard
}

/// A letter to Bob, from greeting to 221.
async fn send_letter(server: &Running) {
    let mut stream = connect(server.address(Protocol::Smtp).expect("a listener")).await;
    talk(&mut stream, "", "220 ").await;
    talk(&mut stream, "EHLO client.example\r\n", "250 HELP").await;
    talk(&mut stream, "MAIL FROM:<ann@client.example>\r\nRCPT TO:<bob@north.example>\r\nDATA\r\n", "354 ")
        .await;
    talk(&mut stream, "Subject: in spite of all\r\n\r\nhello\r\n.\r\nQUIT\r\n", "221 ").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_only_wait_are_in_nobodys_way() {
    let wanted = std::env::var("POSTA_IDLE_CONNECTIONS").ok().and_then(|count| count.parse().ok());
    let count: usize = wanted.unwrap_or(IDLE_CONNECTIONS);
    posta_server::privileges::raise_file_limit();
    let mut config = config();
    config.limits.connections = count + 1;
    let server = fixture::start(config).await;
    let (smtp, pop3) = (
        server.address(Protocol::Smtp).expect("a listener"),
        server.address(Protocol::Pop3).expect("a listener"),
    );
    let mut idle = Vec::with_capacity(count);
    for number in 0..count {
        let (address, greeting) = if number % 2 == 0 { (smtp, "220 ") } else { (pop3, "+OK ") };
        let mut stream = connect(address).await;
        talk(&mut stream, "", greeting).await;
        idle.push(stream);
    }
    send_letter(&server).await;
    // The last place is taken, and the next one is told so at once.
    let mut last = connect(smtp).await;
    talk(&mut last, "", "220 ").await;
    let mut refused = connect(smtp).await;
    assert_eq!(talk(&mut refused, "", "421 ").await.lines().count(), 1);
    drop((idle, last, refused));
    let gone = async {
        while server.connections() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("all places are free again");
    send_letter(&server).await;
    server.shutdown(Duration::from_secs(5)).await;
}

/// Slow loris: an octet now and then, so that something always comes, but never a line.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_drip_are_let_go() {
    let mut config = config();
    config.smtp.command_timeout = Period(Duration::from_millis(300));
    let server = fixture::start(config).await;
    let smtp = server.address(Protocol::Smtp).expect("a listener");
    let mut drips = Vec::new();
    for _ in 0..20 {
        drips.push(tokio::spawn(async move {
            let mut stream = connect(smtp).await;
            talk(&mut stream, "", "220 ").await;
            let (mut reader, mut writer) = stream.into_split();
            let drip = tokio::spawn(async move {
                while writer.write_all(b"E").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            });
            let mut heard = String::new();
            // Whoever still writes when it is closed may hear a reset rather than the end.
            let read = tokio::time::timeout(PATIENCE, reader.read_to_string(&mut heard)).await;
            drip.abort();
            assert!(read.is_ok(), "is let go on for ever");
        }));
    }
    send_letter(&server).await;
    for drip in drips {
        drip.await.expect("is let go");
    }
    server.shutdown(Duration::from_secs(5)).await;
}

/// What an account is called may come from anywhere; it is never a reply of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_would_be_a_reply_is_none() {
    let server = fixture::start(config()).await;
    let store = server.store().clone();
    let mut account =
        store.account(&fixture::mailbox("bob@north.example")).await.expect("looked up").expect("Bob");
    account.name = Some("Bob\r\n250 2.1.5 <eve@evil.example>\r\n\u{1b}[2J".into());
    store.change_directory(DirectoryChange::PutAccount(account)).await.expect("put");
    let mut stream = connect(server.address(Protocol::Smtp).expect("a listener")).await;
    talk(&mut stream, "", "220 ").await;
    let said = talk(&mut stream, "VRFY bob@north.example\r\nNOOP\r\n", "250 2.0.0 Ok").await;
    let lines: Vec<&str> = said.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 2, "{said:?}");
    assert!(lines[0].starts_with("250 2.1.5 Bob") && !lines[0].chars().any(char::is_control), "{said:?}");
    server.shutdown(Duration::from_secs(5)).await;
}

/// Whoever may not send there anyway does not make us ask the DNS for names of his choice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_names_are_not_looked_up() {
    let silence = Arc::new(fixture::Silence::default());
    let mut config = config();
    config.smtp.null_mx = true;
    config.relay.domains = [fixture::domain("no-mail.example")].into();
    let server = fixture::start_with(config, silence.clone()).await;
    let mut stream = connect(server.address(Protocol::Smtp).expect("a listener")).await;
    talk(&mut stream, "", "220 ").await;
    talk(&mut stream, "HELO client.example\r\nMAIL FROM:<>\r\n", "250 2.1.0").await;
    talk(&mut stream, "RCPT TO:<x@far.example>\r\n", "550 5.7.1").await;
    assert_eq!(silence.mx_asked.load(Ordering::Relaxed), 0);
    talk(&mut stream, "RCPT TO:<x@no-mail.example>\r\n", "556 ").await;
    assert_eq!(silence.mx_asked.load(Ordering::Relaxed), 1);
}
