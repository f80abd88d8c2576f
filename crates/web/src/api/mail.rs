//! Folders, lists, conversations, messages, changes, news.

use super::{Answer, Input};
use crate::{
    app::App,
    error::ApiError,
    story::{self, Told},
    visitor::Caller,
};
use axum::{
    Json,
    extract::{Path, Query, State},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream;
use posta_ua::desk::{
    Change, ConversationKey, ConversationPage, ConversationQuery, ConversationView, Done, FolderKey,
    FolderView, MessageKey, MessagePage, MessageView, Person, ReadOptions, UndoKey, Unsubscribe,
};
use serde::{Deserialize, Serialize};
use std::{convert::Infallible, sync::Arc, time::Duration};

/// How often a word is sent to somebody for whom there is no news, so that the connection lives.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

pub(super) async fn owner(caller: Caller) -> Answer<Person> {
    Ok(Json(caller.desk.owner().await?))
}

pub(super) async fn folders(caller: Caller) -> Answer<Vec<FolderView>> {
    Ok(Json(caller.desk.folders().await?))
}

/// What a folder is to be called.
#[derive(Deserialize)]
pub(super) struct FolderName {
    name: String,
}

#[derive(Serialize)]
pub(super) struct Key<T> {
    pub(super) key: T,
}

/// Nothing more to say than that it is done.
#[derive(Serialize)]
pub(super) struct Nothing {}

pub(super) async fn create_folder(
    caller: Caller,
    Input(folder): Input<FolderName>,
) -> Answer<Key<FolderKey>> {
    Ok(Json(Key { key: caller.desk.create_folder(&folder.name).await? }))
}

pub(super) async fn rename_folder(
    caller: Caller,
    Path(key): Path<FolderKey>,
    Input(folder): Input<FolderName>,
) -> Answer<Nothing> {
    caller.desk.rename_folder(&key, &folder.name).await?;
    Ok(Json(Nothing {}))
}

pub(super) async fn remove_folder(caller: Caller, Path(key): Path<FolderKey>) -> Answer<Nothing> {
    caller.desk.remove_folder(&key).await?;
    Ok(Json(Nothing {}))
}

#[derive(Serialize)]
pub(super) struct LabelView {
    name: String,
    messages: u64,
}

pub(super) async fn labels(caller: Caller) -> Answer<Vec<LabelView>> {
    let labels = caller.desk.labels().await?;
    Ok(Json(labels.into_iter().map(|(name, messages)| LabelView { name, messages }).collect()))
}

pub(super) async fn conversations(
    caller: Caller,
    Query(query): Query<ConversationQuery>,
) -> Answer<ConversationPage> {
    Ok(Json(caller.desk.conversations(&query).await?))
}

pub(super) async fn messages(caller: Caller, Query(query): Query<ConversationQuery>) -> Answer<MessagePage> {
    Ok(Json(caller.desk.messages(&query).await?))
}

pub(super) async fn conversation(
    caller: Caller,
    Path(key): Path<ConversationKey>,
) -> Answer<ConversationView> {
    Ok(Json(caller.desk.conversation(&key).await?))
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Reading {
    remote_images: bool,
}

pub(super) async fn message(
    caller: Caller,
    Path(key): Path<MessageKey>,
    Query(reading): Query<Reading>,
) -> Answer<MessageView> {
    let options = ReadOptions { remote_images: reading.remote_images, part_base: String::new() };
    Ok(Json(caller.desk.message(&key, &options).await?))
}

pub(super) async fn story(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(key): Path<MessageKey>,
) -> Answer<Told> {
    Ok(Json(story::tell(&app, &caller, &key).await?))
}

/// Yes or no.
#[derive(Deserialize)]
pub(super) struct Consent {
    consent: bool,
}

pub(super) async fn answer_receipt(
    caller: Caller,
    Path(key): Path<MessageKey>,
    Input(answer): Input<Consent>,
) -> Answer<Nothing> {
    caller.desk.answer_receipt(&key, answer.consent).await?;
    Ok(Json(Nothing {}))
}

/// What is left for the person to do, if anything.
#[derive(Serialize)]
pub(super) struct Left {
    left: Option<Unsubscribe>,
}

pub(super) async fn unsubscribe(caller: Caller, Path(key): Path<MessageKey>) -> Answer<Left> {
    Ok(Json(Left { left: caller.desk.unsubscribe(&key).await? }))
}

pub(super) async fn change(caller: Caller, Input(change): Input<Change>) -> Answer<Done> {
    Ok(Json(caller.desk.change(&change).await?))
}

#[derive(Deserialize)]
pub(super) struct Undo {
    undo: UndoKey,
}

pub(super) async fn undo(caller: Caller, Input(undo): Input<Undo>) -> Answer<Done> {
    Ok(Json(caller.desk.undo(&undo.undo).await?))
}

/// Server-sent events; each is a [`posta_ua::desk::Notice`].
pub(super) async fn notices(State(app): State<Arc<App>>, caller: Caller) -> Result<Response, ApiError> {
    let notices = caller.desk.notices().await?;
    let stopping = app.host.stopping();
    let events = stream::unfold((notices, stopping), |(mut notices, mut stopping)| async move {
        let notice = tokio::select! {
            notice = notices.recv() => notice?,
            _ = stopping.wait_for(|stopping| *stopping) => return None,
        };
        let event = Event::default().event("notice").json_data(&notice).ok()?;
        Some((Ok::<_, Infallible>(event), (notices, stopping)))
    });
    let events = Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    // A proxy that gathers answers would make news old.
    Ok(([("x-accel-buffering", "no")], events).into_response())
}
