//! Which address leads where.

use crate::{
    api,
    app::App,
    assets, headers,
    limits::{BODY_TIME_MAX, FORM_OCTETS_MAX, JSON_OCTETS_MAX, UPLOAD_TIME_MAX},
    pages,
};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use std::sync::Arc;

/// Everything of one host.
pub(crate) fn router(app: Arc<App>) -> Router {
    let pages = Router::new()
        .route("/", get(|| async { Redirect::to("/mail") }))
        .route("/mail", get(pages::mail::shell))
        .route("/mail/", get(pages::mail::shell))
        .route("/mail/f/{*place}", get(pages::mail::shell))
        .route("/mail/login", get(pages::login::form).post(pages::login::log_in))
        .route("/mail/code", get(pages::login::code_form).post(pages::login::code))
        .route("/mail/logout", post(pages::login::log_out))
        .route("/mail/security", get(pages::security::show))
        .route("/mail/security/password", post(pages::security::change_password))
        .route("/mail/security/factor", post(pages::security::change_factor))
        .route("/mail/security/program", post(pages::security::change_programs))
        .route("/mail/security/sessions", post(pages::security::end_sessions))
        .route("/mail/frame/{message}", get(pages::frame::frame))
        .route("/mail/picture/{account}/{signature}/{message}/{part}", get(pages::frame::picture))
        .route("/mail/assets/{version}/{name}", get(assets::asset))
        .route("/robots.txt", get(|| async { "User-agent: *\nDisallow: /\n" }));
    Router::new()
        .merge(pages)
        .nest("/api/v1", api::router().fallback(pages::unknown_route))
        .fallback(pages::not_found)
        .layer(middleware::from_fn_with_state(app.clone(), gather))
        .layer(middleware::from_fn(headers::secure))
        .with_state(app)
}

/// Reads the whole body before anything else is done: within its size, within its time. What comes from
/// nobody we know may be no larger than a form.
async fn gather(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let (limit, time) = match path.strip_prefix("/api/v1") {
        Some(_) if !pages::may_be_known(&app, &request) => (FORM_OCTETS_MAX, BODY_TIME_MAX),
        Some(path) if path == api::UPLOAD_PATH || path == "/messages" || path == "/contacts.vcf" => {
            (usize::try_from(app.host.message_octets_max()).unwrap_or(usize::MAX), UPLOAD_TIME_MAX)
        }
        Some(_) => (JSON_OCTETS_MAX, BODY_TIME_MAX),
        None => (FORM_OCTETS_MAX, BODY_TIME_MAX),
    };
    let (parts, body) = request.into_parts();
    match tokio::time::timeout(time, to_bytes(body, limit)).await {
        Ok(Ok(octets)) => next.run(Request::from_parts(parts, Body::from(octets))).await,
        Ok(Err(_)) => {
            let told = format!("no more than {limit} octets are taken here");
            (StatusCode::PAYLOAD_TOO_LARGE, [("connection", "close")], told).into_response()
        }
        Err(_) => (StatusCode::REQUEST_TIMEOUT, [("connection", "close")], "too slow").into_response(),
    }
}
