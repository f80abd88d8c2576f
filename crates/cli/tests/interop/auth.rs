//! Strangers log in: curl, swaks, Python, msmtp and mpop, by each mechanism that they have.
//!
//! Without TLS, which this machine's own programs may do without here: inside it the exchanges are the same.

use crate::lab::{BOB, Host, PASSWORD, letter, msmtp_to_bob, outcome, private_file, run, setup, stranger};
use crate::protocol::fetch_all;
use std::process::Command;

/// mx.south.example with bob, who has a password and the same as shared secret.
fn host() -> Host {
    let mut setup = setup("mx.south.example", "south.example", &[BOB]);
    setup.apop = true;
    setup.tables = "[auth]\nplaintext_on_loopback = true\n".to_owned();
    Host::start(setup)
}

/// How many messages of bob's came from somebody who had logged in.
fn authenticated(host: &Host) -> usize {
    let held = fetch_all(host.posta.pop3, BOB, PASSWORD).expect("bob reads his mail");
    let held = held.iter().filter(|message| String::from_utf8_lossy(message).contains("with ESMTPA"));
    held.count()
}

#[test]
fn curl_logs_in() {
    let Some(curl) = stranger("curl") else { return };
    let host = host();
    let file = host.file("letter", letter("by curl"));
    let quiet = ["--silent", "--show-error", "--max-time", "60", "--user", &format!("{BOB}:{PASSWORD}")];
    let features = String::from_utf8_lossy(&run(Command::new(&curl).arg("-V"))).into_owned();
    let mut mechanisms = vec!["PLAIN", "LOGIN", "CRAM-MD5"];
    if features.contains("gsasl") {
        mechanisms.extend(["SCRAM-SHA-1", "SCRAM-SHA-256"]);
    }
    for (index, mechanism) in mechanisms.iter().enumerate() {
        for options in [&[][..], &["--sasl-ir"]] {
            run(Command::new(&curl)
                .args(quiet)
                .args(["--mail-from", BOB, "--mail-rcpt", BOB])
                .args(["--login-options", &format!("AUTH={mechanism}")])
                .args(options)
                .arg("--url")
                .arg(format!("smtp://{}/client.example", host.posta.smtp))
                .arg("--upload-file")
                .arg(&file));
        }
        assert_eq!(authenticated(&host), 2 * index + 2, "{mechanism}");
        let fetched = run(Command::new(&curl)
            .args(quiet)
            .args(["--login-options", &format!("AUTH={mechanism}")])
            .arg(format!("pop3://{}/1", host.posta.pop3)));
        assert!(String::from_utf8_lossy(&fetched).contains("by curl"), "{mechanism}");
    }
    // 67: the login was refused.
    let refused = outcome(
        Command::new(&curl)
            .args(["--silent", "--max-time", "60", "--user", &format!("{BOB}:wrong")])
            .arg(format!("pop3://{}/1", host.posta.pop3)),
    );
    assert_eq!(refused.status.code(), Some(67));
}

#[test]
fn swaks_logs_in() {
    let Some(swaks) = stranger("swaks") else { return };
    let host = host();
    let send = |mechanism: &str, password: &str| {
        outcome(
            Command::new(&swaks)
                .args(["--server", &host.posta.smtp.ip().to_string()])
                .args(["--port", &host.posta.smtp.port().to_string()])
                .args(["--from", BOB, "--to", BOB, "--ehlo", "client.example", "--timeout", "60"])
                .args(["--auth", mechanism, "--auth-user", BOB, "--auth-password", password]),
        )
    };
    let support =
        String::from_utf8_lossy(&outcome(Command::new(&swaks).arg("--support")).stdout).into_owned();
    let mut mechanisms = vec!["PLAIN", "LOGIN"];
    if support.contains("=== AUTH CRAM-MD5 supported") {
        mechanisms.push("CRAM-MD5");
    }
    for (index, mechanism) in mechanisms.iter().enumerate() {
        let output = send(mechanism, PASSWORD);
        assert!(output.status.success(), "{mechanism}: {}", String::from_utf8_lossy(&output.stdout));
        assert_eq!(authenticated(&host), index + 1, "{mechanism}");
        // 28: authentication failed.
        assert_eq!(send(mechanism, "wrong").status.code(), Some(28), "{mechanism}");
    }
}

const PYTHON: &str = r#"
import smtplib, sys
smtp, user, password = sys.argv[1:]
host, port = smtp.rsplit(":", 1)
def connect():
    client = smtplib.SMTP(host, int(port), local_hostname="client.example")
    client.ehlo()
    return client
def send(client):
    client.sendmail(user, [user], "Subject: by Python\r\n\r\nhello\r\n")
    client.quit()
client = connect()
client.login(user, password)
send(client)
for mechanism in ("CRAM-MD5", "PLAIN", "LOGIN"):
    for early in (True, False):
        client = connect()
        client.user, client.password = user, password
        method = getattr(client, "auth_" + mechanism.lower().replace("-", "_"))
        code, words = client.auth(mechanism, method, initial_response_ok=early)
        assert code == 235, (mechanism, words)
        send(client)
client = connect()
try:
    client.login(user, "wrong")
    raise SystemExit("a wrong password was taken")
except smtplib.SMTPAuthenticationError as error:
    assert error.smtp_code == 535, error
"#;

#[test]
fn python_logs_in() {
    let Some(python) = stranger("python3") else { return };
    let host = host();
    let script = host.file("auth.py", PYTHON);
    run(Command::new(python).arg(script).args([&host.posta.smtp.to_string(), BOB, PASSWORD]));
    assert_eq!(authenticated(&host), 7);
}

const SASL_MECHANISMS: [&str; 5] = ["scram-sha-256", "scram-sha-1", "cram-md5", "plain", "login"];

#[test]
fn msmtp_logs_in() {
    let Some(msmtp) = stranger("msmtp") else { return };
    let host = host();
    let file = host.file("letter", String::from_utf8_lossy(&letter("by msmtp")).replace("\r\n", "\n"));
    for (index, mechanism) in SASL_MECHANISMS.iter().enumerate() {
        let config = private_file(
            &host,
            "msmtprc",
            &format!(
                "account default\nhost {}\nport {}\nauth {mechanism}\nuser {BOB}\npassword {PASSWORD}\ntls off\n\
                 from {BOB}\ndomain client.example\n",
                host.posta.smtp.ip(),
                host.posta.smtp.port()
            ),
        );
        msmtp_to_bob(&msmtp, &config, &file);
        assert_eq!(authenticated(&host), index + 1, "{mechanism}");
    }
}

#[test]
fn mpop_logs_in() {
    let Some(mpop) = stranger("mpop") else { return };
    let host = host();
    let mailbox = host.folder.path().join("mbox");
    for mechanism in SASL_MECHANISMS {
        let mut client = crate::protocol::Smtp::connect(host.posta.smtp).expect("connects");
        client.send("alice@north.example", &[BOB], &letter(mechanism)).expect("accepted");
        client.quit().expect("says goodbye");
        let config = private_file(
            &host,
            "mpoprc",
            &format!(
                "account default\nhost {}\nport {}\nuser {BOB}\npassword {PASSWORD}\nauth {mechanism}\ntls off\n\
                 keep off\nreceived_header off\nuidls_file {}\ndelivery mbox {}\n",
                host.posta.pop3.ip(),
                host.posta.pop3.port(),
                host.folder.path().join("uidls").display(),
                mailbox.display()
            ),
        );
        run(Command::new(&mpop).arg("-C").arg(config));
        let fetched = std::fs::read_to_string(&mailbox).expect("mpop delivered");
        assert!(fetched.contains(&format!("\nSubject: {mechanism}\n")), "{mechanism}");
    }
}
