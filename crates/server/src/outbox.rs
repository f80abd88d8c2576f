//! What people here send otherwise than over SMTP: from a page, or from a program that has the host at hand.
//!
//! It goes through the same policy as SMTP submission (RFC 6409): who may send as whom, how much, what is
//! added and taken away. What still waits for its time can be taken back.

use crate::{
    host::Host,
    reception::{
        commit::{self, Arrived, Origin},
        completion::{Completion, Missing},
        facts::{MessageFacts, PeerFacts, RecipientFacts, SenderFacts},
        judge::{self, Verdict},
        replies, timing,
        transaction::Transaction,
    },
};
use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use posta_address::{ForwardPath, Mailbox, ReversePath};
use posta_queue::{QueueError, TakeBack};
use posta_smtp::{
    Body, Reply,
    limits::{HEADER_SECTION_OCTETS_MAX, TEXT_LINE_OCTETS_MAX},
    replies::{self as smtp, Standard},
    server::MailParameters,
};
use posta_store::{Account, QueueId, RecipientRequests, StoreError};
use posta_wire::{ContentFacts, DeliverBy, EnvelopeId, Hold, LineFaults, Priority, ReturnedPart};
use std::{net::Ipv4Addr, sync::Arc};
use thiserror::Error;

/// What stands on the envelope of a message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingEnvelope {
    /// Whom it is from, and who hears of failures: an address of the account's own.
    pub from: Mailbox,
    /// The reverse-path is null all the same: nobody wants to hear of failures, and nothing answers it. For
    /// receipts (RFC 8098 §2.1) and answers given by themselves (RFC 3834 §3.3).
    pub from_nobody: bool,
    /// To whom, with what is asked for each: at least one. Those of `Bcc` too.
    pub recipients: Vec<(Mailbox, RecipientRequests)>,
    /// What goes back with a report of failure (RFC 3461 §4.3).
    pub returned: Option<ReturnedPart>,
    /// The sender's name for the envelope (RFC 3461 §4.4).
    pub envelope_id: Option<EnvelopeId>,
    /// By when it is to have arrived (RFC 2852).
    pub deliver_by: Option<DeliverBy>,
    /// What goes before others (RFC 6710).
    pub priority: Priority,
    /// It leaves inside verified TLS, or not at all (RFC 8689).
    pub require_tls: bool,
}

impl OutgoingEnvelope {
    /// Nothing is asked for.
    pub fn new(from: Mailbox, recipients: impl IntoIterator<Item = Mailbox>) -> Self {
        let recipients = recipients.into_iter().map(|to| (to, RecipientRequests::default())).collect();
        OutgoingEnvelope {
            from,
            from_nobody: false,
            recipients,
            returned: None,
            envelope_id: None,
            deliver_by: None,
            priority: Priority::default(),
            require_tls: false,
        }
    }
}

/// Why a message was not taken. Nothing of it was sent, to nobody.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SubmitError {
    /// By policy, or because an address is wrong. With whom it concerns (`None`: the message as a whole) and
    /// what an SMTP client would have heard: code, enhanced status and words.
    #[error("refused: {}", words(.0))]
    Refused(Vec<(Option<Mailbox>, Reply)>),
    /// It can't be found out or kept now.
    #[error("not possible at the moment: {0}")]
    Unavailable(String),
}

fn words(refusals: &[(Option<Mailbox>, Reply)]) -> String {
    let one = |(to, reply): &(Option<Mailbox>, Reply)| {
        let text = reply.lines.join(" ");
        to.as_ref().map_or_else(|| text.clone(), |to| format!("{to}: {text}"))
    };
    refusals.iter().map(one).collect::<Vec<_>>().join("; ")
}

impl From<StoreError> for SubmitError {
    fn from(error: StoreError) -> Self {
        SubmitError::Unavailable(error.to_string())
    }
}

/// A message of an account's that waits for its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// What [`Outbox::submit`] gave.
    pub id: QueueId,
    /// When it goes.
    pub release_at: Timestamp,
}

/// The way out. Clones are the same.
#[derive(Clone)]
pub struct Outbox {
    host: Arc<Host>,
}

impl Outbox {
    pub(crate) fn new(host: Arc<Host>) -> Self {
        Outbox { host }
    }

    /// Takes a message over: from here on it is delivered, relayed, bounced, or taken back. `content` has CR LF
    /// lines; `Date`, `Message-ID` and `From` are added where they are missing, `Bcc` is taken away. It leaves
    /// at `release_at`, if that is in the future, and not before the account's own hold is over. All recipients,
    /// or none.
    pub async fn submit(
        &self,
        account: &Mailbox,
        envelope: OutgoingEnvelope,
        content: Bytes,
        release_at: Option<Timestamp>,
    ) -> Result<QueueId, SubmitError> {
        let (outbox, account) = (self.clone(), account.clone());
        to_the_end(async move {
            let account = outbox.account(&account).await?;
            let mut transaction = outbox.begin(&account, &envelope, &content, release_at).await?;
            outbox.add_recipients(&account, &envelope, &mut transaction).await?;
            outbox.commit(&account, transaction, with_line_end(content)).await
        })
        .await
    }

    /// Takes back what still waits; `false` if it is gone, or another's.
    pub async fn take_back(&self, account: &Mailbox, id: QueueId) -> Result<bool, SubmitError> {
        let (account, queue) = (self.account(account).await?, self.host.queue().clone());
        match to_the_end(async move { Ok(queue.take_back(id, Some(account.id)).await) }).await? {
            Ok(taken) => Ok(taken == TakeBack::Done),
            Err(QueueError::NotFound(_)) => Ok(false),
            Err(QueueError::Store(error)) => Err(error.into()),
        }
    }

    /// What of the account's still waits, oldest first.
    pub async fn pending(&self, account: &Mailbox) -> Result<Vec<Waiting>, SubmitError> {
        let account = self.account(account).await?;
        let waiting = self.host.queue().waiting(account.id).into_iter();
        Ok(waiting.map(|(id, release_at)| Waiting { id, release_at }).collect())
    }

    async fn account(&self, address: &Mailbox) -> Result<Account, SubmitError> {
        let account = self.host.store.account(address).await?.filter(|account| account.enabled);
        account.ok_or_else(|| whole(replies::SENDER_NOT_YOURS.reply()))
    }

    /// MAIL, as it were.
    async fn begin(
        &self,
        account: &Account,
        envelope: &OutgoingEnvelope,
        content: &Bytes,
        release_at: Option<Timestamp>,
    ) -> Result<Transaction, SubmitError> {
        let policy = self.host.policy();
        if content.len() as u64 > policy.config.smtp.size_max.0 {
            return Err(whole(smtp::TOO_LARGE.reply()));
        }
        let (facts, faults) = ContentFacts::of(content);
        if let Some(fault) = fault(content, &facts, faults) {
            return Err(whole(fault.reply()));
        }
        let reverse_path = ReversePath::Mailbox(envelope.from.clone());
        let directory = self.host.directory(&policy);
        let mut sender = SenderFacts::gather(&directory, &peer(account), &reverse_path).await?;
        let (limits, now) = (&policy.config.submission, self.host.clock.now());
        sender.is_spent = !self.host.allowances.allows_message(&account.address, limits, now);
        accepted(judge::sender(&sender)).map_err(whole)?;
        let recipients_are_ascii = envelope.recipients.iter().all(|(to, _)| to.is_ascii());
        let parameters = MailParameters {
            size_octets: Some(content.len() as u64),
            body: if facts.has_8bit { Body::EightBit } else { Body::SevenBit },
            smtputf8: facts.has_8bit_headers || !recipients_are_ascii || !envelope.from.is_ascii(),
            returned: envelope.returned,
            envelope_id: envelope.envelope_id.clone(),
            require_tls: envelope.require_tls,
            ..MailParameters::default()
        };
        let now = self.host.clock.timestamp();
        let asked = release_at.filter(|at| *at > now).map(Hold::Until);
        let refused = |(reply, _): timing::Refusal| whole(reply.reply());
        let patience = timing::patience(&self.host, Some(&account.address), asked).await.map_err(refused)?;
        let parameters = MailParameters {
            hold: asked,
            deliver_by: envelope.deliver_by,
            priority: Some(envelope.priority),
            ..parameters
        };
        let timing = timing::judge(&parameters, patience, true, now).map_err(refused)?;
        let reverse_path = if envelope.from_nobody { ReversePath::Null } else { reverse_path };
        Ok(Transaction { timing, ..Transaction::new(reverse_path, parameters) })
    }

    /// RCPT, for each.
    async fn add_recipients(
        &self,
        account: &Account,
        envelope: &OutgoingEnvelope,
        transaction: &mut Transaction,
    ) -> Result<(), SubmitError> {
        let policy = self.host.policy();
        let directory = self.host.directory(&policy);
        let (limits, now) = (&policy.config.submission, self.host.clock.now());
        let mut refused = Vec::new();
        for (to, requests) in &envelope.recipients {
            let path = ForwardPath::Mailbox(to.clone());
            let peer = peer(account);
            let gathering = RecipientFacts::gather(&directory, &peer, &path, &transaction.parameters);
            let (mut facts, error) = gathering.await;
            if let Some(error) = error {
                return Err(error.into());
            }
            let before = transaction.recipients.len();
            facts.is_spent = !self.host.allowances.allows_recipient(&account.address, before, limits, now);
            facts.recipients_before = transaction.targets.len();
            facts.recipients_max = policy.config.smtp.recipients_max;
            if let Some(crate::recipients::Resolution::Here(expansion)) = &facts.resolution {
                facts.copies = transaction.reverse_paths(&expansion.targets).len();
            }
            match (judge::recipient(&facts), facts.resolution) {
                (Verdict::Accept { reason }, Some(resolution)) => {
                    transaction.add(path, requests.clone(), resolution, reason);
                }
                (Verdict::Accept { .. }, None) => {
                    refused.push((Some(to.clone()), replies::LOCAL_ERROR.reply()))
                }
                (Verdict::Refuse { reply, .. }, _) => refused.push((Some(to.clone()), reply)),
            }
        }
        match (refused.is_empty(), transaction.recipients.is_empty()) {
            (true, false) => Ok(()),
            (true, true) => Err(whole(smtp::NO_VALID_RECIPIENTS.reply())),
            (false, _) => Err(SubmitError::Refused(refused)),
        }
    }

    /// DATA, and the final dot.
    async fn commit(
        &self,
        account: &Account,
        mut transaction: Transaction,
        content: Bytes,
    ) -> Result<QueueId, SubmitError> {
        let host = &*self.host;
        let mut copies = commit::open(host, None, &transaction).await?;
        let Some(id) = copies.first().map(|copy| copy.writer.id()) else {
            return Err(SubmitError::Unavailable("nothing was opened to commit".into()));
        };
        let sender = transaction.reverse_path.mailbox().unwrap_or(&account.address).clone();
        let mut completion = Completion::new(Missing::of(host, &sender, id, transaction.parameters.smtputf8));
        for octets in [completion.take(content), completion.finish()] {
            transaction.look_at(&octets);
            for copy in &mut copies {
                copy.writer.write(octets.clone()).await?;
            }
        }
        let content = completion.facts();
        let room = commit::make_room(host, &mut transaction, content.size_octets).await?;
        let facts = MessageFacts {
            content,
            hops_max: host.policy().config.smtp.hops_max,
            recipients_with_room: room.recipients,
            never_fits: room.never_fits,
        };
        accepted(judge::message(&facts)).map_err(whole)?;
        let origin = Origin { session: None, peer: None };
        let arrived = Arrived { transaction: &transaction, copies, content, origin, changes: Vec::new() };
        let id = commit::commit(host, arrived).await?;
        host.allowances.spend(&account.address, transaction.recipients.len(), host.clock.now());
        Ok(id)
    }
}

/// Goes on even if the caller goes away (a page is closed, a connection breaks): between the store and the queue
/// nothing may stop half way.
async fn to_the_end<T: Send + 'static>(
    task: impl Future<Output = Result<T, SubmitError>> + Send + 'static,
) -> Result<T, SubmitError> {
    let ended = tokio::spawn(task).await;
    ended.unwrap_or_else(|error| Err(SubmitError::Unavailable(error.to_string())))
}

/// Somebody of ours, at this machine.
fn peer(account: &Account) -> PeerFacts {
    let here = PeerFacts::gather(Ipv4Addr::LOCALHOST.into(), &[]);
    PeerFacts { account: Some(account.address.clone()), ..here }
}

fn whole(reply: Reply) -> SubmitError {
    SubmitError::Refused(vec![(None, reply)])
}

fn accepted(verdict: Verdict) -> Result<(), Reply> {
    match verdict {
        Verdict::Accept { .. } => Ok(()),
        Verdict::Refuse { reply, .. } => Err(reply),
    }
}

/// What an SMTP session would not let through.
fn fault(content: &[u8], facts: &ContentFacts, faults: LineFaults) -> Option<Standard> {
    let section_octets = memchr::memmem::find(content, b"\r\n\r\n").unwrap_or(content.len());
    match () {
        () if faults.nul => Some(smtp::CONTENT_NUL),
        () if faults.any() => Some(smtp::CONTENT_BARE_LINE_END),
        () if facts.longest_line_octets > TEXT_LINE_OCTETS_MAX => Some(smtp::CONTENT_LINE_TOO_LONG),
        () if section_octets as u64 > HEADER_SECTION_OCTETS_MAX => Some(smtp::HEADER_SECTION_TOO_LARGE),
        () => None,
    }
}

/// Each line of a message ends (RFC 5322 §2.1); over SMTP that comes by itself.
fn with_line_end(content: Bytes) -> Bytes {
    if content.is_empty() || content.ends_with(b"\r\n") {
        return content;
    }
    let mut whole = BytesMut::with_capacity(content.len() + 2);
    whole.extend_from_slice(&content);
    whole.extend_from_slice(b"\r\n");
    whole.freeze()
}
