//! What can be asked of the journal, and a quick test of a line before it is parsed.

use crate::{Event, Record, story::is_login};
use memchr::memmem::Finder;
use posta_address::{ForwardPath, Mailbox, ReversePath};
use std::net::IpAddr;

/// Which records are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// All.
    All,
    /// About this queue id (reports about it and by it included).
    QueueId(String),
    /// With this `Message-ID`; with or without angle brackets.
    MessageId(String),
    /// With this address as reverse-path, recipient (before or after expansion) or account.
    Address(Mailbox),
    /// From this peer.
    Peer(IpAddr),
}

impl Query {
    /// Whether the record is wanted.
    pub fn matches(&self, record: &Record) -> bool {
        let event = &record.event;
        match self {
            Query::All => true,
            Query::QueueId(wanted) => {
                event.queue_id() == Some(wanted)
                    || matches!(event, Event::Reported { report, .. } if report == wanted)
            }
            Query::MessageId(wanted) => match event {
                Event::Accepted { message_id: Some(found), .. }
                | Event::Refused { message_id: Some(found), .. } => bare(found) == bare(wanted),
                _ => false,
            },
            Query::Address(wanted) => names_address(event, wanted),
            Query::Peer(wanted) => match event {
                Event::Session { peer, .. } => peer.ip() == *wanted,
                Event::Refused { peer, .. } | Event::Guessed { peer, .. } => peer == wanted,
                Event::Accepted { peer, .. } => *peer == Some(*wanted),
                _ => false,
            },
        }
    }

    /// Octets that every wanted line holds, if there are such.
    pub(crate) fn needle(&self) -> Option<String> {
        match self {
            Query::All => None,
            Query::QueueId(id) => Some(format!("\"{}\"", escaped(id))),
            Query::MessageId(id) => Some(escaped(bare(id))),
            // The domain is lower-case in every line; the local-part's case may differ.
            Query::Address(mailbox) => Some(format!("@{}", escaped(&mailbox.host().to_string()))),
            Query::Peer(address) => Some(address.to_string()),
        }
    }

    /// A test of raw lines that never says no to a wanted one.
    pub(crate) fn sieve(&self) -> Sieve {
        let local_part = match self {
            Query::Address(mailbox) => Some(escaped(&mailbox.local_part().to_string())),
            _ => None,
        };
        Sieve { finder: self.needle().map(|needle| Finder::new(needle.as_bytes()).into_owned()), local_part }
    }
}

/// See [`Query::sieve`].
pub(crate) struct Sieve {
    finder: Option<Finder<'static>>,
    /// Stands before the needle, in any case.
    local_part: Option<String>,
}

impl Sieve {
    pub(crate) fn passes(&self, line: &[u8]) -> bool {
        let Some(finder) = &self.finder else { return true };
        let Some(local_part) = &self.local_part else { return finder.find(line).is_some() };
        finder.find_iter(line).any(|at| {
            at.checked_sub(local_part.len())
                .is_some_and(|start| line[start..at].eq_ignore_ascii_case(local_part.as_bytes()))
        })
    }
}

/// As it stands inside a JSON string.
fn escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// A Message-ID without its angle brackets.
pub(crate) fn bare(message_id: &str) -> &str {
    let inner = message_id.trim();
    inner.strip_prefix('<').unwrap_or(inner).strip_suffix('>').unwrap_or(inner.trim_start_matches('<'))
}

/// Local-parts compare without regard to ASCII case: our own accounts do so (RFC 5321 §2.4 leaves it
/// to the host), and who looks for a stranger's address seldom means the case.
pub(crate) fn same_address(a: &Mailbox, b: &Mailbox) -> bool {
    a.host() == b.host() && a.local_part().as_str().eq_ignore_ascii_case(b.local_part().as_str())
}

fn names_address(event: &Event, wanted: &Mailbox) -> bool {
    let is = |found: &Mailbox| same_address(found, wanted);
    let reverse = |path: &ReversePath| path.mailbox().is_some_and(is);
    let forward = |path: &ForwardPath| path.mailbox().is_some_and(is);
    match event {
        Event::Refused { from, to, stage, reason, .. } => {
            from.as_ref().is_some_and(reverse)
                || to.as_ref().is_some_and(forward)
                // Whose maildrop it was about stands in the reason only.
                || is_login(stage) && reason.to_ascii_lowercase().contains(&wanted.to_string().to_ascii_lowercase())
        }
        Event::Accepted { from, to, .. } => reverse(from) || to.iter().any(forward),
        Event::Expanded { address, into, .. } => is(address) || into.iter().any(is),
        Event::Outcome { to, original, .. } => is(to) || original.as_ref().is_some_and(forward),
        Event::Reported { to, .. } => is(to),
        Event::Fetched { account, .. } => is(account),
        Event::Guessed { account, .. } => Mailbox::parse(account).is_ok_and(|account| is(&account)),
        Event::Session { .. }
        | Event::Routed { .. }
        | Event::Secured { .. }
        | Event::Operator { .. }
        | Event::Lost { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(from: &str, to: &str, message_id: Option<&str>) -> Record {
        Record {
            at: "2026-11-23T18:45:00Z".parse().expect("a time"),
            event: Event::Refused {
                session: 1,
                peer: "192.0.2.7".parse().expect("an address"),
                stage: "rcpt".into(),
                from: Some(from.parse().expect("a path")),
                to: Some(to.parse().expect("a path")),
                message_id: message_id.map(str::to_owned),
                reply: "550 5.7.1 no".into(),
                reason: "relaying denied".into(),
            },
        }
    }

    #[track_caller]
    fn check(query: &Query, record: &Record, expected: bool) {
        let line = serde_json::to_vec(record).expect("serializes");
        assert_eq!(query.matches(record), expected, "{query:?}");
        assert!(!expected || query.sieve().passes(&line), "the sieve must let {query:?} through");
    }

    #[test]
    fn queries_match_and_their_sieves_let_the_matches_through() {
        let record = refused("<Eve@Evil.example>", "<\"we \\\"ird\"@north.example>", Some("<a\\b\"c@x>"));
        let address = |text: &str| Query::Address(text.parse().expect("an address"));
        check(&address("eve@evil.example"), &record, true);
        check(&address("\"we \\\"ird\"@north.example"), &record, true);
        check(&address("eva@evil.example"), &record, false);
        check(&Query::MessageId("a\\b\"c@x".into()), &record, true);
        check(&Query::MessageId("<a\\b\"c@x>".into()), &record, true);
        check(&Query::MessageId("a@x".into()), &record, false);
        check(&Query::Peer("192.0.2.7".parse().expect("an address")), &record, true);
        check(&Query::Peer("192.0.2.8".parse().expect("an address")), &record, false);
        check(&Query::QueueId("0dqzt4x9h2k3m".into()), &record, false);
    }

    #[test]
    fn a_message_id_loses_only_its_brackets() {
        for (given, expected) in
            [("<a@b>", "a@b"), ("a@b", "a@b"), (" <a@b> ", "a@b"), ("<a@b", "a@b"), ("<>", "")]
        {
            assert_eq!(bare(given), expected);
        }
    }
}
