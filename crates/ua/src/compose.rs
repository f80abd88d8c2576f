//! From what a person wants to say to a message and its envelope.

use crate::{limits::ATTACHMENTS_OCTETS_MAX, media_type};
use bytes::Bytes;
use posta_address::{Domain, Mailbox, ReversePath};
use posta_message::{
    Address, DateTime, HeaderError, HeaderText, MediaType, MessageBuilder, MessageId, Part,
    build::NamedMailbox,
};
use posta_smtp::client::Requests;
use posta_wire::{ContentFacts, Notify};
use thiserror::Error;

/// A letter as the person thinks of it.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The author; also the envelope's sender.
    pub from: NamedMailbox,
    /// To whom.
    pub to: Vec<NamedMailbox>,
    /// For whose information.
    pub cc: Vec<NamedMailbox>,
    /// In the envelope only: nobody else learns of them.
    pub bcc: Vec<NamedMailbox>,
    /// One line.
    pub subject: String,
    /// The text.
    pub body: String,
    /// Files.
    pub attachments: Vec<Attachment>,
}

/// A file that goes along.
#[derive(Debug, Clone)]
pub struct Attachment {
    /// Shown to the recipient; without folders.
    pub file_name: String,
    /// What kind of thing.
    pub media_type: MediaType,
    /// Its octets.
    pub content: Vec<u8>,
}

impl Attachment {
    /// A file whose media type is guessed.
    pub fn new(file_name: impl Into<String>, content: Vec<u8>) -> Attachment {
        let file_name = file_name.into();
        let media_type = media_type::guess(&file_name, &content);
        Attachment { file_name, media_type, content }
    }
}

/// A message ready to be submitted.
#[derive(Debug, Clone)]
pub struct Letter {
    /// In wire form.
    pub octets: Bytes,
    /// What is known of it.
    pub facts: ContentFacts,
    /// Whether the server must know SMTPUTF8: an address has no ASCII form.
    pub needs_smtputf8: bool,
    /// Envelope sender; null for what nothing may answer (RFC 5321 §4.5.5).
    pub reverse_path: ReversePath,
    /// Envelope recipients: To, Cc and Bcc, each once.
    pub recipients: Vec<Mailbox>,
    /// For finding it again.
    pub message_id: MessageId,
    /// What is asked of the server besides.
    pub wishes: Wishes,
}

/// What a person asks of the server for a letter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wishes {
    /// Of what to be told (RFC 3461 §4.1), by servers that offer DSN.
    pub notify: Option<Notify>,
    /// When it goes, by when it arrives, how urgent it is, whether it may leave TLS. Servers that do not promise
    /// to hold it, to keep its deadline or to keep it inside TLS are not sent it.
    pub requests: Requests,
}

/// Why a draft is no letter.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ComposeError {
    /// A line break or another control character where a header field would carry it.
    #[error("{what}: {error}")]
    Text {
        /// `subject`, `file name`.
        what: &'static str,
        /// Why not.
        error: HeaderError,
    },
    /// Nobody to send it to.
    #[error("there is no recipient")]
    NoRecipients,
    /// The attachments are too large together.
    #[error("the attachments have {octets} octets together; at most {limit} can be sent", limit = ATTACHMENTS_OCTETS_MAX)]
    TooLarge {
        /// Octets.
        octets: u64,
    },
}

impl Draft {
    /// Writes the message. `random` is for its Message-ID.
    pub fn compose(&self, date: DateTime, random: u64) -> Result<Letter, ComposeError> {
        let recipients = self.recipients();
        if recipients.is_empty() {
            return Err(ComposeError::NoRecipients);
        }
        let octets: u64 = self.attachments.iter().map(|attachment| attachment.content.len() as u64).sum();
        if octets > ATTACHMENTS_OCTETS_MAX {
            return Err(ComposeError::TooLarge { octets });
        }
        let message_id = self.message_id(date, random);
        let subject = header_text("subject", &self.subject)?;
        let mut builder = MessageBuilder::new(self.from.clone(), date).message_id(message_id.clone());
        if !subject.is_empty() {
            builder = builder.subject(subject);
        }
        builder = self.to.iter().cloned().fold(builder, MessageBuilder::to);
        builder = self.cc.iter().cloned().fold(builder, MessageBuilder::cc);
        if self.to.is_empty() && self.cc.is_empty() {
            // RFC 5322 §3.6.3 needs no destination field, but some agents dislike a letter to nobody.
            let name = HeaderText::clean("undisclosed-recipients");
            builder = builder.to(Address::Group { name, members: Vec::new() });
        }
        let built = builder.body(self.body_part()?).build();
        let (facts, faults) = ContentFacts::of(&built.octets);
        debug_assert!(!faults.bare_cr && !faults.bare_lf, "the builder writes clean lines");
        Ok(Letter {
            octets: Bytes::from(built.octets),
            facts,
            needs_smtputf8: built.needs_smtputf8,
            reverse_path: ReversePath::Mailbox(self.from.mailbox.clone()),
            recipients,
            message_id,
            wishes: Wishes::default(),
        })
    }

    /// To, Cc and Bcc in order, each mailbox once.
    fn recipients(&self) -> Vec<Mailbox> {
        let mut recipients: Vec<Mailbox> = Vec::new();
        for named in self.to.iter().chain(&self.cc).chain(&self.bcc) {
            if !recipients.contains(&named.mailbox) {
                recipients.push(named.mailbox.clone());
            }
        }
        recipients
    }

    /// Its right side is the author's domain: there it is unique, and tells nothing of this machine.
    fn message_id(&self, date: DateTime, random: u64) -> MessageId {
        let invalid = || Domain::parse("localhost.invalid").ok();
        let host = self.from.mailbox.domain().cloned().or_else(invalid);
        match host {
            Some(host) => MessageId::new(random, date.instant, &host),
            None => unreachable!("a fixed name is a domain"),
        }
    }

    fn body_part(&self) -> Result<Part<'_>, ComposeError> {
        let text = Part::text(self.body.as_str());
        if self.attachments.is_empty() {
            return Ok(text);
        }
        let mut parts = vec![text];
        for attachment in &self.attachments {
            parts.push(attachment.part()?);
        }
        Ok(Part::mixed(parts))
    }
}

impl Attachment {
    fn part(&self) -> Result<Part<'_>, ComposeError> {
        let file_name = header_text("file name", &self.file_name)?;
        let mut media_type = self.media_type.clone();
        if media_type.kind() == "text" && media_type.parameter("charset").is_none() {
            // Guessed types of texts are given to UTF-8 only; RFC 2046 §4.1.2 asks for the lowest.
            let charset = if self.content.is_ascii() { "us-ascii" } else { "utf-8" };
            if let Ok(labelled) = media_type.clone().with_parameter("charset", HeaderText::clean(charset)) {
                media_type = labelled;
            }
        }
        Ok(Part::attachment(file_name, media_type, self.content.as_slice()))
    }
}

fn header_text(what: &'static str, text: &str) -> Result<HeaderText, ComposeError> {
    HeaderText::parse(text).map_err(|error| ComposeError::Text { what, error })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse_mailboxes;

    fn draft() -> Draft {
        Draft {
            from: parse_mailboxes("Ada Löv <ada@north.example>").unwrap().remove(0),
            to: parse_mailboxes("Bob <bob@south.example>, carol@south.example").unwrap(),
            cc: parse_mailboxes("dan@east.example, bob@south.example").unwrap(),
            bcc: parse_mailboxes("secret@west.example").unwrap(),
            subject: "Grüße aus dem Norden".into(),
            body: "Dear Bob,\n.\nÀ bientôt\n".into(),
            attachments: Vec::new(),
        }
    }

    fn date() -> DateTime {
        DateTime::utc("2007-11-17T20:18:49Z".parse().unwrap())
    }

    #[test]
    fn a_letter_and_its_envelope() {
        let letter = draft().compose(date(), 7).unwrap();
        let text = String::from_utf8(letter.octets.to_vec()).unwrap();
        let recipients: Vec<_> = letter.recipients.iter().map(ToString::to_string).collect();
        assert_eq!(
            recipients,
            ["bob@south.example", "carol@south.example", "dan@east.example", "secret@west.example"]
        );
        assert!(!text.contains("secret"), "Bcc is in the envelope only: {text}");
        for field in [
            "From: ",
            "To: Bob <bob@south.example>, carol@south.example\r\n",
            "Cc: ",
            "Date: Sat, 17 Nov 2007 20:18:49 +0000\r\n",
            "Message-ID: <",
            "MIME-Version: 1.0\r\n",
            "=?UTF-8?",
        ] {
            assert!(text.contains(field), "{field} in {text}");
        }
        assert!(text.is_ascii() && !letter.facts.has_8bit && !letter.needs_smtputf8);
        assert!(letter.message_id.as_str().ends_with("@north.example"), "{:?}", letter.message_id);
    }

    #[test]
    fn attachments_go_along() {
        let mut draft = draft();
        draft.attachments.push(Attachment::new("Übersicht.csv", "a,ü\n".into()));
        draft.attachments.push(Attachment::new("photo.png", b"\x89PNG\r\n\x1a\n\0\0".to_vec()));
        let letter = draft.compose(date(), 7).unwrap();
        let text = String::from_utf8(letter.octets.to_vec()).unwrap();
        for part in [
            "multipart/mixed",
            "text/csv; charset=utf-8",
            "image/png",
            "attachment",
            "photo.png",
            "%C3%9Cbersicht.csv",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(text.is_ascii());
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        let mut injected = draft();
        injected.subject = "x\r\nBcc: all@north.example".into();
        assert!(matches!(injected.compose(date(), 7), Err(ComposeError::Text { what: "subject", .. })));
        let mut lonely = draft();
        (lonely.to, lonely.cc, lonely.bcc) = (Vec::new(), Vec::new(), Vec::new());
        assert_eq!(lonely.compose(date(), 7).unwrap_err(), ComposeError::NoRecipients);
    }

    #[test]
    fn bcc_alone_is_enough() {
        let mut hidden = draft();
        (hidden.to, hidden.cc) = (Vec::new(), Vec::new());
        let letter = hidden.compose(date(), 7).unwrap();
        let text = String::from_utf8(letter.octets.to_vec()).unwrap();
        assert!(text.contains("To: undisclosed-recipients:;\r\n"), "{text}");
        assert_eq!(letter.recipients.len(), 1);
    }
}
