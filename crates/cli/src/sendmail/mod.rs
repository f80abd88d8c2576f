//! `posta sendmail`, which is `sendmail` for programs: also where the binary is called `sendmail`, `mailq` or
//! `newaliases`.
//!
//! What it takes (exit code 0) either the server has, or it lies on the disk in the caller's own queue, from where
//! the next call or `sendmail -q` sends it.

mod delivery;
mod letter;
mod limits;
mod options;
mod queue;
mod route;
mod session;
mod sysexits;

use crate::output::{octets, say, say_aside, time};
use delivery::{Envelope, HandOver, flush, hand_over};
use jiff::tz::TimeZone;
use options::{Mode, Options};
use posta_address::ReversePath;
use posta_message::DateTime;
use posta_ua::{Outside, Wishes, terminal::harmless_line};
use queue::Queue;
use route::{Route, queue_folder};
use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};
use sysexits::{Exit, Failure};

/// Send mail as programs do: takes the options of sendmail (`posta sendmail --help`)
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true, after_help = HELP)]
pub(crate) struct Sendmail {
    /// Options of sendmail, and recipients
    #[arg(value_name = "OPTION|ADDRESS", trailing_var_arg = true, allow_hyphen_values = true, num_args = 0..)]
    arguments: Vec<OsString>,
}

const HELP: &str = "\
posta sendmail [OPTIONS] [ADDRESS …]   sends the message on standard input

  -t             to those whom the message names in To, Cc and Bcc, as well
  -i, -oi        a line with a single dot does not end the message
  -f, -r ADDRESS the sender in the envelope; <> for none
  -F NAME        the sender's name, where the message has no From
  -N WHAT        never, or success, failure and delay with commas (RFC 3461)
  -R hdrs|full   what of the message comes back with a report
  -V ID          the envelope's name in reports
  -odq           keep it in the queue, send it later
  -v             show what is said to the server
  -bs            speak SMTP on standard input and output
  -bp            show what waits (also as `mailq`)
  -q             try to send what waits
  -C, --config FILE   the server's configuration
  --smtp HOST:PORT    submit there
  --account NAME      submit as this account of `posta mail setup`
  --queue FOLDER      the queue (else ~/.local/state/posta/outgoing)
  --retry-refused     with -q: those as well that the server has refused for good
  --discard ID        throw a message of the queue away
Other options of sendmail are taken and mean nothing here.

Exit codes: 0 sent or kept · 64 wrong usage · 65 wrong message or address · 67 no such recipient ·
69 refused · 73 the queue can't be written · 74 input or output failed · 75 not now, nothing was kept ·
78 wrong configuration";

impl Sendmail {
    /// As it was called by its own name.
    pub(crate) fn by_name(mut arguments: impl Iterator<Item = OsString>) -> Option<Sendmail> {
        let program = arguments.next()?;
        let mode = match Path::new(&program).file_name()?.to_str()? {
            "sendmail" => None,
            "mailq" => Some("-bp"),
            "newaliases" => Some("-bi"),
            _ => return None,
        };
        Some(Sendmail { arguments: mode.map(OsString::from).into_iter().chain(arguments).collect() })
    }

    /// `config`: what `posta --config` said.
    pub(crate) fn run(self, config: Option<PathBuf>) -> ExitCode {
        let done = match crate::runtime() {
            Ok(runtime) => runtime.block_on(run(self.arguments, config)),
            Err(error) => Err(Failure::new(Exit::TemporaryFailure, error)),
        };
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(Failure { exit, words }) => {
                say_aside(format!("sendmail: {}", harmless_line(&words)));
                ExitCode::from(exit as u8)
            }
        }
    }
}

async fn run(arguments: Vec<OsString>, config: Option<PathBuf>) -> Result<(), Failure> {
    let arguments = arguments.into_iter().map(|argument| {
        argument.into_string().map_err(|_| Failure::new(Exit::Usage, "an argument is not UTF-8"))
    });
    let mut options = Options::parse(arguments.collect::<Result<Vec<_>, _>>()?)?;
    options.config = options.config.or(config);
    let told = |error: io::Error| Failure::new(Exit::Io, error);
    if let Some(id) = &options.discard {
        return discard(&options, id);
    }
    match options.mode {
        Mode::Send => send(&options).await,
        Mode::Session => session::run(&options, &Route::find(&options)?).await,
        Mode::List => list(&options),
        Mode::Flush => flush_all(&options).await,
        Mode::Aliases => say("Aliases are kept by the server: see `posta alias`.").map_err(told),
        Mode::Help => say(HELP).map_err(told),
    }
}

async fn send(options: &Options) -> Result<(), Failure> {
    let mut route = Route::find(options)?;
    if let Some(name) = &options.full_name {
        route.author.full_name = Some(name.clone());
    }
    let domain = route.author.domain.clone();
    let reverse_path = match options.from.as_deref().map(|from| from.trim().trim_matches(['<', '>'])) {
        None => ReversePath::Mailbox(route.author.mailbox.clone()),
        Some("") => ReversePath::Null,
        Some(from) => {
            // Who calls says whose message it is; a missing From says the same.
            let mailbox = letter::qualified(from, &domain)?;
            if mailbox != route.author.mailbox && options.full_name.is_none() {
                route.author.full_name = None;
            }
            route.author.mailbox = mailbox;
            ReversePath::Mailbox(route.author.mailbox.clone())
        }
    };
    let mut recipients = Vec::new();
    for argument in options.recipients.iter().flat_map(|argument| argument.split(',')) {
        letter::add(&mut recipients, letter::qualified(argument.trim().trim_matches(['<', '>']), &domain)?)?;
    }
    if recipients.is_empty() && !options.recipients_in_header {
        return Err(Failure::new(Exit::Usage, "to whom? Name recipients, or say -t"));
    }
    let octets = letter::read(io::stdin().lock(), options.ignores_dots)?;
    let completed =
        letter::complete(&octets, &route.author, date(&route.outside), route.outside.entropy.next_u64())?;
    if options.recipients_in_header {
        for mailbox in completed.recipients {
            letter::add(&mut recipients, mailbox)?;
        }
    }
    if recipients.is_empty() {
        return Err(Failure::new(Exit::Data, "the message names no recipient in To, Cc or Bcc"));
    }
    let mut wishes = Wishes { notify: options.notify, ..Wishes::default() };
    wishes.requests.returned = options.returned;
    wishes.requests.envelope_id = options.envelope_id.clone();
    let envelope = Envelope { reverse_path, recipients, wishes };
    match hand_over(options, &route, envelope, completed.octets).await? {
        HandOver::Sent => take_along(options).await,
        HandOver::Queued { id, reason } if options.verbose => say_aside(format!("kept as {id}: {reason}")),
        HandOver::Queued { .. } => {}
    }
    Ok(())
}

/// The server is there: what waits goes too. Whatever comes of that is not the caller's matter.
async fn take_along(options: &Options) {
    match flush(options, limits::TAKEN_ALONG_MAX).await {
        Ok(_) => {}
        Err(failure) if options.verbose => say_aside(format!("the queue: {}", failure.words)),
        Err(_) => {}
    }
}

async fn flush_all(options: &Options) -> Result<(), Failure> {
    let flushed = flush(options, usize::MAX).await?;
    if flushed.is_busy {
        say_aside("another sendmail is sending what waits");
        return Ok(());
    }
    if options.verbose {
        say_aside(format!("{} sent, {} still wait", flushed.sent, flushed.left));
    }
    match flushed.refused.as_slice() {
        [] => Ok(()),
        refused => {
            Err(Failure::new(Exit::Unavailable, format!("not sent, and kept: {}", refused.join("; "))))
        }
    }
}

fn list(options: &Options) -> Result<(), Failure> {
    let told = |error: io::Error| Failure::new(Exit::Io, error);
    let (waiting, broken) = Queue::new(queue_folder(options)?).list().map_err(told)?;
    if waiting.is_empty() && broken.is_empty() {
        return say("Mail queue is empty").map_err(told);
    }
    for waiting in &waiting {
        let queue::Envelope { reverse_path, recipients, since, attempts, reason, is_refused, .. } =
            &waiting.envelope;
        let state = if *is_refused { "refused" } else { "waits" };
        let size = octets(waiting.size_octets);
        say(format!("{}  {state}  {size}  {}  {reverse_path}", waiting.id, time(*since))).map_err(told)?;
        let attempts = if *attempts == 1 { "1 attempt".to_owned() } else { format!("{attempts} attempts") };
        say(format!("    ({attempts}: {})", harmless_line(reason))).map_err(told)?;
        for recipient in recipients {
            say(format!("    {recipient}")).map_err(told)?;
        }
    }
    broken.iter().for_each(|words| say_aside(format!("cannot be read: {words}")));
    Ok(())
}

fn discard(options: &Options, id: &str) -> Result<(), Failure> {
    let queue = Queue::new(queue_folder(options)?);
    if !queue.has(id) {
        return Err(Failure::new(Exit::Data, format!("there is no message {id} in the queue")));
    }
    queue.remove(id).map_err(|error| Failure::new(Exit::Io, error))
}

/// Now, as the clock on this wall shows it.
fn date(outside: &Outside) -> DateTime {
    let instant = outside.clock.timestamp();
    DateTime { instant, offset: TimeZone::system().to_offset(instant) }
}
