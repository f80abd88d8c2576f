//! What is encoded comes back; what is not encoded does no harm.
#![no_main]

use libfuzzer_sys::fuzz_target;
use posta_message::encoding::{base64, quoted_printable, uuencode};

fuzz_target!(|octets: &[u8]| {
    let (mut text, mut back) = (Vec::new(), Vec::new());
    base64::encode_lines(octets, &mut text);
    assert!(base64::decode_into(&text, &mut back));
    assert_eq!(back, octets);
    text.clear();
    back.clear();
    quoted_printable::encode(octets, &mut text);
    assert!(text.split(|octet| *octet == b'\n').all(|line| line.len() <= 77 && line.is_ascii()));
    assert!(quoted_printable::decode_into(&text, &mut back));
    assert_eq!(back, octets);
    let mut out = Vec::new();
    base64::decode_into(octets, &mut out);
    quoted_printable::decode_into(octets, &mut out);
    let _ = uuencode::decode(octets);
});
