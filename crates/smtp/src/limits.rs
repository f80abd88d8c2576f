//! Every bound of an SMTP session, named, with the RFC's minimum beside it.
//!
//! The values here are the defaults; [`server::Limits`](crate::server::Limits) and
//! [`client::TimeLimits`](crate::client::TimeLimits) carry the ones in use.

use std::time::Duration;

/// Octets of a command line, CR LF included. RFC 5321 §4.5.3.1.4 asks for 512, SIZE adds 26 (RFC 1870 §3),
/// BODY 17 (RFC 6152 §3), SMTPUTF8 10 (RFC 6531 §3.1); quoted UTF-8 paths need the rest.
pub const COMMAND_LINE_OCTETS_MAX: usize = 2048;

/// Octets of a reply line that we send, CR LF included (RFC 5321 §4.5.3.1.5).
pub const REPLY_LINE_OCTETS_MAX: usize = 512;

/// Octets of a reply line that we read; RFC 5321 §4.5.3.1.5 promises 512, some hosts say more.
pub const PEER_REPLY_LINE_OCTETS_MAX: usize = 4096;

/// Lines of one reply that we read. The longest are those to EHLO.
pub const PEER_REPLY_LINES_MAX: usize = 256;

/// Octets of the argument of HELO and EHLO: a domain (RFC 5321 §4.5.3.1.2).
pub const HELLO_NAME_OCTETS_MAX: usize = 255;

/// Octets of the content of a message. RFC 5321 §4.5.3.1.7 asks for at least 64 KiB.
pub const CONTENT_OCTETS_MAX: u64 = 64 * 1024 * 1024;

/// Octets of a text line, CR LF included. RFC 5321 §4.5.3.1.6 asks for 1000; much mail in the world
/// breaks it, and no line is ever held in memory here.
pub const TEXT_LINE_OCTETS_MAX: u64 = 1024 * 1024;

/// Octets of the header section. No RFC has a figure; whoever reads headers holds this much.
pub const HEADER_SECTION_OCTETS_MAX: u64 = 1024 * 1024;

/// Octets of one piece of content as handed on.
pub const CONTENT_CHUNK_OCTETS_MAX: usize = 64 * 1024;

/// Octets beyond the limit of the content that are read and thrown away before the connection is
/// closed in the middle of it.
pub const SKIPPED_OCTETS_MAX: u64 = 256 * 1024 * 1024;

/// Recipients of one message. RFC 5321 §4.5.3.1.8 asks for 100.
pub const RECIPIENTS_MAX: u32 = 1000;

/// Faulty commands (syntax, order, length) in one session until it is closed with 421.
pub const ERRORS_MAX: u32 = 20;

/// Commands refused for other reasons (unknown recipients, relaying denied) in one session until it is
/// closed with 421. RFC 5321 §4.5.3.1.10 wants a whole transaction of 100 recipients to be possible.
pub const REFUSALS_MAX: u32 = 200;

/// Octets of the value of `AUTH=`. RFC 4954 §3 item 6 adds 500 to MAIL for all of the parameter.
pub const SUBMITTER_OCTETS_MAX: usize = 500;

/// Octets of the name of a queue in ETRN; RFC 1985 has no figure.
pub const QUEUE_NAME_OCTETS_MAX: usize = 64;

/// Domains of one ATRN; RFC 2645 has no figure, and a command line holds no more.
pub const TURN_DOMAINS_MAX: usize = 100;

/// Octets of a login name in XCLIENT: those of an address (RFC 5321 §4.5.3.1.3).
pub const LOGIN_NAME_OCTETS_MAX: usize = 254;

/// Failed authentications in one session until it is closed with 421. RFC 4954 §4 suggests at least 3:
/// some clients try three mechanisms with the same password.
pub const AUTHENTICATION_FAILURES_MAX: u32 = 5;

/// Commands in a row that move no mail (NOOP, RSET, HELP, VRFY, EXPN, HELO, EHLO) until the session is
/// closed with 421.
pub const IDLE_COMMANDS_MAX: u32 = 500;

/// How long the server waits for the next command (RFC 5321 §4.5.3.2.7: at least 5 minutes).
pub const COMMAND_TIMEOUT: Duration = Duration::from_mins(5);

/// How long the server waits for more of the content (as a client has 3 minutes for each block it
/// writes, RFC 5321 §4.5.3.2.5).
pub const CONTENT_TIMEOUT: Duration = Duration::from_mins(5);

/// How long the whole content of one message may take.
pub const CONTENT_TOTAL_TIMEOUT: Duration = Duration::from_mins(60);

/// How long a refused client may stay to say QUIT (RFC 5321 §3.1).
pub const REJECTED_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a peer that was told 421 may take to read it.
pub const CLOSING_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a session may last in all.
pub const SESSION_TIMEOUT: Duration = Duration::from_hours(24);

/// How long an open transaction may go on after shutdown was asked for.
pub const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the client waits for the greeting (RFC 5321 §4.5.3.2.1: 5 minutes).
pub const GREETING_TIMEOUT: Duration = Duration::from_mins(5);

/// How long the client waits for the reply to HELO or EHLO; the RFC has no figure of its own.
pub const HELLO_TIMEOUT: Duration = Duration::from_mins(5);

/// How long the client waits for the reply to ETRN, ATRN and TURN (RFC 2645 §5.2.1: at least 10 minutes).
pub const REQUEST_TIMEOUT: Duration = Duration::from_mins(10);

/// How long the client waits for the reply to MAIL (RFC 5321 §4.5.3.2.2: 5 minutes).
pub const MAIL_TIMEOUT: Duration = Duration::from_mins(5);

/// How long the client waits for the reply to RCPT (RFC 5321 §4.5.3.2.3: 5 minutes).
pub const RECIPIENT_TIMEOUT: Duration = Duration::from_mins(5);

/// How long the client waits for the reply to DATA (RFC 5321 §4.5.3.2.4: 2 minutes).
pub const DATA_TIMEOUT: Duration = Duration::from_mins(2);

/// How long a block of content may take to be written (RFC 5321 §4.5.3.2.5: 3 minutes).
pub const CONTENT_BLOCK_TIMEOUT: Duration = Duration::from_mins(3);

/// How long the client waits for the reply to the final dot (RFC 5321 §4.5.3.2.6: 10 minutes).
pub const END_OF_DATA_TIMEOUT: Duration = Duration::from_mins(10);

/// How long the client waits for the reply to QUIT; nothing depends on it.
pub const QUIT_TIMEOUT: Duration = Duration::from_secs(10);

/// Commands sent without waiting for their replies. The replies to so many fit into any TCP window,
/// so that neither end waits for the other to read (RFC 2920 §3.1).
pub const PIPELINED_COMMANDS_MAX: usize = 64;

/// Chunks sent without waiting for their replies: enough to keep a long way busy, few enough that a refusal
/// is heard before much has gone in vain.
pub const PIPELINED_CHUNKS_MAX: usize = 16;
