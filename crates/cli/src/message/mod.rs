//! `posta message`: takes messages apart and puts them together. Needs no server.

mod build;
mod check;
mod extract;
mod headers;
mod json;
mod show;
mod structure;

use anyhow::Context;
use posta_message::Entity;
use std::{
    io::{self, Read, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// `posta message …`
#[derive(Debug, clap::Subcommand)]
pub(crate) enum MessageCommand {
    /// Show a message as a person reads it
    Show(Input),
    /// Print the tree of its parts: types, encodings, sizes
    Structure(Input),
    /// Print its header fields, decoded
    Headers(headers::Headers),
    /// Save its parts as files
    Extract(extract::Extract),
    /// List what in it departs from the RFCs; exits 1 if there is anything
    Check(check::Check),
    /// Write a message from flags or a TOML file
    Build(Box<build::Build>),
    /// Print all that is in it as JSON
    Json(json::Json),
}

/// A message in a file.
#[derive(Debug, clap::Args)]
pub(crate) struct Input {
    /// The message, as it goes over the wire or with LF line ends; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl Input {
    fn read(&self) -> anyhow::Result<Vec<u8>> {
        octets_of(&self.file)
    }
}

fn octets_of(file: &Path) -> anyhow::Result<Vec<u8>> {
    if file.as_os_str() != "-" {
        return std::fs::read(file).with_context(|| format!("cannot read {}", file.display()));
    }
    let mut octets = Vec::new();
    io::stdin().lock().read_to_end(&mut octets).context("cannot read standard input")?;
    Ok(octets)
}

/// Writes octets to standard output as they are.
fn put(octets: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(octets)?;
    out.flush()
}

impl MessageCommand {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            MessageCommand::Show(input) => show::show(&input.read()?)?,
            MessageCommand::Structure(input) => structure::structure(&input.read()?)?,
            MessageCommand::Headers(headers) => return headers.run(),
            MessageCommand::Extract(extract) => extract.run()?,
            MessageCommand::Check(check) => return check.run(),
            MessageCommand::Build(build) => build.run()?,
            MessageCommand::Json(json) => return json.run(),
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Every entity with its number, as IMAP counts them (RFC 9051 §6.4.5): the parts of a multipart
/// from 1, those of an embedded message below it.
fn numbered<'m>(entity: Entity<'m>, number: &str, visit: &mut impl FnMut(&str, Entity<'m>)) {
    visit(number, entity);
    for (index, below) in entity.parts().chain(entity.message()).enumerate() {
        let number = format!("{number}.{}", index + 1);
        numbered(below, number.trim_start_matches('.'), visit);
    }
}
