//! `posta account app-password`: passwords for one program each.

use crate::{
    operator::Operator,
    output::{self, Form},
};
use posta_address::Mailbox;
use posta_server::admin::{Request, Response, Scope};

/// See the module.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum AppPasswordCommand {
    /// Make one; it is shown this once
    Add {
        /// Whose
        address: Mailbox,
        /// What to call it, for instance phone
        name: String,
        /// What it opens
        #[arg(long, value_enum, default_value = "all")]
        scope: ScopeName,
    },
    /// List them, with when they were last used
    List {
        /// Whose
        address: Mailbox,
        #[command(flatten)]
        form: Form,
    },
    /// From now on it opens nothing
    Revoke {
        /// Whose
        address: Mailbox,
        /// What it is called
        name: String,
    },
}

/// What an application password opens.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum ScopeName {
    /// Sending and fetching mail
    All,
    /// Sending mail
    Smtp,
    /// Fetching mail
    Pop3,
}

impl From<ScopeName> for Scope {
    fn from(name: ScopeName) -> Self {
        match name {
            ScopeName::All => Scope::All,
            ScopeName::Smtp => Scope::Smtp,
            ScopeName::Pop3 => Scope::Pop3,
        }
    }
}

impl AppPasswordCommand {
    pub(crate) async fn run(self, operator: &Operator) -> anyhow::Result<()> {
        match self {
            AppPasswordCommand::Add { address, name, scope } => {
                let request = Request::AppPasswordAdd { address, name, scope: scope.into() };
                match operator.ask(request).await? {
                    Response::AppPassword(password) => Ok(output::say(password.0.expose())?),
                    other => Err(Operator::unexpected(&other)),
                }
            }
            AppPasswordCommand::List { address, form } => {
                let passwords = match operator.ask(Request::AppPasswordList { address }).await? {
                    Response::AppPasswords(passwords) => passwords,
                    other => return Err(Operator::unexpected(&other)),
                };
                if form.json {
                    return output::say_json(&passwords);
                }
                let rows = passwords.into_iter().map(|password| {
                    let scope = match password.scope {
                        Scope::All => "all",
                        Scope::Smtp => "smtp",
                        Scope::Pop3 => "pop3",
                    };
                    let last_used = password.last_used_at.map_or_else(|| "never".into(), |at| at.to_string());
                    vec![password.name, scope.into(), password.created_at.to_string(), last_used]
                });
                let headings = ["name", "opens", "made", "last used"];
                Ok(output::say_table(&headings, rows.collect(), "no application password")?)
            }
            AppPasswordCommand::Revoke { address, name } => {
                operator.act(Request::AppPasswordRevoke { address, name }).await
            }
        }
    }
}
