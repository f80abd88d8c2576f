//! When accounts last logged in to fetch mail, for LOGIN-DELAY (RFC 2449 §6.5): whoever polls too often is
//! asked to wait.

use crate::limits::LOGINS_REMEMBERED_MAX;
use posta_store::AccountId;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The last login of each account that had one of late.
#[derive(Debug, Default)]
pub(crate) struct Logins {
    last: Mutex<HashMap<AccountId, Instant>>,
}

impl Logins {
    /// Lets an account in and notes it, or tells for how long it is to wait.
    pub(crate) fn admit(&self, account: AccountId, delay: Duration, now: Instant) -> Result<(), Duration> {
        if delay.is_zero() {
            return Ok(());
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = last.get(&account) {
            let passed = now.saturating_duration_since(*before);
            if passed < delay {
                return Err(delay - passed);
            }
        }
        if last.len() >= LOGINS_REMEMBERED_MAX {
            last.retain(|_, before| now.saturating_duration_since(*before) < delay);
            if last.len() >= LOGINS_REMEMBERED_MAX {
                last.clear();
            }
        }
        last.insert(account, now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_comes_too_soon_waits() {
        let (logins, now) = (Logins::default(), Instant::now());
        let delay = Duration::from_secs(60);
        let second = Duration::from_secs(1);
        let (one, other) = (AccountId(1), AccountId(2));
        assert_eq!(logins.admit(one, delay, now), Ok(()));
        assert_eq!(logins.admit(one, delay, now + 20 * second), Err(40 * second));
        assert_eq!(logins.admit(other, delay, now + 20 * second), Ok(()));
        assert_eq!(logins.admit(one, delay, now + delay), Ok(()), "being refused puts nothing off");
        assert_eq!(logins.admit(one, Duration::ZERO, now + delay), Ok(()));
    }
}
