//! Dot transparency: what is stuffed comes back, and how either side is cut into pieces doesn't matter
//! (RFC 5321 §4.5.2).
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use posta_fuzz::{Pieces, split_choices};
use posta_wire::{ContentFacts, DotDecoder, DotEncoder, LineFaults};

fuzz_target!(|octets: &[u8]| {
    let Some((input, choices, pieces)) = split_choices(octets) else { return };
    let decoder = if choices & 1 == 0 { DotDecoder::new } else { DotDecoder::normalizing };

    let stuffed = encode(input, pieces);
    assert_eq!(stuffed, encode(input, Pieces::WHOLE));
    let mut expected = input.to_vec();
    if !input.is_empty() && !input.ends_with(b"\r\n") {
        expected.extend_from_slice(b"\r\n");
    }
    let back = Decoding::of(DotDecoder::new(), &stuffed, pieces);
    assert_eq!((&back.content, back.taken, back.ended), (&expected, stuffed.len(), true));
    assert_eq!(back.facts, ContentFacts::of(&expected).0);

    let whole = Decoding::of(decoder(), input, Pieces::WHOLE);
    assert_eq!(whole, Decoding::of(decoder(), input, pieces));
    if whole.ended && choices & 1 == 0 {
        let content = &whole.content;
        assert!(content.is_empty() || content.ends_with(b"\r\n"));
        assert_eq!((whole.facts, whole.faults), ContentFacts::of(content));
        // A line that begins with a dot and is not the end loses it, whether or not it was stuffed.
        assert!(content.len() + 3 <= whole.taken);
    }
    if whole.ended && choices & 1 == 1 {
        let faults = ContentFacts::of(&whole.content).1;
        assert!(!faults.bare_cr && !faults.bare_lf);
    }
});

fn encode(content: &[u8], pieces: Pieces) -> Vec<u8> {
    let mut encoder = DotEncoder::new();
    let mut stuffed = Vec::new();
    for piece in pieces.cut(content) {
        stuffed.extend_from_slice(&encoder.encode(Bytes::copy_from_slice(piece)));
    }
    stuffed.extend_from_slice(encoder.finish());
    stuffed
}

#[derive(Debug, PartialEq, Eq)]
struct Decoding {
    content: Vec<u8>,
    taken: usize,
    ended: bool,
    facts: ContentFacts,
    faults: LineFaults,
}

impl Decoding {
    fn of(mut decoder: DotDecoder, input: &[u8], pieces: Pieces) -> Decoding {
        let (mut content, mut taken, mut ended) = (Vec::new(), 0, false);
        for piece in pieces.cut(input) {
            let decoded = decoder.decode(piece, |octets| content.extend_from_slice(octets));
            taken += decoded.taken;
            ended = decoded.ended;
            if ended {
                break;
            }
            assert_eq!(decoded.taken, piece.len());
        }
        Decoding { content, taken, ended, facts: decoder.facts(), faults: decoder.faults() }
    }
}
