//! What is kept beside the mail: typed JSON documents of the account.

use super::room::Room;
use super::store_error;
use crate::desk::DeskError;
use bytes::Bytes;
use posta_store::{DocumentName, MailboxChange};
use serde::{Serialize, de::DeserializeOwned};

pub(super) const SETTINGS: &str = "settings";
pub(super) const IDENTITIES: &str = "identities";
pub(super) const RULES: &str = "rules";
pub(super) const VACATION: &str = "vacation";
/// Who was answered while away, and when.
pub(super) const VACATION_ANSWERED: &str = "vacation-answered";
pub(super) const CONTACTS: &str = "contacts";
pub(super) const SNOOZED: &str = "snoozed";
/// Messages whose wish for a receipt was answered.
pub(super) const RECEIPTS: &str = "receipts";
/// Up to which change new mail has gone through the rules.
pub(super) const TREATED: &str = "treated";
/// One for each message that waits to be sent: `outbox/ID`.
pub(super) const OUTBOX: &str = "outbox/";
/// One for each account elsewhere: `fetch/KEY`.
pub(super) const FETCH: &str = "fetch/";
/// What was fetched from it: `fetched/KEY`.
pub(super) const FETCHED: &str = "fetched/";

pub(super) fn document_name(name: &str) -> Result<DocumentName, DeskError> {
    name.parse().map_err(|_| DeskError::NotFound(name.to_owned()))
}

/// The change that keeps a document.
pub(super) fn put<T: Serialize>(name: &str, value: &T) -> Result<MailboxChange, DeskError> {
    let octets = serde_json::to_vec(value).map_err(|error| DeskError::Failed(error.to_string()))?;
    Ok(MailboxChange::PutDocument { name: document_name(name)?, octets: Bytes::from(octets) })
}

pub(super) fn remove(name: &str) -> Result<MailboxChange, DeskError> {
    Ok(MailboxChange::RemoveDocument { name: document_name(name)? })
}

impl Room {
    /// A document, or what holds without it. One that can't be read (of another version) counts as none.
    pub(super) async fn document<T: DeserializeOwned + Default>(&self, name: &str) -> Result<T, DeskError> {
        Ok(self.document_if_any(name).await?.unwrap_or_default())
    }

    pub(super) async fn document_if_any<T: DeserializeOwned>(
        &self,
        name: &str,
    ) -> Result<Option<T>, DeskError> {
        let octets = self.store().document(self.account, &document_name(name)?).await.map_err(store_error)?;
        let Some(octets) = octets else { return Ok(None) };
        match serde_json::from_slice(&octets) {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                tracing::warn!(account = self.account.0, name, %error, "a document can't be read");
                Ok(None)
            }
        }
    }

    /// Documents whose names begin so, with the rest of their names.
    pub(super) async fn documents<T: DeserializeOwned>(
        &self,
        prefix: &str,
    ) -> Result<Vec<(String, T)>, DeskError> {
        let found = self.store().documents(self.account, prefix).await.map_err(store_error)?;
        let read = found.into_iter().filter_map(|(name, octets)| {
            let rest = name.as_str().strip_prefix(prefix)?.to_owned();
            Some((rest, serde_json::from_slice(&octets).ok()?))
        });
        Ok(read.collect())
    }

    pub(super) async fn put_document<T: Serialize>(&self, name: &str, value: &T) -> Result<(), DeskError> {
        self.commit(vec![put(name, value)?]).await
    }
}
