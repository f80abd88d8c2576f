//! The bench programs of crates, built.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The bench program `name` of a package, in release form.
pub(super) fn build(package: &str, name: &str) -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has a parent")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .current_dir(root)
        .args(["bench", "--package", package, "--bench", name, "--no-run", "--quiet"])
        .arg("--message-format=json")
        .output()?;
    if !built.status.success() {
        bail!("the bench program doesn't build:\n{}", String::from_utf8_lossy(&built.stderr));
    }
    let notes = String::from_utf8_lossy(&built.stdout);
    let notes = notes.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let program = notes.filter_map(|note| note["executable"].as_str().map(PathBuf::from)).next_back();
    program.context("cargo names no program")
}
