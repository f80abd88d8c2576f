//! `posta mail setup`.

use super::{
    DONE, configuration_folder, dialogue,
    discovery::{Servers, look_for},
    identity::{Identity, is_given, read_password},
    selection::count,
};
use crate::output::{BAD, FAINT, GOOD, say, say_aside, styled};
use anyhow::{Context, bail};
use posta_address::Mailbox;
use posta_message::build::NamedMailbox;
use posta_pop3::client::{Credentials, LoginMethod};
use posta_runtime::tls::Trust;
use posta_ua::{
    Account, Accounts, Endpoint, Maildrop, Outside, Protocol, Security,
    desk::Desk,
    discovery::Found,
    limits, parse_mailbox, probe_submission,
    remote::{Address, RemoteDesk},
    terminal::harmless_line,
};
use posta_wire::Secret;
use std::{
    io::{self, IsTerminal, Write},
    net::SocketAddr,
    sync::Arc,
};

/// Set an account up: who you are, where mail goes out and comes in
///
/// Where neither --smtp nor --pop3 is said, the servers are looked for: what the DNS announces for the domain
/// of your address, then under the usual names; only those count that prove their names inside TLS. What the
/// flags do not say is asked for on the terminal. The connection is checked before anything is
/// kept. Kept in $XDG_CONFIG_HOME/posta/accounts.toml (or ~/.config/posta), the password in a file of its own,
/// both readable by you alone.
#[derive(Debug, clap::Args)]
pub(super) struct Setup {
    /// What you call the account (else the part of the address before the @)
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Your name, as others see it
    #[arg(long, value_name = "NAME")]
    full_name: Option<String>,
    /// Make it the default account
    #[arg(long)]
    default: bool,
    /// Take the password from this command each time, instead of keeping it
    #[arg(long, value_name = "COMMAND", conflicts_with_all = ["password_stdin", "password_file"])]
    password_command: Option<String>,
    /// Keep no password; ask each time
    #[arg(long, conflicts_with_all = ["password_stdin", "password_file", "password_command"])]
    ask_password: bool,
    /// The mail is on a Posta server: use the desk there (`https://HOST/`); the password is an application password
    #[arg(long, value_name = "ADDRESS")]
    api: Option<String>,
    /// Don't look for the servers
    #[arg(long)]
    no_discovery: bool,
    /// Ask this name server for them (else the system's)
    #[arg(long, value_name = "IP:PORT")]
    dns: Option<SocketAddr>,
    /// Keep the account without trying the connection
    #[arg(long)]
    no_check: bool,
    #[command(flatten)]
    identity: Identity,
}

/// An address at which there may be a server.
fn checked_address(text: &str) -> anyhow::Result<String> {
    Address::parse(text)?;
    Ok(text.trim().to_owned())
}

impl Setup {
    pub(super) async fn run(self) -> anyhow::Result<u8> {
        let folder = configuration_folder()?;
        let mut accounts = Accounts::load(&folder)?;
        let mut account = self.account().await?;
        let password = self.password(&account)?;
        if !self.no_check {
            let secret = match &password {
                Some(secret) => secret.clone(),
                None => match account.password(&folder)? {
                    Some(secret) => secret,
                    None => read_password(&self.identity.password, "password", &account.user)?,
                },
            };
            let fine = self.check(&account, secret.clone()).await? & check_desk(&account, &secret).await?;
            if !fine {
                bail!("the account is not kept (--no-check keeps it all the same)");
            }
        }
        if let Some(password) = &password {
            account.keep_password(&folder, password)?;
        }
        let name = account.name.clone();
        accounts.put(account)?;
        if self.default {
            accounts.default = Some(name.clone());
        }
        accounts.save(&folder)?;
        let is_default = accounts.default.as_deref() == Some(&name);
        let note = if is_default { "the default" } else { "use it with --account" };
        say(format!("The account {} is set up ({note}).", styled(GOOD, name)))?;
        Ok(DONE)
    }

    /// Gathers what makes an account, from flags or by asking.
    async fn account(&self) -> anyhow::Result<Account> {
        let identity = &self.identity;
        let from = answer(&identity.from, "--from", "Your address", None)?;
        let NamedMailbox { name, mailbox } = parse_mailbox(&from)?;
        let full_name = match (&self.full_name, name) {
            (Some(name), _) => name.clone(),
            (None, Some(name)) => name.as_str().to_owned(),
            (None, None) => answer(&None, "", "Your name, as others see it", Some(""))?,
        };
        let found = self.discovered(&mailbox).await?;
        let security = match (identity.tls, &found) {
            (Some(tls), _) => tls.into(),
            (None, Some(found)) => found.security,
            (None, None) => Security::Auto,
        };
        let found = |flag: &Option<String>, pick: fn(&Servers) -> &Found| {
            flag.clone().or_else(|| found.as_ref().map(|found| pick(found).endpoint.to_string()))
        };
        let smtp = found(&identity.smtp, |servers| &servers.submission);
        let pop3 = found(&identity.pop3, |servers| &servers.maildrop);
        let smtp = answer(&smtp, "--smtp", "Server for sending (SMTP), HOST:PORT", None)?;
        let pop3 = answer(&pop3, "--pop3", "Server for fetching (POP3), HOST:PORT", None)?;
        let address = mailbox.to_string();
        let user = answer(&identity.user, "", "Name of the maildrop", Some(&address))?;
        let name = self.name.clone().unwrap_or_else(|| {
            let usable = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            let local = mailbox.local_part().as_str();
            let name: String = local.chars().map(|c| if usable(c) { c } else { '-' }).take(64).collect();
            if name.is_empty() { "mail".to_owned() } else { name }
        });
        Ok(Account {
            name,
            address: mailbox,
            full_name: Some(full_name).filter(|name| !name.is_empty()),
            smtp: Endpoint::parse(&smtp, 25)?,
            pop3: Endpoint::parse(&pop3, 110)?,
            user,
            api: self.api.as_deref().map(checked_address).transpose()?,
            apop: identity.apop,
            oauth: identity.oauth,
            security,
            // Meant from where the command is given; kept so that it can be given from elsewhere.
            authorities: identity.authorities.as_ref().map(std::path::absolute).transpose()?,
            password_file: None,
            password_command: self.password_command.clone(),
        })
    }

    /// The servers of the address's domain, where none is named.
    async fn discovered(&self, mailbox: &Mailbox) -> anyhow::Result<Option<Servers>> {
        let is_wanted = !self.no_discovery && self.identity.smtp.is_none() && self.identity.pop3.is_none();
        let Some(domain) = mailbox.domain().filter(|_| is_wanted) else { return Ok(None) };
        let trust = Arc::new(Trust::system_and(self.identity.authorities.as_slice())?);
        look_for(&Outside { trust, ..Outside::system() }, self.dns, domain).await
    }

    /// The password to keep, if one is to be kept.
    fn password(&self, account: &Account) -> anyhow::Result<Option<Secret>> {
        if self.password_command.is_some() || self.ask_password {
            return Ok(None);
        }
        let source = &self.identity.password;
        if !is_given(source) && !io::stdin().is_terminal() {
            bail!(
                "where does the password come from? Say --password-file FILE, --password-stdin, \
                 --password-command COMMAND or --ask-password"
            );
        }
        let what = match (account.apop, account.oauth) {
            (true, _) => "APOP secret",
            (_, true) => "token",
            _ => "password",
        };
        read_password(source, what, &account.user).map(Some)
    }

    /// Tries both servers; says what was found. Whether both are fine.
    async fn check(&self, account: &Account, secret: Secret) -> anyhow::Result<bool> {
        let trust = Arc::new(Trust::system_and(account.authorities.as_slice())?);
        let outside = Outside { trust, security: account.security, ..Outside::system() };
        let show = self.identity.show_dialogue;
        let transcript = dialogue::shown_if(show, Protocol::Smtp);
        let smtp = probe_submission(&outside, &account.smtp, transcript.as_deref()).await;
        let smtp_fine = smtp.is_ok();
        match smtp {
            Ok((host, _)) => verdict(true, &format!("sending: {} ({})", account.smtp, harmless_line(&host)))?,
            Err(error) => verdict(false, &format!("sending: {}", harmless_line(&error.to_string())))?,
        }
        let method = match (account.apop, account.oauth) {
            (true, _) => LoginMethod::Apop,
            (_, true) => LoginMethod::Token,
            _ => LoginMethod::Strongest,
        };
        let credentials = Credentials { user: account.user.clone(), secret, method };
        let transcript = dialogue::shown_if(show, Protocol::Pop3);
        let opened =
            Maildrop::open(&outside, &account.pop3, credentials, limits::SHOWN_OCTETS_MAX, transcript).await;
        let status = match opened {
            Ok(mut maildrop) => {
                let status = maildrop.status().await;
                maildrop.quit().await.and(status)
            }
            Err(error) => Err(error),
        };
        match &status {
            Ok((messages, octets)) => {
                let what = format!("{}, {octets} octets", count(*messages as usize));
                verdict(true, &format!("fetching: {} ({what})", account.pop3))?;
            }
            Err(error) => {
                let words = harmless_line(&error.to_string());
                verdict(false, &format!("fetching: {}: {words}", account.pop3))?;
            }
        }
        Ok(smtp_fine && status.is_ok())
    }
}

fn verdict(fine: bool, words: &str) -> io::Result<()> {
    let (style, word) = if fine { (GOOD, "good") } else { (BAD, "bad ") };
    say(format!("{} {words}", styled(style, word)))
}

/// What the flag says, or the user; `default` where neither says anything.
fn answer(
    flag: &Option<String>,
    name: &str,
    question: &str,
    default: Option<&str>,
) -> anyhow::Result<String> {
    if let Some(said) = flag {
        return Ok(said.clone());
    }
    if !io::stdin().is_terminal() {
        return match default {
            Some(default) => Ok(default.to_owned()),
            None => bail!("there is no terminal to ask on: say {name}"),
        };
    }
    let hint = default.filter(|default| !default.is_empty());
    let hint = hint.map(|default| styled(FAINT, format_args!(" [{default}]"))).unwrap_or_default();
    loop {
        anstream::stderr().write_all(format!("{question}{hint}: ").as_bytes())?;
        let mut line = String::new();
        if io::stdin().read_line(&mut line).context("reading your answer")? == 0 {
            bail!("nothing was changed");
        }
        match (line.trim(), default) {
            ("", Some(default)) => return Ok(default.to_owned()),
            ("", None) => say_aside("Something must be said here (Ctrl-C gives up)."),
            (said, _) => return Ok(said.to_owned()),
        }
    }
}

/// The desk on a server, if the account names one.
async fn check_desk(account: &Account, secret: &Secret) -> anyhow::Result<bool> {
    let Some(address) = &account.api else { return Ok(true) };
    let trust = Arc::new(Trust::system_and(account.authorities.as_slice())?);
    let outside = Outside { trust, ..Outside::system() };
    let own = account.address.to_string();
    let desk = RemoteDesk::new(outside, Address::parse(address)?, &own, secret);
    match desk.folders().await {
        Ok(folders) => verdict(true, &format!("desk: {address} ({} folders)", folders.len()))?,
        Err(error) => {
            verdict(false, &format!("desk: {}", harmless_line(&error.to_string())))?;
            return Ok(false);
        }
    }
    Ok(true)
}
