//! `posta sendmail` as programs call it, against a server in this process.

#[path = "../../ua/tests/support/mod.rs"]
mod support;

use std::{
    io::Write,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::Arc,
};
use support::{Accepted, Post, smtp_server};

/// Somebody without an account, and a server.
struct Scene {
    home: tempfile::TempDir,
    post: Arc<Post>,
    smtp: String,
}

impl Scene {
    async fn new() -> Scene {
        let post = Arc::new(Post::default());
        let smtp = smtp_server(post.clone()).await.to_string();
        Scene { home: tempfile::tempdir().expect("a folder"), post, smtp }
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", self.home.path()).env("TZ", "UTC");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn sendmail(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.command(Path::new(env!("CARGO_BIN_EXE_posta")));
        command.arg("sendmail").args(["--smtp", &self.smtp]).args(arguments);
        talk(command, input)
    }

    /// As it is called under another name.
    fn named(&self, name: &str) -> PathBuf {
        let path = self.home.path().join(name);
        symlink(env!("CARGO_BIN_EXE_posta"), &path).expect("a link");
        path
    }

    fn accepted(&self) -> Vec<Accepted> {
        std::mem::take(&mut *self.post.accepted.lock().expect("whole"))
    }

    fn waiting(&self) -> String {
        let mut command = self.command(Path::new(env!("CARGO_BIN_EXE_posta")));
        command.args(["sendmail", "-bp"]);
        String::from_utf8(talk(command, "").stdout).expect("UTF-8")
    }
}

#[track_caller]
fn talk(mut command: Command, input: &str) -> Output {
    let mut child = command.spawn().expect("the program starts");
    // One that does not read is gone already.
    let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
    child.wait_with_output().expect("it ends")
}

#[track_caller]
fn exits(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
}

fn text(accepted: &Accepted) -> String {
    String::from_utf8(accepted.content.clone()).expect("UTF-8").replace("\r\n", "\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_programs_write_is_sent() {
    let scene = Scene::new().await;
    // PHP: everything is in the header.
    let letter = "To: Bob <bob@south.example>\nBcc: eve@west.example\nSubject: Hi\n\nGrüße\n.\nend\n";
    exits(&scene.sendmail(&["-t", "-i", "-fada@north.example"], letter), 0);
    let accepted = scene.accepted();
    assert_eq!(accepted.len(), 1);
    assert_eq!(accepted[0].reverse_path, "<ada@north.example>");
    assert_eq!(accepted[0].recipients, ["<bob@south.example>", "<eve@west.example>"]);
    let sent = text(&accepted[0]);
    assert!(!sent.contains("eve") && sent.contains("\nFrom: ada@north.example\nDate: "), "{sent}");
    assert!(sent.ends_with("\n\nGrüße\n.\nend\n"), "{sent}");

    // cron: one recipient as an argument, a single dot ends it without -i.
    exits(&scene.sendmail(&["-FCron", "-f", "<>", "bob@south.example"], "Subject: x\n\none\n.\ntwo\n"), 0);
    let accepted = scene.accepted();
    assert_eq!((accepted[0].reverse_path.as_str(), accepted[0].recipients.len()), ("<>", 1));
    assert!(text(&accepted[0]).ends_with("\n\none\n"), "{}", text(&accepted[0]));
    assert!(scene.waiting().contains("Mail queue is empty"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_said_with_its_code() {
    let scene = Scene::new().await;
    for (arguments, input, code, words) in [
        (&["nobody@south.example"][..], "Subject: x\n\n", 67, "550"),
        (&["-f", "spammer@west.example", "bob@south.example"], "Subject: x\n\n", 69, "not from you"),
        (&["-t"], "Subject: to nobody\n\n", 65, "names no recipient"),
        (&["not an address@"], "", 65, "is no address"),
        (&[], "", 64, "to whom?"),
        (&["-Z"], "", 64, "no option -Z"),
        (&["--account", "none", "bob@south.example"], "", 78, "no account"),
        (&["-C", "/nowhere/posta.toml", "bob@south.example"], "", 78, "/nowhere/posta.toml"),
    ] {
        let output = scene.sendmail(arguments, input);
        exits(&output, code);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.starts_with("sendmail: ") && said.contains(words), "{arguments:?}: {said}");
    }
    assert!(scene.accepted().is_empty() && scene.waiting().contains("Mail queue is empty"));
    // Some get it, some don't: the code tells, the words say who.
    let some = scene.sendmail(&["bob@south.example", "nobody@south.example"], "Subject: x\n\n");
    exits(&some, 67);
    assert!(String::from_utf8_lossy(&some.stderr).contains("sent to the others"), "{some:?}");
    assert_eq!(scene.accepted()[0].recipients, ["<bob@south.example>"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_waits_while_the_server_is_away() {
    let mut scene = Scene::new().await;
    let there = std::mem::replace(&mut scene.smtp, "127.0.0.1:1".to_owned());
    exits(
        &scene.sendmail(
            &["-i", "-N", "never", "-f", "ada@north.example", "bob@south.example"],
            "Subject: 1\n\none\n.\n",
        ),
        0,
    );
    exits(&scene.sendmail(&["carol@south.example"], "Subject: 2\n\n"), 0);
    let queue = scene.home.path().join(".local/state/posta/outgoing");
    let waiting = scene.waiting();
    assert!(waiting.contains("bob@south.example") && waiting.contains("carol@south.example"), "{waiting}");
    assert!(waiting.contains("cannot connect to 127.0.0.1:1"), "{waiting}");
    // The server comes back where it was; here it comes back elsewhere.
    for entry in std::fs::read_dir(&queue).expect("the queue") {
        let path = entry.expect("an entry").path();
        let whole = std::fs::read_to_string(&path).expect("readable").replacen(
            "127.0.0.1:1\"",
            &format!("{there}\""),
            1,
        );
        std::fs::write(path, whole).expect("writable");
    }
    exits(&scene.sendmail(&["-q"], ""), 0);
    let accepted = scene.accepted();
    assert_eq!(accepted.len(), 2);
    assert_eq!(accepted[0].recipients, ["<bob@south.example>"]);
    assert!(text(&accepted[0]).ends_with("\n\none\n.\n"), "as it was written: {}", text(&accepted[0]));
    assert!(scene.waiting().contains("Mail queue is empty"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_call_takes_along_what_waits() {
    let scene = Scene::new().await;
    exits(&scene.sendmail(&["-odq", "bob@south.example"], "Subject: first\n\n"), 0);
    exits(&scene.sendmail(&["-odq", "nobody@south.example"], "Subject: vain\n\n"), 0);
    assert!(scene.accepted().is_empty());
    exits(&scene.sendmail(&["bob@south.example"], "Subject: second\n\n"), 0);
    let subjects: Vec<_> =
        scene.accepted().iter().map(|sent| text(sent).lines().next().expect("a line").to_owned()).collect();
    assert_eq!(subjects, ["Subject: second", "Subject: first"]);
    // What the server will not have stays, until its sender says what becomes of it.
    let waiting = scene.waiting();
    assert!(waiting.contains("  refused  ") && waiting.contains("nobody@south.example"), "{waiting}");
    let again = scene.sendmail(&["-q", "--retry-refused"], "");
    exits(&again, 69);
    exits(&scene.sendmail(&["-q"], ""), 0);
    let id = waiting.split(' ').next().expect("an id");
    exits(&scene.sendmail(&["--discard", id], ""), 0);
    exits(&scene.sendmail(&["--discard", id], ""), 65);
    assert!(scene.waiting().contains("Mail queue is empty"));
}

#[tokio::test(flavor = "multi_thread")]
async fn smtp_on_standard_input() {
    let scene = Scene::new().await;
    let session = "EHLO here\r\nMAIL FROM:<ada@north.example>\r\nRCPT TO:<bob@south.example>\r\nDATA\r\n\
        Subject: spoken\r\n\r\n..dot\r\n.\r\n\
        MAIL FROM:<ada@north.example>\r\nRCPT TO:<nobody@south.example>\r\nDATA\r\nSubject: vain\r\n\r\n.\r\nQUIT\r\n";
    let output = scene.sendmail(&["-bs"], session);
    exits(&output, 0);
    let said = String::from_utf8_lossy(&output.stdout);
    let codes: Vec<_> =
        said.lines().filter(|line| line.as_bytes().get(3) == Some(&b' ')).map(|line| &line[..3]).collect();
    assert_eq!(
        codes,
        ["220", "250", "250", "250", "354", "250", "250", "250", "354", "554", "221"],
        "{said}"
    );
    let accepted = scene.accepted();
    assert_eq!(accepted.len(), 1);
    let sent = text(&accepted[0]);
    assert!(sent.contains("Message-ID: <") && sent.ends_with("\n\n.dot\n"), "{sent}");
}

#[tokio::test(flavor = "multi_thread")]
async fn by_other_names() {
    let scene = Scene::new().await;
    let mut command = scene.command(&scene.named("sendmail"));
    command.args([
        "--smtp",
        &scene.smtp,
        "-oem",
        "-oi",
        "-f",
        "ada@north.example",
        "--",
        "bob@south.example",
    ]);
    exits(&talk(command, "Subject: by name\n\nx\n"), 0);
    assert_eq!(scene.accepted().len(), 1);
    let mailq = talk(scene.command(&scene.named("mailq")), "");
    assert_eq!(String::from_utf8_lossy(&mailq.stdout), "Mail queue is empty\n");
    exits(&talk(scene.command(&scene.named("newaliases")), ""), 0);
}
