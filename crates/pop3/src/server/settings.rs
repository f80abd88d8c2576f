//! What whoever runs the server decides.

use crate::{
    Language,
    limits::{ERRORS_MAX, IDLE_MIN, LOGIN_FAILURES_MAX},
};
use std::time::Duration;

/// Settings shared by all sessions of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Our name, shown in the greeting and at the end.
    pub host: String,
    /// Whether USER and PASS are offered and accepted. APOP is where the session has a timestamp.
    pub plain_login: bool,
    /// Whether STLS is offered (RFC 2595): whoever drives the session has a certificate.
    pub stls: bool,
    /// Name and version for the capability IMPLEMENTATION; none: not told.
    pub implementation: Option<String>,
    /// The language that `LANG *` chooses (RFC 6856 §3.2).
    pub language: Language,
    /// Seconds between two logins of an account, which whoever answers keeps (RFC 2449 §6.5); 0: none.
    pub login_delay_secs: u32,
    /// Quirk "bare LF": command lines may end with LF alone, as some type them by hand.
    pub bare_lf_accepted: bool,
    /// Time without a command after which we hang up. Never less than [`IDLE_MIN`] (RFC 1939 §3).
    pub idle: Duration,
    /// Failed logins after which we hang up.
    pub login_failures_max: u32,
    /// Refused commands after which we hang up.
    pub errors_max: u32,
}

impl Settings {
    /// The usual ones.
    pub fn new(host: impl Into<String>) -> Settings {
        Settings {
            host: host.into(),
            plain_login: true,
            stls: false,
            implementation: Some(concat!("Posta-", env!("CARGO_PKG_VERSION")).to_owned()),
            language: Language::English,
            login_delay_secs: 0,
            bare_lf_accepted: false,
            idle: IDLE_MIN,
            login_failures_max: LOGIN_FAILURES_MAX,
            errors_max: ERRORS_MAX,
        }
    }
}
