//! A message of 50 MiB passes two hosts and is fetched, and neither host's memory grows with it.

use crate::lab::{BOB, Host, PASSWORD, setup};
use crate::protocol::{Pop3, Smtp, wait_for_messages};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use xtask::peers::process;

const LINES: usize = 50 * 1024 * 1024 / LINE_OCTETS;
const LINE_OCTETS: usize = 64;
/// "A few MiB", for everything that one message makes a host hold.
const GROWTH_MAX: u64 = 16 * 1024 * 1024;

fn line(number: usize) -> String {
    format!("{number:>10} {}\r\n", "a large letter, line by line".repeat(2).split_at(51).0)
}

/// The highest growth of resident memory that was seen while `work` went on.
fn growth_of(pids: [u32; 2], work: impl FnOnce()) -> [u64; 2] {
    let before = pids.map(|pid| process::resident_octets(pid).expect("it runs"));
    let highest = [AtomicU64::new(0), AtomicU64::new(0)];
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                for (pid, highest) in pids.iter().zip(&highest) {
                    highest.fetch_max(process::resident_octets(*pid).unwrap_or(0), Ordering::Relaxed);
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        work();
        done.store(true, Ordering::Relaxed);
    });
    let highest = highest.map(AtomicU64::into_inner);
    [highest[0].saturating_sub(before[0]), highest[1].saturating_sub(before[1])]
}

#[test]
fn fifty_mebibytes_pass_in_a_few_of_memory() {
    let limits = "[smtp]\nsize_max = \"60 MiB\"\n\n";
    let mut south = setup("mx.south.example", "south.example", &[BOB]);
    south.tables = limits.to_owned();
    let south = Host::start(south);
    let mut north = setup("mx.north.example", "north.example", &[]);
    north.tables = format!(
        "{limits}[relay]\nnetworks = [\"127.0.0.0/8\"]\n\n[delivery]\nsmarthost = \"{}\"\n",
        south.posta.smtp
    );
    let north = Host::start(north);
    assert_eq!(line(0).len(), LINE_OCTETS);

    // Checking a password takes memory of its own; the later logins are remembered ones.
    assert_eq!(wait_for_messages(south.posta.pop3, BOB, PASSWORD, 0, Duration::ZERO), 0);
    let growth = growth_of([north.posta.pid(), south.posta.pid()], || {
        let mut client = Smtp::connect(north.posta.smtp).expect("connects");
        client.begin("alice@north.example", &[BOB]).expect("354");
        client.write(b"Subject: large\r\n\r\n").expect("written");
        for first in (0..LINES).step_by(1000) {
            let block: String = (first..LINES.min(first + 1000)).map(line).collect();
            client.write(block.as_bytes()).expect("written");
        }
        client.finish().expect("250");
        client.quit().expect("says goodbye");

        assert_eq!(wait_for_messages(south.posta.pop3, BOB, PASSWORD, 1, Duration::from_mins(2)), 1);
        let mut reader = Pop3::log_in(south.posta.pop3, BOB, PASSWORD).expect("bob logs in");
        let mut expected = 0;
        let mut in_body = false;
        reader
            .retrieve_lines(1, |text| {
                if in_body {
                    assert_eq!(text, line(expected).as_bytes());
                    expected += 1;
                }
                in_body |= text == b"\r\n";
            })
            .expect("RETR");
        assert_eq!(expected, LINES);
        reader.quit().expect("says goodbye");
    });
    println!("growth: relaying host {} KiB, final host {} KiB", growth[0] / 1024, growth[1] / 1024);
    for growth in growth {
        assert!(growth < GROWTH_MAX, "memory grew by {} KiB", growth / 1024);
    }
}
