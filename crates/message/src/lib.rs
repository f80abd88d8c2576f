//! RFC 5322 and MIME: messages read and written.
