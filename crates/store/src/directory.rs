//! Domains, accounts, aliases. Keys compare without regard to case, whoever asks.

use crate::AccountId;
use jiff::Timestamp;
use posta_address::{Domain, Mailbox};
use posta_wire::Secret;

/// A domain whose mail is kept here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainSettings {
    /// Its name.
    pub domain: Domain,
    /// Who gets mail for addresses that nobody has.
    pub catch_all: Option<Mailbox>,
    /// What divides `user` from `tag`; `None` turns sub-addressing off.
    pub subaddress_separator: Option<char>,
}

/// A person (or program) with a maildrop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// For ever; survives a change of address.
    pub id: AccountId,
    /// Its address.
    pub address: Mailbox,
    /// The full name, for VRFY and EXPN.
    pub name: Option<String>,
    /// PHC string; `None` means that no password fits.
    pub password_hash: Option<Secret>,
    /// APOP's shared secret, only where the person wants APOP (RFC 1939 §7 needs it in clear).
    pub apop_secret: Option<Secret>,
    /// What proves its owner besides: see [`Credentials`].
    pub credentials: Credentials,
    /// Octets the maildrop may hold.
    pub quota_octets: Option<u64>,
    /// Whether it may log in and gets mail.
    pub enabled: bool,
    /// Seconds that what it sends waits, so that it can be taken back; 0: none.
    pub hold_seconds: u32,
}

/// What an account can be logged in to with, besides password and APOP secret.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Credentials {
    /// SCRAM verifiers of the password, one per hash function, in `posta_wire::sasl`'s text form.
    pub scram: Vec<Secret>,
    /// Passwords for one program each.
    pub app_passwords: Vec<AppPassword>,
}

/// A password that one program has: it can be revoked without disturbing the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppPassword {
    /// What it is called, unique within the account.
    pub name: String,
    /// What it opens.
    pub scope: AppPasswordScope,
    /// BLAKE3 of the password, in hexadecimal: it is random and long, so nothing slower is needed.
    pub hash: Secret,
    /// Since when there is it.
    pub created_at: Timestamp,
    /// When it was last used, to the hour.
    pub last_used_at: Option<Timestamp>,
}

/// What an application password opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AppPasswordScope {
    /// Everything.
    All,
    /// Sending mail.
    Smtp,
    /// Fetching mail.
    Pop3,
}

/// Whether an address of several is a plain alias or a list that EXPN shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AliasKind {
    /// Other names of one or several people (RFC 5321 §3.9.1).
    Alias,
    /// A mailing list: the reverse-path becomes the list's owner (RFC 5321 §3.9.2).
    List,
}

/// An address that stands for others, here or elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// The address.
    pub address: Mailbox,
    /// Alias or list.
    pub kind: AliasKind,
    /// The full name, for VRFY and EXPN.
    pub name: Option<String>,
    /// Who gets its mail.
    pub members: Vec<Mailbox>,
    /// A list's owner: the reverse-path of what it sends on.
    pub owner: Option<Mailbox>,
}

/// A change of the directory; each replaces or removes as a whole, so repeating it does no harm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DirectoryChange {
    /// Adds or replaces.
    PutDomain(DomainSettings),
    /// Removes.
    RemoveDomain(Domain),
    /// Adds or replaces (by id).
    PutAccount(Account),
    /// Removes with its maildrop.
    RemoveAccount(AccountId),
    /// Adds or replaces (by address).
    PutAlias(Alias),
    /// Removes.
    RemoveAlias(Mailbox),
}
