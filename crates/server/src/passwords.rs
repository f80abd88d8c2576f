//! Passwords: hashed with argon2id, checked on a bounded pool, remembered for a short while.

use crate::limits::{LOGINS_WAITING_MAX, PASSWORD_MEMORY, PASSWORDS_REMEMBERED_MAX, SECRET_OCTETS_MAX};
use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier},
};
use posta_runtime::Entropy;
use posta_store::{Account, Credentials};
use posta_wire::{
    Secret,
    sasl::{
        limits::ITERATIONS_DEFAULT,
        prepare,
        scram::{self, Verifier},
    },
};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};
use thiserror::Error;
use tokio::sync::Semaphore;

/// Why a password could not be checked or hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PasswordError {
    /// Too many wait already.
    #[error("too many logins at once")]
    Busy,
    /// Longer than [`SECRET_OCTETS_MAX`], or empty.
    #[error("a password has 1 to {SECRET_OCTETS_MAX} octets")]
    Length,
    /// The hash could not be made.
    #[error("the password could not be hashed")]
    Hash,
}

/// Checks passwords.
pub struct Passwords {
    /// Each check takes a processor and some 20 MiB for a while.
    pool: Semaphore,
    waiting: AtomicUsize,
    /// Verified ones, by keyed hash, with the time when they are forgotten.
    verified: Mutex<HashMap<[u8; 32], Instant>>,
    /// New in each process; without it what is remembered says nothing.
    key: [u8; 32],
    /// Held while an account is read, changed and written.
    pub(crate) changing_account: tokio::sync::Mutex<()>,
    /// What is checked for accounts that do not exist, so that the time tells nobody which do.
    decoy: OnceLock<String>,
}

impl Passwords {
    /// With so many checks at once.
    pub fn new(checks_at_once: usize, entropy: &dyn Entropy) -> Arc<Self> {
        let mut key = [0; 32];
        entropy.fill(&mut key);
        Arc::new(Passwords {
            pool: Semaphore::new(checks_at_once.max(1)),
            waiting: AtomicUsize::new(0),
            verified: Mutex::new(HashMap::new()),
            key,
            changing_account: tokio::sync::Mutex::new(()),
            decoy: OnceLock::new(),
        })
    }

    /// Whether the password is that of the account. `None` and accounts without password take as long
    /// as others, and are never right.
    pub async fn verify(
        self: &Arc<Self>,
        account: Option<&Account>,
        password: &Secret,
        now: Instant,
    ) -> Result<bool, PasswordError> {
        if password.expose().len() > SECRET_OCTETS_MAX {
            return Ok(false);
        }
        // As it was when it was hashed: a client may write an accent in another way.
        let Ok(password) = &prepare::password(password) else { return Ok(false) };
        let known = account.and_then(|account| Some((account, account.password_hash.as_ref()?)));
        let memory = known.map(|(account, hash)| self.memory_key(account, hash, password));
        if memory.is_some_and(|memory| self.is_remembered(&memory, now)) {
            return Ok(true);
        }
        let hash = known.map(|(_, hash)| hash.clone());
        let exists = hash.is_some();
        let right = self.check(hash, password.clone()).await? && exists;
        if let (true, Some(memory)) = (right, memory) {
            self.remember(memory, now);
        }
        Ok(right)
    }

    /// Derives what is kept of a new password.
    pub async fn derive(
        self: &Arc<Self>,
        password: &Secret,
        entropy: &dyn Entropy,
    ) -> Result<Proofs, PasswordError> {
        let _permit = self.wait().await?;
        let mut salt = [0; 16];
        entropy.fill(&mut salt);
        let password = password.clone();
        tokio::task::spawn_blocking(move || Proofs::derive(&password, &salt))
            .await
            .unwrap_or(Err(PasswordError::Hash))
    }

    async fn check(self: &Arc<Self>, hash: Option<Secret>, password: Secret) -> Result<bool, PasswordError> {
        let _permit = self.wait().await?;
        let this = self.clone();
        let checked = tokio::task::spawn_blocking(move || {
            let decoy = || this.decoy.get_or_init(|| decoy(&this.key)).clone();
            let phc = hash.as_ref().map_or_else(decoy, |hash| hash.expose().to_owned());
            Argon2::default().verify_password(password.expose().as_bytes(), phc.as_str()).is_ok()
        });
        Ok(checked.await.unwrap_or(false))
    }

    async fn wait(&self) -> Result<tokio::sync::SemaphorePermit<'_>, PasswordError> {
        let _place = Waiting::enter(&self.waiting)?;
        self.pool.acquire().await.map_err(|_| PasswordError::Busy)
    }

    fn memory_key(&self, account: &Account, hash: &Secret, password: &Secret) -> [u8; 32] {
        // The stored hash is part of it: a changed password is a different one at once.
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&account.id.0.to_le_bytes());
        hasher.update(&(hash.expose().len() as u64).to_le_bytes());
        hasher.update(hash.expose().as_bytes());
        hasher.update(password.expose().as_bytes());
        *hasher.finalize().as_bytes()
    }

    fn is_remembered(&self, memory: &[u8; 32], now: Instant) -> bool {
        let verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        verified.get(memory).is_some_and(|until| now < *until)
    }

    fn remember(&self, memory: [u8; 32], now: Instant) {
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if verified.len() >= PASSWORDS_REMEMBERED_MAX {
            verified.retain(|_, until| now < *until);
            if verified.len() >= PASSWORDS_REMEMBERED_MAX {
                verified.clear();
            }
        }
        verified.insert(memory, now + PASSWORD_MEMORY);
    }
}

/// What is kept of a password, and can check it.
#[derive(Debug, Clone)]
pub struct Proofs {
    /// A PHC string, for whoever sends the password.
    pub hash: Secret,
    /// SCRAM's verifiers, for whoever does not.
    pub credentials: Credentials,
}

impl Proofs {
    /// Derives them; takes some tenths of a second of a processor.
    pub fn derive(password: &Secret, salt: &[u8; 16]) -> Result<Self, PasswordError> {
        let hash = hash_password(password, salt)?;
        let scram = [scram::Hash::Sha256, scram::Hash::Sha1].into_iter().map(|function| {
            // Each has a salt of its own, or one could be guessed by the other.
            let mut salt_of_function = [0; 16];
            let name = format!("posta 2026-11-23 salt of {function:?}");
            salt_of_function.copy_from_slice(&blake3::derive_key(&name, salt)[..16]);
            let verifier = Verifier::derive(function, password, &salt_of_function, ITERATIONS_DEFAULT);
            verifier.map(|verifier| verifier.to_text()).map_err(|_| PasswordError::Hash)
        });
        let credentials = Credentials { scram: scram.collect::<Result<_, _>>()?, ..Credentials::default() };
        Ok(Proofs { hash, credentials })
    }
}

/// The verifier for a hash function, where the account has one that can be read.
pub(crate) fn verifier(account: &Account, function: scram::Hash) -> Option<Verifier> {
    let verifiers = account.credentials.scram.iter().filter_map(|text| Verifier::from_text(text).ok());
    verifiers.into_iter().find(|verifier| verifier.hash() == function)
}

/// Hashes a password with this salt, into a PHC string.
fn hash_password(password: &Secret, salt: &[u8; 16]) -> Result<Secret, PasswordError> {
    let password = prepare::password(password).map_err(|_| PasswordError::Length)?;
    let octets = password.expose().as_bytes();
    if octets.is_empty() || octets.len() > SECRET_OCTETS_MAX {
        return Err(PasswordError::Length);
    }
    let hash = Argon2::default().hash_password_with_salt(octets, salt).map_err(|_| PasswordError::Hash)?;
    Ok(Secret::new(hash.to_string()))
}

fn decoy(key: &[u8; 32]) -> String {
    let mut salt = [0; 16];
    salt.copy_from_slice(&key[..16]);
    hash_password(&Secret::new("nobody"), &salt)
        .map_or_else(|_| String::new(), |hash| hash.expose().to_owned())
}

/// A place among those that wait.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(count: &'a AtomicUsize) -> Result<Self, PasswordError> {
        let place = Waiting(count);
        if count.fetch_add(1, Ordering::Relaxed) >= LOGINS_WAITING_MAX {
            return Err(PasswordError::Busy);
        }
        Ok(place)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use posta_runtime::OsEntropy;
    use posta_store::AccountId;

    fn account(password_hash: Option<Secret>) -> Account {
        Account {
            id: AccountId(1),
            address: "alice@north.example".parse().expect("a mailbox"),
            name: None,
            password_hash,
            apop_secret: None,
            credentials: Credentials::default(),
            quota_octets: None,
            enabled: true,
            hold_seconds: 0,
        }
    }

    #[tokio::test]
    async fn the_right_password_and_no_other() {
        let passwords = Passwords::new(1, &OsEntropy);
        let now = Instant::now();
        let right = Secret::new("correct horse");
        let hash = passwords.derive(&right, &OsEntropy).await.expect("hashed").hash;
        assert!(hash.expose().starts_with("$argon2id$"));
        let alice = account(Some(hash));
        let wrong = Secret::new("wrong");
        assert_eq!(passwords.verify(Some(&alice), &right, now).await, Ok(true));
        assert_eq!(passwords.verify(Some(&alice), &right, now).await, Ok(true), "remembered");
        assert_eq!(passwords.verify(Some(&alice), &wrong, now).await, Ok(false));
        assert_eq!(passwords.verify(Some(&account(None)), &right, now).await, Ok(false));
        assert_eq!(passwords.verify(None, &Secret::new("nobody"), now).await, Ok(false));
        let long = Secret::new("x".repeat(SECRET_OCTETS_MAX + 1));
        assert_eq!(passwords.verify(Some(&alice), &long, now).await, Ok(false));
        assert!(passwords.derive(&long, &OsEntropy).await.is_err());
    }

    #[tokio::test]
    async fn a_changed_password_is_not_remembered() {
        let passwords = Passwords::new(1, &OsEntropy);
        let now = Instant::now();
        let old = Secret::new("old");
        let before = account(Some(passwords.derive(&old, &OsEntropy).await.expect("hashed").hash));
        assert_eq!(passwords.verify(Some(&before), &old, now).await, Ok(true));
        let after =
            account(Some(passwords.derive(&Secret::new("new"), &OsEntropy).await.expect("hashed").hash));
        assert_eq!(passwords.verify(Some(&after), &old, now).await, Ok(false));
    }

    #[test]
    fn a_password_has_a_verifier_per_hash_function() {
        let password = Secret::new("correct horse");
        let proofs = Proofs::derive(&password, &[1; 16]).expect("derived");
        let alice = Account { credentials: proofs.credentials, ..account(Some(proofs.hash)) };
        for function in [scram::Hash::Sha1, scram::Hash::Sha256] {
            let verifier = verifier(&alice, function).expect("a verifier");
            assert!(verifier.hash() == function && verifier.is_of(&password));
            assert!(!verifier.is_of(&Secret::new("wrong")));
        }
        assert!(verifier(&account(None), scram::Hash::Sha1).is_none());
    }
}
