//! A reply is a value: code, enhanced status, lines (RFC 5321 §4.2).

use crate::EnhancedStatus;
use std::borrow::Cow;

/// One reply, of one or more lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Three digits, 200 to 599.
    pub code: u16,
    /// Printed before each line's text when present (RFC 2034).
    pub enhanced: Option<EnhancedStatus>,
    /// Texts of the lines, without code, CR or LF; at least one.
    pub lines: Vec<Cow<'static, str>>,
}

impl Reply {
    /// A reply of one line.
    pub fn new(
        code: u16,
        enhanced: impl Into<Option<EnhancedStatus>>,
        text: impl Into<Cow<'static, str>>,
    ) -> Self {
        Reply { code, enhanced: enhanced.into(), lines: vec![text.into()] }
    }

    /// 2yz.
    pub fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }
    /// 4yz.
    pub fn is_transient(&self) -> bool {
        self.code / 100 == 4
    }
    /// 5yz.
    pub fn is_permanent(&self) -> bool {
        self.code / 100 == 5
    }
}
