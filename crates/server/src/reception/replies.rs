//! Step four: what the peer hears. Replies that come from policy; those of the protocol itself stand
//! in [`posta_smtp::replies`], which also has the ones that both need.

pub use posta_smtp::replies::{
    AUTHENTICATION_UNAVAILABLE, BAD_PARAMETER, CANNOT_VERIFY, CREDENTIALS_INVALID, DOMAIN_ACCEPTS_NO_MAIL,
    LOCAL_ERROR, LOOP_DETECTED as ROUTING_LOOP, MAILBOX_FULL, MAILBOX_UNKNOWN, MESSAGE_ACCEPTED, QUEUE_EMPTY,
    QUEUE_NOT_ALLOWED, QUEUE_STARTED, RECIPIENT_OK, REFUSED_BY_POLICY, RELAYING_DENIED, SENDER_OK,
    SERVER_BUSY, START_CONTENT, SYSTEM_FULL, Standard, TOO_MANY_CONNECTIONS, TOO_MANY_RECIPIENTS,
    TURN_NO_MAIL, TURN_REFUSED, TURNING,
};
use posta_smtp::{EnhancedStatus, Reply};
use posta_store::{QueueId, StoreError};
use std::borrow::Cow;

const fn standard(code: u16, (subject, detail): (u16, u16), text: &'static str) -> Standard {
    let enhanced = Some(EnhancedStatus::new((code / 100) as u8, subject, detail));
    Standard { code, enhanced, text }
}

/// A binary message for somebody here, which no encoding can make lines of (X.6.1 media not supported): a
/// signature forbids to change it, or what is binary is not in a body.
pub const BINARY_FIXED: Standard = standard(554, (6, 1), "Binary content that cannot be encoded");
/// A binary message for somebody here that is too large to be encoded (X.3.4 message too big).
pub const BINARY_TOO_LARGE: Standard = standard(552, (3, 4), "Binary content too large; encode it yourself");
/// Too many binary messages at once (X.3.2 system not accepting network messages, of this kind).
pub const BINARY_BUSY: Standard = standard(451, (3, 2), "Too much binary content at once, try again later");
/// An address that guessed passwords or abused sessions.
pub const TOO_MANY_FAILURES: Standard = standard(421, (7, 0), "Too many failures from you, try again later");
/// MAIL under another's address (RFC 6409 §6.1; X.7.1 delivery not authorized).
pub const SENDER_NOT_YOURS: Standard = standard(550, (7, 1), "That sender address is not yours");
/// An account has sent as many messages as it may for now (X.7.1: by policy).
pub const MESSAGES_SPENT: Standard =
    standard(451, (7, 1), "You have sent as many messages as you may for now");
/// An account has sent to as many recipients as it may for now.
pub const RECIPIENTS_SPENT: Standard =
    standard(452, (5, 3), "You have sent to as many recipients as you may for now");
/// A session with very many messages (RFC 5321 §4.5.3.1.10 in spirit: come again).
pub const TOO_MANY_MESSAGES: Standard = standard(452, (7, 0), "Too many messages in one session");
/// Too many messages of an account wait for their time (RFC 4865 §6; X.7.16).
pub const HELD_TOO_MANY: Standard = standard(552, (7, 16), "Too many of your messages wait for their time");
/// A message that asks to be urgent, from a host that nothing is known of (RFC 6710 §4.1; X.3.6).
pub const PRIORITY_LOWERED: Standard = standard(250, (3, 6), "0 is the new priority assigned to the message");
/// The account is closed (X.2.1 mailbox disabled).
pub const MAILBOX_DISABLED: Standard = standard(550, (2, 1), "Mailbox disabled");
/// SEND to somebody without a live session (RFC 821 §3.4; X.2.0 other mailbox status).
pub const NOT_LOGGED_IN: Standard = standard(450, (2, 0), "Not logged in; send mail instead");
/// SEND to somebody of another host (X.7.1: by policy).
pub const SEND_ELSEWHERE: Standard = standard(550, (7, 1), "SEND reaches only people of this host");
/// SEND to an alias or list of several (X.1.4 destination mailbox address ambiguous).
pub const SEND_AMBIGUOUS: Standard =
    standard(553, (1, 4), "SEND reaches one person; that address stands for several");
/// SEND of what no screen has room for, or what is no text (X.6.1 media not supported).
pub const UNSHOWABLE: Standard =
    standard(554, (6, 1), "Too long to be shown, or more than text; send mail instead");
/// More than the maildrop may ever hold (X.2.2 mailbox full).
pub const QUOTA_EXCEEDED: Standard = standard(552, (2, 2), "Message larger than the mailbox may be");
/// A list or alias out of bounds (X.2.4 mailing list expansion problem).
pub const EXPANSION_TOO_LARGE: Standard = standard(550, (2, 4), "Address stands for too many recipients");
/// VRFY: several fit (X.1.4 destination mailbox address ambiguous).
pub const AMBIGUOUS: Standard = standard(553, (1, 4), "Ambiguous; possibilities are");
/// VRFY and EXPN: nobody fits.
pub const NOBODY: Standard = standard(550, (1, 1), "String does not match anything");
/// EXPN of a person (RFC 5321 §3.5.2).
pub const NOT_A_LIST: Standard = standard(550, (2, 4), "That is a user name, not a mailing list");

/// RFC 5321 §4.2.5: from here on the message is ours.
pub fn accepted(id: QueueId) -> Reply {
    MESSAGE_ACCEPTED.with(format!("Message accepted as {id}"))
}

/// The store could not do it; the peer keeps the message and comes again. What exactly failed is the
/// operator's business; the journal has it.
pub fn store_failed(error: &StoreError) -> Reply {
    match error {
        StoreError::Full => SYSTEM_FULL.reply(),
        _ => LOCAL_ERROR.reply(),
    }
}

/// Several lines under one code.
pub fn lines(standard: Standard, lines: Vec<Cow<'static, str>>) -> Reply {
    Reply { code: standard.code, enhanced: standard.enhanced, lines }
}

/// The greeting of a host that never accepts mail (RFC 7504 §3).
pub fn no_mail(hostname: &posta_address::Domain) -> Reply {
    Reply::new(521, None, format!("{} does not accept mail", hostname.to_ascii()))
}
