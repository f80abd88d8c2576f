//! Delivery status notifications written (RFC 3464; RFC 6533 for internationalized addresses).

use super::fields::FieldsWriter;
use crate::build::{MediaType, Part};
use crate::date::DateTime;
use crate::header::{HeaderText, split};
use posta_address::{Host, Mailbox};
use std::{borrow::Cow, fmt, str::FromStr};
use thiserror::Error;

/// All that a report says about one message.
#[derive(Debug, Clone)]
pub struct DeliveryReport {
    /// ENVID of the message (RFC 3461 §4.4), decoded.
    pub original_envelope_id: Option<HeaderText>,
    /// The host that reports.
    pub reporting_mta: Host,
    /// The host the message came from.
    pub received_from_mta: Option<MtaName>,
    /// When it came.
    pub arrival_date: Option<DateTime>,
    /// Fields about the message that other RFCs add, by name (RFC 3464 §2.4).
    pub extensions: Vec<(&'static str, HeaderText)>,
    /// One entry per recipient reported about; at least one.
    pub recipients: Vec<RecipientReport>,
}

/// What became of the message for one recipient (RFC 3464 §2.3).
#[derive(Debug, Clone)]
pub struct RecipientReport {
    /// ORCPT as the sender gave it (RFC 3461 §4.2).
    pub original_recipient: Option<OriginalRecipient>,
    /// The recipient as this host knew it.
    pub final_recipient: Mailbox,
    /// What was done.
    pub action: Action,
    /// Why, as an enhanced status code.
    pub status: Status,
    /// The host that gave the diagnostic.
    pub remote_mta: Option<MtaName>,
    /// What that host said.
    pub diagnostic_code: Option<Diagnostic>,
    /// When the last attempt was made.
    pub last_attempt_date: Option<DateTime>,
    /// Until when a delayed message will be tried.
    pub will_retry_until: Option<DateTime>,
    /// The name this host logged the last attempt under.
    pub final_log_id: Option<HeaderText>,
}

impl RecipientReport {
    /// With the three fields that every entry must have.
    pub fn new(final_recipient: Mailbox, action: Action, status: Status) -> Self {
        RecipientReport {
            original_recipient: None,
            final_recipient,
            action,
            status,
            remote_mta: None,
            diagnostic_code: None,
            last_attempt_date: None,
            will_retry_until: None,
            final_log_id: None,
        }
    }
}

/// RFC 3464 §2.3.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Given up.
    Failed,
    /// Not delivered so far, still tried.
    Delayed,
    /// In the maildrop.
    Delivered,
    /// Handed to a host that sends no reports.
    Relayed,
    /// Delivered to several other addresses.
    Expanded,
}

impl Action {
    /// The value of the field.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Failed => "failed",
            Action::Delayed => "delayed",
            Action::Delivered => "delivered",
            Action::Relayed => "relayed",
            Action::Expanded => "expanded",
        }
    }

    /// Finds an action by its name, case aside.
    pub fn by_name(name: &str) -> Option<Self> {
        let all = [Action::Failed, Action::Delayed, Action::Delivered, Action::Relayed, Action::Expanded];
        all.into_iter().find(|action| action.as_str().eq_ignore_ascii_case(name))
    }
}

/// An enhanced status code (RFC 3463 §2): class 2, 4 or 5, subject and detail up to 999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Status {
    class: u8,
    subject: u16,
    detail: u16,
}

/// Not an enhanced status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not an enhanced status code")]
pub struct StatusError;

impl Status {
    /// Checks the three numbers.
    pub const fn new(class: u8, subject: u16, detail: u16) -> Result<Self, StatusError> {
        if !matches!(class, 2 | 4 | 5) || subject > 999 || detail > 999 {
            return Err(StatusError);
        }
        Ok(Status { class, subject, detail })
    }

    /// 2 success, 4 transient, 5 permanent.
    pub fn class(self) -> u8 {
        self.class
    }

    /// What it is about (RFC 3463 §3).
    pub fn subject(self) -> u16 {
        self.subject
    }

    /// What exactly.
    pub fn detail(self) -> u16 {
        self.detail
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}
impl FromStr for Status {
    type Err = StatusError;
    fn from_str(text: &str) -> Result<Self, StatusError> {
        let mut numbers = text.splitn(3, '.').map(|number| {
            let is_number =
                (1..=3).contains(&number.len()) && number.bytes().all(|octet| octet.is_ascii_digit());
            if is_number { number.parse::<u16>().map_err(|_| StatusError) } else { Err(StatusError) }
        });
        let mut next = || numbers.next().unwrap_or(Err(StatusError));
        let class = u8::try_from(next()?).map_err(|_| StatusError)?;
        Status::new(class, next()?, next()?)
    }
}

/// `type;name` of a host (RFC 3464 §2.1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MtaName {
    /// `dns` nearly always.
    pub kind: Cow<'static, str>,
    /// The host's name, or an address in brackets.
    pub name: HeaderText,
}

impl MtaName {
    /// A host by its name in the DNS, or an address literal.
    pub fn dns(host: &Host) -> Self {
        MtaName { kind: Cow::Borrowed("dns"), name: HeaderText::clean(&ascii_host(host)) }
    }
}

/// `type;address` that the sender gave (RFC 3461 §4.2), decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginalRecipient {
    /// `rfc822` or `utf-8` nearly always.
    pub kind: HeaderText,
    /// The address, xtext decoded.
    pub address: HeaderText,
}

/// `type;text` of a diagnostic (RFC 3464 §2.3.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// `smtp` for a reply.
    pub kind: Cow<'static, str>,
    /// What was said; the lines of a reply joined with spaces.
    pub text: HeaderText,
}

impl Diagnostic {
    /// An SMTP reply, code first. Line breaks become spaces.
    pub fn smtp(reply: &str) -> Self {
        Diagnostic { kind: Cow::Borrowed("smtp"), text: HeaderText::clean(reply) }
    }
}

/// What of the message goes back (RFC 3461 §4.3 RET).
#[derive(Debug, Clone, Copy)]
pub enum Returned<'a> {
    /// Its header section; a whole message may be given, its body is left out.
    Headers(&'a [u8]),
    /// All of it.
    Message(&'a [u8]),
    /// Nothing.
    Nothing,
}

impl DeliveryReport {
    /// The whole `multipart/report`: text for people, status for programs, what is returned.
    pub fn part<'a>(&self, text: impl Into<Cow<'a, str>>, returned: Returned<'a>) -> Part<'a> {
        let mut parts =
            vec![Part::text(text).with_description(HeaderText::clean("Notification")), self.status_part()];
        parts.extend(returned.part());
        Part::report("delivery-status", parts)
    }

    /// Whether an address needs the internationalized form of the status (RFC 6533 §3).
    pub fn is_international(&self) -> bool {
        self.recipients.iter().any(|recipient| {
            let original = recipient.original_recipient.as_ref();
            !recipient.final_recipient.local_part().is_ascii()
                || original.is_some_and(|original| !original.address.as_str().is_ascii())
        })
    }

    /// `message/delivery-status`, or `message/global-delivery-status`, which may be encoded for
    /// the way (RFC 6533 §4).
    pub fn status_part<'a>(&self) -> Part<'a> {
        let is_international = self.is_international();
        let subtype = if is_international { "global-delivery-status" } else { "delivery-status" };
        Part::octets(MediaType::known("message", subtype), self.status_text(is_international).into_bytes())
            .with_description(HeaderText::clean("Delivery report"))
    }

    fn status_text(&self, utf8: bool) -> String {
        let mut fields = FieldsWriter::new(utf8);
        // RFC 3464 §2.2
        if let Some(id) = &self.original_envelope_id {
            fields.add("Original-Envelope-Id", id.as_str());
        }
        fields.add("Reporting-MTA", &format!("dns; {}", ascii_host(&self.reporting_mta)));
        if let Some(mta) = &self.received_from_mta {
            fields.add("Received-From-MTA", &format!("{}; {}", mta.kind, mta.name));
        }
        if let Some(date) = &self.arrival_date {
            fields.add("Arrival-Date", &date.to_string());
        }
        for (name, value) in &self.extensions {
            fields.add(name, value.as_str());
        }
        for recipient in &self.recipients {
            fields.text.push_str("\r\n");
            recipient.write(&mut fields);
        }
        fields.text
    }
}

impl RecipientReport {
    /// RFC 3464 §2.3, in its order.
    fn write(&self, fields: &mut FieldsWriter) {
        if let Some(original) = &self.original_recipient {
            fields.add("Original-Recipient", &format!("{}; {}", original.kind, original.address));
        }
        fields.add("Final-Recipient", &recipient_text(&self.final_recipient));
        fields.add("Action", self.action.as_str());
        fields.add("Status", &self.status.to_string());
        if let Some(mta) = &self.remote_mta {
            fields.add("Remote-MTA", &format!("{}; {}", mta.kind, mta.name));
        }
        if let Some(diagnostic) = &self.diagnostic_code {
            fields.add("Diagnostic-Code", &format!("{}; {}", diagnostic.kind, diagnostic.text));
        }
        if let Some(date) = &self.last_attempt_date {
            fields.add("Last-Attempt-Date", &date.to_string());
        }
        if let Some(id) = &self.final_log_id {
            fields.add("Final-Log-ID", id.as_str());
        }
        // RFC 3464 §2.3.9: only for delayed ones.
        if let (Some(date), Action::Delayed) = (&self.will_retry_until, self.action) {
            fields.add("Will-Retry-Until", &date.to_string());
        }
    }
}

impl<'a> Returned<'a> {
    pub(super) fn part(self) -> Option<Part<'a>> {
        let (part, description) = match self {
            Returned::Nothing => return None,
            Returned::Message(message) => {
                let (section, _) = split(message);
                // RFC 6532 §3.7: a message whose header has UTF-8 is message/global.
                let part = if section.is_ascii() {
                    Part::message(message)
                } else {
                    Part::octets(MediaType::known("message", "global"), message)
                };
                (part, "Undelivered message")
            }
            Returned::Headers(message) => {
                let (section, _) = split(message);
                let part = if section.is_ascii() {
                    Part::headers(section)
                } else {
                    Part::octets(MediaType::known("message", "global-headers"), section)
                };
                (part, "Undelivered message headers")
            }
        };
        Some(part.with_description(HeaderText::clean(description)))
    }
}

/// `type; address` (RFC 3464 §2.3.2; `utf-8` of RFC 6533 §3 where ASCII cannot hold it).
pub(super) fn recipient_text(mailbox: &Mailbox) -> String {
    match mailbox.domain() {
        _ if !mailbox.local_part().is_ascii() => format!("utf-8; {mailbox}"),
        Some(domain) => format!("rfc822; {}@{}", mailbox.local_part(), domain.to_ascii()),
        None => format!("rfc822; {mailbox}"),
    }
}

pub(super) fn ascii_host(host: &Host) -> String {
    match host {
        Host::Domain(domain) => domain.to_ascii().to_owned(),
        Host::Literal(literal) => literal.to_string(),
    }
}
