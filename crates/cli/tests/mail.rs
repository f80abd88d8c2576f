//! `posta mail …` as a person runs it, against servers in this process.

#[path = "../../ua/tests/support/mod.rs"]
mod support;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Output, Stdio},
    sync::{Arc, Mutex},
};
use support::{PASSWORD, Post, USER, pop3_server, smtp_server};
use tokio::{io::AsyncWriteExt, process::Command};

const LETTER: &str = "Return-Path: <ada@north.example>\r\n\
    From: =?UTF-8?Q?Ada_L=C3=B6v?= <ada@north.example>\r\n\
    To: bob@south.example\r\n\
    Date: Sat, 17 Nov 2007 20:18:49 -0500\r\n\
    Message-ID: <1@north.example>\r\n\
    Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe_=1B[2J?=\r\n\
    MIME-Version: 1.0\r\n\
    Content-Type: multipart/mixed; boundary=b\r\n\r\n\
    --b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nLieber Bob\x1b]0;owned\x07,\r\n\
    --b\r\nContent-Type: image/png\r\nContent-Disposition: attachment; filename=photo.png\r\n\
    Content-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n--b--\r\n";

/// A user with a folder of configuration, and the servers.
struct Scene {
    home: tempfile::TempDir,
    post: Arc<Post>,
    smtp: String,
    pop3: String,
}

impl Scene {
    async fn new(messages: &[&str], apop: bool) -> Scene {
        let messages = Mutex::new(messages.iter().map(|message| message.as_bytes().to_vec()).collect());
        let post = Arc::new(Post { messages, apop, ..Post::default() });
        let smtp = smtp_server(post.clone()).await.to_string();
        let pop3 = pop3_server(post.clone()).await.to_string();
        Scene { home: tempfile::tempdir().expect("a folder"), post, smtp, pop3 }
    }

    /// With an account that is set up.
    async fn with_account(messages: &[&str]) -> Scene {
        let scene = Scene::new(messages, false).await;
        let done = scene.setup(&[], PASSWORD).await;
        assert_eq!(code(&done), 0, "{done:?}");
        scene
    }

    async fn setup(&self, more: &[&str], password: &str) -> Output {
        let mut arguments = vec!["setup", "--from", "Bob <bob@south.example>", "--smtp", &self.smtp];
        arguments.extend(["--pop3", &self.pop3, "--user", USER, "--name", "home", "--password-stdin"]);
        arguments.extend(more);
        self.mail(&arguments, &format!("{password}\n")).await
    }

    fn path(&self, name: &str) -> String {
        self.home.path().join(name).display().to_string()
    }

    async fn mail(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_posta"))
            .arg("mail")
            .args(arguments)
            .env_clear()
            .env("XDG_CONFIG_HOME", self.home.path().join("config"))
            .env("TZ", "UTC")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut stdin = child.stdin.take().expect("piped");
        // A command that does not read its input has closed it already.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let output = child.wait_with_output().await.expect("the program ends");
        for text in [&output.stdout, &output.stderr] {
            let text = String::from_utf8_lossy(text);
            assert!(!text.contains(PASSWORD), "the password is printed by {arguments:?}: {text}");
            assert!(!text.contains('\x1b'), "an escape reaches the terminal by {arguments:?}: {text}");
        }
        output
    }

    fn kept(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.home.path().join(folder)).expect("the folder");
        let mut names: Vec<_> = entries
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("an exit code")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_set_up_after_a_check() {
    let scene = Scene::new(&[LETTER], false).await;
    let wrong = scene.setup(&[], "wrong").await;
    assert_eq!(code(&wrong), 1);
    assert!(out(&wrong).contains("cannot log in: wrong name or password"), "{wrong:?}");
    assert!(err(&wrong).contains("not kept"), "{wrong:?}");
    assert!(!Path::new(&scene.path("config/posta/accounts.toml")).exists());

    let done = scene.setup(&[], PASSWORD).await;
    assert_eq!(code(&done), 0, "{done:?}");
    assert!(out(&done).contains("(1 message, "), "{done:?}");
    for file in ["accounts.toml", "home.password"] {
        let path = scene.home.path().join("config/posta").join(file);
        let mode = fs::metadata(&path).expect("kept").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let listed = scene.mail(&["list"], "").await;
    assert_eq!(code(&listed), 0, "{listed:?}");
    assert!(out(&listed).contains("Ada Löv"), "{listed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_account() {
    let scene = Scene::new(&[LETTER], true).await;
    let none = scene.mail(&["list"], "").await;
    assert_eq!(code(&none), 1);
    assert!(err(&none).contains("posta mail setup"), "{none:?}");

    let file = scene.path("secret");
    fs::write(&file, format!("{PASSWORD}\n")).expect("written");
    for more in [&["--password-file", file.as_str()][..], &["--password-stdin", "--apop"]] {
        let mut arguments = vec!["list", "--json", "--show-dialogue", "--pop3", &scene.pop3, "--user", USER];
        arguments.extend(more);
        let listed = scene.mail(&arguments, &format!("{PASSWORD}\n")).await;
        assert_eq!(code(&listed), 0, "{listed:?}");
        let rows: serde_json::Value = serde_json::from_slice(&listed.stdout).expect("JSON");
        assert_eq!(rows[0]["number"], 1);
        assert_eq!(rows[0]["unique_id"], "uid-0");
        assert_eq!(rows[0]["size_octets"], LETTER.len());
        assert_eq!(rows[0]["from_address"], "ada@north.example");
        assert_eq!(rows[0]["date"], "2007-11-18T01:18:49Z");
        let dialogue = err(&listed);
        assert!(dialogue.contains("S: +OK pop.south.example POP3 server ready <"), "{dialogue}");
        assert!(dialogue.contains("C: QUIT"), "{dialogue}");
        let masked =
            if more.contains(&"--apop") { "C: APOP bob@south.example ********" } else { "C: PASS ********" };
        assert!(dialogue.contains(masked), "{dialogue}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_are_sent() {
    let scene = Scene::with_account(&[]).await;
    let attachment = scene.path("größe.bin");
    fs::write(&attachment, [0, 1, 2, 255]).expect("written");
    let arguments = ["send", "--to", "Ada Löv <ada@north.example>", "--cc", "carol@west.example", "--bcc"];
    let arguments =
        [&arguments[..], &["hidden@east.example", "-s", "Grüße", "--attach", &attachment]].concat();
    let sent = scene.mail(&arguments, "Liebe Ada,\n.\n").await;
    assert_eq!(code(&sent), 0, "{sent:?}");
    assert_eq!(out(&sent).matches("accepted").count(), 3, "{sent:?}");
    let accepted = scene.post.accepted.lock().expect("whole").pop().expect("a message");
    assert_eq!(accepted.reverse_path, "<bob@south.example>");
    assert_eq!(accepted.recipients.len(), 3);
    let text = String::from_utf8(accepted.content).expect("ASCII");
    for part in ["From: Bob <bob@south.example>\r\n", "Cc: carol@west.example\r\n", "Liebe Ada,", "AAEC/w=="]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("hidden"), "{text}");

    let file = scene.path("text");
    fs::write(&file, "From a file\n").expect("written");
    for more in [&["an argument"][..], &["--file", &file], &["--file", "-"]] {
        let arguments = [&["send", "--to", "ada@north.example"], more].concat();
        let sent = scene.mail(&arguments, "standard input\n").await;
        assert_eq!(code(&sent), 0, "{sent:?}");
    }
    let bodies: Vec<String> = scene
        .post
        .accepted
        .lock()
        .expect("whole")
        .iter()
        .map(|message| {
            String::from_utf8_lossy(&message.content).lines().last().unwrap_or_default().to_owned()
        })
        .collect();
    assert_eq!(bodies, ["an argument", "From a file", "standard input"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_show_in_the_exit_code() {
    let scene = Scene::with_account(&[]).await;
    let partly = scene.mail(&["send", "--to", "nobody@north.example,ada@north.example", "x"], "").await;
    assert_eq!(code(&partly), 3, "{partly:?}");
    assert!(out(&partly).contains("refused  nobody@north.example"), "{partly:?}");
    assert!(out(&partly).contains("550"), "{partly:?}");
    let json =
        scene.mail(&["send", "--json", "--to", "nobody@north.example,ada@north.example", "x"], "").await;
    let told: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(told["recipients"][0]["accepted"], false);
    assert_eq!(told["recipients"][1]["accepted"], true);

    let refused = scene.mail(&["send", "--to", "nobody@north.example", "x"], "").await;
    assert_eq!(code(&refused), 1, "{refused:?}");
    let from = ["send", "--from", "spammer@north.example", "--to", "ada@north.example", "x"];
    assert_eq!(code(&scene.mail(&from, "").await), 1);
    for wrong in [
        &["send", "--to", "not an address", "x"][..],
        &["send", "x"],
        &["send", "-t", "a@b.example", "-s", "a\nb", "x"],
    ] {
        let refused = scene.mail(wrong, "").await;
        assert_eq!(code(&refused), 1, "{refused:?}");
    }
    assert_eq!(code(&scene.mail(&["send", "--no-such-flag"], "").await), 2);
    assert_eq!(scene.post.accepted.lock().expect("whole").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_read_without_harm() {
    let scene = Scene::with_account(&[LETTER]).await;
    let read = scene.mail(&["read", "1"], "").await;
    assert_eq!(code(&read), 0, "{read:?}");
    let text = out(&read);
    for part in [
        "From:     Ada Löv <ada@north.example>",
        "Grüße ␛[2J",
        "Lieber Bob␛]0;owned␇,",
        "photo.png (image/png, 8 B)",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(out(&scene.mail(&["read", "uid-0000"], "").await), "", "an unknown unique-id");
    let json = scene.mail(&["read", "1", "--json"], "").await;
    let view: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(view["attachments"][0]["octets"], 8);
    let missing = scene.mail(&["read", "2"], "").await;
    assert_eq!(code(&missing), 1);
    assert!(err(&missing).contains("there is no message 2: the maildrop has 1 message"), "{missing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_fetched_and_deleted() {
    let plain = "Subject: one\r\n\r\nFrom here\r\n";
    let scene = Scene::with_account(&[LETTER, plain, "Subject: two\r\n\r\n"]).await;
    let folder = scene.path("mail");
    let fetched = scene.mail(&["fetch", &folder], "").await;
    assert_eq!(code(&fetched), 0, "{fetched:?}");
    assert_eq!(scene.kept("mail"), ["uid-0.eml", "uid-1.eml", "uid-2.eml"]);
    assert_eq!(fs::read(scene.path("mail/uid-0.eml")).expect("kept"), LETTER.as_bytes());
    let again = scene.mail(&["fetch", &folder], "").await;
    assert!(out(&again).contains("0 messages fetched"), "{again:?}");
    assert_eq!(scene.post.retrieved.lock().expect("whole").len(), 3);

    let refused = scene.mail(&["delete", "1", "9"], "").await;
    assert_eq!(code(&refused), 1, "{refused:?}");
    assert!(err(&refused).contains("nothing was deleted"), "{refused:?}");
    assert_eq!(scene.post.messages.lock().expect("whole").len(), 3, "all or nothing");
    let deleted = scene.mail(&["delete", "3", "1"], "").await;
    assert_eq!(code(&deleted), 0, "{deleted:?}");
    assert_eq!(*scene.post.messages.lock().expect("whole"), [plain.as_bytes()]);

    let mbox = scene.path("inbox.mbox");
    let fetched = scene.mail(&["fetch", &mbox, "--mbox", "--delete"], "").await;
    assert_eq!(code(&fetched), 0, "{fetched:?}");
    let text = fs::read_to_string(&mbox).expect("kept");
    assert!(
        text.starts_with("From MAILER-DAEMON ") && text.ends_with("Subject: one\n\n>From here\n\n"),
        "{text:?}"
    );
    assert_eq!(scene.post.messages.lock().expect("whole").len(), 0);
    assert!(out(&scene.mail(&["list"], "").await).contains("no mail"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_kept_is_not_deleted() {
    let scene = Scene::with_account(&[LETTER]).await;
    fs::write(scene.path("file"), "not a folder").expect("written");
    for arguments in [
        &["fetch", &scene.path("file"), "--delete"][..],
        &["fetch", &scene.path("file"), "--mbox", "--delete"],
    ] {
        let failed = scene.mail(arguments, "").await;
        assert_eq!(code(&failed), 1, "{failed:?}");
        assert!(err(&failed).contains("nothing was deleted from the server"), "{failed:?}");
    }
    assert_eq!(scene.post.messages.lock().expect("whole").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_are_found_by_what_the_dns_says() {
    use posta_runtime::tls::{Acceptor, Authority, Identity, TlsEnd};
    let scene = Scene::new(&[], false).await;
    let authority = Authority::new("A test authority").expect("an authority");
    let (chain, key) = authority.issue(&["localhost".to_owned()]).expect("a certificate");
    let identity = Identity::from_pem(chain.as_bytes(), key.as_bytes()).expect("an identity");
    let tls = Some(TlsEnd::Accept(Acceptor::new(vec![identity], None).expect("an acceptor")));
    let mechanisms = [posta_wire::sasl::Mechanism::Plain].into_iter().collect();
    let post = Arc::new(Post { tls, tls_first: true, mechanisms, ..Post::default() });
    let (smtp, pop3) = (smtp_server(post.clone()).await, pop3_server(post).await);
    let zone = format!(
        "_submissions._tcp.south.example. 60 IN SRV 0 0 {} localhost.\n\
         _pop3s._tcp.south.example. 60 IN SRV 0 0 {} localhost.\n",
        smtp.port(),
        pop3.port()
    );
    let zone = posta_dns::Zone::parse(&zone).expect("a zone");
    let server =
        posta_dns::ZoneServer::start(([127, 0, 0, 1], 0).into(), zone, None).await.expect("a server");
    let dns = server.address().to_string();
    fs::write(scene.path("ca.pem"), authority.pem()).expect("written");
    let ca = scene.path("ca.pem");
    let known =
        ["setup", "--from", "Bob <bob@south.example>", "--user", USER, "--password-stdin", "--ca", &ca];
    let looking = [&known[..], &["--dns", &dns]].concat();
    let found = scene.mail(&looking, PASSWORD).await;
    // Both are announced, and proved their names, but belong to another domain: nobody is there to ask.
    assert_eq!(code(&found), 1, "{found:?}");
    for (what, port, service) in
        [("sending", smtp.port(), "_submissions._tcp"), ("fetching", pop3.port(), "_pop3s._tcp")]
    {
        let line = format!("found {what}: localhost:{port} (announced by {service}, TLS)");
        assert!(out(&found).contains(&line), "{line}: {found:?}");
    }
    assert!(err(&found).contains("not of south.example"), "{found:?}");
    assert!(!Path::new(&scene.path("config/posta/accounts.toml")).exists());
    // Named, they are taken.
    let (smtp, pop3) = (format!("localhost:{}", smtp.port()), format!("localhost:{}", pop3.port()));
    let named = [&known[..], &["--smtp", &smtp, "--pop3", &pop3, "--tls", "tls"]].concat();
    let done = scene.mail(&named, PASSWORD).await;
    assert_eq!(code(&done), 0, "{done:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_place_of_a_password() {
    let mut scene = Scene::new(&[], false).await;
    let mechanisms = [posta_wire::sasl::Mechanism::OauthBearer].into_iter().collect();
    let messages = Mutex::new(vec![LETTER.as_bytes().to_vec()]);
    scene.post = Arc::new(Post { messages, mechanisms, ..Post::default() });
    scene.smtp = smtp_server(scene.post.clone()).await.to_string();
    scene.pop3 = pop3_server(scene.post.clone()).await.to_string();
    let wrong = scene.setup(&["--oauth"], "expired").await;
    assert_eq!(code(&wrong), 1, "{wrong:?}");
    let done = scene.setup(&["--oauth"], support::TOKEN).await;
    assert_eq!(code(&done), 0, "{done:?}");
    let listed = scene.mail(&["list"], "").await;
    assert!(out(&listed).contains("Ada Löv"), "{listed:?}");
    let sent = scene.mail(&["send", "--to", "ada@north.example", "--subject", "x"], "x\n").await;
    assert_eq!(code(&sent), 0, "{sent:?}");
    assert_eq!(scene.post.accepted.lock().expect("whole").len(), 1);
    let tried = scene.post.exchanges.lock().expect("whole").clone();
    assert!(!tried.is_empty() && tried.iter().all(|name| name == "OAUTHBEARER"), "{tried:?}");
}
