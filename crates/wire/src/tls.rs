//! What a session learns about the TLS under it: facts only, whoever drives it does the cryptography.

use crate::sasl::ChannelBindings;
use std::fmt;

/// A protocol version of TLS. Older ones are not spoken (RFC 8996).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsVersion {
    /// RFC 5246.
    V1_2,
    /// RFC 8446.
    V1_3,
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TlsVersion::V1_2 => "TLS 1.2",
            TlsVersion::V1_3 => "TLS 1.3",
        })
    }
}

/// What is known of the peer's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    /// SHA-256 of the certificate's DER, which names it unmistakably.
    pub sha256: [u8; 32],
    /// Its subject, for people to read.
    pub subject: String,
    /// E-mail addresses in its subjectAltName (RFC 5280 §4.2.1.6), for SASL EXTERNAL.
    pub mailboxes: Vec<String>,
    /// Why it proves nothing; `Ok` where a trusted authority vouches for it and, for a server's, it is
    /// for the name that was wanted.
    pub verified: Result<(), String>,
}

/// What a finished handshake established.
#[derive(Clone, PartialEq, Eq)]
pub struct TlsFacts {
    /// The version.
    pub version: TlsVersion,
    /// The cipher suite's name in IANA's registry: letters, digits and `_` (RFC 8314 §4.3).
    pub cipher: String,
    /// The server name that the client asked for (RFC 6066 §3).
    pub server_name: Option<String>,
    /// What SASL can be bound to.
    pub bindings: ChannelBindings,
    /// The peer's certificate: always there at a client's end, at a server's only where it asked for one
    /// and got one.
    pub peer: Option<PeerCertificate>,
}

impl TlsFacts {
    /// Whether the peer is who it should be, vouched for by a trusted authority.
    pub fn is_verified(&self) -> bool {
        self.peer.as_ref().is_some_and(|peer| peer.verified.is_ok())
    }
}

impl fmt::Display for TlsFacts {
    /// `TLS 1.3, TLS_AES_256_GCM_SHA384`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.version, self.cipher)
    }
}

impl fmt::Debug for TlsFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TlsFacts({self}, {:?}, {:?})", self.server_name, self.peer)
    }
}

/// Why there is no TLS although it was to begin. The connection is of no more use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsFailure {
    /// The peer sent octets in the clear behind what should have been its last words before the
    /// handshake: somebody on the way may have put them there, to be taken for words said inside TLS
    /// (CVE-2011-0411 and its kin).
    ClearTextBehind,
    /// Nobody gave the driver a certificate or trust anchors.
    NotConfigured,
    /// The peer was silent for too long.
    TimedOut,
    /// The handshake broke off; in words.
    Handshake(String),
}

impl fmt::Display for TlsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsFailure::ClearTextBehind => {
                f.write_str("clear text came where the TLS handshake should begin")
            }
            TlsFailure::NotConfigured => f.write_str("TLS is not configured"),
            TlsFailure::TimedOut => f.write_str("the TLS handshake took too long"),
            TlsFailure::Handshake(words) => write!(f, "the TLS handshake failed: {words}"),
        }
    }
}

impl std::error::Error for TlsFailure {}
