//! How SMTP (RFC 4954 §4) and POP3 (RFC 5034 §4) write the messages of an exchange: a line of base64
//! each, `=` for an empty initial response, `*` for "I give up".

use super::limits::LINE_OCTETS_MAX;
use crate::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What a client sends instead of a response to end the exchange.
pub const CANCEL: &str = "*";

/// An empty initial response.
pub const EMPTY_INITIAL: &str = "=";

/// Why a line is no message of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadLine {
    TooLong,
    NotBase64,
}

/// Decodes a challenge or a response.
///
/// The engine is as strict as RFC 4954 §4 asks: nothing outside the alphabet, padding at the end only
/// and never missing; and it refuses bits that no encoder sets.
pub(super) fn decode(line: &[u8]) -> Result<Vec<u8>, BadLine> {
    if line.len() > LINE_OCTETS_MAX {
        return Err(BadLine::TooLong);
    }
    STANDARD.decode(line).map_err(|_| BadLine::NotBase64)
}

/// Decodes the argument of `AUTH`.
pub(super) fn decode_initial(argument: &[u8]) -> Result<Vec<u8>, BadLine> {
    match argument {
        // RFC 4954 §4: an empty initial response is written `=`; there is no other way.
        b"" => Err(BadLine::NotBase64),
        b"=" => Ok(Vec::new()),
        _ => decode(argument),
    }
}

/// Encodes a challenge, which holds no secret.
pub(super) fn encode(message: &[u8]) -> String {
    STANDARD.encode(message)
}

/// Encodes a response, which may hold a password.
pub(super) fn encode_secret(message: &[u8]) -> Secret {
    Secret::new(STANDARD.encode(message))
}

/// `AUTH` with its arguments, CRLF not included.
pub(super) fn command(mechanism: &str, initial: Option<&[u8]>) -> Secret {
    Secret::new(match initial {
        None => format!("AUTH {mechanism}"),
        Some([]) => format!("AUTH {mechanism} {EMPTY_INITIAL}"),
        Some(message) => format!("AUTH {mechanism} {}", STANDARD.encode(message)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_decoded_strictly() {
        type Case<'a> = (&'a [u8], Result<&'a [u8], BadLine>);
        let cases: &[Case<'_>] = &[
            (b"", Ok(b"")),
            (b"AHRpbQB0YW5zdGFhZnRhbnN0YWFm", Ok(b"\0tim\0tanstaaftanstaaf")),
            (b"AQ==", Ok(b"\x01")),
            // RFC 4954 §4 names the first two.
            (b"=AAA", Err(BadLine::NotBase64)),
            (b"AAA=BBB", Err(BadLine::NotBase64)),
            (b"AA==AA==", Err(BadLine::NotBase64)),
            (b"AQ", Err(BadLine::NotBase64)),
            (b"AQ=", Err(BadLine::NotBase64)),
            (b"AQ== ", Err(BadLine::NotBase64)),
            (b"AR==", Err(BadLine::NotBase64)),
            (b"A-_A", Err(BadLine::NotBase64)),
            (b"=", Err(BadLine::NotBase64)),
            (b"AQ==\r\n", Err(BadLine::NotBase64)),
            (b"AQ\0=", Err(BadLine::NotBase64)),
        ];
        for (line, expected) in cases {
            assert_eq!(decode(line).as_deref(), expected.as_ref().map(|message| *message), "{line:?}");
        }
        assert_eq!(decode_initial(b""), Err(BadLine::NotBase64));
        assert_eq!(decode_initial(b"="), Ok(Vec::new()));
        assert_eq!(decode_initial(b"AQ=="), Ok(vec![1]));
    }

    #[test]
    fn lines_are_bounded() {
        assert!(decode(&vec![b'A'; LINE_OCTETS_MAX]).is_ok());
        assert_eq!(decode(&vec![b'A'; LINE_OCTETS_MAX + 4]), Err(BadLine::TooLong));
    }
}
