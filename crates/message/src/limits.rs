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
