//! One attempt: route, connect, converse, an outcome for each recipient.

use crate::{
    connection::Connection,
    limits::{ADDRESSES_PER_ATTEMPT_MAX, ROUTE_TIME_MAX},
    outcome::{Obstacle, Outcome, PeerName},
    scheduler::Dispatch,
    security::Plan,
    service::{Active, Shared},
    settings::{Destination, Settings},
    settlement::{Again, Concluded, Offers},
};
use posta_address::{ForwardPath, Mailbox, ReversePath};
use posta_dns::{DnsError, Route, RouteError, RouteFailure, fixed_route, route};
use posta_journal::Event;
use posta_runtime::{Stream, drive};
use posta_smtp::{
    OfferedLimits, RecipientParameters,
    client::{Failure, Fault, Recipient, RecipientOutcome, Requests, Session, Stage, Transaction},
};
use posta_store::{Deadline, QueueEntry, RecipientRequests, TlsRequest};
use posta_wire::{ByMode, ContentFacts, DeliverBy, Notify, Priority};
use std::{
    collections::{HashSet, VecDeque},
    io,
    net::SocketAddr,
    sync::Arc,
};

/// Addresses of one host tried in one attempt, so that other hosts get their chance.
const ADDRESSES_PER_HOST: usize = 3;

/// A recipient without an outcome so far.
struct Pending {
    mailbox: Mailbox,
    /// What the hosts tried before said.
    last: Option<(Obstacle, Option<PeerName>)>,
}

impl Pending {
    /// Another host failed. What may go away later outweighs what is permanent at one host.
    fn add(&mut self, obstacle: Obstacle, peer: Option<PeerName>) {
        let keeps =
            self.last.as_ref().is_some_and(|(last, _)| last.is_transient() && !obstacle.is_transient());
        if !keeps {
            self.last = Some((obstacle, peer));
        }
    }

    /// The last word of the hosts is the outcome.
    fn fail(self) -> Concluded {
        let (obstacle, peer) = self.last.unwrap_or_else(|| {
            (Obstacle::Route(RouteError::NoUsableHost(self.mailbox.host().to_string())), None)
        });
        let offers = Offers::default();
        Concluded { mailbox: self.mailbox, outcome: Outcome::Failed(obstacle), peer, offers }
    }
}

/// A dispatch on its way. However it ends (even by a panic), its recipients go back to the scheduler.
pub(crate) struct Job {
    shared: Arc<Shared>,
    dispatch: Dispatch,
    entry: Arc<QueueEntry>,
    pending: Vec<Pending>,
    again: Again,
    is_finished: bool,
    has_reconnected: bool,
}

impl Job {
    pub(crate) fn new(shared: Arc<Shared>, dispatch: Dispatch, entry: Arc<QueueEntry>) -> Self {
        let known = |to: &&Mailbox| entry.recipients.iter().any(|recipient| recipient.mailbox == **to);
        let pending =
            dispatch.recipients.iter().filter(known).map(|to| Pending { mailbox: to.clone(), last: None });
        let pending = pending.collect();
        Job {
            shared,
            dispatch,
            entry,
            pending,
            again: Again::new(),
            is_finished: false,
            has_reconnected: false,
        }
    }

    pub(crate) fn destination(&self) -> &Destination {
        &self.dispatch.destination
    }

    pub(crate) fn shared_entry(&self) -> Arc<QueueEntry> {
        self.entry.clone()
    }

    /// Those without an outcome; they get one by [`Self::conclude_here`].
    pub(crate) fn take_pending(&self) -> Vec<Mailbox> {
        self.pending.iter().map(|pending| pending.mailbox.clone()).collect()
    }

    /// All recipients have their outcome, without any host's having been asked.
    pub(crate) async fn conclude_here(mut self, concluded: Vec<Concluded>) {
        self.pending.clear();
        self.settle(concluded).await;
        self.finish();
    }

    pub(crate) fn entry(&self) -> &QueueEntry {
        &self.entry
    }

    /// What the sender says of TLS. What a report is about has its headers in it; but a report that cannot go
    /// otherwise goes as usual (RFC 8689 §4.2.1, §5).
    pub(crate) fn tls_request(&self) -> TlsRequest {
        let envelope = &self.entry.envelope;
        match envelope.requests.tls {
            TlsRequest::Required if envelope.reverse_path == ReversePath::Null => TlsRequest::None,
            asked => asked,
        }
    }

    /// What stands in the way of this message, after a session has failed. One that is not to leave TLS is not
    /// kept until the host has TLS: its sender is told (RFC 8689 §4.2.1).
    fn obstacle(&self, failure: Failure) -> Obstacle {
        let obstacle = Obstacle::from(failure);
        match &obstacle {
            Obstacle::Session(Failure {
                stage: Stage::StartTls,
                fault: Fault::TlsMissing | Fault::Tls(_),
            }) if self.tls_request() == TlsRequest::Required => Obstacle::TlsRequired(obstacle.words()),
            _ => obstacle,
        }
    }

    /// Whether a recipient has no outcome yet.
    pub(crate) fn is_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// True once: a message goes over a new connection instead of one that was closed while idle.
    pub(crate) fn may_reconnect(&mut self) -> bool {
        !std::mem::replace(&mut self.has_reconnected, true)
    }

    /// What the client session is told of it; the facts are those of the content that will be sent. There
    /// are no more recipients than the host takes in one transaction.
    pub(crate) fn transaction(
        &self,
        facts: ContentFacts,
        limits: &OfferedLimits,
        offers: Offers,
    ) -> Transaction {
        let fitting = &self.pending[..self.fitting(limits)];
        let envelope = &self.entry.envelope;
        let posta_store::Requests { returned, envelope_id, tls, deadline, priority, .. } =
            envelope.requests.clone();
        let now = self.shared.clock.timestamp();
        // RFC 2852 §4.1.4.2: a host that keeps no deadlines is asked to tell of delays.
        let asks_delay = deadline.is_some() && !offers.deliver_by;
        // A moment may have passed since it was looked at: with R it is never told that none is left.
        let left = |deadline: Deadline| match deadline.left(now) {
            DeliverBy { seconds, terms } if terms.mode == ByMode::Return => {
                DeliverBy { seconds: seconds.max(1), terms }
            }
            left => left,
        };
        Transaction {
            reverse_path: envelope.reverse_path.clone(),
            recipients: fitting.iter().map(|pending| self.recipient(&pending.mailbox, asks_delay)).collect(),
            facts,
            smtputf8: envelope.smtputf8,
            requests: Requests {
                returned,
                envelope_id,
                hold: None,
                deliver_by: deadline.map(left),
                priority: (priority != Priority::default()).then_some(priority),
                require_tls: tls == TlsRequest::Required,
            },
        }
    }

    /// How many recipients fit into one transaction (RFC 9422 §4); at least one, if there are any.
    fn fitting(&self, limits: &OfferedLimits) -> usize {
        let most = |limit: Option<u32>| limit.map_or(usize::MAX, |limit| limit as usize);
        let (recipients, domains) = (most(limits.recipients), most(limits.recipient_domains));
        let mut hosts = HashSet::new();
        let fitting = self.pending.iter().map(|pending| pending.mailbox.host()).take(recipients);
        let fits = |host| {
            hosts.insert(host);
            hosts.len() <= domains
        };
        fitting.map(fits).take_while(|fits| *fits).count()
    }

    fn recipient(&self, mailbox: &Mailbox, asks_delay: bool) -> Recipient {
        let known = self.entry.recipients.iter().find(|recipient| recipient.mailbox == *mailbox);
        let asked = known.map(|recipient| recipient.requests.clone()).unwrap_or_default();
        let RecipientRequests { mut notify, original } = asked;
        if asks_delay && notify != Some(Notify::NEVER) {
            let asked = notify.unwrap_or(Notify { success: false, failure: true, delay: true });
            notify = Some(Notify { delay: true, ..asked });
        }
        Recipient {
            path: ForwardPath::Mailbox(mailbox.clone()),
            parameters: RecipientParameters { notify, original },
        }
    }

    /// A transaction's outcomes, in the order of its recipients. Who should be tried at another host
    /// stays pending, if there is one; so does who had no place in the transaction. Whether only such
    /// are left, so that the same host should get another.
    pub(crate) async fn conclude(
        &mut self,
        outcomes: Vec<RecipientOutcome>,
        peer: &PeerName,
        offers: Offers,
        has_more_hosts: bool,
    ) -> bool {
        // The session gives an outcome for each that it was given; should it give none, all were lost.
        let done = if outcomes.is_empty() { self.pending.len() } else { outcomes.len() };
        let mut unsent = self.pending.split_off(done.min(self.pending.len()));
        let mut outcomes = outcomes.into_iter();
        let mut concluded = Vec::with_capacity(self.pending.len());
        for mut pending in std::mem::take(&mut self.pending) {
            let lost = || Failure { stage: Stage::Mail, fault: Fault::ConnectionLost };
            let failure = match outcomes.next().unwrap_or_else(|| Err(lost())) {
                Ok(reply) => {
                    let (outcome, peer) = (Outcome::Relayed(reply), Some(peer.clone()));
                    concluded.push(Concluded { mailbox: pending.mailbox, outcome, peer, offers });
                    continue;
                }
                Err(failure) => failure,
            };
            let obstacle = Obstacle::from(failure);
            if !obstacle.is_for_next_host() {
                pending.last = Some((obstacle, Some(peer.clone())));
                concluded.push(pending.fail());
                continue;
            }
            pending.add(obstacle, Some(peer.clone()));
            if has_more_hosts {
                self.pending.push(pending);
            } else {
                concluded.push(pending.fail());
            }
        }
        self.settle(concluded).await;
        let goes_on = self.pending.is_empty() && !unsent.is_empty();
        self.pending.append(&mut unsent);
        goes_on
    }

    /// A host failed before (or between) transactions.
    fn add_to_all(&mut self, obstacle: &Obstacle, peer: Option<&PeerName>) {
        for pending in &mut self.pending {
            pending.add(obstacle.clone(), peer.cloned());
        }
    }

    /// Nothing more can be tried: what the hosts said last is the outcome.
    async fn give_up(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        self.settle(pending.into_iter().map(Pending::fail).collect()).await;
    }

    /// This stands in the way of all that are left, and nothing else is tried.
    pub(crate) async fn fail(mut self, obstacle: &Obstacle, peer: Option<&PeerName>) {
        self.add_to_all(obstacle, peer);
        self.give_up().await;
        self.finish();
    }

    async fn settle(&mut self, concluded: Vec<Concluded>) {
        if !concluded.is_empty() {
            let again = self.shared.settle(&self.entry, concluded).await;
            self.again.extend(again);
        }
    }

    /// The time that the sender gave it is over, and it is to come back (RFC 2852 §4.1.3).
    pub(crate) fn is_over_time(&self) -> bool {
        let deadline = self.entry.envelope.requests.deadline;
        let returned = deadline.filter(|deadline| deadline.terms.mode == ByMode::Return);
        returned.is_some_and(|deadline| self.shared.clock.timestamp() >= deadline.at)
    }

    /// Nothing more is tried; who is left has no more time.
    pub(crate) async fn finish_late(mut self) {
        let concluded = self.pending.drain(..).map(|pending| {
            let known = self.entry.recipients.iter().find(|recipient| recipient.mailbox == pending.mailbox);
            let last = known.and_then(|recipient| Some(recipient.last_attempt.as_ref()?.detail.clone()));
            let outcome = Outcome::Failed(Obstacle::TimeExpired { returns: true, last });
            Concluded { mailbox: pending.mailbox, outcome, peer: None, offers: Offers::default() }
        });
        let concluded = concluded.collect();
        self.settle(concluded).await;
        self.finish();
    }

    /// All recipients have their outcome.
    pub(crate) fn finish(mut self) {
        debug_assert!(self.pending.is_empty());
        self.is_finished = true;
        self.shared.finish(&self.dispatch, std::mem::take(&mut self.again));
    }
}

impl Drop for Job {
    /// Not finished: the process stops, or something went wrong on our side. Nobody is forgotten.
    fn drop(&mut self) {
        if !self.is_finished {
            let mut again = std::mem::take(&mut self.again);
            let due = self.shared.after_own_failure();
            again.extend(self.pending.drain(..).map(|pending| (pending.mailbox, due)));
            self.shared.finish(&self.dispatch, again);
        }
    }
}

/// Works for one destination, connection after connection, until nothing is left that it began.
pub(crate) async fn work(shared: Arc<Shared>, dispatch: Dispatch) {
    let mut next = shared.load(dispatch).await;
    while let Some(job) = next {
        next = attempt(&shared, job).await;
    }
    shared.pump();
}

/// Dispatches whose destination is not to be tried now.
pub(crate) async fn fail_suspended(shared: Arc<Shared>, dispatches: Vec<Dispatch>) {
    for dispatch in dispatches {
        let Some(suspension) = dispatch.suspended.clone() else { continue };
        if let Some(job) = shared.load(dispatch).await {
            let (since, reason) = (suspension.since, suspension.reason);
            job.fail(&Obstacle::Suspended { since, reason }, None).await;
        }
    }
}

/// What a connection whose roles had switched leaves over: a failure is its outcome; else it waits again.
pub(crate) async fn hand_back(job: Job, failure: Option<Failure>, peer: &PeerName) {
    if let Some(failure) = failure {
        job.fail(&Obstacle::from(failure), Some(peer)).await;
    }
}

/// Tries the hosts in order. Returns a message that needs a new connection, because the one it was to
/// go over had been closed.
async fn attempt(shared: &Arc<Shared>, mut job: Job) -> Option<Job> {
    let active = shared.settings();
    let destination = job.destination().clone();
    if let Destination::Turn(_) = destination {
        job.fail(&Obstacle::AwaitsTurn, None).await;
        return None;
    }
    let route = match find_route(shared, &active, &job).await {
        Ok(route) => route,
        Err(error) => {
            let obstacle = Obstacle::Route(error);
            if obstacle.is_of_destination() {
                shared.suspend(&destination, &obstacle.words());
            }
            job.fail(&obstacle, None).await;
            return None;
        }
    };
    let mut targets = planned(shared, &active, &job, &route);
    let mut has_answered = false;
    let mut last = None;
    while let Some((peer, plan)) = targets.pop_front() {
        let has_more_hosts = !targets.is_empty();
        let stream = match connect(shared, &active, peer.remote).await {
            Connected::Open(stream) => stream,
            Connected::Failed(error) => {
                let obstacle = Obstacle::Unreachable { remote: peer.remote, reason: describe(&error) };
                job.add_to_all(&obstacle, Some(&peer));
                last = Some(obstacle);
                continue;
            }
            Connected::Stopping => return None,
        };
        let connection =
            Connection::new(shared.clone(), active.clone(), peer.clone(), job, has_more_hosts, plan);
        let ended = converse(shared, connection, stream).await;
        has_answered |= ended.is_ready;
        job = ended.job?;
        if ended.was_stale || ended.needs_another {
            return Some(job);
        }
        if let Some(failure) = ended.failure {
            let plan = plan.after(&failure);
            let obstacle = job.obstacle(failure);
            if let Some(plan) = plan {
                let detail = format!("{}; tried again in the clear", obstacle.words());
                shared.note_security(&job, &peer, None, detail);
                targets.push_front((peer, plan));
                continue;
            }
            job.add_to_all(&obstacle, Some(&peer));
            last = Some(obstacle);
        }
        if shared.is_stopping() {
            return None;
        }
    }
    if let Some(obstacle) = last
        && !has_answered
        && obstacle.is_of_destination()
    {
        shared.suspend(&destination, &obstacle.words());
    }
    job.give_up().await;
    job.finish();
    None
}

/// The hosts in order, each with what is demanded of it.
fn planned(shared: &Shared, active: &Active, job: &Job, route: &Route) -> VecDeque<(PeerName, Plan)> {
    let settings = &active.settings;
    let (destination, asked) = (job.destination(), job.tls_request());
    let plan = |peer: PeerName| {
        let is_remembered = shared.tls_memory.has(&peer.host, shared.clock.now());
        let plan = Plan::new(&settings.tls, destination, settings.smarthost.as_ref(), is_remembered, asked);
        (peer, plan)
    };
    targets(route).into_iter().map(plan).collect()
}

fn targets(route: &Route) -> Vec<PeerName> {
    let targets = route.hosts.iter().flat_map(|host| {
        let addresses = host.addresses.iter().take(ADDRESSES_PER_HOST);
        addresses.map(|remote| PeerName { host: host.name.clone(), remote: *remote })
    });
    targets.take(ADDRESSES_PER_ATTEMPT_MAX).collect()
}

async fn find_route(shared: &Arc<Shared>, active: &Active, job: &Job) -> Result<Route, RouteError> {
    let settings = &active.settings;
    let resolver = shared.resolver.as_ref();
    let search = async {
        match job.destination() {
            Destination::Host(host) => {
                let mut random_below =
                    |count: usize| (shared.entropy.next_u64() % count.max(1) as u64) as usize;
                route(resolver, host, &settings.own, &settings.ports, &mut random_below).await
            }
            Destination::Fixed(hop) => fixed_route(resolver, &hop.host, hop.port, &settings.own).await,
            // Never asked for: it needs no way.
            Destination::Turn(_) | Destination::Here => Err(RouteFailure {
                error: RouteError::NoUsableHost(settings.hostname.to_string()),
                steps: Vec::new(),
            }),
        }
    };
    // Look-ups are rare beside messages; boxed, so that the worker stays small.
    let found = match tokio::time::timeout(ROUTE_TIME_MAX, Box::pin(search)).await {
        Ok(found) => found,
        Err(_) => {
            let name = job.destination().to_string();
            let error = DnsError::Temporary { name, reason: "no answer in time".to_owned() };
            Err(RouteFailure { error: RouteError::Temporary(error), steps: Vec::new() })
        }
    };
    let (steps, hosts) = match &found {
        Ok(route) => {
            let hosts = route
                .hosts
                .iter()
                .flat_map(|host| host.addresses.iter().map(|remote| format!("{} ({remote})", host.name)));
            (route.steps.clone(), hosts.collect())
        }
        Err(failure) => (failure.steps.clone(), Vec::new()),
    };
    shared.journal.note(Event::Routed {
        id: job.entry.id.to_string(),
        destination: job.destination().to_string(),
        steps,
        hosts,
    });
    found.map_err(|failure| failure.error)
}

impl Shared {
    /// Tells the journal how a connection is protected.
    pub(crate) fn note_security(&self, job: &Job, peer: &PeerName, tls: Option<String>, detail: String) {
        let (id, host) = (job.entry().id.to_string(), peer.to_string());
        self.journal.note(Event::Secured { id, host, tls, detail });
    }
}

enum Connected {
    Open(Box<dyn Stream>),
    Failed(io::Error),
    Stopping,
}

async fn connect(shared: &Arc<Shared>, active: &Active, remote: SocketAddr) -> Connected {
    let mut stopping = shared.stopping();
    let connecting = tokio::time::timeout(active.settings.connect_time, shared.network.connect(remote));
    let connected = tokio::select! {
        connected = connecting => connected,
        _ = stopping.wait_for(|stopping| *stopping) => return Connected::Stopping,
    };
    match connected {
        Ok(Ok(stream)) => Connected::Open(stream),
        Ok(Err(error)) => Connected::Failed(error),
        Err(_) => Connected::Failed(io::ErrorKind::TimedOut.into()),
    }
}

/// The operating system's words without its number.
fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::TimedOut => "no answer in time".to_owned(),
        io::ErrorKind::NetworkUnreachable => "network unreachable".to_owned(),
        io::ErrorKind::HostUnreachable => "host unreachable".to_owned(),
        _ => error.to_string(),
    }
}

/// How a conversation ended.
struct Ended {
    job: Option<Job>,
    is_ready: bool,
    was_stale: bool,
    needs_another: bool,
    failure: Option<Failure>,
}

async fn converse(shared: &Arc<Shared>, mut connection: Connection, mut stream: Box<dyn Stream>) -> Ended {
    let transcript = shared.transcript(&connection.peer);
    let mut client = connection.active.client.clone();
    let authenticates = connection.active.settings.credentials(&connection.destination).is_some();
    let lmtp = Settings::speaks_lmtp(&connection.destination);
    if connection.plan.tls != client.tls || authenticates || lmtp {
        let settings = (*client).clone().with_tls(connection.plan.tls);
        client = Arc::new(posta_smtp::client::Settings { authenticates, lmtp, ..settings });
    }
    let tls = connection.plan.end(&connection.active.settings.tls.trust, &connection.peer);
    let mut session = Session::new(client, shared.clock.now());
    let clock = shared.clock.as_ref();
    let stopping = shared.stopping();
    let driven = drive(
        &mut session,
        &mut connection,
        stream.as_mut(),
        tls.as_ref(),
        clock,
        transcript.as_deref(),
        stopping,
    )
    .await;
    tracing::debug!(peer = %connection.peer, ?driven, "delivery connection over");
    let (is_ready, was_stale) = (connection.is_ready, connection.was_stale);
    let needs_another = connection.needs_another;
    let (job, failure) = connection.end();
    Ended { job, is_ready, was_stale, needs_another, failure }
}
