//! The other end of [`watch`](super::watch): a program of the operator's that shows messages as they come.

use super::{
    client::AdminError,
    protocol::{Request, Response},
    socket::SOCKET_NAME,
};
use crate::{limits::ADMIN_LINE_OCTETS_MAX, presence::Notice};
use posta_address::Mailbox;
use std::{io, path::Path};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
};

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
        let stream = match UnixStream::connect(data_dir.join(SOCKET_NAME)).await {
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
