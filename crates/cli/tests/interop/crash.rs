//! `kill -9` and SIGTERM under load: what was acknowledged is there, in a maildrop exactly once.

use crate::lab::{BOB, Host, PASSWORD, setup};
use crate::protocol::{Pop3, Smtp, fetch_all, wait_for_messages};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const ROUNDS: usize = 10;
const SENDERS: usize = 8;
/// Acknowledged in each round before the blow, at least.
const LOAD: usize = 100;
/// So much load comes well within this, unless something is wrong.
const LOAD_WAIT: Duration = Duration::from_mins(2);

const USERS: [&str; 4] = [BOB, "carol@south.example", "dave@south.example", "erin@south.example"];
const REMOTE: &str = "frank@far.example";

/// A message that its token can be read from again.
fn message(token: &str) -> Vec<u8> {
    let mut text = format!("From: load@north.example\r\nSubject: {token}\r\n\r\n");
    for line in 0..60 {
        text.push_str(&format!("{token} {line} {}\r\n", "-".repeat(50)));
    }
    text.into_bytes()
}

/// The token of a retrieved message, which must be whole.
fn token_of(message_read: &[u8]) -> String {
    let text = String::from_utf8_lossy(message_read);
    let token = text.lines().find_map(|line| line.strip_prefix("Subject: ")).expect("it has its subject");
    assert!(message_read.ends_with(&message(token)), "{token} is damaged:\n{text}");
    token.to_owned()
}

/// Sends until the server is gone; gives the tokens of what it acknowledged.
fn send_until_the_end(
    smtp: SocketAddr,
    name: &str,
    to_remote: bool,
    acknowledged: &AtomicUsize,
) -> BTreeSet<String> {
    let mut tokens = BTreeSet::new();
    let Ok(mut client) = Smtp::connect(smtp) else { return tokens };
    for number in 0.. {
        let token = format!("{name}-{number}");
        let mut recipients = vec![USERS[number % USERS.len()]];
        if to_remote {
            recipients.push(REMOTE);
        }
        if client.send("load@north.example", &recipients, &message(&token)).is_err() {
            break;
        }
        tokens.insert(token);
        acknowledged.fetch_add(1, Ordering::Relaxed);
    }
    tokens
}

/// Loads the server, strikes when enough has been acknowledged, gives what was.
fn load_and_strike(
    host: &mut Host,
    name: &str,
    to_remote: bool,
    strike: impl FnOnce(&mut Host),
) -> BTreeSet<String> {
    let smtp = host.posta.smtp;
    let acknowledged = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let (name, acknowledged) = (format!("{name}-{sender}"), &acknowledged);
                scope.spawn(move || send_until_the_end(smtp, &name, to_remote, acknowledged))
            })
            .collect();
        let deadline = Instant::now() + LOAD_WAIT;
        while acknowledged.load(Ordering::Relaxed) < LOAD && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        strike(host);
        let tokens: BTreeSet<String> =
            senders.into_iter().flat_map(|sender| sender.join().expect("a sender")).collect();
        assert!(tokens.len() >= LOAD, "only {} acknowledged\n{}", tokens.len(), host.posta.log());
        tokens
    })
}

/// Reads and deletes all that lies in the maildrops; what comes back later counts again.
fn take_all(host: &Host, seen: &mut BTreeMap<String, usize>) {
    for user in USERS {
        let mut reader = Pop3::log_in(host.posta.pop3, user, PASSWORD).expect("logs in");
        let count = reader.count().expect("STAT");
        for number in 1..=count {
            *seen.entry(token_of(&reader.retrieve(number).expect("RETR"))).or_default() += 1;
            reader.command(&format!("DELE {number}")).expect("DELE");
        }
        reader.quit().expect("QUIT");
    }
}

fn assert_exactly_once(acknowledged: &BTreeSet<String>, seen: &BTreeMap<String, usize>) {
    let lost: Vec<&String> = acknowledged.iter().filter(|token| !seen.contains_key(*token)).collect();
    assert!(lost.is_empty(), "{} of {} acknowledged were lost: {lost:?}", lost.len(), acknowledged.len());
    let doubled: Vec<_> = seen.iter().filter(|(_, count)| **count > 1).collect();
    assert!(doubled.is_empty(), "delivered more than once: {doubled:?}");
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let far = Host::start(setup("mx.far.example", "far.example", &[REMOTE]));
    let mut setup = setup("mx.south.example", "south.example", &USERS);
    setup.tables = format!(
        "[relay]\nnetworks = [\"127.0.0.0/8\"]\n\n[delivery]\nsmarthost = \"{}\"\nretry_after = [\"1s\"]\n",
        far.posta.smtp
    );
    let mut host = Host::start(setup);
    let mut acknowledged = BTreeSet::new();
    let mut seen = BTreeMap::new();
    for round in 0..ROUNDS {
        let tokens = load_and_strike(&mut host, &format!("r{round}"), true, |host| {
            // A different moment in each round.
            std::thread::sleep(Duration::from_millis(37 * round as u64));
            host.posta.kill().expect("it was running");
        });
        acknowledged.extend(tokens);
        host.posta.restart().expect("it starts again");
        take_all(&host, &mut seen);
        assert_exactly_once(&acknowledged, &seen);
    }
    println!("{} acknowledged over {ROUNDS} kills, {} delivered", acknowledged.len(), seen.len());

    // What was for elsewhere reaches it, at least once (RFC 5321 §4.5.4.1 allows no better after a crash).
    let arrived = wait_for_messages(far.posta.pop3, REMOTE, PASSWORD, seen.len(), Duration::from_mins(2));
    assert!(arrived >= acknowledged.len(), "{arrived} of {} arrived far away", acknowledged.len());
    let far_tokens: BTreeSet<String> = fetch_all(far.posta.pop3, REMOTE, PASSWORD)
        .expect("frank reads")
        .iter()
        .map(|message| token_of(message))
        .collect();
    let lost: Vec<&String> = acknowledged.difference(&far_tokens).collect();
    assert!(lost.is_empty(), "{} were not relayed: {lost:?}", lost.len());
    host.posta.command(&["audit"]).expect("the audit finds no difference");
    host.posta.kill().expect("it was running");
    host.posta.command(&["store", "check"]).expect("volumes and index agree");
}

#[test]
fn sigterm_under_load_loses_nothing() {
    let mut host = Host::start(setup("mx.south.example", "south.example", &USERS));
    let acknowledged =
        load_and_strike(&mut host, "term", false, |host| host.posta.terminate().expect("it was running"));
    let status = host.posta.wait(Duration::from_mins(1)).expect("it ends");
    assert!(status.success(), "{status}\n{}", host.posta.log());
    host.posta.restart().expect("it starts again");
    let mut seen = BTreeMap::new();
    take_all(&host, &mut seen);
    assert_exactly_once(&acknowledged, &seen);
    // A graceful end leaves no message half acknowledged.
    assert_eq!(seen.len(), acknowledged.len());
}

#[test]
fn an_open_transaction_finishes_after_sigterm() {
    let mut host = Host::start(setup("mx.south.example", "south.example", &[BOB]));
    let mut idle = Smtp::connect(host.posta.smtp).expect("connects");
    let mut busy = Smtp::connect(host.posta.smtp).expect("connects");
    let content = message("open");
    busy.begin("load@north.example", &[BOB]).expect("354");
    busy.write(&content[..100]).expect("written");
    host.posta.terminate().expect("it was running");
    // RFC 5321 §3.8: 421 to who has nothing open.
    assert!(idle.reply().expect("a reply").starts_with("421"));
    busy.write(&content[100..]).expect("written");
    busy.finish().expect("250 after the final dot");
    assert!(host.posta.wait(Duration::from_mins(1)).expect("it ends").success());
    host.posta.restart().expect("it starts again");
    let held = fetch_all(host.posta.pop3, BOB, PASSWORD).expect("bob reads");
    assert_eq!(held.iter().map(|message| token_of(message)).collect::<Vec<_>>(), ["open"]);
}
