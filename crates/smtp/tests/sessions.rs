//! Both sessions under arbitrary input, against one another, and against material of others.

use bytes::Bytes;
use posta_smtp::{
    Reply, client, replies,
    server::{self, Event, Question},
};
use posta_wire::{ContentFacts, Conversation, Output};
use proptest::prelude::*;
use std::{path::PathBuf, sync::Arc, time::Instant};

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpus");

fn server_settings() -> server::Settings {
    server::Settings::new("mx.south.example".parse().expect("a domain"))
}

/// A server that accepts everything but recipients at `nobody@…`, with all that it did.
struct Server {
    session: server::Session,
    now: Instant,
    sent: Vec<u8>,
    events: Vec<Event>,
    content: Vec<u8>,
    kept: Vec<Vec<u8>>,
    asked: Vec<String>,
    closed: bool,
}

impl Server {
    fn new(settings: server::Settings) -> Self {
        let now = Instant::now();
        let session = server::Session::new(Arc::new(settings), now);
        let mut server = Server {
            session,
            now,
            sent: Vec::new(),
            events: Vec::new(),
            content: Vec::new(),
            kept: Vec::new(),
            asked: Vec::new(),
            closed: false,
        };
        server.drain();
        server
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::StartTls | Output::Turn => panic!("neither TLS nor a turn was asked for"),
                Output::Send(octets) => self.sent.extend_from_slice(&octets),
                Output::Event(Event::Content(octets)) => {
                    assert!(!octets.is_empty() && octets.len() <= 2 * 64 * 1024);
                    self.content.extend_from_slice(&octets);
                }
                Output::Event(event) => {
                    if matches!(event, Event::Aborted { .. }) {
                        self.content.clear();
                    }
                    self.events.push(event);
                }
                Output::Close => self.closed = true,
                Output::Ask(question) => {
                    self.asked.push(format!("{question:?}"));
                    let reply = self.decide(question);
                    self.session.handle_answer(server::Answer::Reply(reply), self.now);
                }
            }
        }
    }

    fn decide(&mut self, question: Question) -> Reply {
        match question {
            Question::Greeting => replies::OK.with("mx.south.example"),
            Question::Hello(hello) => server_settings().welcome(&hello),
            Question::Mail { .. } => replies::SENDER_OK.reply(),
            Question::Recipient { forward_path, .. } if forward_path.to_string().starts_with("<nobody@") => {
                replies::MAILBOX_UNKNOWN.reply()
            }
            Question::Recipient { .. } => replies::RECIPIENT_OK.reply(),
            Question::Data => replies::START_CONTENT.reply(),
            Question::EndOfData(facts) => {
                let content = std::mem::take(&mut self.content);
                assert_eq!(facts, ContentFacts::of(&content).0);
                self.kept.push(content);
                replies::MESSAGE_ACCEPTED.reply()
            }
            Question::Verify(_) | Question::Expand(_) => replies::CANNOT_VERIFY.reply(),
            Question::StartQueue(_) | Question::Turn(_) | Question::Introduce(_) => panic!("not offered"),
            Question::Authenticate(_) | Question::Credentials(_) => panic!("AUTH is not offered"),
        }
    }

    fn take(&mut self, octets: &[u8]) {
        let mut rest = octets;
        while !rest.is_empty() && !self.closed {
            let taken = self.session.handle_input(rest, self.now);
            assert!(taken > 0 && taken <= rest.len());
            self.drain();
            rest = &rest[taken..];
        }
    }

    fn reply_codes(&self) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.sent);
        text.lines().filter(|line| line.as_bytes()[3] == b' ').map(|line| line[..3].to_owned()).collect()
    }
}

const UNTIL_CONTENT: &[u8] =
    b"EHLO north.example\r\nMAIL FROM:<a@north.example>\r\nRCPT TO:<bob@south.example>\r\nDATA\r\n";

#[test]
fn an_idle_session_is_small() {
    assert!(size_of::<server::Session>() < 300, "{} octets", size_of::<server::Session>());
    assert!(size_of::<client::Session>() < 300, "{} octets", size_of::<client::Session>());
}

#[test]
fn pipelined_replies_leave_as_one() {
    let mut session = server::Session::new(Arc::new(server_settings()), Instant::now());
    let now = Instant::now();
    let mut input = b"HELO x.example\r\nMAIL FROM:<>\r\nRCPT TO:<bob@south.example>\r\nNOOP\r\nNO".as_slice();
    let mut sends = Vec::new();
    loop {
        let mut quiet = true;
        while let Some(output) = session.poll_output() {
            quiet = false;
            match output {
                Output::StartTls | Output::Turn => panic!("neither TLS nor a turn was asked for"),
                Output::Send(octets) => sends.push(octets),
                Output::Ask(_) => session.handle_answer(server::Answer::Reply(replies::OK.reply()), now),
                other => panic!("{other:?}"),
            }
        }
        if quiet && input.is_empty() {
            break;
        }
        let taken = session.handle_input(input, now);
        input = &input[taken..];
    }
    let texts: Vec<_> = sends.iter().map(|octets| String::from_utf8_lossy(octets).lines().count()).collect();
    assert_eq!(texts, [1, 4], "the greeting, and then all others at once");
}

#[test]
fn a_long_content_comes_in_bounded_pieces() {
    let mut server = Server::new(server_settings());
    server.take(UNTIL_CONTENT);
    let line = [&[b'x'; 998][..], b"\r\n"].concat();
    server.take(&[&line.repeat(1000)[..], b".\r\n"].concat());
    assert_eq!(server.kept[0].len(), 1_000_000);
}

/// Sequences that have been used to smuggle a second message in: whatever comes, the content
/// does not end, and nothing of it is kept (RFC 5321 §2.3.8, §4.1.1.4).
#[test]
fn smuggling_sequences_of_others() {
    let path = PathBuf::from(CORPUS).join("smtp-smuggling/sequences.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln_skip("smtp-smuggling");
        return;
    };
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let mut count = 0;
    for list in ["inbound_end_of_data_variants", "outbound_end_of_data_variants"] {
        for sequence in json[list].as_array().expect("a list") {
            let sequence = sequence.as_str().expect("a text");
            for cut in [usize::MAX, 1, 2] {
                check_smuggling(sequence, cut);
            }
            check_outbound(sequence);
            count += 1;
        }
    }
    assert!(count >= 9);
}

fn eprintln_skip(what: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "skipped: the corpus {what} is not there");
}

fn check_smuggling(sequence: &str, cut: usize) {
    let mut server = Server::new(server_settings());
    server.take(UNTIL_CONTENT);
    let replies = server.reply_codes().len();
    let smuggled = format!("Subject: x\r\n\r\none{sequence}MAIL FROM:<evil@north.example>\r\n");
    for piece in smuggled.as_bytes().chunks(cut) {
        server.take(piece);
    }
    assert_eq!(server.reply_codes().len(), replies, "{sequence:?} ended the content");
    assert!(server.kept.is_empty());
    server.take(b"RCPT TO:<victim@south.example>\r\nDATA\r\nevil\r\n.\r\nNOOP\r\n");
    assert!(server.kept.is_empty(), "{sequence:?}");
    assert_eq!(server.reply_codes()[replies..], ["554", "250"], "{sequence:?}");
}

/// The client never sends such a sequence within a content: it stuffs the dot, or sends nothing.
fn check_outbound(sequence: &str) {
    let content = format!("Subject: x\r\n\r\none{sequence}two\r\n");
    let mut talk = Talk::new(server_settings(), true, false);
    let outcomes = talk.deliver(&["<bob@south.example>"], content.as_bytes(), 7);
    assert!(!talk.wire.windows(sequence.len()).any(|octets| octets == sequence.as_bytes()), "{sequence:?}");
    match &outcomes[0] {
        Ok(_) => assert_eq!(talk.server.kept, [content.into_bytes()]),
        Err(failure) => {
            assert_eq!(failure.fault, client::Fault::ExtensionMissing("BINARYMIME"));
            assert!(talk.server.kept.is_empty());
        }
    }
}

/// The dialogues of chasquid that need neither TLS nor AUTH: its reply codes are ours, but for those
/// named here, each with its reason.
#[test]
fn dialogues_of_chasquid() {
    const DIFFERENCES: &[(&str, &str, &str)] = &[
        // The verb is known, its argument is wrong: RFC 5321 §4.2.2 has 501 for that.
        ("MAIL LALA: <>", "500", "501"),
        ("MAIL FROM:", "500", "501"),
        ("RCPT LALA: <>", "500", "501"),
        ("RCPT TO:", "500", "501"),
        // Without SMTPUTF8 no non-ASCII address is taken (RFC 6531 §3.5).
        ("RCPT TO:<henryⅣ@testserver>", "550", "553"),
        // RFC 7504 gives 521 to hosts that take no mail at all; a refused content is 554 (RFC 5321 §4.3.2).
        ("'xxx\\r\\n.\\r\\n'", "521", "554"),
    ];
    let folder = PathBuf::from(CORPUS).join("chasquid-dialogs/test");
    if !folder.exists() {
        eprintln_skip("chasquid-dialogs");
        return;
    }
    let mut count = 0;
    for group in std::fs::read_dir(folder).expect("a folder").flatten() {
        for entry in std::fs::read_dir(group.path()).expect("a folder").flatten() {
            let text = std::fs::read_to_string(entry.path()).expect("a text");
            // Programs being run, TLS, AUTH, and contents of a megabyte computed in Python are not for us.
            let fits = text.contains("c tcp_connect") && !text.contains("AUTH") && !text.contains(" * ");
            if fits {
                chasquid(&entry.path().display().to_string(), &text, DIFFERENCES);
                count += 1;
            }
        }
    }
    assert!(count >= 4, "only {count} dialogues fit");
}

fn chasquid(name: &str, text: &str, differences: &[(&str, &str, &str)]) {
    let mut server = Server::new(server_settings());
    let mut last = String::new();
    let mut read = 0;
    for line in text.lines() {
        let Some((head, argument)) = line.strip_prefix("c ").and_then(|rest| rest.split_once(' ')) else {
            continue;
        };
        match head {
            "tcp_connect" => {
                server = Server::new(server_settings());
                read = 0;
                last.clear();
            }
            "->" => {
                last = argument.to_owned();
                server.take(format!("{argument}\r\n").as_bytes());
            }
            "~>" => {
                last = argument.to_owned();
                let octets = argument.trim_matches('\'').replace("\\r", "\r").replace("\\n", "\n");
                server.take(octets.as_bytes());
            }
            _ => {
                let code = argument.split(' ').next().expect("a code").to_owned();
                let ours = server.reply_codes().get(read).cloned().unwrap_or_default();
                // The greeting of the test's server is 250, as it answers everything with that.
                let ours = if last.is_empty() { "220".to_owned() } else { ours };
                let accepted = differences
                    .iter()
                    .any(|(said, theirs, wanted)| *said == last && *theirs == code && *wanted == ours);
                assert!(accepted || code == ours, "{name}: after {last:?} expected {code}, came {ours:?}");
                read += 1;
            }
        }
    }
}

fn recipient(path: &str) -> client::Recipient {
    path.parse::<posta_address::ForwardPath>().expect("a path").into()
}

/// Our client against our server, over a wire that cuts everything up.
struct Talk {
    client: client::Session,
    server: Server,
    now: Instant,
    outcomes: Option<Vec<client::RecipientOutcome>>,
    letter: Option<(client::Transaction, Vec<Bytes>)>,
    chunks: std::vec::IntoIter<Bytes>,
    /// What the client sent.
    wire: Vec<u8>,
    closed: bool,
}

impl Talk {
    fn new(settings: server::Settings, pipelining: bool, chunking: bool) -> Self {
        let now = Instant::now();
        let name: posta_address::Domain = "mail.north.example".parse().expect("a domain");
        let client_settings = client::Settings { pipelining, chunking, ..client::Settings::new(name) };
        Talk {
            client: client::Session::new(Arc::new(client_settings), now),
            server: Server::new(settings),
            now,
            outcomes: None,
            letter: None,
            chunks: Vec::new().into_iter(),
            wire: Vec::new(),
            closed: false,
        }
    }

    /// Sends one message and gives the outcomes.
    fn deliver(&mut self, to: &[&str], content: &[u8], cut: usize) -> Vec<client::RecipientOutcome> {
        let transaction = client::Transaction {
            reverse_path: "<a@north.example>".parse().expect("a path"),
            recipients: to.iter().map(|path| recipient(path)).collect(),
            facts: ContentFacts::of(content).0,
            smtputf8: false,
            requests: client::Requests::default(),
        };
        let chunks = content.chunks(cut).map(Bytes::copy_from_slice).collect();
        self.letter = Some((transaction, chunks));
        let mut held = Vec::new();
        for _ in 0..10_000 {
            // A question that was left open for lack of a letter is answered now.
            if let Some(outcomes) = self.outcomes.take() {
                return outcomes;
            }
            self.run_client(cut);
            held.append(&mut self.server.sent);
            let taken = self.client.handle_input(&held[..held.len().min(cut)], self.now);
            held.drain(..taken);
        }
        panic!("no outcome");
    }

    fn run_client(&mut self, cut: usize) {
        while let Some(output) = self.client.poll_output() {
            match output {
                Output::StartTls | Output::Turn => panic!("neither TLS nor a turn was asked for"),
                Output::Send(octets) => {
                    self.wire.extend_from_slice(&octets);
                    for piece in octets.chunks(cut) {
                        self.server.take(piece);
                    }
                }
                Output::Event(client::Event::Done(outcomes)) => self.outcomes = Some(outcomes),
                Output::Event(_) => {}
                Output::Close => self.closed = true,
                Output::Ask(client::Question::Authenticate(_)) => panic!("no AUTH was wanted"),
                Output::Ask(client::Question::Next) => {
                    let answer = match self.letter.take() {
                        Some((transaction, chunks)) => {
                            self.chunks = chunks.into_iter();
                            client::Answer::Transaction(transaction)
                        }
                        None => client::Answer::Quit,
                    };
                    self.client.handle_answer(answer, self.now);
                }
                Output::Ask(client::Question::Content) => {
                    let answer =
                        self.chunks.next().map_or(client::Answer::EndOfContent, client::Answer::Chunk);
                    self.client.handle_answer(answer, self.now);
                }
            }
        }
    }
}

#[test]
fn client_and_server_say_goodbye() {
    let mut talk = Talk::new(server_settings(), true, false);
    let to = ["<bob@south.example>", "<nobody@south.example>", "<eve@south.example>"];
    let outcomes = talk.deliver(&to, b"Subject: x\r\n\r\n.body\r\n", 1000);
    let codes: Vec<u16> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Ok(reply) => reply.code,
            Err(client::Failure { fault: client::Fault::Refused(reply), .. }) => reply.code,
            Err(other) => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(codes, [250, 550, 250]);
    assert_eq!(talk.server.kept, [b"Subject: x\r\n\r\n.body\r\n".to_vec()]);
    assert!(talk.server.closed, "the server has seen QUIT");
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        3 => Just(b"\r\n".to_vec()),
        3 => Just(b".".to_vec()),
        2 => proptest::collection::vec(any::<u8>().prop_filter("no CR, LF, NUL", |octet| !b"\r\n\0".contains(octet)), 0..20),
    ];
    proptest::collection::vec(part, 0..60).prop_map(|parts| {
        let mut content = parts.concat();
        content.extend_from_slice(b"\r\n");
        content
    })
}

/// What strangers may send: whole commands, halves of them, and noise.
fn hostile_input() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        Just(&b"EHLO x.example\r\n"[..]),
        Just(&b"HELO\r\n"[..]),
        Just(&b"MAIL FROM:<a@x.example> SIZE=3\r\n"[..]),
        Just(&b"MAIL FROM:<\xc3\xa4@x.example> SMTPUTF8\r\n"[..]),
        Just(&b"RCPT TO:<b@x.example>\r\n"[..]),
        Just(&b"RCPT TO:<nobody@x.example>\r\n"[..]),
        Just(&b"RCPT TO:<@a:\"\\\r\n"[..]),
        Just(&b"DATA\r\n"[..]),
        Just(&b"MAIL FROM:<a@x.example> BODY=BINARYMIME\r\n"[..]),
        Just(&b"BDAT 12\r\n"[..]),
        Just(&b"BDAT 7 LAST\r\n"[..]),
        Just(&b"BDAT 5000 LAST\r\n"[..]),
        Just(&b"Received: x\r\n"[..]),
        Just(&b".\r\n"[..]),
        Just(&b".."[..]),
        Just(&b"\r"[..]),
        Just(&b"\n"[..]),
        Just(&b"\0\xff<>"[..]),
        Just(&b"RSET\r\n"[..]),
        Just(&b"NOOP\r\n"[..]),
        Just(&b"VRFY x\r\nEXPN y\r\nHELP\r\n"[..]),
        Just(&b"QUIT\r\n"[..]),
        Just(&[b'x'; 1500][..]),
    ];
    proptest::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
}

/// Of several faults of a content, the one that is found first (and is the reason why it is given up at
/// once) depends on how it is cut up; all else does not.
fn events(server: &Server) -> Vec<Event> {
    let without_reason = |event: &Event| match event {
        Event::Aborted { .. } => Event::Aborted { reason: String::new() },
        other => other.clone(),
    };
    server.events.iter().map(without_reason).collect()
}

/// A small server, so that its limits are reached.
fn tight(normalizing: bool) -> server::Settings {
    let mut settings = server_settings();
    settings.limits.content_octets = 4000;
    settings.limits.text_line_octets = 2500;
    settings.limits.header_section_octets = 3500;
    settings.limits.recipients = 2;
    settings.limits.errors = 8;
    if normalizing {
        settings.quirks.bare_line_end = server::BareLineEnd::Normalize;
    }
    settings
}

/// Found by fuzzing: of several faults of a chunk the same is named however it was cut up.
#[test]
fn the_fault_of_a_chunk_does_not_depend_on_pieces() {
    let until_content = UNTIL_CONTENT.strip_suffix(b"DATA\r\n").expect("ends so");
    let input = [until_content, b"BDAT 10\r\na\0b\nc\r\nd\re", b"NOOP\r\n"].concat();
    let replies_in_pieces_of = |octets: usize| {
        let mut server = Server::new(server_settings());
        input.chunks(octets).for_each(|piece| server.take(piece));
        String::from_utf8_lossy(&server.sent).into_owned()
    };
    let whole = replies_in_pieces_of(input.len());
    let fault = replies::CONTENT_BARE_LINE_END.text;
    assert!(whole.ends_with(&format!("554 5.5.2 {fault}\r\n250 2.0.0 Ok\r\n")), "{whole}");
    for octets in 1..20 {
        assert_eq!(replies_in_pieces_of(octets), whole, "pieces of {octets}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_message_arrives_as_it_was(
        content in content(), cut in 1usize..50, pipelining: bool, chunking: bool,
    ) {
        let mut talk = Talk::new(server_settings(), pipelining, chunking);
        let outcomes = talk.deliver(&["<bob@south.example>", "<nobody@south.example>"], &content, cut);
        prop_assert!(outcomes[0].is_ok() && outcomes[1].is_err(), "{outcomes:?}");
        prop_assert_eq!(&talk.server.kept, &[content]);
    }

    #[test]
    fn a_binary_message_arrives_as_it_was(
        body in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(0), Just(b'.'), any::<u8>()], 0..300),
        cut in 1usize..50,
        pipelining: bool,
    ) {
        let content = [&b"Subject: x\r\n\r\n"[..], &body].concat();
        let mut talk = Talk::new(server_settings(), pipelining, true);
        let outcomes = talk.deliver(&["<bob@south.example>", "<nobody@south.example>"], &content, cut);
        prop_assert!(outcomes[0].is_ok() && outcomes[1].is_err(), "{outcomes:?}");
        prop_assert_eq!(&talk.server.kept, &[content]);
    }

    #[test]
    fn cutting_up_makes_no_difference_to_the_server(
        input in hostile_input(), cut in 1usize..40, normalizing: bool,
    ) {
        let mut whole = Server::new(tight(normalizing));
        whole.take(&input);
        let mut cut_up = Server::new(tight(normalizing));
        for piece in input.chunks(cut) {
            cut_up.take(piece);
        }
        for server in [&mut whole, &mut cut_up] {
            let now = server.now;
            server.session.handle_closed(now);
            server.drain();
            prop_assert!(server.closed);
        }
        let text = |server: &Server| String::from_utf8_lossy(&server.sent).into_owned();
        prop_assert_eq!(text(&whole), text(&cut_up));
        prop_assert_eq!(events(&whole), events(&cut_up));
        prop_assert_eq!(whole.kept, cut_up.kept);
        prop_assert_eq!(whole.asked, cut_up.asked);
    }

    #[test]
    fn every_accepted_mail_is_committed_or_aborted_once(input in hostile_input()) {
        let mut server = Server::new(tight(false));
        server.take(&input);
        let now = server.now;
        server.session.handle_closed(now);
        server.drain();
        let begun = server.asked.iter().filter(|question| question.starts_with("Mail")).count();
        let aborted = server.events.iter().filter(|event| matches!(event, Event::Aborted { .. })).count();
        prop_assert_eq!(begun, aborted + server.kept.len());
        let ended = server.events.iter().filter(|event| matches!(event, Event::Ended { .. })).count();
        prop_assert_eq!(ended, 1);
    }

    #[test]
    fn noise_is_no_harm_to_the_server(input in proptest::collection::vec(any::<u8>(), 0..3000)) {
        let mut server = Server::new(server_settings());
        server.take(&input);
        prop_assert!(server.kept.is_empty());
    }

    #[test]
    fn whatever_a_server_says_the_client_reports_each_transaction_once(
        parts in proptest::collection::vec(prop_oneof![
            6 => Just(&b"250 ok\r\n"[..]), 2 => Just(&b"250-mx\r\n250 PIPELINING\r\n"[..]), 2 => Just(&b"354 go\r\n"[..]),
            1 => Just(&b"550 no\r\n"[..]), 1 => Just(&b"421 bye\r\n"[..]), 1 => Just(&b"250-half\r\n"[..]),
            1 => Just(&b"\xff\0"[..]), 1 => Just(&b"\n"[..]), 1 => Just(&b"451 4.3.0 later\r\n"[..]),
        ], 0..30),
        cut in 1usize..30,
        pipelining: bool,
    ) {
        let input = parts.concat();
        let now = Instant::now();
        let name: posta_address::Domain = "mail.north.example".parse().expect("a domain");
        let settings = client::Settings { pipelining, ..client::Settings::new(name) };
        let mut session = client::Session::new(Arc::new(settings), now);
        let (mut begun, mut done, mut closed) = (0, 0, false);
        let mut step = |session: &mut client::Session| {
            let mut content = 0;
            while let Some(output) = session.poll_output() {
                match output {
                    Output::StartTls | Output::Turn => panic!("neither TLS nor a turn was asked for"),
                    Output::Send(_) => {}
                    Output::Event(client::Event::Done(outcomes)) => {
                        assert_eq!(outcomes.len(), 2);
                        done += 1;
                    }
                    Output::Event(_) => {}
                    Output::Close => closed = true,
                    Output::Ask(client::Question::Authenticate(_)) => panic!("no AUTH was wanted"),
                    Output::Ask(client::Question::Next) => {
                        begun += 1;
                        session.handle_answer(client::Answer::Transaction(client::Transaction {
                            reverse_path: "<>".parse().expect("a path"),
                            recipients: vec![recipient("<b@x.example>"), recipient("<c@x.example>")],
                            facts: ContentFacts::of(b"x\r\n").0,
                            smtputf8: false,
                            requests: client::Requests::default(),
                        }), now);
                    }
                    Output::Ask(client::Question::Content) => {
                        content += 1;
                        let answer = if content == 1 { client::Answer::Chunk(Bytes::from_static(b"x\r\n")) } else { client::Answer::EndOfContent };
                        session.handle_answer(answer, now);
                    }
                }
            }
        };
        step(&mut session);
        for piece in input.chunks(cut) {
            let mut rest = piece;
            while !rest.is_empty() {
                let taken = session.handle_input(rest, now);
                step(&mut session);
                if taken == 0 {
                    break;
                }
                rest = &rest[taken..];
            }
        }
        session.handle_closed(now);
        step(&mut session);
        prop_assert!(closed);
        prop_assert_eq!(begun, done);
    }
}
