//! The user's accounts: who they are and where their mail goes out and comes in.
//!
//! Kept in `accounts.toml` in the user's configuration folder, readable by nobody else; passwords are in
//! files of their own beside it, or come from a command (a password manager).

use crate::{Endpoint, Security, limits::PASSWORD_OCTETS_MAX};
use posta_address::Mailbox;
use posta_wire::Secret;
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use thiserror::Error;

/// Name of the file with the accounts.
pub const ACCOUNTS_FILE: &str = "accounts.toml";

/// One account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// What the user calls it: letters, digits, `-`, `_`, `.`.
    pub name: String,
    /// The user's address; stands in From and in the envelope.
    pub address: Mailbox,
    /// The user's name, shown in From.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_name: Option<String>,
    /// Where letters are submitted.
    pub smtp: Endpoint,
    /// Where the maildrop is.
    pub pop3: Endpoint,
    /// The name of the maildrop.
    pub user: String,
    /// The address of the Posta server that the mail is on, `https://host/`: then agents use its desk, with the password as the
    /// application password that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    /// Log in with APOP; the password is the shared secret then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub apop: bool,
    /// Log in with OAuth tokens (RFC 7628); what the password's file or command gives is one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub oauth: bool,
    /// How connections are protected.
    #[serde(default, skip_serializing_if = "is_default")]
    pub security: Security,
    /// A file with authorities (PEM) that are trusted besides the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorities: Option<PathBuf>,
    /// A file with the password on its first line; relative to the configuration folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// A command that prints the password on its first line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_command: Option<String>,
}

fn is_default(security: &Security) -> bool {
    *security == Security::default()
}

/// All accounts of a user.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accounts {
    /// The name of the one that is meant when none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// In the order in which they were set up.
    #[serde(default, rename = "account", skip_serializing_if = "Vec::is_empty")]
    pub list: Vec<Account>,
}

/// What is wrong with the accounts, or with how they are kept.
#[derive(Debug, Error)]
pub enum AccountError {
    /// A file could not be read or written.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// The accounts file has something that does not belong there; with line and column.
    #[error("{path}: {words}")]
    Syntax {
        /// Which.
        path: String,
        /// What, and where.
        words: String,
    },
    /// Others could read secrets.
    #[error("{path} can be read by others (mode {mode:03o}); make it private: chmod 600 {path}")]
    NotPrivate {
        /// Which.
        path: String,
        /// Its permission bits.
        mode: u32,
    },
    /// There is no such account.
    #[error("there is no account `{name}`; there are: {known}")]
    Unknown {
        /// As asked for.
        name: String,
        /// Those there are.
        known: String,
    },
    /// There is no account at all.
    #[error("no account is set up yet: run `posta mail setup`")]
    None,
    /// Several accounts and no default.
    #[error("several accounts and no default: say --account, one of {0}")]
    NoDefault(String),
    /// A name that would be trouble in a file name.
    #[error("`{0}` cannot be the name of an account: letters, digits, - _ . only")]
    BadName(String),
    /// The command that should print the password did not.
    #[error("the password command failed: {0}")]
    PasswordCommand(String),
    /// The password is empty or absurdly long.
    #[error("{0} holds no password on its first line")]
    NoPassword(String),
}

impl Accounts {
    /// Reads the accounts in this configuration folder; none where there is no file.
    pub fn load(folder: &Path) -> Result<Accounts, AccountError> {
        let path = folder.join(ACCOUNTS_FILE);
        let text = match read_private(&path) {
            Err(AccountError::File { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Accounts::default());
            }
            text => text?,
        };
        let syntax = |words: String| AccountError::Syntax { path: path.display().to_string(), words };
        let accounts: Accounts = toml::from_str(&text).map_err(|error| syntax(error.to_string()))?;
        for (index, account) in accounts.list.iter().enumerate() {
            check_name(&account.name)?;
            if accounts.list[..index].iter().any(|other| other.name == account.name) {
                return Err(syntax(format!("the account `{}` is there twice", account.name)));
            }
        }
        if let Some(name) = &accounts.default {
            accounts.get(Some(name))?;
        }
        Ok(accounts)
    }

    /// Writes the accounts, so that a crash leaves either the old or the new file.
    pub fn save(&self, folder: &Path) -> Result<(), AccountError> {
        let path = folder.join(ACCOUNTS_FILE);
        let text = toml::to_string(self).map_err(|error| AccountError::Syntax {
            path: path.display().to_string(),
            words: error.to_string(),
        })?;
        let head = "# Mail accounts of `posta mail`. Made by `posta mail setup`; may be edited by hand.\n\n";
        write_private(&path, &format!("{head}{text}"))
    }

    /// The account of that name; without a name the default, or the only one.
    pub fn get(&self, name: Option<&str>) -> Result<&Account, AccountError> {
        let names = || self.list.iter().map(|account| account.name.as_str()).collect::<Vec<_>>().join(", ");
        match (name.or(self.default.as_deref()), self.list.as_slice()) {
            (Some(name), [_, ..]) => {
                let found = self.list.iter().find(|account| account.name == name);
                found.ok_or_else(|| AccountError::Unknown { name: name.to_owned(), known: names() })
            }
            (_, []) => Err(AccountError::None),
            (None, [only]) => Ok(only),
            (None, _) => Err(AccountError::NoDefault(names())),
        }
    }

    /// Adds the account, or replaces the one of that name. The first becomes the default.
    pub fn put(&mut self, account: Account) -> Result<(), AccountError> {
        check_name(&account.name)?;
        if self.list.is_empty() {
            self.default = Some(account.name.clone());
        }
        match self.list.iter_mut().find(|other| other.name == account.name) {
            Some(old) => *old = account,
            None => self.list.push(account),
        }
        Ok(())
    }
}

impl Account {
    /// Reads the password from where it is kept; `None` when the user has to be asked.
    pub fn password(&self, folder: &Path) -> Result<Option<Secret>, AccountError> {
        if let Some(command) = &self.password_command {
            return password_from_command(command).map(Some);
        }
        let Some(file) = &self.password_file else { return Ok(None) };
        let path = folder.join(file);
        let text = read_private(&path)?;
        first_line(&text, &path.display().to_string()).map(Some)
    }

    /// Keeps the password in a private file beside the accounts, and remembers that it is there.
    pub fn keep_password(&mut self, folder: &Path, password: &Secret) -> Result<(), AccountError> {
        check_name(&self.name)?;
        let file = PathBuf::from(format!("{}.password", self.name));
        write_private(&folder.join(&file), &format!("{}\n", password.expose()))?;
        self.password_file = Some(file);
        self.password_command = None;
        Ok(())
    }
}

fn check_name(name: &str) -> Result<(), AccountError> {
    let valid = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.');
    let fine = !name.is_empty() && name.len() <= 64 && !name.starts_with('.') && name.bytes().all(valid);
    if fine { Ok(()) } else { Err(AccountError::BadName(name.to_owned())) }
}

/// The first line of what a file or a command gave.
fn first_line(text: &str, from: &str) -> Result<Secret, AccountError> {
    let line = text.split('\n').next().unwrap_or_default().trim_end_matches('\r');
    if line.is_empty() || line.len() > PASSWORD_OCTETS_MAX {
        return Err(AccountError::NoPassword(from.to_owned()));
    }
    Ok(Secret::new(line))
}

fn password_from_command(command: &str) -> Result<Secret, AccountError> {
    let failed = |words: String| AccountError::PasswordCommand(words);
    // The user's own words in the user's own file: a shell is what they expect.
    let output = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::inherit())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(output.status.to_string()));
    }
    let text =
        String::from_utf8(output.stdout).map_err(|_| failed("what it prints is not text".to_owned()))?;
    first_line(&text, "the output of the password command")
}

fn file_error(path: &Path) -> impl FnOnce(io::Error) -> AccountError {
    let path = path.display().to_string();
    |error| AccountError::File { path, error }
}

/// Reads a file that holds secrets, unless others can read it too.
fn read_private(path: &Path) -> Result<String, AccountError> {
    let metadata = fs::metadata(path).map_err(file_error(path))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(AccountError::NotPrivate { path: path.display().to_string(), mode });
    }
    fs::read_to_string(path).map_err(file_error(path))
}

/// Writes a file that nobody else can read, and its folder where it is missing.
fn write_private(path: &Path, text: &str) -> Result<(), AccountError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(file_error(folder))?;
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    // What a crash may have left; made anew so that its mode is ours from the first octet on.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(file_error(&temporary)(error)),
        _ => {}
    }
    let mut options = fs::OpenOptions::new();
    let written = options.write(true).create_new(true).mode(0o600).open(&temporary).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.and_then(|()| fs::rename(&temporary, path)).map_err(file_error(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(name: &str) -> Account {
        Account {
            name: name.into(),
            address: Mailbox::parse("ada@north.example").unwrap(),
            full_name: Some("Ada Löv".into()),
            smtp: "127.0.0.1:2525".parse().unwrap(),
            pop3: "mail.north.example:110".parse().unwrap(),
            user: "ada@north.example".into(),
            api: None,
            apop: false,
            oauth: false,
            security: Security::Auto,
            authorities: None,
            password_file: None,
            password_command: None,
        }
    }

    #[test]
    fn accounts_are_kept_privately() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("posta");
        assert_eq!(Accounts::load(&folder).unwrap(), Accounts::default());
        let mut accounts = Accounts::default();
        let mut home = account("home");
        home.keep_password(&folder, &Secret::new("sword fish")).unwrap();
        accounts.put(home).unwrap();
        accounts.put(account("work")).unwrap();
        accounts.save(&folder).unwrap();
        let loaded = Accounts::load(&folder).unwrap();
        assert_eq!(loaded, accounts);
        assert_eq!(loaded.get(None).unwrap().name, "home");
        assert_eq!(loaded.get(Some("work")).unwrap().name, "work");
        let password = loaded.get(None).unwrap().password(&folder).unwrap();
        assert_eq!(password, Some(Secret::new("sword fish")));
        assert_eq!(loaded.get(Some("work")).unwrap().password(&folder).unwrap(), None);
        for file in [ACCOUNTS_FILE, "home.password"] {
            let mode = fs::metadata(folder.join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
        let text = fs::read_to_string(folder.join(ACCOUNTS_FILE)).unwrap();
        assert!(!text.contains("sword fish"), "{text}");
    }

    #[test]
    fn what_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(ACCOUNTS_FILE);
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = Accounts::load(folder.path()).unwrap_err();
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }

    #[test]
    fn mistakes_are_named() {
        let table = [
            ("defautl = \"x\"\n", "defautl"),
            ("[[account]]\nname = \"a\"\n", "missing field"),
            ("default = \"home\"\n", "no account is set up yet"),
        ];
        for (text, expected) in table {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(ACCOUNTS_FILE);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let error = Accounts::load(folder.path()).unwrap_err();
            assert!(error.to_string().contains(expected), "{text:?}: {error}");
        }
        let mut accounts = Accounts::default();
        assert!(matches!(accounts.get(None), Err(AccountError::None)));
        assert!(matches!(accounts.put(account("../x")), Err(AccountError::BadName(_))));
        accounts.put(account("a")).unwrap();
        accounts.put(account("b")).unwrap();
        accounts.default = None;
        assert!(matches!(accounts.get(None), Err(AccountError::NoDefault(_))));
        let error = accounts.get(Some("c")).unwrap_err();
        assert_eq!(error.to_string(), "there is no account `c`; there are: a, b");
    }

    #[test]
    fn passwords_from_commands() {
        let folder = Path::new("/nonexistent");
        let mut account = account("x");
        account.password_command = Some("printf 'geheim\\nother line\\n'".into());
        assert_eq!(account.password(folder).unwrap(), Some(Secret::new("geheim")));
        for command in ["exit 3", "true"] {
            account.password_command = Some(command.into());
            assert!(account.password(folder).is_err(), "{command}");
        }
    }
}
