//! TLS as a client sees it: STARTTLS, STLS, ports where it comes first, certificates by name, read anew.

mod fixture;
#[path = "tls/logins.rs"]
mod logins;

use fixture::{PASSWORD, config, start};
use posta_runtime::tls::Authority;
use posta_server::{
    Running,
    config::{CertificateFiles, Config, Listener, Protocol},
};
use posta_store::TlsRequest;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use std::{net::Ipv4Addr, path::Path, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// An authority, the hosts' files in a folder, and a configuration that names them.
struct Place {
    authority: Authority,
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let authority = Authority::new("A test authority").expect("an authority");
        Place { authority, folder: tempfile::tempdir().expect("a folder") }
    }

    fn issue(&self, name: &str, file: &str) -> CertificateFiles {
        let (certificate, key) = self.authority.issue(&[name.to_owned()]).expect("a certificate");
        let files = CertificateFiles {
            certificate: self.folder.path().join(format!("{file}.pem")),
            key: self.folder.path().join(format!("{file}.key")),
        };
        std::fs::write(&files.certificate, certificate).expect("written");
        std::fs::write(&files.key, key).expect("written");
        files
    }

    fn config(&self) -> Config {
        let mut config = config();
        let loopback =
            |protocol| Listener { protocol, address: (Ipv4Addr::LOCALHOST, 0).into(), proxy: false };
        config.listeners.extend([Protocol::Submissions, Protocol::Pop3s].map(loopback));
        config.tls.certificates =
            vec![self.issue("mx.north.example", "mx"), self.issue("pop.north.example", "pop")];
        config
    }

    /// Inside TLS, if the host proves to be `name`.
    async fn secure(&self, stream: TcpStream, name: &str) -> std::io::Result<TlsStream<TcpStream>> {
        self.secure_as(stream, name, None).await
    }

    /// The same; the client has a certificate too.
    async fn secure_as(
        &self,
        stream: TcpStream,
        name: &str,
        client: Option<&(CertificateDer<'static>, KeyPair)>,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = rustls::RootCertStore::empty();
        let pem = self.authority.pem().as_bytes();
        roots.add(CertificateDer::from_pem_slice(pem).expect("PEM")).expect("an authority");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots);
        let config = match client {
            None => config.with_no_client_auth(),
            Some((certificate, key)) => {
                let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
                config.with_client_auth_cert(vec![certificate.clone()], key).expect("they belong together")
            }
        };
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }
}

async fn connect(server: &Running, protocol: Protocol) -> TcpStream {
    TcpStream::connect(server.address(protocol).expect("listens")).await.expect("connected")
}

/// Says something; reads until what came ends with `end`.
async fn talk(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), said: &str, end: &str) -> String {
    stream.write_all(said.as_bytes()).await.expect("written");
    let mut heard = String::new();
    while !(heard.ends_with("\r\n") && heard.contains(end)) {
        let mut octets = [0; 1024];
        let count = stream.read(&mut octets).await.expect("read");
        assert!(count > 0, "{said:?}: the server hung up after {heard:?}");
        heard.push_str(std::str::from_utf8(&octets[..count]).expect("text"));
    }
    heard
}

const LETTER: &str = "MAIL FROM:<a@x.example>\r\nRCPT TO:<carol@north.example>\r\nDATA\r\n";

/// What Carol's last message begins with.
async fn fetch(place: &Place, server: &Running) -> String {
    let mut pop3 =
        place.secure(connect(server, Protocol::Pop3s).await, "pop.north.example").await.expect("TLS");
    talk(&mut pop3, "", "+OK").await;
    talk(&mut pop3, "USER carol@north.example\r\n", "+OK").await;
    talk(&mut pop3, &format!("PASS {PASSWORD}\r\n"), "maildrop has 3").await;
    talk(&mut pop3, "RETR 3\r\n", "\r\n.\r\n").await
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_comes_and_goes_inside_tls() {
    let place = Place::new();
    let server = start(place.config()).await;
    let mut clear = connect(&server, Protocol::Smtp).await;
    talk(&mut clear, "", "220 ").await;
    assert!(talk(&mut clear, "EHLO before.example\r\n", "250 ").await.contains("250-STARTTLS\r\n"));
    assert!(talk(&mut clear, "STARTTLS\r\n", "220 ").await.starts_with("220 2.0.0"));
    let mut tls = place.secure(clear, "mx.north.example").await.expect("TLS");
    assert!(talk(&mut tls, "MAIL FROM:<a@x.example>\r\n", "503 ").await.contains("EHLO"));
    assert!(!talk(&mut tls, "EHLO inside.example\r\n", "250 ").await.contains("STARTTLS"));
    talk(&mut tls, LETTER, "354 ").await;
    talk(&mut tls, "Subject: x\r\n\r\nx\r\n.\r\n", "250 2.6.0").await;
    let letter = fetch(&place, &server).await.replace("\r\n\t", " ");
    assert!(letter.contains("from inside.example "), "{letter}");
    assert!(letter.contains(" with ESMTPS id ") && letter.contains(" tls TLS_"), "{letter}");
    assert!(letter.contains(" (TLS 1.3); "), "{letter}");

    let mut clear = connect(&server, Protocol::Pop3).await;
    talk(&mut clear, "", "+OK").await;
    assert!(talk(&mut clear, "CAPA\r\n", "\r\n.\r\n").await.contains("\r\nSTLS\r\n"));
    talk(&mut clear, "STLS\r\n", "+OK").await;
    let mut tls = place.secure(clear, "pop.north.example").await.expect("TLS");
    assert!(!talk(&mut tls, "CAPA\r\n", "\r\n.\r\n").await.contains("STLS"));

    let submissions = connect(&server, Protocol::Submissions).await;
    let mut tls = place.secure(submissions, "mx.north.example").await.expect("TLS");
    assert!(talk(&mut tls, "", "220 ").await.starts_with("220 mx.north.example"));
    assert!(!talk(&mut tls, "EHLO x.example\r\n", "250 ").await.contains("STARTTLS"));
}

/// CVE-2011-0411 at the sockets: what is sent in one go with STARTTLS or STLS is never answered.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_pipelined_behind_starttls_ends_the_connection() {
    let place = Place::new();
    let server = start(place.config()).await;
    let table = [
        (Protocol::Smtp, "EHLO x.example\r\n", "250 ", "STARTTLS\r\nMAIL FROM:<mallory@x.example>\r\n"),
        (Protocol::Smtp, "EHLO x.example\r\n", "250 ", "STARTTLS\r\nNOOP"),
        (Protocol::Pop3, "CAPA\r\n", "\r\n.\r\n", "STLS\r\nUSER mallory\r\n"),
    ];
    for (protocol, before, end, injection) in table {
        let mut stream = connect(&server, protocol).await;
        talk(&mut stream, "", "\r\n").await;
        talk(&mut stream, before, end).await;
        stream.write_all(injection.as_bytes()).await.expect("written");
        let mut rest = Vec::new();
        // A reset is as good as an end.
        let _ = stream.read_to_end(&mut rest).await;
        assert_eq!(String::from_utf8_lossy(&rest), "", "{injection:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_go_by_name_and_are_read_anew() {
    let place = Place::new();
    let mut config = place.config();
    let server = start(config.clone()).await;
    let shows = async |name: &str| {
        let stream = connect(&server, Protocol::Pop3s).await;
        place.secure(stream, name).await.is_ok()
    };
    assert!(shows("mx.north.example").await && shows("pop.north.example").await);
    assert!(!shows("new.north.example").await);

    // The file changes, the configuration does not.
    place.issue("new.north.example", "pop");
    assert!(!shows("new.north.example").await, "not before the reload");
    let open = connect(&server, Protocol::Pop3).await;
    server.reload(config.clone()).await.expect("reloaded");
    assert!(shows("new.north.example").await && !shows("pop.north.example").await);
    drop(open);

    // What can't be read changes nothing.
    config.tls.certificates[0].key = Path::new("/nonexistent/key.pem").to_owned();
    let error = server.reload(config).await.expect_err("no such file").to_string();
    assert!(error.contains("/nonexistent/key.pem"), "{error}");
    assert!(shows("mx.north.example").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_without_tls_and_with_nonsense_are_let_go() {
    let place = Place::new();
    let server = start(place.config()).await;
    for protocol in [Protocol::Pop3s, Protocol::Submissions] {
        let mut stream = connect(&server, protocol).await;
        stream.write_all(b"EHLO in.the.clear.example\r\nUSER x\r\n").await.expect("written");
        let mut heard = Vec::new();
        let _ = stream.read_to_end(&mut heard).await;
        let text = String::from_utf8_lossy(&heard);
        assert!(!text.contains("220 ") && !text.contains("+OK") && !text.contains("250"), "{text:?}");
    }
    assert!(place.secure(connect(&server, Protocol::Pop3s).await, "mx.north.example").await.is_ok());
}

/// RFC 8689 §3, §4.1: offered inside TLS only; what the sender says is kept with the message.
#[tokio::test(flavor = "multi_thread")]
async fn what_senders_say_of_tls_is_kept() {
    let place = Place::new();
    let mut config = place.config();
    config.relay.networks = vec!["127.0.0.0/8".parse().expect("a network")];
    let server = start(config).await;
    let mut clear = connect(&server, Protocol::Smtp).await;
    talk(&mut clear, "", "220 ").await;
    assert!(!talk(&mut clear, "EHLO x.example\r\n", "250 ").await.contains("REQUIRETLS"));
    talk(&mut clear, "STARTTLS\r\n", "220 ").await;
    let mut tls = place.secure(clear, "mx.north.example").await.expect("TLS");
    assert!(talk(&mut tls, "EHLO x.example\r\n", "250 ").await.contains("250-REQUIRETLS\r\n"));
    let table = [
        (" REQUIRETLS", "", TlsRequest::Required),
        (" REQUIRETLS", "TLS-Required: No\r\n", TlsRequest::Required),
        ("", "tls-required:\r\n no\r\n", TlsRequest::Optional),
        ("", "TLS-Required: maybe\r\n", TlsRequest::None),
        ("", "", TlsRequest::None),
    ];
    for (parameter, field, request) in table {
        let before = server.store().queue().await.expect("listed").len();
        talk(&mut tls, &format!("MAIL FROM:<a@x.example>{parameter}\r\n"), "250 ").await;
        talk(&mut tls, "RCPT TO:<b@elsewhere.example>\r\n", "250 ").await;
        talk(&mut tls, "DATA\r\n", "354 ").await;
        talk(&mut tls, &format!("Subject: x\r\n{field}\r\nx\r\n.\r\n"), "250 2.6.0").await;
        let queue = server.store().queue().await.expect("listed");
        let tls: Vec<TlsRequest> = queue.iter().map(|entry| entry.envelope.requests.tls).collect();
        assert_eq!((tls.len(), tls.last()), (before + 1, Some(&request)), "{parameter} {field}");
    }
}

/// An authority for people, in PEM, and a certificate of Alice's with its key.
fn alices_certificate() -> (String, (CertificateDer<'static>, KeyPair)) {
    let mut authority = CertificateParams::new(Vec::new()).expect("parameters");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let issuer_key = KeyPair::generate().expect("a key");
    let pem = authority.self_signed(&issuer_key).expect("signed").pem();
    let issuer = Issuer::new(authority, issuer_key);
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.subject_alt_names =
        vec![SanType::Rfc822Name("alice@north.example".to_owned().try_into().expect("ASCII"))];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, &issuer).expect("signed");
    (pem, (certificate.der().clone(), key))
}

// What a proxy's certificate proves is true of the proxy, not of the client that it speaks for.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_logs_in_whom_it_names_and_nobody_behind_it() {
    let place = Place::new();
    let (authority, client) = alices_certificate();
    let file = place.folder.path().join("people.pem");
    std::fs::write(&file, authority).expect("written");
    let mut config = place.config();
    config.tls.client_authorities = Some(file);
    config.proxy.xclient = vec!["127.0.0.0/8".parse().expect("a network")];
    let server = start(config).await;
    let stream = connect(&server, Protocol::Submissions).await;
    let mut tls = place.secure_as(stream, "mx.north.example", Some(&client)).await.expect("TLS");
    talk(&mut tls, "", "220 ").await;
    let offered = talk(&mut tls, "EHLO proxy.example\r\n", "250 ").await;
    assert!(offered.contains("EXTERNAL") && offered.contains("PLAIN"), "{offered}");
    talk(&mut tls, "AUTH EXTERNAL =\r\n", "235 ").await;
    talk(&mut tls, "XCLIENT ADDR=192.0.2.7 NAME=client.example\r\n", "220 ").await;
    let offered = talk(&mut tls, "EHLO proxy.example\r\n", "250 ").await;
    // Nor can anything be bound to a channel that is not the client's.
    assert!(!offered.contains("EXTERNAL") && !offered.contains("-PLUS"), "{offered}");
    assert!(offered.contains("PLAIN"), "{offered}");
    talk(&mut tls, "AUTH EXTERNAL =\r\n", "534 ").await;
    talk(&mut tls, "MAIL FROM:<alice@north.example>\r\n", "530 ").await;
}
