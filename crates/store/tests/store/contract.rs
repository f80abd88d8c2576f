//! The contract of [`Store`], for both forms.

use crate::letters::*;
use bytes::Bytes;
use posta_address::Domain;
use posta_journal::Fate;
use posta_store::{
    Account, Alias, AliasKind, Attempt, DirectoryChange, DomainSettings, LocalDelivery, QueueChange, QueueId,
    RecipientRequests, Requests, Store, StoreError, Tally, Usage,
};

use posta_wire::{Notify, ReturnedPart, Secret};

/// Each name is a function below, run against both forms.
macro_rules! contract {
    ($($name:ident)*) => {
        mod memory {
            $(#[tokio::test]
            async fn $name() {
                super::$name(&crate::letters::memory()).await;
            })*
        }
        mod embedded {
            $(#[tokio::test]
            async fn $name() {
                let dir = tempfile::tempdir().unwrap();
                let store = crate::letters::open(dir.path());
                super::$name(&store).await;
                let report = store.check().await.unwrap();
                assert_eq!(report.problems, []);
                store.close().await;
            })*
        }
    };
}

contract! {
    the_directory_is_kept_and_compared_without_case
    an_address_belongs_to_one
    a_removed_account_is_gone_for_ever
    account_ids_are_never_given_out_twice
    apop_is_known_of_as_long_as_somebody_has_a_secret
    a_message_is_in_every_maildrop_it_was_delivered_to
    contents_of_all_sizes_come_back
    a_dropped_writer_leaves_nothing
    removing_is_idempotent_and_counts
    a_snapshot_stays_readable
    what_nobody_needs_is_not_found
    the_queue_keeps_what_happens
    what_the_sender_asked_for_stays_with_the_entry
    a_settled_entry_goes_and_is_counted
    an_acceptance_changes_other_entries_with_it
    contradictions_are_refused_whole
    the_tally_adds_up
    ids_grow
    many_at_once
}

async fn the_directory_is_kept_and_compared_without_case(store: &dyn Store) {
    let domain = Domain::parse("North.Example").unwrap();
    let settings = DomainSettings {
        domain: domain.clone(),
        catch_all: Some(mailbox("bob@north.example")),
        subaddress_separator: Some('+'),
    };
    store.change_directory(DirectoryChange::PutDomain(settings.clone())).await.unwrap();
    assert_eq!(store.domain(&Domain::parse("NORTH.example").unwrap()).await.unwrap(), Some(settings.clone()));
    assert_eq!(store.domain(&Domain::parse("south.example").unwrap()).await.unwrap(), None);

    let bob = add_account(store, "Bob@North.example").await;
    let found = store.account(&mailbox("bOB@north.EXAMPLE")).await.unwrap().unwrap();
    assert_eq!((found.id, found.address), (bob, mailbox("Bob@north.example")));
    let list = Alias {
        address: mailbox("all@north.example"),
        kind: AliasKind::List,
        name: Some("Alle".into()),
        members: vec![mailbox("bob@north.example"), mailbox("\"a b\"@[192.0.2.1]")],
        owner: Some(mailbox("bob@north.example")),
    };
    store.change_directory(DirectoryChange::PutAlias(list.clone())).await.unwrap();
    assert_eq!(store.alias(&mailbox("ALL@north.example")).await.unwrap(), Some(list.clone()));
    assert_eq!(store.account(&mailbox("all@north.example")).await.unwrap(), None);

    add_account(store, "ann@north.example").await;
    let addresses: Vec<_> =
        store.accounts().await.unwrap().into_iter().map(|account| account.address).collect();
    assert_eq!(addresses, [mailbox("ann@north.example"), mailbox("Bob@north.example")]);
    assert_eq!(store.domains().await.unwrap(), [settings]);
    assert_eq!(store.aliases().await.unwrap(), [list]);

    store.change_directory(DirectoryChange::RemoveAlias(mailbox("All@north.example"))).await.unwrap();
    store.change_directory(DirectoryChange::RemoveDomain(domain.clone())).await.unwrap();
    store.change_directory(DirectoryChange::RemoveDomain(domain)).await.unwrap();
    assert_eq!(store.domains().await.unwrap(), []);
    assert_eq!(store.aliases().await.unwrap(), []);
}

async fn an_address_belongs_to_one(store: &dyn Store) {
    let bob = add_account(store, "bob@north.example").await;
    let other = account(store.new_account_id(), "BOB@north.example");
    let put = store.change_directory(DirectoryChange::PutAccount(other)).await;
    assert!(matches!(put, Err(StoreError::Conflict(_))), "{put:?}");
    let alias = Alias {
        address: mailbox("bob@NORTH.example"),
        kind: AliasKind::Alias,
        name: None,
        members: vec![mailbox("ann@south.example")],
        owner: None,
    };
    let put = store.change_directory(DirectoryChange::PutAlias(alias.clone())).await;
    assert!(matches!(put, Err(StoreError::Conflict(_))), "{put:?}");
    // The account moves to another address; the old one is free then.
    store.change_directory(DirectoryChange::PutAccount(account(bob, "robert@north.example"))).await.unwrap();
    assert_eq!(store.account(&mailbox("bob@north.example")).await.unwrap(), None);
    store.change_directory(DirectoryChange::PutAlias(alias)).await.unwrap();
    let put = store.change_directory(DirectoryChange::PutAccount(account(bob, "bob@north.example"))).await;
    assert!(matches!(put, Err(StoreError::Conflict(_))), "{put:?}");
    assert_eq!(store.account(&mailbox("robert@north.example")).await.unwrap().unwrap().id, bob);
}

async fn a_removed_account_is_gone_for_ever(store: &dyn Store) {
    let bob = add_account(store, "bob@north.example").await;
    let ann = add_account(store, "ann@north.example").await;
    let (id, _) = accept(store, &letter(1, 100), acceptance(&[bob, ann], &[])).await.unwrap();
    store.change_directory(DirectoryChange::RemoveAccount(bob)).await.unwrap();
    store.change_directory(DirectoryChange::RemoveAccount(bob)).await.unwrap();
    assert_eq!(store.account(&mailbox("bob@north.example")).await.unwrap(), None);
    assert_eq!(store.maildrop(bob).await.unwrap().messages, []);
    assert_eq!(store.usage(bob).await.unwrap(), Usage::default());
    let refused = accept(store, &letter(2, 100), acceptance(&[ann, bob], &[])).await;
    assert!(matches!(refused, Err(StoreError::NotFound(_))), "{refused:?}");
    let again = store.change_directory(DirectoryChange::PutAccount(account(bob, "bob@north.example"))).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    let kept = store.maildrop(ann).await.unwrap().messages;
    assert_eq!(kept.iter().map(|message| message.content.id).collect::<Vec<_>>(), [id]);
    assert_eq!(read_all(store, &kept[0].content, 1000).await.unwrap(), letter(1, 100));
}

async fn account_ids_are_never_given_out_twice(store: &dyn Store) {
    let first = store.new_account_id();
    let second = store.new_account_id();
    assert!(second > first);
    let far = account(posta_store::AccountId(second.0 + 1000), "far@north.example");
    store.change_directory(DirectoryChange::PutAccount(far)).await.unwrap();
    assert!(store.new_account_id().0 > second.0 + 1000);
}

async fn apop_is_known_of_as_long_as_somebody_has_a_secret(store: &dyn Store) {
    let bob = add_account(store, "bob@north.example").await;
    assert!(!store.has_apop_accounts().await.unwrap());
    let with_secret =
        Account { apop_secret: Some(Secret::new("tanstaaf")), ..account(bob, "bob@north.example") };
    for _ in 0..2 {
        store.change_directory(DirectoryChange::PutAccount(with_secret.clone())).await.unwrap();
        assert!(store.has_apop_accounts().await.unwrap());
    }
    let ann = Account { id: store.new_account_id(), address: mailbox("ann@north.example"), ..with_secret };
    store.change_directory(DirectoryChange::PutAccount(ann.clone())).await.unwrap();
    store.change_directory(DirectoryChange::PutAccount(account(bob, "bob@north.example"))).await.unwrap();
    assert!(store.has_apop_accounts().await.unwrap());
    store.change_directory(DirectoryChange::RemoveAccount(ann.id)).await.unwrap();
    assert!(!store.has_apop_accounts().await.unwrap());
}

async fn a_message_is_in_every_maildrop_it_was_delivered_to(store: &dyn Store) {
    let bob = add_account(store, "bob@north.example").await;
    let ann = add_account(store, "ann@north.example").await;
    let mut first = acceptance(&[bob], &[]);
    first.deliveries.push(LocalDelivery::to_inbox(ann, Bytes::from_static(b"Return-Path: <>\r\n")));
    let (id, entry) = accept(store, &letter(1, 100), first).await.unwrap();
    assert_eq!(entry, None);
    let (second, _) = accept(store, &letter(2, 300), acceptance(&[bob], &[])).await.unwrap();
    let of_bob = store.maildrop(bob).await.unwrap().messages;
    assert_eq!(of_bob.iter().map(|message| message.content.id).collect::<Vec<_>>(), [id, second]);
    assert_eq!((of_bob[0].prefix.clone(), of_bob[0].received_at), (prefix(), at(5)));
    assert_eq!((of_bob[0].content.size_octets, of_bob[1].content.size_octets), (100, 300));
    let of_ann = store.maildrop(ann).await.unwrap().messages;
    assert_eq!((of_ann.len(), &of_ann[0].prefix[..]), (1, &b"Return-Path: <>\r\n"[..]));
    assert_eq!(read_all(store, &of_ann[0].content, 64).await.unwrap(), letter(1, 100));
    let octets = 400 + 2 * prefix().len() as u64;
    assert_eq!(store.usage(bob).await.unwrap(), Usage { messages: 2, octets });
    assert_eq!(store.usage(ann).await.unwrap(), Usage { messages: 1, octets: 117 });
}

async fn contents_of_all_sizes_come_back(store: &dyn Store) {
    let bob = add_account(store, "bob@north.example").await;
    let sizes = [0, 1, 7, 8, 4095, 4096, 65_536, 262_143, 262_144, 262_145, 600_000, 786_432];
    for (number, size) in sizes.into_iter().enumerate() {
        let content = letter(number as u64, size);
        let (id, _) = accept(store, &content, acceptance(&[bob], &[])).await.unwrap();
        let messages = store.maildrop(bob).await.unwrap().messages;
        let message = messages.last().unwrap();
        assert_eq!((message.content.id, message.content.size_octets), (id, size as u64));
        for piece in [1000, 65_536, 300_000, 1 << 20] {
            assert_eq!(read_all(store, &message.content, piece).await.unwrap(), content, "{size} by {piece}");
        }
        assert_eq!(store.read(&message.content, size as u64, 10).await.unwrap(), Bytes::new());
        assert_eq!(store.read(&message.content, u64::MAX, 10).await.unwrap(), Bytes::new());
    }
}

async fn a_dropped_writer_leaves_nothing(store: &dyn Store) {
    let bob = add_account(store, "bob@north.example").await;
    for size in [10, 700_000] {
        let mut writer = store.receive().await.unwrap();
        writer.write(letter(1, size)).await.unwrap();
        drop(writer);
    }
    assert_eq!(store.maildrop(bob).await.unwrap().messages, []);
    assert_eq!(store.tally().await.unwrap(), Tally::default());
}

async fn removing_is_idempotent_and_counts(store: &dyn Store) {
    let bob = add_account(store, "bob@north.example").await;
    let ann = add_account(store, "ann@north.example").await;
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(accept(store, &letter(number, 50), acceptance(&[bob, ann], &[])).await.unwrap().0);
    }
    store.remove_messages(bob, &[ids[1], ids[3], QueueId(7)]).await.unwrap();
    store.remove_messages(bob, &[ids[3]]).await.unwrap();
    let octets = 3 * (50 + prefix().len() as u64);
    assert_eq!(store.usage(bob).await.unwrap(), Usage { messages: 3, octets });
    let left: Vec<_> =
        store.maildrop(bob).await.unwrap().messages.iter().map(|message| message.content.id).collect();
    assert_eq!(left, [ids[0], ids[2], ids[4]]);
    assert_eq!(store.maildrop(ann).await.unwrap().messages.len(), 5);
    store.remove_messages(posta_store::AccountId(999), &ids).await.unwrap();
    assert_eq!(store.tally().await.unwrap().delivered, 10);
}

async fn a_snapshot_stays_readable(store: &dyn Store) {
    let bob = add_account(store, "bob@north.example").await;
    let mut ids = Vec::new();
    for (number, size) in [20_000, 700_000, 5].into_iter().enumerate() {
        ids.push(accept(store, &letter(number as u64, size), acceptance(&[bob], &[])).await.unwrap().0);
    }
    let snapshot = store.maildrop(bob).await.unwrap();
    store.remove_messages(bob, &ids).await.unwrap();
    assert_eq!(store.maildrop(bob).await.unwrap().messages, []);
    for (number, size) in [20_000, 700_000, 5].into_iter().enumerate() {
        let octets = read_all(store, &snapshot.messages[number].content, 50_000).await.unwrap();
        assert_eq!(octets, letter(number as u64, size));
    }
}

async fn what_nobody_needs_is_not_found(store: &dyn Store) {
    let nothing = posta_store::ContentRef { id: QueueId(12345), size_octets: 10, hint: (0, 0) };
    assert!(matches!(store.read(&nothing, 0, 10).await, Err(StoreError::NotFound(_))));
    assert_eq!(store.queue_entry(QueueId(12345)).await.unwrap(), None);
    assert_eq!(store.maildrop(posta_store::AccountId(12345)).await.unwrap().messages, []);
}

async fn the_queue_keeps_what_happens(store: &dyn Store) {
    let remote = ["ann@south.example", "Bob@south.example", "bob@south.example"];
    let (id, entry) = accept(store, &letter(1, 500), acceptance(&[], &remote)).await.unwrap();
    let entry = entry.unwrap();
    assert_eq!((entry.id, entry.accepted_at, entry.held), (id, at(5), false));
    assert_eq!(entry.envelope, envelope("ann@example.org"));
    assert_eq!(entry.recipients.len(), 3);
    assert!(entry.recipients.iter().all(|recipient| recipient.next_attempt_at == at(5)));
    assert_eq!(store.queue().await.unwrap(), std::slice::from_ref(&entry));
    assert_eq!(store.queue_entry(id).await.unwrap(), Some(entry.clone()));
    assert_eq!(read_all(store, &entry.content, 65_536).await.unwrap(), letter(1, 500));

    let attempt = Attempt { at: at(6), host: Some("mx.south.example".into()), detail: "451 später".into() };
    let bob = mailbox("Bob@south.example");
    store
        .change_queue(vec![
            (
                id,
                QueueChange::Deferred {
                    mailbox: bob.clone(),
                    attempt: attempt.clone(),
                    next_attempt_at: at(9),
                },
            ),
            (id, QueueChange::DelayReported { mailbox: bob.clone() }),
            (id, QueueChange::Held(true)),
            (id, QueueChange::DelayReported { mailbox: mailbox("nobody@south.example") }),
            (QueueId(5), QueueChange::Held(true)),
        ])
        .await
        .unwrap();
    let changed = store.queue_entry(id).await.unwrap().unwrap();
    assert!(changed.held);
    let recipient = &changed.recipients[1];
    assert_eq!((recipient.attempts, recipient.next_attempt_at, recipient.delay_reported), (1, at(9), true));
    assert_eq!(recipient.last_attempt, Some(attempt));
    assert_eq!(
        [&changed.recipients[0], &changed.recipients[2]],
        [&entry.recipients[0], &entry.recipients[2]]
    );

    let rescheduled = QueueChange::Rescheduled { next_attempt_at: at(20) };
    store.change_queue(vec![(id, rescheduled), (id, QueueChange::Held(false))]).await.unwrap();
    let changed = store.queue_entry(id).await.unwrap().unwrap();
    assert!(!changed.held && changed.recipients.iter().all(|recipient| recipient.next_attempt_at == at(20)));
    assert_eq!(changed.recipients[1].attempts, 1);
    assert_eq!(store.tally().await.unwrap().queued, 3);
}

async fn what_the_sender_asked_for_stays_with_the_entry(store: &dyn Store) {
    let mut asked = acceptance(&[], &["a@south.example", "b@south.example"]);
    asked.envelope.requests = Requests {
        returned: Some(ReturnedPart::Full),
        envelope_id: Some("QQ+20314159".parse().unwrap()),
        ..Requests::default()
    };
    asked.remote[1].requests = RecipientRequests {
        notify: Some(Notify { success: true, ..Notify::NEVER }),
        original: Some("rfc822;Bee@south.example".parse().unwrap()),
    };
    let (id, entry) = accept(store, &letter(1, 500), asked.clone()).await.unwrap();
    let deferred = QueueChange::Deferred {
        mailbox: mailbox("b@south.example"),
        attempt: Attempt { at: at(6), host: None, detail: "451 later".into() },
        next_attempt_at: at(9),
    };
    store.change_queue(vec![(id, deferred)]).await.unwrap();
    let found = store.queue_entry(id).await.unwrap().unwrap();
    for entry in [entry.unwrap(), found] {
        assert_eq!(entry.envelope.requests, asked.envelope.requests);
        let of_recipients: Vec<_> =
            entry.recipients.into_iter().map(|recipient| recipient.requests).collect();
        assert_eq!(of_recipients, [RecipientRequests::default(), asked.remote[1].requests.clone()]);
    }
}

async fn a_settled_entry_goes_and_is_counted(store: &dyn Store) {
    let remote = ["a@south.example", "b@south.example", "c@south.example", "d@south.example"];
    let (id, entry) = accept(store, &letter(1, 500), acceptance(&[], &remote)).await.unwrap();
    let (other, _) = accept(store, &letter(2, 500), acceptance(&[], &["a@south.example"])).await.unwrap();
    let settled = |text: &str, fate| (id, QueueChange::Settled { mailbox: mailbox(text), fate });
    store.change_queue(vec![settled("b@south.example", Fate::Bounced)]).await.unwrap();
    let left = store.queue_entry(id).await.unwrap().unwrap();
    let addresses: Vec<_> =
        left.recipients.into_iter().map(|recipient| recipient.mailbox.to_string()).collect();
    assert_eq!(addresses, ["a@south.example", "c@south.example", "d@south.example"]);
    // Twice the same counts once.
    let twice = vec![settled("a@south.example", Fate::Relayed), settled("a@south.example", Fate::Relayed)];
    store.change_queue(twice).await.unwrap();
    store.change_queue(vec![settled("a@south.example", Fate::Relayed)]).await.unwrap();
    store
        .change_queue(vec![
            settled("c@south.example", Fate::Discarded),
            settled("d@south.example", Fate::Delivered),
        ])
        .await
        .unwrap();
    assert_eq!(store.queue_entry(id).await.unwrap(), None);
    let ids: Vec<_> = store.queue().await.unwrap().into_iter().map(|entry| entry.id).collect();
    assert_eq!(ids, [other]);
    let expected = Tally { accepted: 5, delivered: 1, relayed: 1, bounced: 1, discarded: 1, queued: 1 };
    assert_eq!(store.tally().await.unwrap(), expected);
    // Its content may be gone now; if it is still there, it is whole.
    match read_all(store, &entry.unwrap().content, 65_536).await {
        Ok(octets) => assert_eq!(octets, letter(1, 500)),
        Err(error) => assert!(matches!(error, StoreError::NotFound(_)), "{error}"),
    }
}

async fn an_acceptance_changes_other_entries_with_it(store: &dyn Store) {
    let bob = add_account(store, "bob@north.example").await;
    let (id, _) = accept(store, &letter(1, 500), acceptance(&[], &["a@south.example"])).await.unwrap();
    let mut bounce = acceptance(&[bob], &["c@south.example"]);
    bounce.changes =
        vec![(id, QueueChange::Settled { mailbox: mailbox("a@south.example"), fate: Fate::Bounced })];
    let (bounce_id, entry) = accept(store, &letter(2, 100), bounce).await.unwrap();
    assert_eq!(store.queue().await.unwrap(), [entry.unwrap()]);
    assert_eq!(store.maildrop(bob).await.unwrap().messages[0].content.id, bounce_id);
    let expected = Tally { accepted: 3, delivered: 1, bounced: 1, queued: 1, ..Tally::default() };
    assert_eq!(store.tally().await.unwrap(), expected);
}

async fn contradictions_are_refused_whole(store: &dyn Store) {
    let bob = add_account(store, "bob@north.example").await;
    let mut deferred = acceptance(&[bob], &[]);
    deferred.changes =
        vec![(QueueId(1), QueueChange::Settled { mailbox: mailbox("a@b.example"), fate: Fate::Deferred })];
    let mut prefixed = acceptance(&[bob], &[]);
    prefixed.deliveries[0].prefix = letter(1, posta_store::limits::PREFIX_OCTETS_MAX + 1);
    for wrong in [
        acceptance(&[bob, bob], &[]),
        acceptance(&[bob], &["a@south.example", "a@south.example"]),
        deferred.clone(),
        prefixed,
    ] {
        let refused = accept(store, &letter(1, 10), wrong).await;
        assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    }
    let refused = store.change_queue(deferred.changes).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    assert_eq!(store.tally().await.unwrap(), Tally::default());
    assert_eq!(store.maildrop(bob).await.unwrap().messages, []);
}

async fn the_tally_adds_up(store: &dyn Store) {
    let bob = add_account(store, "bob@north.example").await;
    let mut mixed = acceptance(&[bob], &["a@south.example", "b@south.example"]);
    mixed.discarded = 3;
    accept(store, &letter(1, 10), mixed).await.unwrap();
    let mut nothing = acceptance(&[], &[]);
    nothing.discarded = 2;
    accept(store, &letter(2, 400_000), nothing).await.unwrap();
    let tally = store.tally().await.unwrap();
    let expected = Tally { accepted: 8, delivered: 1, discarded: 5, queued: 2, ..Tally::default() };
    assert_eq!(tally, expected);
}

async fn ids_grow(store: &dyn Store) {
    let mut last = QueueId(0);
    for _ in 0..100 {
        let writer = store.receive().await.unwrap();
        assert!(writer.id() > last);
        last = writer.id();
    }
}

async fn many_at_once(store: &dyn Store) {
    let bob = add_account(store, "bob@north.example").await;
    let accepts = (0..200u64).map(|number| async move {
        let size = if number % 50 == 0 { 300_000 } else { 1000 + number as usize };
        let (id, _) = accept(store, &letter(number, size), acceptance(&[bob], &[])).await.unwrap();
        (id, number, size)
    });
    let mut expected = Vec::new();
    let mut running: Vec<std::pin::Pin<Box<dyn Future<Output = _>>>> = Vec::new();
    for accept in accepts {
        running.push(Box::pin(accept));
    }
    // Polled together, by hand: the trait object is not 'static.
    std::future::poll_fn(|context| {
        running.retain_mut(|future| match future.as_mut().poll(context) {
            std::task::Poll::Ready(done) => {
                expected.push(done);
                false
            }
            std::task::Poll::Pending => true,
        });
        if running.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    expected.sort_unstable();
    let messages = store.maildrop(bob).await.unwrap().messages;
    assert_eq!(messages.len(), 200);
    for (message, (id, number, size)) in messages.iter().zip(expected) {
        assert_eq!(message.content.id, id);
        assert_eq!(read_all(store, &message.content, 65_536).await.unwrap(), letter(number, size));
    }
}
