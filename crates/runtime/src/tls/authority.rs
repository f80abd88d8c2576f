//! Making certificates: a host's own where it has no other, and a small authority for demonstrations and
//! laboratories.

use super::TlsError;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};

/// A certificate that nobody but the host itself vouches for, and its key, both in PEM.
pub fn self_signed(names: &[String]) -> Result<(String, String), TlsError> {
    let key = KeyPair::generate()?;
    let params = of_host(names)?;
    Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
}

/// A certificate authority whose key is never written anywhere.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    /// A new one of this name.
    pub fn new(name: &str) -> Result<Self, TlsError> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name = distinguished(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let pem = params.self_signed(&key)?.pem();
        Ok(Authority { issuer: Issuer::new(params, key), pem })
    }

    /// Its certificate in PEM: what its clients must trust.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for a host of these names (and IP addresses), and its key, both in PEM.
    pub fn issue(&self, names: &[String]) -> Result<(String, String), TlsError> {
        let key = KeyPair::generate()?;
        let mut params = of_host(names)?;
        params.use_authority_key_identifier_extension = true;
        Ok((params.signed_by(&key, &self.issuer)?.pem(), key.serialize_pem()))
    }
}

fn of_host(names: &[String]) -> Result<CertificateParams, TlsError> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = distinguished(names.first().map_or("posta", String::as_str));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    // Mail hosts are both (RFC 5280 §4.2.1.12).
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}

fn distinguished(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    // RFC 5280: a common name has 64 characters at most.
    distinguished.push(DnType::CommonName, name.chars().take(64).collect::<String>());
    distinguished
}
