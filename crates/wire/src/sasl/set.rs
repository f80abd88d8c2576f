//! A set of mechanisms, small enough to be part of every session.

use super::Mechanism;
use std::fmt;

/// Which mechanisms are offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MechanismSet(u16);

impl MechanismSet {
    /// None.
    pub const EMPTY: MechanismSet = MechanismSet(0);

    /// Whether the mechanism is among them.
    pub fn contains(self, mechanism: Mechanism) -> bool {
        self.0 & bit(mechanism) != 0
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// All of either set.
    #[must_use]
    pub fn union(self, other: MechanismSet) -> MechanismSet {
        MechanismSet(self.0 | other.0)
    }

    /// Those that the condition lets through.
    #[must_use]
    pub fn filter(self, mut condition: impl FnMut(Mechanism) -> bool) -> MechanismSet {
        self.iter().filter(|mechanism| condition(*mechanism)).collect()
    }

    /// Them, the strongest first: the order in which to announce them.
    pub fn iter(self) -> impl Iterator<Item = Mechanism> {
        Mechanism::ALL.into_iter().filter(move |mechanism| self.contains(*mechanism))
    }
}

fn bit(mechanism: Mechanism) -> u16 {
    1 << mechanism as u16
}

impl FromIterator<Mechanism> for MechanismSet {
    fn from_iter<I: IntoIterator<Item = Mechanism>>(mechanisms: I) -> Self {
        MechanismSet(mechanisms.into_iter().fold(0, |bits, mechanism| bits | bit(mechanism)))
    }
}

/// Their names, separated by spaces, as EHLO and CAPA show them.
impl fmt::Display for MechanismSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mechanism) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { " " };
            write!(f, "{separator}{mechanism}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_stands_first() {
        let set: MechanismSet =
            [Mechanism::Login, Mechanism::ScramSha256, Mechanism::Plain].into_iter().collect();
        assert_eq!(set.to_string(), "SCRAM-SHA-256 PLAIN LOGIN");
        assert!(set.contains(Mechanism::Plain) && !set.contains(Mechanism::External));
        assert_eq!(set.filter(|mechanism| !mechanism.is_plaintext()).to_string(), "SCRAM-SHA-256");
        let all: MechanismSet = Mechanism::ALL.into_iter().collect();
        assert_eq!(all.iter().count(), Mechanism::ALL.len());
        assert_eq!(all.union(set), all);
        assert!(MechanismSet::EMPTY.is_empty() && !set.is_empty());
    }
}
