//! The one shipped binary: `posta`, for operators, for people with mail, and for the curious.

mod account;
mod alias;
mod app_password;
mod audit;
mod configuration;
mod demo;
mod domain;
mod explain;
mod mail;
mod message;
mod operator;
mod output;
mod password;
mod queue;
mod sendmail;
mod serve;
mod setup;
mod store;
mod tui;

use crate::operator::Operator;
use anyhow::{Context, bail};
use clap::{CommandFactory, Parser};
use posta_server::admin::Request;
use std::{
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// A complete mail system: SMTP and POP3 servers, queue, DNS routing, maildrops, and a user agent.
///
/// Try `posta demo` first: a little internet of mail on your own machine.
#[derive(Debug, Parser)]
#[command(name = "posta", version, max_term_width = 100)]
struct Arguments {
    /// The server's configuration (else ./posta.toml, then /etc/posta/posta.toml)
    #[arg(long, short, env = "POSTA_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// A little internet of mail on your own machine: two hosts, a DNS, a letter from Alice to Bob
    Demo(demo::Demo),
    /// Send, list, read and fetch mail
    Mail(mail::MailCommand),
    /// Read and write mail on the whole terminal
    Tui(tui::Tui),
    /// Send mail as programs do, with the options of sendmail
    Sendmail(sendmail::Sendmail),
    /// Take messages apart, check them, put them together
    #[command(subcommand)]
    Message(message::MessageCommand),
    /// Run the server in the foreground
    Serve(Box<With<serve::Serve>>),
    /// Write a configuration and make the data folder
    Setup(With<setup::Setup>),
    /// Check, show or print a configuration
    Config(Under<configuration::ConfigCommand>),
    /// Domains whose mail is kept here
    Domain(Under<domain::DomainCommand>),
    /// People and programs with a maildrop
    Account(Under<account::AccountCommand>),
    /// Addresses that stand for others
    Alias(Under<alias::AliasCommand>),
    /// Mailing lists
    List(Under<alias::ListCommand>),
    /// What waits to be handed to other hosts
    Queue(Under<queue::QueueCommand>),
    /// Check, rebuild or measure the store
    Store(Under<store::StoreCommand>),
    /// Tell what happened to a letter, in plain words
    Explain(With<explain::Explain>),
    /// Count what became of all mail ever accepted; exits 1 unless the difference is 0
    Audit(With<audit::Audit>),
    /// Show a running server: where it listens, since when, how many connections
    Status(With<output::Form>),
    /// Let a running server read its configuration again, as SIGHUP does
    Reload(With<Nothing>),
    /// Let a running server stop gracefully, as SIGTERM does
    Stop(With<Nothing>),
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Write the manual pages, one for each command, into a folder (for instance /usr/local/share/man/man1)
    Man {
        /// Which folder; it is made if need be
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
}

/// Operators' commands say `--config` where they like; others have nothing to do with it.
#[derive(Debug, clap::Args)]
struct Named {
    /// The server's configuration (else POSTA_CONFIG, ./posta.toml, /etc/posta/posta.toml)
    #[arg(long, short, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// An operator's command.
#[derive(Debug, clap::Args)]
struct With<A: clap::Args> {
    #[command(flatten)]
    named: Named,
    #[command(flatten)]
    command: A,
}

/// A family of operators' commands.
#[derive(Debug, clap::Args)]
struct Under<C: clap::Subcommand> {
    #[command(flatten)]
    named: Named,
    #[command(subcommand)]
    command: C,
}

/// No arguments.
#[derive(Debug, clap::Args)]
struct Nothing {}

fn main() -> ExitCode {
    if let Some(sendmail) = sendmail::Sendmail::by_name(std::env::args_os()) {
        return sendmail.run(None);
    }
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::say_aside(format!("{}: {}", output::styled(output::BAD, "posta"), prose(&error)));
            ExitCode::FAILURE
        }
    }
}

/// The error and its causes on one line; a cause that was told already is not told again.
fn prose(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// Whoever reads our output (`head`) has had enough.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let outer = arguments.config.filter(|path| !path.as_os_str().is_empty());
    let place = |named: Named| configuration::Place(named.config.or(outer));
    match arguments.command {
        Command::Demo(demo) => demo.run()?,
        Command::Mail(command) => {
            return runtime()?.block_on(mail::run(command, &place(Named { config: None })));
        }
        Command::Tui(tui) => return runtime()?.block_on(tui.run()),
        Command::Sendmail(sendmail) => return Ok(sendmail.run(place(Named { config: None }).0)),
        Command::Message(command) => return command.run(),
        Command::Serve(serve) => serve.command.run(&place(serve.named))?,
        Command::Setup(With { named, command }) => command.run(&place(named))?,
        Command::Config(Under { named, command }) => command.run(&place(named))?,
        Command::Explain(With { named, command }) => command.run(&place(named).load()?.data_dir)?,
        Command::Completions { shell } => {
            // A reader that goes away early is no failure; the generator would panic.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "posta", &mut script);
            io::Write::write_all(&mut io::stdout(), &script)?;
        }
        Command::Man { folder } => write_manual(&folder)?,
        Command::Domain(Under { named, command }) => {
            operate(&place(named), async |it| command.run(it).await)?
        }
        Command::Account(Under { named, command }) => {
            operate(&place(named), async |it| command.run(it).await)?
        }
        Command::Alias(Under { named, command }) => operate(&place(named), async |it| command.run(it).await)?,
        Command::List(Under { named, command }) => operate(&place(named), async |it| command.run(it).await)?,
        Command::Queue(Under { named, command }) => operate(&place(named), async |it| command.run(it).await)?,
        Command::Store(Under { named, command }) => {
            return operate(&place(named), async |it| command.run(it).await);
        }
        Command::Audit(With { named, command }) => {
            return operate(&place(named), async |it| command.run(it).await);
        }
        Command::Status(With { named, command }) => {
            operate(&place(named), async |it| serve::status(it, command).await)?;
        }
        Command::Reload(With { named, .. }) => {
            operate(&place(named), async |it| it.act(Request::Reload).await)?
        }
        Command::Stop(With { named, .. }) => operate(&place(named), async |it| it.act(Request::Stop).await)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A page for each command, as `posta-mail-send.1`.
fn write_manual(folder: &Path) -> anyhow::Result<()> {
    let failed = || format!("writing to {}", folder.display());
    std::fs::create_dir_all(folder).with_context(failed)?;
    clap_mangen::generate_to(Arguments::command().disable_help_subcommand(true), folder)
        .with_context(failed)?;
    Ok(())
}

/// Runs a command that talks to the server (or, where none runs, to the store).
fn operate<T>(
    place: &configuration::Place,
    command: impl AsyncFnOnce(&Operator) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let operator = Operator::new(place.load()?);
    runtime()?.block_on(command(&operator))
}

/// One thread is enough for commands.
fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// Asks before something that cannot be undone.
fn confirm(yes: bool, question: &str) -> anyhow::Result<()> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        bail!("there is no terminal to ask on: `{question}` Say --yes if you are sure");
    }
    output::say_aside(format!("{question} Type yes to go on:"));
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    if line.trim() != "yes" {
        bail!("nothing was changed");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_once() {
        let error =
            anyhow::anyhow!("the disk is full").context("the store failed: the disk is full").context("no");
        assert_eq!(prose(&error), "no: the store failed: the disk is full");
    }

    #[test]
    fn the_arguments_are_well_formed() {
        Arguments::command().debug_assert();
    }
}
