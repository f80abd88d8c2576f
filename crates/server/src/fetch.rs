//! Asking another host for the mail that it keeps for us: ETRN (RFC 1985), ATRN (RFC 2645), TURN (RFC 821
//! §3.8). After ATRN and TURN the roles switch, and this host receives over the connection that it has made.

use crate::{certificates, host::Host, limits::FETCH_TIME_MAX, reception::SmtpSession};
use async_trait::async_trait;
use posta_queue::{NextHop, limits::CONNECT_TIME_MAX};
use posta_runtime::{
    Driven, Handler, Link,
    tls::{Connector, Demand, TlsEnd},
};
use posta_smtp::{
    client::{Answer, Event, Failure, Fault, Question, RecipientOutcome, Request, Session, Settings, TlsUse},
    server,
};
use posta_wire::{
    TlsFacts,
    sasl::{self, MechanismSet, client::Credentials, limits::RANDOM_OCTETS},
};
use std::{net::SocketAddr, sync::Arc};

/// The port where TLS comes first (RFC 8314 §7.3).
const SUBMISSIONS_PORT: u16 = 465;

/// What is asked, of whom, and as whom.
pub(crate) struct Fetch {
    pub(crate) hop: NextHop,
    pub(crate) request: Request,
    pub(crate) credentials: Option<Credentials>,
}

/// Asks, and receives what comes. What came of it, in plain words. Both sessions have limits of their own to
/// their time: a message that is being committed is never left half way.
pub(crate) async fn fetch(host: &Host, fetch: Fetch) -> Result<String, String> {
    let Fetch { hop, request, credentials } = fetch;
    let addresses = host.queue().addresses_of(&hop).await?;
    let mut tried = String::from("it has no address");
    for remote in addresses {
        let connecting = tokio::time::timeout(CONNECT_TIME_MAX, host.network.connect(remote));
        match connecting.await.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into())) {
            Ok(mut stream) => {
                let asking = Asking { credentials, request: Some(request), ..Asking::new(host, remote) };
                return asking.converse(&hop, stream.as_mut()).await;
            }
            Err(error) => tried = format!("{remote}: {error}"),
        }
    }
    Err(format!("{hop}: {tried}"))
}

/// The client's end of such a session.
struct Asking<'a> {
    host: &'a Host,
    remote: SocketAddr,
    credentials: Option<Credentials>,
    request: Option<Request>,
    tls: Option<Arc<TlsFacts>>,
    said: Option<RecipientOutcome>,
    failure: Option<Failure>,
}

impl<'a> Asking<'a> {
    fn new(host: &'a Host, remote: SocketAddr) -> Self {
        Asking { host, remote, credentials: None, request: None, tls: None, said: None, failure: None }
    }

    async fn converse(
        mut self,
        hop: &NextHop,
        stream: &mut dyn posta_runtime::Stream,
    ) -> Result<String, String> {
        let (host, policy) = (self.host, self.host.policy());
        // What does not leave this machine needs no certificate.
        let (tls, demand) = match (hop.port, self.remote.ip().is_loopback()) {
            (SUBMISSIONS_PORT, true) => (TlsUse::Implicit, Demand::Noted),
            (SUBMISSIONS_PORT, false) => (TlsUse::Implicit, Demand::Verified),
            (_, true) => (TlsUse::Never, Demand::Noted),
            (_, false) => (TlsUse::Required, Demand::Verified),
        };
        let trust = certificates::trust(&policy.config).map_err(|error| error.to_string())?;
        let end = TlsEnd::Connect(Connector::new(trust, &hop.host.to_string(), self.remote.ip(), demand));
        let mut settings = Settings::new(policy.config.hostname.clone()).with_tls(tls);
        settings.authenticates = self.credentials.is_some();
        let peer = posta_queue::PeerName { host: hop.host.clone(), remote: self.remote };
        let transcript = host.transcripts.as_ref().and_then(|observer| observer.connected(&peer));
        let mut link = Link::new(stream, Some(&end), &*host.clock, transcript.as_deref());
        let mut session = Session::new(Arc::new(settings), host.clock.now());
        let driven = link.drive(&mut session, &mut self, host.stopping()).await;
        if let Driven::Turned = driven {
            let messages = receive(host, self.remote, self.tls.clone(), &mut link).await;
            return Ok(format!("{hop} has sent {messages} messages"));
        }
        match (self.said, self.failure) {
            (Some(Ok(reply)), _) => Ok(format!("{hop} says: {reply}")),
            (Some(Err(failure)), _) | (None, Some(failure)) => Err(format!("{hop}: {}", words(&failure))),
            (None, None) => Err(format!("{hop}: {driven:?}")),
        }
    }

    fn identify(&self, offered: MechanismSet) -> Answer {
        let Some(credentials) = &self.credentials else { return Answer::Unidentified };
        let mut random = [0; RANDOM_OCTETS];
        self.host.entropy.fill(&mut random);
        let context = sasl::client::Context {
            offered: offered.iter().collect(),
            confidential: self.tls.as_ref().is_some_and(|facts| facts.is_verified())
                || self.remote.ip().is_loopback(),
            bindings: self.tls.as_ref().map(|facts| facts.bindings.clone()).unwrap_or_default(),
            random,
        };
        match sasl::client::Exchange::strongest(credentials, &context) {
            Ok(exchange) => Answer::Exchange(Box::new(exchange)),
            Err(reason) => Answer::NoExchange(reason.to_string()),
        }
    }
}

#[async_trait]
impl Handler<Session> for Asking<'_> {
    async fn answer(&mut self, question: Question) -> Answer {
        match question {
            Question::Authenticate(offered) => self.identify(offered),
            Question::Next => self.request.take().map_or(Answer::Quit, Answer::Request),
            Question::Content => Answer::ContentFailed,
        }
    }

    async fn event(&mut self, event: Event) {
        match event {
            Event::Secured(facts) => self.tls = Some(facts),
            Event::Requested(said) => self.said = Some(said),
            Event::Failed(failure) => self.failure = Some(failure),
            Event::Ready { .. } | Event::Done(_) | Event::Turned => {}
        }
    }
}

/// This end is the server now: takes what comes, as from any client. How many messages that were.
async fn receive(host: &Host, remote: SocketAddr, tls: Option<Arc<TlsFacts>>, link: &mut Link<'_>) -> u32 {
    let policy = host.policy();
    let mut settings = (*policy.smtp).clone();
    settings.limits.session_timeout = settings.limits.session_timeout.min(FETCH_TIME_MAX);
    // The roles switch once, and TLS is as it is.
    let extensions = &mut settings.extensions;
    (extensions.atrn, extensions.turn, extensions.etrn, extensions.starttls) = (false, false, false, false);
    let mut session = server::Session::new_turned(Arc::new(settings), tls.is_some(), host.clock.now());
    let mut handler = SmtpSession::over_turned(host, policy, remote, tls);
    link.drive(&mut session, &mut handler, host.stopping()).await;
    let messages = handler.messages();
    handler.finish();
    messages
}

fn words(failure: &Failure) -> String {
    match &failure.fault {
        Fault::Refused(reply) => reply.to_string(),
        Fault::Authentication(why) => why.clone(),
        Fault::Tls(failure) => failure.to_string(),
        Fault::TlsMissing => "it offers no TLS".to_owned(),
        fault => format!("{fault:?}"),
    }
}
