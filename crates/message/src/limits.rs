//! The bounds of this crate, each with what the RFC asks for beside it.

/// Octets of a line, CRLF not counted, that must not be exceeded (RFC 5322 §2.1.1).
pub const LINE_OCTETS_MAX: usize = 998;
/// Octets of a line, CRLF not counted, that should not be exceeded (RFC 5322 §2.1.1).
pub const LINE_OCTETS_WANTED: usize = 78;
/// Octets of a header line that carries encoded words (RFC 2047 §2).
pub const ENCODED_LINE_OCTETS_MAX: usize = 76;
/// Octets of one encoded word, delimiters included (RFC 2047 §2).
pub const ENCODED_WORD_OCTETS_MAX: usize = 75;
/// Octets of a line of a quoted-printable or base64 body (RFC 2045 §6.7, §6.8).
pub const BODY_ENCODED_LINE_OCTETS_MAX: usize = 76;
/// Octets of a header field name that we write (RFC 5322 sets no bound but the line's).
pub const HEADER_NAME_OCTETS_MAX: usize = 76;
/// Octets of a message identifier that we write: it has to fit a line, with its angle brackets.
pub const MESSAGE_ID_OCTETS_MAX: usize = 900;
/// Octets of a boundary (RFC 2046 §5.1.1).
pub const BOUNDARY_OCTETS_MAX: usize = 70;

/// Octets of a message that are looked at; what is beyond is not part of any entity.
pub const MESSAGE_OCTETS_MAX: usize = u32::MAX as usize;
/// Entities within entities. RFC 2046 sets no bound; mail in use stays below ten.
pub const NESTING_MAX: usize = 100;
/// Messages within encoded messages, each of which has to be decoded to be read.
pub const ENCODED_NESTING_MAX: usize = 8;
/// Entities in one message.
pub const ENTITIES_MAX: usize = 10_000;
/// Header fields in one message, those of all its entities together.
pub const FIELDS_MAX: usize = 50_000;
/// Defects kept for one message.
pub const DEFECTS_MAX: usize = 1_000;
/// Addresses read from one field.
pub const ADDRESSES_MAX: usize = 10_000;
/// Parameters read from one field, continuations counted.
pub const PARAMETERS_MAX: usize = 200;
/// Comments within comments (RFC 5322 §3.2.2 sets no bound).
pub const COMMENT_NESTING_MAX: usize = 100;
