//! Other ways in, by a stranger: LMTP, the PROXY protocol, XCLIENT.

use crate::lab::{BOB, Host, PASSWORD, outcome, setup, stranger};
use crate::protocol::fetch_all;
use std::{net::SocketAddr, process::Command};
use xtask::peers::free_address;

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
