//! Exim as Debian builds it, with its own configuration, spool and mail folder.
//!
//! Debian's mail servers replace one another when they are installed, so beside Postfix its packages are unpacked
//! into [`UNPACKED`] (`.ci/run` does that).

use super::{free_address, program, wait_for_greeting, write};
use anyhow::{Context, Result};
use std::net::SocketAddr;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Where its packages are unpacked.
pub(crate) const UNPACKED: &str = "/opt/posta-strangers/exim";

/// The user that Debian's Exim is built to run as.
const USER: &str = "Debian-exim";

/// What it serves.
#[derive(Debug, Clone, Default)]
pub struct EximSetup {
    /// Its name.
    pub hostname: String,
    /// Where all mail goes; without it, into a Maildir.
    pub next_hop: Option<SocketAddr>,
}

/// A running Exim. Stops when dropped.
pub struct Exim {
    folder: PathBuf,
    /// Where it speaks SMTP.
    pub smtp: SocketAddr,
    daemon: Child,
}

impl Exim {
    /// Whether it can be started here: it must be there with its user, and only root can.
    #[must_use]
    pub fn available() -> bool {
        binary().is_some() && user().is_ok() && rustix::process::geteuid().is_root()
    }

    /// Starts it in `folder` (existing, empty, passable for other users).
    pub fn start(folder: &Path, setup: &EximSetup) -> Result<Self> {
        let smtp = free_address()?;
        let binary = binary().context("Exim is not there")?;
        let uid = user()?;
        for name in ["spool", "log", "mail"] {
            let path = folder.join(name);
            std::fs::create_dir(&path)?;
            chown(&path, Some(uid), None)?;
        }
        let config = folder.join("exim.conf");
        write(&config, &configuration(folder, &binary, smtp, setup))?;
        let mut daemon = Command::new(binary)
            .arg("-C")
            .arg(&config)
            .args(["-bdf", "-q10s"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        wait_for_greeting(smtp, || daemon.try_wait().is_ok_and(|status| status.is_none()))?;
        Ok(Exim { folder: folder.to_owned(), smtp, daemon })
    }

    /// The messages that it has kept, as files.
    pub fn messages(&self) -> Result<Vec<PathBuf>> {
        let new = self.folder.join("mail/new");
        if !new.is_dir() {
            return Ok(Vec::new());
        }
        std::fs::read_dir(new)?.map(|entry| Ok(entry?.path())).collect()
    }

    /// Its log; ` K ` in a line says that the message came or went with BDAT.
    #[must_use]
    pub fn log(&self) -> String {
        let read = |name| std::fs::read_to_string(self.folder.join("log").join(name)).unwrap_or_default();
        read("mainlog") + &read("paniclog")
    }
}

impl Drop for Exim {
    fn drop(&mut self) {
        // Nothing can be done if it is gone already.
        self.daemon.kill().ok();
        self.daemon.wait().ok();
    }
}

fn binary() -> Option<PathBuf> {
    let unpacked = Path::new(UNPACKED).join("usr/sbin/exim4");
    program("exim4").or_else(|| unpacked.is_file().then_some(unpacked))
}

/// Its user's number.
fn user() -> Result<u32> {
    let output = Command::new("id").args(["-u", USER]).output()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().context("there is no user for Exim")
}

fn configuration(folder: &Path, binary: &Path, smtp: SocketAddr, setup: &EximSetup) -> String {
    let (folder, binary, hostname) = (folder.display(), binary.display(), &setup.hostname);
    let (ip, port) = (smtp.ip(), smtp.port());
    let (router, hop) = match setup.next_hop {
        Some(hop) => {
            let route = format!("driver = manualroute\n route_list = * {}\n self = send", hop.ip());
            (format!("{route}\n transport = on"), hop.port())
        }
        None => ("driver = accept\n transport = keep".to_owned(), 25),
    };
    format!(
        "exim_path = {binary}\n\
         primary_hostname = {hostname}\n\
         spool_directory = {folder}/spool\n\
         log_file_path = {folder}/log/%slog\n\
         pid_file_path = {folder}/spool/exim.pid\n\
         keep_environment =\n\
         deliver_drop_privilege = true\n\
         local_interfaces = {ip}\n\
         daemon_smtp_ports = {port}\n\
         tls_advertise_hosts =\n\
         chunking_advertise_hosts = *\n\
         host_lookup =\n\
         acl_smtp_rcpt = all\n\
         acl_smtp_etrn = all\n\
         smtp_etrn_command = {binary} -C {folder}/exim.conf -qf\n\
         begin acl\n\
         all:\n accept\n\
         begin routers\n\
         everything:\n {router}\n\
         begin transports\n\
         on:\n driver = smtp\n port = {hop}\n allow_localhost\n hosts_try_chunking = *\n hosts_avoid_tls = *\n\
         keep:\n driver = appendfile\n maildir_format\n directory = {folder}/mail\n user = {USER}\n\
         begin retry\n\
         * * F,1h,5s\n"
    )
}
