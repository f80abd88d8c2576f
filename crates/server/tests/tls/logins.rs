//! Logins that are bound to the TLS channel, and those by a client's certificate.

use super::{Place, connect, talk};
use crate::fixture::{PASSWORD, start};
use posta_server::config::Protocol;
use posta_wire::{
    Secret,
    sasl::{
        ChannelBindings, Mechanism,
        client::{Context, Credentials, Exchange, Step},
    },
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

const CAROL: &str = "carol@north.example";

/// Inside TLS of this version, showing a certificate or none.
async fn secure(
    place: &Place,
    stream: TcpStream,
    version: &'static rustls::SupportedProtocolVersion,
    shows: Option<(CertificateDer<'static>, PrivateKeyDer<'static>)>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    let pem = place.authority.pem().as_bytes();
    roots.add(CertificateDer::from_pem_slice(pem).expect("PEM")).expect("an authority");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .expect("a version")
        .with_root_certificates(roots);
    let config = match shows {
        Some((certificate, key)) => {
            builder.with_client_auth_cert(vec![certificate], key).expect("they belong together")
        }
        None => builder.with_no_client_auth(),
    };
    let name = ServerName::try_from("mx.north.example").expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// What the client knows of the channel, by its own look at it (RFC 9266 §2, RFC 5929 §4.1).
fn bindings(stream: &TlsStream<TcpStream>) -> ChannelBindings {
    let (_, connection) = stream.get_ref();
    let exported = connection.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(&[]));
    let certificate = connection.peer_certificates().and_then(<[_]>::first).expect("the host's");
    let hash = aws_lc_digest(certificate);
    ChannelBindings { exporter: exported.ok(), server_end_point: Some(hash) }
}

/// Our authority signs with ECDSA and SHA-256, so that is the hash.
fn aws_lc_digest(octets: &[u8]) -> Vec<u8> {
    use rustls::crypto::hash::Hash;
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let suite = provider.cipher_suites.iter().find(|suite| {
        let name = suite.suite();
        name == rustls::CipherSuite::TLS13_AES_128_GCM_SHA256
    });
    let suite = suite.and_then(|suite| suite.tls13()).expect("a suite with SHA-256");
    let hash: &dyn Hash = suite.common.hash_provider;
    hash.hash(octets).as_ref().to_vec()
}

/// The server's last reply, and whether our end believes it.
async fn log_in(
    stream: &mut TlsStream<TcpStream>,
    mechanism: Mechanism,
    credentials: &Credentials,
    bindings: ChannelBindings,
) -> (String, bool) {
    let context =
        Context { offered: vec![mechanism], confidential: true, bindings, random: *b"a client's nonce!!" };
    let mut exchange = Exchange::new(mechanism, credentials, &context).expect("usable");
    let mut said = exchange.command(500);
    loop {
        let reply = talk(stream, &format!("{}\r\n", said.expose()), "\r\n").await;
        let challenge = reply.strip_prefix("334 ").or_else(|| reply.strip_prefix("+ "));
        let Some(challenge) = challenge else {
            let accepted = reply.starts_with("235 ") || reply.starts_with("+OK");
            return (reply, exchange.conclude(accepted).is_ok());
        };
        said = match exchange.challenge(challenge.trim_end().as_bytes()) {
            Step::Respond(response) => response,
            Step::Cancel(failure) => panic!("{failure}"),
        };
    }
}

fn password() -> Credentials {
    Credentials::Password { authcid: CAROL.into(), authzid: None, password: Secret::new(PASSWORD) }
}

/// Ports where TLS comes first, greeted, with the line of what is offered.
async fn greeted(stream: &mut TlsStream<TcpStream>, protocol: Protocol) -> String {
    talk(stream, "", "\r\n").await;
    let offered = match protocol {
        Protocol::Pop3s => talk(stream, "CAPA\r\n", "\r\n.\r\n").await,
        _ => talk(stream, "EHLO client.example\r\n", "250 ").await,
    };
    let line = offered.lines().find(|line| line.contains("AUTH ") || line.starts_with("SASL "));
    line.unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn scram_is_bound_to_the_channel() {
    let place = Place::new();
    let server = start(place.config()).await;
    let versions = [(&rustls::version::TLS13, true), (&rustls::version::TLS12, false)];
    for (version, exports) in versions {
        for protocol in [Protocol::Submissions, Protocol::Pop3s] {
            for mechanism in [Mechanism::ScramSha256Plus, Mechanism::ScramSha1Plus] {
                for by_exporter in [true, false] {
                    let stream = connect(&server, protocol).await;
                    let mut tls = secure(&place, stream, version, None).await.expect("TLS");
                    assert!(greeted(&mut tls, protocol).await.contains(mechanism.name()), "{mechanism}");
                    let mut known = bindings(&tls);
                    if by_exporter && exports {
                        known.server_end_point = None;
                    } else {
                        known.exporter = None;
                    }
                    let (reply, proven) = log_in(&mut tls, mechanism, &password(), known).await;
                    let welcome = reply.starts_with("235 2.7.0") || reply.starts_with("+OK maildrop has");
                    assert!(welcome && proven, "{mechanism}, exporter {by_exporter}: {reply}");
                }
            }
        }
    }
}

/// Somebody in the middle with a channel of their own on each side (RFC 5802 §6): the password is right.
#[tokio::test(flavor = "multi_thread")]
async fn another_channels_binding_is_refused() {
    let place = Place::new();
    let server = start(place.config()).await;
    let strange = [
        ChannelBindings { exporter: Some([7; 32]), server_end_point: None },
        ChannelBindings { exporter: None, server_end_point: Some(vec![7; 32]) },
    ];
    for known in strange {
        let stream = connect(&server, Protocol::Pop3s).await;
        let mut tls = secure(&place, stream, &rustls::version::TLS13, None).await.expect("TLS");
        greeted(&mut tls, Protocol::Pop3s).await;
        let (reply, proven) = log_in(&mut tls, Mechanism::ScramSha256Plus, &password(), known).await;
        assert!(reply.starts_with("-ERR [AUTH]") && !proven, "{reply}");
    }
    // A client that could have bound it, and was told by that somebody that the server can't (`y,,`).
    let stream = connect(&server, Protocol::Pop3s).await;
    let mut tls = secure(&place, stream, &rustls::version::TLS13, None).await.expect("TLS");
    greeted(&mut tls, Protocol::Pop3s).await;
    let known = bindings(&tls);
    let (reply, proven) = log_in(&mut tls, Mechanism::ScramSha256, &password(), known).await;
    assert!(reply.starts_with("-ERR [AUTH]") && !proven, "{reply}");
}

/// A certificate of this person's, signed by an authority of its own, whose PEM comes last.
fn personal(address: &str) -> (CertificateDer<'static>, PrivateKeyDer<'static>, String) {
    let authority_key = rcgen::KeyPair::generate().expect("a key");
    let mut params = rcgen::CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
    let pem = params.self_signed(&authority_key).expect("signed").pem();
    let issuer = rcgen::Issuer::new(params, authority_key);
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut params = rcgen::CertificateParams::new(Vec::new()).expect("no names");
    params.subject_alt_names = vec![rcgen::SanType::Rfc822Name(address.try_into().expect("ASCII"))];
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = params.signed_by(&key, &issuer).expect("signed");
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    (certificate.der().clone(), key, pem)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_logs_in() {
    let place = Place::new();
    let (carol, carols_key, authority) = personal(CAROL);
    let (nobody, nobodys_key, others) = personal("nobody@north.example");
    let file = place.folder.path().join("people.pem");
    std::fs::write(&file, authority + &others).expect("written");
    let mut config = place.config();
    config.tls.client_authorities = Some(file);
    let server = start(config).await;
    let version = &rustls::version::TLS13;
    let external = |authzid: Option<&str>| Credentials::Certificate { authzid: authzid.map(str::to_owned) };
    for protocol in [Protocol::Submissions, Protocol::Pop3s] {
        let attempt = async |certificate: &CertificateDer<'static>, key: &PrivateKeyDer<'static>, authzid| {
            let shows = Some((certificate.clone(), key.clone_key()));
            let stream = connect(&server, protocol).await;
            let mut tls = secure(&place, stream, version, shows).await.expect("TLS");
            assert!(greeted(&mut tls, protocol).await.contains("EXTERNAL"));
            let none = ChannelBindings::none();
            log_in(&mut tls, Mechanism::External, &external(authzid), none).await.0
        };
        let welcome = |reply: &str| reply.starts_with("235 2.7.0") || reply.starts_with("+OK maildrop has");
        for authzid in [None, Some(CAROL)] {
            let reply = attempt(&carol, &carols_key, authzid).await;
            assert!(welcome(&reply), "{authzid:?}: {reply}");
        }
        for (certificate, key, authzid) in
            [(&carol, &carols_key, Some("alice@north.example")), (&nobody, &nobodys_key, None)]
        {
            let reply = attempt(certificate, key, authzid).await;
            assert!(reply.starts_with("535 5.7.8") || reply.starts_with("-ERR [AUTH]"), "{reply}");
        }
        // Whoever shows none is not offered it.
        let stream = connect(&server, protocol).await;
        let mut tls = secure(&place, stream, version, None).await.expect("TLS");
        assert!(!greeted(&mut tls, protocol).await.contains("EXTERNAL"));
    }
    // A certificate that nobody vouches for ends the handshake, or is none.
    let (stranger, strangers_key, _) = personal(CAROL);
    let stream = connect(&server, Protocol::Pop3s).await;
    if let Ok(mut tls) = secure(&place, stream, version, Some((stranger, strangers_key))).await {
        let mut octets = [0; 64];
        let heard = tokio::io::AsyncReadExt::read(&mut tls, &mut octets).await.unwrap_or(0);
        assert_eq!(heard, 0, "{}", String::from_utf8_lossy(&octets[..heard]));
    }
}
