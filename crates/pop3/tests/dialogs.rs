//! Runs the text dialogues `tests/dialogs/*.pop3` of the workspace against the server's session, each
//! in one piece, octet by octet, and with contents in small pieces.
//!
//! A dialogue begins with `# RFC NNNN §…: title`, then the setting (`user NAME PASSWORD`,
//! `apop NAME SECRET`, `auth MECHANISM…`, `auth encrypted MECHANISM…`, `timestamp <…>`, `message N` of N octets, or `message` with `| ` lines), then what is
//! said. Lines of `C:` that follow one another are sent at once; `\n`, `\xNN` stand for octets. `S:` is
//! one line that must come, `*` stands for any text, `<message N>` for a message. Between them:
//! `closed`, `removed 1 2`, `wait SECONDS`, `hang up`, `shutdown`, `cut off`.

use bytes::Bytes;
use posta_pop3::{
    Language, apop_digest, digests_equal,
    server::{Answer, LoginFailure, MechanismRefusal, MessageEntry, Question, Session, Settings, Unreadable},
};
use posta_wire::{
    Conversation, Output, Secret,
    sasl::{self, ChannelBindings, MechanismSet, server::DecoyKey},
};
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

/// The world as the dialogue sets it, and what became of it.
struct Scene {
    timestamp: Option<String>,
    user: Option<(String, String)>,
    apop: Option<(String, String)>,
    messages: Vec<Vec<u8>>,
    unreadable: Option<(usize, usize)>,
    unreadable_is: Unreadable,
    login_fails: Option<LoginFailure>,
    language: Language,
    login_delay_secs: u32,
    offered: MechanismSet,
    needs_encryption: MechanismSet,
    update_fails: bool,
    plain_login_off: bool,
    bare_lf_accepted: bool,
    errors_max: Option<u32>,
    removed: Vec<usize>,
}

impl Default for Scene {
    fn default() -> Self {
        Scene {
            timestamp: None,
            user: None,
            apop: None,
            messages: Vec::new(),
            unreadable: None,
            unreadable_is: Unreadable::Temporary,
            login_fails: None,
            language: Language::English,
            login_delay_secs: 0,
            offered: MechanismSet::EMPTY,
            needs_encryption: MechanismSet::EMPTY,
            update_fails: false,
            plain_login_off: false,
            bare_lf_accepted: false,
            errors_max: None,
            removed: Vec::new(),
        }
    }
}

impl Scene {
    /// One line of the setting; false when it is none.
    fn set(&mut self, line: &str) -> bool {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["user", name, ..] => {
                let password = line["user ".len() + name.len()..].strip_prefix(' ').expect("a password");
                self.user = Some((name.to_string(), password.to_owned()));
            }
            ["apop", name, secret] => self.apop = Some((name.to_string(), secret.to_string())),
            ["timestamp", timestamp] => self.timestamp = Some(timestamp.to_string()),
            ["message", octets] => self.messages.push(filler(octets.parse().expect("a number"))),
            ["message"] | ["message", "without", "last", "CRLF"] => self.messages.push(Vec::new()),
            ["|", ..] => {
                let message = self.messages.last_mut().expect("a message before");
                message.extend_from_slice(line[1..].strip_prefix(' ').unwrap_or("").as_bytes());
                message.extend_from_slice(b"\r\n");
            }
            ["unreadable", number] => self.unreadable = Some((index(number), 0)),
            ["unreadable", number, "after", octets] => {
                self.unreadable = Some((index(number), octets.parse().expect("a number")));
            }
            ["auth", "encrypted", names @ ..] => self.needs_encryption = mechanisms(names),
            ["auth", names @ ..] => self.offered = mechanisms(names),
            ["login", "fails"] => self.login_fails = Some(LoginFailure::Temporary),
            ["login", "fails", "for", "good"] => self.login_fails = Some(LoginFailure::Permanent),
            ["login", "too", "soon", wait] => {
                self.login_fails = Some(LoginFailure::TooSoon { wait_secs: wait.parse().expect("a number") });
            }
            ["login", "delay", seconds] => self.login_delay_secs = seconds.parse().expect("a number"),
            ["language", tag] => self.language = Language::matching(tag).expect("a language"),
            ["damaged", number] => {
                self.unreadable = Some((index(number), 0));
                self.unreadable_is = Unreadable::Permanent;
            }
            ["update", "fails"] => self.update_fails = true,
            ["plain", "login", "off"] => self.plain_login_off = true,
            ["bare", "LF", "accepted"] => self.bare_lf_accepted = true,
            ["errors", "at", "most", count] => self.errors_max = Some(count.parse().expect("a number")),
            _ => return false,
        }
        true
    }

    fn settings(&self) -> Settings {
        let mut settings = Settings::new("pop.example");
        settings.plain_login = !self.plain_login_off;
        settings.bare_lf_accepted = self.bare_lf_accepted;
        settings.language = self.language;
        settings.login_delay_secs = self.login_delay_secs;
        settings.errors_max = self.errors_max.unwrap_or(settings.errors_max);
        settings
    }

    fn answer(&mut self, question: Question, piece_octets: usize) -> Answer {
        match question {
            Question::Login { user, password } => {
                let good =
                    self.user.as_ref().is_some_and(|(name, word)| *name == user && word == password.expose());
                self.login(good)
            }
            Question::Apop { user, timestamp, digest } => {
                let good = self.apop.as_ref().is_some_and(|(name, secret)| {
                    *name == user && digests_equal(&apop_digest(&timestamp, secret), &digest)
                });
                self.login(good)
            }
            Question::Mechanisms => Answer::Mechanisms(self.offered),
            Question::Authenticate(mechanism) if self.offered.contains(mechanism) => {
                Answer::Exchange(Box::new(exchange(mechanism)))
            }
            Question::Authenticate(mechanism) if self.needs_encryption.contains(mechanism) => {
                Answer::NoExchange(MechanismRefusal::NeedsEncryption)
            }
            Question::Authenticate(_) => Answer::NoExchange(MechanismRefusal::NotOffered),
            Question::Credentials(question) => Answer::Credentials(self.credentials(*question)),
            Question::Open(identity) => {
                self.login(self.user.as_ref().is_some_and(|(name, _)| *name == identity.authzid))
            }
            Question::AuthenticationFailed(sasl::server::Failure::Unavailable) => {
                Answer::Login(Err(LoginFailure::Temporary))
            }
            Question::AuthenticationFailed(_) => self.login(false),
            Question::Content { index, offset } => {
                let offset = offset as usize;
                let mut rest = &self.messages[index][offset..];
                if let Some((_, after)) = self.unreadable.filter(|(which, _)| *which == index) {
                    match after.saturating_sub(offset) {
                        0 => return Answer::Content(Err(self.unreadable_is)),
                        readable => rest = &rest[..readable.min(rest.len())],
                    }
                }
                Answer::Content(Ok(Bytes::copy_from_slice(&rest[..rest.len().min(piece_octets)])))
            }
            Question::Update { deleted } => {
                self.removed = deleted;
                Answer::Updated(!self.update_fails)
            }
        }
    }

    fn credentials(&self, question: sasl::server::Question) -> sasl::server::Answer {
        use sasl::server::{Answer, Question};
        let Some((name, word)) = &self.user else { return Answer::Unavailable };
        match question {
            Question::CheckPassword { authcid, password, .. }
                if authcid == *name && password.expose() == word =>
            {
                Answer::Accepted { authcid }
            }
            Question::SharedSecret { authcid } if authcid == *name => {
                Answer::SharedSecret(Secret::new(word.as_str()))
            }
            _ => Answer::Refused,
        }
    }

    fn login(&self, good: bool) -> Answer {
        if let Some(failure) = self.login_fails {
            return Answer::Login(Err(failure));
        }
        let entries = self.messages.iter().enumerate().map(|(index, message)| MessageEntry {
            size_octets: message.len() as u64 + if message.ends_with(b"\r\n") { 0 } else { 2 },
            unique_id: format!("unique-{}", index + 1),
        });
        Answer::Login(if good { Ok(entries.collect()) } else { Err(LoginFailure::Credentials) })
    }
}

fn mechanisms(names: &[&str]) -> MechanismSet {
    names.iter().map(|name| name.parse::<sasl::Mechanism>().expect("a mechanism")).collect()
}

/// An exchange whose every octet is known beforehand.
fn exchange(mechanism: sasl::Mechanism) -> sasl::server::Exchange {
    let settings = sasl::server::Settings::new("pop.example", DecoyKey::new([1; 32]));
    let random = *b"eighteen octets!!!";
    let context =
        sasl::server::Context { random, unix_secs: 1_795_460_400, bindings: ChannelBindings::none() };
    sasl::server::Exchange::new(mechanism, &settings, context)
}

fn index(number: &str) -> usize {
    number.parse::<usize>().expect("a number") - 1
}

/// Lines of x, so many octets with their CRLFs.
fn filler(octets: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(octets);
    while text.len() < octets {
        let left = octets - text.len();
        let line = if left > 64 { 62 } else { left };
        text.resize(text.len() + line - 2, b'x');
        text.extend_from_slice(b"\r\n");
    }
    text
}

/// A session under test.
struct Stage {
    scene: Scene,
    session: Session,
    now: Instant,
    said: Vec<u8>,
    closed: bool,
    piece_octets: usize,
}

impl Stage {
    fn drain(&mut self) {
        while let Some(output) = self.session.poll_output() {
            assert!(!self.closed, "nothing follows Close");
            match output {
                Output::Send(octets) => self.said.extend_from_slice(&octets),
                Output::Ask(question) => {
                    let answer = self.scene.answer(question, self.piece_octets);
                    self.session.handle_answer(answer, self.now);
                }
                Output::Event(_) => {}
                Output::Close => self.closed = true,
                Output::StartTls | Output::Turn => panic!("neither TLS nor a turn was asked for"),
            }
        }
    }

    fn hear(&mut self, mut octets: &[u8], at_a_time: usize) {
        while !octets.is_empty() && !self.closed {
            let offered = octets.len().min(at_a_time);
            let taken = self.session.handle_input(&octets[..offered], self.now);
            octets = &octets[taken..];
            self.drain();
        }
    }

    /// Takes the next line off what was said.
    fn line(&mut self) -> String {
        let end = self.said.windows(2).position(|pair| pair == b"\r\n");
        let end = end.expect("a further line");
        let line = String::from_utf8_lossy(&self.said[..end]).into_owned();
        self.said.drain(..end + 2);
        line
    }

    fn expect(&mut self, expected: &str) {
        if let Some(number) = expected.strip_prefix("<message ").and_then(|rest| rest.strip_suffix('>')) {
            let message = self.scene.messages[index(number)].clone();
            assert!(self.said.starts_with(&message), "message {number}");
            self.said.drain(..message.len());
            return;
        }
        let line = self.line();
        let fits = match expected.split_once('*') {
            Some((head, tail)) => {
                line.len() >= head.len() + tail.len() && line.starts_with(head) && line.ends_with(tail)
            }
            None => line == expected,
        };
        assert!(fits, "expected {expected:?}, got {line:?}");
    }

    fn expect_silence(&self, before: &str) {
        let said = &self.said[..self.said.len().min(200)];
        assert_eq!(said.escape_ascii().to_string(), "", "unexpected, before {before:?}");
    }

    fn direct(&mut self, direction: &str) {
        let words: Vec<&str> = direction.split(' ').collect();
        match words.as_slice() {
            ["closed"] => assert!(self.closed, "still open"),
            ["removed", numbers @ ..] => {
                let numbers: Vec<usize> = numbers.iter().map(|number| index(number)).collect();
                assert_eq!(std::mem::take(&mut self.scene.removed), numbers, "removed");
            }
            ["wait", seconds] => {
                self.now += Duration::from_secs(seconds.parse().expect("a number"));
                if self.session.poll_timeout().is_some_and(|due| due <= self.now) {
                    self.session.handle_timeout(self.now);
                }
            }
            ["hang", "up"] => {
                self.session.handle_closed(self.now);
                self.drain();
                assert!(self.closed, "the session sees that the peer is gone");
            }
            ["shutdown"] => self.session.handle_shutdown(self.now),
            ["cut", "off"] => {
                assert!(self.closed && !self.said.ends_with(b".\r\n"), "looks whole");
                self.said.clear();
            }
            _ => panic!("unknown direction {direction:?}"),
        }
        self.drain();
    }
}

/// `\n`, `\r`, `\xNN` as octets.
fn unescape(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some((plain, escape)) = rest.split_once('\\') {
        octets.extend_from_slice(plain.as_bytes());
        rest = &escape[1..];
        match escape.as_bytes()[0] {
            b'n' => octets.push(b'\n'),
            b'r' => octets.push(b'\r'),
            b'x' => {
                octets.push(u8::from_str_radix(&rest[..2], 16).expect("two hexadecimal digits"));
                rest = &rest[2..];
            }
            other => octets.push(other),
        }
    }
    octets.extend_from_slice(rest.as_bytes());
    octets
}

fn run(script: &str, at_a_time: usize, piece_octets: usize) {
    let mut lines = script.lines().peekable();
    let title = lines.next().expect("a title");
    assert!(title.starts_with("# RFC ") && title.contains('§'), "the first line names the RFC: {title}");
    let mut scene = Scene::default();
    let mut ends_short = false;
    while let Some(line) = lines.next_if(|line| scene.set(line)) {
        ends_short |= line == "message without last CRLF";
    }
    if ends_short {
        let message = scene.messages.last_mut().expect("a message");
        message.truncate(message.len() - 2);
    }
    let now = Instant::now();
    let session = Session::new(Arc::new(scene.settings()), scene.timestamp.clone(), now);
    let mut stage = Stage { scene, session, now, said: Vec::new(), closed: false, piece_octets };
    stage.drain();
    while let Some(line) = lines.next() {
        if let Some(said) = line.strip_prefix("S:") {
            stage.expect(said.strip_prefix(' ').unwrap_or(said));
            continue;
        }
        if line != "cut off" {
            stage.expect_silence(line);
        }
        if let Some(said) = line.strip_prefix("C:") {
            let mut octets = unescape(said.strip_prefix(' ').unwrap_or(said));
            octets.extend_from_slice(b"\r\n");
            while let Some(more) = lines.next_if(|line| line.starts_with("C:")) {
                octets.extend_from_slice(&unescape(more[2..].strip_prefix(' ').unwrap_or("")));
                octets.extend_from_slice(b"\r\n");
            }
            stage.hear(&octets, at_a_time);
        } else {
            stage.direct(line);
        }
    }
    stage.expect_silence("the end");
    assert!(stage.closed, "the dialogue ends with the session");
    assert_eq!(stage.scene.removed, Vec::<usize>::new(), "removed without being expected");
}

#[test]
fn all_dialogues() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/dialogs");
    let mut names: Vec<_> = std::fs::read_dir(&folder)
        .expect("the folder of dialogues")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "pop3"))
        .collect();
    names.sort();
    assert!(names.len() >= 25, "only {} dialogues", names.len());
    let mut failures = Vec::new();
    for path in &names {
        let script = std::fs::read_to_string(path).expect("text");
        for (at_a_time, piece_octets) in [(usize::MAX, 64 * 1024), (1, 64 * 1024), (usize::MAX, 7), (3, 1)] {
            let outcome = std::panic::catch_unwind(|| run(&script, at_a_time, piece_octets));
            if let Err(panic) = outcome {
                let words = panic.downcast_ref::<String>().cloned();
                let words = words.or_else(|| panic.downcast_ref::<&str>().map(|text| text.to_string()));
                failures.push(format!(
                    "{} ({at_a_time} octets at a time, pieces of {piece_octets}): {}",
                    path.file_name().unwrap_or_default().display(),
                    words.unwrap_or_default()
                ));
                break;
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
