//! What a sender may ask about notifications (RFC 3461, RFC 6533): the values of NOTIFY, RET, ENVID and
//! ORCPT. They travel with a message through every host and through the queue, so they are kept as they
//! came, letter for letter (RFC 3461 §5.2.1), and decoded only where a report shows them.

use std::{fmt, str::FromStr};

/// Characters of ENVID (RFC 3461 §5.4: at least 100).
pub const ENVELOPE_ID_OCTETS_MAX: usize = 100;

/// Octets of ORCPT (RFC 3461 §5.4: at least 500 characters).
pub const ORIGINAL_RECIPIENT_OCTETS_MAX: usize = 500;

/// The value is not what the RFC allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a value of a notification parameter")]
pub struct NotificationError;

/// NOTIFY (RFC 3461 §4.1): of what the sender wants to hear. None of the three is `NEVER`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Notify {
    /// Of delivery.
    pub success: bool,
    /// Of failure.
    pub failure: bool,
    /// Of delay.
    pub delay: bool,
}

impl Notify {
    /// Of nothing.
    pub const NEVER: Notify = Notify { success: false, failure: false, delay: false };
}

impl fmt::Display for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [(self.success, "SUCCESS"), (self.failure, "FAILURE"), (self.delay, "DELAY")];
        let mut separator = "";
        for (_, word) in words.iter().filter(|(on, _)| *on) {
            write!(f, "{separator}{word}")?;
            separator = ",";
        }
        if separator.is_empty() { f.write_str("NEVER") } else { Ok(()) }
    }
}

impl FromStr for Notify {
    type Err = NotificationError;
    /// `NEVER`, or some of the three, each once (RFC 3461 §4.1).
    fn from_str(text: &str) -> Result<Self, NotificationError> {
        if text.eq_ignore_ascii_case("NEVER") {
            return Ok(Notify::NEVER);
        }
        let mut notify = Notify::NEVER;
        for word in text.split(',') {
            let slot = match word {
                _ if word.eq_ignore_ascii_case("SUCCESS") => &mut notify.success,
                _ if word.eq_ignore_ascii_case("FAILURE") => &mut notify.failure,
                _ if word.eq_ignore_ascii_case("DELAY") => &mut notify.delay,
                _ => return Err(NotificationError),
            };
            if std::mem::replace(slot, true) {
                return Err(NotificationError);
            }
        }
        Ok(notify)
    }
}

/// RET (RFC 3461 §4.3): what of the message goes back with a report of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReturnedPart {
    /// All of it.
    Full,
    /// Its header section.
    Headers,
}

impl fmt::Display for ReturnedPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ReturnedPart::Full => "FULL",
            ReturnedPart::Headers => "HDRS",
        })
    }
}

impl FromStr for ReturnedPart {
    type Err = NotificationError;
    fn from_str(text: &str) -> Result<Self, NotificationError> {
        match text {
            _ if text.eq_ignore_ascii_case("FULL") => Ok(ReturnedPart::Full),
            _ if text.eq_ignore_ascii_case("HDRS") => Ok(ReturnedPart::Headers),
            _ => Err(NotificationError),
        }
    }
}

/// ENVID (RFC 3461 §4.4): the sender's name for the envelope, in xtext as it came.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EnvelopeId(Box<str>);

impl EnvelopeId {
    /// Encodes a text (printable ASCII).
    pub fn encode(text: &str) -> Result<Self, NotificationError> {
        encode_xtext(text).parse()
    }

    /// As it was before it was encoded.
    pub fn decoded(&self) -> String {
        decode_xtext(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for EnvelopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for EnvelopeId {
    type Err = NotificationError;
    fn from_str(text: &str) -> Result<Self, NotificationError> {
        let fits = !text.is_empty() && text.len() <= ENVELOPE_ID_OCTETS_MAX;
        if !fits || decode_xtext(text).is_none() {
            return Err(NotificationError);
        }
        Ok(EnvelopeId(text.into()))
    }
}

/// ORCPT (RFC 3461 §4.2, RFC 6533 §3): the recipient as the sender knew it, as it came.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OriginalRecipient {
    /// `type;address`, encoded.
    text: Box<str>,
}

impl OriginalRecipient {
    /// An Internet address, encoded: `rfc822`, or `utf-8` where it is not ASCII.
    pub fn encode(address: &str) -> Result<Self, NotificationError> {
        if address.is_ascii() {
            return format!("rfc822;{}", encode_xtext(address)).parse();
        }
        let mut text = String::from("utf-8;");
        for c in address.chars() {
            push_unitext(&mut text, c);
        }
        text.parse()
    }

    /// The address type: `rfc822`, `utf-8`, or another that is registered.
    pub fn kind(&self) -> &str {
        self.parts().0
    }

    /// The address, decoded.
    pub fn address(&self) -> String {
        let (kind, address) = self.parts();
        decode_address(kind, address).unwrap_or_default()
    }

    /// Whether it may go to a host only with SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.text.is_ascii()
    }

    /// The same address in ASCII (RFC 6533 §3: utf-8-addr-xtext), for hosts without SMTPUTF8.
    #[must_use]
    pub fn to_ascii(&self) -> Self {
        let mut text = String::with_capacity(self.text.len());
        for c in self.text.chars() {
            if c.is_ascii() {
                text.push(c);
            } else {
                text.push_str(&format!("\\x{{{:X}}}", u32::from(c)));
            }
        }
        OriginalRecipient { text: text.into() }
    }

    fn parts(&self) -> (&str, &str) {
        self.text.split_once(';').unwrap_or(("", &self.text))
    }
}

impl fmt::Display for OriginalRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for OriginalRecipient {
    type Err = NotificationError;
    fn from_str(text: &str) -> Result<Self, NotificationError> {
        let (kind, address) = text.split_once(';').ok_or(NotificationError)?;
        let is_atom = |octet: u8| octet.is_ascii_alphanumeric() || b"!#$%&'*/?^_`{|}~-".contains(&octet);
        let kind_fits = !kind.is_empty() && kind.bytes().all(is_atom);
        let length_fits = !address.is_empty() && text.len() <= ORIGINAL_RECIPIENT_OCTETS_MAX;
        if !kind_fits || !length_fits || decode_address(kind, address).is_none() {
            return Err(NotificationError);
        }
        Ok(OriginalRecipient { text: text.into() })
    }
}

/// RFC 3461 §4: everything but `+`, `=`, space and controls stands for itself.
fn encode_xtext(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b'+' | b'=' => encoded.push_str(&format!("+{octet:02X}")),
            b'!'..=b'~' => encoded.push(char::from(octet)),
            _ => encoded.push_str(&format!("+{octet:02X}")),
        }
    }
    encoded
}

/// `None` unless it is xtext for printable ASCII. A line break let through here would stand in a
/// report's fields.
fn decode_xtext(text: &str) -> Option<String> {
    let mut decoded = String::with_capacity(text.len());
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        let octet = match octet {
            b'+' => hexadecimal(octets.next()?)? << 4 | hexadecimal(octets.next()?)?,
            b'=' => return None,
            b'!'..=b'~' => octet,
            _ => return None,
        };
        if !(b' '..=b'~').contains(&octet) {
            return None;
        }
        decoded.push(char::from(octet));
    }
    Some(decoded)
}

/// RFC 3461 §4: upper-case digits.
fn hexadecimal(octet: u8) -> Option<u8> {
    match octet {
        b'0'..=b'9' => Some(octet - b'0'),
        b'A'..=b'F' => Some(octet - b'A' + 10),
        _ => None,
    }
}

fn decode_address(kind: &str, address: &str) -> Option<String> {
    if !kind.eq_ignore_ascii_case("utf-8") {
        return decode_xtext(address);
    }
    let mut decoded = String::with_capacity(address.len());
    let mut rest = address;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            // RFC 6533 §3: EmbeddedUnicodeChar. Nobody needs it for a control character.
            '\\' => {
                let (digits, after) = rest.strip_prefix("x{")?.split_once('}')?;
                let is_short =
                    (2..=6).contains(&digits.len()) && digits.bytes().all(|d| hexadecimal(d).is_some());
                let value = if is_short { u32::from_str_radix(digits, 16).ok()? } else { return None };
                decoded.push(char::from_u32(value).filter(|c| !c.is_control())?);
                rest = after;
            }
            '+' => {
                let (digits, after) = rest.split_at_checked(2)?;
                let mut digits = digits.bytes();
                let octet = hexadecimal(digits.next()?)? << 4 | hexadecimal(digits.next()?)?;
                decoded.push(Some(octet).filter(|octet| (b' '..=b'~').contains(octet)).map(char::from)?);
                rest = after;
            }
            '=' | ' ' => return None,
            _ if c.is_control() => return None,
            _ => decoded.push(c),
        }
    }
    Some(decoded)
}

/// RFC 6533 §3: what cannot stand for itself in utf-8-addr-unitext.
fn push_unitext(text: &mut String, c: char) {
    if matches!(c, '+' | '=' | '\\' | ' ') || c.is_control() {
        text.push_str(&format!("\\x{{{:02X}}}", u32::from(c)));
    } else {
        text.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn notify() {
        let cases = [
            ("never", Some("NEVER")),
            ("success", Some("SUCCESS")),
            ("Delay,FAILURE", Some("FAILURE,DELAY")),
            ("SUCCESS,DELAY,FAILURE", Some("SUCCESS,FAILURE,DELAY")),
            ("", None),
            ("NEVER,SUCCESS", None),
            ("SUCCESS,SUCCESS", None),
            ("SUCCESS,", None),
        ];
        for (text, expected) in cases {
            let found = text.parse::<Notify>().ok().map(|notify| notify.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn envelope_ids() {
        // Text, decoded.
        let cases = [
            ("QQ314159", Some("QQ314159")),
            ("a+2Bb+3D+20c", Some("a+b= c")),
            ("", None),
            ("a=b", None),
            ("a+2bb", None),
            ("a+2", None),
            ("a+0D+0Ab", None),
            ("ä", None),
        ];
        for (text, expected) in cases {
            let found = text.parse::<EnvelopeId>().ok().map(|id| id.decoded());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
        assert!("x".repeat(ENVELOPE_ID_OCTETS_MAX).parse::<EnvelopeId>().is_ok());
        assert!("x".repeat(ENVELOPE_ID_OCTETS_MAX + 1).parse::<EnvelopeId>().is_err());
    }

    #[test]
    fn original_recipients() {
        // Text, type, address.
        let cases = [
            ("rfc822;Bob@Example.COM", Some(("rfc822", "Bob@Example.COM"))),
            ("rfc822;a+2Bb@x.example", Some(("rfc822", "a+b@x.example"))),
            ("utf-8;jörg@x.example", Some(("utf-8", "jörg@x.example"))),
            (r"utf-8;j\x{F6}rg@x.example", Some(("utf-8", "jörg@x.example"))),
            ("x400;/c=x/", None),
            ("rfc822;jörg@x.example", None),
            ("rfc822", None),
            (";a@b", None),
            ("rfc822;", None),
            (r"utf-8;a\x{0D}", None),
            ("rfc822;a+0D+0ASubject:+20x", None),
        ];
        for (text, expected) in cases {
            let found = text.parse::<OriginalRecipient>().ok();
            let found = found.as_ref().map(|found| (found.kind().to_owned(), found.address()));
            let found = found.as_ref().map(|(kind, address)| (kind.as_str(), address.as_str()));
            assert_eq!(found, expected, "{text}");
        }
        let original: OriginalRecipient = "utf-8;jörg@x.example".parse().unwrap();
        assert_eq!(original.to_ascii().to_string(), r"utf-8;j\x{F6}rg@x.example");
        assert_eq!(original.to_ascii().address(), original.address());
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(text in "[ -~]{1,30}", address in "[ -~äö\u{1F600}]{1,30}") {
            prop_assert_eq!(EnvelopeId::encode(&text).unwrap().decoded(), text);
            let original = OriginalRecipient::encode(&address).unwrap();
            prop_assert_eq!(original.address(), address.clone());
            prop_assert_eq!(original.to_ascii().address(), address);
        }

        #[test]
        fn whatever_is_read_is_printed_alike_and_has_no_controls(text in "[!-~ä\\\\{}x0-9A-F+;]{0,40}") {
            if let Ok(id) = text.parse::<EnvelopeId>() {
                prop_assert_eq!(id.to_string(), text.clone());
                prop_assert!(!id.decoded().chars().any(char::is_control));
            }
            if let Ok(original) = text.parse::<OriginalRecipient>() {
                prop_assert_eq!(original.to_string(), text);
                prop_assert!(!original.address().chars().any(char::is_control));
            }
        }
    }
}
