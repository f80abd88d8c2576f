//! How an account is written. Its first form had no [`Credentials`], its second no hold; what has none is
//! written so still, and what is there follows.

use super::codec::{Decoder, Encoder, Malformed};
use crate::{Account, AccountId, AppPassword, AppPasswordScope, Credentials};
use posta_wire::Secret;

/// A form of an account's record; each has what the one before has, and more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    First,
    WithCredentials,
    WithHold,
}

impl Form {
    /// The first that has room for all.
    pub(super) fn of(account: &Account) -> Self {
        match account {
            account if account.hold_seconds > 0 => Form::WithHold,
            account if account.credentials != Credentials::default() => Form::WithCredentials,
            _ => Form::First,
        }
    }
}

pub(super) fn put_account(to: &mut Encoder, account: &Account) {
    to.number(account.id.0);
    to.display(&account.address);
    to.option(account.name.as_deref(), Encoder::text);
    to.option(account.password_hash.as_ref(), put_secret);
    to.option(account.apop_secret.as_ref(), put_secret);
    to.option(account.quota_octets, Encoder::number);
    to.bool(account.enabled);
    let form = Form::of(account);
    if form >= Form::WithCredentials {
        to.list(&account.credentials.scram, put_secret);
        to.list(&account.credentials.app_passwords, put_app_password);
    }
    if form >= Form::WithHold {
        to.number(account.hold_seconds.into());
    }
}

pub(super) fn account(from: &mut Decoder<'_>, form: Form) -> Result<Account, Malformed> {
    let mut account = Account {
        id: AccountId(from.number()?),
        address: from.parsed()?,
        name: from.option(Decoder::string)?,
        password_hash: from.option(secret)?,
        apop_secret: from.option(secret)?,
        credentials: Credentials::default(),
        quota_octets: from.option(Decoder::number)?,
        enabled: from.bool()?,
        hold_seconds: 0,
    };
    if form >= Form::WithCredentials {
        account.credentials =
            Credentials { scram: from.list(secret)?, app_passwords: from.list(app_password)? };
    }
    if form >= Form::WithHold {
        account.hold_seconds = from.number_u32()?;
    }
    Ok(account)
}

fn put_secret(to: &mut Encoder, secret: &Secret) {
    to.text(secret.expose());
}

fn secret(from: &mut Decoder<'_>) -> Result<Secret, Malformed> {
    from.string().map(Secret::new)
}

fn put_app_password(to: &mut Encoder, password: &AppPassword) {
    to.text(&password.name);
    to.u8(match password.scope {
        AppPasswordScope::All => 1,
        AppPasswordScope::Smtp => 2,
        AppPasswordScope::Pop3 => 3,
    });
    put_secret(to, &password.hash);
    to.time(password.created_at);
    to.option(password.last_used_at, Encoder::time);
}

fn app_password(from: &mut Decoder<'_>) -> Result<AppPassword, Malformed> {
    Ok(AppPassword {
        name: from.string()?,
        scope: match from.u8()? {
            1 => AppPasswordScope::All,
            2 => AppPasswordScope::Smtp,
            3 => AppPasswordScope::Pop3,
            _ => return Err(Malformed("no scope of an application password")),
        },
        hash: secret(from)?,
        created_at: from.time()?,
        last_used_at: from.option(Decoder::time)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn plain() -> Account {
        Account {
            id: AccountId(7),
            address: "alice@north.example".parse().expect("a mailbox"),
            name: Some("Alice".into()),
            password_hash: Some(Secret::new("$argon2id$x")),
            apop_secret: None,
            credentials: Credentials::default(),
            quota_octets: Some(1000),
            enabled: true,
            hold_seconds: 0,
        }
    }

    fn written(account: &Account) -> Vec<u8> {
        let mut to = Encoder::default();
        put_account(&mut to, account);
        to.finish().to_vec()
    }

    #[test]
    fn all_forms_are_read() {
        let at = Timestamp::from_second(1_795_460_400).expect("a time");
        let password = |name: &str, scope, last_used_at| AppPassword {
            name: name.into(),
            scope,
            hash: Secret::new("00ff"),
            created_at: at,
            last_used_at,
        };
        let rich = Account {
            credentials: Credentials {
                scram: vec![Secret::new("SCRAM-SHA-256$4096:x$y:z")],
                app_passwords: vec![
                    password("phone", AppPasswordScope::Pop3, Some(at)),
                    password("printer", AppPasswordScope::Smtp, None),
                    password("all", AppPasswordScope::All, None),
                ],
            },
            ..plain()
        };
        let patient = Account { hold_seconds: 300, ..plain() };
        for account in [plain(), rich, patient] {
            let octets = written(&account);
            let mut from = Decoder::new(&octets);
            let read = super::account(&mut from, Form::of(&account));
            assert_eq!(read.as_ref(), Ok(&account));
            assert!(from.finish().is_ok());
        }
    }

    #[test]
    fn the_first_form_stays_as_it_was_written_by_the_first_version() {
        let mut expected = vec![7, 19];
        expected
            .extend_from_slice(b"alice@north.example\x01\x05Alice\x01\x0b$argon2id$x\x00\x01\xe8\x07\x01");
        assert_eq!(written(&plain()), expected);
    }
}
