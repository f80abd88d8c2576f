//! Header fields by which drafts are known again. They are taken out of what is sent.

/// The key of the draft that a message in Drafts is a version of.
pub(crate) const DRAFT_KEY: &str = "X-Posta-Draft";
/// What a draft knows besides its fields, as JSON.
pub(crate) const DRAFT_STATE: &str = "X-Posta-Draft-State";
