//! Step four, where the sender asked for it: the report that the message has arrived (RFC 3461 §5.2.3,
//! §5.2.7).

use super::transaction::{Spread, Transaction};
use crate::{
    bounces,
    host::{Host, queue_settings},
    recipients::Place,
};
use bytes::Bytes;
use jiff::Timestamp;
use posta_address::{ForwardPath, Mailbox};
use posta_journal::Event;
use posta_queue::{DeliveryStatus, News, Report, ReportKind, limits::RETURNED_HEADERS_OCTETS_MAX};
use posta_store::{ContentRef, QueueId};

/// Of whom there is something to tell now; what is sent on is the queue's to tell.
pub(crate) fn statuses(transaction: &Transaction) -> Vec<DeliveryStatus> {
    if transaction.reverse_path.mailbox().is_none() {
        return Vec::new();
    }
    let asked = transaction.recipients.iter().zip(&transaction.asked).enumerate();
    let wanted = asked.filter(|(_, (_, asked))| asked.requests.wants_success());
    let status = |(place, (path, asked)): (usize, (&ForwardPath, &super::transaction::Asked))| {
        let (mailbox, news): (Mailbox, News) = match asked.spread {
            Spread::Several => (path.mailbox()?.clone(), News::Expanded),
            Spread::List => (path.mailbox()?.clone(), News::Delivered),
            Spread::One => {
                let mut targets = transaction.targets.iter().filter(|(of, _)| *of == place);
                // Without a target of its own, another recipient led to the same place.
                match targets.next() {
                    Some((_, target)) if target.place == Place::Elsewhere => return None,
                    // It has not arrived yet: the queue tells when it has.
                    _ if transaction.timing.release.is_some() => return None,
                    Some((_, target)) => (target.mailbox.clone(), News::Delivered),
                    None => (path.mailbox()?.clone(), News::Delivered),
                }
            }
        };
        let requested = asked.requests.original.clone();
        Some(DeliveryStatus { mailbox, original: path.clone(), requested, host: None, news })
    };
    wanted.filter_map(status).collect()
}

/// Tells the sender. The message is committed whatever becomes of this.
pub(crate) async fn report(
    host: &Host,
    transaction: &Transaction,
    statuses: &[DeliveryStatus],
    id: QueueId,
    accepted_at: Timestamp,
) {
    let Some(to) = transaction.reverse_path.mailbox() else { return };
    let content = ContentRef { id, size_octets: RETURNED_HEADERS_OCTETS_MAX as u64, hint: (0, 0) };
    // One that nobody keeps cannot be read; the report then has no headers.
    let headers = match host.store.queue_entry(id).await {
        Ok(Some(entry)) => host.store.read(&entry.content, 0, RETURNED_HEADERS_OCTETS_MAX).await,
        _ => host.store.read(&content, 0, RETURNED_HEADERS_OCTETS_MAX).await,
    };
    let policy = host.policy();
    let message = Report {
        kind: ReportKind::Success,
        hostname: &policy.config.hostname,
        postmaster: &queue_settings(&policy.config, &[]).postmaster,
        to,
        is_double_bounce: false,
        queue_id: id.to_string(),
        message_id: transaction.message_id.found().as_deref(),
        envelope_id: transaction.parameters.envelope_id.as_ref(),
        deliver_by: transaction.timing.deadline.map(|deadline| deadline.at),
        hold: transaction.timing.release.and_then(|release| release.asked),
        accepted_at,
        expires_at: accepted_at,
        statuses,
        message: &headers.unwrap_or_else(|_| Bytes::new()),
        is_whole: false,
        now: accepted_at,
        random: host.entropy.next_u64(),
    }
    .build();
    match bounces::inject(host, to, message, Vec::new(), transaction.parameters.require_tls).await {
        Ok(report) => host.journal.note(Event::Reported {
            id: id.to_string(),
            report: report.to_string(),
            to: to.clone(),
            kind: ReportKind::Success.as_str().to_owned(),
        }),
        Err(error) => tracing::warn!(%id, %error, "reporting success"),
    }
}
