//! Reports about messages, written and read: what is built on `multipart/report` (RFC 6522).

mod delivery;
mod disposition;
mod feedback;
mod fields;
mod reading;

pub use delivery::{
    Action, DeliveryReport, Diagnostic, MtaName, OriginalRecipient, RecipientReport, Returned, Status,
    StatusError,
};
pub use disposition::{ActionMode, Disposition, DispositionKind, DispositionReport, SendingMode};
pub use feedback::{FeedbackReport, FeedbackType};
pub use fields::{ReportFields, typed};
pub use reading::{DeliveryStatus, DispositionStatus, Feedback, RecipientStatus, Report, find, of};
