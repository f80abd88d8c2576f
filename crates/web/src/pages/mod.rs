//! Pages: HTML for browsers.

pub(crate) mod frame;
pub(crate) mod login;
pub(crate) mod mail;
pub(crate) mod security;

use crate::{app::App, error::ApiError, visitor::session_token};
use askama::Template;
use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use posta_server::web::WebPeer;
use std::time::Duration;

/// A page from its template.
pub(crate) fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => (status, Html(text)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a template");
            (StatusCode::INTERNAL_SERVER_ERROR, "this page could not be made").into_response()
        }
    }
}

#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage<'a> {
    version: String,
    title: &'a str,
    text: &'a str,
}

/// A page that says one thing.
pub(crate) fn message(status: StatusCode, title: &str, text: &str) -> Response {
    page(status, &MessagePage { version: crate::assets::version(), title, text })
}

pub(crate) async fn not_found() -> Response {
    message(StatusCode::NOT_FOUND, "Nothing here", "There is no page at this address.")
}

pub(crate) async fn unknown_route() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "no_such_route", "see docs/api.json for what there is")
}

/// Sets or (without a token) removes the session's cookie.
pub(crate) fn cookie(app: &App, is_secure: bool, token: Option<&str>, life: Duration) -> HeaderValue {
    let name = app.cookie_name(is_secure);
    let secure = if is_secure { "; Secure" } else { "" };
    let text = match token {
        Some(token) => {
            format!("{name}={token}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax{secure}", life.as_secs())
        }
        None => format!("{name}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax{secure}"),
    };
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

/// What a browser calls itself.
pub(crate) fn agent(headers: &HeaderMap) -> String {
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or("a program");
    agent.chars().filter(|c| !c.is_control()).collect()
}

/// A quick look before a large body is taken: a session, or credentials to be checked.
pub(crate) fn may_be_known(app: &App, request: &Request) -> bool {
    if request.headers().contains_key(header::AUTHORIZATION) {
        return true;
    }
    let is_secure = request.extensions().get::<WebPeer>().is_some_and(|peer| peer.is_secure);
    session_token(request.headers(), &app.cookie_name(is_secure))
        .is_some_and(|token| app.sessions.find(&token, app.host.clock().now()).is_some())
}
