//! The second factor: codes of an authenticator app (TOTP, RFC 6238), and a few codes on paper.

use crate::escape::escaped;
use jiff::Timestamp;
use posta_runtime::Entropy;
use posta_server::web::WebHost;
use posta_store::{AccountId, DocumentName, MailboxChange};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};
use totp_rs::{Builder, Secret, Totp};

/// The account's document that holds it.
fn document_name() -> DocumentName {
    "web/second-factor".parse().expect("visible ASCII, and short")
}

/// Codes on paper.
const RECOVERY_CODES: usize = 8;

/// What is kept of an account's second factor.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SecondFactor {
    /// Base32 (RFC 4648 §6), as apps take it.
    secret: String,
    /// BLAKE3 of those that were not used yet.
    recovery: Vec<String>,
    pub(crate) since: Timestamp,
}

/// A secret that is shown, but not confirmed yet.
pub(crate) struct Proposal {
    /// To be typed in.
    pub(crate) secret: String,
    /// To be scanned.
    pub(crate) url: String,
}

/// Why codes can't be checked.
pub(crate) struct Unavailable;

/// All accounts' second factors.
pub(crate) struct SecondFactors {
    host: WebHost,
    /// The step of each account's last code: none works twice (RFC 6238 §5.2).
    used: Mutex<HashMap<AccountId, u64>>,
    /// Held while a document is read, changed and written.
    changing: tokio::sync::Mutex<()>,
}

impl SecondFactors {
    pub(crate) fn new(host: WebHost) -> Self {
        SecondFactors { host, used: Mutex::default(), changing: tokio::sync::Mutex::default() }
    }

    /// The account's, if it has one.
    pub(crate) async fn of(&self, account: AccountId) -> Result<Option<SecondFactor>, Unavailable> {
        let kept = self.host.store().document(account, &document_name()).await.map_err(|_| Unavailable)?;
        let read = |octets: bytes::Bytes| serde_json::from_slice(&octets).map_err(|_| Unavailable);
        // One that can't be read is no reason to do without.
        kept.map(read).transpose()
    }

    /// A new secret.
    pub(crate) fn propose(&self, account: &str) -> Proposal {
        let mut octets = [0; 20];
        self.host.entropy().fill(&mut octets);
        let secret = Secret::from(octets.to_vec()).to_base32();
        let issuer = escaped(&self.host.hostname().to_string());
        let url = format!("otpauth://totp/{issuer}:{}?secret={secret}&issuer={issuer}", escaped(account));
        Proposal { secret, url }
    }

    /// Keeps a secret whose owner has shown that the app has it; returns the codes for paper.
    pub(crate) async fn keep(
        &self,
        account: AccountId,
        secret: &str,
        code: &str,
    ) -> Result<Option<Vec<String>>, Unavailable> {
        let Some(step) = step_of(secret, code, self.now()) else { return Ok(None) };
        if !self.is_new(account, step) {
            return Ok(None);
        }
        let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| recovery_code(&**self.host.entropy())).collect();
        let factor = SecondFactor {
            secret: secret.to_owned(),
            recovery: codes.iter().map(|code| hash(code)).collect(),
            since: self.host.clock().timestamp(),
        };
        let _turn = self.changing.lock().await;
        self.put(account, &factor).await?;
        Ok(Some(codes))
    }

    /// Goes without again.
    pub(crate) async fn remove(&self, account: AccountId) -> Result<(), Unavailable> {
        let _turn = self.changing.lock().await;
        let change = MailboxChange::RemoveDocument { name: document_name() };
        self.host.store().change_mailbox(account, vec![change]).await.map(|_| ()).map_err(|_| Unavailable)
    }

    /// Whether a code is right: of the app, or from paper, which then is used up.
    pub(crate) async fn check(&self, account: AccountId, code: &str) -> Result<bool, Unavailable> {
        let _turn = self.changing.lock().await;
        let Some(mut factor) = self.of(account).await? else { return Ok(true) };
        let code: String = code.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
        if let Some(step) = step_of(&factor.secret, &code, self.now()) {
            return Ok(self.is_new(account, step));
        }
        let hash = hash(&code);
        let before = factor.recovery.len();
        factor.recovery.retain(|known| *known != hash);
        if factor.recovery.len() == before {
            return Ok(false);
        }
        self.put(account, &factor).await?;
        Ok(true)
    }

    async fn put(&self, account: AccountId, factor: &SecondFactor) -> Result<(), Unavailable> {
        let octets = serde_json::to_vec(factor).map_err(|_| Unavailable)?.into();
        let change = MailboxChange::PutDocument { name: document_name(), octets };
        self.host.store().change_mailbox(account, vec![change]).await.map(|_| ()).map_err(|_| Unavailable)
    }

    fn is_new(&self, account: AccountId, step: u64) -> bool {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = used.get(&account).is_none_or(|last| step > *last);
        if is_new {
            used.insert(account, step);
        }
        is_new
    }

    fn now(&self) -> u64 {
        u64::try_from(self.host.clock().timestamp().as_second()).unwrap_or_default()
    }
}

/// The time step of a right code; one step to either side is allowed (RFC 6238 §5.2).
fn step_of(secret: &str, code: &str, unix_secs: u64) -> Option<u64> {
    if code.len() != 6 {
        return None;
    }
    let totp: Totp = Builder::new().with_secret(Secret::try_from_base32(secret).ok()?).build().ok()?;
    totp.check(code, unix_secs)
}

fn hash(code: &str) -> String {
    blake3::hash(code.to_ascii_lowercase().as_bytes()).to_hex().to_string()
}

fn recovery_code(entropy: &dyn Entropy) -> String {
    /// Nothing that could be taken for another.
    const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz234567890";
    let mut random = [0; 12];
    entropy.fill(&mut random);
    random.iter().map(|octet| char::from(LETTERS[usize::from(octet % 32)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use posta_runtime::OsEntropy;

    #[test]
    fn codes_are_those_of_rfc_6238() {
        // Appendix B has eight digits; the last six of them are the code of six.
        let secret = Secret::from(b"12345678901234567890".to_vec()).to_base32();
        for (unix_secs, code) in [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")] {
            assert_eq!(step_of(&secret, code, unix_secs), Some(unix_secs / 30), "{code}");
            assert!(step_of(&secret, code, unix_secs + 30).is_some(), "one step late");
            assert_eq!(step_of(&secret, code, unix_secs + 90), None, "too late");
        }
        assert_eq!(step_of(&secret, "28708", 59), None);
        assert_eq!(step_of("nonsense!", "287082", 59), None);
    }

    #[test]
    fn codes_on_paper_are_long_and_differ() {
        let (one, other) = (recovery_code(&OsEntropy), recovery_code(&OsEntropy));
        assert!(one.len() == 12 && one != other);
        assert_eq!(hash(&one.to_uppercase()), hash(&one));
    }
}
