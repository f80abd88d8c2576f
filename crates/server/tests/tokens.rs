//! OAUTHBEARER (RFC 7628) and XOAUTH2 with a whole server, inside TLS, and our own client's end: tokens
//! asked about (RFC 7662) and tokens that are signed (RFC 7519).

mod fixture;

use base64::{Engine, prelude::BASE64_STANDARD};
use posta_runtime::{
    Stream,
    tls::{Connector, Demand, TlsEnd, Trust, handshake},
};
use posta_server::{
    Running,
    config::{Config, Listener, Protocol},
};
use posta_wire::{
    Secret,
    sasl::{
        ChannelBindings, Mechanism,
        client::{Context, Credentials, Exchange, Failure, Step},
    },
};
use serde_json::json;
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

const ALICE: &str = "alice@north.example";
const HOST: &str = "mx.north.example";

/// A line at a time, inside TLS.
struct Peer<'a>(BufReader<Box<dyn Stream + 'a>>);

impl Peer<'_> {
    async fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).await.expect("a line");
        // An empty challenge is `+ `.
        line.trim_end_matches(['\r', '\n']).to_owned()
    }

    async fn say(&mut self, text: &str) -> String {
        self.0.get_mut().write_all(format!("{text}\r\n").as_bytes()).await.expect("sent");
        self.line().await
    }

    async fn lines(&mut self, text: &str, last: impl Fn(&str) -> bool) -> Vec<String> {
        let mut lines = vec![self.say(text).await];
        while lines.last().is_some_and(|line| !last(line)) {
            lines.push(self.line().await);
        }
        lines
    }
}

/// Begins a session on a port where TLS comes first.
async fn connect(running: &Running, protocol: Protocol) -> TcpStream {
    let address = running.address(protocol).expect("listens");
    TcpStream::connect(address).await.expect("connects")
}

async fn secured(stream: &mut TcpStream) -> Peer<'_> {
    let trust = Arc::new(Trust::system());
    let connector = Connector::new(trust, HOST, Ipv4Addr::LOCALHOST.into(), Demand::Noted);
    let (secured, _) = handshake(&TlsEnd::Connect(connector), stream).await.expect("TLS");
    let mut peer = Peer(BufReader::new(secured));
    peer.line().await;
    peer
}

/// The server's verdict, and what our end makes of it.
async fn authenticate(
    peer: &mut Peer<'_>,
    mechanism: Mechanism,
    user: &str,
    token: &str,
    host: &str,
) -> (String, Result<(), Failure>) {
    let credentials =
        Credentials::Token { user: user.into(), token: Secret::new(token), host: host.into(), port: 465 };
    let context = Context {
        offered: vec![mechanism],
        confidential: true,
        bindings: ChannelBindings::none(),
        random: *b"a client's nonce!!",
    };
    let mut exchange = Exchange::new(mechanism, &credentials, &context).expect("usable");
    let mut said = exchange.command(255);
    loop {
        let reply = peer.say(said.expose()).await;
        let challenge = reply.strip_prefix("334 ").or_else(|| reply.strip_prefix("+ "));
        let Some(challenge) = challenge else {
            let accepted = reply.starts_with("235 ") || reply.starts_with("+OK");
            return (reply, exchange.conclude(accepted));
        };
        said = match exchange.challenge(challenge.as_bytes()) {
            Step::Respond(response) => response,
            Step::Cancel(failure) => panic!("{failure}"),
        };
    }
}

fn config(oauth: &str) -> Config {
    let text = format!("hostname = \"x\"\ndata_dir = \"x\"\n[oauth]\n{oauth}");
    let read = Config::parse(&text, std::path::Path::new("settings")).expect("a configuration");
    let mut config = fixture::config();
    config.oauth = read.oauth;
    let loopback = |protocol| Listener { protocol, address: (Ipv4Addr::LOCALHOST, 0).into(), proxy: false };
    config.listeners.extend([loopback(Protocol::Submissions), loopback(Protocol::Pop3s)]);
    config
}

/// An authorization server that knows a few tokens, and counts the questions.
async fn authorization_server() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(answer(stream));
        }
    });
    (address, asked)
}

async fn answer(mut stream: TcpStream) {
    let mut request = Vec::new();
    let whole = loop {
        let mut piece = [0; 1024];
        let count = stream.read(&mut piece).await.unwrap_or(0);
        request.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&request).into_owned();
        if count == 0 || text.contains("token_type_hint=access_token") {
            break text;
        }
    };
    let has = |text: &str| whole.contains(text);
    let (status, body) = if !has("authorization: Basic cG9zdGE6cyUyNGNyZXQ=") || !has("POST /check?x=1 ") {
        (401, String::new())
    } else if has("token=good%2Dtoken&") || has("token=good-token&") {
        (200, json!({"active": true, "email": ALICE, "scope": "mail"}).to_string())
    } else if has("token=narrow&") {
        (200, json!({"active": true, "email": ALICE, "scope": "web"}).to_string())
    } else if has("token=huge&") {
        (200, format!("{{\"active\": true, \"x\": \"{}\"}}", "x".repeat(100_000)))
    } else if has("token=odd&") {
        (200, "no JSON".into())
    } else if has("token=silence&") {
        std::future::pending().await
    } else {
        (200, json!({"active": false}).to_string())
    };
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let _ = stream.write_all(answer.as_bytes()).await;
}

async fn asking() -> (Running, Arc<AtomicUsize>) {
    let (address, asked) = authorization_server().await;
    let mut config = config(&format!(
        "introspection = \"http://{address}/check?x=1\"\nclient = \"posta\"\nclient_secret_file = \"x\"\n\
         timeout = \"1s\"\nscope = \"mail\"\nconfiguration = \"https://id.example/.well-known/openid-configuration\""
    ));
    config.oauth_client_secret = Some(Secret::new("s$cret"));
    (fixture::start(config).await, asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_token_logs_in_and_is_asked_about_once() {
    let (running, asked) = asking().await;
    for mechanism in [Mechanism::OauthBearer, Mechanism::Xoauth2] {
        let mut stream = connect(&running, Protocol::Submissions).await;
        let mut smtp = secured(&mut stream).await;
        let offered = smtp.lines("EHLO client.example", |line| line.starts_with("250 ")).await;
        let names = offered.iter().find(|line| line.contains("AUTH ")).expect("AUTH");
        assert!(names.contains(mechanism.name()), "{names}");
        let (reply, concluded) = authenticate(&mut smtp, mechanism, ALICE, "good-token", HOST).await;
        assert!(reply.starts_with("235 2.7.0") && concluded.is_ok(), "{mechanism}: {reply}");
        assert!(smtp.say("MAIL FROM:<alice@north.example>").await.starts_with("250"));

        let mut stream = connect(&running, Protocol::Pop3s).await;
        let mut pop3 = secured(&mut stream).await;
        let offered = pop3.lines("CAPA", |line| line == ".").await;
        let names = offered.iter().find(|line| line.starts_with("SASL ")).expect("SASL");
        assert!(names.contains(mechanism.name()), "{names}");
        let (reply, concluded) = authenticate(&mut pop3, mechanism, ALICE, "good-token", HOST).await;
        assert!(reply.starts_with("+OK maildrop has") && concluded.is_ok(), "{mechanism}: {reply}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_token_is_refused_with_the_reason_for_programs() {
    let (running, _) = asking().await;
    for (user, token, host) in [
        (ALICE, "unknown", HOST),
        (ALICE, "narrow", HOST),
        ("carol@north.example", "good-token", HOST),
        (ALICE, "good-token", "mx.evil.example"),
    ] {
        let mut stream = connect(&running, Protocol::Pop3s).await;
        let mut pop3 = secured(&mut stream).await;
        let (reply, concluded) = authenticate(&mut pop3, Mechanism::OauthBearer, user, token, host).await;
        assert_eq!(reply, "-ERR [AUTH] wrong name or password", "{user} {token} {host}");
        // RFC 7628 §3.2.2.
        let Err(Failure::Refused(Some(words))) = concluded else { panic!("{concluded:?}") };
        let words: serde_json::Value = serde_json::from_str(&words).expect("JSON");
        assert_eq!(words["status"], "invalid_token");
        assert_eq!(words["scope"], "mail");
        assert_eq!(words["openid-configuration"], "https://id.example/.well-known/openid-configuration");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_found_out_is_not_the_tokens_fault() {
    let (running, _) = asking().await;
    for token in ["silence", "odd", "huge"] {
        let mut stream = connect(&running, Protocol::Submissions).await;
        let mut smtp = secured(&mut stream).await;
        smtp.lines("EHLO client.example", |line| line.starts_with("250 ")).await;
        let (reply, _) = authenticate(&mut smtp, Mechanism::Xoauth2, ALICE, token, HOST).await;
        assert!(reply.starts_with("454 4.7.0"), "{token}: {reply}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_never_pass_in_the_clear() {
    let (address, asked) = authorization_server().await;
    let mut config = config(&format!("introspection = \"http://{address}/check\""));
    // Not even where passwords may.
    config.auth.plaintext_on_loopback = true;
    let running = fixture::start(config).await;
    let mut stream = connect(&running, Protocol::Pop3).await;
    let mut pop3 = Peer(BufReader::new(Box::new(&mut stream) as Box<dyn Stream + '_>));
    pop3.line().await;
    let offered = pop3.lines("CAPA", |line| line == ".").await;
    let names = offered.iter().find(|line| line.starts_with("SASL ")).expect("SASL");
    assert!(names.contains("PLAIN") && !names.contains("OAUTH"), "{names}");
    let message = BASE64_STANDARD.encode("n,a=alice@north.example,\x01auth=Bearer good-token\x01\x01");
    let reply = pop3.say(&format!("AUTH OAUTHBEARER {message}")).await;
    assert!(reply.starts_with("-ERR "), "{reply}");
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_token_is_checked_without_asking() {
    let pair = rcgen::KeyPair::generate().expect("a key");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("key.pem");
    std::fs::write(&file, pair.public_key_pem()).expect("written");
    let running =
        fixture::start(config(&format!("keys = {:?}\naudience = \"mail\"", file.display().to_string())))
            .await;
    let sign = |audience: &str, lives_secs: Option<i64>| {
        let key = jsonwebtoken::EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).expect("a key");
        let mut claims = json!({"email": ALICE, "aud": audience});
        if let Some(lives_secs) = lives_secs {
            claims["exp"] = (jiff::Timestamp::now().as_second() + lives_secs).into();
        }
        let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::ES256);
        jsonwebtoken::encode(&header, &claims, &key).expect("signed")
    };
    let tokens = [
        (sign("mail", Some(600)), true),
        (sign("web", Some(600)), false),
        (sign("mail", Some(-600)), false),
        // Nobody could ever take it back.
        (sign("mail", None), false),
    ];
    for (token, good) in tokens {
        let mut stream = connect(&running, Protocol::Pop3s).await;
        let mut pop3 = secured(&mut stream).await;
        let (reply, _) = authenticate(&mut pop3, Mechanism::OauthBearer, ALICE, &token, HOST).await;
        assert_eq!(reply.starts_with("+OK"), good, "{token}: {reply}");
    }
}
