//! Facts are read as they were written; whatever is read is no panic.

use super::*;
use crate::Requests;
use posta_address::Mailbox;
use proptest::prelude::*;

fn mailbox() -> impl Strategy<Value = Mailbox> {
    let known =
        ["bob@north.example", "\"a b\"@[192.0.2.1]", "é@xn--mller-kva.example", "x@[IPv6:2001:db8::1]"];
    (0..known.len()).prop_map(move |number| known[number].parse().unwrap())
}

fn time() -> impl Strategy<Value = Timestamp> {
    (-1_000_000_000_000i64..1_000_000_000_000_000, 0i64..1000).prop_map(|(microsecond, nanosecond)| {
        let micro = Timestamp::from_microsecond(microsecond).unwrap();
        micro + jiff::SignedDuration::from_nanos(nanosecond)
    })
}

fn change() -> impl Strategy<Value = (QueueId, QueueChange)> {
    let change = prop_oneof![
        mailbox().prop_map(|mailbox| QueueChange::Settled { mailbox, fate: Fate::Relayed }),
        (mailbox(), time(), time(), ".*", prop::option::of(".*")).prop_map(
            |(mailbox, at, next_attempt_at, detail, host)| QueueChange::Deferred {
                mailbox,
                attempt: Attempt { at, host, detail },
                next_attempt_at,
            }
        ),
        mailbox().prop_map(|mailbox| QueueChange::DelayReported { mailbox }),
        time().prop_map(|next_attempt_at| QueueChange::Rescheduled { next_attempt_at }),
        any::<bool>().prop_map(QueueChange::Held),
        (mailbox(), any::<u64>(), time()).prop_map(|(mailbox, account, at)| QueueChange::Delivered {
            mailbox,
            delivery: LocalDelivery::to_inbox(AccountId(account), Bytes::from_static(b"x")),
            at,
        }),
    ];
    (any::<u64>().prop_map(QueueId), change)
}

fn some_marks(number: u64) -> Marks {
    Marks {
        folder: crate::FolderId(number as u32 % 20),
        flags: crate::Flags::from_bits(number % 64).unwrap(),
        labels: (0..number % 4).map(|label| format!("ä {label}").parse().unwrap()).collect(),
        changed: number,
    }
}

fn mailbox_change(number: u64) -> MailboxChange {
    let (messages, folder) = (vec![QueueId(number), QueueId(1)], crate::FolderId(number as u32));
    let Marks { flags, labels, .. } = some_marks(number);
    match number % 8 {
        0 => MailboxChange::CreateFolder { folder, name: format!("a/{number}").parse().unwrap() },
        1 => MailboxChange::RenameFolder { folder, name: "Größe".parse().unwrap() },
        2 => MailboxChange::RemoveFolder { folder },
        3 => MailboxChange::Move { messages, folder },
        4 => MailboxChange::Flag { messages, add: flags, remove: crate::Flags::SEEN },
        5 => MailboxChange::Label { messages, add: labels, remove: vec!["x".parse().unwrap()] },
        6 => {
            let octets = number.to_le_bytes().to_vec().into();
            MailboxChange::PutDocument { name: "a/b".parse().unwrap(), octets }
        }
        _ => MailboxChange::RemoveDocument { name: "a".parse().unwrap() },
    }
}

fn mailbox_state(number: u64) -> MailboxState {
    let octets = number.is_multiple_of(2).then(|| Bytes::from_static(b"{}"));
    let name = number.is_multiple_of(3).then(|| "Work".parse().unwrap());
    MailboxState {
        folders: (!number.is_multiple_of(5)).then(|| vec![(crate::FolderId(17), name)]),
        marks: vec![(QueueId(number), some_marks(number))],
        documents: vec![("settings".parse().unwrap(), octets)],
    }
}

fn kept(number: u64, received_at: Timestamp) -> Kept {
    let (account, prefix, marks) = (AccountId(number), Bytes::from_static(b"x"), some_marks(number));
    let places = vec![Place { account, prefix, received_at, marks }];
    Kept { id: QueueId(number), size_octets: 7, pieces: Vec::new(), places, queue: None }
}

fn accepted() -> impl Strategy<Value = Fact> {
    let delivery = (any::<u64>(), prop::collection::vec(any::<u8>(), 0..40)).prop_map(|(account, prefix)| {
        let mut delivery = LocalDelivery::to_inbox(AccountId(account), prefix.into());
        if account.is_multiple_of(3) {
            mark(&mut delivery, Marks { changed: 0, ..some_marks(account) });
        }
        delivery
    });
    let remote = (mailbox(), any::<bool>()).prop_map(|(mailbox, asks)| RemoteRecipient {
        maildrop: asks.then_some(AccountId(300)),
        original: ForwardPath::Mailbox(mailbox.clone()),
        requests: RecipientRequests {
            notify: asks.then_some(posta_wire::Notify::NEVER),
            original: asks.then(|| "rfc822;Bob@x.example".parse().unwrap()),
        },
        mailbox,
    });
    let piece = (any::<u64>(), any::<u64>(), any::<u32>()).prop_map(|(volume, offset, octets)| Piece {
        volume,
        offset,
        octets,
    });
    (
        (any::<u64>(), any::<u64>(), prop::option::of(mailbox()), any::<bool>(), time(), any::<u32>()),
        prop::collection::vec(delivery, 0..3),
        prop::collection::vec(remote, 0..3),
        prop::collection::vec(change(), 0..3),
        prop::collection::vec(piece, 0..3),
    )
        .prop_map(
            |(
                (id, size_octets, from, smtputf8, accepted_at, discarded),
                deliveries,
                remote,
                changes,
                pieces,
            )| {
                let envelope = Envelope {
                    reverse_path: from.map_or(ReversePath::Null, ReversePath::Mailbox),
                    smtputf8,
                    facts: ContentFacts {
                        size_octets,
                        has_leading_dot: smtputf8,
                        is_binary: discarded % 2 == 1,
                        ..ContentFacts::default()
                    },
                    message_id: Some("<ä@b>".into()),
                    requests: Requests {
                        returned: smtputf8.then_some(posta_wire::ReturnedPart::Headers),
                        envelope_id: smtputf8.then(|| "QQ".parse().unwrap()),
                        ..Requests::default()
                    },
                };
                let acceptance = Acceptance { envelope, accepted_at, deliveries, remote, discarded, changes };
                Fact::Accepted(Box::new(Accepted { id: QueueId(id), size_octets, pieces, acceptance }))
            },
        )
}

fn fact() -> impl Strategy<Value = Fact> {
    prop_oneof![
        accepted(),
        any::<u64>().prop_map(|id| Fact::Chunk { id: QueueId(id) }),
        (any::<u64>(), any::<u64>(), time()).prop_map(|(id, account, received_at)| Fact::Placed {
            id: QueueId(id),
            place: Place {
                account: AccountId(account),
                prefix: Bytes::from_static(b"x"),
                received_at,
                marks: Marks::default(),
            },
        }),
        prop::collection::vec(change(), 0..4).prop_map(Fact::QueueChanged),
        (any::<u64>(), time()).prop_map(|(number, at)| Fact::Kept(Box::new(kept(number, at)))),
        prop::collection::vec(any::<u64>().prop_map(mailbox_change), 0..9)
            .prop_map(|changes| Fact::MailboxChanged { account: AccountId(300), changes }),
        any::<u64>().prop_map(|number| Fact::MailboxState {
            account: AccountId(number),
            state: Box::new(mailbox_state(number)),
        }),
        (any::<u64>(), prop::collection::vec(any::<u64>().prop_map(QueueId), 0..9))
            .prop_map(|(account, messages)| Fact::Removed { account: AccountId(account), messages }),
    ]
}

proptest! {
    #[test]
    fn facts_survive(fact in fact()) {
        prop_assert_eq!(Fact::decode(fact.kind(), &fact.encode()), Ok(fact));
    }

    #[test]
    fn nothing_read_is_a_panic(kind in 0u8..16, octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Fact::decode(kind, &octets);
    }

    #[test]
    fn damaged_facts_are_no_panic(fact in fact(), place: prop::sample::Index, octet: u8) {
        let mut octets = fact.encode().to_vec();
        let place = place.index(octets.len());
        octets[place] = octet;
        let _ = Fact::decode(fact.kind(), &octets);
        let _ = Fact::decode(fact.kind(), &octets[..place]);
    }
}
