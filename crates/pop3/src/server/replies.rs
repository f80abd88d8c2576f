//! All fixed replies of the server in one table. Those that count something are made where it is counted.

use crate::{Reply, ResponseCode};

pub(super) const USER_ACCEPTED: Reply = Reply::ok("send your password");
pub(super) const NOTHING_DONE: Reply = Reply::ok("");
pub(super) const CAPABILITIES: Reply = Reply::ok("capability list follows");
pub(super) const UNIQUE_IDS: Reply = Reply::ok("unique-id listing follows");
pub(super) const TOP: Reply = Reply::ok("top of message follows");

pub(super) const READY_FOR_TLS: Reply = Reply::ok("begin TLS");
pub(super) const TLS_OFF: Reply = Reply::err("STLS is not offered here");
pub(super) const TLS_IS_ON: Reply = Reply::err("TLS is on already");
pub(super) const TLS_AFTER_LOGIN: Reply = Reply::err("STLS comes before logging in");

pub(super) const PLAIN_LOGIN_OFF: Reply = Reply::err("USER and PASS are not offered here");
pub(super) const APOP_OFF: Reply = Reply::err("APOP is not offered here");
pub(super) const USER_FIRST: Reply = Reply::err("USER comes first");
pub(super) const LOGIN_FIRST: Reply = Reply::err("log in first");
pub(super) const LOGGED_IN: Reply = Reply::err("you are logged in already");
pub(super) const TOO_MANY_ERRORS: Reply = Reply::err("too many errors");

pub(super) const MECHANISM_UNKNOWN: Reply = Reply::err("no such mechanism here");
// RFC 5034 §4: no plaintext without TLS.
pub(super) const ENCRYPTION_REQUIRED: Reply = Reply::err("begin TLS before sending a password");
pub(super) const EXCHANGE_ABORTED: Reply = Reply::err("authentication aborted");
pub(super) const NOT_BASE64: Reply = Reply::err("cannot decode base64");
pub(super) const EXCHANGE_TOO_LONG: Reply = Reply::err("line too long");

// RFC 3206 §5: [AUTH] only where the credentials are the problem; which of them is not told
// (RFC 1939 §13).
pub(super) const CREDENTIALS: Reply = Reply::coded(ResponseCode::Authentication, "wrong name or password");
pub(super) const LOGIN_LATER: Reply =
    Reply::coded(ResponseCode::SystemTemporary, "cannot look into the maildrop now, try again later");
pub(super) const CONTENT_UNREADABLE: Reply =
    Reply::coded(ResponseCode::SystemTemporary, "cannot read the message now, try again later");
// RFC 1939 §6: the words of the RFC, which some clients look for.
pub(super) const NOT_REMOVED: Reply =
    Reply::coded(ResponseCode::SystemTemporary, "some deleted messages not removed");
