//! The operator's day: set up, make accounts, serve, look at what happened, stop.

mod support;

use std::{path::Path, process::Stdio};
use support::{Line, Process, fail, folder, log_in, messages, posta, run, send, succeed, wait_for};

/// A host in `folder`: hosted domain test.example, free ports, nothing leaves the machine.
fn set_up(folder: &Path) {
    let names = ["--hostname", "mx.test.example", "--domain", "test.example", "--data-dir", "posta-data"];
    let places = ["--smtp", "127.0.0.1:0", "--pop3", "127.0.0.1:0"];
    let said = succeed(folder, &[&["setup", "--yes"], names.as_slice(), &places].concat(), "");
    assert!(said.contains("posta account add you@test.example"), "{said}");
    let path = folder.join("posta.toml");
    let text = std::fs::read_to_string(&path).expect("setup wrote it");
    // A name server that nobody is: look-ups fail at once and for now.
    let text = text.replace("\n[dns]\n", "\n[dns]\nservers = [\"127.0.0.1:9\"]\ntimeout = \"1s\"\n");
    let text = text.replace("\n[relay]\n", "\n[relay]\nnetworks = [\"127.0.0.0/8\"]\n");
    std::fs::write(&path, text).expect("writes");
}

/// Starts the server; gives the process and the SMTP and POP3 endpoints.
fn serve(folder: &Path) -> (Process, String, String) {
    let child = posta()
        .current_dir(folder)
        .args(["serve", "--log", "json"])
        .stderr(Stdio::from(std::fs::File::create(folder.join("log")).expect("a log")))
        .spawn()
        .expect("the binary runs");
    let mut process = Process { child };
    let status = wait_for("the server", || {
        let log = || std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        assert!(process.child.try_wait().expect("can be waited for").is_none(), "it ended: {}", log());
        let output = run(folder, &["status", "--json"], "");
        output
            .status
            .success()
            .then(|| serde_json::from_slice::<serde_json::Value>(&output.stdout).expect("JSON"))
    });
    let endpoint = |protocol: &str| {
        let listeners = status["listeners"].as_array().expect("listeners");
        let found = listeners.iter().find(|listener| listener[0] == protocol).expect("a listener");
        found[1].as_str().expect("an address").to_owned()
    };
    (process, endpoint("smtp"), endpoint("pop3"))
}

#[test]
fn a_day_of_the_operator() {
    let (_guard, folder) = folder();
    set_up(&folder);
    assert!(succeed(&folder, &["config", "check"], "").contains("is good"));

    // Before the server runs: the commands open the store themselves.
    succeed(&folder, &["account", "add", "alice@test.example", "--password-stdin"], "first word\n");
    succeed(&folder, &["alias", "add", "info@test.example", "alice@test.example", "bob@test.example"], "");
    let (process, smtp, pop3) = serve(&folder);

    // While it runs: through its socket, in effect at once.
    succeed(
        &folder,
        &["account", "add", "bob@test.example", "--name", "Bob", "--password-stdin"],
        "second\n",
    );
    let accounts = succeed(&folder, &["account", "list"], "");
    assert!(accounts.contains("alice@test.example") && accounts.contains("Bob"), "{accounts}");
    let listed = succeed(&folder, &["account", "list", "--json"], "");
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    assert_eq!(listed.as_array().map(Vec::len), Some(2));

    let letter = "Message-ID: <day@far.example>\nSubject: hello\n\n.a dot\nand more";
    let reply = send(&smtp, "carol@far.example", "info@test.example", letter);
    for (user, password) in [("alice@test.example", "first word"), ("bob@test.example", "second")] {
        let texts = messages(&pop3, user, password);
        assert_eq!(texts.len(), 1);
        assert!(texts[0].starts_with("Return-Path: <carol@far.example>\nReceived: "), "{}", texts[0]);
        assert!(texts[0].ends_with("Subject: hello\n\n.a dot\nand more"), "{}", texts[0]);
    }

    app_passwords(&folder, &pop3);

    // What is for elsewhere waits, since nobody answers there.
    send(&smtp, "alice@test.example", "dave@far.example", "Subject: away\n\nfar");
    let queue = wait_for("an attempt", || {
        let queue = succeed(&folder, &["queue", "list", "--json"], "");
        let queue: serde_json::Value = serde_json::from_str(&queue).expect("JSON");
        (queue[0]["recipients"][0]["attempts"] != 0).then_some(queue)
    });
    let id = queue[0]["id"].as_str().expect("an id").to_owned();
    assert!(succeed(&folder, &["queue", "show", &id], "").contains("dave@far.example"));
    assert!(succeed(&folder, &["queue", "list"], "").contains(&id));

    explained(&folder, &smtp, &reply, &id);
    succeed(&folder, &["queue", "hold", &id], "");
    assert!(succeed(&folder, &["queue", "show", &id], "").contains("held"));
    succeed(&folder, &["queue", "release", &id], "");
    assert!(!succeed(&folder, &["queue", "show", &id], "").contains("held"));
    succeed(&folder, &["queue", "retry", "--all"], "");
    succeed(&folder, &["queue", "bounce", &id], "");
    nothing_waits(&folder);
    assert_eq!(messages(&pop3, "alice@test.example", "first word").len(), 2, "the bounce came");

    send(&smtp, "alice@test.example", "dave@far.example", "Subject: better not\n\nfar");
    assert!(fail(&folder, &["queue", "delete", "--all"]).contains("--yes"));
    succeed(&folder, &["queue", "delete", "--all", "--yes"], "");
    nothing_waits(&folder);

    let audit = succeed(&folder, &["audit"], "");
    assert!(audit.contains("difference 0"), "{audit}");
    process.stop("-TERM");
    after_the_stop(&folder);
}

/// A password for one program: it opens what it is for, is seen to be used, and is gone once revoked.
fn app_passwords(folder: &Path, pop3: &str) {
    let of_bob = |words: &[&str]| {
        succeed(folder, &[&["account", "app-password"], words, &["bob@test.example"]].concat(), "")
    };
    let add = ["account", "app-password", "add", "bob@test.example", "phone", "--scope", "pop3"];
    let password = succeed(folder, &add, "").trim().to_owned();
    assert_eq!(password.len(), 24, "{password}");
    assert!(fail(folder, &add).contains("already"));
    assert!(of_bob(&["list"]).contains("never"));
    assert_eq!(messages(pop3, "bob@test.example", &password).len(), 1);
    let listed: serde_json::Value = serde_json::from_str(&of_bob(&["list", "--json"])).expect("JSON");
    assert_eq!((&listed[0]["name"], &listed[0]["scope"]), (&"phone".into(), &"pop3".into()));
    assert!(listed[0]["last_used_at"].is_string(), "{listed}");

    let printer = ["account", "app-password", "add", "bob@test.example", "printer", "--scope", "smtp"];
    let other = succeed(folder, &printer, "").trim().to_owned();
    let mut line = Line::connect(pop3);
    assert!(line.hear().starts_with("+OK"));
    line.pop3("USER bob@test.example");
    line.say(&format!("PASS {other}"));
    assert!(line.hear().starts_with("-ERR [AUTH]"), "it is for sending");

    succeed(folder, &["account", "app-password", "revoke", "bob@test.example", "phone"], "");
    line.pop3("USER bob@test.example");
    line.say(&format!("PASS {password}"));
    assert!(line.hear().starts_with("-ERR [AUTH]"), "it was revoked");
}

/// What is being tried at the moment ends first.
fn nothing_waits(folder: &Path) {
    wait_for("an empty queue", || {
        succeed(folder, &["queue", "list"], "").contains("nothing waits").then_some(())
    });
}

/// What the journal tells about the letter that arrived, the one that waits, and one refused.
fn explained(folder: &Path, smtp: &str, reply: &str, waiting: &str) {
    let mut line = Line::connect(smtp);
    line.hear();
    line.smtp("EHLO test.example", "250 ");
    line.smtp("MAIL FROM:<eve@far.example>", "250 ");
    line.smtp("RCPT TO:<nobody@test.example>", "550 5.1.1");
    line.smtp("QUIT", "221 ");
    // The journal is written a moment behind.
    let story = |subject: &str, wanted: &str| {
        wait_for(wanted, || {
            let output = run(folder, &["explain", subject], "");
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            text.contains(wanted).then_some(text)
        })
    };
    let told = story("<day@far.example>", "fetched by bob@test.example");
    assert!(told.contains("put into the maildrop of alice@test.example"), "{told}");
    let id = told.split(':').next().expect("the title begins with the id");
    assert!(reply.contains(id), "{reply} names {id}");
    story(waiting, "waiting for the next attempt");
    let refused = story("eve@far.example", "refused at RCPT");
    assert!(refused.contains("550 5.1.1") && refused.contains("what can be done"), "{refused}");
}

/// With the server stopped, the same commands work on the store itself.
fn after_the_stop(folder: &Path) {
    assert!(succeed(folder, &["audit"], "").contains("difference 0"));
    succeed(folder, &["store", "check"], "");
    succeed(folder, &["store", "rebuild"], "");
    let shown = succeed(folder, &["account", "show", "bob@test.example"], "");
    assert!(shown.contains("Bob") && shown.contains("Archive"), "{shown}");
    let listed = succeed(folder, &["account", "show", "bob@test.example", "--json"], "");
    assert!(listed.contains(r#""name":"Trash""#) || listed.contains(r#""name": "Trash""#), "{listed}");
    let stats: serde_json::Value =
        serde_json::from_str(&succeed(folder, &["store", "stats", "--json"], "")).expect("JSON");
    assert!(stats.to_string().contains("bob@test.example"), "{stats}");
    assert!(fail(folder, &["status"]).contains("posta serve"));
    let (process, _, pop3) = serve(folder);
    log_in(&pop3, "bob@test.example", "second").pop3("UIDL");
    process.stop("-INT");
}

#[test]
fn settings_change_without_dropping_sessions() {
    let (_guard, folder) = folder();
    set_up(&folder);
    succeed(&folder, &["account", "add", "alice@test.example", "--password-stdin"], "word\n");
    let (process, smtp, pop3) = serve(&folder);
    let mut session = log_in(&pop3, "alice@test.example", "word");
    let path = folder.join("posta.toml");
    let text = std::fs::read_to_string(&path).expect("reads");
    std::fs::write(&path, text.replace("\n[smtp]\n", "\n[smtp]\nsize_max = \"1234 B\"\n")).expect("writes");
    process.signal("-HUP");
    wait_for("the new limit", || {
        let mut line = Line::connect(&smtp);
        line.hear();
        line.smtp("EHLO test.example", "250 ");
        line.smtp("MAIL FROM:<a@far.example> SIZE=2000", "").starts_with("552").then_some(())
    });
    session.pop3("NOOP");
    process.stop("-TERM");
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let (_guard, folder) = folder();
    assert!(fail(&folder, &["audit"]).contains("posta setup"));
    set_up(&folder);
    assert!(fail(&folder, &["setup", "--yes"]).contains("--force"));
    let path = folder.join("posta.toml");
    let text = std::fs::read_to_string(&path).expect("reads");
    std::fs::write(&path, text.replace("\n[smtp]\n", "\n[smtp]\nsize_maximum = 3\n")).expect("writes");
    let line = 1 + std::fs::read_to_string(&path)
        .expect("reads")
        .lines()
        .take_while(|line| !line.contains("size_maximum"))
        .count();
    let said = fail(&folder, &["config", "check"]);
    assert!(said.contains(&format!("posta.toml:{line}:")) && said.contains("size_max"), "{said}");
}

#[test]
fn mistakes_are_answered_in_prose() {
    let (_guard, folder) = folder();
    set_up(&folder);
    for (arguments, expected) in [
        (vec!["account", "show", "nobody@test.example"], "nobody@test.example"),
        (vec!["account", "add", "x@elsewhere.example", "--no-password"], "elsewhere.example"),
        (vec!["account", "remove", "x@test.example"], "--yes"),
        (vec!["queue", "show", "0000000000000"], "0000000000000"),
        (vec!["explain", "what"], "queue id"),
        (vec!["explain", "a@b.example"], "knows nothing"),
        (vec!["account", "add", "y@test.example", "--password-file", "missing"], "missing"),
    ] {
        let said = fail(&folder, &arguments);
        assert!(said.starts_with("posta: ") && said.contains(expected), "{arguments:?}: {said}");
    }
}

#[test]
fn completions_are_scripts() {
    let (_guard, folder) = folder();
    for (shell, expected) in [("bash", "_posta"), ("zsh", "#compdef posta"), ("fish", "complete -c posta")] {
        assert!(succeed(&folder, &["completions", shell], "").contains(expected), "{shell}");
    }
}

#[test]
fn each_command_has_a_manual_page() {
    let (_kept, folder) = folder();
    succeed(&folder, &["man", "pages/man1"], "");
    let page = |name: &str| {
        let path = folder.join("pages/man1").join(format!("{name}.1"));
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    for (name, words) in [
        ("posta", "posta\\-mail(1)"),
        ("posta-sendmail", "a line with a single dot does not end the message"),
        ("posta-mail", "Exit codes"),
        ("posta-mail-reply", "\\-\\-no\\-quote"),
        ("posta-mail-folders-create", "nests"),
        ("posta-queue", "posta\\-queue\\-list(1)"),
    ] {
        let text = page(name);
        assert!(text.contains(".TH ") && text.contains(".SH NAME") && text.contains(words), "{name}: {text}");
    }
}
