//! What a hostile client can say in any state: lines without end, octets that are no text, one octet at a
//! time. Whatever it is, each reply is one reply, the session stays in step, and time runs out.

use posta_pop3::{limits::COMMAND_OCTETS_MAX, server};
use posta_wire::{Conversation, Output, sasl::MechanismSet};
use proptest::prelude::*;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

struct Run {
    session: server::Session,
    now: Instant,
    said: Vec<u8>,
    closed: bool,
}

impl Run {
    fn new() -> Self {
        let mut settings = server::Settings::new("pop.example");
        settings.errors_max = 1000;
        let now = Instant::now();
        let session = server::Session::new(Arc::new(settings), None, now);
        let mut run = Run { session, now, said: Vec::new(), closed: false };
        run.drain();
        run.said.clear();
        run
    }

    fn after(commands: &[&str]) -> Self {
        let mut run = Run::new();
        for command in commands {
            let said = run.hear(format!("{command}\r\n").as_bytes());
            assert!(said.starts_with("+OK"), "{command}: {said}");
        }
        run
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Send(octets) => self.said.extend_from_slice(&octets),
                Output::Ask(question) => self.session.handle_answer(decide(question), self.now),
                Output::Event(_) => {}
                Output::Close => self.closed = true,
                other => panic!("{other:?}"),
            }
        }
    }

    fn hear(&mut self, mut octets: &[u8]) -> String {
        while !octets.is_empty() && !self.closed {
            let taken = self.session.handle_input(octets, self.now);
            octets = &octets[taken..];
            self.drain();
            assert!(taken > 0 || self.closed, "the session takes nothing");
        }
        let said = String::from_utf8(std::mem::take(&mut self.said)).expect("replies are text");
        assert!(said.is_empty() || said.ends_with("\r\n"), "{said:?}");
        assert!(!said.replace("\r\n", "").chars().any(char::is_control), "{said:?}");
        said
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        if self.session.poll_timeout().is_some_and(|due| due <= self.now) {
            self.session.handle_timeout(self.now);
            self.drain();
        }
    }
}

fn decide(question: server::Question) -> server::Answer {
    match question {
        server::Question::Login { .. } => server::Answer::Login(Ok(Vec::new())),
        server::Question::Mechanisms => server::Answer::Mechanisms(MechanismSet::default()),
        other => panic!("{other:?}"),
    }
}

/// Each state in which lines are commands: its name, and what leads there.
const STATES: [(&str, &[&str]); 3] =
    [("authorization", &[]), ("named", &["USER bob"]), ("transaction", &["USER bob", "PASS x"])];

#[test]
fn over_long_lines_in_each_state() {
    for (state, commands) in STATES {
        for octets in [COMMAND_OCTETS_MAX, 1_000_000] {
            let mut run = Run::after(commands);
            let line = [b'x'].repeat(octets);
            let said = run.hear(&[&line[..], b"\r\nCAPA\r\n"].concat());
            let (refusal, rest) = said.split_once("\r\n").expect("two replies");
            assert!(refusal.starts_with("-ERR"), "{state}: {refusal}");
            assert!(rest.starts_with("+OK"), "{state}: {rest}");
        }
    }
}

#[test]
fn what_is_no_utf8_in_each_state() {
    let lines: [&[u8]; 7] = [
        b"USER \xff",
        b"PASS \xc0\xae",
        b"APOP \xff 00",
        b"\xff\xfe",
        b"STAT \x80",
        b"RETR \xf8",
        b"AUTH \xff",
    ];
    for (state, commands) in STATES {
        for line in lines {
            let mut run = Run::after(commands);
            let said = run.hear(&[line, b"\r\nCAPA\r\n"].concat());
            let (refusal, rest) = said.split_once("\r\n").expect("two replies");
            assert!(refusal.starts_with("-ERR"), "{state}: {}: {refusal}", line.escape_ascii());
            assert!(rest.starts_with("+OK"), "{state}: {rest}");
        }
    }
}

/// An octet now and then keeps no session open: a line must be whole in time.
#[test]
fn a_client_that_drips_is_let_go() {
    for (state, commands) in STATES {
        let mut run = Run::after(commands);
        for _ in 0..100 {
            run.hear(b"x");
            run.wait(Duration::from_secs(60));
        }
        assert!(run.closed, "{state}");
    }
}

proptest! {
    #[test]
    fn whatever_is_said_the_replies_are_replies(
        state in 0..STATES.len(),
        lines in proptest::collection::vec(
            prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..300),
                "(USER |PASS |APOP |LIST |RETR |TOP |UIDL |LANG |AUTH |CAPA )[a-z0-9\\x00-\\x1fä\u{80}-\u{9f} ]{0,40}"
                    .prop_map(String::into_bytes),
            ],
            1..4,
        ),
    ) {
        // What logs in is another test's; here a name and a password lie between any two lines.
        let mut run = Run::after(STATES[state].1);
        for line in lines {
            run.hear(&line);
            run.hear(b"\r\n");
        }
    }
}
