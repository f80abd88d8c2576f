//! Finding a domain's servers for `posta mail setup`: asked of the DNS, shown, and confirmed.

use crate::output::{BAD, FAINT, GOOD, say, say_aside, styled};
use anyhow::bail;
use async_trait::async_trait;
use posta_address::Domain;
use posta_dns::{DnsError, DnsResolver, Resolver};
use posta_ua::{
    Outside, Security,
    discovery::{Discovered, Found, ServiceRecord, Services, Wanted, common_security, discover},
    terminal::harmless_line,
};
use std::{
    io::{self, IsTerminal, Write},
    net::SocketAddr,
};

/// SRV records by our resolver.
struct Dns(Option<DnsResolver>);

#[async_trait]
impl Services for Dns {
    async fn records(&self, service: &str, domain: &Domain) -> io::Result<Vec<ServiceRecord>> {
        let Some(resolver) = &self.0 else { return Ok(Vec::new()) };
        match resolver.srv(service, domain).await {
            Ok(records) => Ok(records
                .into_iter()
                .map(|record| ServiceRecord {
                    priority: record.priority,
                    weight: record.weight,
                    port: record.port,
                    target: record.target.map(|target| target.to_ascii().to_owned()),
                })
                .collect()),
            Err(DnsError::NoRecord(_) | DnsError::NoSuchName(_)) => Ok(Vec::new()),
            Err(error) => Err(io::Error::other(error)),
        }
    }
}

/// Both servers of a domain.
#[derive(Debug)]
pub(super) struct Servers {
    pub(super) submission: Found,
    pub(super) maildrop: Found,
    /// How both are spoken to.
    pub(super) security: Security,
}

/// Looks for the servers of a domain and says what was found; nothing where one of them was not, or the user
/// does not want them.
pub(super) async fn look_for(
    outside: &Outside,
    dns: Option<SocketAddr>,
    domain: &Domain,
) -> anyhow::Result<Option<Servers>> {
    say_aside(format!("Looking for the servers of {domain} …"));
    let resolver = match dns {
        Some(server) => Some(DnsResolver::with_servers(&[server])?),
        // Without a resolver there are still the usual names.
        None => DnsResolver::system().ok(),
    };
    let services = Dns(resolver);
    let (submission, maildrop) = tokio::join!(
        discover(outside, &services, domain, Wanted::Submission),
        discover(outside, &services, domain, Wanted::Maildrop),
    );
    show("sending", &submission)?;
    show("fetching", &maildrop)?;
    let (Some(submission), Some(maildrop)) = (submission.found, maildrop.found) else { return Ok(None) };
    let Some(security) = common_security(&submission, &maildrop) else {
        bail!("the two are protected in different ways: say --smtp, --pop3 and --tls");
    };
    let elsewhere: Vec<_> = [&submission, &maildrop].into_iter().filter(|found| found.is_elsewhere).collect();
    if !elsewhere.is_empty() && !confirmed(domain)? {
        return Ok(None);
    }
    Ok(Some(Servers { submission, maildrop, security }))
}

fn show(what: &str, discovered: &Discovered) -> io::Result<()> {
    match &discovered.found {
        Some(found) => {
            let tls = if found.security == Security::Tls { "TLS" } else { "TLS after a greeting" };
            say(format!("{} {what}: {} ({}, {tls})", styled(GOOD, "found"), found.endpoint, found.how))?;
        }
        None if discovered.is_denied => {
            say(format!("{} {what}: the domain says that it offers this nowhere", styled(BAD, "none ")))?;
        }
        None => say(format!("{} {what}", styled(BAD, "none ")))?,
    }
    for (endpoint, why) in &discovered.failures {
        say_aside(styled(FAINT, format_args!("      not {endpoint}: {}", harmless_line(why))).to_string());
    }
    Ok(())
}

/// RFC 6186 §6: an answer of the DNS that leads out of the domain may be somebody else's.
fn confirmed(domain: &Domain) -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        bail!("a server found is not of {domain}: name it with --smtp and --pop3 if it is meant");
    }
    anstream::stderr().write_all(format!("These are not of {domain}. Are they right? [y/N] ").as_bytes())?;
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
