//! Changes and their ways back.

use crate::place::Place;
use posta_ua::desk::*;

async fn three(place: &Place) -> Vec<MessageKey> {
    let mut keys = Vec::new();
    for (subject, fields) in
        [("Tea?", "Message-ID: <1@x>\n"), ("Re: Tea?", "References: <1@x>\n"), ("Other", "")]
    {
        keys.push(place.letter("bob@south.example", subject, fields, "x").await);
    }
    keys
}

fn to(folder: &str, selection: Selection) -> Change {
    Change::Move { selection, folder: FolderKey::new(folder) }
}

#[tokio::test]
async fn moving_a_conversation_and_back() {
    let place = Place::new().await;
    let keys = three(&place).await;
    let conversation = place.row(&keys[0]).await.conversation;
    let done = place.desk.change(&to("archive", Selection::conversation(conversation))).await.unwrap();
    assert_eq!((done.messages, done.text.as_str()), (2, "2 messages moved to Archive"));
    assert_eq!(place.subjects(Some("inbox"), "").await, ["Other"]);
    assert_eq!(place.subjects(Some("archive"), "").await, ["Tea?"]);
    let undo = done.undo.unwrap();
    assert_eq!(place.desk.undo(&undo).await.unwrap().messages, 2);
    assert_eq!(place.subjects(Some("inbox"), "").await, ["Other", "Tea?"]);
    assert!(place.subjects(Some("archive"), "").await.is_empty());
    // Once only.
    assert!(matches!(place.desk.undo(&undo).await, Err(DeskError::NotFound(_))));
}

#[tokio::test]
async fn undo_changes_back_only_what_was_changed() {
    let place = Place::new().await;
    let keys = three(&place).await;
    let one = Selection::message(keys[0].clone());
    place.desk.change(&Change::Read { selection: one.clone(), read: true }).await.unwrap();
    let all = Selection { messages: keys.clone(), ..Default::default() };
    let done = place.desk.change(&Change::Read { selection: all.clone(), read: true }).await.unwrap();
    assert_eq!(done.messages, 2);
    place.desk.undo(&done.undo.unwrap()).await.unwrap();
    assert!(place.row(&keys[0]).await.is_read && !place.row(&keys[1]).await.is_read);
    place
        .desk
        .change(&Change::Label { selection: one, add: vec!["a".into()], remove: vec![] })
        .await
        .unwrap();
    let done = place
        .desk
        .change(&Change::Label { selection: all, add: vec!["a".into(), "b".into()], remove: vec![] })
        .await
        .unwrap();
    assert_eq!(place.desk.labels().await.unwrap(), [("a".to_owned(), 3), ("b".to_owned(), 3)]);
    place.desk.undo(&done.undo.unwrap()).await.unwrap();
    assert_eq!(place.desk.labels().await.unwrap(), [("a".to_owned(), 1)]);
    assert_eq!(place.row(&keys[0]).await.labels, ["a"]);
    let nothing =
        place.desk.change(&Change::Read { selection: Selection::default(), read: true }).await.unwrap();
    assert_eq!((nothing.messages, nothing.undo), (0, None));
}

#[tokio::test]
async fn flags_go_to_the_newest_and_come_off_all() {
    let place = Place::new().await;
    let keys = three(&place).await;
    let conversation = place.row(&keys[0]).await.conversation;
    let selection = Selection::conversation(conversation);
    assert_eq!(
        place
            .desk
            .change(&Change::Flag { selection: selection.clone(), flagged: true })
            .await
            .unwrap()
            .messages,
        1
    );
    assert!(place.row(&keys[1]).await.is_flagged && !place.row(&keys[0]).await.is_flagged);
    place
        .desk
        .change(&Change::Flag { selection: Selection::message(keys[0].clone()), flagged: true })
        .await
        .unwrap();
    assert_eq!(place.desk.change(&Change::Flag { selection, flagged: false }).await.unwrap().messages, 2);
}

#[tokio::test]
async fn folders_of_ones_own() {
    let place = Place::new().await;
    let keys = three(&place).await;
    let work = place.desk.create_folder("Work/Tea").await.unwrap();
    place
        .desk
        .change(&Change::Move { selection: Selection::message(keys[2].clone()), folder: work.clone() })
        .await
        .unwrap();
    let folders = place.desk.folders().await.unwrap();
    let shape: Vec<_> =
        folders.iter().map(|folder| (folder.name.as_str(), folder.messages, folder.unread)).collect();
    assert_eq!(shape[0], ("Inbox", 2, 2));
    assert_eq!(shape.last().unwrap(), &("Work/Tea", 1, 1));
    assert_eq!(place.found("in:work/tea").await, ["Other"]);
    assert!(matches!(place.desk.remove_folder(&work).await, Err(DeskError::Invalid(_))));
    place.desk.rename_folder(&work, "Leisure").await.unwrap();
    assert!(matches!(place.desk.create_folder("leisure").await, Err(DeskError::Invalid(_))));
    assert!(matches!(place.desk.create_folder("a\nb").await, Err(DeskError::Invalid(_))));
    place.desk.change(&to("inbox", Selection::message(keys[2].clone()))).await.unwrap();
    place.desk.remove_folder(&work).await.unwrap();
    assert_eq!(place.desk.folders().await.unwrap().len(), 6);
    assert!(matches!(place.desk.change(&to("99", Selection::default())).await, Err(DeskError::NotFound(_))));
}

#[tokio::test]
async fn snoozed_mail_comes_back_unread() {
    let place = Place::new().await;
    let keys = three(&place).await;
    place
        .desk
        .change(&Change::Read { selection: Selection::message(keys[2].clone()), read: true })
        .await
        .unwrap();
    let until = "2026-11-24T08:00:00Z".parse().unwrap();
    let selection = Selection::message(keys[2].clone());
    let done = place
        .desk
        .change(&Change::Snooze { selection: selection.clone(), until: Some(until) })
        .await
        .unwrap();
    assert_eq!(place.subjects(Some("inbox"), "").await, ["Tea?"]);
    assert_eq!(place.found("is:snoozed").await, ["Other"]);
    place.desk.undo(&done.undo.unwrap()).await.unwrap();
    assert!(place.found("is:snoozed").await.is_empty());
    place.desk.change(&Change::Snooze { selection, until: Some(until) }).await.unwrap();
    place.engine.tick().await;
    assert_eq!(place.subjects(Some("inbox"), "").await, ["Tea?"]);
    place.clock.set("2026-11-24T08:00:01Z");
    place.engine.tick().await;
    assert_eq!(place.subjects(Some("inbox"), "").await, ["Other", "Tea?"]);
    assert!(!place.row(&keys[2]).await.is_read && place.found("is:snoozed").await.is_empty());
}

#[tokio::test]
async fn a_muted_conversation_stays_out_of_the_inbox() {
    let place = Place::new().await;
    let keys = three(&place).await;
    let conversation = place.row(&keys[0]).await.conversation;
    place
        .desk
        .change(&Change::Mute { selection: Selection::conversation(conversation.clone()), muted: true })
        .await
        .unwrap();
    let mut notices = place.desk.notices().await.unwrap();
    place.letter("bob@south.example", "Re: Tea?", "References: <1@x>\n", "again").await;
    let view = place.desk.conversation(&conversation).await.unwrap();
    assert!(view.is_muted);
    assert_eq!(view.messages.last().unwrap().folder.as_str(), "archive");
    while let Ok(notice) = notices.try_recv() {
        assert!(!matches!(notice, Notice::NewMail { .. }), "{notice:?}");
    }
}

#[tokio::test]
async fn only_trash_junk_and_drafts_are_deleted_for_ever() {
    let place = Place::new().await;
    let keys = three(&place).await;
    place.desk.change(&to("trash", Selection::message(keys[2].clone()))).await.unwrap();
    let all = Selection { messages: keys.clone(), ..Default::default() };
    let done = place.desk.change(&Change::DeleteForEver { selection: all }).await.unwrap();
    assert_eq!((done.messages, done.undo), (1, None));
    assert!(place.desk.raw(&keys[2]).await.is_err() && place.desk.raw(&keys[0]).await.is_ok());
}

#[tokio::test]
async fn whoever_listens_is_told() {
    let place = Place::new().await;
    let mut notices = place.desk.notices().await.unwrap();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let engine = place.engine.clone();
    let running = tokio::spawn(async move { engine.run(stopped).await });
    // The engine listens before the mail comes.
    tokio::task::yield_now().await;
    let key = place.letter("Bob <bob@south.example>", "Tea?", "", "At five?").await;
    let mut seen = Vec::new();
    while !seen.iter().any(|notice| matches!(notice, Notice::NewMail { .. })) {
        let notice = tokio::time::timeout(std::time::Duration::from_secs(20), notices.recv())
            .await
            .expect("told in time");
        seen.push(notice.unwrap());
    }
    let Some(Notice::NewMail { message, subject, snippet, .. }) = seen.last() else { panic!("{seen:?}") };
    assert_eq!((message, subject.as_str(), snippet.as_str()), (&key, "Tea?", "At five?"));
    assert!(seen.contains(&Notice::Changed {
        folders: vec![FolderKey::new("inbox")],
        conversations: vec![place.row(&key).await.conversation]
    }));
    stop.send(true).unwrap();
    running.await.unwrap();
}
