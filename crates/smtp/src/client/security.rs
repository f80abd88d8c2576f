//! STARTTLS (RFC 3207), and TLS from the first octet on (RFC 8314 §3.3).

use super::{
    Event, Failure, Fault, Settings, Stage, TlsUse,
    session::{Session, State},
};
use crate::{Command, PeerExtensions, Reply};
use posta_wire::{Output, TlsFacts};
use std::{sync::Arc, time::Instant};

/// What the server says when TLS may begin (RFC 3207 §4).
const READY_FOR_TLS: u16 = 220;

impl Session {
    /// TLS comes before the greeting.
    pub(super) fn begin_implicit_tls(&mut self) {
        if self.settings.tls == TlsUse::Implicit {
            self.state = State::Securing { greeted: false };
            self.push(Output::StartTls);
        }
    }

    /// After EHLO: whether something else comes before the session is ready: STARTTLS, or the end for want
    /// of it.
    pub(super) fn must_secure(&mut self, extensions: &[String], now: Instant) -> bool {
        match (self.settings.tls, self.extensions.starttls) {
            _ if self.secured => false,
            (TlsUse::Never | TlsUse::Implicit, _) | (TlsUse::IfOffered, false) => false,
            (TlsUse::IfOffered | TlsUse::Required, true) => {
                self.send_command(&Command::StartTls);
                self.state = State::StartTls { extensions: extensions.to_vec() };
                self.wait(self.settings.time_limits.hello, now);
                true
            }
            (TlsUse::Required, false) => {
                self.report(Event::Failed(Failure { stage: Stage::StartTls, fault: Fault::TlsMissing }));
                self.quit(now);
                true
            }
        }
    }

    pub(super) fn starttls_replied(&mut self, reply: Reply, now: Instant) {
        if reply.code == READY_FOR_TLS {
            self.state = State::Securing { greeted: true };
            return self.push(Output::StartTls);
        }
        let State::StartTls { extensions } = std::mem::replace(&mut self.state, State::Quitting) else {
            return;
        };
        if self.settings.tls == TlsUse::IfOffered && reply.code != 421 {
            // Offered, but not given: as if it were not offered.
            return self.ready(extensions, now);
        }
        self.refused(Stage::StartTls, reply, now);
    }

    /// RFC 3207 §4.2: what the server said in the clear was perhaps said by another, and is forgotten.
    pub(super) fn tls_begun(&mut self, facts: Arc<TlsFacts>, now: Instant) {
        let State::Securing { greeted } = self.state else {
            debug_assert!(false, "TLS was not asked for");
            return;
        };
        self.secured = true;
        self.extensions = PeerExtensions::default();
        self.report(Event::Secured(facts));
        if greeted {
            self.hello(now);
        } else {
            self.state = State::Greeting;
            self.wait(self.settings.time_limits.greeting, now);
        }
    }
}

impl Settings {
    /// With this use of TLS.
    pub fn with_tls(self, tls: TlsUse) -> Self {
        Settings { tls, ..self }
    }
}
