//! The engine on a server: desks over the host's store, what is written goes out through its queue.

use crate::{Desks, Pages};
use async_trait::async_trait;
use posta_address::{Mailbox, ReversePath};
use posta_server::{
    OutgoingEnvelope, SubmitError,
    web::{WebHost, WebService},
};
use posta_store::{Account, AccountId, QueueId};
use posta_ua::{
    Outside,
    desk::{Desk, DeskError},
    engine::{Engine, Outbox, OutboxError, Parts, Submission},
};
use std::sync::Arc;

/// Where the engine's indexes lie in the data folder.
const FOLDER: &str = "ua";

/// Pages with the engine behind them; what the engine does by itself goes on until the host stops.
pub fn serve(host: WebHost, outside: Outside) -> Arc<dyn WebService> {
    let engine = engine(&host, outside);
    Arc::new(Pages::new(host, Arc::new(EngineDesks(engine))))
}

/// The engine's desks, for pages that are made otherwise.
pub fn desks(host: &WebHost, outside: Outside) -> Arc<dyn Desks> {
    Arc::new(EngineDesks(engine(host, outside)))
}

fn engine(host: &WebHost, outside: Outside) -> Engine {
    let engine = Engine::new(Parts {
        store: host.store().clone(),
        folder: host.data_dir().join(FOLDER),
        outside,
        outbox: Arc::new(HostOutbox(host.clone())),
        one_click: None,
    });
    let (running, stopping) = (engine.clone(), host.stopping());
    tokio::spawn(async move {
        running.run(stopping).await;
        // The desks hold the store, whose end a server that stops waits for.
        running.close();
    });
    engine
}

struct EngineDesks(Engine);

#[async_trait]
impl Desks for EngineDesks {
    async fn open(&self, account: &Account) -> Result<Arc<dyn Desk>, DeskError> {
        self.0.desk(&account.address).await
    }
}

/// The host's own way out.
struct HostOutbox(WebHost);

impl HostOutbox {
    async fn address(&self, id: AccountId) -> Result<Mailbox, OutboxError> {
        let accounts =
            self.0.store().accounts().await.map_err(|error| OutboxError::Failed(error.to_string()))?;
        let account = accounts.into_iter().find(|account| account.id == id);
        account.map(|account| account.address).ok_or_else(|| OutboxError::Refused("no such account".into()))
    }
}

#[async_trait]
impl Outbox for HostOutbox {
    async fn submit(&self, account: AccountId, submission: Submission) -> Result<QueueId, OutboxError> {
        let own = self.address(account).await?;
        let from = submission.reverse_path.mailbox().cloned().unwrap_or_else(|| own.clone());
        let from_nobody = submission.reverse_path == ReversePath::Null;
        let envelope = OutgoingEnvelope { from_nobody, ..OutgoingEnvelope::new(from, submission.recipients) };
        let release_at = Some(submission.release_at);
        self.0.outbox().submit(&own, envelope, submission.content, release_at).await.map_err(outbox_error)
    }

    async fn take_back(&self, account: AccountId, id: QueueId) -> Result<bool, OutboxError> {
        let own = self.address(account).await?;
        self.0.outbox().take_back(&own, id).await.map_err(outbox_error)
    }
}

fn outbox_error(error: SubmitError) -> OutboxError {
    match error {
        SubmitError::Refused(_) => OutboxError::Refused(error.to_string()),
        SubmitError::Unavailable(_) => OutboxError::Failed(error.to_string()),
    }
}
