//! The content in chunks: BDAT (RFC 3030 §2), for hosts that offer CHUNKING.
//!
//! Nothing is stuffed, and nothing in the content can be taken for its end: each chunk says how long it
//! is. Where the host pipelines, some chunks are on their way at once; the replies are taken between them.

use super::{
    Failure, Fault, Question, Stage,
    envelope::Delivery,
    session::{Session, State},
};
use crate::{
    Command, Reply,
    limits::{CONTENT_CHUNK_OCTETS_MAX, PIPELINED_CHUNKS_MAX},
};
use bytes::{Bytes, BytesMut};
use posta_wire::ContentScan;
use std::time::Instant;

/// A content on its way out in chunks.
#[derive(Debug)]
pub(super) struct Chunks {
    delivery: Box<Delivery>,
    scan: ContentScan,
    /// The last piece stays here until the next comes, so that the last chunk says that it is the last.
    held: Bytes,
    /// Chunks that are sent and not replied to.
    unanswered: usize,
    /// The last chunk is sent; from here on the server may have taken the message.
    is_last_sent: bool,
    /// What the server said first to a chunk that it did not take; what it says to those behind it means
    /// nothing more (RFC 3030 §2).
    refused: Option<Reply>,
}

impl Chunks {
    /// Where the reply that is waited for belongs.
    fn stage(&self) -> Stage {
        if self.is_last_sent { Stage::EndOfData } else { Stage::Content }
    }

    /// There will be no more replies.
    pub(super) fn fail(self, fault: Fault) -> super::Event {
        let failure = match self.refused {
            Some(reply) => Failure { stage: Stage::Content, fault: Fault::Refused(reply) },
            None => Failure { stage: self.stage(), fault },
        };
        self.delivery.done(Err(failure))
    }
}

impl Session {
    pub(super) fn begin_chunks(&mut self, delivery: Box<Delivery>, now: Instant) {
        let chunks = Chunks {
            delivery,
            scan: ContentScan::new(),
            held: Bytes::new(),
            unanswered: 0,
            is_last_sent: false,
            refused: None,
        };
        self.state = State::Chunks(Box::new(chunks));
        self.wait(self.settings.time_limits.content_block, now);
        self.ask(Question::Content);
    }

    /// Takes a piece of the content, and sends the one before.
    pub(super) fn send_piece(&mut self, piece: Bytes, now: Instant) {
        let State::Chunks(chunks) = &mut self.state else { return };
        chunks.scan.scan(&piece);
        // RFC 3030 §2: without BINARYMIME there are lines here as everywhere.
        if chunks.scan.faults_within().any() && !chunks.delivery.is_binary() {
            return self.fail(Fault::ContentMalformed);
        }
        let before = std::mem::replace(&mut chunks.held, piece);
        if before.is_empty() {
            return self.ask(Question::Content);
        }
        self.send_bdat(before, false, now);
        self.next_piece();
    }

    /// Sends the last chunk, if all is there and clean.
    pub(super) fn finish_chunks(&mut self, now: Instant) {
        let State::Chunks(chunks) = &mut self.state else { return };
        let facts = &chunks.delivery.transaction.facts;
        if chunks.scan.facts().size_octets != facts.size_octets {
            return self.fail(Fault::ContentUnreadable);
        }
        if chunks.scan.faults().any() && !chunks.delivery.is_binary() {
            return self.fail(Fault::ContentMalformed);
        }
        let last = std::mem::take(&mut chunks.held);
        self.send_bdat(last, true, now);
    }

    fn send_bdat(&mut self, octets: Bytes, last: bool, now: Instant) {
        let command = format!("{}\r\n", Command::Bdat { octets: octets.len() as u64, last });
        if octets.len() <= CONTENT_CHUNK_OCTETS_MAX {
            let mut both = BytesMut::with_capacity(command.len() + octets.len());
            both.extend_from_slice(command.as_bytes());
            both.extend_from_slice(&octets);
            self.send(both.freeze());
        } else {
            self.send(command);
            self.send(octets);
        }
        let State::Chunks(chunks) = &mut self.state else { return };
        chunks.unanswered += 1;
        chunks.is_last_sent = last;
        let limits = &self.settings.time_limits;
        let limit = if last { limits.end_of_data } else { limits.content_block };
        self.wait(limit, now);
    }

    /// Asks for the next piece, unless there are replies to wait for before.
    fn next_piece(&mut self) {
        let State::Chunks(chunks) = &self.state else { return };
        // In LMTP the last chunk has several replies, which those to a refused one must not be mixed up with.
        let pipelining = self.settings.pipelining && self.extensions.pipelining && !self.settings.lmtp;
        let most = if pipelining { PIPELINED_CHUNKS_MAX } else { 1 };
        if chunks.unanswered < most {
            self.ask(Question::Content);
        }
    }

    pub(super) fn chunk_replied(&mut self, reply: Reply, now: Instant) {
        let State::Chunks(chunks) = &mut self.state else { return };
        if reply.code == 421 {
            return self.fail(Fault::Refused(reply));
        }
        if reply.code / 100 == 3 {
            return self.fail_with_odd_reply(&reply);
        }
        if chunks.unanswered == 0 {
            return self.fail(Fault::BadReply(format!("nobody asked: {reply}")));
        }
        chunks.unanswered -= 1;
        if chunks.is_last_sent && chunks.unanswered == 0 {
            return self.last_chunk_replied(reply, now);
        }
        if !reply.is_positive() {
            chunks.refused.get_or_insert(reply);
        }
        let limits = &self.settings.time_limits;
        let limit = if chunks.is_last_sent { limits.end_of_data } else { limits.content_block };
        if chunks.refused.is_none() {
            self.wait(limit, now);
            return self.next_piece_after_reply();
        }
        if chunks.unanswered == 0 {
            return self.give_up_chunks(now);
        }
        self.wait(limit, now);
    }

    fn next_piece_after_reply(&mut self) {
        let State::Chunks(chunks) = &self.state else { return };
        if !chunks.is_last_sent {
            self.next_piece();
        }
    }

    fn last_chunk_replied(&mut self, reply: Reply, now: Instant) {
        let State::Chunks(chunks) = std::mem::replace(&mut self.state, State::Choosing) else { return };
        if chunks.refused.is_some() {
            self.state = State::Chunks(chunks);
            return self.give_up_chunks(now);
        }
        // From here on it is as after the final dot.
        self.state = State::EndOfData(chunks.delivery);
        let is_refused = !reply.is_positive();
        self.end_of_data_replied(reply, now);
        // RFC 3030 §2: after a chunk that was refused only RSET makes the state certain.
        self.reset_needed |= is_refused;
    }

    /// A chunk was refused, and no reply is outstanding: no more chunks (RFC 3030 §2).
    fn give_up_chunks(&mut self, now: Instant) {
        let State::Chunks(chunks) = std::mem::replace(&mut self.state, State::Choosing) else { return };
        self.reset_needed = true;
        // The refusal is what counts, whatever fault is named.
        self.report(chunks.fail(Fault::ConnectionLost));
        self.choose(now);
    }
}
