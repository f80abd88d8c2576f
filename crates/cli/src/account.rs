//! `posta account`: people and programs with a maildrop.

use crate::{
    app_password::AppPasswordCommand,
    operator::Operator,
    output::{self, Form},
    password::PasswordSource,
};
use posta_address::{Domain, Mailbox};
use posta_server::admin::{AccountChange, AccountInfo, NewAccount, Request, Response, SecretText};
use posta_server::config::Period;

/// See the module.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum AccountCommand {
    /// Make an account; asks for its password
    Add {
        /// For instance alice@example.org
        address: Mailbox,
        /// Full name, shown by VRFY and EXPN
        #[arg(long)]
        name: Option<String>,
        /// How much the maildrop may hold, for instance 500M or 2G
        #[arg(long, value_name = "SIZE", value_parser = output::parse_octets)]
        quota: Option<u64>,
        /// Make it without a password: it gets mail, but nobody can log in
        #[arg(long, conflicts_with_all = ["password_stdin", "password_file"])]
        no_password: bool,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// List the accounts with what their maildrops hold
    List {
        /// Only those of this domain
        domain: Option<Domain>,
        #[command(flatten)]
        form: Form,
    },
    /// Show one account
    Show {
        /// Whose
        address: Mailbox,
        #[command(flatten)]
        form: Form,
    },
    /// Remove an account and all mail in its maildrop
    Remove {
        /// Whose
        address: Mailbox,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Set a new password
    Password {
        /// Whose
        address: Mailbox,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Set the shared secret for APOP (RFC 1939 §7), which has to be kept in clear; or turn APOP off
    Apop {
        /// Whose
        address: Mailbox,
        /// Turn APOP off
        #[arg(long, conflicts_with_all = ["password_stdin", "password_file"])]
        off: bool,
        #[command(flatten)]
        secret: PasswordSource,
    },
    /// Passwords for one program each, which can be revoked without disturbing the others
    #[command(subcommand)]
    AppPassword(AppPasswordCommand),
    /// Set how much the maildrop may hold
    Quota {
        /// Whose
        address: Mailbox,
        /// For instance 500M or 2G; `none` for no limit
        #[arg(value_parser = parse_quota)]
        size: Quota,
    },
    /// Set how long what it sends waits, so that it can be taken back (`posta mail unsend`)
    Hold {
        /// Whose
        address: Mailbox,
        /// For instance 30s or 2m; `none` to send at once
        #[arg(value_parser = parse_hold)]
        time: HoldTime,
    },
    /// Set the full name
    Name {
        /// Whose
        address: Mailbox,
        /// The name; without it, none
        name: Option<String>,
    },
    /// Let it log in and get mail again
    Enable {
        /// Whose
        address: Mailbox,
    },
    /// Neither logins nor new mail; what is in the maildrop stays
    Disable {
        /// Whose
        address: Mailbox,
    },
}

/// How much a maildrop may hold; `None` is no limit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quota(Option<u64>);

fn parse_quota(text: &str) -> Result<Quota, String> {
    if text == "none" {
        Ok(Quota(None))
    } else {
        output::parse_octets(text).map(|octets| Quota(Some(octets)))
    }
}

/// Seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HoldTime(u32);

fn parse_hold(text: &str) -> Result<HoldTime, String> {
    if text == "none" {
        return Ok(HoldTime(0));
    }
    let time: Period = text.parse().map_err(|_| "a time such as 30s or 2m".to_owned())?;
    u32::try_from(time.0.as_secs()).map(HoldTime).map_err(|_| "that is too long".to_owned())
}

impl AccountCommand {
    pub(crate) async fn run(self, operator: &Operator) -> anyhow::Result<()> {
        match self {
            AccountCommand::Add { address, name, quota, no_password, password } => {
                let password = if no_password { None } else { Some(SecretText(password.read("password")?)) };
                let account = NewAccount { address, name, password, apop_secret: None, quota_octets: quota };
                operator.act(Request::AccountAdd(account)).await
            }
            AccountCommand::List { domain, form } => {
                let accounts = accounts(operator, Request::AccountList { domain }).await?;
                if form.json { output::say_json(&accounts) } else { print(&accounts) }
            }
            AccountCommand::Show { address, form } => {
                let accounts = accounts(operator, Request::AccountShow { address }).await?;
                if form.json {
                    return output::say_json(&accounts.first());
                }
                print(&accounts)?;
                accounts.first().map_or(Ok(()), print_folders)
            }
            AccountCommand::Remove { address, yes } => {
                crate::confirm(yes, &format!("Remove {address} and all mail in its maildrop?"))?;
                operator.act(Request::AccountRemove { address }).await
            }
            AccountCommand::Password { address, password } => {
                let password = SecretText(password.read("password")?);
                change(operator, address, AccountChange::Password(Some(password))).await
            }
            AccountCommand::Apop { address, off: true, .. } => {
                change(operator, address, AccountChange::ApopSecret(None)).await
            }
            AccountCommand::Apop { address, off: false, secret } => {
                let secret = SecretText(secret.read("APOP secret")?);
                change(operator, address, AccountChange::ApopSecret(Some(secret))).await
            }
            AccountCommand::AppPassword(command) => command.run(operator).await,
            AccountCommand::Quota { address, size: Quota(octets) } => {
                change(operator, address, AccountChange::Quota(octets)).await
            }
            AccountCommand::Hold { address, time: HoldTime(seconds) } => {
                change(operator, address, AccountChange::Hold(seconds)).await
            }
            AccountCommand::Name { address, name } => {
                change(operator, address, AccountChange::Name(name)).await
            }
            AccountCommand::Enable { address } => {
                change(operator, address, AccountChange::Enabled(true)).await
            }
            AccountCommand::Disable { address } => {
                change(operator, address, AccountChange::Enabled(false)).await
            }
        }
    }
}

fn print_folders(account: &AccountInfo) -> anyhow::Result<()> {
    let rows = account.folders.iter().map(|folder| {
        let (messages, unseen) = (folder.messages.to_string(), folder.unseen.to_string());
        vec![folder.name.clone(), messages, unseen, output::octets(folder.octets)]
    });
    output::say("")?;
    output::say_table(&["folder", "messages", "unread", "size"], rows.collect(), "no folder")?;
    Ok(())
}

async fn change(operator: &Operator, address: Mailbox, change: AccountChange) -> anyhow::Result<()> {
    operator.act(Request::AccountChange { address, changes: vec![change] }).await
}

async fn accounts(operator: &Operator, request: Request) -> anyhow::Result<Vec<AccountInfo>> {
    match operator.ask(request).await? {
        Response::Accounts(accounts) => Ok(accounts),
        other => Err(Operator::unexpected(&other)),
    }
}

fn print(accounts: &[AccountInfo]) -> anyhow::Result<()> {
    let rows = accounts.iter().map(|account| {
        let login = match (account.enabled, account.has_password, account.has_apop_secret) {
            (false, ..) => "disabled",
            (true, true, true) => "password, APOP",
            (true, true, false) => "password",
            (true, false, true) => "APOP",
            (true, false, false) => "none",
        };
        vec![
            account.address.to_string(),
            account.name.clone().unwrap_or_else(|| "-".into()),
            account.messages.to_string(),
            output::octets(account.octets),
            account.quota_octets.map_or_else(|| "-".into(), output::octets),
            login.into(),
        ]
    });
    output::say_table(
        &["address", "name", "messages", "size", "quota", "login"],
        rows.collect(),
        "no account yet; `posta account add alice@example.org` makes one",
    )?;
    Ok(())
}
