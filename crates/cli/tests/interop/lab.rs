//! A host to test, the strangers' programs, and letters.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;
use xtask::peers::{self, Posta, PostaSetup};

pub(crate) const PASSWORD: &str = "correct horse";
pub(crate) const BOB: &str = "bob@south.example";

/// Posta with its folder.
pub(crate) struct Host {
    // Before the folder: it must have ended when that goes away.
    pub(crate) posta: Posta,
    pub(crate) folder: TempDir,
}

/// The binary under test.
pub(crate) fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_posta"))
}

pub(crate) fn setup(hostname: &str, domain: &str, accounts: &[&str]) -> PostaSetup {
    let mut setup = PostaSetup::new(binary(), hostname, domain);
    setup.accounts = accounts.iter().map(|address| ((*address).to_owned(), PASSWORD.to_owned())).collect();
    setup
}

impl Host {
    pub(crate) fn start(setup: PostaSetup) -> Self {
        let folder = folder();
        let posta = Posta::start(folder.path(), setup).expect("posta starts");
        Self { posta, folder }
    }

    /// mx.south.example with bob, APOP included; it tells everybody who is there.
    pub(crate) fn south() -> Self {
        let mut setup = setup("mx.south.example", "south.example", &[BOB]);
        setup.apop = true;
        setup.tables = "[smtp]\nvrfy = \"open\"\nexpn = \"open\"\n".to_owned();
        Self::start(setup)
    }

    /// A file in the host's folder.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).expect("the folder is writable");
        path
    }
}

/// A new folder that strangers' processes can pass through.
pub(crate) fn folder() -> TempDir {
    peers::folder(&std::env::temp_dir()).expect("a temporary folder")
}

/// The program, or `None` with a word; in CI it must be there.
pub(crate) fn stranger(name: &str) -> Option<PathBuf> {
    let found = peers::program(name);
    if found.is_none() {
        skip(&format!("{name} is not installed"));
    }
    found
}

/// Says why a test doesn't take place; in CI that is a failure.
pub(crate) fn skip(reason: &str) {
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{reason}, and this is CI");
    println!("skipped: {reason}");
}

/// Runs a command that must succeed; gives its standard output.
pub(crate) fn run(command: &mut Command) -> Vec<u8> {
    let output = outcome(command);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// Runs a command, whatever comes of it.
pub(crate) fn outcome(command: &mut Command) -> Output {
    command.stdin(std::process::Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// A configuration file that holds a password: mpop, msmtp and fetchmail want it closed to others.
pub(crate) fn private_file(host: &Host, name: &str, content: &str) -> PathBuf {
    let path = host.file(name, content);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("ours");
    path
}

/// msmtp with a configuration sends the letter of a file to bob.
pub(crate) fn msmtp_to_bob(msmtp: &Path, config: &Path, letter: &Path) {
    let output = Command::new(msmtp)
        .arg("-C")
        .arg(config)
        .arg(BOB)
        .stdin(std::fs::File::open(letter).expect("just written"))
        .output()
        .expect("msmtp runs");
    assert!(output.status.success(), "{}: {}", config.display(), String::from_utf8_lossy(&output.stderr));
}

/// A letter with what goes wrong easily: dots at the beginning of lines, blank lines at the end,
/// octets above 127, a long line.
pub(crate) fn letter(subject: &str) -> Vec<u8> {
    let mut text = format!(
        "From: Alice <alice@north.example>\r\nTo: Bob <{BOB}>\r\nSubject: {subject}\r\n\
         Date: Mon, 23 Nov 2026 12:00:00 +0000\r\nMessage-ID: <letter@north.example>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
         .one dot\r\n..two dots\r\n.\r\nGrüße aus dem Süden\r\n"
    );
    text.push_str(&"x".repeat(900));
    text.push_str("\r\n\r\n\r\n");
    text.into_bytes()
}

/// The content below `Return-Path:` and this many `Received:` fields, which must be there.
pub(crate) fn below_trace(message: &[u8], received: usize) -> &[u8] {
    let mut rest = message;
    let names = std::iter::once("Return-Path:").chain(std::iter::repeat_n("Received:", received));
    for name in names {
        assert!(
            rest.starts_with(name.as_bytes()),
            "expected {name} before {:?}",
            String::from_utf8_lossy(&rest[..rest.len().min(300)])
        );
        rest = below_field(rest);
    }
    rest
}

/// What follows the first field, its continuation lines included.
fn below_field(text: &[u8]) -> &[u8] {
    let mut rest = text;
    loop {
        let end = rest.windows(2).position(|pair| pair == b"\r\n").map_or(rest.len(), |at| at + 2);
        rest = &rest[end..];
        // Trace fields are folded with tabs, here and by Postfix. A blank belongs to the content: one in
        // the corpus begins with a line of them.
        if rest.first() != Some(&b'\t') {
            return rest;
        }
    }
}
