//! 8bit bodies made 7bit, for hosts without 8BITMIME (RFC 6152 §3).

use crate::build::choose_7bit;
use crate::encoding::{ContentFacts, TransferEncoding, base64, quoted_printable};
use crate::read::{BodyEncoding, Entity, Message};
use std::borrow::Cow;

/// What a conversion has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downgraded<'a> {
    /// The message, the same octets if there was nothing to do.
    pub octets: Cow<'a, [u8]>,
    /// Whether it can go as 7bit now. Not if a signed part holds 8bit octets (RFC 1847 §2.1 lets
    /// nobody change it), nor if header fields or the text around parts do.
    pub is_7bit: bool,
}

/// Encodes bodies that hold octets over 127, or lines that no host has to take, as
/// quoted-printable or base64; parts and embedded messages likewise, whatever the nesting. All
/// else stays octet for octet. A `multipart/signed` is left alone, and so is what may not be encoded.
pub fn to_7bit(message: &[u8]) -> Downgraded<'_> {
    if ContentFacts::of(message).is_7bit() {
        return Downgraded { octets: Cow::Borrowed(message), is_7bit: true };
    }
    let parsed = Message::parse(message);
    let mut writer = Writer { raw: message, out: Vec::with_capacity(message.len() + message.len() / 4) };
    let root = parsed.root();
    // What stands before the header of the message: nothing, but for broken ones.
    writer.out.extend_from_slice(&message[..root.offset()]);
    writer.entity(root, true);
    let is_7bit = ContentFacts::of(&writer.out).is_7bit();
    Downgraded { octets: Cow::Owned(writer.out), is_7bit }
}

struct Writer<'r> {
    raw: &'r [u8],
    out: Vec<u8>,
}

impl Writer<'_> {
    fn entity(&mut self, entity: Entity<'_>, is_message: bool) {
        // RFC 2046 §5.2.2, §5.2.3: the two other types may not be encoded at all.
        let is_fixed =
            matches!(&*entity.media_type(), "multipart/signed" | "message/partial" | "message/external-body");
        if is_fixed || ContentFacts::of(entity.raw_body()).is_7bit() {
            return self.out.extend_from_slice(entity.raw());
        }
        if entity.is_multipart() {
            self.header(entity, is_message, TransferEncoding::SevenBit);
            return self.around(entity, entity.parts(), false);
        }
        match entity.message() {
            Some(inner) if entity.encoding().is_identity() => {
                self.header(entity, is_message, TransferEncoding::SevenBit);
                self.around(entity, std::iter::once(inner), true);
            }
            _ if entity.encoding().is_identity() => self.leaf(entity, is_message),
            // Encoded, and yet 8bit: broken in a way that no encoding of ours mends.
            _ => self.out.extend_from_slice(entity.raw()),
        }
    }

    /// Children converted, what stands between them as it is.
    fn around<'m>(
        &mut self,
        entity: Entity<'m>,
        children: impl Iterator<Item = Entity<'m>>,
        is_message: bool,
    ) {
        let mut at = entity.body_offset();
        for child in children {
            self.out.extend_from_slice(&self.raw[at..child.offset()]);
            self.entity(child, is_message);
            at = child.offset() + child.raw().len();
        }
        let end = entity.offset() + entity.raw().len();
        self.out.extend_from_slice(&self.raw[at..end]);
    }

    fn leaf(&mut self, entity: Entity<'_>, is_message: bool) {
        let body = entity.raw_body();
        let encoding = choose_7bit(body, entity.media_type().starts_with("text/"));
        self.header(entity, is_message, encoding);
        match encoding {
            TransferEncoding::Base64 => base64::encode_lines(body, &mut self.out),
            _ => quoted_printable::encode(body, &mut self.out),
        }
        if !self.out.ends_with(b"\n") && is_message {
            self.out.extend_from_slice(b"=\r\n");
        }
    }

    /// The header section with another Content-Transfer-Encoding, and the empty line. A message
    /// without MIME gets what RFC 1428 asks for.
    fn header(&mut self, entity: Entity<'_>, is_message: bool, encoding: TransferEncoding) {
        let field = format!("Content-Transfer-Encoding: {encoding}\r\n");
        let is_default = encoding == TransferEncoding::SevenBit;
        let mut has_mime_version = false;
        let mut is_written = is_default && entity.encoding() == BodyEncoding::default();
        for raw in crate::header::Fields::new(entity.raw_header()) {
            has_mime_version |= raw.name.eq_ignore_ascii_case(b"MIME-Version");
            if !raw.name.eq_ignore_ascii_case(b"Content-Transfer-Encoding") {
                self.out.extend_from_slice(raw.raw);
                continue;
            }
            if !std::mem::replace(&mut is_written, true) {
                self.out.extend_from_slice(field.as_bytes());
            }
        }
        if is_message && !has_mime_version {
            self.out.extend_from_slice(b"MIME-Version: 1.0\r\n");
            if entity.field("Content-Type").is_none() {
                self.out.extend_from_slice(b"Content-Type: text/plain; charset=unknown-8bit\r\n");
            }
        }
        if !is_written {
            self.out.extend_from_slice(field.as_bytes());
        }
        self.out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(message: &str, expected: &str, expected_7bit: bool) {
        let done = to_7bit(message.as_bytes());
        assert_eq!(String::from_utf8_lossy(&done.octets), expected);
        assert_eq!(done.is_7bit, expected_7bit);
    }

    #[test]
    fn texts_and_parts() {
        check("Subject: x\r\n\r\nascii\r\n", "Subject: x\r\n\r\nascii\r\n", true);
        check(
            "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\nTo: x\r\n\r\ngrün\r\n",
            "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\nTo: x\r\n\r\ngr=C3=BCn\r\n",
            true,
        );
        check(
            "Subject: no MIME\r\n\r\ngrün\r\n",
            "Subject: no MIME\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\ngr=C3=BCn\r\n",
            true,
        );
        check("Subject: grün\r\n\r\nascii\r\n", "Subject: grün\r\n\r\nascii\r\n", false);
    }

    #[test]
    fn nested_and_signed() {
        let part = "Content-Type: text/plain\r\nContent-Transfer-Encoding: 8bit\r\n\r\nä";
        let head = "MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\nContent-Type: multipart/";
        let before = format!(
            "{head}mixed; boundary=a\r\n\r\npre\r\n--a\r\n{part}\r\n--a\r\nContent-Type: message/rfc822\r\n\r\nMIME-Version: 1.0\r\n{part}\r\n--a--\r\nend\r\n"
        );
        let done = to_7bit(before.as_bytes());
        let after = String::from_utf8(done.octets.into_owned()).unwrap();
        assert!(done.is_7bit && after.is_ascii(), "{after}");
        assert_eq!(after.matches("quoted-printable\r\n\r\n=C3=A4").count(), 2, "{after}");
        assert!(
            after.contains("Content-Transfer-Encoding: 7bit\r\n") && after.ends_with("\r\n--a--\r\nend\r\n"),
            "{after}"
        );
        let parsed = Message::parse(after.as_bytes());
        assert_eq!(parsed.root().parts().next().unwrap().content().as_ref(), "ä".as_bytes());

        let signed =
            format!("{head}signed; boundary=a\r\n\r\n--a\r\n{part}\r\n--a\r\n\r\nsignature\r\n--a--\r\n");
        check(&signed, &signed, false);
        let piece = "MIME-Version: 1.0\r\nContent-Type: message/partial; id=a@b; number=2\r\n\r\nä\r\n";
        check(piece, piece, false);
    }
}
