//! The base64 content transfer encoding, written (RFC 2045 §6.8).

use ::base64::{Engine, engine::general_purpose::STANDARD};

/// Octets of content that make one line of 76 characters.
const LINE_CONTENT_OCTETS: usize = 57;

/// Appends the content in lines of 76 characters, each with its CRLF.
pub fn encode_lines(content: &[u8], out: &mut Vec<u8>) {
    out.reserve(content.len().div_ceil(LINE_CONTENT_OCTETS) * 78);
    for line in content.chunks(LINE_CONTENT_OCTETS) {
        let mut encoded = [0; 76];
        // The buffer holds what 57 octets can become, so that this cannot fail.
        let length = STANDARD.encode_slice(line, &mut encoded).unwrap_or(0);
        out.extend_from_slice(&encoded[..length]);
        out.extend_from_slice(b"\r\n");
    }
}

/// Octets that [`encode_lines`] makes of so much content.
pub fn encoded_octets(content_octets: usize) -> usize {
    content_octets.div_ceil(3) * 4 + content_octets.div_ceil(LINE_CONTENT_OCTETS) * 2
}

/// One line, without line end, as encoded words have it.
pub(crate) fn encode_run(content: &[u8], out: &mut String) {
    STANDARD.encode_string(content, out);
}
