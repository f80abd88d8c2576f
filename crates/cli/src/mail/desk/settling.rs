//! `rules` and `vacation`: what is done by itself.

use super::{Place, later};
use crate::{
    mail::{DONE, send::read_file},
    output::{FAINT, GOOD, STRONG, say, say_json, styled, time},
};
use anyhow::Context;
use posta_ua::{
    desk::{Rule, Vacation as Answer},
    terminal::{harmless, harmless_line},
};
use std::path::PathBuf;

/// Octets of a file of rules.
const RULES_OCTETS_MAX: u64 = 1024 * 1024;

/// Show the rules for new mail, or put others in their place
#[derive(Debug, clap::Args)]
pub(crate) struct Rules {
    /// Read them from this file: a JSON list, as --json prints it
    #[arg(long, value_name = "FILE")]
    set: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

impl Rules {
    pub(crate) async fn run(self) -> anyhow::Result<u8> {
        self.place
            .with(async |home| {
                if let Some(file) = &self.set {
                    let octets = read_file(file, RULES_OCTETS_MAX)?;
                    let rules: Vec<Rule> =
                        serde_json::from_slice(&octets).with_context(|| file.display().to_string())?;
                    home.desk().put_rules(&rules).await?;
                }
                let rules = home.desk().rules().await?;
                if self.place.json {
                    say_json(&rules)?;
                    return Ok(DONE);
                }
                if rules.is_empty() {
                    say(styled(FAINT, "no rules"))?;
                }
                for rule in &rules {
                    let state = if rule.enabled { "" } else { " (off)" };
                    say(format!("{}{state}", styled(STRONG, harmless_line(&rule.name))))?;
                    let word = if rule.any { "any of" } else { "all of" };
                    say(harmless_line(&format!("  if {word} {}", serde_json::to_string(&rule.conditions)?)))?;
                    say(harmless_line(&format!("  then {}", serde_json::to_string(&rule.actions)?)))?;
                }
                Ok(DONE)
            })
            .await
    }
}

/// Show the answer given while you are away, switch it on or off
///
/// It is given by whoever follows your mail: the server, if your mail is read there; else `posta tui`, while it runs.
#[derive(Debug, clap::Args)]
pub(crate) struct Vacation {
    /// Answer with this text
    #[arg(long, value_name = "TEXT", conflicts_with = "off")]
    text: Option<String>,
    /// With this subject (else "Auto: " and that of the message)
    #[arg(long, value_name = "TEXT", requires = "text")]
    subject: Option<String>,
    /// Until then: 2w, 2026-12-24, "2026-12-24 18:30"
    #[arg(long, value_name = "TIME", requires = "text")]
    until: Option<String>,
    /// Only to people in the address book
    #[arg(long, requires = "text")]
    contacts_only: bool,
    /// Answer no more
    #[arg(long)]
    off: bool,
    #[command(flatten)]
    place: Place,
}

impl Vacation {
    pub(crate) async fn run(self) -> anyhow::Result<u8> {
        self.place
            .with(async |home| {
                let desk = home.desk();
                if let Some(text) = &self.text {
                    let answer = Answer {
                        enabled: true,
                        from: None,
                        until: self.until.as_deref().map(later).transpose()?,
                        subject: self.subject.clone().unwrap_or_default(),
                        text: text.clone(),
                        contacts_only: self.contacts_only,
                    };
                    desk.put_vacation(&answer).await?;
                } else if self.off {
                    let answer = Answer { enabled: false, ..desk.vacation().await? };
                    desk.put_vacation(&answer).await?;
                }
                let answer = desk.vacation().await?;
                if self.place.json {
                    say_json(&answer)?;
                } else if answer.enabled {
                    let until =
                        answer.until.map(|until| format!(" until {}", time(until))).unwrap_or_default();
                    say(format!("{}{until}", styled(GOOD, "on")))?;
                    say(harmless(&answer.text))?;
                } else {
                    say(styled(FAINT, "off"))?;
                }
                Ok(DONE)
            })
            .await
    }
}
