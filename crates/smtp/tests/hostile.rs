//! What a hostile client can say in any state: lines without end, octets that are no text, one octet at a
//! time. Whatever it is, each reply is one reply, the session stays in step, and time runs out.

use posta_smtp::{
    Reply, replies,
    server::{Answer, Authentication, Event, Question, Session, Settings},
};
use posta_wire::{
    Conversation, Output,
    sasl::{self, ChannelBindings, Mechanism, server::DecoyKey},
};
use proptest::prelude::*;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// A session with a clock of its own.
struct Run {
    session: Session,
    now: Instant,
    said: Vec<u8>,
    closed: bool,
}

impl Run {
    fn new() -> Self {
        let mut settings = Settings::new("mx.south.example".parse().expect("a domain"));
        settings.extensions.send = true;
        // What is looked at here is one fault at a time.
        settings.limits.errors = 1000;
        let now = Instant::now();
        let session = Session::new(Arc::new(settings), now);
        let mut run = Run { session, now, said: Vec::new(), closed: false };
        run.drain();
        run.said.clear();
        run
    }

    /// After these commands, each of which must be taken.
    fn after(commands: &[&str]) -> Self {
        let mut run = Run::new();
        for command in commands {
            let said = run.hear(format!("{command}\r\n").as_bytes());
            assert!(said.starts_with(['2', '3']), "{command}: {said}");
        }
        run
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Send(octets) => self.said.extend_from_slice(&octets),
                Output::Ask(question) => self.session.handle_answer(decide(question), self.now),
                Output::Event(Event::Ended { .. }) | Output::Close => self.closed = true,
                Output::Event(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Hears it; gives what is said to it, which must be well-formed replies.
    fn hear(&mut self, mut octets: &[u8]) -> String {
        while !octets.is_empty() && !self.closed {
            let taken = self.session.handle_input(octets, self.now);
            octets = &octets[taken..];
            self.drain();
            assert!(taken > 0 || self.closed, "the session takes nothing");
        }
        let said = String::from_utf8(std::mem::take(&mut self.said)).expect("replies are text");
        check_replies(&said);
        said
    }

    /// Time passes; gives what is said.
    fn wait(&mut self, time: Duration) -> String {
        self.now += time;
        if self.session.poll_timeout().is_some_and(|due| due <= self.now) {
            self.session.handle_timeout(self.now);
            self.drain();
        }
        String::from_utf8(std::mem::take(&mut self.said)).expect("replies are text")
    }
}

fn decide(question: Question) -> Answer {
    Answer::Reply(match question {
        Question::Greeting => Reply::new(220, None, "mx.south.example ESMTP"),
        Question::Hello(hello) => {
            let offered = [Mechanism::Plain, Mechanism::Login].into_iter().collect();
            let authentication = Authentication { offered, ..Authentication::default() };
            return Answer::Welcome(Reply::new(250, None, format!("greets {}", hello.name)), authentication);
        }
        // What was said comes back in the reply, as policy may do.
        Question::Mail { reverse_path, .. } => replies::SENDER_OK.with(format!("{reverse_path} ok")),
        Question::Recipient { forward_path, .. } => replies::RECIPIENT_OK.with(format!("{forward_path} ok")),
        Question::Data => replies::START_CONTENT.reply(),
        Question::EndOfData(_) => replies::MESSAGE_ACCEPTED.reply(),
        Question::Verify(argument) | Question::Expand(argument) => replies::RECIPIENT_OK.with(argument),
        Question::Authenticate(mechanism) => {
            let settings = sasl::server::Settings::new("mx.south.example", DecoyKey::new([1; 32]));
            let random = *b"eighteen octets!!!";
            let context = sasl::server::Context { random, unix_secs: 0, bindings: ChannelBindings::none() };
            return Answer::Exchange(Box::new(sasl::server::Exchange::new(mechanism, &settings, context)));
        }
        Question::Credentials(_) => return Answer::Credentials(sasl::server::Answer::Refused),
        other => panic!("{other:?}"),
    })
}

/// Lines of `code[ -]text`, each complete, none with anything in it that could end a line for somebody.
fn check_replies(said: &str) {
    assert!(said.is_empty() || said.ends_with("\r\n"), "{said:?}");
    for line in said.split_terminator("\r\n") {
        let (code, rest) = line.split_at_checked(3).unwrap_or_else(|| panic!("{line:?}"));
        assert!(code.bytes().all(|octet| octet.is_ascii_digit()), "{line:?}");
        assert!(rest.is_empty() || rest.starts_with([' ', '-']), "{line:?}");
        assert!(!line.chars().any(char::is_control), "{line:?}");
        assert!(line.len() <= 510, "{} octets", line.len());
    }
}

/// Each state in which lines are commands: its name, and what leads there.
const STATES: [(&str, &[&str]); 4] = [
    ("greeted", &[]),
    ("ready", &["EHLO client.example"]),
    ("sender", &["EHLO client.example", "MAIL FROM:<a@north.example>"]),
    ("recipient", &["EHLO client.example", "SEND FROM:<a@north.example>", "RCPT TO:<b@south.example>"]),
];

#[test]
fn over_long_lines_in_each_state() {
    for (state, commands) in STATES {
        for octets in [3000, 100_000] {
            let mut run = Run::after(commands);
            let line = [b'x'].repeat(octets);
            let said = run.hear(&[&line[..], b"\r\nNOOP\r\n"].concat());
            assert_eq!(said, "500 5.5.2 Line too long\r\n250 2.0.0 Ok\r\n", "{state}, {octets} octets");
        }
    }
}

#[test]
fn over_long_lines_of_an_exchange() {
    for octets in [20_000, 1_000_000] {
        let mut run = Run::after(&["EHLO client.example", "AUTH LOGIN"]);
        let line = [b'A'].repeat(octets);
        let said = run.hear(&[&line[..], b"\r\nNOOP\r\n"].concat());
        let (refusal, rest) = said.split_once("\r\n").expect("two replies");
        assert!(refusal.starts_with("500 5.5.6 "), "{refusal}");
        assert_eq!(rest, "250 2.0.0 Ok\r\n");
    }
}

#[test]
fn over_long_lines_of_a_content() {
    let mut run = Run::after(&["EHLO client.example", "MAIL FROM:<>", "RCPT TO:<b@south.example>", "DATA"]);
    for _ in 0..100 {
        assert_eq!(run.hear(&[b'x'].repeat(100_000)), "");
    }
    assert_eq!(run.hear(b"\r\nQUIT\r\n.\r\n"), "554 5.6.0 Message refused: a line is too long\r\n");
    assert_eq!(run.hear(b"NOOP\r\n"), "250 2.0.0 Ok\r\n");
}

#[test]
fn what_is_no_utf8_in_each_state() {
    let lines: [&[u8]; 12] = [
        b"EHLO \xff.example",
        b"HELO \xc0\xae.example",
        b"MAIL FROM:<\xed\xa0\x80@north.example> SMTPUTF8",
        b"MAIL FROM:<a@\xf8.example>",
        b"SEND FROM:<a@\xff>",
        b"RCPT TO:<\x80@south.example>",
        b"RCPT TO:<b@south.example> ORCPT=rfc822;\xfe",
        b"VRFY \xf5 SMTPUTF8",
        b"EXPN \xff",
        b"NOOP \xc3",
        b"AUTH PLAIN \xff",
        b"\xff\xfe\x00",
    ];
    for (state, commands) in STATES {
        for line in lines {
            let mut run = Run::after(commands);
            let said = run.hear(&[line, b"\r\nNOOP\r\n"].concat());
            let expected = "500 5.5.2 Characters not allowed in a command\r\n250 2.0.0 Ok\r\n";
            assert_eq!(said, expected, "{state}: {}", line.escape_ascii());
        }
    }
    let mut run = Run::after(&["EHLO client.example", "AUTH LOGIN"]);
    assert!(run.hear(b"\xff\xff\r\n").starts_with("501 5.5.2 "));
    assert_eq!(run.hear(b"NOOP\r\n"), "250 2.0.0 Ok\r\n");
}

/// What is in a reply by way of what somebody said, or called an account, is no line of its own.
#[test]
fn no_reply_can_be_split() {
    for text in [
        "Bob\r\n250 2.1.5 <eve@evil.example>",
        "a\rb",
        "a\nb",
        "\0\x1b[2J\x7f",
        "a\u{2028}b\u{85}c",
        &"ß".repeat(5000),
    ] {
        for code in [220, 250, 354, 550] {
            let mut octets = Vec::new();
            Reply::new(code, None, text.to_owned()).write_to(&mut octets, true);
            let said = String::from_utf8(octets).expect("UTF-8");
            check_replies(&said);
            assert_eq!(said.matches("\r\n").count(), 1, "{said:?}");
            let mut octets = Vec::new();
            Reply::new(code, None, text.to_owned()).write_to(&mut octets, false);
            assert!(octets.is_ascii(), "{}", octets.escape_ascii());
        }
    }
}

/// An octet now and then keeps no session open: a line must be whole in time.
#[test]
fn a_client_that_drips_is_let_go() {
    let pause = Duration::from_secs(50);
    for (state, commands) in STATES {
        let mut run = Run::after(commands);
        let mut said = String::new();
        for _ in 0..100 {
            said += &run.hear(b"x");
            said += &run.wait(pause);
            if run.closed {
                break;
            }
        }
        assert!(run.closed && said.starts_with("421 4.4.2 "), "{state}: {said}");
    }
    let mut run = Run::after(&["EHLO client.example", "AUTH LOGIN"]);
    (0..100).for_each(|_| {
        run.hear(b"A");
        run.wait(pause);
    });
    assert!(run.closed, "within an exchange");
}

/// A content may come slowly, but not for ever.
#[test]
fn a_content_that_drips_comes_to_an_end() {
    for begin in ["DATA", "BDAT 1000000"] {
        let commands = ["EHLO client.example", "MAIL FROM:<>", "RCPT TO:<b@south.example>"];
        let mut run = Run::after(&commands);
        run.hear(format!("{begin}\r\n").as_bytes());
        let start = run.now;
        while !run.closed {
            run.hear(b"x");
            run.wait(Duration::from_secs(100));
            assert!(run.now - start < Duration::from_secs(24 * 3600), "{begin}: a day has gone by");
        }
    }
}

proptest! {
    #[test]
    fn whatever_is_said_the_replies_are_replies(
        state in 0..STATES.len(),
        lines in proptest::collection::vec(
            prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..80),
                "(MAIL FROM:|SEND FROM:|RCPT TO:|EHLO |VRFY |EXPN |AUTH |NOOP |HELP )[<>@a-z.\\x00-\\x1f\u{80}-\u{9f}ä\u{2028}]{0,40}"
                    .prop_map(String::into_bytes),
            ],
            1..6,
        ),
    ) {
        let mut run = Run::after(STATES[state].1);
        for line in lines {
            run.hear(&line);
            run.hear(b"\r\n");
        }
    }
}
