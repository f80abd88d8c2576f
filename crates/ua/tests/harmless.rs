//! Whatever a stranger wrote: what is shown of it is harmless for a terminal.

use jiff::tz::TimeZone;
use posta_ua::{Summary, View};
use proptest::prelude::*;
use std::{
    io::Write,
    path::{Path, PathBuf},
};

/// All texts that would be shown of a message.
fn shown(message: &[u8]) -> Vec<String> {
    let (view, summary) = (View::of(message, &TimeZone::UTC), Summary::of(message));
    let mut lines: Vec<String> = view.fields.into_iter().map(|(_, value)| value).collect();
    for attachment in view.attachments {
        lines.extend([attachment.name, attachment.media_type]);
    }
    lines.extend([summary.from, summary.from_address, summary.subject]);
    lines.extend(summary.message_id);
    lines.extend(view.text.split('\n').map(|line| line.replace('\t', " ")));
    lines
}

fn is_harmless(line: &str) -> bool {
    !line.chars().any(|c| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

#[test]
fn the_corpus() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpus"));
    let mut found = Vec::new();
    files(folder, &mut found);
    if found.is_empty() {
        let _ = writeln!(std::io::stderr(), "skipped: there is no corpus at {}", folder.display());
        return;
    }
    for path in found {
        let octets = std::fs::read(&path).expect("a file");
        // A few archives lie beside the messages; what is in them is not shown whole.
        let octets = &octets[..octets.len().min(4 << 20)];
        for line in shown(octets) {
            assert!(is_harmless(&line), "{}: {:?}", path.display(), line);
        }
    }
}

fn a_message() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        Just(b"From: \"\x1b[2J\" <a\x07@b.example>\r\n".to_vec()),
        Just(b"Subject: =?utf-8?Q?=1B]0;x=07=C2=9B?=\r\n".to_vec()),
        Just(b"Subject: =?utf-16?B?ABsAWwAyAEo=?=\r\n".to_vec()),
        Just(b"To: =?utf-8?B?4oCu?= <x@y.example>\r\n".to_vec()),
        Just(b"Date: \x1b[1m\r\n".to_vec()),
        Just(b"Content-Type: text/html\r\n".to_vec()),
        Just(b"Content-Type: text/plain; charset=iso-2022-jp\r\n".to_vec()),
        Just(b"Content-Type: multipart/mixed; boundary=b\r\n".to_vec()),
        Just(b"Content-Disposition: attachment; filename*=utf-8''%1b%5b2J%e2%80%ae\r\n".to_vec()),
        Just(b"Content-Transfer-Encoding: quoted-printable\r\n".to_vec()),
        Just(b"\r\n--b\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"<p>&#27;[2J&#x9b;&#x202e;</p>=1B=07".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..30),
    ];
    proptest::collection::vec(part, 0..20).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn anything(message in a_message()) {
        for line in shown(&message) {
            prop_assert!(is_harmless(&line), "{:?}", line);
        }
    }
}
