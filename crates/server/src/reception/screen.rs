//! Before the eyes of whoever is logged in: SEND, SOML, SAML (RFC 821 §3.4), and mail that is announced.
//!
//! A 250 for SEND says that a session has taken the message, not that it was put into some queue: the
//! reply waits for the session's word.

use super::transaction::Transaction;
use crate::{
    host::Host,
    limits::NOTICE_READ_OCTETS_MAX,
    presence::{Notice, NoticeKind, Shown},
    recipients::{Dropped, Place, Target},
};
use posta_address::ReversePath;
use posta_smtp::Delivery;
use posta_store::{AccountId, ContentRef, QueueId};

/// Why a recipient's message is kept nowhere.
pub(crate) const RULE_SHOWN: &str =
    "shown at once to whom it is for, who is logged in, and kept nowhere (SEND, SOML)";

/// The account behind a target.
fn account(target: &Target) -> Option<AccountId> {
    match target.place {
        Place::Maildrop { account, .. } => Some(account),
        _ => None,
    }
}

/// Whether all of these have a live session.
pub(crate) fn are_there(host: &Host, targets: &[Target]) -> bool {
    let is_there = |target: &Target| account(target).is_some_and(|account| host.presence.is_there(account));
    !targets.is_empty() && targets.iter().all(is_there)
}

/// What became of showing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Those to whom it was shown are no targets any more.
    Shown,
    /// More than can be shown; nobody has seen anything.
    Unshowable,
}

/// SEND and SOML: shows the message to the targets that are there. Those who took it get no mail: they
/// leave the targets, and are counted by [`RULE_SHOWN`].
pub(crate) async fn show(host: &Host, transaction: &mut Transaction, id: QueueId) -> Outcome {
    let shown = transaction.gathered.shown();
    // A part of a message that is kept nowhere would be a loss.
    if shown.is_partial {
        return Outcome::Unshowable;
    }
    let pending: Vec<_> = transaction
        .targets
        .iter()
        .map(|(_, target)| {
            let notice = notice(host, transaction, target, (id, NoticeKind::Message), shown.clone());
            account(target).map(|account| host.presence.offer(account, notice).taken())
        })
        .collect();
    // One after another, but all have been asked: the waiting is that for the slowest.
    let mut taken = Vec::with_capacity(pending.len());
    for pending in pending {
        taken.push(match pending {
            Some(pending) => pending.await,
            None => false,
        });
    }
    let mut taken = taken.into_iter();
    let (seen, rest) =
        std::mem::take(&mut transaction.targets).into_iter().partition(|_| taken.next().unwrap_or(false));
    transaction.targets = rest;
    let seen: Vec<(usize, Target)> = seen;
    transaction
        .dropped
        .extend(seen.into_iter().map(|(_, target)| Dropped { mailbox: target.mailbox, rule: RULE_SHOWN }));
    Outcome::Shown
}

fn notice(
    host: &Host,
    transaction: &Transaction,
    target: &Target,
    (id, kind): (QueueId, NoticeKind),
    shown: Shown,
) -> Notice {
    let Shown { from, subject, text, is_partial } = shown;
    Notice {
        kind,
        id,
        at: host.clock.timestamp(),
        to: target.mailbox.clone(),
        sender: transaction.reverse_path.clone(),
        from,
        subject,
        text,
        is_partial,
    }
}

/// Tells those who are there of what has just been put into their maildrops under this reverse-path (SAML:
/// shows it).
pub(crate) async fn announce(
    host: &Host,
    transaction: &Transaction,
    id: QueueId,
    reverse_path: ReversePath,
    size_octets: u64,
) {
    let kind = match transaction.delivery {
        Delivery::SendAndMail => NoticeKind::MessageAndMail,
        _ => NoticeKind::Mail,
    };
    let content = ContentRef { id, size_octets, hint: (0, 0) };
    // They see it sooner or later in any case.
    let Ok(octets) = host.store.read(&content, 0, NOTICE_READ_OCTETS_MAX).await else { return };
    let shown = Shown::of(&octets, octets.len() as u64 >= size_octets);
    let targets = transaction.targets.iter().map(|(_, target)| target);
    for target in targets.filter(|target| transaction.reverse_path_for(target) == reverse_path) {
        if let Some(account) = account(target).filter(|account| host.presence.is_there(*account)) {
            let notice = notice(host, transaction, target, (id, kind), shown.clone());
            drop(host.presence.offer(account, notice));
        }
    }
}

/// Whether there is anybody to be told now. What waits for its time in the queue has not come yet.
pub(crate) fn concerns_anybody(host: &Host, transaction: &Transaction) -> bool {
    let mut accounts = transaction.targets.iter().filter_map(|(_, target)| account(target));
    let has_come = transaction.timing.release.is_none();
    has_come && !host.presence.is_empty() && accounts.any(|account| host.presence.is_there(account))
}
