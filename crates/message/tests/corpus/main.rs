//! Messages of other projects, read against what other programs make of them.
//!
//! Where we read something else on purpose, `differences.txt` says which case and why.

#![allow(clippy::print_stderr)]

mod addresses;
mod differences;
mod fields;
mod oracle;
mod references;
mod reports;

use std::path::PathBuf;

/// The shared test material, if it is here.
fn corpus() -> Option<PathBuf> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpus"));
    if !path.is_dir() {
        eprintln!("skipped: no corpus at {}", path.display());
        return None;
    }
    Some(path)
}

fn json(path: PathBuf) -> Option<serde_json::Value> {
    let text = without_lone_surrogates(&std::fs::read_to_string(&path).ok()?);
    Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// CPython writes octets that it could not decode as lone surrogates, which JSON does not have.
fn without_lone_surrogates(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\\ud") {
        clean.push_str(&rest[..at]);
        let escape = &rest[at..at + 6];
        let is_high = matches!(escape.as_bytes()[3].to_ascii_lowercase(), b'8'..=b'b');
        let is_surrogate = is_high || matches!(escape.as_bytes()[3].to_ascii_lowercase(), b'c'..=b'f');
        let is_pair =
            is_high && matches!(rest.get(at + 6..at + 10), Some("\\udc" | "\\udd" | "\\ude" | "\\udf"));
        let length = if is_pair { 12 } else { 6 };
        clean.push_str(if is_surrogate && !is_pair { "\\ufffd" } else { &rest[at..at + length] });
        rest = &rest[at + length..];
    }
    clean.push_str(rest);
    clean
}
