//! Bounds of this crate.

use std::time::Duration;

/// How long a client may take for the head of a request.
pub const HEAD_TIME_MAX: Duration = Duration::from_secs(15);

/// How long a connection may be without any octet in either direction.
pub const IDLE_TIME_MAX: Duration = Duration::from_secs(75);

/// How long a client may take for the body of a small request.
pub const BODY_TIME_MAX: Duration = Duration::from_secs(30);

/// How long a client may take for an upload.
pub const UPLOAD_TIME_MAX: Duration = Duration::from_secs(15 * 60);

/// How long requests under way may go on when the server stops.
pub const STOP_TIME_MAX: Duration = Duration::from_secs(5);

/// Octets of a connection's read buffer: the head of a request must fit.
pub const HEAD_OCTETS_MAX: usize = 32 * 1024;

/// Fields of a request's head.
pub const HEAD_FIELDS_MAX: usize = 64;

/// Octets of the body of a form.
pub const FORM_OCTETS_MAX: usize = 16 * 1024;

/// Octets of a JSON body: a draft with its text.
pub const JSON_OCTETS_MAX: usize = 4 * 1024 * 1024;

/// Sessions of all accounts; the one that was not used for longest goes first.
pub const SESSIONS_MAX: usize = 20_000;

/// Sessions of one account.
pub const SESSIONS_PER_ACCOUNT_MAX: usize = 30;

/// How long a session lives without use.
pub const SESSION_IDLE: Duration = Duration::from_hours(7 * 24);

/// How long a session lives at most.
pub const SESSION_LIFE: Duration = Duration::from_hours(30 * 24);

/// How long the second factor may be waited for after the password.
pub const SECOND_FACTOR_TIME: Duration = Duration::from_secs(300);

/// Wrong codes before the password is asked for anew.
pub const CODES_MAX: u32 = 5;

/// Characters of a browser's name that are kept for the list of sessions.
pub const AGENT_CHARS_MAX: usize = 200;
