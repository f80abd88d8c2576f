//! Over time: expiry, delay, reports, the operator's commands, stop and start.

use crate::world::{FakeHost, LETTER, World, mailbox, settings};
use posta_queue::QueueError;
use posta_store::{QueueId, Store};
use std::{sync::atomic::Ordering, time::Duration};

const ALICE: &str = "alice@north.example";
const BOB: &str = "bob@south.example";
const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(start_paused = true)]
async fn tried_for_five_days_then_returned() {
    let (world, host) = World::south("RCPT: 450 4.2.1 mailbox busy").await;
    world.send(ALICE, &[BOB]).await;
    world.settle().await;
    let minutes: Vec<String> =
        world.outcomes().iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(minutes[..9], ["+0", "+1", "+6", "+21", "+51", "+111", "+231", "+471", "+711"]);
    assert_eq!(minutes.last().unwrap(), "+7200", "five days, to the minute");
    assert_eq!(host.contents().len(), 0);
    let tally = world.audit().await;
    assert_eq!((tally.bounced, tally.queued), (1, 0));
    // First a warning, then the failure.
    let reports = world.reports();
    assert_eq!(reports.len(), 2);
    for (to, report) in &reports {
        assert_eq!(to, ALICE);
        assert!(
            report.contains("Status: 4.2.1\r\n") && report.contains("450 4.2.1 mailbox busy"),
            "{report}"
        );
    }
    assert!(
        reports[0].1.contains("Action: delayed\r\n")
            && reports[0].1.contains("Will-Retry-Until: Sat, 28 Nov 2026 12:00:00 +0000\r\n")
    );
    assert!(reports[1].1.contains("Action: failed\r\n") && reports[1].1.contains("tried for 5 days"));
}

#[tokio::test(start_paused = true)]
async fn a_report_that_fails_goes_to_the_postmaster_and_no_further() {
    let (world, _) = World::south("RCPT: 550 5.1.1 unknown").await;
    world.send("", &[BOB]).await;
    world.settle().await;
    let reports = world.reports();
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0].0, "postmaster@north.example");
    assert!(reports[0].1.contains("there is nobody else to tell"), "{}", reports[0].1);
    // And if it was for the postmaster already, it ends by the rule `double-bounce`.
    let mut elsewhere = settings();
    elsewhere.postmaster = mailbox("postmaster@south.example");
    world.queue.reload(elsewhere);
    world.send("", &["postmaster@south.example"]).await;
    world.settle().await;
    assert_eq!(world.reports().len(), 1);
    let outcome = world.outcomes().pop().unwrap();
    assert_eq!(outcome, "+1 postmaster@south.example discarded: double-bounce: 550 5.1.1 unknown");
    let tally = world.audit().await;
    // One discarded is the report itself, which this world only looks at.
    assert_eq!((tally.bounced, tally.discarded), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_sender_who_does_not_exist() {
    let (world, _) = World::south("RCPT: 550 5.1.1 unknown").await;
    world.reinjection.refused.lock().unwrap().push(mailbox(ALICE));
    world.send(ALICE, &[BOB]).await;
    world.settle().await;
    assert_eq!(world.reports()[0].0, "postmaster@north.example");
    // Not even the postmaster exists.
    world.reinjection.refused.lock().unwrap().push(mailbox("postmaster@north.example"));
    world.send(ALICE, &[BOB]).await;
    world.settle().await;
    assert_eq!(world.reports().len(), 1);
    assert!(world.outcomes().last().unwrap().contains("discarded: double-bounce: "));
}

#[tokio::test(start_paused = true)]
async fn reports_of_null_paths_expire_sooner_and_warn_nobody() {
    let (world, _) = World::south("RCPT: 450 later").await;
    world.send("", &[BOB]).await;
    world.settle().await;
    assert!(world.outcomes().last().unwrap().starts_with("+2880 "), "{:?}", world.outcomes());
    assert_eq!(world.reports().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn our_own_store_fails_when_a_report_is_made() {
    let (world, _) = World::south("RCPT: 550 5.1.1 unknown").await;
    world.reinjection.failures.store(2, Ordering::Relaxed);
    world.send(ALICE, &[BOB]).await;
    world.wait(Duration::from_secs(10)).await;
    assert_eq!((world.reports().len(), world.audit().await.queued), (0, 1), "nothing is settled");
    world.settle().await;
    assert_eq!((world.reports().len(), world.audit().await.bounced), (1, 1), "told once");
}

#[tokio::test(start_paused = true)]
async fn our_own_store_fails_when_an_outcome_is_noted() {
    let (world, host) = World::south("").await;
    let id = world.send(ALICE, &[BOB]).await;
    // The letter is on its way; now the disk is full.
    world.store.set_failure(Some("no space left".to_owned()));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(host.contents().len(), 1);
    assert!(world.store.queue_entry(id).await.unwrap().is_some(), "not noted yet");
    world.store.set_failure(None);
    world.settle().await;
    assert_eq!(world.audit().await.relayed, 1);
    assert_eq!(host.contents().len(), 1, "noted without sending it again");
}

/// The report itself, whole.
#[tokio::test(start_paused = true)]
async fn a_report_in_full() {
    let (world, _) = World::south("RCPT: 550-5.1.1 No such person here,\\n550 5.1.1 ask somebody else").await;
    let id = world.send(ALICE, &[BOB]).await;
    world.settle().await;
    let (to, report) = world.reports().pop().unwrap();
    assert_eq!(to, ALICE);
    let lines: Vec<&str> = report.split("\r\n").collect();
    let id = id.to_string();
    for expected in [
        "From: Mail Delivery System <postmaster@north.example>",
        "To: alice@north.example",
        "Subject: Not delivered: Tea",
        "Date: Mon, 23 Nov 2026 12:00:00 +0000",
        "In-Reply-To: <letter@north.example>",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        "This is the mail system at north.example.",
        "Your message could not be delivered to:",
        "  bob@south.example",
        "    The host mx.south.example (10.0.0.1:25) said: 550 5.1.1 No such",
        "    person here, ask somebody else",
        "    Please check the address for typing errors, or ask the person for",
        "    the right one another way.",
        "It will not be tried again. The headers of the message are attached.",
        "Reporting-MTA: dns; north.example",
        "Arrival-Date: Mon, 23 Nov 2026 12:00:00 +0000",
        "Final-Recipient: rfc822; bob@south.example",
        "Action: failed",
        "Status: 5.1.1",
        "Remote-MTA: dns; mx.south.example",
        "Last-Attempt-Date: Mon, 23 Nov 2026 12:00:00 +0000",
        &format!("Final-Log-ID: {id}"),
        "Message-ID: <letter@north.example>",
    ] {
        assert!(lines.contains(&expected), "{expected:?} is missing in\n{report}");
    }
    assert!(report.contains("Content-Type: multipart/report"));
    assert!(report.contains("text/rfc822-headers"));
    assert!(!report.contains("come to tea"), "the body stays here");
    assert!(!report.contains("Original-Recipient"), "only where it differs");
    assert!(report.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n'])));
}

#[tokio::test(start_paused = true)]
async fn the_original_recipient_where_it_differs() {
    let (world, _) = World::south("RCPT: 550 5.1.1 unknown").await;
    let mut entry = world.accept(ALICE, &[BOB], LETTER, |_| {}).await;
    entry.recipients[0].original = "<info@north.example>".parse().unwrap();
    world.queue.submit(entry);
    world.settle().await;
    let report = &world.reports()[0].1;
    assert!(report.contains("Original-Recipient: rfc822; info@north.example\r\n"), "{report}");
    assert!(report.contains("(your message was for info@north.example, which leads there)"));
}

#[tokio::test(start_paused = true)]
async fn the_operator_holds_releases_and_retries() {
    let (world, host) = World::south("RCPT: 450 later | 450 later | 250 ok").await;
    let id = world.send(ALICE, &[BOB]).await;
    world.wait(Duration::from_secs(5)).await;
    world.queue.hold(id).await.unwrap();
    world.wait(HOUR).await;
    assert_eq!(world.outcomes().len(), 1);
    assert!(world.queue.show(id).await.unwrap().entry.held);
    world.queue.release(id).await.unwrap();
    world.wait(Duration::from_secs(5)).await;
    assert_eq!(world.outcomes().len(), 2, "it was due long ago");
    world.queue.retry(id).await.unwrap();
    world.wait(Duration::from_secs(5)).await;
    assert_eq!(host.contents().len(), 1);
    world.settle().await;
    for result in [world.queue.retry(id).await, world.queue.hold(id).await, world.queue.delete(id).await] {
        assert!(matches!(result, Err(QueueError::NotFound(gone)) if gone == id));
    }
}

#[tokio::test(start_paused = true)]
async fn the_operator_deletes_and_returns() {
    let (world, _) = World::south("RCPT: 450 4.2.0 later").await;
    let (gone, back) =
        (world.send(ALICE, &[BOB]).await, world.send(ALICE, &[BOB, "carol@south.example"]).await);
    world.wait(Duration::from_secs(5)).await;
    let listed: Vec<QueueId> =
        world.queue.list().await.unwrap().iter().map(|listing| listing.entry.id).collect();
    assert_eq!(listed, [gone, back]);
    let shown = world.queue.show(gone).await.unwrap().entry;
    assert_eq!(shown.recipients[0].attempts, 1);
    let attempt = shown.recipients[0].last_attempt.clone().unwrap();
    assert_eq!(attempt.detail, "450 4.2.0 later");
    assert_eq!(attempt.host.as_deref(), Some("mx.south.example (10.0.0.1:25)"));
    world.queue.delete(gone).await.unwrap();
    world.queue.bounce(back).await.unwrap();
    assert!(world.queue.is_empty());
    world.settle().await;
    let reports = world.reports();
    assert_eq!(reports.len(), 1);
    assert!(reports[0].1.contains("returned by the operator of this host"), "{}", reports[0].1);
    let tally = world.audit().await;
    assert_eq!((tally.discarded, tally.bounced), (1 + 1, 2));
}

/// While a message is being sent, it can't be called back; but if it comes back, the wish counts.
#[tokio::test(start_paused = true)]
async fn the_operator_deletes_what_is_in_flight() {
    let (world, _) = World::south("RCPT: silence").await;
    let (gone, back) = (world.send(ALICE, &[BOB]).await, world.send(ALICE, &[BOB]).await);
    world.wait(Duration::from_secs(5)).await;
    assert!(world.queue.show(gone).await.unwrap().is_in_flight);
    world.queue.delete(gone).await.unwrap();
    world.queue.bounce(back).await.unwrap();
    assert_eq!(world.audit().await.queued, 2);
    world.settle().await;
    let tally = world.audit().await;
    assert_eq!((tally.discarded, tally.bounced), (1 + 1, 1));
    assert_eq!(world.outcomes().len(), 2);
    assert!(world.outcomes()[0].starts_with("+5 "), "{:?}", world.outcomes());
}

#[tokio::test(start_paused = true)]
async fn stop_and_start_again() {
    let (world, host) = World::south("RCPT: 450 later | 250 ok").await;
    world.send(ALICE, &[BOB]).await;
    world.wait(Duration::from_secs(5)).await;
    world.queue.shutdown(Duration::from_secs(10)).await;
    tokio::time::sleep(HOUR).await;
    assert_eq!(host.contents().len(), 0, "stopped is stopped");
    let zone = "south.example. 60 IN A 10.0.0.1";
    let hosts = [("10.0.0.1:25", host.clone())];
    let again = World::with_store(zone, &hosts, settings(), world.clock.clone(), world.store.clone()).await;
    again.settle().await;
    assert_eq!(host.contents(), [LETTER]);
}

#[tokio::test(start_paused = true)]
async fn stopping_lets_a_transaction_finish_and_cuts_the_rest() {
    let slow = FakeHost::new("");
    let zone =
        "south.example. 60 IN A 10.0.0.1\ndead.example. 60 IN A 10.0.0.66\nmute.example. 60 IN A 10.0.0.7";
    let mute = FakeHost::new("RCPT: silence");
    let hosts = [("10.0.0.1:25", slow.clone()), ("10.0.0.7:25", mute.clone())];
    let world = World::new(zone, &hosts, settings()).await;
    world.network.hosts.lock().unwrap().insert("10.0.0.66:25".parse().unwrap(), None);
    world.send(ALICE, &["x@dead.example"]).await;
    world.send(ALICE, &["x@mute.example"]).await;
    world.send(ALICE, &[BOB]).await;
    world.wait(Duration::from_secs(1)).await;
    let before = tokio::time::Instant::now();
    world.queue.shutdown(Duration::from_secs(10)).await;
    assert!(before.elapsed() < Duration::from_secs(25));
    assert_eq!(slow.log().last().unwrap(), "1 QUIT", "an idle connection says goodbye");
    let tally = world.audit().await;
    assert_eq!((tally.relayed, tally.queued), (1, 2));
    let entries = world.store.queue().await.unwrap();
    assert!(
        entries.iter().all(|entry| entry.recipients[0].attempts == 0),
        "not tried to the end: not counted"
    );
}

#[tokio::test(start_paused = true)]
async fn new_settings_send_what_waits_another_way() {
    let smart = FakeHost::new("");
    let zone = "south.example. 60 IN A 10.0.0.66\nsmart.example. 60 IN A 10.0.0.5";
    let world = World::new(zone, &[("10.0.0.5:587", smart.clone())], settings()).await;
    world.send(ALICE, &[BOB]).await;
    world.wait(Duration::from_secs(5)).await;
    let mut new = settings();
    new.smarthost = Some("smart.example:587".parse().unwrap());
    world.queue.reload(new);
    world.settle().await;
    assert_eq!(smart.contents(), [LETTER]);
}

/// A thousand letters to hosts in every mood: each recipient has exactly one end.
#[tokio::test(start_paused = true)]
async fn all_moods_together() {
    let moods = [
        "",
        "RCPT: 550 no",
        "RCPT: 450 later | 450 later | 250 ok",
        "content: close | close | 250 ok",
        "greeting: 421 busy; close | 220 mx",
        "MAIL: 250 ok | close | 451 x | 250 ok",
        "EHLO: 500 what\nDATA: 354 go | 451 x | 354 go",
        "content: 554 no",
    ];
    let mut zone = String::new();
    let mut hosts = Vec::new();
    for (number, mood) in moods.iter().enumerate() {
        zone += &format!("d{number}.example. 60 IN A 10.0.1.{number}\n");
        hosts.push((format!("10.0.1.{number}:25"), FakeHost::new(mood)));
    }
    let named: Vec<_> = hosts.iter().map(|(address, host)| (address.as_str(), host.clone())).collect();
    let world = World::new(&zone, &named, settings()).await;
    for number in 0..1000u32 {
        let to: Vec<String> = (0..=number % 4)
            .map(|index| format!("u{index}@d{}.example", (number + index * 3) as usize % moods.len()))
            .collect();
        world.send(ALICE, &to.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    world.settle().await;
    let tally = world.audit().await;
    let reports = world.reports().len() as u64;
    assert_eq!((tally.accepted, tally.queued, tally.discarded), (2500 + reports, 0, reports));
    let ends = world.outcomes().iter().filter(|line| !line.contains(" deferred")).count();
    assert_eq!(ends, 2500, "each has one end");
}
