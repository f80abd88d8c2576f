//! Arrows only go down: which crate may depend on which, and what the pure ones must not know.

use super::{Report, sources};
use crate::Workspace;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Whether a crate may know of the outside world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// No sockets, no clock, no randomness, no async runtime (ARCHITECTURE.md, invariant 1).
    Pure,
    /// May wait for things.
    Worldly,
}

/// The picture of ARCHITECTURE.md. A crate may depend on those named and on what they may depend on.
const LAYERS: &[(&str, Kind, &[&str])] = &[
    ("address", Kind::Pure, &[]),
    ("wire", Kind::Pure, &[]),
    ("smtp", Kind::Pure, &["address", "wire"]),
    ("pop3", Kind::Pure, &["wire"]),
    ("message", Kind::Pure, &["address"]),
    ("runtime", Kind::Worldly, &["wire"]),
    ("dns", Kind::Worldly, &["address"]),
    ("journal", Kind::Worldly, &["address"]),
    ("store", Kind::Worldly, &["address", "wire", "journal"]),
    ("queue", Kind::Worldly, &["store", "dns", "smtp", "runtime", "message", "journal"]),
    ("server", Kind::Worldly, &["queue", "pop3"]),
    ("ua", Kind::Worldly, &["message", "smtp", "pop3", "runtime", "store"]),
    ("web", Kind::Worldly, &["server", "ua"]),
    ("cli", Kind::Worldly, &["web"]),
];

/// Packages that bring the world in; a pure crate must not reach them by any path.
const WORLDLY_PACKAGES: &[&str] = &[
    "tokio",
    "mio",
    "socket2",
    "async-io",
    "async-std",
    "smol",
    "hickory-proto",
    "hickory-resolver",
    "hickory-server",
    "rusqlite",
    "libsqlite3-sys",
    "rustls",
    "aws-lc-rs",
    "ring",
    "openssl",
    "rustix",
    "nix",
    "tempfile",
    "rand",
    "getrandom",
    "fastrand",
    "uuid",
    "chrono",
    "time",
    "tracing-subscriber",
];

/// Words in a pure crate's source that reach for the world by way of the standard library or jiff.
const WORLDLY_WORDS: &[&str] = &[
    "std::fs",
    "std::thread",
    "std::process",
    "std::env",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "Instant::now",
    "SystemTime::now",
    "Timestamp::now",
    "Zoned::now",
];

/// Cargo's own account of the workspace, for this machine's platform.
pub(super) fn cargo_metadata(workspace: &Workspace) -> Result<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let version = Command::new(&cargo).arg("-vV").output().context("running cargo -vV")?;
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("cargo names no host")?;
    let output = Command::new(&cargo)
        .current_dir(workspace.root())
        .args(["metadata", "--format-version", "1", "--filter-platform", host])
        .output()
        .context("running cargo metadata")?;
    if !output.status.success() {
        bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Name, and the names of normal dependencies, of each package by its id.
struct Graph {
    names: BTreeMap<String, String>,
    arrows: BTreeMap<String, Vec<String>>,
}

impl Graph {
    fn of(metadata: &Value) -> Result<Self> {
        let text = |value: &Value, key: &str| -> Result<String> {
            Ok(value[key].as_str().with_context(|| format!("metadata without {key}"))?.to_owned())
        };
        let mut names = BTreeMap::new();
        for package in metadata["packages"].as_array().context("packages")? {
            names.insert(text(package, "id")?, text(package, "name")?);
        }
        let mut arrows = BTreeMap::new();
        for node in metadata["resolve"]["nodes"].as_array().context("resolve.nodes")? {
            let mut targets = Vec::new();
            for dependency in node["deps"].as_array().context("deps")? {
                // Tests may use more; what is shipped may not.
                let normal = dependency["dep_kinds"]
                    .as_array()
                    .is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"].is_null()));
                if normal {
                    targets.push(text(dependency, "pkg")?);
                }
            }
            arrows.insert(text(node, "id")?, targets);
        }
        Ok(Self { names, arrows })
    }

    fn reachable(&self, start: &str) -> BTreeSet<&str> {
        let mut seen = BTreeSet::new();
        let mut open = vec![start];
        while let Some(id) = open.pop() {
            for target in self.arrows.get(id).into_iter().flatten() {
                if seen.insert(target.as_str()) {
                    open.push(target);
                }
            }
        }
        seen
    }
}

fn allowed_for(name: &str) -> BTreeSet<&'static str> {
    let mut allowed = BTreeSet::new();
    let mut open = vec![name.to_owned()];
    while let Some(next) = open.pop() {
        let Some((_, _, below)) = LAYERS.iter().find(|(layer, _, _)| *layer == next) else { continue };
        for target in *below {
            if allowed.insert(*target) {
                open.push((*target).to_owned());
            }
        }
    }
    allowed
}

/// Holds the manifests against [`LAYERS`].
pub(super) fn check(metadata: &Value, report: &mut Report) -> Result<()> {
    let graph = Graph::of(metadata)?;
    for (id, name) in &graph.names {
        let Some(layer) = name.strip_prefix("posta-") else { continue };
        let place = format!("crates/{layer}/Cargo.toml");
        let Some((_, kind, _)) = LAYERS.iter().find(|(known, _, _)| *known == layer) else {
            report.error(place, "this crate has no place in LAYERS (xtask/src/tidy/layers.rs)");
            continue;
        };
        let allowed = allowed_for(layer);
        for target in graph.arrows.get(id).into_iter().flatten() {
            let target = graph.names[target].as_str();
            if let Some(below) = target.strip_prefix("posta-")
                && !allowed.contains(below)
            {
                report.error(&place, format!("{layer} must not depend on {below}: arrows only go down"));
            }
        }
        if *kind == Kind::Pure {
            for target in graph.reachable(id) {
                let target = graph.names[target].as_str();
                if WORLDLY_PACKAGES.contains(&target) {
                    report.error(&place, format!("{layer} is pure but reaches {target}"));
                }
            }
        }
    }
    Ok(())
}

/// Looks for the world in pure crates' sources.
pub(super) fn check_pure_sources(workspace: &Workspace, report: &mut Report) {
    for file in workspace.files().iter().filter(|file| file.is_rust()) {
        let Some(name) = file.crate_of_source() else { continue };
        if !LAYERS.iter().any(|(layer, kind, _)| *layer == name && *kind == Kind::Pure) {
            continue;
        }
        for (number, line) in sources::lines_before_tests(file) {
            let code = line.split("//").next().unwrap_or_default();
            for word in WORLDLY_WORDS.iter().filter(|word| code.contains(*word)) {
                report.error(
                    format!("{}:{number}", file.path),
                    format!("{name} is pure but says {word}; let it be handed in"),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(packages: &[(&str, &[&str])]) -> Value {
        let dependency =
            |name: &str| serde_json::json!({"pkg": name, "dep_kinds": [{"kind": null, "target": null}]});
        serde_json::json!({
            "packages": packages.iter().map(|(name, _)| serde_json::json!({"id": name, "name": name})).collect::<Vec<_>>(),
            "resolve": {"nodes": packages.iter().map(|(name, below)| serde_json::json!({
                "id": name,
                "deps": below.iter().map(|name| dependency(name)).collect::<Vec<_>>(),
            })).collect::<Vec<_>>()},
        })
    }

    fn errors(packages: &[(&str, &[&str])]) -> Vec<String> {
        let mut report = Report::default();
        check(&metadata(packages), &mut report).expect("well-formed");
        report.errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn arrows_up_are_found() {
        assert!(errors(&[("posta-smtp", &["posta-wire"]), ("posta-wire", &[])]).is_empty());
        assert_eq!(
            errors(&[("posta-store", &["posta-queue"]), ("posta-queue", &[])]),
            ["crates/store/Cargo.toml: store must not depend on queue: arrows only go down"]
        );
    }

    #[test]
    fn pure_crates_must_not_reach_the_world_even_by_another() {
        assert_eq!(
            errors(&[("posta-message", &["html"]), ("html", &["tokio"]), ("tokio", &[])]),
            ["crates/message/Cargo.toml: message is pure but reaches tokio"]
        );
    }

    #[test]
    fn every_layer_only_names_layers_above_it_in_the_list() {
        for (place, (name, _, below)) in LAYERS.iter().enumerate() {
            for target in *below {
                let found = LAYERS.iter().position(|(layer, _, _)| layer == target);
                assert!(found.is_some_and(|found| found < place), "{name} -> {target}");
            }
        }
    }
}
