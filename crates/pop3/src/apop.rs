//! APOP's digest (RFC 1939 §7).

use md5::{Digest, Md5};

/// MD5 of the greeting's timestamp (angle brackets included) followed by the shared secret.
pub fn apop_digest(timestamp: &str, secret: &str) -> [u8; 16] {
    let mut hash = Md5::new();
    hash.update(timestamp.as_bytes());
    hash.update(secret.as_bytes());
    hash.finalize().into()
}

/// Whether two digests are the same, in a time that does not tell where they differ.
pub fn digests_equal(ours: &[u8; 16], theirs: &[u8; 16]) -> bool {
    // `black_box` keeps the compiler from turning the fold into an early return.
    let difference = ours.iter().zip(theirs).fold(0, |found, (a, b)| std::hint::black_box(found | (a ^ b)));
    difference == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The RFC's own example (RFC 1939 §7 APOP).
    #[test]
    fn the_digest_of_rfc_1939() {
        let digest = apop_digest("<1896.697170952@dbc.mtview.ca.us>", "tanstaaf");
        assert_eq!(hex::encode(digest), "c4c9334bac560ecc979e58001b3e22fb");
    }

    #[test]
    fn digests_are_compared_whole() {
        let digest = apop_digest("<1@x>", "secret");
        assert!(digests_equal(&digest, &digest.clone()));
        for octet in 0..16 {
            let mut other = digest;
            other[octet] ^= 0x80;
            assert!(!digests_equal(&digest, &other), "octet {octet}");
        }
    }
}
