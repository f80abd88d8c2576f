//! `posta mail fetch`.

use super::{DONE, identity::Identity, selection::count};
use crate::output::{FAINT, say, say_aside, styled};
use anyhow::Context;
use jiff::{Timestamp, tz::TimeZone};
use posta_message::header;
use posta_pop3::limits::RETRIEVED_OCTETS_MAX;
use posta_ua::{EmlFolder, Listed, Maildrop, Mbox, terminal::harmless_line};
use std::{
    io,
    path::{Path, PathBuf},
};

/// Fetch all messages into files
///
/// Into a folder, each message becomes a file of its own, exactly as it came, named by its unique-id; those
/// that are there already are not fetched again. With --mbox they are appended to one file.
#[derive(Debug, clap::Args)]
pub(super) struct Fetch {
    /// The folder (or, with --mbox, the file)
    #[arg(value_name = "INTO")]
    into: PathBuf,
    /// INTO is a file in mbox form; messages are appended
    #[arg(long)]
    mbox: bool,
    /// Delete from the server what is safely in files
    #[arg(long)]
    delete: bool,
    #[command(flatten)]
    identity: Identity,
}

/// What became of the messages.
#[derive(Default)]
struct Tally {
    fetched: usize,
    known: usize,
}

impl Fetch {
    pub(super) async fn run(self) -> anyhow::Result<u8> {
        let mut maildrop = self.identity.open_maildrop(RETRIEVED_OCTETS_MAX).await?;
        let list = maildrop.list().await?;
        let fetched = if self.mbox {
            fetch_mbox(&mut maildrop, &list, &self.into).await
        } else {
            fetch_eml(&mut maildrop, &list, &self.into).await
        };
        // On failure the session ends without QUIT, and nothing is deleted, kept or not.
        let tally = fetched.context("nothing was deleted from the server")?;
        if self.delete {
            for listed in &list {
                maildrop.delete(listed.number).await?;
            }
        }
        let ended = maildrop.quit().await;
        ended.context("all messages are in files, but the server may not have finished its work")?;
        let into = self.into.display();
        say(format!("{} fetched into {into}", count(tally.fetched)))?;
        if tally.known > 0 {
            say(styled(FAINT, format_args!("{} there already", count(tally.known))))?;
        }
        if self.delete && !list.is_empty() {
            say(format!("{} deleted from the server", count(list.len())))?;
        }
        Ok(DONE)
    }
}

async fn fetch_eml(maildrop: &mut Maildrop, list: &[Listed], into: &Path) -> anyhow::Result<Tally> {
    let folder = EmlFolder::open(into).with_context(|| into.display().to_string())?;
    let mut tally = Tally::default();
    for listed in list {
        // Without UIDL there is no lasting name: each fetch makes new files.
        let made_up = || format!("{}-{}", Timestamp::now().as_microsecond(), listed.number);
        let name = listed.unique_id.clone().unwrap_or_else(made_up);
        if folder.find(&name, listed.octets).is_some() {
            tally.known += 1;
            continue;
        }
        let mut writer = folder.create(&name).with_context(|| into.display().to_string())?;
        maildrop.retrieve(listed.number, |piece| writer.write(&piece)).await?;
        let path = writer.finish().with_context(|| into.display().to_string())?;
        tell(listed, &path);
        tally.fetched += 1;
    }
    Ok(tally)
}

async fn fetch_mbox(maildrop: &mut Maildrop, list: &[Listed], into: &Path) -> anyhow::Result<Tally> {
    let mut mbox = Mbox::open(into).with_context(|| into.display().to_string())?;
    let mut tally = Tally::default();
    for listed in list {
        let mut begun = false;
        let retrieved = maildrop.retrieve(listed.number, |piece| {
            if !begun {
                begun = true;
                begin(&mut mbox, &piece)?;
            }
            mbox.write(&piece)
        });
        let written = match retrieved.await {
            Ok(()) if !begun => {
                begin(&mut mbox, b"").and_then(|()| mbox.finish()).map_err(anyhow::Error::from)
            }
            Ok(()) => mbox.finish().map_err(anyhow::Error::from),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = written {
            mbox.abandon().context("a part of a message is left at the end of the file")?;
            return Err(error.context(into.display().to_string()));
        }
        tell(listed, into);
        tally.fetched += 1;
    }
    Ok(tally)
}

/// The `From ` line, from the message's first octets: who sent it is in `Return-Path:`, which stands first
/// (RFC 5321 §4.4).
fn begin(mbox: &mut Mbox, piece: &[u8]) -> io::Result<()> {
    let section = header::split(piece).0;
    let return_path = header::first(section, "Return-Path").map(String::from_utf8_lossy);
    let sender = return_path.as_deref().unwrap_or_default().trim();
    let sender = sender.trim_start_matches('<').trim_end_matches('>');
    // RFC 4155 wants UTC in the form of asctime.
    let now = Timestamp::now().to_zoned_datetime(TimeZone::UTC).strftime("%a %b %e %H:%M:%S %Y").to_string();
    mbox.begin(sender, &now)
}

fn tell(listed: &Listed, path: &Path) {
    say_aside(styled(
        FAINT,
        format_args!("{} → {}", listed.number, harmless_line(&path.display().to_string())),
    ));
}
