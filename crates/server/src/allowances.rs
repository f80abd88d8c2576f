//! How much each account may send (RFC 6409 §3.1 leaves it to the site): whoever guesses a password must not
//! send a million letters with it.

use crate::{config::Submission, limits::ALLOWANCE_WINDOW};
use posta_address::Mailbox;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Instant,
};

/// What every account has sent of late. As many entries as there are accounts, at most.
#[derive(Debug, Default)]
pub(crate) struct Allowances {
    spent: Mutex<HashMap<Mailbox, Spent>>,
}

#[derive(Debug, Clone, Copy)]
struct Spent {
    since: Instant,
    messages: u32,
    recipients: u32,
}

impl Allowances {
    /// Whether the account may begin a message.
    pub(crate) fn allows_message(&self, account: &Mailbox, limits: &Submission, now: Instant) -> bool {
        self.has_room(account, now, |spent| below(spent.messages, limits.messages_per_hour))
    }

    /// Whether the account may add a recipient to a message that has so many already.
    pub(crate) fn allows_recipient(
        &self,
        account: &Mailbox,
        before: usize,
        limits: &Submission,
        now: Instant,
    ) -> bool {
        let before = u32::try_from(before).unwrap_or(u32::MAX);
        self.has_room(account, now, |spent| {
            below(spent.recipients.saturating_add(before), limits.recipients_per_hour)
        })
    }

    /// Counts a message that was accepted.
    pub(crate) fn spend(&self, account: &Mailbox, recipients: usize, now: Instant) {
        let mut all = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = Spent { since: now, messages: 0, recipients: 0 };
        let spent = all.entry(account.clone()).or_insert(fresh);
        if is_past(spent, now) {
            *spent = fresh;
        }
        spent.messages = spent.messages.saturating_add(1);
        spent.recipients = spent.recipients.saturating_add(u32::try_from(recipients).unwrap_or(u32::MAX));
    }

    fn has_room(&self, account: &Mailbox, now: Instant, room: impl Fn(&Spent) -> bool) -> bool {
        let all = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        let none = Spent { since: now, messages: 0, recipients: 0 };
        room(all.get(account).filter(|spent| !is_past(spent, now)).unwrap_or(&none))
    }
}

fn is_past(spent: &Spent, now: Instant) -> bool {
    now.saturating_duration_since(spent.since) >= ALLOWANCE_WINDOW
}

/// 0 is no limit.
fn below(count: u32, limit: u32) -> bool {
    limit == 0 || count < limit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_has_its_allowance() {
        let alice: Mailbox = "alice@north.example".parse().expect("a mailbox");
        let limits = Submission { messages_per_hour: 2, recipients_per_hour: 5, ..Submission::default() };
        let (allowances, now) = (Allowances::default(), Instant::now());
        assert!(allowances.allows_message(&alice, &limits, now));
        allowances.spend(&alice, 3, now);
        assert!(allowances.allows_message(&alice, &limits, now));
        assert!(allowances.allows_recipient(&alice, 1, &limits, now));
        assert!(!allowances.allows_recipient(&alice, 2, &limits, now));
        allowances.spend(&alice, 1, now);
        assert!(!allowances.allows_message(&alice, &limits, now));
        let unlimited = Submission { messages_per_hour: 0, recipients_per_hour: 0, ..Submission::default() };
        assert!(allowances.allows_message(&alice, &unlimited, now));
        assert!(allowances.allows_message(&alice, &limits, now + ALLOWANCE_WINDOW));
        let bob: Mailbox = "bob@north.example".parse().expect("a mailbox");
        assert!(allowances.allows_message(&bob, &limits, now));
    }
}
