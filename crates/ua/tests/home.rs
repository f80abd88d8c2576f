//! A desk of one's own: mail comes in by POP3, goes out by submission, and waits in the meantime.

mod support;

use posta_ua::desk::*;
use posta_ua::home::Home;
use posta_ua::{Account, Outside, Security};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use support::{PASSWORD, Post, USER, pop3_server, smtp_server};

/// Bob, whose servers are here.
async fn bob(post: &Arc<Post>) -> Account {
    Account {
        name: "bob".into(),
        address: USER.parse().expect("an address"),
        full_name: Some("Bob".into()),
        smtp: smtp_server(post.clone()).await,
        pop3: pop3_server(post.clone()).await,
        user: USER.into(),
        api: None,
        apop: false,
        oauth: false,
        security: Security::Auto,
        authorities: None,
        password_file: None,
        password_command: Some(format!("echo '{PASSWORD}'")),
    }
}

async fn open(account: &Account, dir: &Path) -> Home {
    Home::open(account.clone(), dir, dir, Outside::system()).await.expect("a desk")
}

fn letter(subject: &str, text: &str) -> Vec<u8> {
    let head =
        "Return-Path: <ada@north.example>\r\nFrom: Ada <ada@north.example>\r\nTo: bob@south.example\r\n";
    let date = "Date: Mon, 02 Nov 2026 10:00:00 +0100\r\n";
    let id = format!("Message-ID: <{}@north.example>\r\n", subject.replace(' ', "-"));
    format!("{head}{date}{id}Subject: {subject}\r\n\r\n{text}\r\n").into_bytes()
}

async fn subjects(desk: &Arc<dyn Desk>, folder: FolderRole) -> Vec<String> {
    let query = ConversationQuery { folder: Some(FolderKey::of(folder)), ..Default::default() };
    desk.messages(&query).await.expect("a page").rows.into_iter().map(|row| row.subject).collect()
}

async fn write_to(desk: &Arc<dyn Desk>, to: &str, undo_secs: u32) -> Sent {
    let draft = Draft {
        to: to.split(',').map(|address| Person::new("", address)).collect(),
        subject: "News".into(),
        body: DraftBody::Text("Hear, hear.".into()),
        ..Draft::default()
    };
    let saved = desk.save_draft(&draft).await.expect("saved");
    let options = SendOptions { undo_secs: Some(undo_secs), ..SendOptions::default() };
    desk.send(&saved.key, &options).await.expect("sent")
}

#[tokio::test]
async fn mail_comes_once_and_is_answered() {
    let post = Arc::new(Post::default());
    post.messages.lock().expect("whole").push(letter("First words", "Hello Bob"));
    let (account, dir) = (bob(&post).await, tempfile::tempdir().expect("a folder"));
    let home = open(&account, dir.path()).await;
    assert_eq!(home.fetch().await.expect("fetched").messages, 1);
    assert_eq!(home.fetch().await.expect("fetched").messages, 0);
    assert_eq!(subjects(home.desk(), FolderRole::Inbox).await, ["First words"]);

    // What comes later is new mail, and is told of.
    let mut notices = home.desk().notices().await.expect("notices");
    post.messages.lock().expect("whole").push(letter("Second thoughts", "Again"));
    assert_eq!(home.fetch().await.expect("fetched").messages, 1);
    let told = loop {
        match notices.recv().await.expect("a notice") {
            Notice::NewMail { subject, .. } => break subject,
            _ => continue,
        }
    };
    assert_eq!(told, "Second thoughts");
    assert_eq!(post.messages.lock().expect("whole").len(), 2, "all stays on the server");

    let query = ConversationQuery { search: "subject:second".into(), ..Default::default() };
    let row = home.desk().messages(&query).await.expect("found").rows.remove(0);
    assert_eq!(row.time.to_string(), "2026-11-02T09:00:00Z", "it stands where it was dated");
    let mut answer = home.desk().reply_draft(&row.key, ReplyKind::Reply).await.expect("a draft");
    answer.body = DraftBody::Text("Yes.".into());
    let saved = home.desk().save_draft(&answer).await.expect("saved");
    let options = SendOptions { undo_secs: Some(0), ..SendOptions::default() };
    home.desk().send(&saved.key, &options).await.expect("sent");
    assert_eq!(home.send_due(false).await.expect("sent").sent, 1);
    let accepted = post.accepted.lock().expect("whole").remove(0);
    assert_eq!(
        (accepted.reverse_path.as_str(), accepted.recipients[0].as_str()),
        ("<bob@south.example>", "<ada@north.example>")
    );
    let text = String::from_utf8(accepted.content).expect("text");
    assert!(text.contains("In-Reply-To: <Second-thoughts@north.example>"), "{text}");

    // All is still there next time, and nothing is fetched or sent again.
    home.close().await;
    let home = open(&account, dir.path()).await;
    assert_eq!(home.fetch().await.expect("fetched").messages, 0);
    assert_eq!(subjects(home.desk(), FolderRole::Sent).await, ["Re: Second thoughts"]);
    assert_eq!(home.send_due(true).await.expect("looked").sent, 0);
    home.close().await;
}

#[tokio::test]
async fn what_is_refused_comes_back() {
    let post = Arc::new(Post::default());
    let (account, dir) = (bob(&post).await, tempfile::tempdir().expect("a folder"));
    let home = open(&account, dir.path()).await;
    write_to(home.desk(), "nobody@south.example,ada@north.example", 0).await;
    let left = home.send_due(false).await.expect("tried");
    assert_eq!((left.sent, left.refused, left.waiting), (1, 1, 0));
    let query = ConversationQuery { search: "not sent".into(), ..Default::default() };
    let rows = home.desk().messages(&query).await.expect("found").rows;
    let view = home.desk().message(&rows[0].key, &ReadOptions::default()).await.expect("read");
    let report = view.report.expect("a report");
    assert_eq!(report.kind, ReportKind::Failed);
    assert_eq!(report.recipients[0].address, "nobody@south.example");
    assert!(report.about.is_some(), "it is the message in Sent");
    assert!(view.warnings.is_empty(), "{:?}", view.warnings);
    assert_eq!(home.send_due(true).await.expect("looked"), Default::default(), "nothing is left");
    home.close().await;
}

#[tokio::test]
async fn what_cannot_be_sent_waits_for_the_server() {
    let post = Arc::new(Post::default());
    let (mut account, dir) = (bob(&post).await, tempfile::tempdir().expect("a folder"));
    let here = account.smtp.clone();
    // Nobody listens there.
    account.smtp = "127.0.0.1:1".parse().expect("an endpoint");
    let home = open(&account, dir.path()).await;
    write_to(home.desk(), "ada@north.example", 0).await;
    assert_eq!(home.send_due(false).await.expect("tried").waiting, 1);
    let failures = home.send_failures().await.expect("failures");
    assert!(failures[0].reason.contains("cannot connect to 127.0.0.1:1"), "{}", failures[0].reason);
    home.close().await;

    account.smtp = here;
    let home = open(&account, dir.path()).await;
    assert_eq!(home.send_due(true).await.expect("tried").sent, 1);
    assert_eq!(post.accepted.lock().expect("whole").len(), 1);
    home.close().await;
}

#[tokio::test]
async fn what_has_not_left_is_taken_back() {
    let post = Arc::new(Post::default());
    let (account, dir) = (bob(&post).await, tempfile::tempdir().expect("a folder"));
    let mut home = open(&account, dir.path()).await;
    home.stay(Duration::from_secs(3600));
    let sent = write_to(home.desk(), "ada@north.example", 60).await;
    home.desk().unsend(&sent.outbox).await.expect("taken back");
    assert_eq!(subjects(home.desk(), FolderRole::Drafts).await, ["News"]);
    let sent = write_to(home.desk(), "ada@north.example", 0).await;
    while post.accepted.lock().expect("whole").is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(matches!(home.desk().unsend(&sent.outbox).await, Err(DeskError::Conflict(_))), "too late");
    assert_eq!(post.accepted.lock().expect("whole").len(), 1, "the first one never left");
    home.close().await;
}

#[tokio::test]
async fn one_program_at_a_time() {
    let post = Arc::new(Post::default());
    let (account, dir) = (bob(&post).await, tempfile::tempdir().expect("a folder"));
    let home = open(&account, dir.path()).await;
    let error = Home::open(account, dir.path(), dir.path(), Outside::system()).await.err().expect("busy");
    assert!(error.to_string().contains("open in another program"), "{error}");
    home.close().await;
}
