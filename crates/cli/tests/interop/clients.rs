//! Strangers' clients: curl, swaks, Python, fetchmail, mpop, msmtp.

use crate::lab::{
    BOB, Host, PASSWORD, below_trace, letter, msmtp_to_bob, outcome, private_file, run, stranger,
};
use crate::protocol::{Smtp, fetch_all};
use std::path::Path;
use std::process::Command;

/// Puts letters into bob's maildrop.
fn deliver(host: &Host, letters: &[Vec<u8>]) {
    let mut client = Smtp::connect(host.posta.smtp).expect("connects");
    for letter in letters {
        client.send("alice@north.example", &[BOB], letter).expect("accepted");
    }
    client.quit().expect("says goodbye");
}

fn bobs_messages(host: &Host) -> Vec<Vec<u8>> {
    fetch_all(host.posta.pop3, BOB, PASSWORD).expect("bob reads his mail")
}

/// Lines as mail readers on Unix keep them.
fn with_lf(content: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(content).replace("\r\n", "\n").into_bytes()
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[test]
fn curl_sends_and_fetches() {
    let Some(curl) = stranger("curl") else { return };
    let host = Host::south();
    let letter = letter("by curl");
    let file = host.file("letter", &letter);
    run(Command::new(&curl)
        .args([
            "--silent",
            "--show-error",
            "--max-time",
            "60",
            "--mail-from",
            "alice@north.example",
            "--mail-rcpt",
            BOB,
        ])
        .arg("--url")
        .arg(format!("smtp://{}/client.example", host.posta.smtp))
        .arg("--upload-file")
        .arg(&file));
    let held = bobs_messages(&host);
    assert_eq!(held.len(), 1);
    assert_eq!(below_trace(&held[0], 1), letter);

    let fetch = |path: &str, options: &[&str]| {
        run(Command::new(&curl)
            .args(["--silent", "--show-error", "--max-time", "60", "--user", &format!("{BOB}:{PASSWORD}")])
            .args(options)
            .arg(format!("pop3://{}/{path}", host.posta.pop3)))
    };
    assert_eq!(fetch("1", &[]), held[0], "RETR after USER and PASS");
    assert_eq!(fetch("1", &["--login-options", "AUTH=+APOP"]), held[0], "RETR after APOP");
    assert!(fetch("", &[]).starts_with(format!("1 {}", held[0].len()).as_bytes()), "LIST");
    assert!(String::from_utf8_lossy(&fetch("", &["--request", "UIDL"])).starts_with("1 "), "UIDL");
}

#[test]
fn swaks_sends_and_is_refused_where_it_should_be() {
    let Some(swaks) = stranger("swaks") else { return };
    let host = Host::south();
    let send = |to: &str, options: &[&str]| {
        outcome(
            Command::new(&swaks)
                .args([
                    "--server",
                    &host.posta.smtp.ip().to_string(),
                    "--port",
                    &host.posta.smtp.port().to_string(),
                ])
                .args([
                    "--from",
                    "alice@north.example",
                    "--to",
                    to,
                    "--body",
                    "a line\n.a dot\nthe end",
                    "--timeout",
                    "60",
                ])
                .args(options),
        )
    };
    for options in [&["--protocol", "ESMTP"][..], &["--protocol", "SMTP"], &["--pipeline"]] {
        let output = send(BOB, options);
        assert!(output.status.success(), "{options:?}: {}", String::from_utf8_lossy(&output.stdout));
    }
    // 24: no recipient was accepted.
    for to in ["nobody@south.example", "bob@elsewhere.example"] {
        assert_eq!(send(to, &[]).status.code(), Some(24), "{to}");
    }
    let held = bobs_messages(&host);
    assert_eq!(held.len(), 3);
    for message in held {
        assert!(contains(&message, b"\r\na line\r\n.a dot\r\nthe end\r\n"));
    }
}

#[test]
fn python_speaks_both_protocols() {
    let Some(python) = stranger("python3") else { return };
    let host = Host::south();
    host.posta.command(&["alias", "add", "sales@south.example", BOB]).expect("an alias");
    host.posta.command(&["list", "add", "team@south.example", BOB, "alice@north.example"]).expect("a list");
    let letter = letter("by Python");
    let file = host.file("letter", &letter);
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/interop");
    run(Command::new(&python)
        .arg(scripts.join("smtp_client.py"))
        .arg(host.posta.smtp.port().to_string())
        .arg(&file));
    let held = bobs_messages(&host);
    assert_eq!(held.len(), 3, "one by smtplib, two by hand");
    assert_eq!(below_trace(&held[0], 1), letter);
    for odd in &held[1..] {
        assert_eq!(below_trace(odd, 1), b"Subject: odd\r\n\r\n.leading\r\n..\r\nend\r\n");
    }

    // The second script wants three equal letters in a fresh maildrop.
    let host = Host::south();
    deliver(&host, &[letter.clone(), letter.clone(), letter]);
    run(Command::new(&python)
        .arg(scripts.join("pop3_client.py"))
        .args([&host.posta.pop3.port().to_string(), BOB, PASSWORD])
        .arg(&file));
}

#[test]
fn msmtp_sends() {
    let Some(msmtp) = stranger("msmtp") else { return };
    let host = Host::south();
    let letter = letter("by msmtp");
    let file = host.file("letter", with_lf(&letter));
    let config = private_file(
        &host,
        "msmtprc",
        &format!(
            "account default\nhost {}\nport {}\nauth off\ntls off\nfrom alice@north.example\ndomain client.example\n\
             set_date_header off\nset_msgid_header off\nundisclosed_recipients off\n",
            host.posta.smtp.ip(),
            host.posta.smtp.port()
        ),
    );
    msmtp_to_bob(&msmtp, &config, &file);
    let held = bobs_messages(&host);
    assert_eq!(held.len(), 1);
    assert_eq!(below_trace(&held[0], 1), letter);

    let refused = outcome(Command::new(&msmtp).arg("-C").arg(&config).arg("nobody@south.example"));
    assert!(!refused.status.success());
    assert!(contains(&refused.stderr, b"550 5.1.1"), "{}", String::from_utf8_lossy(&refused.stderr));
}

#[test]
fn fetchmail_fetches_and_deletes() {
    let Some(fetchmail) = stranger("fetchmail") else { return };
    let host = Host::south();
    for protocol in ["pop3", "apop"] {
        let letters = [letter("first"), letter("second")];
        deliver(&host, &letters);
        let mailbox = host.folder.path().join(format!("fetched-{protocol}"));
        let config = private_file(
            &host,
            "fetchmailrc",
            &format!(
                "poll {} service {} protocol {protocol} timeout 60\n\
                 user \"{BOB}\" password \"{PASSWORD}\" sslproto '' nokeep fetchall\n\
                 mda \"cat >> {}\"\n",
                host.posta.pop3.ip(),
                host.posta.pop3.port(),
                mailbox.display()
            ),
        );
        run(Command::new(&fetchmail)
            .env("HOME", host.folder.path())
            .env("FETCHMAILHOME", host.folder.path())
            .args(["--nodetach", "--nosyslog", "--fetchmailrc"])
            .arg(&config));
        let fetched = std::fs::read(&mailbox).expect("fetchmail delivered");
        for letter in &letters {
            let letter = with_lf(letter);
            let body = letter.windows(2).position(|pair| pair == b"\n\n").expect("has a body");
            assert!(contains(&fetched, &letter[body..]), "{protocol}");
        }
        assert!(bobs_messages(&host).is_empty(), "fetchmail deleted what it fetched");
    }
}

#[test]
fn mpop_fetches_new_messages_only() {
    let Some(mpop) = stranger("mpop") else { return };
    let host = Host::south();
    deliver(&host, &[letter("first")]);
    let mailbox = host.folder.path().join("mbox");
    let fetch = |authentication: &str, keep: &str| {
        let config = private_file(
            &host,
            "mpoprc",
            &format!(
                "account default\nhost {}\nport {}\nuser {BOB}\npassword {PASSWORD}\nauth {authentication}\ntls off\n\
                 keep {keep}\nreceived_header off\nuidls_file {}\ndelivery mbox {}\n",
                host.posta.pop3.ip(),
                host.posta.pop3.port(),
                host.folder.path().join("uidls").display(),
                mailbox.display()
            ),
        );
        run(Command::new(&mpop).arg("-C").arg(config));
        let fetched = std::fs::read(&mailbox).expect("mpop delivered");
        ["first", "second"].map(|subject| contains(&fetched, format!("\nSubject: {subject}\n").as_bytes()))
    };
    let held = |count| assert_eq!(bobs_messages(&host).len(), count);

    assert_eq!(fetch("user", "on"), [true, false]);
    held(1);
    std::fs::remove_file(&mailbox).expect("there");
    deliver(&host, &[letter("second")]);
    // By its UID the first one is known now.
    assert_eq!(fetch("apop", "on"), [false, true]);
    held(2);
    fetch("user", "off");
    held(0);
}
