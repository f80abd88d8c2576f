//! What senders ask to be told (RFC 3461), and what they are told.

use crate::world::{LETTER, World};

const ALICE: &str = "alice@north.example";
const HOST: &str = "mx.south.example (10.0.0.1:25)";
const WITH_DSN: &str = "EHLO: 250-mx\\n250-PIPELINING\\n250 DSN\n";

/// Sends to these recipients; gives outcomes and reports.
async fn told(rules: &str, to: &[&str]) -> (World, Vec<String>, Vec<String>, Vec<String>) {
    let (world, host) = World::south(rules).await;
    world.send(ALICE, to).await;
    world.settle().await;
    let reports = world.reports().into_iter().map(|(_, text)| text).collect();
    let (outcomes, log) = (world.outcomes(), host.log());
    (world, outcomes, reports, log)
}

fn is_about(report: &str, user: &str) -> bool {
    report.contains(&format!("Final-Recipient: rfc822; {user}@"))
}

// RFC 3461 §5.2.2 (b)
#[tokio::test(start_paused = true)]
async fn a_host_without_dsn_took_it() {
    let to = ["bob@south.example NOTIFY=SUCCESS ORCPT=rfc822;Bobby@south.example", "eve@south.example"];
    let (world, outcomes, reports, log) = told("", &to).await;
    assert_eq!(outcomes.len(), 2);
    assert!(outcomes.iter().all(|outcome| outcome.contains("relayed")), "{outcomes:?}");
    let [report] = reports.as_slice() else { panic!("{reports:?}") };
    for part in [
        "Original-Recipient: rfc822; Bobby@south.example",
        "Final-Recipient: rfc822; bob@south.example",
        "Action: relayed",
        "Status: 2.0.0",
        "Diagnostic-Code: smtp; 250 2.0.0 queued",
        "Subject: Delivered: Tea",
    ] {
        assert!(report.contains(part), "{part}: {report}");
    }
    assert!(!report.contains("eve@"), "{report}");
    assert!(!log.iter().any(|line| line.contains("NOTIFY")), "{log:?}");
    let tally = world.audit().await;
    assert_eq!((tally.relayed, tally.bounced), (2, 0));
}

// RFC 3461 §5.2.1 (c), (d)
#[tokio::test(start_paused = true)]
async fn a_host_with_dsn_reports_itself() {
    let to = ["bob@south.example NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Bobby@south.example"];
    let (_, _, reports, log) = told(WITH_DSN, &to).await;
    assert_eq!(reports, [""; 0]);
    let asked = "RCPT TO:<bob@south.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Bobby@south.example";
    assert!(log.iter().any(|line| line.ends_with(asked)), "{log:?}");
}

// RFC 3461 §5.2.6
#[tokio::test(start_paused = true)]
async fn of_failure_only_who_wants_to_know() {
    let to = [
        "bob@south.example NOTIFY=NEVER",
        "eve@south.example NOTIFY=SUCCESS",
        "ann@south.example NOTIFY=FAILURE",
    ];
    let (world, outcomes, reports, _) = told("RCPT: 550 5.1.1 unknown", &to).await;
    assert_eq!(
        outcomes,
        [
            "+0 bob@south.example discarded: failed, and the sender wants no report (NOTIFY): 550 5.1.1 unknown".into(),
            "+0 eve@south.example discarded: failed, and the sender wants no report (NOTIFY): 550 5.1.1 unknown".into(),
            format!("+0 ann@south.example bounced {HOST}: 550 5.1.1 unknown"),
        ]
    );
    let [report] = reports.as_slice() else { panic!("{reports:?}") };
    assert!(is_about(report, "ann") && !is_about(report, "bob") && !is_about(report, "eve"), "{report}");
    let tally = world.audit().await;
    assert_eq!((tally.discarded, tally.bounced), (2 + 1, 1), "the report itself is dropped by the test");
}

// RFC 3461 §5.2.5
#[tokio::test(start_paused = true)]
async fn of_delay_only_who_may_be_told() {
    let to = ["bob@south.example NOTIFY=FAILURE", "eve@south.example NOTIFY=DELAY", "ann@south.example"];
    let (_, _, reports, _) = told("RCPT: 450 4.2.0 later", &to).await;
    let delays: Vec<_> = reports.iter().filter(|report| report.contains("Action: delayed")).collect();
    let [delay] = delays.as_slice() else { panic!("{reports:?}") };
    assert!(is_about(delay, "eve") && is_about(delay, "ann") && !is_about(delay, "bob"), "{delay}");
}

// RFC 3461 §4.3, §4.4
#[tokio::test(start_paused = true)]
async fn what_goes_back() {
    for (returned, attached) in [("FULL", true), ("HDRS", false)] {
        let (world, _) = World::south("RCPT: 550 5.1.1 unknown").await;
        let entry = world
            .accept(ALICE, &["bob@south.example"], LETTER, |envelope| {
                envelope.requests.returned = Some(returned.parse().unwrap());
                envelope.requests.envelope_id = Some("QQ+20314159".parse().unwrap());
            })
            .await;
        world.queue.submit(entry);
        world.settle().await;
        let reports = world.reports();
        let report = &reports[0].1;
        assert!(report.contains("Original-Envelope-Id: QQ 314159"), "{report}");
        assert!(report.contains("Subject: Tea"), "{report}");
        assert_eq!(report.contains("come to tea"), attached, "{report}");
    }
}
