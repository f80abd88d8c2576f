//! The whole directory in memory: what both forms of the store answer look-ups from, and the rules
//! that a change of it must keep.

use crate::{Account, AccountId, Alias, DirectoryChange, DomainSettings, StoreError};
use posta_address::{Domain, Host, Mailbox};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How addresses are compared here: without regard to case, domains by their A-labels.
pub(crate) fn mailbox_key(mailbox: &Mailbox) -> String {
    let mut key = mailbox.local_part().as_str().to_lowercase();
    key.push('@');
    key.push_str(&host_key(mailbox.host()));
    key
}

pub(crate) fn host_key(host: &Host) -> String {
    match host {
        Host::Domain(domain) => domain.to_ascii().to_owned(),
        Host::Literal(literal) => literal.to_string().to_lowercase(),
    }
}

/// Domains, accounts, aliases.
#[derive(Debug, Clone, Default)]
pub(crate) struct Directory {
    domains: BTreeMap<Domain, DomainSettings>,
    accounts: HashMap<AccountId, Account>,
    account_ids: BTreeMap<String, AccountId>,
    aliases: BTreeMap<String, Alias>,
    removed_accounts: BTreeSet<AccountId>,
    /// How many accounts have an APOP secret.
    apop_accounts: usize,
}

impl Directory {
    pub(crate) fn domain(&self, domain: &Domain) -> Option<&DomainSettings> {
        self.domains.get(domain)
    }

    pub(crate) fn account(&self, address: &Mailbox) -> Option<&Account> {
        self.account_by_id(*self.account_ids.get(&mailbox_key(address))?)
    }

    pub(crate) fn account_by_id(&self, id: AccountId) -> Option<&Account> {
        self.accounts.get(&id)
    }

    pub(crate) fn has_account(&self, id: AccountId) -> bool {
        self.accounts.contains_key(&id)
    }

    pub(crate) fn alias(&self, address: &Mailbox) -> Option<&Alias> {
        self.aliases.get(&mailbox_key(address))
    }

    pub(crate) fn domains(&self) -> impl Iterator<Item = &DomainSettings> {
        self.domains.values()
    }

    pub(crate) fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.account_ids.values().filter_map(|id| self.accounts.get(id))
    }

    pub(crate) fn has_apop_accounts(&self) -> bool {
        self.apop_accounts > 0
    }

    pub(crate) fn aliases(&self) -> impl Iterator<Item = &Alias> {
        self.aliases.values()
    }

    /// Whether the change may be made now.
    pub(crate) fn check(&self, change: &DirectoryChange) -> Result<(), StoreError> {
        match change {
            DirectoryChange::PutAccount(account) => {
                if self.removed_accounts.contains(&account.id) {
                    return Err(StoreError::Conflict(format!(
                        "account {} was removed; its id is not used again",
                        account.id.0
                    )));
                }
                let key = mailbox_key(&account.address);
                let taken_by_account = self.account_ids.get(&key).is_some_and(|id| *id != account.id);
                if taken_by_account || self.aliases.contains_key(&key) {
                    return Err(taken(&account.address));
                }
                Ok(())
            }
            DirectoryChange::PutAlias(alias)
                if self.account_ids.contains_key(&mailbox_key(&alias.address)) =>
            {
                Err(taken(&alias.address))
            }
            _ => Ok(()),
        }
    }

    /// Makes the change; it was checked.
    pub(crate) fn apply(&mut self, change: DirectoryChange) {
        match change {
            DirectoryChange::PutDomain(settings) => {
                self.domains.insert(settings.domain.clone(), settings);
            }
            DirectoryChange::RemoveDomain(domain) => {
                self.domains.remove(&domain);
            }
            DirectoryChange::PutAccount(account) => {
                self.drop_account(account.id);
                self.account_ids.insert(mailbox_key(&account.address), account.id);
                self.apop_accounts += usize::from(account.apop_secret.is_some());
                self.accounts.insert(account.id, account);
            }
            DirectoryChange::RemoveAccount(id) => {
                self.drop_account(id);
                self.removed_accounts.insert(id);
            }
            DirectoryChange::PutAlias(alias) => {
                self.aliases.insert(mailbox_key(&alias.address), alias);
            }
            DirectoryChange::RemoveAlias(address) => {
                self.aliases.remove(&mailbox_key(&address));
            }
        }
    }

    fn drop_account(&mut self, id: AccountId) {
        if let Some(account) = self.accounts.remove(&id) {
            self.account_ids.remove(&mailbox_key(&account.address));
            self.apop_accounts -= usize::from(account.apop_secret.is_some());
        }
    }
}

fn taken(address: &Mailbox) -> StoreError {
    StoreError::Conflict(format!("the address {address} is taken"))
}
