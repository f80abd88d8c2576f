//! Local-part and host together.

use crate::{AddressError, AddressLiteral, Domain, LocalPart, serde_as_text};
use std::{fmt, str::FromStr};

/// What stands right of the `@`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Host {
    /// A domain name.
    Domain(Domain),
    /// An address literal.
    Literal(AddressLiteral),
}

impl Host {
    /// Reads either form.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        match text.as_bytes().first() {
            None => Err(AddressError::DomainMissing),
            Some(b'[') => AddressLiteral::parse(text).map(Host::Literal),
            Some(_) => Domain::parse(text).map(Host::Domain),
        }
    }

    /// As text without U-labels.
    pub fn to_ascii(&self) -> String {
        match self {
            Host::Domain(domain) => domain.to_ascii().to_owned(),
            Host::Literal(literal) => literal.to_string(),
        }
    }

    /// The domain, if it is one.
    pub fn domain(&self) -> Option<&Domain> {
        match self {
            Host::Domain(domain) => Some(domain),
            Host::Literal(_) => None,
        }
    }
}

impl From<Domain> for Host {
    fn from(domain: Domain) -> Self {
        Host::Domain(domain)
    }
}
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Domain(domain) => domain.fmt(f),
            Host::Literal(literal) => literal.fmt(f),
        }
    }
}
impl FromStr for Host {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        Host::parse(text)
    }
}
serde_as_text!(Host);

/// `local-part@host` (RFC 5321 §4.1.2 `Mailbox`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mailbox {
    local_part: LocalPart,
    host: Host,
}

impl Mailbox {
    /// Joins the two.
    pub fn new(local_part: LocalPart, host: impl Into<Host>) -> Self {
        Mailbox { local_part, host: host.into() }
    }

    /// Reads `local-part@host`.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        // The last `@` divides: one inside quotes always has the real one after it.
        let (local_part, host) = text.rsplit_once('@').ok_or(AddressError::DomainMissing)?;
        Ok(Mailbox { local_part: LocalPart::parse(local_part)?, host: Host::parse(host)? })
    }

    /// Left of the `@`.
    pub fn local_part(&self) -> &LocalPart {
        &self.local_part
    }

    /// Right of the `@`.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The domain, unless the host is an address literal.
    pub fn domain(&self) -> Option<&Domain> {
        self.host.domain()
    }

    /// Whether it can be sent without SMTPUTF8 as it stands.
    pub fn is_ascii(&self) -> bool {
        self.local_part.is_ascii() && self.domain().is_none_or(Domain::is_ascii)
    }

    /// The same with A-labels in its domain, if its local-part lets it be sent without SMTPUTF8.
    pub fn to_ascii(&self) -> Option<Mailbox> {
        let host = match &self.host {
            Host::Domain(domain) => Host::Domain(domain.with_a_labels()),
            Host::Literal(literal) => Host::Literal(literal.clone()),
        };
        self.local_part.is_ascii().then(|| Mailbox { local_part: self.local_part.clone(), host })
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local_part, self.host)
    }
}
impl FromStr for Mailbox {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        Mailbox::parse(text)
    }
}
serde_as_text!(Mailbox);
