//! The content in chunks: BDAT (RFC 3030 §2).
//!
//! Whatever becomes of a BDAT, its octets are read before anything else is: what a message holds is
//! never taken for commands.

use super::{
    BareLineEnd, Event, Question,
    session::{Asked, Session, State},
};
use crate::{
    Reply, Verb,
    limits::{CONTENT_CHUNK_OCTETS_MAX, SKIPPED_OCTETS_MAX},
    replies::{self, Standard},
    server::{Limits, Quirks},
};
use bytes::Bytes;
use posta_wire::ContentScan;
use std::time::Instant;

/// A content that comes in chunks.
#[derive(Debug)]
pub(super) struct Chunks {
    scan: ContentScan,
    /// What of the present chunk has not come.
    left_octets: u64,
    chunk: Chunk,
    pub(super) smtputf8: bool,
    /// Replies at the end of the content.
    pub(super) replies: u32,
    /// BODY=BINARYMIME: any octets may come.
    binary: bool,
    /// By when all of the content must be there.
    deadline: Instant,
}

/// What BDAT says (RFC 3030 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) octets: u64,
    pub(super) last: bool,
}

/// A chunk that is read only to be thrown away, and what is said then.
#[derive(Debug)]
pub(super) struct Skip {
    left_octets: u64,
    stage: &'static str,
    reply: Reply,
    /// How often it is said.
    replies: u32,
    /// It is no fault of the client's, and was counted already.
    is_verdict: bool,
    /// The content that has a fault, looked at to the chunk's end: of several faults the same is named
    /// however the chunk was cut up.
    faulty: Option<Box<Chunks>>,
}

impl Chunks {
    /// Whether a chunk is on its way.
    pub(super) fn is_within(&self) -> bool {
        self.left_octets > 0
    }

    /// What is wrong with the content so far. Nothing makes a bare CR or LF clean here: a client that
    /// knows BDAT is no old one.
    fn find_fault(&self, limits: &Limits, quirks: &Quirks) -> Option<Standard> {
        let facts = self.scan.facts();
        let line_fault = if self.binary { self.header_fault() } else { self.line_fault(limits, quirks) };
        match () {
            () if facts.size_octets > limits.content_octets => Some(replies::TOO_LARGE),
            () if line_fault.is_some() => line_fault,
            () if self.scan.header_section_octets() > limits.header_section_octets => {
                Some(replies::HEADER_SECTION_TOO_LARGE)
            }
            () => None,
        }
    }

    /// All that should come is here; before that, a CR may have its LF in the next piece.
    fn is_over(&self) -> bool {
        self.chunk.last && self.left_octets == 0
    }

    fn line_fault(&self, limits: &Limits, quirks: &Quirks) -> Option<Standard> {
        let faults = if self.is_over() { self.scan.faults() } else { self.scan.faults_within() };
        match () {
            () if faults.bare_cr || faults.bare_lf => Some(match quirks.bare_line_end {
                BareLineEnd::Refuse => replies::CONTENT_BARE_LINE_END,
                BareLineEnd::Normalize => replies::CHUNKED_BARE_LINE_END,
            }),
            () if faults.nul && !quirks.nul_in_content => Some(replies::CONTENT_NUL),
            () if self.scan.facts().longest_line_octets > limits.text_line_octets => {
                Some(replies::CONTENT_LINE_TOO_LONG)
            }
            () => None,
        }
    }

    /// RFC 3030 §3: a body may hold any octets; a header section is still lines of text.
    fn header_fault(&self) -> Option<Standard> {
        let scan = &self.scan;
        let faults = if self.is_over() { scan.header_faults() } else { scan.header_faults_within() };
        faults.any().then_some(replies::BINARY_HEADER_SECTION)
    }
}

impl Session {
    pub(super) fn bdat(&mut self, chunk: Chunk, now: Instant) {
        let standard = match self.out_of_order(Some(Verb::Bdat)) {
            Some(standard) => Some(standard),
            None if !self.settings.extensions.chunking => Some(replies::NOT_IMPLEMENTED),
            None => None,
        };
        if let Some(standard) = standard {
            let replies = self.replies_to_chunk(chunk.last);
            return self.skip(chunk.octets, replies, "bdat", standard.reply(), false, now);
        }
        match &mut self.state {
            State::Chunks(chunks) => {
                chunks.chunk = chunk;
                chunks.left_octets = chunk.octets;
                self.chunk_begun(now);
            }
            _ => self.ask(Asked::Chunk(chunk), Question::Data),
        }
    }

    /// The answer to the question that the first chunk asks: 354 lets it in, though nobody says so here.
    pub(super) fn chunk_decided(&mut self, chunk: Chunk, reply: Reply, now: Instant) {
        if reply.code != replies::START_CONTENT.code {
            debug_assert!(!reply.is_positive(), "the content is let in with 354 or refused");
            let replies = self.replies_to_chunk(chunk.last);
            return self.skip(chunk.octets, replies, "bdat", reply, true, now);
        }
        let State::Envelope(envelope) = &self.state else { return };
        self.state = State::Chunks(Box::new(Chunks {
            scan: ContentScan::new(),
            left_octets: chunk.octets,
            chunk,
            smtputf8: envelope.smtputf8,
            replies: self.replies_to_content(envelope.accepted),
            binary: envelope.binary,
            deadline: now + self.settings.limits.content_total_timeout,
        }));
        self.chunk_begun(now);
    }

    fn chunk_begun(&mut self, now: Instant) {
        self.deadline = now + self.settings.limits.content_timeout;
        let State::Chunks(chunks) = &self.state else { return };
        if chunks.left_octets == 0 {
            self.chunk_ended(now);
        }
    }

    /// Takes the next octets of a chunk. Returns how many those were.
    pub(super) fn take_chunk(&mut self, input: &[u8], now: Instant) -> usize {
        let State::Chunks(chunks) = &mut self.state else { return 0 };
        let most = chunks.left_octets.min(CONTENT_CHUNK_OCTETS_MAX as u64) as usize;
        let piece = &input[..input.len().min(most)];
        self.deadline = (now + self.settings.limits.content_timeout).min(chunks.deadline);
        chunks.scan.scan(piece);
        chunks.left_octets -= piece.len() as u64;
        let left_octets = chunks.left_octets;
        if self.give_up_faulty(now) {
            return piece.len();
        }
        self.report(Event::Content(Bytes::copy_from_slice(piece)));
        if left_octets == 0 {
            self.chunk_ended(now);
        }
        piece.len()
    }

    /// Once the content has a fault nothing more of it is kept, but the chunk is read to its end.
    fn give_up_faulty(&mut self, now: Instant) -> bool {
        let State::Chunks(chunks) = &self.state else { return false };
        let Some(fault) = chunks.find_fault(&self.settings.limits, &self.settings.quirks) else {
            return false;
        };
        self.report(Event::Aborted { reason: fault.text.to_owned() });
        let State::Chunks(chunks) = std::mem::replace(&mut self.state, State::Ready) else { return false };
        let left_octets = chunks.left_octets;
        self.skip_chunk(
            Skip {
                left_octets,
                replies: if chunks.chunk.last { chunks.replies } else { 1 },
                stage: "end-of-data",
                reply: fault.reply(),
                is_verdict: false,
                faulty: Some(chunks),
            },
            now,
        );
        true
    }

    fn chunk_ended(&mut self, now: Instant) {
        if self.give_up_faulty(now) {
            return;
        }
        let State::Chunks(chunks) = &self.state else { return };
        if chunks.chunk.last {
            let facts = chunks.scan.facts();
            self.state = State::Committing { smtputf8: chunks.smtputf8, replies: chunks.replies };
            self.ask(Asked::EndOfData, Question::EndOfData(facts));
        } else {
            let octets = chunks.chunk.octets;
            self.say(&replies::CHUNK_RECEIVED.with(format!("{octets} octets received")));
        }
    }

    /// Reads a chunk that nobody wants, then refuses it.
    fn skip(
        &mut self,
        octets: u64,
        replies: u32,
        stage: &'static str,
        reply: Reply,
        is_verdict: bool,
        now: Instant,
    ) {
        let left_octets = octets;
        self.skip_chunk(Skip { left_octets, replies, stage, reply, is_verdict, faulty: None }, now);
    }

    fn skip_chunk(&mut self, skip: Skip, now: Instant) {
        if skip.left_octets > self.settings.limits.content_octets.saturating_add(SKIPPED_OCTETS_MAX) {
            return self.end_with(replies::TOO_LARGE, "refused");
        }
        if skip.left_octets == 0 {
            return self.skipped(skip);
        }
        self.deadline = now + self.settings.limits.content_timeout;
        self.skip = Some(Box::new(skip));
    }

    /// Takes octets of such a chunk. Returns how many those were.
    pub(super) fn take_skipped(&mut self, input: &[u8], now: Instant) -> usize {
        let Some(skip) = &mut self.skip else { return 0 };
        let taken = (input.len() as u64).min(skip.left_octets);
        skip.left_octets -= taken;
        if let Some(chunks) = &mut skip.faulty {
            chunks.scan.scan(&input[..taken as usize]);
            chunks.left_octets = skip.left_octets;
        }
        if skip.left_octets > 0 {
            self.deadline = now + self.settings.limits.content_timeout;
        } else if let Some(skip) = self.skip.take() {
            self.deadline = now + self.settings.limits.command_timeout;
            self.skipped(*skip);
        }
        taken as usize
    }

    fn skipped(&mut self, mut skip: Skip) {
        let (limits, quirks) = (&self.settings.limits, &self.settings.quirks);
        if let Some(fault) = skip.faulty.and_then(|chunks| chunks.find_fault(limits, quirks)) {
            skip.reply = fault.reply();
        }
        if skip.replies == 0 {
            return self.abort("no valid recipients");
        }
        self.say_more(skip.replies, &skip.reply);
        if skip.is_verdict {
            self.say_verdict(&skip.reply);
        } else {
            self.refuse(skip.stage, skip.reply);
        }
    }
}
