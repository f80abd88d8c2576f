//! Mail comes in by POP3, into the person's own store.
//!
//! What was fetched is known by its UIDL, and stays on the server. A message is durable here before it is noted as
//! fetched: a crash in the middle may bring one twice, but never loses one.

use super::{Access, deliver};
use crate::Maildrop;
use crate::Outside;
use bytes::Bytes;
use jiff::Timestamp;
use posta_message::Message;
use posta_pop3::client::{Credentials, LoginMethod};
use posta_store::{AccountId, DocumentName, Filing, Flags, FolderId, LocalDelivery, MailboxChange, Store};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, watch};

/// Octets of one message that is fetched.
const MESSAGE_OCTETS_MAX: u64 = 128 * 1024 * 1024;
/// How long one look may last.
const LOOK_TIME_MAX: Duration = Duration::from_secs(60 * 60);
/// Messages after which is noted what was fetched.
const NOTED_EVERY: u32 = 20;
/// Octets of a UIDL's hash that are remembered: with 100,000 messages, two are alike in one of three thousand million lives.
const MARK_OCTETS: usize = 8;
/// The document that remembers.
const SEEN: &str = "home/fetched";

type Mark = [u8; MARK_OCTETS];

/// What came of a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fetched {
    /// Messages that came.
    pub messages: u32,
    /// Messages that are too large to be fetched.
    pub too_large: u32,
}

pub(super) struct Fetcher {
    store: Arc<dyn Store>,
    account: AccountId,
    access: Arc<Access>,
    outside: Outside,
    /// One looks at a time: a maildrop is locked by whoever has it open (RFC 1939 §4).
    looking: Mutex<()>,
}

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

impl Fetcher {
    pub(super) fn new(
        store: Arc<dyn Store>,
        account: AccountId,
        access: Arc<Access>,
        outside: Outside,
    ) -> Self {
        Fetcher { store, account, access, outside, looking: Mutex::default() }
    }

    /// Looks that often until told to stop.
    pub(super) async fn run(&self, every: Duration, mut stop: watch::Receiver<bool>) {
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = stop.changed() => return,
                _ = ticks.tick() => {}
            }
            tokio::select! {
                // Hanging up in the middle does no harm.
                _ = stop.changed() => return,
                fetched = self.fetch() => if let Err(error) = fetched {
                    tracing::info!(%error, "mail could not be fetched");
                }
            }
        }
    }

    pub(super) async fn fetch(&self) -> Result<Fetched, String> {
        let _one = self.looking.lock().await;
        match tokio::time::timeout(LOOK_TIME_MAX, self.look()).await {
            Ok(fetched) => fetched,
            Err(_) => Err("it took too long; the next look goes on".to_owned()),
        }
    }

    async fn look(&self) -> Result<Fetched, String> {
        let account = &self.access.account;
        let method = match (account.apop, account.oauth) {
            (true, _) => LoginMethod::Apop,
            (_, true) => LoginMethod::Token,
            _ => LoginMethod::Strongest,
        };
        let credentials =
            Credentials { user: account.user.clone(), secret: self.access.secret().await?, method };
        let mut maildrop =
            Maildrop::open(&self.outside, &account.pop3, credentials, MESSAGE_OCTETS_MAX, None)
                .await
                .map_err(|error| format!("{}: {error}", account.pop3))?;
        let listed = maildrop.list().await.map_err(words)?;
        let seen = self.seen().await?;
        let is_first = seen.is_none();
        let mut seen = seen.unwrap_or_default();
        let mut there = HashSet::new();
        let mut fetched = Fetched::default();
        for message in listed {
            let Some(id) = &message.unique_id else {
                return Err("the server can't tell its messages apart (it has no UIDL)".to_owned());
            };
            let mark = mark(id);
            there.insert(mark);
            if seen.contains(&mark) {
                continue;
            }
            if message.octets > MESSAGE_OCTETS_MAX {
                fetched.too_large += 1;
                continue;
            }
            let octets = Bytes::from(maildrop.read(message.number).await.map_err(words)?);
            self.keep(octets, is_first).await?;
            seen.insert(mark);
            fetched.messages += 1;
            if fetched.messages.is_multiple_of(NOTED_EVERY) && !is_first {
                self.note(&seen).await?;
            }
        }
        if is_first || fetched.messages > 0 || seen.len() != there.len() {
            seen.retain(|mark| there.contains(mark));
            self.note(&seen).await?;
        }
        maildrop.quit().await.map_err(words)?;
        Ok(fetched)
    }

    /// What was there before is an import; what comes later is new mail, for rules and notices. In lists it stands where
    /// it was dated, but never in the future.
    async fn keep(&self, octets: Bytes, is_import: bool) -> Result<(), String> {
        let now = self.outside.clock.timestamp();
        let dated = Message::parse(&octets).root().date().map(|date| date.instant);
        let dated = dated.filter(|date| *date <= now && date.as_second() > 0).unwrap_or(now);
        if is_import {
            let filing = Filing {
                account: self.account,
                folder: FolderId::INBOX,
                flags: Flags::NONE,
                labels: Vec::new(),
                received_at: dated,
            };
            return self.store.append(filing, octets).await.map(drop).map_err(words);
        }
        self.deliver(octets, dated).await.map_err(words)
    }

    async fn deliver(&self, octets: Bytes, dated: Timestamp) -> Result<(), posta_store::StoreError> {
        let (prefix, content) = split_return_path(octets);
        let delivery = LocalDelivery::to_inbox(self.account, prefix);
        deliver(&*self.store, delivery, content, dated, Vec::new()).await
    }

    /// Marks of what was fetched; none before the first look.
    async fn seen(&self) -> Result<Option<HashSet<Mark>>, String> {
        let octets = self.store.document(self.account, &name()?).await.map_err(words)?;
        let marks = |octets: Bytes| {
            octets.chunks_exact(MARK_OCTETS).filter_map(|chunk| Mark::try_from(chunk).ok()).collect()
        };
        Ok(octets.map(marks))
    }

    async fn note(&self, seen: &HashSet<Mark>) -> Result<(), String> {
        if seen.len() * MARK_OCTETS > posta_store::limits::DOCUMENT_OCTETS_MAX {
            return Err(
                "there are too many messages on the server to be remembered: delete some there".into()
            );
        }
        let octets: Vec<u8> = seen.iter().flatten().copied().collect();
        let change = MailboxChange::PutDocument { name: name()?, octets: Bytes::from(octets) };
        self.store.change_mailbox(self.account, vec![change]).await.map_err(words)
    }
}

fn name() -> Result<DocumentName, String> {
    SEEN.parse().map_err(|_| format!("{SEEN} is no name of a document"))
}

fn mark(unique_id: &str) -> Mark {
    let mut mark = [0; MARK_OCTETS];
    mark.copy_from_slice(&blake3::hash(unique_id.as_bytes()).as_bytes()[..MARK_OCTETS]);
    mark
}

/// The `Return-Path:` that the server put first (RFC 5321 §4.4), and the rest. Without one, a field of our own stands there,
/// so that the message is known to have come by mail.
fn split_return_path(octets: Bytes) -> (Bytes, Bytes) {
    let end = octets.windows(2).position(|pair| pair == b"\r\n").map_or(0, |at| at + 2);
    let is_return_path =
        octets[..end].get(..12).is_some_and(|head| head.eq_ignore_ascii_case(b"return-path:"));
    let is_folded = matches!(octets.get(end), Some(b' ' | b'\t'));
    if is_return_path && !is_folded && end <= posta_store::limits::PREFIX_OCTETS_MAX {
        return (octets.slice(..end), octets.slice(end..));
    }
    (Bytes::from_static(b"X-Posta-Fetched: by POP3\r\n"), octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn return_paths_are_split_off() {
        let table: [(&str, &str); 4] = [
            ("Return-Path: <a@b.example>\r\nSubject: x\r\n\r\n", "Return-Path: <a@b.example>\r\n"),
            ("return-path: <>\r\n\r\nx", "return-path: <>\r\n"),
            ("Return-Path:\r\n <a@b.example>\r\n\r\n", "X-Posta-Fetched: by POP3\r\n"),
            ("Subject: x\r\n\r\n", "X-Posta-Fetched: by POP3\r\n"),
        ];
        for (text, expected) in table {
            let (prefix, content) = split_return_path(Bytes::from_static(text.as_bytes()));
            assert_eq!(prefix, expected, "{text:?}");
            let begins = usize::from(expected.starts_with('X'));
            assert_eq!(
                content.len() + prefix.len() * (1 - begins),
                text.len(),
                "nothing is lost of {text:?}"
            );
        }
        assert_eq!(split_return_path(Bytes::new()).1, "");
    }
}
