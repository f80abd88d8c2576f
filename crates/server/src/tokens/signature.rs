//! Tokens that are JWTs (RFC 7519), signed by a known key. Whether times and names in them are good is
//! judged elsewhere, by our own clock.

use super::{Claims, TokenFault};
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header,
    jwk::{JwkSet, PublicKeyUse},
};
use posta_wire::Secret;
use std::path::Path;

/// The keys that may have signed.
pub(super) struct Keys(Vec<Key>);

struct Key {
    /// RFC 7515 §4.1.4 `kid`.
    id: Option<String>,
    key: DecodingKey,
}

/// Public keys only: with a shared secret whoever checks could also sign.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

impl Keys {
    /// A file with a JWK set (RFC 7517 §5), or with one public key in PEM.
    pub(super) fn from_file(path: &Path) -> Result<Self, String> {
        let bad = |why: String| format!("`keys`: {}: {why}", path.display());
        let text = std::fs::read(path).map_err(|error| bad(error.to_string()))?;
        let keys = match text.trim_ascii_start().first() {
            Some(b'{') => from_set(&text),
            _ => from_pem(&text),
        };
        match keys {
            Ok(keys) if keys.is_empty() => Err(bad("no key in it that can check signatures".into())),
            Ok(keys) => Ok(Keys(keys)),
            Err(why) => Err(bad(why)),
        }
    }

    /// What a token says, if one of the keys has signed it.
    pub(super) fn verify(&self, token: &Secret) -> Result<Claims, TokenFault> {
        let header = decode_header(token.expose()).map_err(|_| TokenFault::Refused("the token is no JWT"))?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(TokenFault::Refused("the token is signed by an algorithm that is not taken"));
        }
        let fits = |key: &&Key| {
            let is_named = match (&header.kid, &key.id) {
                (Some(wanted), Some(id)) => wanted == id,
                _ => true,
            };
            // An algorithm of another kind of key could make something else of its octets.
            is_named && key.key.family() == header.alg.family()
        };
        let mut validation = Validation::new(header.alg);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        let signed = self
            .0
            .iter()
            .filter(fits)
            .find_map(|key| decode::<Claims>(token.expose(), &key.key, &validation).ok());
        signed.map(|signed| signed.claims).ok_or(TokenFault::Refused("no known key has signed the token"))
    }
}

fn from_set(text: &[u8]) -> Result<Vec<Key>, String> {
    let set: JwkSet = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let signing = set.keys.iter().filter(|key| {
        key.is_supported() && !matches!(key.common.public_key_use, Some(PublicKeyUse::Encryption))
    });
    let keys = signing.map(|key| {
        let id = key.common.key_id.clone();
        DecodingKey::from_jwk(key).map(|key| Key { id, key }).map_err(|error| error.to_string())
    });
    keys.collect()
}

fn from_pem(text: &[u8]) -> Result<Vec<Key>, String> {
    let kinds = [DecodingKey::from_rsa_pem, DecodingKey::from_ec_pem, DecodingKey::from_ed_pem];
    let key = kinds.into_iter().find_map(|read| read(text).ok());
    key.map(|key| vec![Key { id: None, key }])
        .ok_or_else(|| "neither a JWK set nor a public key in PEM".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    use jsonwebtoken::{EncodingKey, Header, encode, jwk::Jwk};
    use serde_json::json;

    fn signed(algorithm: Algorithm, key: &EncodingKey, id: Option<&str>) -> Secret {
        let header = Header { kid: id.map(str::to_owned), ..Header::new(algorithm) };
        Secret::new(encode(&header, &json!({"email": "alice@north.example"}), key).expect("signed"))
    }

    fn signing(pair: &rcgen::KeyPair) -> EncodingKey {
        EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).expect("a key")
    }

    #[test]
    fn only_a_known_key_signs() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("keys");
        let (ours, theirs) = (rcgen::KeyPair::generate(), rcgen::KeyPair::generate());
        let (ours, theirs) = (ours.expect("a key"), theirs.expect("a key"));
        let mut jwk = Jwk::from_encoding_key(&signing(&ours), Algorithm::ES256).expect("a key");
        jwk.common.key_id = Some("one".into());
        for text in [ours.public_key_pem(), json!({"keys": [jwk]}).to_string()] {
            std::fs::write(&file, &text).expect("written");
            let keys = Keys::from_file(&file).expect("keys");
            let good = |token: &Secret| keys.verify(token).is_ok();
            assert!(good(&signed(Algorithm::ES256, &signing(&ours), None)));
            assert!(good(&signed(Algorithm::ES256, &signing(&ours), Some("one"))));
            assert!(!good(&signed(Algorithm::ES256, &signing(&theirs), None)));
            // The public key taken for a shared secret.
            let shared = EncodingKey::from_secret(text.as_bytes());
            assert!(!good(&signed(Algorithm::HS256, &shared, None)));
            let part = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
            let none =
                format!("{}.{}.", part(r#"{"alg":"none"}"#), part(r#"{"email":"alice@north.example"}"#));
            assert!(!good(&Secret::new(none)) && !good(&Secret::new("a.b.c")) && !good(&Secret::new("x")));
        }
        std::fs::write(&file, "{}").expect("written");
        assert!(Keys::from_file(&file).is_err());
    }
}
