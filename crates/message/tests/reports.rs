//! Reports: what is built is what is read.

use posta_address::{Domain, Mailbox, ReversePath};
use posta_message::report::{
    self, Action, ActionMode, DeliveryReport, Diagnostic, Disposition, DispositionKind, DispositionReport,
    FeedbackReport, FeedbackType, MtaName, OriginalRecipient, RecipientReport, Report, Returned, SendingMode,
    Status,
};
use posta_message::{Address, DateTime, HeaderText, Message, MessageBuilder, MessageId, Part};

fn date() -> DateTime {
    DateTime::utc("2007-11-18T01:18:49Z".parse().unwrap())
}

fn text(text: &str) -> HeaderText {
    HeaderText::parse(text).unwrap()
}

fn read(part: Part<'_>) -> Report {
    let from = Address::parse("MAILER-DAEMON@north.example").unwrap();
    let octets = MessageBuilder::new(from, date()).body(part).build().octets;
    let message = Message::parse(&octets);
    assert_eq!(message.check(), vec![], "{}", String::from_utf8_lossy(&octets));
    assert_eq!(message.root().media_type(), "multipart/report");
    report::find(&message).expect("a report")
}

#[test]
fn delivery_reports() {
    for recipient in ["bob@south.example", "δοκιμή@south.example", "\"odd one\"@[192.0.2.1]"] {
        let mut failed = RecipientReport::new(
            Mailbox::parse(recipient).unwrap(),
            Action::Delayed,
            Status::new(4, 4, 7).unwrap(),
        );
        failed.original_recipient =
            Some(OriginalRecipient { kind: text("rfc822"), address: text("orig@south.example") });
        failed.remote_mta = Some(MtaName::dns(&Domain::parse("mx.south.example").unwrap().into()));
        failed.diagnostic_code =
            Some(Diagnostic::smtp(&format!("451-{}\r\n451 4.4.7 later", "long ".repeat(60))));
        failed.last_attempt_date = Some(date());
        failed.will_retry_until = Some(date());
        let report = DeliveryReport {
            original_envelope_id: Some(text("QQ314159")),
            reporting_mta: Domain::parse("mx.north.example").unwrap().into(),
            received_from_mta: None,
            arrival_date: Some(date()),
            extensions: Vec::new(),
            recipients: vec![failed],
        };
        let Report::Delivery(status) = read(report.part("Sorry.\n", Returned::Headers(b"Subject: x\r\n")))
        else {
            panic!()
        };
        assert_eq!(status.original_envelope_id.as_deref(), Some("QQ314159"));
        assert_eq!(status.reporting_mta.as_deref(), Some("mx.north.example"));
        assert_eq!(status.arrival_date, Some(date()));
        let one = &status.recipients[0];
        assert_eq!(one.final_recipient.as_deref(), Some(recipient));
        assert_eq!(one.original_recipient.as_deref(), Some("orig@south.example"));
        assert_eq!((one.action, one.status), (Some(Action::Delayed), Status::new(4, 4, 7).ok()));
        assert_eq!(one.remote_mta.as_deref(), Some("mx.south.example"));
        assert!(one.diagnostic_code.as_deref().unwrap().ends_with("long 451 4.4.7 later"));
        assert_eq!((one.last_attempt_date, one.will_retry_until), (Some(date()), Some(date())));
    }
}

#[test]
fn disposition_notifications() {
    let report = DispositionReport {
        reporting_ua: Some(text("joes-pc.cs.example.com; Foomail 97.1")),
        original_recipient: None,
        final_recipient: Mailbox::parse("Joe_Recipient@example.com").unwrap(),
        original_message_id: Some(MessageId::parse("199509192301.23456@example.org").unwrap()),
        disposition: Disposition {
            action: ActionMode::Manual,
            sending: SendingMode::Manual,
            kind: DispositionKind::Displayed,
            is_error: false,
        },
        error: None,
    };
    let Report::Disposition(status) = read(report.part("Shown.\n", Returned::Nothing)) else { panic!() };
    assert_eq!(status.final_recipient.as_deref(), Some("Joe_Recipient@example.com"));
    assert_eq!(status.original_message_id.as_deref(), Some("199509192301.23456@example.org"));
    assert_eq!(status.disposition, Some(report.disposition));
}

#[test]
fn abuse_reports() {
    let mut report = FeedbackReport::new(FeedbackType::Abuse, text("Posta/1"));
    report.original_mail_from = Some(ReversePath::parse("<somespammer@example.net>").unwrap());
    report.original_rcpt_to = vec![Mailbox::parse("user@example.com").unwrap()];
    report.arrival_date = Some(date());
    report.source_ip = Some("192.0.2.2".parse().unwrap());
    report.reported_domain = vec![Domain::parse("example.net").unwrap()];
    report.reported_uri = vec![text("http://example.net/earn_money.html")];
    let message = b"From: x@example.net\r\nDate: Thu, 8 Mar 2005 14:00:00 -0400\r\n\r\nSpam\r\n";
    let Report::Feedback(feedback) = read(report.part("A complaint.\n", Returned::Message(message))) else {
        panic!()
    };
    assert_eq!(feedback.feedback_type, FeedbackType::Abuse);
    assert_eq!(feedback.original_mail_from.as_deref(), Some("somespammer@example.net"));
    assert_eq!(feedback.original_rcpt_to, ["user@example.com"]);
    assert_eq!(feedback.source_ip, report.source_ip);
    assert_eq!(feedback.arrival_date, Some(date()));
    assert_eq!(feedback.reported_domain, ["example.net"]);
    assert_eq!(feedback.reported_uri, ["http://example.net/earn_money.html"]);
}
