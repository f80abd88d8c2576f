//! The interface over a real store and engine: a program files, lists, searches and changes mail; and
//! nobody gets at another's anything.

mod site;

use posta_ua::Outside;
use serde_json::{Value, json};
use site::{Browser, Site};

const LETTER: &[u8] = b"From: Carol <carol@far.example>\r\nTo: alice@north.example\r\nSubject: The secret plan\r\n\
    Message-ID: <plan@far.example>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n\
    --x\r\nContent-Type: text/html\r\n\r\n<p>Meet at the lake.</p><img src=\"cid:map\"><script>1</script>\r\n\
    --x\r\nContent-Type: image/png\r\nContent-ID: <map>\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw==\r\n\
    --x\r\nContent-Type: text/html; name=page.html\r\nContent-Disposition: attachment; filename=page.html\r\n\r\n\
    <script>alert(1)</script>\r\n--x--\r\n";

async fn start() -> Site {
    site::start(|host| posta_web::desks(host, Outside::system())).await
}

async fn file(browser: &mut Browser) -> String {
    let answer = browser.ask("POST", "/api/v1/messages", Some("message/rfc822"), LETTER).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["key"].as_str().expect("a key").to_owned()
}

async fn read(browser: &mut Browser, path: &str) -> Value {
    let answer = browser.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()
}

#[tokio::test]
async fn mail_is_filed_found_changed_and_changed_back() {
    let site = start().await;
    let mut alice = Browser::of(&site, "alice").await;
    let key = file(&mut alice).await;
    let page = read(&mut alice, "/api/v1/conversations?folder=inbox").await;
    assert_eq!((&page["total"], &page["rows"][0]["subject"]), (&json!(1), &json!("The secret plan")));
    let found = read(&mut alice, "/api/v1/messages?search=from:carol%20lake").await;
    assert_eq!(found["rows"][0]["key"], key);
    assert_eq!(read(&mut alice, "/api/v1/messages?search=nowhere").await["total"], 0);
    let message = read(&mut alice, &format!("/api/v1/messages/{key}")).await;
    let html = message["body"]["html"]["html"].as_str().expect("HTML");
    assert!(html.contains("Meet at the lake.") && !html.contains("script"), "{html}");

    let change = json!({ "change": "move", "selection": { "messages": [key] }, "folder": "archive" });
    let done = alice.json("POST", "/api/v1/changes", &change).await.json();
    assert_eq!(read(&mut alice, "/api/v1/conversations?folder=inbox").await["total"], 0);
    let undo = json!({ "undo": done["undo"] });
    assert_eq!(alice.json("POST", "/api/v1/undo", &undo).await.status, 200);
    assert_eq!(read(&mut alice, "/api/v1/conversations?folder=inbox").await["total"], 1);

    let no_json = alice.ask("POST", "/api/v1/changes", Some("text/plain"), b"{}").await;
    assert_eq!((no_json.status, &no_json.json()["error"]), (400, &json!("invalid")));
    assert_eq!(alice.get("/api/v1/messages/nonsense").await.status, 404);
}

#[tokio::test]
async fn strangers_html_and_files_come_in_a_cage() {
    let site = start().await;
    let mut alice = Browser::of(&site, "alice").await;
    let key = file(&mut alice).await;
    let frame = alice.get(&format!("/mail/frame/{key}")).await;
    let policy = frame.field("content-security-policy").expect("a policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("sandbox allow-popups"), "{policy}");
    assert!(!policy.contains("allow-scripts") && !policy.contains("allow-same-origin"), "{policy}");
    assert!(!policy.contains("http:"), "no pictures from elsewhere: {policy}");
    let picture = site::between(&frame.text(), "src=\"/mail/picture/", "\"").expect("the picture inside");
    // The frame has no cookies to show; the address is enough, and for nothing else.
    let mut nobody = Browser::new(&site);
    let address = format!("/mail/picture/{picture}");
    assert_eq!(nobody.get(&address).await.field("content-type"), Some("image/png"));
    assert_eq!(nobody.get(&address.replace("alice", "bob")).await.status, 404);
    let other_part = format!("{}/3", address.rsplit_once('/').expect("a part").0);
    assert_eq!(nobody.get(&other_part).await.status, 404, "no page out of the message");

    let message = read(&mut alice, &format!("/api/v1/messages/{key}")).await;
    let files = message["attachments"].as_array().expect("files");
    let page = files.iter().find(|file| file["name"] == "page.html").expect("the page");
    let path = page["path"].as_str().expect("a path");
    let saved = alice.get(&format!("/api/v1/messages/{key}/parts/{path}?preview=true")).await;
    assert_eq!(saved.field("content-type"), Some("application/octet-stream"));
    assert!(saved.field("content-disposition").expect("said").starts_with("attachment"));
}

#[tokio::test]
async fn nobody_gets_at_another_s_anything() {
    let site = start().await;
    let mut alice = Browser::of(&site, "alice").await;
    let key = file(&mut alice).await;
    let page = read(&mut alice, "/api/v1/conversations?folder=inbox").await;
    let conversation = page["rows"][0]["key"].as_str().expect("a key").to_owned();
    let upload = alice.ask("POST", "/api/v1/uploads?name=x.txt", Some("text/plain"), b"mine").await.json();
    let draft = json!({ "subject": "Hers", "to": [], "body": { "text": "private" } });
    let draft = alice.json("POST", "/api/v1/drafts", &draft).await.json();
    let draft_key = draft["key"].as_str().expect("a key");

    let mut bob = Browser::of(&site, "bob").await;
    for path in [
        format!("/api/v1/messages/{key}"),
        format!("/api/v1/messages/{key}/raw"),
        format!("/api/v1/messages/{key}/parts/0"),
        format!("/api/v1/messages/{key}/story"),
        format!("/api/v1/messages/{key}/reply?kind=reply"),
        format!("/api/v1/conversations/{conversation}"),
        format!("/api/v1/drafts/{draft_key}"),
        format!("/mail/frame/{key}"),
    ] {
        assert_eq!(bob.get(&path).await.status, 404, "{path}");
    }
    assert_eq!(read(&mut bob, "/api/v1/messages?search=plan").await["total"], 0);
    let theft = json!({ "change": "move", "selection": { "messages": [key] }, "folder": "trash" });
    let _ = bob.json("POST", "/api/v1/changes", &theft).await;
    let stolen = json!({
        "subject": "x", "body": { "text": "x" },
        "attachments": [{ "octets": { "upload": upload["key"] } }, { "octets": { "part": { "message": key, "path": "0" } } }],
    });
    assert_ne!(bob.json("POST", "/api/v1/drafts", &stolen).await.status, 200);
    let send = bob.json("POST", &format!("/api/v1/drafts/{draft_key}/send"), &json!({})).await;
    assert_eq!(send.status, 404);
    assert_eq!(read(&mut alice, "/api/v1/conversations?folder=inbox").await["total"], 1, "still hers");
}
