//! Domain names as mail uses them.

use crate::{AddressError, DOMAIN_OCTETS_MAX, serde_as_text};
use std::{fmt, str::FromStr, sync::Arc};

/// A host name or mail domain (RFC 5321 §2.3.5), lower-cased; U-labels are kept as U-labels.
///
/// Equality, order and hash go by the A-label form, so `müller.example` equals
/// `xn--mller-kva.example`. A trailing dot is not part of it.
#[derive(Clone)]
pub struct Domain {
    text: Arc<str>,
    /// The A-label form where it differs from `text`.
    ascii: Option<Arc<str>>,
}

impl Domain {
    /// Reads a domain: letter-digit-hyphen labels (underscores are let through, as DNS names in
    /// use have them), or U-labels that IDNA accepts (RFC 5890, RFC 6531 §3.3).
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.len() > DOMAIN_OCTETS_MAX * 4 {
            return Err(AddressError::DomainTooLong);
        }
        if !text.is_ascii() {
            return Self::parse_international(text);
        }
        let lower = text.to_ascii_lowercase();
        check_labels(&lower)?;
        // What looks like an A-label must be one (RFC 5891 §5.4).
        if lower.split('.').any(|label| label.starts_with("xn--"))
            && !idna::domain_to_ascii_strict(&lower).is_ok_and(|ascii| ascii == lower)
        {
            return Err(AddressError::Domain);
        }
        Ok(Domain { text: lower.into(), ascii: None })
    }

    fn parse_international(text: &str) -> Result<Self, AddressError> {
        let ascii = idna::domain_to_ascii_strict(text).map_err(|_| AddressError::Domain)?;
        check_labels(&ascii)?;
        // Back again, so that what is kept is in the form that IDNA makes of it: lower case,
        // normalized, no full-width letters or dots.
        let (unicode, valid) = idna::domain_to_unicode(&ascii);
        valid.map_err(|_| AddressError::Domain)?;
        if unicode.is_ascii() {
            return Ok(Domain { text: ascii.into(), ascii: None });
        }
        Ok(Domain { text: unicode.into(), ascii: Some(ascii.into()) })
    }

    /// The domain as given, lower-cased and normalized.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The A-label form, for the DNS and for hosts without SMTPUTF8.
    pub fn to_ascii(&self) -> &str {
        self.ascii.as_deref().unwrap_or(&self.text)
    }

    /// The same domain, written with A-labels.
    pub fn with_a_labels(&self) -> Domain {
        match &self.ascii {
            Some(ascii) => Domain { text: ascii.clone(), ascii: None },
            None => self.clone(),
        }
    }

    /// Whether it is written without U-labels.
    pub fn is_ascii(&self) -> bool {
        self.ascii.is_none() && self.text.is_ascii()
    }
}

/// RFC 1034 §3.5, RFC 1123 §2.1: labels of 1 to 63 octets that neither begin nor end with a hyphen.
fn check_labels(ascii: &str) -> Result<(), AddressError> {
    if ascii.len() > DOMAIN_OCTETS_MAX {
        return Err(AddressError::DomainTooLong);
    }
    for label in ascii.split('.') {
        let octets = label.as_bytes();
        let hyphen_at_end = octets.first() == Some(&b'-') || octets.last() == Some(&b'-');
        let allowed = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
        if octets.is_empty() || octets.len() > 63 || hyphen_at_end || !octets.iter().all(allowed) {
            return Err(AddressError::Domain);
        }
    }
    Ok(())
}

impl PartialEq for Domain {
    fn eq(&self, other: &Self) -> bool {
        self.to_ascii() == other.to_ascii()
    }
}
impl Eq for Domain {}
impl std::hash::Hash for Domain {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.to_ascii().hash(state);
    }
}
impl PartialOrd for Domain {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Domain {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.to_ascii().cmp(other.to_ascii())
    }
}
impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Domain({})", self.text)
    }
}
impl FromStr for Domain {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        Domain::parse(text)
    }
}
serde_as_text!(Domain);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn domains() {
        let label = "x".repeat(63);
        let longest = format!("{label}.{label}.{label}.{}", "x".repeat(61));
        // The text, how it is printed, and its A-label form.
        let cases = [
            ("Example.ORG", "example.org", "example.org"),
            ("localhost", "localhost", "localhost"),
            ("_dmarc.x.example", "_dmarc.x.example", "_dmarc.x.example"),
            ("3com.123", "3com.123", "3com.123"),
            ("r3---sn.example", "r3---sn.example", "r3---sn.example"),
            ("MÜLLER.example", "müller.example", "xn--mller-kva.example"),
            ("xn--mller-kva.example", "xn--mller-kva.example", "xn--mller-kva.example"),
            ("straße.example", "straße.example", "xn--strae-oqa.example"),
            ("ｅｘ．example", "ex.example", "ex.example"),
            ("郵件.商務", "郵件.商務", "xn--5nqv22n.xn--lhr59c"),
            (longest.as_str(), longest.as_str(), longest.as_str()),
        ];
        for (text, printed, ascii) in cases {
            let domain = Domain::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((domain.as_str(), domain.to_ascii()), (printed, ascii));
            assert_eq!(domain.is_ascii(), printed.is_ascii());
            assert_eq!(domain.with_a_labels().as_str(), ascii);
        }
    }

    #[test]
    fn no_domains() {
        let long_label = "x".repeat(64);
        let too_long = format!("{}example", "xxxxxxx.".repeat(31));
        let cases = [
            "",
            ".",
            "x.",
            ".x",
            "x..y",
            "-x",
            "x-",
            "x.-y.z",
            "x y",
            "x!",
            "x/y",
            "a@b",
            "[1.2.3.4]",
            "xn---",
            "xn--0.example",
            "xn--",
            "\u{7f}.example",
            "x\n",
            "．x",
            "－x",
            "⒈x.example",
            "x\u{202e}y.example",
            "\u{300}x.example",
            &long_label,
            &too_long,
        ];
        for text in cases {
            assert!(Domain::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn both_forms_are_equal() {
        let unicode = Domain::parse("Müller.example").expect("a domain");
        let ascii = Domain::parse("XN--mller-kva.example").expect("a domain");
        assert_eq!(unicode, ascii);
        assert_eq!(std::collections::HashSet::from([unicode, ascii]).len(), 1);
    }

    proptest! {
        #[test]
        fn printed_and_read_again(text in "[a-zA-Z0-9_.ü郵ß\u{1f600}．-]{1,20}") {
            if let Ok(domain) = Domain::parse(&text) {
                let again = Domain::parse(domain.as_str()).expect("what is printed reads");
                prop_assert_eq!(again.as_str(), domain.as_str());
                let ascii = Domain::parse(domain.to_ascii()).expect("so does the other form");
                prop_assert_eq!(ascii, domain);
            }
        }

        #[test]
        fn any_text_is_read_without_panic(text in ".{0,80}") {
            let _ = Domain::parse(&text);
        }
    }
}
