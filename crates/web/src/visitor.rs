//! Who asks: a person with a session's cookie, or a program with an application password.

use crate::{
    app::App,
    error::ApiError,
    sessions::{Session, SessionId},
};
use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::{HeaderMap, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Redirect, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use posta_server::web::{LoginError, WebPeer};
use posta_store::Account;
use posta_ua::desk::Desk;
use posta_wire::Secret;
use std::{net::IpAddr, sync::Arc};

/// The token in the session's cookie.
pub(crate) fn session_token(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.to_owned())
}

/// Whether a request that changes something comes from a page of ours, as far as the browser says
/// (Fetch Metadata; the `Origin` of older browsers). Programs say nothing.
pub(crate) fn is_from_here(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    matches!((origin, host), (Some((_, origin)), Some(host)) if origin == host)
}

pub(crate) fn peer_of(parts: &Parts) -> IpAddr {
    parts.extensions.get::<WebPeer>().map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.address.ip())
}

pub(crate) fn is_secure(parts: &Parts) -> bool {
    parts.extensions.get::<WebPeer>().is_some_and(|peer| peer.is_secure)
}

/// Somebody with a session, maybe without the second factor yet.
pub(crate) struct Visitor {
    pub(crate) id: SessionId,
    pub(crate) session: Session,
    pub(crate) account: Account,
}

impl Visitor {
    async fn find(parts: &Parts, app: &App) -> Option<Self> {
        let token = session_token(&parts.headers, &app.cookie_name(is_secure(parts)))?;
        let (id, session) = app.sessions.find(&token, app.host.clock().now())?;
        let account = app.host.store().account(&session.address).await.ok()??;
        if !session.fits(&account) {
            app.sessions.end(&id);
            return None;
        }
        Some(Visitor { id, session, account })
    }

    /// Whether a form or a script is ours.
    pub(crate) fn vouches(&self, token: &str) -> bool {
        blake3::hash(token.as_bytes()) == blake3::hash(self.session.csrf.as_bytes())
    }
}

impl OptionalFromRequestParts<Arc<App>> for Visitor {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Option<Self>, Self::Rejection> {
        Ok(Visitor::find(parts, app).await)
    }
}

/// A person who is logged in; others are shown the way.
pub(crate) struct Person(pub(crate) Visitor);

impl FromRequestParts<Arc<App>> for Person {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        match Visitor::find(parts, app).await {
            Some(visitor) if visitor.session.awaits_code.is_none() => Ok(Person(visitor)),
            _ if parts.method == Method::GET => Err(Redirect::to("/mail/login").into_response()),
            _ => Err((StatusCode::UNAUTHORIZED, "log in first").into_response()),
        }
    }
}

/// Somebody who may use the interface, at their desk.
pub(crate) struct Caller {
    pub(crate) account: Account,
    pub(crate) desk: Arc<dyn Desk>,
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        let account = match parts.headers.get(header::AUTHORIZATION) {
            Some(value) => program(app, value.to_str().ok(), peer_of(parts)).await?,
            None => person(app, parts).await?,
        };
        let desk = app.desks.open(&account).await?;
        Ok(Caller { account, desk })
    }
}

async fn person(app: &App, parts: &Parts) -> Result<Account, ApiError> {
    let visitor = Visitor::find(parts, app).await.ok_or_else(ApiError::not_logged_in)?;
    if visitor.session.awaits_code.is_some() {
        return Err(ApiError::not_logged_in());
    }
    if !parts.method.is_safe() {
        let token = parts.headers.get("x-csrf-token").and_then(|token| token.to_str().ok());
        if !token.is_some_and(|token| visitor.vouches(token)) || !is_from_here(&parts.headers) {
            return Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "csrf",
                "this page is out of date: load it anew",
            ));
        }
    }
    Ok(visitor.account)
}

/// RFC 7617: the address and an application password.
async fn program(app: &App, value: Option<&str>, peer: IpAddr) -> Result<Account, ApiError> {
    let credentials = value
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))
        .and_then(|(_, encoded)| STANDARD.decode(encoded.trim()).ok())
        .and_then(|octets| String::from_utf8(octets).ok());
    let Some((name, password)) = credentials.as_deref().and_then(|text| text.split_once(':')) else {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "authorization", "Basic is what is understood"));
    };
    app.host.log_in_program(name, &Secret::new(password), peer).await.map_err(|error| match error {
        LoginError::Wrong => {
            ApiError::new(StatusCode::UNAUTHORIZED, "credentials", "an address and an application password")
        }
        LoginError::TooMany => ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many", error.to_string()),
        LoginError::Unavailable => {
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", error.to_string())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (axum::http::HeaderName::from_static(name), value.parse().expect("a value")))
            .collect()
    }

    #[test]
    fn requests_of_other_sites_are_seen() {
        for (pairs, expected) in [
            (&[("sec-fetch-site", "same-origin")][..], true),
            (&[("sec-fetch-site", "none")], true),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("origin", "https://mx.example"), ("host", "mx.example")], true),
            (&[("origin", "http://127.0.0.1:81"), ("host", "127.0.0.1:80")], false),
            (&[("origin", "null"), ("host", "mx.example")], false),
            (&[("host", "mx.example")], true),
        ] {
            assert_eq!(is_from_here(&headers(pairs)), expected, "{pairs:?}");
        }
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let headers = headers(&[("cookie", "a=b; posta-1=token; posta-11=other")]);
        assert_eq!(session_token(&headers, "posta-1").as_deref(), Some("token"));
        assert_eq!(session_token(&headers, "posta"), None);
    }
}
