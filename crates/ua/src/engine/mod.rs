//! The engine: a [`Desk`] for each account, over a store.
//!
//! The truth is in the store; beside it each account has an [`index`] that follows the store's changes and can be thrown
//! away. Settings and the like are documents of the account, so they come along with its mail. What happens by itself (new
//! mail through the rules, snoozed mail that comes back, accounts elsewhere) happens in [`Engine::run`].

mod arrivals;
mod changing;
mod contacts;
mod documents;
mod drafts;
mod face;
mod fetching;
mod index;
mod quoting;
mod room;
mod sending;
mod settling;
mod showing;
pub mod transfer;
mod vacation;
pub mod vcard;

use crate::Outside;
use crate::desk::{Desk, DeskError};
use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use posta_address::{Mailbox, ReversePath};
use posta_store::{AccountId, QueueId, Store, StoreError};
use room::Room;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{broadcast, watch};

/// How often is looked for what is due by itself.
const TICK: Duration = Duration::from_secs(20);

/// A message on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// Where failures are reported to; null for answers given by themselves (RFC 3834 §3.3).
    pub reverse_path: ReversePath,
    /// Each once.
    pub recipients: Vec<Mailbox>,
    /// Header fields need SMTPUTF8.
    pub needs_smtputf8: bool,
    /// The message, CRLF, without Bcc.
    pub content: Bytes,
    /// Not before then.
    pub release_at: Timestamp,
}

/// What sends: on a server its queue, elsewhere a submission server.
#[async_trait]
pub trait Outbox: Send + Sync + 'static {
    /// Takes responsibility for a message; durable when it returns.
    async fn submit(&self, account: AccountId, submission: Submission) -> Result<QueueId, OutboxError>;
    /// Takes a message back that nothing has left of yet; `false` if it is too late.
    async fn take_back(&self, account: AccountId, id: QueueId) -> Result<bool, OutboxError>;
}

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboxError {
    /// As it is it will never be: says why.
    #[error("{0}")]
    Refused(String),
    /// Not now.
    #[error("{0}")]
    Failed(String),
}

/// An HTTP client for unsubscribing with one click.
#[async_trait]
pub trait OneClick: Send + Sync + 'static {
    /// POSTs `List-Unsubscribe=One-Click` as a form to an https address, without cookies, not following redirections to
    /// other schemes (RFC 8058 §3.2). `Err` says what the other side said.
    async fn post(&self, address: &str) -> Result<(), String>;
}

/// What an engine is made of.
pub struct Parts {
    /// Where mail is.
    pub store: Arc<dyn Store>,
    /// Where the indexes may be: `DIR/ua`.
    pub folder: PathBuf,
    /// Clock, randomness and network.
    pub outside: Outside,
    /// What sends.
    pub outbox: Arc<dyn Outbox>,
    /// What unsubscribes; without it the person is shown the address.
    pub one_click: Option<Arc<dyn OneClick>>,
}

pub(crate) struct Shared {
    pub(crate) parts: Parts,
    rooms: Mutex<HashMap<AccountId, Arc<Room>>>,
    /// Read out at each call, so that whoever asks sees all that was there before.
    news: Mutex<broadcast::Receiver<AccountId>>,
}

/// All desks of a store. Clones are the same engine.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

impl Engine {
    /// An engine; nothing is read before somebody asks.
    pub fn new(parts: Parts) -> Engine {
        let news = Mutex::new(parts.store.subscribe());
        Engine { shared: Arc::new(Shared { parts, rooms: Mutex::default(), news }) }
    }

    /// The desk of an account, by its address.
    pub async fn desk(&self, address: &Mailbox) -> Result<Arc<dyn Desk>, DeskError> {
        let account = self.shared.parts.store.account(address).await.map_err(store_error)?;
        let account = account
            .filter(|account| account.enabled)
            .ok_or_else(|| DeskError::NotFound(address.to_string()))?;
        Ok(self.shared.room(&account))
    }

    /// Lets go of all desks, so that the store is given up when the last of them is dropped.
    pub fn close(self) {
        self.shared.rooms().clear();
    }

    /// Does what is due by itself, until `shutdown` says so: follows deliveries, applies rules, wakes snoozed mail, fetches.
    pub async fn run(&self, mut shutdown: watch::Receiver<bool>) {
        let mut news = self.shared.parts.store.subscribe();
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = shutdown.changed() => return,
                told = news.recv() => match told {
                    Ok(account) => self.follow(account).await,
                    Err(broadcast::error::RecvError::Lagged(_)) => self.tick().await,
                    Err(broadcast::error::RecvError::Closed) => return,
                },
                _ = ticks.tick() => self.tick().await,
            }
        }
    }

    /// An account's mail has changed: its rules are asked, and whoever has its desk open is told.
    async fn follow(&self, account: AccountId) {
        let room = match self.shared.open_room(account) {
            Some(room) => room,
            None => match self.shared.room_with_automation(account).await {
                Some(room) => room,
                None => return,
            },
        };
        if let Err(error) = room.fresh().await {
            tracing::warn!(account = account.0, %error, "the desk could not follow the store");
        }
    }

    /// What is due by now, for all accounts.
    pub async fn tick(&self) {
        let accounts = match self.shared.parts.store.accounts().await {
            Ok(accounts) => accounts,
            Err(error) => return tracing::warn!(%error, "accounts could not be read"),
        };
        for account in accounts.into_iter().filter(|account| account.enabled) {
            let room = self.shared.room(&account);
            if let Err(error) = room.tick().await {
                tracing::warn!(account = account.id.0, %error, "what was due could not be done");
            }
            // A slow host elsewhere holds up nobody here.
            tokio::spawn(async move {
                if let Err(error) = room.fetch_due().await {
                    tracing::warn!(account = account.id.0, %error, "mail elsewhere could not be fetched");
                }
            });
        }
    }
}

impl Shared {
    fn rooms(&self) -> MutexGuard<'_, HashMap<AccountId, Arc<Room>>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn room(self: &Arc<Self>, account: &posta_store::Account) -> Arc<Room> {
        let mut rooms = self.rooms();
        let room = rooms.entry(account.id).or_insert_with(|| Arc::new(Room::new(self.clone(), account)));
        if room.address != account.address {
            // The account got another address.
            *room = Arc::new(Room::new(self.clone(), account));
        }
        room.clone()
    }

    fn open_room(&self, account: AccountId) -> Option<Arc<Room>> {
        self.rooms().get(&account).filter(|room| room.is_open()).cloned()
    }

    /// The room of an account that nobody looks at, if something is to be done there with new mail.
    async fn room_with_automation(self: &Arc<Self>, id: AccountId) -> Option<Arc<Room>> {
        let known = self.rooms().get(&id).cloned();
        let room = match known {
            Some(room) => room,
            None => {
                let accounts = self.parts.store.accounts().await.ok()?;
                let account = accounts.iter().find(|account| account.id == id && account.enabled)?;
                self.room(account)
            }
        };
        room.has_automation().await.then_some(room)
    }

    /// Reads what the store has told meanwhile.
    pub(crate) fn take_news(&self) {
        let mut news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match news.try_recv() {
                Ok(account) => {
                    if let Some(room) = self.rooms().get(&account) {
                        room.set_stale();
                    }
                }
                Err(broadcast::error::TryRecvError::Lagged(_)) => {
                    self.rooms().values().for_each(|room| room.set_stale());
                }
                Err(_) => return,
            }
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.parts.outside.clock.timestamp()
    }

    /// A name that nobody can guess.
    pub(crate) fn random_name(&self) -> String {
        let mut octets = [0; 16];
        self.parts.outside.entropy.fill(&mut octets);
        hex::encode(octets)
    }
}

pub(crate) fn store_error(error: StoreError) -> DeskError {
    match error {
        StoreError::NotFound(what) => DeskError::NotFound(what),
        StoreError::Conflict(why) => DeskError::Invalid(why),
        other => DeskError::Failed(other.to_string()),
    }
}
