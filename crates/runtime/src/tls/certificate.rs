//! What certificates say (RFC 5280).

use posta_wire::PeerCertificate;
use sha2::{Digest, Sha256, Sha384, Sha512};
use x509_parser::{extensions::GeneralName, parse_x509_certificate};

/// Names of more certificates than any honest host's are not read.
const NAMES_MAX: usize = 1000;
/// Characters of a subject that are kept.
const SUBJECT_CHARACTERS_MAX: usize = 200;

/// What a peer's certificate tells.
pub(super) fn describe(der: &[u8], verified: Result<(), String>) -> PeerCertificate {
    let mut peer = PeerCertificate {
        sha256: Sha256::digest(der).into(),
        subject: String::new(),
        mailboxes: Vec::new(),
        verified,
    };
    if let Ok((_, certificate)) = parse_x509_certificate(der) {
        let subject = certificate.subject().to_string();
        let shown = subject.chars().take(SUBJECT_CHARACTERS_MAX);
        peer.subject = shown.map(|c| if c.is_control() { '?' } else { c }).collect();
        peer.mailboxes = names(der, |name| match name {
            GeneralName::RFC822Name(address) => Some((*address).to_owned()),
            _ => None,
        });
    }
    peer
}

/// The host names that a certificate is for, in lower case.
pub(super) fn host_names(der: &[u8]) -> Vec<String> {
    names(der, |name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    })
}

fn names(der: &[u8], wanted: impl Fn(&GeneralName<'_>) -> Option<String>) -> Vec<String> {
    let Ok((_, certificate)) = parse_x509_certificate(der) else { return Vec::new() };
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    extension.value.general_names.iter().filter_map(wanted).take(NAMES_MAX).collect()
}

/// `tls-server-end-point` (RFC 5929 §4.1): the certificate's hash by the hash function of its signature,
/// SHA-256 in place of MD5 and SHA-1. Signatures without one such function (Ed25519, PSS) have none.
pub(super) fn end_point(der: &[u8]) -> Option<Vec<u8>> {
    let (_, certificate) = parse_x509_certificate(der).ok()?;
    match certificate.signature_algorithm.algorithm.to_id_string().as_str() {
        // md5WithRSA, sha1WithRSA, sha256WithRSA; ecdsa-with-SHA1, ecdsa-with-SHA256.
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.1"
        | "1.2.840.10045.4.3.2" => Some(Sha256::digest(der).to_vec()),
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => Some(Sha384::digest(der).to_vec()),
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => Some(Sha512::digest(der).to_vec()),
        _ => None,
    }
}
