//! Logging in and out.

use super::{agent, cookie, message, page};
use crate::{
    app::App,
    assets,
    limits::{SECOND_FACTOR_TIME, SESSION_LIFE},
    sessions::Beginning,
    visitor::{Person, Visitor, is_from_here},
};
use askama::Template;
use axum::{
    Extension, Form,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use posta_server::{
    admin::SecretText,
    web::{LoginError, WebPeer},
};
use serde::Deserialize;
use std::sync::Arc;

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage<'a> {
    version: String,
    hostname: String,
    name: &'a str,
    wrong: &'a str,
}

#[derive(Template)]
#[template(path = "code.html")]
struct CodePage<'a> {
    version: String,
    csrf: &'a str,
    wrong: &'a str,
}

/// The form; whoever is logged in doesn't need it.
pub(crate) async fn form(State(app): State<Arc<App>>, visitor: Option<Visitor>) -> Response {
    match visitor {
        Some(visitor) if visitor.session.awaits_code.is_none() => Redirect::to("/mail").into_response(),
        _ => login_page(&app, StatusCode::OK, "", ""),
    }
}

fn login_page(app: &App, status: StatusCode, name: &str, wrong: &str) -> Response {
    let hostname = app.host.hostname().to_string();
    page(status, &LoginPage { version: assets::version(), hostname, name, wrong })
}

#[derive(Deserialize)]
pub(crate) struct Login {
    name: String,
    password: SecretText,
}

/// Name and password.
pub(crate) async fn log_in(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<WebPeer>,
    headers: HeaderMap,
    Form(login): Form<Login>,
) -> Response {
    // Another site must not log somebody in to an account of its own.
    if !is_from_here(&headers) {
        return message(StatusCode::FORBIDDEN, "Not from here", "This form was sent by another site.");
    }
    let account = match app.host.log_in(login.name.trim(), &login.password.0, peer.address.ip()).await {
        Ok(account) => account,
        Err(error) => {
            let status = match error {
                LoginError::Wrong => StatusCode::UNAUTHORIZED,
                LoginError::TooMany => StatusCode::TOO_MANY_REQUESTS,
                LoginError::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            };
            return login_page(&app, status, login.name.trim(), &sentence(&error));
        }
    };
    let Ok(factor) = app.second_factors.of(account.id).await else {
        let error = LoginError::Unavailable;
        return login_page(&app, StatusCode::SERVICE_UNAVAILABLE, login.name.trim(), &sentence(&error));
    };
    let beginning = Beginning {
        peer: peer.address.ip(),
        agent: agent(&headers),
        at: app.host.clock().timestamp(),
        now: app.host.clock().now(),
    };
    let token = app.sessions.begin(&account, factor.is_some(), beginning, &**app.host.entropy());
    let (to, life) = match factor {
        Some(_) => ("/mail/code", SECOND_FACTOR_TIME),
        None => ("/mail", SESSION_LIFE),
    };
    let cookie = cookie(&app, peer.is_secure, Some(&token), life);
    ([(header::SET_COOKIE, cookie)], Redirect::to(to)).into_response()
}

fn sentence(error: &LoginError) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    letters.next().map(|first| format!("{}{}.", first.to_uppercase(), letters.as_str())).unwrap_or_default()
}

/// The form for the second factor.
pub(crate) async fn code_form(visitor: Option<Visitor>) -> Response {
    match visitor {
        Some(visitor) if visitor.session.awaits_code.is_some() => {
            let csrf = &visitor.session.csrf;
            page(StatusCode::OK, &CodePage { version: assets::version(), csrf, wrong: "" })
        }
        Some(_) => Redirect::to("/mail").into_response(),
        None => Redirect::to("/mail/login").into_response(),
    }
}

#[derive(Deserialize)]
pub(crate) struct Code {
    csrf: String,
    code: String,
}

/// The second factor.
pub(crate) async fn code(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<WebPeer>,
    visitor: Option<Visitor>,
    Form(form): Form<Code>,
) -> Response {
    let Some(visitor) = visitor.filter(|visitor| visitor.session.awaits_code.is_some()) else {
        return Redirect::to("/mail/login").into_response();
    };
    if !visitor.vouches(&form.csrf) {
        return Redirect::to("/mail/code").into_response();
    }
    let address = visitor.account.address.to_string();
    if let Err(error) = app.host.allow(peer.address.ip()) {
        return login_page(&app, StatusCode::TOO_MANY_REQUESTS, &address, &sentence(&error));
    }
    match app.second_factors.check(visitor.account.id, &form.code).await {
        Ok(true) => {
            let now = app.host.clock().now();
            let Some(token) = app.sessions.complete(&visitor.id, now, &**app.host.entropy()) else {
                return Redirect::to("/mail/login").into_response();
            };
            let cookie = cookie(&app, peer.is_secure, Some(&token), SESSION_LIFE);
            ([(header::SET_COOKIE, cookie)], Redirect::to("/mail")).into_response()
        }
        Ok(false) => {
            let may_go_on = app.sessions.note_wrong_code(&visitor.id);
            app.host.note_failure(&address, peer.address.ip(), "wrong second factor").await;
            if !may_go_on {
                let wrong = "Too many wrong codes: begin with your password again.";
                return login_page(&app, StatusCode::UNAUTHORIZED, &address, wrong);
            }
            let csrf = &visitor.session.csrf;
            let wrong = "That is not the code, or it was used already.";
            page(StatusCode::UNAUTHORIZED, &CodePage { version: assets::version(), csrf, wrong })
        }
        Err(_) => {
            let wrong = sentence(&LoginError::Unavailable);
            login_page(&app, StatusCode::SERVICE_UNAVAILABLE, &address, &wrong)
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct LogOut {
    csrf: String,
    #[serde(default)]
    everywhere: bool,
}

/// Out, here or everywhere.
pub(crate) async fn log_out(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<WebPeer>,
    Person(visitor): Person,
    Form(form): Form<LogOut>,
) -> Response {
    if !visitor.vouches(&form.csrf) {
        return Redirect::to("/mail").into_response();
    }
    if form.everywhere {
        app.sessions.end_all(visitor.account.id, None);
    }
    app.sessions.end(&visitor.id);
    let cookie = cookie(&app, peer.is_secure, None, SESSION_LIFE);
    // What the browser keeps of our pages goes, too.
    let clear = ("clear-site-data", "\"cache\", \"storage\"");
    ([clear], [(header::SET_COOKIE, cookie)], Redirect::to("/mail/login")).into_response()
}
