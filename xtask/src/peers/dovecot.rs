//! Dovecot as Debian ships it, with its own configuration and mail folders: POP3, filled by LMTP.

use super::{free_address, process, program, wait_for_greeting, write};
use anyhow::{Context, Result};
use std::net::SocketAddr;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The user that owns all mail; it needs no entry in passwd.
const MAIL_UID: u32 = 5000;

/// How it keeps mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// As shipped: a file per message, a process per login.
    Maildir,
    /// Its best: many messages in a file, processes serve one login after the other.
    Mdbox,
}

/// A running Dovecot. Stops when dropped.
pub struct Dovecot {
    child: Child,
    /// Where it speaks POP3.
    pub pop3: SocketAddr,
    /// Where it speaks LMTP.
    pub lmtp: SocketAddr,
}

impl Dovecot {
    /// Whether it can be started here: it must be installed with LMTP, and only root can.
    #[must_use]
    pub fn available() -> bool {
        program("dovecot").is_some()
            && Path::new("/usr/lib/dovecot/lmtp").is_file()
            && rustix::process::geteuid().is_root()
    }

    /// Starts it in `folder` (existing, empty, passable for other users) for these users and passwords.
    pub fn start(folder: &Path, storage: Storage, users: &[(String, String)]) -> Result<Self> {
        Self::start_with(folder, storage, users, "")
    }

    /// The same with further lines of its configuration.
    pub fn start_with(
        folder: &Path,
        storage: Storage,
        users: &[(String, String)],
        lines: &str,
    ) -> Result<Self> {
        let (pop3, lmtp) = (free_address()?, free_address()?);
        std::fs::create_dir(folder.join("mail"))?;
        chown(folder.join("mail"), Some(MAIL_UID), Some(MAIL_UID))?;
        let passwords: String =
            users.iter().map(|(user, password)| format!("{user}:{{PLAIN}}{password}\n")).collect();
        write(&folder.join("users"), &passwords)?;
        let config = folder.join("dovecot.conf");
        write(&config, &(configuration(folder, storage, pop3, lmtp) + lines))?;
        let dovecot = program("dovecot").context("dovecot is not installed")?;
        let child = Command::new(dovecot)
            .arg("-F")
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut dovecot = Self { child, pop3, lmtp };
        wait_for_greeting(pop3, || matches!(dovecot.child.try_wait(), Ok(None)))?;
        Ok(dovecot)
    }

    /// The master's process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has cost so far.
    pub fn cost(&self) -> Result<process::Cost> {
        process::cost(self.pid())
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        // Its children end with it; nothing can be done if it is gone already.
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).ok();
        self.child.wait().ok();
    }
}

fn configuration(folder: &Path, storage: Storage, pop3: SocketAddr, lmtp: SocketAddr) -> String {
    let folder = folder.display();
    let (location, service_count) = match storage {
        Storage::Maildir => ("maildir:~/Maildir", 1),
        Storage::Mdbox => ("mdbox:~/mdbox", 0),
    };
    format!(
        "\
protocols = pop3 lmtp
base_dir = {folder}/run
state_dir = {folder}/state
instance_name = {folder}
log_path = {folder}/log
ssl = no
disable_plaintext_auth = no
listen = 127.0.0.1
mail_location = {location}
first_valid_uid = {MAIL_UID}
mail_uid = {MAIL_UID}
mail_gid = {MAIL_UID}
mail_max_userip_connections = 10000
passdb {{
  driver = passwd-file
  args = {folder}/users
}}
userdb {{
  driver = static
  args = uid={MAIL_UID} gid={MAIL_UID} home={folder}/mail/%u
}}
service pop3-login {{
  service_count = {service_count}
  client_limit = 5000
  inet_listener pop3 {{
    address = {}
    port = {}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service pop3 {{
  service_count = {service_count}
  process_limit = 4096
}}
service lmtp {{
  inet_listener lmtp {{
    address = {}
    port = {}
  }}
}}
",
        pop3.ip(),
        pop3.port(),
        lmtp.ip(),
        lmtp.port(),
    )
}
