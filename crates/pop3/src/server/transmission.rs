//! A message on its way to the client: RETR whole, TOP in part (RFC 1939 §5, §7).

use super::{Question, phrases::Phrase};
use crate::Language;
use bytes::{Bytes, BytesMut};
use posta_wire::DotEncoder;
use std::fmt::Write;

/// From this size on a piece is handed on as it lies; below, one copy beside the status line is
/// cheaper than one more thing to send.
const COPIED_OCTETS_MAX: usize = 16 * 1024;

/// What is sent of a message.
#[derive(Debug)]
pub(super) enum Purpose {
    /// All.
    Retrieve,
    /// The header, the empty line, and some lines.
    Top(TopCutter),
}

impl Purpose {
    pub(super) fn top(lines: u32) -> Purpose {
        Purpose::Top(TopCutter { in_header: true, line: LineSoFar::Empty, lines_left: lines })
    }
}

/// What is to happen after a piece was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Ask for the next.
    More,
    /// The reply is whole.
    Complete,
    /// The content is not as long as was promised; the reply must not look whole.
    SizeWrong,
}

/// A message being sent.
#[derive(Debug)]
pub(super) struct Transmission {
    index: usize,
    purpose: Purpose,
    /// Of the status line.
    language: Language,
    size_octets: u64,
    /// Octets of the content that were handed in.
    offset: u64,
    encoder: DotEncoder,
    /// Whether the next octet begins a line.
    at_line_start: bool,
    /// The last octet handed in was a CR.
    after_cr: bool,
}

impl Transmission {
    pub(super) fn new(index: usize, size_octets: u64, purpose: Purpose, language: Language) -> Transmission {
        Transmission {
            index,
            purpose,
            language,
            size_octets,
            offset: 0,
            encoder: DotEncoder::new(),
            at_line_start: true,
            after_cr: false,
        }
    }

    pub(super) fn index(&self) -> usize {
        self.index
    }

    pub(super) fn is_retrieval(&self) -> bool {
        matches!(self.purpose, Purpose::Retrieve)
    }

    /// Whether something of the reply is written.
    pub(super) fn has_begun(&self) -> bool {
        self.offset > 0
    }

    /// Whether an empty piece makes sense now.
    pub(super) fn can_end(&self) -> bool {
        self.has_begun() || self.size_octets == 0
    }

    /// What is needed next.
    pub(super) fn question(&self) -> Question {
        Question::Content { index: self.index, offset: self.offset }
    }

    /// Writes a piece as it goes onto the wire, and what belongs before and after it. `queue` takes
    /// what is not worth a copy; `out` is what comes after all that is in `queue`.
    pub(super) fn write(&mut self, piece: Bytes, out: &mut BytesMut, queue: &mut impl Extend<Bytes>) -> Step {
        let (piece_octets, at_end) = (piece.len(), piece.is_empty());
        if !self.has_begun() {
            self.write_status(piece_octets, out);
        }
        let (piece, cut) = self.cut(piece);
        let ends_line = match &piece[..] {
            [] => self.at_line_start,
            [b'\n'] => self.after_cr,
            octets => octets.ends_with(b"\r\n"),
        };
        self.after_cr = piece.last() == Some(&b'\r');
        let encoded = self.encode(piece, ends_line);
        if encoded.len() <= COPIED_OCTETS_MAX {
            out.extend_from_slice(&encoded);
        } else {
            queue.extend((!out.is_empty()).then(|| std::mem::take(out).freeze()));
            queue.extend([encoded]);
        }
        self.offset += piece_octets as u64;
        self.at_line_start = ends_line;
        if cut {
            return self.finish(out);
        }
        // A last line without CRLF gets one, and the octet count has it (see `MessageEntry`).
        let total = self.offset + if self.at_line_start { 0 } else { 2 };
        match (at_end, self.offset.cmp(&self.size_octets)) {
            (_, std::cmp::Ordering::Greater) => Step::SizeWrong,
            (_, std::cmp::Ordering::Equal) => self.finish(out),
            (true, _) if total == self.size_octets => self.finish(out),
            (true, _) => Step::SizeWrong,
            (false, _) => Step::More,
        }
    }

    fn write_status(&self, piece_octets: usize, out: &mut BytesMut) {
        // Room for the status line, the content with a few dots, and the end: one allocation.
        out.reserve(64 + piece_octets.min(COPIED_OCTETS_MAX));
        let written = match self.purpose {
            // No reply is made for it: this is said more often than all else together.
            Purpose::Retrieve if self.language == Language::English => {
                write!(out, "+OK {} octets\r\n", self.size_octets)
            }
            Purpose::Retrieve => {
                write!(out, "+OK {}\r\n", Phrase::Octets.say(self.language, &[&self.size_octets]))
            }
            Purpose::Top(_) => write!(out, "+OK {}\r\n", Phrase::TopFollows.say(self.language, &[])),
        };
        debug_assert!(written.is_ok(), "a buffer takes everything");
    }

    /// For TOP: what belongs to it, and whether that is the end.
    fn cut(&mut self, piece: Bytes) -> (Bytes, bool) {
        match &mut self.purpose {
            Purpose::Retrieve => (piece, false),
            Purpose::Top(cutter) => match cutter.cut(&piece) {
                Some(octets) => (piece.slice(..octets), true),
                None => (piece, false),
            },
        }
    }

    fn encode(&mut self, piece: Bytes, ends_line: bool) -> Bytes {
        // From line start to line start without a dot at one: the encoder would change nothing, and
        // would be where it is. One search instead of work on each line.
        let untouched = self.at_line_start
            && ends_line
            && piece.first() != Some(&b'.')
            && memchr::memmem::find(&piece, b"\r\n.").is_none();
        if untouched { piece } else { self.encoder.encode(piece) }
    }

    fn finish(&mut self, out: &mut BytesMut) -> Step {
        out.extend_from_slice(std::mem::take(&mut self.encoder).finish());
        Step::Complete
    }
}

/// Finds the end of what TOP shows.
#[derive(Debug)]
pub(super) struct TopCutter {
    in_header: bool,
    line: LineSoFar,
    lines_left: u32,
}

/// What the line has that is not ended yet; pieces may end anywhere in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineSoFar {
    Empty,
    /// One CR and nothing else: blank, if it ends here.
    Cr,
    Text,
}

impl LineSoFar {
    fn and(self, octets: &[u8]) -> Self {
        match (self, octets) {
            (_, []) => self,
            (LineSoFar::Empty, [b'\r']) => LineSoFar::Cr,
            _ => LineSoFar::Text,
        }
    }
}

impl TopCutter {
    /// How many octets of the piece still belong, when the rest does not.
    fn cut(&mut self, piece: &[u8]) -> Option<usize> {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', piece) {
            let blank = self.line.and(&piece[start..end]) != LineSoFar::Text;
            self.line = LineSoFar::Empty;
            start = end + 1;
            match (self.in_header, blank) {
                (true, true) => self.in_header = false,
                (true, false) => continue,
                (false, _) => self.lines_left -= 1,
            }
            if self.lines_left == 0 {
                return Some(start);
            }
        }
        self.line = self.line.and(&piece[start..]);
        None
    }
}
