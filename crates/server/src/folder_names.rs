//! Login names that name a folder, for clients that know only one: `user+Folder`, `user+Folder@domain`,
//! `user@domain+Folder`.
//!
//! A name that is an account's own is that account's, whatever signs are in it. Sub-addresses are for mail:
//! nobody logs in by one, so that a folder's name in its place takes nothing away. The sign is always `+`,
//! even where a domain divides its sub-addresses by another.

use crate::host::Host;
use posta_store::{AccountId, Folder, FolderId, StoreError};
use posta_wire::sasl::server::Question;

/// Begins a folder's name in a login name.
const SIGN: char = '+';

/// Signs in one name that are looked at: folders, and the user, may have it in their own names.
const SIGNS_MAX: usize = 8;

/// The ways in which a login name divides into a user and a folder; the shortest folder first.
fn divisions(name: &str) -> impl Iterator<Item = (String, &str)> {
    name.rmatch_indices(SIGN).take(SIGNS_MAX).filter_map(|(place, sign)| {
        let (user, rest) = (&name[..place], &name[place + sign.len()..]);
        let (folder, domain) = match rest.rfind('@') {
            Some(at) if !user.contains('@') => rest.split_at(at),
            _ => (rest, ""),
        };
        (!user.is_empty() && !folder.is_empty()).then(|| (format!("{user}{domain}"), folder))
    })
}

impl Host {
    /// Takes the folder's name out of a login name, if it names one.
    pub(crate) async fn take_folder_name(&self, name: &mut String) -> Result<Option<Box<str>>, StoreError> {
        if !name.contains(SIGN) || self.find_account(name).await?.is_some() {
            return Ok(None);
        }
        let whole = name.clone();
        for (user, folder) in divisions(&whole) {
            if self.find_account(&user).await?.is_some() {
                *name = user;
                return Ok(Some(folder.into()));
            }
        }
        Ok(None)
    }

    /// As [`Self::take_folder_name`], of the names in a question of SASL. Whom to act as says more than who
    /// one is.
    pub(crate) async fn take_folder_names(
        &self,
        question: &mut Question,
    ) -> Result<Option<Box<str>>, StoreError> {
        let (authcid, authzid) = match question {
            Question::CheckPassword { authcid, authzid, .. }
            | Question::Verifier { authcid, authzid, .. } => (Some(authcid), authzid.as_mut()),
            Question::SharedSecret { authcid } => (Some(authcid), None),
            Question::CheckToken { authzid, .. } | Question::CheckCertificate { authzid } => {
                (None, authzid.as_mut())
            }
        };
        let mut folder = None;
        for name in [authcid, authzid].into_iter().flatten() {
            folder = self.take_folder_name(name).await?.or(folder);
        }
        Ok(folder)
    }

    /// The folder with this name, without regard to case; without a name, the Inbox.
    pub(crate) async fn folder_named(
        &self,
        account: AccountId,
        name: Option<&str>,
    ) -> Result<Option<FolderId>, StoreError> {
        let Some(name) = name else { return Ok(Some(FolderId::INBOX)) };
        let key = name.to_lowercase();
        let folders = self.store.folders(account).await?;
        Ok(folders.iter().find(|folder: &&Folder| folder.name.key() == key).map(|folder| folder.id))
    }
}

#[cfg(test)]
mod tests {
    use super::divisions;

    #[test]
    fn names_divide() {
        for (name, expected) in [
            ("alice", &[][..]),
            ("alice@north.example", &[]),
            ("+x", &[]),
            ("alice+", &[]),
            ("alice+@north.example", &[]),
            ("alice+Sent", &[("alice", "Sent")]),
            ("alice+My Mail/2026@north.example", &[("alice@north.example", "My Mail/2026")]),
            ("alice@north.example+Sent", &[("alice@north.example", "Sent")]),
            ("alice@north.example+a@b", &[("alice@north.example", "a@b")]),
            ("alice+a@b@north.example", &[("alice@north.example", "a@b")]),
            (
                "alice+lists+C++@north.example",
                &[
                    ("alice+lists+C+@north.example", ""),
                    ("alice+lists+C@north.example", "+"),
                    ("alice+lists@north.example", "C++"),
                    ("alice@north.example", "lists+C++"),
                ],
            ),
        ] {
            let found: Vec<_> = divisions(name).collect();
            let expected: Vec<_> = expected
                .iter()
                .filter(|(_, folder)| !folder.is_empty())
                .map(|(user, folder)| ((*user).to_owned(), *folder))
                .collect();
            assert_eq!(found, expected, "{name}");
        }
        assert!(divisions(&"+a".repeat(1000)).count() <= super::SIGNS_MAX);
    }
}
