//! The little internet: the whole trip, and staying up for others.

#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

mod support;

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};
use support::{Process, folder, log_in, messages, posta, send, succeed, wait_for};

#[test]
fn once_shows_the_whole_trip() {
    let (_guard, folder) = folder();
    let said = succeed(&folder, &["demo", "--once"], "");
    for expected in [
        "C: EHLO ",
        "C: STARTTLS",
        "(from here on inside TLS 1.3, TLS_",
        "C: MAIL FROM:<alice@north.example>",
        "C: RCPT TO:<bob@south.example>",
        "S: 354 ",
        "DNS CNAME ",
        "DNS MX south.example → 10 mx.south.example",
        "DNS A mx.south.example → 127.0.0.1",
        "the envelope: what hosts go by",
        "more lines of base64",
        "C: PASS ********",
        "C: RETR 1",
        "Return-Path: <alice@north.example>",
    ] {
        assert!(said.contains(expected), "`{expected}` is missing in:\n{said}");
    }
    assert!(!said.contains('\u{1b}'), "no colours where there is no terminal");
    assert!(said.lines().count() < 450, "{} lines", said.lines().count());
}

#[test]
fn json_tells_the_endpoints_and_it_stays_up() {
    let mut child =
        posta().args(["demo", "--json"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("runs");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
    let process = Process { child };
    let told: serde_json::Value = serde_json::from_str(&line).expect("the first line is JSON");
    let hosts = told["hosts"].as_array().expect("hosts");
    let host = |domain: &str| hosts.iter().find(|host| host["domain"] == domain).expect(domain);
    let (north, south) = (host("north.example"), host("south.example"));
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    assert!(text(&told["dns"]).starts_with("127.0.0.1:"));
    let ca = std::fs::read_to_string(text(&told["ca"])).expect("the authority's certificate");
    assert!(ca.starts_with("-----BEGIN CERTIFICATE-----"), "{ca}");
    for endpoint in ["submission", "submissions", "pop3s", "lmtp"] {
        std::net::TcpStream::connect(text(&south[endpoint])).expect(endpoint);
    }

    for account in told["accounts"].as_array().expect("accounts") {
        let address = text(&account["address"]);
        let home = host(address.split('@').nth(1).expect("a domain"));
        log_in(&text(&home["pop3"]), &address, &text(&account["password"])).pop3("QUIT");
    }

    // A letter of our own: through the alias of the other host, by way of the DNS.
    send(&text(&north["smtp"]), "carol@north.example", "info@south.example", "Subject: ours\n\nhello");
    let password = |wanted: &str| {
        let accounts = told["accounts"].as_array().expect("accounts");
        text(&accounts.iter().find(|account| account["address"] == wanted).expect(wanted)["password"])
    };
    for address in ["bob@south.example", "dave@south.example"] {
        wait_for("the letter", || {
            let texts = messages(&text(&south["pop3"]), address, &password(address));
            texts.iter().any(|text| text.contains("Subject: ours")).then_some(())
        });
    }
    process.stop("-INT");
}

/// What the demo proposes to try is pasted into a shell, all of it.
#[test]
fn what_it_proposes_works_as_it_stands() {
    let (_guard, folder) = folder();
    let said = folder.join("said");
    let output = Stdio::from(std::fs::File::create(&said).expect("a file"));
    let child = posta().arg("demo").current_dir(&folder).stdout(output).spawn().expect("runs");
    let process = Process { child };
    let said = || std::fs::read_to_string(&said).expect("UTF-8");
    let farewell = wait_for("the farewell", || {
        let text = said();
        let (_, farewell) = text.split_once("  Try, in another terminal:")?;
        farewell.contains("explain").then(|| farewell.to_owned())
    });
    let commands: Vec<&str> = farewell.lines().filter_map(|line| line.strip_prefix("    ")).collect();
    assert_eq!(commands.len(), 4, "{farewell}");
    for command in commands {
        if command.contains("curl") && Command::new("curl").arg("--version").output().is_err() {
            println!("skipped: curl is not installed");
            continue;
        }
        // The journal, which one of them reads, is written a moment behind.
        wait_for(command, || {
            let output =
                Command::new("sh").args(["-c", command]).current_dir(&folder).output().expect("runs");
            output.status.success().then_some(())
        });
    }
    let told = wait_for("the visitor", || Some(said()).filter(|text| text.contains("a visitor")));
    assert!(told.contains("APOP bob@south.example") || told.contains("PASS ********"), "{told}");
    process.stop("-INT");
}

#[test]
fn ports_can_be_chosen() {
    // Fifteen free ports in a row, most probably; if somebody takes one meanwhile, others are tried.
    let told = wait_for("fifteen free ports", || {
        let base = std::net::TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
        let base = base.min(u16::MAX - 15);
        let arguments = ["demo", "--once", "--json", "--port-base", &base.to_string()];
        let output = posta().args(arguments).stderr(Stdio::null()).output().expect("runs");
        output.status.success().then(|| (base, String::from_utf8(output.stdout).expect("UTF-8")))
    });
    let (base, text) = told;
    assert_eq!(text.lines().count(), 1, "{text}");
    let told: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(told["hosts"][0]["smtp"], format!("127.0.0.1:{base}"));
    assert_eq!(told["hosts"][1]["pop3"], format!("127.0.0.1:{}", base + 3));
    assert_eq!(told["dns"], format!("127.0.0.1:{}", base + 4));
    assert_eq!(told["hosts"][0]["submission"], format!("127.0.0.1:{}", base + 5));
    assert_eq!(told["hosts"][1]["pop3s"], format!("127.0.0.1:{}", base + 10));
    assert_eq!(told["hosts"][1]["lmtp"], format!("127.0.0.1:{}", base + 12));
    assert_eq!(told["hosts"][0]["http"], format!("http://127.0.0.1:{}/", base + 13));
    assert_eq!(told["hosts"][1]["http"], format!("http://127.0.0.1:{}/", base + 14));
}

#[test]
fn a_folder_that_is_named_stays_and_can_be_asked() {
    let (_guard, folder) = folder();
    let place = folder.join("demo");
    succeed(&folder, &["demo", "--once", "--dir", place.to_str().expect("UTF-8")], "");
    let audit = |host: &str| {
        let config = place.join(host).join("posta.toml");
        succeed(&folder, &["--config", config.to_str().expect("UTF-8"), "audit"], "")
    };
    assert!(audit("north").contains("difference 0"));
    assert!(audit("south").contains("difference 0"));
    let config = place.join("south").join("posta.toml");
    let told =
        succeed(&folder, &["--config", config.to_str().expect("UTF-8"), "explain", "bob@south.example"], "");
    assert!(told.contains("put into the maildrop of bob@south.example"), "{told}");
    assert!(told.contains("fetched by bob@south.example"), "{told}");
}
