//! What is read as an address and printed is read again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use posta_address::{AddressLiteral, Domain, ForwardPath, LocalPart, Mailbox, ReversePath};

fuzz_target!(|text: &str| {
    if let Ok(mailbox) = Mailbox::parse(text) {
        assert_eq!(Mailbox::parse(&mailbox.to_string()), Ok(mailbox));
    }
    if let Ok(local_part) = LocalPart::from_unquoted(text) {
        assert_eq!(LocalPart::parse(&local_part.to_string()), Ok(local_part));
    }
    if let Ok(domain) = Domain::parse(text) {
        assert_eq!(Domain::parse(domain.to_ascii()), Ok(domain));
    }
    if let Ok(literal) = AddressLiteral::parse(text) {
        assert_eq!(AddressLiteral::parse(&literal.to_string()), Ok(literal));
    }
    let _ = (ReversePath::parse(text), ForwardPath::parse(text));
});
