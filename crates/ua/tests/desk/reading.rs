//! Messages as they are shown.

use crate::place::{ADA, Place, send};
use posta_ua::desk::*;

const HTML: &str = "MIME-Version: 1.0\nContent-Type: text/html; charset=utf-8\n";

#[tokio::test]
async fn a_message_with_everything() {
    let place = Place::new().await;
    let body = "--a\nContent-Type: multipart/related; boundary=b\n\n--b\nContent-Type: text/html\n\n<p>Hi <img src=\"cid:p@x\"><script>x</script></p>\n\
        --b\nContent-Type: image/png\nContent-ID: <p@x>\nContent-Transfer-Encoding: base64\n\niVBORw==\n--b--\n\
        --a\nContent-Type: application/pdf\nContent-Disposition: attachment; filename=\"../bill.pdf\"\n\nx\n--a--";
    let fields = "Cc: Carol <carol@east.example>\nMessage-ID: <1@x>\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=a\n";
    let key = place.letter("Bob <bob@south.example>", "=?utf-8?Q?Gr=C3=BC=C3=9Fe?=", fields, body).await;
    let options = ReadOptions { part_base: "/p/".into(), ..Default::default() };
    let view = place.desk.message(&key, &options).await.unwrap();
    assert_eq!(
        (view.row.subject.as_str(), view.row.from.shown(), view.cc[0].shown()),
        ("Grüße", "Bob", "Carol")
    );
    let html = view.body.html.unwrap();
    assert!(
        html.html.contains(&format!("src=\"/p/{key}/1.2\"")) && !html.html.contains("script"),
        "{}",
        html.html
    );
    let files: Vec<_> = view.attachments.iter().map(|part| (part.name.as_str(), part.is_inline)).collect();
    assert_eq!(files, [("part.png", true), ("bill.pdf", false)]);
    assert!(view.row.has_attachment && !view.row.is_read);
    let part = place.desk.part(&key, &PartPath::new("1.2")).await.unwrap();
    assert_eq!((part.media_type.as_str(), part.octets.len()), ("image/png", 4));
    assert!(place.desk.raw(&key).await.unwrap().starts_with(b"Return-Path: <bob@south.example>\r\nFrom: "));
    let json = serde_json::to_value(place.desk.message(&key, &options).await.unwrap()).unwrap();
    assert_eq!(json["key"], key.as_str());
    assert_eq!(json["is_read"], false);
}

#[tokio::test]
async fn remote_images_are_shown_for_whom_that_was_allowed() {
    let place = Place::new().await;
    let body = "<img src=\"https://x.example/a.png\">";
    let key = place.letter("bob@south.example", "x", HTML, body).await;
    let other = place.letter("eve@west.example", "x", HTML, body).await;
    let blocked = |key: MessageKey, remote_images| {
        let desk = place.desk.clone();
        async move {
            desk.message(&key, &ReadOptions { remote_images, ..Default::default() })
                .await
                .unwrap()
                .body
                .html
                .unwrap()
                .remote_blocked
        }
    };
    assert!(blocked(key.clone(), false).await && !blocked(key.clone(), true).await);
    place.desk.allow_images("BOB@south.example", true).await.unwrap();
    assert!(!blocked(key.clone(), false).await && blocked(other.clone(), false).await);
    place.desk.allow_images("bob@south.example", false).await.unwrap();
    place.desk.allow_images("@west.example", true).await.unwrap();
    assert!(blocked(key, false).await && !blocked(other.clone(), false).await);
    place
        .desk
        .change(&Change::Move {
            selection: Selection::message(other.clone()),
            folder: FolderKey::new("junk"),
        })
        .await
        .unwrap();
    assert!(blocked(other, false).await);
    assert!(place.desk.allow_images("nonsense", true).await.is_err());
}

#[tokio::test]
async fn what_is_suspicious_is_said() {
    let place = Place::new().await;
    let forged = place.letter(&format!("Ada <{ADA}>"), "x", "", "x").await;
    assert!(
        place
            .desk
            .message(&forged, &ReadOptions::default())
            .await
            .unwrap()
            .warnings
            .contains(&Warning::NotFromYou)
    );
    let named = place
        .letter(
            "\"boss@north.example\" <m@evil.example>",
            "x",
            HTML,
            "<a href=\"https://evil.example\">www.bank.example</a>",
        )
        .await;
    let warnings = place.desk.message(&named, &ReadOptions::default()).await.unwrap().warnings;
    assert!(warnings.contains(&Warning::DeceptiveLinks), "{warnings:?}");
    assert!(
        warnings.contains(&Warning::NameIsAnotherAddress { name: "boss@north.example".into() }),
        "{warnings:?}"
    );
    let sent =
        send(&place, &Draft { to: vec![Person::new("", "bob@south.example")], ..Default::default() }).await;
    assert_eq!(place.desk.message(&sent.message, &ReadOptions::default()).await.unwrap().warnings, []);
}

#[tokio::test]
async fn a_bounce_leads_to_what_it_is_about() {
    let place = Place::new().await;
    let sent = send(
        &place,
        &Draft {
            to: vec![Person::new("", "nobody@south.example")],
            subject: "Tea".into(),
            ..Default::default()
        },
    )
    .await;
    let id = place.desk.message(&sent.message, &ReadOptions::default()).await.unwrap().message_id.unwrap();
    let body = format!(
        "--b\n\nSorry\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.south.example\n\n\
         Final-Recipient: rfc822; nobody@south.example\nAction: failed\nStatus: 5.1.1\n\n--b\nContent-Type: message/rfc822\n\nMessage-ID: <{id}>\nSubject: Tea\n\nx\n--b--"
    );
    let raw = format!(
        "From: <MAILER-DAEMON@south.example>\nTo: {ADA}\nSubject: failure\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n{body}\n"
    );
    let key = place.deliver("", &raw).await;
    let report = place.desk.message(&key, &ReadOptions::default()).await.unwrap().report.unwrap();
    assert_eq!(
        (report.kind, report.about, report.subject.as_deref()),
        (ReportKind::Failed, Some(sent.message), Some("Tea"))
    );
    assert!(report.recipients[0].text.contains("Nobody there has this address"));
}

#[tokio::test]
async fn lists_are_left_by_one_click_or_by_mail() {
    let place = Place::new().await;
    let click =
        "List-Unsubscribe: <https://x.example/u?1>\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\n";
    let key = place.letter("l@x.example", "x", click, "x").await;
    assert_eq!(
        place.desk.message(&key, &ReadOptions::default()).await.unwrap().unsubscribe,
        Some(Unsubscribe::OneClick("https://x.example/u?1".into()))
    );
    assert_eq!(place.desk.unsubscribe(&key).await.unwrap(), None);
    assert_eq!(*place.out.clicked.lock().unwrap(), ["https://x.example/u?1"]);
    let key =
        place.letter("l@x.example", "x", "List-Unsubscribe: <mailto:off@x.example?subject=bye>\n", "x").await;
    assert_eq!(place.desk.unsubscribe(&key).await.unwrap(), None);
    let sent = place.out.sent.lock().unwrap().clone();
    assert_eq!(sent[0].1.recipients[0].to_string(), "off@x.example");
    assert!(String::from_utf8_lossy(&sent[0].1.content).contains("Subject: bye\r\n"));
    let key = place.letter("l@x.example", "x", "List-Unsubscribe: <https://x.example/page>\n", "x").await;
    assert_eq!(
        place.desk.unsubscribe(&key).await.unwrap(),
        Some(Unsubscribe::Page("https://x.example/page".into()))
    );
}

#[tokio::test]
async fn receipts_are_sent_once_and_only_by_choice() {
    let place = Place::new().await;
    let fields = "Message-ID: <1@x>\nDisposition-Notification-To: <bob@south.example>\n";
    let key = place.letter("Bob <bob@south.example>", "Tea", fields, "x").await;
    assert!(place.desk.message(&key, &ReadOptions::default()).await.unwrap().wants_receipt);
    assert!(place.out.sent.lock().unwrap().is_empty());
    place.desk.answer_receipt(&key, true).await.unwrap();
    let sent = place.out.sent.lock().unwrap()[0].1.clone();
    let text = String::from_utf8_lossy(&sent.content).into_owned();
    assert_eq!(sent.reverse_path.to_string(), "<>");
    for part in [
        "disposition-notification",
        "manual-action/MDN-sent-manually; displayed",
        "Original-Message-ID: <1@x>",
        "Auto-Submitted: auto-replied",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(matches!(place.desk.answer_receipt(&key, true).await, Err(DeskError::Conflict(_))));
    assert!(!place.desk.message(&key, &ReadOptions::default()).await.unwrap().wants_receipt);
    let second = place.letter("Bob <bob@south.example>", "Tea", fields, "x").await;
    place.desk.answer_receipt(&second, false).await.unwrap();
    assert_eq!(place.out.sent.lock().unwrap().len(), 1);
}
