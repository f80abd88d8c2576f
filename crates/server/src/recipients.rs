//! Whom an address stands for: accounts, aliases, lists, catch-all, sub-addresses, postmaster
//! (RFC 5321 §3.9, §4.5.1; RFC 5233).

use crate::limits::EXPANSION_DEPTH_MAX;
use posta_address::{Domain, ForwardPath, LocalPart, Mailbox};
use posta_store::{Account, AccountId, Alias, AliasKind, DomainSettings, Store, StoreError};
use std::collections::HashSet;

/// Where a copy of the message goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Into a maildrop here.
    Maildrop {
        /// Whose.
        account: AccountId,
        /// How much it may hold.
        quota_octets: Option<u64>,
    },
    /// To another host.
    Elsewhere,
}

/// One final recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The final address.
    pub mailbox: Mailbox,
    /// Where that is.
    pub place: Place,
    /// The list's owner, where a list sends it on (RFC 5321 §3.9.2).
    pub list_owner: Option<Mailbox>,
    /// Whether a list sends it on: then a full maildrop holds up nobody else.
    pub through_list: bool,
}

/// An address that was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// As it was.
    pub address: Mailbox,
    /// What it became.
    pub into: Vec<Mailbox>,
    /// By which rule.
    pub rule: &'static str,
}

impl Step {
    /// Whether the address was nobody's, and the domain's catch-all took it.
    pub fn is_catch_all(&self) -> bool {
        self.rule == RULE_CATCH_ALL
    }
}

/// An address that leads nowhere, dropped by a rule with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// Which.
    pub mailbox: Mailbox,
    /// Why.
    pub rule: &'static str,
}

/// What an address stands for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expansion {
    /// All final recipients, each once.
    pub targets: Vec<Target>,
    /// How they came about.
    pub steps: Vec<Step>,
    /// Members of aliases and lists that lead nowhere.
    pub dropped: Vec<Dropped>,
}

/// The answer about one recipient of an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// Its domain is hosted here, and there is somebody.
    Here(Expansion),
    /// Its domain is not hosted here.
    Elsewhere(Mailbox),
    /// Its domain is hosted here, but nobody has the address.
    Unknown,
    /// The account is closed.
    Disabled,
    /// It stands for more recipients than are allowed.
    TooMany,
}

/// The directory with the rules for reading it.
pub struct Directory<'a> {
    /// Where it lies.
    pub store: &'a dyn Store,
    /// The name of this host.
    pub hostname: &'a Domain,
    /// Who reads postmaster's mail where nobody has that name.
    pub postmaster: Option<&'a Mailbox>,
    /// Recipients that one address may stand for.
    pub expansion_max: usize,
}

/// What is found under one address.
enum Found {
    Account(Account),
    Alias(Alias),
    /// Replaced by another address.
    Replaced(Mailbox, &'static str),
    Unknown,
    Elsewhere,
}

impl Directory<'_> {
    /// Finds out whom a recipient stands for.
    pub async fn resolve(&self, path: &ForwardPath) -> Result<Resolution, StoreError> {
        let mailbox = match path {
            ForwardPath::Mailbox(mailbox) => mailbox.clone(),
            ForwardPath::Postmaster => self.bare_postmaster().await?,
        };
        match self.look_up(&mailbox).await? {
            Found::Elsewhere => Ok(Resolution::Elsewhere(mailbox)),
            Found::Unknown => Ok(Resolution::Unknown),
            Found::Account(account) if !account.enabled => Ok(Resolution::Disabled),
            // By far the most frequent case, made short.
            Found::Account(account) => Ok(Resolution::Here(Expansion {
                targets: vec![local_target(account, &Through::default())],
                ..Expansion::default()
            })),
            found => self.expand(mailbox, found).await,
        }
    }

    async fn expand(&self, mailbox: Mailbox, found: Found) -> Result<Resolution, StoreError> {
        let mut walk = Walk::default();
        walk.take(mailbox, found, Through::default());
        while let Some((mailbox, through)) = walk.pending.pop() {
            if walk.expansion.targets.len() + walk.pending.len() >= self.expansion_max {
                return Ok(Resolution::TooMany);
            }
            let found = self.look_up(&mailbox).await?;
            walk.take(mailbox, found, through);
        }
        let expansion = walk.expansion;
        if expansion.targets.is_empty() {
            let disabled = expansion.dropped.iter().any(|dropped| dropped.rule == RULE_DISABLED);
            return Ok(if disabled { Resolution::Disabled } else { Resolution::Unknown });
        }
        Ok(Resolution::Here(expansion))
    }

    async fn look_up(&self, mailbox: &Mailbox) -> Result<Found, StoreError> {
        let Some(domain) = mailbox.domain() else { return Ok(Found::Elsewhere) };
        let (settings, account, alias) =
            tokio::join!(self.store.domain(domain), self.store.account(mailbox), self.store.alias(mailbox));
        let Some(settings) = settings? else {
            // RFC 5321 §4.5.1: postmaster of this host is always somebody.
            if domain == self.hostname && is_postmaster(mailbox) {
                return self.postmaster_instead(mailbox).await;
            }
            return Ok(Found::Elsewhere);
        };
        if let Some(account) = account? {
            return Ok(Found::Account(account));
        }
        if let Some(alias) = alias? {
            return Ok(Found::Alias(alias));
        }
        if let Some(base) = self.subaddress_base(mailbox, &settings).await? {
            return Ok(Found::Replaced(base, RULE_SUBADDRESS));
        }
        if is_postmaster(mailbox) {
            return self.postmaster_instead(mailbox).await;
        }
        match settings.catch_all {
            Some(catch_all) if catch_all != *mailbox => Ok(Found::Replaced(catch_all, RULE_CATCH_ALL)),
            _ => Ok(Found::Unknown),
        }
    }

    /// `user+tag@domain` → `user@domain`, if that exists (RFC 5233 §1).
    async fn subaddress_base(
        &self,
        mailbox: &Mailbox,
        settings: &DomainSettings,
    ) -> Result<Option<Mailbox>, StoreError> {
        let Some(separator) = settings.subaddress_separator else { return Ok(None) };
        let Some((user, _)) = mailbox.local_part().as_str().split_once(separator) else { return Ok(None) };
        let Ok(user) = LocalPart::from_unquoted(user) else { return Ok(None) };
        if user.as_str().is_empty() {
            return Ok(None);
        }
        let base = Mailbox::new(user, mailbox.host().clone());
        let (account, alias) = tokio::join!(self.store.account(&base), self.store.alias(&base));
        Ok((account?.is_some() || alias?.is_some()).then_some(base))
    }

    /// Postmaster without a domain: of the host's own domain, else of the first hosted one that has
    /// somebody of that name; else of the host itself, for which somebody reads it.
    async fn bare_postmaster(&self) -> Result<Mailbox, StoreError> {
        let domains = self.store.domains().await?;
        let own = std::iter::once(self.hostname).chain(domains.iter().map(|settings| &settings.domain));
        for domain in own {
            let candidate = postmaster_at(domain);
            let (account, alias) = tokio::join!(self.store.account(&candidate), self.store.alias(&candidate));
            if account?.is_some() || alias?.is_some() {
                return Ok(candidate);
            }
        }
        Ok(postmaster_at(self.hostname))
    }

    async fn postmaster_instead(&self, mailbox: &Mailbox) -> Result<Found, StoreError> {
        Ok(match self.postmaster_reader().await? {
            Some(reader) if reader != *mailbox => Found::Replaced(reader, RULE_POSTMASTER),
            _ => Found::Unknown,
        })
    }

    /// Who reads postmaster's mail: the configured one; else the oldest account, for RFC 5321 §4.5.1
    /// wants that somebody does.
    async fn postmaster_reader(&self) -> Result<Option<Mailbox>, StoreError> {
        if let Some(configured) = self.postmaster {
            return Ok(Some(configured.clone()));
        }
        let accounts = self.store.accounts().await?;
        let oldest = accounts.into_iter().filter(|account| account.enabled).min_by_key(|account| account.id);
        Ok(oldest.map(|account| account.address))
    }
}

const RULE_ALIAS: &str = "alias";
const RULE_LIST: &str = "list";
const RULE_CATCH_ALL: &str = "catch-all";
const RULE_SUBADDRESS: &str = "sub-address";
const RULE_POSTMASTER: &str = "postmaster";
const RULE_DISABLED: &str = "account disabled";
const RULE_NOBODY: &str = "member is nobody";
const RULE_DEEP: &str = "aliases nested too deep";

/// Through what an address was reached.
#[derive(Debug, Clone, Default)]
struct Through {
    list_owner: Option<Mailbox>,
    list: bool,
    depth: usize,
}

/// An expansion on its way.
#[derive(Default)]
struct Walk {
    expansion: Expansion,
    pending: Vec<(Mailbox, Through)>,
    /// Aliases seen: each is opened once, which ends every loop.
    opened: HashSet<String>,
    /// Final recipients seen.
    reached: HashSet<String>,
}

impl Walk {
    fn take(&mut self, mailbox: Mailbox, found: Found, through: Through) {
        match found {
            Found::Account(account) if !account.enabled => self.drop_member(mailbox, RULE_DISABLED),
            Found::Account(account) => {
                if self.reached.insert(key(&account.address)) {
                    self.expansion.targets.push(local_target(account, &through));
                }
            }
            Found::Elsewhere => {
                if self.reached.insert(key(&mailbox)) {
                    let Through { list_owner, list: through_list, .. } = through;
                    let place = Place::Elsewhere;
                    self.expansion.targets.push(Target { mailbox, place, list_owner, through_list });
                }
            }
            Found::Unknown => self.drop_member(mailbox, RULE_NOBODY),
            Found::Replaced(other, rule) => self.open(mailbox, vec![other], rule, through),
            Found::Alias(alias) => {
                let list = alias.kind == AliasKind::List;
                let through = Through {
                    // The innermost list that has an owner hears of failures.
                    list_owner: if list { alias.owner.or(through.list_owner) } else { through.list_owner },
                    list: list || through.list,
                    depth: through.depth,
                };
                let rule = if list { RULE_LIST } else { RULE_ALIAS };
                self.open(mailbox, alias.members, rule, through);
            }
        }
    }

    fn open(&mut self, address: Mailbox, into: Vec<Mailbox>, rule: &'static str, through: Through) {
        if !self.opened.insert(key(&address)) {
            return;
        }
        if through.depth >= EXPANSION_DEPTH_MAX {
            return self.drop_member(address, RULE_DEEP);
        }
        let through = Through { depth: through.depth + 1, ..through };
        // Reversed, for the last is taken up first.
        self.pending.extend(into.iter().rev().map(|member| (member.clone(), through.clone())));
        self.expansion.steps.push(Step { address, into, rule });
    }

    fn drop_member(&mut self, mailbox: Mailbox, rule: &'static str) {
        if self.reached.insert(key(&mailbox)) {
            self.expansion.dropped.push(Dropped { mailbox, rule });
        }
    }
}

fn local_target(account: Account, through: &Through) -> Target {
    Target {
        place: Place::Maildrop { account: account.id, quota_octets: account.quota_octets },
        mailbox: account.address,
        list_owner: through.list_owner.clone(),
        through_list: through.list,
    }
}

fn key(mailbox: &Mailbox) -> String {
    let mut key = mailbox.local_part().as_str().to_lowercase();
    key.push('@');
    match mailbox.domain() {
        Some(domain) => key.push_str(domain.to_ascii()),
        None => key.push_str(&mailbox.host().to_string()),
    }
    key
}

fn is_postmaster(mailbox: &Mailbox) -> bool {
    mailbox.local_part().as_str().eq_ignore_ascii_case("postmaster")
}

fn postmaster_at(domain: &Domain) -> Mailbox {
    let local_part = LocalPart::from_unquoted("postmaster").expect("a valid local-part");
    Mailbox::new(local_part, domain.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use posta_store::{DirectoryChange, MemoryStore};
    use std::sync::Arc;

    fn mailbox(text: &str) -> Mailbox {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    /// A directory in lines: `domain NAME [CATCH-ALL]`, `account ADDRESS [disabled]`,
    /// `alias ADDRESS MEMBERS…`, `list ADDRESS OWNER MEMBERS…` (owner `-`: none).
    async fn directory(lines: &str) -> MemoryStore {
        let store = MemoryStore::new(Arc::new(jiff::Timestamp::now));
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let change = match words[..] {
                ["domain", name, ref rest @ ..] => DirectoryChange::PutDomain(DomainSettings {
                    domain: name.parse().expect("a domain"),
                    catch_all: rest.first().map(|text| mailbox(text)),
                    subaddress_separator: Some('+'),
                }),
                ["account", address, ref rest @ ..] => DirectoryChange::PutAccount(Account {
                    id: store.new_account_id(),
                    address: mailbox(address),
                    name: None,
                    password_hash: None,
                    apop_secret: None,
                    credentials: posta_store::Credentials::default(),
                    quota_octets: None,
                    enabled: rest.is_empty(),
                    hold_seconds: 0,
                }),
                ["alias", address, ref members @ ..] => alias(address, AliasKind::Alias, "-", members),
                ["list", address, owner, ref members @ ..] => alias(address, AliasKind::List, owner, members),
                _ => panic!("{line}"),
            };
            store.change_directory(change).await.expect(line);
        }
        store
    }

    fn alias(address: &str, kind: AliasKind, owner: &str, members: &[&str]) -> DirectoryChange {
        DirectoryChange::PutAlias(Alias {
            address: mailbox(address),
            kind,
            name: None,
            members: members.iter().map(|member| mailbox(member)).collect(),
            owner: (owner != "-").then(|| mailbox(owner)),
        })
    }

    /// What a recipient stands for, in one line.
    async fn resolve(store: &MemoryStore, postmaster: Option<&str>, path: &str) -> String {
        let hostname = "mx.north.example".parse().expect("a domain");
        let postmaster = postmaster.map(mailbox);
        let directory =
            Directory { store, hostname: &hostname, postmaster: postmaster.as_ref(), expansion_max: 5 };
        match directory.resolve(&path.parse().expect("a path")).await.expect("looked up") {
            Resolution::Here(expansion) => {
                let target = |target: &Target| {
                    let place = if target.place == Place::Elsewhere { "→" } else { "" };
                    let owner =
                        target.list_owner.as_ref().map_or(String::new(), |owner| format!(" ({owner})"));
                    format!("{place}{}{owner}", target.mailbox)
                };
                let dropped = |dropped: &Dropped| format!("{}: {}", dropped.mailbox, dropped.rule);
                let targets = expansion.targets.iter().map(target);
                targets.chain(expansion.dropped.iter().map(dropped)).collect::<Vec<_>>().join(", ")
            }
            other => format!("{other:?}").split('(').next().unwrap_or_default().to_owned(),
        }
    }

    const PEOPLE: &str = "
        domain n.example
        domain c.example any@n.example
        domain loop.example x@loop.example
        account a@n.example
        account b@n.example
        account off@n.example disabled
        alias any@n.example a@n.example
        alias one@n.example two@n.example
        alias two@n.example one@n.example b@n.example
        alias self@n.example self@n.example
        alias dangling@n.example nobody@n.example off@n.example a@n.example
        alias nowhere@n.example nobody@n.example
        alias closed@n.example off@n.example
        alias both@n.example a@n.example A@N.example a+x@n.example far@s.example far@S.example
        alias many@n.example 1@s.example 2@s.example 3@s.example 4@s.example 5@s.example 6@s.example
        list inner@n.example owner@n.example b@n.example far@s.example
        list outer@n.example boss@n.example inner@n.example a@n.example
        list bare@n.example - a@n.example
        alias d1@n.example d2@n.example
        alias d2@n.example d3@n.example
        alias d3@n.example d4@n.example
        alias d4@n.example d5@n.example
        alias d5@n.example d6@n.example
        alias d6@n.example d7@n.example
        alias d7@n.example d8@n.example
        alias d8@n.example d9@n.example
        alias d9@n.example d10@n.example
        alias d10@n.example d11@n.example
        alias d11@n.example a@n.example
    ";

    #[tokio::test]
    async fn whom_an_address_stands_for() {
        let store = directory(PEOPLE).await;
        for (path, expected) in [
            ("<a@n.example>", "a@n.example"),
            ("<A@N.EXAMPLE>", "a@n.example"),
            ("<a+tag@n.example>", "a@n.example"),
            ("<any+tag@n.example>", "a@n.example"),
            ("<+tag@n.example>", "Unknown"),
            ("<x@s.example>", "Elsewhere"),
            ("<a@[192.0.2.1]>", "Elsewhere"),
            ("<a@mx.north.example>", "Elsewhere"),
            ("<nobody@n.example>", "Unknown"),
            ("<whoever@c.example>", "a@n.example"),
            ("<whoever@loop.example>", "Unknown"),
            ("<off@n.example>", "Disabled"),
            ("<closed@n.example>", "Disabled"),
            ("<nowhere@n.example>", "Unknown"),
            ("<one@n.example>", "b@n.example"),
            ("<self@n.example>", "Unknown"),
            ("<both@n.example>", "a@n.example, →far@s.example"),
            ("<many@n.example>", "TooMany"),
            (
                "<dangling@n.example>",
                "a@n.example, nobody@n.example: member is nobody, off@n.example: account disabled",
            ),
            (
                "<outer@n.example>",
                "b@n.example (owner@n.example), →far@s.example (owner@n.example), a@n.example (boss@n.example)",
            ),
            ("<bare@n.example>", "a@n.example"),
            ("<d2@n.example>", "a@n.example"),
            ("<d1@n.example>", "Unknown"),
        ] {
            assert_eq!(resolve(&store, None, path).await, expected, "{path}");
        }
    }

    #[tokio::test]
    async fn somebody_reads_postmasters_mail() {
        let store = directory(PEOPLE).await;
        for path in [
            "<postmaster>",
            "<PostMaster@n.example>",
            "<postmaster@c.example>",
            "<postmaster@mx.north.example>",
        ] {
            assert_eq!(resolve(&store, None, path).await, "a@n.example", "{path}");
            assert_eq!(resolve(&store, Some("b@n.example"), path).await, "b@n.example", "{path}");
            assert_eq!(resolve(&store, Some("boss@s.example"), path).await, "→boss@s.example", "{path}");
        }
        store
            .change_directory(alias("postmaster@n.example", AliasKind::Alias, "-", &["b@n.example"]))
            .await
            .expect("put");
        assert_eq!(resolve(&store, None, "<postmaster>").await, "b@n.example");
        assert_eq!(resolve(&store, None, "<postmaster@n.example>").await, "b@n.example");
        let nobody = directory("domain n.example").await;
        assert_eq!(resolve(&nobody, None, "<postmaster>").await, "Unknown");
    }
}
