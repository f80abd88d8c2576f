//! Messages that wait for their time, for recipients elsewhere and here.

use crate::world::{LETTER, World, mailbox, settings};
use bytes::Bytes;
use jiff::SignedDuration;
use posta_address::ForwardPath;
use posta_queue::TakeBack;
use posta_store::{
    Acceptance, Account, AccountId, DirectoryChange, Envelope, QueueId, RecipientRequests, Release,
    RemoteRecipient, Requests, Store,
};
use posta_wire::ContentFacts;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);

/// Puts an account there.
async fn account(world: &World, address: &str) -> AccountId {
    let id = world.store.new_account_id();
    let account = Account {
        id,
        address: mailbox(address),
        name: None,
        password_hash: None,
        apop_secret: None,
        credentials: Default::default(),
        quota_octets: None,
        enabled: true,
        hold_seconds: 0,
    };
    world.store.change_directory(DirectoryChange::PutAccount(account)).await.unwrap();
    id
}

/// Sends the letter to Bob elsewhere, and to Carol here if she has an account; it waits for an hour.
async fn send(world: &World, by: Option<AccountId>, carol: Option<AccountId>, notify: &str) -> QueueId {
    let mut writer = world.store.receive().await.unwrap();
    let (id, now) = (writer.id(), world.queue_time());
    writer.write(Bytes::from_static(LETTER.as_bytes())).await.unwrap();
    let recipient = |to: &str, maildrop| RemoteRecipient {
        mailbox: mailbox(to),
        maildrop,
        original: ForwardPath::Mailbox(mailbox(to)),
        requests: RecipientRequests { notify: Some(notify.parse().unwrap()), original: None },
    };
    let mut remote = vec![recipient("bob@south.example", None)];
    remote.extend(carol.map(|carol| recipient("carol@north.example", Some(carol))));
    let at = now + SignedDuration::from_hours(1);
    let release = Some(Release { at, by, of: None, asked: None });
    let acceptance = Acceptance {
        envelope: Envelope {
            reverse_path: "<alice@north.example>".parse().unwrap(),
            smtputf8: false,
            facts: ContentFacts::of(LETTER.as_bytes()).0,
            message_id: None,
            requests: Requests { release, ..Requests::default() },
        },
        accepted_at: now,
        deliveries: Vec::new(),
        remote,
        discarded: 0,
        changes: Vec::new(),
    };
    world.queue.submit(writer.accept(acceptance).await.unwrap().expect("it waits"));
    id
}

async fn messages(world: &World, account: AccountId) -> usize {
    world.store.maildrop(account).await.unwrap().messages.len()
}

#[tokio::test(start_paused = true)]
async fn nothing_leaves_before_its_time() {
    let (world, host) = World::south("").await;
    let carol = account(&world, "carol@north.example").await;
    send(&world, None, Some(carol), "FAILURE").await;
    world.wait(HOUR - MINUTE).await;
    assert_eq!((host.contents().len(), messages(&world, carol).await), (0, 0));
    assert_eq!(world.audit().await.queued, 2);
    world.wait(2 * MINUTE).await;
    assert_eq!((host.contents().len(), messages(&world, carol).await), (1, 1));
    let tally = world.audit().await;
    assert_eq!((tally.delivered, tally.relayed, tally.queued), (1, 1, 0));
    let read = world.store.maildrop(carol).await.unwrap().messages.remove(0);
    assert_eq!(read.prefix, "Return-Path: <alice@north.example>\r\n");
    assert!(world.outcomes().contains(&"+60 carol@north.example delivered: in the maildrop".to_owned()));
    assert!(world.queue.is_empty() && world.reports().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_waits_survives_a_restart_and_is_delivered_once() {
    let (world, _) = World::south("").await;
    let carol = account(&world, "carol@north.example").await;
    send(&world, None, Some(carol), "NEVER").await;
    world.wait(MINUTE).await;
    world.queue.shutdown(MINUTE).await;
    let (clock, store) = (world.clock.clone(), world.store.clone());
    drop(world);
    let world = World::with_store("", &[], settings(), clock.clone(), store.clone()).await;
    world.wait(HOUR).await;
    assert_eq!(messages(&world, carol).await, 1);
    let again = World::with_store("", &[], settings(), clock, store).await;
    again.wait(HOUR).await;
    assert_eq!((messages(&again, carol).await, again.audit().await.delivered), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn who_asked_hears_of_the_arrival_when_it_has_arrived() {
    let (world, _) = World::south("").await;
    let carol = account(&world, "carol@north.example").await;
    send(&world, None, Some(carol), "SUCCESS").await;
    world.wait(HOUR - MINUTE).await;
    assert_eq!(world.reports(), []);
    world.settle().await;
    let reports = world.reports();
    let about = |user: &str| {
        reports
            .iter()
            .filter(|(_, report)| report.contains(&format!("Final-Recipient: rfc822; {user}@")))
            .count()
    };
    assert_eq!((about("carol"), about("bob")), (1, 1), "{reports:?}");
    let (_, arrived) = reports.iter().find(|(_, report)| report.contains("carol@")).unwrap();
    assert!(arrived.contains("Action: delivered"), "{arrived}");
    assert_eq!(world.audit().await.delivered, 1);
}

#[tokio::test(start_paused = true)]
async fn who_sent_it_takes_it_back() {
    let (world, host) = World::south("").await;
    let (alice, carol) =
        (account(&world, "alice@north.example").await, account(&world, "carol@north.example").await);
    let id = send(&world, Some(alice), Some(carol), "FAILURE").await;
    assert_eq!(world.queue.waiting(alice).iter().map(|(id, _)| *id).collect::<Vec<_>>(), [id]);
    assert_eq!(world.queue.waiting(carol), []);
    assert_eq!(world.queue.take_back(id, Some(carol)).await.unwrap(), TakeBack::Unknown);
    assert_eq!(world.queue.take_back(id, Some(alice)).await.unwrap(), TakeBack::Done);
    assert_eq!(world.queue.take_back(id, Some(alice)).await.unwrap(), TakeBack::Unknown);
    world.wait(2 * HOUR).await;
    assert_eq!((host.contents().len(), messages(&world, carol).await), (0, 0));
    let tally = world.audit().await;
    assert_eq!((tally.discarded, tally.queued), (2, 0));
    assert!(world.reports().is_empty() && world.queue.is_empty());
    assert!(world.outcomes().iter().all(|outcome| outcome.ends_with("taken back by its sender")));
}

#[tokio::test(start_paused = true)]
async fn too_late_is_too_late() {
    // Bob's host has no time for it, so it is still in the queue.
    let (world, _) = World::south("RCPT: 450 4.2.0 later\n").await;
    let alice = account(&world, "alice@north.example").await;
    let id = send(&world, Some(alice), None, "FAILURE").await;
    world.wait(HOUR + MINUTE).await;
    assert_eq!(world.queue.take_back(id, Some(alice)).await.unwrap(), TakeBack::TooLate);
    assert_eq!(world.queue.waiting(alice), []);
    assert_eq!(world.audit().await.queued, 1);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_is_gone_gets_nothing() {
    let (world, _) = World::south("").await;
    let carol = account(&world, "carol@north.example").await;
    send(&world, None, Some(carol), "FAILURE").await;
    world.store.change_directory(DirectoryChange::RemoveAccount(carol)).await.unwrap();
    world.settle().await;
    let tally = world.audit().await;
    assert_eq!((tally.delivered, tally.discarded, tally.relayed), (0, 1, 1));
}

// The time for trying begins with the release.
#[tokio::test(start_paused = true)]
async fn expiry_counts_from_the_release() {
    let mut few_days = settings();
    few_days.retry.expiry = 30 * MINUTE;
    let (world, _) = World::south("").await;
    let (clock, store) = (world.clock.clone(), world.store.clone());
    let id = send(&world, None, None, "FAILURE").await;
    world.queue.shutdown(MINUTE).await;
    let world = World::with_store("south.example. 60 IN A 10.0.0.9", &[], few_days, clock, store).await;
    world.wait(HOUR + MINUTE).await;
    assert!(world.store.queue_entry(id).await.unwrap().is_some());
    world.settle().await;
    let outcomes = world.outcomes();
    assert!(outcomes.last().is_some_and(|outcome| outcome.contains(" bounced")), "{outcomes:?}");
}

// ETRN is for what is due (RFC 1985 §3): what its sender has put off stays, and can still be taken back.
#[tokio::test(start_paused = true)]
async fn nobody_makes_it_leave_early_by_coming_for_it() {
    let (world, host) = World::south("").await;
    let alice = account(&world, "alice@north.example").await;
    let id = send(&world, Some(alice), None, "FAILURE").await;
    assert_eq!(world.queue.start_for(|domain| domain.to_ascii() == "south.example"), 0);
    world.wait(MINUTE).await;
    assert_eq!(host.contents().len(), 0);
    assert_eq!(world.queue.take_back(id, Some(alice)).await.unwrap(), TakeBack::Done);
}

// The operator does; from then on nobody can take it back.
#[tokio::test(start_paused = true)]
async fn what_the_operator_has_tried_is_not_taken_back() {
    let (world, _) = World::south("RCPT: 450 4.2.0 later\n").await;
    let alice = account(&world, "alice@north.example").await;
    let carol = account(&world, "carol@north.example").await;
    let id = send(&world, Some(alice), Some(carol), "FAILURE").await;
    world.queue.retry(id).await.unwrap();
    world.wait(MINUTE).await;
    assert_eq!(messages(&world, carol).await, 1);
    assert_eq!(world.queue.take_back(id, Some(alice)).await.unwrap(), TakeBack::TooLate);
    assert_eq!(world.audit().await.queued, 1);
}
