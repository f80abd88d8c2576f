//! AUTH (RFC 4954): the client proves who it is.
//!
//! The exchange is made by the driver, which has clock, randomness and the secrets; the session leads it:
//! it reads the client's lines, sends the challenges, passes the questions on, and says the outcome.

use super::{
    Event, Question,
    session::{Asked, Session, State},
};
use crate::{
    AuthCommand, FutureRelease, Reply, Verb,
    replies::{self, Standard},
};
use posta_wire::{
    Line,
    sasl::{
        Mechanism, MechanismSet, limits,
        server::{Answer, Exchange, Failure, Step},
    },
};

/// What AUTH is for a client, and what a submission service offers to whoever uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Authentication {
    /// What is offered; without any there is no AUTH.
    pub offered: MechanismSet,
    /// What would be offered over TLS besides (538 is said to it now).
    pub needs_encryption: MechanismSet,
    /// Nothing can be sent without it: this is a submission service (RFC 6409 §4.3).
    pub required: bool,
    /// For how long a submission service holds messages (RFC 4865).
    pub future_release: Option<FutureRelease>,
}

impl Session {
    /// Whether the client has proven who it is.
    pub fn is_authenticated(&self) -> bool {
        self.authenticated
    }

    /// For the AUTH line of EHLO.
    pub(super) fn mechanisms(&self) -> MechanismSet {
        self.authentication.offered
    }

    /// RFC 4954 §6: 530 may be said to all but these.
    pub(super) fn needs_authentication(&self, verb: Option<Verb>) -> bool {
        self.authentication.required
            && !self.authenticated
            && matches!(
                verb,
                Some(Verb::Mail | Verb::Rcpt | Verb::Data | Verb::Vrfy | Verb::Expn | Verb::Etrn)
            )
    }

    pub(super) fn auth(&mut self, command: AuthCommand) {
        let Authentication { offered, needs_encryption, .. } = self.authentication;
        if offered.union(needs_encryption).is_empty() {
            return self.refuse("auth", replies::NOT_IMPLEMENTED.reply());
        }
        let Ok(mechanism) = command.mechanism.parse::<Mechanism>() else {
            return self.refuse("auth", replies::MECHANISM_UNKNOWN.reply());
        };
        if !offered.contains(mechanism) {
            let standard = match needs_encryption.contains(mechanism) {
                true => replies::ENCRYPTION_REQUIRED,
                false => replies::MECHANISM_TOO_WEAK,
            };
            return self.refuse("auth", standard.reply());
        }
        self.initial_response = command.initial;
        self.ask(Asked::Authenticate, Question::Authenticate(mechanism));
    }

    pub(super) fn exchange_opened(&mut self, mut exchange: Box<Exchange>) {
        let initial = self.initial_response.take();
        let step = exchange.begin(initial.as_ref().map(|initial| initial.expose().as_bytes()));
        // RFC 4954 §4: lines may be this long while the exchange goes on.
        self.lines.set_limit(limits::LINE_OCTETS_MAX + 2);
        self.state = State::Authenticating(exchange);
        self.exchange_step(step);
    }

    pub(super) fn exchange_line(&mut self, line: Line<'_>) {
        let State::Authenticating(exchange) = &mut self.state else { return };
        let step = match line {
            Line::TooLong => exchange.too_long(),
            // Neither is in the alphabet, so this is no base64, and is said to be none.
            Line::Whole { bare_lf, bare_cr, .. } if bare_lf || bare_cr => exchange.respond(b"\n"),
            Line::Whole { text, .. } => exchange.respond(&text),
        };
        self.exchange_step(step);
    }

    pub(super) fn credentials_found(&mut self, answer: Answer) {
        let State::Authenticating(exchange) = &mut self.state else { return };
        let step = exchange.answer(answer);
        self.exchange_step(step);
    }

    /// The driver makes no exchange.
    pub(super) fn authentication_refused(&mut self, reply: &Reply) {
        self.initial_response = None;
        self.leave_exchange();
        self.say_verdict(reply);
    }

    fn exchange_step(&mut self, step: Step) {
        match step {
            Step::Challenge(text) => self.say_challenge(&text),
            Step::Ask(question) => self.ask(Asked::Credentials, Question::Credentials(question)),
            Step::Done(identity) => {
                let Some(mechanism) = self.leave_exchange() else { return };
                self.authenticated = true;
                self.authentication_failures = 0;
                self.report(Event::Authenticated { identity, mechanism });
                self.say(&replies::AUTHENTICATED.reply());
            }
            Step::Failed(failure) => {
                let Some(mechanism) = self.leave_exchange() else { return };
                self.report(Event::AuthenticationFailed { mechanism, failure });
                self.authentication_failures += 1;
                self.say_verdict(&reply_to(failure).reply());
                if self.authentication_failures >= self.settings.limits.authentication_failures {
                    self.end_with(replies::TOO_MANY_ERRORS, "too many failed logins");
                }
            }
        }
    }

    /// Back to commands. The mechanism of the exchange that is over.
    fn leave_exchange(&mut self) -> Option<Mechanism> {
        let State::Authenticating(exchange) = &self.state else { return None };
        let mechanism = exchange.mechanism();
        self.state = State::Ready;
        // What follows a line that was too long is still skipped up to its end.
        self.lines.set_limit(self.settings.limits.command_line_octets);
        Some(mechanism)
    }
}

fn reply_to(failure: Failure) -> Standard {
    match failure {
        Failure::Cancelled | Failure::UnexpectedInitial => replies::AUTHENTICATION_ABORTED,
        Failure::NotBase64 => replies::NOT_BASE64,
        Failure::TooLong => replies::EXCHANGE_TOO_LONG,
        Failure::Malformed | Failure::Refused | Failure::ChannelBinding => replies::CREDENTIALS_INVALID,
        Failure::Unavailable | Failure::OutOfTurn => replies::AUTHENTICATION_UNAVAILABLE,
    }
}
