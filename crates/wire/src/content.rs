//! What is learnt about a message while its octets pass.

/// Facts about a message in wire form (CRLF lines, dot-stuffing undone), found while receiving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ContentFacts {
    /// Octets, after dot-stuffing is undone, with all CRLFs.
    pub size_octets: u64,
    /// Whether an octet above 127 occurs anywhere.
    pub has_8bit: bool,
    /// Whether an octet above 127 occurs in the header section (then it needs SMTPUTF8).
    pub has_8bit_headers: bool,
    /// Whether a line begins with a dot, so that sending it needs stuffing.
    pub has_leading_dot: bool,
    /// Octets of the longest line, CRLF included.
    pub longest_line_octets: u64,
    /// How many `Received:` fields the header section has (RFC 5321 §6.3).
    pub received_fields: u32,
}
