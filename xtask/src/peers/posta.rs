//! Posta itself: the binary, as an operator runs it.

use super::{free_address, process, wait_for_greeting, write};
use anyhow::{Context, Result, bail};
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// What it serves.
#[derive(Debug, Clone)]
pub struct PostaSetup {
    /// The binary.
    pub binary: PathBuf,
    /// Its name.
    pub hostname: String,
    /// Hosted domains.
    pub domains: Vec<String>,
    /// Addresses and passwords.
    pub accounts: Vec<(String, String)>,
    /// The same secret as the password for APOP too.
    pub apop: bool,
    /// Its own DNS servers.
    pub dns: Vec<SocketAddr>,
    /// Lines of TOML before the first table.
    pub settings: String,
    /// Tables of TOML, after all else.
    pub tables: String,
}

impl PostaSetup {
    /// A host with one domain of the same name and no accounts.
    #[must_use]
    pub fn new(binary: &Path, hostname: &str, domain: &str) -> Self {
        Self {
            binary: binary.to_owned(),
            hostname: hostname.to_owned(),
            domains: vec![domain.to_owned()],
            accounts: Vec::new(),
            apop: false,
            dns: Vec::new(),
            settings: String::new(),
            tables: String::new(),
        }
    }

    fn configuration(&self, folder: &Path, smtp: SocketAddr, pop3: SocketAddr) -> Result<String> {
        let mut text = format!(
            "hostname = {:?}\ndata_dir = {:?}\ndomains = {:?}\n{}\n",
            self.hostname,
            folder.join("data"),
            self.domains,
            self.settings
        );
        for (protocol, address) in [("smtp", smtp), ("pop3", pop3)] {
            write!(text, "[[listener]]\nprotocol = {protocol:?}\naddress = \"{address}\"\n\n")?;
        }
        if !self.dns.is_empty() {
            let servers: Vec<String> = self.dns.iter().map(ToString::to_string).collect();
            write!(text, "[dns]\nservers = {servers:?}\n\n")?;
        }
        text.push_str(&self.tables);
        Ok(text)
    }
}

/// A running `posta serve`. Killed when dropped.
pub struct Posta {
    setup: PostaSetup,
    folder: PathBuf,
    child: Child,
    /// Where it speaks SMTP.
    pub smtp: SocketAddr,
    /// Where it speaks POP3.
    pub pop3: SocketAddr,
}

impl Posta {
    /// Writes the configuration into `folder` (existing), starts the server, makes the accounts.
    pub fn start(folder: &Path, setup: PostaSetup) -> Result<Self> {
        let (smtp, pop3) = (free_address()?, free_address()?);
        Self::start_at(folder, setup, smtp, pop3)
    }

    /// The same at chosen addresses (for hosts whose configurations name each other).
    pub fn start_at(folder: &Path, setup: PostaSetup, smtp: SocketAddr, pop3: SocketAddr) -> Result<Self> {
        write(&folder.join("posta.toml"), &setup.configuration(folder, smtp, pop3)?)?;
        let child = spawn(&setup.binary, folder)?;
        let mut posta = Self { setup, folder: folder.to_owned(), child, smtp, pop3 };
        posta.wait_ready()?;
        for (address, password) in &posta.setup.accounts {
            posta.with_secret(&["account", "add", address], password)?;
            if posta.setup.apop {
                posta.with_secret(&["account", "apop", address], password)?;
            }
        }
        Ok(posta)
    }

    fn with_secret(&self, arguments: &[&str], secret: &str) -> Result<String> {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--password-stdin"]).collect();
        run(&self.setup.binary, &self.folder, &arguments, Some(secret))
    }

    fn wait_ready(&mut self) -> Result<()> {
        for address in [self.smtp, self.pop3] {
            let child = &mut self.child;
            wait_for_greeting(address, || matches!(child.try_wait(), Ok(None)))
                .with_context(|| self.log())?;
        }
        Ok(())
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where its data and configuration lie.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What it has logged, for messages about failures.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// What it has cost so far.
    pub fn cost(&self) -> Result<process::Cost> {
        process::cost(self.pid())
    }

    /// Runs an operator's command on it; gives its standard output.
    pub fn command(&self, arguments: &[&str]) -> Result<String> {
        run(&self.setup.binary, &self.folder, arguments, None)
    }

    /// SIGKILL: no chance to do anything more.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, without waiting.
    pub fn terminate(&self) -> Result<()> {
        let pid = rustix::process::Pid::from_child(&self.child);
        Ok(rustix::process::kill_process(pid, rustix::process::Signal::TERM)?)
    }

    /// Waits for its end.
    pub fn wait(&mut self, at_most: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + at_most;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                bail!("still running after {} s\n{}", at_most.as_secs(), self.log());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Starts it again on the same data, at the same addresses.
    pub fn restart(&mut self) -> Result<()> {
        self.child = spawn(&self.setup.binary, &self.folder)?;
        self.wait_ready()
    }
}

impl Drop for Posta {
    fn drop(&mut self) {
        // Nothing can be done if it is gone already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn spawn(binary: &Path, folder: &Path) -> Result<Child> {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("log"))?;
    Command::new(binary)
        .args(["serve", "--config"])
        .arg(folder.join("posta.toml"))
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .with_context(|| format!("starting {}", binary.display()))
}

fn run(binary: &Path, folder: &Path, arguments: &[&str], input: Option<&str>) -> Result<String> {
    let mut child = Command::new(binary)
        .args(arguments)
        .arg("--config")
        .arg(folder.join("posta.toml"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {}", binary.display()))?;
    if let Some(mut stdin) = child.stdin.take()
        && let Some(input) = input
    {
        writeln!(stdin, "{input}")?;
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("posta {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}
