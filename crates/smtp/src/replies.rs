//! All replies that this server gives, in one table (RFC 5321 §4.2.2, RFC 3463, RFC 5248).
//!
//! Policy (the `server` crate) takes its replies from here as well, so that one page shows what can
//! be said to a peer. [`Standard::reply`] gives the reply with its usual words, [`Standard::with`]
//! with more fitting ones.

use crate::{EnhancedStatus, Reply};
use std::borrow::Cow;

/// A line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standard {
    /// Reply code.
    pub code: u16,
    /// Enhanced status; none for greetings, HELO, EHLO and 354 (RFC 2034 §4).
    pub enhanced: Option<EnhancedStatus>,
    /// The usual words.
    pub text: &'static str,
}

impl Standard {
    const fn new(code: u16, (subject, detail): (u16, u16), text: &'static str) -> Self {
        let enhanced = Some(EnhancedStatus::new((code / 100) as u8, subject, detail));
        Standard { code, enhanced, text }
    }

    /// With its usual words.
    pub fn reply(self) -> Reply {
        Reply::new(self.code, self.enhanced, self.text)
    }

    /// With other words.
    pub fn with(self, text: impl Into<Cow<'static, str>>) -> Reply {
        Reply::new(self.code, self.enhanced, text)
    }
}

impl From<Standard> for Reply {
    fn from(standard: Standard) -> Self {
        standard.reply()
    }
}

/// Greetings after which the client may still say QUIT (RFC 5321 §3.1, RFC 7504 §3).
pub(crate) const REJECTED_GREETING_CODES: [u16; 2] = [554, 521];

/// NOOP, RSET: done.
pub const OK: Standard = Standard::new(250, (0, 0), "Ok");
/// MAIL accepted (X.1.0 other address status).
pub const SENDER_OK: Standard = Standard::new(250, (1, 0), "Sender ok");
/// RCPT accepted (X.1.5 destination address valid).
pub const RECIPIENT_OK: Standard = Standard::new(250, (1, 5), "Recipient ok");
/// RCPT: will forward (RFC 5321 §3.4).
pub const WILL_FORWARD: Standard = Standard::new(251, (1, 5), "User not local; will forward");
/// The message is committed (X.6.0: all is well with the content).
pub const MESSAGE_ACCEPTED: Standard = Standard::new(250, (6, 0), "Message accepted");
/// DATA: go on. No enhanced status for 3yz.
pub const START_CONTENT: Standard =
    Standard { code: 354, enhanced: None, text: "End data with <CR><LF>.<CR><LF>" };
/// AUTH succeeded (RFC 4954 §6).
pub const AUTHENTICATED: Standard = Standard::new(235, (7, 0), "Authentication successful");
/// A chunk that is not the last (RFC 3030 §2).
pub const CHUNK_RECEIVED: Standard = Standard::new(250, (0, 0), "Chunk received");
/// HELP.
pub const HELP: Standard = Standard::new(214, (0, 0), "See RFC 5321");
/// QUIT.
pub const CLOSING: Standard = Standard::new(221, (0, 0), "Bye");
/// VRFY without telling (RFC 5321 §3.5.3, §7.3).
pub const CANNOT_VERIFY: Standard =
    Standard::new(252, (5, 2), "Cannot VRFY user, but will accept message and attempt delivery");

/// STARTTLS: go on (RFC 3207 §4).
pub const READY_FOR_TLS: Standard = Standard::new(220, (0, 0), "Ready to start TLS");

/// The host is going down (X.3.2 system not accepting network messages).
pub const SHUTTING_DOWN: Standard = Standard::new(421, (3, 2), "Service shutting down, try again later");
/// No word from the client (X.4.2 bad connection).
pub const TIMED_OUT: Standard = Standard::new(421, (4, 2), "Timed out waiting for you");
/// The session lasts too long.
pub const SESSION_TOO_LONG: Standard = Standard::new(421, (4, 2), "Session lasted too long");
/// Too many faulty or refused commands (X.7.0 other security status).
pub const TOO_MANY_ERRORS: Standard = Standard::new(421, (7, 0), "Too many errors");
/// Too many commands that move no mail.
pub const TOO_MANY_IDLE_COMMANDS: Standard = Standard::new(421, (7, 0), "Too many commands without mail");
/// Too many connections from this address.
pub const TOO_MANY_CONNECTIONS: Standard = Standard::new(421, (7, 0), "Too many connections from you");
/// All places taken.
pub const SERVER_BUSY: Standard = Standard::new(421, (3, 2), "Too busy, try again later");
/// Our own trouble, before or after the content (X.3.0 other mail system status).
pub const LOCAL_ERROR: Standard = Standard::new(451, (3, 0), "Local error, try again later");
/// The disk is full (X.3.1 mail system full).
pub const SYSTEM_FULL: Standard = Standard::new(452, (3, 1), "Insufficient system storage");
/// A maildrop is full, for now (X.2.2 mailbox full).
pub const MAILBOX_FULL: Standard = Standard::new(452, (2, 2), "Mailbox full");
/// RFC 5321 §4.5.3.1.10.
pub const TOO_MANY_RECIPIENTS: Standard = Standard::new(452, (5, 3), "Too many recipients");
/// The name could not be looked up now (X.4.3 directory server failure).
pub const LOOKUP_FAILED: Standard = Standard::new(451, (4, 3), "Lookup failed, try again later");

/// AUTH: can't be found out now (RFC 4954 §6).
pub const AUTHENTICATION_UNAVAILABLE: Standard =
    Standard::new(454, (7, 0), "Temporary authentication failure");

/// A line of an exchange beyond the limit (RFC 4954 §6).
pub const EXCHANGE_TOO_LONG: Standard =
    Standard::new(500, (5, 6), "Authentication exchange line is too long");
/// AUTH: not base64 (RFC 4954 §4).
pub const NOT_BASE64: Standard = Standard::new(501, (5, 2), "Cannot decode base64");
/// AUTH was given up by the client, or its initial response is not the mechanism's (RFC 4954 §4).
pub const AUTHENTICATION_ABORTED: Standard = Standard::new(501, (7, 0), "Authentication aborted");
/// AUTH within a transaction (RFC 4954 §4).
pub const NO_AUTH_IN_TRANSACTION: Standard = Standard::new(503, (5, 1), "Not during a transaction");
/// AUTH after AUTH (RFC 4954 §4).
pub const ALREADY_AUTHENTICATED: Standard = Standard::new(503, (5, 1), "Already authenticated");
/// AUTH by a mechanism that we don't know (RFC 4954 §4).
pub const MECHANISM_UNKNOWN: Standard = Standard::new(504, (5, 4), "Unrecognized authentication type");
/// Nothing without AUTH here (RFC 4954 §6).
pub const AUTHENTICATION_REQUIRED: Standard = Standard::new(530, (7, 0), "Authentication required");
/// AUTH by a mechanism that is switched off here (RFC 4954 §6).
pub const MECHANISM_TOO_WEAK: Standard =
    Standard::new(534, (7, 9), "Authentication mechanism is not offered");
/// AUTH: wrong, unknown or not allowed; which of them is not told (RFC 4954 §6).
pub const CREDENTIALS_INVALID: Standard = Standard::new(535, (7, 8), "Authentication credentials invalid");
/// AUTH by a plaintext mechanism without TLS (RFC 4954 §6).
pub const ENCRYPTION_REQUIRED: Standard =
    Standard::new(538, (7, 11), "Encryption required for requested authentication mechanism");

/// No such verb.
pub const UNKNOWN_COMMAND: Standard = Standard::new(500, (5, 1), "Command unrecognized");
/// RFC 5321 §4.5.3.1.9.
pub const LINE_TOO_LONG: Standard = Standard::new(500, (5, 2), "Line too long");
/// The line ends in a bare LF or holds a bare CR (RFC 5321 §2.3.8).
pub const BARE_LINE_END: Standard = Standard::new(500, (5, 2), "Lines must end in CR LF");
/// NUL, control characters, or octets that are no UTF-8.
pub const BAD_CHARACTERS: Standard = Standard::new(500, (5, 2), "Characters not allowed in a command");
/// An argument where none goes, or none where one must be, or a malformed one (X.5.4).
pub const BAD_ARGUMENTS: Standard = Standard::new(501, (5, 4), "Syntax error in arguments");
/// A parameter's value is malformed, or it comes twice.
pub const BAD_PARAMETER: Standard = Standard::new(501, (5, 4), "Syntax error in a parameter");
/// MAIL: malformed mailbox (X.1.7 bad sender's mailbox address syntax).
pub const BAD_SENDER: Standard = Standard::new(501, (1, 7), "Bad sender address");
/// MAIL: malformed domain (X.1.8 bad sender's system address).
pub const BAD_SENDER_DOMAIN: Standard = Standard::new(501, (1, 8), "Bad sender domain");
/// RCPT: malformed mailbox (X.1.3 bad destination mailbox address syntax).
pub const BAD_RECIPIENT: Standard = Standard::new(501, (1, 3), "Bad recipient address");
/// RCPT: malformed domain (X.1.2 bad destination system address).
pub const BAD_RECIPIENT_DOMAIN: Standard = Standard::new(501, (1, 2), "Bad recipient domain");
/// Known but not implemented (RFC 5321 §4.2.4).
pub const NOT_IMPLEMENTED: Standard = Standard::new(502, (5, 1), "Command not implemented");
/// HELO or EHLO must come first (RFC 5321 §4.1.4).
pub const HELLO_FIRST: Standard = Standard::new(503, (5, 1), "Say EHLO or HELO first");
/// The same in LMTP (RFC 2033 §4.1).
pub const LHLO_FIRST: Standard = Standard::new(503, (5, 1), "Say LHLO first");
/// HELO or EHLO in LMTP (RFC 2033 §4.1 recommends 500).
pub const NOT_SMTP_BUT_LMTP: Standard = Standard::new(500, (5, 1), "This is LMTP: say LHLO");
/// STARTTLS a second time (RFC 3207 §4.2).
pub const TLS_IS_ON: Standard = Standard::new(503, (5, 1), "TLS is on already");
/// STARTTLS within a transaction, which it would end.
pub const NO_TLS_IN_TRANSACTION: Standard = Standard::new(503, (5, 1), "Not within a transaction");
/// MAIL within a transaction (RFC 5321 §4.1.4).
pub const NESTED_MAIL: Standard = Standard::new(503, (5, 1), "A transaction is already open");
/// RCPT or DATA without MAIL.
pub const MAIL_FIRST: Standard = Standard::new(503, (5, 1), "Say MAIL first");
/// MAIL, RCPT or DATA after BDAT (RFC 3030 §2).
pub const CHUNKS_BEGUN: Standard = Standard::new(503, (5, 1), "The content has begun: BDAT goes on");
/// DATA for what was announced as BINARYMIME (RFC 3030 §3).
pub const BINARY_NEEDS_BDAT: Standard = Standard::new(503, (5, 1), "BINARYMIME comes with BDAT");
/// DATA without RCPT.
pub const RECIPIENT_FIRST: Standard = Standard::new(503, (5, 1), "Say RCPT first");
/// DATA in LMTP after every RCPT was refused (RFC 2033 §4.2).
pub const NO_RECIPIENTS_LMTP: Standard = Standard::new(503, (5, 1), "No valid recipients");
/// ETRN, ATRN, TURN, XCLIENT within a transaction.
pub const NOT_IN_TRANSACTION: Standard = Standard::new(503, (5, 1), "Not within a transaction");
/// XCLIENT from anybody but a trusted proxy.
pub const XCLIENT_NOT_ALLOWED: Standard = Standard::new(550, (7, 0), "XCLIENT is not for you");
/// ETRN: nothing waits (RFC 1985 §5.3).
pub const QUEUE_EMPTY: Standard = Standard::new(251, (0, 0), "No messages are waiting");
/// ETRN: what waits is being sent (RFC 1985 §5.3).
pub const QUEUE_STARTED: Standard = Standard::new(253, (0, 0), "Pending messages started");
/// ETRN by somebody, or for something, that it is not for (RFC 1985 §5.3; X.7.1).
pub const QUEUE_NOT_ALLOWED: Standard =
    Standard::new(459, (7, 1), "Not allowed: no mail is kept for it here");
/// ETRN: not now (RFC 1985 §5.3).
pub const QUEUE_UNABLE: Standard = Standard::new(458, (3, 0), "Unable to queue messages");
/// ATRN, TURN: the roles switch (RFC 2645 §5.2.1).
pub const TURNING: Standard = Standard::new(250, (0, 0), "Now reversing the connection");
/// ATRN for a domain that is not the client's (RFC 2645 §5.2.1).
pub const TURN_REFUSED: Standard = Standard::new(450, (7, 1), "ATRN request refused");
/// ATRN, TURN: it can't be found out now (RFC 2645 §5.2.1).
pub const TURN_UNABLE: Standard = Standard::new(451, (3, 0), "Unable to process the request now");
/// ATRN, TURN: nothing waits (RFC 2645 §5.2.1).
pub const TURN_NO_MAIL: Standard = Standard::new(453, (0, 0), "You have no mail");
/// Anything but QUIT after a refusing greeting (RFC 5321 §3.1).
pub const ONLY_QUIT: Standard = Standard::new(503, (5, 1), "Only QUIT is possible here");
/// No such user (X.1.1 bad destination mailbox address).
pub const MAILBOX_UNKNOWN: Standard = Standard::new(550, (1, 1), "No such user here");
/// Not for strangers (X.7.1 delivery not authorized).
pub const RELAYING_DENIED: Standard = Standard::new(550, (7, 1), "Relaying denied");
/// Policy says no.
pub const REFUSED_BY_POLICY: Standard = Standard::new(550, (7, 1), "Refused by policy");
/// More than SIZE (RFC 1870 §6.1; X.3.4 message too big for system).
pub const TOO_LARGE: Standard = Standard::new(552, (3, 4), "Message too large");
/// RFC 6531 §3.5.
pub const NON_ASCII_ADDRESS: Standard = Standard::new(553, (6, 7), "A non-ASCII address needs SMTPUTF8");
/// A browser's request (see the session for why it is cut off).
pub const NOT_SMTP: Standard = Standard::new(554, (5, 1), "This is SMTP");
/// Every command of a client whom the greeting told that this host never accepts mail (RFC 7504 §3; X.3.2
/// system not accepting network messages).
pub const HOST_ACCEPTS_NO_MAIL: Standard = Standard::new(521, (3, 2), "Host does not accept mail");
/// RCPT for a domain that accepts no mail (RFC 7504 §4, RFC 7505 §4.2; X.1.10 null MX).
pub const DOMAIN_ACCEPTS_NO_MAIL: Standard = Standard::new(556, (1, 10), "Domain does not accept mail");
/// Every RCPT was refused (RFC 5321 §3.3).
pub const NO_VALID_RECIPIENTS: Standard = Standard::new(554, (5, 1), "No valid recipients");
/// The content has a CR or LF that is not part of a CR LF (RFC 5321 §2.3.8).
pub const CONTENT_BARE_LINE_END: Standard =
    Standard::new(554, (5, 2), "Message refused: lines must end in CR LF, no other CR or LF may occur");
/// The same in chunks, where nothing is made clean.
pub const CHUNKED_BARE_LINE_END: Standard =
    Standard::new(554, (5, 2), "Message refused: lines must end in CR LF, with BDAT as well");
/// After a BDAT that nobody can read there is no telling commands from content.
pub const CHUNK_SIZE_UNKNOWN: Standard = Standard::new(421, (5, 2), "The size of the chunk is not known");
/// The header section of what was announced as BINARYMIME has a CR or LF that is not part of a CR LF, or a
/// NUL: it is text whatever the body is (RFC 2045 §2.9 speaks of bodies).
pub const BINARY_HEADER_SECTION: Standard =
    Standard::new(554, (6, 0), "Message refused: its header section must be lines of text");
/// The content has NUL octets (RFC 2045 §2.7, §2.8).
pub const CONTENT_NUL: Standard = Standard::new(554, (6, 0), "Message refused: it has NUL octets");
/// The content has a line beyond the limit (RFC 5321 §4.5.3.1.6; X.6.0 other media error).
pub const CONTENT_LINE_TOO_LONG: Standard = Standard::new(554, (6, 0), "Message refused: a line is too long");
/// The header section is beyond the limit.
pub const HEADER_SECTION_TOO_LARGE: Standard =
    Standard::new(554, (6, 0), "Message refused: its header section is too large");
/// Too many `Received:` fields (RFC 5321 §6.3; X.4.6 routing loop detected).
pub const LOOP_DETECTED: Standard = Standard::new(554, (4, 6), "Too many hops: the message is in a loop");
/// `BY=…;R` with less time than there must be (RFC 2852 §2: 55z; X.5.4 invalid command arguments).
pub const TIME_TOO_SHORT: Standard = Standard::new(555, (5, 4), "Too little time to deliver");
/// An unknown MAIL or RCPT parameter (RFC 5321 §4.1.1.11).
pub const UNKNOWN_PARAMETER: Standard =
    Standard::new(555, (5, 4), "Parameter not recognized or not implemented");
