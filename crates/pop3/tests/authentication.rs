//! AUTH (RFC 5034) of our client against our server, and against servers that play false.

use posta_pop3::{
    client::{Event, Fault, Phase, Question, Request, Session, Settings, Stage},
    server,
};
use posta_wire::{
    Conversation, Output, Secret,
    sasl::{
        self, ChannelBindings, Mechanism,
        client::{Context, Credentials, Exchange},
        scram::Verifier,
        server::{Answer as Found, DecoyKey, Question as Wanted},
    },
};
use std::{sync::Arc, time::Instant};

fn exchange(mechanism: Mechanism, password: &str) -> Box<Exchange> {
    let credentials =
        Credentials::Password { authcid: "tim".into(), authzid: None, password: Secret::new(password) };
    let context = Context {
        offered: vec![mechanism],
        confidential: true,
        bindings: ChannelBindings::none(),
        random: *b"a client's nonce!!",
    };
    Box::new(Exchange::new(mechanism, &credentials, &context).expect("usable"))
}

/// A client that logs in once, and what it did.
struct Client {
    session: Session,
    now: Instant,
    exchange: Option<Box<Exchange>>,
    events: Vec<Event>,
    logged_in: bool,
    closed: bool,
}

impl Client {
    fn new(mechanism: Mechanism, password: &str) -> Self {
        let now = Instant::now();
        let session = Session::new(Settings::default(), now);
        let exchange = Some(exchange(mechanism, password));
        Client { session, now, exchange, events: Vec::new(), logged_in: false, closed: false }
    }

    /// Hears; gives what it says to that.
    fn hear(&mut self, text: &str) -> String {
        let (mut rest, mut said) = (text.as_bytes(), String::new());
        loop {
            while let Some(output) = self.session.poll_output() {
                match output {
                    Output::Send(octets) => said.push_str(&String::from_utf8_lossy(&octets)),
                    Output::Ask(Question::Next(phase)) => {
                        self.logged_in = phase == Phase::Transaction;
                        let request = match self.exchange.take() {
                            Some(exchange) => Request::Authenticate(exchange),
                            None => Request::Quit,
                        };
                        self.session.handle_answer(request, self.now);
                    }
                    Output::Event(event) => self.events.push(event),
                    Output::StartTls | Output::Turn => panic!("neither TLS nor a turn was asked for"),
                    Output::Close => self.closed = true,
                }
            }
            if rest.is_empty() || self.closed {
                return said;
            }
            let taken = self.session.handle_input(rest, self.now);
            rest = &rest[taken..];
        }
    }
}

/// Our server, which knows `tim` with the password `tanstaaf`.
fn serve(client: &mut Client) {
    let settings = server::Settings::new("pop.example");
    let mut session = server::Session::new(Arc::new(settings), None, client.now);
    let mut heard = String::new();
    loop {
        let mut rest = heard.as_bytes();
        let mut said = String::new();
        loop {
            while let Some(output) = session.poll_output() {
                match output {
                    Output::Send(octets) => said.push_str(&String::from_utf8_lossy(&octets)),
                    Output::Ask(question) => session.handle_answer(answer(question), client.now),
                    _ => {}
                }
            }
            if rest.is_empty() {
                break;
            }
            match session.handle_input(rest, client.now) {
                0 => break,
                taken => rest = &rest[taken..],
            }
        }
        heard = client.hear(&said);
        if heard.is_empty() {
            return;
        }
    }
}

fn answer(question: server::Question) -> server::Answer {
    use server::{Answer, LoginFailure, Question};
    match question {
        Question::Authenticate(mechanism) => {
            let bindings = ChannelBindings::none();
            let context = sasl::server::Context { random: [7; 18], unix_secs: 1_795_460_400, bindings };
            let settings = sasl::server::Settings::new("pop.example", DecoyKey::new([1; 32]));
            Answer::Exchange(Box::new(sasl::server::Exchange::new(mechanism, &settings, context)))
        }
        Question::Credentials(question) => Answer::Credentials(match *question {
            Wanted::CheckPassword { authcid, password, .. } if password.expose() == "tanstaaf" => {
                Found::Accepted { authcid }
            }
            Wanted::SharedSecret { .. } => Found::SharedSecret(Secret::new("tanstaaf")),
            Wanted::Verifier { hash, .. } => Found::Verifier(
                Verifier::derive(hash, &Secret::new("tanstaaf"), b"sixteen octets!!", 4096).expect("derived"),
            ),
            _ => Found::Refused,
        }),
        Question::Open(identity) => {
            assert_eq!(identity.authzid, "tim");
            Answer::Login(Ok(Vec::new()))
        }
        _ => Answer::Login(Err(LoginFailure::Credentials)),
    }
}

#[test]
fn every_mechanism_between_our_own_ends() {
    for mechanism in
        [Mechanism::ScramSha256, Mechanism::ScramSha1, Mechanism::CramMd5, Mechanism::Plain, Mechanism::Login]
    {
        let mut client = Client::new(mechanism, "tanstaaf");
        serve(&mut client);
        assert!(client.logged_in && client.closed, "{mechanism}: {:?}", client.events);

        let mut client = Client::new(mechanism, "wrong");
        serve(&mut client);
        let refused = |event: &Event| matches!(event, Event::Refused { stage: Stage::Login, .. });
        assert!(!client.logged_in && client.events.iter().any(refused), "{mechanism}: {:?}", client.events);
    }
}

#[test]
fn a_long_initial_response_waits_for_an_empty_challenge() {
    let mut client = Client::new(Mechanism::Plain, &"x".repeat(300));
    assert_eq!(client.hear("+OK ready\r\n"), "AUTH PLAIN\r\n");
    assert!(client.hear("+ \r\n").len() > 300);
    let mut client = Client::new(Mechanism::Plain, &"x".repeat(300));
    client.hear("+OK ready\r\n");
    assert!(client.hear("+\r\n").len() > 300, "some leave the space out");
}

#[test]
fn a_success_without_proof_is_not_believed() {
    let mut client = Client::new(Mechanism::ScramSha256, "tanstaaf");
    client.hear("+OK ready\r\n");
    client.hear("+OK welcome\r\n");
    let fault = client.events.iter().find_map(|event| match event {
        Event::Failed(failure) => Some(&failure.fault),
        _ => None,
    });
    assert!(matches!(fault, Some(Fault::Authentication(_))), "{:?}", client.events);
    assert!(client.closed && !client.logged_in);
}

#[test]
fn challenges_do_not_go_on_for_ever() {
    let mut client = Client::new(Mechanism::ScramSha256, "tanstaaf");
    client.hear("+OK ready\r\n");
    assert_eq!(client.hear("+ not base64!\r\n"), "*\r\n");
    client.hear("+ AAAA\r\n");
    assert!(client.closed && !client.logged_in, "{:?}", client.events);
}
