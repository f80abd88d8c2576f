//! `posta mail watch`: whoever watches is logged in, and sees messages as they come.

mod support;

use std::{
    fs::File,
    path::Path,
    process::{Child, Stdio},
};
use support::{Line, Process, fail, folder, posta, run, send, succeed, wait_for};

const ALICE: &str = "alice@test.example";

/// A server that takes SEND from everybody, with Alice; gives the SMTP and POP3 endpoints.
fn serve(folder: &Path) -> (Process, String, String) {
    let names = ["--hostname", "mx.test.example", "--domain", "test.example", "--data-dir", "posta-data"];
    let places = ["--smtp", "127.0.0.1:0", "--pop3", "127.0.0.1:0"];
    succeed(folder, &[&["setup", "--yes"], names.as_slice(), &places].concat(), "");
    let path = folder.join("posta.toml");
    let text = std::fs::read_to_string(&path).expect("setup wrote it");
    let text = text.replace("\n[smtp]\n", "\n[smtp]\nsend = \"open\"\n");
    // Longer than anybody waits here: nothing that only watches may hold a stop up.
    let text = text.replace("\n[limits]\n", "\n[limits]\nshutdown_grace = \"10m\"\n");
    assert!(text.contains("\nshutdown_grace = \"10m\""), "{text}");
    std::fs::write(&path, text).expect("writes");
    succeed(folder, &["account", "add", ALICE, "--password-stdin"], "a word\n");
    let log = File::create(folder.join("log")).expect("a log");
    let child = posta().current_dir(folder).arg("serve").stderr(Stdio::from(log)).spawn().expect("runs");
    let process = Process { child };
    let status = wait_for("the server", || {
        let output = run(folder, &["status", "--json"], "");
        output.status.success().then(|| serde_json::from_slice(&output.stdout).expect("JSON"))
    });
    let status: serde_json::Value = status;
    let endpoint = |protocol: &str| {
        let listeners = status["listeners"].as_array().expect("listeners");
        let found = listeners.iter().find(|listener| listener[0] == protocol).expect("a listener");
        found[1].as_str().expect("an address").to_owned()
    };
    (process, endpoint("smtp"), endpoint("pop3"))
}

/// Somebody who watches: what is shown goes into the file `seen`.
struct Watcher<'a> {
    folder: &'a Path,
    child: Child,
}

impl<'a> Watcher<'a> {
    fn start(folder: &'a Path, arguments: &[&str]) -> Self {
        let file = |name: &str| Stdio::from(File::create(folder.join(name)).expect("a file"));
        std::fs::write(folder.join("password"), "a word\n").expect("writes");
        let child = posta()
            .current_dir(folder)
            .env("TZ", "UTC")
            .args(["mail", "watch"])
            .args(arguments)
            .stdout(file("seen"))
            .stderr(file("said"))
            .spawn()
            .expect("runs");
        let mut watcher = Watcher { folder, child };
        wait_for("the watcher", || {
            let said = std::fs::read_to_string(folder.join("said")).expect("UTF-8");
            assert!(watcher.child.try_wait().expect("can be waited for").is_none(), "it ended: {said}");
            said.contains("Watching").then_some(())
        });
        watcher
    }

    fn seen(&self) -> String {
        std::fs::read_to_string(self.folder.join("seen")).expect("UTF-8")
    }

    #[track_caller]
    fn ends(mut self) -> String {
        let status = wait_for("the watcher to end", || self.child.try_wait().expect("can be waited for"));
        assert!(status.success(), "{status}");
        self.seen()
    }
}

impl Drop for Watcher<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Says SEND (or SOML, SAML) by hand; gives the reply to RCPT, or to the final dot.
fn begin(smtp: &str, verb: &str, text: &str) -> String {
    let mut line = Line::connect(smtp);
    assert!(line.hear().starts_with("220 "));
    line.smtp("EHLO test.example", "250 ");
    line.smtp(&format!("{verb} FROM:<bob@far.example>"), "250 ");
    let reply = line.smtp(&format!("RCPT TO:<{ALICE}>"), "");
    if !reply.starts_with("250 ") {
        return reply;
    }
    line.smtp("DATA", "354 ");
    line.smtp(&format!("{text}\r\n."), "")
}

#[test]
fn whoever_watches_sees_what_is_sent_at_once() {
    let (_guard, folder) = folder();
    let (process, smtp, _) = serve(&folder);
    assert!(begin(&smtp, "SEND", "nobody there").starts_with("450 4.2.0 "));
    assert!(
        fail(&folder, &["mail", "watch", "--here", "--user", "nobody@test.example"]).contains("no account")
    );

    let watcher = Watcher::start(&folder, &["--here", "--user", ALICE, "-n", "4"]);
    let letter = "From: Bob <bob@far.example>\r\nSubject: Lunch?\r\n\r\nNow.\x1b[2J";
    assert!(begin(&smtp, "SEND", letter).starts_with("250 2.6.0 "));
    // The reply says that it was seen: there is nothing to wait for.
    let seen = watcher.seen();
    assert!(
        seen.contains("  Message from Bob <bob@far.example>\n    Subject: Lunch?\n    Now.␛[2J\n"),
        "{seen}"
    );
    assert!(begin(&smtp, "SOML", "hello").starts_with("250 2.6.0 "));
    assert!(begin(&smtp, "SAML", "hello, and kept").starts_with("250 2.6.0 "));
    send(&smtp, "bob@far.example", ALICE, "Subject: at leisure\n\nmail");
    let seen = watcher.ends();
    for expected in [
        "  Message from <bob@far.example>\n    hello\n",
        "  Message (kept as mail) from <bob@far.example>\n    hello, and kept\n",
        "  Mail from <bob@far.example>\n    Subject: at leisure\n    mail\n",
    ] {
        assert!(seen.contains(expected), "{expected} is missing in:\n{seen}");
    }
    assert!(!seen.contains('\x1b'), "{seen:?}");
    wait_for("the watcher to have left", || begin(&smtp, "SEND", "gone").starts_with("450 ").then_some(()));

    let told = wait_for("the journal", || {
        let told = succeed(&folder, &["explain", ALICE], "");
        told.contains("shown at once").then_some(told)
    });
    assert!(told.contains("who is logged in"), "{told}");
    let audit = succeed(&folder, &["audit"], "");
    assert!(audit.contains("difference 0"), "{audit}");
    process.stop("-TERM");
}

/// Stopped (Ctrl-Z), it shows nothing, and nobody is told that it did.
#[test]
fn a_terminal_that_is_stopped_is_not_there() {
    let (_guard, folder) = folder();
    let (process, smtp, _) = serve(&folder);
    let watcher = Watcher::start(&folder, &["--here", "--user", ALICE, "--json", "-n", "1"]);
    let mut line = Line::connect(&smtp);
    assert!(line.hear().starts_with("220 "));
    line.smtp("EHLO test.example", "250 ");
    line.smtp("SEND FROM:<bob@far.example>", "250 ");
    line.smtp(&format!("RCPT TO:<{ALICE}>"), "250 ");
    line.smtp("DATA", "354 ");
    let signal = |name: &str| {
        let id = watcher.child.id().to_string();
        assert!(std::process::Command::new("kill").args([name, &id]).status().expect("kill").success());
    };
    signal("-STOP");
    line.smtp("hello\r\n.", "450 4.2.0 ");
    signal("-CONT");
    process.stop("-TERM");
}

/// From another machine, by POP3: mail, as it is found.
#[test]
fn a_maildrop_anywhere_can_be_watched() {
    let (_guard, folder) = folder();
    let (process, smtp, pop3) = serve(&folder);
    send(&smtp, "bob@far.example", ALICE, "Subject: from before\n\nold");
    let access = ["--pop3", &pop3, "--user", ALICE, "--password-file", "password"];
    let watcher = Watcher::start(&folder, &[&access[..], &["--every", "1", "--json", "-n", "2"]].concat());
    send(&smtp, "bob@far.example", ALICE, "From: Bob <bob@far.example>\nSubject: first\n\nnew");
    send(&smtp, "bob@far.example", ALICE, "Subject: second\n\nnew");
    let seen = watcher.ends();
    let lines: Vec<serde_json::Value> =
        seen.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 2, "{seen}");
    assert_eq!((&lines[0]["subject"], &lines[0]["from"]), (&"first".into(), &"Bob <bob@far.example>".into()));
    assert_eq!((&lines[1]["subject"], &lines[1]["kind"]), (&"second".into(), &"mail".into()));
    process.stop("-TERM");
}
