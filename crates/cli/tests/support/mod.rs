//! Runs the binary as a user would, and speaks SMTP and POP3 with it by hand.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

/// How long anything may take before a test fails; generous, since machines differ.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A command of the binary with nothing of the user's environment that matters.
pub(crate) fn posta() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_posta"));
    command.env_remove("POSTA_CONFIG").env_remove("RUST_LOG").env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

/// Runs it in a folder, with something on standard input.
#[track_caller]
pub(crate) fn run(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = posta()
        .current_dir(folder)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    // A command that does not read it may be gone already.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    child.wait_with_output().expect("it ends")
}

/// Runs it, and it must succeed; gives what it printed.
#[track_caller]
pub(crate) fn succeed(folder: &Path, arguments: &[&str], input: &str) -> String {
    let output = run(folder, arguments, input);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "posta {}: {stderr}", arguments.join(" "));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Runs it, and it must fail; gives what it said on standard error.
#[track_caller]
pub(crate) fn fail(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments, "");
    assert!(!output.status.success(), "posta {} should fail", arguments.join(" "));
    String::from_utf8(output.stderr).expect("UTF-8")
}

/// Waits until `ready` gives something.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(start.elapsed() < PATIENCE, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A process that is stopped when the test ends, however it ends.
pub(crate) struct Process {
    pub(crate) child: Child,
}

impl Process {
    pub(crate) fn signal(&self, name: &str) {
        let status =
            Command::new("kill").args([name, &self.child.id().to_string()]).status().expect("kill runs");
        assert!(status.success());
    }

    /// Asks it to stop as `kill` does; it must end well.
    #[track_caller]
    pub(crate) fn stop(mut self, signal: &str) {
        self.signal(signal);
        let status = wait_for("the process to end", || self.child.try_wait().expect("it can be waited for"));
        assert!(status.success(), "{status}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection on which lines are said and heard.
pub(crate) struct Line {
    stream: BufReader<TcpStream>,
}

impl Line {
    #[track_caller]
    pub(crate) fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("connects");
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit of time");
        Line { stream: BufReader::new(stream) }
    }

    #[track_caller]
    pub(crate) fn hear(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("a line comes");
        line.trim_end_matches(['\r', '\n']).to_owned()
    }

    /// Says a line (or several), and hears an SMTP reply that must begin so.
    #[track_caller]
    pub(crate) fn smtp(&mut self, line: &str, expected: &str) -> String {
        self.say(line);
        loop {
            let reply = self.hear();
            if reply.as_bytes().get(3) != Some(&b'-') {
                assert!(reply.starts_with(expected), "{line}: {reply}");
                return reply;
            }
        }
    }

    /// Says a line, and hears a POP3 answer that must be positive.
    #[track_caller]
    pub(crate) fn pop3(&mut self, line: &str) -> String {
        self.say(line);
        let answer = self.hear();
        assert!(answer.starts_with("+OK"), "{line}: {answer}");
        answer
    }

    /// The lines of an answer up to the dot, stuffing undone.
    pub(crate) fn lines(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.hear();
            if line == "." {
                return lines;
            }
            lines.push(line.strip_prefix('.').map_or(line.clone(), str::to_owned));
        }
    }

    pub(crate) fn say(&mut self, line: &str) {
        self.stream.get_mut().write_all(format!("{line}\r\n").as_bytes()).expect("is sent");
    }

    pub(crate) fn rest(mut self) -> String {
        let mut text = String::new();
        let _ = self.stream.read_to_string(&mut text);
        text
    }
}

/// Sends a letter by hand; gives the reply to the final dot.
#[track_caller]
pub(crate) fn send(smtp: &str, from: &str, to: &str, content: &str) -> String {
    let mut line = Line::connect(smtp);
    assert!(line.hear().starts_with("220 "));
    line.smtp("EHLO test.example", "250 ");
    line.smtp(&format!("MAIL FROM:<{from}>"), "250 ");
    line.smtp(&format!("RCPT TO:<{to}>"), "250 ");
    line.smtp("DATA", "354 ");
    let stuffed = format!("\n{content}").replace("\n.", "\n..").replace('\n', "\r\n");
    let reply = line.smtp(&format!("{}\r\n.", &stuffed[2..]), "250 ");
    line.smtp("QUIT", "221 ");
    reply
}

/// Logs in by POP3.
#[track_caller]
pub(crate) fn log_in(pop3: &str, user: &str, password: &str) -> Line {
    let mut line = Line::connect(pop3);
    assert!(line.hear().starts_with("+OK"));
    line.pop3(&format!("USER {user}"));
    line.pop3(&format!("PASS {password}"));
    line
}

/// All messages of a maildrop, as text.
#[track_caller]
pub(crate) fn messages(pop3: &str, user: &str, password: &str) -> Vec<String> {
    let mut line = log_in(pop3, user, password);
    let stat = line.pop3("STAT");
    let count: usize = stat.split(' ').nth(1).and_then(|count| count.parse().ok()).expect("a count");
    let texts = (1..=count)
        .map(|number| {
            line.pop3(&format!("RETR {number}"));
            line.lines().join("\n")
        })
        .collect();
    line.pop3("QUIT");
    texts
}

/// A temporary folder with a path that can be named.
pub(crate) fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_owned();
    (folder, path)
}
