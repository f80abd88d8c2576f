//! The agents' engine against servers in this process, over real TCP on loopback.

mod support;

use posta_message::DateTime;
use posta_pop3::{
    Capability, MessageNumber,
    client::{Credentials, Fault, LoginMethod, Stage},
};
use posta_smtp::client as smtp;
use posta_smtp::{FutureRelease, client::Requests};
use posta_ua::{
    Attachment, Dialogue, Draft, Endpoint, Maildrop, MaildropError, Outside, Protocol, Speaker, SubmitError,
    Wishes, describe_outcome, parse_mailboxes, probe_submission, submit,
};
use posta_wire::Secret;
use std::sync::{Arc, Mutex};
use support::{PASSWORD, Post, USER, pop3_server, smtp_server};

fn n(number: u32) -> MessageNumber {
    MessageNumber::new(number).expect("not zero")
}

fn draft(to: &str) -> Draft {
    Draft {
        from: parse_mailboxes("Ada Löv <ada@north.example>").expect("an address").remove(0),
        to: parse_mailboxes(to).expect("addresses"),
        cc: Vec::new(),
        bcc: parse_mailboxes("hidden@west.example").expect("an address"),
        subject: "Grüße".into(),
        body: ".\n.dots\nFrom here\n".into(),
        attachments: vec![Attachment::new("größe.bin", (0..=255).cycle().take(200_000).collect())],
    }
}

fn credentials(secret: &str, method: LoginMethod) -> Credentials {
    Credentials { user: USER.into(), secret: Secret::new(secret), method }
}

async fn open(endpoint: &Endpoint, secret: &str, method: LoginMethod) -> Result<Maildrop, MaildropError> {
    Maildrop::open(&Outside::system(), endpoint, credentials(secret, method), 1 << 20, None).await
}

#[tokio::test]
async fn a_letter_is_submitted_whole() {
    let post = Arc::new(Post::default());
    let endpoint = smtp_server(post.clone()).await;
    let letter =
        draft("bob@south.example").compose(DateTime::utc(jiff::Timestamp::UNIX_EPOCH), 1).expect("a letter");
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = lines.clone();
    let dialogue = Dialogue::new(Protocol::Smtp, move |speaker, line| {
        let letter = if speaker == Speaker::Client { 'C' } else { 'S' };
        sink.lock().expect("whole").push(format!("{letter}: {line}"));
    });
    let outcomes = submit(&Outside::system(), &endpoint, &letter, Some(&dialogue)).await.expect("submitted");
    assert_eq!(outcomes.len(), 2);
    assert!(outcomes.iter().all(|(_, outcome)| outcome.is_ok()), "{outcomes:?}");
    assert_eq!(describe_outcome(&outcomes[0].1).split(' ').next(), Some("250"));
    let accepted = post.accepted.lock().expect("whole").clone();
    assert_eq!(accepted.len(), 1);
    assert_eq!(accepted[0].reverse_path, "<ada@north.example>");
    assert_eq!(accepted[0].recipients, ["<bob@south.example>", "<hidden@west.example>"]);
    assert!(accepted[0].content == letter.octets, "octet for octet");
    let lines = lines.lock().expect("whole").join("\n");
    for line in [
        "S: 220 mx.south.example",
        "C: EHLO [127.0.0.1]",
        "C: MAIL FROM:<ada@north.example>",
        "C: .\n",
        "C: QUIT",
    ] {
        assert!(lines.contains(line), "{line} in {lines}");
    }
}

// RFC 4865, 2852, 6710, 8689: a promise that nobody makes is not believed.
#[tokio::test]
async fn wishes_are_told_or_the_letter_stays() {
    let most =
        FutureRelease { seconds_max: 3600, until_max: "2030-01-01T00:00:00Z".parse().expect("a time") };
    let wishes = |hold: Option<&str>, by: Option<&str>, require_tls| Wishes {
        notify: Some("SUCCESS".parse().expect("a wish")),
        requests: Requests {
            hold: hold.map(|hold| hold.parse().expect("a hold")),
            deliver_by: by.map(|by| by.parse().expect("a deadline")),
            priority: "4".parse().ok(),
            require_tls,
            ..Requests::default()
        },
    };
    let all = "MAIL FROM:<ada@north.example> SIZE=";
    for (keeps_time, wishes, expected) in [
        (true, wishes(Some("for;60"), Some("600;R"), false), Some(" HOLDFOR=60 BY=600;R MT-PRIORITY=4")),
        (
            true,
            wishes(Some("until;2029-12-31T00:00:00Z"), None, false),
            Some(" HOLDUNTIL=2029-12-31T00:00:00Z"),
        ),
        (true, wishes(Some("for;3601"), None, false), None),
        (false, wishes(Some("for;60"), None, false), None),
        (false, wishes(None, Some("600;R"), false), None),
        (false, wishes(None, None, false), Some("")),
        (true, wishes(None, None, true), None),
    ] {
        let future_release = keeps_time.then_some(most);
        let post = Arc::new(Post { keeps_time, future_release, ..Post::default() });
        let endpoint = smtp_server(post.clone()).await;
        let mut letter = draft("bob@south.example")
            .compose(DateTime::utc(jiff::Timestamp::UNIX_EPOCH), 1)
            .expect("a letter");
        letter.wishes = wishes.clone();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = lines.clone();
        let dialogue = Dialogue::new(Protocol::Smtp, move |_, line| {
            sink.lock().expect("whole").push(line.to_owned());
        });
        let outcomes = submit(&Outside::system(), &endpoint, &letter, Some(&dialogue)).await;
        let is_sent = outcomes.is_ok_and(|outcomes| outcomes.iter().all(|(_, outcome)| outcome.is_ok()));
        assert_eq!(is_sent, expected.is_some(), "{wishes:?}");
        let lines = lines.lock().expect("whole").join("\n");
        assert_eq!(lines.contains(all), is_sent, "{lines}");
        assert!(expected.is_none_or(|expected| lines.contains(expected)), "{lines}");
        assert_eq!(lines.contains("NOTIFY=SUCCESS"), is_sent, "{lines}");
        assert_eq!(post.accepted.lock().expect("whole").len(), usize::from(is_sent));
    }
}

#[tokio::test]
async fn each_recipient_has_an_outcome() {
    let post = Arc::new(Post::default());
    let endpoint = smtp_server(post.clone()).await;
    let letter = draft("nobody@south.example, bob@south.example")
        .compose(DateTime::utc(jiff::Timestamp::UNIX_EPOCH), 1)
        .expect("a letter");
    let outcomes = submit(&Outside::system(), &endpoint, &letter, None).await.expect("submitted");
    let good: Vec<bool> = outcomes.iter().map(|(_, outcome)| outcome.is_ok()).collect();
    assert_eq!(good, [false, true, true], "{outcomes:?}");
    let words = describe_outcome(&outcomes[0].1);
    assert!(words.contains("550") && words.contains("no such mailbox"), "{words}");
    assert_eq!(post.accepted.lock().expect("whole")[0].recipients.len(), 2);
}

#[tokio::test]
async fn many_recipients_take_several_transactions() {
    let post = Arc::new(Post::default());
    let endpoint = smtp_server(post.clone()).await;
    let to: Vec<String> = (0..250).map(|number| format!("user{number}@south.example")).collect();
    let mut draft = draft(&to.join(","));
    draft.attachments.clear();
    let letter = draft.compose(DateTime::utc(jiff::Timestamp::UNIX_EPOCH), 1).expect("a letter");
    let outcomes = submit(&Outside::system(), &endpoint, &letter, None).await.expect("submitted");
    assert_eq!(outcomes.len(), 251);
    assert!(outcomes.iter().all(|(_, outcome)| outcome.is_ok()));
    let accepted = post.accepted.lock().expect("whole").clone();
    assert_eq!(accepted.iter().map(|message| message.recipients.len()).collect::<Vec<_>>(), [100, 100, 51]);
    assert!(accepted.iter().all(|message| message.content == letter.octets));
}

#[tokio::test]
async fn a_refused_sender_is_nobodys_success() {
    let endpoint = smtp_server(Arc::new(Post::default())).await;
    let mut draft = draft("bob@south.example");
    draft.from = parse_mailboxes("spammer@north.example").expect("an address").remove(0);
    let letter = draft.compose(DateTime::utc(jiff::Timestamp::UNIX_EPOCH), 1).expect("a letter");
    let outcomes = submit(&Outside::system(), &endpoint, &letter, None).await.expect("a session");
    for (_, outcome) in &outcomes {
        let failure = outcome.as_ref().expect_err("refused");
        assert_eq!(failure.stage, smtp::Stage::Mail);
        assert!(!failure.is_transient());
    }
}

#[tokio::test]
async fn nobody_listens() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let endpoint: Endpoint = listener.local_addr().expect("bound").to_string().parse().expect("an endpoint");
    drop(listener);
    let letter =
        draft("bob@south.example").compose(DateTime::utc(jiff::Timestamp::UNIX_EPOCH), 1).expect("a letter");
    let error = submit(&Outside::system(), &endpoint, &letter, None).await.expect_err("nobody there");
    assert!(matches!(error, SubmitError::Connect(_)), "{error}");
    assert!(error.to_string().starts_with(&format!("cannot connect to {endpoint}: ")), "{error}");
    let error = open(&endpoint, PASSWORD, LoginMethod::Password).await.err().expect("nobody there");
    assert!(matches!(error, MaildropError::Connect(_)), "{error}");
}

#[tokio::test]
async fn servers_are_probed() {
    let endpoint = smtp_server(Arc::new(Post::default())).await;
    let (host, extensions) = probe_submission(&Outside::system(), &endpoint, None).await.expect("a server");
    assert_eq!(host, "mx.south.example");
    assert!(extensions.iter().any(|extension| extension == "PIPELINING"), "{extensions:?}");
}

#[tokio::test]
async fn the_maildrop_is_read_and_emptied() {
    let large: Vec<u8> = [b"Subject: large\r\n\r\n".to_vec(), b".dot and more\r\n".repeat(20_000)].concat();
    let post = Arc::new(Post {
        messages: Mutex::new(vec![b"Subject: one\r\n\r\nbody\r\n".to_vec(), large.clone()]),
        ..Post::default()
    });
    let endpoint = pop3_server(post.clone()).await;
    let mut maildrop = open(&endpoint, PASSWORD, LoginMethod::Password).await.expect("logged in");
    assert!(maildrop.capabilities().await.expect("CAPA").contains(&Capability::Uidl));
    assert_eq!(maildrop.status().await.expect("STAT"), (2, 22 + large.len() as u64));
    let list = maildrop.list().await.expect("LIST");
    assert_eq!(list[1].octets, large.len() as u64);
    assert_eq!(list[1].unique_id.as_deref(), Some("uid-1"));
    assert_eq!(maildrop.header(n(1), 1000).await.expect("TOP"), b"Subject: one\r\n\r\n");
    assert_eq!(maildrop.header(n(1), 7).await.expect("TOP"), b"Subject");
    assert!(maildrop.read(n(2)).await.expect("RETR") == large, "octet for octet");
    let refused = maildrop.read(n(3)).await.expect_err("there is no third");
    assert!(matches!(refused, MaildropError::Refused { stage: Stage::Command("RETR"), .. }), "{refused}");
    maildrop.delete(n(1)).await.expect("DELE");
    // Without QUIT nothing is deleted.
    drop(maildrop);
    let mut maildrop = open(&endpoint, PASSWORD, LoginMethod::Password).await.expect("logged in");
    assert_eq!(maildrop.list().await.expect("LIST").len(), 2);
    maildrop.delete(n(1)).await.expect("DELE");
    maildrop.quit().await.expect("QUIT");
    assert_eq!(*post.messages.lock().expect("whole"), [large]);
    assert_eq!(*post.retrieved.lock().expect("whole"), [1]);
}

#[tokio::test]
async fn ways_to_log_in() {
    let plain = pop3_server(Arc::new(Post::default())).await;
    let apop = pop3_server(Arc::new(Post { apop: true, ..Post::default() })).await;
    open(&plain, PASSWORD, LoginMethod::Password).await.expect("USER and PASS").quit().await.expect("QUIT");
    open(&apop, PASSWORD, LoginMethod::Apop).await.expect("APOP").quit().await.expect("QUIT");
    open(&apop, PASSWORD, LoginMethod::Password).await.expect("USER and PASS").quit().await.expect("QUIT");
    let error = open(&plain, "wrong", LoginMethod::Password).await.err().expect("refused");
    assert_eq!(error.to_string(), "cannot log in: wrong name or password");
    let error = open(&plain, PASSWORD, LoginMethod::Apop).await.err().expect("not offered");
    assert!(
        matches!(&error, MaildropError::Session(failure) if failure.fault == Fault::ApopMissing),
        "{error}"
    );
}

#[tokio::test]
async fn too_large_to_show() {
    let post = Arc::new(Post { messages: Mutex::new(vec![b"x\r\n".repeat(400_000)]), ..Post::default() });
    let endpoint = pop3_server(post).await;
    let mut maildrop = open(&endpoint, PASSWORD, LoginMethod::Password).await.expect("logged in");
    let error = maildrop.read(n(1)).await.expect_err("too large");
    assert_eq!(error, MaildropError::TooLarge { message: 1, limit: 1 << 20 });
    let mut maildrop = open(&endpoint, PASSWORD, LoginMethod::Password).await.expect("logged in");
    let full = maildrop.retrieve(n(1), |_| Err(std::io::Error::other("disk full"))).await;
    assert_eq!(full, Err(MaildropError::Sink("disk full".into())));
    assert_eq!(maildrop.status().await, Err(MaildropError::Broken));
}
