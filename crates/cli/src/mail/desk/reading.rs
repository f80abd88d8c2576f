//! `read` of a message on the desk.

use super::open;
use crate::mail::DONE;
use crate::output::{FAINT, STRONG, octets, say, say_json, styled, time};
use posta_ua::{
    desk::{Change, MessageKey, MessageView, Person, ReadOptions, Selection, TextBlockKind},
    terminal::{harmless, harmless_line},
};
use std::io::{self, IsTerminal, Write};

/// How it is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form {
    pub(crate) json: bool,
    pub(crate) source: bool,
}

/// Shows a message, which is read then; but for `source` and `json`, which programs ask for.
pub(crate) async fn read(account: Option<String>, key: &str, form: Form) -> anyhow::Result<u8> {
    let home = open(account).await?;
    let done = show(&home, &MessageKey::new(key), form).await;
    home.close().await;
    done
}

async fn show(home: &posta_ua::home::Home, key: &MessageKey, form: Form) -> anyhow::Result<u8> {
    let desk = home.desk();
    if form.source {
        let octets = desk.raw(key).await?;
        let mut out = io::stdout().lock();
        if io::stdout().is_terminal() {
            out.write_all(harmless(&String::from_utf8_lossy(&octets)).as_bytes())?;
        } else {
            out.write_all(&octets)?;
        }
        out.flush()?;
        return Ok(DONE);
    }
    let view = desk.message(key, &ReadOptions::default()).await?;
    if form.json {
        say_json(&view)?;
        return Ok(DONE);
    }
    say_view(&view)?;
    if !view.row.is_read {
        desk.change(&Change::Read { selection: Selection::message(key.clone()), read: true }).await?;
    }
    Ok(DONE)
}

fn people(people: &[Person]) -> String {
    let shown = people.iter().map(|person| match person.name.as_str() {
        "" => person.address.clone(),
        name => format!("{name} <{}>", person.address),
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn say_view(view: &MessageView) -> anyhow::Result<()> {
    let date = view.date.unwrap_or(view.row.time);
    let fields = [
        ("From", people(&view.authors)),
        ("To", people(&view.all_to)),
        ("Cc", people(&view.cc)),
        ("Date", time(date)),
        ("Subject", view.row.subject.clone()),
        ("Labels", view.row.labels.join(", ")),
    ];
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        say(format!(
            "{} {}",
            styled(STRONG, format_args!("{:<9}", format!("{name}:"))),
            harmless_line(value)
        ))?;
    }
    say("")?;
    if let Some(report) = &view.report {
        say(harmless(&report.text))?;
        say("")?;
    }
    for block in &view.body.text {
        for line in block.text.trim_end_matches('\n').split('\n') {
            let line = format!("{}{}", "> ".repeat(block.depth.min(20) as usize), harmless_line(line));
            let is_faint = matches!(block.kind, TextBlockKind::Quoted | TextBlockKind::Signature);
            if is_faint { say(styled(FAINT, line))? } else { say(line)? }
        }
    }
    for attachment in &view.attachments {
        let kind = format!("({}, {})", attachment.media_type, octets(attachment.size_octets));
        let name = harmless_line(&attachment.name);
        say(format!("{} {name} {}", styled(STRONG, "Attached:"), styled(FAINT, harmless_line(&kind))))?;
    }
    Ok(())
}
