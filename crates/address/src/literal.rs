//! Address literals (RFC 5321 §4.1.3).

use crate::{AddressError, serde_as_text};
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
    sync::Arc,
};

/// An address in square brackets, in place of a domain (RFC 5321 §4.1.3).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AddressLiteral {
    /// `[192.0.2.1]`
    V4(Ipv4Addr),
    /// `[IPv6:2001:db8::1]`
    V6(Ipv6Addr),
    /// `[tag:content]` of a kind that nobody has standardised yet.
    General {
        /// The standardised tag, lower-cased.
        tag: Arc<str>,
        /// What follows the colon.
        content: Arc<str>,
    },
}

impl AddressLiteral {
    /// Reads a literal with its brackets.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let inner =
            text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).ok_or(AddressError::Literal)?;
        if let Ok(v4) = inner.parse() {
            return Ok(AddressLiteral::V4(v4));
        }
        let (tag, content) = inner.split_once(':').ok_or(AddressError::Literal)?;
        if tag.eq_ignore_ascii_case("ipv6") {
            return content.parse().map(AddressLiteral::V6).map_err(|_| AddressError::Literal);
        }
        let tag_ok = !tag.is_empty()
            && !tag.ends_with('-')
            && tag.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-');
        // dcontent = %d33-90 / %d94-126
        let content_ok =
            !content.is_empty() && content.bytes().all(|octet| matches!(octet, 33..=90 | 94..=126));
        if inner.len() > 253 || !tag_ok || !content_ok {
            return Err(AddressError::Literal);
        }
        Ok(AddressLiteral::General { tag: tag.to_ascii_lowercase().into(), content: content.into() })
    }

    /// The IP address, unless the literal is of another kind.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            AddressLiteral::V4(v4) => Some(IpAddr::V4(*v4)),
            AddressLiteral::V6(v6) => Some(IpAddr::V6(*v6)),
            AddressLiteral::General { .. } => None,
        }
    }
}

impl From<IpAddr> for AddressLiteral {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(v4) => AddressLiteral::V4(v4),
            IpAddr::V6(v6) => AddressLiteral::V6(v6),
        }
    }
}
impl fmt::Display for AddressLiteral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AddressLiteral::V4(v4) => write!(f, "[{v4}]"),
            AddressLiteral::V6(v6) => write!(f, "[IPv6:{v6}]"),
            AddressLiteral::General { tag, content } => write!(f, "[{tag}:{content}]"),
        }
    }
}
impl FromStr for AddressLiteral {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        AddressLiteral::parse(text)
    }
}
serde_as_text!(AddressLiteral);
