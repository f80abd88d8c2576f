//! Ways to log in: what is tried when the strongest mechanism fails, and tokens.

mod support;

use posta_message::DateTime;
use posta_pop3::client::{Credentials, LoginMethod};
use posta_ua::{
    Draft, Letter, Login, Maildrop, MaildropError, Outside, Proof, SubmitError, parse_mailboxes, submit_as,
};
use posta_wire::{
    Secret,
    sasl::{Mechanism, MechanismSet},
};
use std::sync::Arc;
use support::{PASSWORD, Post, TOKEN, USER, pop3_server, smtp_server};

fn letter() -> Letter {
    let address = |text| parse_mailboxes(text).expect("an address");
    let draft = Draft {
        from: address("bob@south.example").remove(0),
        to: address("ada@north.example"),
        cc: Vec::new(),
        bcc: Vec::new(),
        subject: "x".into(),
        body: "x".into(),
        attachments: Vec::new(),
    };
    draft.compose(DateTime::utc(jiff::Timestamp::UNIX_EPOCH), 1).expect("a letter")
}

fn offering(mechanisms: &[Mechanism]) -> Arc<Post> {
    let mechanisms: MechanismSet = mechanisms.iter().copied().collect();
    Arc::new(Post { mechanisms, ..Post::default() })
}

async fn send(post: &Arc<Post>, secret: &str, proof: Proof) -> Result<(), SubmitError> {
    let endpoint = smtp_server(post.clone()).await;
    let login = Login { user: USER.into(), secret: Secret::new(secret), proof };
    submit_as(&Outside::system(), &endpoint, &letter(), Some(&login), None).await.map(drop)
}

async fn fetch(post: &Arc<Post>, secret: &str, method: LoginMethod) -> Result<(), MaildropError> {
    let endpoint = pop3_server(post.clone()).await;
    let credentials = Credentials { user: USER.into(), secret: Secret::new(secret), method };
    Maildrop::open(&Outside::system(), &endpoint, credentials, 1 << 20, None).await.map(drop)
}

fn tried(post: &Post) -> Vec<String> {
    std::mem::take(&mut *post.exchanges.lock().expect("whole"))
}

#[tokio::test]
async fn an_account_older_than_scram_still_logs_in() {
    let post = offering(&[Mechanism::ScramSha256, Mechanism::ScramSha1, Mechanism::Plain, Mechanism::Login]);
    send(&post, PASSWORD, Proof::Password).await.expect("sent");
    assert_eq!(tried(&post), ["SCRAM-SHA-256", "PLAIN"]);
    fetch(&post, PASSWORD, LoginMethod::Strongest).await.expect("fetched");
    assert_eq!(tried(&post), ["SCRAM-SHA-256", "PLAIN"]);
    // A wrong password is wrong; nothing is tried over and over.
    let error = send(&post, "wrong", Proof::Password).await.expect_err("wrong");
    assert!(error.to_string().contains("no to the login: 535"), "{error}");
    assert_eq!(tried(&post), ["SCRAM-SHA-256", "PLAIN"]);
    let error = fetch(&post, "wrong", LoginMethod::Strongest).await.expect_err("wrong");
    assert!(error.to_string().starts_with("cannot log in: "), "{error}");
    assert_eq!(tried(&post), ["SCRAM-SHA-256", "PLAIN"]);
    // Where only SCRAM is offered there is nothing else to try by SMTP; POP3 has USER and PASS.
    let post = offering(&[Mechanism::ScramSha256]);
    send(&post, PASSWORD, Proof::Password).await.expect_err("no other mechanism");
    fetch(&post, PASSWORD, LoginMethod::Strongest).await.expect("USER and PASS");
    assert_eq!(tried(&post), ["SCRAM-SHA-256", "SCRAM-SHA-256"]);
}

#[tokio::test]
async fn tokens_log_in_by_their_own_mechanisms_only() {
    for mechanism in [Mechanism::OauthBearer, Mechanism::Xoauth2] {
        let post = offering(&[mechanism, Mechanism::Plain]);
        send(&post, TOKEN, Proof::Token).await.expect("sent");
        fetch(&post, TOKEN, LoginMethod::Token).await.expect("fetched");
        assert_eq!(tried(&post), [mechanism.to_string(), mechanism.to_string()]);
        let error = send(&post, "expired", Proof::Token).await.expect_err("refused");
        assert!(error.to_string().contains("no to the login"), "{error}");
        assert!(fetch(&post, "expired", LoginMethod::Token).await.is_err());
    }
    // A token is never given out as a password.
    let post = offering(&[Mechanism::Plain]);
    assert!(send(&post, TOKEN, Proof::Token).await.is_err());
    assert_eq!(fetch(&post, TOKEN, LoginMethod::Token).await, Err(MaildropError::NoTokens));
    assert_eq!(tried(&post), Vec::<String>::new());
}
