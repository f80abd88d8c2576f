//! Strangers that call `sendmail`: mutt, neomutt, mailx, git send-email.

use crate::lab::{BOB, Host, PASSWORD, run, skip, stranger};
use crate::protocol::fetch_all;
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// `sendmail`, that submits at this host.
fn sendmail(host: &Host) -> PathBuf {
    let binary = env!("CARGO_BIN_EXE_posta");
    let script = format!("#!/bin/sh\nexec '{binary}' sendmail --smtp {} \"$@\"\n", host.posta.smtp);
    let path = host.file("sendmail", script);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).expect("ours");
    path
}

/// The caller, in a home of its own.
fn caller(host: &Host, program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("HOME", host.folder.path()).env("LANG", "C.UTF-8").env("TERM", "dumb");
    command.env("PATH", "/usr/lib/git-core:/usr/bin:/bin").current_dir(host.folder.path());
    command
}

/// Runs it with this on standard input; it must succeed.
fn feed(host: &Host, command: &mut Command, input: &str) {
    let file = File::open(host.file("input", input)).expect("readable");
    let output = command.stdin(Stdio::from(file)).output().expect("it runs");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn bobs_letter(host: &Host) -> String {
    let mut held = fetch_all(host.posta.pop3, BOB, PASSWORD).expect("bob reads his mail");
    assert_eq!(held.len(), 1);
    let letter = String::from_utf8(held.remove(0)).expect("UTF-8").replace("\r\n", "\n");
    assert!(letter.starts_with("Return-Path: <alice@north.example>\n"), "{letter}");
    let header = letter.split_once("\n\n").map_or(letter.as_str(), |(header, _)| header).to_lowercase();
    for field in ["\nFrom: ", "\nDate: ", "\nMessage-ID: ", "\nSubject: "] {
        let count = header.matches(&field.to_lowercase()).count();
        assert_eq!(count, 1, "{field} in {letter}");
    }
    letter
}

fn mutt_sends(name: &str) {
    let Some(mutt) = stranger(name) else { return };
    let host = Host::south();
    let settings = format!(
        "set sendmail=\"{} -oem -oi\"\nset from=\"Alice <alice@north.example>\"\nset use_envelope_from=yes\n\
         set copy=no\nset hostname=north.example\n",
        sendmail(&host).display()
    );
    let settings = host.file("muttrc", settings);
    let mut command = caller(&host, &mutt);
    command.arg("-n").arg("-F").arg(settings).args(["-s", "Grüße", "--", BOB]);
    feed(&host, &mut command, "from the terminal\n.\nand on\n");
    let letter = bobs_letter(&host);
    assert!(letter.contains("\nfrom the terminal\n.\nand on\n"), "{letter}");
}

#[test]
fn mutt_sends_by_sendmail() {
    mutt_sends("mutt");
}

#[test]
fn neomutt_sends_by_sendmail() {
    mutt_sends("neomutt");
}

#[test]
fn mailx_sends_by_sendmail() {
    let Some(mail) = stranger("bsd-mailx") else { return };
    let host = Host::south();
    let settings = host.file("mailrc", format!("set sendmail={}\nset noaskcc\n", sendmail(&host).display()));
    let mut command = caller(&host, &mail);
    command.env("MAILRC", settings).args(["-s", "from cron", "-r", "alice@north.example", BOB]);
    feed(&host, &mut command, "the disk is full\n");
    assert!(bobs_letter(&host).contains("\nthe disk is full\n"));
}

#[test]
fn git_sends_patches_by_sendmail() {
    let script = Path::new("/usr/lib/git-core/git-send-email");
    if !script.exists() {
        return skip("git send-email is not installed");
    }
    let host = Host::south();
    let patch = "From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\n\
        From: Alice <alice@north.example>\nDate: Mon, 23 Nov 2026 12:00:00 +0000\nSubject: [PATCH] Mend it\n\n\
        Was broken.\n---\n a | 2 +-\n\ndiff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-x\n+y\n--\n2.39.5\n";
    let patch = host.file("0001-mend-it.patch", patch);
    let mut command = caller(&host, script);
    for role in ["COMMITTER", "AUTHOR"] {
        command
            .env(format!("GIT_{role}_NAME"), "Alice")
            .env(format!("GIT_{role}_EMAIL"), "alice@north.example");
    }
    command.args([
        "--confirm=never",
        "--suppress-cc=all",
        "--from=alice@north.example",
        "--envelope-sender=alice@north.example",
    ]);
    command
        .arg(format!("--to={BOB}"))
        .arg(format!("--sendmail-cmd={}", sendmail(&host).display()))
        .arg(patch);
    run(&mut command);
    let letter = bobs_letter(&host);
    assert!(letter.contains("\nX-Mailer: git-send-email") && letter.contains("\n+y\n"), "{letter}");
}
