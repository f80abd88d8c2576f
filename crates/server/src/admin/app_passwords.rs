//! Application passwords: made, shown, revoked.

use super::{
    desk::{Answer, Desk, conflict, invalid, not_found},
    protocol::{AppPasswordInfo, Response, Scope, SecretText},
};
use crate::{
    credentials::{hash_app_password, new_app_password},
    limits::{APP_PASSWORDS_MAX, NAME_OCTETS_MAX},
};
use posta_address::Mailbox;
use posta_store::{AppPassword, DirectoryChange};

impl Desk {
    pub(super) async fn add_app_password(&self, address: &Mailbox, name: String, scope: Scope) -> Answer {
        if name.is_empty() || name.len() > NAME_OCTETS_MAX || name.chars().any(char::is_control) {
            return Err(invalid("the name of an application password is a short text on one line"));
        }
        let _turn = self.passwords.changing_account.lock().await;
        let mut account = self.account(address).await?;
        let passwords = &mut account.credentials.app_passwords;
        if passwords.iter().any(|password| password.name == name) {
            return Err(conflict(format!("{address} has an application password {name} already")));
        }
        if passwords.len() >= APP_PASSWORDS_MAX {
            return Err(conflict(format!("{address} has {APP_PASSWORDS_MAX} application passwords already")));
        }
        let password = new_app_password(&*self.entropy);
        passwords.push(AppPassword {
            name: name.clone(),
            scope: scope.into(),
            hash: hash_app_password(&password),
            created_at: self.clock.timestamp(),
            last_used_at: None,
        });
        self.change(DirectoryChange::PutAccount(account)).await?;
        self.note(None, format!("account {address}: application password {name} added"));
        Ok(Response::AppPassword(SecretText(password)))
    }

    pub(super) async fn list_app_passwords(&self, address: &Mailbox) -> Answer {
        let account = self.account(address).await?;
        let info = |password: AppPassword| AppPasswordInfo {
            name: password.name,
            scope: password.scope.into(),
            created_at: password.created_at,
            last_used_at: password.last_used_at,
        };
        Ok(Response::AppPasswords(account.credentials.app_passwords.into_iter().map(info).collect()))
    }

    pub(super) async fn revoke_app_password(&self, address: &Mailbox, name: &str) -> Answer {
        let _turn = self.passwords.changing_account.lock().await;
        let mut account = self.account(address).await?;
        let passwords = &mut account.credentials.app_passwords;
        let before = passwords.len();
        passwords.retain(|password| password.name != name);
        if passwords.len() == before {
            return Err(not_found(format!("{address} has no application password {name}")));
        }
        self.change(DirectoryChange::PutAccount(account)).await?;
        Ok(self.note(None, format!("account {address}: application password {name} revoked")))
    }
}
