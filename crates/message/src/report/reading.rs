//! Reports found in messages.

use super::delivery::{Action, Status};
use super::disposition::Disposition;
use super::feedback::FeedbackType;
use super::fields::{ReportFields, typed};
use crate::date::DateTime;
use crate::field::date;
use crate::read::{Entity, Message};

/// A report, as read. The texts are as the reporter wrote them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// RFC 3464.
    Delivery(DeliveryStatus),
    /// RFC 8098.
    Disposition(DispositionStatus),
    /// RFC 5965.
    Feedback(Feedback),
}

/// What a delivery report says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeliveryStatus {
    /// ENVID of the message.
    pub original_envelope_id: Option<String>,
    /// The host that reports.
    pub reporting_mta: Option<String>,
    /// When the message came.
    pub arrival_date: Option<DateTime>,
    /// What became of it, for each recipient.
    pub recipients: Vec<RecipientStatus>,
}

/// For one recipient.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecipientStatus {
    /// The recipient as the sender gave it, without the type.
    pub original_recipient: Option<String>,
    /// The recipient as the host knew it.
    pub final_recipient: Option<String>,
    /// What was done.
    pub action: Option<Action>,
    /// Why.
    pub status: Option<Status>,
    /// The host that gave the diagnostic.
    pub remote_mta: Option<String>,
    /// What it said.
    pub diagnostic_code: Option<String>,
    /// When the last attempt was made.
    pub last_attempt_date: Option<DateTime>,
    /// Until when it will be tried.
    pub will_retry_until: Option<DateTime>,
}

/// What a disposition notification says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DispositionStatus {
    /// The program that reports.
    pub reporting_ua: Option<String>,
    /// The recipient as the sender gave it.
    pub original_recipient: Option<String>,
    /// The recipient reported about.
    pub final_recipient: Option<String>,
    /// The message reported about, without angle brackets.
    pub original_message_id: Option<String>,
    /// What was done.
    pub disposition: Option<Disposition>,
}

/// What an abuse report says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feedback {
    /// What it is about.
    pub feedback_type: FeedbackType,
    /// The program that reports.
    pub user_agent: Option<String>,
    /// The reverse-path of the message, without angle brackets.
    pub original_mail_from: Option<String>,
    /// Its recipients.
    pub original_rcpt_to: Vec<String>,
    /// When it came.
    pub arrival_date: Option<DateTime>,
    /// The address that it came from.
    pub source_ip: Option<std::net::IpAddr>,
    /// Domains held responsible.
    pub reported_domain: Vec<String>,
    /// Addresses found in it.
    pub reported_uri: Vec<String>,
    /// What was found out about its origin.
    pub authentication_results: Vec<String>,
}

/// The first report in a message: its machine-readable part, wherever it stands.
pub fn find(message: &Message<'_>) -> Option<Report> {
    message.entities().find_map(|entity| of(&entity))
}

/// The report that an entity is, by its type.
pub fn of(entity: &Entity<'_>) -> Option<Report> {
    let content = || entity.content();
    match &*entity.media_type() {
        "message/delivery-status" | "message/global-delivery-status" => {
            Some(Report::Delivery(delivery(&content())))
        }
        "message/disposition-notification" | "message/global-disposition-notification" => {
            Some(Report::Disposition(disposition(&content())))
        }
        "message/feedback-report" => Some(Report::Feedback(feedback(&content()))),
        _ => None,
    }
}

fn owned(value: Option<&str>) -> Option<String> {
    value.map(str::to_owned)
}

/// The value behind `type;`, angle brackets cut off.
fn value_of(value: &str) -> String {
    let (_, value) = typed(value);
    value.strip_prefix('<').and_then(|inner| inner.strip_suffix('>')).unwrap_or(value).to_owned()
}

fn date_of(fields: &ReportFields<'_>, name: &str) -> Option<DateTime> {
    fields.get(name).and_then(|value| date::parse(value.as_bytes())).map(|parsed| parsed.date)
}

/// What stands before white space or a comment.
fn first_word(value: &str) -> &str {
    value.trim().split(|c: char| c.is_whitespace() || c == '(').next().unwrap_or_default()
}

fn delivery(content: &[u8]) -> DeliveryStatus {
    let groups = ReportFields::groups(content);
    let mut status = DeliveryStatus::default();
    for group in &groups {
        if let Some(mta) = group.get("Reporting-MTA") {
            status.reporting_mta = Some(value_of(mta));
            status.original_envelope_id = owned(group.get("Original-Envelope-Id"));
            status.arrival_date = date_of(group, "Arrival-Date");
        }
        // Some hosts leave the empty line between the two kinds of groups out.
        if group.has("Final-Recipient") || group.has("Original-Recipient") || group.has("Action") {
            status.recipients.push(recipient(group));
        }
    }
    status
}

fn recipient(group: &ReportFields<'_>) -> RecipientStatus {
    RecipientStatus {
        original_recipient: group.get("Original-Recipient").map(value_of),
        final_recipient: group.get("Final-Recipient").map(value_of),
        action: group.get("Action").and_then(|value| Action::by_name(first_word(value))),
        // Comments behind the code occur: `5.1.1 (user unknown)`.
        status: group.get("Status").and_then(|value| first_word(value).parse().ok()),
        remote_mta: group.get("Remote-MTA").map(value_of),
        diagnostic_code: group.get("Diagnostic-Code").map(|value| typed(value).1.to_owned()),
        last_attempt_date: date_of(group, "Last-Attempt-Date"),
        will_retry_until: date_of(group, "Will-Retry-Until"),
    }
}

/// The first value in a part that should have but one group; stray empty lines do no harm.
fn first<'g>(groups: &'g [ReportFields<'_>], name: &str) -> Option<&'g str> {
    groups.iter().find_map(|group| group.get(name))
}

fn disposition(content: &[u8]) -> DispositionStatus {
    let groups = ReportFields::groups(content);
    DispositionStatus {
        reporting_ua: owned(first(&groups, "Reporting-UA")),
        original_recipient: first(&groups, "Original-Recipient").map(value_of),
        final_recipient: first(&groups, "Final-Recipient").map(value_of),
        original_message_id: first(&groups, "Original-Message-ID").map(value_of),
        disposition: first(&groups, "Disposition").and_then(Disposition::parse),
    }
}

fn feedback(content: &[u8]) -> Feedback {
    let groups = ReportFields::groups(content);
    let all = |name: &str| {
        groups.iter().flat_map(|group| group.all(name).map(str::to_owned).collect::<Vec<_>>()).collect()
    };
    let plain = |value: &str| value.trim().trim_start_matches('<').trim_end_matches('>').to_owned();
    let recipients: Vec<String> = all("Original-Rcpt-To");
    let arrival = groups
        .iter()
        .find_map(|group| date_of(group, "Arrival-Date").or_else(|| date_of(group, "Received-Date")));
    Feedback {
        feedback_type: FeedbackType::by_name(first(&groups, "Feedback-Type").unwrap_or_default()),
        user_agent: owned(first(&groups, "User-Agent")),
        original_mail_from: first(&groups, "Original-Mail-From").map(plain),
        original_rcpt_to: recipients.iter().map(|one| plain(one)).collect(),
        arrival_date: arrival,
        source_ip: first(&groups, "Source-IP").and_then(|value| first_word(value).parse().ok()),
        reported_domain: all("Reported-Domain"),
        reported_uri: all("Reported-URI"),
        authentication_results: all("Authentication-Results"),
    }
}
