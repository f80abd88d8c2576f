//! Tolerance for the faults of others in the syntax of commands, each by its name.

/// What is let through although the grammar of RFC 5321 §4.1.2 does not have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyntaxQuirks {
    /// `HELO` and `EHLO` without argument (old scripts); RFC 5321 §4.1.1.1 demands one. Off by default.
    pub hello_without_argument: bool,
    /// `MAIL FROM: <…>`: a space after the colon, which RFC 5321 §3.3 forbids and many a program sends.
    /// On by default.
    pub space_before_path: bool,
    /// `RCPT TO:user@example.org` without angle brackets (hand-typed sessions, old devices; the dialogues
    /// of chasquid expect it to work). On by default.
    pub path_without_brackets: bool,
}

impl SyntaxQuirks {
    /// None: the grammar as it stands.
    pub const NONE: SyntaxQuirks = SyntaxQuirks {
        hello_without_argument: false,
        space_before_path: false,
        path_without_brackets: false,
    };
}

impl Default for SyntaxQuirks {
    fn default() -> Self {
        SyntaxQuirks { hello_without_argument: false, space_before_path: true, path_without_brackets: true }
    }
}
