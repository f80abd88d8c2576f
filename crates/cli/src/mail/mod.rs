//! `posta mail …`: a person's mail from the terminal and from scripts.

mod delete;
pub(crate) mod dialogue;
mod discovery;
mod fetch;
mod identity;
mod list;
mod read;
mod selection;
mod send;
mod setup;
mod unsend;
mod watch;
mod wishes;

use crate::configuration::Place;
use anyhow::Context;
use std::{path::PathBuf, process::ExitCode};

/// Everything went as asked.
const DONE: u8 = 0;
/// A letter was taken for some recipients and refused for others.
const PARTLY: u8 = 3;

/// Send, list, read and fetch mail
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 done · 1 not done (the message says why) · 2 wrong usage · 3 sent, but refused for some recipients.

The first time: posta mail setup
Without it, say where: posta mail list --pop3 127.0.0.1:1110 --user bob@south.example --password-file FILE")]
pub(crate) struct MailCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Set an account up: who you are, where mail goes out and comes in
    Setup(Box<setup::Setup>),
    /// Send a letter
    Send(Box<send::Send>),
    /// List the messages in the maildrop
    List(Box<list::List>),
    /// Read a message
    Read(Box<read::Read>),
    /// Fetch all messages into files
    Fetch(Box<fetch::Fetch>),
    /// Delete messages from the maildrop
    Delete(Box<delete::Delete>),
    /// Take a message back that still waits for its time
    Unsend(unsend::Unsend),
    /// Watch for messages: each is shown as it comes
    Watch(Box<watch::Watch>),
}

/// Carries the command out.
pub(crate) async fn run(command: MailCommand, place: &Place) -> anyhow::Result<ExitCode> {
    let code = match command.action {
        Action::Setup(setup) => setup.run().await?,
        Action::Send(send) => send.run().await?,
        Action::List(list) => list.run().await?,
        Action::Read(read) => read.run().await?,
        Action::Fetch(fetch) => fetch.run().await?,
        Action::Delete(delete) => delete.run().await?,
        Action::Unsend(unsend) => unsend.run(place).await?,
        Action::Watch(watch) => watch.run(place).await?,
    };
    Ok(ExitCode::from(code))
}

/// Where a person's accounts and mail are: the configuration folder, and `$XDG_DATA_HOME/posta/mail`, or
/// `~/.local/share/posta/mail`.
pub(crate) fn home_place(account: Option<String>) -> anyhow::Result<posta_ua::home::Place> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")));
    let base = base.context("neither XDG_DATA_HOME nor HOME says where your data folder is")?;
    let (configuration, data) = (configuration_folder()?, base.join("posta/mail"));
    Ok(posta_ua::home::Place { configuration, data, account })
}

/// The user's configuration folder: `$XDG_CONFIG_HOME/posta`, or `~/.config/posta`.
pub(crate) fn configuration_folder() -> anyhow::Result<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")));
    let base = base.context("neither XDG_CONFIG_HOME nor HOME says where your configuration folder is")?;
    Ok(base.join("posta"))
}
