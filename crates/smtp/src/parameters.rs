//! What may follow the path in MAIL and RCPT (RFC 5321 §4.1.1.11).

use crate::limits::SUBMITTER_OCTETS_MAX;
use posta_wire::{BadTiming, DeliverBy, EnvelopeId, Hold, Notify, OriginalRecipient, Priority, ReturnedPart};
use std::{fmt, str::FromStr};

/// Parameters of MAIL (RFC 5321 §4.1.1.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MailParameters {
    /// `SIZE=` (RFC 1870), in octets.
    pub size_octets: Option<u64>,
    /// `BODY=`.
    pub body: Body,
    /// `SMTPUTF8` (RFC 6531).
    pub smtputf8: bool,
    /// `RET=` (RFC 3461 §4.3).
    pub returned: Option<ReturnedPart>,
    /// `ENVID=` (RFC 3461 §4.4).
    pub envelope_id: Option<EnvelopeId>,
    /// `AUTH=` (RFC 4954 §5).
    pub submitter: Option<Submitter>,
    /// `REQUIRETLS` (RFC 8689 §4): the message goes on inside verified TLS, or not at all.
    pub require_tls: bool,
    /// `HOLDFOR=` or `HOLDUNTIL=` (RFC 4865 §3).
    pub hold: Option<Hold>,
    /// `BY=` (RFC 2852 §4).
    pub deliver_by: Option<DeliverBy>,
    /// `MT-PRIORITY=` (RFC 6710 §5).
    pub priority: Option<Priority>,
}

/// What the octets of a content are: `BODY=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Body {
    /// `7BIT`, and what is meant where nothing is said (RFC 6152 §2).
    #[default]
    SevenBit,
    /// `8BITMIME`: lines that may hold octets over 127 (RFC 6152).
    EightBit,
    /// `BINARYMIME`: any octets, which go with BDAT only (RFC 3030 §3).
    Binary,
}

/// Parameters of RCPT (RFC 5321 §4.1.1.3).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecipientParameters {
    /// `NOTIFY=` (RFC 3461 §4.1).
    pub notify: Option<Notify>,
    /// `ORCPT=` (RFC 3461 §4.2).
    pub original: Option<OriginalRecipient>,
}

/// The value of `AUTH=` (RFC 4954 §5): who a host before us says has submitted the message. In xtext, as it
/// came, or `<>` where that is not known.
///
/// It is taken, as every server with AUTH must, and believed by nobody: what we know of a client is what
/// it has proven to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitter(Box<str>);

/// The value is neither `<>` nor xtext.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadSubmitter;

impl fmt::Display for Submitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Submitter {
    type Err = BadSubmitter;

    /// RFC 3461 §4 has xtext: what is not printable ASCII, `+` and `=` stand as `+` and two hexadecimal
    /// digits, upper-case.
    fn from_str(text: &str) -> Result<Self, BadSubmitter> {
        let upper_hex = |octet: &u8| octet.is_ascii_digit() || matches!(octet, b'A'..=b'F');
        let mut rest = text.as_bytes();
        while let [octet, tail @ ..] = rest {
            rest = match (octet, tail) {
                (b'+', [high, low, tail @ ..]) if upper_hex(high) && upper_hex(low) => tail,
                (b'+' | b'=', _) => return Err(BadSubmitter),
                (b'!'..=b'~', _) => tail,
                _ => return Err(BadSubmitter),
            };
        }
        if text.is_empty() || text.len() > SUBMITTER_OCTETS_MAX {
            return Err(BadSubmitter);
        }
        Ok(Submitter(text.into()))
    }
}

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
        let mut body = None;
        for (keyword, value) in split(text) {
            match keyword.to_ascii_uppercase().as_str() {
                "SIZE" => once(&mut parameters.size_octets, value, parse_size)?,
                "BODY" => once(&mut body, value, parse_body)?,
                // RFC 6531 §3.1: the parameter takes no value.
                "SMTPUTF8" => flag(&mut parameters.smtputf8, value)?,
                // RFC 8689 §4: nor does this one.
                "REQUIRETLS" => flag(&mut parameters.require_tls, value)?,
                "RET" => once(&mut parameters.returned, value, parsed)?,
                "ENVID" => once(&mut parameters.envelope_id, value, parsed)?,
                "AUTH" => once(&mut parameters.submitter, value, parsed)?,
                // RFC 4865 §4.2: one of the two, once.
                "HOLDFOR" => once(&mut parameters.hold, value, hold(Hold::parse_for))?,
                "HOLDUNTIL" => once(&mut parameters.hold, value, hold(Hold::parse_until))?,
                "BY" => once(&mut parameters.deliver_by, value, parsed)?,
                "MT-PRIORITY" => once(&mut parameters.priority, value, parsed)?,
                _ => return Err(ParameterError::Unknown),
            }
        }
        parameters.body = body.unwrap_or_default();
        Ok(parameters)
    }
}

impl RecipientParameters {
    /// Reads what follows the path.
    pub(crate) fn parse(text: &str) -> Result<Self, ParameterError> {
        let mut parameters = RecipientParameters::default();
        for (keyword, value) in split(text) {
            match keyword.to_ascii_uppercase().as_str() {
                "NOTIFY" => once(&mut parameters.notify, value, parsed)?,
                "ORCPT" => once(&mut parameters.original, value, parsed)?,
                _ => return Err(ParameterError::Unknown),
            }
        }
        Ok(parameters)
    }
}

/// Takes a value that must be there, and not for the second time.
fn once<T>(
    slot: &mut Option<T>,
    value: Option<&str>,
    read: impl FnOnce(&str) -> Result<T, ParameterError>,
) -> Result<(), ParameterError> {
    let value = read(value.ok_or(ParameterError::Malformed)?)?;
    if slot.replace(value).is_some() { Err(ParameterError::Malformed) } else { Ok(()) }
}

/// Takes a keyword that has no value, and does not come twice.
fn flag(slot: &mut bool, value: Option<&str>) -> Result<(), ParameterError> {
    if value.is_some() || std::mem::replace(slot, true) { Err(ParameterError::Malformed) } else { Ok(()) }
}

fn parsed<T: FromStr>(text: &str) -> Result<T, ParameterError> {
    text.parse().map_err(|_| ParameterError::Malformed)
}

fn hold(read: fn(&str) -> Result<Hold, BadTiming>) -> impl FnOnce(&str) -> Result<Hold, ParameterError> {
    move |text| read(text).map_err(|_| ParameterError::Malformed)
}

fn parse_body(text: &str) -> Result<Body, ParameterError> {
    match text {
        _ if text.eq_ignore_ascii_case("8BITMIME") => Ok(Body::EightBit),
        _ if text.eq_ignore_ascii_case("7BIT") => Ok(Body::SevenBit),
        _ if text.eq_ignore_ascii_case("BINARYMIME") => Ok(Body::Binary),
        _ => Err(ParameterError::Unknown),
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
        match self.body {
            Body::SevenBit => {}
            Body::EightBit => f.write_str(" BODY=8BITMIME")?,
            Body::Binary => f.write_str(" BODY=BINARYMIME")?,
        }
        if self.smtputf8 {
            f.write_str(" SMTPUTF8")?;
        }
        if let Some(returned) = self.returned {
            write!(f, " RET={returned}")?;
        }
        if let Some(id) = &self.envelope_id {
            write!(f, " ENVID={id}")?;
        }
        if let Some(submitter) = &self.submitter {
            write!(f, " AUTH={submitter}")?;
        }
        if let Some(hold) = self.hold {
            write!(f, " {}", hold.parameter())?;
        }
        if let Some(by) = self.deliver_by {
            write!(f, " BY={by}")?;
        }
        if let Some(priority) = self.priority {
            write!(f, " MT-PRIORITY={priority}")?;
        }
        if self.require_tls {
            f.write_str(" REQUIRETLS")?;
        }
        Ok(())
    }
}

impl fmt::Display for RecipientParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(notify) = self.notify {
            write!(f, " NOTIFY={notify}")?;
        }
        if let Some(original) = &self.original {
            write!(f, " ORCPT={original}")?;
        }
        Ok(())
    }
}
