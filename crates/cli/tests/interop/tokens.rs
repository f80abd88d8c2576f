//! Strangers with tokens (RFC 7628), and with letters that are not ASCII (RFC 6856): curl, Python.

use crate::lab::{BOB, Host, PASSWORD, letter, outcome, run, stranger};
use crate::tls::secure_host_with;
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::Command,
    thread,
};

/// As long as real ones are: it does not fit into a command of 512 octets.
fn token() -> String {
    "ya29.".to_owned() + &"a1B2-_".repeat(150)
}

/// An authorization server that knows one token, and whose it is.
fn authorization_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    // Ends with the process.
    thread::spawn(move || listener.incoming().flatten().for_each(answer));
    address
}

fn answer(mut stream: TcpStream) {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    while !String::from_utf8_lossy(&request).contains("token_type_hint=") {
        match stream.read(&mut piece) {
            Ok(count) if count > 0 => request.extend_from_slice(&piece[..count]),
            _ => return,
        }
    }
    let known = String::from_utf8_lossy(&request).contains(&format!("token={}&", token()));
    let body = match known {
        true => format!("{{\"active\":true,\"email\":\"{BOB}\"}}"),
        false => "{\"active\":false}".to_owned(),
    };
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    let _ = stream.write_all((head + &body).as_bytes());
}

#[test]
fn curl_logs_in_with_a_token() {
    let Some(curl) = stranger("curl") else { return };
    let oauth = format!("[oauth]\nintrospection = \"http://{}/\"\n", authorization_server());
    let (host, ca, _folder) = secure_host_with(&oauth);
    let file = host.file("letter", letter("by curl with a token"));
    let as_bob = |token: &str, mechanism: &str| {
        let mut command = Command::new(&curl);
        command
            .args(["--silent", "--show-error", "--max-time", "60", "--ssl-reqd", "--cacert"])
            .arg(&ca)
            .args(["--user", BOB, "--oauth2-bearer", token])
            .args(["--login-options", &format!("AUTH={mechanism}")]);
        command
    };
    for (index, mechanism) in ["OAUTHBEARER", "XOAUTH2"].iter().enumerate() {
        for options in [&[][..], &["--sasl-ir"]] {
            run(as_bob(&token(), mechanism)
                .args(options)
                .args(["--mail-from", BOB, "--mail-rcpt", BOB, "--url"])
                .arg(format!("smtp://localhost:{}/client.example", host.posta.smtp.port()))
                .arg("--upload-file")
                .arg(&file));
            let fetched = run(as_bob(&token(), mechanism).args(options).arg(format!(
                "pop3://localhost:{}/{}",
                host.posta.pop3.port(),
                index + 1
            )));
            let text = String::from_utf8_lossy(&fetched);
            assert!(text.contains(" with ESMTPSA") && text.contains("by curl with a token"), "{text}");
        }
        // 67: the login was refused.
        let refused = outcome(
            as_bob("expired", mechanism).arg(format!("pop3://localhost:{}/", host.posta.pop3.port())),
        );
        assert_eq!(refused.status.code(), Some(67), "{}", String::from_utf8_lossy(&refused.stderr));
    }
}

const PYTHON: &str = r#"
import poplib, smtplib, sys
smtp, pop3, user, password = sys.argv[1:]
def place(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)
client = smtplib.SMTP(*place(smtp), local_hostname="client.example")
client.ehlo()
letter = "Subject: Gr\u00fc\u00dfe\r\nFrom: J\u00f6rg <j\u00f6rg@north.example>\r\n\r\nsch\u00f6n\r\n".encode()
client.sendmail("j\u00f6rg@north.example", [user], letter, mail_options=["SMTPUTF8"])
client.quit()
def fetch(utf8):
    drop = poplib.POP3(*place(pop3))
    capabilities = drop.capa()
    assert capabilities["UTF8"] == ["USER"] and "LANG" in capabilities, capabilities
    if utf8:
        drop.utf8()
    drop.user(user)
    drop.pass_(password)
    lines = drop.retr(1)[1]
    told = int(drop.list(1).split()[2])
    assert told == sum(len(line) + 2 for line in lines), (told, lines)
    drop.quit()
    return lines
lines = fetch(True)
assert "Subject: Gr\u00fc\u00dfe".encode() in lines, lines
lines = fetch(False)
header = lines[:lines.index(b"")]
assert all(line.isascii() for line in header), header
assert b"Subject: =?UTF-8?B?R3LDvMOfZQ==?=" in header, header
assert "sch\u00f6n".encode() in lines, lines
"#;

#[test]
fn python_reads_utf8_or_what_stands_for_it() {
    let Some(python) = stranger("python3") else { return };
    let host = Host::south();
    let script = host.file("utf8.py", PYTHON);
    run(Command::new(python)
        .arg(script)
        .args([host.posta.smtp.to_string(), host.posta.pop3.to_string()])
        .args([BOB, PASSWORD]));
}
