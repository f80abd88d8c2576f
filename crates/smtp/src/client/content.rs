//! The content, up to the final dot and the reply to it (RFC 5321 §4.1.1.4, §4.5.2).

use super::{
    Failure, Fault, Question, Stage,
    envelope::Delivery,
    session::{Session, State},
};
use crate::{Reply, limits::CONTENT_CHUNK_OCTETS_MAX};
use bytes::{Bytes, BytesMut};
use posta_wire::DotEncoder;
use std::time::Instant;

/// A content on its way out.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) delivery: Box<Delivery>,
    encoder: DotEncoder,
    content_octets: u64,
    /// The last piece stays here until the next comes, so that a content of one piece leaves together
    /// with its final dot.
    held: Bytes,
}

impl Session {
    pub(super) fn begin_content(&mut self, delivery: Box<Delivery>, now: Instant) {
        let sending = Sending { delivery, encoder: DotEncoder::new(), content_octets: 0, held: Bytes::new() };
        self.state = State::Content(Box::new(sending));
        self.wait(self.settings.time_limits.content_block, now);
        self.ask(Question::Content);
    }

    /// Takes a piece of the content. Nothing leaves that another host could take for an end: the
    /// encoder stuffs dots, and a bare CR, a bare LF or a NUL stops the whole.
    pub(super) fn send_chunk(&mut self, chunk: Bytes, now: Instant) {
        let State::Content(sending) = &mut self.state else { return };
        sending.content_octets += chunk.len() as u64;
        let encoded = sending.encoder.encode(chunk);
        let faults = sending.encoder.faults_within();
        if faults.bare_cr || faults.bare_lf || faults.nul {
            return self.fail(Fault::ContentMalformed);
        }
        let before = std::mem::replace(&mut sending.held, encoded);
        if !before.is_empty() {
            self.send(before);
        }
        self.wait(self.settings.time_limits.content_block, now);
        self.ask(Question::Content);
    }

    /// Sends the final dot, if all is there and clean.
    pub(super) fn finish_content(&mut self, now: Instant) {
        let State::Content(sending) = &mut self.state else { return };
        if sending.content_octets != sending.delivery.transaction.facts.size_octets {
            return self.fail(Fault::ContentUnreadable);
        }
        if sending.encoder.faults().bare_cr {
            return self.fail(Fault::ContentMalformed);
        }
        let State::Content(sending) = std::mem::replace(&mut self.state, State::Choosing) else { return };
        let Sending { delivery, encoder, held, .. } = *sending;
        let end = encoder.finish();
        if held.len() <= CONTENT_CHUNK_OCTETS_MAX {
            let mut last = BytesMut::with_capacity(held.len() + end.len());
            last.extend_from_slice(&held);
            last.extend_from_slice(end);
            self.send(last.freeze());
        } else {
            self.send(held);
            self.send(end);
        }
        self.state = State::EndOfData(delivery);
        self.wait(self.settings.time_limits.end_of_data, now);
    }

    pub(super) fn end_of_data_replied(&mut self, reply: Reply, now: Instant) {
        if reply.code == 421 {
            return self.fail(Fault::Refused(reply));
        }
        if reply.code / 100 == 3 {
            return self.fail_with_odd_reply(&reply);
        }
        let State::EndOfData(mut delivery) = std::mem::replace(&mut self.state, State::Choosing) else {
            return;
        };
        self.reset_needed = false;
        let outcome = if reply.is_positive() {
            Ok(reply)
        } else {
            Err(Failure { stage: Stage::EndOfData, fault: Fault::Refused(reply) })
        };
        if self.settings.lmtp && delivery.settle_next(outcome.clone()) {
            self.state = State::EndOfData(delivery);
            return self.wait(self.settings.time_limits.end_of_data, now);
        }
        self.report(delivery.done(outcome));
        self.choose(now);
    }
}
