//! Commands that ask for more than this host's own mail transactions: ETRN (RFC 1985), ATRN (RFC 2645), TURN
//! (RFC 821 §3.8), and XCLIENT (Postfix).

use super::{
    Event, Question, Settings,
    session::{Asked, Session, State},
};
use crate::{
    Introduction, QueueName, Reply, Turning, Verb,
    replies::{self, Standard},
    xclient::Given,
};
use posta_wire::Output;
use std::{sync::Arc, time::Instant};

impl Session {
    /// A session over a connection that is open already, perhaps with TLS: the roles have switched, and this
    /// end is now the server. Its first output is [`Question::Greeting`].
    pub fn new_turned(settings: Arc<Settings>, secured: bool, now: Instant) -> Self {
        let mut session = Session::new(settings, now);
        session.secured = secured;
        session
    }

    /// What this host does not offer is not implemented, whenever it comes.
    pub(super) fn switched_off(&self, verb: Option<Verb>) -> Option<Standard> {
        let extensions = &self.settings.extensions;
        let offered = match verb? {
            Verb::Etrn => extensions.etrn,
            Verb::Atrn => extensions.atrn,
            Verb::Turn => extensions.turn,
            _ => true,
        };
        (!offered).then_some(replies::NOT_IMPLEMENTED)
    }

    /// None of these belongs into a transaction.
    fn is_within_transaction(&self) -> bool {
        matches!(self.state, State::Envelope(_) | State::Chunks(_))
    }

    pub(super) fn etrn(&mut self, name: QueueName) {
        match () {
            () if self.is_within_transaction() => self.refuse("etrn", replies::NOT_IN_TRANSACTION.reply()),
            () => self.ask(Asked::StartQueue, Question::StartQueue(name)),
        }
    }

    pub(super) fn turn(&mut self, turning: Turning) {
        let stage = match turning {
            Turning::Authenticated(_) => "atrn",
            Turning::Historic => "turn",
        };
        let refusal: Option<Standard> = match () {
            () if self.is_within_transaction() => Some(replies::NOT_IN_TRANSACTION),
            // RFC 2645 §5.2.1; and so TURN, whose want of it is why the world left it (RFC 5321 §F.1).
            () if !self.authenticated => Some(replies::AUTHENTICATION_REQUIRED),
            () => None,
        };
        match refusal {
            Some(standard) => self.refuse(stage, standard.reply()),
            None => self.ask(Asked::Turn, Question::Turn(turning)),
        }
    }

    /// 250 switches the roles: with that reply this session is over, the connection is not.
    pub(super) fn turn_decided(&mut self, reply: &Reply) {
        if !self.say_verdict(reply) {
            return;
        }
        self.flush();
        self.state = State::Ended;
        self.report(Event::Ended { reason: "turned" });
        self.push(Output::Turn);
    }

    pub(super) fn xclient(&mut self, introduction: Introduction) {
        match () {
            () if !self.settings.extensions.xclient => {
                self.refuse("xclient", replies::XCLIENT_NOT_ALLOWED.reply());
            }
            () if self.is_within_transaction() => {
                self.refuse("xclient", replies::NOT_IN_TRANSACTION.reply());
            }
            () => {
                let is_login = matches!(introduction.login, Some(Given::Is(_)));
                self.ask(Asked::Introduce { is_login }, Question::Introduce(Box::new(introduction)));
            }
        }
    }

    /// 220 begins anew, as if the client that was named had just connected.
    pub(super) fn introduced(&mut self, is_login: bool, reply: &Reply) {
        if self.say_verdict(reply) {
            self.authenticated = is_login;
            self.state = State::Greeted;
        }
    }
}
