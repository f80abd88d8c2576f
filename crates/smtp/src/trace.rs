//! The trace header fields: `Received:` and `Return-Path:` (RFC 5321 §4.4).

use posta_address::{AddressLiteral, Domain, ForwardPath, Host, ReversePath};
use posta_wire::TlsFacts;
use std::{
    fmt::{self, Write},
    net::IpAddr,
};

/// What a hop writes on top of the message. [`to_string`](ToString::to_string) gives the field, folded,
/// with its last CR LF.
///
/// Whatever the client said, the field stays one well-formed field in ASCII (or UTF-8, where the
/// transmission is one of SMTPUTF8) with lines below 998 octets (RFC 5322 §2.1.1).
#[derive(Debug, Clone)]
pub struct Received<'a> {
    /// What the client called itself in HELO or EHLO.
    pub hello_name: &'a str,
    /// The name its address stands for in the DNS, where that was looked up and confirmed.
    pub client_name: Option<&'a Domain>,
    /// Its address.
    pub client_ip: IpAddr,
    /// This host.
    pub by: &'a Domain,
    /// How it came.
    pub with: TransmissionType,
    /// What this host calls the message.
    pub id: &'a str,
    /// All recipients of the transaction; only a single one is told (RFC 5321 §7.2: more would tell
    /// blind-copy recipients).
    pub recipients: &'a [ForwardPath],
    /// What protected it on the way here.
    pub tls: Option<&'a TlsFacts>,
    /// Date and time in the form of RFC 5322 §3.3.
    pub date: &'a str,
}

/// `WITH` protocol types (RFC 3848, RFC 6531 §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TransmissionType {
    /// EHLO rather than HELO.
    pub extended: bool,
    /// SMTPUTF8 was asked for.
    pub utf8: bool,
    /// Over TLS.
    pub tls: bool,
    /// By an authenticated client.
    pub authenticated: bool,
    /// By LMTP (RFC 2033).
    pub lmtp: bool,
}

impl fmt::Display for TransmissionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base = match self {
            TransmissionType { utf8: true, lmtp: true, .. } => "UTF8LMTP",
            TransmissionType { lmtp: true, .. } => "LMTP",
            TransmissionType { utf8: true, .. } => "UTF8SMTP",
            TransmissionType { extended: true, .. } => "ESMTP",
            TransmissionType { tls: false, authenticated: false, .. } => return f.write_str("SMTP"),
            // TLS and AUTH are extensions: whoever used them said EHLO.
            _ => "ESMTP",
        };
        let tls = if self.tls { "S" } else { "" };
        let authenticated = if self.authenticated { "A" } else { "" };
        write!(f, "{base}{tls}{authenticated}")
    }
}

/// Where lines are folded if they can be (RFC 5322 §2.1.1).
const LINE_OCTETS_WANTED: usize = 78;
/// How much of a bad HELO name is kept.
const BAD_NAME_CHARACTERS_MAX: usize = 64;

impl fmt::Display for Received<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = Folder { field: f, column: 0 };
        line.word("Received:")?;
        line.words(&["from", &self.extended_domain()])?;
        line.word(&self.tcp_info())?;
        if let Some(comment) = self.bad_name() {
            line.word(&comment)?;
        }
        line.words(&["by", self.by.to_ascii()])?;
        line.words(&["with", &self.with.to_string()])?;
        line.words(&["id", &atom(self.id)])?;
        if let Some(path) = self.single_recipient() {
            line.words(&["for", &path])?;
        }
        if let Some(tls) = self.tls {
            // RFC 8314 §4.3: the clause, and the version as a comment.
            line.words(&["tls", &atom(&tls.cipher)])?;
            line.word(&format!("({})", tls.version))?;
        }
        line.end_with(";")?;
        line.word(&harmless(self.date))?;
        line.end_with("\r\n")
    }
}

impl Received<'_> {
    /// `Extended-Domain`: the name of HELO where it is one, else the address.
    fn extended_domain(&self) -> String {
        match Host::parse(self.hello_name) {
            Ok(Host::Domain(domain)) => domain.to_ascii().to_owned(),
            Ok(Host::Literal(literal)) => literal.to_string(),
            Err(_) => AddressLiteral::from(self.client_ip).to_string(),
        }
    }

    /// `TCP-info`: what the connection itself tells.
    fn tcp_info(&self) -> String {
        let literal = AddressLiteral::from(self.client_ip);
        match self.client_name {
            Some(name) => format!("({} {literal})", name.to_ascii()),
            None => format!("({literal})"),
        }
    }

    /// A comment with what the client called itself, if that is no name at all.
    fn bad_name(&self) -> Option<String> {
        if self.hello_name.is_empty() || Host::parse(self.hello_name).is_ok() {
            return None;
        }
        let name: String = self
            .hello_name
            .chars()
            .take(BAD_NAME_CHARACTERS_MAX)
            .map(|c| if c.is_ascii_alphanumeric() || "-_.:".contains(c) { c } else { '?' })
            .collect();
        Some(format!("(HELO {name})"))
    }

    fn single_recipient(&self) -> Option<String> {
        let [path] = self.recipients else { return None };
        if self.with.utf8 {
            return Some(path.to_string());
        }
        path.to_ascii().map(|path| path.to_string())
    }
}

/// Ids are ours; should one ever hold anything odd, it does no harm.
fn atom(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect()
}

fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}

/// Sets words one after another, on a new line where they would not fit.
struct Folder<'a, 'b> {
    field: &'a mut fmt::Formatter<'b>,
    column: usize,
}

impl Folder<'_, '_> {
    fn word(&mut self, word: &str) -> fmt::Result {
        self.words(&[word])
    }

    /// Words that stay on one line.
    fn words(&mut self, words: &[&str]) -> fmt::Result {
        let octets = words.iter().map(|word| word.len() + 1).sum::<usize>();
        if self.column > 0 && self.column + octets >= LINE_OCTETS_WANTED {
            self.field.write_str("\r\n\t")?;
            // A tab reads as eight columns.
            self.column = 8;
        } else if self.column > 0 {
            self.field.write_char(' ')?;
        }
        for (index, word) in words.iter().enumerate() {
            if index > 0 {
                self.field.write_char(' ')?;
            }
            self.field.write_str(word)?;
        }
        self.column += octets;
        Ok(())
    }

    fn end_with(&mut self, mark: &str) -> fmt::Result {
        self.field.write_str(mark)
    }
}

/// `Return-Path: <reverse-path>` with its CR LF: what final delivery puts on top
/// (RFC 5321 §4.4).
pub fn return_path_field(reverse_path: &ReversePath) -> String {
    format!("Return-Path: {reverse_path}\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DATE: &str = "Mon, 23 Nov 2026 19:00:00 +0000";

    fn field(hello_name: &str, recipients: &[&str], with: TransmissionType) -> String {
        let recipients: Vec<ForwardPath> =
            recipients.iter().map(|path| path.parse().expect("a path")).collect();
        let by = Domain::parse("mx.south.example").expect("a domain");
        let client_name = Domain::parse("mail.north.example").expect("a domain");
        Received {
            hello_name,
            client_name: Some(&client_name),
            client_ip: [192, 0, 2, 1].into(),
            by: &by,
            with,
            id: "01JD",
            recipients: &recipients,
            tls: None,
            date: DATE,
        }
        .to_string()
    }

    const ESMTP: TransmissionType =
        TransmissionType { extended: true, utf8: false, tls: false, authenticated: false, lmtp: false };

    #[test]
    fn fields() {
        let cases = [
            (
                field("mail.north.example", &["<bob@south.example>"], ESMTP),
                "Received: from mail.north.example (mail.north.example [192.0.2.1]) by\r\n\
                 \tmx.south.example with ESMTP id 01JD for <bob@south.example>;\r\n\
                 \tMon, 23 Nov 2026 19:00:00 +0000\r\n",
            ),
            (
                field("[192.0.2.1]", &["<a@x.example>", "<b@x.example>"], TransmissionType::default()),
                "Received: from [192.0.2.1] (mail.north.example [192.0.2.1])\r\n\
                 \tby mx.south.example with SMTP id 01JD;\r\n\
                 \tMon, 23 Nov 2026 19:00:00 +0000\r\n",
            ),
            (
                field("bad(name)\r\nX: y", &["<postmaster>"], ESMTP),
                "Received: from [192.0.2.1] (mail.north.example [192.0.2.1])\r\n\
                 \t(HELO bad?name???X:?y) by mx.south.example with ESMTP id 01JD\r\n\
                 \tfor <postmaster>; Mon, 23 Nov 2026 19:00:00 +0000\r\n",
            ),
            (
                field("", &["<bob@müller.example>"], ESMTP),
                "Received: from [192.0.2.1] (mail.north.example [192.0.2.1])\r\n\
                 \tby mx.south.example with ESMTP id 01JD\r\n\
                 \tfor <bob@xn--mller-kva.example>; Mon, 23 Nov 2026 19:00:00 +0000\r\n",
            ),
        ];
        for (got, expected) in cases {
            let unfolded = |text: &str| text.replace("\r\n\t", " ");
            assert_eq!(unfolded(&got), unfolded(expected));
            assert!(got.split("\r\n").all(|line| line.len() <= LINE_OCTETS_WANTED), "{got}");
        }
    }

    #[test]
    fn a_non_ascii_recipient_is_told_only_where_it_may_be() {
        assert!(!field("x.example", &["<jörg@x.example>"], ESMTP).contains(" for "));
        let utf8 = TransmissionType { utf8: true, ..ESMTP };
        assert!(field("x.example", &["<jörg@x.example>"], utf8).contains("for <jörg@x.example>;"));
    }

    #[test]
    fn tls_is_told() {
        let by = Domain::parse("mx.south.example").expect("a domain");
        let tls = TlsFacts {
            version: posta_wire::TlsVersion::V1_3,
            cipher: "TLS_AES_256_GCM_SHA384".into(),
            server_name: None,
            bindings: posta_wire::sasl::ChannelBindings::none(),
            peer: None,
        };
        let field = Received {
            hello_name: "x.example",
            client_name: None,
            client_ip: [192, 0, 2, 1].into(),
            by: &by,
            with: TransmissionType { tls: true, ..ESMTP },
            id: "01JD",
            recipients: &[],
            tls: Some(&tls),
            date: DATE,
        };
        assert_eq!(
            field.to_string(),
            "Received: from x.example ([192.0.2.1]) by mx.south.example with ESMTPS\r\n\
             \tid 01JD tls TLS_AES_256_GCM_SHA384 (TLS 1.3);\r\n\
             \tMon, 23 Nov 2026 19:00:00 +0000\r\n"
        );
    }

    #[test]
    fn transmission_types() {
        let cases = [
            (false, false, false, false, "SMTP"),
            (true, false, false, false, "ESMTP"),
            (true, false, true, false, "ESMTPS"),
            (true, false, false, true, "ESMTPA"),
            (true, false, true, true, "ESMTPSA"),
            (true, true, false, false, "UTF8SMTP"),
            (true, true, true, true, "UTF8SMTPSA"),
            (true, false, true, false, "LMTPS"),
            (true, true, false, true, "UTF8LMTPA"),
        ];
        for (extended, utf8, tls, authenticated, expected) in cases {
            let with =
                TransmissionType { extended, utf8, tls, authenticated, lmtp: expected.contains("LMTP") };
            assert_eq!(with.to_string(), expected);
        }
    }

    #[test]
    fn return_paths() {
        assert_eq!(return_path_field(&ReversePath::Null), "Return-Path: <>\r\n");
        let path = "<a@x.example>".parse().expect("a path");
        assert_eq!(return_path_field(&path), "Return-Path: <a@x.example>\r\n");
    }

    proptest! {
        #[test]
        fn always_one_field(hello_name in ".{0,300}") {
            let text = field(&hello_name, &["<a@x.example>"], ESMTP);
            prop_assert!(text.is_ascii() && text.starts_with("Received: from "));
            let body = text.strip_suffix("\r\n").expect("ends in CR LF");
            for (index, line) in body.split("\r\n").enumerate() {
                prop_assert!(line.len() < 998 && !line.contains(['\r', '\n']));
                prop_assert!(index == 0 || line.starts_with('\t') && line.trim() != "");
            }
        }
    }
}
