//! A draft as text for an editor, and back: header fields, an empty line, the words.

use posta_ua::desk::{Draft, DraftBody, Person};
use posta_ua::parse_mailboxes;

/// What an editor is given.
pub(super) fn to_text(draft: &Draft) -> String {
    let body = match &draft.body {
        DraftBody::Text(text) | DraftBody::Html(text) => text,
    };
    let from = draft.from.as_ref().map(|from| format!("From: {}\n", shown(from))).unwrap_or_default();
    let mut text = format!("{from}To: {}\nCc: {}\n", people(&draft.to), people(&draft.cc));
    if !draft.bcc.is_empty() {
        text.push_str(&format!("Bcc: {}\n", people(&draft.bcc)));
    }
    let subject = draft.subject.replace(['\r', '\n'], " ");
    text.push_str(&format!("Subject: {subject}\n\n{}", body.replace("\r\n", "\n")));
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// Takes over what came back. Fields that aren't there any more are empty; unknown ones are left out, and named.
pub(super) fn take_text(draft: &mut Draft, text: &str) -> Vec<String> {
    let text = text.replace("\r\n", "\n");
    let (head, body) = match text.split_once("\n\n") {
        Some((head, body)) if is_head(head) => (head, body),
        _ if is_head(text.trim_end()) => (text.trim_end(), ""),
        // No header at all: then all of it is words.
        _ => ("", text.as_str()),
    };
    draft.body = DraftBody::Text(body.to_owned());
    if head.is_empty() {
        return Vec::new();
    }
    let mut unknown = Vec::new();
    let (mut to, mut cc, mut bcc, mut subject, mut from) =
        (Vec::new(), Vec::new(), Vec::new(), String::new(), None);
    for field in head.replace("\n ", " ").replace("\n\t", " ").lines() {
        let Some((name, value)) = field.split_once(':') else { continue };
        let value = value.trim();
        match name.trim().to_ascii_lowercase().as_str() {
            "to" => to.extend(read_people(value)),
            "cc" => cc.extend(read_people(value)),
            "bcc" => bcc.extend(read_people(value)),
            "subject" => subject = value.to_owned(),
            "from" => from = read_people(value).into_iter().next(),
            _ => unknown.push(name.trim().to_owned()),
        }
    }
    draft.to = to;
    draft.cc = cc;
    draft.bcc = bcc;
    draft.subject = subject;
    draft.from = from;
    unknown
}

fn is_head(text: &str) -> bool {
    let is_field = |line: &str| {
        line.starts_with([' ', '\t'])
            || line.split_once(':').is_some_and(|(name, _)| {
                !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
            })
    };
    text.lines().next().is_some() && text.lines().all(is_field)
}

/// Addresses with commas between them.
pub(super) fn people(people: &[Person]) -> String {
    people.iter().map(shown).collect::<Vec<_>>().join(", ")
}

fn shown(person: &Person) -> String {
    if person.name.is_empty() {
        return person.address.clone();
    }
    // RFC 5322 §3.2.3: a name with specials is quoted.
    let is_plain = person.name.chars().all(|c| c.is_alphanumeric() || " -'_".contains(c));
    if is_plain {
        return format!("{} <{}>", person.name, person.address);
    }
    let quoted = person.name.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{quoted}\" <{}>", person.address)
}

/// What was typed as addresses; what is none stays as it is, for the engine to say so.
pub(super) fn read_people(text: &str) -> Vec<Person> {
    if text.trim().is_empty() {
        return Vec::new();
    }
    if let Ok(mailboxes) = parse_mailboxes(text) {
        let person = |named: posta_message::build::NamedMailbox| {
            let name = named.name.map(|name| name.to_string()).unwrap_or_default();
            Person::new(name, named.mailbox.to_string())
        };
        return mailboxes.into_iter().map(person).collect();
    }
    text.split(',')
        .map(str::trim)
        .filter(|piece| !piece.is_empty())
        .map(|piece| Person::new("", piece))
        .collect()
}

/// The words speak of an attachment, in own text (quoted lines say nothing).
pub(super) fn speaks_of_attachment(draft: &Draft) -> bool {
    const WORDS: [&str; 8] =
        ["attached", "attachment", "attaching", "enclosed", "anhang", "angehängt", "beilage", "anbei"];
    let (DraftBody::Text(text) | DraftBody::Html(text)) = &draft.body;
    let own = text.lines().take_while(|line| *line != "-- ").filter(|line| !line.starts_with('>'));
    own.flat_map(|line| line.split(|c: char| !c.is_alphanumeric()))
        .any(|word| WORDS.contains(&word.to_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> Draft {
        Draft {
            from: Some(Person::new("Bob", "bob@south.example")),
            to: vec![Person::new("Löv, Ada", "ada@north.example"), Person::new("", "half typed")],
            cc: vec![Person::new("", "carl@west.example")],
            subject: "Grüße".into(),
            body: DraftBody::Text("One\n\nTwo: three\n".into()),
            ..Draft::default()
        }
    }

    #[test]
    fn a_draft_survives_the_editor() {
        let mut draft = draft();
        draft.to.pop();
        let text = to_text(&draft);
        let mut back = Draft::default();
        assert_eq!(take_text(&mut back, &text), Vec::<String>::new());
        assert_eq!(back, draft);
    }

    #[test]
    fn what_is_typed_is_taken() {
        let table = [
            ("To: a@b.example\nSubject: x\n\nwords\n", "To: a@b.example\nCc: \nSubject: x\n\nwords\n"),
            ("just: words that\nare no head\n", "To: \nCc: \nSubject: \n\njust: words that\nare no head\n"),
            ("Subject: only\n", "To: \nCc: \nSubject: only\n\n"),
            ("To: a@b.example,\n c@d.example\n\nx", "To: a@b.example, c@d.example\nCc: \nSubject: \n\nx\n"),
            ("To: a@b.example, half\n\nx\n", "To: a@b.example, half\nCc: \nSubject: \n\nx\n"),
            ("", "To: \nCc: \nSubject: \n\n"),
        ];
        for (text, expected) in table {
            let mut draft = Draft::default();
            take_text(&mut draft, text);
            assert_eq!(to_text(&draft), expected, "{text:?}");
        }
        let mut other = draft();
        assert_eq!(take_text(&mut other, "To: a@b.example\nX-Mood: good\n\nx"), ["X-Mood"]);
    }

    #[test]
    fn attachments_are_spoken_of() {
        let table = [
            ("see the attached file", true),
            ("im Anhang", true),
            ("> see the attached file\nthanks", false),
            ("unattached", false),
            ("hello\n-- \nattached to nothing", false),
        ];
        for (text, expected) in table {
            let draft = Draft { body: DraftBody::Text(text.into()), ..Draft::default() };
            assert_eq!(speaks_of_attachment(&draft), expected, "{text:?}");
        }
    }
}
