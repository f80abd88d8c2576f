//! Where a service is: `host:port`.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use thiserror::Error;

/// A host (name or IP address) and a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    host: String,
    port: u16,
}

/// The text is no endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not HOST:PORT, like mail.example.org:25, 127.0.0.1:2525 or [::1]:110")]
pub struct BadEndpoint(String);

impl Endpoint {
    /// The name or address, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Reads `host:port`; without a port, `default_port` is taken.
    pub fn parse(text: &str, default_port: u16) -> Result<Endpoint, BadEndpoint> {
        let bad = || BadEndpoint(text.to_owned());
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, rest) = rest.split_once(']').ok_or_else(bad)?;
                address.parse::<std::net::Ipv6Addr>().map_err(|_| bad())?;
                (address, rest.strip_prefix(':').or(rest.is_empty().then_some("")).ok_or_else(bad)?)
            }
            None => text.split_once(':').unwrap_or((text, "")),
        };
        let valid = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-' | b'_' | b':');
        let named = !host.is_empty() && host.len() <= 253 && host.bytes().all(valid);
        let port = if port.is_empty() { default_port } else { port.parse().map_err(|_| bad())? };
        if !named || port == 0 {
            return Err(bad());
        }
        Ok(Endpoint { host: host.to_owned(), port })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Endpoint { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

impl FromStr for Endpoint {
    type Err = BadEndpoint;
    fn from_str(text: &str) -> Result<Endpoint, BadEndpoint> {
        // Port 0 is none, so a missing one is an error here.
        Endpoint::parse(text, 0)
    }
}

impl Serialize for Endpoint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read_and_printed() {
        for text in ["mail.example.org:25", "127.0.0.1:2525", "[::1]:110", "localhost:1"] {
            assert_eq!(text.parse::<Endpoint>().map(|endpoint| endpoint.to_string()), Ok(text.to_owned()));
        }
        assert_eq!(
            Endpoint::parse("mail.example.org", 25).map(|found| found.to_string()),
            Ok("mail.example.org:25".into())
        );
        assert_eq!(Endpoint::parse("[::1]", 25).map(|found| found.to_string()), Ok("[::1]:25".into()));
        for text in
            ["", ":25", "host", "host:", "host:x", "host:0", "host:65536", "a b:1", "[::1", "[x]:1", "a\n:1"]
        {
            assert!(text.parse::<Endpoint>().is_err(), "{text:?}");
        }
    }
}
