//! Measurements: Posta beside Postfix and Dovecot, by the same load, in the same run, in turns.
#![allow(clippy::print_stdout)]

mod content;
mod desk;
mod idle;
mod message;
mod pop3;
mod program;
mod secure;
mod sink;
mod smtp;
mod subject;
mod table;

use crate::peers;
use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// What to measure and how much of it.
#[derive(Args, Debug, Clone)]
pub struct Options {
    /// What to measure
    #[arg(value_enum)]
    what: What,
    /// Connections at once, one run for each number
    #[arg(long, value_delimiter = ',', default_value = "1,10,100")]
    connections: Vec<usize>,
    /// Messages in each run (POP3: in each maildrop)
    #[arg(long)]
    messages: Option<usize>,
    /// Octets of a message
    #[arg(long, default_value_t = 10 * 1024)]
    size: usize,
    /// Idle connections that are opened to measure their memory
    #[arg(long, default_value_t = 2000)]
    idle: usize,
    /// Measure the peers that are installed as well, in turns with Posta
    #[arg(long)]
    peers: bool,
    /// Measure only the peers
    #[arg(long)]
    peers_only: bool,
    /// How many turns; the table shows the median
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Folder for the servers' data; must be on a real disk and passable for other users
    #[arg(long, default_value = "/var/tmp")]
    dir: PathBuf,
    /// The posta binary (default: built now, in release form)
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Keep the last Posta running and wait for Enter before it is stopped (to look at it with a profiler)
    #[arg(long)]
    linger: bool,
}

/// The measurements.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// Accept and deliver; memory of idle connections
    Smtp,
    /// Retrieve from 100 maildrops, with and without DELE
    Pop3,
    /// Accept and pass on to a sink
    Relay,
    /// Handshakes, messages and logins inside TLS; memory of idle connections there
    Tls,
    /// Messages read and built beside other libraries
    Message,
    /// A person's desk with 100,000 messages beside notmuch: index, list, search
    Ua,
}

/// Maildrops that the load is spread over.
const USERS: usize = 100;

/// How long a server must be at rest before its cost counts as complete.
const REST: Duration = Duration::from_millis(400);

/// How long to wait for that rest, and for deliveries to end.
const SETTLE_MAX: Duration = Duration::from_mins(2);

/// Runs a measurement and prints its table.
pub fn run(options: &Options) -> Result<()> {
    if options.what == What::Message {
        return message::measure();
    }
    if options.what == What::Ua {
        return desk::measure(options.messages, &options.dir);
    }
    raise_open_files_limit()?;
    if rustix::fs::statfs(&options.dir)?.f_type == TMPFS_MAGIC {
        bail!("{} is not on a disk; name another folder with --dir", options.dir.display());
    }
    let binary = match &options.binary {
        Some(binary) => binary.clone(),
        None => build_posta()?,
    };
    println!("{}", machine(&options.dir)?);
    match options.what {
        What::Smtp => smtp::measure(options, &binary),
        What::Pop3 => pop3::measure(options, &binary),
        What::Relay => sink::measure(options, &binary),
        What::Tls => secure::measure(options, &binary),
        What::Message => message::measure(),
        What::Ua => desk::measure(options.messages, &options.dir),
    }
}

/// statfs(2).
const TMPFS_MAGIC: i64 = 0x0102_1994;

fn build_posta() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has a parent")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .current_dir(root)
        .args(["build", "--release", "--quiet", "--package", "posta-cli"])
        .status()?;
    if !built.success() {
        bail!("posta doesn't build");
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Ok(target.join("release/posta"))
}

/// Thousands of idle connections need as many descriptors, here and in the server that inherits the limit.
fn raise_open_files_limit() -> Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    Ok(())
}

/// One line on where this is measured, with the disk's own limit.
fn machine(dir: &Path) -> Result<String> {
    let cores = std::thread::available_parallelism()?;
    let model = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = model.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("");
    let block = vec![b'x'; 10 * 1024];
    let mut file = tempfile::tempfile_in(dir)?;
    let start = Instant::now();
    let mut syncs = 0_u32;
    while start.elapsed() < Duration::from_secs(1) {
        file.write_all(&block)?;
        file.sync_data()?;
        syncs += 1;
    }
    Ok(format!(
        "{cores} cores,{}; one writer, append of 10 KiB + fdatasync: {:.0}/s",
        model.trim_start_matches([' ', '\t', ':']),
        f64::from(syncs) / start.elapsed().as_secs_f64()
    ))
}

/// Waits until the processes under `pid` rest, so that work put off is counted with what caused it.
fn settle(pid: u32) -> Result<peers::process::Cost> {
    let deadline = Instant::now() + SETTLE_MAX;
    let mut last = peers::process::cost(pid)?;
    let mut still_since = Instant::now();
    while Instant::now() < deadline && still_since.elapsed() < REST {
        std::thread::sleep(Duration::from_millis(50));
        let now = peers::process::cost(pid)?;
        // A timer that ticks isn't work; two clock ticks in 50 ms are.
        if now.since(last).cpu_micros > 10_000 {
            still_since = Instant::now();
        }
        last = now;
    }
    Ok(last)
}

/// The address and password of each user.
fn users(domain: &str) -> Vec<(String, String)> {
    (0..USERS).map(|number| (format!("user{number}@{domain}"), format!("secret-{number}"))).collect()
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    // One thread: the load must leave the cores to the server.
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}
