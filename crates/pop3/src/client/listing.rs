//! The lines of listings, read (RFC 1939 §5 LIST, §7 UIDL).

use super::Event;
use crate::{Capability, MessageNumber, limits::UNIQUE_ID_OCTETS_MAX};

/// What the lines of a multi-line reply are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    /// LIST.
    Size,
    /// UIDL.
    UniqueId,
    /// CAPA.
    Capability,
    /// LANG.
    Language,
}

impl Column {
    /// Reads one line; `None` when it is not what it should be.
    pub(super) fn read(self, line: &[u8]) -> Option<Event> {
        let line = std::str::from_utf8(line).ok()?;
        if self == Column::Capability {
            return Some(Event::Capability(Capability::parse(line)));
        }
        if self == Column::Language {
            // RFC 6856 §3.2: the name is optional.
            let (tag, name) = line.split_once(' ').unwrap_or((line, ""));
            let name = (!name.is_empty()).then(|| name.to_owned());
            return Some(Event::Language { tag: tag.to_owned(), name });
        }
        let (message, value) = line.split_once(' ')?;
        let message: MessageNumber = decimal(message)?.try_into().ok().and_then(MessageNumber::new)?;
        if self == Column::Size {
            // RFC 1939 §5: servers may add to a scan listing; only the size counts.
            let octets = decimal(value.split(' ').next()?)?;
            return Some(Event::Size { message, octets });
        }
        let unique_id = value.trim_end_matches(' ');
        let valid = (1..=UNIQUE_ID_OCTETS_MAX).contains(&unique_id.len())
            && unique_id.bytes().all(|octet| octet.is_ascii_graphic());
        valid.then(|| Event::UniqueId { message, unique_id: unique_id.to_owned() })
    }
}

/// STAT's text (RFC 1939 §5): two numbers; more may follow.
pub(super) fn read_status(text: &str) -> Option<Event> {
    let mut words = text.split(' ');
    let (messages, octets) = (decimal(words.next()?)?, decimal(words.next()?)?);
    Some(Event::Status { messages, octets })
}

fn decimal(word: &str) -> Option<u64> {
    let digits = !word.is_empty() && word.bytes().all(|octet| octet.is_ascii_digit());
    if digits { word.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_or_refused() {
        let one = MessageNumber::MIN;
        let long = format!("1 {}", "x".repeat(71));
        let table: &[(Column, &str, Option<Event>)] = &[
            (Column::Size, "1 120", Some(Event::Size { message: one, octets: 120 })),
            (Column::Size, "1 120 more", Some(Event::Size { message: one, octets: 120 })),
            (Column::Size, "0 120", None),
            (Column::Size, "1", None),
            (Column::Size, "1 x", None),
            (Column::Size, "-1 2", None),
            (Column::Size, "4294967296 2", None),
            (
                Column::UniqueId,
                "1 whqtswO00WBw418f9t5JxYwZ",
                Some(Event::UniqueId { message: one, unique_id: "whqtswO00WBw418f9t5JxYwZ".into() }),
            ),
            (Column::UniqueId, "1 two words", None),
            (Column::UniqueId, "1 ", None),
            (Column::UniqueId, &long, None),
            (
                Column::Language,
                "de Deutsch",
                Some(Event::Language { tag: "de".into(), name: Some("Deutsch".into()) }),
            ),
            (Column::Language, "en", Some(Event::Language { tag: "en".into(), name: None })),
            (Column::Capability, "UIDL", Some(Event::Capability(Capability::Uidl))),
        ];
        for (column, line, expected) in table {
            assert_eq!(column.read(line.as_bytes()), *expected, "{line}");
        }
        assert_eq!(Column::Size.read(b"1 \xff"), None);
        assert_eq!(read_status("2 320"), Some(Event::Status { messages: 2, octets: 320 }));
        assert_eq!(read_status("2 320 (extra)"), Some(Event::Status { messages: 2, octets: 320 }));
        assert_eq!(read_status("2"), None);
        assert_eq!(read_status("two 320"), None);
    }
}
