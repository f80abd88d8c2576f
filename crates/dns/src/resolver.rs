//! What the rest of Posta asks of the DNS.

use async_trait::async_trait;
use posta_address::Domain;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use thiserror::Error;

/// Why a look-up gave nothing. Whether to try again later is in the type.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DnsError {
    /// The name does not exist (NXDOMAIN). Permanent.
    #[error("{0} does not exist in the DNS")]
    NoSuchName(String),
    /// The name exists, but has no record of this type. Permanent.
    #[error("{0} has no such record")]
    NoRecord(String),
    /// Records of this type exist, but none can be used (for instance MX records whose exchanges
    /// are no host names). Permanent: there *are* records, so it must not be taken for `NoRecord`.
    #[error("{name}: {reason}")]
    Unusable {
        /// What was asked.
        name: String,
        /// In words.
        reason: String,
    },
    /// Time-out, SERVFAIL, no server reachable. Transient.
    #[error("looking up {name}: {reason}")]
    Temporary {
        /// What was asked.
        name: String,
        /// In words.
        reason: String,
    },
}

impl DnsError {
    /// Whether a later try may succeed.
    pub fn is_transient(&self) -> bool {
        matches!(self, DnsError::Temporary { .. })
    }
}

/// One MX record (RFC 1035 §3.3.9).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MxRecord {
    /// Lower is tried first.
    pub preference: u16,
    /// The host; `None` is the root, that is the null MX (RFC 7505).
    pub exchange: Option<Domain>,
}

/// One SRV record (RFC 2782).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SrvRecord {
    /// Lower is tried first.
    pub priority: u16,
    /// Of those with the same priority, a higher one is chosen more often.
    pub weight: u16,
    /// Where the host listens.
    pub port: u16,
    /// The host; `None` is the root: the service is decidedly not offered.
    pub target: Option<Domain>,
}

/// Look-ups. An empty answer is an error (`NoRecord`), never an empty list.
///
/// Names are absolute: no search list is ever applied (RFC 5321 §2.3.5 knows only fully-qualified
/// names). Look-ups other than [`cname`](Resolver::cname) follow aliases, as resolvers do.
#[async_trait]
pub trait Resolver: Send + Sync + 'static {
    /// The target, if `name` is an alias; `None` if it is none (existing or not).
    async fn cname(&self, name: &Domain) -> Result<Option<Domain>, DnsError>;
    /// MX records, in the order the DNS gave them.
    async fn mx(&self, name: &Domain) -> Result<Vec<MxRecord>, DnsError>;
    /// IPv4 addresses.
    async fn a(&self, name: &Domain) -> Result<Vec<Ipv4Addr>, DnsError>;
    /// IPv6 addresses.
    async fn aaaa(&self, name: &Domain) -> Result<Vec<Ipv6Addr>, DnsError>;
    /// Text records, their strings joined.
    async fn txt(&self, name: &Domain) -> Result<Vec<Vec<u8>>, DnsError>;
    /// SRV records of a service, written like `_submissions._tcp` (RFC 2782), at a domain. Resolvers that
    /// know of none say so.
    async fn srv(&self, service: &str, name: &Domain) -> Result<Vec<SrvRecord>, DnsError> {
        Err(DnsError::NoRecord(format!("{service}.{name}")))
    }
    /// Names of an address.
    async fn ptr(&self, address: IpAddr) -> Result<Vec<Domain>, DnsError>;
}
