//! Mail goes out by SMTP submission; what can't be sent yet is kept in the store's queue.
//!
//! A message is durable before the person is told that it is sent, and leaves the queue only when the submission server has
//! taken it, or has refused it for good: then a report lies in the Inbox, in the same commit.

use super::{Access, deliver};
use crate::compose::{Letter, Wishes};
use crate::desk::DeskError;
use crate::engine::{Outbox, OutboxError, Submission};
use crate::{Login, Outside, Proof, describe_outcome, submit_as};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use jiff::{SignedDuration, Timestamp};
use posta_address::{AddressLiteral, Domain, Host, Mailbox, ReversePath};
use posta_message::build::NamedMailbox;
use posta_message::report::{Action, DeliveryReport, Diagnostic, RecipientReport, Returned, Status};
use posta_message::{Address, DateTime, HeaderName, HeaderText, MessageBuilder, MessageId, header};
use posta_smtp::client::{Failure, Fault};
use posta_store::{
    Acceptance, AccountId, Attempt, Envelope, Fate, LocalDelivery, QueueChange, QueueEntry, QueueId,
    RecipientRequests, Release, RemoteRecipient, Requests, Store, StoreError, limits as store_limits,
};
use posta_wire::ContentFacts;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, Notify, watch};

/// How often is looked for what is due, besides when something comes.
const TICK: Duration = Duration::from_secs(1);
/// Minutes after which the next attempt is made, then the one after it; the last is repeated.
const PAUSES_MINUTES: [i64; 5] = [1, 5, 15, 30, 60];
/// Days after which a message that nobody took comes back (RFC 5321 §4.5.4.1: 4 to 5 days at least).
const EXPIRY_DAYS: i64 = 5;
/// Octets of one message that is sent.
const CONTENT_OCTETS_MAX: u64 = 256 * 1024 * 1024;

/// Failed for good, without a status said (RFC 3463 §3.1).
const UNDEFINED: Status = match Status::new(5, 0, 0) {
    Ok(status) => status,
    Err(_) => unreachable!(),
};
/// Who reports: nobody who could be written to (RFC 2606 §2).
const REPORTER: &str = "outbox@localhost.invalid";

/// What still waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Left {
    /// Recipients for whom the submission server took the message just now.
    pub sent: u32,
    /// Recipients refused for good just now; a report is in the Inbox.
    pub refused: u32,
    /// Recipients that wait for a later attempt.
    pub waiting: u32,
}

/// A recipient that could not be sent to yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendFailure {
    /// Whom.
    pub recipient: String,
    /// Why.
    pub reason: String,
    /// When it is tried again.
    pub next_attempt_at: Timestamp,
}

pub(super) struct Queue {
    store: Arc<dyn Store>,
    account: AccountId,
    access: Arc<Access>,
    outside: Outside,
    /// One goes through the queue at a time.
    sending: Mutex<()>,
    /// What is on its way at this moment, and can't be taken back any more.
    leaving: Mutex<HashSet<QueueId>>,
    news: Notify,
}

/// What became of a recipient at an attempt.
enum Verdict {
    Taken,
    Refused(String, Option<posta_smtp::Reply>),
    Later(String),
}

fn failed(error: StoreError) -> OutboxError {
    OutboxError::Failed(error.to_string())
}

#[async_trait]
impl Outbox for Queue {
    async fn submit(&self, account: AccountId, submission: Submission) -> Result<QueueId, OutboxError> {
        let now = self.outside.clock.timestamp();
        let recipient = |mailbox: Mailbox| RemoteRecipient {
            original: posta_address::ForwardPath::Mailbox(mailbox.clone()),
            mailbox,
            maildrop: None,
            requests: RecipientRequests::default(),
        };
        let release = Release { at: submission.release_at, by: Some(account), of: None, asked: None };
        let envelope = Envelope {
            reverse_path: submission.reverse_path,
            smtputf8: submission.needs_smtputf8,
            facts: ContentFacts::of(&submission.content).0,
            message_id: message_id(&submission.content),
            requests: Requests { release: Some(release), ..Requests::default() },
        };
        let mut writer = self.store.receive().await.map_err(failed)?;
        let id = writer.id();
        writer.write(submission.content).await.map_err(failed)?;
        let acceptance = Acceptance {
            envelope,
            accepted_at: now,
            deliveries: Vec::new(),
            remote: submission.recipients.into_iter().map(recipient).collect(),
            discarded: 0,
            changes: Vec::new(),
        };
        writer.accept(acceptance).await.map_err(failed)?;
        self.news.notify_one();
        Ok(id)
    }

    async fn take_back(&self, _account: AccountId, id: QueueId) -> Result<bool, OutboxError> {
        let leaving = self.leaving.lock().await;
        let Some(entry) = self.store.queue_entry(id).await.map_err(failed)? else { return Ok(false) };
        // Once some were tried, others may have it already.
        if leaving.contains(&id) || entry.recipients.iter().any(|recipient| recipient.attempts > 0) {
            return Ok(false);
        }
        let discard = |mailbox| (id, QueueChange::Settled { mailbox, fate: Fate::Discarded });
        let changes = entry.recipients.into_iter().map(|recipient| discard(recipient.mailbox)).collect();
        self.store.change_queue(changes).await.map_err(failed)?;
        Ok(true)
    }
}

impl Queue {
    pub(super) fn new(
        store: Arc<dyn Store>,
        account: AccountId,
        access: Arc<Access>,
        outside: Outside,
    ) -> Self {
        let (sending, leaving, news) = (Mutex::default(), Mutex::default(), Notify::new());
        Queue { store, account, access, outside, sending, leaving, news }
    }

    /// Sends what is due until told to stop; what is being sent then is finished.
    pub(super) async fn run(&self, mut stop: watch::Receiver<bool>) {
        loop {
            if let Err(error) = self.send_due(false).await {
                tracing::warn!(%error, "the outbox could not be looked through");
            }
            tokio::select! {
                _ = stop.changed() => return,
                () = self.news.notified() => {}
                () = tokio::time::sleep(TICK) => {}
            }
        }
    }

    pub(super) async fn send_due(&self, now: bool) -> Result<Left, DeskError> {
        let _one = self.sending.lock().await;
        let wrong = |error: StoreError| DeskError::Failed(error.to_string());
        let mut left = Left::default();
        for entry in self.store.queue().await.map_err(wrong)? {
            let time = self.outside.clock.timestamp();
            let is_due = entry
                .recipients
                .iter()
                .any(|recipient| recipient.next_attempt_at <= time || (now && recipient.attempts > 0));
            if !is_due {
                left.waiting += entry.recipients.len() as u32;
                continue;
            }
            self.leaving.lock().await.insert(entry.id);
            // Between the look and the mark it may have been taken back.
            let sent = match self.store.queue_entry(entry.id).await {
                Ok(Some(entry)) => self.send(&entry, &mut left).await,
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            self.leaving.lock().await.remove(&entry.id);
            sent.map_err(wrong)?;
        }
        Ok(left)
    }

    pub(super) async fn failures(&self) -> Result<Vec<SendFailure>, DeskError> {
        let queue = self.store.queue().await.map_err(|error| DeskError::Failed(error.to_string()))?;
        let recipients = queue.into_iter().flat_map(|entry| entry.recipients);
        let failure = |recipient: posta_store::QueueRecipient| {
            let attempt = recipient.last_attempt?;
            Some(SendFailure {
                recipient: recipient.mailbox.to_string(),
                reason: attempt.detail,
                next_attempt_at: recipient.next_attempt_at,
            })
        };
        Ok(recipients.filter_map(failure).collect())
    }

    /// One attempt for all recipients that are left.
    async fn send(&self, entry: &QueueEntry, left: &mut Left) -> Result<(), StoreError> {
        let content = self.content(entry).await?;
        let verdicts = self.attempt(entry, content.clone()).await;
        let now = self.outside.clock.timestamp();
        let is_expired = now.duration_since(entry.tried_since()).as_hours() >= EXPIRY_DAYS * 24;
        let host = Some(self.access.account.smtp.to_string());
        let (mut changes, mut refused) = (Vec::new(), Vec::new());
        for (recipient, verdict) in entry.recipients.iter().zip(verdicts) {
            let mailbox = recipient.mailbox.clone();
            let verdict = match verdict {
                Verdict::Later(why) if is_expired => Verdict::Refused(why, None),
                verdict => verdict,
            };
            changes.push(match verdict {
                Verdict::Taken => {
                    left.sent += 1;
                    QueueChange::Settled { mailbox, fate: Fate::Relayed }
                }
                Verdict::Refused(why, reply) => {
                    left.refused += 1;
                    refused.push((mailbox.clone(), why, reply));
                    QueueChange::Settled { mailbox, fate: Fate::Bounced }
                }
                Verdict::Later(detail) => {
                    left.waiting += 1;
                    let pause = PAUSES_MINUTES[(recipient.attempts as usize).min(PAUSES_MINUTES.len() - 1)];
                    let next_attempt_at = now.saturating_add(SignedDuration::from_mins(pause)).unwrap_or(now);
                    let attempt = Attempt { at: now, host: host.clone(), detail };
                    QueueChange::Deferred { mailbox, attempt, next_attempt_at }
                }
            });
        }
        let changes = changes.into_iter().map(|change| (entry.id, change)).collect();
        // RFC 5321 §4.5.5: of what has no reverse-path, nothing is reported.
        if refused.is_empty() || entry.envelope.reverse_path == ReversePath::Null {
            return self.store.change_queue(changes).await;
        }
        self.report(entry, &content, &refused, changes, now).await
    }

    async fn content(&self, entry: &QueueEntry) -> Result<Bytes, StoreError> {
        let size = entry.content.size_octets.min(CONTENT_OCTETS_MAX);
        let mut octets = BytesMut::with_capacity(size as usize);
        while (octets.len() as u64) < size {
            let piece =
                self.store.read(&entry.content, octets.len() as u64, store_limits::READ_OCTETS_MAX).await?;
            if piece.is_empty() {
                break;
            }
            octets.extend_from_slice(&piece);
        }
        Ok(octets.freeze())
    }

    async fn attempt(&self, entry: &QueueEntry, content: Bytes) -> Vec<Verdict> {
        let all = |why: String| entry.recipients.iter().map(|_| Verdict::Later(why.clone())).collect();
        let account = &self.access.account;
        // A server on this machine may want no login, and then there may be no password.
        let login = match self.access.secret().await {
            Ok(secret) => {
                let proof = match (account.apop, account.oauth) {
                    (true, _) => Proof::SharedSecret,
                    (_, true) => Proof::Token,
                    _ => Proof::Password,
                };
                Some(Login { user: account.user.clone(), secret, proof })
            }
            Err(_) if account.password_command.is_none() && account.password_file.is_none() => None,
            Err(error) => return all(error),
        };
        let letter = Letter {
            octets: content,
            facts: entry.envelope.facts,
            needs_smtputf8: entry.envelope.smtputf8,
            reverse_path: entry.envelope.reverse_path.clone(),
            recipients: entry.recipients.iter().map(|recipient| recipient.mailbox.clone()).collect(),
            message_id: self.fresh_message_id(),
            wishes: Wishes::default(),
        };
        let submitted = submit_as(&self.outside, &account.smtp, &letter, login.as_ref(), None).await;
        match submitted {
            Ok(outcomes) => outcomes
                .into_iter()
                .map(|(_, outcome)| {
                    let words = describe_outcome(&outcome);
                    match outcome {
                        Ok(_) => Verdict::Taken,
                        Err(failure) if failure.is_transient() => Verdict::Later(words),
                        Err(Failure { fault: Fault::Refused(reply), .. }) => {
                            Verdict::Refused(words, Some(reply))
                        }
                        Err(_) => Verdict::Refused(words, None),
                    }
                })
                .collect(),
            Err(error) => all(format!("{}: {error}", account.smtp)),
        }
    }

    /// The message comes back to its author, and leaves the queue in the same commit.
    async fn report(
        &self,
        entry: &QueueEntry,
        content: &[u8],
        refused: &[(Mailbox, String, Option<posta_smtp::Reply>)],
        changes: Vec<(QueueId, QueueChange)>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let report = Bytes::from(self.report_message(entry, content, refused, now));
        let delivery = LocalDelivery::to_inbox(self.account, Bytes::from_static(b"Return-Path: <>\r\n"));
        deliver(&*self.store, delivery, report, now, changes).await
    }

    fn report_message(
        &self,
        entry: &QueueEntry,
        content: &[u8],
        refused: &[(Mailbox, String, Option<posta_smtp::Reply>)],
        now: Timestamp,
    ) -> Vec<u8> {
        let mut text = "Your message could not be sent to:\n".to_owned();
        for (mailbox, why, _) in refused {
            text.push_str(&format!("\n  {mailbox}\n    {why}\n"));
        }
        text.push_str("\nNothing more is tried. The message is attached, and a copy is in Sent.\n");
        let recipients = refused.iter().map(|(mailbox, why, reply)| {
            let enhanced = reply.as_ref().and_then(|reply| reply.enhanced).map(|status| status.to_string());
            let status = enhanced.and_then(|status| status.parse().ok()).unwrap_or(UNDEFINED);
            let mut report = RecipientReport::new(mailbox.clone(), Action::Failed, status);
            report.diagnostic_code = reply.as_ref().map(|_| Diagnostic::smtp(why));
            report.last_attempt_date = Some(DateTime::utc(now));
            report
        });
        let report = DeliveryReport {
            original_envelope_id: None,
            reporting_mta: Host::Literal(AddressLiteral::from(std::net::IpAddr::from([127, 0, 0, 1]))),
            received_from_mta: None,
            arrival_date: Some(DateTime::utc(entry.accepted_at)),
            extensions: Vec::new(),
            recipients: recipients.collect(),
        };
        let own = NamedMailbox { name: None, mailbox: self.access.account.address.clone() };
        let reporter = Mailbox::parse(REPORTER).unwrap_or_else(|_| own.mailbox.clone());
        let from = NamedMailbox { name: Some(HeaderText::clean("Your outbox")), mailbox: reporter };
        let mut builder = MessageBuilder::new(Address::Mailbox(from), DateTime::utc(now))
            .to(Address::Mailbox(own))
            .subject(HeaderText::clean("Not sent: your message"))
            .message_id(self.fresh_message_id())
            .field(HeaderName::of("Auto-Submitted"), HeaderText::clean("auto-replied"));
        let about = entry.envelope.message_id.as_deref().and_then(|id| MessageId::parse(id).ok());
        if let Some(id) = about {
            builder = builder.in_reply_to(id.clone()).references([id]);
        }
        builder.body(report.part(text, Returned::Message(content))).build().octets
    }

    fn fresh_message_id(&self) -> MessageId {
        let own = self.access.account.address.domain().cloned();
        let domain = own.or_else(|| Domain::parse("localhost.invalid").ok());
        let Some(domain) = domain else { unreachable!("a fixed name is a domain") };
        MessageId::new(self.outside.entropy.next_u64(), self.outside.clock.timestamp(), &domain)
    }
}

fn message_id(content: &[u8]) -> Option<String> {
    let value = header::first(header::split(content).0, "Message-ID")?;
    let text = String::from_utf8_lossy(value).trim().to_owned();
    MessageId::parse(&text).ok().map(|id| id.as_str().to_owned())
}
