//! Outcomes become facts: decisions, changes of the store, journal, reports.

use crate::{
    limits::{
        CONTENT_CHUNK_OCTETS, OWN_FAILURE_PAUSE, RETURNED_HEADERS_OCTETS_MAX, RETURNED_MESSAGE_OCTETS_MAX,
        SETTLEMENTS_PER_CALL_MAX,
    },
    outcome::{Obstacle, Outcome, PeerName, reply_words},
    reinjection::InjectError,
    report::{DeliveryStatus, News, Report, ReportKind},
    retry::{Decision, History, decide, later},
    service::{Intent, Shared},
};
use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use posta_address::{ForwardPath, Mailbox, ReversePath};
use posta_journal::{Event, Fate};
use posta_store::{Attempt, QueueChange, QueueEntry, QueueId, QueueRecipient, Store, StoreError, TlsRequest};
use posta_wire::{Notify, ReturnedPart};
use std::{sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot, watch};

/// Pause before a failed call to the store is made again.
const STORE_PAUSE: Duration = Duration::from_secs(5);

/// Changes of one attempt; they stay together.
pub(crate) type Changes = Vec<(QueueId, QueueChange)>;

/// What a host takes upon itself with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Offers {
    /// It sends reports where they are asked for (RFC 3461 §5.2.2).
    pub(crate) dsn: bool,
    /// It keeps deadlines (RFC 2852).
    pub(crate) deliver_by: bool,
}

/// What came of one recipient.
pub(crate) struct Concluded {
    pub(crate) mailbox: Mailbox,
    pub(crate) outcome: Outcome,
    pub(crate) peer: Option<PeerName>,
    /// What that host does itself.
    pub(crate) offers: Offers,
}

/// Recipients that stay in the queue, with the time they are due again.
pub(crate) type Again = Vec<(Mailbox, Timestamp)>;

/// What the store's writer is given.
pub(crate) enum Settlement {
    /// To be written.
    Changes(Changes),
    /// To be answered when all before it is written.
    Flush(oneshot::Sender<()>),
}

/// Writes changes to the store, as many in one call as have come meanwhile: no delivery waits for
/// another's sync. When the store fails, it is tried again; the bounded queue before it then holds the
/// deliveries back, so that nothing is sent that cannot be noted.
pub(crate) async fn write_changes(
    store: Arc<dyn Store>,
    mut waiting: mpsc::Receiver<Settlement>,
    stopping: watch::Receiver<bool>,
) {
    let mut batch = Vec::new();
    while waiting.recv_many(&mut batch, SETTLEMENTS_PER_CALL_MAX).await > 0 {
        let (mut changes, mut flushes) = (Changes::new(), Vec::new());
        for settlement in batch.drain(..) {
            match settlement {
                Settlement::Changes(more) => changes.extend(more),
                Settlement::Flush(done) => flushes.push(done),
            }
        }
        while !changes.is_empty() {
            match store.change_queue(changes.clone()).await {
                Ok(()) => break,
                Err(error) => tracing::error!(%error, "noting what became of messages"),
            }
            if *stopping.borrow() {
                // What is not noted is sent again after the restart: twice is better than never.
                return;
            }
            tokio::time::sleep(STORE_PAUSE).await;
        }
        for done in flushes {
            let _ = done.send(());
        }
    }
}

/// Everything decided about one attempt, sorted by what is to be done.
#[derive(Default)]
struct Sorted {
    changes: Changes,
    again: Again,
    delayed: Vec<DeliveryStatus>,
    failed: Vec<DeliveryStatus>,
    /// Settled together with the report about them.
    succeeded: Vec<(DeliveryStatus, QueueChange)>,
}

impl Shared {
    /// Carries out what follows from the outcomes. Returns who is to be tried again, and when.
    pub(crate) async fn settle(&self, entry: &QueueEntry, concluded: Vec<Concluded>) -> Again {
        let now = self.clock.timestamp();
        let sorted = self.sort(entry, concluded, now);
        if !sorted.changes.is_empty() {
            // It is closed only when all deliveries are over.
            let _ = self.settlements.send(Settlement::Changes(sorted.changes)).await;
        }
        let mut again = sorted.again;
        // Rare, so boxed: most outcomes are successes.
        if !sorted.delayed.is_empty() {
            Box::pin(self.report_delay(entry, &sorted.delayed, now)).await;
        }
        if !sorted.succeeded.is_empty() {
            Box::pin(self.report_success(entry, sorted.succeeded, now)).await;
        }
        if !sorted.failed.is_empty() {
            again.extend(Box::pin(self.report_failure(entry, sorted.failed, now)).await);
        }
        again
    }

    fn sort(&self, entry: &QueueEntry, concluded: Vec<Concluded>, now: Timestamp) -> Sorted {
        let settings = self.settings();
        let intent = self.intent(entry.id);
        let mut sorted = Sorted::default();
        for Concluded { mailbox, outcome, peer, offers } in concluded {
            // One that has left the queue meanwhile needs nothing more.
            let known = entry.recipients.iter().find(|recipient| recipient.mailbox == mailbox);
            let Some(recipient) = known else { continue };
            let history = History {
                attempts: recipient.attempts.saturating_add(1),
                accepted_at: entry.tried_since(),
                delay_reported: recipient.delay_reported,
                is_report: entry.envelope.reverse_path == ReversePath::Null,
                deadline: entry.envelope.requests.deadline,
            };
            match (decide(outcome, &history, &settings.settings.retry, now), intent) {
                (Decision::Done(reply), _) => {
                    self.note(entry, recipient, Fate::Relayed, peer.as_ref(), reply_words(&reply), None);
                    let change = QueueChange::Settled { mailbox, fate: Fate::Relayed };
                    let is_told = recipient.requests.wants_success() && !offers.dsn
                        || is_traced(entry, recipient, offers, now);
                    if is_told && !history.is_report {
                        sorted.succeeded.push((status(recipient, peer, News::Relayed(reply)), change));
                        continue;
                    }
                    sorted.changes.push((entry.id, change));
                }
                (Decision::Deliver(delivery), None) => {
                    self.note(entry, recipient, Fate::Delivered, None, "in the maildrop".to_owned(), None);
                    let change = QueueChange::Delivered { mailbox, delivery, at: now };
                    if recipient.requests.wants_success() && !history.is_report {
                        sorted.succeeded.push((status(recipient, None, News::Delivered), change));
                        continue;
                    }
                    sorted.changes.push((entry.id, change));
                }
                (Decision::Bounce { obstacle, expired }, _) => {
                    self.fail(
                        &mut sorted,
                        entry,
                        status(recipient, peer, News::Obstacle { obstacle, expired }),
                    );
                }
                (Decision::Again { .. } | Decision::Deliver(_), Some(Intent::Return)) => {
                    let news = News::Obstacle { obstacle: Obstacle::ReturnedByOperator, expired: false };
                    self.fail(&mut sorted, entry, status(recipient, peer, news));
                }
                (Decision::Again { .. } | Decision::Deliver(_), Some(Intent::Delete)) => {
                    sorted.changes.push(self.discard(entry, recipient, "deleted by the operator"));
                }
                (Decision::Again { obstacle, at, tell_delay }, None) => {
                    let detail = obstacle.words();
                    self.note(entry, recipient, Fate::Deferred, peer.as_ref(), detail.clone(), Some(at));
                    let attempt = Attempt { at: now, host: peer.as_ref().map(PeerName::to_string), detail };
                    sorted.again.push((mailbox.clone(), at));
                    let change = QueueChange::Deferred { mailbox, attempt, next_attempt_at: at };
                    sorted.changes.push((entry.id, change));
                    if tell_delay && recipient.requests.wants_delay() {
                        let news = News::Obstacle { obstacle, expired: false };
                        sorted.delayed.push(status(recipient, peer, news));
                    }
                }
            }
        }
        sorted
    }

    /// Given up. Who asked not to hear of it does not, and nobody else does (RFC 3461 §5.2.6).
    fn fail(&self, sorted: &mut Sorted, entry: &QueueEntry, status: DeliveryStatus) {
        let recipient = entry.recipients.iter().find(|recipient| recipient.mailbox == status.mailbox);
        match recipient {
            Some(recipient) if !recipient.requests.wants_failure() => {
                let rule = format!("failed, and the sender wants no report (NOTIFY): {}", status.words());
                sorted.changes.push(self.discard(entry, recipient, &rule));
            }
            _ => sorted.failed.push(status),
        }
    }

    /// Journal and change for a recipient dropped by a rule with a name.
    pub(crate) fn discard(
        &self,
        entry: &QueueEntry,
        recipient: &QueueRecipient,
        rule: &str,
    ) -> (QueueId, QueueChange) {
        self.note(entry, recipient, Fate::Discarded, None, rule.to_owned(), None);
        let mailbox = recipient.mailbox.clone();
        (entry.id, QueueChange::Settled { mailbox, fate: Fate::Discarded })
    }

    fn note(
        &self,
        entry: &QueueEntry,
        recipient: &QueueRecipient,
        fate: Fate,
        peer: Option<&PeerName>,
        detail: String,
        next_attempt_at: Option<Timestamp>,
    ) {
        let mailbox = &recipient.mailbox;
        let is_original =
            matches!(&recipient.original, ForwardPath::Mailbox(original) if original == mailbox);
        self.journal.note(Event::Outcome {
            id: entry.id.to_string(),
            to: mailbox.clone(),
            original: (!is_original).then(|| recipient.original.clone()),
            fate,
            host: peer.map(PeerName::to_string),
            detail,
            next_attempt_at,
        });
    }

    /// Tells the sender of a delay. If that fails, it is told at the next attempt.
    async fn report_delay(&self, entry: &QueueEntry, statuses: &[DeliveryStatus], now: Timestamp) {
        let Some(to) = entry.envelope.reverse_path.mailbox() else { return };
        let headers = self.headers_of(entry).await.unwrap_or_default();
        let headers = Quoted { message: headers, is_whole: false };
        let message = self.build_report(ReportKind::Delay, entry, to, false, statuses, &headers, now);
        let reported = statuses
            .iter()
            .map(|status| (entry.id, QueueChange::DelayReported { mailbox: status.mailbox.clone() }));
        match self.reinjection.inject(to, message, reported.collect(), requires_tls(entry)).await {
            Ok(report) => self.note_report(entry, report, to, ReportKind::Delay),
            Err(error) => tracing::warn!(id = %entry.id, %error, "reporting a delay"),
        }
    }

    /// Tells the sender that the message has arrived, or that a host without DSN has it; report and settlement
    /// are one commit. A report that cannot be made must not keep the message in the queue: it would be sent
    /// twice.
    async fn report_success(
        &self,
        entry: &QueueEntry,
        succeeded: Vec<(DeliveryStatus, QueueChange)>,
        now: Timestamp,
    ) {
        let (statuses, changes): (Vec<_>, Vec<_>) = succeeded.into_iter().unzip();
        let settled = || -> Changes { changes.iter().map(|change| (entry.id, change.clone())).collect() };
        if let Some(to) = entry.envelope.reverse_path.mailbox() {
            let headers = self.headers_of(entry).await.unwrap_or_default();
            let quoted = Quoted { message: headers, is_whole: false };
            let message = self.build_report(ReportKind::Success, entry, to, false, &statuses, &quoted, now);
            match self.reinjection.inject(to, message, settled(), requires_tls(entry)).await {
                Ok(report) => return self.note_report(entry, report, to, ReportKind::Success),
                Err(error) => tracing::warn!(id = %entry.id, %error, "reporting success"),
            }
        }
        let _ = self.settlements.send(Settlement::Changes(settled())).await;
    }

    /// Tells the sender (or the postmaster) of failures; report and settlement are one commit.
    /// Returns those that have to stay, because our own store failed.
    async fn report_failure(
        &self,
        entry: &QueueEntry,
        statuses: Vec<DeliveryStatus>,
        now: Timestamp,
    ) -> Again {
        let headers = match self.quote(entry).await {
            Ok(quoted) => quoted,
            // A damaged content must not keep the sender from being told.
            Err(error @ (StoreError::NotFound(_) | StoreError::Damaged(_))) => {
                tracing::error!(id = %entry.id, %error, "returning headers");
                Quoted { message: Bytes::new(), is_whole: false }
            }
            Err(error) => return self.keep(entry, &statuses, now, &error.to_string()),
        };
        let settings = self.settings();
        let postmaster = &settings.settings.postmaster;
        let mut statuses = statuses;
        if let Some(sender) = entry.envelope.reverse_path.mailbox() {
            match self.try_report(entry, sender, false, &statuses, &headers, now).await {
                Ok(()) => return Again::new(),
                Err(InjectError::Failed(reason)) => return self.keep(entry, &statuses, now, &reason),
                // The sender cannot be told: the postmaster is.
                Err(InjectError::Refused(reason)) => {
                    tracing::warn!(id = %entry.id, %sender, %reason, "the sender cannot be told of a failure");
                }
            }
        } else {
            // What could not reach the postmaster is not reported to the postmaster.
            let (lost, rest): (Vec<_>, Vec<_>) =
                statuses.into_iter().partition(|status| status.mailbox == *postmaster);
            self.discard_double_bounces(entry, &lost).await;
            statuses = rest;
            if statuses.is_empty() {
                return Again::new();
            }
        }
        match self.try_report(entry, postmaster, true, &statuses, &headers, now).await {
            Ok(()) => Again::new(),
            Err(InjectError::Failed(reason)) => self.keep(entry, &statuses, now, &reason),
            Err(InjectError::Refused(reason)) => {
                tracing::error!(id = %entry.id, %postmaster, %reason, "the postmaster cannot be told of a failure");
                self.discard_double_bounces(entry, &statuses).await;
                Again::new()
            }
        }
    }

    async fn try_report(
        &self,
        entry: &QueueEntry,
        to: &Mailbox,
        is_double_bounce: bool,
        statuses: &[DeliveryStatus],
        quoted: &Quoted,
        now: Timestamp,
    ) -> Result<(), InjectError> {
        let kind = ReportKind::Failure;
        let message = self.build_report(kind, entry, to, is_double_bounce, statuses, quoted, now);
        let reported = statuses.iter().map(|status| {
            let mailbox = status.mailbox.clone();
            (entry.id, QueueChange::Settled { mailbox, fate: Fate::Bounced })
        });
        let report = self.reinjection.inject(to, message, reported.collect(), requires_tls(entry)).await?;
        for status in statuses {
            let recipient = entry.recipients.iter().find(|known| known.mailbox == status.mailbox);
            if let Some(recipient) = recipient {
                self.note(entry, recipient, Fate::Bounced, status.host.as_ref(), status.words(), None);
            }
        }
        self.note_report(entry, report, to, kind);
        Ok(())
    }

    #[allow(clippy::too_many_arguments, reason = "the one place where a report's parts come together")]
    fn build_report(
        &self,
        kind: ReportKind,
        entry: &QueueEntry,
        to: &Mailbox,
        is_double_bounce: bool,
        statuses: &[DeliveryStatus],
        quoted: &Quoted,
        now: Timestamp,
    ) -> Bytes {
        let settings = &self.settings().settings;
        let is_report = entry.envelope.reverse_path == ReversePath::Null;
        Report {
            kind,
            hostname: &settings.hostname,
            postmaster: &settings.postmaster,
            to,
            is_double_bounce,
            queue_id: entry.id.to_string(),
            message_id: entry.envelope.message_id.as_deref(),
            deliver_by: entry.envelope.requests.deadline.map(|deadline| deadline.at),
            hold: entry.envelope.requests.release.and_then(|release| release.asked),
            accepted_at: entry.accepted_at,
            expires_at: settings.retry.expires_at(entry.tried_since(), is_report),
            statuses,
            envelope_id: entry.envelope.requests.envelope_id.as_ref(),
            message: &quoted.message,
            is_whole: quoted.is_whole,
            now,
            random: self.entropy.next_u64(),
        }
        .build()
    }

    /// RFC 5321 §6.1: a failing report makes no report; the rule's name is `double-bounce`.
    async fn discard_double_bounces(&self, entry: &QueueEntry, statuses: &[DeliveryStatus]) {
        let find = |status: &DeliveryStatus| {
            entry.recipients.iter().find(|recipient| recipient.mailbox == status.mailbox)
        };
        let discarded = statuses.iter().filter_map(|status| {
            let rule = format!("double-bounce: {}", status.words());
            find(status).map(|recipient| self.discard(entry, recipient, &rule))
        });
        let changes: Changes = discarded.collect();
        if !changes.is_empty() {
            let _ = self.settlements.send(Settlement::Changes(changes)).await;
        }
    }

    /// Our own store failed: they stay as they are, for a while.
    fn keep(&self, entry: &QueueEntry, statuses: &[DeliveryStatus], now: Timestamp, reason: &str) -> Again {
        tracing::error!(id = %entry.id, %reason, "a failure could not be reported; it is tried again");
        let due = later(now, OWN_FAILURE_PAUSE);
        statuses.iter().map(|status| (status.mailbox.clone(), due)).collect()
    }

    fn note_report(&self, entry: &QueueEntry, report: QueueId, to: &Mailbox, kind: ReportKind) {
        self.journal.note(Event::Reported {
            id: entry.id.to_string(),
            report: report.to_string(),
            to: to.clone(),
            kind: kind.as_str().to_owned(),
        });
    }

    /// What goes back with a report of failure: all of it, where the sender asks for that and it is not
    /// too large (RFC 3461 §4.3), else what has its header section.
    async fn quote(&self, entry: &QueueEntry) -> Result<Quoted, StoreError> {
        let size_octets = entry.content.size_octets;
        // RFC 8689 §5: never all of what is not to leave TLS. And a report is text: what is binary has no place
        // in it.
        let wants_all = entry.envelope.requests.returned == Some(ReturnedPart::Full)
            && !requires_tls(entry)
            && !entry.envelope.facts.is_binary;
        if !wants_all || size_octets > RETURNED_MESSAGE_OCTETS_MAX {
            return Ok(Quoted { message: self.headers_of(entry).await?, is_whole: false });
        }
        let mut message = BytesMut::with_capacity(size_octets as usize);
        while (message.len() as u64) < size_octets {
            let piece = self.store.read(&entry.content, message.len() as u64, CONTENT_CHUNK_OCTETS).await?;
            if piece.is_empty() {
                return Err(StoreError::Damaged(format!("{} is shorter than it should be", entry.id)));
            }
            message.extend_from_slice(&piece);
        }
        Ok(Quoted { message: message.freeze(), is_whole: true })
    }

    /// The beginning of a content, which has its header section.
    async fn headers_of(&self, entry: &QueueEntry) -> Result<Bytes, StoreError> {
        self.store.read(&entry.content, 0, RETURNED_HEADERS_OCTETS_MAX).await
    }
}

/// Whether the sender is told that another host has it, because of the deadline (RFC 2852 §4.1.4, §4.1.4.2).
fn is_traced(entry: &QueueEntry, recipient: &QueueRecipient, offers: Offers, now: Timestamp) -> bool {
    let Some(deadline) = entry.envelope.requests.deadline else { return false };
    let is_lost = !offers.deliver_by && now < deadline.at;
    (deadline.terms.trace || is_lost) && recipient.requests.notify != Some(Notify::NEVER)
}

/// Reports about what is not to leave TLS are not to leave it either.
fn requires_tls(entry: &QueueEntry) -> bool {
    entry.envelope.requests.tls == TlsRequest::Required
}

/// What of a message goes back with a report.
struct Quoted {
    message: Bytes,
    is_whole: bool,
}

fn status(recipient: &QueueRecipient, host: Option<PeerName>, news: News) -> DeliveryStatus {
    let (mailbox, original) = (recipient.mailbox.clone(), recipient.original.clone());
    DeliveryStatus { mailbox, original, requested: recipient.requests.original.clone(), host, news }
}
