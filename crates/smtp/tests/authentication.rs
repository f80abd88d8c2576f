//! AUTH (RFC 4954) of our client against our server, and against servers that play false.

use posta_smtp::{client, replies, server};
use posta_wire::{
    Conversation, Output, Secret,
    sasl::{
        ChannelBindings, Mechanism, MechanismSet,
        client::{Context, Credentials, Exchange},
        scram::Verifier,
        server::{Answer as Found, DecoyKey, Question as Wanted},
    },
};
use std::{sync::Arc, time::Instant};

/// A client session as `tim`, and what it did.
struct Client {
    session: client::Session,
    now: Instant,
    password: &'static str,
    confidential: bool,
    said: String,
    events: Vec<client::Event>,
    is_ready: bool,
    closed: bool,
}

impl Client {
    fn new(password: &'static str, confidential: bool) -> Self {
        let hostname: posta_address::Domain = "client.example".parse().expect("a domain");
        let settings = client::Settings { authenticates: true, ..client::Settings::new(hostname) };
        let now = Instant::now();
        let session = client::Session::new(Arc::new(settings), now);
        let (said, events) = (String::new(), Vec::new());
        Client { session, now, password, confidential, said, events, is_ready: false, closed: false }
    }

    fn answer(&mut self, question: client::Question) -> client::Answer {
        let client::Question::Authenticate(offered) = question else {
            self.is_ready = true;
            return client::Answer::Quit;
        };
        let password = Secret::new(self.password);
        let credentials = Credentials::Password { authcid: "tim".into(), authzid: None, password };
        let context = Context {
            offered: offered.iter().collect(),
            confidential: self.confidential,
            bindings: ChannelBindings::none(),
            random: *b"a client's nonce!!",
        };
        match Exchange::strongest(&credentials, &context) {
            Ok(exchange) => client::Answer::Exchange(Box::new(exchange)),
            Err(reason) => client::Answer::NoExchange(reason.to_string()),
        }
    }

    /// Hears; gives what it says to that.
    fn hear(&mut self, text: &str) -> String {
        let mut rest = text.as_bytes();
        loop {
            while let Some(output) = self.session.poll_output() {
                match output {
                    Output::Send(octets) => self.said.push_str(&String::from_utf8_lossy(&octets)),
                    Output::Ask(question) => {
                        let answer = self.answer(question);
                        self.session.handle_answer(answer, self.now);
                    }
                    Output::Event(event) => self.events.push(event),
                    Output::StartTls | Output::Turn => panic!("neither TLS nor a turn was asked for"),
                    Output::Close => self.closed = true,
                }
            }
            if rest.is_empty() || self.closed {
                return std::mem::take(&mut self.said);
            }
            let taken = self.session.handle_input(rest, self.now);
            rest = &rest[taken..];
        }
    }

    fn failure(&self) -> Option<&client::Failure> {
        self.events.iter().find_map(|event| match event {
            client::Event::Failed(failure) => Some(failure),
            _ => None,
        })
    }
}

/// Our server, which knows `tim` with the password `tanstaaf`.
fn serve(mechanisms: &[Mechanism], client: &mut Client) {
    let hostname = "mx.south.example".parse().expect("a domain");
    let settings = server::Settings::new(hostname);
    let mut session = server::Session::new(Arc::new(settings.clone()), client.now);
    let offered: MechanismSet = mechanisms.iter().copied().collect();
    let authentication = server::Authentication { offered, ..server::Authentication::default() };
    let mut said = String::new();
    loop {
        while let Some(output) = session.poll_output() {
            match output {
                Output::Send(octets) => said.push_str(&String::from_utf8_lossy(&octets)),
                Output::Ask(question) => {
                    let answer = decide(&settings, authentication, question);
                    session.handle_answer(answer, client.now);
                }
                _ => {}
            }
        }
        let heard = client.hear(&std::mem::take(&mut said));
        if heard.is_empty() {
            return;
        }
        let mut rest = heard.as_bytes();
        while !rest.is_empty() {
            let taken = session.handle_input(rest, client.now);
            rest = &rest[taken..];
            while let Some(output) = session.poll_output() {
                match output {
                    Output::Send(octets) => said.push_str(&String::from_utf8_lossy(&octets)),
                    Output::Ask(question) => {
                        let answer = decide(&settings, authentication, question);
                        session.handle_answer(answer, client.now);
                    }
                    Output::Close => rest = &[],
                    _ => {}
                }
            }
        }
    }
}

fn decide(
    settings: &server::Settings,
    authentication: server::Authentication,
    question: server::Question,
) -> server::Answer {
    use posta_wire::sasl::server::{Context, Exchange, Settings};
    match question {
        server::Question::Greeting => server::Answer::Reply(settings.greeting()),
        server::Question::Hello(hello) => server::Answer::Welcome(settings.welcome(&hello), authentication),
        server::Question::Authenticate(mechanism) => {
            let bindings = ChannelBindings::none();
            let context = Context { random: [7; 18], unix_secs: 1_795_460_400, bindings };
            let sasl = Settings::new("mx.south.example", DecoyKey::new([1; 32]));
            server::Answer::Exchange(Box::new(Exchange::new(mechanism, &sasl, context)))
        }
        server::Question::Credentials(question) => server::Answer::Credentials(match *question {
            Wanted::CheckPassword { authcid, password, .. }
                if authcid == "tim" && password.expose() == "tanstaaf" =>
            {
                Found::Accepted { authcid }
            }
            Wanted::SharedSecret { authcid } if authcid == "tim" => {
                Found::SharedSecret(Secret::new("tanstaaf"))
            }
            Wanted::Verifier { hash, authcid, .. } if authcid == "tim" => Found::Verifier(
                Verifier::derive(hash, &Secret::new("tanstaaf"), b"sixteen octets!!", 4096).expect("derived"),
            ),
            _ => Found::Refused,
        }),
        _ => server::Answer::Reply(replies::OK.reply()),
    }
}

const MECHANISMS: [Mechanism; 5] =
    [Mechanism::ScramSha256, Mechanism::ScramSha1, Mechanism::CramMd5, Mechanism::Plain, Mechanism::Login];

#[test]
fn every_mechanism_between_our_own_ends() {
    for mechanism in MECHANISMS {
        let mut client = Client::new("tanstaaf", true);
        serve(&[mechanism], &mut client);
        assert!(client.is_ready && client.failure().is_none(), "{mechanism}: {:?}", client.events);

        let mut client = Client::new("wrong", true);
        serve(&[mechanism], &mut client);
        let failure = client.failure().unwrap_or_else(|| panic!("{mechanism}: not refused"));
        assert!(!client.is_ready && failure.stage == client::Stage::Authentication, "{mechanism}");
        assert!(failure.is_transient(), "the message is not to blame");
    }
}

#[test]
fn no_password_goes_in_the_clear() {
    for offered in [&[Mechanism::Plain, Mechanism::Login][..], &[]] {
        let mut client = Client::new("tanstaaf", false);
        serve(offered, &mut client);
        assert!(!client.is_ready && client.closed);
        let failure = client.failure().expect("refused by us");
        assert!(matches!(failure.fault, client::Fault::Authentication(_)), "{failure:?}");
    }
    let mut client = Client::new("tanstaaf", false);
    serve(&MECHANISMS, &mut client);
    assert!(client.is_ready, "the strongest shows no password");
}

const OFFER: &str = "220 mx.example\r\n250-mx.example\r\n250 AUTH SCRAM-SHA-256\r\n";

#[test]
fn a_server_that_knows_nothing_is_not_believed() {
    // A success without proof, and a refusal.
    for (reply, told) in [("235 welcome\r\n", "Authentication("), ("535 5.7.8 no\r\n", "Refused(")] {
        let mut client = Client::new("tanstaaf", true);
        let said = client.hear(OFFER);
        assert!(said.contains("AUTH SCRAM-SHA-256 "), "{said}");
        client.hear(reply);
        assert!(!client.is_ready);
        let failure = client.failure().expect("not believed");
        assert!(format!("{failure:?}").contains(told), "{failure:?}");
    }
}

#[test]
fn challenges_do_not_go_on_for_ever() {
    let mut client = Client::new("tanstaaf", true);
    client.hear(OFFER);
    assert_eq!(client.hear("334 not base64!\r\n"), "*\r\n", "given up (RFC 4954 §4)");
    assert_eq!(client.hear("334 AAAA\r\n"), "QUIT\r\n", "and not asked again");
    assert!(client.failure().is_some() && !client.is_ready);
}

#[test]
fn a_connection_lost_within_the_exchange() {
    let mut client = Client::new("tanstaaf", true);
    client.hear(OFFER);
    client.session.handle_closed(client.now);
    client.hear("");
    let expected =
        client::Failure { stage: client::Stage::Authentication, fault: client::Fault::ConnectionLost };
    assert_eq!(client.failure(), Some(&expected));
    assert!(client.closed);
}
