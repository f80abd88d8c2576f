//! The beginning: greeting, HELO, EHLO (RFC 5321 §3.1, §3.2, §4.1.1.1).

use super::{
    Hello, Question,
    session::{Asked, Session, State},
};
use crate::{
    Reply, extension,
    replies::{self, REJECTED_GREETING_CODES},
};
use std::time::Instant;

impl Session {
    /// 220 lets the client in. 554 (and 521, RFC 7504) leaves it only QUIT; all else closes.
    pub(super) fn greeting_decided(&mut self, reply: &Reply, now: Instant) {
        self.say(reply);
        if reply.is_positive() {
            self.state = State::Greeted;
        } else if REJECTED_GREETING_CODES.contains(&reply.code) {
            self.state = State::Rejected { for_ever: reply.code == replies::HOST_ACCEPTS_NO_MAIL.code };
            self.deadline = now + self.settings.limits.rejected_timeout;
        } else {
            self.end("refused");
        }
    }

    pub(super) fn hello(&mut self, extended: bool, name: String) {
        self.ask(Asked::Hello { extended }, Question::Hello(Hello { extended, name }));
    }

    /// A HELO or EHLO that is accepted begins anew, as if RSET had been said; one that is refused
    /// changes nothing (RFC 5321 §4.1.4).
    pub(super) fn hello_decided(&mut self, extended: bool, mut reply: Reply) {
        if !reply.is_positive() {
            self.say_verdict(&reply);
            return;
        }
        self.abort(match (self.settings.lmtp, extended) {
            (true, _) => "LHLO",
            (false, true) => "EHLO",
            (false, false) => "HELO",
        });
        self.state = State::Ready;
        if extended {
            reply.lines.truncate(1);
            let mechanisms = self.mechanisms();
            reply.lines.extend(extension::offered(
                &self.settings,
                self.secured,
                mechanisms,
                self.authentication.future_release,
            ));
        }
        self.say(&reply);
    }
}
