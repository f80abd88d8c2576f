//! The client's session, driven by hand: what a server says, what the client must say, and what comes
//! of it.
//!
//! A script is what is on the wire, `S:` from the server, `C:` from the client. Lines of `S:` are handed in
//! when all that the client said before was expected. `raw:` is what the client sends of the content,
//! escaped. `hang up`, `wait SECONDS` and `shutdown` happen; `done` lists the outcomes, `failed` a failure of
//! the session, `ready` what was reported, `closed` is checked.

use bytes::Bytes;
#[path = "client/chunking.rs"]
mod chunking;
#[path = "client/other_ways.rs"]
mod other_ways;

use posta_smtp::{
    Command, SyntaxQuirks,
    client::{
        Answer, Event, Failure, Fault, Question, Recipient, Requests, Session, Settings, Stage, Transaction,
    },
};
use posta_wire::{ContentFacts, Conversation, Output};
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

/// A message to hand over, and how.
#[derive(Clone)]
struct Letter {
    transaction: Transaction,
    content: Vec<u8>,
    chunk_octets: usize,
    /// Reading fails after the first chunk.
    unreadable: bool,
}

/// A path, perhaps with parameters behind it, as RCPT has them.
fn recipient(text: &str) -> Recipient {
    let line = format!("RCPT TO:{text}");
    match Command::parse(line.as_bytes(), &SyntaxQuirks::NONE) {
        Ok(Command::Rcpt { forward_path: path, parameters }) => Recipient { path, parameters },
        other => panic!("{text}: {other:?}"),
    }
}

fn letter(from: &str, to: &[&str], content: &[u8]) -> Letter {
    let transaction = Transaction {
        reverse_path: from.parse().expect("a reverse-path"),
        recipients: to.iter().map(|path| recipient(path)).collect(),
        facts: ContentFacts::of(content).0,
        smtputf8: false,
        requests: Requests::default(),
    };
    Letter { transaction, content: content.to_vec(), chunk_octets: 1000, unreadable: false }
}

struct Run {
    session: Session,
    now: Instant,
    letters: VecDeque<Letter>,
    chunks: VecDeque<Bytes>,
    unreadable: bool,
    sent: Vec<u8>,
    /// Input that the session has not taken.
    rest: Vec<u8>,
    events: VecDeque<Event>,
    closed: bool,
    piece_octets: usize,
}

impl Run {
    fn drain(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::StartTls | Output::Turn => panic!("neither TLS nor a turn was asked for"),
                Output::Send(octets) => self.sent.extend_from_slice(&octets),
                Output::Event(event) => self.events.push_back(event),
                Output::Close => self.closed = true,
                Output::Ask(Question::Authenticate(_)) => panic!("no AUTH was wanted"),
                Output::Ask(Question::Next) => {
                    let answer = match self.letters.pop_front() {
                        None => Answer::Quit,
                        Some(letter) => {
                            self.chunks = letter
                                .content
                                .chunks(letter.chunk_octets)
                                .map(Bytes::copy_from_slice)
                                .collect();
                            self.unreadable = letter.unreadable;
                            Answer::Transaction(letter.transaction)
                        }
                    };
                    self.session.handle_answer(answer, self.now);
                }
                Output::Ask(Question::Content) => {
                    let answer = match self.chunks.pop_front() {
                        Some(chunk) => Answer::Chunk(chunk),
                        None if self.unreadable => Answer::ContentFailed,
                        None => Answer::EndOfContent,
                    };
                    self.session.handle_answer(answer, self.now);
                }
            }
        }
    }

    fn server_says(&mut self, octets: &[u8]) {
        for piece in octets.chunks(self.piece_octets) {
            self.rest.extend_from_slice(piece);
            while !self.rest.is_empty() && !self.closed {
                let taken = self.session.handle_input(&self.rest, self.now);
                self.rest.drain(..taken);
                self.drain();
                if taken == 0 {
                    break;
                }
            }
        }
    }

    fn step(&mut self, line: &str) {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("S:", text) => self.server_says(format!("{text}\r\n").as_bytes()),
            ("C:", text) => {
                let expected = format!("{text}\r\n");
                let sent = String::from_utf8_lossy(&self.sent).into_owned();
                assert!(sent.starts_with(&expected), "expected {expected:?}, came {sent:?}");
                self.sent.drain(..expected.len());
            }
            ("raw:", text) => {
                let sent = self.sent.escape_ascii().to_string();
                assert!(sent.starts_with(text), "expected {text:?}, came {sent:?}");
                self.sent = sent.as_bytes()[text.len()..].to_vec();
            }
            ("hang", "up") => {
                self.session.handle_closed(self.now);
                self.drain();
            }
            ("shutdown", "") => self.session.handle_shutdown(self.now),
            ("wait", seconds) => {
                self.now += Duration::from_secs(seconds.parse().expect("a number"));
                if self.session.poll_timeout().is_some_and(|due| due <= self.now) {
                    self.session.handle_timeout(self.now);
                    self.drain();
                }
            }
            ("ready", expected) => match self.events.pop_front() {
                Some(Event::Ready { host, extensions }) => {
                    assert_eq!(format!("{host}: {}", extensions.join(", ")), expected);
                }
                other => panic!("expected ready, came {other:?}"),
            },
            ("done", expected) => match self.events.pop_front() {
                Some(Event::Done(outcomes)) => {
                    let outcomes: Vec<String> = outcomes.iter().map(outcome).collect();
                    assert_eq!(outcomes.join(" | "), expected);
                }
                other => panic!("expected done, came {other:?}"),
            },
            ("failed", expected) => match self.events.pop_front() {
                Some(Event::Failed(failure)) => assert_eq!(outcome(&Err(failure)), expected),
                other => panic!("expected failed, came {other:?}"),
            },
            ("closed", "") => assert!(self.closed, "not closed"),
            _ => panic!("what does {line:?} mean?"),
        }
    }
}

fn outcome(outcome: &Result<posta_smtp::Reply, Failure>) -> String {
    match outcome {
        Ok(reply) => format!("ok {reply}"),
        Err(failure) => {
            let word = if failure.is_transient() { "transient" } else { "permanent" };
            let fault = match &failure.fault {
                Fault::Refused(reply) => reply.to_string(),
                other => format!("{other:?}"),
            };
            format!("{word} {:?} {fault}", failure.stage)
        }
    }
}

fn check_with(settings: Settings, letters: &[Letter], script: &str) {
    for piece_octets in [usize::MAX, 1] {
        let now = Instant::now();
        let mut run = Run {
            session: Session::new(Arc::new(settings.clone()), now),
            now,
            letters: letters.iter().cloned().collect(),
            chunks: VecDeque::new(),
            unreadable: false,
            sent: Vec::new(),
            rest: Vec::new(),
            events: VecDeque::new(),
            closed: false,
            piece_octets,
        };
        run.drain();
        for line in script.lines().map(str::trim_start).filter(|line| !line.is_empty()) {
            // Events are looked at where the script does; octets must be looked at before more is said.
            if line.starts_with("S:") {
                assert_eq!(run.sent.escape_ascii().to_string(), "", "more was sent before {line:?}");
            }
            run.step(line);
        }
        assert_eq!(run.sent.escape_ascii().to_string(), "", "more was sent at the end");
        assert_eq!(run.events, [], "more was reported at the end");
    }
}

fn check(letters: &[Letter], script: &str) {
    let name: posta_address::Domain = "mail.north.example".parse().expect("a domain");
    check_with(Settings::new(name), letters, script);
}

const PLAIN: &[u8] = b"Subject: x\r\n\r\nbody\r\n";

#[test]
fn lock_step() {
    check(
        &[letter("<a@north.example>", &["<bob@south.example>", "<eve@south.example>"], PLAIN)],
        "S: 220 mx.south.example ESMTP
         C: EHLO mail.north.example
         S: 250-mx.south.example greets you
         S: 250-size 1000
         S: 250 HELP
         ready mx.south.example: SIZE 1000, HELP
         C: MAIL FROM:<a@north.example> SIZE=20
         S: 250 2.1.0 ok
         C: RCPT TO:<bob@south.example>
         S: 250 2.1.5 ok
         C: RCPT TO:<eve@south.example>
         S: 550 5.1.1 no such user
         C: DATA
         S: 354 go on
         raw: Subject: x\\r\\n\\r\\nbody\\r\\n.\\r\\n
         S: 250 2.6.0 queued as 1
         done ok 250 2.6.0 queued as 1 | permanent Recipient 550 5.1.1 no such user
         C: QUIT
         S: 221 bye
         closed",
    );
}

#[test]
fn pipelined() {
    let script = "S: 220 mx.south.example ESMTP
         C: EHLO mail.north.example
         S: 250-mx.south.example
         S: 250 PIPELINING
         ready mx.south.example: PIPELINING
         C: MAIL FROM:<>
         C: RCPT TO:<bob@south.example>
         C: RCPT TO:<eve@south.example>
         C: DATA
         S: 250 ok
         S: 451 4.2.1 later
         S: 250 ok
         S: 354 go on
         raw: Subject: x\\r\\n\\r\\nbody\\r\\n.\\r\\n
         S: 250 queued
         done transient Recipient 451 4.2.1 later | ok 250 queued
         C: QUIT
         S: 500 what?
         closed";
    check(&[letter("<>", &["<bob@south.example>", "<eve@south.example>"], PLAIN)], script);
}

#[test]
fn pipelining_may_be_off() {
    let name: posta_address::Domain = "mail.north.example".parse().expect("a domain");
    let settings = Settings { pipelining: false, ..Settings::new(name) };
    check_with(
        settings,
        &[letter("<>", &["<bob@south.example>"], PLAIN)],
        "S: 220 mx
         C: EHLO mail.north.example
         S: 250-mx
         S: 250 PIPELINING
         ready mx: PIPELINING
         C: MAIL FROM:<>
         S: 250 ok
         C: RCPT TO:<bob@south.example>
         S: 550 no
         done permanent Recipient 550 no
         C: QUIT",
    );
}

const HELLO: &str = "S: 220 mx
    C: EHLO mail.north.example
    S: 250-mx
    S: 250-PIPELINING
    S: 250-8BITMIME
    S: 250 SMTPUTF8
    ready mx: PIPELINING, 8BITMIME, SMTPUTF8
    ";

const HELLO_HELO: &str = "S: 220-mx.south.example
    S: 220 an old host
    C: EHLO mail.north.example
    S: 502 5.5.1 what?
    C: HELO mail.north.example
    S: 250 mx
    ready mx.south.example: \n";

#[test]
fn several_transactions_and_reset_only_where_needed() {
    let refused = letter("<a@north.example>", &["<nobody@south.example>"], PLAIN);
    let fine = letter("<a@north.example>", &["<bob@south.example>"], PLAIN);
    check(
        &[fine.clone(), refused, fine],
        &format!(
            "{HELLO}
            C: MAIL FROM:<a@north.example>
            C: RCPT TO:<bob@south.example>
            C: DATA
            S: 250 ok
            S: 250 ok
            S: 354 go on
            raw: Subject: x\\r\\n\\r\\nbody\\r\\n.\\r\\n
            S: 250 queued
            done ok 250 queued
            C: MAIL FROM:<a@north.example>
            C: RCPT TO:<nobody@south.example>
            C: DATA
            S: 250 ok
            S: 550 5.1.1 no
            S: 554 5.5.1 no valid recipients
            done permanent Recipient 550 5.1.1 no
            C: RSET
            C: MAIL FROM:<a@north.example>
            C: RCPT TO:<bob@south.example>
            C: DATA
            S: 250 ok
            S: 250 ok
            S: 250 ok
            S: 354 go on
            raw: Subject: x\\r\\n\\r\\nbody\\r\\n.\\r\\n
            S: 250 queued
            done ok 250 queued
            C: QUIT"
        ),
    );
}

#[test]
fn data_accepted_without_recipients_gets_an_empty_content() {
    // RFC 2920 §3.1
    let refused = letter("<a@north.example>", &["<nobody@south.example>"], PLAIN);
    check(
        &[refused.clone(), refused],
        &format!(
            "{HELLO}
            C: MAIL FROM:<a@north.example>
            C: RCPT TO:<nobody@south.example>
            C: DATA
            S: 250 ok
            S: 550 5.1.1 no
            S: 354 go on
            raw: .\\r\\n
            S: 554 no valid recipients
            done permanent Recipient 550 5.1.1 no
            C: MAIL FROM:<a@north.example>
            C: RCPT TO:<nobody@south.example>
            C: DATA
            S: 450 4.7.1 not now
            S: 503 mail first
            S: 503 mail first
            done transient Mail 450 4.7.1 not now
            C: QUIT"
        ),
    );
}

#[test]
fn old_host() {
    check(
        &[letter("<a@north.example>", &["<bob@south.example>"], PLAIN)],
        &format!(
            "{HELLO_HELO}
            C: MAIL FROM:<a@north.example>
            S: 250 ok
            C: RCPT TO:<bob@south.example>
            S: 251 will forward
            C: DATA
            S: 451 4.3.0 not now
            done transient Data 451 4.3.0 not now
            C: QUIT"
        ),
    );
}

#[test]
fn refusals_at_the_beginning() {
    let cases = [
        ("S: 554 5.7.1 no mail from you\nfailed permanent Greeting 554 5.7.1 no mail from you\nC: QUIT\nS: 221 bye\nclosed"),
        ("S: 421 4.3.2 going down\nfailed transient Greeting 421 4.3.2 going down\nclosed"),
        ("S: 220 mx\nC: EHLO mail.north.example\nS: 421 4.3.2 bye\nfailed transient Hello 421 4.3.2 bye\nclosed"),
        ("S: 220 mx\nC: EHLO mail.north.example\nS: 550 go away\nC: HELO mail.north.example\n\
          S: 550 really\nfailed permanent Hello 550 really\nC: QUIT\nhang up\nclosed"),
        ("S: +OK POP3 ready\nfailed transient Greeting BadReply(\"not a reply line: +OK POP3 ready\")\nclosed"),
        ("hang up\nfailed transient Greeting ConnectionLost\nclosed"),
        ("wait 299\nwait 2\nfailed transient Greeting TimedOut\nclosed"),
        ("S: 220 mx\nC: EHLO mail.north.example\nhang up\nfailed transient Hello ConnectionLost\nclosed"),
    ];
    for script in cases {
        check(&[], script);
    }
}

#[test]
fn lost_at_each_stage() {
    let envelope = "C: MAIL FROM:<a@north.example>
        C: RCPT TO:<bob@south.example>
        C: RCPT TO:<eve@south.example>
        C: DATA\n";
    let sent = "raw: Subject: x\\r\\n\\r\\nbody\\r\\n.\\r\\n\n";
    let cases = [
        ("hang up\ndone transient Mail ConnectionLost | transient Mail ConnectionLost", ""),
        (
            "S: 250 ok\nhang up\ndone transient Recipient ConnectionLost | transient Recipient ConnectionLost",
            "",
        ),
        (
            "S: 250 ok\nS: 550 no\nhang up\ndone permanent Recipient 550 no | transient Recipient ConnectionLost",
            "",
        ),
        (
            "S: 250 ok\nS: 250 ok\nS: 550 no\nhang up\ndone transient Data ConnectionLost | permanent Recipient 550 no",
            "",
        ),
        (
            "S: 250 ok\nS: 250 ok\nwait 301\ndone transient Recipient TimedOut | transient Recipient TimedOut",
            "",
        ),
        ("S: 421 4.3.2 bye\ndone transient Mail 421 4.3.2 bye | transient Mail 421 4.3.2 bye", ""),
        (
            "S: 250 ok\nS: 250 ok\nS: 421 bye\ndone transient Recipient 421 bye | transient Recipient 421 bye",
            "",
        ),
        (
            "S: 354 what\ndone transient Mail BadReply(\"354 what\") | transient Mail BadReply(\"354 what\")",
            "",
        ),
        // The peer may have taken the message: an outcome of its own.
        (
            "S: 250 ok\nS: 250 ok\nS: 550 no\nS: 354 go on",
            "hang up\ndone transient EndOfData ConnectionLost | permanent Recipient 550 no",
        ),
        (
            "S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 354 go on",
            "wait 599\nwait 2\ndone transient EndOfData TimedOut | transient EndOfData TimedOut",
        ),
        (
            "S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 354 go on",
            "S: 554 5.6.0 no\ndone permanent EndOfData 554 5.6.0 no | permanent EndOfData 554 5.6.0 no\nC: QUIT\nhang up",
        ),
        (
            "S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 354 go on",
            "S: 421 bye\ndone transient EndOfData 421 bye | transient EndOfData 421 bye",
        ),
    ];
    for (first, then) in cases {
        let content = if then.is_empty() { "" } else { sent };
        check(
            &[letter("<a@north.example>", &["<bob@south.example>", "<eve@south.example>"], PLAIN)],
            &format!("{HELLO}{envelope}{first}\n{content}{then}\nclosed"),
        );
    }
}

#[test]
fn what_the_host_lacks() {
    let eight_bit = b"Subject: x\r\n\r\n\xc3\xa4\r\n";
    let utf8_header = b"Subject: \xc3\xa4\r\n\r\nx\r\n";
    let utf8 = |mut letter: Letter| {
        letter.transaction.smtputf8 = true;
        letter
    };
    let cases: &[(Letter, &str)] = &[
        (
            letter("<a@north.example>", &["<bob@south.example>"], eight_bit),
            "done permanent Mail ExtensionMissing(\"8BITMIME\")",
        ),
        (
            utf8(letter("<a@north.example>", &["<bob@south.example>"], utf8_header)),
            "done permanent Mail ExtensionMissing(\"SMTPUTF8\")",
        ),
        (
            letter("<jörg@north.example>", &["<bob@south.example>"], PLAIN),
            "done permanent Mail ExtensionMissing(\"SMTPUTF8\")",
        ),
        // A domain has A-labels, a local-part has not.
        (
            utf8(letter("<joerg@nörth.example>", &["<jörg@south.example>", "<bob@söuth.example>"], PLAIN)),
            "C: MAIL FROM:<joerg@xn--nrth-5qa.example>
             S: 250 ok
             C: RCPT TO:<bob@xn--suth-5qa.example>
             S: 550 no
             done permanent Recipient ExtensionMissing(\"SMTPUTF8\") | permanent Recipient 550 no",
        ),
        // It came with SMTPUTF8, but needs it no more.
        (
            utf8(letter("<a@north.example>", &["<bob@south.example>"], PLAIN)),
            "C: MAIL FROM:<a@north.example>
             S: 550 no
             done permanent Mail 550 no",
        ),
    ];
    for (letter, script) in cases {
        check(std::slice::from_ref(letter), &format!("{HELLO_HELO}{script}\nC: QUIT"));
    }
}

#[test]
fn what_the_host_offers_is_used() {
    let mut utf8 = letter("<jörg@nörth.example>", &["<bób@south.example>"], b"Subject: \xc3\xa4\r\n\r\n");
    utf8.transaction.smtputf8 = true;
    check(
        &[utf8, letter("<a@north.example>", &["<bob@south.example>"], b"\r\n\xff\r\n")],
        &format!(
            "{HELLO}
            C: MAIL FROM:<jörg@nörth.example> BODY=8BITMIME SMTPUTF8
            C: RCPT TO:<bób@south.example>
            C: DATA
            S: 550 no
            S: 503 no
            S: 503 no
            done permanent Mail 550 no
            C: MAIL FROM:<a@north.example> BODY=8BITMIME
            C: RCPT TO:<bob@south.example>
            C: DATA"
        ),
    );
    check(
        &[letter(
            "<a@north.example>",
            &["<bob@south.example>"],
            &[b"\r\n", &[b'x'; 1000][..], b"\r\n"].concat(),
        )],
        "S: 220 mx
         C: EHLO mail.north.example
         S: 250-mx
         S: 250 SIZE 1003
         ready mx: SIZE 1003
         done permanent Mail TooLarge { limit_octets: 1003 }
         C: QUIT",
    );
    check(
        &[letter("<a@north.example>", &["<bob@south.example>"], PLAIN)],
        "S: 220 mx
         C: EHLO mail.north.example
         S: 250-mx
         S: 250 SIZE 0
         ready mx: SIZE 0
         C: MAIL FROM:<a@north.example> SIZE=20",
    );
}

#[test]
fn content_on_the_wire() {
    let until_content = format!(
        "{HELLO}
        C: MAIL FROM:<>
        C: RCPT TO:<bob@south.example>
        C: DATA
        S: 250 ok
        S: 250 ok
        S: 354 go on\n"
    );
    let cases: &[(&[u8], &str)] = &[
        (b"", "raw: .\\r\\n"),
        (b".\r\n..\r\na.b\r\n", "raw: ..\\r\\n...\\r\\na.b\\r\\n.\\r\\n"),
        (b"no line end", "raw: no line end\\r\\n.\\r\\n"),
        // Should the facts be wrong, nothing that could be taken for an end leaves, and the connection goes
        // with it.
        (b"a\n.\n", "done permanent Content ContentMalformed\nclosed"),
        (b"a\r.\r", "done permanent Content ContentMalformed\nclosed"),
        (b"a\r", "done permanent Content ContentMalformed\nclosed"),
        (b"a\r\n.\r\r\n", "done permanent Content ContentMalformed\nclosed"),
    ];
    for (content, script) in cases {
        for chunk_octets in [1000, 1, 2, 3] {
            let mut letter = letter("<>", &["<bob@south.example>"], content);
            letter.chunk_octets = chunk_octets;
            letter.transaction.facts.is_binary = false;
            // What went out before the fault was found is none of the script's business.
            let raw = if script.starts_with("done") && chunk_octets < 1000 { continue } else { script };
            check(&[letter], &format!("{until_content}{raw}"));
        }
    }
}

#[test]
fn half_a_content_is_never_ended() {
    let until_content = format!(
        "{HELLO}
        C: MAIL FROM:<>
        C: RCPT TO:<bob@south.example>
        C: DATA
        S: 250 ok
        S: 250 ok
        S: 354 go on\n"
    );
    let mut unreadable = letter("<>", &["<bob@south.example>"], PLAIN);
    unreadable.unreadable = true;
    let mut short = letter("<>", &["<bob@south.example>"], PLAIN);
    short.transaction.facts.size_octets += 1;
    for letter in [unreadable, short] {
        check(&[letter], &format!("{until_content}done transient Content ContentUnreadable\nclosed"));
    }
}

#[test]
fn shutdown_lets_the_transaction_finish() {
    let fine = letter("<>", &["<bob@south.example>"], PLAIN);
    check(
        &[fine.clone(), fine],
        &format!(
            "{HELLO}
            C: MAIL FROM:<>
            C: RCPT TO:<bob@south.example>
            C: DATA
            shutdown
            S: 250 ok
            S: 250 ok
            S: 354 go on
            raw: Subject: x\\r\\n\\r\\nbody\\r\\n.\\r\\n
            S: 250 queued
            done ok 250 queued
            C: QUIT
            wait 11
            closed"
        ),
    );
}

#[test]
fn many_recipients_go_in_groups() {
    let recipients: Vec<String> = (0..150).map(|number| format!("<r{number}@south.example>")).collect();
    let paths: Vec<&str> = recipients.iter().map(String::as_str).collect();
    let mut script = format!("{HELLO}C: MAIL FROM:<>\n");
    let mut said = 1;
    for (index, path) in recipients.iter().enumerate() {
        script += &format!("C: RCPT TO:{path}\n");
        said += 1;
        if said == 64 || index == 149 {
            script += &if index == 149 {
                "C: DATA\n".to_owned() + &"S: 250 ok\n".repeat(said)
            } else {
                "S: 250 ok\n".repeat(said)
            };
            said = 0;
        }
    }
    script += "S: 354 go on\nraw: Subject: x\\r\\n\\r\\nbody\\r\\n.\\r\\nS: ";
    let script = script.trim_end_matches("S: ");
    check(
        &[letter("<>", &paths, PLAIN)],
        &format!("{script}\nhang up\ndone {}", ["transient EndOfData ConnectionLost"; 150].join(" | ")),
    );
}

#[test]
fn a_failure_knows_whether_to_come_back() {
    let failure = |fault| Failure { stage: Stage::EndOfData, fault };
    assert!(failure(Fault::ConnectionLost).is_transient());
    assert!(failure(Fault::TimedOut).is_transient());
    assert!(failure(Fault::ContentUnreadable).is_transient());
    assert!(!failure(Fault::ContentMalformed).is_transient());
    assert!(!failure(Fault::TooLarge { limit_octets: 1 }).is_transient());
}

// RFC 3461 §5.2.1, §5.2.2: everything as it came, or nothing; RFC 6533 §3: in ASCII where that must be.
#[test]
fn requests_go_to_hosts_that_offer_dsn() {
    let to = [
        "<bob@south.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob+2Bx@South.example",
        "<eve@south.example> NOTIFY=NEVER ORCPT=utf-8;\u{e4}@south.example",
        "<ann@south.example>",
    ];
    let mut asked = letter("<a@north.example>", &to, PLAIN);
    asked.transaction.requests.returned = Some(posta_wire::ReturnedPart::Full);
    asked.transaction.requests.envelope_id = Some("QQ+20".parse().expect("an envelope id"));
    check(
        std::slice::from_ref(&asked),
        "S: 220 mx
         C: EHLO mail.north.example
         S: 250-mx
         S: 250-PIPELINING
         S: 250 DSN
         ready mx: PIPELINING, DSN
         C: MAIL FROM:<a@north.example> RET=FULL ENVID=QQ+20
         C: RCPT TO:<bob@south.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob+2Bx@South.example
         C: RCPT TO:<eve@south.example> NOTIFY=NEVER ORCPT=utf-8;\\x{E4}@south.example
         C: RCPT TO:<ann@south.example>
         C: DATA
         S: 550 no
         S: 503 what?
         S: 503 what?
         S: 503 what?
         S: 503 what?
         done permanent Mail 550 no | permanent Mail 550 no | permanent Mail 550 no
         C: QUIT",
    );
    check(
        &[asked],
        "S: 220 mx
         C: EHLO mail.north.example
         S: 250-mx
         S: 250 PIPELINING
         ready mx: PIPELINING
         C: MAIL FROM:<a@north.example>
         C: RCPT TO:<bob@south.example>
         C: RCPT TO:<eve@south.example>
         C: RCPT TO:<ann@south.example>
         C: DATA
         S: 550 no
         S: 503 what?
         S: 503 what?
         S: 503 what?
         S: 503 what?
         done permanent Mail 550 no | permanent Mail 550 no | permanent Mail 550 no
         C: QUIT",
    );
}
