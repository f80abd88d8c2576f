//! What may follow the path in MAIL and RCPT (RFC 5321 §4.1.1.11).

/// Parameters of MAIL (RFC 5321 §4.1.1.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MailParameters {
    /// `SIZE=` (RFC 1870), in octets.
    pub size_octets: Option<u64>,
    /// `BODY=8BITMIME` (RFC 6152).
    pub body_8bit: bool,
    /// `SMTPUTF8` (RFC 6531).
    pub smtputf8: bool,
}

/// Parameters of RCPT; none yet (DSN comes later).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecipientParameters {}
