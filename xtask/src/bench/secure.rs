//! The same inside TLS: handshakes, messages, logins, memory. Every server shows the same certificate, and no
//! session is resumed.

use super::subject::{Kind, Subject};
use super::table::{Row, Table};
use super::{Options, idle, pop3, runtime, settle, smtp};
use crate::peers::{self, process};
use anyhow::{Context, Result, bail};
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
pub(super) use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore, client::Resumption};

/// What the certificate names.
const NAME: &str = "mx.bench.example";

/// Connections at once.
const CONNECTIONS: usize = 10;

/// Handshakes in each run.
const HANDSHAKES: usize = 1000;

/// A connection, in the clear or inside TLS.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

/// The client's handshake.
pub(super) async fn secured(tls: &TlsConnector, stream: Box<dyn Stream>) -> Result<Box<dyn Stream>> {
    let name = rustls::pki_types::ServerName::try_from(NAME)?;
    Ok(Box::new(tls.connect(name, stream).await.context("the handshake")?))
}

pub(super) async fn connected(address: std::net::SocketAddr) -> Result<Box<dyn Stream>> {
    let stream = TcpStream::connect(address).await.with_context(|| format!("connecting to {address}"))?;
    stream.set_nodelay(true)?;
    Ok(Box::new(stream))
}

/// A certificate (P-256, signed by itself) and its key, in files.
pub(super) struct Identity {
    certificate: PathBuf,
    key: PathBuf,
    _folder: TempDir,
}

impl Identity {
    fn new(dir: &Path) -> Result<Self> {
        let folder = peers::folder(dir)?;
        let (certificate, key) = (folder.path().join("certificate.pem"), folder.path().join("key.pem"));
        let openssl = peers::program("openssl").context("openssl is not installed")?;
        let made = Command::new(openssl)
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
            .args(["-subj", "/CN=bench", "-days", "2", "-addext", "basicConstraints=critical,CA:FALSE"])
            .args(["-addext", &format!("subjectAltName=DNS:{NAME}"), "-keyout"])
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()?;
        if !made.status.success() {
            bail!("openssl: {}", String::from_utf8_lossy(&made.stderr));
        }
        Ok(Identity { certificate, key, _folder: folder })
    }

    /// Tables of Posta's configuration.
    pub(super) fn posta(&self) -> String {
        format!("[tls]\ncertificates = [{{ certificate = {:?}, key = {:?} }}]\n", self.certificate, self.key)
    }

    /// Lines of Postfix's.
    pub(super) fn postfix(&self) -> Vec<String> {
        vec![
            format!("smtpd_tls_cert_file = {}", self.certificate.display()),
            format!("smtpd_tls_key_file = {}", self.key.display()),
            "smtpd_tls_security_level = may".to_owned(),
        ]
    }

    /// Lines of Dovecot's.
    pub(super) fn dovecot(&self) -> String {
        let (certificate, key) = (self.certificate.display(), self.key.display());
        format!("ssl = yes\nssl_cert = <{certificate}\nssl_key = <{key}\n")
    }

    fn connector(&self) -> Result<TlsConnector> {
        use rustls::pki_types::{CertificateDer, pem::PemObject};
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&self.certificate)?)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

/// `cargo xtask bench tls`.
pub(super) fn measure(options: &Options, binary: &Path) -> Result<()> {
    let identity = Identity::new(&options.dir)?;
    let tls = identity.connector()?;
    let mut table = Table::new(&["per second", "CPU µs each", "load's CPU µs each"]);
    for round in 0..options.rounds {
        for kind in Kind::for_mail(options) {
            let subject = Subject::start_secure(kind, options, binary, &identity)?;
            handshakes(&subject, &tls, CONNECTIONS)?;
            let row = cost(&subject, HANDSHAKES, || handshakes(&subject, &tls, HANDSHAKES))?;
            table.add(&format!("{kind}, connections with STARTTLS"), round, row);
            let messages = options.messages.unwrap_or_else(|| kind.messages(CONNECTIONS) / 4);
            let mut delivered = 0;
            for (way, tls) in [("in the clear", None), ("inside TLS", Some(&tls))] {
                let load = smtp::Load {
                    address: subject.smtp(),
                    lmtp: false,
                    tls: tls.cloned(),
                    connections: CONNECTIONS,
                    messages,
                    size_octets: options.size,
                    recipients: subject.addresses(),
                };
                delivered += messages;
                let row = cost(&subject, messages, || {
                    smtp::send(&load)?;
                    subject.wait_until_delivered(delivered)
                })?;
                table.add(&format!("{kind}, messages {way}"), round, row);
            }
            subject.verify_delivered(delivered)?;
        }
        for kind in Kind::for_pop3(options) {
            let subject = Subject::start_secure(kind, options, binary, &identity)?;
            for (way, tls) in [("in the clear", None), ("after STLS", Some(&tls))] {
                let visit =
                    || pop3::visit_all(&subject, CONNECTIONS, pop3::Visit::LoginOnly, tls).map(|_| ());
                // The first logins pay for the password's hash.
                visit()?;
                let row = cost(&subject, subject.users().len(), visit)?;
                table.add(&format!("{kind}, POP3 logins {way}"), round, row);
            }
        }
    }
    for kind in Kind::for_mail(options).into_iter().filter(|_| options.idle > 0) {
        let subject = Subject::start_secure(kind, options, binary, &identity)?;
        let octets = idle::octets_per_connection(&subject, kind.idle_connections(options.idle), Some(&tls))?;
        table.note(format!("{kind}: {:.1} KiB for each idle connection inside TLS", octets / 1024.0));
    }
    table.print();
    Ok(())
}

/// Runs a load; what each of its `count` parts cost.
fn cost(subject: &Subject, count: usize, load: impl FnOnce() -> Result<()>) -> Result<Row> {
    let (before, own) = (settle(subject.pid())?, process::own_cpu_micros());
    let start = Instant::now();
    load()?;
    let (elapsed, own) = (start.elapsed(), process::own_cpu_micros() - own);
    let cost = settle(subject.pid())?.since(before);
    let count = count as f64;
    Ok(vec![count / elapsed.as_secs_f64(), cost.cpu_micros as f64 / count, own as f64 / count])
}

/// Connections as far as EHLO inside TLS, some at once.
fn handshakes(subject: &Subject, tls: &TlsConnector, count: usize) -> Result<()> {
    let address = subject.smtp();
    let left = Rc::new(Cell::new(count));
    tokio::task::LocalSet::new().block_on(&runtime()?, async {
        let mut tasks = Vec::new();
        for _ in 0..CONNECTIONS {
            let (left, tls) = (Rc::clone(&left), tls.clone());
            tasks.push(tokio::task::spawn_local(async move {
                while let Some(rest) = left.get().checked_sub(1) {
                    left.set(rest);
                    smtp::Connection::open(address, false, Some(&tls)).await?.quit().await?;
                }
                anyhow::Ok(())
            }));
        }
        for task in tasks {
            task.await.context("a task of the load")??;
        }
        Ok(())
    })
}
