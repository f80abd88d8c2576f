//! Strangers log in inside TLS: by password, by token, by certificate, bound to the channel.

use crate::lab::{BOB, PASSWORD, letter, msmtp_to_bob, outcome, private_file, run, skip, stranger};
use crate::protocol::{Smtp, fetch_all};
use crate::tls::{Secure, TOKEN};
use std::process::Command;

/// How many messages of bob's came from somebody who had logged in, inside TLS.
fn authenticated(secure: &Secure) -> usize {
    let held = fetch_all(secure.host.posta.pop3, BOB, PASSWORD).expect("bob reads his mail");
    held.iter().filter(|message| String::from_utf8_lossy(message).contains("with ESMTPSA")).count()
}

fn deliver(secure: &Secure, subject: &str) {
    let mut client = Smtp::connect(secure.host.posta.smtp).expect("connects");
    client.send("alice@north.example", &[BOB], &letter(subject)).expect("accepted");
    client.quit().expect("says goodbye");
}

/// `user` and what proves it.
fn curl_options(secure: &Secure, mechanism: &str) -> Vec<String> {
    let shown = |path: &std::path::Path| path.display().to_string();
    let mut options = vec!["--login-options".to_owned(), format!("AUTH={mechanism}")];
    match mechanism {
        "OAUTHBEARER" | "XOAUTH2" => {
            options.extend(["--user", BOB, "--oauth2-bearer", TOKEN].map(str::to_owned));
        }
        "EXTERNAL" => {
            let (certificate, key) = &secure.certificate;
            options.extend(["--cert".into(), shown(certificate), "--key".into(), shown(key)]);
            options.extend(["--user".to_owned(), format!("{BOB}:")]);
        }
        _ => options.extend(["--user".to_owned(), format!("{BOB}:{PASSWORD}")]),
    }
    options
}

#[test]
fn curl_logs_in_inside_tls() {
    let Some(curl) = stranger("curl") else { return };
    let secure = Secure::start();
    let file = secure.host.file("letter", letter("by curl"));
    let features = String::from_utf8_lossy(&run(Command::new(&curl).arg("-V"))).into_owned();
    let mut mechanisms = vec!["PLAIN", "LOGIN", "CRAM-MD5", "OAUTHBEARER", "XOAUTH2", "EXTERNAL"];
    if features.contains("gsasl") {
        mechanisms.extend(["SCRAM-SHA-1", "SCRAM-SHA-256"]);
    }
    for (index, mechanism) in mechanisms.iter().enumerate() {
        let command = || {
            let mut command = Command::new(&curl);
            command.args(["--silent", "--show-error", "--max-time", "60", "--ssl-reqd", "--cacert"]);
            command.arg(&secure.ca).args(curl_options(&secure, mechanism));
            command
        };
        for url in [format!("smtp://{}", secure.host.posta.smtp), format!("smtps://{}", secure.submissions)] {
            run(command()
                .args(["--mail-from", BOB, "--mail-rcpt", BOB, "--upload-file"])
                .arg(&file)
                .arg(url));
        }
        assert_eq!(authenticated(&secure), 2 * index + 2, "{mechanism}");
        for url in [format!("pop3://{}/1", secure.host.posta.pop3), format!("pop3s://{}/1", secure.pop3s)] {
            let fetched = run(command().arg(url));
            assert!(String::from_utf8_lossy(&fetched).contains("by curl"), "{mechanism}");
        }
    }
    // 67: the login was refused.
    let refused = outcome(
        Command::new(&curl)
            .args(["--silent", "--max-time", "60", "--cacert"])
            .arg(&secure.ca)
            .args(["--user", BOB, "--oauth2-bearer", "another-token"])
            .arg(format!("pop3s://{}/1", secure.pop3s)),
    );
    assert_eq!(refused.status.code(), Some(67));
}

#[test]
fn swaks_logs_in_where_tls_comes_first() {
    let Some(swaks) = stranger("swaks") else { return };
    let support = outcome(Command::new(&swaks).arg("--support"));
    if !String::from_utf8_lossy(&support.stdout).contains("=== TLS supported") {
        return skip("swaks has no TLS (Net::SSLeay is not installed)");
    }
    let secure = Secure::start();
    for mechanism in ["PLAIN", "LOGIN"] {
        run(Command::new(&swaks)
            .args(["--server", "127.0.0.1", "--port", &secure.submissions.port().to_string()])
            .args(["--tls-on-connect", "--tls-verify", "--tls-ca-path"])
            .arg(&secure.ca)
            .args(["--from", BOB, "--to", BOB, "--ehlo", "client.example", "--timeout", "60"])
            .args(["--auth", mechanism, "--auth-user", BOB, "--auth-password", PASSWORD]));
    }
    assert_eq!(authenticated(&secure), 2);
}

/// `poplib` has no SASL of its own, so `imaplib`'s speaks.
const PYTHON: &str = r#"
import imaplib, poplib, smtplib, ssl, hmac, sys
submissions, pop3s, ca, user, password, token = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
def place(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)
def plain(challenge):
    return b"\0" + user.encode() + b"\0" + password.encode()
def cram(challenge):
    return user + " " + hmac.HMAC(password.encode(), challenge, "md5").hexdigest()
def xoauth2(challenge):
    return f"user={user}\x01auth=Bearer {token}\x01\x01".encode()
steps = [user.encode(), password.encode()]
mechanisms = {"PLAIN": plain, "CRAM-MD5": cram, "XOAUTH2": xoauth2}
mechanisms["LOGIN"] = lambda challenge: steps[0] if b"ser" in challenge else steps[1]
for mechanism, answer in mechanisms.items():
    client = smtplib.SMTP_SSL(*place(submissions), local_hostname="client.example", context=context)
    client.ehlo()
    assert mechanism in client.esmtp_features["auth"], client.esmtp_features
    def text(challenge=None):
        said = answer(challenge or b"")
        return said if isinstance(said, str) else said.decode()
    assert client.auth(mechanism, text, initial_response_ok=mechanism in ("PLAIN", "XOAUTH2"))[0] == 235
    client.sendmail(user, [user], "Subject: by Python\r\n\r\nhello\r\n")
    client.quit()

    drop = poplib.POP3_SSL(*place(pop3s), context=context)
    assert mechanism in drop.capa()["SASL"], drop.capa()
    authenticator = imaplib._Authenticator(answer)
    drop._putcmd("AUTH " + mechanism)
    line = drop._getline()[0]
    while line.startswith(b"+ "):
        drop._putline(authenticator.process(line[2:]))
        line = drop._getline()[0]
    assert line.startswith(b"+OK"), (mechanism, line)
    assert drop.stat()[0] >= 1
    drop.quit()
drop = poplib.POP3_SSL(*place(pop3s), context=context)
drop.apop(user, password)
drop.quit()
"#;

#[test]
fn python_logs_in_inside_tls() {
    let Some(python) = stranger("python3") else { return };
    let secure = Secure::start();
    let script = secure.host.file("sasl.py", PYTHON);
    run(Command::new(python)
        .arg(script)
        .args([secure.submissions, secure.pop3s].map(|address| address.to_string()))
        .arg(&secure.ca)
        .args([BOB, PASSWORD, TOKEN]));
    assert_eq!(authenticated(&secure), 4);
}

/// What programs of msmtp's family are told of a mechanism.
fn proof(secure: &Secure, mechanism: &str) -> String {
    let (certificate, key) = &secure.certificate;
    let (certificate, key) = (certificate.display(), key.display());
    match mechanism {
        "external" => format!("tls_cert_file {certificate}\ntls_key_file {key}\n"),
        "oauthbearer" | "xoauth2" => format!("password {TOKEN}\n"),
        _ => format!("password {PASSWORD}\n"),
    }
}

/// The mechanisms that a program of msmtp's family says it has, of those that we have.
fn mechanisms(program: &std::path::Path) -> Vec<String> {
    let said = String::from_utf8_lossy(&outcome(Command::new(program).arg("--version")).stdout).into_owned();
    let (_, rest) = said.split_once("methods:").expect("it says what it has");
    let offered = rest.lines().nth(1).expect("a line of names").split_whitespace();
    let ours = ["plain", "login", "cram-md5", "external", "oauthbearer", "xoauth2"];
    let known = |name: &str| ours.contains(&name) || name.starts_with("scram-sha-");
    let found: Vec<String> = offered.filter(|name| known(name)).map(str::to_owned).collect();
    assert!(found.len() >= 5, "{said}");
    found
}

#[test]
fn msmtp_logs_in_inside_tls() {
    let Some(msmtp) = stranger("msmtp") else { return };
    let secure = Secure::start();
    let file = String::from_utf8_lossy(&letter("by msmtp")).replace("\r\n", "\n");
    let file = secure.host.file("letter", file);
    for (index, mechanism) in mechanisms(&msmtp).iter().enumerate() {
        let (starttls, port) = if index % 2 == 0 {
            ("on", secure.host.posta.smtp.port())
        } else {
            ("off", secure.submissions.port())
        };
        let config = private_file(
            &secure.host,
            "msmtprc",
            &format!(
                "account default\nhost localhost\nport {port}\nauth {mechanism}\nuser {BOB}\n{}tls on\n\
                 tls_starttls {starttls}\ntls_trust_file {}\nfrom {BOB}\ndomain client.example\n",
                proof(&secure, mechanism),
                secure.ca.display()
            ),
        );
        msmtp_to_bob(&msmtp, &config, &file);
        assert_eq!(authenticated(&secure), index + 1, "{mechanism}");
    }
}

#[test]
fn mpop_logs_in_inside_tls() {
    let Some(mpop) = stranger("mpop") else { return };
    let secure = Secure::start();
    let mailbox = secure.host.folder.path().join("mbox");
    for (index, mechanism) in mechanisms(&mpop).iter().enumerate() {
        deliver(&secure, mechanism);
        let (starttls, port) =
            if index % 2 == 0 { ("on", secure.host.posta.pop3.port()) } else { ("off", secure.pop3s.port()) };
        let config = private_file(
            &secure.host,
            "mpoprc",
            &format!(
                "account default\nhost localhost\nport {port}\nuser {BOB}\nauth {mechanism}\n{}tls on\n\
                 tls_starttls {starttls}\ntls_trust_file {}\nkeep off\nreceived_header off\nuidls_file {}\n\
                 delivery mbox {}\n",
                proof(&secure, mechanism),
                secure.ca.display(),
                secure.host.folder.path().join("uidls").display(),
                mailbox.display()
            ),
        );
        run(Command::new(&mpop).arg("-C").arg(config));
        let fetched = std::fs::read_to_string(&mailbox).expect("mpop delivered");
        assert!(fetched.contains(&format!("\nSubject: {mechanism}\n")), "{mechanism}");
    }
}

/// Without -PLUS it says that it can't bind: else it takes an offer of both for somebody's in the middle.
const MECHANISMS: [(&str, &[&str]); 4] = [
    ("SCRAM-SHA-256-PLUS", &[]),
    ("SCRAM-SHA-1-PLUS", &[]),
    ("SCRAM-SHA-256", &["--no-cb"]),
    ("SCRAM-SHA-1", &["--no-cb"]),
];

/// GNU SASL's own program: the one that binds the exchange to the channel (RFC 5802 §6, RFC 9266).
#[test]
fn gsasl_binds_its_login_to_the_channel() {
    let Some(gsasl) = stranger("gsasl") else { return };
    let secure = Secure::start();
    let log_in = |mechanism: &str, password: &str, options: &[&str]| {
        outcome(
            Command::new(&gsasl)
                .args(["--smtp", "--starttls", "--verbose", &format!("--mechanism={mechanism}")])
                .args([&format!("--authentication-id={BOB}"), &format!("--password={password}")])
                .args([
                    &format!("--authorization-id={BOB}"),
                    &format!("--x509-ca-file={}", secure.ca.display()),
                ])
                .args(options)
                .arg(format!("--connect=localhost:{}", secure.host.posta.smtp.port())),
        )
    };
    for (mechanism, options) in MECHANISMS {
        let (output, wrong) = (log_in(mechanism, PASSWORD, options), log_in(mechanism, "wrong", options));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && said.contains("235 2.7.0"), "{mechanism}: {said}{told}");
        assert!(!String::from_utf8_lossy(&wrong.stdout).contains("235 "), "{mechanism}");
    }
}

#[test]
fn fetchmail_fetches_inside_tls() {
    let Some(fetchmail) = stranger("fetchmail") else { return };
    let secure = Secure::start();
    let table = [
        ("stls", secure.host.posta.pop3.port(), "pop3", "sslproto 'TLS1.2+'"),
        ("apop", secure.host.posta.pop3.port(), "apop", "sslproto 'TLS1.2+'"),
        ("pop3s", secure.pop3s.port(), "pop3", "ssl"),
    ];
    for (name, port, protocol, tls) in table {
        deliver(&secure, name);
        let mailbox = secure.host.folder.path().join(name);
        let config = private_file(
            &secure.host,
            "fetchmailrc",
            &format!(
                "poll localhost service {port} protocol {protocol} timeout 60\n\
                 user \"{BOB}\" password \"{PASSWORD}\" {tls} sslcertck sslcertfile \"{}\" nokeep fetchall\n\
                 mda \"cat >> {}\"\n",
                secure.ca.display(),
                mailbox.display()
            ),
        );
        run(Command::new(&fetchmail)
            .env("HOME", secure.host.folder.path())
            .env("FETCHMAILHOME", secure.host.folder.path())
            .args(["--nodetach", "--nosyslog", "--fetchmailrc"])
            .arg(&config));
        let fetched = std::fs::read_to_string(&mailbox).expect("fetchmail delivered");
        assert!(fetched.contains(&format!("Subject: {name}\n")), "{fetched}");
    }
    let rest = fetch_all(secure.host.posta.pop3, BOB, PASSWORD).expect("bob reads his mail");
    assert!(rest.is_empty(), "fetchmail deleted what it fetched");
}
