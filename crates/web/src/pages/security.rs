//! What a person settles about their own safety: password, second factor, programs' passwords, sessions.

use super::{cookie, page};
use crate::{
    app::App,
    assets,
    limits::SESSION_LIFE,
    second_factor::SecondFactor,
    sessions::Beginning,
    visitor::{Person, Visitor},
};
use askama::Template;
use axum::{
    Extension, Form,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use posta_server::{
    admin::{AppPasswordInfo, Scope, SecretText},
    web::WebPeer,
};
use qrcode::{QrCode, render::svg};
use serde::Deserialize;
use std::sync::Arc;

/// A new password's characters, at least. Length is what makes guessing hard (NIST SP 800-63B §5.1.1.2).
const PASSWORD_CHARS_MIN: usize = 10;

#[derive(Template)]
#[template(path = "security.html")]
struct SecurityPage<'a> {
    version: String,
    csrf: &'a str,
    address: String,
    notice: Notice,
    factor: Option<SecondFactor>,
    proposal: Option<Shown>,
    programs: Vec<AppPasswordInfo>,
    sessions: Vec<SessionRow>,
}

/// What came of the last form.
#[derive(Default)]
struct Notice {
    done: String,
    wrong: String,
    /// Told this once.
    secrets: Vec<String>,
}

/// A proposed secret.
struct Shown {
    secret: String,
    svg: String,
}

struct SessionRow {
    agent: String,
    peer: String,
    since: String,
    is_this: bool,
}

pub(crate) async fn show(State(app): State<Arc<App>>, Person(visitor): Person) -> Response {
    security_page(&app, &visitor, Notice::default(), None).await
}

async fn security_page(app: &App, visitor: &Visitor, notice: Notice, proposal: Option<Shown>) -> Response {
    let address = &visitor.account.address;
    let Ok(factor) = app.second_factors.of(visitor.account.id).await else {
        return super::message(StatusCode::SERVICE_UNAVAILABLE, "Not now", "The store can't be read.");
    };
    let row = |(id, session): (crate::sessions::SessionId, crate::sessions::Session)| SessionRow {
        is_this: id == visitor.id,
        agent: session.agent,
        peer: session.peer.to_string(),
        since: session.began_at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
    };
    let sessions = app.sessions.of(visitor.account.id, app.host.clock().now());
    let status = if notice.wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let template = SecurityPage {
        version: assets::version(),
        csrf: &visitor.session.csrf,
        address: address.to_string(),
        notice,
        factor,
        proposal,
        programs: app.host.app_passwords(address).await.unwrap_or_default(),
        sessions: sessions.into_iter().map(row).collect(),
    };
    page(status, &template)
}

fn done(text: &str) -> Notice {
    Notice { done: text.into(), ..Notice::default() }
}
fn wrong(text: impl Into<String>) -> Notice {
    Notice { wrong: text.into(), ..Notice::default() }
}

const OUTDATED: &str = "This page was out of date. Please try again.";

#[derive(Deserialize)]
pub(crate) struct PasswordForm {
    csrf: String,
    old: SecretText,
    new: SecretText,
    again: SecretText,
}

pub(crate) async fn change_password(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<WebPeer>,
    Person(visitor): Person,
    headers: HeaderMap,
    Form(form): Form<PasswordForm>,
) -> Response {
    let address = &visitor.account.address;
    if !visitor.vouches(&form.csrf) {
        return security_page(&app, &visitor, wrong(OUTDATED), None).await;
    }
    if form.new != form.again {
        return security_page(&app, &visitor, wrong("The two new passwords differ."), None).await;
    }
    if form.new.0.expose().chars().count() < PASSWORD_CHARS_MIN {
        let text = format!("A new password has at least {PASSWORD_CHARS_MIN} characters.");
        return security_page(&app, &visitor, wrong(text), None).await;
    }
    if let Err(error) = app.host.log_in(&address.to_string(), &form.old.0, peer.address.ip()).await {
        let text = format!("Your present password: {error}.");
        return security_page(&app, &visitor, wrong(text), None).await;
    }
    if let Err(message) = app.host.change_password(address, form.new.0).await {
        return security_page(&app, &visitor, wrong(message), None).await;
    }
    // All sessions are bound to the password before: a new one for this browser, none for the others.
    app.sessions.end_all(visitor.account.id, None);
    let Ok(Some(account)) = app.host.store().account(address).await else {
        return Redirect::to("/mail/login").into_response();
    };
    let beginning = Beginning {
        peer: peer.address.ip(),
        agent: super::agent(&headers),
        at: app.host.clock().timestamp(),
        now: app.host.clock().now(),
    };
    let now = app.host.clock().now();
    let token = app.sessions.begin(&account, false, beginning, &**app.host.entropy());
    let cookie: HeaderValue = cookie(&app, peer.is_secure, Some(&token), SESSION_LIFE);
    let Some((id, session)) = app.sessions.find(&token, now) else {
        return Redirect::to("/mail/login").into_response();
    };
    let visitor = Visitor { id, session, account };
    let notice = done("Your password is changed. All other browsers are logged out.");
    let mut response = security_page(&app, &visitor, notice, None).await;
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    response
}

#[derive(Deserialize)]
pub(crate) struct FactorForm {
    csrf: String,
    /// `propose`, `confirm` or `remove`.
    step: String,
    #[serde(default)]
    secret: String,
    #[serde(default)]
    code: String,
}

pub(crate) async fn change_factor(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<WebPeer>,
    Person(visitor): Person,
    Form(form): Form<FactorForm>,
) -> Response {
    if !visitor.vouches(&form.csrf) {
        return security_page(&app, &visitor, wrong(OUTDATED), None).await;
    }
    let address = visitor.account.address.to_string();
    let (notice, proposal) = match form.step.as_str() {
        "propose" => {
            let proposal = app.second_factors.propose(&address);
            (Notice::default(), shown(proposal.secret, &proposal.url))
        }
        "confirm" => {
            match app.second_factors.keep(visitor.account.id, &form.secret, form.code.trim()).await {
                Ok(Some(secrets)) => {
                    let text = "The second factor is on. Keep these codes on paper: each lets you in once \
                            without the app.";
                    (Notice { secrets, ..done(text) }, None)
                }
                Ok(None) => (wrong("That was not the code. Scan the new picture and try again."), {
                    let proposal = app.second_factors.propose(&address);
                    shown(proposal.secret, &proposal.url)
                }),
                Err(_) => (wrong("It could not be kept."), None),
            }
        }
        _ => match app.second_factors.check(visitor.account.id, &form.code).await {
            Ok(true) if app.second_factors.remove(visitor.account.id).await.is_ok() => {
                (done("The second factor is off."), None)
            }
            Ok(false) => {
                app.host.note_failure(&address, peer.address.ip(), "wrong second factor").await;
                (wrong("That is not the code, or it was used already."), None)
            }
            Ok(true) | Err(_) => (wrong("It could not be changed."), None),
        },
    };
    security_page(&app, &visitor, notice, proposal).await
}

fn shown(secret: String, url: &str) -> Option<Shown> {
    let code = QrCode::new(url.as_bytes()).ok()?;
    let svg = code.render::<svg::Color<'_>>().min_dimensions(200, 200).quiet_zone(true).build();
    // Inside HTML there is no XML declaration.
    let start = svg.find("<svg")?;
    Some(Shown { secret, svg: svg[start..].to_owned() })
}

#[derive(Deserialize)]
pub(crate) struct ProgramForm {
    csrf: String,
    name: String,
    /// Makes one that opens this; absent: revokes the one of this name.
    #[serde(default)]
    scope: Option<Scope>,
}

pub(crate) async fn change_programs(
    State(app): State<Arc<App>>,
    Person(visitor): Person,
    Form(form): Form<ProgramForm>,
) -> Response {
    if !visitor.vouches(&form.csrf) {
        return security_page(&app, &visitor, wrong(OUTDATED), None).await;
    }
    let address = &visitor.account.address;
    let name = form.name.trim().to_owned();
    let notice = match form.scope {
        Some(scope) => match app.host.add_app_password(address, name.clone(), scope).await {
            Ok(password) => Notice {
                secrets: vec![password.expose().to_owned()],
                ..done(&format!("The password for {name}. It is shown this once."))
            },
            Err(message) => wrong(message),
        },
        None => match app.host.revoke_app_password(address, name.clone()).await {
            Ok(()) => done(&format!("{name} is locked out.")),
            Err(message) => wrong(message),
        },
    };
    security_page(&app, &visitor, notice, None).await
}

#[derive(Deserialize)]
pub(crate) struct SessionsForm {
    csrf: String,
}

/// Out everywhere but here.
pub(crate) async fn end_sessions(
    State(app): State<Arc<App>>,
    Person(visitor): Person,
    Form(form): Form<SessionsForm>,
) -> Response {
    if !visitor.vouches(&form.csrf) {
        return security_page(&app, &visitor, wrong(OUTDATED), None).await;
    }
    app.sessions.end_all(visitor.account.id, Some(&visitor.id));
    security_page(&app, &visitor, done("All other browsers are logged out."), None).await
}
