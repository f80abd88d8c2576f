//! What is wrong with a message, each with the place and the rule.

use std::fmt;

/// One departure from the RFCs. It never keeps the message from being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Defect {
    /// Octets from the start of the message.
    pub offset: usize,
    /// What it is.
    pub kind: DefectKind,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident, $slug:literal, $section:literal, $text:literal;)+) => {
        /// The kinds of defects.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum DefectKind {
            $(#[doc = $text] #[doc = concat!("(", $section, ").")] $(#[$doc])* $name,)+
        }

        impl DefectKind {
            /// A stable name for programs.
            pub fn slug(self) -> &'static str {
                match self { $(DefectKind::$name => $slug,)+ }
            }

            /// The rule that is broken, or the bound of ours that is passed.
            pub fn section(self) -> &'static str {
                match self { $(DefectKind::$name => $section,)+ }
            }

            /// What is wrong, for people.
            pub fn text(self) -> &'static str {
                match self { $(DefectKind::$name => $text,)+ }
            }
        }
    };
}

kinds! {
    MboxLine, "mbox-line", "RFC 4155", "a From line of a mailbox file before the header";
    ByteOrderMark, "byte-order-mark", "RFC 5322 §2.2", "a UTF-8 byte order mark before the header";
    NoFieldLine, "no-field-line", "RFC 5322 §2.2", "a line in the header section that is no field";
    HeaderEndMissing, "header-end-missing", "RFC 5322 §2.1", "no empty line between header and body";
    SpaceBeforeColon, "space-before-colon", "RFC 5322 §4.5", "white space between field name and colon";
    BareLineFeed, "bare-line-feed", "RFC 5322 §2.3", "a line that ends with LF alone";
    BareCarriageReturn, "bare-carriage-return", "RFC 5322 §2.3", "a CR that no LF follows";
    Null, "nul", "RFC 5322 §4", "an octet 0";
    LineTooLong, "line-too-long", "RFC 5322 §2.1.1", "a line of more than 998 octets";
    EightBitHeader, "8bit-header", "RFC 5322 §2.2", "octets over 127 in a header field that are not UTF-8";
    FieldMissing, "field-missing", "RFC 5322 §3.6", "no From or no Date field";
    FieldRepeated, "field-repeated", "RFC 5322 §3.6", "a field that may occur once occurs again";
    SenderMissing, "sender-missing", "RFC 5322 §3.6.2", "several authors and no Sender";
    BadDate, "bad-date", "RFC 5322 §3.3", "a date that cannot be read";
    ObsoleteDate, "obsolete-date", "RFC 5322 §4.3", "a date in an obsolete form";
    BadAddress, "bad-address", "RFC 5322 §3.4", "an address list that breaks the grammar";
    BadMessageId, "bad-message-id", "RFC 5322 §3.6.4", "a message identifier that is none";
    BadEncodedWord, "bad-encoded-word", "RFC 2047 §2", "an encoded word that cannot be decoded";
    MimeVersionMissing, "mime-version-missing", "RFC 2045 §4", "Content fields but no MIME-Version";
    BadContentType, "bad-content-type", "RFC 2045 §5.1", "a Content-Type that cannot be read";
    BadParameter, "bad-parameter", "RFC 2045 §5.1", "a parameter that breaks the grammar";
    UnknownEncoding, "unknown-encoding", "RFC 2045 §6.4", "a content transfer encoding nobody knows";
    EncodedMultipart, "encoded-multipart", "RFC 2045 §6.4", "a multipart that claims to be encoded";
    EncodedMessage, "encoded-message", "RFC 2046 §5.2.1", "an encoded message/rfc822";
    UnknownCharset, "unknown-charset", "RFC 2046 §4.1.2", "a charset nobody knows";
    BadCharsetOctets, "bad-charset-octets", "RFC 2046 §4.1.2", "octets that the charset does not have";
    EightBitIn7bit, "8bit-in-7bit", "RFC 2045 §2.7", "octets over 127 in a body that is 7bit by its header";
    BadBase64, "bad-base64", "RFC 2045 §6.8", "base64 with foreign characters or a wrong length";
    BadQuotedPrintable, "bad-quoted-printable", "RFC 2045 §6.7", "an equals sign that begins no octet and no soft line break";
    BadUuencode, "bad-uuencode", "POSIX uuencode", "a uuencoded body that breaks its form";
    BoundaryMissing, "boundary-missing", "RFC 2046 §5.1.1", "a multipart without boundary parameter";
    BoundaryTooLong, "boundary-too-long", "RFC 2046 §5.1.1", "a boundary of more than 70 characters";
    PartsMissing, "parts-missing", "RFC 2046 §5.1.1", "a multipart in which its boundary does not occur";
    MultipartUnclosed, "multipart-unclosed", "RFC 2046 §5.1.1", "a multipart without closing boundary";
    TooDeep, "too-deep", "bound of this reader", "more nesting than is followed";
    TooManyEntities, "too-many-entities", "bound of this reader", "more parts than are looked at";
    TooManyFields, "too-many-fields", "bound of this reader", "more header fields than are kept";
    TooLarge, "too-large", "bound of this reader", "more octets than are looked at";
}

impl fmt::Display for DefectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}
impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at octet {}, {})", self.kind.text(), self.offset, self.kind.section())
    }
}
