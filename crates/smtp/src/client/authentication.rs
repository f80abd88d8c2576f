//! AUTH (RFC 4954): we prove who we are, and hear whether the server knows it.
//!
//! The exchange is made by the driver, which has the credentials; the session carries its lines.

use super::{
    Event, Failure, Fault, Question, Stage,
    session::{Session, State},
};
use crate::{Reply, limits::PEER_REPLY_LINE_OCTETS_MAX};
use posta_wire::sasl::{
    CANCEL, MechanismSet,
    client::{Exchange, Step},
    limits,
};
use std::time::Instant;

/// A challenge (RFC 4954 §4).
const CHALLENGE: u16 = 334;

impl Session {
    /// After EHLO, inside TLS where there is TLS: what was offered before it does not count.
    pub(super) fn identify(&mut self) {
        self.state = State::Identifying;
        self.ask(Question::Authenticate(self.offered_mechanisms()));
    }

    fn offered_mechanisms(&self) -> MechanismSet {
        self.extensions.mechanisms
    }

    pub(super) fn begin_exchange(&mut self, mut exchange: Box<Exchange>, now: Instant) {
        let command = exchange.command(limits::SMTP_AUTH_COMMAND_OCTETS_MAX);
        self.send(format!("{}\r\n", command.expose()));
        self.lines.set_limit(limits::LINE_OCTETS_MAX + "334 \r\n".len());
        self.state = State::Authenticating { exchange, cancelled: false };
        self.wait(self.settings.time_limits.mail, now);
    }

    /// There is no way to prove who we are: nothing is said.
    pub(super) fn unidentified(&mut self, why: String, now: Instant) {
        let failure = Failure { stage: Stage::Authentication, fault: Fault::Authentication(why) };
        self.report(Event::Failed(failure));
        self.quit(now);
    }

    pub(super) fn authentication_replied(&mut self, reply: Reply, now: Instant) {
        let State::Authenticating { exchange, cancelled } = &mut self.state else { return };
        if reply.code == CHALLENGE && !*cancelled {
            let step = exchange.challenge(reply.lines[0].as_bytes());
            *cancelled = matches!(step, Step::Cancel(_));
            let line = match &step {
                Step::Respond(response) => response.expose(),
                Step::Cancel(_) => CANCEL,
            };
            let line = format!("{line}\r\n");
            self.send(line);
            return self.wait(self.settings.time_limits.mail, now);
        }
        let concluded = exchange.conclude(reply.is_positive());
        self.lines.set_limit(PEER_REPLY_LINE_OCTETS_MAX);
        match concluded {
            Ok(()) => self.choose(now),
            // The server's own words say best why it refused us.
            Err(_) if !reply.is_positive() && reply.code != CHALLENGE => {
                self.refused(Stage::Authentication, reply, now)
            }
            Err(failure) => self.unidentified(failure.to_string(), now),
        }
    }
}
