//! The user's maildrop, by POP3.

use crate::{Endpoint, MaildropError, Outside};
use async_trait::async_trait;
use bytes::Bytes;
use posta_pop3::{
    Capability, MessageNumber, Reply,
    client::{Credentials, Event, Fault, LoginMethod, Question, Request, Session, Settings, Stage},
};
use posta_runtime::{Handler, Transcript, drive};
use posta_smtp::client::TlsUse;
use posta_wire::{
    TlsFacts,
    sasl::{
        self, Mechanism,
        client::{Context, Exchange},
        limits::RANDOM_OCTETS,
    },
};
use std::sync::Arc;
use tokio::{sync::mpsc, task::JoinHandle};

/// A message as LIST and UIDL tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its number in this session.
    pub number: MessageNumber,
    /// Octets.
    pub octets: u64,
    /// Stable for ever; `None` where the server has no UIDL.
    pub unique_id: Option<String>,
}

/// A session with the maildrop. Dropping it hangs up without QUIT, so that nothing is deleted;
/// [`Maildrop::quit`] makes deletions happen.
pub struct Maildrop {
    requests: mpsc::Sender<Request>,
    events: mpsc::Receiver<Event>,
    task: JoinHandle<()>,
}

impl Maildrop {
    /// Connects and logs in.
    pub async fn open(
        outside: &Outside,
        endpoint: &Endpoint,
        credentials: Credentials,
        octets_max: u64,
        transcript: Option<Arc<dyn Transcript>>,
    ) -> Result<Maildrop, MaildropError> {
        let mut opened = Maildrop::connect(outside, endpoint, octets_max, transcript).await?;
        opened.maildrop.ask_for_utf8(&opened.capabilities).await?;
        opened.log_in(outside, endpoint, credentials).await?;
        Ok(opened.maildrop)
    }

    /// Connects, begins TLS, and asks what is offered.
    async fn connect(
        outside: &Outside,
        endpoint: &Endpoint,
        octets_max: u64,
        transcript: Option<Arc<dyn Transcript>>,
    ) -> Result<Opened, MaildropError> {
        let (mut stream, remote) = outside.connect(endpoint).await?;
        let protection = outside.security.protection(endpoint, remote);
        let tls = protection.end(outside, endpoint, remote);
        let implicit_tls = protection.tls == TlsUse::Implicit;
        let clock = outside.clock.clone();
        let settings = Settings { implicit_tls, retrieved_octets_max: octets_max, ..Settings::default() };
        // Small, so that a slow disk holds back a fast server.
        let (event_sender, events) = mpsc::channel(4);
        let (requests, request_receiver) = mpsc::channel(1);
        let task = tokio::spawn(async move {
            let mut session = Session::new(settings, clock.now());
            let mut relay = Relay { requests: request_receiver, events: event_sender };
            let (_running, shutdown) = tokio::sync::watch::channel(false);
            drive(
                &mut session,
                &mut relay,
                &mut *stream,
                tls.as_ref(),
                &*clock,
                transcript.as_deref(),
                shutdown,
            )
            .await;
        });
        let mut maildrop = Maildrop { requests, events, task };
        let mut facts = None;
        let mut first = maildrop.events.recv().await;
        if let Some(Event::Secured(established)) = first {
            facts = Some(established);
            first = maildrop.events.recv().await;
        }
        match first {
            Some(Event::Greeted(_)) => {}
            Some(Event::Refused { stage, reply }) => return Err(MaildropError::Refused { stage, reply }),
            Some(Event::Failed(failure)) => return Err(MaildropError::Session(failure)),
            _ => return Err(MaildropError::Broken),
        }
        let is_secured = implicit_tls || maildrop.secure(protection.tls, &mut facts).await?;
        let is_confidential = is_secured || protection.is_here;
        let capabilities = maildrop.capabilities().await?;
        Ok(Opened { maildrop, capabilities, facts, is_confidential })
    }

    /// Messages are to come as they are (RFC 6856 §2.1): we read UTF-8 in header sections. After TLS, before
    /// logging in.
    async fn ask_for_utf8(&mut self, capabilities: &[Capability]) -> Result<(), MaildropError> {
        if !capabilities.iter().any(|capability| matches!(capability, Capability::Utf8 { .. })) {
            return Ok(());
        }
        match self.request(Request::Utf8, |_| Ok(())).await {
            // Then the server makes them readable for others.
            Ok(_) | Err(MaildropError::Refused { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Begins TLS if it is to be had; whether there is any now.
    async fn secure(
        &mut self,
        tls: TlsUse,
        facts: &mut Option<Arc<TlsFacts>>,
    ) -> Result<bool, MaildropError> {
        if !matches!(tls, TlsUse::IfOffered | TlsUse::Required) {
            return Ok(false);
        }
        let note = |event| {
            if let Event::Secured(established) = event {
                *facts = Some(established);
            }
            Ok(())
        };
        match self.request(Request::StartTls, note).await {
            Ok(_) => Ok(true),
            Err(MaildropError::Refused { .. }) if tls == TlsUse::IfOffered => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Does one request; what it reports goes to `report`.
    async fn request(
        &mut self,
        request: Request,
        mut report: impl FnMut(Event) -> Result<(), MaildropError>,
    ) -> Result<Reply, MaildropError> {
        self.requests.send(request).await.map_err(|_| MaildropError::Broken)?;
        loop {
            match self.events.recv().await {
                Some(Event::Done(reply)) => return Ok(reply),
                Some(Event::Refused { stage, reply }) => return Err(MaildropError::Refused { stage, reply }),
                Some(Event::Failed(failure)) => return Err(MaildropError::Session(failure)),
                Some(Event::Ended) | None => return Err(MaildropError::Broken),
                Some(event) => {
                    if let Err(error) = report(event) {
                        // The rest of the answer is still on its way: this session is of no more use.
                        self.task.abort();
                        return Err(error);
                    }
                }
            }
        }
    }

    /// What the server says of itself; empty where it has no CAPA.
    pub async fn capabilities(&mut self) -> Result<Vec<Capability>, MaildropError> {
        let mut capabilities = Vec::new();
        let asked = self.request(Request::Capabilities, |event| {
            if let Event::Capability(capability) = event {
                capabilities.push(capability);
            }
            Ok(())
        });
        match asked.await {
            Ok(_) | Err(MaildropError::Refused { .. }) => Ok(capabilities),
            Err(error) => Err(error),
        }
    }

    /// How many messages, and their octets together.
    pub async fn status(&mut self) -> Result<(u64, u64), MaildropError> {
        let mut status = (0, 0);
        self.request(Request::Status, |event| {
            if let Event::Status { messages, octets } = event {
                status = (messages, octets);
            }
            Ok(())
        })
        .await?;
        Ok(status)
    }

    /// All messages.
    pub async fn list(&mut self) -> Result<Vec<Listed>, MaildropError> {
        let mut list: Vec<Listed> = Vec::new();
        self.request(Request::Sizes(None), |event| {
            if let Event::Size { message, octets } = event {
                list.push(Listed { number: message, octets, unique_id: None });
            }
            Ok(())
        })
        .await?;
        // Servers list in order; those that do not are put right, so that the search below works.
        list.sort_by_key(|listed| listed.number);
        list.dedup_by_key(|listed| listed.number);
        let asked = self.request(Request::UniqueIds(None), |event| {
            if let Event::UniqueId { message, unique_id } = event
                && let Ok(at) = list.binary_search_by_key(&message, |listed| listed.number)
            {
                list[at].unique_id = Some(unique_id);
            }
            Ok(())
        });
        match asked.await {
            // UIDL is optional (RFC 1939 §7).
            Ok(_) | Err(MaildropError::Refused { .. }) => Ok(list),
            Err(error) => Err(error),
        }
    }

    /// The header section of a message, without its body where the server has TOP.
    pub async fn header(
        &mut self,
        message: MessageNumber,
        octets_max: u64,
    ) -> Result<Vec<u8>, MaildropError> {
        let mut header = Vec::new();
        let mut gather = |event| {
            if let Event::Content(piece) = event {
                // More than a header section needs is let go by.
                let room = (octets_max as usize).saturating_sub(header.len());
                header.extend_from_slice(&piece[..piece.len().min(room)]);
            }
            Ok(())
        };
        match self.request(Request::Top { message, lines: 0 }, &mut gather).await {
            Ok(_) => Ok(header),
            // TOP is optional (RFC 1939 §7).
            Err(MaildropError::Refused { stage: Stage::Command("TOP"), .. }) => {
                self.request(Request::Retrieve(message), &mut gather).await?;
                Ok(header)
            }
            Err(error) => Err(error),
        }
    }

    /// A whole message, piece by piece.
    pub async fn retrieve(
        &mut self,
        message: MessageNumber,
        mut sink: impl FnMut(Bytes) -> std::io::Result<()>,
    ) -> Result<(), MaildropError> {
        let retrieved = self.request(Request::Retrieve(message), |event| match event {
            Event::Content(piece) => sink(piece).map_err(|error| MaildropError::Sink(error.to_string())),
            _ => Ok(()),
        });
        match retrieved.await {
            Ok(_) => Ok(()),
            Err(MaildropError::Session(failure)) => Err(match failure.fault {
                Fault::TooMuch { limit, unit: "octets" } => {
                    MaildropError::TooLarge { message: message.get(), limit }
                }
                _ => MaildropError::Session(failure),
            }),
            Err(error) => Err(error),
        }
    }

    /// A whole message in memory.
    pub async fn read(&mut self, message: MessageNumber) -> Result<Vec<u8>, MaildropError> {
        let mut octets = Vec::new();
        self.retrieve(message, |piece| {
            octets.extend_from_slice(&piece);
            Ok(())
        })
        .await?;
        Ok(octets)
    }

    /// Marks a message; [`Self::quit`] removes it.
    pub async fn delete(&mut self, message: MessageNumber) -> Result<(), MaildropError> {
        self.request(Request::Delete(message), |_| Ok(())).await.map(|_| ())
    }

    /// Ends the session: what is marked is removed when this returns `Ok`.
    pub async fn quit(mut self) -> Result<Reply, MaildropError> {
        self.request(Request::Quit, |_| Ok(())).await
    }
}

impl Drop for Maildrop {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Whether there is a POP3 server that talks to us.
pub(crate) async fn probe_maildrop(outside: &Outside, endpoint: &Endpoint) -> Result<(), MaildropError> {
    let opened = Maildrop::connect(outside, endpoint, 0, None).await?;
    opened.maildrop.quit().await.map(drop)
}

/// A session that is not logged in yet.
struct Opened {
    maildrop: Maildrop,
    capabilities: Vec<Capability>,
    facts: Option<Arc<TlsFacts>>,
    is_confidential: bool,
}

impl Opened {
    async fn log_in(
        &mut self,
        outside: &Outside,
        endpoint: &Endpoint,
        mut credentials: Credentials,
    ) -> Result<(), MaildropError> {
        match credentials.method {
            LoginMethod::Strongest => {
                let password = sasl::client::Credentials::Password {
                    authcid: credentials.user.clone(),
                    authzid: None,
                    password: credentials.secret.clone(),
                };
                if self.authenticate(outside, &password).await? {
                    return Ok(());
                }
            }
            LoginMethod::Token => {
                let token = sasl::client::Credentials::Token {
                    user: credentials.user,
                    token: credentials.secret,
                    host: endpoint.host().to_owned(),
                    port: endpoint.port(),
                };
                let is_taken = self.authenticate(outside, &token).await?;
                return if is_taken { Ok(()) } else { Err(MaildropError::NoTokens) };
            }
            LoginMethod::Password | LoginMethod::Apop | LoginMethod::ApopIfOffered => {}
        }
        if !self.is_confidential {
            // RFC 8314 §3: a password must not cross the network in the clear; APOP's answer may.
            match credentials.method {
                LoginMethod::Apop | LoginMethod::ApopIfOffered => credentials.method = LoginMethod::Apop,
                _ => return Err(MaildropError::InTheClear),
            }
        }
        self.maildrop.request(Request::Login(credentials), |_| Ok(())).await.map(drop)
    }

    /// Logs in by the strongest SASL mechanism that is safe here (RFC 5034); whether there was one.
    async fn authenticate(
        &mut self,
        outside: &Outside,
        credentials: &sasl::client::Credentials,
    ) -> Result<bool, MaildropError> {
        let names = self.capabilities.iter().filter_map(|capability| match capability {
            Capability::Sasl(names) => Some(names),
            _ => None,
        });
        let mut offered: Vec<Mechanism> = names.flatten().filter_map(|name| name.parse().ok()).collect();
        loop {
            let mut random = [0; RANDOM_OCTETS];
            outside.entropy.fill(&mut random);
            let bindings = self.facts.as_ref().map(|facts| facts.bindings.clone()).unwrap_or_default();
            let confidential = self.is_confidential;
            let context = Context { offered: offered.clone(), confidential, bindings, random };
            let Ok(exchange) = Exchange::strongest(credentials, &context) else { return Ok(false) };
            let shows_secret = exchange.mechanism().is_plaintext();
            match self.maildrop.request(Request::Authenticate(Box::new(exchange)), |_| Ok(())).await {
                Ok(_) => return Ok(true),
                // Perhaps the server keeps nothing of this account's that the mechanism could work with, as
                // of one that is older than SCRAM: what shows the password is tried where nobody listens.
                Err(MaildropError::Refused { .. }) if confidential && !shows_secret => {
                    offered.retain(|mechanism| mechanism.is_plaintext());
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Between the session's task and the handle.
struct Relay {
    requests: mpsc::Receiver<Request>,
    events: mpsc::Sender<Event>,
}

#[async_trait]
impl Handler<Session> for Relay {
    async fn answer(&mut self, _question: Question) -> Request {
        match self.requests.recv().await {
            Some(request) => request,
            // The handle is gone without QUIT; it ends this task.
            None => std::future::pending().await,
        }
    }

    async fn event(&mut self, event: Event) {
        // Nobody listens any more: the handle is gone and ends this task.
        let _ = self.events.send(event).await;
    }
}
