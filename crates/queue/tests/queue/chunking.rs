//! Contents in chunks (RFC 3030), and binary ones.

use crate::world::{FakeHost, World, settings};
use posta_queue::Settings;

const ALICE: &str = "alice@north.example";
const BOB: &str = "bob@south.example";
const ZONE: &str = "south.example. 60 IN A 10.0.0.1";
const CHUNKING: &str = "250-mx\\n250-PIPELINING\\n250-8BITMIME\\n250-BINARYMIME\\n250 CHUNKING";
const TYPE: &str = "MIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n";

fn binary() -> String {
    format!("{TYPE}Content-Transfer-Encoding: binary\r\n\r\n\0\n\r.\r\n.\r\n")
}

fn encoded() -> String {
    format!("{TYPE}Content-Transfer-Encoding: quoted-printable\r\n\r\n=00=0A=0D.\r\n=2E\r\n")
}

/// Sends a content to a host that behaves so; the world afterwards, and the host.
async fn sent(rules: &str, content: &str, settings: Settings) -> (World, std::sync::Arc<FakeHost>) {
    let host = FakeHost::new(rules);
    let world = World::new(ZONE, &[("10.0.0.1:25", host.clone())], settings).await;
    let entry = world.accept(ALICE, &[BOB], content, |_| {}).await;
    world.queue.submit(entry);
    world.settle().await;
    (world, host)
}

fn commands(host: &FakeHost) -> Vec<String> {
    let log = host.log();
    log.iter().filter(|line| line.contains(" BDAT") || line.contains(" DATA")).cloned().collect()
}

#[tokio::test(start_paused = true)]
async fn in_chunks_where_they_are_offered_and_wanted() {
    let content = format!("Subject: x\r\n\r\n{}", ".\r\n".repeat(50_000));
    let offers = format!("EHLO: {CHUNKING}");
    let (world, host) = sent(&offers, &content, settings()).await;
    assert_eq!((host.contents(), world.audit().await.relayed), (vec![content.clone()], 1));
    let chunks = commands(&host);
    assert!(chunks.len() > 1 && chunks.iter().all(|line| line.contains("BDAT")), "{chunks:?}");
    assert!(chunks.last().is_some_and(|line| line.ends_with(" LAST")), "{chunks:?}");

    let without = Settings { chunking: false, ..settings() };
    let (_, host) = sent(&offers, &content, without).await;
    assert_eq!((host.contents(), commands(&host)), (vec![content], vec!["1 DATA".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn a_connection_lost_after_the_last_chunk_leaves_doubt() {
    let rules = format!("EHLO: {CHUNKING}\ncontent: close | 250 2.0.0 queued");
    let (world, host) = sent(&rules, "Subject: x\r\n\r\nx\r\n", settings()).await;
    let outcomes = world.outcomes();
    assert!(outcomes[0].contains("deferred") && outcomes[0].contains("nobody knows"), "{outcomes:?}");
    assert_eq!((host.contents().len(), world.audit().await.relayed), (2, 1), "twice is better than never");
}

#[tokio::test(start_paused = true)]
async fn a_refused_chunk_ends_the_transaction() {
    let content = format!("Subject: x\r\n\r\n{}", "x\r\n".repeat(500_000));
    let rules = format!("EHLO: {CHUNKING}\nBDAT: 552 5.3.4 too large");
    let (world, host) = sent(&rules, &content, settings()).await;
    assert_eq!((host.contents().len(), world.audit().await.bounced), (0, 1));
    assert!(world.reports()[0].1.contains("Status: 5.3.4\r\n"));
    let octets: usize =
        commands(&host).iter().filter_map(|line| line.split(' ').nth(2)?.parse::<usize>().ok()).sum();
    assert!(octets < content.len(), "what was refused was not sent to its end: {octets}");
}

#[tokio::test(start_paused = true)]
async fn binary_contents_go_as_they_are_or_encoded() {
    let table = [
        (CHUNKING, true, binary(), " BODY=BINARYMIME"),
        (CHUNKING, false, encoded(), ""),
        ("250-mx\\n250-8BITMIME\\n250 CHUNKING", true, encoded(), ""),
        ("250-mx\\n250 8BITMIME", true, encoded(), ""),
        ("250 mx", true, encoded(), ""),
    ];
    for (offer, chunking, expected, body) in table {
        let settings = Settings { chunking, ..settings() };
        let (world, host) = sent(&format!("EHLO: {offer}"), &binary(), settings).await;
        assert_eq!((host.contents(), world.audit().await.relayed), (vec![expected], 1), "{offer}");
        let mail = format!("1 MAIL FROM:<{ALICE}>{body}");
        assert!(host.log().contains(&mail), "{offer}: {:?}", host.log());
    }
}

/// What nobody may change comes back (RFC 1847 §2.1), and its report has no binary octets in it.
#[tokio::test(start_paused = true)]
async fn binary_contents_that_cannot_be_encoded_bounce() {
    let signed = "MIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\
        Content-Transfer-Encoding: binary\r\n\r\n\0\r\n--b\r\n\r\nsignature\r\n--b--\r\n";
    let host = FakeHost::new("");
    let world = World::new(ZONE, &[("10.0.0.1:25", host.clone())], settings()).await;
    let wants_all = |envelope: &mut posta_store::Envelope| {
        envelope.requests.returned = Some(posta_wire::ReturnedPart::Full);
    };
    let entry = world.accept(ALICE, &[BOB], signed, wants_all).await;
    world.queue.submit(entry);
    world.settle().await;
    assert_eq!((host.contents().len(), world.audit().await.bounced), (0, 1));
    let (to, report) = world.reports().pop().expect("a report");
    assert_eq!(to, ALICE);
    assert!(report.contains("Status: 5.6.1\r\n") && report.contains("BINARYMIME"), "{report}");
    assert!(report.contains("binary parts are encoded") && !report.contains('\0'));
}
