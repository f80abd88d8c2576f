//! The operator's end: asks the running server, or works on the store where none runs.

use super::{
    desk::Desk,
    protocol::{Request, Response},
    socket::SOCKET_NAME,
};
use crate::{config::Config, passwords::Passwords, server::ensure_domains, storage};
use posta_journal::{Journal, JournalError};
use posta_runtime::{Clock, OsEntropy, SystemClock};
use posta_store::StoreError;
use std::{
    io::{self, BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::Path,
    sync::Arc,
};
use thiserror::Error;

/// Why a request could not be made.
#[derive(Debug, Error)]
pub enum AdminError {
    /// The server was there, but the talk with it failed.
    #[error("talking to the server: {0}")]
    Talk(#[from] io::Error),
    /// The server's answer was not understood.
    #[error("the server's answer: {0}")]
    Answer(#[from] serde_json::Error),
    /// No server runs, and the store could not be opened.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// No server runs, and the journal could not be opened.
    #[error("{0}")]
    Journal(#[from] JournalError),
}

/// Asks the server that runs on this data folder; `None` when none does. Blocks.
pub fn ask(data_dir: &Path, request: &Request) -> Result<Option<Response>, AdminError> {
    let mut stream = match UnixStream::connect(data_dir.join(SOCKET_NAME)) {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    let mut text = serde_json::to_vec(request)?;
    text.push(b'\n');
    stream.write_all(&text)?;
    let mut line = String::new();
    if BufReader::new(stream).read_line(&mut line)? == 0 {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    Ok(Some(serde_json::from_str(&line)?))
}

/// Carries out a request: by the running server, else on the store itself.
pub async fn perform(config: &Config, request: Request) -> Result<Response, AdminError> {
    let (folder, asked) = (config.data_dir.clone(), request.clone());
    let answer = tokio::task::spawn_blocking(move || ask(&folder, &asked)).await;
    let answer = answer.map_err(|error| AdminError::Talk(io::Error::other(error)))??;
    match answer {
        Some(response) => Ok(response),
        None => Ok(offline(config).await?.execute(request).await),
    }
}

/// Opens the store of a server that does not run.
pub async fn offline(config: &Config) -> Result<Desk, AdminError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let opened = storage::open(&config.data_dir, Arc::new(jiff::Timestamp::now)).await?;
    // As at a start: accounts can be made before the server ever ran.
    ensure_domains(&*opened.store, config).await?;
    let entropy = Arc::new(OsEntropy);
    Ok(Desk {
        store: opened.store,
        maintenance: opened.maintenance,
        queue: None,
        journal: Journal::open(storage::journal_settings(config), Arc::new(jiff::Timestamp::now))?,
        journal_folder: config.data_dir.join("journal"),
        passwords: Passwords::new(config.limits.password_checks, &*entropy),
        entropy,
        clock,
    })
}
