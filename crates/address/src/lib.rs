//! Mail addresses as types that cannot be wrong (RFC 5321 §4.1.2, §4.1.3; RFC 6531 §3.3).
//!
//! Every type here is made only by parsing; a value that exists is valid, and printing it
//! (`Display`) gives what the grammar asks for on the wire, quoted where needed.
//!
//! - [`Domain`]: a host or mail domain, lower-cased, U-labels kept as such.
//! - [`AddressLiteral`]: `[192.0.2.1]`, `[IPv6:2001:db8::1]`.
//! - [`Host`]: what stands right of the `@`: one or the other.
//! - [`LocalPart`]: what stands left of it, kept unquoted.
//! - [`Mailbox`] joins the two.
//! - [`ReversePath`], [`ForwardPath`]: what MAIL and RCPT carry.

mod domain;
mod error;
mod literal;
mod local_part;
mod mailbox;
mod path;

pub use domain::Domain;
pub use error::AddressError;
pub use literal::AddressLiteral;
pub use local_part::LocalPart;
pub use mailbox::{Host, Mailbox};
pub use path::{ForwardPath, ReversePath};

/// Octets a local-part may have (RFC 5321 §4.5.3.1.1).
pub const LOCAL_PART_OCTETS_MAX: usize = 64;
/// Octets a domain may have as text. RFC 5321 §4.5.3.1.2 says 255, which is what a name may have in the
/// DNS, where each label has a length octet and the root one more (RFC 1035 §2.3.4).
pub const DOMAIN_OCTETS_MAX: usize = 253;
/// Octets a path may have, punctuation included (RFC 5321 §4.5.3.1.3).
pub const PATH_OCTETS_MAX: usize = 256;

/// `Serialize` as the printed form, `Deserialize` by parsing it.
macro_rules! serde_as_text {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use serde_as_text;
