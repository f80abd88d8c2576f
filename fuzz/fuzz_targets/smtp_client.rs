//! Any octets as the words of an SMTP server: each message ends in one outcome per recipient, success
//! only if all of it was sent; how the words are cut into pieces doesn't matter.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use posta_address::Domain;
use posta_address::ForwardPath;
use posta_fuzz::{Driver, Pieces, drive, split_choices};
use posta_smtp::client::{Answer, Event, Question, Recipient, Requests, Session, Settings, Transaction};
use posta_wire::ContentFacts;
use std::{sync::Arc, time::Instant};

const CONTENTS: [(&str, &str); 2] = [
    ("Subject: x\r\n\r\n.\r\n.dot\r\nend\r\n", "Subject: x\r\n\r\n..\r\n..dot\r\nend\r\n.\r\n"),
    ("Subject: grün\r\n\r\nno line end ß", "Subject: grün\r\n\r\nno line end ß\r\n.\r\n"),
];

fuzz_target!(|octets: &[u8]| {
    let Some((input, choices, pieces)) = split_choices(octets) else { return };
    let host: Domain = "mx.north.example".parse().expect("a domain");
    let mut settings = Settings::new(host);
    settings.pipelining = choices & 1 == 0;
    settings.lmtp = choices & 64 != 0;
    let settings = Arc::new(settings);
    let run = |pieces| {
        let now = Instant::now();
        let mut sender = Sender::new(choices >> 1);
        drive(Session::new(settings.clone(), now), &mut sender, input, pieces, now);
        sender.check();
        sender
    };
    assert_eq!(run(Pieces::WHOLE), run(pieces));
});

#[derive(Debug, PartialEq, Eq)]
struct Sender {
    choices: u8,
    sent: Vec<u8>,
    events: Vec<Event>,
    /// How many messages were begun, and how many recipients the last has.
    begun: usize,
    recipients: usize,
    done: usize,
    accepted: usize,
    offset: usize,
}

impl Sender {
    fn new(choices: u8) -> Sender {
        let (sent, events) = (Vec::new(), Vec::new());
        Sender { choices, sent, events, begun: 0, recipients: 0, done: 0, accepted: 0, offset: 0 }
    }

    fn content(&self) -> (&'static str, &'static str) {
        CONTENTS[(usize::from(self.choices) + self.begun) % 2]
    }

    fn check(&self) {
        assert_eq!(self.begun, self.done, "a message has no outcome");
        let sent: usize =
            CONTENTS.iter().map(|(_, wire)| memchr::memmem::find_iter(&self.sent, wire).count()).sum();
        let sent = sent + self.sent_in_chunks();
        assert!(self.accepted <= sent && sent <= self.begun);
        // Every final dot is ours, after a content or after a 354 that should not have been.
        assert!(memchr::memmem::find_iter(&self.sent, b"\r\n.\r\n").count() <= self.begun);
    }

    /// Contents that went with BDAT, whole and up to the last chunk.
    fn sent_in_chunks(&self) -> usize {
        let (mut rest, mut content, mut sent) = (&*self.sent, Vec::new(), 0);
        while let Some(at) = memchr::memmem::find(rest, b"BDAT ") {
            let command = &rest[at..];
            let end = memchr::memmem::find(command, b"\r\n").expect("a whole command");
            let text = std::str::from_utf8(&command[5..end]).expect("text");
            let (size, is_last) = text.strip_suffix(" LAST").map_or((text, false), |size| (size, true));
            let from = end + 2;
            let to = from + size.parse::<usize>().expect("a size");
            content.extend_from_slice(&command[from..to]);
            if is_last {
                let whole = CONTENTS.iter().any(|(text, _)| text.as_bytes() == content);
                assert!(whole, "a last chunk behind half a content");
                sent += 1;
                content.clear();
            } else if memchr::memmem::find(&command[to..], b"BDAT ") != Some(0) {
                // It was given up.
                content.clear();
            }
            rest = &command[to..];
        }
        sent
    }

    fn next(&mut self) -> Answer {
        assert_eq!(self.begun, self.done, "the next before the last is done");
        if self.begun == 2 {
            return Answer::Quit;
        }
        self.begun += 1;
        self.offset = 0;
        self.recipients = 1 + usize::from(self.choices >> 1 & 3);
        let recipient = |number| {
            let path: ForwardPath = format!("<r{number}@south.example>").parse().expect("a path");
            Recipient::from(path)
        };
        Answer::Transaction(Transaction {
            reverse_path: "<alice@north.example>".parse().expect("a path"),
            recipients: (0..self.recipients).map(recipient).collect(),
            facts: ContentFacts::of(self.content().0.as_bytes()).0,
            smtputf8: self.choices & 8 != 0,
            requests: Requests::default(),
        })
    }
}

impl Driver<Session> for Sender {
    fn answer(&mut self, question: Question) -> Answer {
        match question {
            Question::Next => self.next(),
            Question::Authenticate(_) => Answer::Unidentified,
            Question::Content => {
                let rest = &self.content().0.as_bytes()[self.offset..];
                if rest.is_empty() {
                    return Answer::EndOfContent;
                }
                let piece = &rest[..rest.len().min(1 + usize::from(self.choices >> 4))];
                self.offset += piece.len();
                Answer::Chunk(Bytes::from_static(piece))
            }
        }
    }

    fn event(&mut self, event: Event) {
        if let Event::Done(outcomes) = &event {
            assert_eq!(outcomes.len(), self.recipients);
            assert!(outcomes.iter().flatten().all(|reply| reply.is_positive()));
            self.accepted += usize::from(outcomes.iter().any(|outcome| outcome.is_ok()));
            self.done += 1;
            assert_eq!(self.begun, self.done, "two outcomes of one message");
        }
        self.events.push(event);
    }

    fn send(&mut self, octets: &[u8]) {
        self.sent.extend_from_slice(octets);
    }
}
