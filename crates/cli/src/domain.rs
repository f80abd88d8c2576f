//! `posta domain`: the domains whose mail is kept here.

use crate::{
    operator::Operator,
    output::{self, Form},
};
use anyhow::bail;
use posta_address::{Domain, Mailbox};
use posta_server::admin::{DomainInfo, Request, Response};

/// See the module.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum DomainCommand {
    /// Keep mail of a domain here, or change its settings
    Add {
        /// For instance example.org
        domain: Domain,
        /// Who gets the mail for addresses that nobody has (without it, they are refused)
        #[arg(long, value_name = "ADDRESS")]
        catch_all: Option<Mailbox>,
        /// What divides `user` from `tag` in user+tag@domain; `none` turns this off
        #[arg(long, value_name = "CHARACTER", default_value = "+", value_parser = parse_separator)]
        subaddress_separator: Separator,
    },
    /// List the domains
    List {
        #[command(flatten)]
        form: Form,
    },
    /// Show one domain
    Show {
        /// Which
        domain: Domain,
        #[command(flatten)]
        form: Form,
    },
    /// Keep its mail no longer (only when no account and no alias uses it)
    Remove {
        /// Which
        domain: Domain,
    },
}

/// What divides a local-part from its tag.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Separator(Option<char>);

fn parse_separator(text: &str) -> Result<Separator, String> {
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        _ if text == "none" => Ok(Separator(None)),
        (Some(separator @ ('+' | '-' | '_' | '=' | '.' | '#' | '/')), None) => Ok(Separator(Some(separator))),
        _ => Err("one of + - _ = . # /, or `none`".into()),
    }
}

impl DomainCommand {
    pub(crate) async fn run(self, operator: &Operator) -> anyhow::Result<()> {
        match self {
            DomainCommand::Add {
                domain,
                catch_all,
                subaddress_separator: Separator(subaddress_separator),
            } => {
                let info = DomainInfo { domain, catch_all, subaddress_separator };
                operator.act(Request::DomainPut(info)).await
            }
            DomainCommand::Remove { domain } => operator.act(Request::DomainRemove { domain }).await,
            DomainCommand::List { form } => {
                let domains = list(operator).await?;
                if form.json { output::say_json(&domains) } else { print(&domains) }
            }
            DomainCommand::Show { domain, form } => {
                let domains = list(operator).await?;
                match domains.into_iter().find(|info| info.domain == domain) {
                    Some(info) if form.json => output::say_json(&info),
                    Some(info) => print(&[info]),
                    None => bail!("{domain} is not hosted here; `posta domain list` shows which are"),
                }
            }
        }
    }
}

async fn list(operator: &Operator) -> anyhow::Result<Vec<DomainInfo>> {
    match operator.ask(Request::DomainList).await? {
        Response::Domains(domains) => Ok(domains),
        other => Err(Operator::unexpected(&other)),
    }
}

fn print(domains: &[DomainInfo]) -> anyhow::Result<()> {
    let rows = domains.iter().map(|info| {
        vec![
            info.domain.to_string(),
            info.catch_all.as_ref().map_or_else(|| "-".into(), ToString::to_string),
            info.subaddress_separator.map_or_else(|| "-".into(), |separator| separator.to_string()),
        ]
    });
    output::say_table(
        &["domain", "catch-all", "separator"],
        rows.collect(),
        "no domain yet; `posta domain add example.org` makes one",
    )?;
    Ok(())
}
