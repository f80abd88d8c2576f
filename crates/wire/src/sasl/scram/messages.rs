//! SCRAM's messages (RFC 5802 §7): reading is strict, and what is hashed is kept as it came.

use super::hash::Key;
use crate::sasl::limits::{NONCE_OCTETS_MAX, SALT_OCTETS_MAX};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::borrow::Cow;

/// What the client says of channel binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BindingFlag<'a> {
    /// `n`: can't.
    Cannot,
    /// `y`: can, but believes that the server can't.
    ServerCannot,
    /// `p=NAME`: does.
    Bound(&'a str),
}

/// `client-first-message`.
#[derive(Debug)]
pub(super) struct ClientFirst<'a> {
    pub(super) gs2_header: &'a str,
    pub(super) flag: BindingFlag<'a>,
    pub(super) authzid: Option<String>,
    pub(super) bare: &'a str,
    pub(super) username: String,
    pub(super) nonce: &'a str,
}

impl<'a> ClientFirst<'a> {
    pub(super) fn parse(message: &'a str) -> Option<Self> {
        let (flag_text, rest) = message.split_once(',')?;
        let (authzid, bare) = rest.split_once(',')?;
        let flag = match flag_text {
            "n" => BindingFlag::Cannot,
            "y" => BindingFlag::ServerCannot,
            _ => BindingFlag::Bound(flag_text.strip_prefix("p=").filter(|name| is_binding_name(name))?),
        };
        let authzid = match authzid {
            "" => None,
            _ => Some(read_saslname(authzid.strip_prefix("a=")?)?),
        };
        // A mandatory extension (`m=`) stands where `n=` must be, and so fails as it has to.
        let mut attributes = bare.split(',');
        let username = read_saslname(attributes.next()?.strip_prefix("n=")?)?;
        let nonce = nonce(attributes.next()?.strip_prefix("r=")?)?;
        extensions(attributes)?;
        let gs2_header = &message[..message.len() - bare.len()];
        Some(ClientFirst { gs2_header, flag, authzid, bare, username, nonce })
    }
}

/// `server-first-message`.
#[derive(Debug)]
pub(super) struct ServerFirst<'a> {
    /// The client's nonce and the server's after it.
    pub(super) nonce: &'a str,
    pub(super) salt: Vec<u8>,
    /// Not yet bounded.
    pub(super) iterations: u64,
}

impl<'a> ServerFirst<'a> {
    pub(super) fn parse(message: &'a str) -> Option<Self> {
        let mut attributes = message.split(',');
        let nonce = nonce(attributes.next()?.strip_prefix("r=")?)?;
        let salt = STANDARD.decode(attributes.next()?.strip_prefix("s=")?).ok()?;
        let iterations = attributes.next()?.strip_prefix("i=")?;
        extensions(attributes)?;
        // posit-number: no sign, no leading zero.
        if !iterations.bytes().all(|octet| octet.is_ascii_digit()) || iterations.starts_with('0') {
            return None;
        }
        let iterations = iterations.parse().ok()?;
        // An empty salt conforms, but makes the same hash for everybody.
        (1..=SALT_OCTETS_MAX).contains(&salt.len()).then_some(ServerFirst { nonce, salt, iterations })
    }

    pub(super) fn write(nonce: &str, salt: &[u8], iterations: u32) -> String {
        format!("r={nonce},s={},i={iterations}", STANDARD.encode(salt))
    }
}

/// `client-final-message`.
#[derive(Debug)]
pub(super) struct ClientFinal<'a> {
    pub(super) without_proof: &'a str,
    pub(super) binding: Key,
    pub(super) nonce: &'a str,
    pub(super) proof: Key,
}

impl<'a> ClientFinal<'a> {
    pub(super) fn parse(message: &'a str) -> Option<Self> {
        let (without_proof, proof) = message.rsplit_once(",p=")?;
        let mut attributes = without_proof.split(',');
        let binding = Key(STANDARD.decode(attributes.next()?.strip_prefix("c=")?).ok()?);
        let nonce = nonce(attributes.next()?.strip_prefix("r=")?)?;
        extensions(attributes)?;
        let proof = Key(STANDARD.decode(proof).ok()?);
        Some(ClientFinal { without_proof, binding, nonce, proof })
    }

    pub(super) fn write_without_proof(binding: &[u8], nonce: &str) -> String {
        format!("c={},r={nonce}", STANDARD.encode(binding))
    }

    pub(super) fn write(without_proof: &str, proof: &Key) -> String {
        format!("{without_proof},p={}", STANDARD.encode(&proof.0))
    }
}

/// `server-final-message`.
#[derive(Debug)]
pub(super) enum ServerFinal<'a> {
    Signature(Key),
    Error(&'a str),
}

impl<'a> ServerFinal<'a> {
    pub(super) fn parse(message: &'a str) -> Option<Self> {
        let mut attributes = message.split(',');
        let first = attributes.next()?;
        extensions(attributes)?;
        match first.split_once('=')? {
            ("v", signature) => Some(ServerFinal::Signature(Key(STANDARD.decode(signature).ok()?))),
            ("e", error) => Some(ServerFinal::Error(error)),
            _ => None,
        }
    }

    pub(super) fn write(signature: &Key) -> String {
        format!("v={}", STANDARD.encode(&signature.0))
    }
}

/// Optional extensions are ignored, but must look like some; a mandatory one is refused wherever it is.
fn extensions<'a>(mut attributes: impl Iterator<Item = &'a str>) -> Option<()> {
    attributes
        .all(|attribute| match attribute.as_bytes() {
            [name, b'=', value @ ..] => {
                name.is_ascii_alphabetic() && *name != b'm' && !value.is_empty() && !value.contains(&0)
            }
            _ => false,
        })
        .then_some(())
}

/// Printable characters but the comma, some of them.
fn nonce(text: &str) -> Option<&str> {
    // The server's message carries both nonces.
    let bounded = (1..=2 * NONCE_OCTETS_MAX).contains(&text.len());
    (bounded && text.bytes().all(|octet| octet.is_ascii_graphic() && octet != b',')).then_some(text)
}

fn is_binding_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || b".-".contains(&octet))
}

/// Undoes `=2C` and `=3D`. RFC 5802 §5.1: any other `=` fails.
pub(in crate::sasl) fn read_saslname(text: &str) -> Option<String> {
    let mut parts = text.split('=');
    let mut name = parts.next()?.to_owned();
    for part in parts {
        if let Some(rest) = part.strip_prefix("2C") {
            name.push(',');
            name.push_str(rest);
        } else {
            name.push('=');
            name.push_str(part.strip_prefix("3D")?);
        }
    }
    (!name.is_empty() && !name.contains('\0')).then_some(name)
}

/// Writes a name so that neither commas nor equals signs are in it.
pub(in crate::sasl) fn write_saslname(name: &str) -> Cow<'_, str> {
    if name.contains(['=', ',']) {
        Cow::Owned(name.replace('=', "=3D").replace(',', "=2C"))
    } else {
        Cow::Borrowed(name)
    }
}
