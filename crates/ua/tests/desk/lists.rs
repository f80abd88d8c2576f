//! Conversations, lists and search.

use crate::place::{ADA, Place, engine, person, send};
use posta_ua::desk::*;

#[tokio::test]
async fn conversations_go_across_folders_with_own_replies() {
    let place = Place::new().await;
    let first =
        place.letter("Bob <bob@south.example>", "Tea?", "Message-ID: <1@south.example>\n", "At five?").await;
    let draft = place.desk.reply_draft(&first, ReplyKind::Reply).await.unwrap();
    let sent = send(&place, &Draft { body: DraftBody::Text("Yes".into()), ..draft }).await;
    let own_id =
        place.desk.message(&sent.message, &ReadOptions::default()).await.unwrap().message_id.unwrap();
    place
        .letter(
            "Bob <bob@south.example>",
            "AW: Tea?",
            &format!("References: <1@south.example> <{own_id}>\n"),
            "Good",
        )
        .await;
    place.letter("Carol <carol@east.example>", "Something else", "", "x").await;
    assert_eq!(place.subjects(Some("inbox"), "").await, ["Something else", "Tea?"]);
    let query = ConversationQuery { folder: Some(FolderKey::new("inbox")), ..Default::default() };
    let page = place.desk.conversations(&query).await.unwrap();
    let tea = &page.rows[1];
    assert_eq!((page.total, tea.messages, tea.unread, tea.snippet.as_str()), (2, 3, 2, "Good"));
    let people: Vec<_> = tea.people.iter().map(|one| (one.person.shown(), one.me)).collect();
    assert_eq!(people, [("Bob", false), ("Ada Löv", true)]);
    assert!(tea.is_answered && tea.folders == [FolderKey::new("inbox"), FolderKey::new("sent")]);
    let conversation = place.desk.conversation(&tea.key).await.unwrap();
    let folders: Vec<_> = conversation.messages.iter().map(|message| message.folder.as_str()).collect();
    assert_eq!(folders, ["inbox", "sent", "inbox"]);
}

#[tokio::test]
async fn messages_that_come_in_any_order_are_one_conversation() {
    let place = Place::new().await;
    place.letter("c@x.example", "Re: Plan", "Message-ID: <3@x>\nReferences: <2@x>\n", "third").await;
    place.letter("a@x.example", "Plan", "Message-ID: <1@x>\n", "first").await;
    assert_eq!(place.subjects(Some("inbox"), "").await.len(), 2);
    let query = ConversationQuery { folder: Some(FolderKey::new("inbox")), ..Default::default() };
    let before = place.desk.conversations(&query).await.unwrap().rows;
    place.letter("b@x.example", "Re: Plan", "Message-ID: <2@x>\nIn-Reply-To: <1@x>\n", "second").await;
    let page = place.desk.conversations(&query).await.unwrap();
    assert_eq!((page.rows.len(), page.rows[0].messages, page.total), (1, 3, 1));
    // Both names still lead there.
    for row in before {
        assert_eq!(place.desk.conversation(&row.key).await.unwrap().messages.len(), 3);
    }
}

#[tokio::test]
async fn a_stranger_joins_nothing_by_references() {
    let place = Place::new().await;
    place.letter("a@x.example", "Salaries", "Message-ID: <1@x>\n", "a").await;
    place.letter("b@x.example", "Picnic", "Message-ID: <2@x>\n", "b").await;
    place.letter("m@evil.example", "Offer", "Message-ID: <3@x>\nReferences: <1@x> <2@x>\n", "c").await;
    let mut subjects = place.subjects(Some("inbox"), "").await;
    subjects.sort();
    assert_eq!(subjects, ["Picnic", "Salaries"]);
}

#[tokio::test]
async fn without_references_the_subject_decides_for_answers_only() {
    let place = Place::new().await;
    place.letter("a@x.example", "Lunch", "", "1").await;
    place.letter("b@x.example", "Re: Lunch", "", "2").await;
    place.letter("c@x.example", "Lunch", "", "3").await;
    let query = ConversationQuery { folder: Some(FolderKey::new("inbox")), ..Default::default() };
    let counts: Vec<_> =
        place.desk.conversations(&query).await.unwrap().rows.iter().map(|row| row.messages).collect();
    assert_eq!(counts, [1, 2]);
}

#[tokio::test]
async fn search_by_words_and_fields() {
    let place = Place::new().await;
    place
        .letter("Bob Brown <bob@south.example>", "Invoice 2026", "", "Please pay the Größe of it, über all")
        .await;
    place
        .letter("carol@east.example", "Photos", "Content-Type: multipart/mixed; boundary=b\n",
            "--b\n\nHere they are\n--b\nContent-Type: image/png; name=holiday.png\nContent-Disposition: attachment\n\nx\n--b--")
        .await;
    let third = place
        .letter("List <l@lists.example>", "News", "List-Id: <news.lists.example>\n", &"word ".repeat(3000))
        .await;
    place
        .desk
        .change(&Change::Read { selection: Selection::message(third.clone()), read: true })
        .await
        .unwrap();
    place
        .desk
        .change(&Change::Label {
            selection: Selection::message(third),
            add: vec!["Reading".into()],
            remove: vec![],
        })
        .await
        .unwrap();
    for (search, expected) in [
        ("invoice", vec!["Invoice 2026"]),
        ("invo", vec!["Invoice 2026"]),
        ("invo pay", vec![]),
        ("grosse OR", vec![]),
        ("große", vec!["Invoice 2026"]),
        ("größe ", vec!["Invoice 2026"]),
        ("grosze", vec![]),
        ("GRÖSSE", vec![]),
        ("uber", vec!["Invoice 2026"]),
        ("\"pay the\"", vec!["Invoice 2026"]),
        ("\"the pay\"", vec![]),
        ("from:bob", vec!["Invoice 2026"]),
        ("from:brown", vec!["Invoice 2026"]),
        ("from:bob@south.example", vec!["Invoice 2026"]),
        ("to:ada", vec!["News", "Photos", "Invoice 2026"]),
        ("to:ada -from:bob", vec!["News", "Photos"]),
        ("-invoice", vec!["News", "Photos"]),
        ("has:attachment", vec!["Photos"]),
        ("filename:holiday", vec!["Photos"]),
        ("list:news", vec!["News"]),
        ("is:unread", vec!["Photos", "Invoice 2026"]),
        ("is:read", vec!["News"]),
        ("label:reading", vec!["News"]),
        ("-label:reading subject:photos", vec!["Photos"]),
        ("larger:10k", vec!["News"]),
        ("smaller:10k has:attachment", vec!["Photos"]),
        ("in:inbox news", vec!["News"]),
        ("in:archive news", vec![]),
        ("in:nowhere", vec![]),
        ("after:2026-11-23", vec!["News", "Photos", "Invoice 2026"]),
        ("before:2026-11-23", vec![]),
        ("on:2026-11 invoice", vec!["Invoice 2026"]),
        ("newer_than:1d photos", vec!["Photos"]),
        ("NEAR( \" ' * - OR AND NOT ) ^ {x}:", vec![]),
    ] {
        assert_eq!(place.found(search).await, expected, "{search}");
    }
}

#[tokio::test]
async fn junk_and_trash_are_found_only_when_asked_for() {
    let place = Place::new().await;
    let key = place.letter("x@x.example", "Secret", "", "y").await;
    place
        .desk
        .change(&Change::Move { selection: Selection::message(key), folder: FolderKey::new("trash") })
        .await
        .unwrap();
    assert!(place.found("secret").await.is_empty());
    for search in ["secret in:trash", "secret in:anywhere"] {
        assert_eq!(place.found(search).await, ["Secret"], "{search}");
        assert_eq!(place.subjects(None, search).await, ["Secret"], "{search}");
    }
}

#[tokio::test]
async fn pages_follow_one_another_without_gap_or_repetition() {
    let place = Place::new().await;
    for number in 0..25 {
        place
            .letter("x@x.example", &format!("n{number}"), &format!("Message-ID: <{number}@x>\n"), "common")
            .await;
    }
    // Answers put old conversations into both halves.
    for number in [3, 20] {
        place
            .letter(
                "x@x.example",
                &format!("Re: n{number}"),
                &format!("References: <{number}@x>\n"),
                "common",
            )
            .await;
    }
    for search in ["", "common"] {
        let mut query = ConversationQuery {
            folder: Some(FolderKey::new("inbox")),
            search: search.into(),
            limit: 7,
            ..Default::default()
        };
        let mut all = Vec::new();
        loop {
            let page = place.desk.conversations(&query).await.unwrap();
            all.extend(page.rows.into_iter().map(|row| row.subject));
            match page.next {
                Some(next) => query.cursor = Some(next),
                None => break,
            }
        }
        assert_eq!(all.len(), 25, "{search}: {all:?}");
        assert_eq!(all[..3], ["n20", "n3", "n24"], "{search}");
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 25, "{search}");
    }
    let query = ConversationQuery {
        folder: Some(FolderKey::new("inbox")),
        skip: 20,
        limit: 100,
        ..Default::default()
    };
    assert_eq!(place.desk.conversations(&query).await.unwrap().rows.len(), 5);
}

#[tokio::test]
async fn the_index_can_be_thrown_away() {
    let place = Place::new().await;
    place.letter("bob@south.example", "Tea?", "Message-ID: <1@x>\n", "kettle").await;
    place.letter("bob@south.example", "Re: Tea?", "References: <1@x>\n", "cake").await;
    let before = place.desk.conversations(&ConversationQuery::default()).await.unwrap();
    // Another engine on the same index, on a spoilt one, and on none.
    let index = place.dir.path().join(format!("{}.sqlite", place.account.0));
    let spoilt = tempfile::tempdir().unwrap();
    std::fs::write(spoilt.path().join(index.file_name().unwrap()), "no database at all").unwrap();
    let none = tempfile::tempdir().unwrap();
    for dir in [spoilt.path(), none.path()] {
        let other = engine(&place.store, &place.clock, &place.out, dir);
        let desk = other.desk(&ADA.parse().unwrap()).await.unwrap();
        assert_eq!(desk.conversations(&ConversationQuery::default()).await.unwrap(), before);
        let query = ConversationQuery { search: "kettle".into(), ..Default::default() };
        assert_eq!(desk.conversations(&query).await.unwrap().rows.len(), 1);
    }
}

#[tokio::test]
async fn what_is_removed_in_the_store_is_gone_here() {
    let place = Place::new().await;
    let key = place.letter("bob@south.example", "Tea?", "", "kettle").await;
    assert_eq!(place.found("kettle").await, ["Tea?"]);
    use posta_store::Store;
    place.store.remove_messages(place.account, &[key.as_str().parse().unwrap()]).await.unwrap();
    assert!(place.found("kettle").await.is_empty() && place.subjects(Some("inbox"), "").await.is_empty());
    let folders = place.desk.folders().await.unwrap();
    assert_eq!((folders[0].messages, folders[0].unread), (0, 0));
    assert!(matches!(place.desk.raw(&key).await, Err(DeskError::NotFound(_))));
}

#[tokio::test]
async fn addresses_are_completed_from_past_mail_and_the_book() {
    let place = Place::new().await;
    place.letter("Bob Brown <bob@south.example>", "x", "", "x").await;
    place.letter("Bobette <bobette@east.example>", "x", "", "x").await;
    let draft = Draft {
        to: vec![Person::new("Bobo", "bobo@west.example")],
        body: DraftBody::Text("x".into()),
        ..Default::default()
    };
    send(&place, &draft).await;
    place
        .desk
        .put_contact(&Contact {
            name: "Robert Bobson".into(),
            addresses: vec!["rob@north.example".into()],
            ..Default::default()
        })
        .await
        .unwrap();
    let found = |typed: &'static str| async {
        place
            .desk
            .complete_address(typed, 10)
            .await
            .unwrap()
            .into_iter()
            .map(|one| one.person.address)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        found("bob").await,
        ["bobo@west.example", "rob@north.example", "bobette@east.example", "bob@south.example"]
    );
    assert_eq!(found("brown").await, ["bob@south.example"]);
    assert_eq!(found("east.ex").await, ["bobette@east.example"]);
    assert!(found("%").await.is_empty() && found("").await.is_empty());
    let vcards = place.desk.export_contacts().await.unwrap();
    assert!(vcards.contains("FN:Robert Bobson"), "{vcards}");
    assert_eq!(place.desk.import_contacts(&vcards).await.unwrap(), 1);
    assert_eq!(place.desk.contacts().await.unwrap().len(), 1);
    let _ = person("x");
}
