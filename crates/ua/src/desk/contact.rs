//! People: in fields, in the address book, and as suggestions while typing.

use super::ContactKey;
use serde::{Deserialize, Serialize};

/// A name with an address, as text: a draft may hold one that is only half typed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Person {
    /// As people read it; empty where there is none. Line breaks and characters that turn the direction of text are gone.
    #[serde(default)]
    pub name: String,
    /// `local-part@domain`.
    pub address: String,
}

impl Person {
    /// One with a name.
    pub fn new(name: impl Into<String>, address: impl Into<String>) -> Person {
        Person { name: name.into(), address: address.into() }
    }

    /// What a list shows: the name, else the address.
    pub fn shown(&self) -> &str {
        if self.name.is_empty() { &self.address } else { &self.name }
    }
}

/// Somebody in the address book.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Contact {
    /// None for a new one.
    pub key: Option<ContactKey>,
    /// The whole name.
    pub name: String,
    /// The first one is used when nothing else is asked for.
    pub addresses: Vec<String>,
    /// Telephone numbers, as written.
    pub phones: Vec<String>,
    /// Firm or club.
    pub organization: String,
    /// Anything.
    pub note: String,
}

/// Somebody whom a half-typed address may mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suggestion {
    /// Who.
    #[serde(flatten)]
    pub person: Person,
    /// In the address book.
    pub is_contact: bool,
    /// Messages written to this address.
    pub times_written: u32,
}
