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
        let lower: Arc<str> =
            if text.is_ascii() { text.to_ascii_lowercase().into() } else { text.to_lowercase().into() };
        let needs_idna = !lower.is_ascii() || lower.split('.').any(|label| label.starts_with("xn--"));
        let converted = if needs_idna {
            let ascii = idna::domain_to_ascii_strict(&lower).map_err(|_| AddressError::Domain)?;
            Some(Arc::<str>::from(ascii))
        } else {
            None
        };
        let ascii = converted.filter(|ascii| **ascii != *lower);
        check_labels(ascii.as_deref().unwrap_or(&lower))?;
        Ok(Domain { text: lower, ascii })
    }

    /// The domain as given, lower-cased.
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
