//! `search`, `folders`, `drafts`, `outbox`: what there is.

use super::{Place, folder, rows};
use crate::{
    mail::DONE,
    output::{FAINT, GOOD, octets, say, say_json, say_table, styled, time},
};
use posta_ua::{
    desk::{ConversationQuery, Desk, DraftKey, FolderKey, FolderRole, MessageRow, SendOptions},
    home::Home,
    terminal::harmless_line,
};
use std::sync::Arc;

/// Search all your mail: words, "words together", and fields
///
/// Fields: from: to: subject: body: filename: list: has:attachment before: after: on: older_than:7d newer_than:2w
/// in:FOLDER is:unread larger:5M smaller:10k label:NAME; -word leaves out (say `--` before it). What is found is on this machine: `posta mail
/// sync` fetches what is new.
#[derive(Debug, clap::Args)]
pub(crate) struct Search {
    /// What to look for; nothing finds all
    #[arg(value_name = "SEARCH")]
    words: Vec<String>,
    /// Only in this folder
    #[arg(long, short, value_name = "FOLDER")]
    pub(crate) folder: Option<String>,
    /// At most so many, the newest
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    #[command(flatten)]
    place: Place,
}

impl Search {
    pub(crate) async fn run(self) -> anyhow::Result<u8> {
        self.place
            .with(async |home| {
                let (folder, search) = (self.folder.as_deref(), self.words.join(" "));
                list(home, folder, search, self.limit as usize, self.place.json).await
            })
            .await
    }
}

/// A list of messages, newest first.
pub(crate) async fn list(
    home: &Home,
    within: Option<&str>,
    search: String,
    most: usize,
    json: bool,
) -> anyhow::Result<u8> {
    let desk = home.desk();
    let folder = match within {
        Some(said) => Some(folder(desk, said).await?),
        None => None,
    };
    let query = ConversationQuery { folder, search, ..ConversationQuery::default() };
    let (rows, total) = rows(desk, query, most).await?;
    if json {
        say_json(&rows)?;
        return Ok(DONE);
    }
    let shown = rows.len() as u64;
    let cells = rows.iter().map(cells).collect();
    say_table(&["Key", "", "From", "Date", "Subject", "Size"], cells, "no mail")?;
    if total > shown {
        say(styled(FAINT, format_args!("{} more are not shown", total - shown)))?;
    }
    Ok(DONE)
}

fn cells(row: &MessageRow) -> Vec<String> {
    let marks =
        [(!row.is_read, 'N'), (row.is_flagged, '!'), (row.is_answered, 'r'), (row.has_attachment, '@')];
    vec![
        row.key.to_string(),
        marks.iter().filter(|(is_set, _)| *is_set).map(|(_, letter)| *letter).collect(),
        shortened(row.from.shown(), 32),
        time(row.time),
        shortened(&row.subject, 72),
        octets(row.size_octets),
    ]
}

fn shortened(text: &str, characters_max: usize) -> String {
    let text = harmless_line(text);
    if text.chars().count() <= characters_max {
        return text;
    }
    text.chars().take(characters_max - 1).chain(['…']).collect()
}

/// List folders, make, rename or remove them
#[derive(Debug, clap::Args)]
pub(crate) struct Folders {
    #[command(subcommand)]
    action: Option<FolderAction>,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, clap::Subcommand)]
enum FolderAction {
    /// Make a folder; `/` in its name nests
    Create { name: String },
    /// Give a folder another name
    Rename { folder: String, name: String },
    /// Remove an empty folder
    Remove { folder: String },
}

impl Folders {
    pub(crate) async fn run(self) -> anyhow::Result<u8> {
        let (action, place) = (self.action, self.place);
        place
            .with(async |home| {
                let desk = home.desk();
                match action {
                    None => return list_folders(desk, place.json).await,
                    Some(FolderAction::Create { name }) => {
                        let key = desk.create_folder(&name).await?;
                        if place.json { say_json(&key)? } else { say(styled(GOOD, "created"))? }
                    }
                    Some(FolderAction::Rename { folder: said, name }) => {
                        desk.rename_folder(&folder(desk, &said).await?, &name).await?;
                        say(styled(GOOD, "renamed"))?;
                    }
                    Some(FolderAction::Remove { folder: said }) => {
                        desk.remove_folder(&folder(desk, &said).await?).await?;
                        say(styled(GOOD, "removed"))?;
                    }
                }
                Ok(DONE)
            })
            .await
    }
}

async fn list_folders(desk: &Arc<dyn Desk>, json: bool) -> anyhow::Result<u8> {
    let folders = desk.folders().await?;
    if json {
        say_json(&folders)?;
        return Ok(DONE);
    }
    let cells = folders.iter().map(|folder| {
        vec![harmless_line(&folder.name), folder.messages.to_string(), folder.unread.to_string()]
    });
    say_table(&["Folder", "Messages", "Unread"], cells.collect(), "no folders")?;
    Ok(DONE)
}

/// List drafts, send or discard one
#[derive(Debug, clap::Args)]
pub(crate) struct Drafts {
    /// Send the draft of this key
    #[arg(long, value_name = "DRAFT", conflicts_with = "discard")]
    send: Option<String>,
    /// Throw the draft of this key away
    #[arg(long, value_name = "DRAFT")]
    discard: Option<String>,
    #[command(flatten)]
    place: Place,
}

impl Drafts {
    pub(crate) async fn run(self) -> anyhow::Result<u8> {
        let place = &self.place;
        place
            .with(async |home| {
                let desk = home.desk();
                if let Some(key) = &self.discard {
                    return place.tell(&desk.discard_draft(&DraftKey::new(key.as_str())).await?);
                }
                if let Some(key) = &self.send {
                    let key = DraftKey::new(key.as_str());
                    let options = SendOptions { undo_secs: Some(0), ..SendOptions::default() };
                    return super::writing::send(home, &key, &options, place.json).await;
                }
                let folder = Some(FolderKey::of(FolderRole::Drafts));
                let query = ConversationQuery { folder, ..ConversationQuery::default() };
                let (rows, _) = rows(desk, query, super::FOUND_MAX).await?;
                if place.json {
                    say_json(&rows)?;
                    return Ok(DONE);
                }
                let cells = rows.iter().map(|row| {
                    let to: Vec<_> = row.to.iter().map(|person| person.shown()).collect();
                    let key = row.draft.as_ref().map(ToString::to_string).unwrap_or_default();
                    vec![key, shortened(&to.join(", "), 40), shortened(&row.subject, 72), time(row.time)]
                });
                say_table(&["Draft", "To", "Subject", "Saved"], cells.collect(), "no drafts")?;
                Ok(DONE)
            })
            .await
    }
}

/// List what waits to be sent (`unsend` takes it back)
#[derive(Debug, clap::Args)]
pub(crate) struct Outbox {
    #[command(flatten)]
    place: Place,
}

impl Outbox {
    pub(crate) async fn run(self) -> anyhow::Result<u8> {
        self.place
            .with(async |home| {
                let waiting = home.desk().outbox().await?;
                if self.place.json {
                    say_json(&waiting)?;
                    return Ok(DONE);
                }
                let cells = waiting.iter().map(|entry| {
                    let to: Vec<_> = entry.to.iter().map(|person| person.shown()).collect();
                    let (to, subject) = (shortened(&to.join(", "), 40), shortened(&entry.subject, 72));
                    vec![entry.outbox.to_string(), to, subject, time(entry.release_at)]
                });
                say_table(&["Key", "To", "Subject", "Leaves"], cells.collect(), "nothing waits")?;
                for failure in home.send_failures().await? {
                    let words = format!(
                        "{}: {}; next attempt {}",
                        failure.recipient,
                        failure.reason,
                        time(failure.next_attempt_at)
                    );
                    say(styled(FAINT, harmless_line(&words)))?;
                }
                Ok(DONE)
            })
            .await
    }
}
