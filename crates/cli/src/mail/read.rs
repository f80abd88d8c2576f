//! `posta mail read`.

use super::{
    DONE, desk,
    identity::Identity,
    selection::{self, Selection},
};
use crate::output::{say_json, say_view};
use anyhow::Context;
use jiff::tz::TimeZone;
use posta_ua::{View, desk::DeskError, limits, terminal::harmless};
use std::io::{self, IsTerminal, Write};

/// Read a message
#[derive(Debug, clap::Args)]
pub(super) struct Read {
    /// The number of the message as `list` shows it, its unique-id, or its key on your desk
    #[arg(value_name = "N")]
    message: Selection,
    /// Show the message as it came, header and all (octet for octet, except to a terminal)
    #[arg(long, conflicts_with = "json")]
    source: bool,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    identity: Identity,
}

impl Read {
    pub(super) async fn run(self) -> anyhow::Result<u8> {
        if let Selection::UniqueId(key) = &self.message
            && self.identity.pop3.is_none()
            && desk::is_set_up(self.identity.account.as_deref())
        {
            let form = desk::Form { json: self.json, source: self.source };
            match desk::read(self.identity.account.clone(), key, form).await {
                // It may be a unique-id on the server.
                Err(error) if matches!(error.downcast_ref(), Some(DeskError::NotFound(_))) => {}
                shown => return shown,
            }
        }
        let mut maildrop = self.identity.open_maildrop(limits::SHOWN_OCTETS_MAX).await?;
        let found = selection::find(&mut maildrop, std::slice::from_ref(&self.message)).await?;
        let listed = found.first().context("the server lists no such message")?;
        let message = maildrop.read(listed.number).await?;
        maildrop.quit().await?;
        if self.source {
            show_source(&message)?;
            return Ok(DONE);
        }
        let view = View::of(&message, &TimeZone::system());
        if self.json {
            say_json(&view)?
        } else {
            say_view(&view)?
        }
        Ok(DONE)
    }
}

fn show_source(message: &[u8]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    if io::stdout().is_terminal() {
        out.write_all(harmless(&String::from_utf8_lossy(message)).as_bytes())?;
    } else {
        out.write_all(message)?;
    }
    out.flush()?;
    Ok(())
}
