//! Address literals (RFC 5321 §4.1.3).

use crate::{AddressError, serde_as_text};
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// An address in square brackets, in place of a domain (RFC 5321 §4.1.3).
///
/// The grammar also has `[tag:content]` for tags that a standards-track RFC defines; none does but
/// `IPv6`, so that others are no addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AddressLiteral {
    /// `[192.0.2.1]`
    V4(Ipv4Addr),
    /// `[IPv6:2001:db8::1]`
    V6(Ipv6Addr),
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
        if !tag.eq_ignore_ascii_case("ipv6") {
            return Err(AddressError::Literal);
        }
        // Looser than the RFC's `IPv6-comp`, where `::` stands for two groups or more: RFC 4291 §2.2 lets
        // it stand for one.
        content.parse().map(AddressLiteral::V6).map_err(|_| AddressError::Literal)
    }

    /// The IP address.
    pub fn ip(&self) -> IpAddr {
        match self {
            AddressLiteral::V4(v4) => IpAddr::V4(*v4),
            AddressLiteral::V6(v6) => IpAddr::V6(*v6),
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn literals() {
        let cases = [
            ("[192.0.2.1]", Some("[192.0.2.1]")),
            ("[IPv6:2001:DB8::1]", Some("[IPv6:2001:db8::1]")),
            ("[ipv6:::]", Some("[IPv6:::]")),
            ("[IPv6:1:2:3:4:5:6:1.2.3.4]", Some("[IPv6:1:2:3:4:5:6:102:304]")),
            ("[IPv6:::ffff:192.0.2.1]", Some("[IPv6:::ffff:192.0.2.1]")),
            ("192.0.2.1", None),
            ("[192.0.2.1", None),
            ("[]", None),
            ("[192.0.2]", None),
            ("[192.0.2.256]", None),
            ("[ 192.0.2.1]", None),
            ("[2001:db8::1]", None),
            ("[IPv6:1:2:3]", None),
            ("[IPv6:1::2::3]", None),
            ("[IPv6:fe80::1%eth0]", None),
            ("[x-tag:content]", None),
        ];
        for (text, printed) in cases {
            let got = AddressLiteral::parse(text).ok().map(|literal| literal.to_string());
            assert_eq!(got.as_deref(), printed, "{text}");
        }
    }

    proptest! {
        #[test]
        fn printed_and_read_again(ip: IpAddr) {
            let literal = AddressLiteral::from(ip);
            prop_assert_eq!(literal.ip(), ip);
            prop_assert_eq!(literal.to_string().parse(), Ok(literal));
        }
    }
}
