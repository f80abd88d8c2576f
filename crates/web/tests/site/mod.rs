//! A host with pages on loopback, and a browser that does only what it is told.

#![allow(dead_code, reason = "each test uses its part")]

use posta_address::Mailbox;
use posta_journal::Journal;
use posta_server::{
    Running, Server, World,
    config::{Config, Listener, Protocol},
    passwords::Proofs,
};
use posta_store::{Account, Credentials, DirectoryChange, DomainSettings, MemoryStore, Store};
use posta_web::{Desks, Pages};
use posta_wire::Secret;
use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Everybody's password.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// A running host.
pub(crate) struct Site {
    pub(crate) running: Running,
    pub(crate) address: SocketAddr,
    folder: tempfile::TempDir,
}

/// Starts one with these desks.
pub(crate) async fn start(
    desks: impl FnOnce(&posta_server::web::WebHost) -> Arc<dyn Desks> + Send + 'static,
) -> Site {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = Config::new("mx.north.example".parse().expect("a domain"), folder.path());
    config.listeners =
        vec![Listener { protocol: Protocol::Http, address: (Ipv4Addr::LOCALHOST, 0).into(), proxy: false }];
    config.domains = vec!["north.example".parse().expect("a domain")];
    config.dns.servers = vec![(Ipv4Addr::LOCALHOST, 9).into()];
    config.limits.failures_per_address = 4;
    let store = Arc::new(MemoryStore::new(Arc::new(jiff::Timestamp::now)));
    for name in ["alice", "bob"] {
        settle(&*store, name).await;
    }
    let world = World {
        store: Some(store),
        journal: Some(Journal::memory(Arc::new(jiff::Timestamp::now))),
        log_events: false,
        web: Some(Box::new(|host| {
            let desks = desks(&host);
            Arc::new(Pages::new(host, desks))
        })),
        ..World::default()
    };
    let running = Server::start(config, world).await.expect("starts");
    let address = running.address(Protocol::Http).expect("listens");
    Site { running, address, folder }
}

async fn settle(store: &dyn Store, name: &str) {
    static PROOFS: OnceLock<Proofs> = OnceLock::new();
    let proofs = PROOFS.get_or_init(|| Proofs::derive(&Secret::new(PASSWORD), &[7; 16]).expect("derived"));
    let domain = DomainSettings {
        domain: "north.example".parse().expect("a domain"),
        catch_all: None,
        subaddress_separator: Some('+'),
    };
    store.change_directory(DirectoryChange::PutDomain(domain)).await.expect("put");
    let account = Account {
        id: store.new_account_id(),
        address: mailbox(&format!("{name}@north.example")),
        name: Some(name.to_uppercase()),
        password_hash: Some(proofs.hash.clone()),
        apop_secret: None,
        credentials: Credentials { app_passwords: Vec::new(), ..proofs.credentials.clone() },
        quota_octets: None,
        enabled: true,
        hold_seconds: 0,
    };
    store.change_directory(DirectoryChange::PutAccount(account)).await.expect("put");
}

pub(crate) fn mailbox(text: &str) -> Mailbox {
    text.parse().expect("a mailbox")
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

/// A browser: cookies, and the token of the page that it saw last.
pub(crate) struct Browser {
    address: SocketAddr,
    cookies: BTreeMap<String, String>,
    pub(crate) csrf: String,
    /// Sent with every request.
    pub(crate) fields: Vec<(String, String)>,
}

impl Browser {
    pub(crate) fn new(site: &Site) -> Self {
        Browser { address: site.address, cookies: BTreeMap::new(), csrf: String::new(), fields: Vec::new() }
    }

    /// Somebody who is logged in.
    pub(crate) async fn of(site: &Site, name: &str) -> Self {
        let mut browser = Browser::new(site);
        let answer = browser.log_in(&format!("{name}@north.example"), PASSWORD).await;
        assert_eq!((answer.status, answer.field("location")), (303, Some("/mail")), "{}", answer.text());
        assert_eq!(browser.get("/mail").await.status, 200);
        browser
    }

    pub(crate) async fn log_in(&mut self, name: &str, password: &str) -> Answer {
        self.form("/mail/login", &[("name", name), ("password", password)]).await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.ask("GET", path, None, b"").await
    }

    pub(crate) async fn form(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut body = Vec::new();
        for (name, value) in fields {
            body.push(format!("{name}={}", encoded(value)));
        }
        self.ask("POST", path, Some("application/x-www-form-urlencoded"), body.join("&").as_bytes()).await
    }

    pub(crate) async fn json(&mut self, method: &str, path: &str, body: &serde_json::Value) -> Answer {
        self.ask(method, path, Some("application/json"), body.to_string().as_bytes()).await
    }

    pub(crate) async fn ask(
        &mut self,
        method: &str,
        path: &str,
        content_type: Option<&str>,
        body: &[u8],
    ) -> Answer {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.address);
        if let Some(content_type) = content_type {
            head.push_str(&format!("Content-Type: {content_type}\r\nContent-Length: {}\r\n", body.len()));
        }
        if !self.cookies.is_empty() {
            let pairs: Vec<String> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            head.push_str(&format!("Cookie: {}\r\n", pairs.join("; ")));
        }
        if !self.csrf.is_empty() && path.starts_with("/api/") {
            head.push_str(&format!("X-CSRF-Token: {}\r\n", self.csrf));
        }
        for (name, value) in &self.fields {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let answer = exchange(self.address, &[head.as_bytes(), body].concat()).await;
        for line in answer.head.lines() {
            if let Some(cookie) = line.strip_prefix("set-cookie: ")
                && let Some((name, value)) = cookie.split(';').next().and_then(|pair| pair.split_once('='))
            {
                match value {
                    "" => self.cookies.remove(name),
                    _ => self.cookies.insert(name.to_owned(), value.to_owned()),
                };
            }
        }
        if let Some(csrf) = between(&answer.text(), "name=\"csrf\" content=\"", "\"")
            .or_else(|| between(&answer.text(), "name=\"csrf\" value=\"", "\""))
        {
            self.csrf = csrf;
        }
        answer
    }

    /// Another browser with the same cookies.
    pub(crate) fn stolen(&self) -> Self {
        Browser {
            address: self.address,
            cookies: self.cookies.clone(),
            csrf: String::new(),
            fields: Vec::new(),
        }
    }
}

/// One request, one answer.
pub(crate) async fn exchange(address: SocketAddr, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    // The server may answer and close before it has all.
    let _ = stream.write_all(request).await;
    let mut octets = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut octets)).await;
    let _ = read.expect("an end");
    let at = octets.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8_lossy(&octets[..at]).into_owned();
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    let mut body = octets[at + 4..].to_vec();
    if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        body = joined(&body);
    }
    Answer { status, head, body }
}

/// RFC 9112 §7.1.
fn joined(mut chunked: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(at) = chunked.windows(2).position(|window| window == b"\r\n") {
        let size =
            std::str::from_utf8(&chunked[..at]).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
        let Some(size @ 1..) = size else { break };
        body.extend_from_slice(&chunked[at + 2..at + 2 + size]);
        chunked = &chunked[at + 4 + size..];
    }
    body
}

pub(crate) fn between(text: &str, before: &str, after: &str) -> Option<String> {
    let rest = &text[text.find(before)? + before.len()..];
    Some(rest[..rest.find(after)?].to_owned())
}

fn encoded(text: &str) -> String {
    let plain = |octet: u8| match octet {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(octet).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(plain).collect()
}
