//! Asking for what waits at the host: ETRN (RFC 1985), ATRN (RFC 2645), TURN (RFC 821 §3.8).

use super::{
    Event, Failure, Fault, Request, Settings, Stage,
    session::{Session, State},
};
use crate::{Command, Reply};
use posta_wire::Output;
use std::{sync::Arc, time::Instant};

impl Session {
    /// A session over a connection that is open already, perhaps with TLS: the roles have switched, and this
    /// end is now the client. It waits for the greeting.
    pub fn new_turned(settings: Arc<Settings>, secured: bool, now: Instant) -> Self {
        let mut session = Session::new(settings, now);
        session.secured = secured;
        session
    }

    pub(super) fn request(&mut self, request: Request, now: Instant) {
        let turns = matches!(request, Request::Turn(_));
        self.send_command(&match request {
            Request::StartQueue(name) => Command::Etrn(name),
            Request::Turn(turning) => Command::Turn(turning),
        });
        self.state = State::Requesting { turns };
        self.wait(self.settings.time_limits.request, now);
    }

    /// 250 to ATRN or TURN ends this session, and leaves the connection open.
    pub(super) fn request_replied(&mut self, turns: bool, reply: Reply, now: Instant) {
        if reply.code == 421 {
            return self.fail(Fault::Refused(reply));
        }
        if reply.code / 100 == 3 {
            return self.fail_with_odd_reply(&reply);
        }
        let is_positive = reply.is_positive();
        let outcome = match is_positive {
            true => Ok(reply),
            false => Err(Failure { stage: Stage::Request, fault: Fault::Refused(reply) }),
        };
        self.report(Event::Requested(outcome));
        if turns && is_positive {
            self.report(Event::Turned);
            self.state = State::Ended;
            self.push(Output::Turn);
        } else {
            self.choose(now);
        }
    }
}
