//! An SMTP server's session under any octets: how they are cut into pieces doesn't matter, what is kept
//! was sent so, replies are in form, and there are as many 250s for messages as messages.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use posta_fuzz::{Driver, Pieces, drive, split_choices};
use posta_smtp::{
    Body, Reply, ReplyAssembler, replies,
    server::{Answer, Authentication, BareLineEnd, Event, Question, Session, Settings},
};
use posta_wire::{
    ContentFacts, DotEncoder,
    sasl::{self, Mechanism},
};
use std::{sync::Arc, time::Instant};

/// The one reply that says a message was taken.
const KEPT: &str = "kept";

fuzz_target!(|octets: &[u8]| {
    let Some((input, choices, pieces)) = split_choices(octets) else { return };
    let settings = settings(choices);
    // What comes in chunks is neither stuffed nor in one piece.
    let is_strict = settings.quirks.bare_line_end == BareLineEnd::Refuse && !settings.extensions.chunking;
    let run = |pieces| {
        let now = Instant::now();
        let mut host = Host::new(settings.clone());
        drive(Session::new(settings.clone(), now), &mut host, input, pieces, now);
        host.check(is_strict.then_some(input));
        host
    };
    assert_eq!(run(Pieces::WHOLE), run(pieces));
});

fn settings(choices: u8) -> Arc<Settings> {
    let mut settings = Settings::new("mx.south.example".parse().expect("a domain"));
    if choices & 1 != 0 {
        settings.quirks.bare_line_end = BareLineEnd::Normalize;
    }
    if choices & 2 != 0 {
        settings.limits.content_octets = 512;
        settings.limits.header_section_octets = 128;
        settings.limits.text_line_octets = 100;
        settings.limits.recipients = 2;
        settings.limits.command_line_octets = 80;
    }
    settings.quirks.nul_in_content = choices & 4 != 0;
    settings.extensions.chunking = choices & 8 != 0;
    settings.lmtp = choices & 16 != 0;
    let extensions = &mut settings.extensions;
    let rare = [
        &mut extensions.etrn,
        &mut extensions.atrn,
        &mut extensions.turn,
        &mut extensions.xclient,
        &mut extensions.send,
        &mut extensions.deliver_by,
        &mut extensions.priority,
    ];
    rare.into_iter().for_each(|extension| *extension = choices & 32 != 0);
    Arc::new(settings)
}

#[derive(Debug, PartialEq, Eq)]
struct Host {
    settings: Arc<Settings>,
    sent: Vec<u8>,
    asked: Vec<Question>,
    refused: Vec<(&'static str, Reply)>,
    kept: Vec<Vec<u8>>,
    aborted: usize,
    ended: Option<&'static str>,
    /// Whether a MAIL was accepted that has no end yet.
    is_open: bool,
    /// BODY=BINARYMIME was said.
    is_binary: bool,
    recipients: usize,
    content: Option<Vec<u8>>,
}

impl Host {
    fn new(settings: Arc<Settings>) -> Host {
        Host {
            settings,
            sent: Vec::new(),
            asked: Vec::new(),
            refused: Vec::new(),
            kept: Vec::new(),
            aborted: 0,
            ended: None,
            is_open: false,
            is_binary: false,
            recipients: 0,
            content: None,
        }
    }

    /// What holds of a session that is over, given its input when that must be what was kept.
    fn check(&mut self, input: Option<&[u8]>) {
        assert!(!self.is_open && self.ended.is_some());
        self.content = None;
        let mut assembler = ReplyAssembler::default();
        let mut kept = 0;
        for line in self.sent.strip_suffix(b"\r\n").expect("a reply").split(|octet| *octet == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            // RFC 5321 §4.5.3.1.5
            assert!(line.len() <= 510 && !line.iter().any(u8::is_ascii_control));
            let reply = assembler.take(line).expect("a reply line");
            kept += usize::from(reply.is_some_and(|reply| reply.lines == [KEPT]));
        }
        assert!(!assembler.is_within_reply());
        assert_eq!(kept, self.kept.len());
        for content in self.kept.iter().filter(|_| input.is_some()) {
            let mut encoder = DotEncoder::new();
            let mut wire = encoder.encode(Bytes::copy_from_slice(content)).to_vec();
            wire.extend_from_slice(encoder.finish());
            let stuffed = input.is_some_and(|input| memchr::memmem::find(input, &wire).is_some());
            // Who does not stuff loses dots (RFC 5321 §4.5.2), and is found without them.
            let lost = input
                .is_some_and(|input| input.windows(3).any(|octets| octets[0] == b'\n' && octets[1] == b'.'));
            assert!(stuffed || lost, "what was kept was not sent");
        }
    }

    fn end_of_data(&mut self, facts: ContentFacts) {
        let content = self.content.take().expect("DATA before");
        let (found, faults) = ContentFacts::of(&content);
        assert_eq!(found, facts);
        // The last chunk may end anywhere (RFC 3030 §2); who sends it on with DATA ends the line.
        assert!(content.is_empty() || content.ends_with(b"\r\n") || self.settings.extensions.chunking);
        assert!(facts.size_octets <= self.settings.limits.content_octets);
        if !self.is_binary {
            assert!(!faults.bare_cr && !faults.bare_lf);
            assert!(!faults.nul || self.settings.quirks.nul_in_content);
            assert!(facts.longest_line_octets <= self.settings.limits.text_line_octets);
        }
        self.kept.push(content);
        self.is_open = false;
    }
}

/// Refuses who is called so.
fn verdict(path: &str) -> Reply {
    match path {
        path if path.contains("no") => replies::NO_VALID_RECIPIENTS.reply(),
        path if path.contains("later") => Reply::new(450, None, "later"),
        _ => replies::OK.into(),
    }
}

fn exchange(mechanism: Mechanism) -> sasl::server::Exchange {
    let settings = sasl::server::Settings::new("mx.example", sasl::server::DecoyKey::new([1; 32]));
    let context =
        sasl::server::Context { random: [2; 18], unix_secs: 1, bindings: sasl::ChannelBindings::none() };
    sasl::server::Exchange::new(mechanism, &settings, context)
}

/// Anybody is let in who is called so.
fn credentials(question: &sasl::server::Question) -> sasl::server::Answer {
    match question {
        sasl::server::Question::CheckPassword { authcid, .. } if authcid.contains("yes") => {
            sasl::server::Answer::Accepted { authcid: authcid.clone() }
        }
        _ => sasl::server::Answer::Refused,
    }
}

impl Driver<Session> for Host {
    fn answer(&mut self, question: Question) -> Answer {
        assert_eq!(self.ended, None);
        self.asked.push(question.clone());
        Answer::Reply(match question {
            Question::Greeting => self.settings.greeting(),
            Question::Hello(hello) => {
                let authentication = Authentication {
                    offered: Mechanism::ALL.into_iter().collect(),
                    ..Authentication::default()
                };
                return Answer::Welcome(self.settings.welcome(&hello), authentication);
            }
            Question::Mail { reverse_path, parameters, .. } => {
                assert!(!self.is_open);
                (self.recipients, self.is_binary) = (0, parameters.body == Body::Binary);
                let reply = verdict(&reverse_path.to_string());
                self.is_open = reply.is_positive();
                reply
            }
            Question::Recipient { forward_path, .. } => {
                assert!(self.is_open);
                let reply = verdict(&forward_path.to_string());
                self.recipients += usize::from(reply.is_positive());
                reply
            }
            Question::Data => {
                assert!(self.is_open);
                self.content = Some(Vec::new());
                replies::START_CONTENT.into()
            }
            Question::EndOfData(facts) => {
                assert!(self.is_open);
                self.end_of_data(facts);
                let kept = Reply::new(250, None, KEPT);
                if self.settings.lmtp {
                    let mut each = vec![Reply::new(450, None, "later"); self.recipients];
                    each[0] = kept;
                    return Answer::Each(each);
                }
                kept
            }
            Question::Verify(name) | Question::Expand(name) => verdict(&name),
            Question::StartQueue(name) => verdict(&name.to_string()),
            Question::Turn(turning) => verdict(&turning.to_string()),
            Question::Introduce(introduction) => verdict(&introduction.to_string()),
            Question::Authenticate(mechanism) => return Answer::Exchange(Box::new(exchange(mechanism))),
            Question::Credentials(question) => return Answer::Credentials(credentials(&question)),
        })
    }

    fn event(&mut self, event: Event) {
        assert_eq!(self.ended, None);
        match event {
            Event::Content(octets) => self.content.as_mut().expect("DATA before").extend_from_slice(&octets),
            Event::Aborted { .. } => {
                assert!(std::mem::replace(&mut self.is_open, false), "aborted twice");
                self.content = None;
                self.aborted += 1;
            }
            Event::Refused { stage, reply } => self.refused.push((stage, reply)),
            Event::Authenticated { .. } | Event::AuthenticationFailed { .. } | Event::Secured(_) => {}
            Event::Ended { reason } => self.ended = Some(reason),
        }
    }

    fn send(&mut self, octets: &[u8]) {
        self.sent.extend_from_slice(octets);
    }
}
