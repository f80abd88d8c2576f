//! The address book, one document; and whom a half-typed address may mean.

use super::documents::CONTACTS;
use super::room::Room;
use super::vcard;
use crate::desk::{Contact, ContactKey, DeskError, Notice, Person, Suggestion, limits};

/// Octets of one entry.
const CONTACT_OCTETS_MAX: usize = 8 * 1024;
/// Addresses or numbers of one entry.
const CONTACT_LINES_MAX: usize = 50;

fn check(contact: &Contact) -> Result<(), DeskError> {
    let texts = [&contact.name, &contact.organization, &contact.note];
    let lines = || contact.addresses.iter().chain(&contact.phones);
    let octets = texts.iter().map(|text| text.len()).sum::<usize>() + lines().map(String::len).sum::<usize>();
    if octets > CONTACT_OCTETS_MAX || lines().count() > CONTACT_LINES_MAX {
        return Err(DeskError::Invalid("the entry is too long".to_owned()));
    }
    if contact.name.trim().is_empty() && contact.addresses.is_empty() {
        return Err(DeskError::Invalid("an entry has a name or an address".to_owned()));
    }
    let bad = contact.addresses.iter().find(|address| posta_address::Mailbox::parse(address).is_err());
    bad.map_or(Ok(()), |address| Err(DeskError::Invalid(format!("{address} is no address"))))
}

impl Room {
    pub(super) async fn all_contacts(&self) -> Result<Vec<Contact>, DeskError> {
        let mut contacts: Vec<Contact> = self.document(CONTACTS).await?;
        contacts.sort_by_cached_key(|contact| contact.name.to_lowercase());
        Ok(contacts)
    }

    pub(super) async fn is_contact(&self, address: &str) -> Result<bool, DeskError> {
        let contacts: Vec<Contact> = self.document(CONTACTS).await?;
        let has =
            |contact: &Contact| contact.addresses.iter().any(|known| known.eq_ignore_ascii_case(address));
        Ok(contacts.iter().any(has))
    }

    async fn keep_contacts(&self, contacts: &[Contact]) -> Result<(), DeskError> {
        if contacts.len() > limits::CONTACTS_MAX {
            return Err(DeskError::Invalid(format!("at most {} people", limits::CONTACTS_MAX)));
        }
        self.put_document(CONTACTS, &contacts).await?;
        self.tell(&Notice::Settings);
        Ok(())
    }

    pub(super) async fn change_contact(&self, contact: &Contact) -> Result<ContactKey, DeskError> {
        check(contact)?;
        let mut contacts: Vec<Contact> = self.document(CONTACTS).await?;
        let key = contact.key.clone().unwrap_or_else(|| ContactKey::new(self.shared.random_name()));
        let kept = Contact { key: Some(key.clone()), ..contact.clone() };
        match contacts.iter_mut().find(|known| known.key.as_ref() == Some(&key)) {
            Some(known) => *known = kept,
            None if contact.key.is_some() => return Err(DeskError::NotFound("the entry".to_owned())),
            None => contacts.push(kept),
        }
        self.keep_contacts(&contacts).await?;
        Ok(key)
    }

    pub(super) async fn forget_contact(&self, key: &ContactKey) -> Result<(), DeskError> {
        let mut contacts: Vec<Contact> = self.document(CONTACTS).await?;
        contacts.retain(|known| known.key.as_ref() != Some(key));
        self.keep_contacts(&contacts).await
    }

    /// Those with a known UID replace; others come to them.
    pub(super) async fn take_vcards(&self, vcards: &str) -> Result<u32, DeskError> {
        if vcards.len() > limits::VCARD_OCTETS_MAX {
            return Err(DeskError::Invalid("the file is too large".to_owned()));
        }
        let mut contacts: Vec<Contact> = self.document(CONTACTS).await?;
        let mut count = 0;
        for mut read in vcard::read(vcards) {
            read.addresses.retain(|address| posta_address::Mailbox::parse(address).is_ok());
            if check(&read).is_err() {
                continue;
            }
            let key = read.key.clone().unwrap_or_else(|| ContactKey::new(self.shared.random_name()));
            read.key = Some(key.clone());
            match contacts.iter_mut().find(|known| known.key.as_ref() == Some(&key)) {
                Some(known) => *known = read,
                None => contacts.push(read),
            }
            count += 1;
        }
        self.keep_contacts(&contacts).await?;
        Ok(count)
    }

    pub(super) async fn suggestions(&self, typed: &str, limit: u32) -> Result<Vec<Suggestion>, DeskError> {
        let limit = limit.clamp(1, limits::SUGGESTIONS_MAX);
        let typed = typed.trim().to_lowercase();
        if typed.is_empty() {
            return Ok(Vec::new());
        }
        self.fresh().await?;
        let asked = typed.clone();
        let mut found = self.ask(move |index| index.complete(&asked, limit)).await?;
        let contacts: Vec<Contact> = self.document(CONTACTS).await?;
        let begins =
            |text: &str| text.to_lowercase().split([' ', '@', '.', '-']).any(|word| word.starts_with(&typed));
        for contact in &contacts {
            for address in &contact.addresses {
                if let Some(known) =
                    found.iter_mut().find(|known| known.person.address.eq_ignore_ascii_case(address))
                {
                    known.is_contact = true;
                    if !contact.name.is_empty() {
                        known.person.name.clone_from(&contact.name);
                    }
                } else if begins(&contact.name)
                    || begins(address)
                    || address.to_lowercase().starts_with(&typed)
                {
                    let person = Person::new(contact.name.clone(), address.clone());
                    found.push(Suggestion { person, is_contact: true, times_written: 0 });
                }
            }
        }
        let own = self.own_addresses().await?;
        found.retain(|one| {
            one.is_contact
                || one.times_written > 0
                || !own.iter().any(|own| own.eq_ignore_ascii_case(&one.person.address))
        });
        // Whom the person writes to, then who is in the book, then who once wrote.
        found.sort_by_key(|one| std::cmp::Reverse((one.times_written, one.is_contact)));
        found.truncate(limit as usize);
        Ok(found)
    }
}
