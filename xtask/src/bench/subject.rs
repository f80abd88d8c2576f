//! The servers under measurement, behind one face.
#![allow(clippy::print_stdout)]

use super::secure::Identity;
use super::{Options, SETTLE_MAX, users};
use crate::peers::{self, Dovecot, Posta, PostaSetup, Postfix, PostfixSetup, Storage};
use anyhow::{Context, Result, bail};
use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Posta,
    Postfix,
    DovecotMaildir,
    DovecotMdbox,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Posta => "Posta",
            Kind::Postfix => "Postfix",
            Kind::DovecotMaildir => "Dovecot, Maildir",
            Kind::DovecotMdbox => "Dovecot, mdbox",
        })
    }
}

impl Kind {
    /// Those that accept and deliver.
    pub(super) fn for_mail(options: &Options) -> Vec<Self> {
        Self::chosen(options, "Postfix", Postfix::available(), &[Kind::Postfix])
    }

    /// Those that maildrops are read from.
    pub(super) fn for_pop3(options: &Options) -> Vec<Self> {
        Self::chosen(options, "Dovecot", Dovecot::available(), &[Kind::DovecotMaildir, Kind::DovecotMdbox])
    }

    fn chosen(options: &Options, peer: &str, available: bool, forms: &[Self]) -> Vec<Self> {
        let mut kinds = Vec::new();
        if !options.peers_only {
            kinds.push(Kind::Posta);
        }
        if options.peers || options.peers_only {
            if available {
                kinds.extend(forms);
            } else {
                println!("  {peer}: skipped (not installed, or not root)");
            }
        }
        kinds
    }

    /// Messages for a run of some seconds.
    pub(super) fn messages(self, connections: usize) -> usize {
        match (self, connections) {
            (Kind::Posta, 1) => 10_000,
            (Kind::Posta, _) => 40_000,
            (_, 1) => 1500,
            _ => 4000,
        }
    }

    /// A process for each connection is too much to have thousands of.
    pub(super) fn idle_connections(self, wanted: usize) -> usize {
        if self == Kind::Postfix { wanted.min(100) } else { wanted }
    }
}

enum Server {
    Posta(Box<Posta>),
    Postfix(Postfix),
    Dovecot(Dovecot),
}

/// A running server with its folder.
pub(super) struct Subject {
    // Before the folder: it must have ended when that goes away.
    server: Server,
    users: Vec<(String, String)>,
    _folder: TempDir,
}

/// The domain that is delivered here.
const DOMAIN: &str = "bench.example";

/// Without these, so much from one address is refused.
const POSTA_TABLES: &str = "\
[smtp]
messages_max = 100000000

[limits]
connections_per_address = 20000

[relay]
networks = [\"127.0.0.0/8\"]

";

impl Subject {
    /// Starts one. With `next_hop`, mail for all other domains goes there.
    pub(super) fn start(
        kind: Kind,
        options: &Options,
        binary: &Path,
        next_hop: Option<SocketAddr>,
    ) -> Result<Self> {
        Self::start_with(kind, options, binary, next_hop, None)
    }

    /// One that offers TLS as this host.
    pub(super) fn start_secure(
        kind: Kind,
        options: &Options,
        binary: &Path,
        identity: &Identity,
    ) -> Result<Self> {
        Self::start_with(kind, options, binary, None, Some(identity))
    }

    fn start_with(
        kind: Kind,
        options: &Options,
        binary: &Path,
        next_hop: Option<SocketAddr>,
        identity: Option<&Identity>,
    ) -> Result<Self> {
        let folder = peers::folder(&options.dir)?;
        let users = users(DOMAIN);
        let server = match kind {
            Kind::Posta => {
                let mut setup = PostaSetup::new(binary, "mx.bench.example", DOMAIN);
                setup.accounts.clone_from(&users);
                setup.tables = posta_tables(next_hop) + &identity.map(Identity::posta).unwrap_or_default();
                Server::Posta(Box::new(Posta::start(folder.path(), setup)?))
            }
            Kind::Postfix => Server::Postfix(Postfix::start(
                folder.path(),
                &PostfixSetup {
                    hostname: "mx.bench.example".to_owned(),
                    mailboxes: users.iter().map(|(address, _)| address.clone()).collect(),
                    next_hop,
                    main: ["default_process_limit = 150", "smtpd_client_connection_count_limit = 0"]
                        .map(str::to_owned)
                        .into_iter()
                        .chain(identity.map(Identity::postfix).into_iter().flatten())
                        .collect(),
                },
            )?),
            Kind::DovecotMaildir | Kind::DovecotMdbox => {
                let storage = if kind == Kind::DovecotMaildir { Storage::Maildir } else { Storage::Mdbox };
                let lines = identity.map(Identity::dovecot).unwrap_or_default();
                Server::Dovecot(Dovecot::start_with(folder.path(), storage, &users, &lines)?)
            }
        };
        Ok(Self { server, users, _folder: folder })
    }

    pub(super) fn pid(&self) -> u32 {
        match &self.server {
            Server::Posta(posta) => posta.pid(),
            Server::Postfix(postfix) => postfix.pid(),
            Server::Dovecot(dovecot) => dovecot.pid(),
        }
    }

    /// Where mail is accepted (Dovecot: by LMTP).
    pub(super) fn smtp(&self) -> SocketAddr {
        match &self.server {
            Server::Posta(posta) => posta.smtp,
            Server::Postfix(postfix) => postfix.smtp,
            Server::Dovecot(dovecot) => dovecot.lmtp,
        }
    }

    /// Whether that is LMTP.
    pub(super) fn speaks_lmtp(&self) -> bool {
        matches!(self.server, Server::Dovecot(_))
    }

    pub(super) fn pop3(&self) -> Result<SocketAddr> {
        match &self.server {
            Server::Posta(posta) => Ok(posta.pop3),
            Server::Dovecot(dovecot) => Ok(dovecot.pop3),
            Server::Postfix(_) => bail!("Postfix has no POP3"),
        }
    }

    pub(super) fn users(&self) -> &[(String, String)] {
        &self.users
    }

    pub(super) fn addresses(&self) -> Vec<String> {
        self.users.iter().map(|(address, _)| address.clone()).collect()
    }

    /// Waits until this many messages lie in maildrops. Posta and Dovecot deliver before they say 250.
    pub(super) fn wait_until_delivered(&self, messages: usize) -> Result<()> {
        let Server::Postfix(postfix) = &self.server else { return Ok(()) };
        let deadline = Instant::now() + SETTLE_MAX;
        loop {
            let mut delivered = 0;
            for (address, _) in &self.users {
                delivered += postfix.messages(address)?.len();
            }
            if delivered >= messages {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("only {delivered} of {messages} were delivered\n{}", postfix.queue()?);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Asks each maildrop how much it holds; the sum must be exact.
    pub(super) fn verify_delivered(&self, messages: usize) -> Result<()> {
        if matches!(self.server, Server::Postfix(_)) {
            return Ok(());
        }
        let mut delivered = 0;
        for (user, password) in &self.users {
            delivered += messages_in(self.pop3()?, user, password)?;
        }
        if delivered != messages {
            bail!("{delivered} messages are in the maildrops, {messages} were acknowledged");
        }
        Ok(())
    }

    /// Leaves it running until Enter is pressed.
    pub(super) fn linger(&self) -> Result<()> {
        println!("pid {}, smtp {}; press Enter to go on", self.pid(), self.smtp());
        std::io::stdin().read_line(&mut String::new())?;
        Ok(())
    }
}

fn posta_tables(next_hop: Option<SocketAddr>) -> String {
    let mut tables = POSTA_TABLES.to_owned();
    if let Some(next_hop) = next_hop {
        tables += &format!("[delivery]\nsmarthost = \"{next_hop}\"\n\n");
    }
    tables
}

/// STAT of one maildrop.
fn messages_in(pop3: SocketAddr, user: &str, password: &str) -> Result<usize> {
    let stream = TcpStream::connect(pop3)?;
    let mut lines = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    let mut line = String::new();
    for command in ["", &format!("USER {user}\r\n"), &format!("PASS {password}\r\n"), "STAT\r\n"] {
        stream.write_all(command.as_bytes())?;
        line.clear();
        lines.read_line(&mut line)?;
        if !line.starts_with("+OK") {
            bail!("{user}: {}", line.trim_end());
        }
    }
    stream.write_all(b"QUIT\r\n")?;
    let count = line.split(' ').nth(1).context("STAT without a count")?;
    lines.read_line(&mut String::new())?;
    Ok(count.parse()?)
}
