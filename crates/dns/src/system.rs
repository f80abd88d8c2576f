//! The real resolver: asks the servers of the system's configuration, or those given.

use crate::{
    DnsError, MxRecord, Resolver, SrvRecord,
    limits::{
        CACHE_ENTRIES_MAX, NEGATIVE_TTL_MAX, POSITIVE_TTL_MAX, QUESTION_ATTEMPTS, QUESTION_TIME_MAX,
        TEXT_OCTETS_MAX,
    },
};
use async_trait::async_trait;
use hickory_proto::{
    op::ResponseCode,
    rr::{Name, RData, RecordType},
};
use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts},
    net::{DnsError as HickoryDnsError, NetError, runtime::TokioRuntimeProvider},
};
use posta_address::Domain;
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

/// Asks recursive name servers over UDP and TCP; keeps answers as long as they say, within limits.
pub struct DnsResolver {
    inner: TokioResolver,
}

impl DnsResolver {
    /// Asks the servers named in `/etc/resolv.conf`. `Temporary` if there is none to ask.
    pub fn system() -> Result<Self, DnsError> {
        let unusable = |error: NetError| DnsError::Temporary {
            name: "/etc/resolv.conf".to_owned(),
            reason: error.to_string(),
        };
        let (config, options) = hickory_resolver::system_conf::read_system_conf().map_err(unusable)?;
        let servers = config.name_servers().to_vec();
        Self::build(servers, options, QUESTION_TIME_MAX)
    }

    /// Asks these servers.
    pub fn with_servers(servers: &[SocketAddr]) -> Result<Self, DnsError> {
        Self::with_patience(servers, QUESTION_TIME_MAX)
    }

    /// Asks these servers, and waits this long for one answer.
    pub fn with_patience(servers: &[SocketAddr], question_time: Duration) -> Result<Self, DnsError> {
        let configs = servers.iter().map(|server| {
            let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
            connections.iter_mut().for_each(|connection| connection.port = server.port());
            NameServerConfig::new(server.ip(), true, connections)
        });
        Self::build(configs.collect(), ResolverOpts::default(), question_time)
    }

    fn build(
        servers: Vec<NameServerConfig>,
        mut options: ResolverOpts,
        question_time: Duration,
    ) -> Result<Self, DnsError> {
        // No domain and no search list: mail knows only full names (RFC 5321 §2.3.5). And no hosts
        // file: where mail goes is what the DNS says, the same as everybody else sees.
        let config = ResolverConfig::from_name_servers(servers);
        options.use_hosts_file = ResolveHosts::Never;
        options.timeout = question_time;
        options.attempts = QUESTION_ATTEMPTS;
        options.cache_size = CACHE_ENTRIES_MAX;
        options.positive_max_ttl = Some(POSITIVE_TTL_MAX);
        options.negative_max_ttl = Some(NEGATIVE_TTL_MAX);
        options.edns0 = true;
        options.try_tcp_on_error = true;
        let inner = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            .with_options(options)
            .build()
            .map_err(|error| DnsError::Temporary {
                name: "resolver".to_owned(),
                reason: error.to_string(),
            })?;
        Ok(DnsResolver { inner })
    }

    /// Forgets all answers.
    pub fn clear_cache(&self) {
        self.inner.clear_cache();
    }

    async fn look_up(&self, name: Name, record_type: RecordType) -> Result<Vec<RData>, DnsError> {
        let text = display_name(&name);
        let found = self.inner.lookup(name, record_type).await.map_err(|error| map_error(&text, error))?;
        let data: Vec<RData> = found
            .answers()
            .iter()
            .filter(|record| record.record_type() == record_type)
            .map(|record| record.data.clone())
            .collect();
        if data.is_empty() { Err(DnsError::NoRecord(text)) } else { Ok(data) }
    }
}

/// Which kind of failure it is, decided by type and response code alone.
fn map_error(name: &str, error: NetError) -> DnsError {
    if let NetError::Dns(HickoryDnsError::NoRecordsFound(nothing)) = &error {
        match nothing.response_code {
            ResponseCode::NXDomain => return DnsError::NoSuchName(name.to_owned()),
            // Name servers without an SOA are a referral (RFC 2308 §2.2): the server sent us on
            // instead of answering, so nothing is known.
            ResponseCode::NoError if nothing.soa.is_some() || nothing.ns.is_none() => {
                return DnsError::NoRecord(name.to_owned());
            }
            _ => {}
        }
    }
    DnsError::Temporary { name: name.to_owned(), reason: error.to_string() }
}

/// With the final dot, so that no search list is applied.
fn absolute(domain: &Domain) -> Result<Name, DnsError> {
    let mut name =
        Name::from_ascii(domain.to_ascii()).map_err(|_| DnsError::NoSuchName(domain.to_string()))?;
    name.set_fqdn(true);
    Ok(name)
}

fn display_name(name: &Name) -> String {
    let text = name.to_ascii();
    text.strip_suffix('.').unwrap_or(&text).to_owned()
}

/// A name out of the DNS as a mail host; `None` if it is none.
fn domain(name: &Name) -> Option<Domain> {
    Domain::parse(&display_name(name)).ok()
}

#[async_trait]
impl Resolver for DnsResolver {
    async fn cname(&self, name: &Domain) -> Result<Option<Domain>, DnsError> {
        match self.look_up(absolute(name)?, RecordType::CNAME).await {
            Ok(found) => Ok(found.iter().find_map(|data| match data {
                RData::CNAME(target) => domain(&target.0),
                _ => None,
            })),
            Err(DnsError::NoRecord(_) | DnsError::NoSuchName(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn mx(&self, name: &Domain) -> Result<Vec<MxRecord>, DnsError> {
        let found = self.look_up(absolute(name)?, RecordType::MX).await?;
        let records: Vec<MxRecord> = found
            .iter()
            .filter_map(|data| match data {
                RData::MX(mx) if mx.exchange.is_root() => {
                    Some(MxRecord { preference: mx.preference, exchange: None })
                }
                RData::MX(mx) => domain(&mx.exchange)
                    .map(|exchange| MxRecord { preference: mx.preference, exchange: Some(exchange) }),
                _ => None,
            })
            .collect();
        if records.is_empty() {
            let reason = "its mail exchangers are no host names".to_owned();
            return Err(DnsError::Unusable { name: name.to_string(), reason });
        }
        Ok(records)
    }

    async fn a(&self, name: &Domain) -> Result<Vec<Ipv4Addr>, DnsError> {
        let found = self.look_up(absolute(name)?, RecordType::A).await?;
        let pick = |data: &RData| if let RData::A(ip) = data { Some(ip.0) } else { None };
        Ok(found.iter().filter_map(pick).collect())
    }

    async fn aaaa(&self, name: &Domain) -> Result<Vec<Ipv6Addr>, DnsError> {
        let found = self.look_up(absolute(name)?, RecordType::AAAA).await?;
        let pick = |data: &RData| if let RData::AAAA(ip) = data { Some(ip.0) } else { None };
        Ok(found.iter().filter_map(pick).collect())
    }

    async fn txt(&self, name: &Domain) -> Result<Vec<Vec<u8>>, DnsError> {
        let found = self.look_up(absolute(name)?, RecordType::TXT).await?;
        let mut left = TEXT_OCTETS_MAX;
        let mut texts = Vec::new();
        for data in &found {
            let RData::TXT(txt) = data else { continue };
            let text = txt.txt_data.concat();
            let Some(rest) = left.checked_sub(text.len()) else { break };
            left = rest;
            texts.push(text);
        }
        Ok(texts)
    }

    async fn srv(&self, service: &str, name: &Domain) -> Result<Vec<SrvRecord>, DnsError> {
        let whole = format!("{service}.{}", name.to_ascii());
        let mut asked = Name::from_ascii(&whole).map_err(|_| DnsError::NoSuchName(whole.clone()))?;
        asked.set_fqdn(true);
        let found = self.look_up(asked, RecordType::SRV).await?;
        let records: Vec<SrvRecord> = found
            .iter()
            .filter_map(|data| {
                let RData::SRV(srv) = data else { return None };
                // A target that is no host name is passed over; the root means that there is no service.
                let target = if srv.target.is_root() { None } else { Some(domain(&srv.target)?) };
                Some(SrvRecord { priority: srv.priority, weight: srv.weight, port: srv.port, target })
            })
            .collect();
        match records.is_empty() {
            true => Err(DnsError::Unusable { name: whole, reason: "its targets are no host names".into() }),
            false => Ok(records),
        }
    }

    async fn ptr(&self, address: IpAddr) -> Result<Vec<Domain>, DnsError> {
        let found = self.look_up(Name::from(address), RecordType::PTR).await?;
        let names: Vec<Domain> = found
            .iter()
            .filter_map(|data| if let RData::PTR(name) = data { domain(&name.0) } else { None })
            .collect();
        if names.is_empty() {
            let reason = "its names are no host names".to_owned();
            return Err(DnsError::Unusable { name: address.to_string(), reason });
        }
        Ok(names)
    }
}
