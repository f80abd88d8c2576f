//! Whom a client trusts, and how much it demands.

use super::{identity, identity::TlsError, provider};
use rustls::{
    CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

/// What a client demands of a server's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// A trusted authority must vouch for it, and it must be for the name that was wanted.
    Verified,
    /// Any: whether it proves something is noted only (RFC 7435).
    Noted,
}

/// The authorities that a client trusts: the system's, and others.
pub struct Trust {
    with_system: bool,
    /// PEM texts that were read at the start.
    others: Vec<CertificateDer<'static>>,
    /// Made when it is needed first; `None` where there is no authority at all.
    verifier: OnceLock<Option<Arc<WebPkiServerVerifier>>>,
}

impl Trust {
    /// The authorities that the operating system trusts.
    pub fn system() -> Self {
        Trust { with_system: true, others: Vec::new(), verifier: OnceLock::new() }
    }

    /// These alone (PEM).
    pub fn only(pem: &[u8]) -> Result<Self, TlsError> {
        let others = identity::certificates(pem)?;
        Ok(Trust { with_system: false, others, verifier: OnceLock::new() })
    }

    /// The system's, and those in these files.
    pub fn system_and(files: &[PathBuf]) -> Result<Self, TlsError> {
        let mut trust = Trust::system();
        for file in files {
            trust.others.extend(of_file(file)?);
        }
        Ok(trust)
    }

    fn verifier(&self) -> Option<&Arc<WebPkiServerVerifier>> {
        let made = self.verifier.get_or_init(|| {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(self.others.iter().cloned());
            if self.with_system {
                let found = rustls_native_certs::load_native_certs();
                for error in &found.errors {
                    tracing::warn!(%error, "reading the system's certificate authorities");
                }
                roots.add_parsable_certificates(found.certs);
            }
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build().ok()
        });
        made.as_ref()
    }
}

fn of_file(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let in_file = |source| TlsError::In { path: file.to_owned(), source: Box::new(source) };
    identity::certificates(&identity::read(file)?).map_err(in_file)
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trust(system: {}, others: {})", self.with_system, self.others.len())
    }
}

/// Judges the certificate of one connection.
#[derive(Debug)]
pub(super) struct Judge {
    trust: Arc<Trust>,
    demand: Demand,
    provider: Arc<CryptoProvider>,
    verdict: Mutex<Result<(), String>>,
}

impl Judge {
    pub(super) fn new(trust: Arc<Trust>, demand: Demand, provider: Arc<CryptoProvider>) -> Self {
        Judge { trust, demand, provider, verdict: Mutex::new(Err("no certificate was shown".to_owned())) }
    }

    /// Whether the certificate proves who the peer is.
    pub(super) fn verdict(&self) -> Result<(), String> {
        self.verdict.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict = match self.trust.verifier() {
            Some(verifier) => {
                verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
            None => Err(CertificateError::UnknownIssuer.into()),
        };
        let noted = verdict.as_ref().map(|_| ()).map_err(ToString::to_string);
        *self.verdict.lock().unwrap_or_else(PoisonError::into_inner) = noted;
        match self.demand {
            Demand::Verified => verdict,
            Demand::Noted => Ok(ServerCertVerified::assertion()),
        }
    }

    // That the peer holds the certificate's key is checked in any case.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
