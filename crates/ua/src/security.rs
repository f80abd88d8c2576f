//! How a connection to a server is protected, and what must not be said without protection.

use crate::{Endpoint, Outside};
use posta_runtime::tls::{Connector, Demand, TlsEnd};
use posta_smtp::client::TlsUse;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// The ports where TLS comes first (RFC 8314 §3.2, §3.3).
const SUBMISSIONS_PORT: u16 = 465;
const POP3S_PORT: u16 = 995;

/// How connections to a server are protected. Whatever is chosen, a password goes in the clear to this
/// machine only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// By what the port says and the server offers; on this machine, not at all.
    #[default]
    Auto,
    /// Not at all.
    None,
    /// By STARTTLS or STLS; without it nothing is said.
    StartTls,
    /// By TLS from the first octet on.
    Tls,
}

/// What a connection is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Protection {
    /// As the SMTP session calls it.
    pub(crate) tls: TlsUse,
    demand: Demand,
    /// The server is on this machine.
    pub(crate) is_here: bool,
}

impl Security {
    pub(crate) fn protection(self, endpoint: &Endpoint, remote: SocketAddr) -> Protection {
        let is_here = remote.ip().is_loopback();
        let is_tls_port = matches!(endpoint.port(), SUBMISSIONS_PORT | POP3S_PORT);
        let (tls, demand) = match self {
            Security::None => (TlsUse::Never, Demand::Noted),
            Security::StartTls => (TlsUse::Required, Demand::Verified),
            Security::Tls => (TlsUse::Implicit, Demand::Verified),
            Security::Auto if is_tls_port => (TlsUse::Implicit, Demand::Verified),
            Security::Auto if is_here => (TlsUse::Never, Demand::Noted),
            Security::Auto => (TlsUse::IfOffered, Demand::Verified),
        };
        Protection { tls, demand, is_here }
    }
}

impl Protection {
    /// Our end, if TLS may be begun.
    pub(crate) fn end(self, outside: &Outside, endpoint: &Endpoint, remote: SocketAddr) -> Option<TlsEnd> {
        let connector = || Connector::new(outside.trust.clone(), endpoint.host(), remote.ip(), self.demand);
        (self.tls != TlsUse::Never).then(|| TlsEnd::Connect(connector()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protections() {
        use TlsUse::{IfOffered, Implicit, Never, Required};
        let table = [
            (Security::Auto, "mail.example:587", "192.0.2.1:587", IfOffered, Demand::Verified),
            (Security::Auto, "mail.example:465", "192.0.2.1:465", Implicit, Demand::Verified),
            (Security::Auto, "mail.example:995", "127.0.0.1:995", Implicit, Demand::Verified),
            (Security::Auto, "localhost:2525", "127.0.0.1:2525", Never, Demand::Noted),
            (Security::None, "mail.example:995", "192.0.2.1:995", Never, Demand::Noted),
            (Security::StartTls, "localhost:2525", "[::1]:2525", Required, Demand::Verified),
            (Security::Tls, "mail.example:2525", "192.0.2.1:2525", Implicit, Demand::Verified),
        ];
        for (security, endpoint, remote, tls, demand) in table {
            let endpoint: Endpoint = endpoint.parse().expect("an endpoint");
            let protection = security.protection(&endpoint, remote.parse().expect("an address"));
            assert_eq!(
                (protection.tls, protection.demand),
                (tls, demand),
                "{security:?} {endpoint} {remote}"
            );
        }
    }
}
