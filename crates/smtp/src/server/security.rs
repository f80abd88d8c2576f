//! STARTTLS (RFC 3207), and TLS from the first octet on (RFC 8314 §3.3).

use super::{
    Authentication, Event, Question, Settings,
    session::{Asked, Session, State},
};
use crate::replies;
use posta_wire::{TlsFacts, sasl::MechanismSet};
use std::{sync::Arc, time::Instant};

impl Session {
    /// A session whose client has just connected to a port where TLS comes first; its first output is
    /// [`posta_wire::Output::StartTls`], and it greets inside.
    pub fn new_over_tls(settings: Arc<Settings>, now: Instant) -> Self {
        let mut session = Session::silent(settings, now);
        session.begin_tls(false);
        session
    }

    /// Whether TLS is on.
    pub fn is_secured(&self) -> bool {
        self.secured
    }

    pub(super) fn starttls(&mut self) {
        if self.secured {
            return self.refuse("starttls", replies::TLS_IS_ON.reply());
        }
        if !self.settings.extensions.starttls {
            return self.refuse("starttls", replies::NOT_IMPLEMENTED.reply());
        }
        self.say(&replies::READY_FOR_TLS.reply());
        self.begin_tls(true);
    }

    /// RFC 3207 §4.2: what the client said in the clear was perhaps said by another, and is forgotten; it
    /// has to say EHLO again. What counts against it stays counted.
    pub(super) fn tls_begun(&mut self, facts: Arc<TlsFacts>, now: Instant) {
        let State::Securing { greeted } = self.state else {
            debug_assert!(false, "TLS was not asked for");
            return;
        };
        self.secured = true;
        self.input_waits = false;
        self.authenticated = false;
        let Authentication { offered, needs_encryption, .. } = self.authentication;
        self.authentication.offered = offered.union(needs_encryption);
        self.authentication.needs_encryption = MechanismSet::default();
        self.deadline = now + self.settings.limits.command_timeout;
        self.report(Event::Secured(facts));
        if greeted {
            self.state = State::Greeted;
        } else {
            self.state = State::Connected;
            self.ask(Asked::Greeting, Question::Greeting);
        }
    }
}
