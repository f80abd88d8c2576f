//! The seam to the world: each kind of outside thing is one small trait.

use async_trait::async_trait;
use std::{io, net::SocketAddr, time::Instant};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpSocket, TcpStream},
};

/// The time: monotonic for limits, civil for headers and records.
pub trait Clock: Send + Sync + 'static {
    /// Monotonic.
    fn now(&self) -> Instant;
    /// Civil.
    fn timestamp(&self) -> jiff::Timestamp;
}

/// Random octets fit for secrets.
pub trait Entropy: Send + Sync + 'static {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]);

    /// A random number.
    fn next_u64(&self) -> u64 {
        let mut octets = [0; 8];
        self.fill(&mut octets);
        u64::from_le_bytes(octets)
    }
}

/// A connection to a peer.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Opens connections.
#[async_trait]
pub trait Network: Send + Sync + 'static {
    /// Connects to `remote`; limits of time are the caller's.
    async fn connect(&self, remote: SocketAddr) -> io::Result<Box<dyn Stream>>;
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }
    fn timestamp(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }
}

/// The operating system's source of randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).expect("the operating system gives random octets");
    }
}

/// The operating system's network.
#[derive(Debug, Clone, Copy, Default)]
pub struct TcpNetwork;

#[async_trait]
impl Network for TcpNetwork {
    async fn connect(&self, remote: SocketAddr) -> io::Result<Box<dyn Stream>> {
        let socket = if remote.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // Commands and replies are small and waited for.
        socket.set_nodelay(true)?;
        let stream: TcpStream = socket.connect(remote).await?;
        Ok(Box::new(stream))
    }
}
