//! A POP3 server's session under any octets: how they are cut into pieces doesn't matter, nor how the
//! contents are; only QUIT removes, and only what is there.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use posta_fuzz::{Driver, Pieces, drive, split_choices};
use posta_pop3::server::{Answer, Event, LoginFailure, MessageEntry, Question, Session, Settings};
use posta_wire::sasl;
use std::{sync::Arc, time::Instant};

const CONTENTS: [&[u8]; 3] =
    [b"Subject: x\r\n\r\n.dot\r\n..\r\n.\r\n", b"Subject: y\r\n\r\nno line end", b""];

fuzz_target!(|octets: &[u8]| {
    let Some((input, choices, pieces)) = split_choices(octets) else { return };
    let mut settings = Settings::new("pop.south.example");
    settings.bare_lf_accepted = choices & 1 != 0;
    let settings = Arc::new(settings);
    let run = |pieces: Pieces, content_pieces| {
        let now = Instant::now();
        let mut host = Host { content_pieces, ..Host::default() };
        let session = Session::new(settings.clone(), Some("<1@x.example>".to_owned()), now);
        drive(session, &mut host, input, pieces, now);
        host.check();
        (host.sent, host.logins, host.updates, host.events)
    };
    assert_eq!(run(Pieces::WHOLE, usize::MAX), run(pieces, 1 + usize::from(choices >> 1)));
});

#[derive(Default)]
struct Host {
    content_pieces: usize,
    sent: Vec<u8>,
    logins: Vec<Question>,
    updates: Vec<Vec<usize>>,
    events: Vec<Event>,
}

impl Host {
    fn check(&self) {
        assert!(matches!(self.events.last(), Some(Event::Ended { .. })));
        assert!(self.sent.starts_with(b"+OK ") && self.sent.ends_with(b"\r\n"));
        assert!(memchr::memchr_iter(b'\n', &self.sent).all(|at| self.sent[at - 1] == b'\r'));
        assert!(self.updates.len() <= 1);
        for deleted in &self.updates {
            assert!(
                deleted.is_sorted_by(|a, b| a < b) && deleted.iter().all(|index| *index < CONTENTS.len())
            );
            assert!(matches!(self.events.last(), Some(Event::Ended { reason: "quit" })));
        }
    }

    fn login(&mut self, user: &str, question: Question) -> Answer {
        self.logins.push(question);
        let entry = |(index, content): (usize, &&[u8])| MessageEntry {
            size_octets: content.len() as u64
                + if content.ends_with(b"\r\n") || content.is_empty() { 0 } else { 2 },
            unique_id: format!("id{index}"),
        };
        Answer::Login(match user {
            "later" => Err(LoginFailure::Temporary),
            user if user.contains('x') => Err(LoginFailure::Credentials),
            _ => Ok(CONTENTS.iter().enumerate().map(entry).collect()),
        })
    }
}

fn exchange(mechanism: sasl::Mechanism) -> sasl::server::Exchange {
    let settings = sasl::server::Settings::new("pop.example", sasl::server::DecoyKey::new([1; 32]));
    let context =
        sasl::server::Context { random: [2; 18], unix_secs: 1, bindings: sasl::ChannelBindings::none() };
    sasl::server::Exchange::new(mechanism, &settings, context)
}

impl Driver<Session> for Host {
    fn answer(&mut self, question: Question) -> Answer {
        match &question {
            Question::Login { user, .. } | Question::Apop { user, .. } => {
                let user = user.clone();
                self.login(&user, question)
            }
            Question::Content { index, offset } => {
                let rest = &CONTENTS[*index][usize::try_from(*offset).expect("within the content")..];
                Answer::Content(Ok(Bytes::from_static(&rest[..rest.len().min(self.content_pieces)])))
            }
            Question::Mechanisms => Answer::Mechanisms(sasl::Mechanism::ALL.into_iter().collect()),
            Question::Authenticate(mechanism) => Answer::Exchange(Box::new(exchange(*mechanism))),
            Question::Credentials(question) => Answer::Credentials(match &**question {
                sasl::server::Question::CheckPassword { authcid, .. } if authcid.contains("yes") => {
                    sasl::server::Answer::Accepted { authcid: authcid.clone() }
                }
                _ => sasl::server::Answer::Refused,
            }),
            Question::Open(identity) => {
                let user = identity.authzid.clone();
                self.login(&user, question)
            }
            Question::AuthenticationFailed(_) => Answer::Login(Err(LoginFailure::Credentials)),
            Question::Update { deleted } => {
                self.updates.push(deleted.clone());
                Answer::Updated(deleted.len() < CONTENTS.len())
            }
        }
    }

    fn event(&mut self, event: Event) {
        self.events.push(event);
    }

    fn send(&mut self, octets: &[u8]) {
        self.sent.extend_from_slice(octets);
    }
}
