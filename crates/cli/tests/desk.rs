//! `posta mail …` on the person's own desk, as scripts use it, against servers in this process.

#[path = "../../ua/tests/support/mod.rs"]
mod support;

use serde_json::Value;
use std::{
    io::Write,
    process::{Command, Output, Stdio},
    sync::{Arc, Mutex},
};
use support::{PASSWORD, Post, USER, pop3_server, smtp_server};

const INVITED: &str = "From: Ada <ada@north.example>\r\nTo: bob@south.example\r\n\
    Date: Sat, 17 Nov 2007 20:18:49 +0000\r\nMessage-ID: <1@north.example>\r\nSubject: Tea\r\n\r\n\
    Come for tea.\x1b[2J\r\n";
const REPORT: &str = "From: carol@east.example\r\nTo: bob@south.example\r\n\
    Date: Sun, 18 Nov 2007 20:18:49 +0000\r\nMessage-ID: <2@east.example>\r\nSubject: Figures\r\n\r\n\
    Grown by half.\r\n";

/// Bob, with an account that is set up.
struct Scene {
    home: tempfile::TempDir,
    post: Arc<Post>,
}

impl Scene {
    async fn new() -> Scene {
        let messages = [INVITED, REPORT].map(|message| message.as_bytes().to_vec());
        let post = Arc::new(Post { messages: Mutex::new(messages.to_vec()), ..Post::default() });
        let smtp = smtp_server(post.clone()).await.to_string();
        let pop3 = pop3_server(post.clone()).await.to_string();
        let scene = Scene { home: tempfile::tempdir().expect("a folder"), post };
        let setup = ["setup", "--from", "Bob <bob@south.example>", "--smtp", &smtp, "--pop3", &pop3];
        let setup = [&setup[..], &["--user", USER, "--password-stdin"]].concat();
        assert_eq!(code(&scene.talk(&setup, &format!("{PASSWORD}\n"))), 0);
        scene
    }

    /// With the mail fetched.
    async fn fetched() -> Scene {
        let scene = Scene::new().await;
        assert_eq!(scene.json(&["sync"])["fetched"], 2);
        scene
    }

    fn talk(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_posta"))
            .arg("mail")
            .args(arguments)
            .env_clear()
            .env("HOME", self.home.path())
            .env("TZ", "UTC")
            .current_dir(self.home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        // One that does not read is gone already.
        let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
        let output = child.wait_with_output().expect("it ends");
        for text in [&output.stdout, &output.stderr] {
            let is_raw = arguments.contains(&"--source");
            assert!(is_raw || !text.contains(&0x1b), "an escape reaches the terminal by {arguments:?}");
        }
        output
    }

    #[track_caller]
    fn said(&self, arguments: &[&str]) -> String {
        let output = self.talk(arguments, "");
        assert_eq!(code(&output), 0, "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.said(&[arguments, &["--json"]].concat())).expect("JSON")
    }

    /// The key of the one message that this search finds.
    #[track_caller]
    fn key(&self, search: &str) -> String {
        let found = self.json(&["search", search]);
        assert_eq!(found.as_array().map(Vec::len), Some(1), "{search}: {found}");
        found[0]["key"].as_str().expect("a key").to_owned()
    }

    fn sent(&self) -> Vec<(Vec<String>, String)> {
        let accepted = std::mem::take(&mut *self.post.accepted.lock().expect("whole"));
        let text = |octets| String::from_utf8(octets).expect("UTF-8").replace("\r\n", "\n");
        accepted.into_iter().map(|one| (one.recipients, text(one.content))).collect()
    }
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("an exit code")
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_is_found_and_read() {
    let scene = Scene::fetched().await;
    assert_eq!(scene.json(&["sync"])["fetched"], 0, "each once");
    let all = scene.json(&["list", "--folder", "Inbox"]);
    let subjects: Vec<_> = all.as_array().expect("a list").iter().map(|row| row["subject"].clone()).collect();
    assert_eq!(subjects, ["Figures", "Tea"], "the newest first");
    assert_eq!(scene.json(&["list", "--folder", "inbox", "-n", "1"]).as_array().map(Vec::len), Some(1));
    for (search, found) in [("from:ada", "Tea"), ("grown half", "Figures"), ("subject:tea", "Tea")] {
        assert_eq!(scene.json(&["search", search])[0]["subject"], found, "{search}");
    }
    assert!(scene.said(&["search", "nowhere"]).contains("no mail"));

    let key = scene.key("from:ada");
    assert_eq!(scene.json(&["read", &key])["subject"], "Tea");
    assert_eq!(scene.json(&["search", "is:unread"]).as_array().map(Vec::len), Some(2), "JSON marks nothing");
    let shown = scene.said(&["read", &key]);
    assert!(
        shown.starts_with("From:     Ada <ada@north.example>\n") && shown.contains("Come for tea."),
        "{shown}"
    );
    assert_eq!(scene.json(&["search", "is:unread"]).as_array().map(Vec::len), Some(1));
    let source = scene.said(&["read", &key, "--source"]);
    assert!(source.contains("Message-ID: <1@north.example>\r\n"), "{source}");
    // What the maildrop on the server calls them works as before.
    assert!(scene.said(&["read", "uid-1"]).contains("Grown by half."));
    assert!(scene.said(&["read", "2"]).contains("Grown by half."));
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_put_in_order() {
    let scene = Scene::fetched().await;
    let (tea, figures) = (scene.key("from:ada"), scene.key("from:carol"));
    scene.said(&["folders", "create", "Friends"]);
    assert!(scene.said(&["move", "friends", &tea]).contains("moved"));
    assert_eq!(scene.json(&["list", "--folder", "Friends"])[0]["key"], tea.as_str());
    scene.said(&["flag", &tea, &figures]);
    assert_eq!(scene.json(&["search", "is:flagged"]).as_array().map(Vec::len), Some(2));
    assert_eq!(scene.json(&["flag", "--off", "--query", "is:flagged"])["messages"], 2);
    scene.said(&["label", "--add", "work", &figures]);
    assert_eq!(scene.key("label:work"), figures);
    scene.said(&["label", "--remove", "work", "--query", "label:work"]);
    scene.said(&["mark", &figures]);
    scene.said(&["mark", "--unread", &figures]);
    assert_eq!(scene.json(&["search", "is:unread"]).as_array().map(Vec::len), Some(2));
    scene.said(&["snooze", "--until", "2h", &figures]);
    assert_eq!(scene.key("is:snoozed"), figures);
    assert_eq!(scene.json(&["list", "--folder", "inbox"]), serde_json::json!([]));
    scene.said(&["snooze", "--wake", &figures]);
    assert_eq!(scene.json(&["list", "--folder", "inbox"])[0]["key"], figures.as_str());
    scene.said(&["archive", &figures]);
    assert_eq!(scene.json(&["list", "--folder", "archive"])[0]["key"], figures.as_str());
    scene.said(&["trash", &figures]);
    let folders = scene.json(&["folders"]);
    let counts: Vec<_> =
        folders.as_array().expect("a list").iter().map(|one| one["messages"].clone()).collect();
    assert_eq!(counts, [0, 0, 0, 0, 0, 1, 1], "{folders}");
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_are_answered_passed_on_and_taken_back() {
    let scene = Scene::fetched().await;
    let tea = scene.key("from:ada");
    assert!(scene.said(&["reply", &tea, "With pleasure."]).contains("sent"));
    let sent = scene.sent();
    assert_eq!(sent[0].0, ["<ada@north.example>"]);
    for line in
        ["Subject: Re: Tea\n", "In-Reply-To: <1@north.example>\n", "> Come for tea.", "With pleasure.\n"]
    {
        assert!(sent[0].1.contains(line), "{line} in {}", sent[0].1);
    }
    assert_eq!(scene.key("is:answered"), tea);

    std::fs::write(scene.home.path().join("map.txt"), "left, then right\n").expect("writable");
    let done =
        scene.json(&["forward", &tea, "--to", "Dan <dan@west.example>", "--attach", "map.txt", "Look!"]);
    assert_eq!((&done["left"], &done["refused"]), (&true.into(), &0.into()));
    let sent = scene.sent();
    assert_eq!(sent[0].0, ["<dan@west.example>"]);
    assert!(sent[0].1.contains("map.txt") && sent[0].1.contains("Come for tea."), "{}", sent[0].1);

    let letter =
        ["send", "--copy", "--undo", "60", "--to", "carol@east.example", "--subject", "Oh", "Never mind."];
    let waiting = scene.json(&letter);
    assert_eq!(waiting["left"], false);
    let key = waiting["outbox"].as_str().expect("a key");
    assert_eq!(scene.json(&["outbox"])[0]["subject"], "Oh");
    assert!(scene.said(&["unsend", key]).starts_with("taken back"));
    assert!(scene.sent().is_empty() && scene.json(&["outbox"]) == serde_json::json!([]));
    let draft = scene.json(&["drafts"])[0]["draft"].as_str().expect("a key").to_owned();
    assert!(scene.said(&["drafts", "--send", &draft]).contains("sent"));
    assert_eq!(scene.sent()[0].0, ["<carol@east.example>"]);
    assert_eq!(scene.json(&["list", "--folder", "sent"]).as_array().map(Vec::len), Some(3), "copies of all");
    scene.said(&["reply", &tea, "--draft", "Or not."]);
    let draft = scene.json(&["drafts"])[0]["draft"].as_str().expect("a key").to_owned();
    scene.said(&["drafts", "--discard", &draft]);
    assert_eq!(scene.json(&["drafts"]), serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_end_has_its_code() {
    let scene = Scene::fetched().await;
    let tea = scene.key("from:ada");
    for (arguments, expected) in [
        (&["search", "tea"][..], 0),
        (&["search", "nothing of the kind"], 0),
        (&["archive", "0000000000000"], 4),
        (&["move", "Nowhere", &tea], 4),
        (&["list", "--folder", "Nowhere"], 4),
        (&["reply", "0000000000000", "x"], 4),
        (&["drafts", "--send", "none"], 4),
        (&["contacts", "remove", "none"], 4),
        (&["snooze", "--until", "yesterday", &tea], 1),
        (&["unsend", "not here"], 1),
        (&["rules", "--set", "absent.json"], 1),
        (&["send", "--copy", "--to", "nobody@south.example", "x"], 1),
        (&["send", "--copy", "--to", "nobody@south.example", "--cc", "carol@east.example", "x"], 3),
        (&["archive"], 2),
        (&["send", "--undo", "5", "--to", "a@b.example", "x"], 2),
    ] {
        let output = scene.talk(arguments, "");
        assert_eq!(code(&output), expected, "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(expected == 0 || expected == 3 || !output.stderr.is_empty(), "{arguments:?} says why");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_rules_and_absence() {
    let scene = Scene::fetched().await;
    let card = "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Ada Lovelace\r\nEMAIL:ada@north.example\r\nEND:VCARD\r\n";
    std::fs::write(scene.home.path().join("ada.vcf"), card).expect("writable");
    assert_eq!(scene.json(&["contacts", "import", "ada.vcf"]), 1);
    scene.said(&["contacts", "add", "Dan", "dan@west.example"]);
    let contacts = scene.json(&["contacts"]);
    assert_eq!((&contacts[0]["name"], &contacts[1]["name"]), (&"Ada Lovelace".into(), &"Dan".into()));
    assert_eq!(scene.said(&["contacts", "complete", "love"]), "ada@north.example\tAda Lovelace\n");
    let exported = scene.said(&["contacts", "export"]);
    assert_eq!(exported.matches("BEGIN:VCARD").count(), 2, "{exported}");
    scene.said(&["contacts", "remove", contacts[1]["key"].as_str().expect("a key")]);
    assert_eq!(scene.json(&["contacts"]).as_array().map(Vec::len), Some(1));

    let rules = r#"[{"name": "Tea", "enabled": true, "any": false, "stop": false,
        "conditions": [{"field": "subject", "test": "contains", "value": "tea"}],
        "actions": [{"action": "label", "label": "invitations"}]}]"#;
    std::fs::write(scene.home.path().join("rules.json"), rules).expect("writable");
    let set = scene.json(&["rules", "--set", "rules.json"]);
    assert_eq!(set, serde_json::from_str::<Value>(rules).expect("JSON"), "what is printed can be read");
    scene.said(&["vacation", "--text", "I am by the sea.", "--until", "2w"]);
    let answer = scene.json(&["vacation"]);
    assert_eq!((&answer["enabled"], &answer["text"]), (&true.into(), &"I am by the sea.".into()));
    scene.said(&["vacation", "--off"]);
    assert_eq!(scene.json(&["vacation"])["enabled"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_goes_out_and_comes_in_whole() {
    let scene = Scene::fetched().await;
    scene.said(&["flag", "--query", "from:ada"]);
    let whole = scene.json(&["export", "all.mbox"]);
    assert_eq!(whole["messages"], 2);
    let maildir = scene.json(&["export", "--format", "maildir", "all"]);
    assert_eq!(maildir["digest"], whole["digest"], "the same, whatever the form");
    assert_eq!(scene.json(&["export", "--query", "from:ada", "one.mbox"])["messages"], 1);
    for (path, folder) in [("all.mbox", "One"), ("all", "Two")] {
        scene.said(&["folders", "create", folder]);
        let back = scene.json(&["import", path, "--folder", folder]);
        assert_eq!((&back["messages"], &back["digest"]), (&2.into(), &whole["digest"]), "{path}");
    }
    let flagged = scene.json(&["search", "--folder", "Two", "is:flagged"]);
    assert_eq!(flagged[0]["subject"], "Tea", "a Maildir has flags");
    assert_eq!(code(&scene.talk(&["import", "absent.mbox"], "")), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_program_at_a_time() {
    let scene = Scene::fetched().await;
    let lock =
        std::fs::File::open(scene.home.path().join(".local/share/posta/mail/bob/lock")).expect("the lock");
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).expect("it is free");
    let output = scene.talk(&["search", "tea"], "");
    assert_eq!(code(&output), 5, "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("open in another program"), "{output:?}");
    drop(lock);
    scene.said(&["search", "tea"]);
}
