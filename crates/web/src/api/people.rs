//! Suggestions and the address book.

use super::{
    Answer, Input,
    mail::{Key, Nothing},
};
use crate::{error::ApiError, visitor::Caller};
use axum::{
    Json,
    body::Bytes,
    extract::{Path, Query},
    http::header,
    response::{IntoResponse, Response},
};
use posta_ua::desk::{Contact, ContactKey, Suggestion, limits::SUGGESTIONS_MAX};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
pub(super) struct Typed {
    typed: String,
    #[serde(default)]
    limit: Option<u32>,
}

pub(super) async fn complete(caller: Caller, Query(query): Query<Typed>) -> Answer<Vec<Suggestion>> {
    let limit = query.limit.unwrap_or(8).min(SUGGESTIONS_MAX);
    Ok(Json(caller.desk.complete_address(&query.typed, limit).await?))
}

pub(super) async fn contacts(caller: Caller) -> Answer<Vec<Contact>> {
    Ok(Json(caller.desk.contacts().await?))
}

pub(super) async fn put_contact(caller: Caller, Input(contact): Input<Contact>) -> Answer<Key<ContactKey>> {
    Ok(Json(Key { key: caller.desk.put_contact(&contact).await? }))
}

pub(super) async fn remove_contact(caller: Caller, Path(key): Path<ContactKey>) -> Answer<Nothing> {
    caller.desk.remove_contact(&key).await?;
    Ok(Json(Nothing {}))
}

pub(super) async fn export(caller: Caller) -> Result<Response, ApiError> {
    let vcards = caller.desk.export_contacts().await?;
    let headers = [
        (header::CONTENT_TYPE, "text/vcard; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"contacts.vcf\""),
    ];
    Ok((headers, vcards).into_response())
}

/// How many people came.
#[derive(Serialize)]
pub(super) struct Imported {
    people: u32,
}

pub(super) async fn import(caller: Caller, vcards: Bytes) -> Answer<Imported> {
    let vcards = String::from_utf8_lossy(&vcards);
    Ok(Json(Imported { people: caller.desk.import_contacts(&vcards).await? }))
}
