//! What a person notes on a message: flags and labels.

use crate::BadName;
use crate::limits::{LABEL_OCTETS_MAX, LABELS_PER_MESSAGE_MAX};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::ops::{BitOr, BitOrAssign, Sub};
use std::{fmt, str::FromStr};

/// A set of flags.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Flags(u8);

/// Each flag with its name.
const NAMES: [(Flags, &str); 6] = [
    (Flags::SEEN, "seen"),
    (Flags::ANSWERED, "answered"),
    (Flags::FORWARDED, "forwarded"),
    (Flags::FLAGGED, "flagged"),
    (Flags::DRAFT, "draft"),
    (Flags::MUTED, "muted"),
];

impl Flags {
    /// No flag.
    pub const NONE: Flags = Flags(0);
    /// It was read.
    pub const SEEN: Flags = Flags(1);
    /// It was answered.
    pub const ANSWERED: Flags = Flags(2);
    /// It was sent on.
    pub const FORWARDED: Flags = Flags(4);
    /// The person wants to find it again.
    pub const FLAGGED: Flags = Flags(8);
    /// It is being written.
    pub const DRAFT: Flags = Flags(16);
    /// Nothing of its conversation is to be announced.
    pub const MUTED: Flags = Flags(32);
    /// All of them.
    pub const ALL: Flags = Flags(63);

    /// Whether all of `other` are set.
    pub const fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether none is set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// With the flags of `add`, and then without those of `remove`.
    #[must_use]
    pub const fn changed(self, add: Flags, remove: Flags) -> Flags {
        Flags((self.0 | add.0) & !remove.0)
    }

    /// The names of those that are set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES.into_iter().filter(move |(flag, _)| self.contains(*flag)).map(|(_, name)| name)
    }

    pub(crate) const fn bits(self) -> u8 {
        self.0
    }

    /// `None` for bits that are no flags.
    pub(crate) fn from_bits(bits: u64) -> Option<Flags> {
        let flags = Flags(u8::try_from(bits).ok()?);
        Flags::ALL.contains(flags).then_some(flags)
    }
}

impl BitOr for Flags {
    type Output = Flags;
    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}
impl BitOrAssign for Flags {
    fn bitor_assign(&mut self, other: Flags) {
        self.0 |= other.0;
    }
}
impl Sub for Flags {
    type Output = Flags;
    fn sub(self, other: Flags) -> Flags {
        Flags(self.0 & !other.0)
    }
}
impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

/// One flag by its name.
impl FromStr for Flags {
    type Err = BadName;
    fn from_str(text: &str) -> Result<Self, BadName> {
        let found = NAMES.into_iter().find(|(_, name)| name.eq_ignore_ascii_case(text));
        found.map(|(flag, _)| flag).ok_or(BadName("there is no such flag"))
    }
}

/// As a list of names.
impl Serialize for Flags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.names())
    }
}
impl<'de> Deserialize<'de> for Flags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut flags = Flags::NONE;
        for name in Vec::<String>::deserialize(deserializer)? {
            flags |= name.parse().map_err(serde::de::Error::custom)?;
        }
        Ok(flags)
    }
}

/// A word of the person's own on a message: UTF-8 without control characters, no blanks around it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label(String);

impl Label {
    /// The label.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Label {
    type Err = BadName;
    fn from_str(text: &str) -> Result<Self, BadName> {
        if text.is_empty() || text.trim() != text {
            return Err(BadName("a label is not empty and has no blanks around it"));
        }
        if text.len() > LABEL_OCTETS_MAX {
            return Err(BadName("a label is too long"));
        }
        if text.chars().any(char::is_control) {
            return Err(BadName("a label has no control characters"));
        }
        Ok(Label(text.to_owned()))
    }
}
impl TryFrom<String> for Label {
    type Error = BadName;
    fn try_from(text: String) -> Result<Self, BadName> {
        text.parse()
    }
}
impl From<Label> for String {
    fn from(label: Label) -> String {
        label.0
    }
}
impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Adds and then removes labels. They stay sorted, each once, and within their limit: what would be
/// more is passed over.
pub(crate) fn change_labels(labels: &mut Vec<Label>, add: &[Label], remove: &[Label]) {
    for label in add {
        if let Err(place) = labels.binary_search(label)
            && labels.len() < LABELS_PER_MESSAGE_MAX
        {
            labels.insert(place, label.clone());
        }
    }
    labels.retain(|label| !remove.contains(label));
}

/// Labels as they are kept: sorted, each once, within the limit.
pub(crate) fn tidy_labels(labels: &[Label]) -> Vec<Label> {
    let mut tidy = Vec::new();
    change_labels(&mut tidy, labels, &[]);
    tidy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_a_set() {
        let flags = Flags::SEEN | Flags::FLAGGED;
        assert!(flags.contains(Flags::SEEN) && !flags.contains(Flags::SEEN | Flags::DRAFT));
        assert_eq!(flags.changed(Flags::DRAFT, Flags::SEEN), Flags::FLAGGED | Flags::DRAFT);
        assert_eq!(flags - Flags::SEEN, Flags::FLAGGED);
        assert_eq!(format!("{flags:?}"), r#"{"seen", "flagged"}"#);
        assert_eq!("Muted".parse(), Ok(Flags::MUTED));
        assert!("new".parse::<Flags>().is_err());
        let all = NAMES.into_iter().fold(Flags::NONE, |all, (flag, _)| all | flag);
        assert_eq!((all, Flags::from_bits(63), Flags::from_bits(64)), (Flags::ALL, Some(Flags::ALL), None));
    }

    #[test]
    fn labels_stay_sorted_and_few() {
        let label = |text: &str| text.parse::<Label>().unwrap();
        let mut labels = tidy_labels(&[label("b"), label("a"), label("b")]);
        assert_eq!(labels, [label("a"), label("b")]);
        change_labels(&mut labels, &[label("aa"), label("c")], &[label("b"), label("c")]);
        assert_eq!(labels, [label("a"), label("aa")]);
        let many: Vec<_> = (0..100).map(|number| label(&format!("{number}"))).collect();
        assert_eq!(tidy_labels(&many).len(), LABELS_PER_MESSAGE_MAX);
        for bad in ["", " a", "a\n", "a\u{0}", &"x".repeat(LABEL_OCTETS_MAX + 1)] {
            assert!(bad.parse::<Label>().is_err(), "{bad:?}");
        }
    }
}
