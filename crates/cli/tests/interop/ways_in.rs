//! Other ways in, by a stranger: LMTP, the PROXY protocol, XCLIENT.

use crate::lab::{BOB, Host, PASSWORD, outcome, setup, skip, stranger};
use crate::protocol::{Smtp, fetch_all};
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};
use xtask::peers::{Dovecot, Storage, free_address};

/// A host that also speaks LMTP, listens behind proxies, and believes this machine.
fn host() -> (Host, SocketAddr, SocketAddr) {
    let lmtp = free_address().expect("a port");
    let proxied = free_address().expect("a port");
    let mut setup = setup("mx.south.example", "south.example", &[BOB]);
    setup.tables = format!(
        "[[listener]]\nprotocol = \"lmtp\"\naddress = \"{lmtp}\"\n\
         [[listener]]\nprotocol = \"smtp\"\naddress = \"{proxied}\"\nproxy = true\n\
         [proxy]\nnetworks = [\"127.0.0.0/8\"]\nxclient = [\"127.0.0.0/8\"]\n"
    );
    (Host::start(setup), lmtp, proxied)
}

#[test]
fn swaks_comes_by_lmtp_and_through_proxies() {
    let Some(swaks) = stranger("swaks") else { return };
    let (host, lmtp, proxied) = host();
    let send = |to: &str, server: SocketAddr, options: &[&str]| {
        let server = server.to_string();
        let (address, port) = server.rsplit_once(':').expect("a port");
        outcome(
            Command::new(&swaks)
                .args(["--server", address, "--port", port, "--from", "alice@north.example", "--to", to])
                .args(["--timeout", "60", "--body", "a line\n.a dot"])
                .args(options),
        )
    };
    let version_1 = [
        "--proxy-version",
        "1",
        "--proxy-family",
        "TCP4",
        "--proxy-source",
        "192.0.2.7",
        "--proxy-source-port",
        "4711",
        "--proxy-dest",
        "192.0.2.25",
        "--proxy-dest-port",
        "25",
    ];
    let version_2 = [
        "--proxy-version",
        "2",
        "--proxy-family",
        "AF_INET",
        "--proxy-source",
        "192.0.2.8",
        "--proxy-source-port",
        "4711",
        "--proxy-dest",
        "192.0.2.25",
        "--proxy-dest-port",
        "25",
    ];
    let xclient =
        ["--xclient-addr", "192.0.2.9", "--xclient-name", "client.example", "--xclient-helo", "told.example"];
    let ways: [(SocketAddr, &[&str], &str); 4] = [
        (lmtp, &["--protocol", "LMTP"], "with LMTP"),
        (proxied, &version_1, "([192.0.2.7])"),
        (proxied, &version_2, "([192.0.2.8])"),
        (host.posta.smtp, &xclient, "from told.example (client.example [192.0.2.9])"),
    ];
    for (server, options, _) in ways {
        let output = send(BOB, server, options);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{options:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    }
    // What this machine may do is not for whom it names.
    let output = send("bob@elsewhere.example", host.posta.smtp, &xclient);
    assert!(!output.status.success());
    let held = fetch_all(host.posta.pop3, BOB, PASSWORD).expect("bob reads his mail");
    assert_eq!(held.len(), ways.len());
    for ((_, options, expected), text) in ways.iter().zip(&held) {
        let text = String::from_utf8_lossy(text).replace("\r\n\t", " ");
        assert!(text.contains(expected), "{options:?}: {text}");
        assert!(text.contains("\r\n.a dot\r\n"), "{text}");
    }
}

#[test]
fn dovecot_takes_what_is_handed_over_by_lmtp() {
    if !Dovecot::available() {
        return skip("Dovecot with its LMTP server is not installed, or this is not root");
    }
    let folder = crate::lab::folder();
    let (bob, eve) = (BOB.to_owned(), "eve@south.example".to_owned());
    let users = [bob, eve.clone()].map(|user| (user, PASSWORD.to_owned()));
    let dovecot = Dovecot::start(folder.path(), Storage::Maildir, &users).expect("Dovecot starts");
    // A host in front of Dovecot, which has all people.
    let mut setup = setup("gate.south.example", "gate.example", &[]);
    setup.tables = format!(
        "[relay]\ndomains = [\"south.example\"]\n[delivery]\nroutes = {{ \"south.example\" = \"lmtp:{}\" }}\n",
        dovecot.lmtp
    );
    let host = Host::start(setup);
    let mut client = Smtp::connect(host.posta.smtp).expect("connects");
    let content = b"Subject: by LMTP\r\n\r\n.a dot\r\n";
    client.send("alice@north.example", &[BOB, "nobody@south.example", &eve], content).expect("taken");
    client.quit().expect("said");
    let deadline = Instant::now() + Duration::from_secs(60);
    for user in [BOB, &eve] {
        let text = loop {
            let held = fetch_all(dovecot.pop3, user, PASSWORD).expect("Dovecot shows its mail");
            if let Some(text) = held.first() {
                break String::from_utf8_lossy(text).into_owned();
            }
            assert!(Instant::now() < deadline, "{user}: nothing came; {}", host.posta.log());
            std::thread::sleep(Duration::from_millis(50));
        };
        assert!(text.contains("by gate.south.example") && text.contains("\r\n.a dot\r\n"), "{text}");
    }
    // Whom Dovecot does not know was refused by itself: the report about it waits for Alice's host.
    let listed = host.posta.command(&["queue", "list"]).expect("listed");
    assert!(!listed.contains("south.example") || listed.contains("alice@north.example"), "{listed}");
}
