//! What can be wrong with an address.

use thiserror::Error;

/// Why a text is not an address. `Display` is fit for a reply line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AddressError {
    /// The local-part is empty or has characters that need quoting.
    #[error("bad local-part")]
    LocalPart,
    /// More than [`LOCAL_PART_OCTETS_MAX`](crate::LOCAL_PART_OCTETS_MAX) octets.
    #[error("local-part too long")]
    LocalPartTooLong,
    /// No domain after the local-part.
    #[error("domain missing")]
    DomainMissing,
    /// Not a domain name, or its IDNA conversion fails.
    #[error("bad domain")]
    Domain,
    /// More than [`DOMAIN_OCTETS_MAX`](crate::DOMAIN_OCTETS_MAX) octets.
    #[error("domain too long")]
    DomainTooLong,
    /// Not an address literal.
    #[error("bad address literal")]
    Literal,
    /// Not a path: brackets missing or unbalanced, or a bad source route.
    #[error("bad path")]
    Path,
    /// More than [`PATH_OCTETS_MAX`](crate::PATH_OCTETS_MAX) octets.
    #[error("path too long")]
    PathTooLong,
}
