//! One entity of a message: its fields as values, its body decoded.

use super::structure::{Kind, Node};
use super::{FieldSpan, Message, range};
use crate::charset::{self, Charset, Decoded};
use crate::date::DateTime;
use crate::encoded_word::{self, DecodedText};
use crate::encoding::{TransferEncoding, base64, quoted_printable, uuencode};
use crate::field::address::{self, AddressList};
use crate::field::content::{self, ContentDisposition, ContentType};
use crate::field::{date, ids, parameter};
use std::borrow::Cow;

/// The encoding that a body claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BodyEncoding {
    /// One of the five of RFC 2045 §6.
    Standard(TransferEncoding),
    /// `x-uuencode` and its other names.
    Uuencode,
    /// Anything else: the octets are shown as they are (RFC 2045 §6.4 says so).
    Unknown,
}

/// RFC 2045 §6.1.
impl Default for BodyEncoding {
    fn default() -> Self {
        BodyEncoding::Standard(TransferEncoding::SevenBit)
    }
}

impl BodyEncoding {
    /// Finds an encoding by its name.
    pub fn by_name(name: &[u8]) -> Self {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        match name.len() {
            0 => BodyEncoding::default(),
            _ if is("7bit") || is("7-bit") => BodyEncoding::default(),
            _ if is("8bit") || is("8-bit") => BodyEncoding::Standard(TransferEncoding::EightBit),
            _ if is("binary") => BodyEncoding::Standard(TransferEncoding::Binary),
            _ if is("base64") => BodyEncoding::Standard(TransferEncoding::Base64),
            _ if is("quoted-printable") => BodyEncoding::Standard(TransferEncoding::QuotedPrintable),
            _ if ["x-uuencode", "uuencode", "x-uue", "uue"].iter().any(|other| is(other)) => {
                BodyEncoding::Uuencode
            }
            _ => BodyEncoding::Unknown,
        }
    }

    /// Whether the octets are the content.
    pub fn is_identity(self) -> bool {
        !matches!(
            self,
            BodyEncoding::Standard(TransferEncoding::Base64 | TransferEncoding::QuotedPrintable)
                | BodyEncoding::Uuencode
        )
    }
}

/// A field of a header section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'m> {
    /// As written; empty for a line that is no field.
    pub name: &'m [u8],
    /// All behind the colon, folding included, without the last line end.
    pub value: &'m [u8],
    /// Octets from the start of the message.
    pub offset: usize,
}

impl<'m> Field<'m> {
    /// The name as text.
    pub fn name_text(&self) -> Cow<'m, str> {
        charset::decode_unlabelled(self.name).text
    }

    /// Whether this is its name, case aside.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// The value as text: unfolded, encoded words decoded.
    pub fn text(&self) -> DecodedText<'m> {
        encoded_word::decode(self.value)
    }

    /// The value as an address list.
    pub fn addresses(&self) -> AddressList<'m> {
        address::parse(self.value)
    }

    /// The value as a list of identifiers.
    pub fn ids(&self) -> ids::IdList<'m> {
        ids::parse(self.value)
    }

    /// The value as a date.
    pub fn date(&self) -> Option<date::ParsedDate> {
        date::parse(self.value)
    }
}

/// A header section and a body: the whole message, a part, or an embedded message.
#[derive(Debug, Clone, Copy)]
pub struct Entity<'m> {
    pub(super) message: &'m Message<'m>,
    pub(super) node: u32,
}

/// The header.
impl<'m> Entity<'m> {
    pub(super) fn node(&self) -> &'m Node {
        &self.message.nodes[self.node as usize]
    }

    fn field_at(&self, span: FieldSpan) -> Field<'m> {
        let raw: &'m [u8] = &self.message.raw;
        let name = &raw[span.start as usize..(span.start + span.name_octets) as usize];
        let value = &raw[span.value as usize..span.end as usize];
        let value = value.strip_suffix(b"\n").unwrap_or(value);
        let value = value.strip_suffix(b"\r").unwrap_or(value);
        Field { name, value, offset: span.start as usize }
    }

    /// All fields in their order, lines that are none included.
    pub fn fields(&self) -> impl DoubleEndedIterator<Item = Field<'m>> + use<'m> {
        let entity = *self;
        let spans = &entity.message.fields[range(&entity.node().fields)];
        spans.iter().map(move |span| entity.field_at(*span))
    }

    /// The first field of this name.
    pub fn field(&self, name: &str) -> Option<Field<'m>> {
        let entity = *self;
        let raw: &'m [u8] = &self.message.raw;
        let spans = &self.message.fields[range(&self.node().fields)];
        let found = spans.iter().find(|span| {
            let start = span.start as usize;
            span.name_octets as usize == name.len()
                && raw[start..start + name.len()].eq_ignore_ascii_case(name.as_bytes())
        });
        found.map(|span| entity.field_at(*span))
    }

    /// The first field of this name, as text.
    pub fn text_field(&self, name: &str) -> Option<Cow<'m, str>> {
        self.field(name).map(|field| field.text().text)
    }

    /// The addresses of the first field of this name: what is true of the originator fields, of
    /// which several have no meaning (RFC 5322 §4.5.2).
    pub fn first_address_field(&self, name: &str) -> AddressList<'m> {
        let empty = AddressList { is_clean: true, ..AddressList::default() };
        self.field(name).map_or(empty, |field| field.addresses())
    }

    /// All addresses of the fields of this name: several destination fields count as one
    /// (RFC 5322 §4.5.3).
    pub fn address_field(&self, name: &str) -> AddressList<'m> {
        let mut fields = self.fields().filter(|field| field.is(name));
        let Some(first) = fields.next() else {
            return AddressList { is_clean: true, ..AddressList::default() };
        };
        let mut list = first.addresses();
        for field in fields {
            let more = field.addresses();
            list.addresses.extend(more.addresses);
            list.is_clean &= more.is_clean;
        }
        list
    }

    /// `Subject`.
    pub fn subject(&self) -> Option<Cow<'m, str>> {
        self.text_field("Subject")
    }

    /// `From`.
    pub fn from(&self) -> AddressList<'m> {
        self.first_address_field("From")
    }

    /// `Sender`.
    pub fn sender(&self) -> AddressList<'m> {
        self.first_address_field("Sender")
    }

    /// `Reply-To`.
    pub fn reply_to(&self) -> AddressList<'m> {
        self.first_address_field("Reply-To")
    }

    /// `To`.
    pub fn to(&self) -> AddressList<'m> {
        self.address_field("To")
    }

    /// `Cc`.
    pub fn cc(&self) -> AddressList<'m> {
        self.address_field("Cc")
    }

    /// `Bcc`.
    pub fn bcc(&self) -> AddressList<'m> {
        self.address_field("Bcc")
    }

    /// `Date`, if it can be read.
    pub fn date(&self) -> Option<DateTime> {
        self.field("Date").and_then(|field| field.date()).map(|parsed| parsed.date)
    }

    /// `Message-ID`, without angle brackets.
    pub fn message_id(&self) -> Option<Cow<'m, str>> {
        self.first_id("Message-ID")
    }

    /// `In-Reply-To`.
    pub fn in_reply_to(&self) -> Vec<Cow<'m, str>> {
        self.field("In-Reply-To").map(|field| field.ids().ids).unwrap_or_default()
    }

    /// `References`, oldest first.
    pub fn references(&self) -> Vec<Cow<'m, str>> {
        self.field("References").map(|field| field.ids().ids).unwrap_or_default()
    }

    fn first_id(&self, name: &str) -> Option<Cow<'m, str>> {
        self.field(name).and_then(|field| field.ids().ids.into_iter().next())
    }

    /// `Content-ID`, without angle brackets.
    pub fn content_id(&self) -> Option<Cow<'m, str>> {
        self.first_id("Content-ID")
    }

    /// `Content-Description`.
    pub fn description(&self) -> Option<Cow<'m, str>> {
        self.text_field("Content-Description")
    }

    /// `Content-Location`, white space in it removed (RFC 2557 §4.4.2).
    pub fn location(&self) -> Option<String> {
        self.text_field("Content-Location").map(|text| text.split_whitespace().collect())
    }

    /// `Content-Language`: the tags (RFC 3282).
    pub fn languages(&self) -> Vec<String> {
        let text = self.text_field("Content-Language").unwrap_or_default();
        text.split(',').map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty()).collect()
    }

    /// `Content-Type`, or what holds without it: `text/plain`, in a digest `message/rfc822`
    /// (RFC 2046 §5.1.5).
    pub fn content_type(&self) -> ContentType<'m> {
        match self.content_type_field() {
            Some(field) => content::content_type(field.value),
            None => ContentType {
                essence: Cow::Borrowed(self.default_type()),
                parameters: Default::default(),
                is_clean: true,
            },
        }
    }

    /// Only `type/subtype`, in lower case.
    pub fn media_type(&self) -> Cow<'m, str> {
        match self.content_type_field() {
            Some(field) => content::essence(field.value).0,
            None => Cow::Borrowed(self.default_type()),
        }
    }

    fn default_type(&self) -> &'static str {
        if self.node().in_digest { "message/rfc822" } else { content::DEFAULT_TYPE }
    }

    fn content_type_field(&self) -> Option<Field<'m>> {
        self.node().content_type.map(|number| self.field_at(self.message.fields[number as usize]))
    }

    /// `Content-Disposition`.
    pub fn disposition(&self) -> Option<ContentDisposition<'m>> {
        self.field("Content-Disposition").map(|field| content::content_disposition(field.value))
    }

    /// The file name that the sender proposes, of the disposition or else of the type. Never use
    /// it as a path: see [`Entity::safe_file_name`].
    pub fn file_name(&self) -> Option<String> {
        let of_disposition =
            self.disposition().and_then(|found| found.parameters.get("filename").map(str::to_owned));
        of_disposition.or_else(|| self.content_type().parameters.get("name").map(str::to_owned))
    }

    /// The transfer encoding that the header claims.
    pub fn encoding(&self) -> BodyEncoding {
        self.node().encoding
    }
}

/// Place and body.
impl<'m> Entity<'m> {
    /// Octets from the start of the message to this entity's header.
    pub fn offset(&self) -> usize {
        self.node().header.start as usize
    }

    /// Octets from the start of the message to this entity's body.
    pub fn body_offset(&self) -> usize {
        self.node().body.start as usize
    }

    /// The header section as it stands, without the empty line.
    pub fn raw_header(&self) -> &'m [u8] {
        &self.message.raw[range(&self.node().header)]
    }

    /// The body as it stands, still encoded.
    pub fn raw_body(&self) -> &'m [u8] {
        &self.message.raw[range(&self.node().body)]
    }

    /// Header section, empty line and body as they stand: what a signature of RFC 1847 covers.
    pub fn raw(&self) -> &'m [u8] {
        let node = self.node();
        &self.message.raw[node.header.start as usize..node.body.end as usize]
    }

    /// Whether it has parts.
    pub fn is_multipart(&self) -> bool {
        self.node().kind == Kind::Multipart
    }

    /// The parts of a multipart, or nothing.
    pub fn parts(&self) -> impl Iterator<Item = Entity<'m>> + use<'m> {
        let message = self.message;
        let first = self.node().first_child.filter(|_| self.is_multipart());
        let entity = move |node: u32| Entity { message, node };
        std::iter::successors(first.map(entity), move |part| part.node().next_sibling.map(entity))
    }

    /// The message in a `message/rfc822`, encoded or not.
    pub fn message(&self) -> Option<Entity<'m>> {
        match self.node().kind {
            Kind::Message => self.node().first_child.map(|node| Entity { message: self.message, node }),
            Kind::EncodedMessage => {
                let encoded = &self.message.encoded;
                let found = encoded.iter().find(|(node, _)| *node == self.node);
                found.map(|(_, message)| message.root())
            }
            Kind::Leaf | Kind::Multipart => None,
        }
    }

    /// The message as a value of its own that this entity is in.
    pub fn parent(&self) -> Option<Entity<'m>> {
        self.node().parent.map(|node| Entity { message: self.message, node })
    }

    /// What stands before the first part (RFC 2046 §5.1.1).
    pub fn preamble(&self) -> &'m [u8] {
        let node = self.node();
        if node.kind != Kind::Multipart {
            return &[];
        }
        &self.message.raw[node.body.start as usize..node.preamble_end.max(node.body.start) as usize]
    }

    /// What stands behind the closing boundary line.
    pub fn epilogue(&self) -> &'m [u8] {
        let node = self.node();
        if node.kind != Kind::Multipart || node.first_child.is_none() {
            return &[];
        }
        &self.message.raw[node.epilogue_start.min(node.body.end) as usize..node.body.end as usize]
    }

    /// The body with its transfer encoding taken away. That of a multipart is never encoded.
    pub fn content(&self) -> Cow<'m, [u8]> {
        self.content_and_state().0
    }

    /// As [`Entity::content`], and whether the encoding was in order.
    pub(super) fn content_and_state(&self) -> (Cow<'m, [u8]>, bool) {
        let body = self.raw_body();
        if self.is_multipart() {
            return (Cow::Borrowed(body), true);
        }
        let mut out = Vec::new();
        let is_clean = match self.encoding() {
            BodyEncoding::Standard(TransferEncoding::Base64) => base64::decode_into(body, &mut out),
            BodyEncoding::Standard(TransferEncoding::QuotedPrintable) => {
                quoted_printable::decode_into(body, &mut out)
            }
            BodyEncoding::Uuencode => match uuencode::decode(body) {
                Some(file) => {
                    out = file.content;
                    file.is_clean
                }
                None => return (Cow::Borrowed(body), false),
            },
            _ => return (Cow::Borrowed(body), true),
        };
        (Cow::Owned(out), is_clean)
    }

    /// The charset that the type names.
    pub fn charset(&self) -> Option<String> {
        self.content_type().parameters.get("charset").map(str::to_owned)
    }

    /// The content as text, whatever the type: for `text/…`. Without a charset, or with one that
    /// nobody knows, octets are read as UTF-8 if they are that, else as windows-1252.
    pub fn text(&self) -> Cow<'m, str> {
        let charset = self.known_charset().unwrap_or(Charset::Ascii);
        match self.content() {
            Cow::Borrowed(octets) => charset.decode(octets).text,
            Cow::Owned(octets) => match charset {
                Charset::Ascii => owned_text(octets, charset),
                Charset::Table(encoding)
                    if encoding == encoding_rs::UTF_8 && !octets.starts_with(b"\xef\xbb\xbf") =>
                {
                    owned_text(octets, charset)
                }
                _ => Cow::Owned(charset.decode(&octets).text.into_owned()),
            },
        }
    }

    fn known_charset(&self) -> Option<Charset> {
        let field = self.content_type_field()?;
        let (_, parameters, _) = content::essence(field.value);
        Charset::by_name(&parameter::charset(parameters)?)
    }

    /// As [`Entity::text`], with what was wrong.
    pub(super) fn decoded_text<'c>(&self, content: &'c [u8]) -> Decoded<'c> {
        self.known_charset().unwrap_or(Charset::Ascii).decode(content)
    }
}

/// Octets that mostly are the text already need no copy.
fn owned_text(octets: Vec<u8>, charset: Charset) -> Cow<'static, str> {
    match String::from_utf8(octets) {
        Ok(text) => Cow::Owned(text),
        Err(error) => Cow::Owned(charset.decode(error.as_bytes()).text.into_owned()),
    }
}
