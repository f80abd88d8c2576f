//! Export and import: the same messages come back, and the reports say so.

use crate::place::Place;
use posta_ua::desk::*;
use posta_ua::engine::transfer;

async fn some_mail(place: &Place) {
    place
        .letter(
            "bob@south.example",
            "One",
            "Date: Mon, 23 Nov 2026 10:00:00 +0000\n",
            "From here\n>From there\n\nFrom the end",
        )
        .await;
    place.letter("carol@east.example", "Zwei", "", "grüße\n\n\n").await;
    let third = place.letter("dan@x.example", "Three", "", "").await;
    place
        .desk
        .change(&Change::Read { selection: Selection::message(third.clone()), read: true })
        .await
        .unwrap();
    place.desk.change(&Change::Flag { selection: Selection::message(third), flagged: true }).await.unwrap();
}

#[tokio::test]
async fn mbox_there_and_back() {
    let place = Place::new().await;
    some_mail(&place).await;
    let path = place.dir.path().join("mail.mbox");
    let out = transfer::export_mbox(&*place.desk, &ConversationQuery::default(), &path).await.unwrap();
    assert_eq!((out.messages, out.failures.len()), (3, 0));
    let other = Place::new().await;
    let back = transfer::import_mbox(&*other.desk, &FolderKey::new("archive"), &path).await.unwrap();
    assert_eq!(back, out);
    assert_eq!(other.subjects(Some("archive"), "").await.len(), 3);
    assert_eq!(other.found("subject:one on:2026-11-23").await, ["One"]);
    let again =
        transfer::export_mbox(&*other.desk, &ConversationQuery::default(), &other.dir.path().join("b"))
            .await
            .unwrap();
    assert_eq!(again.digest, out.digest);
    std::fs::write(&path, "no mbox").unwrap();
    assert!(transfer::import_mbox(&*other.desk, &FolderKey::new("archive"), &path).await.is_err());
}

#[tokio::test]
async fn maildir_there_and_back() {
    let place = Place::new().await;
    some_mail(&place).await;
    let path = place.dir.path().join("Maildir");
    let out = transfer::export_maildir(&*place.desk, &ConversationQuery::default(), &path).await.unwrap();
    assert_eq!((out.messages, std::fs::read_dir(path.join("new")).unwrap().count()), (3, 2));
    let other = Place::new().await;
    let back = transfer::import_maildir(&*other.desk, &FolderKey::new("inbox"), &path).await.unwrap();
    assert_eq!(back, out);
    assert_eq!(other.found("is:read is:flagged").await, ["Three"]);
    assert_eq!(other.found("is:unread").await.len(), 2);
}
