//! `posta mail send`.

use super::{DONE, PARTLY, desk, dialogue, identity::Identity, wishes::WishOptions};
use crate::output::{BAD, GOOD, STRONG, say, say_aside, say_json, styled};
use anyhow::{Context, bail};
use jiff::tz::TimeZone;
use posta_message::{DateTime, build::NamedMailbox};
use posta_ua::{
    Attachment, Draft, Letter, Outcomes, Protocol, describe_outcome, parse_mailboxes, submit_as,
    terminal::harmless_line,
};
use std::{
    io::{self, IsTerminal, Read},
    path::{Path, PathBuf},
};

/// Octets of a text that is read as the body.
const BODY_OCTETS_MAX: u64 = 64 * 1024 * 1024;

/// Send a letter
#[derive(Debug, clap::Args)]
pub(super) struct Send {
    /// The text; without it (and without --file) it is read from standard input
    #[arg(value_name = "TEXT")]
    body: Option<String>,
    /// To whom; can be repeated, and may hold several with commas
    #[arg(long, short, value_name = "ADDRESS")]
    to: Vec<String>,
    /// For whose information
    #[arg(long, value_name = "ADDRESS")]
    cc: Vec<String>,
    /// As --cc, but nobody else learns of them
    #[arg(long, value_name = "ADDRESS")]
    bcc: Vec<String>,
    /// What it is about
    #[arg(long, short, value_name = "TEXT", default_value = "", hide_default_value = true)]
    subject: String,
    /// Read the text from this file (`-`: standard input)
    #[arg(long, short = 'F', value_name = "FILE", conflicts_with = "body")]
    file: Option<PathBuf>,
    /// A file to go along; can be repeated
    #[arg(long, short, value_name = "FILE")]
    attach: Vec<PathBuf>,
    /// By way of your own outbox: a copy in Sent, and it waits where the server is away
    #[arg(long, conflicts_with_all = ["notify", "at", "by", "require_tls", "priority", "smtp", "pop3", "show_dialogue"])]
    copy: bool,
    /// With --copy: keep it back so long, for second thoughts (`unsend`)
    #[arg(long, value_name = "SECONDS", default_value_t = 0, hide_default_value = true, requires = "copy", value_parser = clap::value_parser!(u32).range(0..=120))]
    undo: u32,
    #[command(flatten)]
    wishes: WishOptions,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    identity: Identity,
}

impl Send {
    pub(super) async fn run(self) -> anyhow::Result<u8> {
        if self.copy {
            let letter = desk::NewLetter {
                to: self.to.clone(),
                cc: self.cc.clone(),
                bcc: self.bcc.clone(),
                from: self.identity.from.clone(),
                subject: self.subject.clone(),
                text: self.body()?,
                attach: self.attach.clone(),
                undo_secs: self.undo,
            };
            let place = desk::Place { account: self.identity.account.clone(), json: self.json };
            return letter.send(&place).await;
        }
        let (from, endpoint) = self.identity.author()?;
        let draft = Draft {
            from,
            to: addresses(&self.to)?,
            cc: addresses(&self.cc)?,
            bcc: addresses(&self.bcc)?,
            subject: self.subject.clone(),
            attachments: self.attach.iter().map(|path| attachment(path)).collect::<anyhow::Result<_>>()?,
            body: String::new(),
        };
        if draft.to.is_empty() && draft.cc.is_empty() && draft.bcc.is_empty() {
            bail!("to whom? Say --to ADDRESS");
        }
        let draft = Draft { body: self.body()?, ..draft };
        let outside = self.identity.outside()?;
        let instant = outside.clock.timestamp();
        let date = DateTime { instant, offset: TimeZone::system().to_offset(instant) };
        let mut letter = draft.compose(date, outside.entropy.next_u64())?;
        letter.wishes = self.wishes.wishes(instant)?;
        let transcript = dialogue::shown_if(self.identity.show_dialogue, Protocol::Smtp);
        let login = self.identity.login()?;
        let submitted = submit_as(&outside, &endpoint, &letter, login.as_ref(), transcript.as_deref()).await;
        let outcomes = submitted.map_err(|error| {
            anyhow::anyhow!("nothing was sent: {endpoint}: {}", harmless_line(&error.to_string()))
        })?;
        if self.json {
            tell_json(&letter, &outcomes)?
        } else {
            tell(&letter, &outcomes)?
        }
        let refused = outcomes.iter().filter(|(_, outcome)| outcome.is_err()).count();
        match refused {
            0 => Ok(DONE),
            _ if refused == outcomes.len() => bail!("nothing was sent: all recipients were refused"),
            _ => Ok(PARTLY),
        }
    }

    fn body(&self) -> anyhow::Result<String> {
        let is_on_stdin =
            self.body.is_none() && self.file.as_deref().is_none_or(|path| path == Path::new("-"));
        if is_on_stdin && self.identity.password.password_stdin {
            bail!("standard input cannot be both the password and the text: use --file or --password-file");
        }
        text(self.body.as_ref(), self.file.as_deref())
    }
}

/// What is written: on the command line, in a file, or on standard input.
pub(super) fn text(body: Option<&String>, file: Option<&Path>) -> anyhow::Result<String> {
    if let Some(body) = body {
        return Ok(body.clone());
    }
    let octets = match file.filter(|path| *path != Path::new("-")) {
        Some(path) => read_file(path, BODY_OCTETS_MAX)?,
        None => {
            if io::stdin().is_terminal() {
                say_aside("Write your text; end it with Ctrl-D on a line of its own.");
            }
            read_bounded(io::stdin().lock(), BODY_OCTETS_MAX).context("reading standard input")?
        }
    };
    String::from_utf8(octets).context("the text is not UTF-8; send it as a file with --attach")
}

fn addresses(texts: &[String]) -> anyhow::Result<Vec<NamedMailbox>> {
    let mut all = Vec::new();
    for text in texts {
        all.extend(parse_mailboxes(text)?);
    }
    Ok(all)
}

fn attachment(path: &Path) -> anyhow::Result<Attachment> {
    let name = path.file_name().with_context(|| format!("{} is no file", path.display()))?;
    let content = read_file(path, posta_ua::limits::ATTACHMENTS_OCTETS_MAX)?;
    Ok(Attachment::new(name.to_string_lossy(), content))
}

pub(super) fn read_file(path: &Path, octets_max: u64) -> anyhow::Result<Vec<u8>> {
    let file = std::fs::File::open(path).with_context(|| format!("opening {}", path.display()))?;
    read_bounded(file, octets_max).with_context(|| format!("reading {}", path.display()))
}

fn read_bounded(source: impl Read, octets_max: u64) -> anyhow::Result<Vec<u8>> {
    let mut octets = Vec::new();
    source.take(octets_max + 1).read_to_end(&mut octets)?;
    if octets.len() as u64 > octets_max {
        bail!("there are more than the {octets_max} octets that can be sent");
    }
    Ok(octets)
}

fn tell(letter: &Letter, outcomes: &Outcomes) -> anyhow::Result<()> {
    for (mailbox, outcome) in outcomes {
        let words = harmless_line(&describe_outcome(outcome));
        let (style, verdict) = if outcome.is_ok() { (GOOD, "accepted") } else { (BAD, "refused ") };
        say(format!("{} {mailbox}  {words}", styled(style, verdict)))?;
    }
    say(format!("{} <{}>", styled(STRONG, "Message-ID:"), letter.message_id.as_str()))?;
    Ok(())
}

fn tell_json(letter: &Letter, outcomes: &Outcomes) -> anyhow::Result<()> {
    let recipients: Vec<_> = outcomes
        .iter()
        .map(|(mailbox, outcome)| {
            serde_json::json!({
                "address": mailbox,
                "accepted": outcome.is_ok(),
                "transient": outcome.as_ref().err().map(|failure| failure.is_transient()),
                "reply": describe_outcome(outcome),
            })
        })
        .collect();
    say_json(&serde_json::json!({
        "message_id": letter.message_id.as_str(),
        "size_octets": letter.octets.len(),
        "recipients": recipients,
    }))
}
