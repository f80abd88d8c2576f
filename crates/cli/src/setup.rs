//! `posta setup`: a configuration and a data folder to start with.

use crate::{
    configuration::Place,
    output::{self, STRONG, styled},
};
use anyhow::{Context, bail};
use posta_address::Domain;
use posta_server::config::Config;
use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, IsTerminal, Write},
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// See the module.
#[derive(Debug, clap::Args)]
pub(crate) struct Setup {
    /// Ask nothing: what is not given as an option gets a value that works
    #[arg(long)]
    yes: bool,
    /// The name by which this host is known to others
    #[arg(long, value_name = "NAME")]
    hostname: Option<Domain>,
    /// A domain whose mail is kept here (may be given several times)
    #[arg(long = "domain", value_name = "DOMAIN")]
    domains: Vec<Domain>,
    /// Where everything is kept (as root /var/lib/posta, else posta-data beside the configuration)
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// Where SMTP is spoken (as root 0.0.0.0:25, else 127.0.0.1:2525); port 0 takes a free one
    #[arg(long, value_name = "IP:PORT")]
    smtp: Option<SocketAddr>,
    /// Where POP3 is spoken (as root 127.0.0.1:110, else 127.0.0.1:2110); port 0 takes a free one
    #[arg(long, value_name = "IP:PORT")]
    pop3: Option<SocketAddr>,
    /// Replace a configuration that exists
    #[arg(long)]
    force: bool,
}

/// What stands in the configuration.
struct Choices {
    hostname: Domain,
    domains: Vec<Domain>,
    data_dir: PathBuf,
    smtp: SocketAddr,
    pop3: SocketAddr,
}

impl Setup {
    pub(crate) fn run(self, place: &Place) -> anyhow::Result<()> {
        let path = place.0.clone().unwrap_or_else(|| PathBuf::from("posta.toml"));
        if path.exists() && !self.force {
            bail!("{} exists; --force replaces it", path.display());
        }
        let force = self.force;
        let choices = self.choose()?;
        let text = write_configuration(&choices)?;
        // What we write must be what we read.
        let config = Config::parse(&text, &path)?;
        let data_dir = path.parent().unwrap_or(Path::new("")).join(&config.data_dir);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&data_dir)
            .with_context(|| format!("making the data folder {}", data_dir.display()))?;
        let mut options = OpenOptions::new();
        options.write(true).mode(0o644);
        if force {
            options.create(true).truncate(true)
        } else {
            options.create_new(true)
        };
        let written = options.open(&path).and_then(|mut file| file.write_all(text.as_bytes()));
        written.with_context(|| format!("writing {}", path.display()))?;
        let command = match &place.0 {
            Some(path) => format!("posta --config {}", path.display()),
            None => "posta".into(),
        };
        output::say(format!("{} is written, {} is there. Next:", path.display(), data_dir.display()))?;
        let domain = choices.domains.first().map_or_else(|| "example.org".into(), Domain::to_string);
        if choices.domains.is_empty() {
            output::say(styled(STRONG, format!("  {command} domain add {domain}")))?;
        }
        output::say(styled(STRONG, format!("  {command} account add you@{domain}")))?;
        output::say(styled(STRONG, format!("  {command} serve")))?;
        Ok(())
    }

    fn choose(self) -> anyhow::Result<Choices> {
        let root = is_root();
        let ask = !self.yes && io::stdin().is_terminal();
        let hostname = match self.hostname {
            Some(hostname) => hostname,
            None => {
                let known = own_hostname();
                if ask { question("Name of this host", known)? } else { known }
            }
        };
        let mut domains = self.domains;
        if domains.is_empty() && ask {
            let parent = hostname.to_string().split_once('.').map(|(_, rest)| rest.to_owned());
            let guess =
                parent.and_then(|parent| Domain::parse(&parent).ok()).unwrap_or_else(|| hostname.clone());
            domains.push(question("Domain whose mail is kept here", guess)?);
        }
        let data_dir = self
            .data_dir
            .unwrap_or_else(|| PathBuf::from(if root { "/var/lib/posta" } else { "posta-data" }));
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        // Only root may bind the usual ports. POP3 without TLS is not offered to others by itself.
        let (smtp, pop3) = match root {
            true => (SocketAddr::from((Ipv4Addr::UNSPECIFIED, 25)), local(110)),
            false => (local(2525), local(2110)),
        };
        let (smtp, pop3) = (self.smtp.unwrap_or(smtp), self.pop3.unwrap_or(pop3));
        Ok(Choices { hostname, domains, data_dir, smtp, pop3 })
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The machine's name, if it is one that mail can use.
fn own_hostname() -> Domain {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Domain::parse(name.trim())
        .or_else(|_| Domain::parse("localhost.localdomain"))
        .expect("localhost.localdomain is a domain")
}

fn question(what: &str, proposal: Domain) -> anyhow::Result<Domain> {
    output::say_aside(format!("{what} [{proposal}]:"));
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    match line.trim() {
        "" => Ok(proposal),
        text => Domain::parse(text).with_context(|| format!("`{text}` is no domain")),
    }
}

/// The sample with these choices in place; its explanations stay.
fn write_configuration(choices: &Choices) -> anyhow::Result<String> {
    let mut document: toml_edit::DocumentMut = Config::sample().parse()?;
    document["hostname"] = toml_edit::value(choices.hostname.to_string());
    document["data_dir"] = toml_edit::value(choices.data_dir.display().to_string());
    let domains: toml_edit::Array = choices.domains.iter().map(Domain::to_string).collect();
    document["domains"] = toml_edit::value(domains);
    if let Some(listeners) = document["listener"].as_array_of_tables_mut() {
        for listener in listeners.iter_mut() {
            let address =
                if listener["protocol"].as_str() == Some("smtp") { choices.smtp } else { choices.pop3 };
            listener["address"] = toml_edit::value(address.to_string());
        }
    }
    Ok(document.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_setup_writes_is_read_as_meant_and_explains_itself() {
        let choices = Choices {
            hostname: Domain::parse("mx.test.example").expect("a domain"),
            domains: vec![Domain::parse("test.example").expect("a domain")],
            data_dir: "posta-data".into(),
            smtp: "[::1]:2525".parse().expect("an address"),
            pop3: "127.0.0.1:2110".parse().expect("an address"),
        };
        let text = write_configuration(&choices).expect("writes");
        let config = Config::parse(&text, Path::new("posta.toml")).expect("reads");
        assert_eq!((config.hostname, config.domains), (choices.hostname, choices.domains));
        let addresses: Vec<String> =
            config.listeners.iter().map(|listener| listener.address.to_string()).collect();
        assert_eq!(addresses, ["[::1]:2525", "127.0.0.1:2110"]);
        assert!(text.contains("# The name by which this host is known"), "{text}");
    }
}
