//! `sync`, `export`, `import`: mail in and out.

use super::{Place, folder};
use crate::{
    mail::{DONE, PARTLY},
    output::{FAINT, WAITING, say, say_aside, say_json, styled},
};
use anyhow::bail;
use posta_ua::{
    desk::ConversationQuery,
    engine::transfer::{TransferReport, export_maildir, export_mbox, import_maildir, import_mbox},
    terminal::harmless_line,
};
use std::path::PathBuf;

/// Fetch what is new, and send what is due
#[derive(Debug, clap::Args)]
pub(crate) struct Sync {
    #[command(flatten)]
    place: Place,
}

impl Sync {
    pub(crate) async fn run(self) -> anyhow::Result<u8> {
        self.place
            .with(async |home| {
                let left = home.send_due(true).await?;
                let fetched = match home.fetch().await {
                    Ok(fetched) => fetched,
                    Err(words) => bail!("{}", harmless_line(&words)),
                };
                if self.place.json {
                    say_json(&serde_json::json!({
                        "fetched": fetched.messages,
                        "too_large": fetched.too_large,
                        "sent": left.sent,
                        "refused": left.refused,
                        "waiting": left.waiting,
                    }))?;
                } else {
                    say(format!(
                        "{} fetched, {} sent, {} waiting",
                        fetched.messages, left.sent, left.waiting
                    ))?;
                }
                if fetched.too_large > 0 {
                    say_aside(styled(
                        WAITING,
                        format_args!("{} are too large to be fetched", fetched.too_large),
                    ));
                }
                Ok(if left.refused > 0 { PARTLY } else { DONE })
            })
            .await
    }
}

/// How mail lies in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// All messages in one file (mboxrd)
    Mbox,
    /// A folder with a file for each message
    Maildir,
}

/// Write messages into an mbox file or a Maildir, with a count and a hash for comparing
#[derive(Debug, clap::Args)]
pub(crate) struct Export {
    /// The file, or the folder; what is there stays
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Only what this search finds
    #[arg(long, short, value_name = "SEARCH", default_value = "", hide_default_value = true)]
    query: String,
    /// Only what is in this folder
    #[arg(long, value_name = "FOLDER")]
    folder: Option<String>,
    #[arg(long, value_enum, default_value_t = Format::Mbox)]
    format: Format,
    #[command(flatten)]
    place: Place,
}

impl Export {
    pub(crate) async fn run(self) -> anyhow::Result<u8> {
        self.place
            .with(async |home| {
                let desk = home.desk();
                let folder = match &self.folder {
                    Some(said) => Some(folder(desk, said).await?),
                    None => None,
                };
                let query =
                    ConversationQuery { folder, search: self.query.clone(), ..ConversationQuery::default() };
                let report = match self.format {
                    Format::Mbox => export_mbox(&**desk, &query, &self.path).await?,
                    Format::Maildir => export_maildir(&**desk, &query, &self.path).await?,
                };
                tell(&report, self.place.json)
            })
            .await
    }
}

/// Read the messages of an mbox file or a Maildir into a folder, with a count and a hash for comparing
#[derive(Debug, clap::Args)]
pub(crate) struct Import {
    /// The file, or the folder
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Into this folder, which must be there
    #[arg(long, value_name = "FOLDER", default_value = "archive")]
    folder: String,
    #[command(flatten)]
    place: Place,
}

impl Import {
    pub(crate) async fn run(self) -> anyhow::Result<u8> {
        self.place
            .with(async |home| {
                let desk = home.desk();
                let folder = folder(desk, &self.folder).await?;
                let report = if self.path.is_dir() {
                    import_maildir(&**desk, &folder, &self.path).await?
                } else {
                    import_mbox(&**desk, &folder, &self.path).await?
                };
                tell(&report, self.place.json)
            })
            .await
    }
}

fn tell(report: &TransferReport, json: bool) -> anyhow::Result<u8> {
    if json {
        say_json(&serde_json::json!({
            "messages": report.messages,
            "octets": report.octets,
            "digest": report.digest,
            "failures": report.failures,
        }))?;
    } else {
        say(format!("{} messages, {} octets", report.messages, report.octets))?;
        say(styled(FAINT, format_args!("blake3 {}", report.digest)))?;
    }
    report.failures.iter().for_each(|words| say_aside(harmless_line(words)));
    Ok(if report.failures.is_empty() { DONE } else { PARTLY })
}
