//! What line protocols share: the [`Conversation`] shape of every session, CRLF lines
//! ([`LineReader`]), dot transparency ([`DotDecoder`], [`DotEncoder`]), what is learnt about a content
//! as it passes ([`ContentFacts`]), what a sender asks to be told ([`Notify`]) and of the time it takes
//! ([`DeliverBy`]), authentication exchanges
//! ([`sasl`]), [`Secret`].
//!
//! Nothing here waits, reads a clock or opens a socket.

mod content;
mod conversation;
mod dot;
mod line;
mod notification;
pub mod sasl;
mod secret;
mod timing;
mod tls;

pub use content::{ContentFacts, ContentScan, LineFaults};
pub use conversation::{Conversation, Output};
pub use dot::{Decoded, DotDecoder, DotEncoder};
pub use line::{Line, LineReader};
pub use notification::{
    ENVELOPE_ID_OCTETS_MAX, EnvelopeId, NotificationError, Notify, ORIGINAL_RECIPIENT_OCTETS_MAX,
    OriginalRecipient, ReturnedPart,
};
pub use secret::Secret;
pub use timing::{BadTiming, ByMode, ByTerms, DeliverBy, Hold, Priority, SECONDS_MAX, seconds_of};
pub use tls::{PeerCertificate, TlsFacts, TlsFailure, TlsVersion};
