//! What may follow the path in MAIL and RCPT (RFC 5321 §4.1.1.11).

use std::fmt;

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

/// Why parameters are not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ParameterError {
    /// Neither known nor offered: 555.
    Unknown,
    /// Known, but malformed or given twice: 501.
    Malformed,
}

impl MailParameters {
    /// Reads what follows the path.
    pub(crate) fn parse(text: &str) -> Result<Self, ParameterError> {
        let mut parameters = MailParameters::default();
        let mut body_seen = false;
        for (keyword, value) in split(text) {
            if keyword.eq_ignore_ascii_case("SIZE") {
                let size_octets = parse_size(value.ok_or(ParameterError::Malformed)?)?;
                if parameters.size_octets.replace(size_octets).is_some() {
                    return Err(ParameterError::Malformed);
                }
            } else if keyword.eq_ignore_ascii_case("BODY") {
                if std::mem::replace(&mut body_seen, true) {
                    return Err(ParameterError::Malformed);
                }
                parameters.body_8bit = match value.ok_or(ParameterError::Malformed)? {
                    body if body.eq_ignore_ascii_case("8BITMIME") => true,
                    body if body.eq_ignore_ascii_case("7BIT") => false,
                    // BINARYMIME (RFC 3030) is a known value, but not offered.
                    _ => return Err(ParameterError::Unknown),
                };
            } else if keyword.eq_ignore_ascii_case("SMTPUTF8") {
                // RFC 6531 §3.1: the parameter takes no value.
                if value.is_some() || std::mem::replace(&mut parameters.smtputf8, true) {
                    return Err(ParameterError::Malformed);
                }
            } else {
                return Err(ParameterError::Unknown);
            }
        }
        Ok(parameters)
    }
}

impl RecipientParameters {
    /// Reads what follows the path.
    pub(crate) fn parse(text: &str) -> Result<Self, ParameterError> {
        match split(text).next() {
            None => Ok(RecipientParameters {}),
            Some(_) => Err(ParameterError::Unknown),
        }
    }
}

/// `keyword[=value]`, separated by spaces.
fn split(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    text.split([' ', '\t']).filter(|word| !word.is_empty()).map(|word| match word.split_once('=') {
        Some((keyword, value)) => (keyword, Some(value)),
        None => (word, None),
    })
}

/// RFC 1870 §3: 1 to 20 digits. What exceeds 64 bits is too large for anybody, so it may count as the
/// largest number there is.
fn parse_size(text: &str) -> Result<u64, ParameterError> {
    if text.is_empty() || text.len() > 20 || !text.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(ParameterError::Malformed);
    }
    Ok(text.parse().unwrap_or(u64::MAX))
}

impl fmt::Display for MailParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(size_octets) = self.size_octets {
            write!(f, " SIZE={size_octets}")?;
        }
        if self.body_8bit {
            f.write_str(" BODY=8BITMIME")?;
        }
        if self.smtputf8 {
            f.write_str(" SMTPUTF8")?;
        }
        Ok(())
    }
}

impl fmt::Display for RecipientParameters {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}
