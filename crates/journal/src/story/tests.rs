//! Stories from records written as text.

use super::*;

/// Writes the journal, asks, and compares the text; times are left out of `expected`.
#[track_caller]
fn check(journal: &str, subject: &str, expected: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut lines = String::new();
    for (second, event) in journal.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate() {
        let rest = event.strip_prefix('{').expect("a JSON object");
        lines.push_str(&format!("{{\"at\":\"2026-11-23T18:45:{second:02}Z\",{rest}\n"));
    }
    for line in lines.lines() {
        serde_json::from_str::<Record>(line).expect("the test's records are good");
    }
    std::fs::write(folder.path().join("0000000000000001.jsonl"), lines).expect("writes");
    let explanation = explain(&Reader::new(folder.path()), &guess(subject)).expect("reads");
    let text = explanation.text(&TimeZone::UTC);
    let text: Vec<&str> = text
        .lines()
        .map(|line| line.strip_prefix("  2026-11-23 18:45:").map_or(line, |rest| &rest[4..]))
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(text, expected, "{}", text.join("\n"));
}

const TRIP: &str = r#"
    {"event":"accepted","id":"0000000000001","session":7,"peer":"127.0.0.1","from":"<alice@north.example>","to":["<bob@south.example>","<nobody@south.example>"],"size_octets":812,"message_id":"<1@north.example>","reason":"relay network 127.0.0.0/8"}
    {"event":"accepted","id":"0000000000009","from":"<>","to":["<carol@north.example>"],"size_octets":1,"reason":"another story"}
    {"event":"routed","id":"0000000000001","destination":"south.example","steps":["MX south.example → 10 mx.south.example","A mx.south.example → 127.0.0.1"],"hosts":["mx.south.example (127.0.0.1:2526)"]}
    {"event":"outcome","id":"0000000000001","to":"bob@south.example","fate":"relayed","host":"mx.south.example (127.0.0.1:2526)","detail":"250 2.0.0 taken"}
    {"event":"outcome","id":"0000000000001","to":"nobody@south.example","fate":"bounced","host":"mx.south.example (127.0.0.1:2526)","detail":"550 5.1.1 no such mailbox"}
    {"event":"accepted","id":"0000000000002","from":"<>","to":["<alice@north.example>"],"size_octets":2000,"reason":"bounce for 0000000000001"}
    {"event":"reported","id":"0000000000001","report":"0000000000002","to":"alice@north.example","kind":"failure"}
    {"event":"outcome","id":"0000000000002","to":"alice@north.example","fate":"delivered","detail":""}
    {"event":"fetched","session":8,"account":"alice@north.example","id":"0000000000002","deleted":true}
"#;

const TRIP_TOLD: &str = "
    0000000000001: from <alice@north.example> to <bob@south.example>, <nobody@south.example>
    accepted from 127.0.0.1: 812 octets from <alice@north.example> to <bob@south.example>, <nobody@south.example> (relay network 127.0.0.0/8)
    Message-ID: <1@north.example>
    mail for south.example goes to mx.south.example (127.0.0.1:2526)
    MX south.example → 10 mx.south.example
    A mx.south.example → 127.0.0.1
    handed over for bob@south.example: mx.south.example (127.0.0.1:2526) took responsibility
    mx.south.example (127.0.0.1:2526) said: 250 2.0.0 taken
    failed for good for nobody@south.example
    mx.south.example (127.0.0.1:2526) said: 550 5.1.1 no such mailbox
    a report of failure was made for alice@north.example; it travels as 0000000000002
    → 1 recipient handed over to the next host; 1 recipient failed, the sender was told
    0000000000002: from <> to <alice@north.example>
    made by Posta itself: 2000 octets from <> to <alice@north.example> (bounce for 0000000000001)
    put into the maildrop of alice@north.example
    removed from the maildrop by alice@north.example
    → 1 recipient delivered
";

#[test]
fn by_queue_id_the_bounce_is_followed_both_ways() {
    check(TRIP, "0000000000001", TRIP_TOLD);
    check(TRIP, "0000000000002", TRIP_TOLD);
}

#[test]
fn by_message_id_and_by_address_in_any_case() {
    check(TRIP, "<1@north.example>", TRIP_TOLD);
    check(TRIP, "1@north.example", TRIP_TOLD);
    check(TRIP, "Nobody@South.Example", TRIP_TOLD);
}

#[test]
fn what_was_refused_is_told_with_what_can_be_done() {
    check(
        r#"{"event":"refused","session":1,"peer":"192.0.2.7","stage":"rcpt","from":"<eve@evil.example>","to":"<x@far.example>","reply":"550 5.7.1 relaying denied","reason":"far.example is not hosted here"}"#,
        "eve@evil.example",
        "refused: mail from <eve@evil.example> to <x@far.example>, offered by 192.0.2.7
         refused at RCPT from 192.0.2.7: far.example is not hosted here
         we said: 550 5.7.1 relaying denied
         what can be done: relaying is only for networks named under [relay]; mail for hosted domains is welcome from everybody
         → never accepted: the peer still has it, and its own host tells the sender",
    );
}

#[test]
fn a_refused_login_is_found_by_whose_maildrop_it_was_about() {
    check(
        r#"{"event":"refused","session":1,"peer":"192.0.2.7","stage":"pass","reply":"-ERR [AUTH] no","reason":"wrong name or password (bob@south.example)"}"#,
        "Bob@south.example",
        "refused: a login from 192.0.2.7
         refused at PASS from 192.0.2.7: wrong name or password (bob@south.example)
         we said: -ERR [AUTH] no
         what can be done: check name and password; `posta account password` sets a new one
         → nobody was let in",
    );
}

#[test]
fn what_waits_says_until_when() {
    check(
        r#"
        {"event":"accepted","id":"0000000000001","from":"<>","to":["<a@b.example>"],"size_octets":1,"reason":"r"}
        {"event":"outcome","id":"0000000000001","to":"a@b.example","fate":"deferred","detail":"connection refused","next_attempt_at":"2026-11-23T19:00:00Z"}
        {"event":"operator","id":"0000000000001","action":"held"}"#,
        "0000000000001",
        "0000000000001: from <> to <a@b.example>
         made by Posta itself: 1 octets from <> to <a@b.example> (r)
         an attempt for a@b.example failed for now; the next attempt is at 2026-11-23 19:00:00 UTC
         connection refused
         the operator: held
         → 1 recipient waiting for the next attempt",
    );
}

#[test]
fn a_subject_is_taken_for_what_it_can_be() {
    assert_eq!(guess("0DQZT4X9H2K3M"), [Query::QueueId("0dqzt4x9h2k3m".into())]);
    assert!(matches!(guess("bob@south.example").as_slice(), [Query::MessageId(_), Query::Address(_)]));
    assert!(matches!(guess("<weird@@id>").as_slice(), [Query::MessageId(_)]));
    assert!(matches!(guess("2001:db8::1").as_slice(), [Query::Peer(_)]));
    assert!(guess("hello").is_empty());
}
