//! The server's session: states, commands, questions.

use super::{
    Answer, Event, LoginFailure, MessageEntry, Question, Settings, Unreadable,
    listing::{Column, Listing},
    maildrop::Maildrop,
    phrases::Phrase,
    replies,
    transmission::{Purpose, Step, Transmission},
};
use crate::{
    Capability, Command, CommandError, Language, MessageNumber, Reply, ResponseCode, Retention,
    limits::{AUTH_COMMAND_OCTETS_MAX, COMMAND_OCTETS_MAX, GATHER_OCTETS_MAX, IDLE_MIN},
};
use bytes::{Bytes, BytesMut};
use posta_wire::{Conversation, Line, LineReader, Output, Secret, TlsFacts, TlsFailure, sasl};
use std::{collections::VecDeque, fmt::Write, sync::Arc, time::Instant};

/// Where the session is. A state owns what exists only in it.
///
/// ```text
///           PASS, APOP, AUTH ···         yes                 RETR, TOP
///  Authorization ───────────► LoggingIn ────► Transaction ◄────────────► Sending
///    │   ▲  USER: keeps          │ no          │   ▲  ▲                     │ unreadable
///    │   │  the name; STLS:      │        QUIT │   │  │ LIST, UIDL          │ half-way
///    │   │  Securing, then back  │             │   │  └──────────► Listing  │
///    │   └───────────────────────┘             │   │                        │
///    │ QUIT                                    ▼   │ (DELE, RSET, NOOP,     │
///    │                                    Updating │  STAT, CAPA stay)      │
///    ▼                                         │                            │
///  Closed ◄────────────────────────────────────┴────────────────────────────┘
/// ```
///
/// Only `Updating` removes messages, and only QUIT in the TRANSACTION state leads there
/// (RFC 1939 §6); a lost connection or a timeout leads to `Closed` from anywhere.
#[derive(Debug)]
pub(super) enum State {
    /// Nobody is logged in. The name given to USER, when it was the last command.
    Authorization { user: Option<String> },
    /// TLS is to begin; then nobody is logged in, whatever was said before (RFC 2595 §4).
    Securing,
    /// The question `Login`, `Apop`, `Authenticate`, `Open` or `AuthenticationFailed` is open. With the
    /// initial response of AUTH.
    LoggingIn { initial: Option<Secret> },
    /// AUTH is going on (RFC 5034): each line is part of the exchange.
    Authenticating(Box<sasl::server::Exchange>),
    /// CAPA was said; the question `Mechanisms` is open.
    Describing,
    /// Commands work on the maildrop.
    Transaction(Maildrop),
    /// A listing of many lines is being written.
    Listing(Maildrop, Listing),
    /// A message is being sent; the question `Content` is open.
    Sending(Maildrop, Box<Transmission>),
    /// The question `Update` is open. What to say at the end.
    Updating { messages_left: usize },
    /// Over.
    Closed,
}

/// How the end is told: first what is left to send, then the event, then `Close`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    NotYet,
    Due(&'static str),
    Told,
    Closed,
}

/// The server's session. See [`super`].
#[derive(Debug)]
pub struct Session {
    settings: Arc<Settings>,
    /// The greeting's, angle brackets included; there is APOP where there is one.
    timestamp: Option<Box<str>>,
    pub(super) lines: LineReader,
    pub(super) state: State,
    /// TLS is to begin once all is sent.
    tls_due: bool,
    /// TLS is on.
    secured: bool,
    /// UTF8 was said (RFC 6856 §2).
    utf8: bool,
    /// Of the replies' texts (RFC 6856 §3).
    pub(super) language: Language,
    /// Said once TLS is on, where that comes first.
    greeting_due: bool,
    /// To be asked next.
    pub(super) question: Option<Question>,
    /// Goes out before `out`.
    queue: VecDeque<Bytes>,
    pub(super) out: BytesMut,
    events: VecDeque<Event>,
    ending: Ending,
    /// The process is stopping: end when the current command is through.
    stopping: bool,
    deadline: Instant,
    /// A question of the exchange is open.
    pub(super) asking_exchange: bool,
    /// As told last.
    mechanisms: sasl::MechanismSet,
    login_failures: u32,
    errors: u32,
}

impl Session {
    /// A session that begins with the greeting.
    ///
    /// With a `timestamp` (`<…@host>`, different for each session: RFC 1939 §7 APOP) APOP is offered.
    pub fn new(settings: Arc<Settings>, timestamp: Option<String>, now: Instant) -> Session {
        let mut session = Session::bare(settings, timestamp, now);
        session.greet();
        session
    }

    /// A session on a port where TLS comes first (RFC 8314 §3.3): its first output is
    /// [`Output::StartTls`], and it greets inside.
    pub fn new_over_tls(settings: Arc<Settings>, timestamp: Option<String>, now: Instant) -> Session {
        let mut session = Session::bare(settings, timestamp, now);
        session.greeting_due = true;
        session.tls_due = true;
        session.state = State::Securing;
        session
    }

    fn greet(&mut self) {
        let greeting = Phrase::Ready.say(self.language, &[&self.settings.host]);
        let greeting = match &self.timestamp {
            Some(timestamp) => format!("{greeting} {timestamp}"),
            None => greeting.into_owned(),
        };
        self.reply(&plain(greeting));
    }

    /// A session that says why there can be none, and ends.
    pub fn refusing(settings: Arc<Settings>, reason: &str, now: Instant) -> Session {
        let mut session = Session::bare(settings, None, now);
        let code = Some(ResponseCode::SystemTemporary);
        session.reply(&Reply { positive: false, code, text: reason.to_owned().into() });
        session.end("refused");
        session
    }

    fn bare(settings: Arc<Settings>, timestamp: Option<String>, now: Instant) -> Session {
        debug_assert!(timestamp.as_deref().is_none_or(|text| text.starts_with('<') && text.ends_with('>')));
        Session {
            deadline: now + settings.idle.max(IDLE_MIN),
            settings,
            timestamp: timestamp.map(String::into_boxed_str),
            lines: LineReader::new(AUTH_COMMAND_OCTETS_MAX),
            state: State::Authorization { user: None },
            tls_due: false,
            secured: false,
            utf8: false,
            language: Language::English,
            greeting_due: false,
            question: None,
            queue: VecDeque::new(),
            out: BytesMut::new(),
            events: VecDeque::new(),
            ending: Ending::NotYet,
            stopping: false,
            asking_exchange: false,
            mechanisms: sasl::MechanismSet::EMPTY,
            login_failures: 0,
            errors: 0,
        }
    }

    /// Whether the session is logged in and works on a maildrop.
    pub fn is_logged_in(&self) -> bool {
        matches!(self.state, State::Transaction(_) | State::Listing(..) | State::Sending(..))
    }

    /// Whether a command may be taken from the input.
    fn takes_commands(&self) -> bool {
        if self.asking_exchange {
            return false;
        }
        matches!(self.state, State::Authorization { .. } | State::Authenticating(_) | State::Transaction(_))
            && self.question.is_none()
            && self.out.len() < GATHER_OCTETS_MAX
    }

    fn handle_line(&mut self, line: Result<Command, CommandError>) {
        match line {
            Ok(command) => {
                self.state = match std::mem::replace(&mut self.state, State::Closed) {
                    State::Authorization { user } => self.authorize(user, command),
                    State::Transaction(maildrop) => self.transact(maildrop, command),
                    other => other,
                };
            }
            Err(error) => {
                // RFC 1939 §7 PASS: only immediately after USER.
                if let State::Authorization { user } = &mut self.state {
                    *user = None;
                }
                let text = Phrase::of_error(error, self.language);
                self.refuse(&Reply { positive: false, code: None, text });
            }
        }
    }

    // ---- the AUTHORIZATION state (RFC 1939 §4) ----

    fn authorize(&mut self, user: Option<String>, command: Command) -> State {
        match command {
            Command::Quit => return self.quit(),
            Command::User(name) if self.settings.plain_login => {
                // RFC 1939 §13: whether there is such a name is not told.
                self.affirm(Phrase::SendPassword);
                return State::Authorization { user: Some(name) };
            }
            Command::User(_) => self.deny(Phrase::PlainLoginOff),
            Command::Pass(_) if !self.settings.plain_login => self.deny(Phrase::PlainLoginOff),
            Command::Pass(password) => match user {
                Some(user) => {
                    self.question = Some(Question::Login { user, password });
                    return State::LoggingIn { initial: None };
                }
                None => self.deny(Phrase::UserFirst),
            },
            Command::Apop { name, digest } => match &self.timestamp {
                Some(timestamp) => {
                    let timestamp = timestamp.to_string();
                    self.question = Some(Question::Apop { user: name, timestamp, digest });
                    return State::LoggingIn { initial: None };
                }
                None => self.deny(Phrase::ApopOff),
            },
            Command::Auth { mechanism, initial } => return self.auth(&mechanism, initial),
            Command::Capa => {
                self.question = Some(Question::Mechanisms);
                return State::Describing;
            }
            Command::Stls if self.secured => self.deny(Phrase::TlsIsOn),
            // RFC 6856 §2.1.
            Command::Stls if self.utf8 => self.deny(Phrase::TlsAfterUtf8),
            Command::Stls if !self.settings.stls => self.deny(Phrase::TlsOff),
            Command::Stls => {
                self.affirm(Phrase::BeginTls);
                self.tls_due = true;
                return State::Securing;
            }
            Command::Utf8 => {
                self.affirm(Phrase::Utf8On);
                self.utf8 = true;
                self.events.push_back(Event::Utf8);
            }
            Command::Lang(range) => self.lang(range.as_deref()),
            _ => self.deny(Phrase::LoginFirst),
        }
        // `refuse` may have ended the session; then `handle_line`'s state is Closed already.
        self.unless_ended(State::Authorization { user: None })
    }

    fn logged_in(&mut self, answer: Result<Vec<MessageEntry>, LoginFailure>) -> State {
        let failure = match answer {
            Ok(entries) => {
                self.lines.set_limit(COMMAND_OCTETS_MAX);
                let maildrop = Maildrop::new(entries);
                self.maildrop_has(&maildrop);
                return State::Transaction(maildrop);
            }
            Err(failure) => failure,
        };
        match failure {
            LoginFailure::Credentials => {
                self.login_failures += 1;
                self.reply(&replies::login(self.language, failure));
                if self.login_failures >= self.settings.login_failures_max {
                    self.end("too many failed logins");
                }
            }
            LoginFailure::Temporary | LoginFailure::Permanent | LoginFailure::TooSoon { .. } => {
                self.refuse(&replies::login(self.language, failure));
            }
        }
        self.unless_ended(State::Authorization { user: None })
    }

    // ---- the TRANSACTION state (RFC 1939 §5, §7) ----

    fn transact(&mut self, mut maildrop: Maildrop, command: Command) -> State {
        match command {
            Command::Quit => return self.update(maildrop),
            Command::Stat => self.reply(&plain(maildrop.drop_listing())),
            Command::List(None) => {
                let text = maildrop.described(self.language);
                self.reply(&Reply { positive: true, code: None, text });
                return State::Listing(maildrop, Listing::new(Column::Size));
            }
            Command::Uidl(None) => {
                self.affirm(Phrase::UniqueIdListing);
                return State::Listing(maildrop, Listing::new(Column::UniqueId));
            }
            Command::List(Some(message)) => self.one_line(&maildrop, message, Column::Size),
            Command::Uidl(Some(message)) => self.one_line(&maildrop, message, Column::UniqueId),
            Command::Retr(message) => return self.send(maildrop, message, Purpose::Retrieve),
            Command::Top { message, lines } => {
                return self.send(maildrop, message, Purpose::top(lines));
            }
            Command::Dele(message) => match maildrop.find(message) {
                Ok(index) => {
                    maildrop.delete(index);
                    self.reply(&replies::ok(self.language, Phrase::Deleted, &[&message]));
                }
                Err(missing) => self.refuse(&replies::missing(self.language, missing)),
            },
            Command::Noop => self.reply(&plain(String::new())),
            Command::Rset => {
                maildrop.reset();
                self.maildrop_has(&maildrop);
            }
            Command::Capa => self.capabilities(false),
            Command::Lang(range) => self.lang(range.as_deref()),
            Command::Stls => self.deny(Phrase::TlsAfterLogin),
            Command::Utf8 => self.deny(Phrase::Utf8AfterLogin),
            Command::User(_) | Command::Pass(_) | Command::Apop { .. } | Command::Auth { .. } => {
                self.deny(Phrase::LoggedIn);
            }
        }
        self.unless_ended(State::Transaction(maildrop))
    }

    fn write_listing(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Closed) {
            State::Listing(maildrop, mut listing) => match listing.write(&maildrop, &mut self.out) {
                true => State::Transaction(maildrop),
                false => State::Listing(maildrop, listing),
            },
            other => other,
        };
        if self.stopping && matches!(self.state, State::Transaction(_)) {
            self.end("shutdown");
        }
    }

    fn one_line(&mut self, maildrop: &Maildrop, message: MessageNumber, column: Column) {
        match maildrop.find(message) {
            Ok(index) => {
                if let Some(entry) = maildrop.entry(index) {
                    self.out.extend_from_slice(b"+OK ");
                    column.line(index, entry, &mut self.out);
                    self.out.extend_from_slice(b"\r\n");
                }
            }
            Err(missing) => self.refuse(&replies::missing(self.language, missing)),
        }
    }

    fn send(&mut self, maildrop: Maildrop, message: MessageNumber, purpose: Purpose) -> State {
        match maildrop.find(message).map(|index| (index, maildrop.entry(index))) {
            Ok((index, Some(entry))) => {
                let transmission = Transmission::new(index, entry.size_octets, purpose, self.language);
                self.question = Some(transmission.question());
                State::Sending(maildrop, Box::new(transmission))
            }
            Ok((_, None)) => State::Transaction(maildrop),
            Err(missing) => {
                self.refuse(&replies::missing(self.language, missing));
                self.unless_ended(State::Transaction(maildrop))
            }
        }
    }

    fn sending(
        &mut self,
        maildrop: Maildrop,
        mut transmission: Box<Transmission>,
        piece: Result<Bytes, Unreadable>,
    ) -> State {
        let piece = match piece {
            Ok(piece) if piece.is_empty() && !transmission.can_end() => Err(Unreadable::Temporary),
            piece => piece,
        };
        let piece = match piece {
            Ok(piece) => piece,
            Err(unreadable) => return self.cannot_send(maildrop, &transmission, unreadable),
        };
        match transmission.write(piece, &mut self.out, &mut self.queue) {
            Step::More => {
                self.question = Some(transmission.question());
                State::Sending(maildrop, transmission)
            }
            Step::Complete => {
                if transmission.is_retrieval() {
                    self.events.push_back(Event::Retrieved { index: transmission.index() });
                }
                State::Transaction(maildrop)
            }
            Step::SizeWrong => {
                self.end("content unreadable");
                State::Closed
            }
        }
    }

    fn cannot_send(
        &mut self,
        maildrop: Maildrop,
        transmission: &Transmission,
        unreadable: Unreadable,
    ) -> State {
        if transmission.has_begun() {
            // A terminator now would make half a message look whole, and the client would delete the
            // rest of it.
            self.end("content unreadable");
            return State::Closed;
        }
        self.refuse(&replies::unreadable(self.language, unreadable));
        self.unless_ended(State::Transaction(maildrop))
    }

    // ---- the UPDATE state (RFC 1939 §6) ----

    fn update(&mut self, maildrop: Maildrop) -> State {
        let deleted = maildrop.marked();
        let messages_left = maildrop.messages_left();
        if deleted.is_empty() {
            return self.updated(messages_left, true);
        }
        self.question = Some(Question::Update { deleted });
        State::Updating { messages_left }
    }

    fn updated(&mut self, messages_left: usize, done: bool) -> State {
        let language = self.language;
        if done {
            let remainder = match messages_left {
                0 => Phrase::MaildropEmpty.say(language, &[]),
                1 => Phrase::OneLeft.say(language, &[]),
                count => Phrase::Left.say(language, &[&count]),
            };
            self.reply(&replies::ok(language, Phrase::SigningOffWith, &[&self.settings.host, &remainder]));
        } else {
            let code = ResponseCode::SystemTemporary;
            self.reply(&replies::coded(language, code, Phrase::NotRemoved, &[]));
        }
        self.end("quit");
        State::Closed
    }

    fn quit(&mut self) -> State {
        self.reply(&replies::ok(self.language, Phrase::SigningOff, &[&self.settings.host]));
        self.end("quit");
        State::Closed
    }

    // ---- languages (RFC 6856 §3) ----

    fn lang(&mut self, range: Option<&str>) {
        let language = match range {
            None => return self.list_languages(),
            Some("*") => Some(self.settings.language),
            Some(range) => Language::matching(range),
        };
        let Some(language) = language else { return self.deny(Phrase::LanguageUnknown) };
        self.language = language;
        let words = Phrase::LanguageChanged.say(language, &[]);
        self.reply(&plain(format!("{} {words}", language.tag())));
    }

    fn list_languages(&mut self) {
        self.affirm(Phrase::LanguageListing);
        for language in Language::ALL {
            write(&mut self.out, format_args!("{} {}\r\n", language.tag(), language.name()));
        }
        self.out.extend_from_slice(b".\r\n");
    }

    // ---- what all states share ----

    /// RFC 2449 §5: the same list in both states, but for STLS. Only what is true.
    fn capabilities(&mut self, before_login: bool) {
        let mut list = vec![Capability::Top, Capability::Uidl];
        if self.settings.plain_login {
            list.push(Capability::User);
        }
        // RFC 2595 §4, §8: in the AUTHORIZATION state only, and not once TLS is on.
        if self.settings.stls && !self.secured && before_login {
            list.push(Capability::Stls);
        }
        if !self.mechanisms.is_empty() {
            list.push(Capability::Sasl(self.mechanisms.iter().map(|name| name.to_string()).collect()));
        }
        list.extend([
            Capability::Pipelining,
            Capability::RespCodes,
            Capability::AuthRespCode,
            Capability::Expire { retention: Retention::Never, per_user: false },
            // RFC 6856 §2.2: names and passwords are prepared by whoever answers.
            Capability::Utf8 { user: true },
            Capability::Lang,
        ]);
        if self.settings.login_delay_secs > 0 {
            let seconds = self.settings.login_delay_secs;
            list.push(Capability::LoginDelay { seconds, per_user: false });
        }
        list.extend(self.settings.implementation.clone().map(Capability::Implementation));
        self.affirm(Phrase::CapabilityList);
        for capability in list {
            write(&mut self.out, format_args!("{capability}\r\n"));
        }
        self.out.extend_from_slice(b".\r\n");
    }

    pub(super) fn reply(&mut self, reply: &Reply) {
        write(&mut self.out, format_args!("{reply}\r\n"));
    }

    fn affirm(&mut self, phrase: Phrase) {
        self.reply(&replies::ok(self.language, phrase, &[]));
    }

    pub(super) fn deny(&mut self, phrase: Phrase) {
        self.refuse(&replies::err(self.language, phrase, &[]));
    }

    fn maildrop_has(&mut self, maildrop: &Maildrop) {
        let described = maildrop.described(self.language);
        self.reply(&replies::ok(self.language, Phrase::MaildropHas, &[&described]));
    }

    /// A negative reply that counts as an error.
    pub(super) fn refuse(&mut self, reply: &Reply) {
        self.reply(reply);
        self.errors += 1;
        if self.errors >= self.settings.errors_max {
            self.reply(&replies::err(self.language, Phrase::TooManyErrors, &[]));
            self.end("too many errors");
        }
    }

    /// Ends after what is left to send. The first reason counts.
    fn end(&mut self, reason: &'static str) {
        self.state = State::Closed;
        self.question = None;
        if self.ending == Ending::NotYet {
            self.ending = Ending::Due(reason);
        }
    }

    fn say_no_more(&mut self) {
        self.queue.clear();
        self.out.clear();
    }

    pub(super) fn unless_ended(&self, state: State) -> State {
        if self.ending == Ending::NotYet { state } else { State::Closed }
    }

    fn rest(&mut self, now: Instant) {
        self.deadline = now + self.settings.idle.max(IDLE_MIN);
        let between_commands = matches!(self.state, State::Authorization { .. } | State::Transaction(_));
        if self.stopping && between_commands {
            self.end("shutdown");
        }
    }
}

impl Conversation for Session {
    type Question = Question;
    type Answer = Answer;
    type Event = Event;

    fn handle_input(&mut self, input: &[u8], now: Instant) -> usize {
        let mut taken = 0;
        while taken < input.len() && self.takes_commands() {
            let (octets, line) = self.lines.take(&input[taken..]);
            taken += octets;
            if matches!(self.state, State::Authenticating(_)) {
                let Some(line) = line else { continue };
                self.exchange_line(line);
                self.rest(now);
                continue;
            }
            let command = match line {
                None => continue,
                // RFC 1939 §3: commands end with CRLF. What ends otherwise may have been smuggled into
                // an argument by somebody who could not say CRLF.
                Some(Line::Whole { bare_lf: true, .. }) if !self.settings.bare_lf_accepted => {
                    Err(CommandError::BareLineFeed)
                }
                Some(Line::Whole { text, .. }) => Command::parse(&text),
                Some(Line::TooLong) => Err(CommandError::TooLong),
            };
            self.handle_line(command);
            // RFC 1939 §3: a command resets the timer; octets that are none do not.
            self.rest(now);
        }
        taken
    }

    fn handle_answer(&mut self, answer: Answer, now: Instant) {
        self.state = match (std::mem::replace(&mut self.state, State::Closed), answer) {
            (State::LoggingIn { .. }, Answer::Login(answer)) => self.logged_in(answer),
            (State::LoggingIn { initial }, Answer::Exchange(exchange)) => {
                self.exchange_opened(exchange, initial)
            }
            (State::LoggingIn { .. }, Answer::NoExchange(refusal)) => self.exchange_refused(refusal),
            (State::Authenticating(mut exchange), Answer::Credentials(answer)) => {
                self.asking_exchange = false;
                let step = exchange.answer(answer);
                self.exchange_step(exchange, step)
            }
            (State::Describing, Answer::Mechanisms(mechanisms)) => {
                self.mechanisms = mechanisms;
                self.capabilities(true);
                self.unless_ended(State::Authorization { user: None })
            }
            (State::Sending(maildrop, transmission), Answer::Content(piece)) => {
                self.sending(maildrop, transmission, piece)
            }
            (State::Updating { messages_left }, Answer::Updated(done)) => self.updated(messages_left, done),
            (State::Closed, _) => State::Closed,
            (state, answer) => {
                debug_assert!(false, "{answer:?} answers nothing that was asked");
                state
            }
        };
        self.rest(now);
    }

    fn handle_tls(&mut self, facts: Arc<TlsFacts>, now: Instant) {
        debug_assert!(matches!(self.state, State::Securing), "TLS was not asked for");
        self.secured = true;
        // RFC 2595 §4: what was said before is forgotten.
        self.language = Language::English;
        self.state = State::Authorization { user: None };
        self.events.push_back(Event::Secured(facts));
        if std::mem::take(&mut self.greeting_due) {
            self.greet();
        }
        self.rest(now);
    }

    fn handle_tls_failed(&mut self, _failure: TlsFailure, _now: Instant) {
        self.say_no_more();
        self.end("TLS failed");
    }

    fn handle_closed(&mut self, _now: Instant) {
        // RFC 1939 §6: without QUIT nothing is removed.
        self.say_no_more();
        self.end("peer closed");
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_some_and(|due| due <= now) {
            // RFC 1939 §3: neither the UPDATE state nor a reply.
            self.say_no_more();
            self.end("timeout");
        }
    }

    fn handle_shutdown(&mut self, now: Instant) {
        self.stopping = true;
        self.rest(now);
    }

    fn poll_output(&mut self) -> Option<Output<Question, Event>> {
        if matches!(self.state, State::Listing(..)) && self.out.len() < GATHER_OCTETS_MAX {
            self.write_listing();
        }
        if let Some(octets) = self.queue.pop_front() {
            return Some(Output::Send(octets));
        }
        // A content is read quickly: what is said already waits for it, and leaves together with it.
        let reading = matches!(self.state, State::Sending(..)) && self.out.len() < GATHER_OCTETS_MAX;
        if reading {
            return self.question.take().map(Output::Ask);
        }
        if !self.out.is_empty() {
            // Nothing is kept: an idle session holds no buffer.
            return Some(Output::Send(std::mem::take(&mut self.out).freeze()));
        }
        if std::mem::take(&mut self.tls_due) && matches!(self.state, State::Securing) {
            return Some(Output::StartTls);
        }
        if let Some(event) = self.events.pop_front() {
            return Some(Output::Event(event));
        }
        match self.ending {
            Ending::NotYet => self.question.take().map(Output::Ask),
            Ending::Due(reason) => {
                self.ending = Ending::Told;
                Some(Output::Event(Event::Ended { reason }))
            }
            Ending::Told => {
                self.ending = Ending::Closed;
                Some(Output::Close)
            }
            Ending::Closed => None,
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        // While a question is open the waiting is ours, not the client's.
        let theirs = match self.state {
            State::Authorization { .. } | State::Transaction(_) => true,
            State::Authenticating(_) => !self.asking_exchange,
            _ => false,
        };
        theirs.then_some(self.deadline)
    }
}

/// `+OK` with words that are in no language.
fn plain(text: String) -> Reply {
    Reply { positive: true, code: None, text: text.into() }
}

fn write(out: &mut BytesMut, arguments: std::fmt::Arguments<'_>) {
    let written = out.write_fmt(arguments);
    debug_assert!(written.is_ok(), "a buffer takes everything");
}
