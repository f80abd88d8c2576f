//! Files in and out: uploads for drafts, parts of messages, messages as they came.

use super::{Answer, mail::Key};
use crate::{app::App, error::ApiError, escape::escaped, headers, visitor::Caller};
use axum::{
    Json,
    body::{Body, Bytes},
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use posta_ua::desk::{FolderKey, FolderRole, MarkView, MessageKey, PartContent, PartPath, UploadKey};
use serde::Deserialize;
use std::sync::Arc;

/// Where larger bodies are taken.
pub(crate) const UPLOAD_PATH: &str = "/uploads";

#[derive(Deserialize)]
pub(super) struct Named {
    name: String,
}

pub(super) async fn upload(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(named): Query<Named>,
    headers: HeaderMap,
    octets: Bytes,
) -> Answer<Key<UploadKey>> {
    let _place = app.uploads.acquire().await;
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = media_type.unwrap_or("application/octet-stream");
    Ok(Json(Key { key: caller.desk.upload(&named.name, media_type, octets).await? }))
}

#[derive(Deserialize)]
pub(super) struct Into {
    #[serde(default)]
    folder: Option<FolderKey>,
    #[serde(default)]
    read: bool,
}

/// A message as it is, for instance one that is imported.
pub(super) async fn append(
    caller: Caller,
    Query(into): Query<Into>,
    octets: Bytes,
) -> Answer<Key<MessageKey>> {
    let folder = into.folder.unwrap_or_else(|| FolderKey::of(FolderRole::Inbox));
    let marks = MarkView { is_read: into.read, ..MarkView::default() };
    Ok(Json(Key { key: caller.desk.append(&folder, &marks, octets).await? }))
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Showing {
    /// In the browser's window, where that can do no harm; else it is saved.
    preview: bool,
}

pub(super) async fn raw(
    caller: Caller,
    Path(key): Path<MessageKey>,
    Query(showing): Query<Showing>,
) -> Result<Response, ApiError> {
    let octets = caller.desk.raw(&key).await?;
    let (media_type, name) = match showing.preview {
        true => ("text/plain", format!("{key}.txt")),
        false => ("message/rfc822", format!("{key}.eml")),
    };
    Ok(file(PartContent { name, media_type: media_type.into(), octets }, showing.preview))
}

pub(super) async fn part(
    caller: Caller,
    Path((key, path)): Path<(MessageKey, PartPath)>,
    Query(showing): Query<Showing>,
) -> Result<Response, ApiError> {
    Ok(file(caller.desk.part(&key, &path).await?, showing.preview))
}

/// A file for the browser: shown only where it is of a kind that does nothing by itself.
pub(crate) fn file(part: PartContent, preview: bool) -> Response {
    let shown_as = if preview { harmless(&part.media_type) } else { None };
    let media_type = HeaderValue::from_static(shown_as.unwrap_or("application/octet-stream"));
    let is_pdf = shown_as == Some("application/pdf");
    let disposition = disposition(if shown_as.is_some() { "inline" } else { "attachment" }, &part.name);
    let mut response = Body::from(part.octets).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, media_type);
    headers.insert(header::CONTENT_DISPOSITION, disposition);
    headers.insert(header::CONTENT_SECURITY_POLICY, if is_pdf { headers::PDF } else { headers::FILE });
    response
}

/// The type under which a browser may be given something, if it may.
pub(crate) fn harmless(media_type: &str) -> Option<&'static str> {
    // SVG is not among them: it can hold scripts.
    const HARMLESS: &[(&str, &str)] = &[
        ("image/png", "image/png"),
        ("image/jpeg", "image/jpeg"),
        ("image/jpg", "image/jpeg"),
        ("image/gif", "image/gif"),
        ("image/webp", "image/webp"),
        ("image/avif", "image/avif"),
        ("image/bmp", "image/bmp"),
        ("text/plain", "text/plain; charset=utf-8"),
        ("application/pdf", "application/pdf"),
    ];
    HARMLESS.iter().find(|(known, _)| known.eq_ignore_ascii_case(media_type)).map(|(_, given)| *given)
}

/// RFC 6266, with the name in both forms (RFC 8187).
fn disposition(kind: &str, name: &str) -> HeaderValue {
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || " ._-()+".contains(c) { c } else { '_' })
        .collect();
    let encoded = escaped(name);
    HeaderValue::from_str(&format!("{kind}; filename=\"{plain}\"; filename*=UTF-8''{encoded}"))
        .unwrap_or(HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(name: &str, media_type: &str, preview: bool) -> (String, String) {
        let part = PartContent {
            name: name.into(),
            media_type: media_type.into(),
            octets: Bytes::from_static(b"<script>"),
        };
        let response = file(part, preview);
        let text = |name| response.headers()[name].to_str().expect("ASCII").to_owned();
        assert!(text(header::CONTENT_SECURITY_POLICY).starts_with("default-src 'none'"));
        (text(header::CONTENT_TYPE), text(header::CONTENT_DISPOSITION))
    }

    #[test]
    fn only_what_does_nothing_is_shown() {
        for media_type in
            ["text/html", "image/svg+xml", "application/xhtml+xml", "text/xml", "text/javascript"]
        {
            let (given, disposition) = served("x", media_type, true);
            assert_eq!(given, "application/octet-stream", "{media_type}");
            assert!(disposition.starts_with("attachment;"), "{media_type}");
        }
        assert_eq!(served("x.png", "image/PNG", true).0, "image/png");
        assert_eq!(served("x.png", "image/png", false).0, "application/octet-stream");
    }

    #[test]
    fn names_cannot_leave_their_field() {
        let (_, disposition) = served("Grüße\"; x=\"\r\n.txt", "text/plain", false);
        assert_eq!(
            disposition,
            "attachment; filename=\"Gr__e__ x____.txt\"; \
             filename*=UTF-8''Gr%C3%BC%C3%9Fe%22%3B%20x%3D%22%0D%0A.txt"
        );
    }
}
