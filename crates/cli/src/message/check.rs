//! `posta message check`.

use super::Input;
use crate::output::{BAD, FAINT, GOOD, say, say_json, styled};
use posta_message::Message;
use serde::Serialize;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    #[command(flatten)]
    input: Input,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Finding {
    line: usize,
    offset: usize,
    kind: &'static str,
    section: &'static str,
    text: &'static str,
}

impl Check {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let raw = self.input.read()?;
        let message = Message::parse(&raw);
        let mut line = 1;
        let mut counted = 0;
        let mut findings = Vec::new();
        // Defects come in the order of their places, so that every line is counted once.
        for defect in message.check() {
            let offset = defect.offset.min(raw.len());
            line += raw[counted..offset].iter().filter(|octet| **octet == b'\n').count();
            counted = offset;
            let kind = defect.kind;
            findings.push(Finding {
                line,
                offset,
                kind: kind.slug(),
                section: kind.section(),
                text: kind.text(),
            });
        }
        let code = if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        if self.json {
            say_json(&findings)?;
            return Ok(code);
        }
        if findings.is_empty() {
            say(styled(GOOD, "No defects."))?;
        }
        for finding in &findings {
            let place = styled(BAD, format_args!("{:>6}", finding.line));
            say(format!(
                "{place}  {} {}",
                finding.text,
                styled(FAINT, format_args!("({})", finding.section))
            ))?;
        }
        Ok(code)
    }
}
