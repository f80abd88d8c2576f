//! `message/partial`: messages that were sent in pieces (RFC 2046 §5.2.2).

use crate::header::{self, Fields};
use crate::read::Message;
use thiserror::Error;

/// Why pieces do not make a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PartialError {
    /// A piece is no message/partial, or lacks its `id` or `number`.
    #[error("not a piece of a message")]
    NotPartial,
    /// The pieces belong to different messages.
    #[error("pieces of different messages")]
    DifferentMessages,
    /// No piece tells how many there are.
    #[error("the number of pieces is not known")]
    TotalMissing,
    /// One is not there, or is there twice.
    #[error("a piece is missing")]
    Incomplete,
}

/// What a piece says of itself.
struct Piece<'a> {
    id: String,
    number: usize,
    total: Option<usize>,
    header: &'a [u8],
    body: &'a [u8],
}

fn piece(octets: &[u8]) -> Option<Piece<'_>> {
    let message = Message::parse(octets);
    let content_type = message.root().content_type();
    if content_type.essence != "message/partial" {
        return None;
    }
    let number = |name: &str| content_type.parameters.get(name).and_then(|text| text.parse().ok());
    let (header, body) = header::split(octets);
    let id = content_type.parameters.get("id")?.to_owned();
    Some(Piece { id, number: number("number")?, total: number("total"), header, body })
}

/// Whether a field of the enclosed message replaces that of the first piece (RFC 2046 §5.2.2.1).
fn is_of_enclosed(name: &[u8]) -> bool {
    let starts_with_content = name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"Content-"));
    starts_with_content
        || ["Subject", "Message-ID", "Encrypted", "MIME-Version"]
            .iter()
            .any(|other| name.eq_ignore_ascii_case(other.as_bytes()))
}

/// Puts a message together from its pieces, which may come in any order.
pub fn reassemble(pieces: &[&[u8]]) -> Result<Vec<u8>, PartialError> {
    let mut pieces = pieces
        .iter()
        .map(|octets| piece(octets))
        .collect::<Option<Vec<_>>>()
        .ok_or(PartialError::NotPartial)?;
    pieces.sort_by_key(|piece| piece.number);
    let first = pieces.first().ok_or(PartialError::Incomplete)?;
    if pieces.iter().any(|piece| piece.id != first.id) {
        return Err(PartialError::DifferentMessages);
    }
    // Only the last piece has to tell the total.
    let total = pieces.iter().find_map(|piece| piece.total).ok_or(PartialError::TotalMissing)?;
    if pieces.len() != total || pieces.iter().zip(1..).any(|(piece, number)| piece.number != number) {
        return Err(PartialError::Incomplete);
    }
    let (enclosed, rest) = header::split(first.body);
    let mut message =
        Vec::with_capacity(pieces.iter().map(|piece| piece.body.len()).sum::<usize>() + first.header.len());
    for field in Fields::new(first.header).filter(|field| !is_of_enclosed(field.name)) {
        message.extend_from_slice(field.raw);
    }
    for field in Fields::new(enclosed).filter(|field| is_of_enclosed(field.name)) {
        message.extend_from_slice(field.raw);
    }
    message.extend_from_slice(b"\r\n");
    message.extend_from_slice(rest);
    pieces[1..].iter().for_each(|piece| message.extend_from_slice(piece.body));
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pieces: &[&str], expected: Result<&str, PartialError>) {
        let pieces: Vec<&[u8]> = pieces.iter().map(|piece| piece.as_bytes()).collect();
        let ours = reassemble(&pieces).map(|message| String::from_utf8(message).unwrap());
        assert_eq!(ours.as_deref(), expected.as_ref().map(|text| *text));
    }

    #[test]
    fn the_example_of_rfc_2046() {
        let first = "X-Weird-Header-1: Foo\r\nFrom: Bill@host.com\r\nSubject: Audio mail (part 1 of 2)\r\nMessage-ID: <id1@host.com>\r\nMIME-Version: 1.0\r\nContent-type: message/partial; id=\"ABC@host.com\"; number=1; total=2\r\n\r\nX-Weird-Header-1: Bar\r\nMessage-ID: <anotherid@foo.com>\r\nSubject: Audio mail\r\nContent-type: audio/basic\r\n\r\nfirst half\r\n";
        let second =
            "Content-type: message/partial; id=\"ABC@host.com\"; number=2; total=2\r\n\r\nsecond half\r\n";
        let whole = "X-Weird-Header-1: Foo\r\nFrom: Bill@host.com\r\nMessage-ID: <anotherid@foo.com>\r\nSubject: Audio mail\r\nContent-type: audio/basic\r\n\r\nfirst half\r\nsecond half\r\n";
        check(&[second, first], Ok(whole));
        check(&[first], Err(PartialError::Incomplete));
        check(&[first, first], Err(PartialError::Incomplete));
        check(&[], Err(PartialError::Incomplete));
        check(&["\r\n"], Err(PartialError::NotPartial));
        let other = second.replace("ABC", "DEF");
        check(&[first, &other], Err(PartialError::DifferentMessages));
        let open = "Content-type: message/partial; id=x; number=1\r\n\r\n";
        check(&[open], Err(PartialError::TotalMissing));
    }
}
