//! Listeners behind a proxy: each connection begins with a PROXY header, and is then its client's.

use crate::host::Host;
use bytes::Bytes;
use posta_runtime::{Admission, Proxied, Refusal, Service, read_proxy_header};
use std::{net::SocketAddr, sync::Arc};
use tokio::net::TcpStream;

/// Takes connections from proxies, and gives them to a service as those of whom they are passed on for.
pub(crate) struct ProxyService {
    pub(crate) inner: Arc<dyn Service>,
    pub(crate) host: Arc<Host>,
}

impl Service for ProxyService {
    fn serve(&self, stream: TcpStream, peer: SocketAddr, admission: Admission) {
        if !self.is_proxy(peer) {
            let reason = "[proxy] networks: it is no proxy of ours, and only those are heard here";
            self.host.note_turned_away(peer, String::new(), reason.to_owned());
            return;
        }
        tokio::spawn(pass_on(self.inner.clone(), self.host.clone(), stream, peer, admission));
    }

    fn is_proxy(&self, peer: SocketAddr) -> bool {
        let policy = self.host.policy();
        policy.config.proxy.networks.iter().any(|network| network.contains(peer.ip()))
    }

    fn refuse(&self, peer: SocketAddr, refusal: Refusal) -> Bytes {
        self.inner.refuse(peer, refusal)
    }
}

async fn pass_on(
    inner: Arc<dyn Service>,
    host: Arc<Host>,
    mut stream: TcpStream,
    proxy: SocketAddr,
    admission: Admission,
) {
    match read_proxy_header(&mut stream).await {
        // The proxy asks for itself, perhaps whether we are still there.
        Ok(Proxied::Local) => inner.serve(stream, proxy, admission),
        Ok(Proxied::For { source, .. }) => {
            drop(admission);
            match host.peers.admit(source.ip(), host.clock.now()) {
                Ok(admission) => inner.serve(stream, source, admission),
                Err(refusal) => {
                    let _ = stream.try_write(&inner.refuse(source, refusal));
                }
            }
        }
        Err(error) => host.note_turned_away(proxy, String::new(), error.to_string()),
    }
}
