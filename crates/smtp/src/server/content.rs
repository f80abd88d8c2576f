//! The content: DATA, and what follows up to the final dot (RFC 5321 §3.3, §4.1.1.4, §4.5.2).

use super::{
    BareLineEnd, Event, Question,
    session::{Asked, Session, State},
};
use crate::{
    Reply,
    limits::{CONTENT_CHUNK_OCTETS_MAX, SKIPPED_OCTETS_MAX},
    replies::{self, Standard},
    server::{Limits, Quirks},
};
use bytes::BytesMut;
use posta_wire::DotDecoder;
use std::time::Instant;

/// A content on its way in.
#[derive(Debug)]
pub(super) struct Reception {
    decoder: DotDecoder,
    /// Why it will be refused at its end. Once there is a fault nothing more is kept, but all is read:
    /// what follows the true end is the next command, and nothing before it is.
    pub(super) fault: Option<Standard>,
    smtputf8: bool,
    /// Replies at its end.
    replies: u32,
    /// By when all of it must be there.
    deadline: Instant,
}

impl Reception {
    /// What is wrong with the content so far.
    fn find_fault(&self, limits: &Limits, quirks: &Quirks) -> Option<Standard> {
        let facts = self.decoder.facts();
        let faults = self.decoder.faults();
        if facts.size_octets > limits.content_octets {
            return Some(replies::TOO_LARGE);
        }
        // RFC 5321 §2.3.8; see `DotDecoder` for why this matters.
        if quirks.bare_line_end == BareLineEnd::Refuse && (faults.bare_cr || faults.bare_lf) {
            return Some(replies::CONTENT_BARE_LINE_END);
        }
        if faults.nul && !quirks.nul_in_content {
            return Some(replies::CONTENT_NUL);
        }
        if facts.longest_line_octets > limits.text_line_octets {
            return Some(replies::CONTENT_LINE_TOO_LONG);
        }
        if self.decoder.header_section_octets() > limits.header_section_octets {
            return Some(replies::HEADER_SECTION_TOO_LARGE);
        }
        None
    }
}

impl Session {
    /// 354 lets the content begin; any other reply leaves the envelope as it is.
    pub(super) fn data_decided(&mut self, reply: &Reply, now: Instant) {
        if reply.code != replies::START_CONTENT.code {
            debug_assert!(!reply.is_positive(), "DATA is answered with 354 or refused");
            self.say_verdict(reply);
            return;
        }
        self.say(reply);
        let State::Envelope(envelope) = &self.state else { return };
        let limits = &self.settings.limits;
        let decoder = match self.settings.quirks.bare_line_end {
            BareLineEnd::Refuse => DotDecoder::new(),
            BareLineEnd::Normalize => DotDecoder::normalizing(),
        };
        self.deadline = now + limits.content_timeout;
        self.state = State::Content(Box::new(Reception {
            decoder,
            fault: None,
            smtputf8: envelope.smtputf8,
            replies: self.replies_to_content(envelope.accepted),
            deadline: now + limits.content_total_timeout,
        }));
    }

    /// Takes the next piece of the content. Returns how many octets that were.
    pub(super) fn take_content(&mut self, input: &[u8], now: Instant) -> usize {
        let State::Content(reception) = &mut self.state else { return 0 };
        let piece = &input[..input.len().min(CONTENT_CHUNK_OCTETS_MAX)];
        let limits = &self.settings.limits;
        self.deadline = (now + limits.content_timeout).min(reception.deadline);
        let (decoded, chunk) = if reception.fault.is_some() {
            (reception.decoder.decode(piece, |_| {}), BytesMut::new())
        } else {
            let mut chunk = BytesMut::with_capacity(piece.len());
            (reception.decoder.decode(piece, |octets| chunk.extend_from_slice(octets)), chunk)
        };
        let facts = reception.decoder.facts();
        let skipped_octets = facts.size_octets.saturating_sub(limits.content_octets);
        if reception.fault.is_none() {
            reception.fault = reception.find_fault(limits, &self.settings.quirks);
            if let Some(fault) = reception.fault {
                self.report(Event::Aborted { reason: fault.text.to_owned() });
            } else if !chunk.is_empty() {
                self.report(Event::Content(chunk.freeze()));
            }
        }
        if decoded.ended {
            self.content_ended();
        } else if skipped_octets > SKIPPED_OCTETS_MAX {
            self.end_with(replies::TOO_LARGE, "refused");
        }
        decoded.taken
    }

    fn content_ended(&mut self) {
        let State::Content(reception) = &self.state else { return };
        let facts = reception.decoder.facts();
        // Looked for again, so that of several faults the same is named however the content was cut up.
        match reception.find_fault(&self.settings.limits, &self.settings.quirks) {
            Some(fault) => {
                let replies = reception.replies;
                self.state = State::Ready;
                self.say_more(replies, &fault.reply());
                self.refuse("end-of-data", fault.reply());
            }
            None => {
                let (smtputf8, replies) = (reception.smtputf8, reception.replies);
                self.state = State::Committing { smtputf8, replies };
                self.ask(Asked::EndOfData, Question::EndOfData(facts));
            }
        }
    }

    /// The one place where a message's 250 goes out: as the answer to
    /// [`Question::EndOfData`]. Whatever the answer, the transaction is over (RFC 5321 §4.1.1.4).
    pub(super) fn end_of_data_decided(&mut self, reply: &Reply) {
        let State::Committing { replies, .. } = self.state else {
            debug_assert!(false, "nothing is being committed");
            return;
        };
        self.say_more(replies, reply);
        if reply.is_positive() {
            self.say(reply);
            self.idle_commands = 0;
            self.state = State::Ready;
            return;
        }
        self.say_verdict(reply);
        self.abort("refused at the end of data");
    }
}
