//! Messages read.
//!
//! [`Message::parse`] finds the structure in one pass and copies nothing; fields and bodies are
//! decoded when they are asked for. Nothing fails: what departs from the RFCs is a
//! [`Defect`].
//!
//! ```
//! let message = posta_message::Message::parse(b"From: Ada <a@north.example>\r\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n\r\nHello\r\n");
//! let root = message.root();
//! assert_eq!(root.subject().unwrap(), "Grüße");
//! assert_eq!(root.from().mailboxes().next().unwrap().address, "a@north.example");
//! assert_eq!(message.readable_text(), "Hello\r\n");
//! ```

mod body;
mod check;
mod entity;
mod external;
mod structure;

pub use body::Attachment;
pub use entity::{BodyEncoding, Entity, Field};
pub use external::ExternalBody;

use crate::defect::Defect;
use std::borrow::Cow;
use std::ops::Range;
use structure::Node;

/// A message: its octets, and what was found in them.
#[derive(Debug, Clone)]
pub struct Message<'a> {
    raw: Cow<'a, [u8]>,
    nodes: Vec<Node>,
    fields: Vec<FieldSpan>,
    defects: Vec<Defect>,
    /// Messages that lie encoded in an entity, with the number of its node.
    encoded: Vec<(u32, Message<'static>)>,
}

/// Where a field lies.
#[derive(Debug, Clone, Copy)]
struct FieldSpan {
    start: u32,
    /// Octets of the name; 0 for a line that is no field.
    name_octets: u32,
    /// Where the value begins.
    value: u32,
    /// Behind the line end.
    end: u32,
}

fn range(span: &Range<u32>) -> Range<usize> {
    span.start as usize..span.end as usize
}

impl<'a> Message<'a> {
    /// Reads a message. Its lines may end with CRLF or LF.
    pub fn parse(raw: &'a [u8]) -> Self {
        structure::parse(Cow::Borrowed(raw), 0)
    }

    /// As [`Message::parse`], keeping the octets.
    pub fn parse_owned(raw: Vec<u8>) -> Message<'static> {
        structure::parse(Cow::Owned(raw), 0)
    }

    /// The octets, unchanged.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// The message as an entity: its header and body.
    pub fn root(&self) -> Entity<'_> {
        Entity { message: self, node: 0 }
    }

    /// All entities in the order in which they begin; those of embedded messages are among them,
    /// those of encoded ones are not.
    pub fn entities(&self) -> impl Iterator<Item = Entity<'_>> {
        (0..self.nodes.len() as u32).map(|node| Entity { message: self, node })
    }

    /// The defects of the structure. [`Message::check`] finds those of fields and bodies as well.
    pub fn defects(&self) -> &[Defect] {
        &self.defects
    }
}
