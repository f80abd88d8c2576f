//! Drafts, sending, taking back.

use super::{Answer, Input, mail::Key};
use crate::visitor::Caller;
use axum::{
    Json,
    extract::{Path, Query},
};
use posta_ua::desk::{
    Done, Draft, DraftKey, MessageKey, OutboxEntry, OutboxKey, ReplyKind, Saved, SendOptions, Sent,
};
use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct Kind {
    kind: ReplyKind,
}

pub(super) async fn reply_draft(
    caller: Caller,
    Path(key): Path<MessageKey>,
    Query(kind): Query<Kind>,
) -> Answer<Draft> {
    Ok(Json(caller.desk.reply_draft(&key, kind.kind).await?))
}

pub(super) async fn save_draft(caller: Caller, Input(draft): Input<Draft>) -> Answer<Saved> {
    Ok(Json(caller.desk.save_draft(&draft).await?))
}

pub(super) async fn draft(caller: Caller, Path(key): Path<DraftKey>) -> Answer<Draft> {
    Ok(Json(caller.desk.draft(&key).await?))
}

pub(super) async fn discard_draft(caller: Caller, Path(key): Path<DraftKey>) -> Answer<Done> {
    Ok(Json(caller.desk.discard_draft(&key).await?))
}

pub(super) async fn send(
    caller: Caller,
    Path(key): Path<DraftKey>,
    Input(options): Input<SendOptions>,
) -> Answer<Sent> {
    Ok(Json(caller.desk.send(&key, &options).await?))
}

pub(super) async fn outbox(caller: Caller) -> Answer<Vec<OutboxEntry>> {
    Ok(Json(caller.desk.outbox().await?))
}

pub(super) async fn unsend(caller: Caller, Path(key): Path<OutboxKey>) -> Answer<Key<DraftKey>> {
    Ok(Json(Key { key: caller.desk.unsend(&key).await? }))
}
