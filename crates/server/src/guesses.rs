//! Failed logins counted for each account, from wherever they come: many addresses together guess as slowly
//! as one.
//!
//! The count makes the answers to *further failures* slower, and the journal speak up. It never holds back
//! nor refuses the right password: otherwise any stranger could lock a person out by guessing wrongly. What
//! is refused outright is refused to addresses ([`posta_runtime::Peers`]), because those who share one with a
//! guesser are few, and known to each other. Names that nobody has are counted alike, so that the pauses
//! don't tell them apart.

use crate::limits::{GUESSED_NAMES_MAX, GUESSES_TOLD_FROM, GUESSES_WINDOW};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Instant,
};

/// The failures of late, by name.
#[derive(Debug, Default)]
pub(crate) struct Guesses {
    counts: Mutex<HashMap<String, Count>>,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    since: Instant,
    failures: u32,
}

/// What one more failure has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Guessed {
    /// Within the window.
    pub(crate) failures: u32,
    /// Whether this is the time to tell the operator.
    pub(crate) tell: bool,
}

impl Guesses {
    /// Counts a failure for a name: the account's address, or what was typed where there is no account.
    pub(crate) fn note(&self, name: &str, now: Instant) -> Guessed {
        let name: String = name.trim().to_lowercase().chars().take(320).collect();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= GUESSED_NAMES_MAX && !counts.contains_key(&name) {
            counts.retain(|_, count| !count.is_past(now));
            if counts.len() >= GUESSED_NAMES_MAX {
                // Names that were tried once make room for what is being guessed at.
                counts.retain(|_, count| count.failures > 1);
            }
            if counts.len() >= GUESSED_NAMES_MAX {
                counts.clear();
            }
        }
        let count = counts.entry(name).or_insert(Count { since: now, failures: 0 });
        if count.is_past(now) {
            *count = Count { since: now, failures: 0 };
        }
        count.failures = count.failures.saturating_add(1);
        let failures = count.failures;
        let tell =
            failures.is_multiple_of(GUESSES_TOLD_FROM) && (failures / GUESSES_TOLD_FROM).is_power_of_two();
        Guessed { failures, tell }
    }
}

impl Count {
    fn is_past(self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= GUESSES_WINDOW
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_counted_by_name_and_told_ever_more_seldom() {
        let (guesses, now) = (Guesses::default(), Instant::now());
        let told: Vec<u32> = (0..200)
            .map(|_| guesses.note("alice@north.example", now))
            .filter(|guessed| guessed.tell)
            .map(|guessed| guessed.failures)
            .collect();
        assert_eq!(told, [10, 20, 40, 80, 160]);
        assert_eq!(guesses.note(" Alice@North.Example", now).failures, 201);
        assert_eq!(guesses.note("bob@north.example", now).failures, 1);
        assert_eq!(guesses.note("alice@north.example", now + GUESSES_WINDOW).failures, 1);
    }

    #[test]
    fn names_are_bounded_and_what_is_guessed_at_stays() {
        let (guesses, now) = (Guesses::default(), Instant::now());
        guesses.note("alice", now);
        guesses.note("alice", now);
        for number in 0..2 * GUESSED_NAMES_MAX {
            guesses.note(&number.to_string(), now);
        }
        assert!(guesses.counts.lock().expect("not poisoned").len() <= GUESSED_NAMES_MAX);
        assert_eq!(guesses.note("alice", now).failures, 3);
    }
}
