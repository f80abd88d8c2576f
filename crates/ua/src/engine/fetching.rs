//! Mail accounts elsewhere, fetched by POP3 into a folder here.
//!
//! What was fetched is known by its UIDL. A message is kept here durably before it is noted as fetched, and noted before it is
//! deleted there: a crash in the middle may bring one message twice, but never loses one.

use super::documents::{self, FETCH, FETCHED};
use super::room::Room;
use super::store_error;
use crate::desk::{DeskError, FetchAccount, FetchKey, FetchOutcome, FetchSecurity, FolderKey, limits};
use crate::{Endpoint, Maildrop, Outside, Security};
use bytes::Bytes;
use jiff::Timestamp;
use posta_message::Message;
use posta_pop3::client::{Credentials, LoginMethod};
use posta_store::{Filing, Flags, FolderId};
use posta_wire::Secret;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::Duration;

/// Octets of one message that is fetched.
const MESSAGE_OCTETS_MAX: u64 = 128 * 1024 * 1024;
/// Messages fetched in one look; the next look goes on.
const MESSAGES_MAX: usize = 2000;
/// How long one look may last.
const LOOK_TIME_MAX: Duration = Duration::from_secs(30 * 60);
/// Identifiers of one account that are remembered (the others are gone there).
const SEEN_OCTETS_MAX: usize = 900 * 1024;

/// An account as it is kept.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Kept {
    host: String,
    port: u16,
    security: FetchSecurity,
    user: String,
    password: String,
    folder: FolderKey,
    keep: bool,
    every_minutes: u32,
    last: Option<FetchOutcome>,
}

impl Kept {
    /// Checks what a person handed in. The password there is stays only with the same host and user: nobody gets it
    /// sent to another host by changing the name of the host.
    pub(super) fn new(account: &FetchAccount, before: Option<&Kept>) -> Result<Kept, DeskError> {
        let invalid = |words: &str| DeskError::Invalid(words.to_owned());
        Endpoint::parse(&format!("{}:{}", account.host, account.port), account.port)
            .map_err(|error| invalid(&error.to_string()))?;
        if account.user.is_empty()
            || account.user.len() > 255
            || account.user.contains(|c: char| c.is_control())
        {
            return Err(invalid("the name of the user is empty or too long"));
        }
        if account.every_minutes == 0 {
            return Err(invalid("at most once in a minute"));
        }
        let same = before.filter(|before| {
            before.host == account.host && before.user == account.user && before.security == account.security
        });
        let password = account
            .password
            .clone()
            .filter(|password| !password.is_empty())
            .or(same.map(|before| before.password.clone()));
        let password = password.ok_or_else(|| invalid("the password is missing"))?;
        if password.len() > crate::limits::PASSWORD_OCTETS_MAX {
            return Err(invalid("the password is too long"));
        }
        Ok(Kept {
            host: account.host.clone(),
            port: account.port,
            security: account.security,
            user: account.user.clone(),
            password,
            folder: account.folder.clone(),
            keep: account.keep,
            every_minutes: account.every_minutes,
            last: before.and_then(|before| before.last.clone()),
        })
    }

    /// As a person sees it: without the password.
    pub(super) fn shown(self, key: FetchKey) -> FetchAccount {
        FetchAccount {
            key: Some(key),
            host: self.host,
            port: self.port,
            security: self.security,
            user: self.user,
            password: None,
            folder: self.folder,
            keep: self.keep,
            every_minutes: self.every_minutes,
            last: self.last,
        }
    }

    fn is_due(&self, now: Timestamp) -> bool {
        let wait_secs = i64::from(self.every_minutes) * 60;
        self.last.as_ref().is_none_or(|last| now.as_second() - last.at.as_second() >= wait_secs)
    }
}

impl Room {
    /// Looks at the accounts elsewhere whose time has come. One at a time looks: if somebody does, that is enough.
    pub(super) async fn fetch_due(&self) -> Result<(), DeskError> {
        let Ok(_one) = self.fetching.try_lock() else { return Ok(()) };
        let now = self.shared.now();
        let accounts: Vec<(String, Kept)> = self.documents(FETCH).await?;
        for (key, kept) in accounts.into_iter().take(limits::FETCH_ACCOUNTS_MAX) {
            if kept.is_due(now) {
                self.look(&FetchKey::new(key), kept).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn look_now(&self, key: &FetchKey) -> Result<FetchOutcome, DeskError> {
        let _one = self.fetching.lock().await;
        let kept: Option<Kept> = self.document_if_any(&format!("{FETCH}{key}")).await?;
        self.look(key, kept.ok_or_else(|| DeskError::NotFound("the account".to_owned()))?).await
    }

    /// One look, its outcome kept with the account.
    async fn look(&self, key: &FetchKey, mut kept: Kept) -> Result<FetchOutcome, DeskError> {
        let mut count = 0;
        let fetched = tokio::time::timeout(LOOK_TIME_MAX, self.fetch(key, &kept, &mut count)).await;
        let failure = match fetched {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error),
            Err(_) => Some("it took too long; the next look goes on".to_owned()),
        };
        let outcome = FetchOutcome { at: self.shared.now(), messages: count, failure };
        // It may have been removed meanwhile.
        if self.document_if_any::<Kept>(&format!("{FETCH}{key}")).await?.is_some() {
            kept.last = Some(outcome.clone());
            self.put_document(&format!("{FETCH}{key}"), &kept).await?;
        }
        Ok(outcome)
    }

    async fn fetch(&self, key: &FetchKey, kept: &Kept, count: &mut u32) -> Result<(), String> {
        let words = |error: &dyn std::fmt::Display| error.to_string();
        let security = match kept.security {
            FetchSecurity::LocalOnly => Security::None,
            FetchSecurity::Tls if kept.port == 995 => Security::Tls,
            FetchSecurity::Tls => Security::StartTls,
        };
        let outside = Outside { security, ..self.shared.parts.outside.clone() };
        let host = if kept.host.contains(':') { format!("[{}]", kept.host) } else { kept.host.clone() };
        let endpoint =
            Endpoint::parse(&format!("{host}:{}", kept.port), kept.port).map_err(|error| words(&error))?;
        let credentials = Credentials {
            user: kept.user.clone(),
            secret: Secret::new(kept.password.clone()),
            method: LoginMethod::Strongest,
        };
        let folder = self.folder(&kept.folder).await.unwrap_or(FolderId::INBOX);
        let mut maildrop = Maildrop::open(&outside, &endpoint, credentials, MESSAGE_OCTETS_MAX, None)
            .await
            .map_err(|error| words(&error))?;
        let listed = maildrop.list().await.map_err(|error| words(&error))?;
        let seen_name = format!("{FETCHED}{key}");
        let mut seen: BTreeSet<String> = self.document(&seen_name).await.map_err(|error| words(&error))?;
        let there: BTreeSet<String> = listed.iter().filter_map(|message| message.unique_id.clone()).collect();
        let mut doomed = Vec::new();
        for message in listed {
            let Some(id) = message.unique_id else {
                return Err("the server there can't tell its messages apart (no UIDL)".to_owned());
            };
            if seen.contains(&id) {
                doomed.push(message.number);
                continue;
            }
            if *count as usize >= MESSAGES_MAX {
                break;
            }
            if message.octets > MESSAGE_OCTETS_MAX {
                continue;
            }
            let octets = maildrop.read(message.number).await.map_err(|error| words(&error))?;
            self.take_fetched(folder, Bytes::from(octets)).await.map_err(|error| words(&error))?;
            *count += 1;
            seen.insert(id);
            doomed.push(message.number);
            // Noted now and then: what is noted isn't fetched again.
            if (*count).is_multiple_of(20) {
                self.note_fetched(&seen_name, &seen).await.map_err(|error| words(&error))?;
            }
        }
        seen.retain(|id| there.contains(id));
        self.note_fetched(&seen_name, &seen).await.map_err(|error| words(&error))?;
        if !kept.keep {
            for number in doomed {
                maildrop.delete(number).await.map_err(|error| words(&error))?;
            }
        }
        maildrop.quit().await.map_err(|error| words(&error))?;
        Ok(())
    }

    async fn note_fetched(&self, name: &str, seen: &BTreeSet<String>) -> Result<(), DeskError> {
        let octets: usize = seen.iter().map(|id| id.len() + 3).sum();
        if octets > SEEN_OCTETS_MAX {
            return Err(DeskError::Failed(
                "there are too many messages there to be remembered; let them be deleted there".to_owned(),
            ));
        }
        self.store()
            .change_mailbox(self.account, vec![documents::put(name, seen)?])
            .await
            .map_err(store_error)
    }

    async fn take_fetched(&self, folder: FolderId, octets: Bytes) -> Result<(), DeskError> {
        // In the list it stands where it was written, not when it was fetched; but never in the future.
        let now = self.shared.now();
        let dated = Message::parse(&octets).root().date().map(|date| date.instant);
        let received_at = dated.filter(|date| *date <= now && date.as_second() > 0).unwrap_or(now);
        let filing =
            Filing { account: self.account, folder, flags: Flags::NONE, labels: Vec::new(), received_at };
        self.store().append(filing, octets).await.map_err(store_error)?;
        self.set_stale();
        Ok(())
    }
}
