//! What shapes delivery, as the configuration gives it.

use crate::{
    limits::{CONNECT_TIME_MAX, IDLE_CONNECTION_MAX, MESSAGES_PER_CONNECTION_MAX},
    retry::RetrySettings,
    scheduler::Concurrency,
    security::TlsPolicy,
};
use posta_address::{AddressLiteral, Domain, Host, LocalPart, Mailbox};
use posta_dns::{OwnHosts, Ports};
use posta_smtp::client::TimeLimits;
use posta_store::QueueRecipient;
use posta_wire::sasl::client::Credentials;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
    str::FromStr,
    time::Duration,
};
use thiserror::Error;

/// Where mail is handed to without asking for MX records: a smarthost, or a static route's host.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NextHop {
    /// A name (its addresses are looked up) or an address literal.
    pub host: Host,
    /// The port.
    pub port: u16,
    /// It is spoken to in LMTP (RFC 2033): each recipient has its own outcome.
    pub lmtp: bool,
}

/// Where LMTP must not be spoken (RFC 2033 §5).
const SMTP_PORT: u16 = 25;

/// The text is no `host:port`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "expected host:port, for instance mail.example:25, 192.0.2.1:25 or [2001:db8::1]:25, or lmtp:host:port"
)]
pub struct BadNextHop;

impl FromStr for NextHop {
    type Err = BadNextHop;
    fn from_str(text: &str) -> Result<Self, BadNextHop> {
        let (lmtp, text) = match text.strip_prefix("lmtp:") {
            // A host of this name would be written with its port alone.
            Some(rest) if rest.contains(':') => (true, rest),
            _ => (false, text),
        };
        let (host, port) = text.rsplit_once(':').ok_or(BadNextHop)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or(BadNextHop)?;
        // RFC 2033 §5: it must not be used there.
        if lmtp && port == SMTP_PORT {
            return Err(BadNextHop);
        }
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        if let Ok(ip) = bare.parse::<IpAddr>() {
            return Ok(NextHop { host: Host::Literal(AddressLiteral::from(ip)), port, lmtp });
        }
        Ok(NextHop { host: Host::parse(host).map_err(|_| BadNextHop)?, port, lmtp })
    }
}

impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.lmtp { "lmtp:" } else { "" })?;
        match &self.host {
            Host::Literal(literal) => match literal.ip() {
                IpAddr::V6(ip) => write!(f, "[{ip}]:{}", self.port),
                ip => write!(f, "{ip}:{}", self.port),
            },
            Host::Domain(domain) => write!(f, "{domain}:{}", self.port),
        }
    }
}

/// What recipients share when they can travel together.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Destination {
    /// A mail domain, by its mail exchangers, or an address literal.
    Host(Host),
    /// A smarthost or a static route's host.
    Fixed(NextHop),
    /// A domain whose host comes for its mail (RFC 2645).
    Turn(Domain),
    /// The maildrops of this host.
    Here,
}

impl Destination {
    /// The domain or host that mail goes to, if to another.
    pub fn host(&self) -> Option<&Host> {
        match self {
            Destination::Host(host) => Some(host),
            Destination::Fixed(hop) => Some(&hop.host),
            Destination::Turn(_) | Destination::Here => None,
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Destination::Host(host) => host.fmt(f),
            Destination::Fixed(hop) => hop.fmt(f),
            Destination::Turn(domain) => write!(f, "{domain}, whose host comes for it"),
            Destination::Here => f.write_str("maildrops here"),
        }
    }
}

/// All that shapes delivery.
#[derive(Debug, Clone)]
pub struct Settings {
    /// This host's name: in EHLO, and as reporting MTA.
    pub hostname: Domain,
    /// From whom reports come, and who gets double bounces. Its domain should be a hosted one.
    pub postmaster: Mailbox,
    /// Names and endpoints of ours, for cutting MX lists.
    pub own: OwnHosts,
    /// The port of mail exchangers.
    pub ports: Ports,
    /// Everything goes there, except what has a static route.
    pub smarthost: Option<NextHop>,
    /// What we prove ourselves with to the smarthost; nobody else is shown it.
    pub smarthost_credentials: Option<Credentials>,
    /// Mail for these domains goes to these hosts.
    pub static_routes: BTreeMap<Domain, NextHop>,
    /// Mail for these domains waits until their hosts come for it (RFC 2645).
    pub turn_domains: BTreeSet<Domain>,
    /// When to try again, and when to give up.
    pub retry: RetrySettings,
    /// Connections at once.
    pub concurrency: Concurrency,
    /// How long opening a connection may take.
    pub connect_time: Duration,
    /// How long an open connection waits for more mail.
    pub idle_connection: Duration,
    /// Messages over one connection.
    pub messages_per_connection: u32,
    /// Send contents in chunks, with BDAT, to hosts that offer CHUNKING (RFC 3030).
    pub chunking: bool,
    /// TLS to other hosts.
    pub tls: TlsPolicy,
    /// How long to wait for replies.
    pub time_limits: TimeLimits,
}

impl Settings {
    /// Defaults for a host: postmaster at the host itself, port 25, no smarthost.
    pub fn new(hostname: Domain) -> Self {
        let postmaster = LocalPart::parse("postmaster").expect("postmaster is a local-part");
        Settings {
            postmaster: Mailbox::new(postmaster, hostname.clone()),
            own: OwnHosts { names: [hostname.clone()].into(), endpoints: Vec::new() },
            hostname,
            ports: Ports::default(),
            smarthost: None,
            smarthost_credentials: None,
            static_routes: BTreeMap::new(),
            turn_domains: BTreeSet::new(),
            retry: RetrySettings::default(),
            concurrency: Concurrency::default(),
            connect_time: CONNECT_TIME_MAX,
            idle_connection: IDLE_CONNECTION_MAX,
            messages_per_connection: MESSAGES_PER_CONNECTION_MAX,
            chunking: true,
            tls: TlsPolicy::default(),
            time_limits: TimeLimits::default(),
        }
    }

    /// Whether the destination is spoken to in LMTP.
    pub(crate) fn speaks_lmtp(destination: &Destination) -> bool {
        matches!(destination, Destination::Fixed(hop) if hop.lmtp)
    }

    /// What we prove ourselves with at a destination.
    pub(crate) fn credentials(&self, destination: &Destination) -> Option<&Credentials> {
        let is_smarthost =
            matches!(destination, Destination::Fixed(hop) if Some(hop) == self.smarthost.as_ref());
        self.smarthost_credentials.as_ref().filter(|_| is_smarthost)
    }

    /// Where a recipient of the queue goes.
    pub(crate) fn destination_of(&self, recipient: &QueueRecipient) -> Destination {
        match recipient.maildrop {
            Some(_) => Destination::Here,
            None => self.destination(&recipient.mailbox),
        }
    }

    /// Where mail for a recipient elsewhere goes: it waits for its host, static route, smarthost, or its own domain's hosts.
    pub fn destination(&self, mailbox: &Mailbox) -> Destination {
        if let Some(domain) = mailbox.domain().filter(|domain| self.turn_domains.contains(domain)) {
            return Destination::Turn(domain.clone());
        }
        let fixed = mailbox.domain().and_then(|domain| self.static_routes.get(domain));
        match fixed.or(self.smarthost.as_ref()) {
            Some(hop) => Destination::Fixed(hop.clone()),
            None => Destination::Host(mailbox.host().clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_hops() {
        let table = [
            ("mail.example:25", Some("mail.example:25")),
            ("Mail.Example:587", Some("mail.example:587")),
            ("192.0.2.1:25", Some("192.0.2.1:25")),
            ("[192.0.2.1]:25", Some("192.0.2.1:25")),
            ("[2001:db8::1]:2525", Some("[2001:db8::1]:2525")),
            ("[IPv6:2001:db8::1]:2525", Some("[2001:db8::1]:2525")),
            ("lmtp:mail.example:24", Some("lmtp:mail.example:24")),
            ("lmtp:[2001:db8::1]:2424", Some("lmtp:[2001:db8::1]:2424")),
            ("lmtp:24", Some("lmtp:24")),
            ("lmtp:mail.example:25", None),
            ("lmtp:mail.example", None),
            ("mail.example", None),
            ("mail.example:", None),
            ("mail.example:0", None),
            ("mail.example:70000", None),
            (":25", None),
            ("-bad-.example:25", None),
        ];
        for (text, expected) in table {
            let found = text.parse::<NextHop>().ok().map(|hop| hop.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn destinations() {
        let mut settings = Settings::new(Domain::parse("north.example").unwrap());
        let to = |settings: &Settings, text: &str| settings.destination(&text.parse().unwrap()).to_string();
        assert_eq!(to(&settings, "bob@south.example"), "south.example");
        assert_eq!(to(&settings, "bob@[192.0.2.1]"), "[192.0.2.1]");
        settings
            .static_routes
            .insert(Domain::parse("south.example").unwrap(), "10.0.0.1:26".parse().unwrap());
        assert_eq!(to(&settings, "bob@SOUTH.example"), "10.0.0.1:26");
        assert_eq!(to(&settings, "bob@east.example"), "east.example");
        settings.smarthost = Some("smart.example:587".parse().unwrap());
        assert_eq!(to(&settings, "bob@south.example"), "10.0.0.1:26");
        assert_eq!(to(&settings, "bob@east.example"), "smart.example:587");
        assert_eq!(to(&settings, "bob@[192.0.2.1]"), "smart.example:587");
    }
}
