//! Dovecot as the server of our own POP3 client.

use crate::lab::{BOB, PASSWORD, binary, folder, run, skip};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::Command;
use xtask::peers::{Dovecot, Storage};

/// A letter for Bob, handed over by LMTP.
fn deliver(dovecot: &Dovecot, subject: &str) {
    let mut stream = TcpStream::connect(dovecot.lmtp).expect("connects");
    let mut reader = BufReader::new(stream.try_clone().expect("a second hand"));
    let mut reply = || loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a line");
        if line.as_bytes().get(3) != Some(&b'-') {
            return line;
        }
    };
    reply();
    let letter = format!("From: ada@north.example\r\nSubject: {subject}\r\n\r\n..dot\r\n.\r\n");
    let table = [
        ("LHLO client.example\r\n".to_owned(), "250"),
        ("MAIL FROM:<ada@north.example>\r\n".to_owned(), "250"),
        (format!("RCPT TO:<{BOB}>\r\n"), "250"),
        ("DATA\r\n".to_owned(), "354"),
        (letter, "250"),
        ("QUIT\r\n".to_owned(), "221"),
    ];
    for (said, code) in table {
        stream.write_all(said.as_bytes()).expect("written");
        let reply = reply();
        assert!(reply.starts_with(code), "{said}: {reply}");
    }
}

#[test]
fn mail_is_fetched_from_dovecot() {
    if !Dovecot::available() {
        return skip("Dovecot with its LMTP server is not installed, or this is not root");
    }
    let mechanisms = ["scram-sha-256", "scram-sha-1", "cram-md5", "plain"];
    for mechanism in mechanisms {
        let folder = folder();
        let users = [(BOB.to_owned(), PASSWORD.to_owned())];
        let lines = format!("auth_mechanisms = {mechanism}\n");
        let dovecot =
            Dovecot::start_with(folder.path(), Storage::Maildir, &users, &lines).expect("Dovecot starts");
        deliver(&dovecot, "for our client");
        let secret = folder.path().join("secret");
        std::fs::write(&secret, PASSWORD).expect("written");
        let posta = |arguments: &[&str]| {
            let mut command = Command::new(binary());
            command.arg("mail").args(arguments).env("XDG_CONFIG_HOME", folder.path());
            command
                .args(["--pop3", &dovecot.pop3.to_string(), "--user", BOB, "--password-file"])
                .arg(&secret);
            String::from_utf8_lossy(&run(&mut command)).into_owned()
        };
        let listed = posta(&["list", "--json"]);
        assert!(listed.contains("for our client"), "{mechanism}: {listed}");
        let shown = posta(&["read", "1"]);
        assert!(shown.contains(".dot") && !shown.contains("..dot"), "{mechanism}: {shown}");
        posta(&["delete", "1"]);
        assert!(!posta(&["list", "--json"]).contains("for our client"), "{mechanism}");
    }
}
