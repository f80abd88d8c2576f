//! vCards: written as version 4.0 (RFC 6350), read as any of 2.1, 3.0 and 4.0.

use crate::desk::{Contact, ContactKey};
use crate::terminal::{harmless, harmless_line};
use posta_message::encoding::quoted_printable;
use std::fmt::Write;

/// Octets of a line before it is folded (RFC 6350 §3.2).
const LINE_OCTETS_MAX: usize = 75;
/// People in one file.
const CARDS_MAX: usize = 20_000;

/// Writes an address book.
pub fn write(contacts: &[Contact]) -> String {
    let mut out = String::new();
    for contact in contacts {
        let mut line = |name: &str, value: &str| {
            if !value.is_empty() || name == "FN" {
                fold(&mut out, &format!("{name}:{}", escape(value)));
            }
        };
        line("BEGIN", "VCARD");
        line("VERSION", "4.0");
        line("UID", contact.key.as_ref().map_or("", ContactKey::as_str));
        // FN is the one field that must be there (RFC 6350 §6.2.1).
        line(
            "FN",
            if contact.name.is_empty() {
                contact.addresses.first().map_or("", String::as_str)
            } else {
                &contact.name
            },
        );
        contact.addresses.iter().for_each(|address| line("EMAIL", address));
        contact.phones.iter().for_each(|phone| line("TEL", phone));
        line("ORG", &contact.organization);
        line("NOTE", &contact.note);
        line("END", "VCARD");
    }
    out
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "").replace(',', "\\,").replace(';', "\\;")
}

fn fold(out: &mut String, line: &str) {
    let mut octets = 0;
    for c in line.chars() {
        if octets + c.len_utf8() > LINE_OCTETS_MAX {
            out.push_str("\r\n ");
            octets = 1;
        }
        out.push(c);
        octets += c.len_utf8();
    }
    let _ = write!(out, "\r\n");
}

/// Reads all cards that can be read.
pub fn read(text: &str) -> Vec<Contact> {
    let mut contacts = Vec::new();
    let mut current: Option<Contact> = None;
    let mut structured = String::new();
    for line in logical_lines(text) {
        let Some((head, value)) = split_head(&line) else { continue };
        let mut parts = head.split(';');
        // `item1.EMAIL` of groups.
        let name =
            parts.next().unwrap_or_default().rsplit('.').next().unwrap_or_default().to_ascii_uppercase();
        let is_quoted = parts.any(|parameter| parameter.to_ascii_uppercase().contains("QUOTED-PRINTABLE"));
        let value = if is_quoted { unquoted(value) } else { value.to_owned() };
        match (name.as_str(), &mut current) {
            ("BEGIN", _) => (current, structured) = (Some(Contact::default()), String::new()),
            ("END", Some(_)) => {
                let mut done = current.take().unwrap_or_default();
                if done.name.is_empty() {
                    done.name = std::mem::take(&mut structured);
                }
                if contacts.len() < CARDS_MAX {
                    contacts.push(done);
                }
            }
            ("N", Some(_)) => structured = name_of(&value),
            (name, Some(contact)) => take(contact, name, &value),
            (_, None) => {}
        }
    }
    contacts
}

fn take(contact: &mut Contact, name: &str, value: &str) {
    let text = || harmless_line(unescape(value).trim());
    match name {
        "UID" => {
            let key: String = value
                .trim()
                .chars()
                .filter(|c| c.is_ascii_alphanumeric() || "-_.:".contains(*c))
                .take(100)
                .collect();
            contact.key = (!key.is_empty()).then(|| ContactKey::new(key));
        }
        "FN" => contact.name = text(),
        "EMAIL" => contact.addresses.push(text().trim_start_matches("mailto:").to_owned()),
        "TEL" => contact.phones.push(text().trim_start_matches("tel:").to_owned()),
        "ORG" => {
            contact.organization =
                harmless_line(unescape(&value.replace(';', ", ")).trim_end_matches([',', ' ']))
        }
        "NOTE" => contact.note = harmless(&unescape(value)),
        _ => {}
    }
}

/// `family;given;…` as people say it.
fn name_of(value: &str) -> String {
    let mut parts = value.split(';').map(|part| harmless_line(unescape(part).trim()));
    let (family, given) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    format!("{given} {family}").trim().to_owned()
}

/// Lines with those joined that belong together: folded ones, and soft breaks of quoted-printable (version 2.1).
fn logical_lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut is_soft = false;
    for line in text.lines() {
        let line = line.trim_end_matches('\r');
        match lines.last_mut() {
            Some(last) if is_soft => {
                last.pop();
                last.push_str(line);
            }
            Some(last) if line.starts_with([' ', '\t']) => last.push_str(&line[1..]),
            _ => lines.push(line.to_owned()),
        }
        is_soft = lines.last().is_some_and(|last| {
            last.ends_with('=') && last.to_ascii_uppercase().contains("QUOTED-PRINTABLE")
        });
    }
    lines
}

/// Name with parameters, and value: the first colon outside of quotes.
fn split_head(line: &str) -> Option<(&str, &str)> {
    let mut quoted = false;
    let colon = line.char_indices().find_map(|(at, c)| {
        quoted ^= c == '"';
        (c == ':' && !quoted).then_some(at)
    })?;
    Some((&line[..colon], &line[colon + 1..]))
}

fn unescape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n' | 'N') => out.push('\n'),
                Some(other) => out.push(other),
                None => {}
            },
            _ => out.push(c),
        }
    }
    out
}

fn unquoted(value: &str) -> String {
    let mut octets = Vec::new();
    quoted_printable::decode_into(value.as_bytes(), &mut octets);
    String::from_utf8_lossy(&octets).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let contact = Contact {
            key: Some(ContactKey::new("a1")),
            name: "Löv, Ada; \\the first".into(),
            addresses: vec!["ada@north.example".into(), "a@x.example".into()],
            phones: vec!["+43 1 234".into()],
            organization: "Löv & Co".into(),
            note: format!("line\n{}", "long ".repeat(50).trim()),
        };
        let text = write(std::slice::from_ref(&contact));
        assert!(text.lines().all(|line| line.len() <= LINE_OCTETS_MAX), "{text}");
        assert_eq!(read(&text), [contact]);
    }

    #[test]
    fn cards_of_others() {
        let old = "BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:L=C3=B6v;Ad=\r\na;;;\r\nEMAIL;INTERNET:ada@north.example\r\nEND:VCARD\r\n";
        assert_eq!(read(old)[0].name, "Ada Löv");
        let apple = "BEGIN:VCARD\nVERSION:3.0\nFN:Bob\nitem1.EMAIL;type=\"x:y\":bob@south.example\nORG:Firm;Unit;\nUID:../../x\nEND:VCARD\n";
        let bob = &read(apple)[0];
        assert_eq!(
            (bob.addresses[0].as_str(), bob.organization.as_str()),
            ("bob@south.example", "Firm, Unit")
        );
        assert_eq!(bob.key, Some(ContactKey::new("....x")));
        assert!(read("nonsense\n:\nEND:VCARD\nBEGIN:VCARD\n").is_empty());
    }
}
