//! Somebody on this machine watches for messages: a connection of the operator's socket that is turned into
//! a live session (see [`presence`](crate::presence)). The other end is [`Watch`](super::Watch).
//!
//! After [`Request::Watch`] and [`Response::Watching`] each notice is a line, and the watcher answers each
//! with [`Request::Taken`] once it is on the screen.

use super::{
    desk::Desk,
    protocol::{ErrorKind, Request, Response},
};
use crate::{
    limits::{SHOW_PATIENCE, TAKEN_LINE_OCTETS_MAX},
    presence::{LiveSession, Offered, Presence},
};
use posta_address::Mailbox;
use std::{io, sync::Arc};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::unix::{OwnedReadHalf, OwnedWriteHalf},
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
