//! What can go wrong at the desk.

use thiserror::Error;

/// Why something was not done. What was not done has left no trace.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DeskError {
    /// It isn't there (any more).
    #[error("{0} is not there (any more)")]
    NotFound(String),
    /// What was asked for cannot be; says why in words for the person.
    #[error("{0}")]
    Invalid(String),
    /// Somebody else (another window, another agent) was quicker; look again.
    #[error("{0}")]
    Conflict(String),
    /// Not allowed to this person, for instance to send as somebody else.
    #[error("{0}")]
    Forbidden(String),
    /// Store, index or network failed; may work later.
    #[error("{0}")]
    Failed(String),
}
