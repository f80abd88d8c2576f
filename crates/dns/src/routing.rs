//! From a mail domain to the hosts that take its mail, in order (RFC 5321 §5.1).

use crate::{
    DnsError, MxRecord, Resolver,
    limits::{ADDRESSES_PER_HOST_MAX, ADDRESSES_PER_ROUTE_MAX, ALIASES_MAX, EXCHANGES_MAX},
};
use posta_address::{AddressLiteral, Domain, Host};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    net::{IpAddr, SocketAddr},
};
use thiserror::Error;

/// Who we are, so that mail is never sent to ourselves or away from the best host (RFC 5321 §5.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OwnHosts {
    /// Host names of ours.
    pub names: BTreeSet<Domain>,
    /// Where we listen for SMTP. An unspecified address (`0.0.0.0`, `[::]`) stands for the loopback
    /// addresses; the addresses of the host's interfaces are to be listed one by one.
    pub endpoints: Vec<SocketAddr>,
}

impl OwnHosts {
    fn has_endpoint(&self, remote: SocketAddr) -> bool {
        let ip = remote.ip().to_canonical();
        self.endpoints.iter().any(|own| {
            let own_ip = own.ip().to_canonical();
            own.port() == remote.port()
                && (own_ip == ip || own_ip.is_unspecified() && (ip.is_loopback() || ip.is_unspecified()))
        })
    }
}

/// Which port a host is spoken to on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports {
    /// For all that are not named; 25 in the real world.
    pub default: u16,
    /// For some hosts; makes little internets on one machine possible.
    pub by_host: BTreeMap<Domain, u16>,
}

impl Default for Ports {
    fn default() -> Self {
        Ports { default: 25, by_host: BTreeMap::new() }
    }
}

impl Ports {
    /// The port of a host.
    pub fn of(&self, host: &Domain) -> u16 {
        self.by_host.get(host).copied().unwrap_or(self.default)
    }
}

/// A host that takes the mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteHost {
    /// Its name, or an address literal.
    pub name: Host,
    /// Its MX preference; 0 for an implicit MX or a literal.
    pub preference: u16,
    /// Where to connect, in order; at least one.
    pub addresses: Vec<SocketAddr>,
}

/// Where a destination's mail goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// To be tried in this order; at least one.
    pub hosts: Vec<RouteHost>,
    /// Each DNS question with its answer and each decision, in plain words, in order.
    pub steps: Vec<String>,
}

/// Why there is no route. Transient or permanent is in the variant.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RouteError {
    /// The DNS could not be asked. The only transient one.
    #[error("{0}")]
    Temporary(DnsError),
    /// The domain does not exist (RFC 5321 §5.1: "MUST be reported as an error").
    #[error("the domain {0} does not exist")]
    NoSuchDomain(String),
    /// The domain says that it takes no mail (RFC 7505).
    #[error("the domain {0} accepts no mail (it has a null MX)")]
    NullMx(String),
    /// Neither mail exchangers nor addresses, or none that can be used (RFC 5321 §5.1: "MUST be
    /// reported as an error").
    #[error("no usable mail host: {0}")]
    NoUsableHost(String),
    /// We are the best mail exchanger ourselves, but do not take mail for the domain.
    #[error("mail for {0} would loop back to this host")]
    LoopsBack(String),
    /// The aliases go in a circle, or the chain of them is too long.
    #[error("{0} is an alias that leads nowhere")]
    AliasLoop(String),
}

impl RouteError {
    /// Whether a later try may succeed.
    pub fn is_transient(&self) -> bool {
        matches!(self, RouteError::Temporary(_))
    }

    /// Class, subject and detail of the enhanced status (RFC 3463 §3.2, §3.5; RFC 7505 §4.1).
    pub fn status(&self) -> (u8, u16, u16) {
        match self {
            RouteError::Temporary(_) => (4, 4, 3),
            RouteError::NoSuchDomain(_) => (5, 1, 2),
            RouteError::NullMx(_) => (5, 1, 10),
            RouteError::NoUsableHost(_) | RouteError::AliasLoop(_) => (5, 4, 4),
            RouteError::LoopsBack(_) => (5, 4, 6),
        }
    }

    /// The reply code that says the same (RFC 5321 §4.2.3; RFC 7504 §3 and RFC 7505 §4.1 for 556).
    pub fn reply_code(&self) -> u16 {
        match self {
            RouteError::Temporary(_) => 451,
            RouteError::NullMx(_) => 556,
            _ => 550,
        }
    }
}

/// An error with the questions and answers that led to it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{error}")]
pub struct RouteFailure {
    /// Why.
    pub error: RouteError,
    /// As in [`Route::steps`].
    pub steps: Vec<String>,
}

/// Finds the hosts for a destination.
///
/// `random_below(n)` gives a number from 0 to n-1; it orders hosts of equal preference
/// (RFC 5321 §5.1: "MUST randomize them to spread the load").
pub async fn route(
    resolver: &dyn Resolver,
    destination: &Host,
    own: &OwnHosts,
    ports: &Ports,
    random_below: &mut (dyn FnMut(usize) -> usize + Send),
) -> Result<Route, RouteFailure> {
    let mut search = Search { resolver, own, ports, steps: Vec::new() };
    let found = match destination {
        Host::Literal(literal) => search.literal(literal),
        Host::Domain(domain) => search.domain(domain, random_below).await,
    };
    search.end(found)
}

/// Finds the addresses of a host that is given (a smarthost, a static route): no MX records are asked
/// for.
pub async fn fixed_route(
    resolver: &dyn Resolver,
    host: &Host,
    port: u16,
    own: &OwnHosts,
) -> Result<Route, RouteFailure> {
    let ports = Ports { default: port, by_host: BTreeMap::new() };
    // A host of ours on another port (a filter, say) is not ourselves: only endpoints count.
    let own = OwnHosts { names: BTreeSet::new(), endpoints: own.endpoints.clone() };
    let mut search = Search { resolver, own: &own, ports: &ports, steps: Vec::new() };
    search.steps.push(format!("the configuration names the next host: {host}, port {port}"));
    let found = match host {
        Host::Literal(literal) => search.literal(literal),
        Host::Domain(name) => search.usable_hosts(name, vec![(0, vec![name.clone()])]).await,
    };
    search.end(found)
}

/// What is needed on the way, and what was learnt so far.
struct Search<'a> {
    resolver: &'a dyn Resolver,
    own: &'a OwnHosts,
    ports: &'a Ports,
    steps: Vec<String>,
}

/// What was found out about one exchange.
enum Exchange {
    Usable(RouteHost),
    Own,
    /// No address; the error tells whether for now or for good.
    Without(DnsError),
}

impl Search<'_> {
    fn end(mut self, found: Result<Vec<RouteHost>, RouteError>) -> Result<Route, RouteFailure> {
        match found {
            Ok(hosts) => Ok(Route { hosts, steps: self.steps }),
            Err(error) => {
                self.steps.push(error.to_string());
                Err(RouteFailure { error, steps: self.steps })
            }
        }
    }

    /// RFC 1123 §5.3.4, RFC 5321 §4.1.3: straight to the address, no look-up.
    fn literal(&mut self, literal: &AddressLiteral) -> Result<Vec<RouteHost>, RouteError> {
        let remote = SocketAddr::new(literal.ip(), self.ports.default);
        if self.own.has_endpoint(remote) {
            return Err(RouteError::LoopsBack(literal.to_string()));
        }
        self.steps.push(format!("{literal} is an address literal: no look-up"));
        Ok(vec![RouteHost { name: Host::Literal(*literal), preference: 0, addresses: vec![remote] }])
    }

    async fn domain(
        &mut self,
        domain: &Domain,
        random_below: &mut (dyn FnMut(usize) -> usize + Send),
    ) -> Result<Vec<RouteHost>, RouteError> {
        let name = self.canonical_name(domain).await?;
        let exchanges = self.exchanges(&name).await?;
        let groups = by_preference(exchanges, random_below);
        self.usable_hosts(domain, groups).await
    }

    /// RFC 5321 §5.1: "If a CNAME record is found, the resulting name is processed as if it were
    /// the initial name."
    async fn canonical_name(&mut self, domain: &Domain) -> Result<Domain, RouteError> {
        let mut name = domain.clone();
        for _ in 0..=ALIASES_MAX {
            let found = self.resolver.cname(&name).await;
            match &found {
                Ok(Some(target)) => self.say("CNAME", &name, target),
                Ok(None) => self.say("CNAME", &name, "none"),
                Err(error) => self.say("CNAME", &name, error),
            }
            match found {
                Ok(Some(target)) => name = target,
                Ok(None) => return Ok(name),
                Err(error) if error.is_transient() => return Err(RouteError::Temporary(error)),
                // Whether the name exists at all is for the MX look-up to say.
                Err(_) => return Ok(name),
            }
        }
        Err(RouteError::AliasLoop(domain.to_string()))
    }

    /// The MX records, or the implicit one (RFC 5321 §5.1).
    async fn exchanges(&mut self, name: &Domain) -> Result<Vec<(u16, Domain)>, RouteError> {
        let records = match self.resolver.mx(name).await {
            Ok(records) => records,
            // Only when the name exists and has no MX: not when it does not exist, and not when
            // the answer is unknown.
            Err(DnsError::NoRecord(_)) => {
                self.say("MX", name, "none");
                self.steps.push(format!("no MX record, so {name} itself is the host (implicit MX)"));
                return Ok(vec![(0, name.clone())]);
            }
            Err(error) => {
                self.say("MX", name, &error);
                return Err(match error {
                    DnsError::NoSuchName(_) => RouteError::NoSuchDomain(name.to_string()),
                    error if error.is_transient() => RouteError::Temporary(error),
                    error => RouteError::NoUsableHost(error.to_string()),
                });
            }
        };
        self.say("MX", name, describe(&records));
        let named: Vec<(u16, Domain)> = records
            .into_iter()
            .filter_map(|record| record.exchange.map(|exchange| (record.preference, exchange)))
            .collect();
        // RFC 7505 §3: a null MX stands alone; among others it means nothing.
        if named.is_empty() {
            return Err(RouteError::NullMx(name.to_string()));
        }
        Ok(named)
    }

    /// Looks up the addresses, group by group, until the hosts suffice or we find ourselves.
    async fn usable_hosts(
        &mut self,
        domain: &Domain,
        groups: Vec<(u16, Vec<Domain>)>,
    ) -> Result<Vec<RouteHost>, RouteError> {
        let mut hosts: Vec<RouteHost> = Vec::new();
        let mut transient: Option<DnsError> = None;
        let mut permanent: Option<DnsError> = None;
        let mut addresses_left = ADDRESSES_PER_ROUTE_MAX;
        let mut found_own = false;
        for (preference, names) in groups {
            let mut group = Vec::new();
            for name in names {
                match self.exchange(preference, &name).await {
                    Exchange::Usable(host) => group.push(host),
                    Exchange::Own => found_own = true,
                    Exchange::Without(error) if error.is_transient() => transient = Some(error),
                    Exchange::Without(error) => permanent = Some(error),
                }
            }
            // RFC 5321 §5.1: when the list has an address of ours, all records of that preference
            // and of less preferred ones MUST be discarded.
            if found_own {
                self.steps.push(format!(
                    "preference {preference} is this host itself: it and all after it are left out"
                ));
                break;
            }
            for mut host in group {
                host.addresses.truncate(addresses_left);
                addresses_left -= host.addresses.len();
                if !host.addresses.is_empty() {
                    hosts.push(host);
                }
            }
        }
        match (hosts.is_empty(), transient, found_own) {
            (false, ..) => Ok(hosts),
            // A better host than ourselves may come back.
            (true, Some(error), _) => Err(RouteError::Temporary(error)),
            (true, None, true) => Err(RouteError::LoopsBack(domain.to_string())),
            // RFC 5321 §5.1: MX records of which none is usable, or an unusable implicit MX: "MUST
            // be reported as an error". The DNS has answered; waiting does not change its answer.
            (true, None, false) => Err(RouteError::NoUsableHost(
                permanent.map_or_else(|| domain.to_string(), |error| error.to_string()),
            )),
        }
    }

    async fn exchange(&mut self, preference: u16, name: &Domain) -> Exchange {
        if self.own.names.contains(name) {
            return Exchange::Own;
        }
        // RFC 5321 §5.1 and RFC 2181 §10.3 say that an exchange must not be an alias; many are, and
        // following costs nothing, so the resolver's own following of CNAMEs is let through here.
        let (v4, v6) = tokio::join!(self.resolver.a(name), self.resolver.aaaa(name));
        self.say("A", name, describe_addresses(&v4));
        self.say("AAAA", name, describe_addresses(&v6));
        let port = self.ports.of(name);
        let addresses: Vec<SocketAddr> = interleave(
            v6.iter().flatten().map(|ip| IpAddr::V6(*ip)),
            v4.iter().flatten().map(|ip| IpAddr::V4(*ip)),
        )
        .map(|ip| SocketAddr::new(ip, port))
        .take(ADDRESSES_PER_HOST_MAX)
        .collect();
        if addresses.iter().any(|remote| self.own.has_endpoint(*remote)) {
            return Exchange::Own;
        }
        match (addresses.is_empty(), v4, v6) {
            (true, _, Err(error)) if error.is_transient() => Exchange::Without(error),
            (true, Err(error), _) => Exchange::Without(error),
            (true, Ok(_), _) => Exchange::Without(DnsError::NoRecord(name.to_string())),
            (false, ..) => {
                Exchange::Usable(RouteHost { name: Host::Domain(name.clone()), preference, addresses })
            }
        }
    }

    fn say(&mut self, record_type: &str, name: &Domain, answer: impl Display) {
        self.steps.push(format!("{record_type} {name}? {answer}"));
    }
}

/// Best first, equals in random order, no more than [`EXCHANGES_MAX`].
fn by_preference(
    mut exchanges: Vec<(u16, Domain)>,
    random_below: &mut (dyn FnMut(usize) -> usize + Send),
) -> Vec<(u16, Vec<Domain>)> {
    // Fisher and Yates; the stable sort afterwards keeps the random order among equals.
    for last in (1..exchanges.len()).rev() {
        exchanges.swap(last, random_below(last + 1).min(last));
    }
    exchanges.sort_by_key(|(preference, _)| *preference);
    exchanges.truncate(EXCHANGES_MAX);
    let mut groups: Vec<(u16, Vec<Domain>)> = Vec::new();
    for (preference, name) in exchanges {
        match groups.last_mut() {
            Some((last, names)) if *last == preference => {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            _ => groups.push((preference, vec![name])),
        }
    }
    groups
}

/// One of each in turn, so that a host without working IPv6 costs one failure, not one per address.
fn interleave(
    mut first: impl Iterator<Item = IpAddr>,
    mut second: impl Iterator<Item = IpAddr>,
) -> impl Iterator<Item = IpAddr> {
    let mut turn = false;
    std::iter::from_fn(move || {
        turn = !turn;
        if turn { first.next().or_else(|| second.next()) } else { second.next().or_else(|| first.next()) }
    })
}

fn describe(records: &[MxRecord]) -> String {
    let mut sorted: Vec<&MxRecord> = records.iter().collect();
    sorted.sort_by_key(|record| record.preference);
    let texts: Vec<String> = sorted
        .into_iter()
        .take(EXCHANGES_MAX)
        .map(|record| match &record.exchange {
            Some(exchange) => format!("{} {exchange}", record.preference),
            None => format!("{} .", record.preference),
        })
        .collect();
    texts.join(", ")
}

fn describe_addresses<T: Display>(addresses: &Result<Vec<T>, DnsError>) -> String {
    match addresses {
        Ok(addresses) => {
            let texts: Vec<String> =
                addresses.iter().take(ADDRESSES_PER_HOST_MAX).map(T::to_string).collect();
            texts.join(", ")
        }
        Err(DnsError::NoRecord(_)) => "none".to_owned(),
        Err(error) => error.to_string(),
    }
}
