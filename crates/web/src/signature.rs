//! Addresses that show themselves that they are allowed: pictures inside a message are fetched from a frame
//! that has no origin, so no cookie comes with the request.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use posta_runtime::Entropy;
use std::time::{Duration, Instant};

/// How long such an address holds, at least; at most twice as long.
const HOLDS: Duration = Duration::from_hours(1);

/// Signs with a key that is new in each process.
pub(crate) struct Signer {
    key: [u8; 32],
    since: Instant,
}

impl Signer {
    pub(crate) fn new(entropy: &dyn Entropy) -> Self {
        let mut key = [0; 32];
        entropy.fill(&mut key);
        Signer { key, since: Instant::now() }
    }

    /// For the pictures of one message of one account.
    pub(crate) fn sign(&self, account: &str, message: &str, now: Instant) -> String {
        self.in_period(account, message, self.period(now))
    }

    /// Whether it was signed here a short time ago.
    pub(crate) fn holds(&self, signature: &str, account: &str, message: &str, now: Instant) -> bool {
        let period = self.period(now);
        [Some(period), period.checked_sub(1)].into_iter().flatten().any(|period| {
            // Hashes are compared, so the time tells nothing.
            let right = self.in_period(account, message, period);
            blake3::hash(right.as_bytes()) == blake3::hash(signature.as_bytes())
        })
    }

    fn period(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.since).as_secs() / HOLDS.as_secs()
    }

    fn in_period(&self, account: &str, message: &str, period: u64) -> String {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&period.to_le_bytes());
        hasher.update(&(account.len() as u64).to_le_bytes());
        hasher.update(account.as_bytes());
        hasher.update(message.as_bytes());
        URL_SAFE_NO_PAD.encode(&hasher.finalize().as_bytes()[..20])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use posta_runtime::OsEntropy;

    #[test]
    fn a_signature_holds_for_one_message_of_one_account_for_a_while() {
        let signer = Signer::new(&OsEntropy);
        let now = Instant::now();
        let signature = signer.sign("1", "m1", now);
        assert!(signer.holds(&signature, "1", "m1", now));
        assert!(signer.holds(&signature, "1", "m1", now + HOLDS));
        assert!(!signer.holds(&signature, "1", "m1", now + HOLDS * 2));
        assert!(!signer.holds(&signature, "2", "m1", now));
        assert!(!signer.holds(&signature, "1", "m2", now));
        assert!(!signer.holds("", "1", "m1", now));
        assert!(!Signer::new(&OsEntropy).holds(&signature, "1", "m1", now));
    }
}
