//! Reverse-path and forward-path: what MAIL and RCPT carry (RFC 5321 §4.1.1.2, §4.1.1.3).

use crate::{AddressError, Domain, Mailbox, PATH_OCTETS_MAX, serde_as_text};
use std::{fmt, str::FromStr};

/// Where failures are reported to; null for reports themselves (RFC 5321 §4.5.5).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReversePath {
    /// `<>`
    Null,
    /// `<mailbox>`
    Mailbox(Mailbox),
}

impl ReversePath {
    /// Reads a path with its angle brackets; a source route is read and dropped (RFC 5321 §4.1.1.3,
    /// Appendix C).
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        match bracketed(text)? {
            "" => Ok(ReversePath::Null),
            inner => Mailbox::parse(strip_route(inner)?).map(ReversePath::Mailbox),
        }
    }

    /// The mailbox, unless null.
    pub fn mailbox(&self) -> Option<&Mailbox> {
        match self {
            ReversePath::Null => None,
            ReversePath::Mailbox(mailbox) => Some(mailbox),
        }
    }

    /// Whether it can be sent without SMTPUTF8 as it stands.
    pub fn is_ascii(&self) -> bool {
        self.mailbox().is_none_or(Mailbox::is_ascii)
    }

    /// The same with A-labels, if its local-part lets it be sent without SMTPUTF8.
    pub fn to_ascii(&self) -> Option<ReversePath> {
        match self {
            ReversePath::Null => Some(ReversePath::Null),
            ReversePath::Mailbox(mailbox) => mailbox.to_ascii().map(ReversePath::Mailbox),
        }
    }
}

/// Where a message goes (RFC 5321 §4.1.1.3).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ForwardPath {
    /// `<postmaster>` without a domain: whoever runs this host (RFC 5321 §4.5.1).
    Postmaster,
    /// `<mailbox>`
    Mailbox(Mailbox),
}

impl ForwardPath {
    /// Reads a path with its angle brackets; a source route is read and dropped.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let inner = bracketed(text)?;
        if inner.eq_ignore_ascii_case("postmaster") {
            return Ok(ForwardPath::Postmaster);
        }
        Mailbox::parse(strip_route(inner)?).map(ForwardPath::Mailbox)
    }

    /// The mailbox, unless it is the bare postmaster.
    pub fn mailbox(&self) -> Option<&Mailbox> {
        match self {
            ForwardPath::Postmaster => None,
            ForwardPath::Mailbox(mailbox) => Some(mailbox),
        }
    }

    /// Whether it can be sent without SMTPUTF8 as it stands.
    pub fn is_ascii(&self) -> bool {
        self.mailbox().is_none_or(Mailbox::is_ascii)
    }

    /// The same with A-labels, if its local-part lets it be sent without SMTPUTF8.
    pub fn to_ascii(&self) -> Option<ForwardPath> {
        match self {
            ForwardPath::Postmaster => Some(ForwardPath::Postmaster),
            ForwardPath::Mailbox(mailbox) => mailbox.to_ascii().map(ForwardPath::Mailbox),
        }
    }
}

fn bracketed(text: &str) -> Result<&str, AddressError> {
    if text.len() > PATH_OCTETS_MAX * 2 {
        return Err(AddressError::PathTooLong);
    }
    text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).ok_or(AddressError::Path)
}

/// `@a,@b:mailbox` → `mailbox`: routes MUST be accepted and SHOULD be ignored (RFC 5321 §4.1.1.3).
fn strip_route(inner: &str) -> Result<&str, AddressError> {
    if !inner.starts_with('@') {
        return Ok(inner);
    }
    let (route, mailbox) = inner.split_once(':').ok_or(AddressError::Path)?;
    for hop in route.split(',') {
        Domain::parse(hop.strip_prefix('@').ok_or(AddressError::Path)?).map_err(|_| AddressError::Path)?;
    }
    Ok(mailbox)
}

impl fmt::Display for ReversePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReversePath::Null => f.write_str("<>"),
            ReversePath::Mailbox(mailbox) => write!(f, "<{mailbox}>"),
        }
    }
}
impl fmt::Display for ForwardPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ForwardPath::Postmaster => f.write_str("<postmaster>"),
            ForwardPath::Mailbox(mailbox) => write!(f, "<{mailbox}>"),
        }
    }
}
impl From<Mailbox> for ReversePath {
    fn from(mailbox: Mailbox) -> Self {
        ReversePath::Mailbox(mailbox)
    }
}
impl From<Mailbox> for ForwardPath {
    fn from(mailbox: Mailbox) -> Self {
        ForwardPath::Mailbox(mailbox)
    }
}
impl FromStr for ReversePath {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        ReversePath::parse(text)
    }
}
impl FromStr for ForwardPath {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        ForwardPath::parse(text)
    }
}
serde_as_text!(ReversePath);
serde_as_text!(ForwardPath);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reverse_paths() {
        let cases = [
            ("<>", Ok("<>")),
            ("<a@x.example>", Ok("<a@x.example>")),
            ("<@r.example:a@x.example>", Ok("<a@x.example>")),
            ("<@r.example,@s.example:\"a:b\"@x.example>", Ok("<\"a:b\"@x.example>")),
            ("a@x.example", Err(AddressError::Path)),
            ("<a@x.example", Err(AddressError::Path)),
            ("< a@x.example>", Err(AddressError::LocalPart)),
            ("<@r.example>", Err(AddressError::Path)),
            ("<@:a@x.example>", Err(AddressError::Path)),
            ("<@r.example,s.example:a@x.example>", Err(AddressError::Path)),
            ("<postmaster>", Err(AddressError::DomainMissing)),
        ];
        for (text, expected) in cases {
            let got = ReversePath::parse(text).map(|path| path.to_string());
            assert_eq!(got.as_deref().map_err(|error| *error), expected, "{text}");
        }
    }

    #[test]
    fn forward_paths() {
        let cases = [
            ("<PostMaster>", Ok("<postmaster>")),
            ("<Postmaster@x.example>", Ok("<Postmaster@x.example>")),
            ("<@r.example:a@x.example>", Ok("<a@x.example>")),
            ("<>", Err(AddressError::DomainMissing)),
            ("<@r.example:postmaster>", Err(AddressError::DomainMissing)),
        ];
        for (text, expected) in cases {
            let got = ForwardPath::parse(text).map(|path| path.to_string());
            assert_eq!(got.as_deref().map_err(|error| *error), expected, "{text}");
        }
    }

    #[test]
    fn without_smtputf8() {
        assert_eq!(ReversePath::Null.to_ascii(), Some(ReversePath::Null));
        assert_eq!(ForwardPath::Postmaster.to_ascii(), Some(ForwardPath::Postmaster));
        let path = ForwardPath::parse("<a@müller.example>").expect("a path");
        assert!(!path.is_ascii());
        let ascii = path.to_ascii().expect("an ASCII local-part");
        assert_eq!(ascii.to_string(), "<a@xn--mller-kva.example>");
        assert_eq!(ForwardPath::parse("<ä@x.example>").expect("a path").to_ascii(), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic_and_printed_paths_read_the_same(
            text in r#"<?[<>@,:a-zä."\\ \[\]0-9]{0,30}>?"#,
        ) {
            if let Ok(path) = ReversePath::parse(&text) {
                prop_assert_eq!(path.to_string().parse(), Ok(path));
            }
            if let Ok(path) = ForwardPath::parse(&text) {
                prop_assert_eq!(path.to_string().parse(), Ok(path));
            }
        }
    }
}
