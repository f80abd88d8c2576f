//! Messages written.
//!
//! ```
//! use posta_message::{Address, DateTime, HeaderText, MessageBuilder, Part};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let date = DateTime::utc("2007-11-17T20:18:49Z".parse()?);
//! let built = MessageBuilder::new(Address::named("Ada", "ada@north.example")?, date)
//!     .to(Address::parse("bob@south.example")?)
//!     .subject(HeaderText::parse("Grüße")?)
//!     .body(Part::text("Dear Bob,\n"))
//!     .build();
//! assert!(built.octets.starts_with(b"From: Ada <ada@north.example>\r\n"));
//! assert!(!built.needs_8bitmime && !built.needs_smtputf8);
//! # Ok(()) }
//! ```

pub(crate) mod fold;
mod media_type;
mod part;

pub use media_type::{MediaType, MediaTypeError};
pub(crate) use part::choose_7bit;
pub use part::{Disposition, Part};

use crate::date::DateTime;
use crate::encoding::TransferEncoding;
use crate::header::{HeaderError, HeaderName, HeaderText};
use crate::message_id::MessageId;
use fold::FieldWriter;
use posta_address::{AddressError, Mailbox};
use thiserror::Error;

/// A mailbox with the name shown for it (RFC 5322 §3.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedMailbox {
    /// The display name.
    pub name: Option<HeaderText>,
    /// The address itself.
    pub mailbox: Mailbox,
}

/// One entry of an address list (RFC 5322 §3.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// One mailbox.
    Mailbox(NamedMailbox),
    /// A named group, empty perhaps: `undisclosed recipients:;`.
    Group {
        /// The group's name.
        name: HeaderText,
        /// Its members.
        members: Vec<NamedMailbox>,
    },
}

/// Why texts do not make an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AddressTextError {
    /// The name has control characters.
    #[error(transparent)]
    Name(#[from] HeaderError),
    /// The mailbox is none.
    #[error(transparent)]
    Mailbox(#[from] AddressError),
}

impl Address {
    /// `local-part@host` without a name.
    pub fn parse(mailbox: &str) -> Result<Self, AddressTextError> {
        Ok(Address::from(Mailbox::parse(mailbox)?))
    }

    /// A mailbox with a name, given as it is to be shown, unquoted.
    pub fn named(name: &str, mailbox: &str) -> Result<Self, AddressTextError> {
        let name = Some(HeaderText::parse(name)?);
        Ok(Address::Mailbox(NamedMailbox { name, mailbox: Mailbox::parse(mailbox)? }))
    }

    /// The mailboxes it stands for.
    pub fn mailboxes(&self) -> &[NamedMailbox] {
        match self {
            Address::Mailbox(mailbox) => std::slice::from_ref(mailbox),
            Address::Group { members, .. } => members,
        }
    }
}

impl From<Mailbox> for NamedMailbox {
    fn from(mailbox: Mailbox) -> Self {
        NamedMailbox { name: None, mailbox }
    }
}
impl From<Mailbox> for Address {
    fn from(mailbox: Mailbox) -> Self {
        Address::Mailbox(mailbox.into())
    }
}
impl From<NamedMailbox> for Address {
    fn from(mailbox: NamedMailbox) -> Self {
        Address::Mailbox(mailbox)
    }
}

/// What the header fields' texts are written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum HeaderForm {
    #[default]
    Ascii,
    Utf8,
}

/// What the way between the hosts must be able to carry, gathered while writing.
#[derive(Debug, Default)]
struct Way {
    allows_8bit: bool,
    needs: Option<TransferEncoding>,
    needs_utf8: bool,
    /// Whether the body is the message's own, which has to end with a line end.
    is_whole_body: bool,
    /// Multiparts around this place: tells their boundaries apart.
    multiparts: u64,
}

impl Way {
    fn need(&mut self, encoding: TransferEncoding) {
        if matches!(encoding, TransferEncoding::EightBit | TransferEncoding::Binary) {
            self.needs = self.needs.max(Some(encoding));
        }
    }

    fn take(&mut self, inner: &Way) {
        self.needs = self.needs.max(inner.needs);
        self.needs_utf8 |= inner.needs_utf8;
    }

    /// RFC 2045 §6.4: a multipart has the least identity encoding that covers its parts.
    fn identity(&self) -> TransferEncoding {
        self.needs.unwrap_or(TransferEncoding::SevenBit)
    }
}

/// A message in wire form and what a host needs to take it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltMessage {
    /// Header section, empty line, body; every line ends with CRLF, nothing is dot-stuffed.
    pub octets: Vec<u8>,
    /// The body has octets over 127 (RFC 6152): only if allowed, or given ready encoded.
    pub needs_8bitmime: bool,
    /// Header fields have UTF-8 (RFC 6531): only if asked for, or for an address that has no
    /// ASCII form.
    pub needs_smtputf8: bool,
}

/// A message to be written: fields in a fixed order, then the body.
#[derive(Debug, Clone)]
pub struct MessageBuilder<'a> {
    from: Vec<Address>,
    sender: Option<Address>,
    reply_to: Vec<Address>,
    to: Vec<Address>,
    cc: Vec<Address>,
    bcc: Vec<Address>,
    subject: Option<HeaderText>,
    date: DateTime,
    message_id: Option<MessageId>,
    in_reply_to: Vec<MessageId>,
    references: Vec<MessageId>,
    fields: Vec<(HeaderName, HeaderText)>,
    body: Part<'a>,
    form: HeaderForm,
    allows_8bit: bool,
}

impl<'a> MessageBuilder<'a> {
    /// Begins with the two fields that no message may lack (RFC 5322 §3.6).
    pub fn new(from: impl Into<Address>, date: DateTime) -> Self {
        MessageBuilder {
            from: vec![from.into()],
            sender: None,
            reply_to: Vec::new(),
            to: Vec::new(),
            cc: Vec::new(),
            bcc: Vec::new(),
            subject: None,
            date,
            message_id: None,
            in_reply_to: Vec::new(),
            references: Vec::new(),
            fields: Vec::new(),
            body: Part::text(""),
            form: HeaderForm::Ascii,
            allows_8bit: false,
        }
    }

    /// One more author. With more than one, `Sender` is a must (RFC 5322 §3.6.2): the first
    /// author becomes it unless another is set.
    pub fn also_from(mut self, address: impl Into<Address>) -> Self {
        self.from.push(address.into());
        self
    }

    /// Who sends it in the author's stead. A group gives its first member.
    pub fn sender(mut self, mailbox: impl Into<Address>) -> Self {
        self.sender = Some(mailbox.into());
        self
    }

    /// Where answers should go; can be called again.
    pub fn reply_to(mut self, address: impl Into<Address>) -> Self {
        self.reply_to.push(address.into());
        self
    }

    /// A recipient; can be called again.
    pub fn to(mut self, address: impl Into<Address>) -> Self {
        self.to.push(address.into());
        self
    }

    /// A further recipient; can be called again.
    pub fn cc(mut self, address: impl Into<Address>) -> Self {
        self.cc.push(address.into());
        self
    }

    /// A hidden recipient. It IS written: for drafts. What is submitted must go without it
    /// (RFC 5322 §3.6.3).
    pub fn bcc(mut self, address: impl Into<Address>) -> Self {
        self.bcc.push(address.into());
        self
    }

    /// The subject.
    pub fn subject(mut self, subject: HeaderText) -> Self {
        self.subject = Some(subject);
        self
    }

    /// The identifier of this message.
    pub fn message_id(mut self, id: MessageId) -> Self {
        self.message_id = Some(id);
        self
    }

    /// What it answers; can be called again.
    pub fn in_reply_to(mut self, id: MessageId) -> Self {
        self.in_reply_to.push(id);
        self
    }

    /// The thread it belongs to, oldest first.
    pub fn references(mut self, ids: impl IntoIterator<Item = MessageId>) -> Self {
        self.references.extend(ids);
        self
    }

    /// Another field, with unstructured text. It is written after the known ones, in the order
    /// of the calls.
    pub fn field(mut self, name: HeaderName, value: HeaderText) -> Self {
        self.fields.push((name, value));
        self
    }

    /// The body: an empty text if never set.
    pub fn body(mut self, body: Part<'a>) -> Self {
        self.body = body;
        self
    }

    /// Lets bodies go as `8bit`, where the next host offers 8BITMIME (RFC 6152).
    pub fn allow_8bit(mut self) -> Self {
        self.allows_8bit = true;
        self
    }

    /// Writes header texts as UTF-8 (RFC 6532), where the next host offers SMTPUTF8.
    pub fn utf8_header(mut self) -> Self {
        self.form = HeaderForm::Utf8;
        self
    }

    /// Writes the message.
    pub fn build(&self) -> BuiltMessage {
        let mut octets = Vec::new();
        let mut way = Way { allows_8bit: self.allows_8bit, is_whole_body: true, ..Way::default() };
        let mut writer = FieldWriter::new(&mut octets, self.form == HeaderForm::Utf8);
        self.write_fields(&mut writer);
        let header_needs_utf8 = writer.wrote_utf8;
        self.body.write(&mut octets, self.form, &mut way);
        if !octets.ends_with(b"\r\n") {
            octets.extend_from_slice(b"\r\n");
        }
        let needs_smtputf8 = header_needs_utf8 || way.needs_utf8;
        BuiltMessage { octets, needs_8bitmime: way.needs.is_some(), needs_smtputf8 }
    }

    fn write_fields(&self, writer: &mut FieldWriter<'_>) {
        let mailboxes =
            |list: &[Address]| list.iter().map(|address| address.mailboxes().len()).sum::<usize>();
        let sender = match &self.sender {
            None if mailboxes(&self.from) > 1 => self.from.first(),
            sender => sender.as_ref(),
        };
        let sender = sender.and_then(|address| address.mailboxes().first());
        writer.addresses("From", &self.from);
        writer.addresses("Sender", sender.cloned().map(Address::from).as_slice());
        writer.addresses("Reply-To", &self.reply_to);
        writer.addresses("To", &self.to);
        writer.addresses("Cc", &self.cc);
        writer.addresses("Bcc", &self.bcc);
        if let Some(subject) = &self.subject {
            writer.unstructured(&HeaderName::of("Subject"), subject);
        }
        writer.words("Date", [self.date.to_string().as_str()]);
        let ids = |ids: &[MessageId]| ids.iter().map(MessageId::to_string).collect::<Vec<_>>();
        for (name, ids) in [
            ("Message-ID", ids(self.message_id.as_slice())),
            ("In-Reply-To", ids(&self.in_reply_to)),
            ("References", ids(&self.references)),
        ] {
            if !ids.is_empty() {
                writer.words(name, ids.iter().map(String::as_str));
            }
        }
        for (name, value) in &self.fields {
            writer.unstructured(name, value);
        }
        writer.words("MIME-Version", ["1.0"]);
    }
}
