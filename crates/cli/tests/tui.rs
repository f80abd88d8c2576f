//! `posta tui` on a terminal, against the demo's hosts: a letter is read and answered.
//!
//! The terminal is tmux's. Where that isn't installed the test says so and passes; with `CI=true` it fails.

#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

mod support;

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use support::{Process, folder, messages, posta, wait_for};

const BOB: &str = "bob@south.example";

/// A terminal with a server of its own, so that nobody else's is touched.
struct Tmux {
    socket: PathBuf,
}

impl Tmux {
    /// A terminal of 80 by 24 cells in which this runs.
    fn start(folder: &Path, line: &str) -> Tmux {
        let tmux = Tmux { socket: folder.join("tmux") };
        tmux.run(&["-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", line]);
        tmux
    }

    fn run(&self, arguments: &[&str]) -> String {
        let output = Command::new("tmux").arg("-S").arg(&self.socket).args(arguments).output().expect("runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn keys(&self, keys: &[&str]) {
        self.run(&[&["send-keys"], keys].concat());
    }

    fn seen(&self) -> String {
        self.run(&["capture-pane", "-p"])
    }

    /// Waits until that is to be seen.
    #[track_caller]
    fn expect(&self, text: &str) -> String {
        wait_for(&format!("`{text}`, seeing:\n{}", self.seen()), || {
            let seen = self.seen();
            seen.contains(text).then_some(seen)
        })
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        self.run(&["kill-server"]);
    }
}

fn is_there() -> bool {
    let found =
        Command::new("tmux").arg("-V").stdout(Stdio::null()).status().is_ok_and(|status| status.success());
    if !found {
        eprintln!("skipped: tmux is not installed");
        assert!(
            std::env::var_os("CI").is_none_or(|ci| ci != "true"),
            "tmux is not installed, and this is CI"
        );
    }
    found
}

/// The demo's hosts; gives the endpoints of one: submission and POP3.
fn demo() -> (Process, serde_json::Value) {
    let mut child =
        posta().args(["demo", "--json"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("runs");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
    (Process { child }, serde_json::from_str(&line).expect("JSON"))
}

/// An editor that writes a line where people do, above what is quoted.
fn editor(folder: &Path) -> String {
    let path = folder.join("editor");
    let script = "#!/bin/sh\nsed -i '0,/^$/s//\\nGern, bis Freitag!/' \"$1\"\n";
    fs::write(&path, script).expect("writes");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("an executable");
    path.display().to_string()
}

#[test]
fn a_letter_is_read_and_answered() {
    if !is_there() {
        return;
    }
    let (_guard, folder) = folder();
    let (_process, told) = demo();
    let endpoint = |host: usize, name: &str| told["hosts"][host][name].as_str().expect("a text").to_owned();
    let (submission, pop3) = (endpoint(1, "submission"), endpoint(1, "pop3"));
    let home = folder.display().to_string();
    let setup = posta()
        .args(["mail", "setup", "--name", "bob", "--from", "Bob <bob@south.example>", "--no-discovery"])
        .args(["--smtp", &submission, "--pop3", &pop3, "--user", BOB, "--password-command", "echo south-bob"])
        .env("HOME", &home)
        .env_remove("XDG_CONFIG_HOME")
        .output()
        .expect("runs");
    assert!(setup.status.success(), "{setup:?}");

    let program = env!("CARGO_BIN_EXE_posta");
    let editor = editor(&folder);
    let line = format!(
        "env -u XDG_CONFIG_HOME -u XDG_DATA_HOME -u VISUAL HOME='{home}' EDITOR='{editor}' LC_ALL=C.UTF-8 \
         '{program}' tui; echo \"it ended with $?\"; sleep 600"
    );
    let tmux = Tmux::start(&folder, &line);
    // The mail is fetched when it starts, and shown when it is there.
    tmux.expect("Alice Ångström");
    tmux.keys(&["Enter"]);
    tmux.expect("Dear Bob,");
    tmux.keys(&["r"]);
    let composing = tmux.expect("y send");
    assert!(composing.contains("Gern, bis Freitag!"), "{composing}");
    assert!(composing.contains("Re: Grüße from the north"), "{composing}");
    tmux.keys(&["y"]);
    tmux.expect("u takes it back");
    // It has left when its time for second thoughts is over, and passes through both hosts.
    let answer = wait_for("the answer", || {
        let texts = messages(&endpoint(0, "pop3"), "alice@north.example", "north-alice");
        texts.into_iter().find(|text| text.contains("Gern, bis Freitag!"))
    });
    assert!(answer.contains("From: Bob <bob@south.example>"), "{answer}");
    assert!(answer.contains("In-Reply-To: <"), "{answer}");

    // Another size is drawn anew, and the end leaves the terminal as it was.
    tmux.run(&["resize-window", "-x", "130", "-y", "20"]);
    tmux.expect("Archive");
    tmux.keys(&["q"]);
    tmux.keys(&["q"]);
    let seen = tmux.expect("it ended with 0");
    assert!(!seen.contains("Archive"), "the screen before is back: {seen}");
}
