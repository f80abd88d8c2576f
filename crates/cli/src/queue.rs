//! `posta queue`: what waits to be handed to other hosts, and what they said.

use crate::{
    operator::Operator,
    output::{self, BAD, FAINT, Form, STRONG, WAITING, styled},
    password::PasswordSource,
};
use jiff::Timestamp;
use posta_server::admin::{
    FetchInfo, FetchKind, QueueAction, QueueInfo, QueueRecipientInfo, Request, Response, SecretText,
};
use posta_store::QueueId;

/// Entries shown unless asked for more.
const LIST_DEFAULT: usize = 100;

/// See the module.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum QueueCommand {
    /// List what waits, oldest first
    List {
        /// At most so many entries
        #[arg(long, default_value_t = LIST_DEFAULT)]
        limit: usize,
        #[command(flatten)]
        form: Form,
    },
    /// Show one entry with each recipient and what the remote host said
    Show {
        /// Queue id
        id: QueueId,
        #[command(flatten)]
        form: Form,
    },
    /// Try now
    Retry(Which),
    /// Stop trying, until released; a held message does not expire
    Hold(Which),
    /// Go on trying
    Release(Which),
    /// Give up without telling anybody (counted as discarded)
    Delete {
        #[command(flatten)]
        which: Which,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Give up and report the failure to the sender
    Bounce(Which),
    /// Ask another host to send what it keeps for a domain (ETRN)
    Etrn {
        /// Which host, as name:port or address:port
        host: String,
        /// The domain; @domain for all below it as well, #name for a queue of that host
        domain: String,
        #[command(flatten)]
        login: Login,
    },
    /// Fetch what another host keeps for our domains, over the same connection (ATRN)
    Fetch {
        /// Which host, as name:port or address:port (the usual port is 366)
        host: String,
        /// Only these domains; else all that the account may fetch
        domains: Vec<String>,
        /// Say TURN, as RFC 821 had it
        #[arg(long, conflicts_with = "domains")]
        turn: bool,
        #[command(flatten)]
        login: Login,
    },
}

/// Who we are to another host.
#[derive(Debug, clap::Args)]
pub(crate) struct Login {
    /// The name to log in with
    #[arg(long)]
    user: Option<String>,
    /// Read the password from the first line of this file
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<std::path::PathBuf>,
}

impl Login {
    fn request(self, host: String, kind: FetchKind, domains: Vec<String>) -> anyhow::Result<Request> {
        let password = match (&self.user, self.password_file) {
            (None, _) => None,
            (Some(_), password_file) => {
                let source = PasswordSource { password_stdin: password_file.is_none(), password_file };
                Some(SecretText(source.read("password")?))
            }
        };
        Ok(Request::Fetch(FetchInfo { host, kind, domains, user: self.user, password }))
    }
}

/// One entry or all.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Which {
    /// Queue id
    id: Option<QueueId>,
    /// All entries
    #[arg(long)]
    all: bool,
}

impl QueueCommand {
    pub(crate) async fn run(self, operator: &Operator) -> anyhow::Result<()> {
        let (which, action) = match self {
            QueueCommand::List { limit, form } => {
                return print_list(&entries(operator, Request::QueueList { limit }).await?, form);
            }
            QueueCommand::Show { id, form } => {
                let entries = entries(operator, Request::QueueShow { id }).await?;
                return if form.json {
                    output::say_json(&entries.first())
                } else {
                    entries.iter().try_for_each(print)
                };
            }
            QueueCommand::Etrn { host, domain, login } => {
                return operator.act(login.request(host, FetchKind::Etrn, vec![domain])?).await;
            }
            QueueCommand::Fetch { host, domains, turn, login } => {
                let kind = if turn { FetchKind::Turn } else { FetchKind::Atrn };
                return operator.act(login.request(host, kind, domains)?).await;
            }
            QueueCommand::Retry(which) => (which, QueueAction::Retry),
            QueueCommand::Hold(which) => (which, QueueAction::Hold),
            QueueCommand::Release(which) => (which, QueueAction::Release),
            QueueCommand::Bounce(which) => (which, QueueAction::Bounce),
            QueueCommand::Delete { which, yes } => {
                let what =
                    which.id.map_or_else(|| "ALL messages in the queue".into(), |id| format!("message {id}"));
                crate::confirm(yes, &format!("Delete {what}? Nobody is told."))?;
                (which, QueueAction::Delete)
            }
        };
        operator.act(Request::QueueAct { id: which.id, action }).await
    }
}

async fn entries(operator: &Operator, request: Request) -> anyhow::Result<Vec<QueueInfo>> {
    match operator.ask(request).await? {
        Response::Queue(entries) => Ok(entries),
        other => Err(Operator::unexpected(&other)),
    }
}

fn print_list(entries: &[QueueInfo], form: Form) -> anyhow::Result<()> {
    if form.json {
        return output::say_json(&entries);
    }
    let now = Timestamp::now();
    let rows = entries.iter().flat_map(|entry| {
        entry.recipients.iter().enumerate().map(move |(index, recipient)| {
            let first = |text: String| if index == 0 { text } else { String::new() };
            vec![
                first(entry.id.to_string()),
                first(output::distance(entry.accepted_at, now)),
                first(output::octets(entry.size_octets)),
                first(entry.from.to_string()),
                recipient.mailbox.to_string(),
                if entry.held { "held".into() } else { output::distance(recipient.next_attempt_at, now) },
                said(recipient),
            ]
        })
    });
    output::say_table(
        &["id", "accepted", "size", "from", "to", "next", "last said"],
        rows.collect(),
        "nothing waits in the queue",
    )?;
    Ok(())
}

fn said(recipient: &QueueRecipientInfo) -> String {
    match (&recipient.last_host, &recipient.last_detail) {
        (Some(host), Some(detail)) => format!("{host}: {detail}"),
        (None, Some(detail)) => detail.clone(),
        _ => "-".into(),
    }
}

fn print(entry: &QueueInfo) -> anyhow::Result<()> {
    let now = Timestamp::now();
    output::say(styled(STRONG, entry.id))?;
    output::say(format!("  from        {}", entry.from))?;
    if let Some(message_id) = &entry.message_id {
        output::say(format!("  Message-ID  {message_id}"))?;
    }
    output::say(format!("  size        {}", output::octets(entry.size_octets)))?;
    let accepted =
        format!("{} ({})", output::time(entry.accepted_at), output::distance(entry.accepted_at, now));
    output::say(format!("  accepted    {accepted}"))?;
    if entry.held {
        output::say(styled(WAITING, format!("  held; `posta queue release {}` lets it go on", entry.id)))?;
    }
    for recipient in &entry.recipients {
        output::say(format!("  to {}", styled(STRONG, &recipient.mailbox)))?;
        if recipient.original.mailbox() != Some(&recipient.mailbox) {
            output::say(format!("    addressed as {}", recipient.original))?;
        }
        let next = format!(
            "{} ({})",
            output::time(recipient.next_attempt_at),
            output::distance(recipient.next_attempt_at, now)
        );
        output::say(format!("    attempts so far: {}; next {next}", recipient.attempts))?;
        if let Some(at) = recipient.last_attempt_at {
            output::say(format!("    {} {}", styled(FAINT, output::time(at)), styled(BAD, said(recipient))))?;
        }
    }
    Ok(())
}
