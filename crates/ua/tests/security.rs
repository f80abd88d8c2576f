//! What is said to whom: the servers run here, but seem to be elsewhere.

mod support;

use async_trait::async_trait;
use posta_message::DateTime;
use posta_pop3::client::{Credentials, Fault, LoginMethod};
use posta_runtime::{
    Network, Stream, TcpNetwork,
    tls::{Acceptor, Authority, Identity, TlsEnd, Trust},
};
use posta_smtp::client as smtp;
use posta_ua::{
    Draft, Endpoint, Hosts, Letter, Maildrop, MaildropError, Outside, Security, SubmitError, parse_mailboxes,
    submit,
};
use posta_wire::Secret;
use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};
use support::{PASSWORD, Post, USER, pop3_server, smtp_server};

/// Every host is at 192.0.2.1, as far as anybody can see.
struct Elsewhere;

#[async_trait]
impl Hosts for Elsewhere {
    async fn addresses(&self, _host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(vec![([192, 0, 2, 1], port).into()])
    }
    fn own_address(&self, _remote: SocketAddr) -> Option<IpAddr> {
        None
    }
}

#[async_trait]
impl Network for Elsewhere {
    async fn connect(&self, remote: SocketAddr) -> io::Result<Box<dyn Stream>> {
        TcpNetwork.connect(([127, 0, 0, 1], remote.port()).into()).await
    }
}

struct Scene {
    authority: Authority,
    post: Post,
}

impl Scene {
    fn new(certificate_for: Option<&str>) -> Scene {
        let authority = Authority::new("A test authority").expect("an authority");
        let tls = certificate_for.map(|name| {
            let (chain, key) = authority.issue(&[name.to_owned()]).expect("a certificate");
            let identity = Identity::from_pem(chain.as_bytes(), key.as_bytes()).expect("an identity");
            TlsEnd::Accept(Acceptor::new(vec![identity], None).expect("an acceptor"))
        });
        Scene { authority, post: Post { tls, ..Post::default() } }
    }

    fn outside(&self, security: Security, is_here: bool) -> Outside {
        let trust = Arc::new(Trust::only(self.authority.pem().as_bytes()).expect("trust"));
        let outside = Outside { trust, security, ..Outside::system() };
        if is_here {
            outside
        } else {
            Outside { network: Arc::new(Elsewhere), hosts: Arc::new(Elsewhere), ..outside }
        }
    }
}

/// The endpoint by a name.
fn named(endpoint: &Endpoint) -> Endpoint {
    format!("mail.south.example:{}", endpoint.port()).parse().expect("an endpoint")
}

fn letter() -> Letter {
    let address = |text| parse_mailboxes(text).expect("an address");
    let draft = Draft {
        from: address("ada@north.example").remove(0),
        to: address("bob@south.example"),
        cc: Vec::new(),
        bcc: Vec::new(),
        subject: "x".into(),
        body: "x".into(),
        attachments: Vec::new(),
    };
    draft.compose(DateTime::utc(jiff::Timestamp::UNIX_EPOCH), 1).expect("a letter")
}

async fn fetch(scene: Scene, security: Security, method: LoginMethod) -> Result<(), MaildropError> {
    let outside = scene.outside(security, false);
    let endpoint = named(&pop3_server(Arc::new(scene.post)).await);
    let credentials = Credentials { user: USER.into(), secret: Secret::new(PASSWORD), method };
    Maildrop::open(&outside, &endpoint, credentials, 1 << 20, None).await.map(drop)
}

#[tokio::test]
async fn a_password_does_not_cross_the_network_in_the_clear() {
    let password = LoginMethod::Password;
    for security in [Security::Auto, Security::None] {
        let error = fetch(Scene::new(None), security, password).await.expect_err("in the clear");
        assert_eq!(error, MaildropError::InTheClear, "{security:?}");
    }
    let error = fetch(Scene::new(None), Security::StartTls, password).await.expect_err("no STLS");
    assert!(matches!(error, MaildropError::Refused { .. }), "{error:?}");
    // APOP does not show it; where the server has none, the password is not said instead.
    let error =
        fetch(Scene::new(None), Security::Auto, LoginMethod::ApopIfOffered).await.expect_err("no APOP");
    assert!(
        matches!(&error, MaildropError::Session(failure) if failure.fault == Fault::ApopMissing),
        "{error:?}"
    );
    let mut scene = Scene::new(None);
    scene.post.apop = true;
    fetch(scene, Security::Auto, LoginMethod::ApopIfOffered).await.expect("by APOP");
}

#[tokio::test]
async fn inside_tls_the_password_goes_to_the_right_server_only() {
    for security in [Security::Auto, Security::StartTls] {
        let right = Scene::new(Some("mail.south.example"));
        fetch(right, security, LoginMethod::Password).await.expect("inside TLS");
        let wrong = fetch(Scene::new(Some("mallory.example")), security, LoginMethod::Password).await;
        assert!(
            matches!(&wrong, Err(MaildropError::Session(failure)) if matches!(failure.fault, Fault::Tls(_))),
            "{wrong:?}"
        );
    }
    let mut scene = Scene::new(Some("mail.south.example"));
    scene.post.tls_first = true;
    fetch(scene, Security::Tls, LoginMethod::Password).await.expect("TLS first");
}

#[tokio::test]
async fn letters_go_inside_tls() {
    for (security, tls_first) in [(Security::Auto, false), (Security::StartTls, false), (Security::Tls, true)]
    {
        let mut scene = Scene::new(Some("mail.south.example"));
        scene.post.tls_first = tls_first;
        let outside = scene.outside(security, false);
        let endpoint = named(&smtp_server(Arc::new(scene.post)).await);
        let outcomes = submit(&outside, &endpoint, &letter(), None).await.expect("a session");
        assert!(outcomes.iter().all(|(_, outcome)| outcome.is_ok()), "{security:?}: {outcomes:?}");
    }
    // Nobody else gets it.
    for name in [None, Some("mallory.example")] {
        let scene = Scene::new(name);
        let outside = scene.outside(Security::StartTls, false);
        let endpoint = named(&smtp_server(Arc::new(scene.post)).await);
        let error = submit(&outside, &endpoint, &letter(), None).await.expect_err("refused");
        assert!(
            matches!(&error, SubmitError::Session(failure) if failure.stage == smtp::Stage::StartTls),
            "{name:?}: {error:?}"
        );
    }
}

#[tokio::test]
async fn on_this_machine_a_password_may_go_in_the_clear() {
    let scene = Scene::new(None);
    let outside = scene.outside(Security::Auto, true);
    let endpoint = pop3_server(Arc::new(scene.post)).await;
    let method = LoginMethod::Password;
    let credentials = Credentials { user: USER.into(), secret: Secret::new(PASSWORD), method };
    Maildrop::open(&outside, &endpoint, credentials, 1 << 20, None).await.map(drop).expect("logged in");
}
