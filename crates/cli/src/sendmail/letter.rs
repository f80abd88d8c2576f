//! From what a program writes to a message that can be submitted (RFC 6409 §8): lines end with CR LF, the fields
//! that must be there are, and those that nobody else may see are not.

use super::{
    limits::{MESSAGE_OCTETS_MAX, RECIPIENTS_MAX},
    sysexits::{Exit, Failure},
};
use posta_address::{Domain, Mailbox};
use posta_message::{DateTime, HeaderText, MessageId, date, header::Fields};
use std::io::BufRead;

/// Who sends, and where.
#[derive(Debug, Clone)]
pub(super) struct Author {
    pub(super) mailbox: Mailbox,
    pub(super) full_name: Option<String>,
    /// Completes addresses that have none.
    pub(super) domain: Domain,
}

/// A message, and who is named in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Completed {
    pub(super) octets: Vec<u8>,
    /// To, Cc and Bcc, or their Resent- forms where there are any.
    pub(super) recipients: Vec<Mailbox>,
}

/// Reads the message. Every line end becomes CR LF (RFC 5321 §2.3.8); without `ignores_dots` a line with nothing
/// but a dot is the end.
pub(super) fn read(input: impl BufRead, ignores_dots: bool) -> Result<Vec<u8>, Failure> {
    let mut input = input.take(MESSAGE_OCTETS_MAX as u64 + 1);
    let (mut octets, mut line) = (Vec::new(), Vec::new());
    loop {
        line.clear();
        let read = input.read_until(b'\n', &mut line).map_err(|error| Failure::new(Exit::Io, error))?;
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if read == 0 || text == b"." && !ignores_dots {
            return Ok(octets);
        }
        for piece in text.split(|octet| *octet == b'\r') {
            octets.extend_from_slice(piece);
            octets.extend_from_slice(b"\r\n");
        }
        if octets.len() > MESSAGE_OCTETS_MAX {
            let words = format!("the message has more than {MESSAGE_OCTETS_MAX} octets");
            return Err(Failure::new(Exit::Data, words));
        }
    }
}

const NAMED: [&str; 3] = ["To", "Cc", "Bcc"];
const NAMED_AGAIN: [&str; 3] = ["Resent-To", "Resent-Cc", "Resent-Bcc"];
/// Fields in which an address without a domain gets ours.
const COMPLETED: [&str; 6] = ["From", "Sender", "Reply-To", "To", "Cc", "Errors-To"];

/// Puts in what is missing, takes out `Bcc` and what is not the sender's to say.
pub(super) fn complete(
    octets: &[u8],
    author: &Author,
    at: DateTime,
    random: u64,
) -> Result<Completed, Failure> {
    let octets = without_from_line(octets);
    let mut fields = Fields::new(octets);
    let is = |name: &[u8], other: &str| name.eq_ignore_ascii_case(other.as_bytes());
    let (mut header, mut end) = (Vec::with_capacity(octets.len() + 256), 0);
    let mut has = [false; 3];
    let (mut named, mut again) = (Vec::new(), Vec::new());
    for field in fields.by_ref() {
        if field.name.is_empty() || field.name.iter().any(|octet| !octet.is_ascii_graphic()) {
            // No field: the text begins here, without the empty line.
            break;
        }
        end = field.offset + field.raw.len();
        for (has, name) in has.iter_mut().zip(["From", "Date", "Message-ID"]) {
            *has |= is(field.name, name);
        }
        if NAMED.iter().any(|name| is(field.name, name)) {
            named.push(field.value);
        } else if NAMED_AGAIN.iter().any(|name| is(field.name, name)) {
            again.push(field.value);
        }
        let is_hidden = ["Bcc", "Resent-Bcc", "Return-Path"].iter().any(|name| is(field.name, name));
        match completed_value(field.name, field.value, &author.domain) {
            _ if is_hidden => {}
            Some(value) => {
                header.extend_from_slice(field.name);
                header.extend_from_slice(format!(": {value}\r\n").as_bytes());
            }
            None => header.extend_from_slice(field.raw),
        }
    }
    let body = &octets[end..];
    let body = body.strip_prefix(b"\r\n").unwrap_or(body);
    let missing = missing_fields(has, author, at, random);
    let mut whole = header;
    whole.extend_from_slice(missing.as_bytes());
    whole.extend_from_slice(b"\r\n");
    whole.extend_from_slice(body);
    let values = if again.is_empty() { named } else { again };
    let recipients = recipients(&values, &author.domain)?;
    Ok(Completed { octets: whole, recipients })
}

/// mbox's line before the message, which some programs write.
fn without_from_line(octets: &[u8]) -> &[u8] {
    let end = octets.windows(2).position(|pair| pair == b"\r\n").map_or(octets.len(), |at| at + 2);
    if octets.starts_with(b"From ") { &octets[end..] } else { octets }
}

fn missing_fields([from, date, id]: [bool; 3], author: &Author, at: DateTime, random: u64) -> String {
    let mut text = String::new();
    if !from {
        let name = author.full_name.as_deref().map(HeaderText::clean).filter(|name| !name.is_empty());
        match name {
            Some(name) if name.as_str().is_ascii() => {
                let quoted = name.as_str().replace('\\', "\\\\").replace('"', "\\\"");
                text += &format!("From: \"{quoted}\" <{}>\r\n", author.mailbox);
            }
            _ => text += &format!("From: {}\r\n", author.mailbox),
        }
    }
    if !date {
        text += &format!("Date: {}\r\n", date::format(at.instant, at.offset));
    }
    if !id {
        let id = MessageId::new(random, at.instant, &author.domain);
        text += &format!("Message-ID: <{}>\r\n", id.as_str());
    }
    text
}

/// `root` and `root (Cron Daemon)`: one name without a domain. Lists are left as they are.
fn completed_value(name: &[u8], value: &[u8], domain: &Domain) -> Option<String> {
    if !COMPLETED.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes())) {
        return None;
    }
    let value = std::str::from_utf8(value).ok()?.trim();
    let (local, comment) = match value.split_once('(') {
        Some((local, comment)) => (local.trim_end(), Some(comment)),
        None => (value, None),
    };
    let is_name = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.+".contains(&octet);
    if local.is_empty() || !local.bytes().all(is_name) {
        return None;
    }
    let address = Mailbox::parse(&format!("{local}@{}", domain.to_ascii())).ok()?;
    Some(match comment {
        Some(comment) => format!("{address} ({comment}"),
        None => address.to_string(),
    })
}

fn recipients(values: &[&[u8]], domain: &Domain) -> Result<Vec<Mailbox>, Failure> {
    let mut all = Vec::new();
    for value in values {
        for mailbox in posta_message::field::address::parse(value).mailboxes() {
            add(&mut all, qualified(&mailbox.address, domain)?)?;
        }
    }
    Ok(all)
}

/// Each once, and not too many.
pub(super) fn add(all: &mut Vec<Mailbox>, mailbox: Mailbox) -> Result<(), Failure> {
    if !all.contains(&mailbox) {
        all.push(mailbox);
    }
    if all.len() > RECIPIENTS_MAX {
        return Err(Failure::new(Exit::Data, format!("there are more than {RECIPIENTS_MAX} recipients")));
    }
    Ok(())
}

/// An address; one without a domain is of `domain`.
pub(super) fn qualified(text: &str, domain: &Domain) -> Result<Mailbox, Failure> {
    let text = text.trim();
    let whole = if text.contains('@') { text.to_owned() } else { format!("{text}@{}", domain.to_ascii()) };
    Mailbox::parse(&whole)
        .map_err(|error| Failure::new(Exit::Data, format!("`{text}` is no address: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(text: &str) -> (String, Vec<String>) {
        let author = Author {
            mailbox: "ada@north.example".parse().unwrap(),
            full_name: Some("Ada L.".into()),
            domain: Domain::parse("north.example").unwrap(),
        };
        let octets = read(text.as_bytes(), true).unwrap();
        let at = DateTime::utc("2007-11-17T20:18:49Z".parse().unwrap());
        let completed = complete(&octets, &author, at, 7).unwrap();
        let recipients = completed.recipients.iter().map(ToString::to_string).collect();
        (String::from_utf8(completed.octets).unwrap().replace("\r\n", "\n"), recipients)
    }

    const MADE: &str =
        "From: \"Ada L.\" <ada@north.example>\nDate: Sat, 17 Nov 2007 20:18:49 +0000\nMessage-ID: <";

    #[test]
    fn lines_and_dots() {
        let read = |text: &str, ignores| String::from_utf8(read(text.as_bytes(), ignores).unwrap()).unwrap();
        assert_eq!(read("a\n.\nb", true), "a\r\n.\r\nb\r\n");
        assert_eq!(read("a\n.\nb", false), "a\r\n");
        assert_eq!(read("a\r\nb\rc\n..\n", false), "a\r\nb\r\nc\r\n..\r\n");
    }

    #[test]
    fn what_is_missing_is_put_in_and_bcc_taken_out() {
        let (text, recipients) =
            completed("To: bob@south.example, root\nSubject: x\nBcc: eve@west.example\n\nhello\n");
        assert!(text.starts_with(&format!("To: bob@south.example, root\nSubject: x\n{MADE}")), "{text}");
        assert!(text.ends_with("@north.example>\n\nhello\n"), "{text}");
        assert_eq!(recipients, ["bob@south.example", "root@north.example", "eve@west.example"]);
    }

    #[test]
    fn what_is_there_stays() {
        let whole =
            "From: Eve <eve@west.example>\nDate: Sun, 1 Jan 2006 00:00:00 +0000\nMessage-ID: <1@x>\n\n";
        assert_eq!(completed(whole).0, whole);
        let (text, _) = completed("From root Sat Nov 17 2007\nFrom: root (Cron Daemon)\nTo: root\n\nx\n");
        assert!(
            text.starts_with("From: root@north.example (Cron Daemon)\nTo: root@north.example\nDate:"),
            "{text}"
        );
    }

    #[test]
    fn a_text_without_a_header() {
        let (text, _) = completed("just words: and a colon\nmore\n");
        assert!(text.starts_with(MADE) && text.ends_with(">\n\njust words: and a colon\nmore\n"), "{text}");
        assert!(completed("").0.starts_with(MADE));
        let (text, _) = completed("Subject: x\nno field here\n");
        assert!(text.starts_with("Subject: x\nFrom:") && text.ends_with("\n\nno field here\n"), "{text}");
    }

    #[test]
    fn resent_names_come_first() {
        let (_, recipients) =
            completed("To: a@b.example\nResent-To: c@d.example\nResent-Bcc: e@f.example\n\n");
        assert_eq!(recipients, ["c@d.example", "e@f.example"]);
    }
}
