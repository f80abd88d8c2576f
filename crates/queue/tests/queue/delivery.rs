//! Attempts against hosts that behave as told: one outcome per recipient, whatever they do.

use crate::world::{FakeHost, LETTER, World, mailbox, settings};
use posta_queue::Settings;
use std::time::Duration;

const ALICE: &str = "alice@north.example";
const BOB: &str = "bob@south.example";

/// Sends the letter from Alice to Bob (and Carol) at a host with these rules, and lets everything come
/// to its end: the outcomes as the journal has them, and how many reports Alice gets.
async fn check(rules: &str, to: &[&str], expected: &str, reports: usize) {
    let (world, _host) = World::south(rules).await;
    world.send(ALICE, to).await;
    world.settle().await;
    let expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(world.outcomes(), expected, "{rules}");
    let told: Vec<String> = world.reports().into_iter().map(|(to, _)| to).collect();
    assert_eq!(told, vec![ALICE.to_owned(); reports], "{rules}");
}

const HOST: &str = "mx.south.example (10.0.0.1:25)";

#[tokio::test(start_paused = true)]
async fn delivered() {
    let (world, host) = World::south("").await;
    world.send(ALICE, &[BOB, "carol@south.example"]).await;
    world.settle().await;
    assert_eq!(
        world.outcomes(),
        [
            format!("+0 {BOB} relayed {HOST}: 250 2.0.0 queued"),
            format!("+0 carol@south.example relayed {HOST}: 250 2.0.0 queued"),
        ]
    );
    assert_eq!(host.contents(), [LETTER], "byte for byte");
    let size = LETTER.len();
    assert_eq!(
        host.log(),
        [
            "1 EHLO north.example".to_owned(),
            format!("1 MAIL FROM:<{ALICE}> SIZE={size}"),
            format!("1 RCPT TO:<{BOB}>"),
            "1 RCPT TO:<carol@south.example>".to_owned(),
            "1 DATA".to_owned(),
            "1 (content)".to_owned(),
            // The connection waits a little for more, then says goodbye.
            "1 QUIT".to_owned(),
        ]
    );
    assert_eq!(world.routes().len(), 1);
    assert_eq!(world.routes()[0].1, ["mx.south.example (10.0.0.1:25)"]);
    let tally = world.audit().await;
    assert_eq!((tally.accepted, tally.relayed), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn each_stage_refuses_for_now() {
    let later =
        |words: &str| format!("+0 {BOB} deferred {HOST}: {words}\n+1 {BOB} relayed {HOST}: 250 2.0.0 queued");
    let table = [
        ("greeting: 421 4.3.2 busy; close | 220 mx", "421 4.3.2 busy"),
        ("EHLO: 421 busy; close | 250 mx", "421 busy"),
        ("MAIL: 451 4.3.0 try later | 250 ok", "451 4.3.0 try later"),
        ("RCPT: 450 4.2.0 greylisted | 250 ok", "450 4.2.0 greylisted"),
        ("DATA: 451 later | 354 go on", "451 later"),
        ("content: 452 4.3.1 disk full | 250 2.0.0 queued", "452 4.3.1 disk full"),
        ("content: 421 4.3.0 going down; close | 250 2.0.0 queued", "421 4.3.0 going down"),
    ];
    for (rules, words) in table {
        check(rules, &[BOB], &later(words), 0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn each_stage_refuses_for_good() {
    let bounced = |words: &str| format!("+0 {BOB} bounced {HOST}: {words}");
    let table = [
        ("greeting: 554 5.3.2 no mail here", "554 5.3.2 no mail here"),
        ("MAIL: 550 5.7.1 not you", "550 5.7.1 not you"),
        ("RCPT: 550 5.1.1 no such user", "550 5.1.1 no such user"),
        ("DATA: 554 5.5.1 no", "554 5.5.1 no"),
        ("content: 554 5.6.0 I don't like it", "554 5.6.0 I don't like it"),
        ("EHLO: 502 what?\nHELO: 550 go away", "550 go away"),
    ];
    for (rules, words) in table {
        check(rules, &[BOB], &bounced(words), 1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_connection_is_lost_at_each_stage() {
    let table = [
        ("greeting: close | 220 mx", "the connection was lost at the greeting"),
        ("EHLO: close | 250 mx", "the connection was lost at EHLO"),
        ("MAIL: close | 250 ok", "the connection was lost at MAIL"),
        ("RCPT: close | 250 ok", "the connection was lost at RCPT"),
        ("DATA: close | 354 go on", "the connection was lost at DATA"),
        (
            "content: close | 250 2.0.0 queued",
            "the connection was lost after the final dot, so nobody knows whether the message arrived",
        ),
    ];
    for (rules, words) in table {
        let expected =
            format!("+0 {BOB} deferred {HOST}: {words}\n+1 {BOB} relayed {HOST}: 250 2.0.0 queued");
        check(rules, &[BOB], &expected, 0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_connection_is_lost_in_the_content() {
    let (world, host) = World::south("EHLO: 250-mx\\n250 SIZE\ncut: close | go on").await;
    let content = format!("Subject: large\r\n\r\n{}", "a line of it\r\n".repeat(50_000));
    let entry = world.accept(ALICE, &[BOB], &content, |_| {}).await;
    world.queue.submit(entry);
    world.settle().await;
    assert_eq!(
        world.outcomes(),
        [
            format!("+0 {BOB} deferred {HOST}: the connection was lost at the content"),
            format!("+1 {BOB} relayed {HOST}: 250 2.0.0 queued"),
        ]
    );
    assert_eq!(host.contents().len(), 1, "nothing half was taken for whole");
}

// RFC 5321 §4.5.3.2: each reply has its time.
#[tokio::test(start_paused = true)]
async fn silence_at_each_stage() {
    let table = [
        ("greeting: silence | 220 mx", 5, "no reply to the greeting in time"),
        ("EHLO: silence | 250 mx", 5, "no reply to EHLO in time"),
        ("MAIL: silence | 250 ok", 5, "no reply to MAIL in time"),
        ("RCPT: silence | 250 ok", 5, "no reply to RCPT in time"),
        ("DATA: silence | 354 go on", 2, "no reply to DATA in time"),
        (
            "content: silence | 250 2.0.0 queued",
            10,
            "the host did not answer to the final dot, so nobody knows whether the message arrived",
        ),
    ];
    for (rules, minutes, words) in table {
        let expected = format!(
            "+{minutes} {BOB} deferred {HOST}: {words}\n+{} {BOB} relayed {HOST}: 250 2.0.0 queued",
            minutes + 1
        );
        check(rules, &[BOB], &expected, 0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_outcome_for_each_recipient() {
    let rules = "RCPT TO:<bob@: 550 5.1.1 unknown\nRCPT TO:<carol@: 450 4.2.2 full | 250 ok";
    let (world, host) = World::south(rules).await;
    world.send(ALICE, &[BOB, "carol@south.example", "dave@south.example"]).await;
    world.settle().await;
    assert_eq!(
        world.outcomes(),
        [
            format!("+0 carol@south.example deferred {HOST}: 450 4.2.2 full"),
            format!("+0 dave@south.example relayed {HOST}: 250 2.0.0 queued"),
            format!("+0 {BOB} bounced {HOST}: 550 5.1.1 unknown"),
            format!("+1 carol@south.example relayed {HOST}: 250 2.0.0 queued"),
        ]
    );
    assert_eq!(host.contents().len(), 2);
    let reports = world.reports();
    assert_eq!(reports.len(), 1);
    assert!(reports[0].1.contains("Final-Recipient: rfc822; bob@south.example"), "{}", reports[0].1);
    assert!(!reports[0].1.contains("carol"), "only who failed is reported");
}

#[tokio::test(start_paused = true)]
async fn one_report_for_all_who_fail_together() {
    let (world, _) = World::south("RCPT: 550 5.1.1 unknown").await;
    world.send(ALICE, &[BOB, "carol@south.example", "dave@south.example"]).await;
    world.settle().await;
    assert_eq!(world.reports().len(), 1);
    assert_eq!(world.reports()[0].1.matches("Final-Recipient:").count(), 3);
}

// RFC 5321 §4.1.1.1, §3.2: EHLO refused, so HELO.
#[tokio::test(start_paused = true)]
async fn old_host_without_ehlo_and_without_pipelining() {
    let (world, host) = World::south("EHLO: 500 what?").await;
    world.send(ALICE, &[BOB]).await;
    world.settle().await;
    let log = host.log();
    assert_eq!(
        log[..3],
        ["1 EHLO north.example", "1 HELO north.example", "1 MAIL FROM:<alice@north.example>"]
    );
    assert_eq!(host.contents(), [LETTER]);
}

// RFC 5321 §5.1: hosts in order of preference, all addresses of each.
#[tokio::test(start_paused = true)]
async fn next_host_when_the_first_does_not_take_it() {
    let zone = "
    south.example. 60 IN MX 10 one.example.
    south.example. 60 IN MX 20 two.example.
    one.example.   60 IN A 10.0.0.1
    one.example.   60 IN AAAA fd00::1
    two.example.   60 IN A 10.0.0.2";
    let relayed = format!("+0 {BOB} relayed two.example (10.0.0.2:25): 250 2.0.0 queued");
    let table: [(&[&str], &str); 6] = [
        (&[], ""),
        (&["10.0.0.1:25"], "greeting: 421 busy; close"),
        (&["10.0.0.1:25", "[fd00::1]:25"], "greeting: 554 not here; close"),
        (&["10.0.0.1:25"], "EHLO: close"),
        (&["10.0.0.1:25"], "MAIL: 451 later"),
        (&["10.0.0.1:25"], "RCPT: 450 later"),
    ];
    for (addresses, rules) in table {
        let (first, second) = (FakeHost::new(rules), FakeHost::new(""));
        let mut hosts = vec![("10.0.0.2:25", second.clone())];
        hosts.extend(addresses.iter().map(|address| (*address, first.clone())));
        let world = World::new(zone, &hosts, settings()).await;
        world.send(ALICE, &[BOB]).await;
        world.settle().await;
        assert_eq!(world.outcomes(), std::slice::from_ref(&relayed), "{rules}");
        assert_eq!(world.attempts(), ["[fd00::1]:25", "10.0.0.1:25", "10.0.0.2:25"], "{rules}");
        assert_eq!(second.contents(), [LETTER]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_recipient_is_not_tried_at_another_host() {
    let zone = "
    south.example. 60 IN MX 10 one.example.
    south.example. 60 IN MX 20 two.example.
    one.example.   60 IN A 10.0.0.1
    two.example.   60 IN A 10.0.0.2";
    let first = FakeHost::new("RCPT TO:<bob@: 550 5.1.1 unknown\nRCPT TO:<carol@: 451 later");
    let second = FakeHost::new("");
    let hosts = [("10.0.0.1:25", first.clone()), ("10.0.0.2:25", second.clone())];
    let world = World::new(zone, &hosts, settings()).await;
    world.send(ALICE, &[BOB, "carol@south.example"]).await;
    world.settle().await;
    assert_eq!(
        world.outcomes(),
        [
            format!("+0 {BOB} bounced one.example (10.0.0.1:25): 550 5.1.1 unknown"),
            "+0 carol@south.example relayed two.example (10.0.0.2:25): 250 2.0.0 queued".to_owned(),
        ]
    );
    assert!(second.log().iter().all(|line| !line.contains("bob")));
}

/// Lost after the final dot: not sent to the next host at once, where it would certainly be double.
#[tokio::test(start_paused = true)]
async fn lost_after_the_final_dot_waits() {
    let zone = "
    south.example. 60 IN MX 10 one.example.
    south.example. 60 IN MX 20 two.example.
    one.example.   60 IN A 10.0.0.1
    two.example.   60 IN A 10.0.0.2";
    let (first, second) = (FakeHost::new("content: close | 250 ok"), FakeHost::new(""));
    let hosts = [("10.0.0.1:25", first.clone()), ("10.0.0.2:25", second.clone())];
    let world = World::new(zone, &hosts, settings()).await;
    world.send(ALICE, &[BOB]).await;
    world.settle().await;
    assert_eq!((first.contents().len(), second.contents().len()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn ipv6_only() {
    let host = FakeHost::new("");
    let zone = "south.example. 60 IN AAAA fd00::1";
    let world = World::new(zone, &[("[fd00::1]:25", host.clone())], settings()).await;
    world.send(ALICE, &[BOB, "carol@[IPv6:fd00::1]"]).await;
    world.settle().await;
    assert_eq!(host.contents().len(), 2);
    assert_eq!(world.audit().await.relayed, 2);
}

const SIGNED: &str = "MIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\
    Content-Transfer-Encoding: 8bit\r\n\r\n\u{e4}\r\n--b\r\n\r\nsignature\r\n--b--\r\n";

/// RFC 6152 §3: for the host without 8BITMIME the content is made 7bit, for the others it is not.
#[tokio::test(start_paused = true)]
async fn made_7bit_for_one_host() {
    let zone = "\
    south.example. 60 IN A 10.0.0.1
    west.example.  60 IN A 10.0.0.2";
    let (old, new) = (FakeHost::new("EHLO: 250-mx\\n250 SIZE 1000"), FakeHost::new(""));
    let hosts = [("10.0.0.1:25", old.clone()), ("10.0.0.2:25", new.clone())];
    let world = World::new(zone, &hosts, settings()).await;
    let header = "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
        Content-Transfer-Encoding: ";
    let content = format!("{header}8bit\r\n\r\n.gr\u{fc}n\r\n");
    // The second goes over the connection of the first, and needs nothing.
    for content in [&content, LETTER] {
        let entry = world.accept(ALICE, &[BOB, "carol@west.example"], content, |_| {}).await;
        world.queue.submit(entry);
    }
    world.settle().await;
    let converted = format!("{header}quoted-printable\r\n\r\n=2Egr=C3=BCn\r\n");
    let mut contents = [old.contents(), new.contents()];
    contents.iter_mut().for_each(|contents| contents.sort());
    let letter = LETTER.to_owned();
    assert_eq!(contents, [vec![letter.clone(), converted.clone()], vec![letter, content]]);
    let size = format!("MAIL FROM:<{ALICE}> SIZE={}", converted.len());
    assert!(old.log().iter().any(|line| line.ends_with(&size)), "{:?}", old.log());
    let notes = world.routes().into_iter().flat_map(|(steps, _)| steps);
    assert_eq!(notes.filter(|step| step.contains("made 7bit")).count(), 1);
    assert_eq!(world.audit().await.relayed, 4);
}

/// A large one is converted in memory up to a limit, and bounces above it.
#[tokio::test(start_paused = true)]
async fn too_large_to_be_made_7bit() {
    let zone = "south.example. 60 IN A 10.0.0.1";
    let host = FakeHost::new("EHLO: 250 mx");
    let world = World::new(zone, &[("10.0.0.1:25", host.clone())], settings()).await;
    let line = format!("{}\u{e4}\r\n", "x".repeat(60));
    for octets in [1 << 20, posta_queue::limits::CONVERTED_OCTETS_MAX as usize] {
        let content = format!("Subject: x\r\n\r\n{}", line.repeat(octets / line.len() + 1));
        let entry = world.accept(ALICE, &[BOB], &content, |_| {}).await;
        world.queue.submit(entry);
    }
    world.settle().await;
    let tally = world.audit().await;
    assert_eq!((tally.relayed, tally.bounced), (1, 1));
    assert!(host.contents()[0].is_ascii() && host.contents()[0].len() > 1 << 20);
    assert!(world.reports()[0].1.contains("Status: 5.6.3\r\n"));
}

/// A host that lacks 8BITMIME does not decide for the one behind it.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_made_7bit_goes_to_the_next_host() {
    let zone = "\
    south.example. 60 IN MX 10 one.example.
    south.example. 60 IN MX 20 two.example.
    one.example.   60 IN A 10.0.0.1
    two.example.   60 IN A 10.0.0.2";
    let (old, new) = (FakeHost::new("EHLO: 250 mx"), FakeHost::new(""));
    let hosts = [("10.0.0.1:25", old.clone()), ("10.0.0.2:25", new.clone())];
    let world = World::new(zone, &hosts, settings()).await;
    let entry = world.accept(ALICE, &[BOB], SIGNED, |_| {}).await;
    world.queue.submit(entry);
    world.settle().await;
    assert_eq!((old.contents().len(), new.contents()), (0, vec![SIGNED.to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn what_the_host_cannot_take() {
    let zone = "south.example. 60 IN A 10.0.0.1";
    // rules, content, smtputf8, status, words in the report
    let long = format!("Subject: long\r\n\r\n{}", "x\r\n".repeat(500));
    let table = [
        // RFC 1847 §2.1: what is signed is not converted; and no transfer encoding reaches a header.
        ("EHLO: 250 mx", SIGNED, false, "5.6.3", "8BITMIME"),
        ("EHLO: 250 mx", "Subject: \u{e4}\r\n\r\nx\r\n", false, "5.6.3", "8BITMIME"),
        ("EHLO: 250-mx\\n250 8BITMIME", "Subject: x\r\n\r\nx\r\n", true, "5.6.7", "SMTPUTF8"),
        ("EHLO: 250-mx\\n250 SIZE 1000", long.as_str(), false, "5.3.4", "1000 octets"),
    ];
    for (rules, content, smtputf8, status, words) in table {
        let host = FakeHost::new(rules);
        let world = World::new(zone, &[("10.0.0.1:25", host.clone())], settings()).await;
        let change = |envelope: &mut posta_store::Envelope| {
            envelope.smtputf8 = smtputf8;
            envelope.facts.has_8bit_headers = smtputf8;
        };
        let entry = world.accept(ALICE, &[BOB], content, change).await;
        world.queue.submit(entry);
        world.settle().await;
        assert_eq!(world.audit().await.bounced, 1, "{rules}");
        let (to, report) = world.reports().pop().expect("a report");
        assert_eq!(to, ALICE);
        assert!(report.contains(&format!("Status: {status}\r\n")), "{report}");
        assert!(report.contains(words), "{report}");
        assert_eq!(host.contents().len(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn routes_that_lead_nowhere() {
    let null = "south.example. 60 IN MX 0 .";
    let own = "south.example. 60 IN MX 5 north.example.\nnorth.example. 60 IN A 10.0.0.9";
    let table = [
        ("", "5.1.2", "the domain south.example does not exist"),
        (null, "5.1.10", "the domain south.example accepts no mail (it has a null MX)"),
        (own, "5.4.6", "mail for south.example would loop back to this host"),
    ];
    for (zone, status, words) in table {
        let world = World::new(zone, &[], settings()).await;
        world.send(ALICE, &[BOB]).await;
        world.settle().await;
        assert_eq!(world.outcomes(), [format!("+0 {BOB} bounced: {words}")]);
        assert!(world.reports()[0].1.contains(&format!("Status: {status}\r\n")));
    }
}

#[tokio::test(start_paused = true)]
async fn the_dns_fails_for_a_while() {
    let host = FakeHost::new("");
    let world =
        World::new("south.example. 60 IN SERVFAIL", &[("10.0.0.1:25", host.clone())], settings()).await;
    world.send(ALICE, &[BOB]).await;
    world.wait(Duration::from_secs(30)).await;
    assert_eq!(world.outcomes(), [format!("+0 {BOB} deferred: looking up south.example: SERVFAIL")]);
    world.resolver.replace("south.example. 60 IN A 10.0.0.1".parse().unwrap());
    world.settle().await;
    assert_eq!(host.contents().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn smarthost_and_static_routes() {
    let (smart, fixed) = (FakeHost::new(""), FakeHost::new(""));
    let hosts = [("10.0.0.5:587", smart.clone()), ("10.0.0.6:2525", fixed.clone())];
    let mut settings: Settings = settings();
    settings.smarthost = Some("smart.example:587".parse().unwrap());
    settings.static_routes = [("south.example".parse().unwrap(), "10.0.0.6:2525".parse().unwrap())].into();
    let world = World::new("smart.example. 60 IN A 10.0.0.5", &hosts, settings).await;
    world.send(ALICE, &[BOB, "eve@east.example", "will@west.example"]).await;
    world.settle().await;
    // Different domains travel together to the smarthost.
    let recipients = |host: &FakeHost| host.log().iter().filter(|line| line.contains("RCPT")).count();
    assert_eq!((smart.contents().len(), recipients(&smart)), (1, 2));
    assert_eq!((fixed.contents().len(), recipients(&fixed)), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn connections_are_used_again() {
    let (world, host) = World::south("").await;
    for _ in 0..10 {
        world.send(ALICE, &[BOB]).await;
        world.wait(Duration::from_secs(1)).await;
    }
    assert_eq!((host.contents().len(), host.connections()), (10, 1));
    world.wait(Duration::from_secs(60)).await;
    world.send(ALICE, &[BOB]).await;
    world.settle().await;
    assert_eq!((host.contents().len(), host.connections()), (11, 2));
    assert_eq!(world.audit().await.relayed, 11);
}

#[tokio::test(start_paused = true)]
async fn messages_per_connection_are_bounded() {
    let host = FakeHost::new("");
    let mut settings = settings();
    settings.messages_per_connection = 3;
    let zone = "south.example. 60 IN A 10.0.0.1";
    let world = World::new(zone, &[("10.0.0.1:25", host.clone())], settings).await;
    for _ in 0..9 {
        world.send(ALICE, &[BOB]).await;
        world.wait(Duration::from_secs(1)).await;
    }
    assert_eq!((host.contents().len(), host.connections()), (9, 3));
}

/// A connection that waited may be closed by the peer at any time: that is no failure of the message.
#[tokio::test(start_paused = true)]
async fn a_connection_closed_while_idle() {
    for rule in ["MAIL: 250 ok | close | 250 ok", "MAIL: 250 ok | 421 4.4.2 too long idle; close | 250 ok"] {
        let (world, host) = World::south(rule).await;
        world.send(ALICE, &[BOB]).await;
        world.wait(Duration::from_secs(1)).await;
        world.send(ALICE, &[BOB]).await;
        world.settle().await;
        assert_eq!(world.audit().await.relayed, 2);
        assert_eq!((host.contents().len(), host.connections()), (2, 2));
        let relayed = format!("+0 {BOB} relayed {HOST}: 250 2.0.0 queued");
        assert_eq!(world.outcomes(), [relayed.clone(), relayed], "nothing was deferred");
    }
}

#[tokio::test(start_paused = true)]
async fn many_messages_share_few_connections() {
    let (world, host) = World::south("").await;
    for _ in 0..500 {
        world.send(ALICE, &[BOB]).await;
    }
    world.settle().await;
    assert_eq!(host.contents().len(), 500);
    assert!(host.connections() <= 20, "{}", host.connections());
}

#[tokio::test(start_paused = true)]
async fn a_large_content_goes_in_pieces() {
    let (world, host) = World::south("EHLO: 250-mx\\n250 SIZE").await;
    let content = format!("Subject: large\r\n\r\n{}", ".a line of the large message\r\n".repeat(20_000));
    let entry = world.accept(ALICE, &[BOB], &content, |_| {}).await;
    world.queue.submit(entry);
    world.settle().await;
    assert!(host.contents()[0] == content, "byte for byte");
}

/// A host that nobody can reach is tried by one probe; mail for others goes on.
#[tokio::test(start_paused = true)]
async fn a_dead_host_does_not_eat_all_slots() {
    let host = FakeHost::new("");
    let zone = "dead.example. 60 IN A 10.0.0.66\nsouth.example. 60 IN A 10.0.0.1";
    let mut settings = settings();
    settings.concurrency.total = 4;
    settings.concurrency.per_destination = 3;
    let world = World::new(zone, &[("10.0.0.1:25", host.clone())], settings).await;
    world.network.hosts.lock().unwrap().insert("10.0.0.66:25".parse().unwrap(), None);
    for number in 0..50 {
        world.send(ALICE, &[&format!("u{number}@dead.example")]).await;
    }
    world.send(ALICE, &[BOB]).await;
    world.wait(Duration::from_secs(1)).await;
    assert_eq!(host.contents().len(), 1, "there was a slot left");
    // The connect time passes once: the three in flight fail, the rest is told without trying.
    world.wait(Duration::from_secs(35)).await;
    assert_eq!(world.attempts().len(), 4);
    let deferred = world.outcomes().iter().filter(|line| line.contains("deferred")).count();
    assert_eq!(deferred, 50);
    assert!(
        world.outcomes().iter().any(|line| line.contains(
            "not tried now: at 2026-11-23 12:00:30 UTC no connection to 10.0.0.66:25: no answer in time"
        )),
        "{:#?}",
        world.outcomes()
    );
    // It comes back to life.
    let alive = FakeHost::new("");
    world.network.hosts.lock().unwrap().insert("10.0.0.66:25".parse().unwrap(), Some(alive.clone()));
    world.settle().await;
    assert_eq!(alive.contents().len(), 50);
    assert_eq!(world.audit().await.relayed, 51);
}

#[tokio::test(start_paused = true)]
async fn unicode_addresses() {
    let (world, host) = World::south("").await;
    let entry =
        world.accept(ALICE, &["jörg@south.example"], LETTER, |envelope| envelope.smtputf8 = true).await;
    world.queue.submit(entry);
    world.settle().await;
    assert!(host.log().contains(&"1 RCPT TO:<jörg@south.example>".to_owned()), "{:?}", host.log());
    assert_eq!(mailbox("jörg@south.example").to_string(), "jörg@south.example");
}

// RFC 9422 §4: as many recipients in one transaction, and transactions over one connection, as are taken.
#[tokio::test(start_paused = true)]
async fn a_hosts_limits_are_obeyed() {
    let five = ["a", "b", "c", "d", "e"].map(|user| format!("{user}@south.example"));
    let five: Vec<&str> = five.iter().map(String::as_str).collect();
    // Limits, transactions (connection and recipients).
    let table = [
        ("RCPTMAX=2", "1ab 1cd 1e"),
        ("RCPTMAX=2 MAILMAX=2", "1ab 1cd 2e"),
        ("MAILMAX=1 RCPTMAX=3", "1abc 2de"),
        ("RCPTDOMAINMAX=1", "1abcde"),
        ("RCPTMAX=0 NEW=1", "1abcde"),
    ];
    for (limits, expected) in table {
        let rules = format!("EHLO: 250-mx\\n250-PIPELINING\\n250 LIMITS {limits}");
        let (world, host) = World::south(&rules).await;
        world.send(ALICE, &five).await;
        world.settle().await;
        let mut transactions = String::new();
        for line in host.log() {
            let (connection, said) = line.split_once(' ').unwrap();
            if said.starts_with("MAIL") {
                transactions.push_str(&format!(" {connection}"));
            } else if let Some(path) = said.strip_prefix("RCPT TO:<") {
                transactions.push_str(&path[..1]);
            }
        }
        assert_eq!(transactions.trim(), expected, "{limits}");
        assert_eq!(world.audit().await.relayed, 5, "{limits}");
        assert!(world.outcomes().iter().all(|outcome| outcome.starts_with("+0 ")), "nobody waits");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_within_limits_concerns_its_own_transaction() {
    let rules = "EHLO: 250-mx\\n250-PIPELINING\\n250 LIMITS RCPTMAX=1\nRCPT TO:<bob@: 450 later | 250 ok";
    let (world, _) = World::south(rules).await;
    world.send(ALICE, &[BOB, "carol@south.example"]).await;
    world.settle().await;
    let outcomes = world.outcomes();
    assert_eq!(
        outcomes,
        [
            format!("+0 {BOB} deferred {HOST}: 450 later"),
            format!("+0 carol@south.example relayed {HOST}: 250 2.0.0 queued"),
            format!("+1 {BOB} relayed {HOST}: 250 2.0.0 queued"),
        ]
    );
}
