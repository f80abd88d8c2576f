//! `posta message headers`.

use super::{Input, put};
use crate::output::{STRONG, say, styled};
use anyhow::bail;
use posta_message::Message;
use posta_ua::terminal::harmless_line;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(crate) struct Headers {
    #[command(flatten)]
    input: Input,
    /// Only fields of this name, their values alone; exits 1 if there is none
    #[arg(long, value_name = "NAME")]
    field: Option<String>,
    /// The header section as it stands, octet for octet
    #[arg(long, conflicts_with = "field")]
    raw: bool,
}

impl Headers {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let raw = self.input.read()?;
        let message = Message::parse(&raw);
        let root = message.root();
        if self.raw {
            put(root.raw_header())?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut found = false;
        for field in root.fields().filter(|field| !field.name.is_empty()) {
            let value = field.text().text;
            match &self.field {
                None => say(format!(
                    "{} {}",
                    styled(STRONG, format_args!("{}:", harmless_line(&field.name_text()))),
                    harmless_line(&value)
                ))?,
                Some(name) if field.is(name) => say(harmless_line(&value))?,
                Some(_) => continue,
            }
            found = true;
        }
        match &self.field {
            Some(name) if !found => bail!("no field {name}"),
            _ => Ok(ExitCode::SUCCESS),
        }
    }
}
