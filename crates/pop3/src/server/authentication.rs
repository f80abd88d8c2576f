//! AUTH (RFC 5034, RFC 1734): the client proves who it is by SASL.

use super::{
    MechanismRefusal, Question,
    phrases::Phrase,
    replies,
    session::{Session, State},
};
use crate::limits::AUTH_COMMAND_OCTETS_MAX;
use posta_wire::{
    Line, Secret,
    sasl::{
        Mechanism, limits,
        server::{Exchange, Failure, Step},
    },
};

impl Session {
    pub(super) fn auth(&mut self, mechanism: &str, initial: Option<Secret>) -> State {
        match mechanism.parse::<Mechanism>() {
            Ok(mechanism) => {
                self.question = Some(Question::Authenticate(mechanism));
                State::LoggingIn { initial }
            }
            Err(_) => self.exchange_refused(MechanismRefusal::NotOffered),
        }
    }

    pub(super) fn exchange_refused(&mut self, refusal: MechanismRefusal) -> State {
        self.refuse(&replies::mechanism(self.language, refusal));
        self.unless_ended(State::Authorization { user: None })
    }

    pub(super) fn exchange_opened(&mut self, mut exchange: Box<Exchange>, initial: Option<Secret>) -> State {
        // As in SMTP (RFC 4954 §4); RFC 5034 §4 sets no limit of its own.
        self.lines.set_limit(limits::LINE_OCTETS_MAX + 2);
        let step = exchange.begin(initial.as_ref().map(|initial| initial.expose().as_bytes()));
        self.exchange_step(exchange, step)
    }

    pub(super) fn exchange_line(&mut self, line: Line<'_>) {
        let State::Authenticating(mut exchange) = std::mem::replace(&mut self.state, State::Closed) else {
            return;
        };
        let step = match line {
            Line::TooLong => exchange.too_long(),
            // Neither is in the alphabet, so this is no base64, and is said to be none.
            Line::Whole { bare_lf, bare_cr, .. } if bare_lf || bare_cr => exchange.respond(b"\n"),
            Line::Whole { text, .. } => exchange.respond(&text),
        };
        self.state = self.exchange_step(exchange, step);
    }

    pub(super) fn exchange_step(&mut self, exchange: Box<Exchange>, step: Step) -> State {
        match step {
            Step::Challenge(text) => {
                self.out.extend_from_slice(b"+ ");
                self.out.extend_from_slice(text.as_bytes());
                self.out.extend_from_slice(b"\r\n");
                return State::Authenticating(exchange);
            }
            Step::Ask(question) => {
                self.question = Some(Question::Credentials(question));
                self.asking_exchange = true;
                return State::Authenticating(exchange);
            }
            Step::Done(identity) => self.question = Some(Question::Open(identity)),
            Step::Failed(failure) => {
                self.lines.set_limit(AUTH_COMMAND_OCTETS_MAX);
                match failure {
                    Failure::Cancelled | Failure::UnexpectedInitial => self.deny(Phrase::ExchangeAborted),
                    Failure::NotBase64 => self.deny(Phrase::NotBase64),
                    Failure::TooLong => self.deny(Phrase::ExchangeTooLong),
                    Failure::Malformed
                    | Failure::Refused
                    | Failure::ChannelBinding
                    | Failure::Unavailable
                    | Failure::OutOfTurn => {
                        self.question = Some(Question::AuthenticationFailed(failure));
                        return State::LoggingIn { initial: None };
                    }
                }
                return self.unless_ended(State::Authorization { user: None });
            }
        }
        self.lines.set_limit(AUTH_COMMAND_OCTETS_MAX);
        State::LoggingIn { initial: None }
    }
}
