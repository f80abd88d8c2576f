//! Carries out what the operator asks for: on the store of a running server, or on one opened for the
//! purpose.

use super::protocol::{
    AccountChange, AccountInfo, AliasInfo, CheckInfo, DomainInfo, ErrorKind, NewAccount, QueueAction,
    QueueInfo, QueueRecipientInfo, Request, Response, SecretText, UsageInfo,
};
use crate::{
    limits::{HOLD_SECONDS_MAX, MEMBERS_MAX, NAME_OCTETS_MAX, SECRET_OCTETS_MAX},
    passwords::Passwords,
};
use async_trait::async_trait;
use posta_address::{Domain, Mailbox};
use posta_journal::{Direction, Event, Fate, Journal, Query, Reader, Record};
use posta_queue::{Queue, QueueError};
use posta_runtime::{Clock, Entropy};
use posta_store::{
    Account, Alias, AliasKind, Credentials, DirectoryChange, DomainSettings, QueueChange, QueueEntry,
    QueueId, Store, StoreError,
};
use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

/// What the desk works with.
pub struct Desk {
    /// The store.
    pub store: Arc<dyn Store>,
    /// What can be done to the store as a whole.
    pub maintenance: Option<Arc<dyn Maintenance>>,
    /// The running queue, if there is one.
    pub queue: Option<Queue>,
    /// Where the operator's deeds are noted.
    pub journal: Journal,
    /// Where the journal lies.
    pub journal_folder: PathBuf,
    /// For new passwords.
    pub passwords: Arc<Passwords>,
    /// For their salts.
    pub entropy: Arc<dyn Entropy>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// What can be done to a store as a whole.
#[async_trait]
pub trait Maintenance: Send + Sync + 'static {
    /// Compares what is written with what is derived from it.
    async fn check(&self) -> Result<CheckInfo, StoreError>;
    /// Derives it anew.
    async fn rebuild(&self) -> Result<(), StoreError>;
}

/// A refusal on the way to a response.
pub(super) struct Refused(ErrorKind, String);

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        let kind = match &error {
            StoreError::NotFound(_) => ErrorKind::NotFound,
            StoreError::Conflict(_) => ErrorKind::Conflict,
            StoreError::Full | StoreError::Failed(_) | StoreError::Damaged(_) => ErrorKind::Failed,
        };
        Refused(kind, error.to_string())
    }
}

impl From<QueueError> for Refused {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::NotFound(_) => Refused(ErrorKind::NotFound, error.to_string()),
            QueueError::Store(error) => error.into(),
        }
    }
}

pub(super) type Answer = Result<Response, Refused>;

pub(super) fn invalid(message: impl Into<String>) -> Refused {
    Refused(ErrorKind::Invalid, message.into())
}
pub(super) fn not_found(message: impl Into<String>) -> Refused {
    Refused(ErrorKind::NotFound, message.into())
}
pub(super) fn conflict(message: impl Into<String>) -> Refused {
    Refused(ErrorKind::Conflict, message.into())
}

impl Desk {
    /// Carries out a request.
    pub async fn execute(&self, request: Request) -> Response {
        self.answer(request).await.unwrap_or_else(|Refused(kind, message)| Response::error(kind, message))
    }

    async fn answer(&self, request: Request) -> Answer {
        match request {
            Request::DomainPut(info) => self.put_domain(info).await,
            Request::DomainRemove { domain } => self.remove_domain(domain).await,
            Request::DomainList => self.list_domains().await,
            Request::AccountAdd(account) => self.add_account(account).await,
            Request::AccountChange { address, changes } => self.change_account(&address, changes).await,
            Request::AccountRemove { address } => self.remove_account(&address).await,
            Request::AppPasswordAdd { address, name, scope } => {
                self.add_app_password(&address, name, scope).await
            }
            Request::AppPasswordList { address } => self.list_app_passwords(&address).await,
            Request::AppPasswordRevoke { address, name } => self.revoke_app_password(&address, &name).await,
            Request::AccountList { domain } => self.list_accounts(domain.as_ref()).await,
            Request::AccountShow { address } => {
                let account = self.account(&address).await?;
                let folders = self.folder_infos(account.id).await?;
                let info = self.account_info(account).await?;
                Ok(Response::Accounts(vec![AccountInfo { folders, ..info }]))
            }
            Request::AliasPut(info) => self.put_alias(info).await,
            Request::AliasRemove { address } => self.remove_alias(&address).await,
            Request::MemberAdd { address, member } => self.add_member(&address, member).await,
            Request::MemberRemove { address, member } => self.remove_member(&address, &member).await,
            Request::AliasList { domain } => self.list_aliases(domain.as_ref()).await,
            Request::AliasShow { address } => {
                Ok(Response::Aliases(vec![alias_info(self.alias(&address).await?)]))
            }
            Request::QueueList { limit } => self.list_queue(limit).await,
            Request::QueueShow { id } => match self.store.queue_entry(id).await? {
                Some(entry) => Ok(Response::Queue(vec![queue_info(entry)])),
                None => Err(not_found(format!("{id} is not in the queue"))),
            },
            Request::QueueAct { id, action } => self.act_on_queue(id, action).await,
            Request::TakeBack { id } => self.take_back(id).await,
            Request::StoreCheck => Ok(Response::Check(self.maintenance()?.check().await?)),
            Request::StoreRebuild => self.rebuild_store().await,
            Request::StoreUsage => self.usage().await,
            Request::Audit => Ok(Response::Tally(self.store.tally().await?)),
            Request::Explain { subject, limit } => self.explain(&subject, limit).await,
            Request::Taken => Err(invalid("nothing was shown")),
            Request::Status | Request::Reload | Request::Stop | Request::Fetch(_) | Request::Watch { .. } => {
                Err(Refused(
                    ErrorKind::NeedsServer,
                    "no server runs on this data folder; start one with `posta serve`".into(),
                ))
            }
        }
    }

    pub(super) fn note(&self, id: Option<QueueId>, action: String) -> Response {
        self.journal.note(Event::Operator { id: id.map(|id| id.to_string()), action: action.clone() });
        Response::Done(action)
    }

    pub(super) async fn change(&self, change: DirectoryChange) -> Result<(), Refused> {
        Ok(self.store.change_directory(change).await?)
    }
}

/// Domains.
impl Desk {
    async fn put_domain(&self, info: DomainInfo) -> Answer {
        let DomainInfo { domain, catch_all, subaddress_separator } = info;
        if subaddress_separator.is_some_and(|c| c.is_alphanumeric() || c.is_control() || "@\"\\ ".contains(c))
        {
            return Err(invalid("a sub-address separator is a sign like + or -, neither letter nor digit"));
        }
        let known = self.store.domain(&domain).await?.is_some();
        let settings = DomainSettings { domain: domain.clone(), catch_all, subaddress_separator };
        self.change(DirectoryChange::PutDomain(settings)).await?;
        Ok(self.note(None, format!("domain {domain} {}", if known { "changed" } else { "added" })))
    }

    async fn remove_domain(&self, domain: Domain) -> Answer {
        if self.store.domain(&domain).await?.is_none() {
            return Err(not_found(format!("{domain} is not hosted here")));
        }
        let accounts = self.store.accounts().await?;
        let accounts = accounts.iter().filter(|account| account.address.domain() == Some(&domain)).count();
        let aliases = self.store.aliases().await?;
        let aliases = aliases.iter().filter(|alias| alias.address.domain() == Some(&domain)).count();
        if accounts + aliases > 0 {
            return Err(conflict(format!(
                "{domain} still has {accounts} accounts and {aliases} aliases; remove them first"
            )));
        }
        self.change(DirectoryChange::RemoveDomain(domain.clone())).await?;
        Ok(self.note(None, format!("domain {domain} removed")))
    }

    async fn list_domains(&self) -> Answer {
        let info = |settings: DomainSettings| DomainInfo {
            domain: settings.domain,
            catch_all: settings.catch_all,
            subaddress_separator: settings.subaddress_separator,
        };
        Ok(Response::Domains(self.store.domains().await?.into_iter().map(info).collect()))
    }

    async fn check_hosted(&self, address: &Mailbox) -> Result<(), Refused> {
        let Some(domain) = address.domain() else {
            return Err(invalid(format!("{address} has no domain")));
        };
        if self.store.domain(domain).await?.is_none() {
            return Err(not_found(format!("{domain} is not hosted here; `posta domain add {domain}` first")));
        }
        Ok(())
    }
}

/// Accounts.
impl Desk {
    pub(super) async fn account(&self, address: &Mailbox) -> Result<Account, Refused> {
        let account = self.store.account(address).await?;
        account.ok_or_else(|| not_found(format!("there is no account {address}")))
    }

    async fn add_account(&self, new: NewAccount) -> Answer {
        self.check_hosted(&new.address).await?;
        self.check_free(&new.address).await?;
        check_name(new.name.as_deref())?;
        check_apop_secret(new.apop_secret.as_ref())?;
        let mut account = Account {
            id: self.store.new_account_id(),
            address: new.address.clone(),
            name: new.name,
            password_hash: None,
            apop_secret: new.apop_secret.map(|secret| secret.0),
            credentials: Credentials::default(),
            quota_octets: new.quota_octets,
            enabled: true,
            hold_seconds: 0,
        };
        self.set_password(&mut account, new.password).await?;
        self.change(DirectoryChange::PutAccount(account)).await?;
        Ok(self.note(None, format!("account {} added", new.address)))
    }

    async fn change_account(&self, address: &Mailbox, changes: Vec<AccountChange>) -> Answer {
        let _turn = self.passwords.changing_account.lock().await;
        let mut account = self.account(address).await?;
        let mut done = Vec::new();
        for change in changes {
            done.push(self.apply(&mut account, change).await?);
        }
        if done.is_empty() {
            return Err(invalid("nothing to change was named"));
        }
        self.change(DirectoryChange::PutAccount(account)).await?;
        Ok(self.note(None, format!("account {address}: {}", done.join(", "))))
    }

    async fn apply(&self, account: &mut Account, change: AccountChange) -> Result<String, Refused> {
        Ok(match change {
            AccountChange::Address(address) => {
                self.check_hosted(&address).await?;
                self.check_free(&address).await?;
                account.address = address;
                format!("address is now {}", account.address)
            }
            AccountChange::Name(name) => {
                check_name(name.as_deref())?;
                account.name = name;
                "name changed".into()
            }
            AccountChange::Password(password) => {
                let given = password.is_some();
                self.set_password(account, password).await?;
                if given { "password changed" } else { "password removed" }.into()
            }
            AccountChange::ApopSecret(secret) => {
                check_apop_secret(secret.as_ref())?;
                account.apop_secret = secret.map(|secret| secret.0);
                if account.apop_secret.is_some() { "APOP secret changed" } else { "APOP turned off" }.into()
            }
            AccountChange::Quota(quota_octets) => {
                account.quota_octets = quota_octets;
                quota_octets.map_or("quota removed".into(), |octets| format!("quota is now {octets} octets"))
            }
            AccountChange::Enabled(enabled) => {
                account.enabled = enabled;
                if enabled { "enabled" } else { "disabled" }.into()
            }
            AccountChange::Hold(seconds) if seconds > HOLD_SECONDS_MAX => {
                return Err(invalid(format!("at most {HOLD_SECONDS_MAX} seconds")));
            }
            AccountChange::Hold(seconds) => {
                account.hold_seconds = seconds;
                match seconds {
                    0 => "mail leaves at once".into(),
                    seconds => format!("mail waits {seconds} seconds before it leaves"),
                }
            }
        })
    }

    async fn remove_account(&self, address: &Mailbox) -> Answer {
        let account = self.account(address).await?;
        self.change(DirectoryChange::RemoveAccount(account.id)).await?;
        Ok(self.note(None, format!("account {address} removed with its maildrop")))
    }

    async fn list_accounts(&self, domain: Option<&Domain>) -> Answer {
        let mut infos = Vec::new();
        for account in self.store.accounts().await? {
            if domain.is_none() || account.address.domain() == domain {
                infos.push(self.account_info(account).await?);
            }
        }
        Ok(Response::Accounts(infos))
    }

    async fn account_info(&self, account: Account) -> Result<AccountInfo, Refused> {
        let usage = self.store.usage(account.id).await?;
        Ok(AccountInfo {
            address: account.address,
            id: account.id.0,
            name: account.name,
            has_password: account.password_hash.is_some(),
            has_apop_secret: account.apop_secret.is_some(),
            quota_octets: account.quota_octets,
            enabled: account.enabled,
            hold_seconds: account.hold_seconds,
            messages: usage.messages,
            octets: usage.octets,
            folders: Vec::new(),
        })
    }

    async fn usage(&self) -> Answer {
        let mut infos = Vec::new();
        for account in self.store.accounts().await? {
            let usage = self.store.usage(account.id).await?;
            infos.push(UsageInfo {
                address: account.address,
                messages: usage.messages,
                octets: usage.octets,
                quota_octets: account.quota_octets,
            });
        }
        Ok(Response::Usage(infos))
    }

    async fn check_free(&self, address: &Mailbox) -> Result<(), Refused> {
        if self.store.account(address).await?.is_some() {
            return Err(conflict(format!("there is an account {address} already")));
        }
        if self.store.alias(address).await?.is_some() {
            return Err(conflict(format!("there is an alias {address} already")));
        }
        Ok(())
    }

    /// The password with all that is derived from it.
    async fn set_password(&self, account: &mut Account, password: Option<SecretText>) -> Result<(), Refused> {
        account.password_hash = None;
        account.credentials.scram = Vec::new();
        if let Some(SecretText(password)) = password {
            let proofs = self.passwords.derive(&password, &*self.entropy).await;
            let proofs = proofs.map_err(|error| invalid(error.to_string()))?;
            account.password_hash = Some(proofs.hash);
            account.credentials.scram = proofs.credentials.scram;
        }
        Ok(())
    }
}

/// Aliases and lists.
impl Desk {
    async fn alias(&self, address: &Mailbox) -> Result<Alias, Refused> {
        let alias = self.store.alias(address).await?;
        alias.ok_or_else(|| not_found(format!("there is no alias or list {address}")))
    }

    async fn put_alias(&self, info: AliasInfo) -> Answer {
        self.check_hosted(&info.address).await?;
        check_name(info.name.as_deref())?;
        if self.store.account(&info.address).await?.is_some() {
            return Err(conflict(format!("there is an account {} already", info.address)));
        }
        let known = self.store.alias(&info.address).await?.is_some();
        let kind = info.kind();
        let mut members = info.members;
        members.dedup();
        check_members(&members)?;
        let address = info.address;
        let alias = Alias { address: address.clone(), kind, name: info.name, members, owner: info.owner };
        self.change(DirectoryChange::PutAlias(alias)).await?;
        let what = if kind == AliasKind::List { "list" } else { "alias" };
        Ok(self.note(None, format!("{what} {address} {}", if known { "changed" } else { "added" })))
    }

    async fn remove_alias(&self, address: &Mailbox) -> Answer {
        self.alias(address).await?;
        self.change(DirectoryChange::RemoveAlias(address.clone())).await?;
        Ok(self.note(None, format!("alias {address} removed")))
    }

    async fn add_member(&self, address: &Mailbox, member: Mailbox) -> Answer {
        let mut alias = self.alias(address).await?;
        if alias.members.contains(&member) {
            return Err(conflict(format!("{member} is a member of {address} already")));
        }
        alias.members.push(member.clone());
        check_members(&alias.members)?;
        self.change(DirectoryChange::PutAlias(alias)).await?;
        Ok(self.note(None, format!("{member} added to {address}")))
    }

    async fn remove_member(&self, address: &Mailbox, member: &Mailbox) -> Answer {
        let mut alias = self.alias(address).await?;
        let before = alias.members.len();
        alias.members.retain(|known| known != member);
        if alias.members.len() == before {
            return Err(not_found(format!("{member} is no member of {address}")));
        }
        if alias.members.is_empty() {
            return Err(conflict(format!("{member} is the last member; remove {address} instead")));
        }
        self.change(DirectoryChange::PutAlias(alias)).await?;
        Ok(self.note(None, format!("{member} removed from {address}")))
    }

    async fn list_aliases(&self, domain: Option<&Domain>) -> Answer {
        let aliases = self.store.aliases().await?;
        let wanted = aliases.into_iter().filter(|alias| domain.is_none() || alias.address.domain() == domain);
        Ok(Response::Aliases(wanted.map(alias_info).collect()))
    }
}

/// The queue.
impl Desk {
    async fn list_queue(&self, limit: usize) -> Answer {
        let entries = self.store.queue().await?;
        Ok(Response::Queue(entries.into_iter().take(limit).map(queue_info).collect()))
    }

    async fn act_on_queue(&self, id: Option<QueueId>, action: QueueAction) -> Answer {
        let ids = match id {
            Some(id) => vec![id],
            None => self.store.queue().await?.iter().map(|entry| entry.id).collect(),
        };
        let mut done = 0;
        for entry in &ids {
            let outcome = match &self.queue {
                Some(queue) => act_running(queue, *entry, action).await,
                None => self.act_offline(*entry, action).await,
            };
            match outcome {
                Ok(()) => done += 1,
                // While all are gone through, some may finish by themselves.
                Err(Refused(ErrorKind::NotFound, _)) if id.is_none() => {}
                Err(refused) => return Err(refused),
            }
        }
        let verb = match action {
            QueueAction::Retry => "to be tried now",
            QueueAction::Hold => "held",
            QueueAction::Release => "released",
            QueueAction::Delete => "deleted",
            QueueAction::Bounce => "returned to sender",
        };
        Ok(Response::Done(match id {
            Some(id) => format!("{id} {verb}"),
            None => format!("{done} messages {verb}"),
        }))
    }

    async fn act_offline(&self, id: QueueId, action: QueueAction) -> Result<(), Refused> {
        let entry = self.store.queue_entry(id).await?;
        let entry = entry.ok_or_else(|| not_found(format!("{id} is not in the queue")))?;
        let (changes, words): (Vec<_>, _) = match action {
            QueueAction::Retry => {
                let next_attempt_at = self.clock.timestamp();
                (vec![(id, QueueChange::Rescheduled { next_attempt_at })], "tried again at the next start")
            }
            QueueAction::Hold => (vec![(id, QueueChange::Held(true))], "held"),
            QueueAction::Release => (vec![(id, QueueChange::Held(false))], "released"),
            QueueAction::Delete => {
                let settle = |mailbox| (id, QueueChange::Settled { mailbox, fate: Fate::Discarded });
                let recipients = entry.recipients.iter().map(|recipient| recipient.mailbox.clone());
                (recipients.map(settle).collect(), "deleted")
            }
            QueueAction::Bounce => {
                return Err(Refused(ErrorKind::NeedsServer, "only a running server sends reports".into()));
            }
        };
        self.store.change_queue(changes).await?;
        self.note(Some(id), words.into());
        Ok(())
    }
}

async fn act_running(queue: &Queue, id: QueueId, action: QueueAction) -> Result<(), Refused> {
    let done = match action {
        QueueAction::Retry => queue.retry(id).await,
        QueueAction::Hold => queue.hold(id).await,
        QueueAction::Release => queue.release(id).await,
        QueueAction::Delete => queue.delete(id).await,
        QueueAction::Bounce => queue.bounce(id).await,
    };
    Ok(done?)
}

/// Store and journal.
impl Desk {
    fn maintenance(&self) -> Result<&dyn Maintenance, Refused> {
        self.maintenance.as_deref().ok_or_else(|| invalid("this store lives in memory only"))
    }

    async fn rebuild_store(&self) -> Answer {
        self.maintenance()?.rebuild().await?;
        Ok(self.note(None, "the store's index was made anew".into()))
    }

    async fn explain(&self, subject: &str, limit: usize) -> Answer {
        let query = query(subject)?;
        let (journal, folder) = (self.journal.clone(), self.journal_folder.clone());
        let found = tokio::task::spawn_blocking(move || {
            journal.flush();
            find(&Reader::new(folder), &query, limit)
        });
        let records = found
            .await
            .map_err(|error| Refused(ErrorKind::Failed, error.to_string()))?
            .map_err(|error| Refused(ErrorKind::Failed, format!("reading the journal: {error}")))?;
        Ok(Response::Records(records))
    }
}

/// A queue id, an address or a Message-ID.
fn query(subject: &str) -> Result<Query, Refused> {
    let subject = subject.trim();
    if let Ok(id) = subject.parse::<QueueId>() {
        return Ok(Query::QueueId(id.to_string()));
    }
    if subject.starts_with('<') {
        return Ok(Query::MessageId(subject.to_owned()));
    }
    if let Ok(address) = subject.parse() {
        return Ok(Query::Peer(address));
    }
    match subject.parse::<Mailbox>() {
        Ok(mailbox) => Ok(Query::Address(mailbox)),
        Err(_) if subject.contains('@') => Ok(Query::MessageId(subject.to_owned())),
        Err(_) => Err(invalid(format!(
            "`{subject}` is neither a queue id (13 characters), nor a Message-ID, nor an address"
        ))),
    }
}

/// What fits, oldest first. What was found by Message-ID or address leads to its queue ids, and those
/// to the whole story. Something like `a@b` may be either: where no address fits, it is looked for as
/// a Message-ID.
fn find(reader: &Reader, query: &Query, limit: usize) -> std::io::Result<Vec<Record>> {
    let mut records = reader.find(query, Direction::NewestFirst, limit)?;
    if let (true, Query::Address(mailbox)) = (records.is_empty(), query) {
        records = reader.find(&Query::MessageId(mailbox.to_string()), Direction::NewestFirst, limit)?;
    }
    let mut ids: Vec<String> =
        records.iter().filter_map(|record| record.event.queue_id()).map(str::to_owned).collect();
    ids.sort();
    ids.dedup();
    const STORIES_MAX: usize = 20;
    let told = ids.split_off(ids.len().saturating_sub(STORIES_MAX));
    let is_told =
        |record: &Record| record.event.queue_id().is_some_and(|id| told.iter().any(|told| told == id));
    records.retain(|record| !is_told(record));
    for id in told.iter().rev() {
        records.extend(reader.find(&Query::QueueId(id.clone()), Direction::NewestFirst, limit)?);
    }
    // What happened within the same millisecond stays in its order.
    records.reverse();
    records.sort_by_key(|record| record.at);
    Ok(records)
}

fn check_name(name: Option<&str>) -> Result<(), Refused> {
    match name {
        Some(name) if name.len() > NAME_OCTETS_MAX || name.chars().any(char::is_control) => Err(invalid(
            format!("a full name has at most {NAME_OCTETS_MAX} octets and no control characters"),
        )),
        _ => Ok(()),
    }
}

fn check_apop_secret(secret: Option<&SecretText>) -> Result<(), Refused> {
    match secret {
        Some(SecretText(secret))
            if secret.expose().is_empty() || secret.expose().len() > SECRET_OCTETS_MAX =>
        {
            Err(invalid(format!("an APOP secret has 1 to {SECRET_OCTETS_MAX} octets")))
        }
        _ => Ok(()),
    }
}

fn check_members(members: &[Mailbox]) -> Result<(), Refused> {
    if members.is_empty() || members.len() > MEMBERS_MAX {
        return Err(invalid(format!("an alias or list has 1 to {MEMBERS_MAX} members")));
    }
    let mut seen = BTreeMap::new();
    match members.iter().find(|member| seen.insert(*member, ()).is_some()) {
        Some(twice) => Err(invalid(format!("{twice} is named twice"))),
        None => Ok(()),
    }
}

fn alias_info(alias: Alias) -> AliasInfo {
    AliasInfo {
        address: alias.address,
        list: alias.kind == AliasKind::List,
        name: alias.name,
        members: alias.members,
        owner: alias.owner,
    }
}

fn queue_info(entry: QueueEntry) -> QueueInfo {
    let recipients = entry.recipients.into_iter().map(|recipient| {
        let (at, host, detail) = match recipient.last_attempt {
            Some(attempt) => (Some(attempt.at), attempt.host, Some(attempt.detail)),
            None => (None, None, None),
        };
        QueueRecipientInfo {
            mailbox: recipient.mailbox,
            original: recipient.original,
            attempts: recipient.attempts,
            next_attempt_at: recipient.next_attempt_at,
            last_attempt_at: at,
            last_host: host,
            last_detail: detail,
        }
    });
    QueueInfo {
        id: entry.id,
        from: entry.envelope.reverse_path,
        message_id: entry.envelope.message_id,
        size_octets: entry.content.size_octets,
        accepted_at: entry.accepted_at,
        held: entry.held,
        recipients: recipients.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_at_once_is_told_in_its_order() {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = posta_journal::Settings::new(folder.path());
        let journal = Journal::open(settings, Arc::new(|| jiff::Timestamp::UNIX_EPOCH)).expect("opens");
        for (id, step) in [("a", "1"), ("b", "2"), ("a", "3"), ("a", "4")] {
            let (destination, steps) = ("south.example".to_owned(), vec![step.to_owned()]);
            journal.note(Event::Routed { id: id.into(), destination, steps, hosts: Vec::new() });
        }
        journal.flush();
        let found = find(&Reader::new(folder.path()), &Query::QueueId("a".into()), 100).expect("reads");
        let steps: Vec<_> = found
            .iter()
            .map(|record| match &record.event {
                Event::Routed { steps, .. } => steps[0].as_str(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(steps, ["1", "3", "4"]);
    }
}
