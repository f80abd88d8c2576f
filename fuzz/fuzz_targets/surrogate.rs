//! Any octets as a message for a POP3 client that knows only ASCII in header sections: its own is ASCII then,
//! and what needs nothing stays as it is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use posta_message::{Message, surrogate};

fuzz_target!(|octets: &[u8]| {
    let after = surrogate::with_ascii_headers(octets);
    assert!(Message::parse(&after).root().raw_header().is_ascii());
    assert!(!octets.is_ascii() || *after == *octets);
});
