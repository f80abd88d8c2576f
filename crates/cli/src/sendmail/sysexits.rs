//! How `sendmail` ends: the codes of BSD's `sysexits.h`, which programs that call it look at.

use std::fmt;

/// An exit code of `sysexits.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// EX_USAGE: options that make no sense.
    Usage = 64,
    /// EX_DATAERR: the message or an address is wrong.
    Data = 65,
    /// EX_NOUSER: the server knows none of the recipients.
    NoUser = 67,
    /// EX_UNAVAILABLE: refused for good.
    Unavailable = 69,
    /// EX_CANTCREAT: the queue can't be made.
    CannotCreate = 73,
    /// EX_IOERR: reading or writing failed.
    Io = 74,
    /// EX_TEMPFAIL: not now; nothing was kept, the caller is to try again.
    TemporaryFailure = 75,
    /// EX_CONFIG: the configuration is wrong.
    Configuration = 78,
}

/// Why nothing (or not all) was sent. The words go to standard error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) words: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, words: impl fmt::Display) -> Failure {
        Failure { exit, words: words.to_string() }
    }
}
