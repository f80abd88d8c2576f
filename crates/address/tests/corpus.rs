//! Addresses collected by others: isemail and python-email-validator. Where our answer differs from
//! theirs, the reason stands here.

use posta_address::Mailbox;
use std::{io::Write, path::Path};

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpus");

fn cases(file: &str) -> Option<Vec<serde_json::Value>> {
    let Ok(text) = std::fs::read_to_string(Path::new(CORPUS).join(file)) else {
        let _ = writeln!(std::io::stderr(), "skipped: the corpus {file} is not there");
        return None;
    };
    Some(serde_json::from_str(&text).expect("a list in JSON"))
}

/// Compares, and demands that each difference that is named is one.
fn compare(answers: impl Iterator<Item = (String, bool, String)>, differences: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    let mut met = 0;
    for (address, valid, said) in answers {
        let parsed = Mailbox::parse(&address);
        let differs = parsed.is_ok() != valid;
        let named = differences.iter().any(|(prefix, _)| address.starts_with(prefix));
        met += usize::from(differs && named);
        if differs != named {
            wrong.push(format!("{address:?}: {said}, ours: {parsed:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(met, differences.len(), "each named difference is met once");
}

#[test]
fn isemail() {
    const DIFFERENCES: &[(&str, &str)] =
        &[("test@[IPv6:1111:2222:3333:4444:5555:6666::8888]", "RFC 4291 §2.2 lets `::` stand for one group")];
    let Some(cases) = cases("isemail/tests.shared.json") else { return };
    let answers = cases.iter().map(|case| {
        let address = case["address_decoded"].as_str().expect("a text").to_owned();
        let category = case["category"].as_str().expect("a text");
        // The other categories are no addresses for an envelope as they stand.
        let valid = matches!(category, "ISEMAIL_VALID_CATEGORY" | "ISEMAIL_DNSWARN" | "ISEMAIL_RFC5321");
        (address, valid, case["diagnosis"].to_string())
    });
    compare(answers, DIFFERENCES);
}

#[test]
fn email_validator() {
    const DIFFERENCES: &[(&str, &str)] = &[
        ("My Name <", "a display name is for headers, not for envelopes"),
        ("\"\u{73}\u{323}\u{307}\" <", "a display name is for headers, not for envelopes"),
        ("me@bad-tld-1", "hosts with a single label exist in private networks"),
        ("me@[IPv6:::1]", "address literals are valid (RFC 5321 §4.1.3)"),
        ("me@valid.invalid", "whether a domain is reserved is for the DNS to say"),
        ("me.\u{37e}@", "normalization of local-parts is their host's business (RFC 6531 §3.3)"),
        ("my.\u{fb2c}", "they count the octets after normalization, which is not ours to do"),
        ("\u{300}", "whether a local-part may begin with a combining mark is its host's business"),
        ("\u{3bb}ambda\u{30c4}@", "internationalized local-parts are valid (RFC 6531 §3.3)"),
    ];
    let Some(cases) = cases("email-validator/addresses.shared.json") else { return };
    let answers = cases.iter().map(|case| {
        let test = case["test"].as_str().expect("a text");
        let mut address = case["address"].as_str().expect("a text").to_owned();
        if test == "test_email_unsafe_character" {
            // As their test has it: the character is the local-part.
            address += "@test";
        }
        (address, test.starts_with("test_email_valid"), format!("{test}: {}", case["message"]))
    });
    compare(answers, DIFFERENCES);
}

/// What they make of the valid ones: the A-label form of the domain is the same.
#[test]
fn email_validator_domains() {
    let Some(cases) = cases("email-validator/addresses.shared.json") else { return };
    let mut count = 0;
    for case in &cases {
        let Some(ascii_domain) = case["expected"]["ascii_domain"].as_str() else { continue };
        let Ok(mailbox) = Mailbox::parse(case["address"].as_str().expect("a text")) else { continue };
        assert_eq!(mailbox.host().to_ascii(), ascii_domain);
        if let Some(ascii) = case["expected"]["ascii_email"].as_str() {
            assert_eq!(mailbox.to_ascii().expect("an ASCII local-part").to_string(), ascii);
        }
        count += 1;
    }
    assert!(count >= 10, "only {count}");
}
