//! What an agent needs of the world, handed in.

use crate::{ConnectError, Endpoint, Security, limits::CONNECT_WAIT_MAX};
use async_trait::async_trait;
use posta_runtime::{Clock, Entropy, Network, OsEntropy, Stream, SystemClock, TcpNetwork, tls::Trust};
use std::{
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::Arc,
};

/// Host names as the user's machine knows them, and its own address.
#[async_trait]
pub trait Hosts: Send + Sync + 'static {
    /// The addresses of a host, best first.
    async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
    /// Our own address as `remote` will see it, where that can be told.
    fn own_address(&self, remote: SocketAddr) -> Option<IpAddr>;
}

/// The operating system's resolver (`/etc/hosts`, DNS and what else is configured).
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemHosts;

#[async_trait]
impl Hosts for SystemHosts {
    async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }

    fn own_address(&self, remote: SocketAddr) -> Option<IpAddr> {
        let any: SocketAddr = if remote.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
        // Connecting a datagram socket sends nothing; it only picks the way.
        let socket = UdpSocket::bind(any).ok()?;
        socket.connect(remote).ok()?;
        socket.local_addr().ok().map(|local| local.ip())
    }
}

/// The world of an agent.
#[derive(Clone)]
pub struct Outside {
    /// Opens connections.
    pub network: Arc<dyn Network>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// For Message-IDs.
    pub entropy: Arc<dyn Entropy>,
    /// Host names.
    pub hosts: Arc<dyn Hosts>,
    /// Who vouches for servers.
    pub trust: Arc<Trust>,
    /// How connections to servers are protected.
    pub security: Security,
}

impl Outside {
    /// The operating system's.
    pub fn system() -> Outside {
        Outside {
            network: Arc::new(TcpNetwork),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(OsEntropy),
            hosts: Arc::new(SystemHosts),
            trust: Arc::new(Trust::system()),
            security: Security::Auto,
        }
    }

    /// Connects to the first address of the endpoint that answers.
    pub async fn connect(&self, endpoint: &Endpoint) -> Result<(Box<dyn Stream>, SocketAddr), ConnectError> {
        let failed =
            |error: io::Error| ConnectError { endpoint: endpoint.clone(), reason: error.to_string() };
        let addresses = self.hosts.addresses(endpoint.host(), endpoint.port()).await.map_err(failed)?;
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in addresses {
            match tokio::time::timeout(CONNECT_WAIT_MAX, self.network.connect(address)).await {
                Ok(Ok(stream)) => return Ok((stream, address)),
                Ok(Err(error)) => last = error,
                Err(_) => last = io::Error::new(io::ErrorKind::TimedOut, "no answer in time"),
            }
        }
        Err(failed(last))
    }
}
