//! Postfix as Debian ships it, with its own configuration, queue and mail folders.

use super::{free_address, process, program, wait_for_greeting, write};
use anyhow::{Context, Result, bail};
use std::net::SocketAddr;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The user that virtual(8) delivers as; it needs no entry in passwd.
const MAIL_UID: u32 = 5000;

/// What it serves.
#[derive(Debug, Clone, Default)]
pub struct PostfixSetup {
    /// Its name.
    pub hostname: String,
    /// Addresses that it delivers, each into a Maildir.
    pub mailboxes: Vec<String>,
    /// Where all other mail goes.
    pub next_hop: Option<SocketAddr>,
    /// Further lines for `main.cf`.
    pub main: Vec<String>,
}

/// A running Postfix. Stops when dropped.
pub struct Postfix {
    folder: PathBuf,
    /// Where it speaks SMTP.
    pub smtp: SocketAddr,
    master: u32,
}

/// As Debian's, with nothing in a chroot; the first line's address is put in front.
const MASTER: &str = "\
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
";

impl Postfix {
    /// Whether it can be started here: it must be installed, and only root can.
    #[must_use]
    pub fn available() -> bool {
        program("postfix").is_some() && rustix::process::geteuid().is_root()
    }

    /// Starts it in `folder` (existing, empty, passable for other users).
    pub fn start(folder: &Path, setup: &PostfixSetup) -> Result<Self> {
        let smtp = free_address()?;
        let (config, mail) = (folder.join("config"), folder.join("mail"));
        for path in [&config, &mail, &folder.join("queue"), &folder.join("data")] {
            std::fs::create_dir(path)?;
        }
        chown(&mail, Some(MAIL_UID), Some(MAIL_UID))?;
        let user = Command::new("id").args(["-u", "postfix"]).output()?;
        let uid: u32 = String::from_utf8_lossy(&user.stdout).trim().parse().context("the user postfix")?;
        chown(folder.join("data"), Some(uid), None)?;
        write(&config.join("main.cf"), &main_cf(folder, setup))?;
        write(&config.join("master.cf"), &format!("{smtp} inet n - n - - smtpd\n{MASTER}"))?;
        let maildirs: String =
            setup.mailboxes.iter().map(|address| format!("{address} {}/\n", maildir_name(address))).collect();
        write(&config.join("mailboxes"), &maildirs)?;
        control(&config, "start")?;
        let master = folder.join("queue/pid/master.pid");
        let master =
            std::fs::read_to_string(&master).with_context(|| format!("reading {}", master.display()))?;
        let postfix = Self { folder: folder.to_owned(), smtp, master: master.trim().parse()? };
        wait_for_greeting(smtp, || Path::new(&format!("/proc/{}", postfix.master)).exists())?;
        Ok(postfix)
    }

    /// The master's process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.master
    }

    /// The messages that an address has got, as files.
    pub fn messages(&self, address: &str) -> Result<Vec<PathBuf>> {
        let new = self.folder.join("mail").join(maildir_name(address)).join("new");
        if !new.is_dir() {
            return Ok(Vec::new());
        }
        std::fs::read_dir(new)?.map(|entry| Ok(entry?.path())).collect()
    }

    /// What is in its queue, as `postqueue -p` shows it.
    pub fn queue(&self) -> Result<String> {
        let output =
            Command::new("postqueue").arg("-c").arg(self.folder.join("config")).arg("-p").output()?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Its log, for messages about failures.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// What it has cost so far.
    pub fn cost(&self) -> Result<process::Cost> {
        process::cost(self.master)
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        // Nothing can be done if it is gone already.
        control(&self.folder.join("config"), "abort").ok();
    }
}

fn maildir_name(address: &str) -> String {
    address.replace('@', "_at_")
}

fn main_cf(folder: &Path, setup: &PostfixSetup) -> String {
    let folder = folder.display();
    let mut lines = vec![
        "compatibility_level = 3.6".to_owned(),
        format!("queue_directory = {folder}/queue"),
        format!("data_directory = {folder}/data"),
        "command_directory = /usr/sbin".to_owned(),
        "daemon_directory = /usr/lib/postfix/sbin".to_owned(),
        "mail_owner = postfix".to_owned(),
        "setgid_group = postdrop".to_owned(),
        format!("myhostname = {}", setup.hostname),
        "mydestination =".to_owned(),
        "mynetworks = 127.0.0.0/8".to_owned(),
        "inet_interfaces = loopback-only".to_owned(),
        "inet_protocols = ipv4".to_owned(),
        "alias_maps =".to_owned(),
        "alias_database =".to_owned(),
        "smtpd_peername_lookup = no".to_owned(),
        "disable_dns_lookups = yes".to_owned(),
        "smtputf8_enable = yes".to_owned(),
        "biff = no".to_owned(),
        format!("virtual_mailbox_base = {folder}/mail"),
        format!("virtual_mailbox_maps = texthash:{folder}/config/mailboxes"),
        format!("virtual_uid_maps = static:{MAIL_UID}"),
        format!("virtual_gid_maps = static:{MAIL_UID}"),
    ];
    let mut domains: Vec<&str> =
        setup.mailboxes.iter().filter_map(|address| Some(address.rsplit_once('@')?.1)).collect();
    domains.sort_unstable();
    domains.dedup();
    lines.push(format!("virtual_mailbox_domains = {}", domains.join(" ")));
    if let Some(next_hop) = setup.next_hop {
        lines.push(format!("relayhost = [{}]:{}", next_hop.ip(), next_hop.port()));
    }
    lines.extend(setup.main.iter().cloned());
    lines.join("\n") + "\n"
}

/// Runs `postfix -c CONFIG COMMAND`.
fn control(config: &Path, command: &str) -> Result<()> {
    let postfix = program("postfix").context("postfix is not installed")?;
    let output = Command::new(postfix).arg("-c").arg(config).arg(command).output()?;
    if !output.status.success() {
        bail!("postfix {command}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
