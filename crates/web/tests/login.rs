//! Logging in and out, second factors, passwords, sessions; and what every answer says to browsers.

mod site;

use posta_store::Account;
use posta_ua::desk::{Desk, DeskError};
use posta_web::Desks;
use serde_json::json;
use site::{Browser, PASSWORD, Site, between, exchange};
use std::{sync::Arc, time::Duration};
use tokio::{io::AsyncReadExt, io::AsyncWriteExt, net::TcpStream};

/// Nobody's desk is open: these tests are about the door.
struct Closed;

#[async_trait::async_trait]
impl Desks for Closed {
    async fn open(&self, _account: &Account) -> Result<Arc<dyn Desk>, DeskError> {
        Err(DeskError::Failed("closed".into()))
    }
}

async fn start() -> Site {
    site::start(|_| Arc::new(Closed)).await
}

#[tokio::test]
async fn nothing_is_seen_without_logging_in() {
    let site = start().await;
    let mut browser = Browser::new(&site);
    for path in ["/", "/mail", "/mail/f/inbox", "/mail/security"] {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, 303, "{path}");
    }
    assert_eq!(browser.get("/api/v1/folders").await.status, 401);
    assert_eq!(browser.get("/mail/frame/x").await.status, 401);
    assert_eq!(browser.get("/api/v1/nothing").await.status, 404);
    assert_eq!(browser.get("/elsewhere").await.status, 404);
    let picture = browser.get("/mail/picture/alice%40north.example/guessed/x/1").await;
    assert_eq!(picture.status, 404);
}

#[tokio::test]
async fn the_right_password_opens_and_a_wrong_one_does_not() {
    let site = start().await;
    let mut browser = Browser::new(&site);
    let answer = browser.log_in("alice@north.example", "wrong").await;
    assert_eq!(answer.status, 401);
    assert!(answer.text().contains("Wrong name or password."), "{}", answer.text());
    let answer = browser.log_in("alice@north.example", PASSWORD).await;
    assert_eq!(answer.field("location"), Some("/mail"));
    let cookie = answer.field("set-cookie").expect("a cookie");
    for word in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(word), "{cookie}");
    }
    let page = browser.get("/mail").await.text();
    assert!(page.contains("alice@north.example") && page.contains("app.js"), "{page}");
    // Somebody who is logged in needs no form.
    assert_eq!(browser.get("/mail/login").await.status, 303);
    // The desk behind the door is another matter.
    assert_eq!(browser.get("/api/v1/folders").await.status, 503);
}

#[tokio::test]
async fn every_answer_tells_browsers_to_be_careful() {
    let site = start().await;
    let mut browser = Browser::of(&site, "alice").await;
    for path in
        ["/mail", "/mail/security", "/mail/login", "/api/v1/folders", "/nowhere", "/mail/assets/x/app.js"]
    {
        let answer = browser.get(path).await;
        let policy = answer.field("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{path}: {policy}");
        assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(answer.field("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.field("referrer-policy"), Some("no-referrer"), "{path}");
        assert!(!answer.text().contains("style=\"") && !answer.text().contains("onclick="), "{path}");
    }
    let page = browser.get("/mail").await.text();
    let version = between(&page, "/mail/assets/", "/").expect("a version");
    let script = browser.get(&format!("/mail/assets/{version}/app.js")).await;
    assert_eq!(script.field("cache-control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(browser.get("/mail").await.field("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn guessing_is_slow_and_ends() {
    let site = start().await;
    let begun = std::time::Instant::now();
    let tries =
        (0..5).map(|_| async { Browser::new(&site).log_in("alice@north.example", "guess").await.status });
    let mut statuses = Vec::new();
    for attempt in tries {
        statuses.push(attempt.await);
        if statuses.last() == Some(&429) {
            break;
        }
    }
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
    assert!(begun.elapsed() >= Duration::from_secs(3), "answers are held back");
    let known = site.running.journal().records();
    assert!(known.iter().any(|record| format!("{record:?}").contains("alice@north.example")));
}

#[tokio::test]
async fn forms_of_other_sites_change_nothing() {
    let site = start().await;
    let mut stranger = Browser::new(&site);
    stranger.fields.push(("Sec-Fetch-Site".into(), "cross-site".into()));
    assert_eq!(stranger.log_in("alice@north.example", PASSWORD).await.status, 403);

    let mut alice = Browser::of(&site, "alice").await;
    let token = std::mem::take(&mut alice.csrf);
    let folder = json!({"name": "Stolen"});
    assert_eq!(alice.json("POST", "/api/v1/folders", &folder).await.status, 403);
    alice.csrf = "guessed".into();
    assert_eq!(alice.json("POST", "/api/v1/folders", &folder).await.status, 403);
    alice.csrf = token;
    assert_eq!(alice.json("POST", "/api/v1/folders", &folder).await.status, 503, "the token opens");
    alice.fields.push(("Sec-Fetch-Site".into(), "same-site".into()));
    assert_eq!(alice.json("POST", "/api/v1/folders", &folder).await.status, 403);

    let mut bob = Browser::of(&site, "bob").await;
    let password =
        [("csrf", "guessed"), ("old", PASSWORD), ("new", "another password"), ("again", "another password")];
    assert_eq!(bob.form("/mail/security/password", &password).await.status, 422);
    assert_eq!(Browser::new(&site).log_in("bob@north.example", PASSWORD).await.status, 303, "unchanged");
}

#[tokio::test]
async fn log_out_here_and_everywhere() {
    let site = start().await;
    let mut here = Browser::of(&site, "alice").await;
    let mut there = Browser::of(&site, "alice").await;
    let mut bob = Browser::of(&site, "bob").await;
    let mut stolen = here.stolen();
    let csrf = here.csrf.clone();
    assert_eq!(here.form("/mail/logout", &[("csrf", &csrf)]).await.status, 303);
    assert_eq!(stolen.get("/mail").await.status, 303, "the cookie is worth nothing any more");
    assert_eq!(there.get("/mail").await.status, 200);
    let csrf = there.csrf.clone();
    let mut third = Browser::of(&site, "alice").await;
    there.form("/mail/logout", &[("csrf", &csrf), ("everywhere", "true")]).await;
    assert_eq!(third.get("/mail").await.status, 303);
    assert_eq!(bob.get("/mail").await.status, 200, "others stay");
}

#[tokio::test]
async fn another_password_logs_all_others_out() {
    let site = start().await;
    let mut here = Browser::of(&site, "alice").await;
    let mut there = Browser::of(&site, "alice").await;
    let csrf = here.csrf.clone();
    let mut change = async |old: &str, new: &str, again: &str| {
        here.form("/mail/security/password", &[("csrf", &csrf), ("old", old), ("new", new), ("again", again)])
            .await
    };
    assert_eq!(change(PASSWORD, "short", "short").await.status, 422);
    assert_eq!(change(PASSWORD, "long enough, says she", "differs").await.status, 422);
    assert_eq!(change("wrong", "long enough, says she", "long enough, says she").await.status, 422);
    assert_eq!(change(PASSWORD, "long enough, says she", "long enough, says she").await.status, 200);
    assert_eq!(here.get("/mail").await.status, 200);
    assert_eq!(there.get("/mail").await.status, 303);
    assert_eq!(Browser::new(&site).log_in("alice@north.example", PASSWORD).await.status, 401);
    let answer = Browser::new(&site).log_in("alice@north.example", "long enough, says she").await;
    assert_eq!(answer.status, 303);
}

#[tokio::test]
async fn a_second_factor_is_set_up_asked_for_and_taken_off() {
    let site = start().await;
    let mut alice = Browser::of(&site, "alice").await;
    let csrf = alice.csrf.clone();
    let page = alice.form("/mail/security/factor", &[("csrf", &csrf), ("step", "propose")]).await.text();
    assert!(page.contains("<svg"), "a picture to scan");
    let secret = between(&page, "name=\"secret\" value=\"", "\"").expect("a secret");
    let confirm = |code: String| {
        [("csrf", csrf.clone()), ("step", "confirm".into()), ("secret", secret.clone()), ("code", code)]
    };
    let mut send = async |fields: [(&str, String); 4]| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        alice.form("/mail/security/factor", &fields).await
    };
    assert_eq!(send(confirm("000000".into())).await.status, 422);
    let now = u64::try_from(jiff::Timestamp::now().as_second()).expect("after 1970");
    let answer = send(confirm(code(&secret, now))).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let paper = between(&answer.text(), "<code>", "</code>").expect("codes for paper");

    let mut again = Browser::new(&site);
    let answer = again.log_in("alice@north.example", PASSWORD).await;
    assert_eq!(answer.field("location"), Some("/mail/code"));
    assert_eq!(again.get("/mail").await.status, 303, "half is not enough");
    assert_eq!(again.get("/api/v1/folders").await.status, 401);
    assert_eq!(again.get("/mail/code").await.status, 200);
    let csrf = again.csrf.clone();
    let used = again.form("/mail/code", &[("csrf", &csrf), ("code", &code(&secret, now))]).await;
    assert_eq!(used.status, 401, "none works twice");
    let answer = again.form("/mail/code", &[("csrf", &csrf), ("code", &paper)]).await;
    assert_eq!(answer.field("location"), Some("/mail"), "{}", answer.text());
    assert_eq!(again.get("/mail").await.status, 200);

    // The code on paper is used up; the next step of the app is not.
    let csrf = again.csrf.clone();
    let off = |code: String| [("csrf", csrf.clone()), ("step", "remove".into()), ("code", code)];
    let mut send = async |fields: [(&str, String); 3]| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        again.form("/mail/security/factor", &fields).await.status
    };
    assert_eq!(send(off(paper)).await, 422);
    assert_eq!(send(off(code(&secret, now + 30))).await, 200);
    let answer = Browser::new(&site).log_in("alice@north.example", PASSWORD).await;
    assert_eq!(answer.field("location"), Some("/mail"));
}

fn code(secret: &str, unix_secs: u64) -> String {
    let secret = totp_rs::Secret::try_from_base32(secret).expect("base32");
    let totp = totp_rs::Builder::new().with_secret(secret).build().expect("valid");
    totp.generate(unix_secs).to_string()
}

#[tokio::test]
async fn programs_have_passwords_of_their_own() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let site = start().await;
    let mut alice = Browser::of(&site, "alice").await;
    let csrf = alice.csrf.clone();
    let page =
        alice.form("/mail/security/program", &[("csrf", &csrf), ("name", "script"), ("scope", "all")]).await;
    let password = between(&page.text(), "<code>", "</code>").expect("a password");
    let program = |credentials: String| {
        let mut program = Browser::new(&site);
        program.fields.push(("Authorization".into(), format!("Basic {}", STANDARD.encode(credentials))));
        program
    };
    let mut script = program(format!("alice@north.example:{password}"));
    assert_eq!(script.json("POST", "/api/v1/folders", &json!({"name": "x"})).await.status, 503, "let in");
    assert_eq!(program(format!("bob@north.example:{password}")).get("/api/v1/folders").await.status, 401);
    let own = program(format!("alice@north.example:{PASSWORD}")).get("/api/v1/folders").await;
    assert_eq!(own.status, 401, "the person's own password is for the person");
    alice.form("/mail/security/program", &[("csrf", &csrf), ("name", "fetcher"), ("scope", "pop3")]).await;
    alice.form("/mail/security/program", &[("csrf", &csrf), ("name", "script")]).await;
    assert_eq!(script.get("/api/v1/folders").await.status, 401, "revoked");
}

#[tokio::test]
async fn bodies_are_bounded_and_slow_clients_are_given_up() {
    let site = start().await;
    let mut browser = Browser::new(&site);
    let large = "x".repeat(20_000);
    assert_eq!(browser.log_in("alice@north.example", &large).await.status, 413);
    let head = format!(
        "POST /api/v1/uploads?name=x HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{}",
        "x".repeat(30_000)
    );
    assert_eq!(exchange(site.address, head.as_bytes()).await.status, 413, "nobody we know");
    let fields = "X-Field: y\r\n".repeat(200);
    let head = format!("GET /mail/login HTTP/1.1\r\nHost: x\r\n{fields}\r\n");
    assert_eq!(exchange(site.address, head.as_bytes()).await.status, 431);
    // A client that begins and says no more is told good-bye.
    let mut stream = TcpStream::connect(site.address).await.expect("connects");
    stream.write_all(b"GET /mail/login HTTP/1.1\r\nHost").await.expect("sent");
    let mut rest = Vec::new();
    let patience = posta_web::limits::HEAD_TIME_MAX + Duration::from_secs(5);
    tokio::time::timeout(patience, stream.read_to_end(&mut rest)).await.expect("given up").expect("closed");
}
