//! A server: started, reloaded, stopped.

use crate::{
    admin::{AdminSocket, Control, Desk, FetchInfo, Maintenance, StatusInfo},
    bounces::Bounces,
    certificates,
    config::{Config, ConfigError, Protocol},
    credentials,
    host::{Host, Policy, TranscriptObserver, peer_limits, queue_settings},
    limits::STOP_POLL,
    outbox::Outbox,
    passwords::Passwords,
    pop3::Pop3Service,
    presence::Presence,
    proxy::ProxyService,
    reception::SmtpService,
    storage,
    tokens::Tokens,
    web::{WebFactory, WebHost, WebListener, WebService},
};
use async_trait::async_trait;
use jiff::Timestamp;
use posta_dns::{DnsError, DnsResolver, Resolver};
use posta_journal::{Journal, JournalError, LogObserver};
use posta_queue::{Parts, Queue, TranscriptFactory};
use posta_runtime::{
    Clock, Entropy, Network, OsEntropy, Peers, Service, SystemClock, TcpNetwork, bind, listen,
    tls::{TlsError, Trust},
};
use posta_store::{DirectoryChange, DomainSettings, Store, StoreError};
use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, OnceLock, RwLock, atomic::AtomicU64},
    time::{Duration, Instant},
};
use thiserror::Error;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

/// What separates `user` from `tag` in domains named by the configuration.
const SUBADDRESS_SEPARATOR: char = '+';

/// Why a server could not start, or not follow another configuration.
#[derive(Debug, Error)]
pub enum StartError {
    /// An address could not be listened at.
    #[error("listening for {protocol} at {address}: {source}")]
    Bind {
        /// What was to be spoken there.
        protocol: Protocol,
        /// Where.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// The store could not be opened.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The journal could not be opened.
    #[error("{0}")]
    Journal(#[from] JournalError),
    /// The operator's socket could not be opened.
    #[error("the operator's socket {path}: {source}")]
    AdminSocket {
        /// Where.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The key of made-up salts could not be read or made.
    #[error("decoy.key in the data folder: {0}")]
    DecoyKey(io::Error),
    /// Tokens can't be checked as configured.
    #[error("[oauth] {0}")]
    Tokens(String),
    /// Certificates can't be used.
    #[error("TLS: {0}")]
    Tls(#[from] TlsError),
    /// A listener speaks HTTP, but this program has no pages.
    #[error("this program has no pages to serve over HTTP")]
    NoPages,
    /// Names can't be looked up.
    #[error("looking up names: {0}")]
    Dns(#[from] DnsError),
}

/// Everything outside that a server uses. [`World::default`] is the real one.
pub struct World {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// How other hosts are reached.
    pub network: Arc<dyn Network>,
    /// The DNS, in place of what the configuration says.
    pub resolver: Option<Arc<dyn Resolver>>,
    /// The journal, in place of the one in the data folder.
    pub journal: Option<Journal>,
    /// The store, in place of the one in the data folder.
    pub store: Option<Arc<dyn Store>>,
    /// Shows dialogues.
    pub transcripts: Option<Arc<dyn TranscriptObserver>>,
    /// Sockets that were bound before (as root); else they are bound at the start.
    pub sockets: Option<Sockets>,
    /// Whether every event of the journal is also logged.
    pub log_events: bool,
    /// Makes what serves the listeners that speak HTTP.
    pub web: Option<WebFactory>,
}

impl Default for World {
    fn default() -> Self {
        World {
            clock: Arc::new(SystemClock),
            entropy: Arc::new(OsEntropy),
            network: Arc::new(TcpNetwork),
            resolver: None,
            journal: None,
            store: None,
            transcripts: None,
            sockets: None,
            log_events: true,
            web: None,
        }
    }
}

/// Listening sockets; made without an async runtime.
#[derive(Debug)]
pub struct Sockets(Vec<Socket>);

#[derive(Debug)]
struct Socket {
    protocol: Protocol,
    /// Proxies connect to it.
    is_proxied: bool,
    listener: std::net::TcpListener,
}

impl Sockets {
    /// Binds all listeners of a configuration.
    pub fn bind(config: &Config) -> Result<Self, StartError> {
        let bound = config.listeners.iter().map(|listener| {
            let address = listener.address;
            let failed = |source| StartError::Bind { protocol: listener.protocol, address, source };
            let (protocol, is_proxied) = (listener.protocol, listener.proxy);
            bind(address).map(|listener| Socket { protocol, is_proxied, listener }).map_err(failed)
        });
        bound.collect::<Result<_, _>>().map(Sockets)
    }

    /// Where they are bound; free ports are filled in.
    pub fn addresses(&self) -> Vec<(Protocol, SocketAddr)> {
        let address = |socket: &Socket| Some((socket.protocol, socket.listener.local_addr().ok()?));
        self.0.iter().filter_map(address).collect()
    }
}

/// Starts servers.
pub struct Server;

impl Server {
    /// Opens the store and starts to listen and to deliver.
    pub async fn start(config: Config, mut world: World) -> Result<Running, StartError> {
        let sockets = match world.sockets.take() {
            Some(sockets) => sockets,
            None => Sockets::bind(&config)?,
        };
        let addresses = sockets.addresses();
        let timestamps = {
            let clock = world.clock.clone();
            Arc::new(move || clock.timestamp())
        };
        let is_ours = world.store.is_none();
        let opened = match world.store.take() {
            Some(store) => storage::Opened { store, maintenance: None },
            None => storage::open(&config.data_dir, timestamps.clone()).await?,
        };
        let journal = match world.journal.take() {
            Some(journal) => journal,
            None => Journal::open(storage::journal_settings(&config), timestamps)?,
        };
        if world.log_events {
            journal.observe(Arc::new(LogObserver));
        }
        ensure_domains(&*opened.store, &config).await?;
        let (tls, trust) = (certificates::acceptor(&config)?, certificates::trust(&config)?);

        let decoys =
            credentials::decoy_key(&config.data_dir, &*world.entropy).map_err(StartError::DecoyKey)?;
        let tokens =
            Tokens::new(&config, world.clock.clone(), &*world.entropy, world.network.clone(), trust.clone())
                .map_err(StartError::Tokens)?;
        let started_at = world.clock.timestamp();
        let host = Arc::new(Host {
            store: opened.store.clone(),
            journal,
            clock: world.clock.clone(),
            entropy: world.entropy.clone(),
            network: world.network.clone(),
            peers: Peers::new(peer_limits(&config)),
            passwords: Passwords::new(config.limits.password_checks, &*world.entropy),
            binary_memory: crate::reception::binary::memory(),
            allowances: crate::allowances::Allowances::default(),
            presence: Arc::default(),
            guesses: crate::guesses::Guesses::default(),
            logins: crate::logins::Logins::default(),
            surrogates: crate::surrogates::Surrogates::default(),
            decoys,
            queue: OnceLock::new(),
            transcripts: world.transcripts.clone(),
            policy: RwLock::new(Policy::new(config.clone(), Some(tls), tokens)),
            stop: watch::channel(false).0,
            sessions: AtomicU64::new(u64::try_from(started_at.as_microsecond()).unwrap_or(1)),
        });
        let web = world.web.take();
        let queue = start_queue(&host, &config, world, &addresses, trust).await?;
        host.queue.get_or_init(|| queue);
        let web = web.map(|make| make(WebHost::new(host.clone())));

        let stop_requested = watch::channel(false).0;
        let mut running = Running {
            shared: Arc::new(Shared { host, addresses, started_at, stop_requested }),
            tasks: Vec::new(),
            admin: None,
            store: is_ours.then_some(opened.store),
        };
        running.listen(sockets, web)?;
        running.open_admin_socket(&config, opened.maintenance)?;
        Ok(running)
    }
}

async fn start_queue(
    host: &Arc<Host>,
    config: &Config,
    world: World,
    addresses: &[(Protocol, SocketAddr)],
    trust: Arc<Trust>,
) -> Result<Queue, StartError> {
    let resolver = match world.resolver {
        Some(resolver) => resolver,
        None => system_resolver(config)?,
    };
    let parts = Parts {
        store: host.store.clone(),
        resolver,
        network: world.network,
        clock: world.clock,
        entropy: world.entropy,
        journal: host.journal.clone(),
        reinjection: Arc::new(Bounces { host: Arc::downgrade(host) }),
        transcripts: world.transcripts.map(transcript_factory),
        settings: trusting(queue_settings(config, &of_protocol(addresses, Protocol::Smtp)), trust),
    };
    Ok(Queue::start(parts).await?)
}

fn trusting(mut settings: posta_queue::Settings, trust: Arc<Trust>) -> posta_queue::Settings {
    settings.tls.trust = trust;
    settings
}

fn of_protocol(addresses: &[(Protocol, SocketAddr)], wanted: Protocol) -> Vec<SocketAddr> {
    addresses.iter().filter(|(protocol, _)| *protocol == wanted).map(|(_, address)| *address).collect()
}

fn transcript_factory(observer: Arc<dyn TranscriptObserver>) -> TranscriptFactory {
    Arc::new(move |peer| observer.connected(peer))
}

fn system_resolver(config: &Config) -> Result<Arc<dyn Resolver>, DnsError> {
    Ok(if config.dns.servers.is_empty() {
        Arc::new(DnsResolver::system()?)
    } else {
        Arc::new(DnsResolver::with_patience(&config.dns.servers, config.dns.timeout.0)?)
    })
}

/// Domains named by the configuration are hosted; their settings in the store stay as they are.
pub(crate) async fn ensure_domains(store: &dyn Store, config: &Config) -> Result<(), StoreError> {
    for domain in &config.domains {
        if store.domain(domain).await?.is_none() {
            let settings = DomainSettings {
                domain: domain.clone(),
                catch_all: None,
                subaddress_separator: Some(SUBADDRESS_SEPARATOR),
            };
            store.change_directory(DirectoryChange::PutDomain(settings)).await?;
        }
    }
    Ok(())
}

/// A running server. Dropping it does not stop it gracefully: call [`Running::shutdown`].
pub struct Running {
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
    admin: Option<AdminSocket>,
    /// The store that this server opened, and closes.
    store: Option<Arc<dyn Store>>,
}

struct Shared {
    host: Arc<Host>,
    addresses: Vec<(Protocol, SocketAddr)>,
    started_at: Timestamp,
    stop_requested: watch::Sender<bool>,
}

impl Running {
    /// Where it listens; free ports are filled in.
    pub fn addresses(&self) -> &[(Protocol, SocketAddr)] {
        &self.shared.addresses
    }

    /// The first listener of a protocol.
    pub fn address(&self, protocol: Protocol) -> Option<SocketAddr> {
        self.shared.addresses.iter().find(|(spoken, _)| *spoken == protocol).map(|(_, address)| *address)
    }

    /// Its store.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.shared.host.store
    }

    /// Its queue.
    pub fn queue(&self) -> &Queue {
        self.shared.host.queue()
    }

    /// The way out for what people here send otherwise than over SMTP.
    pub fn outbox(&self) -> Outbox {
        Outbox::new(self.shared.host.clone())
    }

    /// Its journal.
    pub fn journal(&self) -> &Journal {
        &self.shared.host.journal
    }

    /// Who is there: live sessions are entered here.
    pub fn presence(&self) -> &Arc<Presence> {
        &self.shared.host.presence
    }

    /// Connections that peers have open now.
    pub fn connections(&self) -> usize {
        self.shared.host.peers.connections()
    }

    /// Follows another configuration, and certificates that have changed, without touching sessions that
    /// are open. Returns what of it needs a restart, in words. After an error all is as it was.
    pub async fn reload(&self, config: Config) -> Result<Vec<String>, StartError> {
        self.shared.reload(config).await
    }

    /// Returns when the operator asks the server to stop.
    pub async fn stop_requested(&self) {
        let mut requested = self.shared.stop_requested.subscribe();
        let _ = requested.wait_for(|stop| *stop).await;
    }

    /// Stops gracefully: nothing new is taken, open transactions may finish, sessions hear 421, what is
    /// being delivered ends; all of it within `limit`.
    pub async fn shutdown(mut self, limit: Duration) {
        let host = &self.shared.host;
        let deadline = host.clock.now() + limit;
        host.stop.send_replace(true);
        if let Some(admin) = self.admin.take() {
            admin.close().await;
        }
        for task in std::mem::take(&mut self.tasks) {
            let _ = task.await;
        }
        while host.peers.connections() > 0 && host.clock.now() < deadline {
            tokio::time::sleep(STOP_POLL).await;
        }
        let left = deadline.saturating_duration_since(host.clock.now());
        host.queue().shutdown(left).await;
        let journal = host.journal.clone();
        let _ = tokio::task::spawn_blocking(move || journal.flush()).await;
        let (clock, store) = (host.clock.clone(), self.store.take());
        drop(self);
        if let Some(store) = store {
            close(store, &*clock, deadline).await;
        }
    }

    fn listen(&mut self, sockets: Sockets, web: Option<Arc<dyn WebService>>) -> Result<(), StartError> {
        let host = self.shared.host.clone();
        for Socket { protocol, is_proxied, listener } in sockets.0 {
            let address = listener.local_addr().unwrap_or_else(|_| ([0, 0, 0, 0], 0).into());
            let listener = TcpListener::from_std(listener).map_err(|source| StartError::Bind {
                protocol,
                address,
                source,
            })?;
            let service: Arc<dyn Service> = match protocol {
                Protocol::Smtp
                | Protocol::Submission
                | Protocol::Submissions
                | Protocol::Lmtp
                | Protocol::NoMail => Arc::new(SmtpService { host: host.clone(), protocol }),
                Protocol::Pop3 | Protocol::Pop3s => Arc::new(Pop3Service { host: host.clone(), protocol }),
                Protocol::Http | Protocol::Https => {
                    let service = web.clone().ok_or(StartError::NoPages)?;
                    Arc::new(WebListener { host: host.clone(), protocol, service })
                }
            };
            let service = match is_proxied {
                true => Arc::new(ProxyService { inner: service, host: host.clone() }),
                false => service,
            };
            let (peers, clock) = (host.peers.clone(), host.clock.clone());
            self.tasks.push(tokio::spawn(listen(listener, peers, service, clock, host.stopping())));
            tracing::info!(%protocol, %address, "listening");
        }
        Ok(())
    }

    fn open_admin_socket(
        &mut self,
        config: &Config,
        maintenance: Option<Arc<dyn Maintenance>>,
    ) -> Result<(), StartError> {
        // A store that lives in memory has no folder to put a socket into.
        if !config.data_dir.is_dir() {
            return Ok(());
        }
        let host = &self.shared.host;
        let desk = Desk {
            store: host.store.clone(),
            maintenance,
            queue: Some(host.queue().clone()),
            journal: host.journal.clone(),
            journal_folder: config.data_dir.join("journal"),
            passwords: host.passwords.clone(),
            entropy: host.entropy.clone(),
            clock: host.clock.clone(),
        };
        let path = config.data_dir.join(crate::admin::SOCKET_NAME);
        let control: Arc<dyn Control> = self.shared.clone();
        let opened = AdminSocket::open(path.clone(), Arc::new(desk), control);
        self.admin = Some(opened.map_err(|source| StartError::AdminSocket { path, source })?);
        Ok(())
    }
}

impl Shared {
    async fn reload(&self, config: Config) -> Result<Vec<String>, StartError> {
        let host = &self.host;
        let before = host.policy();
        let (tls, trust) = (certificates::acceptor(&config)?, certificates::trust(&config)?);
        let (clock, network) = (host.clock.clone(), host.network.clone());
        let tokens = Tokens::new(&config, clock, &*host.entropy, network, trust.clone());
        let tokens = tokens.map_err(StartError::Tokens)?;
        ensure_domains(&*host.store, &config).await?;
        host.peers.set_limits(peer_limits(&config));
        let listening = of_protocol(&self.addresses, Protocol::Smtp);
        host.queue().reload(trusting(queue_settings(&config, &listening), trust));
        let restart = needs_restart(&before.config, &config);
        host.set_policy(Policy::new(config, Some(tls), tokens));
        Ok(restart)
    }
}

/// Closes the store once nobody uses it any more, so that the next server can open it.
async fn close(store: Arc<dyn Store>, clock: &dyn Clock, deadline: Instant) {
    while Arc::strong_count(&store) > 1 && clock.now() < deadline {
        tokio::time::sleep(STOP_POLL).await;
    }
    // Closing waits for the disk.
    let _ = tokio::task::spawn_blocking(move || drop(store)).await;
}

fn needs_restart(old: &Config, new: &Config) -> Vec<String> {
    let changed = [
        ("listener", old.listeners != new.listeners),
        ("data_dir", old.data_dir != new.data_dir),
        ("user", old.user != new.user),
        ("group", old.group != new.group),
        ("[journal]", old.journal != new.journal),
        ("[dns]", old.dns != new.dns),
        ("limits.password_checks", old.limits.password_checks != new.limits.password_checks),
    ];
    changed.iter().filter(|(_, changed)| *changed).map(|(key, _)| (*key).to_owned()).collect()
}

#[async_trait]
impl Control for Shared {
    fn status(&self) -> StatusInfo {
        StatusInfo {
            hostname: self.host.policy().config.hostname.clone(),
            started_at: self.started_at,
            listeners: self
                .addresses
                .iter()
                .map(|(protocol, address)| (protocol.to_string(), *address))
                .collect(),
            connections: self.host.peers.connections(),
            version: env!("CARGO_PKG_VERSION").into(),
        }
    }

    async fn reload(&self) -> Result<String, String> {
        let source = self.host.policy().config.source.clone();
        let Some(path) = source else { return Err("this server was not started from a file".into()) };
        let config = Config::load(&path).map_err(|error: ConfigError| error.to_string())?;
        let restart = Shared::reload(self, config).await.map_err(|error| error.to_string())?;
        Ok(if restart.is_empty() {
            format!("{} read again", path.display())
        } else {
            format!("{} read again; needs a restart: {}", path.display(), restart.join(", "))
        })
    }

    fn presence(&self) -> &Arc<Presence> {
        &self.host.presence
    }

    async fn fetch(&self, info: FetchInfo) -> Result<String, String> {
        crate::admin::perform_fetch(&self.host, info).await
    }

    fn stop(&self) {
        self.stop_requested.send_replace(true);
    }
}
