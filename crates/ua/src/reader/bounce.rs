//! Reports explained in words: what happened to a message, and what its author can do.

use crate::desk::{ReportKind, ReportRecipient, ReportView};
use crate::terminal::harmless_line;
use posta_message::report::{
    self, Action, DeliveryStatus, Disposition, DispositionKind, DispositionStatus, RecipientStatus, Report,
    Status,
};
use posta_message::{Entity, Message};

/// Recipients of a report that are told one by one.
const RECIPIENTS_MAX: usize = 200;
/// Characters of what a host said.
const SAID_CHARS_MAX: usize = 500;

/// What the report refers to, for finding it: its Message-ID.
pub struct About {
    /// Without angle brackets.
    pub message_id: Option<String>,
}

/// The report in a message, explained; `about` of it is for the caller to find.
pub fn report_view(message: &Message<'_>) -> Option<(ReportView, About)> {
    let found = report::find(message)?;
    let original = returned_header(message);
    let subject = original.and_then(|entity| entity.subject().map(|subject| harmless_line(&subject)));
    let message_id = original.and_then(|entity| entity.message_id().map(|id| id.into_owned()));
    let (view, named_id) = match found {
        Report::Delivery(status) => (delivery(&status), None),
        Report::Disposition(status) => {
            let id = status.original_message_id.clone();
            (receipt(&status), id)
        }
        Report::Feedback(feedback) => {
            let kind = feedback.feedback_type.as_str();
            let text = format!("Somebody who got a message of yours complained about it ({kind}).");
            let recipients =
                feedback.original_rcpt_to.iter().take(RECIPIENTS_MAX).map(|address| ReportRecipient {
                    address: harmless_line(address),
                    text: "complained".to_owned(),
                    said: None,
                    status: None,
                });
            let recipients = recipients.collect();
            (ReportView { kind: ReportKind::Complaint, text, recipients, about: None, subject: None }, None)
        }
    };
    Some((ReportView { subject, ..view }, About { message_id: message_id.or(named_id) }))
}

/// The returned message or its header section (RFC 6522 §3): of `text/rfc822-headers`, parsed by the caller's message.
fn returned_header<'m>(message: &'m Message<'m>) -> Option<Entity<'m>> {
    let mut entities = message.entities();
    entities.find_map(|entity| match &*entity.media_type() {
        "message/rfc822" | "message/global" => entity.message(),
        _ => None,
    })
}

fn delivery(status: &DeliveryStatus) -> ReportView {
    let has = |action: Action| status.recipients.iter().any(|recipient| recipient.action == Some(action));
    let count = |action: Action| {
        status.recipients.iter().filter(|recipient| recipient.action == Some(action)).count()
    };
    let (kind, text) = if has(Action::Failed) {
        let text = match (count(Action::Failed), status.recipients.len()) {
            (1, 1) => "Your message could not be delivered; it will not be tried again.".to_owned(),
            (failed, all) if failed == all => {
                "Your message could not be delivered to anybody below; it will not be tried again.".to_owned()
            }
            (failed, all) => format!(
                "Your message could not be delivered to {failed} of {all} recipients; for them it will not be tried again."
            ),
        };
        (ReportKind::Failed, text)
    } else if has(Action::Delayed) {
        (
            ReportKind::Delayed,
            "Your message is late. Nothing is lost: it is still being tried, you need not do anything."
                .to_owned(),
        )
    } else {
        (ReportKind::Delivered, "Your message arrived.".to_owned())
    };
    let recipients = status.recipients.iter().take(RECIPIENTS_MAX).map(recipient).collect();
    ReportView { kind, text, recipients, about: None, subject: None }
}

fn recipient(status: &RecipientStatus) -> ReportRecipient {
    let address =
        status.original_recipient.as_deref().or(status.final_recipient.as_deref()).unwrap_or_default();
    let mut text = match status.action {
        Some(Action::Failed) => match status.status {
            Some(code) => reason(code).to_owned(),
            None => "It was refused; no reason is given.".to_owned(),
        },
        Some(Action::Delayed) => match status.status {
            Some(code) => format!("Not yet: {}", delay(code)),
            None => "Not yet: the other host doesn't take it at the moment.".to_owned(),
        },
        Some(Action::Delivered) => "It was delivered.".to_owned(),
        Some(Action::Relayed) => "It was handed on to a host that sends no reports.".to_owned(),
        Some(Action::Expanded) => "It was delivered to a list, which sends it on.".to_owned(),
        None => "What became of it isn't said.".to_owned(),
    };
    if let Some(until) = status.will_retry_until.filter(|_| status.action == Some(Action::Delayed)) {
        text.push_str(&format!(" It is tried until {}.", until.instant.strftime("%Y-%m-%d %H:%M UTC")));
    }
    let said = status
        .diagnostic_code
        .as_deref()
        .map(|said| harmless_line(said).chars().take(SAID_CHARS_MAX).collect());
    ReportRecipient {
        address: harmless_line(address),
        text,
        said,
        status: status.status.map(|code| code.to_string()),
    }
}

/// RFC 3463 §3: what a permanent status means to the author.
fn reason(code: Status) -> &'static str {
    match (code.subject(), code.detail()) {
        (1, 1) => {
            "Nobody there has this address. Look whether it is written correctly; maybe the person has a new one."
        }
        (1, 2 | 10) => "There is no such mail domain, or it takes no mail. Look at what stands behind the @.",
        (1, 3) => "The address is not written as an address must be.",
        (1, 6) => "The person has moved and left no new address.",
        (1, 7 | 8) => "The other host objects to your address as the sender.",
        (1, _) => "Something is wrong with the address.",
        (2, 1) => "The mailbox is closed at the moment and takes no mail.",
        (2, 2) => "The mailbox is full. Try again in some days, or tell the person by another way.",
        (2, 3) => "The message is too large for this mailbox. Send large files by another way.",
        (2, _) => "Something is wrong with the mailbox.",
        (3, 1) => "The other mail system is full.",
        (3, 4) => "The message is too large for the other mail system. Send large files by another way.",
        (3, _) => "Something is wrong with the other mail system.",
        (4, 1) => "No host of this domain answered for days.",
        (4, 3 | 4) => "No way to this domain could be found: its name service is silent or wrong.",
        (4, 6) => "The message ran in a circle; the other side's forwarding is set wrongly.",
        (4, 7) => "It was tried for days, and the other host never took it.",
        (4, _) => "The other host could not be reached for days.",
        (5, _) => "The two hosts did not understand each other.",
        (6, _) => "The other host can't take a message of this form.",
        (7, 1) => {
            "The other host refuses the message, mostly because it is taken for unwanted mail or the person takes mail from few only."
        }
        (7, 10..) => "No connection was safe enough for what the other side or you asked for.",
        (7, _) => "The other host refuses the message for reasons of security.",
        _ => "The other host refuses it.",
    }
}

fn delay(code: Status) -> &'static str {
    match (code.subject(), code.detail()) {
        (2, 2) => "the mailbox is full.",
        (3, _) => "the other mail system has no room or is busy.",
        (4, 1) => "no host of this domain answers.",
        (4, 3 | 4) => "the name service of this domain doesn't answer.",
        (7, _) => "the other host wants to wait before it takes mail from here, or has doubts.",
        _ => "the other host doesn't take it at the moment.",
    }
}

fn receipt(status: &DispositionStatus) -> ReportView {
    let who =
        status.final_recipient.as_deref().or(status.original_recipient.as_deref()).unwrap_or("the recipient");
    let who = harmless_line(who);
    let text = match status.disposition {
        Some(Disposition { kind: DispositionKind::Displayed, .. }) => {
            format!("Your message was shown to {who}. That it was read or understood is not said by that.")
        }
        Some(Disposition { kind: DispositionKind::Deleted, .. }) => {
            format!("Your message was deleted by {who} without being shown.")
        }
        Some(Disposition { kind: DispositionKind::Dispatched, .. }) => {
            format!("Your message was passed on by {who} without being shown.")
        }
        Some(Disposition { kind: DispositionKind::Processed, .. }) => {
            format!("Your message was processed by a program of {who} without being shown.")
        }
        None => format!("{who} reports on your message; what became of it can't be told."),
    };
    let recipients = vec![ReportRecipient { address: who, text: String::new(), said: None, status: None }];
    ReportView { kind: ReportKind::Receipt, text, recipients, about: None, subject: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dsn(fields: &str) -> String {
        format!(
            "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nSorry\r\n\
             --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.north.example\r\n\r\n{fields}\r\n\r\n\
             --b\r\nContent-Type: message/rfc822\r\n\r\nSubject: Tea\r\nMessage-ID: <t@north.example>\r\n\r\nHi\r\n--b--\r\n"
        )
    }

    #[test]
    fn bounces_in_words() {
        for (fields, kind, word) in [
            (
                "Final-Recipient: rfc822; bob@south.example\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 no such user",
                ReportKind::Failed,
                "Nobody there",
            ),
            (
                "Final-Recipient: rfc822; bob@south.example\r\nAction: failed\r\nStatus: 5.2.2",
                ReportKind::Failed,
                "full",
            ),
            (
                "Final-Recipient: rfc822; bob@south.example\r\nAction: delayed\r\nStatus: 4.4.1",
                ReportKind::Delayed,
                "no host",
            ),
            (
                "Final-Recipient: rfc822; bob@south.example\r\nAction: delivered\r\nStatus: 2.0.0",
                ReportKind::Delivered,
                "delivered",
            ),
        ] {
            let raw = dsn(fields);
            let message = Message::parse(raw.as_bytes());
            let (view, about) = report_view(&message).unwrap();
            assert_eq!((view.kind, view.subject.as_deref()), (kind, Some("Tea")));
            assert_eq!(about.message_id.as_deref(), Some("t@north.example"));
            assert_eq!(view.recipients[0].address, "bob@south.example");
            assert!(view.recipients[0].text.contains(word), "{:?}", view.recipients);
        }
    }

    #[test]
    fn receipts_in_words() {
        let raw = "Content-Type: multipart/report; report-type=disposition-notification; boundary=b\r\n\r\n--b\r\n\r\nRead\r\n\
            --b\r\nContent-Type: message/disposition-notification\r\n\r\nFinal-Recipient: rfc822; bob@south.example\r\n\
            Original-Message-ID: <t@north.example>\r\nDisposition: manual-action/MDN-sent-manually; displayed\r\n--b--\r\n";
        let message = Message::parse(raw.as_bytes());
        let (view, about) = report_view(&message).unwrap();
        assert!(
            view.kind == ReportKind::Receipt && view.text.contains("shown to bob@south.example"),
            "{view:?}"
        );
        assert_eq!(about.message_id.as_deref(), Some("t@north.example"));
        assert!(report_view(&Message::parse(b"Subject: x\r\n\r\nhi")).is_none());
    }
}
