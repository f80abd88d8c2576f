//! STLS at both ends (RFC 2595): what is said before it, what is forgotten, and what is never heard.

use posta_pop3::{client, server};
use posta_wire::{
    Conversation, Output, TlsFacts, TlsFailure, TlsVersion,
    sasl::{ChannelBindings, MechanismSet},
};
use std::{collections::VecDeque, sync::Arc, time::Instant};

fn facts() -> Arc<TlsFacts> {
    Arc::new(TlsFacts {
        version: TlsVersion::V1_2,
        cipher: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256".into(),
        server_name: None,
        bindings: ChannelBindings::none(),
        peer: None,
    })
}

/// What a session did since it was looked at last.
#[derive(Default)]
struct Done {
    said: String,
    events: Vec<String>,
    wants_tls: bool,
    closed: bool,
}

fn drain<C>(session: &mut C, now: Instant, mut answer: impl FnMut(C::Question) -> C::Answer) -> Done
where
    C: Conversation,
    C::Event: std::fmt::Debug,
{
    let mut done = Done::default();
    while let Some(output) = session.poll_output() {
        match output {
            Output::Send(octets) => {
                assert!(!done.wants_tls, "something is said after TLS was asked for");
                done.said.push_str(std::str::from_utf8(&octets).expect("text"));
            }
            Output::Ask(question) => session.handle_answer(answer(question), now),
            Output::Event(event) => done.events.push(format!("{event:?}")),
            Output::StartTls => done.wants_tls = true,
            Output::Turn | Output::Close => done.closed = true,
        }
    }
    done
}

fn log_in(question: server::Question) -> server::Answer {
    match question {
        server::Question::Login { .. } => server::Answer::Login(Ok(Vec::new())),
        server::Question::Mechanisms => server::Answer::Mechanisms(MechanismSet::default()),
        other => panic!("{other:?}"),
    }
}

/// A server, the octets it took of the input, and what it did.
fn serve(session: &mut server::Session, input: &str) -> (usize, Done) {
    let now = Instant::now();
    let taken = session.handle_input(input.as_bytes(), now);
    (taken, drain(session, now, log_in))
}

fn server(stls: bool) -> server::Session {
    let mut settings = server::Settings::new("pop.example");
    settings.stls = stls;
    let now = Instant::now();
    let mut session = server::Session::new(Arc::new(settings), None, now);
    assert!(drain(&mut session, now, log_in).said.starts_with("+OK"));
    session
}

#[test]
fn the_server_forgets_the_name_and_offers_it_no_more() {
    let mut session = server(true);
    assert!(serve(&mut session, "CAPA\r\n").1.said.contains("\r\nSTLS\r\n"));
    serve(&mut session, "USER mrose\r\n");
    let (_, done) = serve(&mut session, "STLS\r\n");
    assert_eq!(done.said, "+OK begin TLS\r\n");
    assert!(done.wants_tls);
    session.handle_tls(facts(), Instant::now());
    assert!(serve(&mut session, "PASS x\r\n").1.said.starts_with("-ERR USER comes first"));
    assert!(!serve(&mut session, "CAPA\r\n").1.said.contains("STLS"));
    assert!(serve(&mut session, "STLS\r\n").1.said.starts_with("-ERR TLS is on already"));
    serve(&mut session, "USER mrose\r\n");
    assert!(serve(&mut session, "PASS x\r\n").1.said.starts_with("+OK"));
}

#[test]
fn stls_at_the_wrong_time_or_in_the_wrong_form() {
    let table = [
        (false, "", "STLS\r\n", "-ERR STLS is not offered here\r\n"),
        (true, "", "STLS now\r\n", "-ERR STLS takes no argument\r\n"),
        (true, "USER a\r\n|PASS b\r\n", "STLS\r\n", "-ERR STLS comes before logging in\r\n"),
    ];
    for (offered, before, command, expected) in table {
        let mut session = server(offered);
        before.split('|').filter(|line| !line.is_empty()).for_each(|line| drop(serve(&mut session, line)));
        let (_, done) = serve(&mut session, command);
        assert_eq!(done.said, expected);
        assert!(!done.wants_tls);
    }
    let mut session = server(true);
    serve(&mut session, "USER a\r\n");
    serve(&mut session, "PASS b\r\n");
    assert!(!serve(&mut session, "CAPA\r\n").1.said.contains("STLS"), "RFC 2595 §8: before the login only");
}

#[test]
fn the_server_hears_nothing_that_is_behind_stls() {
    let mut session = server(true);
    let (taken, done) = serve(&mut session, "STLS\r\nUSER mallory\r\nPASS x\r\n");
    assert_eq!(taken, "STLS\r\n".len(), "the driver ends the connection for what is left");
    assert_eq!((done.said.as_str(), done.wants_tls), ("+OK begin TLS\r\n", true));
    assert_eq!(session.handle_input(b"USER mallory\r\n", Instant::now()), 0);
    session.handle_tls_failed(TlsFailure::ClearTextBehind, Instant::now());
    let done = drain(&mut session, Instant::now(), log_in);
    assert!(done.closed && done.said.is_empty());
    assert_eq!(done.events, ["Ended { reason: \"TLS failed\" }"]);
}

#[test]
fn with_implicit_tls_the_greeting_is_inside() {
    let now = Instant::now();
    let mut settings = server::Settings::new("pop.example");
    settings.stls = true;
    let mut session =
        server::Session::new_over_tls(Arc::new(settings), Some("<1.2@pop.example>".into()), now);
    let done = drain(&mut session, now, log_in);
    assert!(done.wants_tls && done.said.is_empty());
    assert_eq!(session.handle_input(b"USER early\r\n", now), 0);
    session.handle_tls(facts(), now);
    let done = drain(&mut session, now, log_in);
    assert_eq!(done.said, "+OK pop.example POP3 server ready <1.2@pop.example>\r\n");
}

/// A client that asks for TLS and leaves.
fn client(implicit_tls: bool) -> (client::Session, impl FnMut(client::Question) -> client::Request) {
    let mut requests = VecDeque::from([client::Request::StartTls, client::Request::Quit]);
    if implicit_tls {
        requests.pop_front();
    }
    let settings = client::Settings { implicit_tls, ..client::Settings::default() };
    let ask = move |_: client::Question| requests.pop_front().unwrap_or(client::Request::Quit);
    (client::Session::new(settings, Instant::now()), ask)
}

#[test]
fn the_client_begins_tls_or_goes_on_without() {
    let now = Instant::now();
    let (mut session, mut ask) = client(false);
    session.handle_input(b"+OK hello\r\n", now);
    assert_eq!(drain(&mut session, now, &mut ask).said, "STLS\r\n");
    session.handle_input(b"+OK begin\r\n", now);
    let done = drain(&mut session, now, &mut ask);
    assert!(done.wants_tls && done.said.is_empty());
    session.handle_tls(facts(), now);
    let done = drain(&mut session, now, &mut ask);
    assert_eq!(done.said, "QUIT\r\n");
    assert!(done.events[0].starts_with("Secured") && done.events[1].starts_with("Done"), "{:?}", done.events);

    let (mut session, mut ask) = client(false);
    session.handle_input(b"+OK hello\r\n", now);
    drain(&mut session, now, &mut ask);
    session.handle_input(b"-ERR unknown command\r\n", now);
    let done = drain(&mut session, now, &mut ask);
    assert!(!done.wants_tls && done.events[0].starts_with("Refused"), "{:?}", done.events);
}

#[test]
fn the_client_hears_nothing_that_is_behind_the_reply_to_stls() {
    let now = Instant::now();
    let (mut session, mut ask) = client(false);
    session.handle_input(b"+OK hello\r\n", now);
    drain(&mut session, now, &mut ask);
    let input = b"+OK begin\r\n+OK injected\r\n";
    assert_eq!(session.handle_input(input, now), "+OK begin\r\n".len());
    assert!(drain(&mut session, now, &mut ask).wants_tls);
    assert_eq!(session.handle_input(b"+OK injected\r\n", now), 0);
    session.handle_tls_failed(TlsFailure::ClearTextBehind, now);
    let done = drain(&mut session, now, &mut ask);
    assert!(done.closed && done.said.is_empty());
    assert!(done.events[0].contains("Tls(ClearTextBehind)"), "{:?}", done.events);
}

#[test]
fn with_implicit_tls_the_client_waits_inside() {
    let now = Instant::now();
    let (mut session, mut ask) = client(true);
    assert!(drain(&mut session, now, &mut ask).wants_tls);
    assert_eq!(session.handle_input(b"+OK in the clear\r\n", now), 0);
    session.handle_tls(facts(), now);
    session.handle_input(b"+OK inside\r\n", now);
    assert_eq!(drain(&mut session, now, &mut ask).said, "QUIT\r\n");
}
