//! The two sessions by hand, against each other, and against anything.

use bytes::Bytes;
use posta_pop3::{
    Capability, MessageNumber, Reply, ResponseCode, client,
    client::{Credentials, Fault, LoginMethod, Phase, Request, Stage},
    server,
};
use posta_wire::{Conversation, Output, Secret};
use proptest::prelude::*;
use std::{sync::Arc, time::Instant};

const TIMESTAMP: &str = "<1896.697170952@dbc.mtview.ca.us>";

fn n(number: u32) -> MessageNumber {
    MessageNumber::new(number).expect("not zero")
}

/// A maildrop that answers the server's questions.
#[derive(Default)]
struct Maildrop {
    messages: Vec<Vec<u8>>,
    removed: Vec<usize>,
    retrieved: Vec<usize>,
    ended: Vec<&'static str>,
    piece_octets: usize,
}

impl Maildrop {
    fn with(messages: &[&[u8]]) -> Maildrop {
        let messages = messages.iter().map(|message| message.to_vec()).collect();
        Maildrop { messages, piece_octets: 64 * 1024, ..Maildrop::default() }
    }

    fn answer(&mut self, question: server::Question) -> server::Answer {
        use server::{Answer, LoginFailure, MessageEntry, Question};
        let entries = || {
            let entries = self.messages.iter().enumerate().map(|(index, message)| MessageEntry {
                size_octets: message.len() as u64
                    + if message.is_empty() || message.ends_with(b"\r\n") { 0 } else { 2 },
                unique_id: format!("id{index}"),
            });
            entries.collect()
        };
        match question {
            Question::Login { user, password } if user == "mrose" && password.expose() == "tanstaaf" => {
                Answer::Login(Ok(entries()))
            }
            Question::Apop { user, timestamp, digest }
                if user == "mrose" && digest == posta_pop3::apop_digest(&timestamp, "tanstaaf") =>
            {
                Answer::Login(Ok(entries()))
            }
            Question::Login { .. } | Question::Apop { .. } => Answer::Login(Err(LoginFailure::Credentials)),
            Question::Mechanisms => Answer::Mechanisms(posta_wire::sasl::MechanismSet::EMPTY),
            Question::Authenticate(_) => Answer::NoExchange(server::MechanismRefusal::NotOffered),
            Question::Credentials(_) | Question::Open(_) | Question::AuthenticationFailed(_) => {
                panic!("no exchange was begun")
            }
            Question::Content { index, offset } => {
                let rest = &self.messages[index][offset as usize..];
                Answer::Content(Ok(Bytes::copy_from_slice(&rest[..rest.len().min(self.piece_octets)])))
            }
            Question::Update { deleted } => {
                self.removed = deleted;
                Answer::Updated(true)
            }
        }
    }

    /// Carries out all the session wants; each `Send` by itself.
    fn drain(&mut self, session: &mut server::Session, now: Instant) -> (Vec<Bytes>, bool) {
        let mut sent = Vec::new();
        while let Some(output) = session.poll_output() {
            match output {
                Output::Send(octets) => sent.push(octets),
                Output::Ask(question) => {
                    let answer = self.answer(question);
                    session.handle_answer(answer, now);
                }
                Output::Event(server::Event::Retrieved { index }) => self.retrieved.push(index),
                Output::Event(server::Event::Ended { reason }) => self.ended.push(reason),
                Output::Event(server::Event::Utf8) => {}
                Output::Event(server::Event::Secured(_)) => panic!("nobody began TLS"),
                Output::Close => return (sent, true),
                Output::StartTls | Output::Turn => panic!("neither TLS nor a turn was asked for"),
            }
        }
        (sent, false)
    }
}

/// The prefix and the content come separately from a store; the reply is one `Send` all the same.
#[test]
fn small_pieces_leave_together() {
    let mut maildrop = Maildrop::with(&[&b"x\r\n".repeat(1000)]);
    maildrop.piece_octets = 100;
    let now = Instant::now();
    let mut session = server::Session::new(Arc::new(server::Settings::new("h.example")), None, now);
    session.handle_input(b"USER mrose\r\nPASS tanstaaf\r\n", now);
    maildrop.drain(&mut session, now);
    session.handle_input(b"RETR 1\r\n", now);
    let (sent, _) = maildrop.drain(&mut session, now);
    assert_eq!(sent.iter().map(Bytes::len).collect::<Vec<_>>(), [17 + 3000 + 3]);
}

/// All input, in pieces; all output.
fn serve(maildrop: &mut Maildrop, input: &[u8], cut: usize, timestamp: Option<&str>) -> Vec<u8> {
    let now = Instant::now();
    let settings = Arc::new(server::Settings::new("pop.example"));
    let mut session = server::Session::new(settings, timestamp.map(str::to_owned), now);
    let (mut said, _) = maildrop.drain(&mut session, now);
    'pieces: for piece in input.chunks(cut.max(1)) {
        let mut rest = piece;
        while !rest.is_empty() {
            let taken = session.handle_input(rest, now);
            assert!(taken <= rest.len());
            rest = &rest[taken..];
            let (sent, closed) = maildrop.drain(&mut session, now);
            said.extend(sent);
            if closed {
                break 'pieces;
            }
        }
    }
    session.handle_closed(now);
    said.extend(maildrop.drain(&mut session, now).0);
    said.concat()
}

#[test]
fn status_line_content_and_end_leave_together() {
    let body =
        b"Subject: x\r\n\r\n".iter().copied().chain([b'x'; 10_000]).chain(*b"\r\n").collect::<Vec<u8>>();
    let mut maildrop = Maildrop::with(&[&body]);
    let now = Instant::now();
    let mut session = server::Session::new(Arc::new(server::Settings::new("h.example")), None, now);
    maildrop.drain(&mut session, now);
    for line in ["USER mrose\r\n", "PASS tanstaaf\r\n"] {
        session.handle_input(line.as_bytes(), now);
        maildrop.drain(&mut session, now);
    }
    session.handle_input(b"RETR 1\r\n", now);
    let (sent, _) = maildrop.drain(&mut session, now);
    assert_eq!(sent.len(), 1);
    let expected = [format!("+OK {} octets\r\n", body.len()).as_bytes(), &body, b".\r\n"].concat();
    assert_eq!(sent[0], expected);
    assert_eq!(maildrop.retrieved, [0]);

    // Commands that need no look-up are answered with one `Send`.
    session.handle_input(b"NOOP\r\nSTAT\r\nLIST 1\r\nUIDL 1\r\n", now);
    let (sent, _) = maildrop.drain(&mut session, now);
    assert_eq!(sent, [format!("+OK\r\n+OK 1 {0}\r\n+OK 1 {0}\r\n+OK 1 id0\r\n", body.len())]);
}

#[test]
fn large_contents_are_handed_on_as_they_lie() {
    let body = [b'x'; 200_000];
    let mut maildrop = Maildrop::with(&[&body]);
    let now = Instant::now();
    let mut session = server::Session::new(Arc::new(server::Settings::new("h.example")), None, now);
    session.handle_input(b"USER mrose\r\nPASS tanstaaf\r\nRETR 1\r\n", now);
    let (mut said, _) = maildrop.drain(&mut session, now);
    session.handle_input(b"RETR 1\r\n", now);
    said.extend(maildrop.drain(&mut session, now).0);
    let longest = said.iter().map(Bytes::len).max();
    assert_eq!(longest, Some(64 * 1024), "nothing gathers the whole message");
    assert_eq!(maildrop.retrieved, [0]);
}

#[test]
fn a_question_holds_commands_back() {
    let now = Instant::now();
    let mut session = server::Session::new(Arc::new(server::Settings::new("h.example")), None, now);
    assert!(matches!(session.poll_output(), Some(Output::Send(_))));
    let input = b"USER mrose\r\nPASS tanstaaf\r\nQUIT\r\n";
    let taken = session.handle_input(input, now);
    assert_eq!(&input[taken..], b"QUIT\r\n");
    assert!(matches!(session.poll_output(), Some(Output::Send(_))), "what is said already comes first");
    assert!(matches!(session.poll_output(), Some(Output::Ask(server::Question::Login { .. }))));
    assert!(session.poll_output().is_none());
    assert_eq!(session.handle_input(&input[taken..], now), 0);
    assert_eq!(session.poll_timeout(), None, "the waiting is ours");
}

#[test]
fn a_content_that_is_shorter_than_said_does_not_look_whole() {
    let now = Instant::now();
    let mut session = server::Session::new(Arc::new(server::Settings::new("h.example")), None, now);
    session.handle_input(b"USER mrose\r\nPASS x\r\n", now);
    let mut said = Vec::new();
    let mut reason = None;
    loop {
        match session.poll_output() {
            Some(Output::Send(octets)) => said.extend_from_slice(&octets),
            Some(Output::Ask(server::Question::Login { .. })) => {
                let entry = server::MessageEntry { size_octets: 100, unique_id: "x".into() };
                session.handle_answer(server::Answer::Login(Ok(vec![entry])), now);
            }
            Some(Output::Ask(server::Question::Content { offset, .. })) => {
                let piece = if offset == 0 { Bytes::from_static(b"short\r\n") } else { Bytes::new() };
                session.handle_answer(server::Answer::Content(Ok(piece)), now);
            }
            Some(Output::Event(server::Event::Ended { reason: words })) => reason = Some(words),
            Some(Output::Close) => break,
            None => {
                session.handle_input(b"RETR 1\r\n", now);
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(said.ends_with(b"+OK 100 octets\r\nshort\r\n"), "{}", said.escape_ascii());
    assert_eq!(reason, Some("content unreadable"));
}

#[test]
fn a_maildrop_of_many_messages_is_listed_in_pieces() {
    let mut maildrop = Maildrop::with(&[]);
    maildrop.messages = vec![b"x\r\n".to_vec(); 50_000];
    let now = Instant::now();
    let mut session = server::Session::new(Arc::new(server::Settings::new("h.example")), None, now);
    session.handle_input(b"USER mrose\r\nPASS tanstaaf\r\n", now);
    maildrop.drain(&mut session, now);
    session.handle_input(b"UIDL\r\n", now);
    let (sent, _) = maildrop.drain(&mut session, now);
    assert!(sent.len() > 5 && sent.iter().all(|octets| octets.len() < 70_000));
    let lines = sent.concat().split(|octet| *octet == b'\n').count();
    assert_eq!(lines, 50_000 + 3);
}

#[test]
fn refusing() {
    let now = Instant::now();
    let settings = Arc::new(server::Settings::new("h.example"));
    let mut session = server::Session::refusing(settings, "too many connections", now);
    let mut maildrop = Maildrop::default();
    let (sent, closed) = maildrop.drain(&mut session, now);
    assert_eq!(sent.concat(), b"-ERR [SYS/TEMP] too many connections\r\n");
    assert!(closed);
    assert_eq!(maildrop.ended, ["refused"]);
}

/// Lets the two talk; the client does the requests in turn. What the client reported.
fn talk(
    maildrop: &mut Maildrop,
    requests: Vec<Request>,
    timestamp: Option<&str>,
    cut: usize,
) -> Vec<client::Event> {
    let now = Instant::now();
    let settings = Arc::new(server::Settings::new("pop.example"));
    let mut server = server::Session::new(settings, timestamp.map(str::to_owned), now);
    let mut client = client::Session::new(client::Settings::default(), now);
    let mut requests = requests.into_iter();
    let mut events = Vec::new();
    let (mut to_client, mut to_server) = (Vec::new(), Vec::new());
    for _ in 0..1_000_000 {
        let (sent, server_closed) = maildrop.drain(&mut server, now);
        to_client.extend(sent.concat());
        while let Some(output) = client.poll_output() {
            match output {
                Output::Send(octets) => to_server.extend_from_slice(&octets),
                Output::Event(event) => events.push(event),
                Output::Ask(client::Question::Next(_)) => {
                    client.handle_answer(requests.next().unwrap_or(Request::Quit), now);
                }
                Output::Close => return events,
                Output::StartTls | Output::Turn => panic!("neither TLS nor a turn was asked for"),
            }
        }
        let offered = to_client.len().min(cut);
        let taken = client.handle_input(&to_client[..offered], now);
        to_client.drain(..taken);
        let offered = to_server.len().min(cut);
        let taken = server.handle_input(&to_server[..offered], now);
        to_server.drain(..taken);
        if server_closed && to_client.is_empty() {
            client.handle_closed(now);
        }
    }
    panic!("they talk for ever; so far {events:?}");
}

fn login(method: LoginMethod) -> Request {
    Request::Login(Credentials { user: "mrose".into(), secret: Secret::new("tanstaaf"), method })
}

fn contents(events: &[client::Event]) -> Vec<u8> {
    let pieces = events.iter().filter_map(|event| match event {
        client::Event::Content(piece) => Some(&piece[..]),
        _ => None,
    });
    pieces.flatten().copied().collect()
}

fn done(events: &[client::Event]) -> usize {
    events.iter().filter(|event| matches!(event, client::Event::Done(_))).count()
}

#[test]
fn client_and_server_all_requests() {
    for cut in [1, 5, 100_000] {
        let mut maildrop = Maildrop::with(&[b"Subject: a\r\n\r\n.dot\r\nmore\r\n", b"Subject: b\r\n\r\nx"]);
        let requests = vec![
            Request::Capabilities,
            Request::Language(None),
            Request::Utf8,
            login(LoginMethod::Password),
            Request::Status,
            Request::Sizes(None),
            Request::Sizes(Some(n(2))),
            Request::UniqueIds(None),
            Request::UniqueIds(Some(n(1))),
            Request::Top { message: n(1), lines: 1 },
            Request::Retrieve(n(1)),
            Request::Delete(n(1)),
            Request::Retrieve(n(1)),
            Request::Language(Some("de\r\nQUIT".into())),
            Request::Language(Some("de".into())),
            Request::Retrieve(n(1)),
            Request::Reset,
            Request::Nothing,
            Request::Delete(n(2)),
            Request::Quit,
        ];
        let count = requests.len();
        let events = talk(&mut maildrop, requests, None, cut);
        assert_eq!(done(&events), count - 3, "{events:?}");
        let has = |event: client::Event| assert!(events.contains(&event), "{event:?} in {events:?}");
        has(client::Event::Capability(Capability::Uidl));
        has(client::Event::Capability(Capability::Utf8 { user: true }));
        has(client::Event::Language { tag: "fr".into(), name: Some("Français".into()) });
        let refusal = |command, text: &'static str| client::Event::Refused {
            stage: Stage::Command(command),
            reply: Reply { positive: false, code: None, text: text.into() },
        };
        has(refusal("LANG", "no texts in that language"));
        has(refusal("RETR", "Nachricht 1 ist gelöscht"));
        has(client::Event::Status { messages: 2, octets: 26 + 17 });
        has(client::Event::Size { message: n(1), octets: 26 });
        has(client::Event::Size { message: n(2), octets: 17 });
        has(client::Event::UniqueId { message: n(2), unique_id: "id1".into() });
        has(client::Event::Refused {
            stage: Stage::Command("RETR"),
            reply: Reply { positive: false, code: None, text: "message 1 is deleted".into() },
        });
        assert_eq!(contents(&events), b"Subject: a\r\n\r\n.dot\r\nSubject: a\r\n\r\n.dot\r\nmore\r\n");
        assert_eq!(events.last(), Some(&client::Event::Ended));
        assert_eq!(maildrop.removed, [1]);
        assert_eq!(maildrop.ended, ["quit"]);
    }
}

#[test]
fn ways_to_log_in() {
    let table = [
        (LoginMethod::Password, None, true),
        (LoginMethod::Password, Some(TIMESTAMP), true),
        (LoginMethod::Apop, Some(TIMESTAMP), true),
        (LoginMethod::ApopIfOffered, Some(TIMESTAMP), true),
        (LoginMethod::ApopIfOffered, None, true),
    ];
    for (method, timestamp, good) in table {
        let mut maildrop = Maildrop::default();
        let events = talk(&mut maildrop, vec![login(method), Request::Status], timestamp, 100);
        assert_eq!(events.contains(&client::Event::Status { messages: 0, octets: 0 }), good, "{events:?}");
    }
    // A secret that was meant for APOP is not sent in the clear.
    let events = talk(&mut Maildrop::default(), vec![login(LoginMethod::Apop)], None, 100);
    let failure = client::Failure { stage: Stage::Login, fault: Fault::ApopMissing };
    assert_eq!(events.last(), Some(&client::Event::Failed(failure)));
}

#[test]
fn a_failed_login_can_be_tried_again() {
    let wrong =
        Credentials { user: "mrose".into(), secret: Secret::new("no"), method: LoginMethod::Password };
    let requests = vec![Request::Login(wrong), login(LoginMethod::Password), Request::Status];
    let events = talk(&mut Maildrop::default(), requests, None, 100);
    let refused = events.iter().find_map(|event| match event {
        client::Event::Refused { stage: Stage::Login, reply } => reply.code.clone(),
        _ => None,
    });
    assert_eq!(refused, Some(ResponseCode::Authentication));
    assert!(events.contains(&client::Event::Status { messages: 0, octets: 0 }));
}

#[test]
fn no_command_hides_in_a_password() {
    for (user, secret) in [("mrose", "x\r\nDELE 1"), ("mrose\r\nQUIT", "x"), ("mrose", ""), ("", "x")] {
        let credentials =
            Credentials { user: user.into(), secret: Secret::new(secret), method: LoginMethod::Password };
        let events = talk(&mut Maildrop::default(), vec![Request::Login(credentials)], None, 100);
        let failure = client::Failure { stage: Stage::Login, fault: Fault::CredentialsUnfit };
        assert_eq!(events.last(), Some(&client::Event::Failed(failure)), "{user:?} {secret:?}");
    }
}

/// Plays a server's words to a client that does one request, then hangs up.
fn hear(words: &str, request: Request) -> Vec<client::Event> {
    let now = Instant::now();
    let settings = client::Settings { retrieved_octets_max: 1000, ..client::Settings::default() };
    let mut client = client::Session::new(settings, now);
    let mut requests = vec![request].into_iter();
    let mut events = Vec::new();
    let mut rest = words.as_bytes();
    loop {
        while let Some(output) = client.poll_output() {
            match output {
                Output::Send(_) => {}
                Output::Event(event) => events.push(event),
                Output::Ask(_) => match requests.next() {
                    Some(request) => client.handle_answer(request, now),
                    None => return events,
                },
                Output::Close => return events,
                Output::StartTls | Output::Turn => panic!("neither TLS nor a turn was asked for"),
            }
        }
        let taken = client.handle_input(rest, now);
        rest = &rest[taken..];
        if taken == 0 {
            client.handle_closed(now);
        }
    }
}

#[test]
fn the_client_bears_bad_servers() {
    let endless = format!("+OK\r\n+OK\r\n{}", "x".repeat(10_000));
    let large = format!("+OK\r\n+OK\r\n{}\r\n.\r\n", "x\r\n".repeat(1000));
    let table: Vec<(&str, Request, &str)> = vec![
        ("", Request::Status, "Failed(Failure { stage: Greeting, fault: ConnectionLost })"),
        ("220 smtp\r\n", Request::Status, "fault: BadReply(\"neither +OK nor -ERR: 220 smtp\")"),
        ("-ERR [IN-USE] busy\r\n", Request::Status, "Refused { stage: Greeting"),
        ("+OK\r\n+OK two 3\r\n", Request::Status, "BadReply"),
        ("+OK\r\n+OK\r\n1 x\r\n.\r\n", Request::Sizes(None), "BadReply"),
        ("+OK\r\n+OK\r\n1 2\r\n", Request::Sizes(None), "stage: Command(\"LIST\"), fault: ConnectionLost"),
        (
            "+OK\r\n+OK\r\nhalf a message\r\n",
            Request::Retrieve(n(1)),
            "stage: Command(\"RETR\"), fault: ConnectionLost",
        ),
        ("+OK\r\n", Request::Quit, "stage: Quit, fault: ConnectionLost"),
        (&endless, Request::Sizes(None), "TooMuch"),
        (&large, Request::Retrieve(n(1)), "TooMuch { limit: 1000, unit: \"octets\" }"),
    ];
    for (words, request, expected) in table {
        let events = hear(words, request);
        let last = format!("{:?}", events.last());
        assert!(last.contains(expected), "{words:?}: {last}");
    }
}

#[test]
fn the_client_waits_within_limits() {
    let now = Instant::now();
    let mut client = client::Session::new(client::Settings::default(), now);
    let due = client.poll_timeout().expect("a limit for the greeting");
    client.handle_timeout(due);
    let Some(Output::Event(client::Event::Failed(failure))) = client.poll_output() else {
        panic!("no failure")
    };
    assert_eq!(failure, client::Failure { stage: Stage::Greeting, fault: Fault::TimedOut });
    assert!(matches!(client.poll_output(), Some(Output::Close)));
    assert!(client.poll_output().is_none());
}

#[test]
fn the_client_says_where_it_is() {
    let now = Instant::now();
    let mut client = client::Session::new(client::Settings::default(), now);
    client.handle_input(format!("+OK ready {TIMESTAMP}\r\n").as_bytes(), now);
    assert!(matches!(client.poll_output(), Some(Output::Event(client::Event::Greeted(_)))));
    let asked = client.poll_output();
    let phase = Phase::Authorization { apop_offered: true };
    assert!(matches!(asked, Some(Output::Ask(client::Question::Next(at))) if at == phase));
    assert_eq!(client.handle_input(b"+OK unasked\r\n", now), 0, "nothing is taken that was not asked for");
    // RFC 1939 §7: the digest of the RFC.
    client.handle_answer(login(LoginMethod::Apop), now);
    let Some(Output::Send(line)) = client.poll_output() else { panic!("no command") };
    assert_eq!(line, "APOP mrose c4c9334bac560ecc979e58001b3e22fb\r\n");
}

fn a_message() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        4 => Just(&b"\r\n"[..]),
        1 => Just(&b"\n"[..]),
        1 => Just(&b"\r"[..]),
        3 => Just(&b"."[..]),
        3 => Just(&b"text \xff"[..]),
        1 => Just(&b"A: b\r\n\r\n"[..]),
    ];
    proptest::collection::vec(part, 0..60).prop_map(|parts| parts.concat())
}

fn a_command() -> impl Strategy<Value = Vec<u8>> {
    let known = prop_oneof![
        Just("USER mrose\r\n"),
        Just("PASS tanstaaf\r\n"),
        Just("PASS x\r\n"),
        Just("STAT\r\n"),
        Just("LIST\r\n"),
        Just("LIST 1\r\n"),
        Just("RETR 1\r\n"),
        Just("RETR 2\r\n"),
        Just("TOP 1 1\r\n"),
        Just("DELE 1\r\n"),
        Just("RSET\r\n"),
        Just("UIDL\r\n"),
        Just("NOOP\r\n"),
        Just("CAPA\r\n"),
        Just("APOP mrose c4c9334bac560ecc979e58001b3e22fb\r\n"),
        Just("QUIT\r\n"),
        Just("\r\n"),
        Just("\n"),
    ];
    prop_oneof![
        6 => known.prop_map(|line| line.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..20),
        1 => proptest::collection::vec(any::<u8>(), 240..300),
    ]
}

/// Found by chance: two CRs in two pieces are no blank line.
#[test]
fn where_top_ends_does_not_depend_on_pieces() {
    let message = b"\r\r\n\r\r\nA: b\r\n\r\nbody\r\n".to_vec();
    let input = b"USER mrose\r\nPASS tanstaaf\r\nTOP 1 0\r\nQUIT\r\n";
    for piece_octets in 1..9 {
        let mut maildrop = Maildrop { messages: vec![message.clone()], piece_octets, ..Maildrop::default() };
        let got = serve(&mut maildrop, input, usize::MAX, Some(TIMESTAMP)).escape_ascii().to_string();
        assert!(got.contains("A: b\\r\\n\\r\\n.\\r\\n"), "{piece_octets}: {got}");
    }
}

proptest! {
    /// However the octets come, the server says the same and forgets nothing.
    #[test]
    fn pieces_make_no_difference(
        commands in proptest::collection::vec(a_command(), 0..25),
        messages in proptest::collection::vec(a_message(), 0..3),
        cut in 1usize..40,
        piece_octets in 1usize..40,
    ) {
        // Most of these should get somewhere.
        let input = [b"USER mrose\r\nPASS tanstaaf\r\n".to_vec(), commands.concat()].concat();
        let mut whole = Maildrop { messages, piece_octets: 65_536, ..Maildrop::default() };
        let mut in_pieces = Maildrop { messages: whole.messages.clone(), piece_octets, ..Maildrop::default() };
        let expected = serve(&mut whole, &input, usize::MAX, Some(TIMESTAMP));
        let got = serve(&mut in_pieces, &input, cut, Some(TIMESTAMP));
        prop_assert_eq!(got.escape_ascii().to_string(), expected.escape_ascii().to_string());
        prop_assert_eq!(&in_pieces.removed, &whole.removed);
        prop_assert_eq!(&in_pieces.retrieved, &whole.retrieved);
        prop_assert_eq!(whole.ended.len(), 1);
        prop_assert_eq!(in_pieces.ended, whole.ended);
    }

    /// What is in the maildrop is what the client gets, whatever it is.
    #[test]
    fn messages_pass_unchanged(message in a_message(), cut in 1usize..40, piece_octets in 1usize..40) {
        let mut maildrop = Maildrop { messages: vec![message.clone()], piece_octets, ..Maildrop::default() };
        let requests = vec![login(LoginMethod::Password), Request::Sizes(None), Request::Retrieve(n(1))];
        let events = talk(&mut maildrop, requests, None, cut);
        let mut expected = message;
        if !expected.is_empty() && !expected.ends_with(b"\r\n") {
            expected.extend_from_slice(b"\r\n");
        }
        let size = client::Event::Size { message: n(1), octets: expected.len() as u64 };
        prop_assert!(events.contains(&size), "the count is that of what is sent");
        prop_assert_eq!(contents(&events).escape_ascii().to_string(), expected.escape_ascii().to_string());
    }

    /// TOP gives the beginning of what RETR gives, cut at a line.
    #[test]
    fn top_is_the_top(message in a_message(), lines in 0u32..6, piece_octets in 1usize..40) {
        let mut maildrop = Maildrop { messages: vec![message.clone()], piece_octets, ..Maildrop::default() };
        let top = Request::Top { message: n(1), lines };
        let events = talk(&mut maildrop, vec![login(LoginMethod::Password), top], None, 65_536);
        let got = contents(&events);
        let shown = if message.starts_with(&got) { &got[..] } else { got.strip_suffix(b"\r\n").unwrap_or(&got) };
        prop_assert!(message.starts_with(shown), "{} of {}", got.escape_ascii(), message.escape_ascii());
    }

    /// Whatever a server says, the client neither panics nor runs on for ever.
    #[test]
    fn the_client_bears_anything(words in proptest::collection::vec(any::<u8>(), 0..200), listing: bool) {
        let request = if listing { Request::Sizes(None) } else { Request::Retrieve(n(1)) };
        let said = [b"+OK\r\n+OK\r\n", &words[..]].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        hear(&said, request);
    }
}
