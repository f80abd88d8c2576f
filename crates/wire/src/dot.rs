//! Dot transparency, both ways (RFC 5321 §4.5.2, RFC 1939 §3).

use crate::{ContentFacts, LineFaults, content::ContentScan};
use bytes::{Bytes, BytesMut};

/// Takes a dot-stuffed content off the wire, in whatever pieces it comes, and learns about it
/// meanwhile.
///
/// The end is CR LF . CR LF and nothing else. Hosts that also stop at `LF . LF`, `CR LF . LF` and the
/// like can be made to see two messages where the host before them saw one ("SMTP smuggling"), so
/// that whoever sends the first chooses the envelope of the second. Here a bare CR or LF is only noted
/// ([`faults`](Self::faults)), never taken for a line end that could make a dot mean something.
#[derive(Debug, Clone, Default)]
pub struct DotDecoder {
    state: State,
    scan: ContentScan,
    normalizing: bool,
}

/// Where in a line the decoder is. What `Dot`, `DotCr` and `Cr` have read is not handed on yet.
///
/// ```text
///  LineStart ──.──▶ Dot ──CR──▶ DotCr ──LF──▶ Ended
///   ▲   │            │            │
///   │   └──other──┐  └──other──┐  └──other──┐
///   │             ▼            ▼            ▼
///   └─LF── Cr ◀─CR──────────  Within  ──────┘
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    LineStart,
    Dot,
    DotCr,
    Within,
    Cr,
    Ended,
}

/// What one call of [`DotDecoder::decode`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decoded {
    /// How many octets of the input belong to the content or its end.
    pub taken: usize,
    /// The final dot was among them.
    pub ended: bool,
}

impl DotDecoder {
    /// At the start of a content; hands bare CRs and LFs on as they are.
    pub fn new() -> Self {
        Self::default()
    }

    /// At the start of a content; makes each bare LF a CR LF and drops each bare CR, so that what is
    /// handed on has clean lines. What ends the content stays the same.
    pub fn normalizing() -> Self {
        DotDecoder { normalizing: true, ..Self::default() }
    }

    /// What is known of the content so far.
    pub fn facts(&self) -> ContentFacts {
        self.scan.facts()
    }

    /// What is wrong with its lines as they came, so far.
    pub fn faults(&self) -> LineFaults {
        self.scan.faults()
    }

    /// Octets of the header section so far, without the empty line after it.
    pub fn header_section_octets(&self) -> u64 {
        self.scan.header_section_octets()
    }

    /// Takes the next octets and hands the content's on, in as few pieces as there can be. Stops
    /// after the final dot; what follows it is not taken.
    pub fn decode(&mut self, input: &[u8], mut hand_on: impl FnMut(&[u8])) -> Decoded {
        let mut at = 0;
        // `input[run..at]` is content that is not yet handed on.
        let mut run = 0;
        while at < input.len() && self.state != State::Ended {
            match self.state {
                State::LineStart if input[at] == b'.' => {
                    flush(&input[run..at], &mut hand_on);
                    at += 1;
                    run = at;
                    self.state = State::Dot;
                }
                State::LineStart => self.state = State::Within,
                // The first dot of a line is not part of it; nor is what follows, if that is the end.
                State::Dot if input[at] == b'\r' => {
                    at += 1;
                    run = at;
                    self.state = State::DotCr;
                }
                State::Dot => self.state = State::Within,
                State::DotCr if input[at] == b'\n' => {
                    at += 1;
                    run = at;
                    self.state = State::Ended;
                }
                State::DotCr => {
                    self.bare_cr(&mut hand_on);
                    self.state = State::Within;
                }
                State::Cr if input[at] == b'\n' => {
                    hand_on(b"\r");
                    at += 1;
                    self.scan.end_of_line(b"\r\n");
                    self.state = State::LineStart;
                }
                State::Cr => {
                    self.bare_cr(&mut hand_on);
                    self.state = State::Within;
                }
                State::Within => at = self.within(input, at, &mut run, &mut hand_on),
                State::Ended => break,
            }
        }
        flush(&input[run..at], &mut hand_on);
        Decoded { taken: at, ended: self.state == State::Ended }
    }

    /// Goes on to the end of the line, or of the input, or past something odd.
    fn within(&mut self, input: &[u8], at: usize, run: &mut usize, hand_on: &mut impl FnMut(&[u8])) -> usize {
        let Some(found) = memchr::memchr3(b'\r', b'\n', 0, &input[at..]) else {
            self.scan.part_of_line(&input[at..]);
            return input.len();
        };
        let index = at + found;
        match (input[index], input.get(index + 1)) {
            (b'\r', Some(b'\n')) => {
                self.scan.end_of_line(&input[at..index + 2]);
                self.state = State::LineStart;
                return index + 2;
            }
            (b'\r', _) => {
                self.scan.part_of_line(&input[at..index]);
                flush(&input[*run..index], hand_on);
                *run = index + 1;
                self.state = State::Cr;
            }
            (b'\n', _) => {
                if self.normalizing {
                    self.scan.note_mended(|faults| faults.bare_lf = true);
                    self.scan.part_of_line(&input[at..index]);
                    flush(&input[*run..index], hand_on);
                    *run = index + 1;
                    hand_on(b"\r\n");
                    self.scan.end_of_line(b"\r\n");
                } else {
                    self.scan.note(|faults| faults.bare_lf = true);
                    self.scan.part_of_line(&input[at..index + 1]);
                }
            }
            _ => {
                self.scan.note(|faults| faults.nul = true);
                self.scan.part_of_line(&input[at..index + 1]);
            }
        }
        index + 1
    }

    /// A CR that was held back turned out to be bare.
    fn bare_cr(&mut self, hand_on: &mut impl FnMut(&[u8])) {
        if self.normalizing {
            self.scan.note_mended(|faults| faults.bare_cr = true);
        } else {
            self.scan.note(|faults| faults.bare_cr = true);
            hand_on(b"\r");
            self.scan.part_of_line(b"\r");
        }
    }
}

fn flush(octets: &[u8], hand_on: &mut impl FnMut(&[u8])) {
    if !octets.is_empty() {
        hand_on(octets);
    }
}

/// Stuffs a content for the wire, in whatever pieces it comes.
///
/// A piece that needs no stuffing goes through as it lies, without a copy.
#[derive(Debug, Clone)]
pub struct DotEncoder {
    before: Before,
    faults: LineFaults,
}

/// What went before the next octet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    LineStart,
    Cr,
    Other,
}

impl Default for DotEncoder {
    fn default() -> Self {
        Self::new()
    }
}

impl DotEncoder {
    /// At the start of a content.
    pub fn new() -> Self {
        DotEncoder { before: Before::LineStart, faults: LineFaults::default() }
    }

    /// Bare CRs and LFs seen so far. Content that has any must not be sent on by SMTP (RFC 5321
    /// §2.3.8): another host might take part of it for the end.
    pub fn faults(&self) -> LineFaults {
        LineFaults { bare_cr: self.faults.bare_cr || self.before == Before::Cr, ..self.faults }
    }

    /// The same, without a CR at the very end, whose LF may still come.
    pub fn faults_within(&self) -> LineFaults {
        self.faults
    }

    /// The next piece as it goes onto the wire.
    pub fn encode(&mut self, piece: Bytes) -> Bytes {
        let mut stuffed = BytesMut::new();
        // `piece[run..]` is not in `stuffed` yet.
        let mut run = 0;
        let mut at = 0;
        while at < piece.len() {
            if self.before == Before::LineStart && piece[at] == b'.' {
                if stuffed.is_empty() {
                    stuffed.reserve(piece.len() + piece.len() / 16 + 16);
                }
                stuffed.extend_from_slice(&piece[run..at]);
                stuffed.extend_from_slice(b".");
                run = at;
            }
            at = self.line(&piece, at);
        }
        if stuffed.is_empty() {
            return piece;
        }
        stuffed.extend_from_slice(&piece[run..]);
        stuffed.freeze()
    }

    /// Goes past the next CR LF (or something odd), or to the end of the piece.
    fn line(&mut self, piece: &[u8], at: usize) -> usize {
        if self.before == Before::Cr {
            if piece[at] == b'\n' {
                self.before = Before::LineStart;
                return at + 1;
            }
            self.faults.bare_cr = true;
        }
        self.before = Before::Other;
        let Some(found) = memchr::memchr3(b'\r', b'\n', 0, &piece[at..]) else {
            return piece.len();
        };
        let index = at + found;
        match (piece[index], piece.get(index + 1)) {
            (b'\r', Some(b'\n')) => {
                self.before = Before::LineStart;
                return index + 2;
            }
            (b'\r', None) => self.before = Before::Cr,
            (b'\r', Some(_)) => self.faults.bare_cr = true,
            (b'\n', _) => self.faults.bare_lf = true,
            _ => self.faults.nul = true,
        }
        index + 1
    }

    /// What ends the content: the final dot, with a CR LF before it where the last line has none
    /// (RFC 5321 §4.1.1.4).
    pub fn finish(self) -> &'static [u8] {
        match self.before {
            Before::LineStart => b".\r\n",
            Before::Cr | Before::Other => b"\r\n.\r\n",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Content, octets taken, ended.
    fn decode_with(mut decoder: DotDecoder, pieces: &[&[u8]]) -> (Vec<u8>, usize, bool, DotDecoder) {
        let mut content = Vec::new();
        let mut taken = 0;
        let mut ended = false;
        for piece in pieces {
            let decoded = decoder.decode(piece, |octets| content.extend_from_slice(octets));
            taken += decoded.taken;
            ended = decoded.ended;
            if ended {
                break;
            }
            assert_eq!(decoded.taken, piece.len());
        }
        (content, taken, ended, decoder)
    }

    fn decode(pieces: &[&[u8]]) -> (Vec<u8>, usize, bool, DotDecoder) {
        decode_with(DotDecoder::new(), pieces)
    }

    fn encode(pieces: &[&[u8]]) -> Vec<u8> {
        let mut encoder = DotEncoder::new();
        let mut wire = Vec::new();
        for piece in pieces {
            wire.extend_from_slice(&encoder.encode(Bytes::copy_from_slice(piece)));
        }
        wire.extend_from_slice(encoder.finish());
        wire
    }

    #[test]
    fn unstuffing() {
        let cases: &[(&str, &str)] = &[
            (".\r\n", ""),
            ("a\r\n.\r\n", "a\r\n"),
            ("..\r\n.\r\n", ".\r\n"),
            (".a\r\n..b\r\n...\r\n.\r\n", "a\r\n.b\r\n..\r\n"),
            ("a.\r\n.\r\n", "a.\r\n"),
            ("\r\n\r\n.\r\n", "\r\n\r\n"),
        ];
        for (wire, content) in cases {
            let (got, taken, ended, _) = decode(&[wire.as_bytes(), b"QUIT\r\n"]);
            assert!(ended, "{wire:?}");
            assert_eq!((got.as_slice(), taken), (content.as_bytes(), wire.len()), "{wire:?}");
        }
    }

    #[test]
    fn what_follows_the_end_is_left() {
        let (_, taken, ended, _) = decode(&[b"a\r\n.\r\nQUIT\r\n"]);
        assert_eq!((taken, ended), (6, true));
    }

    /// The sequences that have been used against mail servers; none of them is an end.
    const FALSE_ENDS: &[&[u8]] = &[
        b"\n.\n",
        b"\n.\r",
        b"\r.\n",
        b"\r.\r",
        b"\n.\r\n",
        b"\r.\r\n",
        b"\r\n.\n",
        b"\r\n.\r",
        b"\r\n\0.\r\n",
        b"\r\n.\0\r\n",
        b"\r\n.\r\r\n",
        b"\r\r\n.\r\r\n",
        b"\r\n. \r\n",
    ];

    #[test]
    fn no_false_end() {
        for sequence in FALSE_ENDS {
            let wire = [b"text", *sequence, b"MAIL FROM:<x@y.example>\r\n"].concat();
            for decoder in [DotDecoder::new(), DotDecoder::normalizing()] {
                let (_, taken, ended, decoder) = decode_with(decoder, &[&wire]);
                assert!(!ended, "{}", sequence.escape_ascii());
                assert_eq!(taken, wire.len());
                let faults = decoder.faults();
                let odd = faults.bare_cr || faults.bare_lf || faults.nul;
                assert!(odd || *sequence == b"\r\n. \r\n", "{}", sequence.escape_ascii());
            }
        }
    }

    #[test]
    fn normalized_lines_are_clean() {
        for sequence in FALSE_ENDS {
            let wire = [b"text", *sequence, b"more\r\n.\r\n"].concat();
            let (content, _, ended, decoder) = decode_with(DotDecoder::normalizing(), &[&wire]);
            assert!(ended);
            let (facts, faults) = ContentFacts::of(&content);
            assert!(!faults.bare_cr && !faults.bare_lf, "{}", content.escape_ascii());
            assert_eq!(decoder.facts(), facts, "{}", content.escape_ascii());
            // Sent on, it is one message still.
            let (again, ..) = decode(&[&encode(&[&content])]);
            assert_eq!(again, content);
        }
    }

    #[test]
    fn stuffing() {
        let cases: &[(&str, &str)] = &[
            ("", ".\r\n"),
            ("a", "a\r\n.\r\n"),
            ("a\r\n", "a\r\n.\r\n"),
            (".\r\n", "..\r\n.\r\n"),
            ("a\r\n.b\r\n..\r\n", "a\r\n..b\r\n...\r\n.\r\n"),
            ("a\n.b", "a\n.b\r\n.\r\n"),
        ];
        for (content, wire) in cases {
            assert_eq!(encode(&[content.as_bytes()]), wire.as_bytes(), "{content:?}");
        }
    }

    #[test]
    fn what_needs_no_stuffing_is_not_copied() {
        let piece = Bytes::from_static(b"Subject: x\r\n\r\nNothing. at. all.\r\n");
        let encoded = DotEncoder::new().encode(piece.clone());
        assert_eq!(encoded.as_ptr(), piece.as_ptr());
    }

    fn octets() -> impl Strategy<Value = Vec<u8>> {
        let part = prop_oneof![
            3 => Just(&b"\r\n"[..]),
            1 => Just(&b"\r"[..]),
            1 => Just(&b"\n"[..]),
            3 => Just(&b"."[..]),
            1 => Just(&b"\0"[..]),
            2 => Just(&b"a\xe4"[..]),
            1 => Just(&b"Received:"[..]),
        ];
        proptest::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn encoded_and_decoded_again(content in octets(), cut in 1usize..9, cut_again in 1usize..9) {
            let pieces: Vec<&[u8]> = content.chunks(cut).collect();
            let wire = encode(&pieces);
            let wire_pieces: Vec<&[u8]> = wire.chunks(cut_again).collect();
            let (mut got, taken, ended, decoder) = decode(&wire_pieces);
            prop_assert!(ended);
            prop_assert_eq!(taken, wire.len());
            prop_assert_eq!(decoder.facts(), ContentFacts::of(&got).0);
            prop_assert_eq!(decoder.faults(), ContentFacts::of(&got).1);
            if !content.is_empty() && !content.ends_with(b"\r\n") {
                prop_assert_eq!(got.split_off(got.len() - 2), b"\r\n");
            }
            prop_assert_eq!(got, content);
        }

        #[test]
        fn pieces_make_no_difference(wire in octets(), cut in 1usize..9, normalizing: bool) {
            let decoder = DotDecoder { normalizing, ..DotDecoder::default() };
            let pieces: Vec<&[u8]> = wire.chunks(cut).collect();
            let (content, taken, ended, cut_up) = decode_with(decoder.clone(), &pieces);
            let (whole_content, whole_taken, whole_ended, whole) = decode_with(decoder, &[&wire]);
            prop_assert_eq!((taken, ended), (whole_taken, whole_ended));
            prop_assert_eq!(content, whole_content);
            prop_assert_eq!(cut_up.facts(), whole.facts());
            prop_assert_eq!(cut_up.faults(), whole.faults());
        }

        #[test]
        fn ends_where_the_rfc_says(wire in octets()) {
            let end = if wire.starts_with(b".\r\n") {
                Some(3)
            } else {
                memchr::memmem::find(&wire, b"\r\n.\r\n").map(|index| index + 5)
            };
            let (_, taken, ended, _) = decode(&[&wire]);
            prop_assert_eq!((taken, ended), (end.unwrap_or(wire.len()), end.is_some()));
        }
    }
}
