//! People of address fields, safe to show.

use crate::desk::Person;
use crate::terminal::harmless_line;
use posta_message::field::address::{AddressList, Mailbox};

/// Characters of a name that are shown.
const NAME_CHARS_MAX: usize = 200;
/// People of one field that are read.
const PEOPLE_MAX: usize = 1000;

/// One mailbox.
pub fn person(mailbox: &Mailbox<'_>) -> Person {
    let name = mailbox.name.as_deref().map(|name| harmless_line(name.trim())).unwrap_or_default();
    let name: String = name.chars().filter(|c| !is_invisible(*c)).take(NAME_CHARS_MAX).collect();
    Person { name, address: harmless_line(&mailbox.address) }
}

/// All of a field, in order.
pub fn people(list: &AddressList<'_>) -> Vec<Person> {
    let found = list.mailboxes().filter(|mailbox| !mailbox.address.is_empty() || mailbox.name.is_some());
    found.take(PEOPLE_MAX).map(person).collect()
}

/// Marks of direction and characters without width: in a name they only disguise.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{fffd}')
}
