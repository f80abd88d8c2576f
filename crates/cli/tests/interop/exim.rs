//! Exim as the next hop, and as the sender: with BDAT, both ways (RFC 3030).

use crate::lab::{BOB, Host, PASSWORD, below_trace, folder, letter, setup, skip};
use crate::protocol::{Smtp, fetch_all, wait_for_messages};
use std::time::{Duration, Instant};
use xtask::peers::{Exim, EximSetup};

/// Mail on loopback takes less than this, unless something is wrong.
const DELIVERY_WAIT: Duration = Duration::from_mins(2);

/// Of several chunks, with lines that DATA would stuff.
fn long_letter() -> Vec<u8> {
    let mut long = letter("in chunks");
    (0..40_000).for_each(|_| long.extend_from_slice(b".dot\r\n"));
    long
}

const BINARY: &[u8] =
    b"Subject: binary\r\nMIME-Version: 1.0\r\nContent-Type: application/x-example\r\n\r\n\0\n\r.";

#[test]
fn exim_is_the_next_hop() {
    if !Exim::available() {
        return skip("Exim is not there (or this is not root)");
    }
    let exim_folder = folder();
    let exim_setup = EximSetup { hostname: "mx.far.example".into(), next_hop: None };
    let exim = Exim::start(exim_folder.path(), &exim_setup).expect("Exim starts");
    let mut setup = setup("mx.south.example", "south.example", &[BOB]);
    setup.tables = format!(
        "[relay]\nnetworks = [\"127.0.0.0/8\"]\n\n[delivery.routes]\n\"far.example\" = \"{}\"\n",
        exim.smtp
    );
    let host = Host::start(setup);
    let mut client = Smtp::connect(host.posta.smtp).expect("connects");
    let letters = [letter("to Exim"), long_letter()];
    for letter in &letters {
        client.send(BOB, &["carol@far.example"], letter).expect("accepted");
    }
    // Exim has no BINARYMIME.
    client.command(&format!("MAIL FROM:<{BOB}> BODY=BINARYMIME"), "250").expect("taken");
    client.command("RCPT TO:<carol@far.example>", "250").expect("taken");
    client.write(format!("BDAT {} LAST\r\n", BINARY.len()).as_bytes()).expect("written");
    client.write(BINARY).expect("written");
    assert!(client.reply().expect("a reply").starts_with("250"));
    client.quit().expect("says goodbye");

    let deadline = Instant::now() + DELIVERY_WAIT;
    let mut kept = Vec::new();
    while kept.len() < 3 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(100));
        kept = exim.messages().expect("readable");
    }
    assert_eq!(kept.len(), 3, "{}", exim.log());
    let kept: Vec<String> =
        kept.iter().map(|path| std::fs::read_to_string(path).expect("readable")).collect();
    for letter in letters {
        let unix_letter = String::from_utf8(letter).expect("it is UTF-8").replace("\r\n", "\n");
        assert!(kept.iter().any(|message| message.ends_with(&unix_letter)), "a letter is not as it was");
    }
    assert!(kept.iter().any(|message| message.contains("=00=0A=0D")), "{kept:?}");
    let log = exim.log();
    assert_eq!(log.lines().filter(|line| line.contains(" <= ") && line.contains(" K ")).count(), 3, "{log}");
}

#[test]
fn exim_is_the_sender() {
    if !Exim::available() {
        return skip("Exim is not there (or this is not root)");
    }
    let host = Host::south();
    let exim_folder = folder();
    let exim_setup = EximSetup { hostname: "out.north.example".into(), next_hop: Some(host.posta.smtp) };
    let exim = Exim::start(exim_folder.path(), &exim_setup).expect("Exim starts");
    let letters = [letter("by Exim"), long_letter()];
    let mut client = Smtp::connect(exim.smtp).expect("connects");
    for letter in &letters {
        client.send("alice@north.example", &[BOB], letter).expect("Exim accepts");
    }
    client.quit().expect("says goodbye");
    let held = wait_for_messages(host.posta.pop3, BOB, PASSWORD, letters.len(), DELIVERY_WAIT);
    assert_eq!(held, letters.len(), "{}", exim.log());
    let fetched = fetch_all(host.posta.pop3, BOB, PASSWORD).expect("bob reads");
    let contents: Vec<&[u8]> = fetched.iter().map(|message| below_trace(message, 2)).collect();
    for letter in &letters {
        assert!(contents.contains(&letter.as_slice()), "what Exim sent is not what came");
    }
    let log = exim.log();
    assert_eq!(log.lines().filter(|line| line.contains(" => ") && line.contains(" K ")).count(), 2, "{log}");
}

#[test]
fn exim_is_asked_for_what_it_keeps() {
    if !Exim::available() {
        return skip("Exim is not there (or this is not root)");
    }
    let host = Host::south();
    let exim_folder = folder();
    let exim_setup = EximSetup { hostname: "out.north.example".into(), next_hop: Some(host.posta.smtp) };
    let exim = Exim::start(exim_folder.path(), &exim_setup).expect("Exim starts");
    let said =
        host.posta.command(&["queue", "etrn", &exim.smtp.to_string(), "south.example"]).expect("Exim agrees");
    assert!(said.contains("250"), "{said}");
    let log = exim.log();
    assert!(log.contains("ETRN south.example"), "{log}");
}
