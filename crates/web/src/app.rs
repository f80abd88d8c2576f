//! What all requests of one host share.

use crate::{second_factor::SecondFactors, sessions::Sessions, signature::Signer};
use async_trait::async_trait;
use posta_server::web::WebHost;
use posta_store::Account;
use posta_ua::desk::{Desk, DeskError};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Uploads that are held in memory at once.
const UPLOADS_AT_ONCE: usize = 4;

/// Opens people's desks.
#[async_trait]
pub trait Desks: Send + Sync + 'static {
    /// The desk of an account that is logged in.
    async fn open(&self, account: &Account) -> Result<Arc<dyn Desk>, DeskError>;
}

/// See the module.
pub(crate) struct App {
    pub(crate) host: WebHost,
    pub(crate) desks: Arc<dyn Desks>,
    pub(crate) sessions: Sessions,
    pub(crate) second_factors: SecondFactors,
    pub(crate) signer: Signer,
    pub(crate) uploads: Semaphore,
    cookie: String,
}

impl App {
    pub(crate) fn new(host: WebHost, desks: Arc<dyn Desks>) -> Self {
        // Cookies know no ports: two hosts at one address must not overwrite each other's.
        let hash = blake3::hash(host.hostname().to_string().as_bytes()).to_hex();
        let signer = Signer::new(&**host.entropy());
        App {
            cookie: format!("posta-{}", &hash[..10]),
            second_factors: SecondFactors::new(host.clone()),
            signer,
            host,
            desks,
            sessions: Sessions::default(),
            uploads: Semaphore::new(UPLOADS_AT_ONCE),
        }
    }

    /// The name of the session's cookie. Inside TLS no other host of the domain can set it (RFC 6265bis §4.1.3.2).
    pub(crate) fn cookie_name(&self, is_secure: bool) -> String {
        if is_secure { format!("__Host-{}", self.cookie) } else { self.cookie.clone() }
    }
}
