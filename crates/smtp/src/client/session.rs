//! The client's session: its state, what drives it, and what all phases share.
//!
//! The phases stand in files of their own, as on the server's side: [`greeting`](super::greeting) (220,
//! EHLO, HELO), [`envelope`](super::envelope) (MAIL, RCPT, DATA), [`content`](super::content),
//! [`chunking`](super::chunking) (BDAT).

use super::{
    Answer, Event, Failure, Fault, Question, Settings, Stage, chunking::Chunks, content::Sending,
    envelope::Delivery,
};
use crate::{
    Command, PeerExtensions, Reply, ReplyAssembler,
    limits::{CLOSING_TIMEOUT, PEER_REPLY_LINE_OCTETS_MAX},
};
use bytes::Bytes;
use posta_wire::{Conversation, Line, LineReader, Output, TlsFacts, TlsFailure, sasl};
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

/// A client session.
///
/// Whatever goes wrong, each transaction that it took ends in one [`Event::Done`]; and nothing that it
/// sends can be taken for the end of a content that has not ended.
#[derive(Debug)]
pub struct Session {
    pub(super) settings: Arc<Settings>,
    pub(super) state: State,
    pub(super) extensions: PeerExtensions,
    /// The host's name from its greeting.
    pub(super) host: String,
    /// TLS is on.
    pub(super) secured: bool,
    /// The server still has the remains of a transaction: RSET before the next.
    pub(super) reset_needed: bool,
    asked: bool,
    pub(super) lines: LineReader,
    reply: ReplyAssembler,
    outputs: VecDeque<Output<Question, Event>>,
    peer_closed: bool,
    stopping: bool,
    deadline: Instant,
}

/// Where the session stands; what exists only in one state lives in it.
///
/// ```text
///             220          2yz                Transaction             354
///  Greeting ──────▶ Ehlo ───────▶ Choosing ───────────────▶ Envelope ──────▶ Content
///                    │ 5yz         ▲ │  ▲                     │   │            │ final dot
///                    ▼      2yz    │ │  └───── all refused ───┘   │            ▼
///                   Helo ──────────┘ │                            ▼         EndOfData
///                                    │ Quit                  Withdrawing       │
///                                    ▼          any reply         │            │
///                                 Quitting ──────────▶ Ended      └─▶ Choosing ◀┘
/// ```
#[derive(Debug)]
pub(super) enum State {
    /// Waiting for 220.
    Greeting,
    /// Waiting for the reply to EHLO.
    Ehlo,
    /// EHLO was not understood; waiting for the reply to HELO.
    Helo,
    /// STARTTLS is sent. What EHLO offered, in case that it is refused.
    StartTls { extensions: Vec<String> },
    /// TLS is to begin; then comes EHLO again, or the greeting.
    Securing {
        /// Whether the greeting came before.
        greeted: bool,
    },
    /// [`Question::Authenticate`] is open.
    Identifying,
    /// AUTH is going on (RFC 4954).
    Authenticating {
        /// What we say.
        exchange: Box<sasl::client::Exchange>,
        /// We have given up, and wait for the server's verdict.
        cancelled: bool,
    },
    /// [`Question::Next`] is open.
    Choosing,
    /// ETRN, ATRN or TURN is sent.
    Requesting {
        /// 250 switches the roles.
        turns: bool,
    },
    /// MAIL, RCPT and DATA are under way.
    Envelope(Box<Delivery>),
    /// The server said 354 although it refused all recipients: it gets an empty content.
    Withdrawing(Box<Delivery>),
    /// The content is being sent.
    Content(Box<Sending>),
    /// The content is being sent in chunks, in place of DATA and all that follows it.
    Chunks(Box<Chunks>),
    /// The final dot is sent; from here on the server may have taken the message.
    EndOfData(Box<Delivery>),
    /// Waiting for the reply to QUIT.
    Quitting,
    /// Nothing more.
    Ended,
}

impl Session {
    /// A session whose connection is open; after greeting and EHLO it asks [`Question::Next`].
    pub fn new(settings: Arc<Settings>, now: Instant) -> Self {
        let mut session = Session {
            state: State::Greeting,
            extensions: PeerExtensions::default(),
            host: String::new(),
            secured: false,
            reset_needed: false,
            asked: false,
            lines: LineReader::new(PEER_REPLY_LINE_OCTETS_MAX),
            reply: ReplyAssembler::default(),
            outputs: VecDeque::new(),
            peer_closed: false,
            stopping: false,
            deadline: now + settings.time_limits.greeting,
            settings,
        };
        session.begin_implicit_tls();
        session
    }

    /// What the host offers and may be used; known once [`Event::Ready`] was reported.
    pub fn extensions(&self) -> &PeerExtensions {
        &self.extensions
    }

    pub(super) fn ask(&mut self, question: Question) {
        debug_assert!(!self.asked, "one question at a time");
        self.asked = true;
        self.outputs.push_back(Output::Ask(question));
    }

    pub(super) fn report(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    pub(super) fn push(&mut self, output: Output<Question, Event>) {
        self.outputs.push_back(output);
    }

    pub(super) fn send(&mut self, octets: impl Into<Bytes>) {
        self.outputs.push_back(Output::Send(octets.into()));
    }

    pub(super) fn send_command(&mut self, command: &Command) {
        self.send(format!("{command}\r\n"));
    }

    /// How long the peer has for what it must do next.
    pub(super) fn wait(&mut self, limit: Duration, now: Instant) {
        self.deadline = now + limit;
    }

    /// Ready for the next transaction, unless the process is stopping.
    pub(super) fn choose(&mut self, now: Instant) {
        self.state = State::Choosing;
        if self.stopping {
            self.quit(now);
        } else {
            self.ask(Question::Next);
        }
    }

    pub(super) fn quit(&mut self, now: Instant) {
        self.send_command(&Command::Quit);
        self.state = State::Quitting;
        self.wait(self.settings.time_limits.quit, now);
    }

    pub(super) fn end(&mut self) {
        if !matches!(self.state, State::Ended) {
            self.state = State::Ended;
            self.outputs.push_back(Output::Close);
        }
    }

    /// There will be no (good) reply: tells what that means for what was under way, and closes.
    pub(super) fn fail(&mut self, fault: Fault) {
        match std::mem::replace(&mut self.state, State::Quitting) {
            State::Greeting => self.report(Event::Failed(Failure { stage: Stage::Greeting, fault })),
            State::Ehlo | State::Helo => {
                self.report(Event::Failed(Failure { stage: Stage::Hello, fault }));
            }
            State::StartTls { .. } | State::Securing { .. } => {
                self.report(Event::Failed(Failure { stage: Stage::StartTls, fault }));
            }
            State::Identifying | State::Authenticating { .. } => {
                self.report(Event::Failed(Failure { stage: Stage::Authentication, fault }));
            }
            State::Envelope(delivery) => {
                let stage = delivery.stage();
                self.report(delivery.done(Err(Failure { stage, fault })));
            }
            // All recipients have their outcomes.
            State::Withdrawing(delivery) => {
                self.report(delivery.done(Err(Failure { stage: Stage::Data, fault })));
            }
            State::Content(sending) => {
                self.report(sending.delivery.done(Err(Failure { stage: Stage::Content, fault })));
            }
            State::Chunks(chunks) => self.report(chunks.fail(fault)),
            State::EndOfData(delivery) => {
                self.report(delivery.done(Err(Failure { stage: Stage::EndOfData, fault })));
            }
            State::Requesting { .. } => {
                self.report(Event::Requested(Err(Failure { stage: Stage::Request, fault })));
            }
            State::Choosing | State::Quitting => {}
            State::Ended => {
                self.state = State::Ended;
                return;
            }
        }
        self.end();
    }

    fn take_line(&mut self, input: &[u8], now: Instant) -> usize {
        let (taken, line) = self.lines.take(input);
        let reply = match line {
            None => return taken,
            Some(Line::TooLong) => {
                self.fail(Fault::BadReply("the line is too long".to_owned()));
                return taken;
            }
            // A lone LF ends a reply line as well: nothing can be smuggled by it in this direction.
            Some(Line::Whole { text, .. }) => match self.reply.take(&text) {
                Ok(None) => return taken,
                Ok(Some(reply)) => reply,
                Err(error) => {
                    let shown: String = String::from_utf8_lossy(&text).chars().take(80).collect();
                    self.fail(Fault::BadReply(format!("{error}: {}", shown.escape_debug())));
                    return taken;
                }
            },
        };
        self.replied(reply, now);
        taken
    }

    /// Takes back what can reach nobody: octets that were not written, and a question that was not
    /// handed out.
    fn withdraw_unsent(&mut self) {
        if !self.outputs.is_empty() {
            self.asked = false;
            self.outputs.retain(|output| matches!(output, Output::Event(_) | Output::Close));
        }
    }

    fn replied(&mut self, reply: Reply, now: Instant) {
        match &self.state {
            State::Greeting => self.greeted(reply, now),
            State::Ehlo => self.ehlo_replied(reply, now),
            State::Helo => self.helo_replied(reply, now),
            State::StartTls { .. } => self.starttls_replied(reply, now),
            State::Authenticating { .. } => self.authentication_replied(reply, now),
            State::Requesting { turns } => self.request_replied(*turns, reply, now),
            State::Envelope(_) => self.envelope_replied(reply, now),
            State::Withdrawing(_) => self.withdrawn(reply, now),
            State::Chunks(_) => self.chunk_replied(reply, now),
            State::EndOfData(_) => self.end_of_data_replied(reply, now),
            // Whatever it says, we are leaving.
            State::Quitting => self.end(),
            // No input is taken while a question is open.
            State::Securing { .. }
            | State::Identifying
            | State::Choosing
            | State::Content(_)
            | State::Ended => {}
        }
    }

    /// A reply of a kind that its command cannot have.
    pub(super) fn fail_with_odd_reply(&mut self, reply: &Reply) {
        self.fail(Fault::BadReply(reply.to_string()));
    }
}

impl Conversation for Session {
    type Question = Question;
    type Answer = Answer;
    type Event = Event;

    fn handle_input(&mut self, input: &[u8], now: Instant) -> usize {
        let mut taken = 0;
        while taken < input.len()
            && !self.asked
            && !matches!(self.state, State::Ended | State::Securing { .. })
        {
            taken += self.take_line(&input[taken..], now);
        }
        taken
    }

    fn handle_answer(&mut self, answer: Answer, now: Instant) {
        debug_assert!(self.asked, "an answer without a question");
        self.asked = false;
        match (answer, &self.state) {
            (Answer::Exchange(exchange), State::Identifying) => self.begin_exchange(exchange, now),
            (Answer::Unidentified, State::Identifying) => self.choose(now),
            (Answer::NoExchange(why), State::Identifying) => self.unidentified(why, now),
            (Answer::Transaction(transaction), State::Choosing) => self.begin(transaction, now),
            (Answer::Request(request), State::Choosing) => self.request(request, now),
            (Answer::Quit, State::Choosing) => self.quit(now),
            (Answer::Chunk(chunk), State::Content(_)) => self.send_chunk(chunk, now),
            (Answer::EndOfContent, State::Content(_)) => self.finish_content(now),
            (Answer::Chunk(piece), State::Chunks(_)) => self.send_piece(piece, now),
            (Answer::EndOfContent, State::Chunks(_)) => self.finish_chunks(now),
            (Answer::ContentFailed, State::Content(_) | State::Chunks(_)) => {
                self.fail(Fault::ContentUnreadable);
            }
            (_, State::Ended) => {}
            (answer, _) => {
                debug_assert!(false, "{answer:?} answers another question");
                self.fail(Fault::ContentUnreadable);
            }
        }
        if self.peer_closed {
            self.withdraw_unsent();
            self.fail(Fault::ConnectionLost);
        }
    }

    fn handle_tls(&mut self, facts: Arc<TlsFacts>, now: Instant) {
        self.tls_begun(facts, now);
    }

    fn handle_tls_failed(&mut self, failure: TlsFailure, _now: Instant) {
        self.fail(Fault::Tls(failure));
    }

    fn handle_closed(&mut self, _now: Instant) {
        self.withdraw_unsent();
        if self.asked {
            self.peer_closed = true;
            return;
        }
        self.fail(Fault::ConnectionLost);
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_none_or(|due| now < due) {
            return;
        }
        if matches!(self.state, State::Ended) {
            self.outputs.retain(|output| !matches!(output, Output::Send(_)));
            return;
        }
        self.withdraw_unsent();
        self.fail(Fault::TimedOut);
        self.deadline = now + CLOSING_TIMEOUT;
    }

    fn handle_shutdown(&mut self, _now: Instant) {
        self.stopping = true;
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
        let waits_for_us = self.asked && self.outputs.is_empty();
        let over = matches!(self.state, State::Ended) && self.outputs.is_empty();
        (!waits_for_us && !over).then_some(self.deadline)
    }
}
