//! One mail host: everything that its sessions share.

use crate::{
    allowances::Allowances,
    config::{Config, Leniency, Protocol, VerifyPolicy},
    passwords::Passwords,
    presence::Presence,
    recipients::Directory,
    tokens::Tokens,
};
use posta_journal::{Event, Journal};
use posta_queue::Queue;
use posta_runtime::{Clock, Entropy, Network, PeerLimits, Peers, Transcript, tls::TlsEnd};
use posta_store::Store;
use posta_wire::sasl::{client::Credentials, server::DecoyKey};
use posta_wire::seconds_of;
use std::{
    net::SocketAddr,
    sync::{
        Arc, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::{
    net::TcpStream,
    sync::{Semaphore, watch},
};

/// Gives a transcript for each connection that is to be shown.
pub trait TranscriptObserver: Send + Sync + 'static {
    /// A peer connected to us: `local` is our end.
    fn accepted(
        &self,
        protocol: Protocol,
        local: SocketAddr,
        peer: SocketAddr,
    ) -> Option<Box<dyn Transcript>>;
    /// We connected to a peer.
    fn connected(&self, peer: &posta_queue::PeerName) -> Option<Box<dyn Transcript>>;
}

/// What follows from the configuration; a session keeps the one it began with.
pub(crate) struct Policy {
    pub(crate) config: Config,
    pub(crate) smtp: Arc<posta_smtp::server::Settings>,
    /// The same for LMTP.
    pub(crate) lmtp: Arc<posta_smtp::server::Settings>,
    pub(crate) pop3: Arc<posta_pop3::server::Settings>,
    /// Our end of TLS.
    pub(crate) tls: Option<TlsEnd>,
    /// Checks tokens, where they are taken.
    pub(crate) tokens: Option<Arc<Tokens>>,
}

impl Policy {
    /// What a session of the SMTP family goes by.
    pub(crate) fn session_settings(&self, protocol: Protocol) -> &Arc<posta_smtp::server::Settings> {
        if protocol == Protocol::Lmtp { &self.lmtp } else { &self.smtp }
    }

    pub(crate) fn new(config: Config, tls: Option<TlsEnd>, tokens: Option<Arc<Tokens>>) -> Arc<Self> {
        let mut smtp = smtp_settings(&config);
        smtp.extensions.starttls = tls.is_some();
        let mut pop3 = pop3_settings(&config);
        pop3.stls = tls.is_some();
        let mut lmtp = posta_smtp::server::Settings { lmtp: true, ..smtp.clone() };
        (lmtp.extensions.etrn, lmtp.extensions.atrn, lmtp.extensions.turn) = (false, false, false);
        Arc::new(Policy {
            config,
            smtp: Arc::new(smtp),
            lmtp: Arc::new(lmtp),
            pop3: Arc::new(pop3),
            tls,
            tokens,
        })
    }
}

fn smtp_settings(config: &Config) -> posta_smtp::server::Settings {
    use posta_smtp::server::{BareLineEnd, Settings};
    let mut settings = Settings::new(config.hostname.clone());
    let limits = &mut settings.limits;
    limits.content_octets = config.smtp.size_max.0;
    limits.recipients = u32::try_from(config.smtp.recipients_max).unwrap_or(u32::MAX);
    limits.messages = Some(config.smtp.messages_max);
    limits.errors = config.smtp.errors_max;
    limits.command_timeout = config.smtp.command_timeout.0;
    limits.content_timeout = config.smtp.content_timeout.0;
    limits.session_timeout = config.smtp.session_timeout.0;
    limits.shutdown_timeout = config.limits.shutdown_grace.0;
    settings.extensions.vrfy = config.smtp.vrfy != VerifyPolicy::Off;
    settings.extensions.expn = config.smtp.expn != VerifyPolicy::Off;
    settings.extensions.send = config.smtp.send != VerifyPolicy::Off;
    settings.extensions.etrn = config.smtp.etrn != VerifyPolicy::Off;
    settings.extensions.atrn = !config.turn.domains.is_empty();
    settings.extensions.turn = settings.extensions.atrn && config.turn.historic;
    settings.extensions.chunking = config.smtp.chunking;
    settings.extensions.binary_mime = config.smtp.binarymime;
    settings.extensions.require_tls = config.smtp.requiretls;
    settings.extensions.limits = config.smtp.limits;
    settings.extensions.dsn = config.smtp.dsn;
    settings.extensions.deliver_by = config.smtp.deliverby;
    settings.limits.deliver_by_seconds_min = seconds_of(config.smtp.deliverby_min.0);
    settings.extensions.priority = config.smtp.mt_priority;
    settings.quirks.syntax.hello_without_argument = config.smtp.hello_without_name == Leniency::Accept;
    if config.smtp.bare_newlines == Leniency::Accept {
        settings.quirks.bare_line_end = BareLineEnd::Normalize;
    }
    settings
}

fn pop3_settings(config: &Config) -> posta_pop3::server::Settings {
    let mut settings = posta_pop3::server::Settings::new(config.hostname.to_ascii());
    settings.idle = config.pop3.idle_timeout.0;
    settings.errors_max = config.pop3.errors_max;
    settings.language = config.pop3.language.0;
    settings.login_delay_secs = u32::try_from(config.pop3.login_delay.0.as_secs()).unwrap_or(u32::MAX);
    settings
}

/// What the configuration says about peers.
pub(crate) fn peer_limits(config: &Config) -> PeerLimits {
    PeerLimits {
        connections_max: config.limits.connections,
        connections_per_address_max: config.limits.connections_per_address,
        failures_per_address_max: config.limits.failures_per_address,
        failures_window: config.limits.failures_window.0,
    }
}

/// What the configuration says about delivery.
pub(crate) fn queue_settings(config: &Config, listening: &[SocketAddr]) -> posta_queue::Settings {
    let delivery = &config.delivery;
    let mut settings = posta_queue::Settings::new(config.hostname.clone());
    if let Some(postmaster) = &config.postmaster {
        settings.postmaster = postmaster.clone();
    }
    settings.own.endpoints = listening.to_vec();
    settings.ports.default = delivery.port;
    settings.ports.by_host = delivery.host_ports.clone();
    settings.smarthost = delivery.smarthost.as_ref().map(|route| route.0.clone());
    settings.smarthost_credentials = delivery
        .smarthost_user
        .clone()
        .zip(config.smarthost_password.clone())
        .map(|(authcid, password)| Credentials::Password { authcid, authzid: None, password });
    settings.static_routes =
        delivery.routes.iter().map(|(domain, route)| (domain.clone(), route.0.clone())).collect();
    settings.turn_domains = config.turn.domains.keys().cloned().collect();
    settings.retry.pauses = delivery.retry_after.iter().map(|pause| pause.0).collect();
    settings.retry.expiry = delivery.expire_after.0;
    settings.retry.expiry_of_reports = delivery.expire_reports_after.0;
    settings.retry.delay_warning = (!delivery.warn_after.0.is_zero()).then_some(delivery.warn_after.0);
    settings.concurrency.total = delivery.connections;
    settings.concurrency.per_destination = delivery.connections_per_destination;
    settings.connect_time = delivery.connect_timeout.0;
    settings.idle_connection = delivery.idle_timeout.0;
    settings.messages_per_connection = delivery.messages_per_connection;
    settings.chunking = delivery.chunking;
    settings.tls = posta_queue::TlsPolicy {
        default: delivery.tls.default.into(),
        smarthost: delivery.tls.smarthost.into(),
        destinations: delivery
            .tls
            .destinations
            .iter()
            .map(|(to, level)| (to.clone(), (*level).into()))
            .collect(),
        memory: delivery.tls.memory.0,
        ..posta_queue::TlsPolicy::default()
    };
    settings
}

/// One mail host. There may be several in one process: nothing here is process-wide.
pub(crate) struct Host {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) journal: Journal,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    /// How other hosts are reached.
    pub(crate) network: Arc<dyn Network>,
    pub(crate) peers: Arc<Peers>,
    pub(crate) passwords: Arc<Passwords>,
    /// For binary messages that are to be encoded.
    pub(crate) binary_memory: Arc<Semaphore>,
    /// What accounts have sent of late.
    pub(crate) allowances: Allowances,
    /// Who is there to be shown something at once.
    pub(crate) presence: Arc<Presence>,
    /// Failed logins of accounts.
    pub(crate) guesses: crate::guesses::Guesses,
    /// When accounts last fetched mail.
    pub(crate) logins: crate::logins::Logins,
    /// What clients without UTF8 get.
    pub(crate) surrogates: crate::surrogates::Surrogates,
    /// Makes up salts for names that don't exist.
    pub(crate) decoys: DecoyKey,
    /// Set once, right after it was made: the queue needs the host for its reports.
    pub(crate) queue: OnceLock<Queue>,
    pub(crate) transcripts: Option<Arc<dyn TranscriptObserver>>,
    pub(crate) policy: RwLock<Arc<Policy>>,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) sessions: AtomicU64,
}

impl Host {
    pub(crate) fn policy(&self) -> Arc<Policy> {
        self.policy.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_policy(&self, policy: Arc<Policy>) {
        *self.policy.write().unwrap_or_else(PoisonError::into_inner) = policy;
    }

    pub(crate) fn queue(&self) -> &Queue {
        self.queue.get().expect("the queue is set before anything is accepted")
    }

    /// The number of the next session: unique in this store, because it begins with the time.
    pub(crate) fn next_session(&self) -> u64 {
        self.sessions.fetch_add(1, Ordering::Relaxed)
    }

    /// Notes a connection that came to nothing before anything was said.
    pub(crate) fn note_turned_away(&self, peer: SocketAddr, reply: String, reason: String) {
        self.journal.note(Event::Refused {
            session: self.next_session(),
            peer: peer.ip().to_canonical(),
            stage: "connect".into(),
            from: None,
            to: None,
            message_id: None,
            reply,
            reason,
        });
    }

    pub(crate) fn stopping(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    pub(crate) fn directory<'a>(&'a self, policy: &'a Policy) -> Directory<'a> {
        Directory {
            store: &*self.store,
            hostname: &policy.config.hostname,
            postmaster: policy.config.postmaster.as_ref(),
            expansion_max: policy.config.limits.expansion_max,
        }
    }

    pub(crate) fn transcript(
        &self,
        protocol: Protocol,
        stream: &TcpStream,
        peer: SocketAddr,
    ) -> Option<Box<dyn Transcript>> {
        let observer = self.transcripts.as_ref()?;
        observer.accepted(protocol, stream.local_addr().ok()?, peer)
    }
}
