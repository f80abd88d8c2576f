//! What VRFY and EXPN answer (RFC 5321 §3.5).

use super::replies;
use crate::{
    limits::VERIFY_LINES_MAX,
    recipients::{Directory, Resolution},
};
use posta_address::{ForwardPath, LocalPart, Mailbox};
use posta_smtp::Reply;
use posta_store::{AliasKind, StoreError};
use std::borrow::Cow;

/// Somebody who fits.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Candidate {
    name: Option<String>,
    mailbox: Mailbox,
    /// Members, if it is an alias or list.
    members: Option<Vec<Mailbox>>,
}

impl Candidate {
    /// `Full Name <local@domain>` (RFC 5321 §3.5.1).
    fn line(&self) -> Cow<'static, str> {
        match &self.name {
            Some(name) => format!("{name} <{}>", self.mailbox).into(),
            None => format!("<{}>", self.mailbox).into(),
        }
    }
}

/// VRFY: one person is told with the full name, several as ambiguous.
pub async fn verify(directory: &Directory<'_>, argument: &str) -> Result<Reply, StoreError> {
    let candidates = match candidates(directory, argument).await? {
        Search::Elsewhere => return Ok(replies::CANNOT_VERIFY.reply()),
        Search::Here(candidates) => candidates,
    };
    Ok(match candidates.as_slice() {
        [] => replies::NOBODY.reply(),
        [one] => replies::RECIPIENT_OK.with(one.line()),
        several => ambiguous(several),
    })
}

/// EXPN: the members of an alias or list, one per line.
pub async fn expand(directory: &Directory<'_>, argument: &str) -> Result<Reply, StoreError> {
    let candidates = match candidates(directory, argument).await? {
        Search::Elsewhere => return Ok(replies::NOBODY.reply()),
        Search::Here(candidates) => candidates,
    };
    let mut lists = candidates.iter().filter(|candidate| candidate.members.is_some());
    let list = match (candidates.as_slice(), lists.next(), lists.next()) {
        ([], ..) => return Ok(replies::NOBODY.reply()),
        ([one], ..) => one,
        (_, Some(only), None) => only,
        (several, ..) => return Ok(ambiguous(several)),
    };
    let Some(members) = &list.members else { return Ok(replies::NOT_A_LIST.reply()) };
    let mut lines = Vec::new();
    for mailbox in members.iter().take(VERIFY_LINES_MAX) {
        let name = directory.store.account(mailbox).await?.and_then(|account| account.name);
        let name = match name {
            Some(name) => Some(name),
            None => directory.store.alias(mailbox).await?.and_then(|alias| alias.name),
        };
        lines.push(Candidate { name, mailbox: mailbox.clone(), members: None }.line());
    }
    if lines.is_empty() {
        return Ok(replies::NOBODY.reply());
    }
    Ok(replies::lines(replies::RECIPIENT_OK, lines))
}

fn ambiguous(several: &[Candidate]) -> Reply {
    let mut lines = vec![Cow::Borrowed(replies::AMBIGUOUS.text)];
    lines.extend(several.iter().take(VERIFY_LINES_MAX).map(Candidate::line));
    replies::lines(replies::AMBIGUOUS, lines)
}

enum Search {
    Here(Vec<Candidate>),
    Elsewhere,
}

/// By address, by local-part in all hosted domains, else by full name or one word of it.
async fn candidates(directory: &Directory<'_>, argument: &str) -> Result<Search, StoreError> {
    let argument = argument.trim();
    let bare = argument.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(argument);
    if let Ok(mailbox) = Mailbox::parse(bare) {
        return by_mailbox(directory, mailbox).await;
    }
    let mut found = Vec::new();
    if let Ok(local_part) = LocalPart::parse(bare) {
        for settings in directory.store.domains().await? {
            let mailbox = Mailbox::new(local_part.clone(), settings.domain);
            found.extend(candidate(directory, &mailbox).await?);
        }
    }
    if found.is_empty() && bare.eq_ignore_ascii_case("postmaster") {
        found.extend(postmaster(directory).await?);
    }
    if found.is_empty() {
        found = by_name(directory, bare).await?;
    }
    Ok(Search::Here(found))
}

async fn by_mailbox(directory: &Directory<'_>, mailbox: Mailbox) -> Result<Search, StoreError> {
    if let Some(candidate) = candidate(directory, &mailbox).await? {
        return Ok(Search::Here(vec![candidate]));
    }
    let hidden = Candidate { name: None, mailbox: mailbox.clone(), members: None };
    Ok(match directory.resolve(&ForwardPath::Mailbox(mailbox)).await? {
        Resolution::Elsewhere(_) => Search::Elsewhere,
        // A sub-address, or caught by the catch-all: deliverable as it stands.
        Resolution::Here(_) => Search::Here(vec![hidden]),
        Resolution::Unknown | Resolution::Disabled | Resolution::TooMany => Search::Here(Vec::new()),
    })
}

async fn postmaster(directory: &Directory<'_>) -> Result<Option<Candidate>, StoreError> {
    match directory.resolve(&ForwardPath::Postmaster).await? {
        Resolution::Here(expansion) => match expansion.targets.first() {
            Some(target) => candidate(directory, &target.mailbox).await,
            None => Ok(None),
        },
        _ => Ok(None),
    }
}

async fn candidate(directory: &Directory<'_>, mailbox: &Mailbox) -> Result<Option<Candidate>, StoreError> {
    if let Some(account) = directory.store.account(mailbox).await? {
        let candidate = Candidate { name: account.name, mailbox: account.address, members: None };
        return Ok(account.enabled.then_some(candidate));
    }
    let alias = directory.store.alias(mailbox).await?;
    Ok(alias.map(|alias| Candidate {
        name: alias.name,
        mailbox: alias.address,
        members: Some(alias.members),
    }))
}

async fn by_name(directory: &Directory<'_>, wanted: &str) -> Result<Vec<Candidate>, StoreError> {
    let wanted = wanted.trim_matches('"').to_lowercase();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let fits = |name: &Option<String>| {
        name.as_deref().is_some_and(|name| {
            let name = name.to_lowercase();
            name == wanted || name.split_whitespace().any(|word| word == wanted)
        })
    };
    let mut found = Vec::new();
    for account in directory.store.accounts().await? {
        if account.enabled && fits(&account.name) {
            found.push(Candidate { name: account.name, mailbox: account.address, members: None });
        }
    }
    for alias in directory.store.aliases().await? {
        if fits(&alias.name) {
            let members =
                (alias.kind == AliasKind::List || !alias.members.is_empty()).then_some(alias.members);
            found.push(Candidate { name: alias.name, mailbox: alias.address, members });
        }
    }
    Ok(found)
}
