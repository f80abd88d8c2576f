//! The hash functions of SCRAM and what it computes with them (RFC 5802 §2.2 and §3).

use crate::Secret;
use hmac::{EagerHash, Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::fmt;
use subtle::ConstantTimeEq;

use super::super::Mechanism;

/// A hash function that SCRAM is registered for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hash {
    /// RFC 5802.
    Sha1,
    /// RFC 7677.
    Sha256,
}

impl Hash {
    /// The hash of a mechanism; only SCRAM mechanisms have one.
    pub(in crate::sasl) fn of(mechanism: Mechanism) -> Option<Hash> {
        match mechanism {
            Mechanism::ScramSha1 | Mechanism::ScramSha1Plus => Some(Hash::Sha1),
            Mechanism::ScramSha256 | Mechanism::ScramSha256Plus => Some(Hash::Sha256),
            _ => None,
        }
    }

    /// The mechanism's name without `-PLUS`, with which a verifier's text begins.
    pub fn mechanism_name(self) -> &'static str {
        match self {
            Hash::Sha1 => Mechanism::ScramSha1.name(),
            Hash::Sha256 => Mechanism::ScramSha256.name(),
        }
    }

    /// Length of a hash.
    pub(super) fn octets(self) -> usize {
        match self {
            Hash::Sha1 => 20,
            Hash::Sha256 => 32,
        }
    }

    /// `H(text)`.
    pub(super) fn digest(self, text: &[u8]) -> Key {
        Key(match self {
            Hash::Sha1 => Sha1::digest(text).to_vec(),
            Hash::Sha256 => Sha256::digest(text).to_vec(),
        })
    }

    /// `HMAC(key, text)`.
    pub(super) fn hmac(self, key: &[u8], text: &[u8]) -> Key {
        Key(match self {
            Hash::Sha1 => keyed::<Sha1>(key, text),
            Hash::Sha256 => keyed::<Sha256>(key, text),
        })
    }

    /// `Hi(password, salt, iterations)`. The caller has bounded the iterations.
    pub(super) fn salted_password(self, password: &Secret, salt: &[u8], iterations: u32) -> Key {
        let mut salted = vec![0; self.octets()];
        let password = password.expose().as_bytes();
        match self {
            Hash::Sha1 => pbkdf2::pbkdf2_hmac::<Sha1>(password, salt, iterations, &mut salted),
            Hash::Sha256 => pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, &mut salted),
        }
        Key(salted)
    }
}

fn keyed<D: EagerHash>(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = <Hmac<D> as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

/// A key, proof, signature or channel binding: octets that don't print and are compared in constant time.
#[derive(Clone)]
pub(super) struct Key(pub(super) Vec<u8>);

impl Key {
    /// `self XOR other`, both as long as the hash.
    pub(super) fn xor(&self, other: &Key) -> Key {
        Key(self.0.iter().zip(&other.0).map(|(a, b)| a ^ b).collect())
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}
