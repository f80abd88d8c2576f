//! What a person has settled: read, checked and kept.

use super::documents::{self, FETCH, IDENTITIES, RULES, SETTINGS, VACATION};
use super::room::Room;
use super::store_error;
use crate::desk::*;
use jiff::tz::TimeZone;
use posta_address::Mailbox;
use std::sync::PoisonError;

/// How long the addresses of a person are taken as known, in seconds.
const OWN_ADDRESSES_SECS_MAX: i64 = 60;
/// Octets of a text that a person settles, where nothing else is said.
const TEXT_OCTETS_MAX: usize = 64 * 1024;
/// Conditions and actions of one rule.
const RULE_PARTS_MAX: usize = 50;

fn invalid(words: impl Into<String>) -> DeskError {
    DeskError::Invalid(words.into())
}

fn check_address(address: &str) -> Result<Mailbox, DeskError> {
    Mailbox::parse(address).map_err(|error| invalid(format!("{address}: {error}")))
}

impl Room {
    /// The account's address, and the aliases that lead to it.
    pub(super) async fn own_addresses(&self) -> Result<Vec<String>, DeskError> {
        let now = self.shared.now();
        if let Some((at, known)) = &*self.own.lock().unwrap_or_else(PoisonError::into_inner)
            && now.as_second() - at.as_second() < OWN_ADDRESSES_SECS_MAX
        {
            return Ok(known.clone());
        }
        let mut addresses = vec![self.address.to_string()];
        for alias in self.store().aliases().await.map_err(store_error)? {
            // A list is written to, not written as.
            if alias.kind == posta_store::AliasKind::Alias && alias.members.contains(&self.address) {
                addresses.push(alias.address.to_string());
            }
        }
        *self.own.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, addresses.clone()));
        Ok(addresses)
    }

    /// Whether this person may write as that address: their own, or one with a tag behind `+` or `-`.
    pub(super) async fn may_write_as(&self, address: &Mailbox) -> Result<bool, DeskError> {
        let wanted = address.to_string();
        let own = self.own_addresses().await?;
        if own.iter().any(|known| known.eq_ignore_ascii_case(&wanted)) {
            return Ok(true);
        }
        let domain = match address.domain() {
            Some(domain) => self.store().domain(domain).await.map_err(store_error)?,
            None => None,
        };
        let Some(separator) = domain.and_then(|domain| domain.subaddress_separator) else { return Ok(false) };
        let Some((user, _)) = address.local_part().as_str().split_once(separator) else { return Ok(false) };
        let base = format!("{user}@{}", address.host());
        Ok(own.iter().any(|known| known.eq_ignore_ascii_case(&base)))
    }

    pub(super) async fn change_settings(&self, settings: &Settings) -> Result<(), DeskError> {
        if settings.undo_secs > limits::UNDO_SECS_MAX {
            return Err(invalid(format!("at most {} seconds to take a message back", limits::UNDO_SECS_MAX)));
        }
        if !settings.zone.is_empty() && TimeZone::get(&settings.zone).is_err() {
            return Err(invalid(format!("{} is no time zone", settings.zone)));
        }
        if settings.image_senders.len() > limits::IMAGE_SENDERS_MAX
            || settings.agent.len() > limits::AGENT_SETTINGS_MAX
        {
            return Err(invalid("too many entries"));
        }
        let mut settings = settings.clone();
        settings.image_senders.iter_mut().for_each(|sender| *sender = sender.to_lowercase());
        self.put_document(SETTINGS, &settings).await?;
        self.tell(&Notice::Settings);
        Ok(())
    }

    pub(super) async fn set_images_allowed(&self, sender: &str, allowed: bool) -> Result<(), DeskError> {
        let sender = sender.trim().to_lowercase();
        check_address(&if sender.starts_with('@') { format!("x{sender}") } else { sender.clone() })?;
        let mut settings: Settings = self.document(SETTINGS).await?;
        settings.image_senders.retain(|known| *known != sender);
        if allowed {
            settings.image_senders.push(sender);
            let over = settings.image_senders.len().saturating_sub(limits::IMAGE_SENDERS_MAX);
            settings.image_senders.drain(..over);
        }
        self.change_settings(&settings).await
    }

    /// As settled; without that, one for each own address.
    pub(super) async fn all_identities(&self) -> Result<Vec<Identity>, DeskError> {
        let settled: Vec<Identity> = self.document(IDENTITIES).await?;
        if !settled.is_empty() {
            return Ok(settled);
        }
        let own = self.own_addresses().await?;
        let identity = |(at, address): (usize, String)| Identity {
            person: Person { name: self.name.clone(), address },
            is_default: at == 0,
            ..Identity::default()
        };
        Ok(own.into_iter().enumerate().map(identity).collect())
    }

    pub(super) async fn change_identities(&self, identities: &[Identity]) -> Result<(), DeskError> {
        if identities.is_empty() || identities.len() > limits::IDENTITIES_MAX {
            return Err(invalid(format!("one identity at least, {} at most", limits::IDENTITIES_MAX)));
        }
        let mut kept = identities.to_vec();
        for identity in &kept {
            let address = check_address(&identity.person.address)?;
            if !self.may_write_as(&address).await? {
                return Err(DeskError::Forbidden(format!("{address} is not an address of yours")));
            }
            if let Some(reply_to) = &identity.reply_to {
                check_address(reply_to)?;
            }
            if identity.signature.len() > limits::SIGNATURE_OCTETS_MAX
                || identity.person.name.len() > limits::ADDRESS_TEXT_OCTETS_MAX
            {
                return Err(invalid("a name or signature is too long"));
            }
        }
        let default = kept.iter().position(|identity| identity.is_default).unwrap_or(0);
        kept.iter_mut().enumerate().for_each(|(at, identity)| identity.is_default = at == default);
        self.put_document(IDENTITIES, &kept).await?;
        self.tell(&Notice::Settings);
        Ok(())
    }

    pub(super) async fn change_rules(&self, rules: &[Rule]) -> Result<(), DeskError> {
        if rules.len() > limits::RULES_MAX {
            return Err(invalid(format!("at most {} rules", limits::RULES_MAX)));
        }
        for rule in rules {
            if rule.conditions.len() > RULE_PARTS_MAX || rule.actions.len() > RULE_PARTS_MAX {
                return Err(invalid(format!(
                    "{}: at most {RULE_PARTS_MAX} conditions and actions",
                    rule.name
                )));
            }
            if rule.conditions.iter().any(|condition| condition.value.len() > 1000) || rule.name.len() > 1000
            {
                return Err(invalid(format!("{}: a text is too long", rule.name)));
            }
            for action in &rule.actions {
                match action {
                    RuleAction::Move { folder } => drop(self.folder(folder).await?),
                    RuleAction::Forward { address } => drop(check_address(address)?),
                    RuleAction::Label { label } => {
                        label
                            .parse::<posta_store::Label>()
                            .map_err(|error| invalid(format!("{label}: {error}")))?;
                    }
                    RuleAction::MarkRead | RuleAction::Flag | RuleAction::Discard => {}
                }
            }
        }
        let changes = vec![documents::put(RULES, &rules)?, self.treated_now().await?];
        self.commit(changes).await?;
        self.tell(&Notice::Settings);
        Ok(())
    }

    pub(super) async fn change_vacation(&self, vacation: &Vacation) -> Result<(), DeskError> {
        if vacation.text.len() > TEXT_OCTETS_MAX || vacation.subject.len() > limits::SUBJECT_OCTETS_MAX {
            return Err(invalid("the answer is too long"));
        }
        if vacation.enabled && vacation.text.trim().is_empty() {
            return Err(invalid("the answer has no text"));
        }
        if let (Some(from), Some(until)) = (vacation.from, vacation.until)
            && until <= from
        {
            return Err(invalid("the absence ends before it begins"));
        }
        let before: Vacation = self.document(VACATION).await?;
        let mut changes = vec![documents::put(VACATION, vacation)?, self.treated_now().await?];
        if vacation.enabled && !before.enabled {
            // Another absence: whoever was answered in the last one is answered again.
            changes.push(documents::remove(documents::VACATION_ANSWERED)?);
        }
        self.commit(changes).await?;
        self.tell(&Notice::Settings);
        Ok(())
    }

    pub(super) async fn all_fetch_accounts(&self) -> Result<Vec<FetchAccount>, DeskError> {
        let found: Vec<(String, super::fetching::Kept)> = self.documents(FETCH).await?;
        Ok(found.into_iter().map(|(key, kept)| kept.shown(FetchKey::new(key))).collect())
    }

    pub(super) async fn change_fetch_account(&self, account: &FetchAccount) -> Result<FetchKey, DeskError> {
        let known: Vec<(String, super::fetching::Kept)> = self.documents(FETCH).await?;
        let before = match &account.key {
            Some(key) => {
                let found = known.iter().find(|(known, _)| known == key.as_str());
                Some(&found.ok_or_else(|| DeskError::NotFound("the account".to_owned()))?.1)
            }
            None if known.len() >= limits::FETCH_ACCOUNTS_MAX => {
                return Err(invalid(format!("at most {} accounts elsewhere", limits::FETCH_ACCOUNTS_MAX)));
            }
            None => None,
        };
        self.folder(&account.folder).await?;
        let kept = super::fetching::Kept::new(account, before)?;
        let key = account.key.clone().unwrap_or_else(|| FetchKey::new(self.shared.random_name()));
        self.put_document(&format!("{FETCH}{key}"), &kept).await?;
        Ok(key)
    }

    pub(super) async fn forget_fetch_account(&self, key: &FetchKey) -> Result<(), DeskError> {
        self.commit(vec![
            documents::remove(&format!("{FETCH}{key}"))?,
            documents::remove(&format!("{}{key}", documents::FETCHED))?,
        ])
        .await
    }
}
