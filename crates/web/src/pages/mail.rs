//! The webmail's one page; all else is done by its scripts through the interface.

use super::page;
use crate::{app::App, assets, visitor::Person};
use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use std::sync::Arc;

#[derive(Template)]
#[template(path = "mail.html")]
struct Shell<'a> {
    version: String,
    csrf: &'a str,
    address: String,
    name: &'a str,
    message_octets_max: u64,
}

pub(crate) async fn shell(State(app): State<Arc<App>>, Person(visitor): Person) -> Response {
    let shell = Shell {
        version: assets::version(),
        csrf: &visitor.session.csrf,
        address: visitor.account.address.to_string(),
        name: visitor.account.name.as_deref().unwrap_or(""),
        message_octets_max: app.host.message_octets_max(),
    };
    page(StatusCode::OK, &shell)
}
