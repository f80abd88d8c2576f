//! `posta mail …` on the person's own desk: mail that was fetched into their folders, with search, folders, labels,
//! drafts and an outbox. The same desk as `posta tui` shows.

mod carrying;
mod changing;
mod listing;
mod people;
mod reading;
mod settling;
mod writing;

use super::{DONE, home_place};
use crate::output::{GOOD, say, say_json, styled};
use anyhow::Context;
pub(super) use carrying::{Export, Import, Sync};
pub(super) use changing::{Archive, Flag, Labels, Mark, Move, Snooze, Trash};
pub(super) use listing::{Drafts, Folders, Outbox, Search, list};
pub(super) use people::Contacts;
use posta_ua::{
    Accounts, Outside,
    desk::{
        ConversationQuery, Desk, DeskError, Done, FolderKey, MessageKey, Selection, limits::PAGE_ROWS_MAX,
    },
    home::{self, Home, HomeError},
    terminal::harmless_line,
};
pub(super) use reading::{Form, read};
pub(super) use settling::{Rules, Vacation};
use std::sync::Arc;
pub(super) use writing::{Forward, NewLetter, Reply, take_back};

/// What was named is not there.
const MISSING: u8 = 4;
/// Another program has the mail open.
const BUSY: u8 = 5;

/// Messages that one command takes from a search.
const FOUND_MAX: usize = 10_000;

/// How a failure ends the command, where there is a code for it.
pub(super) fn exit_code(error: &anyhow::Error) -> Option<u8> {
    error.chain().find_map(|cause| match (cause.downcast_ref(), cause.downcast_ref()) {
        (Some(DeskError::NotFound(_)), _) => Some(MISSING),
        (_, Some(HomeError::Busy(_))) => Some(BUSY),
        _ => None,
    })
}

/// Which desk, and how results are printed.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Place {
    /// The account of that name (else the default one)
    #[arg(long, global = true, value_name = "NAME")]
    pub(super) account: Option<String>,
    /// Print JSON, for programs
    #[arg(long, global = true)]
    pub(super) json: bool,
}

impl Place {
    pub(super) async fn open(&self) -> anyhow::Result<Home> {
        open(self.account.clone()).await
    }

    /// Opens, does it, and closes: what was begun is finished however it ends.
    pub(super) async fn with<T>(
        &self,
        work: impl AsyncFnOnce(&Home) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let home = self.open().await?;
        let done = work(&home).await;
        home.close().await;
        done
    }

    fn tell(&self, done: &Done) -> anyhow::Result<u8> {
        if self.json {
            say_json(done)?
        } else {
            say(styled(GOOD, harmless_line(&done.text)))?
        }
        Ok(DONE)
    }
}

async fn open(account: Option<String>) -> anyhow::Result<Home> {
    Ok(home::open(&home_place(account)?, Outside::system()).await?)
}

/// Whether there is an account whose desk could be opened.
pub(super) fn is_set_up(account: Option<&str>) -> bool {
    let accounts = home_place(None).ok().and_then(|place| Accounts::load(&place.configuration).ok());
    accounts.is_some_and(|accounts| accounts.get(account).is_ok())
}

/// The folder of this name, role or key.
async fn folder(desk: &Arc<dyn Desk>, said: &str) -> anyhow::Result<FolderKey> {
    let folders = desk.folders().await?;
    let by_key = folders.iter().find(|folder| folder.key.as_str() == said);
    let by_name = || folders.iter().find(|folder| folder.name.to_lowercase() == said.to_lowercase());
    let by_role = || folders.iter().find(|folder| folder.key.as_str() == said.to_lowercase());
    let found = by_key.or_else(by_name).or_else(by_role);
    Ok(found.ok_or_else(|| DeskError::NotFound(format!("the folder `{said}`")))?.key.clone())
}

/// Which messages are meant: by their keys, or all that a search finds.
#[derive(Debug, Clone, clap::Args)]
#[group(required = true, multiple = true)]
pub(super) struct Chosen {
    /// Keys of messages, as `search` and `list --folder` show them
    #[arg(value_name = "KEY")]
    keys: Vec<String>,
    /// All that this search finds (at most 10,000)
    #[arg(long, short, value_name = "SEARCH")]
    query: Option<String>,
    /// With --query: only in this folder
    #[arg(long, value_name = "FOLDER", requires = "query")]
    within: Option<String>,
}

impl Chosen {
    /// The messages; each that is named must be there.
    async fn selection(&self, desk: &Arc<dyn Desk>) -> anyhow::Result<Selection> {
        let mut messages = Vec::new();
        for key in &self.keys {
            let key = MessageKey::new(key.as_str());
            desk.raw(&key).await?;
            messages.push(key);
        }
        if let Some(search) = &self.query {
            let folder = match &self.within {
                Some(said) => Some(folder(desk, said).await?),
                None => None,
            };
            let query = ConversationQuery { folder, search: search.clone(), ..ConversationQuery::default() };
            messages.extend(rows(desk, query, FOUND_MAX).await?.0.into_iter().map(|row| row.key));
        }
        Ok(Selection { messages, ..Selection::default() })
    }
}

/// The newest messages that fit, and how many fit in all.
async fn rows(
    desk: &Arc<dyn Desk>,
    mut query: ConversationQuery,
    most: usize,
) -> anyhow::Result<(Vec<posta_ua::desk::MessageRow>, u64)> {
    let mut rows = Vec::new();
    loop {
        let left = u32::try_from(most - rows.len()).unwrap_or(u32::MAX);
        query.limit = left.clamp(1, PAGE_ROWS_MAX);
        let page = desk.messages(&query).await?;
        rows.extend(page.rows);
        match page.next {
            Some(next) if rows.len() < most => query.cursor = Some(next),
            _ => {
                rows.truncate(most);
                return Ok((rows, page.total));
            }
        }
    }
}

/// A moment to come, as people say it.
fn later(text: &str) -> anyhow::Result<jiff::Timestamp> {
    crate::tui::when::later(text, &jiff::ZonedDateTime::now()).with_context(|| {
        format!("`{text}` is no time to come; say 2h, tomorrow, monday, 18:30 or \"2026-12-24 18:30\"")
    })
}
