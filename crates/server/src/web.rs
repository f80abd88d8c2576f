//! HTTP(S) listeners. What is said there is not this crate's business: whoever composes the program hands
//! in a [`WebService`], which gets the connections, and a [`WebHost`], through which it reaches the host.

use crate::{
    admin::{AccountChange, AppPasswordInfo, Desk, Request, Response, Scope, SecretText},
    config::Protocol,
    credentials::{Failed, Service as Wanted, printable},
    host::Host,
    outbox::Outbox,
};
use async_trait::async_trait;
use bytes::Bytes;
use posta_address::{Domain, Mailbox};
use posta_journal::{Event as Note, Journal};
use posta_runtime::{Admission, Clock, Entropy, Refusal, Service, Stream, tls::handshake};
use posta_store::{Account, Store};
use posta_wire::Secret;
use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};
use thiserror::Error;
use tokio::{net::TcpStream, sync::watch};

/// Makes the service once the host is there.
pub type WebFactory = Box<dyn FnOnce(WebHost) -> Arc<dyn WebService> + Send>;

/// Speaks HTTP.
#[async_trait]
pub trait WebService: Send + Sync + 'static {
    /// Serves a connection to its end, or until `stopping` turns true and what is under way is done.
    async fn serve<'a>(
        &'a self,
        stream: Box<dyn Stream + 'a>,
        peer: WebPeer,
        stopping: watch::Receiver<bool>,
    );
}

/// Who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebPeer {
    /// Where.
    pub address: SocketAddr,
    /// Whether TLS protects the connection.
    pub is_secure: bool,
}

/// Why a login from a page failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LoginError {
    /// Wrong; what exactly, the journal knows.
    #[error("wrong name or password")]
    Wrong,
    /// This address failed too often of late.
    #[error("too many failed logins from your address; try again later")]
    TooMany,
    /// It can't be found out now.
    #[error("logins are not possible at the moment")]
    Unavailable,
}

/// The host as pages see it.
#[derive(Clone)]
pub struct WebHost {
    host: Arc<Host>,
}

impl WebHost {
    pub(crate) fn new(host: Arc<Host>) -> Self {
        WebHost { host }
    }

    /// The host's name.
    pub fn hostname(&self) -> Domain {
        self.host.policy().config.hostname.clone()
    }

    /// The folder where everything is kept; not there where the store lives in memory.
    pub fn data_dir(&self) -> PathBuf {
        self.host.policy().config.data_dir.clone()
    }

    /// Octets of the largest message that is taken.
    pub fn message_octets_max(&self) -> u64 {
        self.host.policy().config.smtp.size_max.0
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.host.store
    }

    /// The journal.
    pub fn journal(&self) -> &Journal {
        &self.host.journal
    }

    /// Where the journal lies.
    pub fn journal_folder(&self) -> PathBuf {
        self.data_dir().join("journal")
    }

    /// The time.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.host.clock
    }

    /// Randomness.
    pub fn entropy(&self) -> &Arc<dyn Entropy> {
        &self.host.entropy
    }

    /// The way out for what people write here.
    pub fn outbox(&self) -> Outbox {
        Outbox::new(self.host.clone())
    }

    /// Turns true when the host stops.
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.host.stopping()
    }

    /// Whose name and password these are: the account's own password, not one made for a program.
    /// A wrong one counts against the peer as a failed login of any other protocol does.
    pub async fn log_in(&self, name: &str, password: &Secret, peer: IpAddr) -> Result<Account, LoginError> {
        self.allow(peer)?;
        let checked = self.host.check_own_password(name, password).await;
        self.judge(name, checked, peer).await
    }

    /// The same for a program with an application password that opens everything.
    pub async fn log_in_program(
        &self,
        name: &str,
        password: &Secret,
        peer: IpAddr,
    ) -> Result<Account, LoginError> {
        self.allow(peer)?;
        let checked = self.host.check_app_password(name, password, Wanted::Web).await;
        self.judge(name, checked, peer).await
    }

    /// Whether this peer may try at all.
    pub fn allow(&self, peer: IpAddr) -> Result<(), LoginError> {
        let max = self.host.peers.limits().failures_per_address_max;
        let failures = self.host.peers.failures(peer.to_canonical(), self.host.clock.now());
        if failures >= max { Err(LoginError::TooMany) } else { Ok(()) }
    }

    /// A login failed for another reason than the password (a wrong second factor): it counts, is held
    /// back and noted like any other.
    pub async fn note_failure(&self, name: &str, peer: IpAddr, reason: &str) {
        self.host.journal.note(Note::Refused {
            session: self.host.next_session(),
            peer: peer.to_canonical(),
            stage: "login".into(),
            from: None,
            to: None,
            message_id: None,
            reply: "wrong name or password".into(),
            reason: format!("login as {} on a page: {reason}", printable(name)),
        });
        self.host.slow_down(peer, name).await;
    }

    async fn judge(
        &self,
        name: &str,
        checked: Result<Account, Failed>,
        peer: IpAddr,
    ) -> Result<Account, LoginError> {
        match checked {
            Ok(account) => Ok(account),
            Err(Failed::Wrong(reason)) => {
                self.note_failure(name, peer, reason).await;
                Err(LoginError::Wrong)
            }
            Err(Failed::Unavailable(reason)) => {
                tracing::warn!(reason, "a login on a page");
                Err(LoginError::Unavailable)
            }
        }
    }

    /// Another password for an account; whoever calls has made sure that its owner wants it.
    pub async fn change_password(&self, address: &Mailbox, password: Secret) -> Result<(), String> {
        let changes = vec![AccountChange::Password(Some(SecretText(password)))];
        match self.execute(Request::AccountChange { address: address.clone(), changes }).await {
            Response::Error { message, .. } => Err(message),
            _ => Ok(()),
        }
    }

    /// An account's application passwords (not the passwords themselves: nobody knows them).
    pub async fn app_passwords(&self, address: &Mailbox) -> Result<Vec<AppPasswordInfo>, String> {
        match self.execute(Request::AppPasswordList { address: address.clone() }).await {
            Response::AppPasswords(list) => Ok(list),
            other => Err(message(other)),
        }
    }

    /// A new application password; it is told this once.
    pub async fn add_app_password(
        &self,
        address: &Mailbox,
        name: String,
        scope: Scope,
    ) -> Result<Secret, String> {
        match self.execute(Request::AppPasswordAdd { address: address.clone(), name, scope }).await {
            Response::AppPassword(password) => Ok(password.0),
            other => Err(message(other)),
        }
    }

    /// Revokes one.
    pub async fn revoke_app_password(&self, address: &Mailbox, name: String) -> Result<(), String> {
        match self.execute(Request::AppPasswordRevoke { address: address.clone(), name }).await {
            Response::Done(_) => Ok(()),
            other => Err(message(other)),
        }
    }

    async fn execute(&self, request: Request) -> Response {
        self.desk().execute(request).await
    }

    fn desk(&self) -> Desk {
        let host = &self.host;
        Desk {
            store: host.store.clone(),
            maintenance: None,
            queue: Some(host.queue().clone()),
            journal: host.journal.clone(),
            journal_folder: self.journal_folder(),
            passwords: host.passwords.clone(),
            entropy: host.entropy.clone(),
            clock: host.clock.clone(),
        }
    }
}

/// Takes HTTP connections.
pub(crate) struct WebListener {
    pub(crate) host: Arc<Host>,
    pub(crate) protocol: Protocol,
    pub(crate) service: Arc<dyn WebService>,
}

impl Service for WebListener {
    fn serve(&self, stream: TcpStream, peer: SocketAddr, admission: Admission) {
        let (host, service) = (self.host.clone(), self.service.clone());
        tokio::spawn(converse(host, service, self.protocol, stream, peer, admission));
    }

    fn refuse(&self, _peer: SocketAddr, refusal: Refusal) -> Bytes {
        if self.protocol.is_implicit_tls() {
            // What is not TLS would be taken for nonsense.
            return Bytes::new();
        }
        Bytes::from_static(match refusal {
            Refusal::TotalConnections => {
                b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            }
            Refusal::AddressConnections | Refusal::Failures => {
                b"HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            }
        })
    }
}

async fn converse(
    host: Arc<Host>,
    service: Arc<dyn WebService>,
    protocol: Protocol,
    mut stream: TcpStream,
    peer: SocketAddr,
    admission: Admission,
) {
    let address = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    let stopping = host.stopping();
    if protocol.is_implicit_tls() {
        let Some(end) = host.policy().tls.clone() else { return };
        match handshake(&end, &mut stream).await {
            Ok((secured, _)) => {
                service.serve(secured, WebPeer { address, is_secure: true }, stopping).await;
            }
            Err(failure) => tracing::debug!(%address, ?failure, "no TLS on an https listener"),
        }
    } else {
        service.serve(Box::new(stream), WebPeer { address, is_secure: false }, stopping).await;
    }
    drop(admission);
}

/// Why an operator's request was refused.
fn message(response: Response) -> String {
    match response {
        Response::Error { message, .. } => message,
        _ => "an unexpected answer".into(),
    }
}
