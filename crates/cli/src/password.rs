//! Where passwords come from: the terminal, standard input or a file; never the command line, which
//! every user of the machine can see.

use anyhow::{Context, bail};
use posta_wire::Secret;
use std::{
    io::{self, BufRead, IsTerminal},
    path::PathBuf,
};

/// Octets a password may have; longer ones are mistakes (a wrong file), not passwords.
const PASSWORD_OCTETS_MAX: usize = 1024;

/// How a password is handed in.
#[derive(Debug, Clone, clap::Args)]
#[group(multiple = false)]
pub(crate) struct PasswordSource {
    /// Read it from the first line of standard input.
    #[arg(long)]
    pub(crate) password_stdin: bool,
    /// Read it from the first line of this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

impl PasswordSource {
    /// Reads it; `what` names it in the prompt.
    pub(crate) fn read(&self, what: &str) -> anyhow::Result<Secret> {
        let text = if self.password_stdin {
            let mut line = String::new();
            io::stdin().lock().read_line(&mut line).context("reading standard input")?;
            line
        } else if let Some(file) = &self.password_file {
            let text =
                std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
            text.lines().next().unwrap_or_default().to_owned()
        } else {
            ask(what)?
        };
        let password = text.trim_end_matches(['\r', '\n']);
        if password.is_empty() {
            bail!("the {what} is empty; nothing was changed");
        }
        if password.len() > PASSWORD_OCTETS_MAX {
            bail!("the {what} is longer than {PASSWORD_OCTETS_MAX} octets; nothing was changed");
        }
        Ok(Secret::new(password))
    }
}

fn ask(what: &str) -> anyhow::Result<String> {
    if !io::stdin().is_terminal() {
        bail!("there is no terminal to ask for the {what}: use --password-stdin or --password-file FILE");
    }
    let first = rpassword::prompt_password(format!("New {what}: ")).context("asking for it")?;
    let second = rpassword::prompt_password("Once more: ").context("asking for it")?;
    if first != second {
        bail!("the two differ; nothing was changed");
    }
    Ok(first)
}
