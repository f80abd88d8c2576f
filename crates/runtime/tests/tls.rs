//! The driver begins TLS where a session asks for it, and hears nobody who spoke on in the clear.

use async_trait::async_trait;
use bytes::Bytes;
use posta_runtime::{
    Driven, Handler, SystemClock, drive,
    tls::{Acceptor, Authority, Connector, Demand, Identity, TlsEnd, Trust, self_signed},
};
use posta_wire::{Conversation, Output, TlsFacts, TlsFailure, TlsVersion};
use std::{collections::VecDeque, net::IpAddr, sync::Arc, time::Instant};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::watch,
};

/// Says a word, begins TLS at an `!` from the peer, and reads on inside.
#[derive(Default)]
struct Caller {
    outputs: VecDeque<Output<(), ()>>,
    first: &'static str,
    inside: &'static str,
    securing: bool,
    heard_clear: Vec<u8>,
    heard_inside: Vec<u8>,
    facts: Option<Arc<TlsFacts>>,
    failure: Option<TlsFailure>,
    closes: bool,
}

impl Conversation for Caller {
    type Question = ();
    type Answer = ();
    type Event = ();
    fn handle_input(&mut self, input: &[u8], _now: Instant) -> usize {
        if self.securing {
            return 0;
        }
        if self.facts.is_some() {
            self.heard_inside.extend_from_slice(input);
            if self.closes {
                self.outputs.push_back(Output::Close);
            }
            return input.len();
        }
        let taken = input.iter().position(|octet| *octet == b'!').map_or(input.len(), |at| at + 1);
        self.heard_clear.extend_from_slice(&input[..taken]);
        if self.heard_clear.ends_with(b"!") {
            self.securing = true;
            self.outputs.push_back(Output::Send(Bytes::from_static(self.first.as_bytes())));
            self.outputs.push_back(Output::StartTls);
        }
        taken
    }
    fn handle_answer(&mut self, (): (), _now: Instant) {}
    fn handle_tls(&mut self, facts: Arc<TlsFacts>, _now: Instant) {
        self.securing = false;
        self.facts = Some(facts);
        self.outputs.push_back(Output::Send(Bytes::from_static(self.inside.as_bytes())));
    }
    fn handle_tls_failed(&mut self, failure: TlsFailure, _now: Instant) {
        self.failure = Some(failure);
    }
    fn handle_closed(&mut self, _now: Instant) {}
    fn handle_timeout(&mut self, _now: Instant) {}
    fn handle_shutdown(&mut self, _now: Instant) {}
    fn poll_output(&mut self) -> Option<Output<(), ()>> {
        self.outputs.pop_front()
    }
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}

struct Silent;
#[async_trait]
impl Handler<Caller> for Silent {
    async fn answer(&mut self, (): ()) {}
    async fn event(&mut self, (): ()) {}
}

async fn converse(
    mut caller: Caller,
    mut stream: tokio::io::DuplexStream,
    tls: Option<TlsEnd>,
) -> (Caller, Driven) {
    let (_running, shutdown) = watch::channel(false);
    let driven =
        drive(&mut caller, &mut Silent, &mut stream, tls.as_ref(), &SystemClock, None, shutdown).await;
    (caller, driven)
}

fn identity((chain, key): (String, String)) -> Identity {
    Identity::from_pem(chain.as_bytes(), key.as_bytes()).expect("an identity")
}

fn accept(identities: Vec<Identity>) -> TlsEnd {
    TlsEnd::Accept(Acceptor::new(identities, None).expect("an acceptor"))
}

fn connect(trust: &Arc<Trust>, host: &str, demand: Demand) -> TlsEnd {
    TlsEnd::Connect(Connector::new(trust.clone(), host, IpAddr::from([127, 0, 0, 1]), demand))
}

/// Both ends, one in the client's part and one in the server's.
async fn both(server: TlsEnd, client: TlsEnd) -> (Caller, Caller) {
    let (ours, theirs) = tokio::io::duplex(4096);
    let serving = Caller { first: "go ahead!", inside: "welcome", ..Caller::default() };
    let mut calling = Caller { inside: "hello inside", closes: true, ..Caller::default() };
    calling.outputs.push_back(Output::Send(Bytes::from_static(b"start!")));
    let ((serving, _), (calling, _)) =
        tokio::join!(converse(serving, ours, Some(server)), converse(calling, theirs, Some(client)));
    (serving, calling)
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn both_ends_learn_the_same() {
    let authority = Authority::new("A test authority").expect("an authority");
    let trust = Arc::new(Trust::only(authority.pem().as_bytes()).expect("trust"));
    let server = accept(vec![identity(authority.issue(&names(&["mx.a.example"])).expect("a certificate"))]);
    let (serving, calling) = both(server, connect(&trust, "mx.a.example", Demand::Verified)).await;
    assert_eq!(serving.heard_inside, b"hello inside");
    assert_eq!(calling.heard_inside, b"welcome");
    let (server, client) = (serving.facts.expect("TLS"), calling.facts.expect("TLS"));
    assert_eq!(client.version, TlsVersion::V1_3);
    assert!(client.cipher.starts_with("TLS_") && client.cipher == server.cipher, "{client:?} {server:?}");
    assert_eq!(server.server_name.as_deref(), Some("mx.a.example"));
    assert!(client.is_verified() && !server.is_verified());
    assert!(client.bindings.exporter.is_some() && client.bindings.server_end_point.is_some());
    assert_eq!(client.bindings, server.bindings, "SASL could not be bound to it");
    assert!(client.peer.as_ref().expect("shown").subject.contains("mx.a.example"));
}

#[tokio::test]
async fn certificates_are_chosen_by_name_and_judged() {
    let authority = Authority::new("A test authority").expect("an authority");
    let trust = Arc::new(Trust::only(authority.pem().as_bytes()).expect("trust"));
    let stranger = Authority::new("Another").expect("an authority");
    let identities = || {
        vec![
            identity(authority.issue(&names(&["mx.a.example", "127.0.0.1"])).expect("a certificate")),
            identity(authority.issue(&names(&["mx.b.example", "*.c.example"])).expect("a certificate")),
            identity(stranger.issue(&names(&["mx.d.example"])).expect("a certificate")),
            identity(self_signed(&names(&["mx.e.example"])).expect("a certificate")),
        ]
    };
    // The name asked for, the subject shown, whether it proves anything.
    let table = [
        ("mx.a.example", "CN=mx.a.example", true),
        ("MX.B.example.", "CN=mx.b.example", true),
        ("x.c.example", "CN=mx.b.example", true),
        ("y.x.c.example", "CN=mx.a.example", false),
        ("mx.d.example", "CN=mx.d.example", false),
        ("mx.e.example", "CN=mx.e.example", false),
        ("elsewhere.example", "CN=mx.a.example", false),
        ("127.0.0.1", "CN=mx.a.example", true),
        ("not_a/name", "CN=mx.a.example", true),
    ];
    for (name, subject, proves) in table {
        let (_, noted) = both(accept(identities()), connect(&trust, name, Demand::Noted)).await;
        let facts = noted.facts.unwrap_or_else(|| panic!("{name}: {:?}", noted.failure));
        assert_eq!(facts.peer.as_ref().map(|peer| peer.subject.as_str()), Some(subject), "{name}");
        assert_eq!(facts.is_verified(), proves, "{name}: {facts:?}");
        let (serving, verified) = both(accept(identities()), connect(&trust, name, Demand::Verified)).await;
        assert_eq!(verified.facts.is_some(), proves, "{name}: {:?}", verified.failure);
        assert!(proves || matches!(verified.failure, Some(TlsFailure::Handshake(_))), "{name}");
        assert!(proves || serving.heard_inside.is_empty(), "{name}: something was said to a stranger");
    }
}

#[tokio::test]
async fn without_any_authority_nothing_is_verified() {
    let authority = Authority::new("A test authority").expect("an authority");
    let server = || accept(vec![identity(authority.issue(&names(&["a.example"])).expect("a certificate"))]);
    let other = Authority::new("Another").expect("an authority");
    let trust = Arc::new(Trust::only(other.pem().as_bytes()).expect("trust"));
    let (_, calling) = both(server(), connect(&trust, "a.example", Demand::Verified)).await;
    assert!(matches!(calling.failure, Some(TlsFailure::Handshake(_))));
    assert!(Trust::only(b"no pem").is_err());
    assert!(Acceptor::new(Vec::new(), None).is_err());
}

/// CVE-2011-0411 and its kin: what somebody put behind the last words in the clear.
#[tokio::test]
async fn clear_text_behind_the_last_words_ends_the_connection() {
    for (injected, to_client) in [("start!RSET\r\n", false), ("go ahead!250 injected\r\n", true)] {
        let (mut stranger, ours) = tokio::io::duplex(4096);
        let authority = Authority::new("A test authority").expect("an authority");
        let trust = Arc::new(Trust::only(authority.pem().as_bytes()).expect("trust"));
        let end = match to_client {
            true => connect(&trust, "a.example", Demand::Noted),
            false => accept(vec![identity(self_signed(&names(&["a.example"])).expect("a certificate"))]),
        };
        stranger.write_all(injected.as_bytes()).await.expect("written");
        let (caller, driven) = converse(Caller { first: "go!", ..Caller::default() }, ours, Some(end)).await;
        assert_eq!(caller.failure, Some(TlsFailure::ClearTextBehind));
        assert!(matches!(driven, Driven::Broken(_)), "{driven:?}");
        assert!(caller.heard_inside.is_empty() && caller.facts.is_none());
        let mut said = Vec::new();
        stranger.read_to_end(&mut said).await.expect("read");
        assert_eq!(said, b"", "not even the invitation to begin");
    }
}

/// What comes in the clear after the invitation is no TLS record.
#[tokio::test]
async fn clear_text_in_place_of_the_handshake_ends_the_connection() {
    let (mut stranger, ours) = tokio::io::duplex(4096);
    let end = accept(vec![identity(self_signed(&names(&["a.example"])).expect("a certificate"))]);
    let conversation = tokio::spawn(converse(Caller { first: "go!", ..Caller::default() }, ours, Some(end)));
    stranger.write_all(b"start!").await.expect("written");
    let mut invitation = [0; 3];
    stranger.read_exact(&mut invitation).await.expect("read");
    stranger.write_all(b"MAIL FROM:<mallory@x.example>\r\n").await.expect("written");
    let (caller, _) = conversation.await.expect("ends");
    assert!(matches!(caller.failure, Some(TlsFailure::Handshake(_))), "{:?}", caller.failure);
    assert!(caller.heard_inside.is_empty() && caller.heard_clear == b"start!");
}

#[tokio::test]
async fn without_certificates_there_is_no_tls() {
    let (mut stranger, ours) = tokio::io::duplex(4096);
    stranger.write_all(b"start!").await.expect("written");
    let (caller, _) = converse(Caller { first: "go!", ..Caller::default() }, ours, None).await;
    assert_eq!(caller.failure, Some(TlsFailure::NotConfigured));
}

#[test]
fn keys_that_do_not_fit_are_refused() {
    let (first, _) = self_signed(&names(&["a.example"])).expect("a certificate");
    let (second, key) = self_signed(&names(&["b.example"])).expect("a certificate");
    assert!(Identity::from_pem(first.as_bytes(), key.as_bytes()).is_err(), "another's key");
    assert!(Identity::from_pem(second.as_bytes(), b"").is_err(), "no key");
    assert!(Identity::from_pem(key.as_bytes(), key.as_bytes()).is_err(), "no certificate");
    let fitting = Identity::from_pem(second.as_bytes(), key.as_bytes()).expect("fits");
    assert_eq!(fitting.names(), ["b.example"]);
}
