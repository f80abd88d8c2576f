//! The envelope: MAIL, RCPT, RSET (RFC 5321 §3.3, §4.1.1.2, §4.1.1.3, §4.1.1.5).

use super::{
    MailParameters, Question, RecipientParameters,
    session::{Asked, Session, State},
};
use crate::{Body, Delivery, Reply, replies};
use posta_address::{ForwardPath, ReversePath};
use posta_wire::{ByMode, DeliverBy, Hold};

/// The open transaction, as far as the session must know it; the rest is the driver's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Envelope {
    /// MAIL came with SMTPUTF8: addresses may be non-ASCII, replies as well.
    pub(super) smtputf8: bool,
    /// MAIL came with BODY=BINARYMIME: the content may hold any octets, and comes with BDAT.
    pub(super) binary: bool,
    /// Recipients that were well-formed.
    pub(super) offered: u32,
    /// Recipients that were accepted.
    pub(super) accepted: u32,
}

impl Session {
    pub(super) fn mail(&mut self, delivery: Delivery, reverse_path: ReversePath, parameters: MailParameters) {
        let extensions = &self.settings.extensions;
        let offered = (extensions.size || parameters.size_octets.is_none())
            && match parameters.body {
                Body::SevenBit => true,
                Body::EightBit => extensions.eight_bit_mime,
                Body::Binary => extensions.offers_binary_mime(),
            }
            && (extensions.require_tls && self.secured || !parameters.require_tls)
            && (extensions.smtputf8 && extensions.eight_bit_mime || !parameters.smtputf8)
            && (extensions.dsn || parameters.returned.is_none() && parameters.envelope_id.is_none());
        // RFC 4954 §5: taken by whoever offers AUTH, from everybody.
        let offered = offered && (!self.mechanisms().is_empty() || parameters.submitter.is_none());
        let future_release = self.authentication.future_release;
        let offered = offered
            && (future_release.is_some() && delivery == Delivery::Mail || parameters.hold.is_none())
            && (extensions.deliver_by || parameters.deliver_by.is_none())
            && (extensions.priority || parameters.priority.is_none());
        if !offered {
            return self.refuse("mail", replies::UNKNOWN_PARAMETER.reply());
        }
        // RFC 4865 §4.2: no longer than is said in advance; §5.2.2: and not beyond the deadline.
        let is_allowed = |hold| future_release.is_none_or(|most| most.allows(hold));
        let is_too_long = match (parameters.hold, parameters.deliver_by) {
            (Some(Hold::For(seconds)), Some(by)) => i64::from(seconds) > i64::from(by.seconds),
            _ => false,
        };
        if parameters.hold.is_some_and(|hold| !is_allowed(hold)) || is_too_long {
            return self.refuse("mail", replies::BAD_PARAMETER.reply());
        }
        // RFC 2852 §2: a time that is too short with R is refused for good.
        let shortest = i64::from(self.settings.limits.deliver_by_seconds_min);
        let is_too_short =
            |by: DeliverBy| by.terms.mode == ByMode::Return && i64::from(by.seconds) < shortest;
        if parameters.deliver_by.is_some_and(is_too_short) {
            return self.refuse("mail", replies::TIME_TOO_SHORT.reply());
        }
        // RFC 6531 §3.5
        if !parameters.smtputf8 && !reverse_path.is_ascii() {
            return self.refuse("mail", replies::NON_ASCII_ADDRESS.reply());
        }
        // RFC 1870 §6.1: what is declared too large need not come at all.
        if parameters.size_octets.is_some_and(|octets| octets > self.settings.limits.content_octets) {
            return self.refuse("mail", replies::TOO_LARGE.reply());
        }
        let asked = Asked::Mail { smtputf8: parameters.smtputf8, binary: parameters.body == Body::Binary };
        let parameters = Box::new(parameters);
        self.ask(asked, Question::Mail { delivery, reverse_path, parameters });
    }

    /// Whether a transaction may begin with SEND, SOML or SAML. LMTP has none of them (RFC 2033 §4).
    pub(super) fn offers_send(&self) -> bool {
        self.settings.extensions.send && !self.settings.lmtp
    }

    pub(super) fn mail_decided(&mut self, smtputf8: bool, binary: bool, reply: &Reply) {
        if self.say_verdict(reply) {
            self.state = State::Envelope(Envelope { smtputf8, binary, offered: 0, accepted: 0 });
        }
    }

    pub(super) fn rcpt(&mut self, forward_path: ForwardPath, parameters: RecipientParameters) {
        let State::Envelope(envelope) = &mut self.state else {
            return self.refuse("rcpt", replies::MAIL_FIRST.reply());
        };
        envelope.offered += 1;
        if !envelope.smtputf8 && !forward_path.is_ascii() {
            return self.refuse("rcpt", replies::NON_ASCII_ADDRESS.reply());
        }
        // RFC 3461 §4.1, §4.2: both belong to the one extension.
        let asks_dsn = parameters.notify.is_some() || parameters.original.is_some();
        if asks_dsn && !self.settings.extensions.dsn {
            return self.refuse("rcpt", replies::UNKNOWN_PARAMETER.reply());
        }
        // RFC 6533 §4: an address in UTF-8 needs the extension that lets UTF-8 into commands.
        if !envelope.smtputf8 && parameters.original.as_ref().is_some_and(|original| !original.is_ascii()) {
            return self.refuse("rcpt", replies::NON_ASCII_ADDRESS.reply());
        }
        if envelope.accepted >= self.settings.limits.recipients {
            // RFC 5321 §4.5.3.1.10. No fault of the client's: it brings the rest in another
            // transaction, so this does not count towards the limit of errors.
            let reply = replies::TOO_MANY_RECIPIENTS.reply();
            self.say(&reply);
            return self.report(super::Event::Refused { stage: "rcpt", reply });
        }
        self.ask(Asked::Recipient, Question::Recipient { forward_path, parameters });
    }

    pub(super) fn recipient_decided(&mut self, reply: &Reply) {
        if self.say_verdict(reply)
            && let State::Envelope(envelope) = &mut self.state
        {
            envelope.accepted += 1;
        }
    }

    pub(super) fn rset(&mut self) {
        self.abort("RSET");
        self.say(&replies::OK.reply());
    }
}
