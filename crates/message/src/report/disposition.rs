//! Message disposition notifications written (RFC 8098): what became of a message after delivery.

use super::delivery::{OriginalRecipient, Returned};
use super::fields::FieldsWriter;
use crate::build::{MediaType, Part};
use crate::header::HeaderText;
use crate::message_id::MessageId;
use posta_address::Mailbox;
use std::borrow::Cow;

/// What a notification says.
#[derive(Debug, Clone)]
pub struct DispositionReport {
    /// The program that reports, and the host it runs on.
    pub reporting_ua: Option<HeaderText>,
    /// The recipient as the sender gave it, if the message tells.
    pub original_recipient: Option<OriginalRecipient>,
    /// The recipient who is reported about.
    pub final_recipient: Mailbox,
    /// The message reported about.
    pub original_message_id: Option<MessageId>,
    /// What was done, and by whom.
    pub disposition: Disposition,
    /// Why it could not be done.
    pub error: Option<HeaderText>,
}

/// RFC 8098 §3.2.6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Disposition {
    /// Whether a person or a program did it.
    pub action: ActionMode,
    /// Whether a person or a program sends the notification.
    pub sending: SendingMode,
    /// What was done.
    pub kind: DispositionKind,
    /// Whether it failed: the modifier `error`.
    pub is_error: bool,
}

/// Who acted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ActionMode {
    /// A person.
    Manual,
    /// A rule.
    Automatic,
}

/// Who sends the notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SendingMode {
    /// A person agreed to it.
    Manual,
    /// It was sent by a setting made before.
    Automatic,
}

/// What was done with the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DispositionKind {
    /// It was shown. That it was read or understood is not said.
    Displayed,
    /// It was deleted, unseen.
    Deleted,
    /// It was sent on, printed, or the like, unseen.
    Dispatched,
    /// It was processed by a program, unseen.
    Processed,
}

impl Disposition {
    fn text(self) -> String {
        let action = match self.action {
            ActionMode::Manual => "manual-action",
            ActionMode::Automatic => "automatic-action",
        };
        let sending = match self.sending {
            SendingMode::Manual => "MDN-sent-manually",
            SendingMode::Automatic => "MDN-sent-automatically",
        };
        let kind = match self.kind {
            DispositionKind::Displayed => "displayed",
            DispositionKind::Deleted => "deleted",
            DispositionKind::Dispatched => "dispatched",
            DispositionKind::Processed => "processed",
        };
        format!("{action}/{sending}; {kind}{}", if self.is_error { "/error" } else { "" })
    }

    /// Reads the value of a `Disposition` field. The modes count as manual where they are missing.
    pub fn parse(value: &str) -> Option<Self> {
        let (modes, rest) = value.split_once(';').unwrap_or(("", value));
        let mut parts = rest.split('/').map(str::trim);
        let kind = match parts.next()?.to_ascii_lowercase().as_str() {
            "displayed" => DispositionKind::Displayed,
            "deleted" => DispositionKind::Deleted,
            "dispatched" => DispositionKind::Dispatched,
            "processed" => DispositionKind::Processed,
            _ => return None,
        };
        let modes = modes.to_ascii_lowercase();
        let is_automatic = modes.contains("automatic-action");
        let is_sent_automatically = modes.contains("mdn-sent-automatically");
        Some(Disposition {
            action: if is_automatic { ActionMode::Automatic } else { ActionMode::Manual },
            sending: if is_sent_automatically { SendingMode::Automatic } else { SendingMode::Manual },
            kind,
            is_error: parts
                .flat_map(|part| part.split(','))
                .any(|one| one.trim().eq_ignore_ascii_case("error")),
        })
    }
}

impl DispositionReport {
    /// The whole `multipart/report`.
    pub fn part<'a>(&self, text: impl Into<Cow<'a, str>>, returned: Returned<'a>) -> Part<'a> {
        let mut parts = vec![Part::text(text), self.notification_part()];
        parts.extend(returned.part());
        Part::report("disposition-notification", parts)
    }

    fn notification_part<'a>(&self) -> Part<'a> {
        // RFC 6533 §5: message/global-disposition-notification where an address asks for it.
        let utf8 = !self.final_recipient.local_part().is_ascii();
        let mut fields = FieldsWriter::new(utf8);
        fields.add_some("Reporting-UA", self.reporting_ua.as_ref());
        let original = self.original_recipient.as_ref();
        fields.add_some("Original-Recipient", original.map(|one| format!("{}; {}", one.kind, one.address)));
        fields.add("Final-Recipient", &super::delivery::recipient_text(&self.final_recipient));
        fields.add_some("Original-Message-ID", self.original_message_id.as_ref());
        fields.add("Disposition", &self.disposition.text());
        fields.add_some("Error", self.error.as_ref());
        let subtype = if utf8 { "global-disposition-notification" } else { "disposition-notification" };
        Part::octets(MediaType::known("message", subtype), fields.text.into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dispositions() {
        let value = "manual-action/MDN-sent-manually; displayed";
        let disposition = Disposition::parse(value).unwrap();
        assert_eq!(disposition.text(), value);
        assert_eq!(disposition.kind, DispositionKind::Displayed);
        let value = "automatic-action/MDN-sent-automatically; processed/error";
        assert_eq!(Disposition::parse(value).unwrap().text(), value);
        assert_eq!(Disposition::parse("eaten"), None);
    }
}
