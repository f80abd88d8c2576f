//! Who a server is: certificates with their keys, chosen by the name that the client asks for.

use super::{certificate, provider};
use rustls::{
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use std::{fmt, io, path::Path, path::PathBuf, sync::Arc};
use thiserror::Error;

/// Why certificates, keys or authorities can't be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file could not be read.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// What is in a file can't be used.
    #[error("{path}: {source}")]
    In {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<TlsError>,
    },
    /// The text has no certificate in PEM (RFC 7468).
    #[error("there is no certificate in PEM form")]
    NoCertificate,
    /// The text has no private key in PEM.
    #[error("there is no private key in PEM form: {0}")]
    NoKey(String),
    /// Authorities that nobody can be verified by.
    #[error("no client can be verified by these authorities: {0}")]
    Authorities(String),
    /// Certificate and key do not belong together, or are of a kind that is not supported.
    #[error("{0}")]
    Unfit(#[from] rustls::Error),
    /// A certificate could not be made.
    #[error("making a certificate: {0}")]
    Making(#[from] rcgen::Error),
}

/// A certificate (with those that lead to its authority) and its key.
pub struct Identity {
    certified: Arc<CertifiedKey>,
    /// Lower case; may begin with `*.`.
    names: Vec<String>,
    end_point: Option<Vec<u8>>,
}

impl Identity {
    /// From PEM texts: the host's certificate first, then the others; a key in PKCS #8, PKCS #1 or SEC 1.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain = certificates(chain)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| TlsError::NoKey(error.to_string()))?;
        let names = certificate::host_names(&chain[0]);
        let end_point = certificate::end_point(&chain[0]);
        let certified = CertifiedKey::from_der(chain, key, &provider())?;
        Ok(Identity { certified: Arc::new(certified), names, end_point })
    }

    /// From files.
    pub fn from_files(chain: &Path, key: &Path) -> Result<Self, TlsError> {
        let (chain_pem, key_pem) = (read(chain)?, read(key)?);
        Identity::from_pem(&chain_pem, &key_pem).map_err(|source| TlsError::In {
            path: if matches!(source, TlsError::NoKey(_)) { key.to_owned() } else { chain.to_owned() },
            source: Box::new(source),
        })
    }

    /// The host names that the certificate is for.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// RFC 5929 §4.1.
    pub(super) fn end_point(&self) -> Option<&[u8]> {
        self.end_point.as_deref()
    }

    /// RFC 9525 §6.3: a wildcard stands for one whole label, the leftmost.
    fn is_for(&self, name: &str) -> bool {
        self.names.iter().any(|own| match own.strip_prefix("*.") {
            Some(parent) => name.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(parent)),
            None => own.eq_ignore_ascii_case(name),
        })
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(&self.names).finish()
    }
}

/// Reads a file whole.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::File { path: path.to_owned(), source })
}

/// All certificates of a PEM text, at least one.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(TlsError::NoCertificate),
    }
}

/// All identities of a server, at least one; the first is the default.
#[derive(Debug)]
pub(super) struct Identities(pub(super) Vec<Identity>);

impl Identities {
    pub(super) fn choose(&self, server_name: Option<&str>) -> &Identity {
        let named = server_name.and_then(|name| self.0.iter().find(|identity| identity.is_for(name)));
        named.unwrap_or(&self.0[0])
    }
}

impl ResolvesServerCert for Identities {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.choose(hello.server_name()).certified.clone())
    }
}
