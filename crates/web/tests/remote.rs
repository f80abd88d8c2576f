//! The interface as a program uses it: `posta_ua::remote` on one side, the engine on the other.

mod site;

use posta_ua::desk::*;
use posta_ua::home::Home;
use posta_ua::remote::{Address, RemoteDesk};
use posta_ua::{Account, Outside, Security};
use posta_wire::Secret;
use site::{Browser, between};
use std::time::Duration;

const ALICE: &str = "alice@north.example";

async fn desk(site: &site::Site) -> RemoteDesk {
    let password = password(site).await;
    let address = Address::parse(&format!("http://{}/", site.address)).expect("an address");
    RemoteDesk::new(Outside::system(), address, ALICE, &Secret::new(password))
}

/// One for a program.
async fn password(site: &site::Site) -> String {
    let mut alice = Browser::of(site, "alice").await;
    let csrf = alice.csrf.clone();
    let fields = [("csrf", csrf.as_str()), ("name", "posta tui"), ("scope", "all")];
    let page = alice.form("/mail/security/program", &fields).await;
    between(&page.text(), "<code>", "</code>").expect("a password")
}

fn letter(subject: &str) -> Vec<u8> {
    format!(
        "From: Bob <bob@north.example>\r\nTo: {ALICE}\r\nSubject: {subject}\r\nMessage-ID: <1@north.example>\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGrüße & Küsse\r\n\
         --b\r\nContent-Type: image/png\r\nContent-Disposition: attachment; filename*=UTF-8''caf%C3%A9.png\r\n\r\n\
         PNG\r\n--b--\r\n"
    )
    .into_bytes()
}

#[tokio::test]
async fn a_desk_elsewhere_is_as_one_here() {
    let site = site::start(|host| posta_web::desks(host, Outside::system())).await;
    let desk = desk(&site).await;
    assert_eq!(desk.owner().await.expect("told").address, ALICE);
    let mut notices = desk.notices().await.expect("notices");
    let inbox = FolderKey::of(FolderRole::Inbox);
    let octets = letter("50% & more? #1");
    let key = desk.append(&inbox, &MarkView::default(), octets.clone().into()).await.expect("put");
    let told = tokio::time::timeout(Duration::from_secs(30), notices.recv()).await.expect("in time");
    assert!(matches!(told, Some(Notice::Changed { .. })), "{told:?}");

    // Lists, with what has to be encoded on the way.
    let query = ConversationQuery { search: "subject:\"50% & more?\" küsse".into(), ..Default::default() };
    let page = desk.conversations(&query).await.expect("a page");
    assert_eq!((page.total, page.rows[0].latest.clone()), (1, key.clone()));
    let folders = desk.folders().await.expect("folders");
    assert_eq!((folders[0].messages, folders[0].unread), (1, 1));

    // Reading.
    let conversation = desk.conversation(&page.rows[0].key).await.expect("a conversation");
    assert_eq!(conversation.messages.len(), 1);
    let view = desk.message(&key, &ReadOptions::default()).await.expect("a message");
    assert_eq!(view.body.text[0].text.trim_end(), "Grüße & Küsse");
    let part = desk.part(&key, &view.attachments[0].path).await.expect("a part");
    assert_eq!((part.name.as_str(), &part.octets[..]), ("café.png", &b"PNG"[..]));
    assert_eq!(desk.raw(&key).await.expect("raw"), octets);

    // Changing, and back.
    let selection = Selection::conversation(page.rows[0].key.clone());
    let folder = desk.create_folder("Pläne/2027").await.expect("a folder");
    let change = Change::Move { selection, folder: folder.clone() };
    let done = desk.change(&change).await.expect("moved");
    assert_eq!(done.messages, 1);
    assert!(matches!(desk.remove_folder(&folder).await, Err(DeskError::Invalid(_))), "it is not empty");
    desk.undo(&done.undo.expect("a way back")).await.expect("undone");
    desk.remove_folder(&folder).await.expect("removed");
    let missing = desk.conversation(&ConversationKey::new("t0/../x")).await;
    assert!(matches!(missing, Err(DeskError::NotFound(_))), "{missing:?}");
}

#[tokio::test]
async fn a_letter_is_written_there() {
    let site = site::start(|host| posta_web::desks(host, Outside::system())).await;
    let desk = desk(&site).await;
    let inbox = FolderKey::of(FolderRole::Inbox);
    let key = desk.append(&inbox, &MarkView::default(), letter("Hello").into()).await.expect("put");
    let mut draft = desk.reply_draft(&key, ReplyKind::ReplyAll).await.expect("a draft");
    assert_eq!(draft.subject, "Re: Hello");
    let upload = desk.upload("größe.txt", "text/plain", "x".into()).await.expect("a file");
    draft.attachments.push(DraftAttachment {
        octets: AttachmentSource::Upload(upload),
        name: String::new(),
        media_type: String::new(),
        size_octets: 0,
        content_id: None,
    });
    let saved = desk.save_draft(&draft).await.expect("saved");
    assert_eq!(saved.attachments[0].name, "größe.txt");
    let options = SendOptions { undo_secs: Some(60), ..SendOptions::default() };
    let sent = desk.send(&saved.key, &options).await.expect("sent");
    assert_eq!(desk.outbox().await.expect("waits").len(), 1);
    let key = desk.unsend(&sent.outbox).await.expect("taken back");
    assert_eq!(desk.draft(&key).await.expect("a draft").subject, "Re: Hello");
    desk.discard_draft(&key).await.expect("discarded");

    let contact =
        Contact { name: "Zoë".into(), addresses: vec!["zoe@west.example".into()], ..Contact::default() };
    desk.put_contact(&contact).await.expect("put");
    assert_eq!(desk.complete_address("zo", 5).await.expect("found")[0].person.address, "zoe@west.example");
    assert!(desk.export_contacts().await.expect("vCards").contains("zoe@west.example"));
    let settings = Settings { undo_secs: 30, ..Settings::default() };
    desk.put_settings(&settings).await.expect("put");
    assert_eq!(desk.settings().await.expect("settings"), settings);
}

#[tokio::test]
async fn strangers_are_told_what_is_wanted() {
    let site = site::start(|host| posta_web::desks(host, Outside::system())).await;
    let address = Address::parse(&format!("http://{}/", site.address)).expect("an address");
    let stranger = RemoteDesk::new(Outside::system(), address, ALICE, &Secret::new("guess"));
    let refused = stranger.folders().await;
    assert!(
        matches!(&refused, Err(DeskError::Forbidden(why)) if why.contains("application password")),
        "{refused:?}"
    );
    let nobody = Address::parse("http://127.0.0.1:1/").expect("an address");
    let nobody = RemoteDesk::new(Outside::system(), nobody, ALICE, &Secret::new("guess"));
    assert!(matches!(nobody.folders().await, Err(DeskError::Failed(_))));
}

#[tokio::test]
async fn an_account_that_names_a_server_is_opened_there() {
    let site = site::start(|host| posta_web::desks(host, Outside::system())).await;
    let folder = tempfile::tempdir().expect("a folder");
    let account = Account {
        name: "alice".into(),
        address: ALICE.parse().expect("an address"),
        full_name: None,
        smtp: "127.0.0.1:1".parse().expect("an endpoint"),
        pop3: "127.0.0.1:1".parse().expect("an endpoint"),
        user: ALICE.into(),
        api: Some(format!("http://{}/", site.address)),
        apop: false,
        oauth: false,
        security: Security::Auto,
        authorities: None,
        password_file: None,
        password_command: Some(format!("echo '{}'", password(&site).await)),
    };
    let home = Home::open(account, folder.path(), folder.path(), Outside::system()).await.expect("a desk");
    assert_eq!(home.desk().folders().await.expect("folders").len(), 6);
    assert_eq!(home.fetch().await.expect("nothing to do").messages, 0);
    home.close().await;
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0, "nothing is kept here");
}
