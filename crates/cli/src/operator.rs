//! Carries the operator's requests to the running server, or to the store where none runs.

use crate::output::{self, GOOD, styled};
use anyhow::anyhow;
use posta_server::{
    admin::{self, AdminError, ErrorKind, Request, Response},
    config::Config,
};
use std::time::Duration;

/// How often, and after which pauses, a server that seems to be starting is asked again.
const START_POLLS: u32 = 20;
const START_POLL: Duration = Duration::from_millis(100);

/// Who asks, and whom.
pub(crate) struct Operator {
    config: Config,
}

impl Operator {
    pub(crate) fn new(config: Config) -> Self {
        Operator { config }
    }

    /// The configuration of the host that is asked.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Sends a request; failures become errors that say what to do.
    pub(crate) async fn ask(&self, request: Request) -> anyhow::Result<Response> {
        match self.answer(request).await? {
            Response::Error { kind, message } => Err(failure(kind, &message)),
            response => Ok(response),
        }
    }

    async fn answer(&self, request: Request) -> anyhow::Result<Response> {
        let folder = &self.config.data_dir;
        if matches!(request, Request::Status | Request::Reload | Request::Stop | Request::Fetch(_)) {
            let no_server = || anyhow!("no server runs on {}; `posta serve` starts one", folder.display());
            return admin::ask(folder, &request)?.ok_or_else(no_server);
        }
        let error = match admin::perform(&self.config, request.clone()).await {
            Err(AdminError::Store(error)) => error,
            performed => return Ok(performed?),
        };
        // The store may be in the hands of a server that is starting, and answers in a moment.
        for _ in 0..START_POLLS {
            tokio::time::sleep(START_POLL).await;
            if let Some(response) = admin::ask(folder, &request)? {
                return Ok(response);
            }
        }
        Err(error.into())
    }

    /// Sends a request that changes something, and says what was done.
    pub(crate) async fn act(&self, request: Request) -> anyhow::Result<()> {
        match self.ask(request).await? {
            Response::Done(what) => Ok(output::say(styled(GOOD, what))?),
            other => Err(Operator::unexpected(&other)),
        }
    }

    /// The server answered something else than it was asked for.
    pub(crate) fn unexpected(response: &Response) -> anyhow::Error {
        match response {
            Response::Error { kind, message } => failure(*kind, message),
            _ => {
                anyhow!("the server gave another kind of answer: is it of another version than this command?")
            }
        }
    }
}

fn failure(kind: ErrorKind, message: &str) -> anyhow::Error {
    match kind {
        ErrorKind::NotFound | ErrorKind::Conflict | ErrorKind::Invalid | ErrorKind::NeedsServer => {
            anyhow!("{message}")
        }
        ErrorKind::Failed => anyhow!("{message}; `posta store check` may tell more"),
    }
}
