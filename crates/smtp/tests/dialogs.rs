//! Runs the text dialogues `tests/dialogs/*.smtp` of the workspace against the server's session: with
//! what the client says in one piece, octet by octet, and in pieces of seven octets.
//!
//! A dialogue begins with `# RFC NNNN §…: title`, then the setting:
//! `quirk NAME on|off`, `extension NAME on|off`, `limit NAME NUMBER`, `greeting REPLY`,
//! `lmtp`, `auth MECHANISM…` (offered), `auth encrypted MECHANISM…` (needs TLS first), `auth required`,
//! `account NAME PASSWORD`, `accounts unavailable`, `answer hello|mail|rcpt|data|end-of-data|vrfy|expn|etrn|turn|xclient REPLY` (else all is accepted, but
//! `nobody…@` gets 550 5.1.1, `later…@` 451 4.2.0 and `…@elsewhere.example` 550 5.7.1).
//!
//! Then follows what is said. `C:` lines that follow one another are sent at once, each with CR LF;
//! `raw:` is sent without. `\r`, `\n`, `\t`, `\0`, `\\`, `\xNN` stand for octets, `\(text*N)` for N times the
//! text. `S:` is one line that must come, `*` in it stands for any text; `S: ...` for
//! any lines before the next. Between them:
//! `kept` with `| ` lines (the content committed last), `from PATH`, `to PATH PATH`, `nothing kept`,
//! `refused STAGE`, `aborted REASON`, `authenticated NAME`, `authentication failed WHY`, `ended REASON`, `closed`, `turned` (the roles), `wait SECONDS`, `hang up`, `shutdown`.

use posta_smtp::{
    EnhancedStatus, FutureRelease, Reply, replies,
    server::{Answer, Authentication, BareLineEnd, Event, Question, Session, Settings},
};
use posta_wire::{
    Conversation, Output, Secret,
    sasl::{self, ChannelBindings, server::DecoyKey},
};
use std::{
    collections::VecDeque,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

/// The world as the dialogue sets it.
struct Scene {
    settings: Settings,
    greeting: Option<Reply>,
    answers: Vec<(String, Reply)>,
    authentication: Authentication,
    account: Option<(String, String)>,
    accounts_unavailable: bool,
}

/// Reads `550-5.1.1 text`-less replies: `550 5.1.1 text`, further lines after ` / `.
fn reply(text: &str) -> Reply {
    let (code, rest) = text.split_once(' ').unwrap_or((text, ""));
    let code = code.parse().expect("a code");
    let (enhanced, rest) = match EnhancedStatus::split_off(rest, code) {
        Some((status, rest)) => (Some(status), rest),
        None => (None, rest),
    };
    let lines = rest.split(" / ").map(|line| line.to_owned().into()).collect();
    Reply { code, enhanced, lines }
}

impl Scene {
    fn new() -> Self {
        let hostname = "mx.south.example".parse().expect("a domain");
        Scene {
            settings: Settings::new(hostname),
            greeting: None,
            answers: Vec::new(),
            authentication: Authentication::default(),
            account: None,
            accounts_unavailable: false,
        }
    }

    /// One line of the setting; false when it is none.
    fn set(&mut self, line: &str) -> bool {
        let words: Vec<&str> = line.split(' ').collect();
        let settings = &mut self.settings;
        match words.as_slice() {
            ["quirk", name, state] => {
                let on = *state == "on";
                match *name {
                    "hello_without_argument" => settings.quirks.syntax.hello_without_argument = on,
                    "space_before_path" => settings.quirks.syntax.space_before_path = on,
                    "path_without_brackets" => settings.quirks.syntax.path_without_brackets = on,
                    "normalize_bare_line_end" => settings.quirks.bare_line_end = BareLineEnd::Normalize,
                    "nul_in_content" => settings.quirks.nul_in_content = on,
                    other => panic!("no quirk {other}"),
                }
            }
            ["extension", name, "off"] => match *name {
                "PIPELINING" => settings.extensions.pipelining = false,
                "SIZE" => settings.extensions.size = false,
                "8BITMIME" => settings.extensions.eight_bit_mime = false,
                "SMTPUTF8" => settings.extensions.smtputf8 = false,
                "CHUNKING" => settings.extensions.chunking = false,
                "BINARYMIME" => settings.extensions.binary_mime = false,
                "REQUIRETLS" => settings.extensions.require_tls = false,
                "LIMITS" => settings.extensions.limits = false,
                "DSN" => settings.extensions.dsn = false,
                "VRFY" => settings.extensions.vrfy = false,
                "EXPN" => settings.extensions.expn = false,
                other => panic!("no extension {other}"),
            },
            ["extension", name, "on"] => match *name {
                "SEND" => settings.extensions.send = true,
                "DELIVERBY" => settings.extensions.deliver_by = true,
                "MT-PRIORITY" => settings.extensions.priority = true,
                "ETRN" => settings.extensions.etrn = true,
                "ATRN" => settings.extensions.atrn = true,
                "TURN" => settings.extensions.turn = true,
                "XCLIENT" => settings.extensions.xclient = true,
                other => panic!("no extension {other}"),
            },
            ["limit", name, number] => {
                let number: u32 = number.parse().expect("a number");
                let limits = &mut settings.limits;
                match *name {
                    "content_octets" => limits.content_octets = number.into(),
                    "text_line_octets" => limits.text_line_octets = number.into(),
                    "header_section_octets" => limits.header_section_octets = number.into(),
                    "recipients" => limits.recipients = number,
                    "deliver_by_seconds_min" => limits.deliver_by_seconds_min = number,
                    "errors" => limits.errors = number,
                    "refusals" => limits.refusals = number,
                    "idle_commands" => limits.idle_commands = number,
                    "authentication_failures" => limits.authentication_failures = number,
                    "session_timeout" => limits.session_timeout = Duration::from_secs(number.into()),
                    other => panic!("no limit {other}"),
                }
            }
            ["lmtp"] => settings.lmtp = true,
            ["future-release", seconds, until] => {
                let seconds_max = seconds.parse().expect("seconds");
                let until_max = until.parse().expect("a time");
                self.authentication.future_release = Some(FutureRelease { seconds_max, until_max });
            }
            ["auth", "required"] => self.authentication.required = true,
            ["auth", "encrypted", names @ ..] => self.authentication.needs_encryption = mechanisms(names),
            ["auth", names @ ..] => self.authentication.offered = mechanisms(names),
            ["account", name, password] => {
                self.account = Some((name.to_string(), password.to_string()));
            }
            ["accounts", "unavailable"] => self.accounts_unavailable = true,
            ["greeting", ..] => self.greeting = Some(reply(&line["greeting ".len()..])),
            ["answer", stage, rest @ ..] => self.answers.push((stage.to_string(), reply(&rest.join(" ")))),
            _ => return false,
        }
        true
    }

    fn scripted(&self, stage: &str) -> Option<Reply> {
        self.answers.iter().find(|(name, _)| name == stage).map(|(_, reply)| reply.clone())
    }
}

fn mechanisms(names: &[&str]) -> sasl::MechanismSet {
    names.iter().map(|name| name.parse::<sasl::Mechanism>().expect("a mechanism")).collect()
}

/// An exchange whose every octet is known beforehand.
fn exchange(mechanism: sasl::Mechanism) -> sasl::server::Exchange {
    let settings = sasl::server::Settings::new("mx.south.example", DecoyKey::new([1; 32]));
    let random = *b"eighteen octets!!!";
    let context =
        sasl::server::Context { random, unix_secs: 1_795_460_400, bindings: ChannelBindings::none() };
    sasl::server::Exchange::new(mechanism, &settings, context)
}

impl Scene {
    fn credentials(&self, question: sasl::server::Question) -> sasl::server::Answer {
        use sasl::server::{Answer, Question};
        if self.accounts_unavailable {
            return Answer::Unavailable;
        }
        let Some((name, word)) = &self.account else { return Answer::Refused };
        match question {
            Question::CheckPassword { authcid, authzid, password }
                if authcid == *name
                    && password.expose() == word
                    && authzid.as_ref().is_none_or(|authzid| authzid == name) =>
            {
                Answer::Accepted { authcid }
            }
            Question::SharedSecret { authcid } if authcid == *name => {
                Answer::SharedSecret(Secret::new(word.as_str()))
            }
            Question::Verifier { hash, authcid, .. } if authcid == *name => {
                let salt = b"salt of 16 octets";
                let verifier = sasl::scram::Verifier::derive(hash, &Secret::new(word.as_str()), salt, 4096);
                Answer::Verifier(verifier.expect("a verifier"))
            }
            _ => Answer::Refused,
        }
    }
}

/// One run of a dialogue.
struct Run<'a> {
    name: &'a str,
    scene: &'a Scene,
    session: Session,
    now: Instant,
    piece_octets: usize,
    received: String,
    from: String,
    recipients: Vec<String>,
    content: Vec<u8>,
    kept: Option<(Vec<u8>, String, Vec<String>)>,
    refused: VecDeque<&'static str>,
    aborted: VecDeque<String>,
    authenticated: VecDeque<String>,
    authentication_failures: VecDeque<String>,
    ended: Option<&'static str>,
    closed: bool,
    turned: bool,
}

impl Run<'_> {
    fn drain(&mut self) {
        while let Some(output) = self.session.poll_output() {
            assert!(!self.closed, "{}: output after close: {output:?}", self.name);
            match output {
                Output::StartTls => panic!("nobody began TLS"),
                Output::Turn => self.turned = true,
                Output::Send(octets) => {
                    self.received.push_str(std::str::from_utf8(&octets).expect("UTF-8"));
                }
                Output::Ask(question) => {
                    let answer = self.answer(question);
                    self.session.handle_answer(answer, self.now);
                }
                Output::Event(Event::Content(octets)) => self.content.extend_from_slice(&octets),
                Output::Event(Event::Refused { stage, .. }) => self.refused.push_back(stage),
                Output::Event(Event::Aborted { reason }) => {
                    self.aborted.push_back(reason);
                    self.content.clear();
                    self.recipients.clear();
                }
                Output::Event(Event::Authenticated { identity, .. }) => {
                    self.authenticated.push_back(identity.authzid);
                }
                Output::Event(Event::AuthenticationFailed { failure, .. }) => {
                    self.authentication_failures.push_back(failure.to_string());
                }
                Output::Event(Event::Ended { reason }) => self.ended = Some(reason),
                Output::Close => self.closed = true,
                Output::Event(Event::Secured(_)) => panic!("nobody began TLS"),
            }
        }
    }

    fn answer(&mut self, question: Question) -> Answer {
        let settings = &self.scene.settings;
        let scripted = |stage: &str| self.scene.scripted(stage);
        Answer::Reply(match question {
            Question::Greeting => self.scene.greeting.clone().unwrap_or_else(|| settings.greeting()),
            Question::Hello(hello) => {
                let reply = scripted("hello").unwrap_or_else(|| settings.welcome(&hello));
                return Answer::Welcome(reply, self.scene.authentication);
            }
            Question::Mail { reverse_path, .. } => {
                self.from = reverse_path.to_string();
                self.recipients.clear();
                scripted("mail").unwrap_or_else(|| replies::SENDER_OK.reply())
            }
            Question::Recipient { forward_path, .. } => {
                let path = forward_path.to_string();
                let verdict = match path.as_str() {
                    _ if path.starts_with("<nobody") => replies::MAILBOX_UNKNOWN.reply(),
                    _ if path.starts_with("<later") => reply("451 4.2.0 Come back later"),
                    _ if path.ends_with("@elsewhere.example>") => replies::RELAYING_DENIED.reply(),
                    _ => scripted("rcpt").unwrap_or_else(|| replies::RECIPIENT_OK.reply()),
                };
                if verdict.is_positive() {
                    self.recipients.push(path);
                }
                verdict
            }
            Question::Data => scripted("data").unwrap_or_else(|| replies::START_CONTENT.reply()),
            Question::EndOfData(facts) => {
                assert_eq!(facts.size_octets, self.content.len() as u64, "{}", self.name);
                let verdict = scripted("end-of-data").unwrap_or_else(|| replies::MESSAGE_ACCEPTED.reply());
                let content = std::mem::take(&mut self.content);
                if verdict.is_positive() {
                    self.kept = Some((content, self.from.clone(), std::mem::take(&mut self.recipients)));
                }
                verdict
            }
            Question::Verify(_) => scripted("vrfy").unwrap_or_else(|| replies::CANNOT_VERIFY.reply()),
            Question::Expand(_) => scripted("expn").unwrap_or_else(|| replies::MAILBOX_UNKNOWN.reply()),
            Question::StartQueue(_) => scripted("etrn").unwrap_or_else(|| replies::QUEUE_STARTED.reply()),
            Question::Turn(_) => scripted("turn").unwrap_or_else(|| replies::TURNING.reply()),
            Question::Introduce(_) => scripted("xclient").unwrap_or_else(|| settings.greeting()),
            Question::Authenticate(mechanism) => match scripted("auth") {
                Some(reply) => reply,
                None => return Answer::Exchange(Box::new(exchange(mechanism))),
            },
            Question::Credentials(question) => return Answer::Credentials(self.scene.credentials(*question)),
        })
    }

    fn client_says(&mut self, octets: &[u8]) {
        for piece in octets.chunks(self.piece_octets) {
            let mut rest = piece;
            while !rest.is_empty() {
                let taken = self.session.handle_input(rest, self.now);
                self.drain();
                rest = &rest[taken..];
                if self.closed {
                    return;
                }
            }
        }
    }

    /// Passes over lines up to the first that fits.
    fn skip_to(&mut self, pattern: &str) {
        while let Some((line, rest)) = self.received.split_once("\r\n")
            && !fits(pattern, line)
        {
            self.received = rest.to_owned();
        }
    }

    fn expect_line(&mut self, pattern: &str) {
        let Some((line, rest)) = self.received.split_once("\r\n") else {
            panic!("{}: expected {pattern:?}, nothing came (left: {:?})", self.name, self.received);
        };
        assert!(fits(pattern, line), "{}: expected {pattern:?}, came {line:?}", self.name);
        self.received = rest.to_owned();
    }

    fn wait(&mut self, seconds: u64) {
        let until = self.now + Duration::from_secs(seconds);
        while let Some(due) = self.session.poll_timeout().filter(|due| *due <= until) {
            self.now = due.max(self.now);
            self.session.handle_timeout(self.now);
            self.drain();
        }
        self.now = until;
    }

    /// What the line says must have happened.
    fn check(&mut self, line: &str, block: &[String]) {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("kept", "") => {
                let (content, ..) = self.kept.as_ref().unwrap_or_else(|| panic!("{}: none kept", self.name));
                let expected: Vec<u8> = block.iter().flat_map(|line| unescape(line)).collect();
                assert_eq!(
                    content.escape_ascii().to_string(),
                    expected.escape_ascii().to_string(),
                    "{}",
                    self.name
                );
            }
            ("from", path) => {
                let (_, from, _) = self.kept.as_ref().expect("a message was kept");
                assert_eq!(from, path, "{}", self.name);
            }
            ("to", paths) => {
                let (_, _, recipients) = self.kept.as_ref().expect("a message was kept");
                assert_eq!(recipients.join(" "), paths, "{}", self.name);
            }
            ("nothing", "kept") => assert!(self.kept.is_none(), "{}: something was kept", self.name),
            ("refused", stage) => {
                assert_eq!(self.refused.pop_front(), Some(stage), "{}", self.name);
            }
            ("aborted", reason) => {
                let came = self.aborted.pop_front().unwrap_or_default();
                assert!(fits(reason, &came), "{}: aborted {reason:?}, came {came:?}", self.name);
            }
            ("authenticated", name) => {
                assert_eq!(self.authenticated.pop_front().as_deref(), Some(name), "{}", self.name);
            }
            ("authentication", failed) => {
                let why = failed.strip_prefix("failed ").expect("authentication failed WHY");
                let came = self.authentication_failures.pop_front();
                assert_eq!(came.as_deref(), Some(why), "{}", self.name);
            }
            ("ended", reason) => assert_eq!(self.ended, Some(reason), "{}", self.name),
            ("turned", "") => assert!(self.turned, "{}: not turned", self.name),
            ("closed", "") => assert!(self.closed, "{}: not closed", self.name),
            ("wait", seconds) => self.wait(seconds.parse().expect("a number")),
            ("hang", "up") => {
                self.session.handle_closed(self.now);
                self.drain();
            }
            ("shutdown", "") => {
                self.session.handle_shutdown(self.now);
                self.drain();
            }
            _ => panic!("{}: what does {line:?} mean?", self.name),
        }
    }
}

/// Whether the line fits a pattern in which `*` stands for any text.
fn fits(pattern: &str, line: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == line,
        Some((head, tail)) => line.strip_prefix(head).is_some_and(|rest| {
            (0..=rest.len()).any(|index| rest.is_char_boundary(index) && fits(tail, &rest[index..]))
        }),
    }
}

fn unescape(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some((plain, escape)) = rest.split_once('\\') {
        octets.extend_from_slice(plain.as_bytes());
        let (kind, after) = escape.split_at(1);
        rest = after;
        match kind {
            "r" => octets.push(b'\r'),
            "t" => octets.push(b'\t'),
            "n" => octets.push(b'\n'),
            "0" => octets.push(0),
            "\\" => octets.push(b'\\'),
            "x" => {
                octets.push(u8::from_str_radix(&after[..2], 16).expect("two hexadecimal digits"));
                rest = &after[2..];
            }
            "(" => {
                let (repeated, tail) = after.split_once(')').expect("a closing parenthesis");
                let (text, count) = repeated.rsplit_once('*').expect("text*N");
                let text = unescape(text);
                octets.extend(text.repeat(count.parse().expect("a number")));
                rest = tail;
            }
            other => panic!("no escape \\{other}"),
        }
    }
    octets.extend_from_slice(rest.as_bytes());
    octets
}

fn run(name: &str, text: &str, piece_octets: usize) {
    let mut scene = Scene::new();
    let mut lines = text.lines().peekable();
    let title = lines.next().unwrap_or_default();
    assert!(title.starts_with("# RFC "), "{name}: the first line names the RFC");
    while lines.next_if(|line| line.is_empty() || line.starts_with('#') || scene.set(line)).is_some() {}
    let now = Instant::now();
    let mut run = Run {
        name,
        session: Session::new(Arc::new(scene.settings.clone()), now),
        scene: &scene,
        now,
        piece_octets,
        received: String::new(),
        from: String::new(),
        recipients: Vec::new(),
        content: Vec::new(),
        kept: None,
        refused: VecDeque::new(),
        aborted: VecDeque::new(),
        authenticated: VecDeque::new(),
        authentication_failures: VecDeque::new(),
        ended: None,
        closed: false,
        turned: false,
    };
    run.drain();
    let mut said = Vec::new();
    while let Some(line) = lines.next() {
        match line.split_once(':') {
            Some(("C", rest)) => {
                said.extend(unescape(rest.strip_prefix(' ').unwrap_or(rest)));
                said.extend_from_slice(b"\r\n");
            }
            Some(("raw", rest)) => said.extend(unescape(rest.strip_prefix(' ').unwrap_or(rest))),
            _ if line.is_empty() || line.starts_with('#') => {}
            _ => {
                run.client_says(&std::mem::take(&mut said));
                if line == "S: ..." {
                    let next = lines.peek().and_then(|line| line.strip_prefix("S: "));
                    run.skip_to(next.expect("a line after the dots"));
                    continue;
                }
                if let Some(pattern) = line.strip_prefix("S: ") {
                    run.expect_line(pattern);
                    continue;
                }
                assert_eq!(run.received, "", "{name}: more came than expected before {line:?}");
                let mut block = Vec::new();
                while let Some(line) = lines.next_if(|line| line.starts_with('|')) {
                    block.push(format!("{}\\r\\n", line[1..].strip_prefix(' ').unwrap_or(&line[1..])));
                }
                run.check(line, &block);
            }
        }
    }
    run.client_says(&said);
    assert_eq!(run.received, "", "{name}: more came than expected");
}

#[test]
fn dialogues_of_the_workspace() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/dialogs"));
    let mut count = 0;
    let mut failed = Vec::new();
    for entry in std::fs::read_dir(folder).expect("tests/dialogs") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "smtp") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a text");
        let name = path.file_name().expect("a name").to_string_lossy();
        for piece_octets in [usize::MAX, 1, 7] {
            let name = format!("{name} in pieces of {piece_octets}");
            // Go on after a failure, to show all that fail.
            if std::panic::catch_unwind(|| run(&name, &text, piece_octets)).is_err() {
                failed.push(name);
            }
        }
        count += 1;
    }
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(count >= 60, "only {count} dialogues were found");
}
