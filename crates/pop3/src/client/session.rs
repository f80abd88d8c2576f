//! The client's session: states, requests, replies.

use super::{
    Credentials, Event, Failure, Fault, LoginMethod, Phase, Question, Request, Stage,
    listing::{Column, read_status},
};
use crate::{
    Command, Reply, apop_digest,
    limits::{LISTING_LINES_MAX, REPLY_LINE_TOLERATED_OCTETS_MAX, REPLY_WAIT_MAX, RETRIEVED_OCTETS_MAX},
};
use bytes::{Bytes, BytesMut};
use posta_wire::{
    Conversation, Decoded, DotDecoder, Line, LineReader, Output, Secret, TlsFacts, TlsFailure,
    sasl::{
        self, CANCEL,
        client::{Exchange, Step},
        limits,
    },
};
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

/// What whoever uses the client decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// TLS comes before the greeting (RFC 8314 §3.3).
    pub implicit_tls: bool,
    /// How long to wait for a reply, or for the next octets of one.
    pub reply_wait: Duration,
    /// Octets of one message at most.
    pub retrieved_octets_max: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            implicit_tls: false,
            reply_wait: REPLY_WAIT_MAX,
            retrieved_octets_max: RETRIEVED_OCTETS_MAX,
        }
    }
}

/// Where the session is. A state owns what exists only in it.
///
/// ```text
///  Greeting ──+OK──► Ready ──Login──► User ──+OK──► Login ──+OK──► Ready (Transaction)
///      │             ▲ │ │ ▲          │ -ERR          │ -ERR
///      │ -ERR        │ │ │ └──────────┴───────────────┘
///      ▼             │ │ └──others──► Reply ──+OK──► Listing, Content ──"."──► Ready
///    Closed ◄──QUIT──┘ └──────────────► │ one line, -ERR ────────────────────► Ready
/// ```
#[derive(Debug)]
enum State {
    /// Waiting for the server's first line.
    Greeting,
    /// TLS is to begin: at the start, or with this reply to STLS.
    Securing { reply: Option<Reply> },
    /// Waiting for the answer to the question.
    Ready,
    /// USER is sent; the secret waits for its reply.
    User { password: Secret },
    /// PASS or APOP is sent.
    Login,
    /// AUTH is going on.
    Authenticating {
        exchange: Box<Exchange>,
        /// We have given up, and wait for the server's verdict.
        cancelled: bool,
    },
    /// A command is sent; the first line of its reply is awaited.
    Reply { request: Request, command: &'static str },
    /// The lines of a listing come in.
    Listing { column: Column, command: &'static str, reply: Reply, lines: u64 },
    /// A message comes in.
    Content { decoder: Box<DotDecoder>, command: &'static str, reply: Reply, octets: u64 },
    /// Over.
    Closed,
}

/// The client's session. See [`super`].
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    lines: LineReader,
    state: State,
    phase: Phase,
    /// The greeting's.
    timestamp: Option<String>,
    /// TLS is to begin once all is sent.
    tls_due: bool,
    /// The question is to be asked.
    ask: bool,
    out: BytesMut,
    events: VecDeque<Event>,
    /// `Close` is to follow the events; then it was given.
    closing: bool,
    closed: bool,
    stopping: bool,
    deadline: Instant,
}

impl Session {
    /// A session on a connection just made.
    pub fn new(settings: Settings, now: Instant) -> Session {
        Session {
            state: if settings.implicit_tls { State::Securing { reply: None } } else { State::Greeting },
            tls_due: settings.implicit_tls,
            phase: Phase::Authorization { apop_offered: false },
            timestamp: None,
            ask: false,
            out: BytesMut::new(),
            events: VecDeque::new(),
            closing: false,
            closed: false,
            stopping: false,
            deadline: now + settings.reply_wait,
            lines: LineReader::new(REPLY_LINE_TOLERATED_OCTETS_MAX),
            settings,
        }
    }

    fn stage(&self) -> Stage {
        match &self.state {
            State::Greeting | State::Securing { reply: None } => Stage::Greeting,
            State::Securing { reply: Some(_) } => Stage::Command("STLS"),
            State::User { .. } | State::Login | State::Authenticating { .. } => Stage::Login,
            State::Reply { command: "QUIT", .. } => Stage::Quit,
            State::Reply { command, .. }
            | State::Listing { command, .. }
            | State::Content { command, .. } => Stage::Command(command),
            State::Ready | State::Closed => Stage::Command("NOOP"),
        }
    }

    fn fail(&mut self, fault: Fault) {
        let stage = self.stage();
        self.events.push_back(Event::Failed(Failure { stage, fault }));
        self.close();
    }

    fn close(&mut self) {
        self.state = State::Closed;
        self.closing = true;
        self.ask = false;
    }

    fn end(&mut self) {
        self.events.push_back(Event::Ended);
        self.close();
    }

    /// Back to where the next request is asked for.
    fn ready(&mut self) {
        if self.stopping {
            return self.end();
        }
        self.state = State::Ready;
        self.ask = true;
    }

    // ---- requests ----

    fn begin(&mut self, request: Request) {
        match request {
            Request::Login(credentials) => self.log_in(credentials),
            Request::Authenticate(exchange) => self.authenticate(exchange),
            request => {
                if let Some(command) = request.command() {
                    self.state = State::Reply { command: command.keyword(), request };
                    self.out.extend_from_slice(command.to_line().as_bytes());
                }
            }
        }
    }

    fn log_in(&mut self, credentials: Credentials) {
        let Credentials { user, secret, method } = credentials;
        let timestamp = match method {
            LoginMethod::Token => return self.fail(Fault::CredentialsUnfit),
            LoginMethod::Password | LoginMethod::Strongest => None,
            LoginMethod::Apop | LoginMethod::ApopIfOffered => self.timestamp.as_deref(),
        };
        self.state = State::Login;
        let command = match (timestamp, method) {
            (None, LoginMethod::Apop) => return self.fail(Fault::ApopMissing),
            (Some(timestamp), _) => {
                let digest = apop_digest(timestamp, secret.expose());
                Command::Apop { name: user, digest }
            }
            (None, _) => {
                if !can_be_said(&Command::Pass(secret.clone())) {
                    return self.fail(Fault::CredentialsUnfit);
                }
                self.state = State::User { password: secret };
                Command::User(user)
            }
        };
        if !can_be_said(&command) {
            return self.fail(Fault::CredentialsUnfit);
        }
        self.out.extend_from_slice(command.to_line().as_bytes());
    }

    fn authenticate(&mut self, mut exchange: Box<Exchange>) {
        let command = exchange.command(limits::POP3_AUTH_COMMAND_OCTETS_MAX);
        self.send_secret(&command);
        // RFC 5034 §4: challenges may be longer than replies.
        self.lines.set_limit(limits::LINE_OCTETS_MAX + "+ \r\n".len());
        self.state = State::Authenticating { exchange, cancelled: false };
    }

    fn send_secret(&mut self, line: &Secret) {
        self.out.extend_from_slice(line.expose().as_bytes());
        self.out.extend_from_slice(b"\r\n");
    }

    // ---- replies ----

    /// A challenge is answered; whether it was one. RFC 5034 §4: `+ ` and base64; some leave the space out
    /// where nothing follows.
    fn is_challenge(&mut self, line: &[u8]) -> bool {
        let State::Authenticating { exchange, cancelled } = &mut self.state else { return false };
        let challenge = match line {
            _ if *cancelled => return false,
            b"+" => b"",
            _ => match line.strip_prefix(b"+ ") {
                Some(challenge) => challenge,
                None => return false,
            },
        };
        let response = match exchange.challenge(challenge) {
            Step::Respond(response) => response,
            Step::Cancel(_) => {
                *cancelled = true;
                Secret::new(CANCEL)
            }
        };
        self.send_secret(&response);
        true
    }

    fn authenticated(&mut self, mut exchange: Exchange, stage: Stage, reply: Reply) {
        self.lines.set_limit(REPLY_LINE_TOLERATED_OCTETS_MAX);
        match exchange.conclude(reply.positive) {
            Err(failure) if reply.positive || !matches!(failure, sasl::client::Failure::Refused(_)) => {
                self.state = State::Login;
                self.fail(Fault::Authentication(failure));
            }
            Err(_) => self.through(stage, reply),
            Ok(()) => {
                self.phase = Phase::Transaction;
                self.through(stage, reply);
            }
        }
    }

    fn handle_line(&mut self, line: &[u8]) {
        if let State::Listing { .. } = self.state {
            return self.listing_line(line);
        }
        if self.is_challenge(line) {
            return;
        }
        let reply = match Reply::parse(line) {
            Ok(reply) => reply,
            Err(bad) => {
                let words = String::from_utf8_lossy(&line[..line.len().min(80)]).into_owned();
                return self.fail(Fault::BadReply(format!("{bad}: {words}")));
            }
        };
        let stage = self.stage();
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Greeting => self.greeted(reply),
            State::User { password } if reply.positive => {
                self.out.extend_from_slice(Command::Pass(password).to_line().as_bytes());
                self.state = State::Login;
            }
            State::Authenticating { exchange, .. } => self.authenticated(*exchange, stage, reply),
            State::User { .. } | State::Login => {
                if reply.positive {
                    self.phase = Phase::Transaction;
                }
                self.through(stage, reply);
            }
            State::Reply { request, command } if reply.positive => self.accepted(request, command, reply),
            // Whatever the server says to it, QUIT is the end.
            State::Reply { request: Request::Quit, .. } => {
                self.events.push_back(Event::Refused { stage, reply });
                self.close();
            }
            State::Reply { .. } => self.through(stage, reply),
            other => self.state = other,
        }
    }

    fn greeted(&mut self, reply: Reply) {
        if !reply.positive {
            self.events.push_back(Event::Refused { stage: Stage::Greeting, reply });
            return self.close();
        }
        self.timestamp = reply.timestamp().map(str::to_owned);
        self.phase = Phase::Authorization { apop_offered: self.timestamp.is_some() };
        self.events.push_back(Event::Greeted(reply));
        self.ready();
    }

    /// The request is through with this reply.
    fn through(&mut self, stage: Stage, reply: Reply) {
        let event = if reply.positive { Event::Done(reply) } else { Event::Refused { stage, reply } };
        self.events.push_back(event);
        self.ready();
    }

    /// `+OK` to a command.
    fn accepted(&mut self, request: Request, command: &'static str, reply: Reply) {
        let stage = Stage::Command(command);
        let column = match request {
            Request::Capabilities => Column::Capability,
            Request::Language(None) => Column::Language,
            Request::Sizes(None) => Column::Size,
            Request::UniqueIds(None) => Column::UniqueId,
            Request::Retrieve(_) | Request::Top { .. } => {
                self.state = State::Content { decoder: Box::default(), command, reply, octets: 0 };
                return;
            }
            Request::StartTls => {
                self.tls_due = true;
                self.state = State::Securing { reply: Some(reply) };
                return;
            }
            Request::Quit => {
                self.events.push_back(Event::Done(reply));
                return self.end();
            }
            Request::Status => return self.facts(stage, read_status(&reply.text), reply),
            Request::Sizes(Some(_)) => {
                return self.facts(stage, Column::Size.read(reply.text.as_bytes()), reply);
            }
            Request::UniqueIds(Some(_)) => {
                return self.facts(stage, Column::UniqueId.read(reply.text.as_bytes()), reply);
            }
            Request::Delete(_)
            | Request::Reset
            | Request::Nothing
            | Request::Utf8
            | Request::Language(Some(_))
            | Request::Login(_)
            | Request::Authenticate(_) => {
                return self.through(stage, reply);
            }
        };
        self.state = State::Listing { column, command, reply, lines: 0 };
    }

    /// A single line that tells something.
    fn facts(&mut self, stage: Stage, facts: Option<Event>, reply: Reply) {
        match facts {
            Some(event) => {
                self.events.push_back(event);
                self.through(stage, reply);
            }
            None => {
                let fault = Fault::BadReply(reply.to_string());
                self.events.push_back(Event::Failed(Failure { stage, fault }));
                self.close();
            }
        }
    }

    fn listing_line(&mut self, line: &[u8]) {
        let State::Listing { column, command, reply, lines } = &mut self.state else { return };
        if line == b"." {
            let (stage, reply) = (Stage::Command(command), reply.clone());
            return self.through(stage, reply);
        }
        *lines += 1;
        if *lines > LISTING_LINES_MAX {
            return self.fail(Fault::TooMuch { limit: LISTING_LINES_MAX, unit: "lines" });
        }
        // RFC 1939 §3: byte-stuffing is undone in listings too.
        let line = line.strip_prefix(b".").unwrap_or(line);
        match column.read(line) {
            Some(event) => self.events.push_back(event),
            None => {
                let words = String::from_utf8_lossy(&line[..line.len().min(80)]).into_owned();
                self.fail(Fault::BadReply(words));
            }
        }
    }

    /// Octets of a message; how many were taken.
    fn content(&mut self, input: &[u8]) -> usize {
        let State::Content { decoder, command, reply, octets } = &mut self.state else { return 0 };
        let mut piece = BytesMut::with_capacity(input.len());
        let Decoded { taken, ended } = decoder.decode(input, |part| piece.extend_from_slice(part));
        *octets += piece.len() as u64;
        let limit = self.settings.retrieved_octets_max;
        if *octets > limit {
            self.fail(Fault::TooMuch { limit, unit: "octets" });
            return taken;
        }
        let end = ended.then(|| (Stage::Command(command), reply.clone()));
        if !piece.is_empty() {
            self.events.push_back(Event::Content(piece.freeze()));
        }
        if let Some((stage, reply)) = end {
            self.through(stage, reply);
        }
        taken
    }
}

/// Whether the command reads back as what it is: no line breaks smuggled in by a name or a password,
/// and not too long.
fn can_be_said(command: &Command) -> bool {
    let line = command.to_line();
    line.strip_suffix("\r\n").is_some_and(|line| Command::parse(line.as_bytes()).as_ref() == Ok(command))
}

impl Conversation for Session {
    type Question = Question;
    type Answer = Request;
    type Event = Event;

    fn handle_input(&mut self, input: &[u8], now: Instant) -> usize {
        let mut taken = 0;
        // Many events at once would be a buffer without bound: the driver drains them in between.
        while taken < input.len() && self.events.len() < 1024 {
            match self.state {
                State::Ready | State::Securing { .. } | State::Closed => break,
                State::Content { .. } => taken += self.content(&input[taken..]),
                _ => {
                    let (octets, line) = self.lines.take(&input[taken..]);
                    taken += octets;
                    match line {
                        None => {}
                        // A bare LF does no harm here: nobody but the server could have said it.
                        Some(Line::Whole { text, .. }) => self.handle_line(&text),
                        Some(Line::TooLong) => {
                            let limit = REPLY_LINE_TOLERATED_OCTETS_MAX as u64;
                            self.fail(Fault::TooMuch { limit, unit: "octets in a line" });
                        }
                    }
                }
            }
        }
        if taken > 0 {
            self.deadline = now + self.settings.reply_wait;
        }
        taken
    }

    fn handle_answer(&mut self, request: Request, now: Instant) {
        if !matches!(self.state, State::Ready) {
            debug_assert!(self.closing, "nothing was asked");
            return;
        }
        self.begin(request);
        self.deadline = now + self.settings.reply_wait;
    }

    fn handle_tls(&mut self, facts: Arc<TlsFacts>, now: Instant) {
        let State::Securing { reply } = std::mem::replace(&mut self.state, State::Greeting) else {
            debug_assert!(false, "TLS was not asked for");
            return;
        };
        self.deadline = now + self.settings.reply_wait;
        self.events.push_back(Event::Secured(facts));
        if let Some(reply) = reply {
            self.through(Stage::Command("STLS"), reply);
        }
    }

    fn handle_tls_failed(&mut self, failure: TlsFailure, _now: Instant) {
        if !self.closing {
            self.fail(Fault::Tls(failure));
        }
    }

    fn handle_closed(&mut self, _now: Instant) {
        if !self.closing {
            self.fail(Fault::ConnectionLost);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_some_and(|due| due <= now) {
            self.fail(Fault::TimedOut);
        }
    }

    fn handle_shutdown(&mut self, _now: Instant) {
        self.stopping = true;
        if matches!(self.state, State::Ready) {
            self.end();
        }
    }

    fn poll_output(&mut self) -> Option<Output<Question, Event>> {
        if !self.out.is_empty() {
            let octets: Bytes = std::mem::take(&mut self.out).freeze();
            return Some(Output::Send(octets));
        }
        if std::mem::take(&mut self.tls_due) && matches!(self.state, State::Securing { .. }) {
            return Some(Output::StartTls);
        }
        if let Some(event) = self.events.pop_front() {
            return Some(Output::Event(event));
        }
        if std::mem::take(&mut self.ask) {
            return Some(Output::Ask(Question::Next(self.phase)));
        }
        if self.closing && !self.closed {
            self.closed = true;
            return Some(Output::Close);
        }
        None
    }

    fn poll_timeout(&self) -> Option<Instant> {
        // The handshake has a limit of its own.
        let waiting = !matches!(self.state, State::Ready | State::Securing { .. } | State::Closed);
        waiting.then_some(self.deadline)
    }
}
