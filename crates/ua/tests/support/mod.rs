//! Simple servers in this process, made of the protocols' own server sessions, on loopback ports.

#![allow(dead_code, reason = "each test uses its part")]

use async_trait::async_trait;
use posta_address::{Domain, ForwardPath};
use posta_pop3::{apop_digest, digests_equal, server as pop3};
use posta_runtime::{Handler, SystemClock, drive, tls::TlsEnd};
use posta_smtp::{FutureRelease, Reply, server as smtp};
use posta_ua::Endpoint;
use posta_wire::sasl::{self, ChannelBindings, MechanismSet, server::DecoyKey};
use std::{
    sync::{Arc, Mutex},
    time::Instant,
};
use tokio::net::TcpListener;

/// A message that the SMTP server accepted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Accepted {
    pub(crate) reverse_path: String,
    pub(crate) recipients: Vec<String>,
    pub(crate) content: Vec<u8>,
}

/// What both servers share.
#[derive(Default)]
pub(crate) struct Post {
    /// By SMTP.
    pub(crate) accepted: Mutex<Vec<Accepted>>,
    /// Of the one maildrop.
    pub(crate) messages: Mutex<Vec<Vec<u8>>>,
    /// RETR answered whole.
    pub(crate) retrieved: Mutex<Vec<usize>>,
    /// Offers APOP.
    pub(crate) apop: bool,
    /// Offers STARTTLS and STLS, or with `tls_first` nothing else.
    pub(crate) tls: Option<TlsEnd>,
    pub(crate) tls_first: bool,
    /// For how long letters are held.
    pub(crate) future_release: Option<FutureRelease>,
    /// Deadlines are kept, and priorities heeded.
    pub(crate) keeps_time: bool,
    /// The mechanisms that both offer.
    pub(crate) mechanisms: MechanismSet,
    /// The names of the exchanges that were begun.
    pub(crate) exchanges: Mutex<Vec<String>>,
}

impl Post {
    fn exchange(&self, mechanism: sasl::Mechanism) -> Box<sasl::server::Exchange> {
        self.exchanges.lock().expect("whole").push(mechanism.to_string());
        let settings = sasl::server::Settings::new("mail.south.example", DecoyKey::new([1; 32]));
        let (random, bindings) = (*b"eighteen octets!!!", ChannelBindings::none());
        let context = sasl::server::Context { random, unix_secs: 1_795_460_400, bindings };
        Box::new(sasl::server::Exchange::new(mechanism, &settings, context))
    }
}

/// Bob's account is older than SCRAM: there is a password, and no verifier. There is a token, too.
fn credentials(question: sasl::server::Question) -> sasl::server::Answer {
    use sasl::server::{Answer, Question};
    match question {
        Question::CheckPassword { authcid, password, .. }
            if authcid == USER && password.expose() == PASSWORD =>
        {
            Answer::Accepted { authcid }
        }
        Question::CheckToken { token, authzid, host, .. }
            if token.expose() == TOKEN && host.as_deref().is_none_or(|host| host == "127.0.0.1") =>
        {
            Answer::Accepted { authcid: authzid.unwrap_or_default() }
        }
        _ => Answer::Refused,
    }
}

pub(crate) const USER: &str = "bob@south.example";
pub(crate) const PASSWORD: &str = "sword fish";
pub(crate) const TOKEN: &str = "ya29.token";
pub(crate) const TIMESTAMP: &str = "<1896.697170952@dbc.mtview.ca.us>";

async fn listener() -> (TcpListener, Endpoint) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let endpoint = listener.local_addr().expect("bound").to_string().parse().expect("an endpoint");
    (listener, endpoint)
}

/// An SMTP server; it knows nobody called `nobody` and takes nothing from `spammer`.
pub(crate) async fn smtp_server(post: Arc<Post>) -> Endpoint {
    let (listener, endpoint) = listener().await;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let post = post.clone();
            tokio::spawn(async move {
                let hostname = Domain::parse("mx.south.example").expect("a domain");
                let mut settings = smtp::Settings::new(hostname);
                settings.extensions.deliver_by = post.keeps_time;
                settings.extensions.priority = post.keeps_time;
                settings.extensions.starttls = post.tls.is_some();
                let (settings, tls) = (Arc::new(settings), post.tls.clone());
                let mut session = match post.tls_first {
                    true => smtp::Session::new_over_tls(settings.clone(), Instant::now()),
                    false => smtp::Session::new(settings.clone(), Instant::now()),
                };
                let mut handler = SmtpHandler { settings, post, open: Accepted::default() };
                let (_running, shutdown) = tokio::sync::watch::channel(false);
                drive(&mut session, &mut handler, &mut stream, tls.as_ref(), &SystemClock, None, shutdown)
                    .await;
            });
        }
    });
    endpoint
}

struct SmtpHandler {
    settings: Arc<smtp::Settings>,
    post: Arc<Post>,
    open: Accepted,
}

#[async_trait]
impl Handler<smtp::Session> for SmtpHandler {
    async fn answer(&mut self, question: smtp::Question) -> smtp::Answer {
        use smtp::Question;
        smtp::Answer::Reply(match question {
            Question::Greeting => self.settings.greeting(),
            Question::Hello(hello) => {
                let offered = self.post.mechanisms;
                let future_release = self.post.future_release;
                let authentication =
                    smtp::Authentication { offered, future_release, ..smtp::Authentication::default() };
                return smtp::Answer::Welcome(self.settings.welcome(&hello), authentication);
            }
            Question::Authenticate(mechanism) => {
                return smtp::Answer::Exchange(self.post.exchange(mechanism));
            }
            Question::Credentials(question) => return smtp::Answer::Credentials(credentials(*question)),
            Question::Mail { reverse_path, .. } if reverse_path.to_string().contains("spammer") => {
                Reply::new(550, None, "not from you")
            }
            Question::Mail { reverse_path, .. } => {
                self.open = Accepted { reverse_path: reverse_path.to_string(), ..Accepted::default() };
                Reply::new(250, None, "sender ok")
            }
            Question::Recipient { forward_path: ForwardPath::Mailbox(mailbox), .. }
                if mailbox.local_part().as_str() == "nobody" =>
            {
                Reply::new(550, None, "no such mailbox")
            }
            Question::Recipient { forward_path, .. } => {
                self.open.recipients.push(forward_path.to_string());
                Reply::new(250, None, "recipient ok")
            }
            Question::Data => Reply::new(354, None, "go on"),
            Question::EndOfData(_) => {
                self.post.accepted.lock().expect("whole").push(std::mem::take(&mut self.open));
                Reply::new(250, None, "kept as 0dqzt4x9h2k3m")
            }
            _ => Reply::new(502, None, "not here"),
        })
    }

    async fn event(&mut self, event: smtp::Event) {
        if let smtp::Event::Content(piece) = event {
            self.open.content.extend_from_slice(&piece);
        }
    }
}

/// A POP3 server with one maildrop.
pub(crate) async fn pop3_server(post: Arc<Post>) -> Endpoint {
    let (listener, endpoint) = listener().await;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let post = post.clone();
            tokio::spawn(async move {
                let mut settings = pop3::Settings::new("pop.south.example");
                settings.stls = post.tls.is_some();
                let (settings, tls) = (Arc::new(settings), post.tls.clone());
                let timestamp = post.apop.then(|| TIMESTAMP.to_owned());
                let mut session = match post.tls_first {
                    true => pop3::Session::new_over_tls(settings, timestamp, Instant::now()),
                    false => pop3::Session::new(settings, timestamp, Instant::now()),
                };
                let snapshot = post.messages.lock().expect("whole").clone();
                let mut handler = Pop3Handler { post, snapshot };
                let (_running, shutdown) = tokio::sync::watch::channel(false);
                drive(&mut session, &mut handler, &mut stream, tls.as_ref(), &SystemClock, None, shutdown)
                    .await;
            });
        }
    });
    endpoint
}

struct Pop3Handler {
    post: Arc<Post>,
    snapshot: Vec<Vec<u8>>,
}

impl Pop3Handler {
    fn login(&self, good: bool) -> pop3::Answer {
        let entries = self.snapshot.iter().enumerate().map(|(index, message)| pop3::MessageEntry {
            size_octets: message.len() as u64,
            unique_id: format!("uid-{index}"),
        });
        pop3::Answer::Login(if good { Ok(entries.collect()) } else { Err(pop3::LoginFailure::Credentials) })
    }
}

#[async_trait]
impl Handler<pop3::Session> for Pop3Handler {
    async fn answer(&mut self, question: pop3::Question) -> pop3::Answer {
        use pop3::Question;
        match question {
            Question::Login { user, password } => self.login(user == USER && password.expose() == PASSWORD),
            Question::Apop { user, timestamp, digest } => {
                self.login(user == USER && digests_equal(&apop_digest(&timestamp, PASSWORD), &digest))
            }
            Question::Mechanisms => pop3::Answer::Mechanisms(self.post.mechanisms),
            Question::Authenticate(mechanism) => pop3::Answer::Exchange(self.post.exchange(mechanism)),
            Question::Credentials(question) => pop3::Answer::Credentials(credentials(*question)),
            Question::Open(identity) => self.login(identity.authzid == USER),
            Question::AuthenticationFailed(_) => self.login(false),
            Question::Content { index, offset } => {
                let rest = &self.snapshot[index][offset as usize..];
                pop3::Answer::Content(Ok(rest[..rest.len().min(4096)].to_vec().into()))
            }
            Question::Update { deleted } => {
                let mut messages = self.post.messages.lock().expect("whole");
                messages.retain(|message| !deleted.iter().any(|index| self.snapshot[*index] == *message));
                pop3::Answer::Updated(true)
            }
        }
    }

    async fn event(&mut self, event: pop3::Event) {
        if let pop3::Event::Retrieved { index } = event {
            self.post.retrieved.lock().expect("whole").push(index);
        }
    }
}
