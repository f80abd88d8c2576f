//! Accepting connections.

use crate::{
    Admission, Clock, Peers, Refusal,
    limits::{ACCEPT_BACKLOG, ACCEPT_PAUSE_MAX, ACCEPT_PAUSE_MIN},
};
use bytes::Bytes;
use socket2::{Domain, Protocol, Socket, Type};
use std::{io, net::SocketAddr, sync::Arc};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// Binds a listening socket; needs no async runtime, so it can be done before one starts (and before
/// privileges are dropped). An IPv6 socket listens to IPv6 only: `0.0.0.0` and `::` are two listeners.
pub fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A restart must not wait for the last connections of the process before.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(ACCEPT_BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// What becomes of connections.
pub trait Service: Send + Sync + 'static {
    /// Takes over a connection; must return at once (it spawns a task).
    fn serve(&self, stream: TcpStream, peer: SocketAddr, admission: Admission);
    /// Whether the peer is a proxy of ours, which passes on the connections of many.
    fn is_proxy(&self, peer: SocketAddr) -> bool {
        let _ = peer;
        false
    }
    /// What a peer is told that is not let in, before the connection is closed.
    fn refuse(&self, peer: SocketAddr, refusal: Refusal) -> Bytes;
}

/// Accepts connections until `shutdown` turns true.
pub async fn listen(
    listener: TcpListener,
    peers: Arc<Peers>,
    service: Arc<dyn Service>,
    clock: Arc<dyn Clock>,
    mut shutdown: watch::Receiver<bool>,
) {
    let mut pause = ACCEPT_PAUSE_MIN;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = shutdown.wait_for(|stopping| *stopping) => return,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_about_one_connection(&error) => continue,
            Err(error) => {
                // EMFILE, ENFILE, ENOBUFS, ENOMEM: connections that end give back what we lack.
                tracing::warn!(%error, pause_ms = pause.as_millis() as u64, "cannot accept connections");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(ACCEPT_PAUSE_MAX);
                continue;
            }
        };
        pause = ACCEPT_PAUSE_MIN;
        let admitted = match service.is_proxy(peer) {
            true => peers.admit_proxy(),
            false => peers.admit(peer.ip(), clock.now()),
        };
        match admitted {
            Ok(admission) => {
                // Replies are small and waited for.
                let _ = stream.set_nodelay(true);
                service.serve(stream, peer, admission);
            }
            Err(refusal) => {
                // A fresh socket's buffer takes a line at once; if it does not, the peer gets none.
                let _ = stream.try_write(&service.refuse(peer, refusal));
            }
        }
    }
}

/// The peer was gone before we took it up; the next one is not concerned.
fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
            | io::ErrorKind::PermissionDenied
    )
}
