//! The message format: RFC 5322 and MIME, read and written.
//!
//! Pure: bytes in, values out, and back; no clock, no randomness, no IO.
//!
//! # Reading
//!
//! [`Message::parse`] never fails and copies nothing; fields and bodies are decoded when they are asked
//! for. What departs from the RFCs is a [`Defect`] with its place and the rule.
//!
//! ```
//! use posta_message::Message;
//!
//! let message = Message::parse(
//!     b"From: =?utf-8?Q?J=C3=BCrgen?= <j@north.example>\r\n\
//!       To: Friends: ada@south.example, bob@south.example;\r\n\
//!       Date: Sat, 17 Nov 2007 20:18:49 -0500\r\n\
//!       Subject: Plans\r\n\
//!       MIME-Version: 1.0\r\n\
//!       Content-Type: multipart/mixed; boundary=x\r\n\r\n\
//!       --x\r\nContent-Type: text/html\r\n\r\n<p>Tea at <b>five</b>?</p>\r\n\
//!       --x\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\
//!       Content-Disposition: attachment; filename=\"../map.png\"\r\n\r\niVBORw==\r\n--x--\r\n",
//! );
//! let root = message.root();
//! assert_eq!(root.from().mailboxes().next().unwrap().name.as_deref(), Some("Jürgen"));
//! assert_eq!(root.to().mailboxes().count(), 2);
//! assert_eq!(root.date().unwrap().instant.to_string(), "2007-11-18T01:18:49Z");
//!
//! // The parts, one by one, or as a person reads them.
//! let types: Vec<_> = root.parts().map(|part| part.media_type()).collect();
//! assert_eq!(types, ["text/html", "image/png"]);
//! assert!(message.readable_text().contains("Tea at"));
//! let map = &message.attachments()[0].entity;
//! assert_eq!(map.safe_file_name(), "map.png");
//! assert_eq!(map.content().as_ref(), b"\x89PNG");
//! assert!(message.defects().is_empty());
//! ```
//!
//! Broken mail is read as well as it can be; [`Message::check`] tells all that is wrong with it:
//!
//! ```
//! use posta_message::{DefectKind, Message};
//!
//! let raw = b"From: ada@north.example\r\nDate: yesterday\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nHi";
//! let message = Message::parse(raw);
//! assert_eq!(message.readable_text(), "Hi");
//! let kinds: Vec<_> = message.check().iter().map(|defect| defect.kind).collect();
//! assert!(kinds.contains(&DefectKind::BadDate) && kinds.contains(&DefectKind::MultipartUnclosed));
//! assert_eq!(DefectKind::BadDate.section(), "RFC 5322 §3.3");
//! ```
//!
//! # Writing
//!
//! [`MessageBuilder`] takes typed values only, so that no text can become a field of its own; what it
//! gives out, a strict reader accepts.
//!
//! ```
//! use posta_message::{Address, DateTime, HeaderText, MediaType, Message, MessageBuilder, Part};
//!
//! let built = MessageBuilder::new(
//!     Address::named("Jürgen", "j@north.example")?,
//!     DateTime::utc("2026-11-23T12:00:00Z".parse()?),
//! )
//! .to(Address::parse("ada@south.example")?)
//! .subject(HeaderText::clean("Plans\r\nBcc: everybody@south.example"))
//! .body(Part::mixed(vec![
//!     Part::alternative(vec![Part::text("Tea?\n"), Part::html("<p>Tea?</p>")]),
//!     Part::attachment(HeaderText::clean("Pläne.bin"), MediaType::octet_stream(), &b"\x00\xff"[..]),
//! ]))
//! .build();
//! assert!(built.octets.is_ascii() && !built.needs_8bitmime);
//!
//! let message = Message::parse(&built.octets);
//! assert_eq!(message.root().subject().unwrap(), "Plans Bcc: everybody@south.example");
//! assert_eq!(message.root().bcc().mailboxes().count(), 0);
//! assert_eq!(message.attachments()[0].entity.file_name().as_deref(), Some("Pläne.bin"));
//! assert_eq!(message.check(), []);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A report on what became of a message, written and read (RFC 3464):
//!
//! ```
//! use posta_message::report::{Action, DeliveryReport, RecipientReport, Report, Returned, find};
//! use posta_message::{Address, DateTime, Message, MessageBuilder};
//!
//! let report = DeliveryReport {
//!     original_envelope_id: None,
//!     reporting_mta: "north.example".parse()?,
//!     received_from_mta: None,
//!     arrival_date: None,
//!     extensions: Vec::new(),
//!     recipients: vec![RecipientReport::new("bob@south.example".parse()?, Action::Failed, "5.1.1".parse()?)],
//! };
//! let returned = Returned::Headers(b"Subject: Tea\r\n\r\n");
//! let built = MessageBuilder::new(
//!     Address::parse("postmaster@north.example")?,
//!     DateTime::utc("2026-11-23T12:00:00Z".parse()?),
//! )
//! .body(report.part("Bob is not known there.\n", returned))
//! .build();
//!
//! let Some(Report::Delivery(status)) = find(&Message::parse(&built.octets)) else { panic!("no report") };
//! assert_eq!(status.recipients[0].final_recipient.as_deref(), Some("bob@south.example"));
//! assert_eq!(status.recipients[0].action, Some(Action::Failed));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! For a host without 8BITMIME, [`downgrade::to_7bit`] encodes what is not 7bit and leaves the rest as it is:
//!
//! ```
//! let done = posta_message::downgrade::to_7bit(
//!     "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
//!      Content-Transfer-Encoding: 8bit\r\n\r\nViele Grüße aus dem Norden\r\n".as_bytes(),
//! );
//! assert!(done.is_7bit && done.octets.ends_with(b"Viele Gr=C3=BC=C3=9Fe aus dem Norden\r\n"));
//! ```
//!
//! # What is where
//!
//! - [`read`]: messages read; [`field`]: the values of single fields; [`mod@defect`]: what can be wrong.
//! - [`build`]: messages written from typed values.
//! - [`report`]: delivery status, disposition and abuse reports, written and read.
//! - [`header`]: field names and texts that cannot carry an injection, and quick look-ups in raw
//!   header sections.
//! - [`date`], [`message_id`]: the two smaller notations.
//! - [`encoding`], [`charset`], [`encoded_word`]: octets to content, content to text.
//! - [`text`]: format=flowed, text/enriched; [`partial`]: messages in pieces; [`downgrade`]: 8bit to 7bit;
//!   [`surrogate`]: header sections in ASCII.
//! - [`limits`]: the bounds, each with what the RFC asks for.

pub mod build;
pub mod charset;
pub mod date;
pub mod defect;
pub mod downgrade;
pub mod encoded_word;
pub mod encoding;
pub mod field;
pub mod header;
pub mod limits;
pub mod message_id;
pub mod partial;
pub mod read;
pub mod report;
pub mod surrogate;
pub mod text;

pub use build::{Address, BuiltMessage, MediaType, MessageBuilder, Part};
pub use date::DateTime;
pub use defect::{Defect, DefectKind};
pub use header::{HeaderError, HeaderName, HeaderText};
pub use message_id::MessageId;
pub use read::{Entity, Message};
