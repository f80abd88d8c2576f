//! Drafts, answers, sending and taking back.

use crate::place::{ADA, Place, person, send};
use bytes::Bytes;
use posta_ua::desk::*;

fn draft() -> Draft {
    Draft {
        to: vec![Person::new("Bob Brown", "bob@south.example")],
        cc: vec![person("carol@east.example")],
        bcc: vec![person("secret@west.example")],
        subject: "Grüße".into(),
        body: DraftBody::Text("Dear Bob,\n\nÀ bientôt".into()),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_draft_comes_back_as_it_was_saved() {
    let place = Place::new().await;
    let upload =
        place.desk.upload("Plan Ü.txt", "text/plain", Bytes::from_static("ü\n".as_bytes())).await.unwrap();
    let attachment = DraftAttachment {
        octets: AttachmentSource::Upload(upload),
        name: String::new(),
        media_type: String::new(),
        size_octets: 0,
        content_id: None,
    };
    let saved = place
        .desk
        .save_draft(&Draft { attachments: vec![attachment], wants_receipt: true, ..draft() })
        .await
        .unwrap();
    assert_eq!((saved.attachments[0].name.as_str(), saved.attachments[0].size_octets), ("Plan Ü.txt", 3));
    let read = place.desk.draft(&saved.key).await.unwrap();
    assert_eq!(
        (&read.to, &read.cc, &read.bcc, &read.subject, &read.body),
        (&draft().to, &draft().cc, &draft().bcc, &draft().subject, &draft().body)
    );
    assert!(read.wants_receipt && read.attachments == saved.attachments);
    // Saved again with its file: one version, the same key.
    let again = place.desk.save_draft(&Draft { subject: "Other".into(), ..read.clone() }).await.unwrap();
    assert_eq!(again.key, saved.key);
    assert_ne!(again.version, saved.version);
    assert_eq!(place.subjects(Some("drafts"), "").await, ["Other"]);
    let part = place.desk.part(&again.version, &PartPath::new("2")).await.unwrap();
    assert_eq!(part.octets.as_ref(), "ü\n".as_bytes());
    // Another window had the old version.
    assert!(matches!(place.desk.save_draft(&read).await, Err(DeskError::Conflict(_))));
    let row = place
        .desk
        .messages(&ConversationQuery { folder: Some(FolderKey::new("drafts")), ..Default::default() })
        .await
        .unwrap()
        .rows
        .remove(0);
    assert_eq!(row.draft, Some(saved.key.clone()));
    let done = place.desk.discard_draft(&saved.key).await.unwrap();
    assert!(matches!(place.desk.draft(&saved.key).await, Err(DeskError::NotFound(_))));
    place.desk.undo(&done.undo.unwrap()).await.unwrap();
    assert_eq!(place.desk.draft(&saved.key).await.unwrap().subject, "Other");
}

#[tokio::test]
async fn half_typed_recipients_are_kept_and_not_sent_to() {
    let place = Place::new().await;
    let unfinished =
        Draft { to: vec![Person::new("", "bob@"), person("carol@east.example")], ..Default::default() };
    let saved = place.desk.save_draft(&unfinished).await.unwrap();
    assert_eq!(place.desk.draft(&saved.key).await.unwrap().to, unfinished.to);
    let Err(DeskError::Invalid(words)) = place.desk.send(&saved.key, &SendOptions::default()).await else {
        panic!("not sent")
    };
    assert!(words.contains("bob@"), "{words}");
    assert!(place.out.sent.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_is_sent_and_what_is_kept() {
    let place = Place::new().await;
    let sent = send(&place, &draft()).await;
    let (_, submission) = place.out.sent.lock().unwrap()[0].clone();
    let text = String::from_utf8_lossy(&submission.content).into_owned();
    let recipients: Vec<_> = submission.recipients.iter().map(ToString::to_string).collect();
    assert_eq!(recipients, ["bob@south.example", "carol@east.example", "secret@west.example"]);
    assert_eq!(submission.reverse_path.to_string(), format!("<{ADA}>"));
    assert!(!text.contains("secret") && !text.contains("X-Posta"), "{text}");
    assert!(
        text.contains("To: Bob Brown <bob@south.example>\r\n")
            && text.contains("Message-ID: <")
            && text.contains("@north.example>")
    );
    let copy = place.desk.message(&sent.message, &ReadOptions::default()).await.unwrap();
    assert_eq!(
        (copy.bcc, copy.row.folder.as_str(), copy.row.is_read),
        (vec![person("secret@west.example")], "sent", true)
    );
    assert!(place.subjects(Some("drafts"), "").await.is_empty());
    assert!(text.contains(&copy.message_id.unwrap()));
}

#[tokio::test]
async fn a_sent_message_is_taken_back_in_time() {
    let place = Place::new().await;
    let first = place.letter("bob@south.example", "Tea?", "Message-ID: <1@x>\n", "x").await;
    let reply = place.desk.reply_draft(&first, ReplyKind::Reply).await.unwrap();
    let saved =
        place.desk.save_draft(&Draft { bcc: vec![person("secret@west.example")], ..reply }).await.unwrap();
    let before = place.desk.draft(&saved.key).await.unwrap();
    let sent = place.desk.send(&saved.key, &SendOptions::default()).await.unwrap();
    let waiting = place.desk.outbox().await.unwrap();
    assert_eq!(
        (waiting.len(), &waiting[0].message, waiting[0].subject.as_str()),
        (1, &sent.message, "Re: Tea?")
    );
    assert!(place.row(&first).await.is_answered);
    assert_eq!(sent.release_at, place.out.sent.lock().unwrap()[0].1.release_at);
    let key = place.desk.unsend(&sent.outbox).await.unwrap();
    let after = place.desk.draft(&key).await.unwrap();
    assert_eq!(
        (after.key, after.to, after.bcc, after.body, after.source),
        (before.key, before.to, before.bcc, before.body, before.source)
    );
    assert!(!place.row(&first).await.is_answered && place.desk.outbox().await.unwrap().is_empty());
    assert!(place.subjects(Some("sent"), "").await.is_empty());
    // Too late: nothing changes.
    let sent = place.desk.send(&key, &SendOptions::default()).await.unwrap();
    *place.out.too_late.lock().unwrap() = true;
    assert!(matches!(place.desk.unsend(&sent.outbox).await, Err(DeskError::Conflict(_))));
    assert_eq!(place.subjects(Some("sent"), "").await, ["Tea?"]);
}

#[tokio::test]
async fn what_is_refused_stays_a_draft() {
    let place = Place::new().await;
    let saved =
        place.desk.save_draft(&Draft { to: vec![person("refused@south.example")], ..draft() }).await.unwrap();
    assert!(matches!(place.desk.send(&saved.key, &SendOptions::default()).await, Err(DeskError::Invalid(_))));
    assert_eq!(place.desk.draft(&saved.key).await.unwrap().subject, "Grüße");
    assert!(place.subjects(Some("sent"), "").await.is_empty());
    let as_other = Draft { from: Some(person("boss@north.example")), ..draft() };
    assert!(matches!(place.desk.save_draft(&as_other).await, Err(DeskError::Forbidden(_))));
    let as_alias = Draft { from: Some(person("info@north.example")), ..draft() };
    assert!(place.desk.save_draft(&as_alias).await.is_ok());
}

#[tokio::test]
async fn sending_later() {
    let place = Place::new().await;
    let saved = place.desk.save_draft(&draft()).await.unwrap();
    let at = "2026-12-01T08:00:00Z".parse().unwrap();
    let sent =
        place.desk.send(&saved.key, &SendOptions { at: Some(at), ..Default::default() }).await.unwrap();
    assert_eq!(sent.release_at, at);
    let text = String::from_utf8_lossy(&place.out.sent.lock().unwrap()[0].1.content).into_owned();
    assert!(text.contains("Date: Tue, 1 Dec 2026 08:00:00 +0000\r\n"), "{text}");
    place.clock.set("2026-12-01T08:02:00Z");
    assert!(place.desk.outbox().await.unwrap().is_empty());
    place.engine.tick().await;
    assert!(matches!(place.desk.unsend(&sent.outbox).await, Err(DeskError::NotFound(_))));
    let far = SendOptions { at: Some("2036-01-01T00:00:00Z".parse().unwrap()), ..Default::default() };
    let saved = place.desk.save_draft(&draft()).await.unwrap();
    assert!(matches!(place.desk.send(&saved.key, &far).await, Err(DeskError::Invalid(_))));
}

#[tokio::test]
async fn answers_quote_and_go_to_whom_they_should() {
    let place = Place::new().await;
    place
        .desk
        .put_identities(&[
            Identity {
                person: Person::new("Ada", ADA),
                signature: "Ada\nNorth".into(),
                is_default: true,
                ..Default::default()
            },
            Identity { person: Person::new("Info", "info@north.example"), ..Default::default() },
        ])
        .await
        .unwrap();
    let raw = "From: Bob <bob@south.example>\nTo: info@north.example, Dan <dan@x.example>\nCc: carol@east.example, ada@north.example\n\
        Subject: AW: Tea?\nDate: Mon, 23 Nov 2026 10:00:00 +0000\nMessage-ID: <2@x>\nReferences: <1@x>\nList-Post: <mailto:list@x.example>\n\nAt five?\n> earlier\n-- \nBob\n";
    let key = place.deliver("bob@south.example", raw).await;
    let addresses =
        |people: &[Person]| people.iter().map(|person| person.address.clone()).collect::<Vec<_>>();
    let reply = place.desk.reply_draft(&key, ReplyKind::Reply).await.unwrap();
    assert_eq!(
        (addresses(&reply.to), reply.cc.len(), reply.subject.as_str()),
        (vec!["bob@south.example".to_owned()], 0, "Re: Tea?")
    );
    assert_eq!(reply.from, Some(Person::new("Ada", ADA)));
    assert_eq!(
        reply.body,
        DraftBody::Text(
            "\n\n-- \nAda\nNorth\n\nOn 2026-11-23 10:00, Bob wrote:\n> At five?\n>> earlier\n".into()
        )
    );
    let all = place.desk.reply_draft(&key, ReplyKind::ReplyAll).await.unwrap();
    assert_eq!(
        (addresses(&all.to), addresses(&all.cc)),
        (
            vec!["bob@south.example".to_owned()],
            vec!["dan@x.example".to_owned(), "carol@east.example".to_owned()]
        )
    );
    let list = place.desk.reply_draft(&key, ReplyKind::ReplyList).await.unwrap();
    assert_eq!(addresses(&list.to), ["list@x.example"]);
    send(&place, &reply).await;
    let text = String::from_utf8_lossy(&place.out.sent.lock().unwrap()[0].1.content).into_owned();
    assert!(
        text.contains("In-Reply-To: <2@x>\r\n") && text.contains("References: <1@x> <2@x>\r\n"),
        "{text}"
    );
}

#[tokio::test]
async fn forwarding_takes_the_files_along() {
    let place = Place::new().await;
    let body = "--a\nContent-Type: text/html\n\n<p>See <b>this</b></p>\n--a\nContent-Type: application/pdf\nContent-Disposition: attachment; filename=a.pdf\n\nPDF\n--a--";
    let key = place
        .letter("Bob <bob@south.example>", "Plan", "Content-Type: multipart/mixed; boundary=a\n", body)
        .await;
    let forward = place.desk.reply_draft(&key, ReplyKind::Forward).await.unwrap();
    let DraftBody::Html(html) = &forward.body else { panic!("rich") };
    assert!(
        html.contains("---------- Forwarded message ----------<br>From: Bob &lt;bob@south.example&gt;<br>")
            && html.contains("<b>this</b>"),
        "{html}"
    );
    assert_eq!((forward.subject.as_str(), forward.attachments[0].name.as_str()), ("Fwd: Plan", "a.pdf"));
    send(&place, &Draft { to: vec![person("carol@east.example")], ..forward }).await;
    let text = String::from_utf8_lossy(&place.out.sent.lock().unwrap()[0].1.content).into_owned();
    for part in ["multipart/mixed", "multipart/alternative", "text/plain", "text/html", "application/pdf"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(place.row(&key).await.is_forwarded);
    let attached = place.desk.reply_draft(&key, ReplyKind::ForwardAttached).await.unwrap();
    send(&place, &Draft { to: vec![person("carol@east.example")], ..attached }).await;
    let text = String::from_utf8_lossy(&place.out.sent.lock().unwrap()[1].1.content).into_owned();
    assert!(
        text.contains("Content-Type: message/rfc822")
            && text.contains("Plan.eml")
            && text.contains("Subject: Plan"),
        "{text}"
    );
}

#[tokio::test]
async fn rich_text_is_sanitised_and_has_a_plain_form() {
    let place = Place::new().await;
    let body = DraftBody::Html(
        "<p>Hi <b>Bob</b><script>x</script><img src=\"https://tracker.example/x\"></p>".into(),
    );
    let sent = send(&place, &Draft { body, ..draft() }).await;
    let text = String::from_utf8_lossy(&place.out.sent.lock().unwrap()[0].1.content).into_owned();
    assert!(!text.contains("script") && !text.contains("tracker"), "{text}");
    let view = place.desk.message(&sent.message, &ReadOptions::default()).await.unwrap();
    assert!(view.body.html.is_some() && view.body.text[0].text.contains("Hi Bob"), "{:?}", view.body.text);
}

#[tokio::test]
async fn limits_are_kept() {
    let place = Place::new().await;
    let many = vec![person("x@x.example"); limits::DRAFT_RECIPIENTS_MAX + 1];
    assert!(matches!(
        place.desk.save_draft(&Draft { to: many, ..Default::default() }).await,
        Err(DeskError::Invalid(_))
    ));
    let long = "x".repeat(limits::SUBJECT_OCTETS_MAX + 1);
    assert!(matches!(
        place.desk.save_draft(&Draft { subject: long, ..Default::default() }).await,
        Err(DeskError::Invalid(_))
    ));
    let odd = AttachmentSource::Upload(UploadKey::new("../../../etc/passwd"));
    let attachment = DraftAttachment {
        octets: odd,
        name: String::new(),
        media_type: String::new(),
        size_octets: 0,
        content_id: None,
    };
    assert!(matches!(
        place.desk.save_draft(&Draft { attachments: vec![attachment], ..Default::default() }).await,
        Err(DeskError::NotFound(_))
    ));
    let injected = Draft { subject: "x\r\nBcc: all@north.example".into(), ..draft() };
    send(&place, &injected).await;
    let text = String::from_utf8_lossy(&place.out.sent.lock().unwrap()[0].1.content).into_owned();
    assert!(text.contains("Subject: x Bcc: all@north.example\r\n") && !text.contains("\nBcc"), "{text}");
}
