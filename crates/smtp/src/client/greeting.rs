//! The beginning: greeting, EHLO, HELO (RFC 5321 §3.1, §3.2, §4.1.1.1).

use super::{
    Event, Failure, Fault, Stage,
    session::{Session, State},
};
use crate::{Command, PeerExtensions, Reply};
use std::time::Instant;

impl Session {
    pub(super) fn greeted(&mut self, reply: Reply, now: Instant) {
        if !reply.is_positive() {
            return self.refused(Stage::Greeting, reply, now);
        }
        self.host = reply.lines[0].split_ascii_whitespace().next().unwrap_or_default().to_owned();
        self.hello(now);
    }

    /// Says EHLO: after the greeting, and again inside TLS.
    pub(super) fn hello(&mut self, now: Instant) {
        let name = self.settings.hostname.to_ascii();
        let lmtp = self.settings.lmtp;
        self.send_command(&if lmtp { Command::Lhlo(name) } else { Command::Ehlo(name) });
        self.state = State::Ehlo;
        self.wait(self.settings.time_limits.hello, now);
    }

    /// A server that does not know EHLO says 5yz; then HELO is tried (RFC 5321 §3.2).
    pub(super) fn ehlo_replied(&mut self, reply: Reply, now: Instant) {
        if reply.is_permanent() && !self.settings.lmtp {
            self.send_command(&Command::Helo(self.settings.hostname.to_ascii()));
            self.state = State::Helo;
            self.wait(self.settings.time_limits.hello, now);
            return;
        }
        if !reply.is_positive() {
            return self.refused(Stage::Hello, reply, now);
        }
        self.extensions = self.usable(PeerExtensions::parse(&reply));
        let extensions: Vec<String> =
            reply.lines.iter().skip(1).map(|line| line.to_ascii_uppercase()).collect();
        if !self.must_secure(&extensions, now) {
            self.ready(extensions, now);
        }
    }

    /// Of what a host offers, that which may be used.
    fn usable(&self, mut offered: PeerExtensions) -> PeerExtensions {
        // In LMTP with DATA only, whose replies at the end are the same (RFC 2033 §4.2, §4.3).
        offered.chunking &= self.settings.chunking && !self.settings.lmtp;
        // RFC 3030 §3: not without CHUNKING, and 8-bit octets may be in it.
        offered.binary_mime &= offered.chunking && offered.eight_bit_mime;
        // RFC 8689 §3: said in the clear it means nothing.
        offered.require_tls &= self.secured;
        offered
    }

    pub(super) fn helo_replied(&mut self, reply: Reply, now: Instant) {
        if !reply.is_positive() {
            return self.refused(Stage::Hello, reply, now);
        }
        if !self.must_secure(&[], now) {
            self.ready(Vec::new(), now);
        }
    }

    pub(super) fn ready(&mut self, extensions: Vec<String>, now: Instant) {
        self.report(Event::Ready { host: self.host.clone(), extensions });
        if self.settings.authenticates {
            self.identify();
        } else {
            self.choose(now);
        }
    }

    /// The host wants nothing of us: say so at once, and take leave properly unless it is closing
    /// itself (RFC 5321 §3.1, §3.8).
    pub(super) fn refused(&mut self, stage: Stage, reply: Reply, now: Instant) {
        let closing = reply.code == 421;
        self.report(Event::Failed(Failure { stage, fault: Fault::Refused(reply) }));
        if closing {
            self.end();
        } else {
            self.quit(now);
        }
    }
}
