//! Real servers in folders of their own on loopback ports: ours and strangers', for tests and measurements.

mod dovecot;
mod exim;
mod posta;
mod postfix;
pub mod process;

pub use dovecot::{Dovecot, Storage};
pub use exim::{Exim, EximSetup};
pub use posta::{Posta, PostaSetup};
pub use postfix::{Postfix, PostfixSetup};

use anyhow::{Context, Result, bail};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a server may take to greet after its start.
const START_WAIT: Duration = Duration::from_secs(30);

/// Where a program lies, by `PATH` and the places of system programs.
#[must_use]
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
}

/// A loopback address that nobody listened on a moment ago.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// A new folder that other users' processes (Postfix drops privileges) can pass through. It goes
/// away with the value.
pub fn folder(parent: &Path) -> Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("posta-").tempdir_in(parent)?;
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
    Ok(folder)
}

/// Waits until the server at `address` has said its greeting, or until `alive` says that it is gone.
pub fn wait_for_greeting(address: SocketAddr, mut alive: impl FnMut() -> bool) -> Result<String> {
    let deadline = Instant::now() + START_WAIT;
    while Instant::now() < deadline {
        if let Ok(greeting) = greeting(address) {
            return Ok(greeting);
        }
        if !alive() {
            bail!("the server for {address} ended before it greeted");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    bail!("no greeting from {address} within {} s", START_WAIT.as_secs())
}

fn greeting(address: SocketAddr) -> Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut line = Vec::new();
    let mut octet = [0];
    while stream.read(&mut octet)? == 1 && octet[0] != b'\n' {
        line.push(octet[0]);
    }
    if line.is_empty() {
        bail!("closed without a greeting");
    }
    stream.write_all(b"QUIT\r\n")?;
    // Its farewell is read so that the server doesn't note a lost connection.
    std::io::copy(&mut stream, &mut std::io::sink()).ok();
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}
