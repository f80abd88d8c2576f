//! A desk with much mail beside notmuch on the same mail: index, list, search.
#![allow(clippy::print_stdout)]

use super::program;
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Messages, where nothing else is asked for.
const MESSAGES: usize = 100_000;
/// Times that notmuch is asked; the fastest counts, as on our side.
const ROUNDS: usize = 7;

/// What the bench program of posta-ua asks, as notmuch's expressions.
const QUESTIONS: &[(&str, &str)] = &[
    ("list", "*"),
    ("rare word", "w19999x"),
    ("common word", "w3x"),
    ("two words", "w40x w77x"),
    ("phrase", "\"w2x w3x\""),
    ("beginning", "w199*"),
    ("from", "from:person42"),
    ("subject", "subject:w100x"),
    ("from and word", "from:person7 w12x"),
    ("unread and word", "tag:unread w50x"),
];

pub(super) fn measure(messages: Option<usize>, dir: &Path) -> Result<()> {
    let program = program::build("posta-ua", "desk")?;
    let folder = tempfile::Builder::new().prefix("posta-ua-").tempdir_in(dir)?;
    let ran = Command::new(&program)
        .arg(folder.path())
        .arg(messages.unwrap_or(MESSAGES).to_string())
        .stderr(Stdio::inherit())
        .output()?;
    if !ran.status.success() {
        bail!("the bench program failed: {}", ran.status);
    }
    let theirs = notmuch(folder.path())?;
    println!("| what | posta, ms | notmuch, ms | conversations found |");
    println!("|---|---|---|---|");
    for line in String::from_utf8_lossy(&ran.stdout).lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [name, milliseconds, found] = fields.as_slice() else { bail!("no such line was meant: {line}") };
        let their = theirs.iter().find(|(known, _)| known == name);
        let their =
            their.map_or_else(|| "–".to_owned(), |(_, time)| format!("{:.2}", time.as_secs_f64() * 1000.0));
        println!("| {name} | {milliseconds} | {their} | {found} |");
    }
    println!(
        "\nnotmuch's times are without the start of its process; of a search the first 50 conversations are asked for."
    );
    Ok(())
}

/// The same mail and questions; nothing where notmuch isn't installed.
fn notmuch(folder: &Path) -> Result<Vec<(&'static str, Duration)>> {
    if Command::new("notmuch").arg("--version").output().is_err() {
        println!("notmuch: skipped, it isn't installed");
        return Ok(Vec::new());
    }
    let settings = folder.join("notmuch.conf");
    let mail = folder.join("mail");
    let text = format!(
        "[database]\npath={}\n[user]\nname=Ada\nprimary_email=ada@north.example\n[new]\ntags=inbox\n[maildir]\nsynchronize_flags=true\n",
        mail.display()
    );
    std::fs::write(&settings, text)?;
    let run = |arguments: &[&str]| -> Result<Duration> {
        let start = Instant::now();
        let ran = Command::new("notmuch").env("NOTMUCH_CONFIG", &settings).args(arguments).output()?;
        if !ran.status.success() {
            bail!("notmuch {arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
        }
        Ok(start.elapsed())
    };
    let fastest = |arguments: &[&str]| -> Result<Duration> {
        let times = (0..ROUNDS).map(|_| run(arguments)).collect::<Result<Vec<_>>>()?;
        times.into_iter().min().context("it was asked")
    };
    let mut times = vec![("index", run(&["new", "--quiet"])?)];
    let start = fastest(&["--version"])?;
    for (name, question) in QUESTIONS {
        let time = fastest(&["search", "--limit=50", "--format=json", "--", question])?;
        times.push((name, time.saturating_sub(start)));
    }
    Ok(times)
}
