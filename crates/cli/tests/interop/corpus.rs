//! Each message of the shared corpus goes by SMTP to one host, by SMTP to the next, which the DNS names,
//! and by POP3 to its reader: below the trace fields it must be the same, octet for octet.

use crate::lab::{BOB, Host, PASSWORD, below_trace, setup};
use crate::protocol::{Pop3, Smtp, wait_for_messages};
use posta_dns::{Zone, ZoneServer};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// All of it is relayed within this, unless something is wrong.
const RELAY_WAIT: Duration = Duration::from_mins(3);

/// What lies in the corpus beside messages: descriptions, expected results, configurations.
const NOT_MESSAGES: &[&str] = &[
    "json", "md", "yml", "xml", "error", "readme", "cmy", "com", "org", "dns", "key", "py", "rs", "gz", "zip",
];

/// Why a file can't go by SMTP as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Unsendable {
    /// RFC 5321 §2.3.8: CR occurs only before LF.
    BareCr,
    /// RFC 5321 §4.5.2 carries 7-bit or 8-bit text; RFC 6152 §2 has no place for the octet zero.
    Nul,
    /// RFC 5321 §6.3: so many `Received:` fields are taken for a loop.
    Loop,
}

/// The octets as they are sent: bare LF made CRLF, and a CRLF at the end.
fn as_wire(file: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(file.len() + file.len() / 32 + 2);
    for octet in file {
        if *octet == b'\n' && wire.last() != Some(&b'\r') {
            wire.push(b'\r');
        }
        wire.push(*octet);
    }
    if !wire.ends_with(b"\r\n") {
        wire.extend_from_slice(b"\r\n");
    }
    wire
}

fn unsendable(wire: &[u8]) -> Option<Unsendable> {
    if wire.iter().enumerate().any(|(at, octet)| *octet == b'\r' && wire.get(at + 1) != Some(&b'\n')) {
        return Some(Unsendable::BareCr);
    }
    if wire.contains(&0) {
        return Some(Unsendable::Nul);
    }
    let received = wire.split(|octet| *octet == b'\n').take_while(|line| *line != b"\r");
    let received = received.filter(|line| line.to_ascii_lowercase().starts_with(b"received:")).count();
    (received >= 99).then_some(Unsendable::Loop)
}

fn message_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("readable").map(|entry| entry.expect("readable").path()) {
        let extension = entry.extension().unwrap_or_default().to_string_lossy().into_owned();
        let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if entry.is_dir() {
            message_files(&entry, files);
        } else if !NOT_MESSAGES.contains(&extension.as_str()) && name != "LICENSE" {
            files.push(entry);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_message_of_the_corpus_arrives_as_it_was() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    if !corpus.is_dir() {
        println!("skipped: the shared corpus is not here");
        return;
    }
    let zone = "south.example. 60 IN MX 10 mx.south.example.\nmx.south.example. 60 IN A 127.0.0.1\n";
    let dns =
        ZoneServer::start(SocketAddr::from(([127, 0, 0, 1], 0)), Zone::parse(zone).expect("a zone"), None)
            .await
            .expect("DNS starts");
    let dns_address = dns.address();
    tokio::task::spawn_blocking(move || {
        let mut files = Vec::new();
        message_files(&corpus, &mut files);
        files.sort();
        assert!(files.len() > 500, "only {} messages in the corpus", files.len());
        round_trip(&files, dns_address);
    })
    .await
    .expect("the test's body");
    dns.stop().await;
}

fn round_trip(files: &[PathBuf], dns: SocketAddr) {
    let limits = "[smtp]\nsize_max = \"60 MiB\"\n\n";
    let mut south = setup("mx.south.example", "south.example", &[BOB]);
    south.tables = limits.to_owned();
    let south = Host::start(south);
    let mut north = setup("mx.north.example", "north.example", &[]);
    north.dns = vec![dns];
    north.tables = format!(
        "{limits}[relay]\nnetworks = [\"127.0.0.0/8\"]\n\n[delivery.host_ports]\n\"mx.south.example\" = {}\n",
        south.posta.smtp.port()
    );
    let north = Host::start(north);

    let mut expected: BTreeMap<Vec<u8>, (usize, &Path)> = BTreeMap::new();
    let mut skipped: BTreeMap<Unsendable, Vec<&Path>> = BTreeMap::new();
    let mut client = Smtp::connect(north.posta.smtp).expect("connects");
    let mut sent = 0;
    for file in files {
        let wire = as_wire(&std::fs::read(file).expect("readable"));
        if let Some(reason) = unsendable(&wire) {
            skipped.entry(reason).or_default().push(file);
            continue;
        }
        client
            .send("alice@north.example", &[BOB], &wire)
            .unwrap_or_else(|error| panic!("{} was not accepted: {error}", file.display()));
        sent += 1;
        expected.entry(wire).or_insert((0, file)).0 += 1;
    }
    client.quit().expect("says goodbye");

    let arrived = wait_for_messages(south.posta.pop3, BOB, PASSWORD, sent, RELAY_WAIT);
    assert_eq!(arrived, sent, "{}", north.posta.command(&["queue", "list"]).expect("the queue"));
    let mut reader = Pop3::log_in(south.posta.pop3, BOB, PASSWORD).expect("bob logs in");
    for number in 1..=arrived {
        let message = reader.retrieve(number).expect("bob reads");
        let content = below_trace(&message, 2);
        match expected.get_mut(content) {
            Some((count, _)) if *count > 0 => *count -= 1,
            _ => panic!("changed on the way: {}", difference(content, &expected)),
        }
    }
    reader.quit().expect("says goodbye");
    let missing: Vec<&Path> =
        expected.values().filter(|(count, _)| *count > 0).map(|(_, file)| *file).collect();
    assert!(missing.is_empty(), "didn't arrive: {missing:?}");
    println!("{sent} messages arrived as they were");
    for (reason, files) in &skipped {
        let names: Vec<_> = files.iter().filter_map(|file| file.file_name()).collect();
        println!("{} skipped, {reason:?}: {names:?}", files.len());
    }
    let skipped: usize = skipped.values().map(Vec::len).sum();
    assert!(skipped * 20 < sent, "{skipped} were skipped, too many to be believed");
}

/// Where a changed content leaves the message that it was.
fn difference(content: &[u8], expected: &BTreeMap<Vec<u8>, (usize, &Path)>) -> String {
    let common = |wire: &[u8]| wire.iter().zip(content).take_while(|(sent, came)| sent == came).count();
    let Some((wire, (_, file))) = expected.iter().max_by_key(|(wire, _)| common(wire)) else {
        return "nothing was sent".to_owned();
    };
    let at = common(wire);
    let shown = |text: &[u8]| String::from_utf8_lossy(&text[at..text.len().min(at + 60)]).into_owned();
    format!("{} at octet {at}: sent {:?}, came {:?}", file.display(), shown(wire), shown(content))
}

#[test]
fn what_smtp_cannot_carry_is_known() {
    assert_eq!(as_wire(b"a\nb\r\nc"), b"a\r\nb\r\nc\r\n");
    assert_eq!(unsendable(b"a\r\nb\r\n"), None);
    assert_eq!(unsendable(b"a\rb\r\n"), Some(Unsendable::BareCr));
    assert_eq!(unsendable(b"a\0b\r\n"), Some(Unsendable::Nul));
    assert_eq!(unsendable("Received: x\r\n".repeat(100).as_bytes()), Some(Unsendable::Loop));
}
