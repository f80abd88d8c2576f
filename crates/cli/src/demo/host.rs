//! One organisation's host: configuration, server, people.

use super::{
    dialogue,
    place::Organisation,
    stage::{NamedNetwork, Stage},
};
use anyhow::Context;
use posta_address::Mailbox;
use posta_journal::{Event, Fate, Journal, Record};
use posta_queue::PeerName;
use posta_runtime::{Entropy, OsEntropy, Transcript, tls::Authority};
use posta_server::{
    Running, Server, Sockets, TranscriptObserver, World, config::Config, config::Protocol, passwords,
};
use posta_store::{Account, Alias, AliasKind, DirectoryChange, Store};
use posta_wire::Secret;
use std::{
    fs::OpenOptions,
    io::Write,
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

/// How long open sessions may go on when the demo ends.
const GRACE: Duration = Duration::from_secs(2);

/// Listening sockets of a host that does not run yet.
pub(crate) struct Place {
    organisation: &'static Organisation,
    sockets: Sockets,
    pub(crate) endpoints: HostEndpoints,
}

/// Where a host listens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HostEndpoints {
    pub(crate) smtp: SocketAddr,
    pub(crate) pop3: SocketAddr,
    pub(crate) submission: SocketAddr,
    pub(crate) submissions: SocketAddr,
    pub(crate) pop3s: SocketAddr,
    pub(crate) lmtp: SocketAddr,
    pub(crate) http: SocketAddr,
}

/// Ports of one host: SMTP and POP3, the others, LMTP, and the pages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HostPorts {
    pub(crate) first: u16,
    pub(crate) others: u16,
    pub(crate) lmtp: u16,
    pub(crate) http: u16,
}

/// A running host.
pub(crate) struct DemoHost {
    pub(crate) organisation: &'static Organisation,
    pub(crate) folder: PathBuf,
    pub(crate) endpoints: HostEndpoints,
    pub(crate) journal: Journal,
    /// What became of the letter that makes the trip.
    pub(crate) arrival: Arc<Arrival>,
    running: Running,
}

impl Place {
    /// Takes these ports, or free ones.
    pub(crate) fn take(
        organisation: &'static Organisation,
        ports: Option<HostPorts>,
    ) -> anyhow::Result<Self> {
        let at = |port: fn(HostPorts) -> u16| SocketAddr::from(([127, 0, 0, 1], ports.map_or(0, port)));
        let wanted = HostEndpoints {
            smtp: at(|ports| ports.first),
            pop3: at(|ports| ports.first + 1),
            submission: at(|ports| ports.others),
            submissions: at(|ports| ports.others + 1),
            pop3s: at(|ports| ports.others + 2),
            lmtp: at(|ports| ports.lmtp),
            http: at(|ports| ports.http),
        };
        let text = configuration(organisation, wanted, "");
        let sockets = Sockets::bind(&Config::parse(&text, Path::new("posta.toml"))?)?;
        let addresses = sockets.addresses();
        let of = |wanted| {
            let found = addresses.iter().find(|(protocol, _)| *protocol == wanted);
            found.map(|(_, address)| *address).context("a listener has no address")
        };
        let endpoints = HostEndpoints {
            smtp: of(Protocol::Smtp)?,
            pop3: of(Protocol::Pop3)?,
            submission: of(Protocol::Submission)?,
            submissions: of(Protocol::Submissions)?,
            pop3s: of(Protocol::Pop3s)?,
            lmtp: of(Protocol::Lmtp)?,
            http: of(Protocol::Http)?,
        };
        Ok(Place { organisation, sockets, endpoints })
    }

    /// Starts the host in its folder. `other` is where the other host's SMTP server is: on the real
    /// internet that would be port 25, here several hosts share one address.
    pub(crate) async fn start(
        self,
        folder: &Path,
        other: (&'static Organisation, SocketAddr),
        dns: SocketAddr,
        authority: &Authority,
        stage: &Arc<Stage>,
    ) -> anyhow::Result<DemoHost> {
        let Place { organisation, sockets, endpoints } = self;
        let folder = folder.join(organisation.name);
        posta_server::privileges::raise_file_limit();
        std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let names = [organisation.host, organisation.domain, "localhost", "127.0.0.1"].map(str::to_owned);
        let (certificate, key) = authority.issue(&names)?;
        std::fs::write(folder.join("certificate.pem"), certificate)?;
        write_private(&folder.join("key.pem"), &key)?;
        let more = format!(
            "\n[delivery]\n# DATA, as the lecture tells it.\nchunking = false\nidle_timeout = \"0s\"\nhost_ports = {{ \"{}\" = {} }}\n\n[dns]\nservers = [\"{dns}\"]\n",
            other.0.host,
            other.1.port()
        );
        let path = folder.join("posta.toml");
        std::fs::write(&path, configuration(organisation, endpoints, &more))
            .with_context(|| format!("writing {}", path.display()))?;
        let world = World {
            network: Arc::new(NamedNetwork { stage: Arc::clone(stage), name: organisation.mta }),
            transcripts: Some(Arc::new(Observer { stage: Arc::clone(stage), host: organisation.host })),
            sockets: Some(sockets),
            log_events: false,
            web: Some(crate::serve::web()),
            ..World::default()
        };
        let config = Config::load(&path)?;
        posta_server::privileges::prepare_folder(&config.data_dir, None)?;
        let running = Server::start(config, world).await?;
        settle(&**running.store(), organisation).await?;
        let journal = running.journal().clone();
        let arrival = Arc::new(Arrival::default());
        let observer = Arc::clone(&arrival);
        journal.observe(Arc::new(move |record: &Record| observer.see(record)));
        Ok(DemoHost { organisation, folder, endpoints, journal, arrival, running })
    }
}

/// Sees one letter arrive, whatever else visitors send meanwhile.
#[derive(Default)]
pub(crate) struct Arrival {
    sought: Mutex<Sought>,
    /// Maildrops that have it.
    pub(crate) delivered: watch::Sender<usize>,
}

#[derive(Default)]
struct Sought {
    message_id: Option<String>,
    /// Queue ids under which it came.
    ids: Vec<String>,
}

impl Arrival {
    /// Names the letter; to be done before it is sent.
    pub(crate) fn expect(&self, message_id: &str) {
        let message_id = Some(bare(message_id).to_owned());
        *self.sought.lock().unwrap_or_else(PoisonError::into_inner) = Sought { message_id, ids: Vec::new() };
    }

    fn see(&self, record: &Record) {
        let mut sought = self.sought.lock().unwrap_or_else(PoisonError::into_inner);
        match &record.event {
            Event::Accepted { id, message_id: Some(message_id), .. }
                if sought.message_id.as_deref() == Some(bare(message_id)) =>
            {
                sought.ids.push(id.clone());
            }
            Event::Outcome { id, fate: Fate::Delivered, .. } if sought.ids.contains(id) => {
                self.delivered.send_modify(|count| *count += 1);
            }
            _ => {}
        }
    }
}

/// A Message-ID without its angle brackets.
pub(crate) fn bare(message_id: &str) -> &str {
    message_id.trim_start_matches('<').trim_end_matches('>')
}

impl DemoHost {
    /// What was accepted, less what became of it.
    pub(crate) async fn audit(&self) -> anyhow::Result<i128> {
        Ok(crate::audit::difference(&self.running.store().tally().await?))
    }

    /// Where a browser finds the webmail.
    pub(crate) fn webmail(&self) -> String {
        format!("http://{}/", self.endpoints.http)
    }

    pub(crate) async fn stop(self) {
        self.running.shutdown(GRACE).await;
    }
}

/// Writes a file that nobody else can read.
fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    if path.exists() {
        std::fs::remove_file(path)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    Ok(file.write_all(text.as_bytes())?)
}

/// A `posta.toml`, so that all of the operator's commands work on the demo's hosts, too.
fn configuration(organisation: &Organisation, endpoints: HostEndpoints, more: &str) -> String {
    let HostEndpoints { smtp, pop3, submission, submissions, pop3s, lmtp, http } = endpoints;
    let mut domains = vec![organisation.domain];
    domains.extend(organisation.other_domains);
    format!(
        "# A host of `posta demo`.
hostname = \"{}\"
data_dir = \"data\"
domains = {domains:?}
postmaster = \"{}\"

[[listener]]
protocol = \"smtp\"
address = \"{smtp}\"

[[listener]]
protocol = \"pop3\"
address = \"{pop3}\"

[[listener]]
protocol = \"submission\"
address = \"{submission}\"

[[listener]]
protocol = \"submissions\"
address = \"{submissions}\"

[[listener]]
protocol = \"pop3s\"
address = \"{pop3s}\"

[[listener]]
protocol = \"lmtp\"
address = \"{lmtp}\"

# Webmail; without TLS, because only this machine gets there.
[[listener]]
protocol = \"http\"
address = \"{http}\"

# Certificates of the demo's own little authority.
[tls]
certificates = [{{ certificate = \"certificate.pem\", key = \"key.pem\" }}]
authorities = [\"../ca.pem\"]

# All clients are on this machine, so passwords may pass as they are.
[auth]
plaintext_on_loopback = true

# Old dialogues begin with HELO alone, as RFC 821 clients could.
[smtp]
hello_without_name = \"accept\"
# SEND, SOML and SAML of the same age: from everybody on this machine.
send = \"relay\"

# All peers share one address here, so what is meant for strangers would hit everybody.
[limits]
connections_per_address = 10000

# Everybody on this machine may send to anywhere that the demo's DNS knows: the two hosts.
[relay]
networks = [\"127.0.0.0/8\"]
{more}",
        organisation.host, organisation.people[0].address
    )
}

/// Makes accounts, aliases and lists; those from an earlier demo in the same folder stay.
async fn settle(store: &dyn Store, organisation: &Organisation) -> anyhow::Result<()> {
    for person in &organisation.people {
        let address = Mailbox::parse(person.address)?;
        let known = store.account(&address).await?;
        let mut salt = [0; 16];
        OsEntropy.fill(&mut salt);
        let secret = Secret::new(person.password);
        let proofs = passwords::Proofs::derive(&secret, &salt)?;
        let account = Account {
            id: known.map_or_else(|| store.new_account_id(), |account| account.id),
            address,
            name: Some(person.name.to_owned()),
            password_hash: Some(proofs.hash),
            apop_secret: Some(secret),
            credentials: proofs.credentials,
            quota_octets: None,
            enabled: true,
            hold_seconds: 0,
        };
        store.change_directory(DirectoryChange::PutAccount(account)).await?;
    }
    let parse =
        |members: &[&str]| members.iter().map(|member| Mailbox::parse(member)).collect::<Result<Vec<_>, _>>();
    for (address, members) in organisation.aliases {
        let address = Mailbox::parse(address)?;
        let alias =
            Alias { address, kind: AliasKind::Alias, name: None, members: parse(members)?, owner: None };
        store.change_directory(DirectoryChange::PutAlias(alias)).await?;
    }
    for (address, name, owner, members) in organisation.lists {
        let list = Alias {
            address: Mailbox::parse(address)?,
            kind: AliasKind::List,
            name: Some((*name).to_owned()),
            members: parse(members)?,
            owner: Some(Mailbox::parse(owner)?),
        };
        store.change_directory(DirectoryChange::PutAlias(list)).await?;
    }
    Ok(())
}

/// Shows what the host's listeners hear.
struct Observer {
    stage: Arc<Stage>,
    host: &'static str,
}

impl TranscriptObserver for Observer {
    fn accepted(
        &self,
        protocol: Protocol,
        local: SocketAddr,
        peer: SocketAddr,
    ) -> Option<Box<dyn Transcript>> {
        let protocol = match protocol {
            Protocol::Smtp
            | Protocol::Submission
            | Protocol::Submissions
            | Protocol::Lmtp
            | Protocol::NoMail => dialogue::Protocol::Smtp,
            Protocol::Pop3 | Protocol::Pop3s => dialogue::Protocol::Pop3,
            // Pages are no dialogue for reading.
            Protocol::Http | Protocol::Https => return None,
        };
        Some(Box::new(self.stage.dialogue(protocol, self.host, local, peer)))
    }

    /// Whoever we connect to is here, too: the dialogue is shown from the other end.
    fn connected(&self, _peer: &PeerName) -> Option<Box<dyn Transcript>> {
        None
    }
}
