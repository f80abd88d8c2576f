//! `posta message extract`.

use super::{Input, numbered, put};
use crate::output::{FAINT, octets, say, styled};
use anyhow::{Context, bail};
use posta_message::{Entity, Message};
use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

/// How many files of one name are told apart by a number.
const NAMESAKES_MAX: usize = 1000;

#[derive(Debug, clap::Args)]
pub(crate) struct Extract {
    #[command(flatten)]
    input: Input,
    /// The folder to save into; no file there is overwritten
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    to: PathBuf,
    /// Save the texts of the message too, not only what is attached
    #[arg(long)]
    all: bool,
    /// Only this part, by the number that `structure` shows, to standard output
    #[arg(long, value_name = "N.N", conflicts_with_all = ["to", "all"])]
    part: Option<String>,
}

impl Extract {
    pub(super) fn run(&self) -> anyhow::Result<()> {
        let raw = self.input.read()?;
        let message = Message::parse(&raw);
        if let Some(wanted) = &self.part {
            return put_part(&message, wanted);
        }
        std::fs::create_dir_all(&self.to).with_context(|| format!("cannot make {}", self.to.display()))?;
        let entities = if self.all {
            leaves(&message)
        } else {
            message.attachments().into_iter().map(|attachment| attachment.entity).collect()
        };
        if entities.is_empty() {
            say(styled(FAINT, "Nothing is attached."))?;
        }
        for entity in entities {
            let content = entity.content();
            let (mut file, name) = create(&self.to, &entity.safe_file_name())?;
            file.write_all(&content).with_context(|| format!("cannot write {name}"))?;
            let kind = format!("({}, {})", entity.media_type(), octets(content.len() as u64));
            say(format!("{name} {}", styled(FAINT, kind)))?;
        }
        Ok(())
    }
}

fn put_part(message: &Message<'_>, wanted: &str) -> anyhow::Result<()> {
    let mut found = None;
    numbered(message.root(), "", &mut |number, entity| {
        if number == wanted {
            found = Some(entity);
        }
    });
    let Some(entity) = found else { bail!("the message has no part {wanted}") };
    put(&entity.content())?;
    Ok(())
}

/// All that is no multipart; an embedded message is saved whole.
fn leaves<'m>(message: &'m Message<'_>) -> Vec<Entity<'m>> {
    fn gather<'m>(entity: Entity<'m>, found: &mut Vec<Entity<'m>>) {
        if entity.is_multipart() {
            entity.parts().for_each(|part| gather(part, found));
        } else {
            found.push(entity);
        }
    }
    let mut found = Vec::new();
    gather(message.root(), &mut found);
    found
}

/// A file that was not there before: `name.txt`, `name (2).txt` …
fn create(folder: &Path, name: &str) -> anyhow::Result<(File, String)> {
    let (stem, extension) = name.rsplit_once('.').map_or((name, ""), |(stem, extension)| (stem, extension));
    for number in 1..NAMESAKES_MAX {
        let candidate = match number {
            1 => name.to_owned(),
            _ if extension.is_empty() => format!("{stem} ({number})"),
            _ => format!("{stem} ({number}).{extension}"),
        };
        match File::create_new(folder.join(&candidate)) {
            Ok(file) => return Ok((file, candidate)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).with_context(|| format!("cannot make {candidate}")),
        }
    }
    bail!("there are too many files named like {name}")
}
