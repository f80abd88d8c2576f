//! What a stranger wrote in HTML: sanitised by the engine, and shown in a frame that has no scripts, no
//! forms and no origin.

use crate::{api::file, app::App, error::ApiError, escape::escaped, headers::frame_policy, visitor::Caller};
use axum::{
    extract::{Path, Query, State},
    http::{HeaderName, HeaderValue, header},
    response::{Html, IntoResponse, Response},
};
use posta_ua::desk::{MessageKey, PartPath, ReadOptions};
use serde::Deserialize;
use std::sync::Arc;

/// Before and after what the engine gives: a style that sits well in the reading pane.
const BEFORE: &str = "<!doctype html><html><head><meta charset=\"utf-8\"><base target=\"_blank\">\
    <meta name=\"color-scheme\" content=\"light\"><style>\
    html{background:#fff;color:#1c2024}body{margin:0;padding:4px 2px;font:15px/1.55 system-ui,sans-serif;\
    overflow-wrap:anywhere}img{max-width:100%;height:auto}table{max-width:100%}pre{white-space:pre-wrap}\
    a{color:#1a5fb4}blockquote{margin:.6em 0;padding-left:.9em;border-left:3px solid #d5dae0;color:#51606e}\
    details.quoted>summary{cursor:pointer;color:#51606e;list-style:none;font-size:13px}\
    details.quoted>summary::before{content:\"\\2026\";padding:0 .5em;border-radius:4px;background:#e8ebee}\
    </style></head><body>";

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Showing {
    /// Remote images, this once.
    images: bool,
}

pub(crate) async fn frame(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(key): Path<MessageKey>,
    Query(showing): Query<Showing>,
) -> Result<Response, ApiError> {
    let account = caller.account.address.to_string();
    let signature = app.signer.sign(&account, key.as_str(), app.host.clock().now());
    let options = ReadOptions {
        remote_images: showing.images,
        part_base: format!("/mail/picture/{}/{signature}/", escaped(&account)),
    };
    let view = caller.desk.message(&key, &options).await?;
    let html = view.body.html.ok_or_else(|| ApiError::not_found("HTML in this message"))?;
    let policy = frame_policy(html.remote_images > 0 && !html.remote_blocked);
    let mut response = Html(format!("{BEFORE}{}</body></html>", html.html)).into_response();
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(response)
}

/// A picture inside a message. The frame has no origin, so no cookie comes with the request; the address
/// itself shows that it is allowed.
pub(crate) async fn picture(
    State(app): State<Arc<App>>,
    Path((account, signature, key, path)): Path<(String, String, MessageKey, PartPath)>,
) -> Result<Response, ApiError> {
    let gone = || ApiError::not_found("this picture");
    if !app.signer.holds(&signature, &account, key.as_str(), app.host.clock().now()) {
        return Err(gone());
    }
    let address = account.parse().map_err(|_| gone())?;
    let account = app.host.store().account(&address).await.ok().flatten().ok_or_else(gone)?;
    let part = app.desks.open(&account).await?.part(&key, &path).await?;
    if !part.media_type.starts_with("image/") {
        return Err(gone());
    }
    let mut response = file(part, true);
    let anywhere = HeaderValue::from_static("cross-origin");
    response.headers_mut().insert(HeaderName::from_static("cross-origin-resource-policy"), anywhere);
    Ok(response)
}
