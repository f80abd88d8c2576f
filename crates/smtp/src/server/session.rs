//! The server's session: its state, what drives it, and what all phases share.
//!
//! The phases stand in files of their own: [`greeting`](super::greeting) (220, HELO, EHLO),
//! [`envelope`](super::envelope) (MAIL, RCPT, RSET), [`content`](super::content) (DATA),
//! [`chunking`](super::chunking) (BDAT), [`inquiry`](super::inquiry) (VRFY, EXPN, HELP, NOOP).

use super::chunking::{Chunk, Chunks, Skip};
use super::{
    Answer, Authentication, BareLineEnd, Event, Question, Settings, content::Reception, envelope::Envelope,
};
use crate::{
    Command, Delivery, Reply, Verb,
    limits::CLOSING_TIMEOUT,
    replies::{self, Standard},
};
use bytes::Bytes;
use posta_wire::{Conversation, Line, LineReader, Output, Secret, TlsFacts, TlsFailure, sasl};
use std::{collections::VecDeque, sync::Arc, time::Instant};

/// A server session.
///
/// Replies to pipelined commands are gathered and leave as one [`Output::Send`], once all input that
/// was offered is used up (RFC 2920 §3.2). While nothing happens a session holds no buffer.
#[derive(Debug)]
pub struct Session {
    pub(super) settings: Arc<Settings>,
    pub(super) state: State,
    pub(super) asked: Option<Asked>,
    pub(super) lines: LineReader,
    outputs: VecDeque<Output<Question, Event>>,
    /// Replies that have not been sent.
    replies: Vec<u8>,
    /// The driver holds more input, so replies may wait for the next ones.
    pub(super) input_waits: bool,
    peer_closed: bool,
    stopping: bool,
    pub(super) errors: u32,
    pub(super) refusals: u32,
    pub(super) idle_commands: u32,
    /// What AUTH is for this client.
    pub(super) authentication: Authentication,
    pub(super) authenticated: bool,
    /// Of the AUTH command whose exchange is being made.
    pub(super) initial_response: Option<Secret>,
    pub(super) authentication_failures: u32,
    /// TLS is on.
    pub(super) secured: bool,
    /// A chunk that is read to be thrown away; boxed, for it is rare.
    pub(super) skip: Option<Box<Skip>>,
    /// By when the peer must do something.
    pub(super) deadline: Instant,
    /// By when the session must be over.
    session_deadline: Instant,
}

/// Where the session stands; what exists only in one state lives in it.
///
/// ```text
///                                          Authenticating
///                                               ▲ │ 235, 4yz, 5yz
///               220                    AUTH     │ ▼
///  Connected ─────────▶ Greeted ──────────────────────▶ Ready ◀──────────┐
///      │                         HELO, EHLO             │   ▲            │
///      │ 554                                       MAIL │   │ RSET,      │
///      ▼        QUIT                                    ▼   │ HELO, EHLO │
///  Rejected ──────────▶ Ended ◀── QUIT, 421, lost ──  Envelope           │ 2yz, 4yz, 5yz
///                                                       │ DATA, 354      │
///                                                       ▼      .         │
///                                                     Content ──▶ Committing
/// ```
#[derive(Debug)]
pub(super) enum State {
    /// The greeting is being decided.
    Connected,
    /// TLS is to begin (RFC 3207); then the client says EHLO again, or hears the greeting.
    Securing {
        /// Whether the greeting came before.
        greeted: bool,
    },
    /// Refused by the greeting: only QUIT is left (RFC 5321 §3.1).
    Rejected {
        /// This host accepts mail from nobody (RFC 7504 §3).
        for_ever: bool,
    },
    /// The client has not said who it is.
    Greeted,
    /// No transaction is open.
    Ready,
    /// MAIL was accepted.
    Envelope(Envelope),
    /// AUTH is going on (RFC 4954 §4): each line is part of the exchange.
    Authenticating(Box<sasl::server::Exchange>),
    /// DATA was answered with 354.
    Content(Box<Reception>),
    /// BDAT was accepted; within a chunk, or between two (RFC 3030 §2).
    Chunks(Box<Chunks>),
    /// The content has ended and is being committed.
    Committing {
        /// The reply may hold UTF-8.
        smtputf8: bool,
        /// Replies that will be said.
        replies: u32,
    },
    /// Nothing more.
    Ended,
}

/// The open question, and what must be known when its answer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Greeting,
    Hello { extended: bool },
    Mail { smtputf8: bool, binary: bool },
    Recipient,
    Data,
    Chunk(Chunk),
    EndOfData,
    Verify { smtputf8: bool },
    Expand { smtputf8: bool },
    StartQueue,
    Turn,
    Introduce { is_login: bool },
    Authenticate,
    Credentials,
}

impl Session {
    /// A session whose client has just connected; its first output is
    /// [`Question::Greeting`].
    pub fn new(settings: Arc<Settings>, now: Instant) -> Self {
        let mut session = Session::silent(settings, now);
        session.ask(Asked::Greeting, Question::Greeting);
        session
    }

    /// A session that does nothing yet.
    pub(super) fn silent(settings: Arc<Settings>, now: Instant) -> Self {
        Session {
            lines: LineReader::new(settings.limits.command_line_octets),
            state: State::Connected,
            asked: None,
            outputs: VecDeque::new(),
            replies: Vec::new(),
            input_waits: false,
            peer_closed: false,
            stopping: false,
            errors: 0,
            refusals: 0,
            idle_commands: 0,
            authentication: Authentication::default(),
            authenticated: false,
            initial_response: None,
            authentication_failures: 0,
            secured: false,
            skip: None,
            deadline: now + settings.limits.command_timeout,
            session_deadline: now + settings.limits.session_timeout,
            settings,
        }
    }

    /// Asks for TLS behind what is to be said before it, and takes nothing until it is there.
    pub(super) fn begin_tls(&mut self, greeted: bool) {
        self.flush();
        self.state = State::Securing { greeted };
        self.outputs.push_back(Output::StartTls);
    }

    /// Opens a question; no input is taken until its answer is there.
    pub(super) fn ask(&mut self, asked: Asked, question: Question) {
        debug_assert!(self.asked.is_none(), "one question at a time");
        self.asked = Some(asked);
        self.outputs.push_back(Output::Ask(question));
    }

    /// Reports something.
    pub(super) fn report(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    /// `334 ` and the challenge, which may be longer than other replies (RFC 4954 §4).
    pub(super) fn say_challenge(&mut self, text: &str) {
        self.replies.extend_from_slice(b"334 ");
        self.replies.extend_from_slice(text.as_bytes());
        self.replies.extend_from_slice(b"\r\n");
    }

    /// Puts a reply with the others that wait to be sent.
    pub(super) fn say(&mut self, reply: &Reply) {
        let utf8 = self.speaks_utf8();
        reply.write_to(&mut self.replies, utf8);
    }

    /// Whether replies may hold UTF-8 now (RFC 6531 §3.7.4.1).
    fn speaks_utf8(&self) -> bool {
        match &self.state {
            State::Envelope(envelope) => envelope.smtputf8,
            State::Committing { smtputf8, .. } => *smtputf8,
            State::Chunks(chunks) => chunks.smtputf8,
            _ => false,
        }
    }

    /// Refuses something that the client got wrong, and counts it.
    pub(super) fn refuse(&mut self, stage: &'static str, reply: Reply) {
        self.say(&reply);
        self.report(Event::Refused { stage, reply });
        self.errors += 1;
        if self.errors >= self.settings.limits.errors {
            self.end_with(replies::TOO_MANY_ERRORS, "too many errors");
        }
    }

    /// Says the answer to a question, and counts a refusal; 421 ends the session. Whether it was
    /// positive.
    pub(super) fn say_verdict(&mut self, reply: &Reply) -> bool {
        self.say_verdict_in(reply, self.speaks_utf8())
    }

    /// The same where the question decides whether UTF-8 may be in the reply.
    pub(super) fn say_verdict_in(&mut self, reply: &Reply, utf8: bool) -> bool {
        reply.write_to(&mut self.replies, utf8);
        if reply.is_positive() {
            return true;
        }
        self.refusals += 1;
        if reply.code == 421 {
            self.end("refused");
        } else if self.refusals >= self.settings.limits.refusals {
            self.end_with(replies::TOO_MANY_ERRORS, "too many errors");
        }
        false
    }

    /// Ends the session with a last reply.
    pub(super) fn end_with(&mut self, standard: Standard, reason: &'static str) {
        if matches!(self.state, State::Ended) {
            return;
        }
        standard.reply().write_to(&mut self.replies, false);
        self.end(reason);
    }

    /// Ends the session; replies that wait still go out.
    pub(super) fn end(&mut self, reason: &'static str) {
        if matches!(self.state, State::Ended) {
            return;
        }
        self.abort(reason);
        self.flush();
        self.state = State::Ended;
        self.report(Event::Ended { reason });
        self.outputs.push_back(Output::Close);
    }

    /// Gives up the open transaction, if there is one, and says so once.
    pub(super) fn abort(&mut self, reason: &str) {
        let open = match &self.state {
            State::Envelope(_) | State::Chunks(_) | State::Committing { .. } => true,
            // One with a fault has been given up when the fault was found.
            State::Content(reception) => reception.fault.is_none(),
            State::Connected
            | State::Securing { .. }
            | State::Rejected { .. }
            | State::Greeted
            | State::Ready
            | State::Authenticating(_)
            | State::Ended => return,
        };
        if open {
            self.report(Event::Aborted { reason: reason.to_owned() });
        }
        self.state = State::Ready;
    }

    pub(super) fn push(&mut self, output: Output<Question, Event>) {
        self.outputs.push_back(output);
    }

    pub(super) fn flush(&mut self) {
        if !self.replies.is_empty() {
            let replies = Bytes::from(std::mem::take(&mut self.replies));
            self.outputs.push_back(Output::Send(replies));
        }
    }

    /// Takes the next line, or part of one. Returns how many octets that were.
    fn take_line(&mut self, input: &[u8], now: Instant) -> usize {
        let (taken, line) = self.lines.take(input);
        let Some(line) = line else { return taken };
        self.deadline = now
            + match self.state {
                State::Rejected { .. } => self.settings.limits.rejected_timeout,
                _ => self.settings.limits.command_timeout,
            };
        let refuses_bare = self.settings.quirks.bare_line_end == BareLineEnd::Refuse;
        if matches!(self.state, State::Authenticating(_)) {
            self.exchange_line(line);
            return taken;
        }
        match line {
            Line::TooLong => self.refuse("command", replies::LINE_TOO_LONG.reply()),
            Line::Whole { bare_lf, bare_cr, .. } if bare_cr || bare_lf && refuses_bare => {
                self.refuse("command", replies::BARE_LINE_END.reply());
            }
            Line::Whole { text, .. } => self.command(&text, now),
        }
        taken
    }

    fn command(&mut self, line: &[u8], now: Instant) {
        if is_foreign(line) {
            let reply = replies::NOT_SMTP.reply();
            self.report(Event::Refused { stage: "command", reply });
            return self.end_with(replies::NOT_SMTP, "refused");
        }
        let parsed = Command::parse(line, &self.settings.quirks.syntax);
        let verb = match &parsed {
            Ok(command) => Some(command.verb()),
            Err(error) => error.verb,
        };
        let stage = verb.map_or("command", Verb::stage);
        match parsed {
            // Before its order is looked at: its octets must be read in any case.
            Ok(Command::Bdat { octets, last }) => return self.bdat(Chunk { octets, last }, now),
            // How many octets follow that are no commands, nobody knows.
            Err(error) if error.verb == Some(Verb::Bdat) => {
                self.refuse(stage, error.reply());
                return self.end_with(replies::CHUNK_SIZE_UNKNOWN, "refused");
            }
            _ => {}
        }
        let begins = verb.and_then(Delivery::of);
        if begins.is_some_and(|delivery| delivery != Delivery::Mail) && !self.offers_send() {
            return self.refuse(stage, replies::NOT_IMPLEMENTED.reply());
        }
        // SEND, SOML and SAML stand where MAIL does (RFC 821 §4.1.1).
        let verb = if begins.is_some() { Some(Verb::Mail) } else { verb };
        let missing = self.foreign_hello(verb).or_else(|| self.switched_off(verb));
        if let Some(standard) = missing.or_else(|| self.out_of_order(verb)) {
            return self.refuse(stage, standard.reply());
        }
        let command = match parsed {
            Ok(command) => command,
            Err(error) => return self.refuse(stage, error.reply()),
        };
        if !matches!(verb, Some(Verb::Mail | Verb::Rcpt | Verb::Data | Verb::Bdat | Verb::Quit)) {
            self.idle_commands += 1;
            if self.idle_commands > self.settings.limits.idle_commands {
                return self.end_with(replies::TOO_MANY_IDLE_COMMANDS, "too many errors");
            }
        }
        match command {
            Command::Helo(name) => self.hello(false, name),
            Command::Ehlo(name) | Command::Lhlo(name) => self.hello(true, name),
            Command::Mail { delivery, reverse_path, parameters } => {
                self.mail(delivery, reverse_path, parameters);
            }
            Command::Rcpt { forward_path, parameters } => self.rcpt(forward_path, parameters),
            Command::Data => self.ask(Asked::Data, Question::Data),
            Command::Bdat { .. } => debug_assert!(false, "taken above"),
            Command::Rset => self.rset(),
            Command::Auth(command) => self.auth(command),
            Command::StartTls => self.starttls(),
            Command::Vrfy(lookup) => self.vrfy(lookup),
            Command::Expn(lookup) => self.expn(lookup),
            Command::Help(_) => self.help(),
            Command::Noop(_) => self.say(&replies::OK.reply()),
            Command::Etrn(name) => self.etrn(name),
            Command::Turn(turning) => self.turn(turning),
            Command::XClient(introduction) => self.xclient(*introduction),
            Command::Quit => self.end_with(replies::CLOSING, "quit"),
        }
    }

    /// The order of commands (RFC 5321 §4.1.4): what is said to one that comes at the wrong time.
    pub(super) fn out_of_order(&self, verb: Option<Verb>) -> Option<Standard> {
        match (&self.state, verb) {
            (State::Rejected { .. }, Some(Verb::Quit)) => None,
            (State::Rejected { for_ever: true }, _) => Some(replies::HOST_ACCEPTS_NO_MAIL),
            (State::Rejected { .. }, _) => Some(replies::ONLY_QUIT),
            (
                State::Greeted,
                Some(
                    Verb::Mail
                    | Verb::Rcpt
                    | Verb::Data
                    | Verb::Bdat
                    | Verb::Auth
                    | Verb::Etrn
                    | Verb::Atrn
                    | Verb::XClient,
                ),
            ) => Some(if self.settings.lmtp { replies::LHLO_FIRST } else { replies::HELLO_FIRST }),
            (_, verb) if self.needs_authentication(verb) => Some(replies::AUTHENTICATION_REQUIRED),
            // RFC 4954 §4: not in a transaction, and not twice.
            (State::Envelope(_) | State::Chunks(_), Some(Verb::Auth)) => {
                Some(replies::NO_AUTH_IN_TRANSACTION)
            }
            (_, Some(Verb::Auth)) if self.authenticated => Some(replies::ALREADY_AUTHENTICATED),
            (State::Envelope(_) | State::Chunks(_), Some(Verb::StartTls)) => {
                Some(replies::NO_TLS_IN_TRANSACTION)
            }
            // RFC 3030 §2: no DATA after BDAT; and what is begun has its envelope.
            (State::Chunks(_), Some(Verb::Mail | Verb::Rcpt | Verb::Data)) => Some(replies::CHUNKS_BEGUN),
            (State::Ready, Some(Verb::Rcpt | Verb::Data | Verb::Bdat)) => Some(replies::MAIL_FIRST),
            (State::Envelope(_), Some(Verb::Mail)) => Some(replies::NESTED_MAIL),
            (State::Envelope(envelope), Some(Verb::Data | Verb::Bdat)) if envelope.accepted == 0 => {
                Some(match envelope.offered {
                    0 => replies::RECIPIENT_FIRST,
                    _ if self.settings.lmtp => replies::NO_RECIPIENTS_LMTP,
                    _ => replies::NO_VALID_RECIPIENTS,
                })
            }
            // RFC 3030 §3: what is binary has no lines, and no dot can end it.
            (State::Envelope(envelope), Some(Verb::Data)) if envelope.binary => {
                Some(replies::BINARY_NEEDS_BDAT)
            }
            _ => None,
        }
    }

    /// Goes on as the reply says that was decided upon.
    fn decided(&mut self, asked: Asked, reply: Reply, now: Instant) {
        match asked {
            Asked::Greeting => self.greeting_decided(&reply, now),
            Asked::Hello { extended } => self.hello_decided(extended, reply),
            Asked::Mail { smtputf8, binary } => self.mail_decided(smtputf8, binary, &reply),
            Asked::Recipient => self.recipient_decided(&reply),
            Asked::Data => self.data_decided(&reply, now),
            Asked::Chunk(chunk) => self.chunk_decided(chunk, reply, now),
            Asked::EndOfData => self.end_of_data_decided(&reply),
            Asked::Verify { smtputf8 } | Asked::Expand { smtputf8 } => {
                self.say_verdict_in(&reply, smtputf8);
            }
            Asked::StartQueue => {
                self.say_verdict(&reply);
            }
            Asked::Turn => self.turn_decided(&reply),
            Asked::Introduce { is_login } => self.introduced(is_login, &reply),
            Asked::Authenticate | Asked::Credentials => self.authentication_refused(&reply),
        }
    }

    /// Takes a question back that was not handed out: there is nobody left whom its answer would matter
    /// to.
    fn withdraw_question(&mut self) {
        if self.asked.is_some() && !self.outputs.is_empty() {
            self.asked = None;
            self.outputs.retain(|output| !matches!(output, Output::Ask(_)));
        }
    }

    /// Once the process is stopping, the session ends as soon as no transaction is open.
    fn settle(&mut self) {
        let idle = matches!(self.state, State::Rejected { .. } | State::Greeted | State::Ready);
        if self.stopping && idle && self.asked.is_none() {
            self.end_with(replies::SHUTTING_DOWN, "shutdown");
        }
    }
}

impl Conversation for Session {
    type Question = Question;
    type Answer = Answer;
    type Event = Event;

    fn handle_input(&mut self, input: &[u8], now: Instant) -> usize {
        let mut taken = 0;
        while taken < input.len() && self.asked.is_none() {
            let rest = &input[taken..];
            taken += match self.state {
                State::Ended | State::Securing { .. } => break,
                _ if self.skip.is_some() => self.take_skipped(rest, now),
                State::Chunks(ref chunks) if chunks.is_within() => self.take_chunk(rest, now),
                State::Content(_) => self.take_content(rest, now),
                _ => self.take_line(rest, now),
            };
            self.settle();
        }
        self.input_waits = taken < input.len();
        if self.asked.is_none() {
            self.flush();
        }
        taken
    }

    fn handle_answer(&mut self, answer: Answer, now: Instant) {
        let Some(asked) = self.asked.take() else {
            debug_assert!(false, "an answer without a question");
            return;
        };
        self.deadline = now + self.settings.limits.command_timeout;
        match (asked, answer) {
            (asked, Answer::Reply(reply)) => self.decided(asked, reply, now),
            (Asked::Hello { extended }, Answer::Welcome(reply, authentication)) => {
                if reply.is_positive() {
                    self.authentication = authentication;
                }
                self.hello_decided(extended, reply);
            }
            (Asked::EndOfData, Answer::Each(replies)) => self.each_decided(&replies),
            (Asked::Authenticate, Answer::Exchange(exchange)) => self.exchange_opened(exchange),
            (Asked::Credentials, Answer::Credentials(answer)) => self.credentials_found(answer),
            (_, answer) => {
                debug_assert!(false, "{answer:?} answers another question");
                self.end_with(replies::SHUTTING_DOWN, "refused");
            }
        }
        if self.peer_closed {
            self.replies.clear();
            self.end("peer closed");
        }
        self.settle();
        if !self.input_waits {
            self.flush();
        }
    }

    fn handle_tls(&mut self, facts: Arc<TlsFacts>, now: Instant) {
        self.tls_begun(facts, now);
        self.settle();
    }

    fn handle_tls_failed(&mut self, _failure: TlsFailure, _now: Instant) {
        self.end("TLS failed");
    }

    fn handle_closed(&mut self, _now: Instant) {
        self.withdraw_question();
        if self.asked.is_some() {
            // What was asked is being carried out; its answer decides what became of the transaction.
            self.peer_closed = true;
            return;
        }
        self.replies.clear();
        self.end("peer closed");
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_none_or(|due| now < due) {
            return;
        }
        if matches!(self.state, State::Ended) {
            // The peer does not even read the last reply.
            self.outputs.retain(|output| !matches!(output, Output::Send(_)));
            return;
        }
        self.withdraw_question();
        let (standard, reason) = match () {
            () if self.stopping && now >= self.session_deadline => (replies::SHUTTING_DOWN, "shutdown"),
            () if now >= self.session_deadline => (replies::SESSION_TOO_LONG, "timeout"),
            () => (replies::TIMED_OUT, "timeout"),
        };
        self.end_with(standard, reason);
        self.deadline = now + CLOSING_TIMEOUT;
        self.session_deadline = self.deadline;
    }

    fn handle_shutdown(&mut self, now: Instant) {
        if !std::mem::replace(&mut self.stopping, true) {
            self.session_deadline = self.session_deadline.min(now + self.settings.limits.shutdown_timeout);
        }
        self.settle();
    }

    fn poll_output(&mut self) -> Option<Output<Question, Event>> {
        let output = self.outputs.pop_front();
        if output.is_none() {
            self.outputs = VecDeque::new();
        }
        output
    }

    fn poll_timeout(&self) -> Option<Instant> {
        // A question that was handed out is ours to answer; until then the peer may keep us from
        // writing.
        let waits_for_us = self.asked.is_some() && self.outputs.is_empty();
        let over = matches!(self.state, State::Ended) && self.outputs.is_empty();
        (!waits_for_us && !over).then(|| self.deadline.min(self.session_deadline))
    }
}

/// Browsers can be made to send mail commands inside a request (cross-protocol scripting); whoever
/// begins as they do is no mail client.
fn is_foreign(line: &[u8]) -> bool {
    const METHODS: [&[u8]; 7] = [b"GET ", b"POST ", b"PUT ", b"HEAD ", b"CONNECT ", b"OPTIONS ", b"DELETE "];
    METHODS
        .iter()
        .any(|method| line.len() >= method.len() && line[..method.len()].eq_ignore_ascii_case(method))
}
