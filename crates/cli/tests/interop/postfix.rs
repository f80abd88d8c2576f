//! Postfix as the next hop, and as the sender.

use crate::lab::{BOB, Host, PASSWORD, below_trace, folder, letter, setup, skip};
use crate::protocol::{Smtp, fetch_all, wait_for_messages};
use posta_dns::{Zone, ZoneServer};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use xtask::peers::{Posta, Postfix, PostfixSetup, free_address};

/// Mail on loopback takes less than this, unless something is wrong.
const DELIVERY_WAIT: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn postfix_is_the_next_hop() {
    if !Postfix::available() {
        return skip("Postfix is not installed (or this is not root)");
    }
    let postfix_folder = folder();
    let postfix = Postfix::start(
        postfix_folder.path(),
        &PostfixSetup {
            hostname: "mx.far.example".into(),
            mailboxes: vec!["carol@far.example".into()],
            ..PostfixSetup::default()
        },
    )
    .expect("Postfix starts");
    let zone = "far.example. 60 IN MX 10 mx.far.example.\nmx.far.example. 60 IN A 127.0.0.1\n";
    let dns =
        ZoneServer::start(SocketAddr::from(([127, 0, 0, 1], 0)), Zone::parse(zone).expect("a zone"), None)
            .await
            .expect("DNS starts");
    let mut setup = setup("mx.south.example", "south.example", &[BOB]);
    setup.dns = vec![dns.address()];
    setup.tables = format!(
        "[relay]\nnetworks = [\"127.0.0.0/8\"]\n\n[delivery.host_ports]\n\"mx.far.example\" = {}\n",
        postfix.smtp.port()
    );
    tokio::task::spawn_blocking(move || {
        let host = Host::start(setup);
        relay_to(&host, &postfix);
    })
    .await
    .expect("the test's body");
    dns.stop().await;
}

fn relay_to(host: &Host, postfix: &Postfix) {
    let letter = letter("to Postfix");
    let mut client = Smtp::connect(host.posta.smtp).expect("connects");
    for _ in 0..5 {
        client.send(BOB, &["carol@far.example", "nobody@far.example"], &letter).expect("accepted");
    }
    client.quit().expect("says goodbye");

    let deadline = Instant::now() + DELIVERY_WAIT;
    let mut delivered = Vec::new();
    while delivered.len() < 5 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(100));
        delivered = postfix.messages("carol@far.example").expect("readable");
    }
    assert_eq!(delivered.len(), 5, "{}", host.posta.command(&["queue", "list"]).expect("the queue"));
    let unix_letter = String::from_utf8(letter).expect("it is UTF-8").replace("\r\n", "\n");
    for path in delivered {
        let message = std::fs::read_to_string(path).expect("readable");
        assert!(message.ends_with(&unix_letter), "{message}");
    }

    // The unknown recipient comes back as a report to the sender, with Postfix's words.
    let reports = wait_for_messages(host.posta.pop3, BOB, PASSWORD, 5, DELIVERY_WAIT);
    assert_eq!(reports, 5);
    for report in fetch_all(host.posta.pop3, BOB, PASSWORD).expect("bob reads") {
        let report = String::from_utf8_lossy(&report).into_owned();
        for part in [
            "Return-Path: <>",
            "multipart/report",
            "Final-Recipient: rfc822;",
            "nobody@far.example",
            "Status: 5.1.1",
        ] {
            assert!(report.contains(part), "{part} is missing:\n{report}");
        }
    }
    let audit = host.posta.command(&["audit"]).expect("the audit finds no difference");
    assert!(audit.contains("relayed"), "{audit}");
}

#[test]
fn postfix_is_the_sender() {
    if !Postfix::available() {
        return skip("Postfix is not installed (or this is not root)");
    }
    let host = Host::south();
    let postfix_folder = folder();
    let postfix = Postfix::start(
        postfix_folder.path(),
        &PostfixSetup {
            hostname: "out.north.example".into(),
            next_hop: Some(host.posta.smtp),
            ..PostfixSetup::default()
        },
    )
    .expect("Postfix starts");
    let letters: Vec<Vec<u8>> = (0..20).map(|number| letter(&format!("by Postfix {number}"))).collect();
    let mut client = Smtp::connect(postfix.smtp).expect("connects");
    for letter in &letters {
        client.send("alice@north.example", &[BOB], letter).expect("Postfix accepts");
    }
    client.quit().expect("says goodbye");
    let held = wait_for_messages(host.posta.pop3, BOB, PASSWORD, letters.len(), DELIVERY_WAIT);
    assert_eq!(held, letters.len(), "{}", postfix.queue().expect("its queue"));
    let mut contents: Vec<Vec<u8>> = fetch_all(host.posta.pop3, BOB, PASSWORD)
        .expect("bob reads")
        .iter()
        .map(|message| below_trace(message, 2).to_vec())
        .collect();
    contents.sort();
    let mut expected = letters;
    expected.sort();
    assert!(contents == expected, "what Postfix sent is not what came");
}

/// What is not ASCII, in envelope and header section.
const INTERNATIONAL: &[u8] =
    "Subject: Grüße\r\nFrom: Jörg <jörg@far.example>\r\nTo: x\r\n\r\nSchöne Grüße\r\n".as_bytes();

const JOERG: &str = "jörg@far.example";

/// A host and Postfix, each the other's next hop.
fn neighbours() -> (Host, Postfix, [tempfile::TempDir; 1]) {
    let (smtp, pop3) = (free_address().expect("a port"), free_address().expect("a port"));
    let postfix_folder = folder();
    let postfix = Postfix::start(
        postfix_folder.path(),
        &PostfixSetup {
            hostname: "mx.far.example".into(),
            mailboxes: vec!["carol@far.example".into(), JOERG.into()],
            next_hop: Some(smtp),
            // Each command that comes is logged.
            main: vec![
                format!("maillog_file = {}/log", postfix_folder.path().display()),
                "maillog_file_prefixes = /".to_owned(),
                "debug_peer_list = 127.0.0.1".to_owned(),
            ],
        },
    )
    .expect("Postfix starts");
    let mut setup = setup("mx.south.example", "south.example", &[BOB]);
    setup.tables = format!(
        "[relay]\nnetworks = [\"127.0.0.0/8\"]\n\n[delivery.routes]\n\"far.example\" = \"{}\"\n",
        postfix.smtp
    );
    let folder = folder();
    let posta = Posta::start_at(folder.path(), setup, smtp, pop3).expect("posta starts");
    (Host { posta, folder }, postfix, [postfix_folder])
}

/// What came for an address of Postfix's, once something has.
fn first_of(postfix: &Postfix, address: &str) -> String {
    let deadline = Instant::now() + DELIVERY_WAIT;
    loop {
        if let Some(path) = postfix.messages(address).expect("readable").first() {
            return std::fs::read_to_string(path).expect("readable");
        }
        assert!(
            Instant::now() < deadline,
            "{address}: nothing came; {}",
            postfix.queue().expect("its queue")
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// CHUNKING (RFC 3030), DSN (RFC 3461), SMTPUTF8 (RFC 6531). Postfix's own client has no BDAT, and REQUIRETLS
/// comes with a later version.
#[test]
fn postfix_understands_what_is_extended() {
    if !Postfix::available() {
        return skip("Postfix is not installed (or this is not root)");
    }
    let (host, postfix, _folder) = neighbours();
    let mut client = Smtp::connect(host.posta.smtp).expect("connects");
    client.command(&format!("MAIL FROM:<{BOB}> SMTPUTF8 RET=HDRS ENVID=first"), "250").expect("taken");
    client.command(&format!("RCPT TO:<{JOERG}> NOTIFY=SUCCESS"), "250").expect("taken");
    client.command("RCPT TO:<carol@far.example> NOTIFY=NEVER", "250").expect("taken");
    client.command("DATA", "354").expect("wanted");
    client.write(INTERNATIONAL).expect("written");
    client.finish().expect("accepted");
    client.quit().expect("says goodbye");
    let kept = first_of(&postfix, JOERG);
    assert!(kept.contains("Subject: Grüße\n") && kept.contains("with UTF8SMTP"), "{kept}");
    let log = postfix.log();
    for part in ["BDAT ", " LAST", "SMTPUTF8", "ENVID=first", "NOTIFY=SUCCESS", "NOTIFY=NEVER"] {
        assert!(log.contains(part), "{part} was not said to Postfix:\n{log}");
    }
    // Postfix's report comes back by SMTP.
    assert_eq!(wait_for_messages(host.posta.pop3, BOB, PASSWORD, 1, DELIVERY_WAIT), 1, "{log}");
    let report = fetch_all(host.posta.pop3, BOB, PASSWORD).expect("bob reads").remove(0);
    let report = String::from_utf8_lossy(&report).into_owned();
    for part in ["Return-Path: <>", "Original-Envelope-Id: first", "Action: delivered", "Status: 2.0.0"] {
        assert!(report.contains(part), "{part} is missing:\n{report}");
    }
}

#[test]
fn what_postfix_asks_for_is_done() {
    if !Postfix::available() {
        return skip("Postfix is not installed (or this is not root)");
    }
    let (host, postfix, _folder) = neighbours();
    let mut client = Smtp::connect(postfix.smtp).expect("connects");
    client.command(&format!("MAIL FROM:<{JOERG}> SMTPUTF8 RET=HDRS ENVID=second"), "250").expect("taken");
    client.command(&format!("RCPT TO:<{BOB}> NOTIFY=SUCCESS"), "250").expect("taken");
    client.command("DATA", "354").expect("wanted");
    client.write(INTERNATIONAL).expect("written");
    client.finish().expect("accepted");
    client.quit().expect("says goodbye");
    assert_eq!(wait_for_messages(host.posta.pop3, BOB, PASSWORD, 1, DELIVERY_WAIT), 1);
    let report = first_of(&postfix, JOERG);
    for part in ["Original-Envelope-Id: second", "Action: delivered", "Reporting-MTA: dns; mx.south.example"]
    {
        assert!(report.contains(part), "{part} is missing:\n{report}");
    }
    let log = postfix.log();
    assert!(log.contains("RET=HDRS ENVID=second") || log.contains("ENVID=second"), "{log}");
    let held = fetch_all(host.posta.pop3, BOB, PASSWORD).expect("bob reads").remove(0);
    let held = String::from_utf8_lossy(&held).into_owned();
    // Without UTF8 (RFC 6856) its header section comes in ASCII; the trace tells how it came.
    assert!(held.contains("with UTF8SMTP"), "{held}");
}
