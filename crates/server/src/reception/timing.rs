//! What a message is to wait for, and by when it is to arrive: from what was asked for and what its sender has
//! set, to what is kept with it. Pure.

use jiff::{SignedDuration, Timestamp};
use posta_store::{AccountId, Deadline, Release};
use posta_wire::{Hold, Priority};

/// What a message asks of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Timing {
    /// It waits in the queue, for recipients here too.
    pub(crate) release: Option<Release>,
    /// When it is to have arrived.
    pub(crate) deadline: Option<Deadline>,
    /// What goes before others.
    pub(crate) priority: Priority,
}

/// Who sends, as far as time is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Patience {
    pub(crate) account: AccountId,
    /// Seconds that all it sends waits.
    pub(crate) hold_seconds: u32,
}

/// Until when a message waits: until its sender's own hold is over, and the moment that was asked for has come.
pub(crate) fn release(asked: Option<Hold>, patience: Patience, now: Timestamp) -> Option<Release> {
    let Patience { account, hold_seconds } = patience;
    let held = (hold_seconds > 0)
        .then(|| now.checked_add(SignedDuration::from_secs(hold_seconds.into())).unwrap_or(Timestamp::MAX));
    let wanted = asked.map(|asked| asked.release_at(now)).filter(|at| *at > now);
    let at = held.max(wanted)?;
    Some(Release { at, by: Some(account), of: None, asked })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_counts() {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().expect("a time");
        for (asked, hold_seconds, expected) in [
            (None, 0, None),
            (None, 30, Some("2026-11-23T12:00:30Z")),
            (Some("for;10"), 0, Some("2026-11-23T12:00:10Z")),
            (Some("for;10"), 30, Some("2026-11-23T12:00:30Z")),
            (Some("for;60"), 30, Some("2026-11-23T12:01:00Z")),
            (Some("until;2026-11-23T12:05:00Z"), 30, Some("2026-11-23T12:05:00Z")),
            (Some("until;2026-11-23T11:00:00Z"), 0, None),
            (Some("until;2026-11-23T11:00:00Z"), 1, Some("2026-11-23T12:00:01Z")),
        ] {
            let asked = asked.map(|asked| asked.parse().expect("a hold"));
            let patience = Patience { account: AccountId(1), hold_seconds };
            let at = release(asked, patience, now).map(|release| release.at.to_string());
            assert_eq!(at.as_deref(), expected, "{asked:?} {hold_seconds}");
        }
    }
}
