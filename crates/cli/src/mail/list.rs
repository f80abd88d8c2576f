//! `posta mail list`.

use super::{DONE, desk, identity::Identity, selection::count};
use crate::output::{FAINT, octets, say, say_json, say_table, styled};
use jiff::tz::TimeZone;
use posta_ua::{Listed, Summary, limits};
use serde::Serialize;

/// List the messages in the maildrop on the server; with --folder, those of a folder on your desk
#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// Only the newest so many
    #[arg(long, short = 'n', value_name = "COUNT")]
    last: Option<usize>,
    /// What is in this folder of your own (`posta mail folders`), as `posta mail search` shows it
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["smtp", "pop3", "user", "apop", "oauth", "show_dialogue"])]
    folder: Option<String>,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    identity: Identity,
}

/// A message in the list.
#[derive(Serialize)]
struct Row {
    number: u32,
    unique_id: Option<String>,
    size_octets: u64,
    #[serde(flatten)]
    summary: Summary,
}

impl List {
    pub(super) async fn run(self) -> anyhow::Result<u8> {
        if let Some(folder) = &self.folder {
            let place = desk::Place { account: self.identity.account, json: self.json };
            let most = self.last.unwrap_or(usize::MAX);
            return place
                .with(async |home| desk::list(home, Some(folder), String::new(), most, place.json).await)
                .await;
        }
        let mut maildrop = self.identity.open_maildrop(limits::SHOWN_OCTETS_MAX).await?;
        let list = maildrop.list().await?;
        let skipped = list.len().saturating_sub(self.last.unwrap_or(usize::MAX));
        let mut rows = Vec::new();
        for Listed { number, octets, unique_id } in list.into_iter().skip(skipped) {
            let header = maildrop.header(number, limits::HEADER_OCTETS_MAX).await?;
            let summary = Summary::of(&header);
            rows.push(Row { number: number.get(), unique_id, size_octets: octets, summary });
        }
        maildrop.quit().await?;
        if self.json {
            say_json(&rows)?;
            return Ok(DONE);
        }
        let zone = TimeZone::system();
        let cells = rows.iter().map(|row| cells(row, &zone)).collect();
        say_table(&["", "From", "Date", "Subject", "Size"], cells, "no mail")?;
        if skipped > 0 {
            say(styled(FAINT, format_args!("{} older ones are not shown", count(skipped))))?;
        }
        Ok(DONE)
    }
}

fn cells(row: &Row, zone: &TimeZone) -> Vec<String> {
    let date = row.summary.date.map(|date| date.instant.to_zoned_datetime(zone.clone()));
    vec![
        row.number.to_string(),
        shortened(&row.summary.from, 32),
        date.map(|date| date.strftime("%Y-%m-%d %H:%M").to_string()).unwrap_or_default(),
        shortened(&row.summary.subject, 72),
        octets(row.size_octets),
    ]
}

/// So many characters at most: a subject may be as long as its sender likes.
fn shortened(text: &str, characters_max: usize) -> String {
    if text.chars().count() <= characters_max {
        return text.to_owned();
    }
    text.chars().take(characters_max - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_shortened_by_characters() {
        assert_eq!(shortened("Grüße", 5), "Grüße");
        assert_eq!(shortened("Grüße!", 5), "Grüß…");
    }
}
