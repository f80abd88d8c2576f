//! Local-part and host together.

use crate::{AddressError, AddressLiteral, Domain, LocalPart, PATH_OCTETS_MAX, serde_as_text};
use std::{fmt, str::FromStr};

/// What stands right of the `@`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Host {
    /// A domain name.
    Domain(Domain),
    /// An address literal.
    Literal(AddressLiteral),
}

impl Host {
    /// Reads either form.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        match text.as_bytes().first() {
            None => Err(AddressError::DomainMissing),
            Some(b'[') => AddressLiteral::parse(text).map(Host::Literal),
            Some(_) => Domain::parse(text).map(Host::Domain),
        }
    }

    /// As text without U-labels.
    pub fn to_ascii(&self) -> String {
        match self {
            Host::Domain(domain) => domain.to_ascii().to_owned(),
            Host::Literal(literal) => literal.to_string(),
        }
    }

    /// The domain, if it is one.
    pub fn domain(&self) -> Option<&Domain> {
        match self {
            Host::Domain(domain) => Some(domain),
            Host::Literal(_) => None,
        }
    }
}

impl From<Domain> for Host {
    fn from(domain: Domain) -> Self {
        Host::Domain(domain)
    }
}
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Domain(domain) => domain.fmt(f),
            Host::Literal(literal) => literal.fmt(f),
        }
    }
}
impl FromStr for Host {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        Host::parse(text)
    }
}
serde_as_text!(Host);

/// `local-part@host` (RFC 5321 §4.1.2 `Mailbox`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mailbox {
    local_part: LocalPart,
    host: Host,
}

impl Mailbox {
    /// Joins the two.
    pub fn new(local_part: LocalPart, host: impl Into<Host>) -> Self {
        Mailbox { local_part, host: host.into() }
    }

    /// Reads `local-part@host`.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        // The last `@` divides: one inside quotes always has the real one after it.
        let (local_part, host) = text.rsplit_once('@').ok_or(AddressError::DomainMissing)?;
        let mailbox = Mailbox { local_part: LocalPart::parse(local_part)?, host: Host::parse(host)? };
        mailbox.check_length(text.len())?;
        Ok(mailbox)
    }

    /// It must fit into a path with its angle brackets (RFC 5321 §4.5.3.1.3), with U-labels as with
    /// A-labels.
    fn check_length(&self, text_octets: usize) -> Result<(), AddressError> {
        let mailbox_octets_max = PATH_OCTETS_MAX - "<>".len();
        let octets = |host_octets: usize| self.local_part.to_string().len() + "@".len() + host_octets;
        let has_u_labels = self.domain().is_some_and(|domain| !domain.is_ascii());
        // Printing quotes no more than was quoted, so that a short text stays short. But beside a U-label
        // A-labels are printed as U-labels, which may have more octets than they.
        let may_be_too_long = has_u_labels || text_octets > mailbox_octets_max;
        let too_long = may_be_too_long && octets(self.host.to_string().len()) > mailbox_octets_max;
        if too_long || has_u_labels && octets(self.host.to_ascii().len()) > mailbox_octets_max {
            return Err(AddressError::PathTooLong);
        }
        Ok(())
    }

    /// Left of the `@`.
    pub fn local_part(&self) -> &LocalPart {
        &self.local_part
    }

    /// Right of the `@`.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The domain, unless the host is an address literal.
    pub fn domain(&self) -> Option<&Domain> {
        self.host.domain()
    }

    /// Whether it can be sent without SMTPUTF8 as it stands.
    pub fn is_ascii(&self) -> bool {
        self.local_part.is_ascii() && self.domain().is_none_or(Domain::is_ascii)
    }

    /// The same with A-labels in its domain, if its local-part lets it be sent without SMTPUTF8.
    pub fn to_ascii(&self) -> Option<Mailbox> {
        let host = match &self.host {
            Host::Domain(domain) => Host::Domain(domain.with_a_labels()),
            Host::Literal(literal) => Host::Literal(*literal),
        };
        self.local_part.is_ascii().then(|| Mailbox { local_part: self.local_part.clone(), host })
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local_part, self.host)
    }
}
impl FromStr for Mailbox {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        Mailbox::parse(text)
    }
}
serde_as_text!(Mailbox);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn mailboxes() {
        let cases = [
            ("bob@South.Example", Ok("bob@south.example")),
            ("\"a@b\"@x.example", Ok("\"a@b\"@x.example")),
            ("bob@[192.0.2.1]", Ok("bob@[192.0.2.1]")),
            ("jörg@müller.example", Ok("jörg@müller.example")),
            ("bob", Err(AddressError::DomainMissing)),
            ("bob@", Err(AddressError::DomainMissing)),
            ("@x.example", Err(AddressError::LocalPart)),
            ("a@b@x.example", Err(AddressError::LocalPart)),
            ("bob@x.example ", Err(AddressError::Domain)),
            ("bob@[x]", Err(AddressError::Literal)),
            ("", Err(AddressError::DomainMissing)),
        ];
        for (text, expected) in cases {
            let got = Mailbox::parse(text).map(|mailbox| mailbox.to_string());
            assert_eq!(got.as_deref().map_err(|error| *error), expected, "{text}");
        }
    }

    #[test]
    fn a_mailbox_fits_into_a_path() {
        let domain = |octets: usize| format!("{}x", "x.".repeat((octets - 1) / 2));
        let local_part = "x".repeat(64);
        assert!(Mailbox::parse(&format!("{local_part}@{}", domain(189))).is_ok());
        let too_long = Mailbox::parse(&format!("{local_part}@{}", domain(191)));
        assert_eq!(too_long, Err(AddressError::PathTooLong));
    }

    /// What is kept as printed must be read again: found by fuzzing.
    #[test]
    fn a_labels_that_print_longer_than_they_are() {
        let mailbox = |labels| format!("bob@ö.{}example", "xn--elsrlcrmsptonetrth.".repeat(labels));
        let printed = Mailbox::parse(&mailbox(4)).expect("a mailbox").to_string();
        assert!(mailbox(4).len() < printed.len());
        assert!(Mailbox::parse(&printed).is_ok());
        assert!(mailbox(8).len() < PATH_OCTETS_MAX - 2);
        assert_eq!(Mailbox::parse(&mailbox(8)), Err(AddressError::PathTooLong));
    }

    #[test]
    fn without_smtputf8() {
        let ascii = |text: &str| Mailbox::parse(text).expect("a mailbox").to_ascii().map(|it| it.to_string());
        assert_eq!(ascii("joerg@müller.example").as_deref(), Some("joerg@xn--mller-kva.example"));
        assert_eq!(ascii("bob@[192.0.2.1]").as_deref(), Some("bob@[192.0.2.1]"));
        assert_eq!(ascii("jörg@x.example"), None);
        let mailbox = Mailbox::parse("joerg@müller.example").expect("a mailbox");
        assert_eq!(mailbox.to_ascii().as_ref(), Some(&mailbox), "the same mailbox, written differently");
    }

    #[test]
    fn as_json() {
        let mailbox = Mailbox::parse("\"a b\"@müller.example").expect("a mailbox");
        let json = serde_json::to_string(&mailbox).expect("JSON");
        assert_eq!(json, r#""\"a b\"@müller.example""#);
        assert_eq!(serde_json::from_str::<Mailbox>(&json).expect("a mailbox"), mailbox);
        assert!(serde_json::from_str::<Mailbox>("\"nobody\"").is_err());
    }

    proptest! {
        #[test]
        fn printed_and_read_again(text in r#"[a-z"\\ .äλ@<>]{0,12}@([a-zü.-]{1,12}|\[[0-9.:IPv]{1,12}\])"#) {
            if let Ok(mailbox) = Mailbox::parse(&text) {
                let printed = mailbox.to_string();
                prop_assert_eq!(Mailbox::parse(&printed), Ok(mailbox), "{}", printed);
            }
        }

        #[test]
        fn any_text_is_read_without_panic(text in ".{0,80}") {
            let _ = Mailbox::parse(&text);
        }
    }
}
