//! Messages that are to arrive in time (RFC 2852), and those that go before others (RFC 6710).

use crate::world::{FakeHost, LETTER, World, settings};
use jiff::SignedDuration;
use posta_store::{Deadline, Requests};
use std::{sync::Arc, time::Duration};

const ALICE: &str = "alice@north.example";
const KEEPS_TIME: &str = "EHLO: 250-mx\\n250-PIPELINING\\n250-DELIVERBY 60\\n250-MT-PRIORITY\\n250 DSN\n";
const WITH_DSN: &str = "EHLO: 250-mx\\n250-PIPELINING\\n250 DSN\n";

/// Sends to Bob; the letter is to arrive within so many minutes, on these terms. Gives what became of it, the
/// reports, and what the host heard.
async fn told(rules: &str, to: &str, minutes: i64, terms: &str) -> (World, Arc<FakeHost>) {
    let (world, host) = World::south(rules).await;
    let at = world.queue_time() + SignedDuration::from_mins(minutes);
    let deadline = Some(Deadline { at, terms: terms.parse().unwrap() });
    let requests = Requests { deadline, ..Requests::default() };
    let entry = world.accept(ALICE, &[to], LETTER, |envelope| envelope.requests = requests).await;
    world.queue.submit(entry);
    (world, host)
}

fn reports(world: &World) -> Vec<String> {
    world.reports().into_iter().map(|(_, text)| text).collect()
}

fn commands(host: &FakeHost, verb: &str) -> Vec<String> {
    host.log().into_iter().filter(|line| line.contains(verb)).collect()
}

// §4.1.4: what is left of the time is passed on, and nobody hears of a delivery in time.
#[tokio::test(start_paused = true)]
async fn the_rest_of_the_time_is_passed_on() {
    for (terms, expected) in [("R", "BY=3600;R"), ("N", "BY=3600;N")] {
        let (world, host) = told(KEEPS_TIME, "bob@south.example", 60, terms).await;
        world.settle().await;
        let [mail] = &commands(&host, "MAIL")[..] else { panic!("one MAIL") };
        assert!(mail.contains(expected), "{mail}");
        assert_eq!(reports(&world), [""; 0]);
    }
}

// §4.1.4: with T the sender hears of each host.
#[tokio::test(start_paused = true)]
async fn traced() {
    let (world, host) = told(KEEPS_TIME, "bob@south.example", 60, "RT").await;
    world.settle().await;
    assert!(commands(&host, "MAIL")[0].contains("BY=3600;RT"));
    let [report] = &reports(&world)[..] else { panic!("one report") };
    assert!(report.contains("Action: relayed") && report.contains("Deliver-By-Date: "), "{report}");
    assert_eq!(world.audit().await.relayed, 1);
    let (world, _) = told(KEEPS_TIME, "bob@south.example NOTIFY=NEVER", 60, "RT").await;
    world.settle().await;
    assert_eq!(reports(&world), [""; 0]);
}

// §4.1.4.1: R never goes where nobody promises to keep it.
#[tokio::test(start_paused = true)]
async fn returned_where_the_next_host_keeps_no_deadlines() {
    for (rules, minutes) in [("", 60), (WITH_DSN, 60), (KEEPS_TIME.replace("60", "7200").as_str(), 60)] {
        let (world, host) = told(rules, "bob@south.example", minutes, "R").await;
        world.settle().await;
        assert_eq!(commands(&host, "MAIL"), [""; 0]);
        let [report] = &reports(&world)[..] else { panic!("one report") };
        assert!(report.contains("Action: failed") && report.contains("Status: 5.3.3"), "{report}");
        assert_eq!(world.audit().await.bounced, 1);
    }
}

// §4.1.4.2: N goes everywhere; of a host without DELIVERBY the sender hears, and it is asked to tell of delays.
#[tokio::test(start_paused = true)]
async fn relayed_where_the_next_host_keeps_no_deadlines() {
    for (to, asked, is_told) in [
        ("bob@south.example", Some("NOTIFY=FAILURE,DELAY"), true),
        ("bob@south.example NOTIFY=FAILURE", Some("NOTIFY=FAILURE,DELAY"), true),
        ("bob@south.example NOTIFY=NEVER", Some("NOTIFY=NEVER"), false),
    ] {
        let (world, host) = told(WITH_DSN, to, 60, "N").await;
        world.settle().await;
        assert!(!commands(&host, "MAIL")[0].contains("BY="));
        let rcpt = &commands(&host, "RCPT")[0];
        assert!(asked.is_none_or(|asked| rcpt.ends_with(asked)), "{rcpt}");
        let reports = reports(&world);
        assert_eq!(reports.iter().any(|report| report.contains("Action: relayed")), is_told, "{reports:?}");
        assert_eq!(world.audit().await.relayed, 1);
    }
}

// §4.1.3: R goes back when the time is over, and is not tried again.
#[tokio::test(start_paused = true)]
async fn the_time_is_over() {
    let rules = format!("{KEEPS_TIME}RCPT: 450 4.2.0 later\n");
    let (world, host) = told(&rules, "bob@south.example", 20, "R").await;
    world.settle().await;
    let [report] = &reports(&world)[..] else { panic!("one report") };
    for part in ["Action: failed", "Status: 5.4.7", "Deliver-By-Date: ", "the time by which it was to arrive"]
    {
        assert!(report.contains(part), "{part}: {report}");
    }
    let outcomes = world.outcomes();
    assert!(outcomes.last().unwrap().starts_with("+20 bob@south.example bounced"), "{outcomes:?}");
    // At once, after one minute, and after five more; the next would have been too late.
    assert_eq!(commands(&host, "RCPT").len(), 3, "{:?}", host.log());
}

// §4.1.3: with N the sender hears of the delay then, once, and it is tried further.
#[tokio::test(start_paused = true)]
async fn late_but_still_tried() {
    let rules = format!("{KEEPS_TIME}RCPT: 450 4.2.0 later\n");
    let (world, host) = told(&rules, "bob@south.example", 20, "N").await;
    world.wait(Duration::from_secs(19 * 60)).await;
    assert_eq!(reports(&world), [""; 0]);
    world.wait(Duration::from_secs(8 * 3600)).await;
    let [report] = &reports(&world)[..] else { panic!("{:?}", reports(&world)) };
    assert!(report.contains("Action: delayed") && report.contains("Status: 4.4.7"), "{report}");
    // How long ago the time was over is passed on too.
    let last = commands(&host, "MAIL").pop().unwrap();
    assert!(last.contains("BY=-"), "{last}");
    assert_eq!(world.audit().await.queued, 1);
    let (world, _) = told(&rules, "bob@south.example NOTIFY=FAILURE", 20, "N").await;
    world.wait(Duration::from_secs(8 * 3600)).await;
    assert_eq!(reports(&world), [""; 0]);
}

// RFC 6710 §5: what is more urgent goes first, §4.2 and the next host is told.
#[tokio::test(start_paused = true)]
async fn the_urgent_go_first() {
    let mut one_at_a_time = settings();
    one_at_a_time.concurrency.per_destination = 1;
    let host = FakeHost::new(KEEPS_TIME);
    let zone = "south.example. 60 IN MX 10 mx.south.example.\nmx.south.example. 60 IN A 10.0.0.1";
    let world = World::new(zone, &[("10.0.0.1:25", host.clone())], one_at_a_time).await;
    let mut entries = Vec::new();
    for (user, priority) in [("a", "0"), ("b", "-4"), ("c", "0"), ("d", "9"), ("e", "2")] {
        let requests = Requests { priority: priority.parse().unwrap(), ..Requests::default() };
        let to = format!("{user}@south.example");
        entries.push(world.accept(ALICE, &[&to], LETTER, |envelope| envelope.requests = requests).await);
    }
    entries.into_iter().for_each(|entry| world.queue.submit(entry));
    world.settle().await;
    let heard: Vec<String> =
        commands(&host, "RCPT").iter().map(|rcpt| rcpt.split('<').nth(1).unwrap()[..1].to_owned()).collect();
    // The first was on its way when the others came.
    assert_eq!(heard, ["a", "d", "e", "c", "b"]);
    let told: Vec<bool> = commands(&host, "MAIL").iter().map(|mail| mail.contains("MT-PRIORITY")).collect();
    assert_eq!(told, [false, true, true, false, true]);
}
