//! Who is there: live sessions of people (a webmail page that is open, `posta mail watch` in a terminal),
//! and what is put before their eyes at once (RFC 821 §3.4).
//!
//! Whoever serves such a session calls [`Presence::enter`], shows what [`LiveSession::next`] gives, and
//! says [`Offered::take`] once it is really shown: only then is a sender told so. Leaving is dropping the
//! session. Nothing here is kept beyond the session that takes it.

use crate::limits::{
    LIVE_SESSIONS_MAX, LIVE_SESSIONS_PER_ACCOUNT_MAX, NOTICE_LINE_OCTETS_MAX, NOTICE_TEXT_OCTETS_MAX,
    NOTICES_WAITING_MAX, SHOW_PATIENCE,
};
use jiff::Timestamp;
use posta_address::{Mailbox, ReversePath};
use posta_message::Message;
use posta_store::{AccountId, QueueId};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

/// What is shown. All texts are a stranger's and as they came (control characters and all): whoever shows
/// them makes them harmless for its medium. Their sizes are bounded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Why it is shown.
    pub kind: NoticeKind,
    /// The id under which the journal knows the message, and the maildrop where it is kept.
    pub id: QueueId,
    /// When it came.
    pub at: Timestamp,
    /// Whose session it is meant for.
    pub to: Mailbox,
    /// The reverse-path.
    pub sender: ReversePath,
    /// The author as the header section has it, decoded; empty where there is none.
    pub from: String,
    /// Decoded; empty where there is none.
    pub subject: String,
    /// The text; perhaps only its beginning.
    pub text: String,
    /// There is more than `text`: it goes on, or there are attachments.
    pub is_partial: bool,
}

/// Why something is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeKind {
    /// Sent to be shown, and kept nowhere: SEND, or SOML to somebody who is there.
    Message,
    /// Sent to be shown, and in the maildrop as well: SAML.
    MessageAndMail,
    /// Mail that has come into the maildrop.
    Mail,
}

/// A message as far as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) from: String,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) is_partial: bool,
}

impl Shown {
    /// Reads a message, or the beginning of one.
    pub(crate) fn of(octets: &[u8], is_whole: bool) -> Self {
        let message = Message::parse(octets);
        let root = message.root();
        let from = root.from().mailboxes().next().map(|author| match author.name.as_deref() {
            Some(name) if !name.trim().is_empty() => format!("{} <{}>", name.trim(), author.address),
            _ => author.address.to_string(),
        });
        let (text, cut) = bounded(message.readable_text(), NOTICE_TEXT_OCTETS_MAX);
        let (from, _) = bounded(from.unwrap_or_default(), NOTICE_LINE_OCTETS_MAX);
        let (subject, _) = bounded(root.subject().unwrap_or_default().into_owned(), NOTICE_LINE_OCTETS_MAX);
        Shown { from, subject, text, is_partial: cut || !is_whole || !message.attachments().is_empty() }
    }
}

/// So many octets at most, and whether something is missing then.
fn bounded(mut text: String, octets_max: usize) -> (String, bool) {
    let is_long = text.len() > octets_max;
    if is_long {
        text.truncate(text.floor_char_boundary(octets_max));
    }
    (text, is_long)
}

/// No place for another session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("too many live sessions")]
pub struct PresenceFull;

/// The live sessions of one server.
#[derive(Debug, Default)]
pub struct Presence {
    sessions: Mutex<Sessions>,
}

#[derive(Debug, Default)]
struct Sessions {
    entered: u64,
    total: usize,
    by_account: HashMap<AccountId, Vec<Entry>>,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    sender: mpsc::Sender<Offered>,
}

impl Presence {
    /// Somebody is there from now on, until the session is dropped. The caller has checked who it is.
    pub fn enter(self: &Arc<Self>, account: AccountId) -> Result<LiveSession, PresenceFull> {
        let mut sessions = self.lock();
        let own = sessions.by_account.get(&account).map_or(0, Vec::len);
        if sessions.total >= LIVE_SESSIONS_MAX || own >= LIVE_SESSIONS_PER_ACCOUNT_MAX {
            return Err(PresenceFull);
        }
        let (sender, offers) = mpsc::channel(NOTICES_WAITING_MAX);
        sessions.entered += 1;
        sessions.total += 1;
        let number = sessions.entered;
        sessions.by_account.entry(account).or_default().push(Entry { number, sender });
        Ok(LiveSession { presence: self.clone(), account, number, offers })
    }

    /// Whether somebody is there who can be shown something.
    pub fn is_there(&self, account: AccountId) -> bool {
        self.lock().by_account.contains_key(&account)
    }

    /// Whether nobody at all is there.
    pub fn is_empty(&self) -> bool {
        self.lock().total == 0
    }

    /// Puts a notice before every session of the account. A session that does not keep up gets none.
    pub fn offer(&self, account: AccountId, notice: Notice) -> Pending {
        let notice = Arc::new(notice);
        let sessions = self.lock();
        let entries = sessions.by_account.get(&account).map(Vec::as_slice).unwrap_or_default();
        let offered = entries.iter().filter_map(|entry| {
            let (taken, answer) = oneshot::channel();
            entry.sender.try_send(Offered { notice: notice.clone(), taken }).ok().map(|()| answer)
        });
        Pending { answers: offered.collect() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was offered, and by whom it may yet be taken.
#[derive(Debug)]
pub struct Pending {
    answers: Vec<oneshot::Receiver<()>>,
}

impl Pending {
    /// Waits until a session has taken it, for a while. Whether one has.
    pub async fn taken(self) -> bool {
        self.taken_within(SHOW_PATIENCE).await
    }

    async fn taken_within(mut self, patience: Duration) -> bool {
        let any = std::future::poll_fn(|context| {
            use std::{future::Future, pin::Pin, task::Poll};
            let mut is_taken = false;
            self.answers.retain_mut(|answer| match Pin::new(answer).poll(context) {
                Poll::Ready(answer) => {
                    is_taken |= answer.is_ok();
                    false
                }
                Poll::Pending => true,
            });
            match (is_taken, self.answers.is_empty()) {
                (false, false) => Poll::Pending,
                (is_taken, _) => Poll::Ready(is_taken),
            }
        });
        tokio::time::timeout(patience, any).await.unwrap_or(false)
    }
}

/// Something to be shown.
#[derive(Debug)]
pub struct Offered {
    notice: Arc<Notice>,
    taken: oneshot::Sender<()>,
}

impl Offered {
    /// What.
    pub fn notice(&self) -> &Notice {
        &self.notice
    }

    /// It is shown. Its sender may be told so, and has nothing to send again.
    pub fn take(self) {
        // Nobody waits for mail that is only announced.
        let _ = self.taken.send(());
    }
}

/// Somebody who is there.
#[derive(Debug)]
pub struct LiveSession {
    presence: Arc<Presence>,
    account: AccountId,
    number: u64,
    offers: mpsc::Receiver<Offered>,
}

impl LiveSession {
    /// The next thing to show. May be dropped while it waits; nothing is lost by that.
    pub async fn next(&mut self) -> Offered {
        match self.offers.recv().await {
            Some(offered) => offered,
            // The registry holds the other end for as long as this session lives.
            None => std::future::pending().await,
        }
    }
}

impl Drop for LiveSession {
    fn drop(&mut self) {
        let mut sessions = self.presence.lock();
        sessions.total -= 1;
        if let Some(entries) = sessions.by_account.get_mut(&self.account) {
            entries.retain(|entry| entry.number != self.number);
            if entries.is_empty() {
                sessions.by_account.remove(&self.account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: AccountId = AccountId(1);
    const BOB: AccountId = AccountId(2);

    fn notice(text: &str) -> Notice {
        Notice {
            kind: NoticeKind::Message,
            id: QueueId(7),
            at: Timestamp::UNIX_EPOCH,
            to: "ada@north.example".parse().expect("an address"),
            sender: ReversePath::Null,
            from: String::new(),
            subject: String::new(),
            text: text.to_owned(),
            is_partial: false,
        }
    }

    #[tokio::test]
    async fn whoever_is_there_is_shown_it_and_says_so() {
        let presence = Arc::new(Presence::default());
        assert!(!presence.is_there(ADA));
        assert!(!presence.offer(ADA, notice("nobody")).taken().await);

        let mut page = presence.enter(ADA).expect("a place");
        let mut terminal = presence.enter(ADA).expect("a place");
        let _other = presence.enter(BOB).expect("a place");
        let pending = presence.offer(ADA, notice("hello"));
        let left = page.next().await;
        assert_eq!(left.notice().text, "hello");
        // One session of several is enough, and one that goes away is none.
        drop(left);
        terminal.next().await.take();
        assert!(pending.taken().await);

        let pending = presence.offer(ADA, notice("too late"));
        drop((page, terminal));
        assert!(!pending.taken().await);
        assert!(!presence.is_there(ADA) && presence.is_there(BOB));
    }

    #[tokio::test]
    async fn a_session_that_does_not_answer_is_not_waited_for_for_ever() {
        let presence = Arc::new(Presence::default());
        let mut terminal = presence.enter(ADA).expect("a place");
        let pending = presence.offer(ADA, notice("hello"));
        let offered = terminal.next().await;
        assert!(!pending.taken_within(Duration::from_millis(1)).await);
        offered.take();
    }

    #[test]
    fn all_is_bounded() {
        let presence = Arc::new(Presence::default());
        let mut sessions: Vec<_> = (0..LIVE_SESSIONS_PER_ACCOUNT_MAX).map(|_| presence.enter(ADA)).collect();
        assert!(sessions.iter().all(Result::is_ok));
        assert_eq!(presence.enter(ADA).err(), Some(PresenceFull));
        assert!(presence.enter(BOB).is_ok());
        sessions.pop();
        assert!(presence.enter(ADA).is_ok());

        sessions.truncate(1);
        let pending: Vec<_> = (0..=NOTICES_WAITING_MAX).map(|_| presence.offer(ADA, notice("x"))).collect();
        let taken: Vec<_> = pending.iter().map(|pending| pending.answers.len()).collect();
        assert_eq!(taken.iter().sum::<usize>(), NOTICES_WAITING_MAX);
        assert_eq!(taken.last(), Some(&0));
    }

    #[test]
    fn messages_as_they_are_shown() {
        let long = format!("Subject: {}\r\n\r\n{}", "ß".repeat(2000), "é".repeat(40_000));
        // The message, whether it is there as a whole; author, subject, octets of the text, whether more is there.
        let table = [
            (
                "From: Ada <ada@n.example>\r\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n\r\nHi\r\n",
                true,
                ("Ada <ada@n.example>", "Grüße", 4, false),
            ),
            ("Hello\r\n", true, ("", "", 7, false)),
            ("Subject: x\r\n\r\nHi", false, ("", "x", 2, true)),
            ("MIME-Version: 1.0\r\nContent-Type: image/png\r\n\r\nHi", true, ("", "", 0, true)),
        ];
        for (message, is_whole, (from, subject, octets, is_partial)) in table {
            let shown = Shown::of(message.as_bytes(), is_whole);
            let found = (shown.from.as_str(), shown.subject.as_str(), shown.text.len(), shown.is_partial);
            assert_eq!(found, (from, subject, octets, is_partial), "{message}");
        }
        let shown = Shown::of(long.as_bytes(), true);
        assert!(shown.subject.len() <= NOTICE_LINE_OCTETS_MAX && shown.is_partial);
        assert!(shown.text.len() <= NOTICE_TEXT_OCTETS_MAX);
    }
}
