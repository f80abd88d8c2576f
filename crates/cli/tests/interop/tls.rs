//! Strangers inside TLS: curl, OpenSSL, Python, swaks.

use crate::lab::{BOB, Host, PASSWORD, letter, outcome, run, setup, skip, stranger};
use posta_runtime::tls::Authority;
use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use tempfile::TempDir;
use xtask::peers::free_address;

/// mx.south.example with a certificate, ports where TLS comes first, and tokens that somebody vouches for.
pub(crate) struct Secure {
    pub(crate) host: Host,
    pub(crate) submissions: SocketAddr,
    pub(crate) pop3s: SocketAddr,
    /// The authority that vouches for it.
    pub(crate) ca: PathBuf,
    /// Bob's certificate, and its key.
    pub(crate) certificate: (PathBuf, PathBuf),
    _folders: [TempDir; 2],
}

/// What authorization servers call Bob's.
pub(crate) const TOKEN: &str = "a-token-of-bobs";

impl Secure {
    pub(crate) fn start() -> Self {
        let folder = crate::lab::folder();
        let certificate = bobs_certificate(folder.path());
        let [submissions, pop3s] = [(); 2].map(|()| free_address().expect("a port"));
        let (host, ca, chain) = secure_host_with(&format!(
            "client_authorities = {:?}\n[oauth]\nintrospection = \"http://{}/\"\n\
             [[listener]]\nprotocol = \"submissions\"\naddress = \"{submissions}\"\n\
             [[listener]]\nprotocol = \"pop3s\"\naddress = \"{pop3s}\"\n",
            certificate.0,
            authorization_server()
        ));
        Secure { host, submissions, pop3s, ca, certificate, _folders: [folder, chain] }
    }
}

/// mx.south.example with a certificate and further lines of its configuration, those of `[tls]` first; and the
/// file of the authority that vouches for it.
pub(crate) fn secure_host_with(lines: &str) -> (Host, PathBuf, TempDir) {
    let folder = crate::lab::folder();
    let authority = Authority::new("An authority for a test").expect("an authority");
    let names = ["mx.south.example", "localhost", "127.0.0.1"].map(str::to_owned);
    let (certificate, key) = authority.issue(&names).expect("a certificate");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("the folder is writable");
        path
    };
    let (ca, certificate, key) =
        (file("ca.pem", authority.pem()), file("mx.pem", &certificate), file("mx.key", &key));
    let mut setup = setup("mx.south.example", "south.example", &[BOB]);
    setup.apop = true;
    setup.tables =
        format!("[tls]\ncertificates = [{{ certificate = {certificate:?}, key = {key:?} }}]\n{lines}");
    (Host::start(setup), ca, folder)
}

/// That of which nobody but Bob is the authority: it is configured as one.
fn bobs_certificate(folder: &Path) -> (PathBuf, PathBuf) {
    let (certificate, key) = (folder.join("bob.pem"), folder.join("bob.key"));
    let made = stranger("openssl").map(|openssl| {
        Command::new(openssl)
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
            .args(["-subj", "/CN=Bob", "-days", "2", "-addext", "basicConstraints=critical,CA:FALSE"])
            .args(["-addext", &format!("subjectAltName=email:{BOB}")])
            .args(["-addext", "extendedKeyUsage=clientAuth", "-keyout"])
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .expect("runs")
    });
    assert!(made.is_some_and(|made| made.status.success()), "openssl makes a certificate");
    (certificate, key)
}

/// Knows one token, Bob's. It ends with the test's process.
fn authorization_server() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut request) = (stream.expect("a connection"), Vec::new());
            let mut piece = [0; 1024];
            while !String::from_utf8_lossy(&request).contains("token_type_hint=access_token") {
                match stream.read(&mut piece) {
                    Ok(count @ 1..) => request.extend_from_slice(&piece[..count]),
                    _ => break,
                }
            }
            let known = String::from_utf8_lossy(&request).replace("%2D", "-").contains(TOKEN);
            let body = format!("{{\"active\": {known}, \"email\": \"{BOB}\"}}");
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n";
            let answer = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
            // Whoever went away learns nothing.
            stream.write_all(answer.as_bytes()).ok();
        }
    });
    address
}

#[test]
fn curl_sends_and_fetches_inside_tls() {
    let Some(curl) = stranger("curl") else { return };
    let secure = Secure::start();
    let (host, ca) = (&secure.host, &secure.ca);
    let file = host.file("letter", letter("by curl inside TLS"));
    let quiet = ["--silent", "--show-error", "--max-time", "60", "--ssl-reqd", "--cacert"];
    let sends = ["--mail-from", "alice@north.example", "--mail-rcpt", BOB];
    run(Command::new(&curl)
        .args(quiet)
        .arg(ca)
        .args(sends)
        .arg("--url")
        .arg(format!("smtp://{}/client.example", host.posta.smtp))
        .arg("--upload-file")
        .arg(&file));
    let fetched = run(Command::new(&curl)
        .args(quiet)
        .arg(ca)
        .args(["--user", &format!("{BOB}:{PASSWORD}")])
        .arg(format!("pop3://{}/1", host.posta.pop3)));
    let text = String::from_utf8(fetched).expect("UTF-8");
    assert!(text.contains(" with ESMTPS") && text.contains("tls TLS_"), "{text}");
    assert!(text.contains("by curl inside TLS"), "{text}");
}

#[test]
fn openssl_finds_a_chain_that_it_trusts() {
    let Some(openssl) = stranger("openssl") else { return };
    let secure = Secure::start();
    let (host, ca) = (&secure.host, &secure.ca);
    let endpoints: [(&[&str], SocketAddr, &str); 4] = [
        (&["-starttls", "smtp"], host.posta.smtp, "221 "),
        (&["-starttls", "pop3"], host.posta.pop3, "+OK "),
        (&[], secure.submissions, "221 "),
        (&[], secure.pop3s, "+OK "),
    ];
    for (protocol, address, farewell) in endpoints {
        let mut child = Command::new(&openssl)
            .args(["s_client", "-quiet", "-verify_return_error"])
            .args(protocol)
            .args(["-servername", "mx.south.example", "-verify_hostname", "mx.south.example", "-CAfile"])
            .arg(ca)
            .args(["-connect", &address.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("runs");
        child.stdin.take().expect("a pipe").write_all(b"QUIT\r\n").expect("written");
        let output = child.wait_with_output().expect("ends");
        let said = String::from_utf8_lossy(&output.stdout);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains(farewell), "{protocol:?}: {said}{told}");
    }
}

const PYTHON: &str = r#"
import poplib, smtplib, ssl, sys
smtp, pop3, ca, user, password = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
def place(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)
client = smtplib.SMTP(*place(smtp), local_hostname="client.example")
client.ehlo()
assert client.has_extn("starttls")
assert client.starttls(context=context)[0] == 220
client.ehlo()
assert not client.has_extn("starttls")
client.sendmail("alice@north.example", [user], "Subject: by Python\r\n\r\nhello\r\n")
client.quit()
drop = poplib.POP3(*place(pop3))
assert "STLS" in drop.capa()
drop.stls(context=context)
assert "STLS" not in drop.capa()
drop.user(user)
drop.pass_(password)
lines = drop.retr(1)[1]
drop.quit()
assert any(b"with ESMTPS" in line for line in lines), lines
assert b"Subject: by Python" in lines, lines
"#;

#[test]
fn python_sends_and_fetches_inside_tls() {
    let Some(python) = stranger("python3") else { return };
    let secure = Secure::start();
    let (host, ca) = (&secure.host, &secure.ca);
    let script = host.file("tls.py", PYTHON);
    run(Command::new(python)
        .arg(script)
        .args([host.posta.smtp.to_string(), host.posta.pop3.to_string()])
        .arg(ca)
        .args([BOB, PASSWORD]));
}

#[test]
fn swaks_sends_inside_tls() {
    let Some(swaks) = stranger("swaks") else { return };
    let support = outcome(Command::new(&swaks).arg("--support"));
    if !String::from_utf8_lossy(&support.stdout).contains("=== TLS supported") {
        return skip("swaks has no TLS (Net::SSLeay is not installed)");
    }
    let secure = Secure::start();
    let host = &secure.host;
    let said = run(Command::new(&swaks)
        .args(["--server", &host.posta.smtp.ip().to_string(), "--port", &host.posta.smtp.port().to_string()])
        .args(["--tls", "--from", "alice@north.example", "--to", BOB, "--ehlo", "client.example"]));
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(said.contains("=== TLS started") && said.contains("<~  250 2.6.0"), "{said}");
}
