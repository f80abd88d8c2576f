//! Abuse reports written (ARF, RFC 5965; RFC 6591 adds its fields through `more`).

use super::delivery::Returned;
use super::fields::FieldsWriter;
use crate::build::{MediaType, Part};
use crate::date::DateTime;
use crate::header::{HeaderName, HeaderText};
use posta_address::{Domain, Host, Mailbox, ReversePath};
use std::borrow::Cow;
use std::net::IpAddr;

/// What a complaint says.
#[derive(Debug, Clone)]
pub struct FeedbackReport {
    /// What it is about.
    pub feedback_type: FeedbackType,
    /// The program that reports, as `name/version`.
    pub user_agent: HeaderText,
    /// The reverse-path of the message.
    pub original_mail_from: Option<ReversePath>,
    /// Its forward-paths.
    pub original_rcpt_to: Vec<Mailbox>,
    /// When the message came.
    pub arrival_date: Option<DateTime>,
    /// The host that took it.
    pub reporting_mta: Option<Host>,
    /// The address that it came from.
    pub source_ip: Option<IpAddr>,
    /// Messages that this report stands for, if more than one.
    pub incidents: Option<u64>,
    /// What was found out about its origin (RFC 8601).
    pub authentication_results: Vec<HeaderText>,
    /// Domains that the reporter holds responsible.
    pub reported_domain: Vec<Domain>,
    /// Addresses found in the message.
    pub reported_uri: Vec<HeaderText>,
    /// Fields of extensions.
    pub more: Vec<(HeaderName, HeaderText)>,
}

/// RFC 5965 §7.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FeedbackType {
    /// Unwanted mail.
    Abuse,
    /// Deceit.
    Fraud,
    /// None of these.
    Other,
    /// A virus.
    Virus,
    /// A report that a message is NOT unwanted (RFC 6430).
    NotSpam,
    /// A failed authentication (RFC 6591).
    AuthFailure,
}

impl FeedbackType {
    /// The value of the field.
    pub fn as_str(self) -> &'static str {
        match self {
            FeedbackType::Abuse => "abuse",
            FeedbackType::Fraud => "fraud",
            FeedbackType::Other => "other",
            FeedbackType::Virus => "virus",
            FeedbackType::NotSpam => "not-spam",
            FeedbackType::AuthFailure => "auth-failure",
        }
    }

    /// Finds a type by its name; unknown ones count as `other` (RFC 5965 §3.5).
    pub fn by_name(name: &str) -> Self {
        use FeedbackType::{Abuse, AuthFailure, Fraud, NotSpam, Other, Virus};
        let all = [Abuse, Fraud, Virus, NotSpam, AuthFailure];
        all.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(name.trim())).unwrap_or(Other)
    }
}

impl FeedbackReport {
    /// With the fields that every report must have.
    pub fn new(feedback_type: FeedbackType, user_agent: HeaderText) -> Self {
        FeedbackReport {
            feedback_type,
            user_agent,
            original_mail_from: None,
            original_rcpt_to: Vec::new(),
            arrival_date: None,
            reporting_mta: None,
            source_ip: None,
            incidents: None,
            authentication_results: Vec::new(),
            reported_domain: Vec::new(),
            reported_uri: Vec::new(),
            more: Vec::new(),
        }
    }

    /// The whole `multipart/report`. RFC 5965 §2: the message or its header section is a must.
    pub fn part<'a>(&self, text: impl Into<Cow<'a, str>>, returned: Returned<'a>) -> Part<'a> {
        let mut parts = vec![Part::text(text), self.feedback_part()];
        parts.extend(returned.part());
        Part::report("feedback-report", parts)
    }

    fn feedback_part<'a>(&self) -> Part<'a> {
        let mut fields = FieldsWriter::new(false);
        fields.add("Feedback-Type", self.feedback_type.as_str());
        fields.add("User-Agent", self.user_agent.as_str());
        fields.add("Version", "1");
        fields.add_some("Original-Mail-From", self.original_mail_from.as_ref());
        for recipient in &self.original_rcpt_to {
            fields.add("Original-Rcpt-To", &format!("<{recipient}>"));
        }
        fields.add_some("Arrival-Date", self.arrival_date);
        let mta = self.reporting_mta.as_ref();
        fields
            .add_some("Reporting-MTA", mta.map(|host| format!("dns; {}", super::delivery::ascii_host(host))));
        fields.add_some("Source-IP", self.source_ip);
        fields.add_some("Incidents", self.incidents);
        for results in &self.authentication_results {
            fields.add("Authentication-Results", results.as_str());
        }
        for domain in &self.reported_domain {
            fields.add("Reported-Domain", domain.to_ascii());
        }
        for uri in &self.reported_uri {
            fields.add("Reported-URI", uri.as_str());
        }
        for (name, value) in &self.more {
            fields.add(name.as_str(), value.as_str());
        }
        Part::octets(MediaType::known("message", "feedback-report"), fields.text.into_bytes())
    }
}
