//! Handing a letter to the submission server by SMTP.

use crate::{Endpoint, Letter, Outside, SubmitError, limits::CONTENT_PIECE_OCTETS};
use async_trait::async_trait;
use posta_address::{AddressLiteral, ForwardPath, Host, Mailbox};
use posta_runtime::{Driven, Handler, Transcript, drive};
use posta_smtp::RecipientParameters;
use posta_smtp::client::{
    Answer, Event, Failure, Fault, Question, Recipient, RecipientOutcome, Session, Settings, Stage,
    Transaction,
};
use posta_wire::{
    Secret, TlsFacts,
    sasl::{
        Mechanism, MechanismSet,
        client::{Context, Credentials, Exchange},
        limits::RANDOM_OCTETS,
    },
};
use std::{net::SocketAddr, sync::Arc};

/// Recipients of one transaction: what every server must take (RFC 5321 §4.5.3.1.8).
const RECIPIENTS_PER_TRANSACTION: usize = 100;

/// What the server said for each recipient, in the order of the letter's.
pub type Outcomes = Vec<(Mailbox, RecipientOutcome)>;

/// Who we are to a submission server.
#[derive(Debug, Clone)]
pub struct Login {
    /// The name.
    pub user: String,
    /// What proves it.
    pub secret: Secret,
    /// What kind of a secret that is.
    pub proof: Proof,
}

/// What kind of a secret proves who we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The password.
    Password,
    /// APOP's shared secret: then only CRAM-MD5 can be used.
    SharedSecret,
    /// An OAuth token: OAUTHBEARER and XOAUTH2 (RFC 7628).
    Token,
}

impl Login {
    /// By the strongest mechanism of those that are safe on this connection, and that `tries` has not ruled
    /// out.
    fn begin(
        &self,
        outside: &Outside,
        endpoint: &Endpoint,
        connection: &Connection,
        offered: MechanismSet,
        tries: &mut Tries,
    ) -> Answer {
        if offered.is_empty() {
            // Who needs no login offers none; who needs one says so at MAIL.
            return Answer::Unidentified;
        }
        let usable = |mechanism: &Mechanism| {
            (self.proof != Proof::SharedSecret || *mechanism == Mechanism::CramMd5)
                && (!tries.plaintext_only || mechanism.is_plaintext())
        };
        let mut random = [0; RANDOM_OCTETS];
        outside.entropy.fill(&mut random);
        let context = Context {
            offered: offered.iter().filter(usable).collect(),
            confidential: connection.is_confidential(),
            bindings: connection.tls.as_ref().map(|facts| facts.bindings.clone()).unwrap_or_default(),
            random,
        };
        match Exchange::strongest(&self.credentials(endpoint), &context) {
            Ok(exchange) => {
                // An account that is older than SCRAM has no verifier: another mechanism may work, where
                // nobody listens.
                tries.again = context.confidential
                    && !exchange.mechanism().is_plaintext()
                    && self.proof == Proof::Password
                    && offered.iter().any(Mechanism::is_plaintext);
                Answer::Exchange(Box::new(exchange))
            }
            Err(reason) => Answer::NoExchange(reason.to_string()),
        }
    }

    fn credentials(&self, endpoint: &Endpoint) -> Credentials {
        match self.proof {
            Proof::Password | Proof::SharedSecret => Credentials::Password {
                authcid: self.user.clone(),
                authzid: None,
                password: self.secret.clone(),
            },
            Proof::Token => Credentials::Token {
                user: self.user.clone(),
                token: self.secret.clone(),
                host: endpoint.host().to_owned(),
                port: endpoint.port(),
            },
        }
    }
}

/// What was tried to log in.
#[derive(Debug, Clone, Copy, Default)]
struct Tries {
    /// Others were tried in vain.
    plaintext_only: bool,
    /// Should this fail, what shows the password to the server is worth a try.
    again: bool,
}

/// What is known of the connection.
struct Connection {
    remote: SocketAddr,
    tls: Option<Arc<TlsFacts>>,
}

impl Connection {
    fn is_confidential(&self) -> bool {
        self.tls.as_deref().is_some_and(TlsFacts::is_verified) || self.remote.ip().is_loopback()
    }
}

/// Submits the letter. An error means that nobody got it; else each recipient has its own outcome.
pub async fn submit(
    outside: &Outside,
    endpoint: &Endpoint,
    letter: &Letter,
    transcript: Option<&dyn Transcript>,
) -> Result<Outcomes, SubmitError> {
    submit_as(outside, endpoint, letter, None, transcript).await
}

/// The same as somebody, where the server offers a login.
pub async fn submit_as(
    outside: &Outside,
    endpoint: &Endpoint,
    letter: &Letter,
    login: Option<&Login>,
    transcript: Option<&dyn Transcript>,
) -> Result<Outcomes, SubmitError> {
    if letter.recipients.is_empty() {
        return Err(SubmitError::NoRecipients);
    }
    let mut tries = Tries::default();
    let submitted = submit_once(outside, endpoint, letter, login, transcript, &mut tries).await;
    match submitted {
        Err(SubmitError::Session(Failure { stage: Stage::Authentication, fault: Fault::Refused(_) }))
            if tries.again =>
        {
            let mut tries = Tries { plaintext_only: true, again: false };
            submit_once(outside, endpoint, letter, login, transcript, &mut tries).await
        }
        submitted => submitted,
    }
}

async fn submit_once(
    outside: &Outside,
    endpoint: &Endpoint,
    letter: &Letter,
    login: Option<&Login>,
    transcript: Option<&dyn Transcript>,
    tries: &mut Tries,
) -> Result<Outcomes, SubmitError> {
    let (mut stream, remote) = outside.connect(endpoint).await?;
    let protection = outside.security.protection(endpoint, remote);
    let tls = protection.end(outside, endpoint, remote);
    let settings = Settings::new(own_name(outside, remote)).with_tls(protection.tls);
    // One letter at a time, and made of lines: DATA does, and shows in a dialogue how mail is said.
    let settings = Arc::new(Settings { authenticates: login.is_some(), chunking: false, ..settings });
    let mut session = Session::new(settings, outside.clock.now());
    let mut sender = Sender {
        outside,
        endpoint,
        login,
        tries,
        connection: Connection { remote, tls: None },
        letter,
        begun: 0,
        offset: 0,
        outcomes: Vec::new(),
        failure: None,
    };
    let (_running, shutdown) = tokio::sync::watch::channel(false);
    let driven =
        drive(&mut session, &mut sender, &mut *stream, tls.as_ref(), &*outside.clock, transcript, shutdown)
            .await;
    sender.outcomes(driven)
}

/// Connects, says EHLO and QUIT: whether there is an SMTP server that talks to us. Its name and what it offers.
pub async fn probe_submission(
    outside: &Outside,
    endpoint: &Endpoint,
    transcript: Option<&dyn Transcript>,
) -> Result<(String, Vec<String>), SubmitError> {
    let (mut stream, remote) = outside.connect(endpoint).await?;
    let protection = outside.security.protection(endpoint, remote);
    let tls = protection.end(outside, endpoint, remote);
    let settings = Arc::new(Settings::new(own_name(outside, remote)).with_tls(protection.tls));
    let mut session = Session::new(settings, outside.clock.now());
    let mut probe = Probe::default();
    let (_running, shutdown) = tokio::sync::watch::channel(false);
    let driven =
        drive(&mut session, &mut probe, &mut *stream, tls.as_ref(), &*outside.clock, transcript, shutdown)
            .await;
    match (probe.ready, probe.failure) {
        (Some(ready), _) => Ok(ready),
        (None, Some(failure)) => Err(SubmitError::Session(failure)),
        (None, None) => Err(SubmitError::Broken(broken(driven))),
    }
}

/// RFC 5321 §4.1.4: a client that has no name of its own in the DNS says its address.
fn own_name(outside: &Outside, remote: SocketAddr) -> Host {
    let own = outside.hosts.own_address(remote).unwrap_or_else(|| match remote {
        SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
    });
    Host::Literal(AddressLiteral::from(own))
}

fn broken(driven: Driven) -> String {
    match driven {
        Driven::Broken(error) => error.to_string(),
        Driven::Closed | Driven::PeerClosed | Driven::Turned => "the server hung up".to_owned(),
    }
}

/// Sends one letter, in as many transactions as its recipients need.
struct Sender<'l> {
    outside: &'l Outside,
    endpoint: &'l Endpoint,
    login: Option<&'l Login>,
    tries: &'l mut Tries,
    connection: Connection,
    letter: &'l Letter,
    /// Recipients of the transactions begun so far.
    begun: usize,
    /// Octets of the content handed over in this transaction.
    offset: usize,
    outcomes: Vec<RecipientOutcome>,
    failure: Option<Failure>,
}

impl Sender<'_> {
    fn next_transaction(&mut self) -> Answer {
        let rest = &self.letter.recipients[self.begun..];
        if rest.is_empty() {
            return Answer::Quit;
        }
        // RFC 8689 §4.2.1: the server must have proven who it is.
        let is_verified = self.connection.tls.as_deref().is_some_and(TlsFacts::is_verified);
        if self.letter.wishes.requests.require_tls && !is_verified {
            self.failure = Some(Failure { stage: Stage::StartTls, fault: Fault::TlsMissing });
            return Answer::Quit;
        }
        let recipients = &rest[..rest.len().min(RECIPIENTS_PER_TRANSACTION)];
        self.begun += recipients.len();
        self.offset = 0;
        Answer::Transaction(Transaction {
            reverse_path: self.letter.reverse_path.clone(),
            recipients: recipients.iter().map(|to| self.recipient(to)).collect(),
            facts: self.letter.facts,
            smtputf8: self.letter.needs_smtputf8,
            requests: self.letter.wishes.requests.clone(),
        })
    }

    fn recipient(&self, to: &Mailbox) -> Recipient {
        let notify = self.letter.wishes.notify;
        Recipient {
            path: ForwardPath::Mailbox(to.clone()),
            parameters: RecipientParameters { notify, original: None },
        }
    }

    fn next_piece(&mut self) -> Answer {
        let rest = self.letter.octets.slice(self.offset..);
        if rest.is_empty() {
            return Answer::EndOfContent;
        }
        let piece = rest.slice(..rest.len().min(CONTENT_PIECE_OCTETS));
        self.offset += piece.len();
        Answer::Chunk(piece)
    }

    fn outcomes(self, driven: Driven) -> Result<Outcomes, SubmitError> {
        let Sender { letter, mut outcomes, failure, .. } = self;
        if outcomes.is_empty() {
            return Err(match failure {
                Some(failure) => SubmitError::Session(failure),
                None => SubmitError::Broken(broken(driven)),
            });
        }
        // A session that broke between two transactions: the rest has the same fate.
        let missing = Failure { stage: Stage::Mail, fault: Fault::ConnectionLost };
        outcomes.resize(letter.recipients.len(), Err(failure.unwrap_or(missing)));
        Ok(letter.recipients.iter().cloned().zip(outcomes).collect())
    }
}

#[async_trait]
impl Handler<Session> for Sender<'_> {
    async fn answer(&mut self, question: Question) -> Answer {
        match question {
            Question::Next => self.next_transaction(),
            Question::Content => self.next_piece(),
            Question::Authenticate(offered) => match self.login {
                Some(login) => {
                    login.begin(self.outside, self.endpoint, &self.connection, offered, self.tries)
                }
                None => Answer::Unidentified,
            },
        }
    }

    async fn event(&mut self, event: Event) {
        match event {
            Event::Secured(facts) => self.connection.tls = Some(facts),
            Event::Ready { .. } | Event::Requested(_) | Event::Turned => {}
            Event::Done(outcomes) => self.outcomes.extend(outcomes),
            Event::Failed(failure) => self.failure = Some(failure),
        }
    }
}

#[derive(Default)]
struct Probe {
    ready: Option<(String, Vec<String>)>,
    failure: Option<Failure>,
}

#[async_trait]
impl Handler<Session> for Probe {
    async fn answer(&mut self, _question: Question) -> Answer {
        Answer::Quit
    }

    async fn event(&mut self, event: Event) {
        match event {
            Event::Ready { host, extensions } => self.ready = Some((host, extensions)),
            Event::Failed(failure) => self.failure = Some(failure),
            Event::Secured(_) | Event::Done(_) | Event::Requested(_) | Event::Turned => {}
        }
    }
}
