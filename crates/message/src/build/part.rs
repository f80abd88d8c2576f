//! The parts of a message, and how each is written.

use super::fold::FieldWriter;
use super::{HeaderForm, MediaType, Way};
use crate::downgrade::to_7bit;
use crate::encoding::{ContentFacts, TransferEncoding, base64, quoted_printable};
use crate::header::{HeaderName, HeaderText};
use crate::message_id::MessageId;
use std::borrow::Cow;

/// One entity of the MIME tree. Made by one of the constructors, refined by the `with_…` methods.
#[derive(Debug, Clone)]
pub struct Part<'a> {
    media_type: MediaType,
    disposition: Option<Disposition>,
    file_name: Option<HeaderText>,
    content_id: Option<MessageId>,
    description: Option<HeaderText>,
    fields: Vec<(HeaderName, HeaderText)>,
    content: Content<'a>,
}

/// RFC 2183 §2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// Shown where it stands.
    Inline,
    /// Shown on request.
    Attachment,
}

#[derive(Debug, Clone)]
enum Content<'a> {
    /// Octets that must come out as they are.
    Octets(Cow<'a, [u8]>),
    /// A text, its line ends to be made CRLF.
    Text(Cow<'a, str>),
    /// A message; no encoding but the identity is allowed for it (RFC 2046 §5.2.1).
    Message(Cow<'a, [u8]>),
    /// Already encoded.
    Encoded(TransferEncoding, Cow<'a, [u8]>),
    /// A whole entity with its header section.
    Entity(Cow<'a, [u8]>),
    Parts(Vec<Part<'a>>),
}

impl<'a> Part<'a> {
    fn new(media_type: MediaType, content: Content<'a>) -> Self {
        Part {
            media_type,
            disposition: None,
            file_name: None,
            content_id: None,
            description: None,
            fields: Vec::new(),
            content,
        }
    }

    /// `text/plain`. Line ends become CRLF.
    pub fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::text_of(MediaType::known("text", "plain"), text)
    }

    /// `text/html`. Line ends become CRLF.
    pub fn html(text: impl Into<Cow<'a, str>>) -> Self {
        Self::text_of(MediaType::known("text", "html"), text)
    }

    /// A text of any type. The parameter `charset` is set by the content: `us-ascii` or `utf-8`
    /// (RFC 2046 §4.1.2 asks for the lowest). Line ends become CRLF.
    pub fn text_of(media_type: MediaType, text: impl Into<Cow<'a, str>>) -> Self {
        let text = text.into();
        let charset = if text.is_ascii() { "us-ascii" } else { "utf-8" };
        let mut part = Self::new(media_type, Content::Text(text));
        part.media_type.set("charset", HeaderText::clean(charset));
        part
    }

    /// Octets of any type, kept exactly, without disposition.
    pub fn octets(media_type: MediaType, content: impl Into<Cow<'a, [u8]>>) -> Self {
        Self::new(media_type, Content::Octets(content.into()))
    }

    /// A file to keep: `Content-Disposition: attachment`.
    pub fn attachment(
        file_name: HeaderText,
        media_type: MediaType,
        content: impl Into<Cow<'a, [u8]>>,
    ) -> Self {
        Self::octets(media_type, content).with_file_name(file_name).with_disposition(Disposition::Attachment)
    }

    /// Something shown inside another part, which names it by `cid:` (RFC 2392).
    pub fn inline(content_id: MessageId, media_type: MediaType, content: impl Into<Cow<'a, [u8]>>) -> Self {
        Self::octets(media_type, content).with_content_id(content_id).with_disposition(Disposition::Inline)
    }

    /// `message/rfc822`: a message inside the message. Bare LF become CRLF, because the content
    /// may not be encoded (RFC 2046 §5.2.1); its own bodies are, where 8bit is not allowed, unless
    /// that would break a signature: then the whole needs 8BITMIME.
    pub fn message(message: impl Into<Cow<'a, [u8]>>) -> Self {
        Self::new(MediaType::known("message", "rfc822"), Content::Message(message.into()))
    }

    /// `text/rfc822-headers`: the header section of a message, for reports (RFC 6522 §4).
    pub fn headers(section: impl Into<Cow<'a, [u8]>>) -> Self {
        Self::new(MediaType::known("text", "rfc822-headers"), Content::Octets(section.into()))
    }

    /// `multipart/SUBTYPE` with its parts; the boundary is made when writing.
    pub fn multipart(subtype: &str, parts: Vec<Part<'a>>) -> Result<Self, super::MediaTypeError> {
        Ok(Self::new(MediaType::parse(&format!("multipart/{subtype}"))?, Content::Parts(parts)))
    }

    /// `multipart/mixed`: independent parts in order.
    pub fn mixed(parts: Vec<Part<'a>>) -> Self {
        Self::new(MediaType::known("multipart", "mixed"), Content::Parts(parts))
    }

    /// `multipart/alternative`: the same in several forms, the plainest first.
    pub fn alternative(parts: Vec<Part<'a>>) -> Self {
        Self::new(MediaType::known("multipart", "alternative"), Content::Parts(parts))
    }

    /// `multipart/related`: the first part and what it refers to (RFC 2387). Its `type` parameter
    /// is that of the first part.
    pub fn related(parts: Vec<Part<'a>>) -> Self {
        let mut media_type = MediaType::known("multipart", "related");
        if let Some(root) = parts.first() {
            media_type.set("type", HeaderText::clean(root.media_type.essence()));
        }
        Self::new(media_type, Content::Parts(parts))
    }

    pub(crate) fn report(report_type: &str, parts: Vec<Part<'a>>) -> Self {
        let mut media_type = MediaType::known("multipart", "report");
        media_type.set("report-type", HeaderText::clean(report_type));
        Self::new(media_type, Content::Parts(parts))
    }

    /// A body that is encoded already.
    pub fn encoded(
        media_type: MediaType,
        encoding: TransferEncoding,
        body: impl Into<Cow<'a, [u8]>>,
    ) -> Self {
        Self::new(media_type, Content::Encoded(encoding, body.into()))
    }

    /// A whole entity, header section and body as they stand: what a signature was made over.
    /// The `with_…` methods have no effect on it, and it is written only inside a multipart.
    pub fn entity(octets: impl Into<Cow<'a, [u8]>>) -> Self {
        Self::new(MediaType::octet_stream(), Content::Entity(octets.into()))
    }

    /// `text/plain; format=flowed` (RFC 3676): lines are broken softly, to be joined again by
    /// whoever shows them.
    pub fn flowed(text: &str) -> Self {
        let mut part = Self::text(crate::text::flowed::flow(text));
        part.media_type.set("format", HeaderText::clean("flowed"));
        part
    }

    /// Sets a parameter of the media type, such as `format` or `protocol`.
    pub fn with_parameter(mut self, name: &str, value: HeaderText) -> Result<Self, super::MediaTypeError> {
        self.media_type = self.media_type.with_parameter(name, value)?;
        Ok(self)
    }

    /// `Content-Disposition`.
    pub fn with_disposition(mut self, disposition: Disposition) -> Self {
        self.disposition = Some(disposition);
        self
    }

    /// `filename` of the disposition (RFC 2231 where needed), and `name` of the type for old agents.
    pub fn with_file_name(mut self, file_name: HeaderText) -> Self {
        self.file_name = Some(file_name);
        self
    }

    /// `Content-ID`.
    pub fn with_content_id(mut self, content_id: MessageId) -> Self {
        self.content_id = Some(content_id);
        self
    }

    /// `Content-Description`.
    pub fn with_description(mut self, description: HeaderText) -> Self {
        self.description = Some(description);
        self
    }

    /// Another field of this part, unstructured.
    pub fn with_field(mut self, name: HeaderName, value: HeaderText) -> Self {
        self.fields.push((name, value));
        self
    }

    /// The media type.
    pub fn media_type(&self) -> &MediaType {
        &self.media_type
    }

    /// Writes header fields, the empty line and the body. Gives what the way must carry.
    pub(super) fn write(&self, out: &mut Vec<u8>, form: HeaderForm, way: &mut Way) {
        if let Content::Entity(octets) = &self.content {
            way.need(least_identity(octets));
            out.extend_from_slice(octets);
            return;
        }
        match &self.content {
            Content::Parts(parts) => self.write_multipart(parts, out, form, way),
            _ => self.write_leaf(out, form, way),
        }
    }

    fn write_leaf(&self, out: &mut Vec<u8>, form: HeaderForm, way: &mut Way) {
        let body = match &self.content {
            Content::Text(text) => with_crlf(text.as_bytes()),
            Content::Message(message) if way.allows_8bit => with_crlf(message),
            Content::Message(message) => match with_crlf(message) {
                Cow::Borrowed(message) => downgraded(message),
                Cow::Owned(message) => Cow::Owned(downgraded(&message).into_owned()),
            },
            Content::Octets(octets) | Content::Encoded(_, octets) | Content::Entity(octets) => {
                Cow::Borrowed(octets.as_ref())
            }
            Content::Parts(_) => Cow::Borrowed(&[][..]),
        };
        let encoding = match &self.content {
            Content::Encoded(encoding, _) => *encoding,
            Content::Message(_) => least_identity(&body),
            Content::Text(_) => choose(&body, true, way.allows_8bit, true),
            _ => {
                // The line end that ends a message must not become part of what is kept exactly.
                let may_stay = !way.is_whole_body || body.is_empty() || body.ends_with(b"\r\n");
                choose(&body, self.media_type.kind() == "text", way.allows_8bit, may_stay)
            }
        };
        way.need(encoding);
        self.write_fields(out, form, way, encoding, None);
        out.extend_from_slice(b"\r\n");
        match (&self.content, encoding) {
            (Content::Encoded(..), _) => out.extend_from_slice(&body),
            (_, TransferEncoding::Base64) => base64::encode_lines(&body, out),
            (_, TransferEncoding::QuotedPrintable) => {
                quoted_printable::encode(&body, out);
                if way.is_whole_body && !body.ends_with(b"\r\n") {
                    out.extend_from_slice(b"=\r\n");
                }
            }
            _ => out.extend_from_slice(&body),
        }
    }

    /// The boundary is chosen first and looked for in what was written; in the unheard-of case
    /// that it occurs there, the next one is taken.
    fn write_multipart(&self, parts: &[Part<'a>], out: &mut Vec<u8>, form: HeaderForm, way: &mut Way) {
        let start = out.len();
        let mut attempt = 0u64;
        loop {
            let boundary = self.boundary(way.multiparts + (attempt << 32));
            let mut inner =
                Way { allows_8bit: way.allows_8bit, multiparts: way.multiparts + 1, ..Way::default() };
            let mut body = Vec::with_capacity(self.octets_expected());
            for part in parts {
                body.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
                part.write(&mut body, form, &mut inner);
                body.extend_from_slice(b"\r\n");
            }
            if parts.is_empty() {
                // RFC 2046 §5.1.1: a multipart has at least one part.
                body.extend_from_slice(format!("--{boundary}\r\n\r\n\r\n").as_bytes());
            }
            body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
            let delimiter = format!("--{boundary}");
            let occurrences = memchr::memmem::find_iter(&body, delimiter.as_bytes()).count();
            if occurrences == parts.len().max(1) + 1 {
                let encoding = inner.identity();
                way.take(&inner);
                self.write_fields(out, form, way, encoding, Some(&boundary));
                out.extend_from_slice(b"\r\n");
                out.append(&mut body);
                return;
            }
            out.truncate(start);
            attempt += 1;
        }
    }

    fn write_fields(
        &self,
        out: &mut Vec<u8>,
        form: HeaderForm,
        way: &mut Way,
        encoding: TransferEncoding,
        boundary: Option<&str>,
    ) {
        let mut writer = FieldWriter::new(out, form == HeaderForm::Utf8);
        let name = self.file_name.as_ref().map(|name| ("name", name.as_str()));
        let boundary = boundary.map(|boundary| ("boundary", boundary));
        let parameters = self.media_type.parameters().chain(name).chain(boundary);
        writer.parameters("Content-Type", self.media_type.essence(), parameters);
        // 7bit is what holds without the field (RFC 2045 §6.1).
        if encoding != TransferEncoding::SevenBit {
            writer.words("Content-Transfer-Encoding", [encoding.as_str()]);
        }
        let disposition = self.disposition.or(self.file_name.as_ref().map(|_| Disposition::Attachment));
        if let Some(disposition) = disposition {
            let value = match disposition {
                Disposition::Inline => "inline",
                Disposition::Attachment => "attachment",
            };
            let file_name = self.file_name.as_ref().map(|name| ("filename", name.as_str()));
            writer.parameters("Content-Disposition", value, file_name);
        }
        if let Some(content_id) = &self.content_id {
            writer.words("Content-ID", [content_id.to_string().as_str()]);
        }
        if let Some(description) = &self.description {
            writer.unstructured(&HeaderName::of("Content-Description"), description);
        }
        for (name, value) in &self.fields {
            writer.unstructured(name, value);
        }
        way.needs_utf8 |= writer.wrote_utf8;
    }

    fn octets_expected(&self) -> usize {
        match &self.content {
            Content::Parts(parts) => parts.iter().map(|part| part.octets_expected() + 128).sum(),
            Content::Text(text) => text.len() + text.len() / 8 + 256,
            Content::Octets(octets) => octets.len() / 2 * 3 + 256,
            Content::Message(octets) | Content::Encoded(_, octets) | Content::Entity(octets) => {
                octets.len() + octets.len() / 32 + 256
            }
        }
    }

    /// From what the parts are: the same message always gets the same boundaries. `=_` occurs in
    /// no base64 or quoted-printable body (RFC 2045 §6.7).
    fn boundary(&self, salt: u64) -> String {
        let mut hash = Fnv::new(salt);
        self.hash_into(&mut hash);
        format!("=_{:016x}{:08x}", hash.0, hash.0.rotate_left(29).wrapping_mul(Fnv::PRIME) as u32)
    }

    fn hash_into(&self, hash: &mut Fnv) {
        hash.octets(self.media_type.essence().as_bytes());
        match &self.content {
            Content::Parts(parts) => parts.iter().for_each(|part| part.hash_into(hash)),
            Content::Text(text) => hash.sample(text.as_bytes()),
            Content::Octets(octets)
            | Content::Message(octets)
            | Content::Encoded(_, octets)
            | Content::Entity(octets) => hash.sample(octets),
        }
    }
}

/// The Fowler-Noll-Vo hash: no secret depends on it.
struct Fnv(u64);

impl Fnv {
    const PRIME: u64 = 0x0000_0100_0000_01b3;

    fn new(salt: u64) -> Self {
        Fnv(0xcbf2_9ce4_8422_2325 ^ salt.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn octets(&mut self, octets: &[u8]) {
        for &octet in octets {
            self.0 = (self.0 ^ u64::from(octet)).wrapping_mul(Self::PRIME);
        }
    }

    /// The length and both ends are enough: a boundary is checked after writing anyway.
    fn sample(&mut self, octets: &[u8]) {
        self.octets(&octets.len().to_le_bytes());
        self.octets(&octets[..octets.len().min(256)]);
        self.octets(&octets[octets.len().saturating_sub(256)..]);
    }
}

/// As 7bit if that can be had.
fn downgraded(message: &[u8]) -> Cow<'_, [u8]> {
    let downgraded = to_7bit(message);
    if downgraded.is_7bit { downgraded.octets } else { Cow::Borrowed(message) }
}

/// Bare CR and LF become CRLF (RFC 2046 §4.1.1).
fn with_crlf(text: &[u8]) -> Cow<'_, [u8]> {
    let is_bare = |at: usize| match text[at] {
        b'\n' => at == 0 || text[at - 1] != b'\r',
        _ => text.get(at + 1) != Some(&b'\n'),
    };
    if !memchr::memchr2_iter(b'\r', b'\n', text).any(is_bare) {
        return Cow::Borrowed(text);
    }
    let mut canonical = Vec::with_capacity(text.len() + text.len() / 32);
    let mut start = 0;
    for at in memchr::memchr2_iter(b'\r', b'\n', text).filter(|&at| is_bare(at)) {
        canonical.extend_from_slice(&text[start..at]);
        canonical.extend_from_slice(b"\r\n");
        start = at + 1;
    }
    canonical.extend_from_slice(&text[start..]);
    Cow::Owned(canonical)
}

/// The least of the three identity encodings that holds the octets.
fn least_identity(octets: &[u8]) -> TransferEncoding {
    let facts = ContentFacts::of(octets);
    if facts.is_7bit() {
        TransferEncoding::SevenBit
    } else if facts.is_8bit() {
        TransferEncoding::EightBit
    } else {
        TransferEncoding::Binary
    }
}

/// The encoding that keeps the octets and costs least; a readable one for texts if it costs
/// hardly more.
fn choose(content: &[u8], is_text: bool, allows_8bit: bool, may_stay: bool) -> TransferEncoding {
    if !may_stay || (!allows_8bit && !content.is_ascii()) {
        return choose_7bit(content, is_text);
    }
    let facts = ContentFacts::of(content);
    if facts.is_7bit() && !facts.has_control {
        return TransferEncoding::SevenBit;
    }
    if allows_8bit && facts.is_8bit() && !facts.has_control {
        return TransferEncoding::EightBit;
    }
    choose_7bit(content, is_text)
}

/// Of the two encodings that hide everything, the shorter; for texts the readable one if it is
/// hardly longer.
pub(crate) fn choose_7bit(content: &[u8], is_text: bool) -> TransferEncoding {
    let quoted_octets = quoted_printable::encoded_octets(content);
    let base64_octets = base64::encoded_octets(content.len());
    let tolerance = if is_text { base64_octets / 8 } else { 0 };
    if quoted_octets <= base64_octets + tolerance {
        TransferEncoding::QuotedPrintable
    } else {
        TransferEncoding::Base64
    }
}
