//! The structure of a message, found in one pass: header sections, and lines that begin with `--`.
//!
//! Every open multipart keeps its boundary on a stack. A line that holds one of them ends all that
//! lies deeper, so that a missing closing boundary costs only the part that it belongs to.

use super::{FieldSpan, Message};
use crate::defect::{Defect, DefectKind};
use crate::field::{content, parameter};
use crate::limits::{
    BOUNDARY_OCTETS_MAX, DEFECTS_MAX, ENCODED_NESTING_MAX, ENTITIES_MAX, FIELDS_MAX, MESSAGE_OCTETS_MAX,
    NESTING_MAX,
};
use crate::read::entity::BodyEncoding;
use memchr::{memchr, memmem};
use std::borrow::Cow;
use std::ops::Range;

/// An entity as found.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) parent: Option<u32>,
    pub(super) next_sibling: Option<u32>,
    pub(super) first_child: Option<u32>,
    /// Its fields in the arena of the message.
    pub(super) fields: Range<u32>,
    /// Header section, the empty line not included.
    pub(super) header: Range<u32>,
    /// What follows the empty line, to the line end that belongs to the next boundary.
    pub(super) body: Range<u32>,
    pub(super) kind: Kind,
    pub(super) encoding: BodyEncoding,
    /// The field that tells the type.
    pub(super) content_type: Option<u32>,
    /// Whether it stands in a multipart/digest (RFC 2046 §5.1.5).
    pub(super) in_digest: bool,
    /// Of a multipart: where its first boundary line begins and the last one ends.
    pub(super) preamble_end: u32,
    pub(super) epilogue_start: u32,
}

/// What an entity's body is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Leaf,
    Multipart,
    /// Its only child is the embedded message.
    Message,
    /// A message in a transfer encoding: one of `Message::encoded`.
    EncodedMessage,
}

/// A multipart that is still open, or a message within which a multipart may be.
struct Frame<'r> {
    node: u32,
    /// Empty for a message, and for a multipart whose closing boundary was seen.
    boundary: Cow<'r, [u8]>,
    last_child: Option<u32>,
    is_closed: bool,
    is_multipart: bool,
}

/// A boundary line.
struct Hit {
    line_start: usize,
    line_end: usize,
    frame: usize,
    is_close: bool,
}

struct Parser<'r> {
    raw: &'r [u8],
    nodes: Vec<Node>,
    fields: Vec<FieldSpan>,
    defects: Vec<Defect>,
    stack: Vec<Frame<'r>>,
    /// Made when the first multipart is opened: most messages need none.
    line_with_dashes: Option<memmem::Finder<'static>>,
}

pub(super) fn parse(raw: Cow<'_, [u8]>, encoded_nesting: usize) -> Message<'_> {
    let seen = &raw[..raw.len().min(MESSAGE_OCTETS_MAX)];
    let mut parser = Parser {
        raw: seen,
        nodes: Vec::with_capacity(4),
        fields: Vec::with_capacity(24),
        defects: Vec::new(),
        stack: Vec::new(),
        line_with_dashes: None,
    };
    if seen.len() < raw.len() {
        parser.defect(seen.len(), DefectKind::TooLarge);
    }
    parser.run();
    let Parser { nodes, fields, mut defects, .. } = parser;
    // They were found in the order of the lines but for those at the end of a part.
    defects.sort();
    let mut message = Message { raw, nodes, fields, defects, encoded: Vec::new() };
    message.open_encoded(encoded_nesting);
    message
}

impl Message<'_> {
    /// Reads the messages that lie encoded in this one. RFC 2046 §5.2.1 forbids that; it occurs.
    fn open_encoded(&mut self, nesting: usize) {
        for node in 0..self.nodes.len() as u32 {
            if self.nodes[node as usize].kind != Kind::EncodedMessage {
                continue;
            }
            if nesting >= ENCODED_NESTING_MAX {
                self.nodes[node as usize].kind = Kind::Leaf;
                continue;
            }
            let content = super::Entity { message: self, node }.content().into_owned();
            self.encoded.push((node, parse(Cow::Owned(content), nesting + 1)));
        }
    }
}

impl<'r> Parser<'r> {
    fn defect(&mut self, offset: usize, kind: DefectKind) {
        if self.defects.len() < DEFECTS_MAX {
            self.defects.push(Defect { offset, kind });
        }
    }

    fn run(&mut self) {
        let start = self.leading_junk();
        let mut at = self.begin(start, None, false);
        while let Some(hit) = self.next_boundary(at) {
            at = self.arrive(hit);
        }
        let end = self.raw.len();
        self.close_down_to(0, end, end);
    }

    /// A message taken from a mailbox file may still have its separator line, one saved by an
    /// editor a byte order mark.
    fn leading_junk(&mut self) -> usize {
        if self.raw.starts_with(b"\xef\xbb\xbf") {
            self.defect(0, DefectKind::ByteOrderMark);
            return 3;
        }
        if !self.raw.starts_with(b"From ") && !self.raw.starts_with(b">From ") {
            return 0;
        }
        self.defect(0, DefectKind::MboxLine);
        memchr(b'\n', self.raw).map_or(self.raw.len(), |end| end + 1)
    }

    /// Reads the header of an entity, and of those that begin with it, and gives where to look
    /// for the next boundary.
    fn begin(&mut self, start: usize, parent: Option<u32>, in_digest: bool) -> usize {
        let (mut start, mut parent, mut in_digest) = (start, parent, in_digest);
        loop {
            let (body, index) = self.entity(start, parent, in_digest);
            let node = &self.nodes[index as usize];
            match node.kind {
                Kind::Leaf | Kind::EncodedMessage => return body,
                Kind::Multipart => return body.saturating_sub(1).max(start),
                Kind::Message => {
                    self.stack.push(Frame {
                        node: index,
                        boundary: Cow::Borrowed(b""),
                        last_child: None,
                        is_closed: true,
                        is_multipart: false,
                    });
                    (start, parent, in_digest) = (body, Some(index), false);
                }
            }
        }
    }

    /// One entity: its header section, and what kind it is.
    fn entity(&mut self, start: usize, parent: Option<u32>, in_digest: bool) -> (usize, u32) {
        let index = self.nodes.len() as u32;
        let first_field = self.fields.len() as u32;
        let (header_end, body) = self.header(start);
        let end = self.raw.len() as u32;
        self.nodes.push(Node {
            parent,
            next_sibling: None,
            first_child: None,
            fields: first_field..self.fields.len() as u32,
            header: start as u32..header_end as u32,
            body: body as u32..end,
            kind: Kind::Leaf,
            encoding: BodyEncoding::default(),
            content_type: None,
            in_digest,
            preamble_end: end,
            epilogue_start: end,
        });
        if let Some(frame) = self.stack.last_mut() {
            match frame.last_child.replace(index) {
                Some(last) => self.nodes[last as usize].next_sibling = Some(index),
                None => self.nodes[frame.node as usize].first_child = Some(index),
            }
        }
        self.classify(index, body);
        (body, index)
    }

    /// Fields up to the empty line, or to what cannot be a header any more. Gives the end of the
    /// section and the start of the body.
    fn header(&mut self, start: usize) -> (usize, usize) {
        let mut at = start;
        loop {
            match &self.raw[at..] {
                [] => return (at, at),
                [b'\n', ..] => return (at, at + 1),
                [b'\r', b'\n', ..] => return (at, at + 2),
                [b'-', b'-', ..] if self.is_boundary(at) => return (at, at),
                _ => {}
            }
            let end = self.field_end(at);
            let span = self.field_span(at, end);
            if span.name_octets == 0 {
                // Dashes are a boundary, if only one that is not known yet.
                let goes_on = !self.raw[at..].starts_with(b"--") && self.header_goes_on(end);
                self.defect(at, if goes_on { DefectKind::NoFieldLine } else { DefectKind::HeaderEndMissing });
                if !goes_on {
                    return (at, at);
                }
            }
            self.keep(span);
            at = end;
        }
    }

    fn keep(&mut self, span: FieldSpan) {
        if self.fields.len() < FIELDS_MAX {
            self.fields.push(span);
        } else if self.fields.len() == FIELDS_MAX
            && self.defects.last().map(|defect| defect.kind) != Some(DefectKind::TooManyFields)
        {
            self.defect(span.start as usize, DefectKind::TooManyFields);
        }
    }

    fn field_end(&self, start: usize) -> usize {
        let mut at = start;
        while let Some(line) = memchr(b'\n', &self.raw[at..]) {
            at += line + 1;
            if !matches!(self.raw.get(at), Some(b' ' | b'\t')) {
                return at;
            }
        }
        self.raw.len()
    }

    /// Divides a field at its colon. A name has visible characters only (RFC 5322 §2.2), and
    /// white space perhaps before the colon (§4.5).
    fn field_span(&mut self, start: usize, end: usize) -> FieldSpan {
        let field = &self.raw[start..end];
        let name_octets = field.iter().take_while(|octet| is_name_char(**octet)).count();
        // Even folding may stand there (RFC 822 §3.4.2).
        let blank = field[name_octets..].iter().take_while(|octet| octet.is_ascii_whitespace()).count();
        let colon = name_octets + blank;
        if name_octets == 0 || field.get(colon) != Some(&b':') {
            return FieldSpan { start: start as u32, name_octets: 0, value: start as u32, end: end as u32 };
        }
        if blank > 0 {
            self.defect(start + name_octets, DefectKind::SpaceBeforeColon);
        }
        let value = (start + colon + 1) as u32;
        FieldSpan { start: start as u32, name_octets: name_octets as u32, value, end: end as u32 }
    }

    /// Whether a line that is no field is an accident in the header: another field follows.
    /// Otherwise the body has begun without an empty line.
    fn header_goes_on(&self, at: usize) -> bool {
        let rest = &self.raw[at..];
        let name = rest.iter().take_while(|octet| is_name_char(**octet)).count();
        let blank = rest[name..].iter().take_while(|octet| matches!(octet, b' ' | b'\t')).count();
        name > 0 && rest.get(name + blank) == Some(&b':')
    }

    /// Finds out what the body is and opens it if it has parts.
    fn classify(&mut self, index: u32, body: usize) {
        let node = &self.nodes[index as usize];
        let mut content_type = None;
        let mut encoding = None;
        for number in node.fields.clone() {
            let span = self.fields[number as usize];
            // Both names begin so; most fields are passed after one comparison of lengths.
            if !matches!(span.name_octets, 12 | 25) {
                continue;
            }
            let name = &self.raw[span.start as usize..(span.start + span.name_octets) as usize];
            if content_type.is_none() && name.eq_ignore_ascii_case(b"Content-Type") {
                content_type = Some(number);
            } else if encoding.is_none() && name.eq_ignore_ascii_case(b"Content-Transfer-Encoding") {
                encoding = Some(number);
            }
        }
        let raw = self.raw;
        let value = |span: FieldSpan| &raw[span.value as usize..span.end as usize];
        let encoding = encoding.map_or(BodyEncoding::default(), |number| {
            BodyEncoding::by_name(content::token(value(self.fields[number as usize])))
        });
        self.nodes[index as usize].encoding = encoding;
        self.nodes[index as usize].content_type = content_type;
        let Some(number) = content_type else {
            if self.nodes[index as usize].in_digest {
                self.open_message(index, body);
            }
            return;
        };
        let span = self.fields[number as usize];
        let (essence, parameters, _) = content::essence(value(span));
        if essence.starts_with("multipart/") {
            self.open_multipart(index, body, parameters, &essence, span.start as usize);
        } else if matches!(&*essence, "message/rfc822" | "message/global" | "message/news") {
            self.open_message(index, body);
        }
    }

    fn open_message(&mut self, index: u32, body: usize) {
        let kind = match self.nodes[index as usize].encoding {
            encoding if encoding.is_identity() => Kind::Message,
            _ => Kind::EncodedMessage,
        };
        if kind == Kind::EncodedMessage {
            self.defect(body, DefectKind::EncodedMessage);
        }
        if kind == Kind::EncodedMessage || self.has_room(body) {
            self.nodes[index as usize].kind = kind;
        }
    }

    fn has_room(&mut self, at: usize) -> bool {
        let kind = if self.stack.len() >= NESTING_MAX {
            DefectKind::TooDeep
        } else if self.nodes.len() >= ENTITIES_MAX {
            DefectKind::TooManyEntities
        } else {
            return true;
        };
        self.defect(at, kind);
        false
    }

    fn open_multipart(&mut self, index: u32, body: usize, parameters: &'r [u8], essence: &str, field: usize) {
        if !self.nodes[index as usize].encoding.is_identity() {
            self.defect(body, DefectKind::EncodedMultipart);
        }
        let boundary = boundary(parameters);
        let Some(boundary) = boundary.filter(|boundary| !boundary.is_empty()) else {
            return self.defect(field, DefectKind::BoundaryMissing);
        };
        if boundary.len() > BOUNDARY_OCTETS_MAX {
            self.defect(field, DefectKind::BoundaryTooLong);
        }
        if !self.has_room(body) {
            return;
        }
        self.line_with_dashes.get_or_insert_with(|| memmem::Finder::new(b"\n--"));
        self.nodes[index as usize].kind = Kind::Multipart;
        self.nodes[index as usize].in_digest = essence == "multipart/digest";
        self.stack.push(Frame {
            node: index,
            boundary,
            last_child: None,
            is_closed: false,
            is_multipart: true,
        });
    }

    fn is_boundary(&self, at: usize) -> bool {
        self.match_line(at).is_some()
    }

    /// The boundary that a line beginning with `--` holds: of the innermost multipart that has it.
    fn match_line(&self, at: usize) -> Option<Hit> {
        if self.stack.is_empty() {
            return None;
        }
        let line_end = memchr(b'\n', &self.raw[at..]).map_or(self.raw.len(), |end| at + end + 1);
        let line = self.raw[at + 2..line_end].trim_ascii_end();
        let open = || self.stack.iter().enumerate().rev().filter(|(_, frame)| !frame.is_closed);
        let rests =
            || open().filter_map(|(number, frame)| Some((number, line.strip_prefix(&*frame.boundary)?)));
        // White space before the closing dashes is in no grammar, but in print.
        let whole = |rest: &[u8]| rest.is_empty() || rest.trim_ascii_start() == b"--";
        // RFC 2046 §5.1.1: "An exact match of the entire candidate line is not required". Only behind white
        // space, so that boundaries that begin with one another stay apart.
        let begun = |rest: &[u8]| matches!(rest, [b' ' | b'\t', ..] | [b'-', b'-', b' ' | b'\t', ..]);
        let found = rests().find(|(_, rest)| whole(rest)).or_else(|| rests().find(|(_, rest)| begun(rest)));
        let (frame, rest) = found?;
        let is_close = rest.trim_ascii_start().starts_with(b"--");
        Some(Hit { line_start: at, line_end, frame, is_close })
    }

    fn next_boundary(&self, from: usize) -> Option<Hit> {
        if self.stack.iter().all(|frame| frame.is_closed) {
            return None;
        }
        // The first line of a body has no line end before it that belongs to the body.
        if from < self.raw.len()
            && self.raw[from..].starts_with(b"--")
            && (from == 0 || self.raw[from - 1] == b'\n')
            && let Some(hit) = self.match_line(from)
        {
            return Some(hit);
        }
        let finder = self.line_with_dashes.as_ref()?;
        let mut at = from;
        while let Some(found) = finder.find(&self.raw[at..]) {
            if let Some(hit) = self.match_line(at + found + 1) {
                return Some(hit);
            }
            at += found + 1;
        }
        None
    }

    /// A boundary line is reached: what lies deeper ends before it, and a part begins behind it.
    fn arrive(&mut self, hit: Hit) -> usize {
        // RFC 2046 §5.1.1: the line end before a boundary belongs to the boundary.
        let mut end = hit.line_start;
        if end > 0 && self.raw[end - 1] == b'\n' {
            end -= 1;
            end -= usize::from(end > 0 && self.raw[end - 1] == b'\r');
        }
        let end = self.close_down_to(hit.frame + 1, end, hit.line_start);
        let frame = &mut self.stack[hit.frame];
        let node = frame.node;
        match frame.last_child {
            Some(child) => self.end_body(child, end),
            None => {
                let node = &mut self.nodes[node as usize];
                node.preamble_end = (end as u32).max(node.body.start);
            }
        }
        self.nodes[node as usize].epilogue_start = hit.line_end as u32;
        if hit.is_close {
            self.stack[hit.frame].is_closed = true;
            return hit.line_end.saturating_sub(1);
        }
        if self.nodes.len() >= ENTITIES_MAX {
            self.defect(hit.line_start, DefectKind::TooManyEntities);
            self.stack.iter_mut().for_each(|frame| frame.is_closed = true);
            return self.raw.len();
        }
        let in_digest = self.nodes[node as usize].in_digest;
        self.begin(hit.line_end, Some(node), in_digest)
    }

    /// A body can't end before it begins: a boundary right behind the header leaves it empty.
    fn end_body(&mut self, node: u32, end: usize) {
        let node = &mut self.nodes[node as usize];
        node.body.end = (end as u32).max(node.body.start);
        node.header.end = node.header.end.min(node.body.start);
        node.preamble_end = node.preamble_end.min(node.body.end);
        node.epilogue_start = node.epilogue_start.min(node.body.end);
    }

    /// Ends the open entities from this frame on, deepest first. Gives where they end: a header that the
    /// boundary cuts off keeps its line end, and so does all that it lies in.
    fn close_down_to(&mut self, depth: usize, mut end: usize, line_start: usize) -> usize {
        while self.stack.len() > depth {
            let Some(frame) = self.stack.pop() else { break };
            if let Some(child) = frame.last_child {
                if !frame.is_closed || !frame.is_multipart {
                    self.end_body(child, end);
                }
                end = end.max(self.nodes[child as usize].body.end as usize);
                if !frame.is_closed {
                    self.defect(line_start, DefectKind::MultipartUnclosed);
                    self.nodes[frame.node as usize].epilogue_start = end as u32;
                }
            } else if frame.is_multipart {
                let body = self.nodes[frame.node as usize].body.start;
                self.defect(body as usize, DefectKind::PartsMissing);
            }
            self.end_body(frame.node, end);
        }
        end
    }
}

/// What a field name has (RFC 5322 §2.2): visible ASCII but the colon.
fn is_name_char(octet: u8) -> bool {
    octet.wrapping_sub(b'!') < b'\x7f' - b'!' && octet != b':'
}

/// The boundary of a multipart. The usual form is found without reading all parameters.
fn boundary(parameters: &[u8]) -> Option<Cow<'_, [u8]>> {
    let plain = memmem::find(parameters, b"boundary=\"")
        .filter(|_| memchr::memchr_iter(b'"', parameters).count() == 2);
    if let Some(at) = plain {
        let value = &parameters[at + 10..];
        let value = &value[..memchr(b'"', value)?];
        let is_usual = matches!(parameters[..at].last(), Some(b' ' | b';' | b'\t' | b'\n'));
        if is_usual
            && value.iter().all(|octet| octet.is_ascii_graphic() && *octet != b'\\')
            && !value.starts_with(b"=?")
            && !parameters.contains(&b'(')
        {
            return Some(Cow::Borrowed(value));
        }
    }
    let parameters = parameter::parse(parameters);
    // Trailing white space is no part of a boundary (RFC 2046 §5.1.1).
    parameters.get("boundary").map(|value| Cow::Owned(value.trim_end().as_bytes().to_vec()))
}
