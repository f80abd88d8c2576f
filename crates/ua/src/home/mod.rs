//! A person's own desk, wherever their mail is: what `posta tui` and `posta mail` open.
//!
//! The mail lies in a store of its own in the person's data folder: it comes in by POP3 ([`fetching`]), and goes out by
//! SMTP submission through a queue that keeps what can't be sent yet ([`outbox`]). Everything else is the same engine as
//! on a server. Where the account names a Posta server's address, its desk there is opened instead ([`crate::remote`]).

mod fetching;
mod outbox;

use crate::desk::{Desk, DeskError};
use crate::engine::{Engine, Parts};
use crate::remote::{Address, RemoteDesk};
use crate::{Account, AccountError, Accounts, Outside};
use bytes::Bytes;
pub use fetching::Fetched;
use fetching::Fetcher;
use jiff::Timestamp;
use outbox::Queue;
pub use outbox::{Left, SendFailure};
use posta_address::ReversePath;
use posta_runtime::tls::Trust;
use posta_store::embedded::Settings as StoreSettings;
use posta_store::{
    Acceptance, Credentials, DirectoryChange, EmbeddedStore, Envelope, LocalDelivery, QueueChange, QueueId,
    Requests, Store, StoreError,
};
use posta_wire::ContentFacts;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Octets of a volume of a person's store: small, so that a little mail takes a little room.
const VOLUME_OCTETS: u64 = 8 * 1024 * 1024;
/// Octets that are left free on the disk.
const RESERVE_OCTETS: u64 = 64 * 1024 * 1024;

/// Where a person's things are, and which account is meant.
#[derive(Debug, Clone)]
pub struct Place {
    /// The folder with `accounts.toml`.
    pub configuration: PathBuf,
    /// The folder in which each account has one of its own, by its name.
    pub data: PathBuf,
    /// The account's name; none for the default one.
    pub account: Option<String>,
}

/// Why a desk could not be opened.
#[derive(Debug, Error)]
pub enum HomeError {
    /// Which account, or its password.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The folder.
    #[error("{path}: {error}")]
    Folder {
        /// Which.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// Another program has the mail open.
    #[error("your mail is open in another program ({0}); close it there first")]
    Busy(String),
    /// The store.
    #[error("{0}")]
    Store(StoreError),
    /// The desk.
    #[error(transparent)]
    Desk(#[from] DeskError),
    /// The address of the server, or the password for it.
    #[error("{0}")]
    Remote(String),
    /// Authorities that can't be read.
    #[error("the authorities of the account: {0}")]
    Trust(String),
}

/// An open desk. [`Home::close`] it: what is begun is finished then.
pub struct Home {
    account: Account,
    desk: Arc<dyn Desk>,
    /// Where the mail is kept here; without it all happens on the server.
    local: Option<Local>,
}

/// What makes a desk of a person's own folder.
struct Local {
    engine: Engine,
    store: EmbeddedStore,
    queue: Arc<Queue>,
    fetcher: Arc<Fetcher>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

/// Opens the desk of an account. Nothing happens by itself until [`Home::stay`].
pub async fn open(place: &Place, outside: Outside) -> Result<Home, HomeError> {
    let accounts = Accounts::load(&place.configuration)?;
    let account = accounts.get(place.account.as_deref())?.clone();
    Home::open(account, &place.configuration, &place.data, outside).await
}

impl Home {
    /// Opens the desk of this very account: its passwords are in or beside `configuration`, its mail below `data`.
    pub async fn open(
        account: Account,
        configuration: &Path,
        data: &Path,
        outside: Outside,
    ) -> Result<Home, HomeError> {
        let outside = outside_of(&account, outside)?;
        let access = Arc::new(Access { account: account.clone(), configuration: configuration.to_owned() });
        if let Some(address) = &account.api {
            let address = Address::parse(address).map_err(|error| HomeError::Remote(error.to_string()))?;
            let password = access.secret().await.map_err(HomeError::Remote)?;
            let own = account.address.to_string();
            let desk: Arc<dyn Desk> = Arc::new(RemoteDesk::new(outside, address, &own, &password));
            return Ok(Home { account, desk, local: None });
        }
        let folder = data.join(&account.name);
        make_private(&folder)?;
        let clock = outside.clock.clone();
        let opening = folder.clone();
        let opened = tokio::task::spawn_blocking(move || {
            let settings = StoreSettings {
                volume_octets: VOLUME_OCTETS,
                reserve_octets: RESERVE_OCTETS,
                ..StoreSettings::default()
            };
            EmbeddedStore::open(&opening, settings, Arc::new(move || clock.timestamp()))
        });
        let opened = opened.await.map_err(|error| HomeError::Store(StoreError::Failed(error.to_string())))?;
        let store = opened.map_err(opening_error)?;
        let id = ensure_account(&store, &account).await.map_err(HomeError::Store)?;
        let shared: Arc<dyn Store> = Arc::new(store.clone());
        let queue = Arc::new(Queue::new(shared.clone(), id, access.clone(), outside.clone()));
        let fetcher = Arc::new(Fetcher::new(shared.clone(), id, access, outside.clone()));
        let engine = Engine::new(Parts {
            store: shared,
            folder: folder.join("ua"),
            outside,
            outbox: queue.clone(),
            one_click: None,
        });
        let desk = engine.desk(&account.address).await?;
        let stop = watch::channel(false).0;
        let local = Some(Local { engine, store, queue, fetcher, stop, tasks: Vec::new() });
        Ok(Home { account, desk, local })
    }

    /// The desk.
    pub fn desk(&self) -> &Arc<dyn Desk> {
        &self.desk
    }

    /// Whose it is.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Goes on by itself from now: mail is fetched that often, snoozed mail comes back, what waits is sent.
    pub fn stay(&mut self, every: Duration) {
        let Some(local) = &mut self.local else { return };
        let (engine, stop) = (local.engine.clone(), local.stop.subscribe());
        local.tasks.push(tokio::spawn(async move { engine.run(stop).await }));
        let (queue, stop) = (local.queue.clone(), local.stop.subscribe());
        local.tasks.push(tokio::spawn(async move { queue.run(stop).await }));
        let (fetcher, stop) = (local.fetcher.clone(), local.stop.subscribe());
        local.tasks.push(tokio::spawn(async move { fetcher.run(every, stop).await }));
    }

    /// Looks for new mail now. Whoever asks while somebody looks waits for that. On a server there is nothing to fetch.
    pub async fn fetch(&self) -> Result<Fetched, String> {
        self.fetching().await
    }

    /// What [`Home::fetch`] does, for a task of its own.
    pub fn fetching(&self) -> impl Future<Output = Result<Fetched, String>> + Send + use<> {
        let local = self.local.as_ref().map(|local| (local.fetcher.clone(), local.engine.clone()));
        async move {
            let Some((fetcher, engine)) = local else { return Ok(Fetched::default()) };
            let fetched = fetcher.fetch().await?;
            // Rules are asked, notices told.
            engine.tick().await;
            Ok(fetched)
        }
    }

    /// Sends what is due; with `now` also what failed before and waits for its next attempt. On a server that happens by itself.
    pub async fn send_due(&self, now: bool) -> Result<Left, DeskError> {
        match &self.local {
            Some(local) => local.queue.send_due(now).await,
            None => Ok(Left::default()),
        }
    }

    /// Whom the last attempts failed for, and why.
    pub async fn send_failures(&self) -> Result<Vec<SendFailure>, DeskError> {
        match &self.local {
            Some(local) => local.queue.failures().await,
            None => Ok(Vec::new()),
        }
    }

    /// Finishes what is begun. Whoever still has the desk keeps the store open until they drop it.
    pub async fn close(self) {
        let Home { desk, local, .. } = self;
        let Some(Local { store, stop, tasks, engine, queue, fetcher }) = local else { return };
        let _ = stop.send(true);
        for task in tasks {
            let _ = task.await;
        }
        engine.close();
        drop((desk, queue, fetcher));
        store.close().await;
    }
}

/// The account, with where its passwords are.
struct Access {
    account: Account,
    configuration: PathBuf,
}

impl Access {
    /// The password; running a command may take a while.
    async fn secret(self: &Arc<Self>) -> Result<posta_wire::Secret, String> {
        let access = self.clone();
        let found = tokio::task::spawn_blocking(move || access.account.password(&access.configuration)).await;
        let found = found.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        found.ok_or_else(|| "the account has no password kept: run `posta mail setup` again".to_owned())
    }
}

fn outside_of(account: &Account, outside: Outside) -> Result<Outside, HomeError> {
    let trust = match &account.authorities {
        Some(authorities) => Trust::system_and(std::slice::from_ref(authorities))
            .map(Arc::new)
            .map_err(|error| HomeError::Trust(error.to_string()))?,
        None => outside.trust.clone(),
    };
    Ok(Outside { trust, security: account.security, ..outside })
}

fn make_private(folder: &Path) -> Result<(), HomeError> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| HomeError::Folder { path: folder.display().to_string(), error })
}

/// Puts what nobody's envelope came with into a maildrop of the store.
async fn deliver(
    store: &dyn Store,
    delivery: LocalDelivery,
    content: Bytes,
    at: Timestamp,
    changes: Vec<(QueueId, QueueChange)>,
) -> Result<(), StoreError> {
    let mut writer = store.receive().await?;
    writer.write(content.clone()).await?;
    let envelope = Envelope {
        reverse_path: ReversePath::Null,
        smtputf8: false,
        facts: ContentFacts::of(&content).0,
        message_id: None,
        requests: Requests::default(),
    };
    let acceptance = Acceptance {
        envelope,
        accepted_at: at,
        deliveries: vec![delivery],
        remote: Vec::new(),
        discarded: 0,
        changes,
    };
    writer.accept(acceptance).await.map(drop)
}

fn opening_error(error: StoreError) -> HomeError {
    match error {
        StoreError::Failed(words) if words.contains("in use by") => HomeError::Busy(words),
        other => HomeError::Store(other),
    }
}

/// The one account of the store, as it is set up now.
async fn ensure_account(
    store: &EmbeddedStore,
    account: &Account,
) -> Result<posta_store::AccountId, StoreError> {
    let known = store.accounts().await?.into_iter().next();
    if let Some(known) = &known
        && known.address == account.address
        && known.name == account.full_name
    {
        return Ok(known.id);
    }
    let id = known.map_or_else(|| store.new_account_id(), |known| known.id);
    let account = posta_store::Account {
        id,
        address: account.address.clone(),
        name: account.full_name.clone(),
        password_hash: None,
        apop_secret: None,
        credentials: Credentials::default(),
        quota_octets: None,
        enabled: true,
        hold_seconds: 0,
    };
    store.change_directory(DirectoryChange::PutAccount(account)).await?;
    Ok(id)
}
