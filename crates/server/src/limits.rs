//! Bounds of this crate. What the operator may change stands in [`crate::config`].

use std::time::Duration;

/// How deep aliases and lists may name one another.
pub const EXPANSION_DEPTH_MAX: usize = 10;

/// Lists with a reverse-path of their own in one transaction: each is a message of its own.
pub const COPIES_MAX: usize = 20;

/// Lines that VRFY and EXPN answer at most.
pub const VERIFY_LINES_MAX: usize = 1000;

/// Octets of the header section that are looked through for `Message-ID` and `TLS-Required`.
pub const FIELD_SEARCH_OCTETS_MAX: usize = 64 * 1024;

/// Octets of a `Message-ID` that are kept (RFC 5322 §2.1.1: a line has at most 998).
pub const FIELD_OCTETS_MAX: usize = 998;

/// Octets of a binary message for somebody here: it lies in memory until it is encoded.
pub const BINARY_OCTETS_MAX: usize = 32 * 1024 * 1024;

/// Octets of all such messages at once.
pub const BINARY_TOGETHER_OCTETS_MAX: usize = 128 * 1024 * 1024;

/// Messages of one account that wait for their time (RFC 4865 §6).
pub const HELD_MESSAGES_MAX: usize = 1000;

/// Seconds that an account may have all its mail wait: a week.
pub const HOLD_SECONDS_MAX: u32 = 7 * 24 * 60 * 60;

/// How long a verified password is remembered, so that a client that polls does not cost a whole
/// check each time.
pub const PASSWORD_MEMORY: Duration = Duration::from_secs(300);

/// Verified passwords remembered at once.
pub const PASSWORDS_REMEMBERED_MAX: usize = 10_000;

/// Logins that may wait for a check of their password; more are told to come back.
pub const LOGINS_WAITING_MAX: usize = 256;

/// How long the answer to the first failed login of an address is held back; it doubles with each.
pub const LOGIN_FAILURE_PAUSE: Duration = Duration::from_secs(1);

/// How long at most.
pub const LOGIN_FAILURE_PAUSE_MAX: Duration = Duration::from_secs(8);

/// How exactly it is kept when an application password was last used.
pub const APP_PASSWORD_USE_NOTED_EVERY: Duration = Duration::from_hours(1);

/// For how long what an account sends is counted together.
pub const ALLOWANCE_WINDOW: Duration = Duration::from_hours(1);

/// Application passwords of one account.
pub const APP_PASSWORDS_MAX: usize = 100;

/// Octets of a password or APOP secret.
pub const SECRET_OCTETS_MAX: usize = 512;

/// Octets read from a content at once for POP3.
pub const CONTENT_READ_OCTETS: usize = 128 * 1024;

/// Octets of one line on the operator's socket.
pub const ADMIN_LINE_OCTETS_MAX: usize = 16 * 1024 * 1024;

/// How long the operator's client may take for one line.
pub const ADMIN_LINE_TIMEOUT: Duration = Duration::from_secs(60);

/// Octets of a full name.
pub const NAME_OCTETS_MAX: usize = 200;

/// Members of one alias or list.
pub const MEMBERS_MAX: usize = 100_000;

/// How often a server that stops looks whether all have gone.
pub const STOP_POLL: Duration = Duration::from_millis(10);

/// Operator's connections at once.
pub const ADMIN_CONNECTIONS_MAX: usize = 16;

/// Live sessions (open pages, watching terminals) of all people together.
pub const LIVE_SESSIONS_MAX: usize = 10_000;

/// Live sessions of one account.
pub const LIVE_SESSIONS_PER_ACCOUNT_MAX: usize = 16;

/// Notices that wait for one session; more are not shown there.
pub const NOTICES_WAITING_MAX: usize = 32;

/// Octets of a notice's text.
pub const NOTICE_TEXT_OCTETS_MAX: usize = 64 * 1024;

/// Octets of a notice's author or subject.
pub const NOTICE_LINE_OCTETS_MAX: usize = 998;

/// Octets of a message that are read for a notice.
pub const NOTICE_READ_OCTETS_MAX: usize = 256 * 1024;

/// Octets of a watcher's answer to a notice.
pub const TAKEN_LINE_OCTETS_MAX: u64 = 256;

/// How long a session may take to show something before it counts as not there.
pub const SHOW_PATIENCE: Duration = Duration::from_secs(5);

/// Messages of which is remembered whether a client without UTF8 can read their header sections.
pub const HEADERS_KNOWN_MAX: usize = 200_000;

/// Octets of a header section that are looked at for that.
pub const HEADER_OCTETS_MAX: usize = 64 * 1024;

/// Octets of a message whose parts' header sections are rewritten as well; it is in memory meanwhile.
pub const SURROGATE_OCTETS_MAX: u64 = 2 << 20;

/// Messages rewritten at the same time.
pub const SURROGATES_AT_ONCE_MAX: usize = 4;

/// Surrogates that stay in memory, each of up to about [`SURROGATE_OCTETS_MAX`], while they are sent.
pub const SURROGATES_KEPT_MAX: usize = 32;

/// Accounts whose last login is remembered for LOGIN-DELAY.
pub const LOGINS_REMEMBERED_MAX: usize = 100_000;

/// Questions about tokens at the same time.
pub const TOKENS_CHECKED_AT_ONCE_MAX: usize = 16;

/// Octets of the answer to one.
pub const TOKEN_ANSWER_OCTETS_MAX: usize = 64 * 1024;

/// How long a good token is taken without asking again: a revoked one is of use for no longer.
pub const TOKEN_MEMORY: Duration = Duration::from_secs(60);

/// Good tokens remembered.
pub const TOKENS_REMEMBERED_MAX: usize = 10_000;

/// Seconds by which the clocks of an authorization server and ours may differ.
pub const TOKEN_CLOCK_LEEWAY_SECS: i64 = 60;

/// For how long failed logins of an account are counted together.
pub const GUESSES_WINDOW: Duration = Duration::from_hours(1);

/// From how many on the journal tells of them; then each time that they have doubled.
pub const GUESSES_TOLD_FROM: u32 = 10;

/// Names that failures are counted of.
pub const GUESSED_NAMES_MAX: usize = 20_000;

/// How long the answer to a failed login is held back at most because of the account; it doubles with each
/// failure, wherever it comes from.
pub const GUESS_PAUSE_MAX: Duration = Duration::from_secs(30);

/// How long another host may send the mail that is fetched from it.
pub const FETCH_TIME_MAX: Duration = Duration::from_hours(1);
