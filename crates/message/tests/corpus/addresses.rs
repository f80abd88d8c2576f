//! Single addresses, valid and not.

use crate::corpus;
use crate::differences::Report;
use posta_message::build::NamedMailbox;
use posta_message::field::address;

/// Whether a text is one mailbox that keeps to the grammar.
fn is_valid(text: &str) -> bool {
    let list = address::parse(text.as_bytes());
    let mut mailboxes = list.mailboxes();
    let (first, more) = (mailboxes.next(), mailboxes.next());
    list.is_clean && more.is_none() && first.is_some_and(|mailbox| NamedMailbox::try_from(mailbox).is_ok())
}

#[test]
fn mailboxes_of_flanker() {
    let Some(corpus) = corpus() else { return };
    let mut report = Report::new("flanker-addresses:");
    for entry in std::fs::read_dir(corpus.join("flanker-addresses")).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        // Abridged ones are only local-parts.
        let (kind, domain) = match name.strip_prefix("abridged_localpart_") {
            Some(kind) => (kind, "@example.com"),
            None => (name.strip_prefix("mailbox_").unwrap_or("invalid"), ""),
        };
        if !name.ends_with(".txt") {
            continue;
        }
        let expected = if kind.starts_with("valid") { "valid" } else { "invalid" };
        let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let ours = if is_valid(&format!("{line}{domain}")) { "valid" } else { "invalid" };
            report.compare(&format!("flanker-addresses:{line}"), kind, ours, expected);
        }
    }
    report.finish(180);
}
