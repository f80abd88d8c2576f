//! Somebody on this machine watches for messages: a connection of the operator's socket that is turned into
//! a live session (see [`presence`](crate::presence)).
//!
//! After [`Request::Watch`] and [`Response::Watching`] each notice is a line, and the watcher answers each
//! with [`Request::Taken`] once it is on the screen.

use super::{
    client::AdminError,
    desk::Desk,
    protocol::{ErrorKind, Request, Response},
};
use crate::{
    limits::{ADMIN_LINE_OCTETS_MAX, SHOW_PATIENCE, TAKEN_LINE_OCTETS_MAX},
    presence::{LiveSession, Notice, Offered, Presence},
};
use posta_address::Mailbox;
use std::{io, path::Path, sync::Arc};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// The server's end, until the watcher goes away.
pub(super) async fn serve(
    mut reader: BufReader<OwnedReadHalf>,
    mut writer: OwnedWriteHalf,
    desk: &Desk,
    presence: &Arc<Presence>,
    address: &Mailbox,
) -> io::Result<()> {
    let mut session = match enter(desk, presence, address).await {
        Ok(session) => session,
        Err(refusal) => return say(&mut writer, &refusal).await,
    };
    say(&mut writer, &Response::Watching).await?;
    loop {
        tokio::select! {
            offered = session.next() => {
                // One that does not answer (a terminal that is stopped) is not there.
                tokio::time::timeout(SHOW_PATIENCE, show(&mut reader, &mut writer, offered)).await??;
            }
            // Unasked, a watcher only ever goes away.
            _ = reader.fill_buf() => return Ok(()),
        }
    }
}

async fn enter(desk: &Desk, presence: &Arc<Presence>, address: &Mailbox) -> Result<LiveSession, Response> {
    let account = desk.store.account(address).await;
    let account = account.map_err(|error| Response::error(ErrorKind::Failed, error.to_string()))?;
    let unknown = || Response::error(ErrorKind::NotFound, format!("there is no account {address}"));
    let account = account.filter(|account| account.enabled).ok_or_else(unknown)?;
    presence.enter(account.id).map_err(|full| Response::error(ErrorKind::Conflict, full.to_string()))
}

async fn show(
    reader: &mut BufReader<OwnedReadHalf>,
    writer: &mut OwnedWriteHalf,
    offered: Offered,
) -> io::Result<()> {
    say(writer, &Response::Notice(Box::new(offered.notice().clone()))).await?;
    let mut line = Vec::new();
    reader.take(TAKEN_LINE_OCTETS_MAX).read_until(b'\n', &mut line).await?;
    match serde_json::from_slice(&line) {
        Ok(Request::Taken) => {
            offered.take();
            Ok(())
        }
        _ => Err(io::Error::from(io::ErrorKind::InvalidData)),
    }
}

async fn say(writer: &mut OwnedWriteHalf, response: &Response) -> io::Result<()> {
    let mut text = serde_json::to_vec(response)?;
    text.push(b'\n');
    writer.write_all(&text).await
}

/// The watcher's end.
#[derive(Debug)]
pub struct Watch {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl Watch {
    /// Begins to watch for somebody's messages at the server that runs on the data folder; `None` where none
    /// runs. A refusal is an error of the socket's with the server's words.
    pub async fn open(data_dir: &Path, address: &Mailbox) -> Result<Option<Self>, AdminError> {
        let stream = match UnixStream::connect(data_dir.join(super::SOCKET_NAME)).await {
            Ok(stream) => stream,
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let (reader, writer) = stream.into_split();
        let mut watch = Watch { reader: BufReader::new(reader), writer };
        watch.say(&Request::Watch { address: address.clone() }).await?;
        match watch.hear().await? {
            Response::Watching => Ok(Some(watch)),
            Response::Error { message, .. } => Err(io::Error::other(message).into()),
            _ => Err(io::Error::from(io::ErrorKind::InvalidData).into()),
        }
    }

    /// The next notice; to be answered with [`taken`](Self::taken) at once.
    pub async fn next(&mut self) -> Result<Notice, AdminError> {
        match self.hear().await? {
            Response::Notice(notice) => Ok(*notice),
            _ => Err(io::Error::from(io::ErrorKind::InvalidData).into()),
        }
    }

    /// It is on the screen.
    pub async fn taken(&mut self) -> Result<(), AdminError> {
        self.say(&Request::Taken).await
    }

    async fn say(&mut self, request: &Request) -> Result<(), AdminError> {
        let mut text = serde_json::to_vec(request)?;
        text.push(b'\n');
        Ok(self.writer.write_all(&text).await?)
    }

    async fn hear(&mut self) -> Result<Response, AdminError> {
        let mut line = Vec::new();
        let mut limited = (&mut self.reader).take(ADMIN_LINE_OCTETS_MAX as u64);
        if limited.read_until(b'\n', &mut line).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        Ok(serde_json::from_slice(&line)?)
    }
}
