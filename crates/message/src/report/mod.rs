//! Reports about messages (RFC 6522 and what is built on it).

mod delivery;

pub use delivery::{
    Action, DeliveryReport, Diagnostic, MtaName, OriginalRecipient, RecipientReport, Returned, Status,
    StatusError,
};
