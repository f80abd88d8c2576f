//! Any octets as the words of a POP3 server: each request ends in one outcome, a message is whole or
//! not there; how the words are cut into pieces doesn't matter.
#![no_main]

use libfuzzer_sys::fuzz_target;
use posta_fuzz::{Driver, Pieces, drive, split_choices};
use posta_pop3::{
    MessageNumber,
    client::{Credentials, Event, LoginMethod, Question, Request, Session, Settings},
};
use posta_wire::Secret;
use std::time::Instant;

fuzz_target!(|octets: &[u8]| {
    let Some((input, choices, pieces)) = split_choices(octets) else { return };
    let mut settings = Settings::default();
    if choices & 128 != 0 {
        settings.retrieved_octets_max = 64;
    }
    let run = |pieces| {
        let now = Instant::now();
        let mut reader = Reader { choices, ..Reader::default() };
        drive(Session::new(settings.clone(), now), &mut reader, input, pieces, now);
        reader.check(input);
        reader
    };
    assert_eq!(run(Pieces::WHOLE), run(pieces));
});

#[derive(Debug, Default, PartialEq, Eq)]
struct Reader {
    choices: u8,
    requests: usize,
    outcomes: usize,
    sent: Vec<u8>,
    events: Vec<Event>,
    content: Vec<u8>,
    contents: Vec<Vec<u8>>,
}

impl Reader {
    fn check(&mut self, input: &[u8]) {
        // What came of a message that is not whole depends on the pieces.
        self.content.clear();
        // The greeting is no request, but may be refused, or not come.
        let failed_early = usize::from(self.requests == 0);
        assert_eq!(self.outcomes, self.requests + failed_early, "a request has no outcome");
        assert!(self.sent.is_empty() || self.sent.ends_with(b"\r\n"));
        assert!(self.contents.iter().map(Vec::len).sum::<usize>() <= input.len());
    }
}

impl Driver<Session> for Reader {
    fn answer(&mut self, question: Question) -> Request {
        let Question::Next(_) = question;
        assert_eq!(self.outcomes, self.requests, "the next before the last is through");
        let number = MessageNumber::new(1).expect("a number");
        let credentials = Credentials {
            user: "bob".to_owned(),
            secret: Secret::new("tanstaaf"),
            method: match self.choices & 3 {
                0 => LoginMethod::Password,
                1 => LoginMethod::Apop,
                _ => LoginMethod::ApopIfOffered,
            },
        };
        let mut requests = vec![
            Request::Login(credentials),
            Request::Capabilities,
            Request::Status,
            Request::Sizes(None),
            Request::UniqueIds(None),
            Request::Retrieve(number),
            Request::Sizes(Some(number)),
            Request::UniqueIds(Some(number)),
            Request::Top { message: number, lines: 1 },
            Request::Delete(number),
            Request::Reset,
            Request::Nothing,
            Request::Quit,
        ];
        // Some begin later in the list, so that what is late there is tried too.
        let index = self.requests + usize::from(self.choices >> 2 & 15);
        self.requests += 1;
        requests.swap_remove(index.min(requests.len() - 1))
    }

    fn event(&mut self, event: Event) {
        match &event {
            Event::Content(octets) => return self.content.extend_from_slice(octets),
            Event::Done(_) => {
                self.outcomes += 1;
                self.contents.push(std::mem::take(&mut self.content));
            }
            Event::Refused { .. } | Event::Failed(_) => self.outcomes += 1,
            _ => {}
        }
        self.events.push(event);
    }

    fn send(&mut self, octets: &[u8]) {
        self.sent.extend_from_slice(octets);
    }
}
