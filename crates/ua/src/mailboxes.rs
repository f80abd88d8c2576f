//! Addresses as people type them: `ada@north.example`, `Ada Löv <ada@north.example>`, several with commas.

use posta_address::Mailbox;
use posta_message::{HeaderText, build::NamedMailbox};
use thiserror::Error;

/// The text is no address.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is no address: {reason}")]
pub struct BadMailbox {
    text: String,
    reason: String,
}

/// Reads addresses with commas between them. A name may be quoted; commas in quotes do not divide.
pub fn parse_mailboxes(text: &str) -> Result<Vec<NamedMailbox>, BadMailbox> {
    let mut mailboxes = Vec::new();
    for part in split_outside_quotes(text) {
        // A trailing comma is easily typed and means nothing.
        if !part.trim().is_empty() {
            mailboxes.push(parse_mailbox(part)?);
        }
    }
    if mailboxes.is_empty() {
        return Err(BadMailbox { text: text.to_owned(), reason: "it is empty".to_owned() });
    }
    Ok(mailboxes)
}

/// Reads one address, with or without a name.
pub fn parse_mailbox(text: &str) -> Result<NamedMailbox, BadMailbox> {
    let text = text.trim();
    let bad = |reason: String| BadMailbox { text: text.to_owned(), reason };
    let Some(rest) = text.strip_suffix('>') else {
        let mailbox = Mailbox::parse(text).map_err(|error| bad(error.to_string()))?;
        return Ok(NamedMailbox { name: None, mailbox });
    };
    let (name, address) = rest.rsplit_once('<').ok_or_else(|| bad("`<` is missing".to_owned()))?;
    let mailbox = Mailbox::parse(address.trim()).map_err(|error| bad(error.to_string()))?;
    let name = unquote(name.trim());
    let name = if name.is_empty() {
        None
    } else {
        Some(HeaderText::parse(&name).map_err(|error| bad(error.to_string()))?)
    };
    Ok(NamedMailbox { name, mailbox })
}

fn unquote(name: &str) -> String {
    let Some(inner) = name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return name.to_owned();
    };
    let mut out = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(c) = characters.next() {
        out.push(if c == '\\' { characters.next().unwrap_or('\\') } else { c });
    }
    out
}

fn split_outside_quotes(text: &str) -> Vec<&str> {
    let (mut quoted, mut escaped, mut start) = (false, false, 0);
    let mut parts = Vec::new();
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_typed() {
        let table: &[(&str, &[(&str, &str)])] = &[
            ("ada@north.example", &[("", "ada@north.example")]),
            (" <ada@north.example> ", &[("", "ada@north.example")]),
            ("Ada Löv <ada@north.example>", &[("Ada Löv", "ada@north.example")]),
            (
                "\"Löv, Ada\" <ada@north.example>, bob@south.example,",
                &[("Löv, Ada", "ada@north.example"), ("", "bob@south.example")],
            ),
            ("\"a\\\"b\" <x@y.example>", &[("a\"b", "x@y.example")]),
            ("\"a,b\"@y.example", &[("", "\"a,b\"@y.example")]),
        ];
        for (text, expected) in table {
            let found = parse_mailboxes(text).unwrap();
            let found: Vec<_> = found
                .iter()
                .map(|found| {
                    (found.name.as_ref().map_or("", |name| name.as_str()), found.mailbox.to_string())
                })
                .collect();
            let expected: Vec<_> =
                expected.iter().map(|(name, mailbox)| (*name, mailbox.to_string())).collect();
            assert_eq!(found, expected, "{text}");
        }
        for text in
            ["", ",", "ada", "Ada <ada>", "ada@north.example>", "A\r\nBcc: x <a@b.example>", "a b@c.example"]
        {
            assert!(parse_mailboxes(text).is_err(), "{text:?}");
        }
    }
}
