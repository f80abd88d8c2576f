//! TLS under a conversation (RFC 8446, RFC 5246): who we are ([`Identity`]), whom we trust ([`Trust`]),
//! and the handshake that [`posta_wire::Output::StartTls`] asks for.
//!
//! Sessions know nothing of this: they hear [`TlsFacts`].

mod authority;
mod certificate;
mod identity;
mod trust;

pub use authority::{Authority, self_signed};
pub use identity::{Identity, TlsError};
pub use trust::{Demand, Trust};

use crate::{Stream, limits::HANDSHAKE_TIME_MAX};
use identity::Identities;
use posta_wire::{TlsFacts, TlsFailure, TlsVersion, sasl::ChannelBindings};
use rustls::{
    ClientConfig, ClientConnection, CommonState, ProtocolVersion, RootCertStore, ServerConfig,
    ServerConnection,
    client::Resumption,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName},
    server::{NoServerSessionStorage, WebPkiClientVerifier},
};
use std::{fmt, io, net::IpAddr, sync::Arc};
use trust::Judge;

/// One end of the TLS connections to be made.
#[derive(Debug, Clone)]
pub enum TlsEnd {
    /// We are the server.
    Accept(Acceptor),
    /// We are the client.
    Connect(Connector),
}

/// A server's end: its certificates, and whether clients may show theirs.
#[derive(Clone)]
pub struct Acceptor {
    config: Arc<ServerConfig>,
    identities: Arc<Identities>,
}

/// A client's end, for one connection.
#[derive(Debug, Clone)]
pub struct Connector {
    trust: Arc<Trust>,
    name: ServerName<'static>,
    demand: Demand,
}

/// The cryptography, handed to rustls each time: nothing is installed for the whole process.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

impl Acceptor {
    /// The first identity is shown to clients that ask for no name, or for one that nobody here has.
    /// Clients may show a certificate of one of `client_authorities` (PEM); with none they are not asked.
    pub fn new(identities: Vec<Identity>, client_authorities: Option<&[u8]>) -> Result<Self, TlsError> {
        if identities.is_empty() {
            return Err(TlsError::NoCertificate);
        }
        let provider = provider();
        let identities = Arc::new(Identities(identities));
        let builder =
            ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
        let builder = match client_authorities {
            None => builder.with_no_client_auth(),
            Some(pem) => {
                let mut roots = RootCertStore::empty();
                for certificate in identity::certificates(pem)? {
                    roots.add(certificate)?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                let verifier = verifier.allow_unauthenticated().build();
                builder.with_client_cert_verifier(
                    verifier.map_err(|error| TlsError::Authorities(error.to_string()))?,
                )
            }
        };
        let mut config = builder.with_cert_resolver(identities.clone());
        // Sessions are not resumed: a ticket would carry what one certificate said over to the next.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Acceptor { config: Arc::new(config), identities })
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Acceptor").field(&self.identities).finish()
    }
}

impl Connector {
    /// For a connection to `host`; one that is no host name is known by its address.
    pub fn new(trust: Arc<Trust>, host: &str, address: IpAddr, demand: Demand) -> Self {
        let host = host.trim_end_matches('.').to_owned();
        let name = ServerName::try_from(host).unwrap_or(ServerName::IpAddress(address.into()));
        Connector { trust, name, demand }
    }
}

/// Makes `stream` a TLS connection. Whatever the outcome, the stream itself is not to be used again.
pub async fn handshake<'a>(
    end: &TlsEnd,
    stream: &'a mut dyn Stream,
) -> Result<(Box<dyn Stream + 'a>, TlsFacts), TlsFailure> {
    let shaking = async {
        match end {
            TlsEnd::Accept(acceptor) => accept(acceptor, stream).await,
            TlsEnd::Connect(connector) => connect(connector, stream).await,
        }
    };
    match tokio::time::timeout(HANDSHAKE_TIME_MAX, shaking).await {
        Ok(Ok(secured)) => Ok(secured),
        Ok(Err(error)) => Err(TlsFailure::Handshake(error.to_string())),
        Err(_) => Err(TlsFailure::TimedOut),
    }
}

type Secured<'a> = (Box<dyn Stream + 'a>, TlsFacts);

async fn accept<'a>(acceptor: &Acceptor, stream: &'a mut dyn Stream) -> io::Result<Secured<'a>> {
    let tls = tokio_rustls::TlsAcceptor::from(acceptor.config.clone()).accept(stream).await?;
    let connection: &ServerConnection = tls.get_ref().1;
    let server_name = connection.server_name().map(str::to_owned);
    let bindings = ChannelBindings {
        exporter: exporter(connection, |space| connection.export_keying_material(space, LABEL, Some(&[]))),
        // The same choice as in the handshake: it depends on nothing but the name.
        server_end_point: acceptor.identities.choose(server_name.as_deref()).end_point().map(<[u8]>::to_vec),
    };
    let peer = client_certificate(connection).map(|der| certificate::describe(der, Ok(())));
    let facts =
        TlsFacts { version: version(connection)?, cipher: cipher(connection), server_name, bindings, peer };
    Ok((Box::new(tls), facts))
}

async fn connect<'a>(connector: &Connector, stream: &'a mut dyn Stream) -> io::Result<Secured<'a>> {
    let provider = provider();
    let judge = Arc::new(Judge::new(connector.trust.clone(), connector.demand, provider.clone()));
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config = builder
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(judge.clone())
        .with_no_client_auth();
    // A resumed session would skip the judge.
    config.resumption = Resumption::disabled();
    let tls =
        tokio_rustls::TlsConnector::from(Arc::new(config)).connect(connector.name.clone(), stream).await?;
    let connection: &ClientConnection = tls.get_ref().1;
    let der = connection.peer_certificates().and_then(<[_]>::first);
    let bindings = ChannelBindings {
        exporter: exporter(connection, |space| connection.export_keying_material(space, LABEL, Some(&[]))),
        server_end_point: der.and_then(|der| certificate::end_point(der)),
    };
    let facts = TlsFacts {
        version: version(connection)?,
        cipher: cipher(connection),
        server_name: match &connector.name {
            ServerName::DnsName(name) => Some(name.as_ref().to_owned()),
            _ => None,
        },
        bindings,
        peer: der.map(|der| certificate::describe(der, judge.verdict())),
    };
    Ok((Box::new(tls), facts))
}

/// RFC 9266 §2.
const LABEL: &[u8] = b"EXPORTER-Channel-Binding";

/// Only from TLS 1.3: with 1.2 it is safe with the extended master secret alone (RFC 9266 §3), which
/// rustls does not tell.
fn exporter(
    common: &CommonState,
    export: impl FnOnce([u8; 32]) -> Result<[u8; 32], rustls::Error>,
) -> Option<[u8; 32]> {
    let is_new = common.protocol_version() == Some(ProtocolVersion::TLSv1_3);
    is_new.then(|| export([0; 32]).ok()).flatten()
}

fn version(common: &CommonState) -> io::Result<TlsVersion> {
    match common.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => Ok(TlsVersion::V1_3),
        Some(ProtocolVersion::TLSv1_2) => Ok(TlsVersion::V1_2),
        other => Err(io::Error::other(format!("an unexpected version of TLS: {other:?}"))),
    }
}

/// IANA's name of the cipher suite; rustls marks those of TLS 1.3 in a way of its own.
fn cipher(common: &CommonState) -> String {
    let suite = common.negotiated_cipher_suite().map(|suite| suite.suite());
    match suite.and_then(|suite| suite.as_str()) {
        Some(name) => match name.strip_prefix("TLS13_") {
            Some(rest) => format!("TLS_{rest}"),
            None => name.to_owned(),
        },
        // RFC 8314 §4.3: the number in place of a name.
        None => format!("0x{:04X}", suite.map_or(0, u16::from)),
    }
}

fn client_certificate(connection: &ServerConnection) -> Option<&CertificateDer<'static>> {
    connection.peer_certificates().and_then(<[_]>::first)
}
