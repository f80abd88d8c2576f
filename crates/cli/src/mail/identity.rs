//! Which account is meant, or who and where without one.

use super::{configuration_folder, dialogue};
use crate::password::PasswordSource;
use anyhow::{Context, bail};
use posta_message::{HeaderText, build::NamedMailbox};
use posta_pop3::client::{Credentials, LoginMethod};
use posta_runtime::tls::Trust;
use posta_ua::{
    Account, Accounts, Endpoint, Login, Maildrop, Outside, Proof, Protocol, Security,
    limits::PASSWORD_OCTETS_MAX, parse_mailbox, terminal::harmless_line,
};
use posta_wire::Secret;
use std::{
    io::{self, BufRead, IsTerminal},
    path::PathBuf,
    sync::Arc,
};

/// Ports where none is said (RFC 5321 §4.5.4.2, RFC 1939 §3).
const SMTP_PORT: u16 = 25;
const POP3_PORT: u16 = 110;

/// Which account; or who and where, without one.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Account")]
pub(crate) struct Identity {
    /// The account of that name (else the default one)
    #[arg(long, value_name = "NAME")]
    pub(super) account: Option<String>,
    /// Submit here instead of where the account says
    #[arg(long, value_name = "HOST:PORT")]
    pub(super) smtp: Option<String>,
    /// Fetch from here instead of where the account says
    #[arg(long, value_name = "HOST:PORT")]
    pub(super) pop3: Option<String>,
    /// The name of the maildrop
    #[arg(long, value_name = "NAME")]
    pub(super) user: Option<String>,
    /// The author: `ada@north.example` or `Ada <ada@north.example>`
    #[arg(long, value_name = "ADDRESS")]
    pub(super) from: Option<String>,
    /// How connections are protected (else by what the port says and the server offers)
    #[arg(long, value_name = "HOW")]
    pub(super) tls: Option<Tls>,
    /// Authorities (a PEM file) to trust besides the system's
    #[arg(long = "ca", value_name = "FILE")]
    pub(super) authorities: Option<PathBuf>,
    /// Log in with APOP; the password is the shared secret then, and is never sent in the clear
    #[arg(long)]
    pub(super) apop: bool,
    /// Log in with an OAuth token; what --password-file and the like give is one
    #[arg(long, conflicts_with = "apop")]
    pub(super) oauth: bool,
    #[command(flatten)]
    pub(super) password: PasswordSource,
    /// Show what is said: C: and S: lines, without secrets
    #[arg(long)]
    pub(super) show_dialogue: bool,
}

/// How connections are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Tls {
    /// By what the port says and the server offers; on this machine, not at all
    Auto,
    /// Not at all; a password then goes to this machine only
    None,
    /// By STARTTLS or STLS
    Starttls,
    /// From the first octet on
    #[value(name = "tls")]
    First,
}

impl From<Tls> for Security {
    fn from(tls: Tls) -> Self {
        match tls {
            Tls::Auto => Security::Auto,
            Tls::None => Security::None,
            Tls::Starttls => Security::StartTls,
            Tls::First => Security::Tls,
        }
    }
}

impl Identity {
    /// The world, with connections protected as the flags say, or else the account.
    pub(super) fn outside(&self) -> anyhow::Result<Outside> {
        let account = self.account()?;
        let stored = account.as_ref().map(|account| account.security);
        let security = self.tls.map(Security::from).or(stored).unwrap_or_default();
        let authorities = self.authorities.clone().or(account.and_then(|account| account.authorities));
        let trust = Arc::new(Trust::system_and(authorities.as_slice())?);
        Ok(Outside { trust, security, ..Outside::system() })
    }

    /// The stored account, unless the flags name an endpoint and no account.
    fn account(&self) -> anyhow::Result<Option<Account>> {
        if self.account.is_none() && (self.smtp.is_some() || self.pop3.is_some()) {
            return Ok(None);
        }
        let accounts = Accounts::load(&configuration_folder()?)?;
        Ok(Some(accounts.get(self.account.as_deref())?.clone()))
    }

    /// Who sends, and where to.
    pub(super) fn author(&self) -> anyhow::Result<(NamedMailbox, Endpoint)> {
        let account = self.account()?;
        let from = match (&self.from, &account) {
            (Some(from), _) => parse_mailbox(from)?,
            (None, Some(account)) => NamedMailbox {
                name: account.full_name.as_deref().map(HeaderText::parse).transpose()?,
                mailbox: account.address.clone(),
            },
            (None, None) => bail!("who sends it? Say --from ADDRESS"),
        };
        Ok((from, self.endpoint(&self.smtp, SMTP_PORT, account.map(|account| account.smtp), "--smtp")?))
    }

    fn endpoint(
        &self,
        flag: &Option<String>,
        port: u16,
        stored: Option<Endpoint>,
        name: &str,
    ) -> anyhow::Result<Endpoint> {
        match (flag, stored) {
            (Some(text), _) => Ok(Endpoint::parse(text, port)?),
            (None, Some(stored)) => Ok(stored),
            (None, None) => bail!("which server? Say {name} HOST:PORT, or name an account with --account"),
        }
    }

    /// Whose maildrop, as far as it is said.
    pub(super) fn user_name(&self) -> anyhow::Result<Option<String>> {
        match &self.user {
            Some(user) => Ok(Some(user.clone())),
            None => Ok(self.account()?.map(|account| account.user)),
        }
    }

    /// How to get at the maildrop.
    pub(super) fn maildrop_access(&self) -> anyhow::Result<(Outside, Endpoint, Credentials)> {
        let account = self.account()?;
        let stored = account.as_ref().map(|account| account.pop3.clone());
        let endpoint = self.endpoint(&self.pop3, POP3_PORT, stored, "--pop3")?;
        let credentials = self.credentials(account.as_ref())?;
        Ok((self.outside()?, endpoint, credentials))
    }

    /// Connects to the maildrop and logs in. `octets_max` bounds each message.
    pub(super) async fn open_maildrop(&self, octets_max: u64) -> anyhow::Result<Maildrop> {
        let (outside, endpoint, credentials) = self.maildrop_access()?;
        let transcript = dialogue::shown_if(self.show_dialogue, Protocol::Pop3);
        let maildrop = Maildrop::open(&outside, &endpoint, credentials, octets_max, transcript).await;
        maildrop.map_err(|error| anyhow::anyhow!("{endpoint}: {}", harmless_line(&error.to_string())))
    }

    /// Who sends, where the server asks: only what is known without asking the user.
    pub(super) fn login(&self) -> anyhow::Result<Option<Login>> {
        let account = self.account()?;
        let is_stored = account
            .as_ref()
            .is_some_and(|account| account.password_command.is_some() || account.password_file.is_some());
        if !is_given(&self.password) && !is_stored {
            return Ok(None);
        }
        let Credentials { user, secret, method } = self.credentials(account.as_ref())?;
        let proof = match method {
            LoginMethod::Apop => Proof::SharedSecret,
            LoginMethod::Token => Proof::Token,
            _ => Proof::Password,
        };
        Ok(Some(Login { user, secret, proof }))
    }

    fn credentials(&self, account: Option<&Account>) -> anyhow::Result<Credentials> {
        let from = || self.from.as_deref().and_then(|from| parse_mailbox(from).ok());
        let user = self.user.clone().or_else(|| account.map(|account| account.user.clone()));
        let user = user.or_else(|| from().map(|from| from.mailbox.to_string()));
        let user = user.context("whose maildrop? Say --user NAME")?;
        let apop = self.apop || account.is_some_and(|account| account.apop) && !self.oauth;
        let oauth = self.oauth || account.is_some_and(|account| account.oauth) && !apop;
        let (method, what) = match (apop, oauth) {
            (true, _) => (LoginMethod::Apop, "APOP secret"),
            (_, true) => (LoginMethod::Token, "token"),
            _ => (LoginMethod::Strongest, "password"),
        };
        let secret = match (is_given(&self.password), account) {
            (true, _) => read_password(&self.password, what, &user)?,
            (false, Some(account)) => match account.password(&configuration_folder()?)? {
                Some(secret) => secret,
                None => read_password(&self.password, what, &user)?,
            },
            (false, None) => read_password(&self.password, what, &user)?,
        };
        Ok(Credentials { user, secret, method })
    }
}

/// Whether the flags say where the password comes from.
pub(super) fn is_given(source: &PasswordSource) -> bool {
    source.password_stdin || source.password_file.is_some()
}

/// Reads a password that exists already; asks on the terminal where the flags name no place.
pub(super) fn read_password(source: &PasswordSource, what: &str, user: &str) -> anyhow::Result<Secret> {
    let text = if source.password_stdin {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).context("reading standard input")?;
        line
    } else if let Some(file) = &source.password_file {
        let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        text.lines().next().unwrap_or_default().to_owned()
    } else if io::stdin().is_terminal() {
        rpassword::prompt_password(format!("The {what} of {}: ", harmless_line(user)))
            .with_context(|| format!("asking for the {what}"))?
    } else {
        bail!("there is no terminal to ask for the {what}: use --password-stdin or --password-file FILE");
    };
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        bail!("the {what} is empty");
    }
    if password.len() > PASSWORD_OCTETS_MAX {
        bail!("the {what} is longer than {PASSWORD_OCTETS_MAX} octets");
    }
    Ok(Secret::new(password))
}
