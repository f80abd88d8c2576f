//! `posta demo`: a little internet of mail in one process. Two organisations with a host each, a DNS
//! server, real TCP between all, on this machine only; every dialogue is shown as it happens.

mod dialogue;
mod farewell;
mod host;
mod letter;
mod place;
mod stage;
mod trip;

use anyhow::Context;
use host::{DemoHost, HostPorts, Place};
use place::{NORTH, SOUTH};
use posta_dns::{DnsExchange, ZoneServer};
use posta_runtime::tls::Authority;
use stage::Stage;
use std::{
    io::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::signal::unix::{SignalKind, signal};

/// Ports that the demo takes: SMTP and POP3 of two hosts, DNS; five more of each host.
const PORTS: u16 = 15;

/// See the module.
#[derive(Debug, clap::Args)]
pub(crate) struct Demo {
    /// Make the whole trip, then end: with 0, or 1 if any step failed
    #[arg(long)]
    once: bool,
    /// Print the endpoints and accounts as JSON on the first line of standard output, for programs;
    /// the dialogues go to standard error
    #[arg(long)]
    json: bool,
    /// Take ports from N on (north SMTP and POP3, south SMTP and POP3, DNS, then for north and south each
    /// submission, submissions, POP3S, then LMTP of both, and the webmail of both); else free ones
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(u16::MAX - PORTS + 1)))]
    port_base: Option<u16>,
    /// Keep everything in this folder; else in a temporary one that goes away
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Everything that runs.
pub(crate) struct Town {
    pub(crate) stage: Arc<Stage>,
    pub(crate) north: DemoHost,
    pub(crate) south: DemoHost,
    pub(crate) dns: SocketAddr,
    /// The certificate of the authority, to be trusted by clients.
    pub(crate) ca: PathBuf,
    dns_server: ZoneServer,
}

impl Demo {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(self.show())
    }

    async fn show(self) -> anyhow::Result<()> {
        // Before anything is printed: whoever reads it may tell us to stop at once.
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        // A terminal that is closed says so; the folder is to go away then, too.
        let mut hang_up = signal(SignalKind::hangup())?;
        let screen: Box<dyn Write + Send> =
            if self.json { Box::new(anstream::stderr()) } else { Box::new(anstream::stdout()) };
        let temporary;
        let folder = match &self.dir {
            Some(folder) => {
                std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
                folder.as_path()
            }
            None => {
                temporary = tempfile::Builder::new().prefix("posta-demo-").tempdir()?;
                temporary.path()
            }
        };
        let folder = folder.canonicalize()?;
        let town = Town::start(&folder, self.port_base, Stage::new(screen)).await?;
        if self.json {
            crate::output::say(farewell::endpoints(&town)?)?;
        }
        farewell::greet(&town);
        let stopped = async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hang_up.recv() => {}
            }
        };
        let shown = async {
            trip::make(&town).await?;
            farewell::say(&town, &folder, self.once);
            if !self.once {
                std::future::pending::<()>().await;
            }
            anyhow::Ok(())
        };
        let result = tokio::select! {
            result = shown => result,
            () = stopped => Ok(()),
        };
        town.stop().await;
        result
    }
}

impl Town {
    async fn start(folder: &Path, port_base: Option<u16>, stage: Arc<Stage>) -> anyhow::Result<Self> {
        let hint = || match port_base {
            Some(port) => format!("--port-base {port} takes the ports up to {}", port + PORTS - 1),
            None => "taking free ports".into(),
        };
        let ports = |[first, others, lmtp, http]: [u16; 4]| {
            port_base.map(|port| HostPorts {
                first: port + first,
                others: port + others,
                lmtp: port + lmtp,
                http: port + http,
            })
        };
        let north = Place::take(&NORTH, ports([0, 5, 11, 13])).with_context(hint)?;
        let south = Place::take(&SOUTH, ports([2, 8, 12, 14])).with_context(hint)?;
        let dns_address = SocketAddr::from(([127, 0, 0, 1], port_base.map_or(0, |port| port + 4)));
        let shown = Arc::clone(&stage);
        let observer = Arc::new(move |exchange: DnsExchange| shown.dns(&exchange));
        let dns_server = ZoneServer::start(dns_address, place::zone()?, Some(observer))
            .await
            .with_context(|| format!("starting the DNS server at {dns_address}"))?;
        let dns = dns_server.address();
        let (north_smtp, south_smtp) = (north.endpoints.smtp, south.endpoints.smtp);
        let authority = Authority::new("Posta demo authority")?;
        let ca = folder.join("ca.pem");
        std::fs::write(&ca, authority.pem()).with_context(|| format!("writing {}", ca.display()))?;
        let (north, south) = tokio::try_join!(
            north.start(folder, (&SOUTH, south_smtp), dns, &authority, &stage),
            south.start(folder, (&NORTH, north_smtp), dns, &authority, &stage),
        )?;
        Ok(Town { stage, north, south, dns, ca, dns_server })
    }

    async fn stop(self) {
        tokio::join!(self.north.stop(), self.south.stop());
        self.dns_server.stop().await;
    }
}
