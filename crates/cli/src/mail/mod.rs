//! `posta mail …`: a person's mail from the terminal and from scripts.

mod delete;
mod desk;
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

use crate::{
    configuration::Place,
    output::{BAD, say_aside, styled},
};
use anyhow::Context;
use posta_ua::terminal::harmless_line;
use std::{path::PathBuf, process::ExitCode};

/// Everything went as asked.
const DONE: u8 = 0;
/// A letter was taken for some recipients and refused for others.
const PARTLY: u8 = 3;

/// Send, list, read and fetch mail
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 done · 1 not done (the message says why) · 2 wrong usage · 3 done in part (refused for some recipients,
some messages not carried over) · 4 what was named is not there · 5 your mail is open in another program.

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
    /// Fetch what is new into your folders, and send what is due
    Sync(desk::Sync),
    /// Search all your mail
    Search(desk::Search),
    /// Answer a message
    Reply(Box<desk::Reply>),
    /// Pass a message on
    Forward(Box<desk::Forward>),
    /// Move messages into a folder
    Move(desk::Move),
    /// Move messages to Archive
    Archive(desk::Archive),
    /// Move messages to Trash
    Trash(desk::Trash),
    /// Flag messages
    Flag(desk::Flag),
    /// Mark messages as read, or as unread
    Mark(desk::Mark),
    /// Put labels on messages, or take them off
    Label(desk::Labels),
    /// Put messages out of sight until a time
    Snooze(desk::Snooze),
    /// List what waits to be sent
    Outbox(desk::Outbox),
    /// List drafts, send or discard one
    Drafts(desk::Drafts),
    /// List folders, make, rename or remove them
    Folders(desk::Folders),
    /// The address book
    Contacts(desk::Contacts),
    /// Show the rules for new mail, or put others in their place
    Rules(desk::Rules),
    /// Show the answer given while you are away, switch it on or off
    Vacation(desk::Vacation),
    /// Write messages into an mbox file or a Maildir
    Export(desk::Export),
    /// Read the messages of an mbox file or a Maildir into a folder
    Import(desk::Import),
}

/// Carries the command out.
pub(crate) async fn run(command: MailCommand, place: &Place) -> anyhow::Result<ExitCode> {
    let code = match carry_out(command.action, place).await {
        Ok(code) => code,
        Err(error) => match desk::exit_code(&error) {
            Some(code) => {
                say_aside(format!("{}: {}", styled(BAD, "posta"), harmless_line(&crate::prose(&error))));
                code
            }
            None => return Err(error),
        },
    };
    Ok(ExitCode::from(code))
}

async fn carry_out(action: Action, place: &Place) -> anyhow::Result<u8> {
    match action {
        Action::Setup(setup) => setup.run().await,
        Action::Send(send) => send.run().await,
        Action::List(list) => list.run().await,
        Action::Read(read) => read.run().await,
        Action::Fetch(fetch) => fetch.run().await,
        Action::Delete(delete) => delete.run().await,
        Action::Unsend(unsend) => unsend.run(place).await,
        Action::Watch(watch) => watch.run(place).await,
        Action::Sync(command) => command.run().await,
        Action::Search(command) => command.run().await,
        Action::Reply(command) => command.run().await,
        Action::Forward(command) => command.run().await,
        Action::Move(command) => command.run().await,
        Action::Archive(command) => command.run().await,
        Action::Trash(command) => command.run().await,
        Action::Flag(command) => command.run().await,
        Action::Mark(command) => command.run().await,
        Action::Label(command) => command.run().await,
        Action::Snooze(command) => command.run().await,
        Action::Outbox(command) => command.run().await,
        Action::Drafts(command) => command.run().await,
        Action::Folders(command) => command.run().await,
        Action::Contacts(command) => command.run().await,
        Action::Rules(command) => command.run().await,
        Action::Vacation(command) => command.run().await,
        Action::Export(command) => command.run().await,
        Action::Import(command) => command.run().await,
    }
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
