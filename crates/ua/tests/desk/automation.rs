//! Rules, absence, settings, accounts elsewhere.

use crate::place::{ADA, Place, engine};
use crate::support::{PASSWORD, Post, USER, pop3_server};
use posta_ua::desk::*;
use std::sync::Arc;

fn rule(field: RuleField, value: &str, actions: Vec<RuleAction>) -> Rule {
    let condition = RuleCondition { field, test: RuleTest::Contains, value: value.into() };
    Rule { name: value.into(), enabled: true, conditions: vec![condition], actions, ..Default::default() }
}

#[tokio::test]
async fn rules_are_applied_to_new_mail_once() {
    let place = Place::new().await;
    let old = place.letter("boss@south.example", "Report", "", "x").await;
    let work = place.desk.create_folder("Work").await.unwrap();
    let rules = [
        rule(
            RuleField::From,
            "boss@",
            vec![RuleAction::Move { folder: work.clone() }, RuleAction::Label { label: "boss".into() }],
        ),
        rule(RuleField::Subject, "win a prize", vec![RuleAction::Discard]),
        rule(
            RuleField::Subject,
            "forward me",
            vec![RuleAction::Forward { address: "carol@east.example".into() }, RuleAction::MarkRead],
        ),
    ];
    place.desk.put_rules(&rules).await.unwrap();
    let report = place.letter("boss@south.example", "Report 2", "", "x").await;
    let prize = place.letter("x@x.example", "WIN a prize!", "", "x").await;
    let forwarded = place.letter("bob@south.example", "Forward me", "", "x").await;
    // What was there before stays where it was.
    assert_eq!(place.row(&old).await.folder.as_str(), "inbox");
    let row = place.row(&report).await;
    assert_eq!((row.folder, row.labels, row.is_read), (work, vec!["boss".to_owned()], false));
    let row = place.row(&prize).await;
    assert_eq!((row.folder.as_str(), row.is_read), ("trash", true));
    assert!(place.row(&forwarded).await.is_read);
    {
        let sent = place.out.sent.lock().unwrap();
        assert_eq!((sent.len(), sent[0].1.recipients[0].to_string().as_str()), (1, "carol@east.example"));
        let text = String::from_utf8_lossy(&sent[0].1.content).into_owned();
        assert!(
            text.starts_with(&format!("X-Posta-Forwarded-For: {ADA}\r\nFrom: bob@south.example\r\n")),
            "{text}"
        );
    }
    // What comes back in a circle isn't forwarded again; moved back by hand it stays, even with a new index.
    place.letter("bob@south.example", "Forward me", &format!("X-Posta-Forwarded-For: {ADA}\n"), "x").await;
    place
        .desk
        .change(&Change::Move {
            selection: Selection::message(report.clone()),
            folder: FolderKey::new("inbox"),
        })
        .await
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let other = engine(&place.store, &place.clock, &place.out, dir.path());
    let desk = other.desk(&ADA.parse().unwrap()).await.unwrap();
    assert_eq!(desk.message(&report, &ReadOptions::default()).await.unwrap().row.folder.as_str(), "inbox");
    assert_eq!(place.out.sent.lock().unwrap().len(), 1);
    let bad = rule(RuleField::From, "x", vec![RuleAction::Forward { address: "nonsense".into() }]);
    assert!(matches!(place.desk.put_rules(&[bad]).await, Err(DeskError::Invalid(_))));
}

#[tokio::test]
async fn rules_work_with_nobody_there() {
    let place = Place::new().await;
    place.desk.put_rules(&[rule(RuleField::Subject, "x", vec![RuleAction::Flag])]).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let other = engine(&place.store, &place.clock, &place.out, dir.path());
    let key = place.letter("bob@south.example", "x", "", "x").await;
    other.tick().await;
    use posta_store::Store;
    let message = place.store.message(place.account, key.as_str().parse().unwrap()).await.unwrap().unwrap();
    assert!(message.flags.contains(posta_store::Flags::FLAGGED));
}

#[tokio::test]
async fn the_answer_while_away_has_manners() {
    let place = Place::new().await;
    let vacation = Vacation { enabled: true, text: "I am away.".into(), ..Default::default() };
    place.desk.put_vacation(&vacation).await.unwrap();
    let answers = || place.out.sent.lock().unwrap().len();
    let look = || async { place.desk.folders().await.unwrap() };
    place.letter("Bob <bob@south.example>", "Re: Tea?", "Message-ID: <1@x>\n", "x").await;
    look().await;
    assert_eq!(answers(), 1);
    let (_, sent) = place.out.sent.lock().unwrap()[0].clone();
    let text = String::from_utf8_lossy(&sent.content).into_owned();
    assert_eq!(
        (sent.reverse_path.to_string().as_str(), sent.recipients[0].to_string().as_str()),
        ("<>", "bob@south.example")
    );
    for part in [
        "Subject: Auto: Tea?\r\n",
        "Auto-Submitted: auto-replied\r\n",
        "In-Reply-To: <1@x>\r\n",
        "I am away.",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    // Not again to the same; not to lists, programs, reports, nor where the person isn't named.
    place.letter("Bob <bob@south.example>", "More", "", "x").await;
    place.letter("l@x.example", "x", "List-Id: <l.x>\n", "x").await;
    place.letter("a@x.example", "x", "Auto-Submitted: auto-replied\n", "x").await;
    place.letter("no-reply@x.example", "x", "", "x").await;
    place.deliver("", &format!("From: MAILER-DAEMON@x.example\nTo: {ADA}\nSubject: x\n\nx\n")).await;
    place.deliver("c@x.example", "From: c@x.example\nTo: others@x.example\nSubject: x\n\nx\n").await;
    place.letter(&format!("Ada <{ADA}>"), "to myself", "", "x").await;
    look().await;
    assert_eq!(answers(), 1);
    place.clock.set("2026-12-01T12:00:01Z");
    place.letter("Bob <bob@south.example>", "Later", "", "x").await;
    look().await;
    assert_eq!(answers(), 2);
    let backwards = Vacation {
        from: Some("2026-12-02T00:00:00Z".parse().unwrap()),
        until: Some("2026-12-01T00:00:00Z".parse().unwrap()),
        ..vacation
    };
    assert!(matches!(place.desk.put_vacation(&backwards).await, Err(DeskError::Invalid(_))));
}

#[tokio::test]
async fn settings_and_identities_are_checked() {
    let place = Place::new().await;
    let mut settings = place.desk.settings().await.unwrap();
    settings.agent.insert("theme".into(), "dark".into());
    settings.zone = "Europe/Vienna".into();
    place.desk.put_settings(&settings).await.unwrap();
    assert_eq!(place.desk.settings().await.unwrap(), settings);
    let odd = Settings { zone: "Nowhere/Here".into(), ..Settings::default() };
    assert!(matches!(place.desk.put_settings(&odd).await, Err(DeskError::Invalid(_))));
    let identities = place.desk.identities().await.unwrap();
    let addresses: Vec<_> =
        identities.iter().map(|identity| (identity.person.address.as_str(), identity.is_default)).collect();
    assert_eq!(addresses, [(ADA, true), ("info@north.example", false)]);
    let other = Identity { person: Person::new("Boss", "boss@south.example"), ..Default::default() };
    assert!(matches!(place.desk.put_identities(&[other]).await, Err(DeskError::Forbidden(_))));
}

#[tokio::test]
async fn an_account_elsewhere_keeps_its_password_to_itself() {
    let place = Place::new().await;
    let account = FetchAccount {
        key: None,
        host: "pop.south.example".into(),
        port: 995,
        security: FetchSecurity::Tls,
        user: "bob".into(),
        password: Some("sword fish".into()),
        folder: FolderKey::new("inbox"),
        keep: true,
        every_minutes: 10,
        last: None,
    };
    let key = place.desk.put_fetch_account(&account).await.unwrap();
    let shown = place.desk.fetch_accounts().await.unwrap().remove(0);
    assert_eq!((shown.password.clone(), shown.key.as_ref()), (None, Some(&key)));
    assert!(
        !format!("{account:?}{shown:?}").contains("sword")
            && !serde_json::to_string(&account).unwrap().contains("sword")
    );
    // Another host needs the password again.
    let moved = FetchAccount { host: "evil.example".into(), ..shown.clone() };
    assert!(matches!(place.desk.put_fetch_account(&moved).await, Err(DeskError::Invalid(_))));
    place.desk.put_fetch_account(&FetchAccount { every_minutes: 20, ..shown }).await.unwrap();
    place.desk.remove_fetch_account(&key).await.unwrap();
    assert!(place.desk.fetch_accounts().await.unwrap().is_empty());
}

#[tokio::test]
async fn mail_elsewhere_is_fetched_once_and_deleted_there_only_if_wanted() {
    let place = Place::new().await;
    let post = Arc::new(Post::default());
    for number in 1..=3 {
        let text = format!(
            "From: bob@south.example\r\nSubject: elsewhere {number}\r\nDate: Mon, 23 Nov 2026 0{number}:00:00 +0000\r\n\r\n.x\r\n"
        );
        post.messages.lock().unwrap().push(text.into_bytes());
    }
    let endpoint = pop3_server(post.clone()).await;
    let folder = place.desk.create_folder("Elsewhere").await.unwrap();
    let account = FetchAccount {
        key: None,
        host: endpoint.host().to_owned(),
        port: endpoint.port(),
        security: FetchSecurity::LocalOnly,
        user: USER.into(),
        password: Some(PASSWORD.into()),
        folder: folder.clone(),
        keep: true,
        every_minutes: 10,
        last: None,
    };
    let key = place.desk.put_fetch_account(&account).await.unwrap();
    let outcome = place.desk.fetch_now(&key).await.unwrap();
    assert_eq!((outcome.messages, outcome.failure), (3, None));
    assert_eq!(
        place.subjects(Some(folder.as_str()), "").await,
        ["elsewhere 3", "elsewhere 2", "elsewhere 1"]
    );
    // Not again; what is new there comes.
    let last = b"From: bob@south.example\r\nSubject: elsewhere 4\r\n\r\nx\r\n".to_vec();
    post.messages.lock().unwrap().push(last);
    assert_eq!(place.desk.fetch_now(&key).await.unwrap().messages, 1);
    assert_eq!(post.messages.lock().unwrap().len(), 4);
    let known = place.desk.fetch_accounts().await.unwrap().remove(0);
    assert_eq!(known.last.as_ref().map(|last| last.messages), Some(1));
    place.desk.put_fetch_account(&FetchAccount { keep: false, ..known.clone() }).await.unwrap();
    assert_eq!(place.desk.fetch_now(&key).await.unwrap().messages, 0);
    assert!(post.messages.lock().unwrap().is_empty());
    assert_eq!(place.found("in:elsewhere").await.len(), 4);
    // A wrong password is told, and nothing is lost by it.
    place.desk.put_fetch_account(&FetchAccount { password: Some("wrong".into()), ..known }).await.unwrap();
    assert!(place.desk.fetch_now(&key).await.unwrap().failure.is_some());
}
