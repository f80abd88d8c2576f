//! What the sender is told: delivery status notifications (RFC 3464) about failure, delay and, where it is
//! asked for (RFC 3461), success.

use crate::{
    limits::PEER_WORDS_MAX,
    outcome::{Obstacle, PeerName, reply_words},
};
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use posta_address::{Domain, ForwardPath, Host, Mailbox};
use posta_message::{
    Address, DateTime, HeaderName, HeaderText, MessageBuilder, MessageId,
    build::NamedMailbox,
    header,
    report::{
        Action, DeliveryReport, Diagnostic, MtaName, OriginalRecipient, RecipientReport, Returned, Status,
    },
};
use posta_smtp::{EnhancedStatus, Reply};
use posta_wire::{EnvelopeId, Hold};
use std::{borrow::Cow, fmt::Write};

/// Columns of the text for people.
const TEXT_WIDTH: usize = 72;
/// Recipients described in words; all are in the machine-readable part.
const DESCRIBED_RECIPIENTS_MAX: usize = 50;
/// Characters of the original subject that the report's own subject repeats.
const SUBJECT_CHARACTERS_MAX: usize = 60;

/// What a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportKind {
    /// Given up.
    Failure,
    /// Not delivered so far; still tried.
    Delay,
    /// Arrived, or handed to a host that sends no reports (RFC 3461 §5.2.2, §5.2.3).
    Success,
}

impl ReportKind {
    /// The word for the journal.
    pub fn as_str(self) -> &'static str {
        match self {
            ReportKind::Failure => "failure",
            ReportKind::Delay => "delay",
            ReportKind::Success => "success",
        }
    }
}

/// One recipient that is reported about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryStatus {
    /// Where it was to go.
    pub mailbox: Mailbox,
    /// As the envelope had it.
    pub original: ForwardPath,
    /// As the sender knew it: ORCPT (RFC 3461 §4.2).
    pub requested: Option<posta_wire::OriginalRecipient>,
    /// The host that was reached last, if any.
    pub host: Option<PeerName>,
    /// What happened.
    pub news: News,
}

/// What happened to one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Something stood in the way.
    Obstacle {
        /// What.
        obstacle: Obstacle,
        /// Given up because of its age.
        expired: bool,
    },
    /// In the maildrop, or with a list, which is where the message was to go (RFC 3461 §5.2.7.1).
    Delivered,
    /// Another host took it over, but sends no reports (RFC 3461 §5.2.2). This is what it said.
    Relayed(Reply),
    /// The address stands for several others; the message went on to them (RFC 3461 §5.2.7.3).
    Expanded,
}

impl DeliveryStatus {
    /// In words, for the journal.
    pub fn words(&self) -> String {
        match &self.news {
            News::Obstacle { obstacle, expired: true } => {
                format!("given up because of its age: {}", obstacle.words())
            }
            News::Obstacle { obstacle, expired: false } => obstacle.words(),
            News::Delivered => "in the maildrop".to_owned(),
            News::Relayed(reply) => reply_words(reply),
            News::Expanded => "sent on to several".to_owned(),
        }
    }

    fn action(&self, kind: ReportKind) -> Action {
        match (&self.news, kind) {
            (News::Obstacle { .. }, ReportKind::Delay) => Action::Delayed,
            (News::Obstacle { .. }, _) => Action::Failed,
            (News::Delivered, _) => Action::Delivered,
            (News::Relayed(_), _) => Action::Relayed,
            (News::Expanded, _) => Action::Expanded,
        }
    }

    fn status(&self) -> EnhancedStatus {
        match &self.news {
            News::Obstacle { obstacle, .. } => obstacle.status(),
            News::Relayed(Reply { enhanced: Some(status), .. }) if status.class == 2 => *status,
            News::Delivered | News::Relayed(_) | News::Expanded => EnhancedStatus::new(2, 0, 0),
        }
    }

    /// What the other host said.
    fn reply(&self) -> Option<&Reply> {
        match &self.news {
            News::Obstacle { obstacle, .. } => obstacle.reply(),
            News::Relayed(reply) => Some(reply),
            News::Delivered | News::Expanded => None,
        }
    }
}

/// All that goes into a report.
#[derive(Debug, Clone)]
pub struct Report<'a> {
    /// Failure or delay.
    pub kind: ReportKind,
    /// Who reports.
    pub hostname: &'a Domain,
    /// From whom the report comes.
    pub postmaster: &'a Mailbox,
    /// To whom it goes.
    pub to: &'a Mailbox,
    /// The message came with a null reverse-path, so that the report goes to the postmaster.
    pub is_double_bounce: bool,
    /// Our name for the message.
    pub queue_id: String,
    /// Its own.
    pub message_id: Option<&'a str>,
    /// The sender's name for the envelope: ENVID (RFC 3461 §4.4).
    pub envelope_id: Option<&'a EnvelopeId>,
    /// When it was to have arrived (RFC 2852).
    pub deliver_by: Option<Timestamp>,
    /// How it was to be held (RFC 4865).
    pub hold: Option<Hold>,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// Until when it is tried.
    pub expires_at: Timestamp,
    /// At least one.
    pub statuses: &'a [DeliveryStatus],
    /// The message, or its beginning with the header section.
    pub message: &'a [u8],
    /// The whole message goes back, not only its header section.
    pub is_whole: bool,
    /// Now; also the time of the last attempt.
    pub now: Timestamp,
    /// For the report's Message-ID.
    pub random: u64,
}

impl Report<'_> {
    /// The report as a message, CRLF lines.
    pub fn build(&self) -> Bytes {
        let date = DateTime::utc(self.now);
        let from = NamedMailbox {
            name: Some(HeaderText::clean("Mail Delivery System")),
            mailbox: self.postmaster.clone(),
        };
        let to = NamedMailbox { name: None, mailbox: self.to.clone() };
        // RFC 3834 §5: so that no machine answers.
        let auto_submitted = HeaderText::clean("auto-replied");
        let mut builder = MessageBuilder::new(Address::Mailbox(from), date)
            .to(Address::Mailbox(to))
            .subject(HeaderText::clean(&self.subject()))
            .message_id(MessageId::new(self.random, self.now, self.hostname))
            .field(HeaderName::of("Auto-Submitted"), auto_submitted);
        // The reader's program shows it beside the message it is about.
        if let Some(id) = self.message_id.and_then(|id| MessageId::parse(id).ok()) {
            builder = builder.in_reply_to(id.clone()).references([id]);
        }
        let returned = match self.is_whole {
            true => Returned::Message(self.message),
            false => Returned::Headers(self.message),
        };
        let body = self.delivery_report().part(self.text(), returned);
        Bytes::from(builder.body(body).build().octets)
    }

    fn delivery_report(&self) -> DeliveryReport {
        DeliveryReport {
            original_envelope_id: self.envelope_id.map(|id| HeaderText::clean(&id.decoded())),
            reporting_mta: Host::Domain(self.hostname.clone()),
            received_from_mta: None,
            arrival_date: Some(DateTime::utc(self.accepted_at)),
            extensions: self.extensions(),
            recipients: self.statuses.iter().map(|status| self.recipient_report(status)).collect(),
        }
    }

    /// What was asked of time (RFC 2852 §5, RFC 4865 §5.1.2).
    fn extensions(&self) -> Vec<(&'static str, HeaderText)> {
        let hold = self.hold.map(|hold| ("Future-Release-Request", hold.to_string()));
        let by = self.deliver_by.map(|at| ("Deliver-By-Date", DateTime::utc(at).to_string()));
        hold.into_iter().chain(by).map(|(name, value)| (name, HeaderText::clean(&value))).collect()
    }

    fn recipient_report(&self, status: &DeliveryStatus) -> RecipientReport {
        let action = status.action(self.kind);
        let mut report = RecipientReport::new(status.mailbox.clone(), action, wire_status(status));
        report.original_recipient = original_recipient(status);
        report.remote_mta = status.host.as_ref().map(|peer| MtaName::dns(&peer.host));
        report.diagnostic_code = status.reply().map(|reply| Diagnostic::smtp(&reply_words(reply)));
        report.last_attempt_date = Some(DateTime::utc(self.now));
        report.will_retry_until = Some(DateTime::utc(self.expires_at));
        report.final_log_id = Some(HeaderText::clean(&self.queue_id));
        report
    }

    fn subject(&self) -> String {
        let what = match self.kind {
            ReportKind::Failure => "Not delivered",
            ReportKind::Delay => "Not delivered yet",
            ReportKind::Success => "Delivered",
        };
        let original = header::first(self.message, "Subject")
            .map(|value| String::from_utf8_lossy(value).into_owned())
            .map(|value| value.split_whitespace().collect::<Vec<_>>().join(" "))
            .map(|value| value.chars().take(SUBJECT_CHARACTERS_MAX).collect::<String>());
        match original.filter(|subject| !subject.is_empty()) {
            // An encoded word cut in two would show as noise.
            Some(subject) if !subject.contains("=?") => format!("{what}: {subject}"),
            _ => format!("{what}: your message"),
        }
    }

    /// What a person needs: what happened, to whom, why, and what to do.
    fn text(&self) -> String {
        let mut text = String::new();
        self.write_opening(&mut text);
        for status in self.statuses.iter().take(DESCRIBED_RECIPIENTS_MAX) {
            let _ = writeln!(text, "\n  {}", status.mailbox);
            if let ForwardPath::Mailbox(original) = &status.original
                && *original != status.mailbox
            {
                fill(&mut text, 4, &format!("(your message was for {original}, which leads there)"));
            }
            fill(&mut text, 4, &self.reason(status));
            fill(&mut text, 4, &advice(status, self.kind));
        }
        if self.statuses.len() > DESCRIBED_RECIPIENTS_MAX {
            let more = self.statuses.len() - DESCRIBED_RECIPIENTS_MAX;
            let _ = writeln!(text, "\n  … and {more} more, see the attached report.");
        }
        self.write_closing(&mut text);
        text
    }

    fn write_opening(&self, text: &mut String) {
        fill(text, 0, &format!("This is the mail system at {}.", self.hostname));
        text.push('\n');
        let opening = match (self.kind, self.is_double_bounce) {
            (_, true) => {
                "A message without a return address (a report, most likely) could not be delivered, so \
                 there is nobody else to tell than you, the postmaster. It was for:"
            }
            (ReportKind::Failure, false) => "Your message could not be delivered to:",
            (ReportKind::Delay, false) => {
                "Your message has not been delivered yet. There is nothing you need to do: it is still \
                 being tried. It waits for:"
            }
            (ReportKind::Success, false) => "You asked to be told what became of your message. It was for:",
        };
        fill(text, 0, opening);
    }

    fn reason(&self, status: &DeliveryStatus) -> String {
        let (obstacle, expired) = match &status.news {
            News::Obstacle { obstacle, expired } => (obstacle, *expired),
            News::Delivered => return "It has arrived.".to_owned(),
            News::Expanded => {
                return "It has arrived, and was sent on to everybody that this address stands for."
                    .to_owned();
            }
            News::Relayed(_) => return relayed_reason(status),
        };
        let words: String = obstacle.words().chars().take(PEER_WORDS_MAX).collect();
        let reason = match (obstacle, &status.host) {
            (Obstacle::Session(_), Some(host)) if obstacle.reply().is_some() => {
                format!("The host {host} said: {words}")
            }
            (Obstacle::Session(_) | Obstacle::LostAfterFinalDot { .. }, Some(host)) => {
                format!("At the host {host}: {words}.")
            }
            _ => format!("Reason: {words}."),
        };
        if expired {
            let age = duration(self.now.duration_since(self.accepted_at));
            return format!("It was tried for {age} without success. The last time: {reason}");
        }
        reason
    }

    fn write_closing(&self, text: &mut String) {
        text.push('\n');
        match self.kind {
            ReportKind::Failure => {
                let attached =
                    if self.is_whole { "The message is" } else { "The headers of the message are" };
                fill(text, 0, &format!("It will not be tried again. {attached} attached."));
            }
            ReportKind::Success => fill(text, 0, "The headers of the message are attached."),
            ReportKind::Delay => {
                let left = duration(self.expires_at.duration_since(self.now));
                let until = self.expires_at.strftime("%A, %-d %B %Y, %H:%M UTC");
                fill(
                    text,
                    0,
                    &format!(
                        "It will be tried for {left} more, until {until}. If that does not help either, you \
                         will be told."
                    ),
                );
            }
        }
    }
}

fn relayed_reason(status: &DeliveryStatus) -> String {
    let host =
        status.host.as_ref().map_or_else(|| "another host".to_owned(), |host| format!("the host {host}"));
    format!(
        "It was handed to {host}, which sends no reports: if it fails there you will hear of it, but not if it \
         arrives."
    )
}

/// RFC 3461 §6.3: only where it differs.
fn original_recipient(status: &DeliveryStatus) -> Option<OriginalRecipient> {
    if let Some(requested) = &status.requested {
        return Some(OriginalRecipient {
            kind: HeaderText::clean(requested.kind()),
            address: HeaderText::clean(&requested.address()),
        });
    }
    let text = match &status.original {
        ForwardPath::Mailbox(original) if *original == status.mailbox => return None,
        ForwardPath::Mailbox(original) => original.to_string(),
        ForwardPath::Postmaster => "postmaster".to_owned(),
    };
    let kind = if text.is_ascii() { "rfc822" } else { "utf-8" };
    Some(OriginalRecipient { kind: HeaderText::clean(kind), address: HeaderText::clean(&text) })
}

fn wire_status(status: &DeliveryStatus) -> Status {
    let EnhancedStatus { class, subject, detail } = status.status();
    let general = match &status.news {
        News::Obstacle { obstacle, .. } if obstacle.is_transient() => 4,
        News::Obstacle { .. } => 5,
        News::Delivered | News::Relayed(_) | News::Expanded => 2,
    };
    Status::new(class, subject, detail)
        .or_else(|_| Status::new(general, 0, 0))
        .expect("a class of 2, 4 or 5 is a status")
}

/// What to do about it, by the enhanced status alone.
fn advice(status: &DeliveryStatus, kind: ReportKind) -> Cow<'static, str> {
    let News::Obstacle { expired, .. } = status.news else { return Cow::Borrowed("") };
    if kind == ReportKind::Delay {
        return Cow::Borrowed("");
    }
    let EnhancedStatus { subject, detail, .. } = status.status();
    Cow::Borrowed(match (subject, detail) {
        (1, 0..=1 | 3 | 6) => {
            "Please check the address for typing errors, or ask the person for the right one another way."
        }
        (1, 2) => "Please check what stands after the @ for typing errors.",
        (1, 10) => "Nobody can get mail at this domain. Please ask the person for another address.",
        (2, 2) => "The mailbox there is full. Please try again later, or tell the person another way.",
        (2, 1) => "The mailbox there is not in use at present.",
        (3, 4) => "Please make the message smaller, for instance by sending a link instead of a large file.",
        (6, 7) => {
            "Please use an address without special letters for this person, from an address without them."
        }
        (6, 3) => "Please send it as plain text or let your mail program encode it (quoted-printable).",
        (6, 1) => "Please send it so that binary parts are encoded (base64): most mail programs do.",
        (3, 2) => "The host there takes no mail at all. Please ask the person for another address.",
        (7, 10 | 30) => {
            "You asked that the message must not leave protected connections, and there is none to that address. \
             Send it without that (REQUIRETLS) if others may read it on the way, or choose another way."
        }
        (7, 1) => "The host there refuses the message. If you don't know why, ask the postmaster there.",
        (4, 6) => "Mail for this address goes in a circle. Please tell the postmaster of the domain.",
        (4, 4) => "The domain is set up wrongly. Please tell the person or their postmaster another way.",
        _ if expired => "Please try again later, or tell the person another way.",
        _ => "",
    })
}

/// Whole days or hours or minutes, whatever says most.
fn duration(duration: SignedDuration) -> String {
    let minutes = duration.as_mins().max(0);
    let (count, unit) = match minutes {
        0..120 => (minutes, "minute"),
        120..2880 => (minutes / 60, "hour"),
        _ => (minutes / 1440, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// Writes text in lines of [`TEXT_WIDTH`], indented; nothing for an empty text.
fn fill(out: &mut String, indent: usize, text: &str) {
    let mut column = 0;
    for word in text.split_whitespace() {
        let width = word.chars().count();
        if column > 0 && column + 1 + width > TEXT_WIDTH {
            out.push('\n');
            column = 0;
        }
        if column == 0 {
            out.extend(std::iter::repeat_n(' ', indent));
            column = indent;
        } else {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += width;
    }
    if column > 0 {
        out.push('\n');
    }
}
