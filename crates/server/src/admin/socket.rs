//! The operator's socket: JSON lines over `DIR/admin.sock`, which only its owner can open.

use super::{
    desk::Desk,
    protocol::{ErrorKind, FetchInfo, Request, Response, StatusInfo},
    watch,
};
use crate::{
    limits::{ADMIN_CONNECTIONS_MAX, ADMIN_LINE_OCTETS_MAX, ADMIN_LINE_TIMEOUT},
    presence::Presence,
};
use async_trait::async_trait;
use std::{
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinHandle,
};

/// Name of the socket in the data folder.
pub const SOCKET_NAME: &str = "admin.sock";

/// What only a running server can do.
#[async_trait]
pub trait Control: Send + Sync + 'static {
    /// How it is.
    fn status(&self) -> StatusInfo;
    /// Reads the configuration again; in plain words what came of it.
    async fn reload(&self) -> Result<String, String>;
    /// Asks another host for the mail that it keeps for us; in plain words what came of it.
    async fn fetch(&self, info: FetchInfo) -> Result<String, String>;
    /// Begins to stop.
    fn stop(&self);
    /// Where those enter who watch for messages.
    fn presence(&self) -> &Arc<Presence>;
}

/// The open socket; gone when dropped.
pub(crate) struct AdminSocket {
    path: PathBuf,
    task: JoinHandle<()>,
}

impl AdminSocket {
    /// Opens it. One that a server left behind that is gone is replaced: the store's lock already
    /// tells that no other server runs here.
    pub(crate) fn open(path: PathBuf, desk: Arc<Desk>, control: Arc<dyn Control>) -> io::Result<Self> {
        let listener = bind_private(&path)?;
        let task = tokio::spawn(accept(listener, desk, control));
        Ok(AdminSocket { path, task })
    }
}

impl AdminSocket {
    /// Closes it, and waits for that.
    pub(crate) async fn close(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        self.task.abort();
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Binds under another name, sets the mode, then renames: nobody else can connect at any moment.
fn bind_private(path: &Path) -> io::Result<UnixListener> {
    let fresh = path.with_extension("sock.new");
    let _ = std::fs::remove_file(&fresh);
    let listener = UnixListener::bind(&fresh)?;
    std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(&fresh, path)?;
    Ok(listener)
}

async fn accept(listener: UnixListener, desk: Arc<Desk>, control: Arc<dyn Control>) {
    let places = Arc::new(Semaphore::new(ADMIN_CONNECTIONS_MAX));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let (desk, control) = (desk.clone(), control.clone());
                tokio::spawn(async move {
                    if let Err(error) = serve(stream, place, &desk, &*control).await {
                        tracing::debug!(%error, "the operator's connection");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the operator's socket");
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
        }
    }
}

async fn serve(
    stream: UnixStream,
    place: OwnedSemaphorePermit,
    desk: &Desk,
    control: &dyn Control,
) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    loop {
        let mut line = Vec::new();
        let mut limited = (&mut reader).take(ADMIN_LINE_OCTETS_MAX as u64);
        let read = limited.read_until(b'\n', &mut line);
        let count = tokio::time::timeout(ADMIN_LINE_TIMEOUT, read).await??;
        if count == 0 {
            return Ok(());
        }
        let response = match serde_json::from_slice::<Request>(&line) {
            Ok(Request::Watch { address }) => {
                // Watchers stay; they have a bound of their own, and the operator keeps the places.
                drop(place);
                return watch::serve(reader, writer, desk, control.presence(), &address).await;
            }
            Ok(request) => carry_out(request, desk, control).await,
            Err(error) => Response::error(ErrorKind::Invalid, format!("no request: {error}")),
        };
        let mut text = serde_json::to_vec(&response)?;
        text.push(b'\n');
        writer.write_all(&text).await?;
    }
}

async fn carry_out(request: Request, desk: &Desk, control: &dyn Control) -> Response {
    match request {
        Request::Status => Response::Status(control.status()),
        Request::Reload => match control.reload().await {
            Ok(done) => Response::Done(done),
            Err(error) => Response::error(ErrorKind::Invalid, error),
        },
        Request::Stop => {
            control.stop();
            Response::Done("stopping".into())
        }
        Request::Fetch(info) => match control.fetch(info).await {
            Ok(done) => Response::Done(done),
            Err(error) => Response::error(ErrorKind::Invalid, error),
        },
        request => desk.execute(request).await,
    }
}
