//! What a server keeps of a password for SCRAM (RFC 5802 §2.1, §3).

use super::hash::{Hash, Key};
use crate::Secret;
use crate::sasl::limits::{ITERATIONS_MAX, ITERATIONS_MIN, SALT_OCTETS, SALT_OCTETS_MAX, SALT_OCTETS_MIN};
use crate::sasl::prepare::{self, Unprepared};
use crate::sasl::server::DecoyKey;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt;

/// A text is no verifier, or one can't be derived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadVerifier {
    /// Not `NAME$i:salt$StoredKey:ServerKey`.
    #[error("not of the form SCRAM-SHA-256$i:salt$StoredKey:ServerKey")]
    Form,
    /// A hash that is neither SHA-1 nor SHA-256.
    #[error("unknown hash function")]
    UnknownHash,
    /// Not between [`ITERATIONS_MIN`] and [`ITERATIONS_MAX`].
    #[error("count of iterations out of bounds")]
    Iterations,
    /// Not between [`SALT_OCTETS_MIN`] and [`SALT_OCTETS_MAX`] octets.
    #[error("length of the salt out of bounds")]
    Salt,
    /// The password can't be one.
    #[error("password: {0}")]
    Password(#[from] Unprepared),
}

/// What checks a client that knows the password and proves to it that we are its server.
///
/// Who steals it can guess passwords at leisure and pose as the server, but cannot log in: it is kept
/// and treated as a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    hash: Hash,
    iterations: u32,
    salt: Vec<u8>,
    stored_key: Key,
    server_key: Key,
}

impl Verifier {
    /// Derives the verifier of a password. The salt is fresh random octets, [`SALT_OCTETS`] of them,
    /// as the made-up salts of unknown names have. Takes some milliseconds.
    pub fn derive(hash: Hash, password: &Secret, salt: &[u8], iterations: u32) -> Result<Self, BadVerifier> {
        check_iterations(iterations)?;
        check_salt(salt)?;
        let password = prepare::password(password)?;
        let salted = hash.salted_password(&password, salt, iterations);
        Ok(Verifier {
            hash,
            iterations,
            salt: salt.to_vec(),
            stored_key: hash.digest(&client_key(hash, &salted).0),
            server_key: server_key(hash, &salted),
        })
    }

    /// Whether this is the password: for PLAIN and LOGIN where there is nothing but the verifier.
    /// Takes as long as [`derive`](Self::derive).
    pub fn is_of(&self, password: &Secret) -> bool {
        Verifier::derive(self.hash, password, &self.salt, self.iterations)
            .is_ok_and(|derived| derived.stored_key == self.stored_key)
    }

    /// The hash function.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The count of iterations.
    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    /// The text that is stored: `SCRAM-SHA-256$i:salt$StoredKey:ServerKey`, base64 where it is octets.
    /// PostgreSQL and others keep the same.
    pub fn to_text(&self) -> Secret {
        Secret::new(format!(
            "{}${}:{}${}:{}",
            self.hash.mechanism_name(),
            self.iterations,
            STANDARD.encode(&self.salt),
            STANDARD.encode(&self.stored_key.0),
            STANDARD.encode(&self.server_key.0),
        ))
    }

    /// Reads the stored text.
    pub fn from_text(text: &Secret) -> Result<Self, BadVerifier> {
        let mut parts = text.expose().split('$');
        let (Some(name), Some(salting), Some(keys), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(BadVerifier::Form);
        };
        let hash = [Hash::Sha1, Hash::Sha256]
            .into_iter()
            .find(|hash| hash.mechanism_name() == name)
            .ok_or(BadVerifier::UnknownHash)?;
        let (iterations, salt) = salting.split_once(':').ok_or(BadVerifier::Form)?;
        if !iterations.bytes().all(|octet| octet.is_ascii_digit()) {
            return Err(BadVerifier::Form);
        }
        let iterations = iterations.parse().map_err(|_| BadVerifier::Iterations)?;
        check_iterations(iterations)?;
        let salt = STANDARD.decode(salt).map_err(|_| BadVerifier::Form)?;
        check_salt(&salt)?;
        let (stored_key, server_key) = keys.split_once(':').ok_or(BadVerifier::Form)?;
        let key = |text: &str| match STANDARD.decode(text) {
            Ok(octets) if octets.len() == hash.octets() => Ok(Key(octets)),
            _ => Err(BadVerifier::Form),
        };
        Ok(Verifier { hash, iterations, salt, stored_key: key(stored_key)?, server_key: key(server_key)? })
    }

    /// What a name gets that has no verifier: always the same for the same name, and nothing fits it.
    pub(super) fn decoy(hash: Hash, key: &DecoyKey, authcid: &str, iterations: u32) -> Self {
        // Accounts are found whatever the case, so the spellings of an unknown name share a salt too.
        let name = authcid.to_lowercase();
        let made_up = |what: &str| {
            Hash::Sha256.hmac(&key.0, format!("{what}\0{}\0{name}", hash.mechanism_name()).as_bytes()).0
        };
        let truncated = |mut octets: Vec<u8>, length: usize| {
            octets.truncate(length);
            octets
        };
        Verifier {
            hash,
            iterations,
            salt: truncated(made_up("salt"), SALT_OCTETS),
            stored_key: Key(truncated(made_up("stored"), hash.octets())),
            server_key: Key(truncated(made_up("server"), hash.octets())),
        }
    }

    pub(super) fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// Whether the client knows the password: `H(proof XOR ClientSignature) == StoredKey`.
    pub(super) fn accepts(&self, proof: &Key, auth_message: &[u8]) -> bool {
        let signature = self.hash.hmac(&self.stored_key.0, auth_message);
        proof.0.len() == self.hash.octets() && self.hash.digest(&proof.xor(&signature).0) == self.stored_key
    }

    /// What proves us to the client.
    pub(super) fn server_signature(&self, auth_message: &[u8]) -> Key {
        self.hash.hmac(&self.server_key.0, auth_message)
    }
}

pub(super) fn client_key(hash: Hash, salted_password: &Key) -> Key {
    hash.hmac(&salted_password.0, b"Client Key")
}

pub(super) fn server_key(hash: Hash, salted_password: &Key) -> Key {
    hash.hmac(&salted_password.0, b"Server Key")
}

fn check_iterations(iterations: u32) -> Result<(), BadVerifier> {
    if (ITERATIONS_MIN..=ITERATIONS_MAX).contains(&iterations) {
        Ok(())
    } else {
        Err(BadVerifier::Iterations)
    }
}

fn check_salt(salt: &[u8]) -> Result<(), BadVerifier> {
    if (SALT_OCTETS_MIN..=SALT_OCTETS_MAX).contains(&salt.len()) { Ok(()) } else { Err(BadVerifier::Salt) }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verifier({}, {} iterations, …)", self.hash.mechanism_name(), self.iterations)
    }
}
