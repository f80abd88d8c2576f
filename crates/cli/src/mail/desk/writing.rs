//! `reply`, `forward`, and `send` with a copy: letters that go by way of the outbox.

use super::{Place, later};
use crate::{
    mail::{DONE, PARTLY},
    output::{GOOD, WAITING, say, say_json, styled, time},
};
use anyhow::{Context, bail};
use posta_ua::{
    desk::{
        AttachmentSource, Draft, DraftAttachment, DraftBody, DraftKey, MessageKey, Person, ReplyKind,
        SendOptions,
    },
    home::Home,
    parse_mailboxes,
    terminal::harmless_line,
};
use std::path::{Path, PathBuf};

/// What is written, and when it goes.
#[derive(Debug, clap::Args)]
pub(crate) struct Written {
    /// The text; without it (and without --file) it is read from standard input
    #[arg(value_name = "TEXT")]
    pub(crate) body: Option<String>,
    /// Read the text from this file (`-`: standard input)
    #[arg(long, short = 'F', value_name = "FILE", conflicts_with = "body")]
    pub(crate) file: Option<PathBuf>,
    /// A file to go along; can be repeated
    #[arg(long, short, value_name = "FILE")]
    pub(crate) attach: Vec<PathBuf>,
    /// To these as well; can be repeated
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) cc: Vec<String>,
    /// As --cc, but nobody else learns of them
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) bcc: Vec<String>,
    /// Send it then: 2h, tomorrow, monday, 18:30, "2026-12-24 18:30"
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Keep it back so long, for second thoughts (`unsend`)
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=120))]
    undo: u32,
    /// Save it as a draft, and don't send it
    #[arg(long, conflicts_with_all = ["at", "undo"])]
    draft: bool,
}

/// Answer a message
#[derive(Debug, clap::Args)]
pub(crate) struct Reply {
    /// Its key, as `search` shows it
    #[arg(value_name = "KEY")]
    key: String,
    /// To all that got it
    #[arg(long, conflicts_with = "list")]
    all: bool,
    /// To the mailing list that it came by
    #[arg(long)]
    list: bool,
    /// Without the quoted text
    #[arg(long)]
    no_quote: bool,
    #[command(flatten)]
    written: Written,
    #[command(flatten)]
    place: Place,
}

impl Reply {
    pub(crate) async fn run(self) -> anyhow::Result<u8> {
        let kind = match (self.all, self.list) {
            (true, _) => ReplyKind::ReplyAll,
            (_, true) => ReplyKind::ReplyList,
            _ => ReplyKind::Reply,
        };
        let text = self.written.text()?;
        self.place
            .with(async |home| {
                let draft = home.desk().reply_draft(&MessageKey::new(self.key.as_str()), kind).await?;
                let above = home.desk().settings().await?.reply_above;
                let body = match (&draft.body, self.no_quote) {
                    (DraftBody::Text(quoted), false) => joined(&text, quoted, above),
                    _ => text,
                };
                self.written
                    .finish(home, Draft { body: DraftBody::Text(body), ..draft }, self.place.json)
                    .await
            })
            .await
    }
}

/// Own words and the quotation, with an empty line between.
fn joined(text: &str, quoted: &str, above: bool) -> String {
    let (text, quoted) = (text.trim_end_matches('\n'), quoted.trim_matches('\n'));
    match (text, quoted) {
        (text, "") => format!("{text}\n"),
        ("", quoted) => format!("{quoted}\n"),
        _ if above => format!("{text}\n\n{quoted}\n"),
        _ => format!("{quoted}\n\n{text}\n"),
    }
}

/// Pass a message on
#[derive(Debug, clap::Args)]
pub(crate) struct Forward {
    /// Its key, as `search` shows it
    #[arg(value_name = "KEY")]
    key: String,
    /// To whom; can be repeated
    #[arg(long, short, value_name = "ADDRESS", required = true)]
    to: Vec<String>,
    /// As an attached message, whole, instead of quoted
    #[arg(long)]
    attached: bool,
    #[command(flatten)]
    written: Written,
    #[command(flatten)]
    place: Place,
}

impl Forward {
    pub(crate) async fn run(self) -> anyhow::Result<u8> {
        let kind = if self.attached { ReplyKind::ForwardAttached } else { ReplyKind::Forward };
        let (text, to) = (self.written.text()?, people(&self.to)?);
        self.place
            .with(async |home| {
                let draft = home.desk().reply_draft(&MessageKey::new(self.key.as_str()), kind).await?;
                let body = match &draft.body {
                    DraftBody::Text(quoted) => joined(&text, quoted, true),
                    DraftBody::Html(_) => text,
                };
                let draft = Draft { to, body: DraftBody::Text(body), ..draft };
                self.written.finish(home, draft, self.place.json).await
            })
            .await
    }
}

impl Written {
    fn text(&self) -> anyhow::Result<String> {
        crate::mail::send::text(self.body.as_ref(), self.file.as_deref())
    }

    /// Saves the draft with its files, and sends it if that is wanted.
    async fn finish(&self, home: &Home, mut draft: Draft, json: bool) -> anyhow::Result<u8> {
        let desk = home.desk();
        draft.cc.extend(people(&self.cc)?);
        draft.bcc.extend(people(&self.bcc)?);
        for path in &self.attach {
            draft.attachments.push(upload(home, path).await?);
        }
        let at = self.at.as_deref().map(later).transpose()?;
        let saved = desk.save_draft(&draft).await?;
        if self.draft {
            if json {
                say_json(&saved)?;
            } else {
                say(format!("{} {}", styled(GOOD, "saved as draft"), saved.key))?;
            }
            return Ok(DONE);
        }
        send(home, &saved.key, &SendOptions { at, undo_secs: Some(self.undo), archive: false }, json).await
    }
}

/// A letter of one's own.
pub(crate) struct NewLetter {
    pub(crate) to: Vec<String>,
    pub(crate) cc: Vec<String>,
    pub(crate) bcc: Vec<String>,
    pub(crate) from: Option<String>,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) attach: Vec<PathBuf>,
    pub(crate) undo_secs: u32,
}

impl NewLetter {
    pub(crate) async fn send(self, place: &Place) -> anyhow::Result<u8> {
        let from =
            self.from.map(|from| people(&[from])).transpose()?.and_then(|people| people.into_iter().next());
        let mut draft = Draft {
            from,
            to: people(&self.to)?,
            cc: people(&self.cc)?,
            bcc: people(&self.bcc)?,
            subject: self.subject,
            body: DraftBody::Text(self.text),
            ..Draft::default()
        };
        if draft.to.is_empty() && draft.cc.is_empty() && draft.bcc.is_empty() {
            bail!("to whom? Say --to ADDRESS");
        }
        place
            .with(async |home| {
                for path in &self.attach {
                    draft.attachments.push(upload(home, path).await?);
                }
                let saved = home.desk().save_draft(&draft).await?;
                let options = SendOptions { undo_secs: Some(self.undo_secs), ..SendOptions::default() };
                send(home, &saved.key, &options, place.json).await
            })
            .await
    }
}

/// Takes a letter back that waits in the outbox under this key; `None` if none does.
pub(crate) async fn take_back(account: Option<String>, key: &str) -> anyhow::Result<Option<DraftKey>> {
    let place = Place { account, json: false };
    place
        .with(async |home| {
            let waiting = home.desk().outbox().await?;
            match waiting.into_iter().find(|entry| entry.outbox.as_str() == key) {
                Some(entry) => Ok(Some(home.desk().unsend(&entry.outbox).await?)),
                None => Ok(None),
            }
        })
        .await
}

async fn upload(home: &Home, path: &Path) -> anyhow::Result<DraftAttachment> {
    let name = path.file_name().with_context(|| format!("{} is no file", path.display()))?;
    let content = crate::mail::send::read_file(path, posta_ua::desk::limits::UPLOAD_OCTETS_MAX as u64)?;
    let attachment = posta_ua::Attachment::new(name.to_string_lossy(), content);
    let media_type = format!("{}/{}", attachment.media_type.kind(), attachment.media_type.subtype());
    let name = attachment.file_name;
    let key = home.desk().upload(&name, &media_type, attachment.content.into()).await?;
    let octets = AttachmentSource::Upload(key);
    Ok(DraftAttachment { octets, name, media_type, size_octets: 0, content_id: None })
}

fn people(texts: &[String]) -> anyhow::Result<Vec<Person>> {
    let mut people = Vec::new();
    for text in texts {
        for named in parse_mailboxes(text)? {
            let name = named.name.map(|name| name.as_str().to_owned()).unwrap_or_default();
            people.push(Person::new(name, named.mailbox.to_string()));
        }
    }
    Ok(people)
}

/// Sends a draft; what is due leaves now, and is said to have left only if it has.
pub(super) async fn send(
    home: &Home,
    key: &DraftKey,
    options: &SendOptions,
    json: bool,
) -> anyhow::Result<u8> {
    let sent = home.desk().send(key, options).await?;
    let left = home.send_due(false).await?;
    let still = home.desk().outbox().await?.iter().any(|entry| entry.outbox == sent.outbox);
    if json {
        say_json(&serde_json::json!({
            "outbox": sent.outbox,
            "message": sent.message,
            "release_at": sent.release_at,
            "left": !still && left.waiting == 0,
            "refused": left.refused,
        }))?;
    } else if still || left.waiting > 0 {
        say(format!("{} {} until {}", styled(WAITING, "waits as"), sent.outbox, time(sent.release_at)))?;
    } else if left.refused == 0 {
        say(styled(GOOD, "sent"))?;
    }
    for failure in home.send_failures().await? {
        crate::output::say_aside(harmless_line(&format!("{}: {}", failure.recipient, failure.reason)));
    }
    match (left.refused, left.sent) {
        (0, _) => Ok(DONE),
        (_, 0) => bail!("nothing was sent: all recipients were refused; a report is in the Inbox"),
        _ => Ok(PARTLY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_quotations() {
        assert_eq!(joined("yes\n", "Ada wrote:\n> really?\n", false), "Ada wrote:\n> really?\n\nyes\n");
        assert_eq!(joined("yes", "\n\n> really?", true), "yes\n\n> really?\n");
        assert_eq!((joined("yes", "", true), joined("", "> x", true)), ("yes\n".into(), "> x\n".into()));
    }
}
