//! The JSON interface: a person's [`Desk`](posta_ua::desk::Desk) over HTTP, type by type. `docs/api.json`
//! describes it; a test holds the two against each other.

mod files;
mod mail;
mod people;
mod settled;
mod writing;

use crate::{app::App, error::ApiError};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{FromRequest, Request},
};
use serde::de::DeserializeOwned;
use std::sync::Arc;

pub(crate) use files::{UPLOAD_PATH, file};

/// What an answer in JSON is made of.
pub(crate) type Answer<T> = Result<Json<T>, ApiError>;

/// Where a route leads, for the description.
#[cfg_attr(not(test), allow(dead_code, reason = "the description is written by hand and checked in a test"))]
pub(crate) struct Described {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
}

macro_rules! interface {
    ($($method:ident $path:literal $handler:path;)*) => {
        /// All of them.
        #[cfg_attr(not(test), allow(dead_code, reason = "see Described"))]
        pub(crate) const ROUTES: &[Described] =
            &[$(Described { method: stringify!($method), path: $path }),*];

        /// The interface, from `/api/v1` on.
        pub(crate) fn router() -> Router<Arc<App>> {
            Router::new()$(.route($path, axum::routing::$method($handler)))*
        }
    };
}

interface! {
    get "/owner" mail::owner;
    get "/folders" mail::folders;
    post "/folders" mail::create_folder;
    put "/folders/{folder}" mail::rename_folder;
    delete "/folders/{folder}" mail::remove_folder;
    get "/labels" mail::labels;
    get "/conversations" mail::conversations;
    get "/conversations/{conversation}" mail::conversation;
    get "/messages" mail::messages;
    post "/messages" files::append;
    get "/messages/{message}" mail::message;
    get "/messages/{message}/raw" files::raw;
    get "/messages/{message}/parts/{part}" files::part;
    get "/messages/{message}/story" mail::story;
    get "/messages/{message}/reply" writing::reply_draft;
    post "/messages/{message}/receipt" mail::answer_receipt;
    post "/messages/{message}/unsubscribe" mail::unsubscribe;
    post "/changes" mail::change;
    post "/undo" mail::undo;
    post "/drafts" writing::save_draft;
    get "/drafts/{draft}" writing::draft;
    delete "/drafts/{draft}" writing::discard_draft;
    post "/drafts/{draft}/send" writing::send;
    post "/uploads" files::upload;
    get "/outbox" writing::outbox;
    delete "/outbox/{outbox}" writing::unsend;
    get "/addresses" people::complete;
    get "/contacts" people::contacts;
    post "/contacts" people::put_contact;
    delete "/contacts/{contact}" people::remove_contact;
    get "/contacts.vcf" people::export;
    post "/contacts.vcf" people::import;
    get "/settings" settled::settings;
    put "/settings" settled::put_settings;
    put "/settings/images" settled::allow_images;
    get "/identities" settled::identities;
    put "/identities" settled::put_identities;
    get "/rules" settled::rules;
    put "/rules" settled::put_rules;
    get "/vacation" settled::vacation;
    put "/vacation" settled::put_vacation;
    get "/accounts" settled::accounts;
    post "/accounts" settled::put_account;
    delete "/accounts/{account}" settled::remove_account;
    post "/accounts/{account}/fetch" settled::fetch_account;
    get "/notices" mail::notices;
}

/// A body in JSON. Its content type must say so: no form of another site can send that unasked.
pub(crate) struct Input<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Input<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let content_type = request.headers().get("content-type").and_then(|value| value.to_str().ok());
        let is_json = content_type.is_some_and(|value| {
            value.split(';').next().is_some_and(|value| value.trim().eq_ignore_ascii_case("application/json"))
        });
        if !is_json {
            return Err(ApiError::invalid("the body must be application/json"));
        }
        let octets = Bytes::from_request(request, state)
            .await
            .map_err(|error| ApiError::invalid(error.to_string()))?;
        serde_json::from_slice(&octets).map(Input).map_err(|error| ApiError::invalid(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const DESCRIPTION: &str = include_str!("../../../../docs/api.json");

    fn described() -> serde_json::Value {
        serde_json::from_str(DESCRIPTION).expect("JSON")
    }

    #[test]
    fn the_description_has_the_routes_that_there_are() {
        let written: BTreeSet<(String, String)> = described()["paths"]
            .as_object()
            .expect("paths")
            .iter()
            .flat_map(|(path, methods)| {
                methods.as_object().expect("methods").keys().map(|method| (method.clone(), path.clone()))
            })
            .collect();
        let there: BTreeSet<(String, String)> =
            ROUTES.iter().map(|route| (route.method.to_owned(), route.path.to_owned())).collect();
        assert_eq!(written, there);
    }

    /// Types of the description are those of the desk, field by field where a default can be made.
    #[test]
    fn the_description_has_the_fields_that_there_are() {
        use posta_ua::desk::{
            Contact, ConversationPage, Draft, HtmlView, Identity, Invitation, MessagePage, Rule, Selection,
            SendOptions, Settings, Vacation,
        };
        let check = |name: &str, value: serde_json::Value| {
            let fields = |value: &serde_json::Value| -> BTreeSet<String> {
                value.as_object().expect("an object").keys().cloned().collect()
            };
            let described = &described()["components"]["schemas"][name]["properties"];
            assert_eq!(fields(described), fields(&value), "{name}");
        };
        fn json(value: impl serde::Serialize) -> serde_json::Value {
            serde_json::to_value(value).expect("JSON")
        }
        check("Contact", json(Contact::default()));
        check("ConversationPage", json(ConversationPage::default()));
        check("Draft", json(Draft::default()));
        check("HtmlView", json(HtmlView::default()));
        check("Identity", json(Identity::default()));
        check("Invitation", json(Invitation::default()));
        check("MessagePage", json(MessagePage::default()));
        check("Rule", json(Rule::default()));
        check("Selection", json(Selection::default()));
        check("SendOptions", json(SendOptions::default()));
        check("Settings", json(Settings::default()));
        check("Vacation", json(Vacation::default()));
    }
}
