//! Which messages are meant: by number, or by what does not change from one session to the next.

use anyhow::bail;
use posta_pop3::MessageNumber;
use posta_ua::{Listed, Maildrop};
use std::str::FromStr;

/// A message as the user names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Selection {
    /// As `list` numbers them now.
    Number(MessageNumber),
    /// The unique-id, as `list --json` tells it.
    UniqueId(String),
}

impl FromStr for Selection {
    type Err = String;
    fn from_str(text: &str) -> Result<Selection, String> {
        if let Ok(number) = text.parse() {
            return Ok(Selection::Number(number));
        }
        let unique_id = (1..=70).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_graphic());
        // Few digits are a number that is out of range, not an id.
        if !unique_id
            || text.len() < 8 && text.bytes().all(|octet| octet.is_ascii_digit())
            || text.starts_with('-')
        {
            return Err(format!("`{text}` is neither the number of a message nor a unique-id"));
        }
        Ok(Selection::UniqueId(text.to_owned()))
    }
}

/// The messages meant, each once, in the order of the maildrop.
pub(super) async fn find(maildrop: &mut Maildrop, wanted: &[Selection]) -> anyhow::Result<Vec<Listed>> {
    let list = maildrop.list().await?;
    let mut found: Vec<Listed> = Vec::new();
    for selection in wanted {
        let hit = list.iter().find(|listed| match selection {
            Selection::Number(number) => listed.number == *number,
            Selection::UniqueId(id) => listed.unique_id.as_deref() == Some(id),
        });
        match (hit, selection) {
            (Some(listed), _) => found.push(listed.clone()),
            (None, Selection::Number(number)) => {
                bail!("there is no message {number}: the maildrop has {}", count(list.len()))
            }
            (None, Selection::UniqueId(id)) => bail!("there is no message with the unique-id {id}"),
        }
    }
    found.sort_by_key(|listed| listed.number);
    found.dedup_by_key(|listed| listed.number);
    Ok(found)
}

/// `1 message`, `3 messages`
pub(super) fn count(messages: usize) -> String {
    if messages == 1 { "1 message".to_owned() } else { format!("{messages} messages") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_unique_ids() {
        assert_eq!("7".parse(), Ok(Selection::Number(MessageNumber::new(7).expect("not zero"))));
        for id in ["0dqzt4x9h2k3m", "1234567890123", "QhdPYR:00WBw1Ph7x7"] {
            assert_eq!(id.parse(), Ok(Selection::UniqueId(id.to_owned())), "{id}");
        }
        for text in ["", "0", "000", "a b", "-1", "\u{1b}[2J"] {
            assert!(text.parse::<Selection>().is_err(), "{text:?}");
        }
    }
}
