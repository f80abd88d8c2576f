//! The message that is sent: always the same but for its Message-ID.

/// A message in the form that goes over the wire after DATA, with the final dot.
#[derive(Debug, Clone)]
pub(super) struct Content {
    octets: Vec<u8>,
    number_at: usize,
}

/// Digits of the number in the Message-ID.
const DIGITS: usize = 10;

impl Content {
    /// A message of `size_octets` (the final dot comes on top).
    pub(super) fn new(size_octets: usize, from: &str, to: &str) -> Self {
        let head = format!(
            "From: Load <{from}>\r\nTo: <{to}>\r\nSubject: a message among many\r\n\
             Date: Mon, 23 Nov 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=us-ascii\r\nMessage-ID: <"
        );
        let mut octets = head.into_bytes();
        let number_at = octets.len();
        octets.extend_from_slice(&[b'0'; DIGITS]);
        octets.extend_from_slice(b"@load.example>\r\n\r\n");
        let line = b"The quick brown fox jumps over the lazy dog and runs away from its own tail.\r\n";
        while octets.len() + line.len() <= size_octets {
            octets.extend_from_slice(line);
        }
        octets.extend_from_slice(b".\r\n");
        Self { octets, number_at }
    }

    /// The octets with this number in the Message-ID.
    pub(super) fn numbered(&mut self, number: usize) -> &[u8] {
        let digits = format!("{number:0width$}", width = DIGITS);
        self.octets[self.number_at..self.number_at + DIGITS].copy_from_slice(digits.as_bytes());
        &self.octets
    }

    /// Octets of the message itself.
    pub(super) fn size_octets(&self) -> usize {
        self.octets.len() - 3
    }
}
