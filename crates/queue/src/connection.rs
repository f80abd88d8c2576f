//! One open connection: answers the client session's questions with message after message, as long
//! as there are any for the destination.

use crate::settlement::Offers;
use crate::{
    conversion::{Conversion, Converted, Taken, convert},
    delivery::Job,
    limits::CONTENT_CHUNK_OCTETS,
    outcome::{Obstacle, PeerName},
    security::Plan,
    service::{Active, Shared},
    settings::Destination,
};
use async_trait::async_trait;
use posta_journal::Event as JournalEvent;
use posta_runtime::Handler;
use posta_smtp::{
    OfferedLimits,
    client::{Answer, Event, Failure, Fault, Question, RecipientOutcome, Session, Stage, TlsUse},
};
use posta_store::TlsRequest;
use posta_wire::{
    TlsFacts,
    sasl::{self, MechanismSet, limits::RANDOM_OCTETS},
};
use std::sync::Arc;
use tokio::sync::watch;

/// What a connection is used for.
pub(crate) struct Connection {
    pub(crate) shared: Arc<Shared>,
    pub(crate) active: Arc<Active>,
    pub(crate) destination: Destination,
    pub(crate) peer: PeerName,
    /// Whether there are hosts left to try after this one.
    pub(crate) has_more_hosts: bool,
    pub(crate) stopping: watch::Receiver<bool>,
    /// TLS as it is to be.
    pub(crate) plan: Plan,
    /// TLS as it is.
    secured: Option<Arc<TlsFacts>>,
    /// The message being sent, or to be sent next, or left over for another host.
    pub(crate) job: Option<Job>,
    /// Octets of its content already sent.
    offset: u64,
    /// Its content made 7bit, if this host needs that.
    converted: Option<Converted>,
    /// What contents the host takes.
    takes: Taken,
    /// What the host takes upon itself.
    offers: Offers,
    /// What the host lets us do.
    limits: OfferedLimits,
    /// Transactions begun over this connection.
    transactions: u32,
    /// Messages finished over this connection.
    pub(crate) messages: u32,
    /// The roles have switched: what is sent is for these, and nobody waits for more.
    pub(crate) turned: Option<Vec<Destination>>,
    /// The job had a transaction here; what remains of it is for another host or connection.
    is_left_over: bool,
    /// Nothing more goes over this connection.
    is_over: bool,
    /// Greeting and EHLO went well.
    pub(crate) is_ready: bool,
    /// It was closed while it idled; the job was not really tried.
    pub(crate) was_stale: bool,
    /// The job goes on over another connection to the same host, which takes no more over this one.
    pub(crate) needs_another: bool,
    /// Why the session ended, if not between us and QUIT.
    failure: Option<Failure>,
}

impl Connection {
    pub(crate) fn new(
        shared: Arc<Shared>,
        active: Arc<Active>,
        peer: PeerName,
        job: Job,
        has_more_hosts: bool,
        plan: Plan,
    ) -> Self {
        Connection {
            destination: job.destination().clone(),
            stopping: shared.stopping(),
            shared,
            active,
            peer,
            has_more_hosts,
            plan,
            secured: None,
            job: Some(job),
            offset: 0,
            converted: None,
            takes: Taken::default(),
            offers: Offers::default(),
            limits: OfferedLimits::default(),
            transactions: 0,
            messages: 0,
            turned: None,
            is_left_over: false,
            is_over: false,
            is_ready: false,
            was_stale: false,
            needs_another: false,
            failure: None,
        }
    }

    /// What the journal is told of TLS: what there is, and where there is none although there was.
    fn note_security(&self) {
        let Some(job) = &self.job else { return };
        let (tls, detail) = match &self.secured {
            Some(facts) => {
                let verified = facts.peer.as_ref().map_or(Ok(()), |peer| peer.verified.clone());
                let detail = match verified {
                    Ok(()) => "the host has proven who it is".to_owned(),
                    Err(reason) => format!("nobody vouches for the host: {reason}"),
                };
                (Some(facts.to_string()), detail)
            }
            None if self.plan.is_remembered && self.plan.tls == TlsUse::IfOffered => {
                (None, "the host had TLS before, and offers none now".to_owned())
            }
            None => return,
        };
        self.shared.note_security(job, &self.peer, tls, detail);
    }

    /// Proves who we are by the strongest mechanism that is safe here.
    fn identify(&self, offered: MechanismSet) -> Answer {
        let Some(credentials) = self.active.settings.credentials(&self.destination) else {
            return Answer::NoExchange("there are no credentials for this host".to_owned());
        };
        let mut random = [0; RANDOM_OCTETS];
        self.shared.entropy.fill(&mut random);
        let secured = self.secured.as_ref();
        let context = sasl::client::Context {
            offered: offered.iter().collect(),
            // A password goes to nobody but the host that has proven to be the smarthost.
            confidential: secured.is_some_and(|facts| facts.is_verified())
                || self.peer.remote.ip().is_loopback(),
            bindings: secured.map(|facts| facts.bindings.clone()).unwrap_or_default(),
            random,
        };
        match sasl::client::Exchange::strongest(credentials, &context) {
            Ok(exchange) => Answer::Exchange(Box::new(exchange)),
            Err(reason) => Answer::NoExchange(reason.to_string()),
        }
    }

    async fn begin(&mut self) -> Answer {
        if self.is_over {
            return Answer::Quit;
        }
        if self.job.is_none() {
            self.job = self.next_job().await;
        }
        if self.turned.is_some() {
            // Rare: boxed, to keep the connection small.
            Box::pin(self.return_what_needs_tls()).await;
        }
        let Some(job) = &self.job else {
            self.is_over = true;
            return Answer::Quit;
        };
        if job.tls_request() == TlsRequest::Required && !self.is_verified() && !self.plan.is_strict() {
            // Begun for mail that asks for less; this message gets a connection of its own.
            self.is_over = true;
            self.is_left_over = true;
            self.needs_another = true;
            return Answer::Quit;
        }
        self.offset = 0;
        let mut facts = job.entry().envelope.facts;
        if let Some(lacking) = self.takes.lacking(&facts) {
            // Rare: boxed, to keep the connection small.
            match Box::pin(convert(&self.shared, job.entry(), self.takes)).await {
                Conversion::Done(converted) => {
                    facts = converted.facts;
                    self.converted = Some(converted);
                    self.note_step(job, format!("made 7bit, because {} does not offer {lacking}", self.peer));
                }
                // The session finds that it cannot go.
                Conversion::Impossible => {}
                Conversion::Interrupted => {
                    self.is_over = true;
                    self.failure = Some(Failure { stage: Stage::Mail, fault: Fault::ContentUnreadable });
                    return Answer::Quit;
                }
            }
        }
        self.transactions += 1;
        Answer::Transaction(job.transaction(facts, &self.limits, self.offers))
    }

    /// The roles have switched: the host has come itself, and nobody has looked at a certificate of its. What is
    /// not to leave TLS goes back to its sender (RFC 8689 §4.2.1), and holds up nothing that waits behind it.
    async fn return_what_needs_tls(&mut self) {
        while let Some(job) = self.job.take() {
            if job.tls_request() != TlsRequest::Required {
                self.job = Some(job);
                return;
            }
            let reason = "its host comes for its mail, and proves by no certificate who it is";
            job.fail(&Obstacle::TlsRequired(reason.to_owned()), Some(&self.peer)).await;
            self.job = self.next_job().await;
        }
    }

    /// The host has proven, inside TLS, who it is.
    fn is_verified(&self) -> bool {
        self.secured.as_ref().is_some_and(|facts| facts.is_verified())
    }

    fn note_step(&self, job: &Job, step: String) {
        self.shared.journal.note(JournalEvent::Routed {
            id: job.entry().id.to_string(),
            destination: self.destination.to_string(),
            steps: vec![step],
            hosts: vec![self.peer.to_string()],
        });
    }

    /// Whether the host takes another transaction over this connection (RFC 9422 §4).
    fn has_room(&self) -> bool {
        self.limits.transactions.is_none_or(|most| self.transactions < most)
    }

    /// The next message for this destination, waiting for one a little.
    async fn next_job(&mut self) -> Option<Job> {
        if let Some(destinations) = &mut self.turned {
            let is_over = *self.stopping.borrow()
                || self.limits.transactions.is_some_and(|most| self.transactions >= most);
            // Rare: boxed, to keep the connection small.
            return if is_over { None } else { Box::pin(self.shared.next_turned(destinations)).await };
        }
        loop {
            let is_full = self.messages >= self.active.settings.messages_per_connection || !self.has_room();
            if is_full || *self.stopping.borrow() {
                self.shared.pump();
                return None;
            }
            let dispatch = match self.shared.next_or_idle(&self.destination) {
                Ok(dispatch) => dispatch,
                Err(idle) => {
                    // Others may have got a slot by what we just finished.
                    self.shared.pump();
                    let pause = self.active.settings.idle_connection;
                    // A timer for rare moments: boxed, to keep the connection small.
                    Box::pin(idle.wait(pause, &mut self.stopping)).await?
                }
            };
            if let Some(job) = self.shared.load(dispatch).await {
                self.note_step(&job, format!("the connection to {} is open already", self.peer));
                return Some(job);
            }
        }
    }

    async fn content(&mut self) -> Answer {
        let Some(job) = &self.job else { return Answer::ContentFailed };
        if let Some(converted) = &mut self.converted {
            let octets = &mut converted.octets;
            let chunk = octets.split_to(octets.len().min(CONTENT_CHUNK_OCTETS));
            return if chunk.is_empty() { Answer::EndOfContent } else { Answer::Chunk(chunk) };
        }
        let content = &job.entry().content;
        if self.offset >= content.size_octets {
            return Answer::EndOfContent;
        }
        match self.shared.store.read(content, self.offset, CONTENT_CHUNK_OCTETS).await {
            Ok(chunk) if !chunk.is_empty() => {
                self.offset += chunk.len() as u64;
                Answer::Chunk(chunk)
            }
            Ok(_) => {
                tracing::error!(id = %content.id, offset = self.offset, "a content is shorter than it should be");
                Answer::ContentFailed
            }
            Err(error) => {
                tracing::error!(id = %content.id, %error, "reading a content");
                Answer::ContentFailed
            }
        }
    }

    async fn finish_transaction(&mut self, outcomes: Vec<RecipientOutcome>) {
        self.converted = None;
        let Some(mut job) = self.job.take() else { return };
        let was_stale = self.messages > 0 && !outcomes.is_empty() && outcomes.iter().all(is_stale);
        if was_stale && job.may_reconnect() {
            // Nothing was tried: it goes over a new connection, once.
            self.is_over = true;
            self.is_left_over = true;
            self.was_stale = true;
            self.job = Some(job);
            return;
        }
        self.messages += 1;
        let goes_on = job.conclude(outcomes, &self.peer, self.offers, self.has_more_hosts).await;
        if goes_on && self.has_room() {
            self.job = Some(job);
        } else if job.is_pending() {
            self.needs_another = goes_on;
            self.is_over = true;
            self.is_left_over = true;
            self.job = Some(job);
        } else {
            job.finish();
        }
    }

    /// After the conversation: the message that is left over, if any, and what failed if the
    /// transaction itself has not told.
    pub(crate) fn end(self) -> (Option<Job>, Option<Failure>) {
        let Some(job) = self.job else { return (None, None) };
        if self.is_left_over {
            return (Some(job), None);
        }
        // The session says why it ended; should it ever not, the connection counts as lost.
        let lost = || Failure { stage: Stage::Mail, fault: Fault::ConnectionLost };
        (Some(job), Some(self.failure.unwrap_or_else(lost)))
    }
}

fn is_stale(outcome: &RecipientOutcome) -> bool {
    matches!(outcome, Err(failure) if Obstacle::from(failure.clone()).is_stale_connection())
}

#[async_trait]
impl Handler<Session> for Connection {
    async fn answer(&mut self, question: Question) -> Answer {
        match question {
            Question::Next => self.begin().await,
            Question::Content => self.content().await,
            Question::Authenticate(offered) => self.identify(offered),
        }
    }

    async fn event(&mut self, event: Event) {
        match event {
            Event::Secured(facts) => {
                let lifetime = self.active.settings.tls.memory;
                self.shared.tls_memory.note(&self.peer.host, self.shared.clock.now(), lifetime);
                self.secured = Some(facts);
            }
            Event::Ready { extensions, .. } => {
                self.is_ready = true;
                let offers = |name: &str| extensions.iter().any(|extension| extension == name);
                self.takes.eight_bit = offers("8BITMIME");
                let chunking = self.active.client.chunking && offers("CHUNKING");
                self.takes.binary = chunking && self.takes.eight_bit && offers("BINARYMIME");
                let keeps_time = |line: &String| line.split(' ').next() == Some("DELIVERBY");
                self.offers = Offers { dsn: offers("DSN"), deliver_by: extensions.iter().any(keeps_time) };
                self.limits = OfferedLimits::find(&extensions);
                self.note_security();
                self.shared.answers(&self.destination);
            }
            Event::Done(outcomes) => self.finish_transaction(outcomes).await,
            Event::Failed(failure) => self.failure = Some(failure),
            // Deliveries ask for nothing.
            Event::Requested(_) | Event::Turned => {}
        }
    }
}
