//! Asking for the mail that waits at another host: ETRN (RFC 1985), ATRN (RFC 2645) and TURN (RFC 821 §3.8).

use crate::limits::{QUEUE_NAME_OCTETS_MAX, TURN_DOMAINS_MAX};
use posta_address::Domain;
use std::fmt;

/// What ETRN asks for (RFC 1985 §5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueueName {
    /// `domain`: the mail for this domain.
    Domain(Domain),
    /// `@domain`: that for the domain and all below it.
    Below(Domain),
    /// `#name`: a queue by whatever name the host gave it.
    Named(String),
}

impl QueueName {
    /// Reads the argument of ETRN.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(name) = text.strip_prefix('#') {
            let is_name = !name.is_empty()
                && name.len() <= QUEUE_NAME_OCTETS_MAX
                && name.bytes().all(|octet| octet.is_ascii_graphic());
            return is_name.then(|| QueueName::Named(name.to_owned()));
        }
        match text.strip_prefix('@') {
            Some(domain) => Domain::parse(domain).ok().map(QueueName::Below),
            None => Domain::parse(text).ok().map(QueueName::Domain),
        }
    }

    /// Whether it stands for mail to this domain.
    pub fn contains(&self, domain: &Domain) -> bool {
        match self {
            QueueName::Domain(name) => name == domain,
            QueueName::Below(name) => {
                let (name, domain) = (name.to_ascii(), domain.to_ascii());
                domain.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            QueueName::Named(_) => false,
        }
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            QueueName::Domain(domain) => f.write_str(domain.to_ascii()),
            QueueName::Below(domain) => write!(f, "@{}", domain.to_ascii()),
            QueueName::Named(name) => write!(f, "#{name}"),
        }
    }
}

/// How the roles are to switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turning {
    /// ATRN (RFC 2645 §5.2.1): for the mail of these domains, or of all that are the client's.
    Authenticated(Vec<Domain>),
    /// TURN (RFC 821 §3.8): for whatever waits.
    Historic,
}

impl Turning {
    /// Reads the argument of ATRN: domains with commas between them.
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Turning::Authenticated(Vec::new()));
        }
        let domains: Option<Vec<Domain>> =
            text.split(',').take(TURN_DOMAINS_MAX + 1).map(|domain| Domain::parse(domain).ok()).collect();
        domains.filter(|domains| domains.len() <= TURN_DOMAINS_MAX).map(Turning::Authenticated)
    }
}

impl fmt::Display for Turning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Turning::Authenticated(domains) = self else { return f.write_str("TURN") };
        f.write_str("ATRN")?;
        for (index, domain) in domains.iter().enumerate() {
            write!(f, "{}{}", if index == 0 { ' ' } else { ',' }, domain.to_ascii())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues() {
        let contains = |name: &str, domain: &str| {
            let name = QueueName::parse(name).unwrap_or_else(|| panic!("{name}"));
            name.contains(&Domain::parse(domain).expect("a domain"))
        };
        for (name, domain, expected) in [
            ("south.example", "South.Example", true),
            ("south.example", "a.south.example", false),
            ("@south.example", "south.example", true),
            ("@south.example", "a.south.example", true),
            ("@south.example", "asouth.example", false),
            ("#south.example", "south.example", false),
        ] {
            assert_eq!(contains(name, domain), expected, "{name} {domain}");
        }
        for text in ["", "@", "#", "a b", "#a b", "a@b", "-x.example"] {
            assert_eq!(QueueName::parse(text), None, "{text}");
        }
    }
}
