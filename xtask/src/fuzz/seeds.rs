//! What a target begins with: the dialogues of `tests/dialogs`, and messages of the shared corpus where
//! that is present.

use anyhow::{Context, Result};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Longer messages slow every run down and show little more.
const MESSAGE_OCTETS_MAX: u64 = 16 * 1024;
const MESSAGES_MAX: usize = 600;
const FIELD_OCTETS_MAX: usize = 300;
const FIELDS_MAX: usize = 1500;
/// What the targets of sessions take off the end: choices, and two sizes of pieces.
const CHOICES: [u8; 3] = [0, 6, 40];

/// Writes the seeds of a target, a file each, unless they are there.
pub(super) fn write(root: &Path, target: &str, folder: &Path) -> Result<()> {
    if fs::read_dir(folder)?.next().is_some() {
        return Ok(());
    }
    let seeds = match target {
        "address" => paths(root)?,
        "message" => messages(root),
        "fields" => fields(root),
        "dot" => with_choices(dialogues(root, "smtp", "C:")?.into_iter().chain(messages(root))),
        "smtp_server" => with_choices(dialogues(root, "smtp", "C:")?),
        "smtp_client" => with_choices(dialogues(root, "smtp", "S:")?),
        "pop3_server" => with_choices(dialogues(root, "pop3", "C:")?),
        "pop3_client" => with_choices(dialogues(root, "pop3", "S:")?),
        // These take choices, or anything.
        _ => Vec::new(),
    };
    for (number, seed) in seeds.iter().enumerate() {
        fs::write(folder.join(format!("{number:04}")), seed)?;
    }
    Ok(())
}

fn with_choices(seeds: impl IntoIterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    seeds.into_iter().map(|seed| [&seed[..], &CHOICES].concat()).collect()
}

/// All files below a folder, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// What one side says in each dialogue.
fn dialogues(root: &Path, kind: &str, side: &str) -> Result<Vec<Vec<u8>>> {
    let mut seeds = Vec::new();
    for path in files(&root.join("tests/dialogs")) {
        if path.extension().is_some_and(|extension| extension == kind) {
            let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            let lines = text.lines().filter_map(|line| line.strip_prefix(side));
            let said: String =
                lines.map(|line| format!("{}\r\n", line.strip_prefix(' ').unwrap_or(line))).collect();
            seeds.push(said.into_bytes());
        }
    }
    Ok(seeds)
}

/// What stands in angle brackets in the dialogues, with them and without.
fn paths(root: &Path) -> Result<Vec<Vec<u8>>> {
    let mut seeds = BTreeSet::new();
    for said in dialogues(root, "smtp", "C:")? {
        for line in String::from_utf8_lossy(&said).lines() {
            if let (Some(start), Some(end)) = (line.find('<'), line.rfind('>'))
                && start < end
            {
                seeds.insert(line.as_bytes()[start..=end].to_vec());
                seeds.insert(line.as_bytes()[start + 1..end].to_vec());
            }
        }
    }
    Ok(seeds.into_iter().collect())
}

/// Messages of the shared corpus, from all of it alike.
fn messages(root: &Path) -> Vec<Vec<u8>> {
    let is_message = |path: &PathBuf| {
        let kind = path.extension().and_then(|kind| kind.to_str()).unwrap_or_default();
        let size = fs::metadata(path).map_or(u64::MAX, |metadata| metadata.len());
        matches!(kind, "eml" | "msg" | "mbox" | "txt") && size <= MESSAGE_OCTETS_MAX
    };
    let paths: Vec<PathBuf> = files(&root.join("../shared/corpus")).into_iter().filter(is_message).collect();
    let step = paths.len().div_ceil(MESSAGES_MAX).max(1);
    paths.iter().step_by(step).filter_map(|path| fs::read(path).ok()).collect()
}

/// Values of the header fields of these messages.
fn fields(root: &Path) -> Vec<Vec<u8>> {
    let mut seeds = BTreeSet::new();
    for message in messages(root) {
        for line in message.split(|octet| *octet == b'\n').take_while(|line| !line.trim_ascii().is_empty()) {
            let value = line.iter().position(|octet| *octet == b':').map_or(line, |colon| &line[colon + 1..]);
            if value.len() <= FIELD_OCTETS_MAX {
                seeds.insert(value.trim_ascii_start().to_vec());
            }
        }
    }
    let step = seeds.len().div_ceil(FIELDS_MAX).max(1);
    seeds.into_iter().step_by(step).collect()
}
