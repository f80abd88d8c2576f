//! The operator has another host asked for the mail that it keeps for us.

use super::protocol::{FetchInfo, FetchKind};
use crate::{
    fetch::{Fetch, fetch},
    host::Host,
};
use posta_address::Domain;
use posta_smtp::{QueueName, Turning, client::Request};
use posta_wire::{Secret, sasl::client::Credentials};

/// Asks; in plain words what came of it.
pub(crate) async fn perform(host: &Host, info: FetchInfo) -> Result<String, String> {
    let hop = info.host.parse().map_err(|error| format!("{}: {error}", info.host))?;
    let domain = |name: &String| Domain::parse(name).map_err(|error| format!("{name}: {error}"));
    let request = match info.kind {
        FetchKind::Etrn => {
            let name = info.domains.first().map(String::as_str).unwrap_or_default();
            let name = QueueName::parse(name).ok_or("expected a domain, @domain or #queue")?;
            Request::StartQueue(name)
        }
        FetchKind::Atrn => {
            let domains = info.domains.iter().map(domain).collect::<Result<Vec<_>, _>>()?;
            Request::Turn(Turning::Authenticated(domains))
        }
        FetchKind::Turn => Request::Turn(Turning::Historic),
    };
    let credentials = info.user.zip(info.password).map(|(authcid, password)| Credentials::Password {
        authcid,
        authzid: None,
        password: Secret::new(password.0.expose()),
    });
    fetch(host, Fetch { hop, request, credentials }).await
}
