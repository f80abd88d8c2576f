//! Webmail and its JSON interface: what is spoken at the listeners `http` and `https`.
//!
//! - [`Pages`] is the server's [`WebService`](posta_server::web::WebService): connections go in.
//! - `pages`: HTML for browsers: the login, the one page of the webmail, what people settle for their
//!   safety, and the frame in which strangers' HTML is shown.
//! - `api`: a person's [`Desk`](posta_ua::desk::Desk) as JSON.
//! - `assets/`: the webmail itself, in plain JavaScript.

mod api;
mod app;
mod assets;
mod desks;
mod error;
mod escape;
mod headers;
pub mod limits;
mod pages;
mod patience;
mod routes;
mod second_factor;
mod service;
mod sessions;
mod signature;
mod story;
mod visitor;

pub use app::Desks;
pub use desks::{desks, serve};
pub use service::Pages;
