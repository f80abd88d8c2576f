//! Settings, identities, rules, absence, accounts elsewhere.

use super::{
    Answer, Input,
    mail::{Key, Nothing},
};
use crate::visitor::Caller;
use axum::{Json, extract::Path};
use posta_ua::desk::{FetchAccount, FetchKey, FetchOutcome, Identity, Rule, Settings, Vacation};
use serde::Deserialize;

pub(super) async fn settings(caller: Caller) -> Answer<Settings> {
    Ok(Json(caller.desk.settings().await?))
}

pub(super) async fn put_settings(caller: Caller, Input(settings): Input<Settings>) -> Answer<Nothing> {
    caller.desk.put_settings(&settings).await?;
    Ok(Json(Nothing {}))
}

/// Whose remote images are always shown.
#[derive(Deserialize)]
pub(super) struct Images {
    sender: String,
    allowed: bool,
}

pub(super) async fn allow_images(caller: Caller, Input(images): Input<Images>) -> Answer<Nothing> {
    caller.desk.allow_images(&images.sender, images.allowed).await?;
    Ok(Json(Nothing {}))
}

pub(super) async fn identities(caller: Caller) -> Answer<Vec<Identity>> {
    Ok(Json(caller.desk.identities().await?))
}

pub(super) async fn put_identities(
    caller: Caller,
    Input(identities): Input<Vec<Identity>>,
) -> Answer<Nothing> {
    caller.desk.put_identities(&identities).await?;
    Ok(Json(Nothing {}))
}

pub(super) async fn rules(caller: Caller) -> Answer<Vec<Rule>> {
    Ok(Json(caller.desk.rules().await?))
}

pub(super) async fn put_rules(caller: Caller, Input(rules): Input<Vec<Rule>>) -> Answer<Nothing> {
    caller.desk.put_rules(&rules).await?;
    Ok(Json(Nothing {}))
}

pub(super) async fn vacation(caller: Caller) -> Answer<Vacation> {
    Ok(Json(caller.desk.vacation().await?))
}

pub(super) async fn put_vacation(caller: Caller, Input(vacation): Input<Vacation>) -> Answer<Nothing> {
    caller.desk.put_vacation(&vacation).await?;
    Ok(Json(Nothing {}))
}

pub(super) async fn accounts(caller: Caller) -> Answer<Vec<FetchAccount>> {
    Ok(Json(caller.desk.fetch_accounts().await?))
}

pub(super) async fn put_account(
    caller: Caller,
    Input(account): Input<FetchAccount>,
) -> Answer<Key<FetchKey>> {
    Ok(Json(Key { key: caller.desk.put_fetch_account(&account).await? }))
}

pub(super) async fn remove_account(caller: Caller, Path(key): Path<FetchKey>) -> Answer<Nothing> {
    caller.desk.remove_fetch_account(&key).await?;
    Ok(Json(Nothing {}))
}

pub(super) async fn fetch_account(caller: Caller, Path(key): Path<FetchKey>) -> Answer<FetchOutcome> {
    Ok(Json(caller.desk.fetch_now(&key).await?))
}
