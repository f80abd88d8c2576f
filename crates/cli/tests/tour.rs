//! `docs/tour.md` as it stands: its commands run against a demo, and what it says that they show must come.
//!
//! A `console` block has commands after `$ ` and lines that their output must have, in this order, with `…` for
//! anything; `console again` may be run again until it does. A `demo` block has lines that the demo's own
//! terminal must have shown.

#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

mod support;

use std::{
    fs::File,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use support::{PATIENCE, Process, folder, posta, wait_for};

/// The port from which on the page has them, and how many there may be.
const PAGE_BASE: u16 = 2525;
const PORTS: u16 = 40;

/// How long is between two looks at what may not be there yet.
const AGAIN: Duration = Duration::from_millis(100);

#[derive(Debug, PartialEq, Eq)]
struct Block {
    line: usize,
    kind: Kind,
    /// Commands with the lines that each shows; the demo's have none.
    steps: Vec<(String, Vec<String>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Once,
    Again,
    Demo,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let kind = match line {
            "```console" => Kind::Once,
            "```console again" => Kind::Again,
            "```demo" => Kind::Demo,
            _ => continue,
        };
        let mut steps: Vec<(String, Vec<String>)> = Vec::new();
        if kind == Kind::Demo {
            steps.push((String::new(), Vec::new()));
        }
        for (_, line) in lines.by_ref().take_while(|(_, line)| *line != "```") {
            match (line.strip_prefix("$ "), steps.last_mut()) {
                (Some(command), _) => steps.push((command.to_owned(), Vec::new())),
                (None, Some((_, shown))) => shown.push(line.to_owned()),
                (None, None) => panic!("line {}: a block begins with a command", index + 1),
            }
        }
        blocks.push(Block { line: index + 1, kind, steps });
    }
    blocks
}

/// The lines in this order, others between them; or the first that is missing.
fn missing<'a>(expected: &'a [String], output: &str) -> Option<&'a str> {
    let mut lines = output.lines();
    expected.iter().find(|pattern| !lines.any(|line| fits(pattern, line))).map(String::as_str)
}

/// `…` stands for anything.
fn fits(pattern: &str, line: &str) -> bool {
    let (pattern, line) = (pattern.trim_end(), line.trim_end());
    let mut parts = pattern.split('…');
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// The page's ports as they are in this run.
fn with_ports(text: &str, base: u16) -> String {
    const HOST: &str = "127.0.0.1:";
    let mut parts = text.split(HOST);
    let mut moved = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (digits, rest) = part.split_at(part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len()));
        let offset = digits.parse::<u16>().ok().and_then(|port| port.checked_sub(PAGE_BASE));
        let port = offset.filter(|offset| *offset < PORTS).map(|offset| (base + offset).to_string());
        moved += HOST;
        moved += port.as_deref().unwrap_or(digits);
        moved += rest;
    }
    moved
}

/// A demo whose ports lie one after another.
fn start(folder: &Path) -> (Process, PathBuf, u16) {
    wait_for("free ports in a row", || {
        let base = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).ok()?.local_addr().ok()?.port();
        let base = base.min(u16::MAX - PORTS);
        let said = folder.join(format!("said-{base}"));
        let output = Stdio::from(File::create(&said).expect("a file"));
        let child = posta()
            .current_dir(folder)
            .args(["demo", "--dir", "demo", "--port-base", &base.to_string()])
            .stdout(output)
            .stderr(Stdio::null())
            .spawn()
            .expect("runs");
        let mut process = Process { child };
        wait_for("the demo", || {
            if process.child.try_wait().expect("can be waited for").is_some() {
                return Some(false);
            }
            let text = std::fs::read_to_string(&said).expect("UTF-8");
            text.contains("Try, in another terminal").then_some(true)
        })
        .then_some((process, said, base))
    })
}

struct Tour {
    folder: PathBuf,
    said: PathBuf,
    path: std::ffi::OsString,
}

impl Tour {
    fn run(&self, command: &str) -> String {
        let output = Command::new("sh")
            .args(["-c", command])
            .current_dir(&self.folder)
            .env("PATH", &self.path)
            .env("NO_COLOR", "1")
            .env("TZ", "UTC")
            .env_remove("POSTA_CONFIG")
            .stdin(Stdio::null())
            .output()
            .expect("sh runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text + &String::from_utf8_lossy(&output.stderr)
    }

    /// Shows what a step says that it shows, or tells what is missing.
    fn take(&self, kind: Kind, command: &str, expected: &[String]) -> Result<(), String> {
        let start = Instant::now();
        loop {
            let output = match kind {
                Kind::Demo => std::fs::read_to_string(&self.said).expect("UTF-8"),
                Kind::Once | Kind::Again => self.run(command),
            };
            let Some(line) = missing(expected, &output) else { return Ok(()) };
            if kind == Kind::Once || start.elapsed() > PATIENCE {
                return Err(format!("{command}\n`{line}` is missing in:\n{output}"));
            }
            std::thread::sleep(AGAIN);
        }
    }
}

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/tour.md");
    std::fs::read_to_string(path).expect("docs/tour.md")
}

#[test]
fn the_tour_shows_what_it_says() {
    if Command::new("curl").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "curl is not installed");
        println!("skipped: curl is not installed");
        return;
    }
    let (_guard, folder) = folder();
    let (process, said, base) = start(&folder);
    let own = Path::new(env!("CARGO_BIN_EXE_posta")).parent().expect("a folder").to_owned();
    let system = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([own].into_iter().chain(std::env::split_paths(&system))).expect("a path");
    let tour = Tour { folder, said, path };
    let mut failures = Vec::new();
    for block in blocks(&with_ports(&page(), base)) {
        for (command, expected) in &block.steps {
            if let Err(failure) = tour.take(block.kind, command, expected) {
                failures.push(format!("docs/tour.md:{}: {failure}", block.line));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    process.stop("-INT");
}

#[test]
fn each_slide_has_its_place() {
    let page = page();
    for slide in 1..=30 {
        let heading = format!("## Slide {slide}: ");
        let at = page.find(&heading).unwrap_or_else(|| panic!("{heading} is missing"));
        let section = page[at + 3..].split("\n## ").next().expect("a section");
        assert!(!blocks(section).is_empty(), "{heading} shows nothing");
    }
}

#[test]
fn patterns_and_ports() {
    for (pattern, line, expected) in [
        ("250 Ok", "250 Ok", true),
        ("250 Ok", "250 Okay", false),
        ("250 … as …", "250 accepted as 7", true),
        ("… by …", "by", false),
        ("a…b…a", "aba", true),
        ("a…a", "a", false),
        ("…x", "x ", true),
    ] {
        assert_eq!(fits(pattern, line), expected, "{pattern}: {line}");
    }
    assert_eq!(
        with_ports("127.0.0.1:2525, 127.0.0.1:2530 127.0.0.1", 2530),
        "127.0.0.1:2530, 127.0.0.1:2535 127.0.0.1"
    );
    assert_eq!(missing(&["a".into(), "b".into()], "b\na\nc\n"), Some("b"));
}
