//! What is read as an address and printed is read again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use posta_address::{AddressLiteral, Domain, ForwardPath, Host, LocalPart, Mailbox, ReversePath};

fuzz_target!(|text: &str| {
    if let Ok(mailbox) = Mailbox::parse(text) {
        let printed = mailbox.to_string();
        assert!(!printed.contains(|c: char| c.is_ascii_control()), "{printed:?}");
        if let Some(ascii) = mailbox.to_ascii() {
            assert!(ascii.is_ascii() && ascii.to_string().is_ascii());
            assert_eq!(ascii, mailbox);
        }
        assert_eq!(Mailbox::parse(&printed), Ok(mailbox));
    }
    if let Ok(local_part) = LocalPart::from_unquoted(text) {
        assert_eq!(LocalPart::parse(&local_part.to_string()), Ok(local_part));
    }
    if let Ok(local_part) = LocalPart::parse(text) {
        assert_eq!(LocalPart::parse(&local_part.to_string()), Ok(local_part));
    }
    if let Ok(domain) = Domain::parse(text) {
        assert!(domain.to_ascii().is_ascii());
        assert_eq!(Domain::parse(domain.to_ascii()).as_ref(), Ok(&domain));
        assert_eq!(Domain::parse(&domain.to_string()), Ok(domain));
    }
    if let Ok(literal) = AddressLiteral::parse(text) {
        assert_eq!(AddressLiteral::parse(&literal.to_string()), Ok(literal));
    }
    if let Ok(host) = Host::parse(text) {
        assert_eq!(Host::parse(&host.to_string()), Ok(host));
    }
    if let Ok(path) = ReversePath::parse(text) {
        assert_eq!(ReversePath::parse(&path.to_string()), Ok(path));
    }
    if let Ok(path) = ForwardPath::parse(text) {
        assert_eq!(ForwardPath::parse(&path.to_string()), Ok(path));
    }
});
