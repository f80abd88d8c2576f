//! `posta alias` and `posta list`: addresses that stand for others.

use crate::{
    operator::Operator,
    output::{self, Form},
};
use posta_address::{Domain, Mailbox};
use posta_server::admin::{AliasInfo, Request, Response};

/// Plain aliases (RFC 5321 §3.9.1).
#[derive(Debug, clap::Subcommand)]
pub(crate) enum AliasCommand {
    /// Make an alias, or replace one as a whole
    Add {
        /// The address
        address: Mailbox,
        /// Who gets its mail, here or elsewhere
        #[arg(required = true)]
        members: Vec<Mailbox>,
        /// Full name, shown by VRFY and EXPN
        #[arg(long)]
        name: Option<String>,
    },
    /// List aliases and lists
    List {
        /// Only those of this domain
        domain: Option<Domain>,
        #[command(flatten)]
        form: Form,
    },
    /// Show one
    Show {
        /// Which
        address: Mailbox,
        #[command(flatten)]
        form: Form,
    },
    /// Remove it
    Remove {
        /// Which
        address: Mailbox,
    },
}

/// Mailing lists (RFC 5321 §3.9.2): EXPN shows the members, failures go to the owner.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ListCommand {
    /// Make a list, or replace one as a whole
    Add {
        /// The list's address
        address: Mailbox,
        /// Who gets its mail, here or elsewhere
        members: Vec<Mailbox>,
        /// Who is told when a member's host refuses (becomes the reverse-path)
        #[arg(long, value_name = "ADDRESS")]
        owner: Option<Mailbox>,
        /// Full name, shown by VRFY and EXPN
        #[arg(long)]
        name: Option<String>,
    },
    /// List the lists
    List {
        /// Only those of this domain
        domain: Option<Domain>,
        #[command(flatten)]
        form: Form,
    },
    /// Show the members of a list
    Members {
        /// Which
        address: Mailbox,
        #[command(flatten)]
        form: Form,
    },
    /// Add a member
    Join {
        /// The list
        address: Mailbox,
        /// Who
        member: Mailbox,
    },
    /// Remove a member
    Leave {
        /// The list
        address: Mailbox,
        /// Who
        member: Mailbox,
    },
    /// Remove the list
    Remove {
        /// Which
        address: Mailbox,
    },
}

impl AliasCommand {
    pub(crate) async fn run(self, operator: &Operator) -> anyhow::Result<()> {
        match self {
            AliasCommand::Add { address, members, name } => {
                let alias = AliasInfo { address, list: false, name, members, owner: None };
                operator.act(Request::AliasPut(alias)).await
            }
            AliasCommand::List { domain, form } => {
                let aliases = aliases(operator, Request::AliasList { domain }).await?;
                print(
                    &aliases,
                    form,
                    "no alias yet; `posta alias add info@example.org alice@example.org` makes one",
                )
            }
            AliasCommand::Show { address, form } => {
                print(&aliases(operator, Request::AliasShow { address }).await?, form, "")
            }
            AliasCommand::Remove { address } => operator.act(Request::AliasRemove { address }).await,
        }
    }
}

impl ListCommand {
    pub(crate) async fn run(self, operator: &Operator) -> anyhow::Result<()> {
        match self {
            ListCommand::Add { address, members, owner, name } => {
                let list = AliasInfo { address, list: true, name, members, owner };
                operator.act(Request::AliasPut(list)).await
            }
            ListCommand::List { domain, form } => {
                let mut lists = aliases(operator, Request::AliasList { domain }).await?;
                lists.retain(|alias| alias.list);
                print(
                    &lists,
                    form,
                    "no list yet; `posta list add friends@example.org alice@example.org …` makes one",
                )
            }
            ListCommand::Members { address, form } => {
                let lists = aliases(operator, Request::AliasShow { address }).await?;
                let members: Vec<&Mailbox> = lists.iter().flat_map(|list| &list.members).collect();
                if form.json {
                    return output::say_json(&members);
                }
                members.into_iter().try_for_each(output::say)?;
                Ok(())
            }
            ListCommand::Join { address, member } => {
                operator.act(Request::MemberAdd { address, member }).await
            }
            ListCommand::Leave { address, member } => {
                operator.act(Request::MemberRemove { address, member }).await
            }
            ListCommand::Remove { address } => operator.act(Request::AliasRemove { address }).await,
        }
    }
}

async fn aliases(operator: &Operator, request: Request) -> anyhow::Result<Vec<AliasInfo>> {
    match operator.ask(request).await? {
        Response::Aliases(aliases) => Ok(aliases),
        other => Err(Operator::unexpected(&other)),
    }
}

fn print(aliases: &[AliasInfo], form: Form, nothing: &str) -> anyhow::Result<()> {
    if form.json {
        return output::say_json(&aliases);
    }
    let rows = aliases.iter().map(|alias| {
        let members: Vec<String> = alias.members.iter().map(ToString::to_string).collect();
        vec![
            alias.address.to_string(),
            if alias.list { "list" } else { "alias" }.into(),
            alias.name.clone().unwrap_or_else(|| "-".into()),
            if members.is_empty() { "-".into() } else { members.join(", ") },
            alias.owner.as_ref().map_or_else(|| "-".into(), ToString::to_string),
        ]
    });
    output::say_table(&["address", "kind", "name", "members", "owner"], rows.collect(), nothing)?;
    Ok(())
}
