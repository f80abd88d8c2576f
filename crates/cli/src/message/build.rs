//! `posta message build`.

use super::{octets_of, put};
use anyhow::{Context, anyhow, bail};
use jiff::Timestamp;
use posta_message::build::NamedMailbox;
use posta_message::field::{address, date};
use posta_message::{Address, DateTime, HeaderName, HeaderText, MediaType, MessageBuilder, MessageId, Part};
use posta_runtime::{Clock, Entropy, OsEntropy, SystemClock};
use serde::Deserialize;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(crate) struct Build {
    /// What to write, as TOML: keys as the flags, `header` as a table, `text` and `html` the texts
    /// themselves. Flags add to it
    #[arg(value_name = "TOML")]
    recipe: Option<PathBuf>,
    /// The author
    #[arg(long, value_name = "ADDRESS")]
    from: Option<String>,
    /// A recipient, or several with commas
    #[arg(long, value_name = "ADDRESS")]
    to: Vec<String>,
    /// A further recipient
    #[arg(long, value_name = "ADDRESS")]
    cc: Vec<String>,
    /// Where answers should go
    #[arg(long, value_name = "ADDRESS")]
    reply_to: Vec<String>,
    /// The subject
    #[arg(long)]
    subject: Option<String>,
    /// The date as RFC 5322 or 3339 has it (else now)
    #[arg(long)]
    date: Option<String>,
    /// The identifier (else a new one)
    #[arg(long, value_name = "ID")]
    message_id: Option<String>,
    /// The message that this answers
    #[arg(long, value_name = "ID")]
    in_reply_to: Vec<String>,
    /// Another field
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// A file with the text; `-` is standard input
    #[arg(long, value_name = "FILE")]
    text: Option<PathBuf>,
    /// A file with the same as HTML
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// A file to attach
    #[arg(long, value_name = "FILE")]
    attach: Vec<PathBuf>,
    /// Where to write the message (else to standard output)
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// The TOML form.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct Recipe {
    from: Option<String>,
    to: Vec<String>,
    cc: Vec<String>,
    reply_to: Vec<String>,
    subject: Option<String>,
    date: Option<String>,
    message_id: Option<String>,
    in_reply_to: Vec<String>,
    header: toml::Table,
    text: Option<String>,
    html: Option<String>,
    attach: Vec<PathBuf>,
}

impl Recipe {
    fn load(file: &Path) -> anyhow::Result<Self> {
        let text = String::from_utf8(octets_of(file)?)
            .with_context(|| format!("{} is not UTF-8", file.display()))?;
        let mut recipe: Recipe = toml::from_str(&text).with_context(|| format!("in {}", file.display()))?;
        // Files are named from where the recipe lies.
        let folder = file.parent().unwrap_or(Path::new("."));
        for attached in &mut recipe.attach {
            *attached = folder.join(&*attached);
        }
        Ok(recipe)
    }
}

fn text_of(file: &Path) -> anyhow::Result<String> {
    String::from_utf8(octets_of(file)?).map_err(|_| anyhow!("{} is not UTF-8", file.display()))
}

impl Build {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let output = self.output.clone();
        let message = write(self.recipe()?)?;
        match output {
            Some(file) => {
                std::fs::write(&file, message).with_context(|| format!("cannot write {}", file.display()))
            }
            None => Ok(put(&message)?),
        }
    }

    /// The recipe with the flags added: lists grow, single values are replaced.
    fn recipe(self) -> anyhow::Result<Recipe> {
        let mut recipe = self.recipe.as_deref().map(Recipe::load).transpose()?.unwrap_or_default();
        recipe.from = self.from.or(recipe.from);
        recipe.to.extend(self.to);
        recipe.cc.extend(self.cc);
        recipe.reply_to.extend(self.reply_to);
        recipe.subject = self.subject.or(recipe.subject);
        recipe.date = self.date.or(recipe.date);
        recipe.message_id = self.message_id.or(recipe.message_id);
        recipe.in_reply_to.extend(self.in_reply_to);
        for header in &self.header {
            let (name, value) =
                header.split_once(':').with_context(|| format!("`{header}` is no `Name: value`"))?;
            recipe.header.insert(name.trim().to_owned(), toml::Value::String(value.trim().to_owned()));
        }
        recipe.text = self.text.as_deref().map(text_of).transpose()?.or(recipe.text);
        recipe.html = self.html.as_deref().map(text_of).transpose()?.or(recipe.html);
        recipe.attach.extend(self.attach);
        Ok(recipe)
    }
}

fn addresses(lists: &[String]) -> anyhow::Result<Vec<Address>> {
    let mut found = Vec::new();
    for list in lists {
        let read = address::parse(list.as_bytes());
        for entry in &read.addresses {
            let mailbox =
                |mailbox| NamedMailbox::try_from(mailbox).with_context(|| format!("`{list}` is no address"));
            found.push(match entry {
                address::Address::Mailbox(one) => mailbox(one)?.into(),
                address::Address::Group { name, members } => Address::Group {
                    name: HeaderText::clean(name),
                    members: members.iter().map(mailbox).collect::<anyhow::Result<_>>()?,
                },
            });
        }
    }
    Ok(found)
}

fn write(recipe: Recipe) -> anyhow::Result<Vec<u8>> {
    let Some(from) = recipe.from else { bail!("a message needs an author: --from") };
    let mut authors = addresses(&[from])?.into_iter();
    let author = authors.next().context("--from holds no address")?;
    let date = match &recipe.date {
        Some(text) => date::parse(text.as_bytes()).with_context(|| format!("`{text}` is no date"))?.date,
        None => now(),
    };
    let id = match &recipe.message_id {
        Some(text) => MessageId::parse(text).with_context(|| format!("`{text}` is no identifier"))?,
        None => fresh_id(&author, date.instant)?,
    };
    let text = |what: &str| HeaderText::parse(what).with_context(|| format!("in `{what}`"));
    let mut builder = MessageBuilder::new(author, date).message_id(id);
    builder = authors.fold(builder, MessageBuilder::also_from);
    builder = addresses(&recipe.reply_to)?.into_iter().fold(builder, MessageBuilder::reply_to);
    builder = addresses(&recipe.to)?.into_iter().fold(builder, MessageBuilder::to);
    builder = addresses(&recipe.cc)?.into_iter().fold(builder, MessageBuilder::cc);
    if let Some(subject) = &recipe.subject {
        builder = builder.subject(text(subject)?);
    }
    for id in &recipe.in_reply_to {
        builder =
            builder.in_reply_to(MessageId::parse(id).with_context(|| format!("`{id}` is no identifier"))?);
    }
    for (name, value) in &recipe.header {
        let value = value.as_str().with_context(|| format!("the value of {name} is no string"))?;
        let name = HeaderName::parse(name).with_context(|| format!("`{name}`"))?;
        builder = builder.field(name, text(value)?);
    }
    Ok(builder.body(body(recipe.text, recipe.html, &recipe.attach)?).build().octets)
}

fn body(text: Option<String>, html: Option<String>, attached: &[PathBuf]) -> anyhow::Result<Part<'static>> {
    let main = match (text, html) {
        (Some(text), Some(html)) => Part::alternative(vec![Part::text(text), Part::html(html)]),
        (None, Some(html)) => Part::html(html),
        (text, None) => Part::text(text.unwrap_or_default()),
    };
    if attached.is_empty() {
        return Ok(main);
    }
    let mut parts = vec![main];
    for file in attached {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or("attachment");
        let content = octets_of(file)?;
        let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let media_type = media_type_of(&extension.to_ascii_lowercase());
        let part = match media_type {
            "message/rfc822" => Part::message(content).with_file_name(HeaderText::clean(name)),
            _ => Part::attachment(HeaderText::clean(name), MediaType::parse(media_type)?, content),
        };
        parts.push(part);
    }
    Ok(Part::mixed(parts))
}

fn media_type_of(extension: &str) -> &'static str {
    match extension {
        "txt" | "log" | "md" => "text/plain",
        "html" | "htm" => "text/html",
        "csv" => "text/csv",
        "ics" => "text/calendar",
        "eml" => "message/rfc822",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "svg" => "image/svg+xml",
        "pdf" => "application/pdf",
        "zip" => "application/zip",
        "gz" => "application/gzip",
        "json" => "application/json",
        "xml" => "application/xml",
        "mp3" => "audio/mpeg",
        "mp4" => "video/mp4",
        _ => "application/octet-stream",
    }
}

fn now() -> DateTime {
    let instant = SystemClock.timestamp();
    let seconds = Timestamp::from_second(instant.as_second()).unwrap_or(instant);
    let offset = jiff::tz::TimeZone::system().to_offset(seconds);
    DateTime { instant: seconds, offset }
}

/// The right-hand side is the author's domain: this machine's name is nobody's business.
fn fresh_id(author: &Address, now: Timestamp) -> anyhow::Result<MessageId> {
    let domain = author.mailboxes().first().and_then(|mailbox| mailbox.mailbox.domain());
    let domain = domain.context("the author has no domain; give a --message-id")?;
    Ok(MessageId::new(OsEntropy.next_u64(), now, domain))
}
