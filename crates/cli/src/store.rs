//! `posta store`: check, rebuild, measure.

use crate::{
    operator::Operator,
    output::{self, BAD, Form, GOOD, styled},
};
use posta_server::admin::{Request, Response, UsageInfo};
use serde::Serialize;
use std::{fs, io, os::unix::fs::MetadataExt, path::Path, process::ExitCode};

/// See the module.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum StoreCommand {
    /// Read all volumes, verify every checksum, compare with the index; exits 1 if anything is wrong
    Check {
        #[command(flatten)]
        form: Form,
    },
    /// Make the index anew from the volumes
    Rebuild,
    /// What maildrops hold, and what the store takes on disk
    Stats {
        #[command(flatten)]
        form: Form,
    },
}

#[derive(Serialize)]
struct Stats {
    maildrops: Vec<UsageInfo>,
    /// Blocks taken, in octets: given-back holes don't count.
    volumes_octets: u64,
    index_octets: u64,
    journal_octets: u64,
}

impl StoreCommand {
    pub(crate) async fn run(self, operator: &Operator) -> anyhow::Result<ExitCode> {
        match self {
            StoreCommand::Check { form } => return check(operator, form).await,
            StoreCommand::Rebuild => operator.act(Request::StoreRebuild).await?,
            StoreCommand::Stats { form } => stats(operator, form).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn check(operator: &Operator, form: Form) -> anyhow::Result<ExitCode> {
    let found = match operator.ask(Request::StoreCheck).await? {
        Response::Check(found) => found,
        other => return Err(Operator::unexpected(&other)),
    };
    if form.json {
        output::say_json(&found)?;
    } else {
        found.lines.iter().try_for_each(output::say)?;
        let verdict = if found.sound {
            styled(GOOD, "volumes and index are sound, and agree")
        } else {
            styled(BAD, "something is wrong; where only the index is, `posta store rebuild` makes it anew")
        };
        output::say(verdict)?;
    }
    Ok(if found.sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn stats(operator: &Operator, form: Form) -> anyhow::Result<()> {
    let maildrops = match operator.ask(Request::StoreUsage).await? {
        Response::Usage(usage) => usage,
        other => return Err(Operator::unexpected(&other)),
    };
    let folder = &operator.config().data_dir;
    let index = ["index.sqlite", "index.sqlite-wal", "index.sqlite-shm"];
    let stats = Stats {
        maildrops,
        volumes_octets: folder_octets(&folder.join("volumes"))?,
        index_octets: index.iter().map(|name| file_octets(&folder.join(name))).sum::<io::Result<u64>>()?,
        journal_octets: folder_octets(&folder.join("journal"))?,
    };
    if form.json {
        return output::say_json(&stats);
    }
    let rows = stats.maildrops.iter().map(|usage| {
        let quota = usage.quota_octets.map_or_else(|| "-".into(), output::octets);
        vec![usage.address.to_string(), usage.messages.to_string(), output::octets(usage.octets), quota]
    });
    output::say_table(&["maildrop", "messages", "size", "quota"], rows.collect(), "no maildrop yet")?;
    output::say("")?;
    output::say(format!("on disk: volumes {}", output::octets(stats.volumes_octets)))?;
    output::say(format!("         index   {}", output::octets(stats.index_octets)))?;
    output::say(format!("         journal {}", output::octets(stats.journal_octets)))?;
    Ok(())
}

/// Blocks that a file takes, in octets; 0 for one that is not there.
fn file_octets(path: &Path) -> io::Result<u64> {
    // Blocks have 512 octets here whatever the file system's own are.
    match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.blocks() * 512),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

fn folder_octets(folder: &Path) -> io::Result<u64> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    entries.map(|entry| file_octets(&entry?.path())).sum()
}
