//! The mechanisms by name, and which is stronger.

use std::fmt;
use std::str::FromStr;

/// A SASL mechanism (RFC 4422 §3.1). The order is that of strength: the greater is the better choice
/// where both ends have both.
///
/// What binds to the TLS channel stands above what doesn't, whatever the hash: it is what a man in the
/// middle with a false certificate cannot pass on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mechanism {
    /// A password in two answers; no RFC, but Microsoft's clients know nothing else.
    Login,
    /// A password in one answer (RFC 4616).
    Plain,
    /// A bearer token, Google's older form.
    Xoauth2,
    /// A bearer token (RFC 7628).
    OauthBearer,
    /// Keyed MD5 over a challenge (RFC 2195); the server must know the password itself.
    CramMd5,
    /// RFC 5802.
    ScramSha1,
    /// RFC 7677.
    ScramSha256,
    /// RFC 5802 with channel binding.
    ScramSha1Plus,
    /// RFC 7677 with channel binding.
    ScramSha256Plus,
    /// What TLS has already proven: the client's certificate (RFC 4422 §A).
    External,
}

impl Mechanism {
    /// All of them, the strongest first: the order in which to announce them.
    pub const ALL: [Mechanism; 10] = [
        Mechanism::External,
        Mechanism::ScramSha256Plus,
        Mechanism::ScramSha1Plus,
        Mechanism::ScramSha256,
        Mechanism::ScramSha1,
        Mechanism::CramMd5,
        Mechanism::OauthBearer,
        Mechanism::Xoauth2,
        Mechanism::Plain,
        Mechanism::Login,
    ];

    /// The registered name.
    pub fn name(self) -> &'static str {
        match self {
            Mechanism::Login => "LOGIN",
            Mechanism::Plain => "PLAIN",
            Mechanism::Xoauth2 => "XOAUTH2",
            Mechanism::OauthBearer => "OAUTHBEARER",
            Mechanism::CramMd5 => "CRAM-MD5",
            Mechanism::ScramSha1 => "SCRAM-SHA-1",
            Mechanism::ScramSha256 => "SCRAM-SHA-256",
            Mechanism::ScramSha1Plus => "SCRAM-SHA-1-PLUS",
            Mechanism::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Mechanism::External => "EXTERNAL",
        }
    }

    /// Whether who listens can log in afterwards: a password or a token passes as it is.
    /// RFC 4954 §4: not without TLS. RFC 7628 §3: tokens neither.
    pub fn is_plaintext(self) -> bool {
        matches!(self, Mechanism::Login | Mechanism::Plain | Mechanism::Xoauth2 | Mechanism::OauthBearer)
    }

    /// Whether the client speaks first (RFC 4422 §5 item 2a).
    pub fn is_client_first(self) -> bool {
        !matches!(self, Mechanism::Login | Mechanism::CramMd5)
    }

    /// Whether an initial response is taken. LOGIN is server-first, yet .NET's `SmtpClient` and
    /// Outlook send the name with the command, and all servers of note take it (seen in 2026).
    pub fn takes_initial_response(self) -> bool {
        self != Mechanism::CramMd5
    }

    /// Whether this is a `-PLUS` variant, which needs channel binding data.
    pub fn binds_channel(self) -> bool {
        matches!(self, Mechanism::ScramSha1Plus | Mechanism::ScramSha256Plus)
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name is of no mechanism that we have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown SASL mechanism")]
pub struct UnknownMechanism;

impl FromStr for Mechanism {
    type Err = UnknownMechanism;

    /// Upper or lower case: RFC 4954 §8 and RFC 5034 §5 take all of the command so.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Mechanism::ALL
            .into_iter()
            .find(|mechanism| mechanism.name().eq_ignore_ascii_case(name))
            .ok_or(UnknownMechanism)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sasl::limits;

    #[test]
    fn names_go_both_ways() {
        for mechanism in Mechanism::ALL {
            assert_eq!(mechanism.name().parse(), Ok(mechanism));
            assert_eq!(mechanism.name().to_ascii_lowercase().parse(), Ok(mechanism));
            assert!(mechanism.name().len() <= limits::MECHANISM_OCTETS_MAX);
            assert_eq!(mechanism.binds_channel(), mechanism.name().ends_with("-PLUS"));
        }
        for name in ["", "PLAIN ", "SCRAM-SHA-512", "GSSAPI", "\u{17f}CRAM-SHA-1"] {
            assert_eq!(name.parse::<Mechanism>(), Err(UnknownMechanism), "{name:?}");
        }
    }

    #[test]
    fn the_announced_order_is_the_order_of_strength() {
        assert!(Mechanism::ALL.is_sorted_by(|a, b| a > b));
    }
}
