//! From a draft to a message on its way, and back while there is time.

use super::documents::{self, OUTBOX, RECEIPTS, SETTINGS};
use super::drafts::{DraftState, body_part, clean_html, mailbox_of};
use super::room::Room;
use super::{OutboxError, Submission, store_error};
use crate::desk::*;
use crate::reader;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use posta_address::{Domain, Mailbox, ReversePath};
use posta_message::build::NamedMailbox;
use posta_message::report::{
    ActionMode, Disposition, DispositionKind, DispositionReport, Returned, SendingMode,
};
use posta_message::{
    Address, BuiltMessage, DateTime, HeaderName, HeaderText, Message, MessageBuilder, MessageId,
};
use posta_store::{Filing, Flags, FolderId, MailboxChange, QueueId};
use serde::{Deserialize, Serialize};

/// How far ahead a message may be sent later, in days.
const LATER_DAYS_MAX: i64 = 366;
/// Receipts that are remembered as answered.
const RECEIPTS_MAX: usize = 2000;

/// What is kept of a message until it has left.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Waiting {
    sent: QueueId,
    release_at: Timestamp,
    draft: DraftKey,
    state: DraftState,
    subject: String,
    to: Vec<Person>,
}

fn invalid(words: impl Into<String>) -> DeskError {
    DeskError::Invalid(words.into())
}

fn outbox_error(error: OutboxError) -> DeskError {
    match error {
        OutboxError::Refused(why) => DeskError::Invalid(why),
        OutboxError::Failed(why) => DeskError::Failed(why),
    }
}

/// To, Cc and Bcc, each as a typed address.
struct Envelope {
    to: Vec<NamedMailbox>,
    cc: Vec<NamedMailbox>,
    bcc: Vec<NamedMailbox>,
}

impl Envelope {
    fn of(draft: &Draft) -> Result<Envelope, DeskError> {
        let read = |list: &[Person]| {
            let one = |person: &Person| {
                mailbox_of(person).ok_or_else(|| invalid(format!("`{}` is no address", person.address)))
            };
            list.iter()
                .filter(|person| !person.address.trim().is_empty())
                .map(one)
                .collect::<Result<Vec<_>, _>>()
        };
        let envelope = Envelope { to: read(&draft.to)?, cc: read(&draft.cc)?, bcc: read(&draft.bcc)? };
        if envelope.recipients().is_empty() { Err(invalid("there is no recipient")) } else { Ok(envelope) }
    }

    /// Each mailbox once.
    fn recipients(&self) -> Vec<Mailbox> {
        let mut found: Vec<Mailbox> = Vec::new();
        for named in self.to.iter().chain(&self.cc).chain(&self.bcc) {
            if !found.contains(&named.mailbox) {
                found.push(named.mailbox.clone());
            }
        }
        found
    }
}

impl Room {
    pub(super) async fn send_draft(&self, key: &DraftKey, options: &SendOptions) -> Result<Sent, DeskError> {
        let draft = self.open_draft(key).await?;
        let envelope = Envelope::of(&draft)?;
        let (author, identity) = self.author(&draft).await?;
        let release_at = self.release_time(options).await?;
        let (outgoing, copy) = self.letters(&draft, &envelope, &author, &identity, options.at).await?;
        let submission = Submission {
            reverse_path: ReversePath::Mailbox(author.mailbox.clone()),
            recipients: envelope.recipients(),
            needs_smtputf8: outgoing.needs_smtputf8,
            content: Bytes::from(outgoing.octets),
            release_at,
        };
        // First it is handed over: a failure until here leaves the draft as it was, and nothing is sent twice after.
        let id = self.shared.parts.outbox.submit(self.account, submission).await.map_err(outbox_error)?;
        let filing = Filing {
            account: self.account,
            folder: FolderId::SENT,
            flags: Flags::SEEN,
            labels: Vec::new(),
            received_at: self.shared.now(),
        };
        let sent = self.store().append(filing, Bytes::from(copy.octets)).await.map_err(store_error)?;
        let waiting = Waiting {
            sent,
            release_at,
            draft: key.clone(),
            state: DraftState {
                source: draft.source.clone(),
                is_html: matches!(draft.body, DraftBody::Html(_)),
                wants_receipt: draft.wants_receipt,
                unfinished: None,
            },
            subject: draft.subject.clone(),
            to: draft.to.iter().chain(&draft.cc).chain(&draft.bcc).take(20).cloned().collect(),
        };
        let mut changes = vec![documents::put(&format!("{OUTBOX}{id}"), &waiting)?];
        changes.extend(self.mark_source(draft.source.as_ref(), options.archive).await?);
        self.commit(changes).await?;
        if let Some(version) = draft.version.as_ref().and_then(|version| version.as_str().parse().ok()) {
            self.store().remove_messages(self.account, &[version]).await.map_err(store_error)?;
            self.set_stale();
            self.fresh().await?;
        }
        Ok(Sent {
            outbox: OutboxKey::new(id.to_string()),
            message: MessageKey::new(sent.to_string()),
            release_at,
        })
    }

    async fn release_time(&self, options: &SendOptions) -> Result<Timestamp, DeskError> {
        let now = self.shared.now();
        let settings: Settings = self.document(SETTINGS).await?;
        let undo_secs = options.undo_secs.unwrap_or(settings.undo_secs).min(limits::UNDO_SECS_MAX);
        let soon = now.saturating_add(SignedDuration::from_secs(i64::from(undo_secs))).unwrap_or(now);
        let Some(at) = options.at else { return Ok(soon) };
        if at.as_second() - now.as_second() > LATER_DAYS_MAX * 86_400 {
            return Err(invalid("that is too far ahead: a year at most"));
        }
        Ok(at.max(soon))
    }

    /// What is sent, and the copy that is kept: the same, but for Bcc.
    async fn letters(
        &self,
        draft: &Draft,
        envelope: &Envelope,
        author: &NamedMailbox,
        identity: &Identity,
        at: Option<Timestamp>,
    ) -> Result<(BuiltMessage, BuiltMessage), DeskError> {
        let files = self.files(draft).await?;
        let html = match &draft.body {
            DraftBody::Html(html) => Some(clean_html(html)?),
            DraftBody::Text(_) => None,
        };
        let date = at.unwrap_or_else(|| self.shared.now());
        let mut builder = MessageBuilder::new(author.clone(), DateTime::utc(date))
            .message_id(self.fresh_message_id(&author.mailbox));
        builder = envelope.to.iter().cloned().fold(builder, MessageBuilder::to);
        builder = envelope.cc.iter().cloned().fold(builder, MessageBuilder::cc);
        if envelope.to.is_empty() && envelope.cc.is_empty() {
            // RFC 5322 §3.6.3 needs no destination field, but some agents dislike a letter to nobody.
            builder = builder.to(Address::Group {
                name: HeaderText::clean("undisclosed-recipients"),
                members: Vec::new(),
            });
        }
        let subject = HeaderText::clean(&draft.subject);
        if !subject.is_empty() {
            builder = builder.subject(subject);
        }
        if let Some(reply_to) = identity.reply_to.as_deref().and_then(|address| Mailbox::parse(address).ok())
        {
            builder = builder.reply_to(reply_to);
        }
        if draft.wants_receipt {
            let name = HeaderName::of("Disposition-Notification-To");
            builder = builder.field(name, HeaderText::clean(&format!("<{}>", author.mailbox)));
        }
        builder = self.thread_fields(builder, draft.source.as_ref()).await?;
        let builder = builder.body(body_part(&draft.body, html.as_deref(), &files));
        let outgoing = builder.build();
        let copy = envelope.bcc.iter().cloned().fold(builder, MessageBuilder::bcc).build();
        Ok((outgoing, copy))
    }

    /// Its right side is the author's domain: there it is unique, and tells nothing of this machine.
    pub(super) fn fresh_message_id(&self, author: &Mailbox) -> MessageId {
        let domain = author.domain().cloned().or_else(|| Domain::parse("localhost.invalid").ok());
        match domain {
            Some(domain) => {
                MessageId::new(self.shared.parts.outside.entropy.next_u64(), self.shared.now(), &domain)
            }
            None => unreachable!("a fixed name is a domain"),
        }
    }

    /// What was answered or forwarded is marked so, and archived where that is asked for.
    async fn mark_source(
        &self,
        source: Option<&DraftSource>,
        archive: bool,
    ) -> Result<Vec<MailboxChange>, DeskError> {
        let Some(source) = source else { return Ok(Vec::new()) };
        let Ok(id) = source.message.as_str().parse::<QueueId>() else { return Ok(Vec::new()) };
        let add = match source.kind {
            ReplyKind::Forward | ReplyKind::ForwardAttached => Flags::FORWARDED,
            ReplyKind::Again => return Ok(Vec::new()),
            _ => Flags::ANSWERED,
        };
        let mut changes = vec![MailboxChange::Flag { messages: vec![id], add, remove: Flags::NONE }];
        if archive {
            let members = self.ask(move |index| match index.message(id)? {
                Some(message) => {
                    Ok(index.thread_messages(message.thread, limits::CONVERSATION_MESSAGES_MAX)?.0)
                }
                None => Ok(Vec::new()),
            });
            let in_inbox = members.await?.into_iter().filter(|message| message.folder == FolderId::INBOX.0);
            let messages = in_inbox.map(|message| message.id).collect();
            changes.push(MailboxChange::Move { messages, folder: FolderId::ARCHIVE });
        }
        Ok(changes)
    }

    pub(super) async fn take_back(&self, key: &OutboxKey) -> Result<DraftKey, DeskError> {
        let missing = || DeskError::NotFound("the message".to_owned());
        let id: QueueId = key.as_str().parse().map_err(|_| missing())?;
        let name = format!("{OUTBOX}{id}");
        let waiting: Waiting = self.document_if_any(&name).await?.ok_or_else(missing)?;
        if !self.shared.parts.outbox.take_back(self.account, id).await.map_err(outbox_error)? {
            return Err(DeskError::Conflict("it is too late: the message has left".to_owned()));
        }
        let sent = MessageKey::new(waiting.sent.to_string());
        let draft = self.restore_draft(&sent, &waiting.draft, &waiting.state).await?;
        let mut changes = vec![documents::remove(&name)?];
        if let Some(source) =
            waiting.state.source.as_ref().and_then(|source| source.message.as_str().parse().ok())
        {
            // Whether it was answered before as well can't be told; better said too little.
            let remove = Flags::ANSWERED | Flags::FORWARDED;
            changes.push(MailboxChange::Flag { messages: vec![source], add: Flags::NONE, remove });
        }
        self.commit(changes).await?;
        Ok(draft)
    }

    pub(super) async fn waiting(&self) -> Result<Vec<OutboxEntry>, DeskError> {
        let now = self.shared.now();
        let found: Vec<(String, Waiting)> = self.documents(OUTBOX).await?;
        let mut entries: Vec<OutboxEntry> = found
            .into_iter()
            .filter(|(_, waiting)| waiting.release_at > now)
            .map(|(id, waiting)| OutboxEntry {
                outbox: OutboxKey::new(id),
                message: MessageKey::new(waiting.sent.to_string()),
                release_at: waiting.release_at,
                subject: waiting.subject,
                to: waiting.to,
            })
            .collect();
        entries.sort_by_key(|entry| entry.release_at);
        Ok(entries)
    }

    /// Forgets what has left.
    pub(super) async fn forget_sent(&self, now: Timestamp) -> Result<(), DeskError> {
        let found: Vec<(String, Waiting)> = self.documents(OUTBOX).await?;
        // A minute more: somebody may be taking one back at this moment.
        let gone = found.iter().filter(|(_, waiting)| waiting.release_at.as_second() + 60 < now.as_second());
        let changes: Vec<MailboxChange> =
            gone.map(|(id, _)| documents::remove(&format!("{OUTBOX}{id}"))).collect::<Result<_, _>>()?;
        self.commit(changes).await
    }

    pub(super) async fn receipt(&self, key: &MessageKey, consent: bool) -> Result<(), DeskError> {
        self.fresh().await?;
        let (message, octets) = self.whole(key).await?;
        let mut answered: Vec<QueueId> = self.document(RECEIPTS).await?;
        if answered.contains(&message.content.id) {
            return Err(DeskError::Conflict("the wish for a receipt was answered before".to_owned()));
        }
        // Remembered first: a receipt sent twice is worse than one not sent (RFC 8098 §2.1).
        answered.push(message.content.id);
        let over = answered.len().saturating_sub(RECEIPTS_MAX);
        answered.drain(..over);
        self.put_document(RECEIPTS, &answered).await?;
        if !consent {
            return Ok(());
        }
        let read = reader::reading(&octets, false, "");
        let to = read.receipt_to.first().and_then(|person| Mailbox::parse(&person.address).ok());
        let to = to.ok_or_else(|| invalid("the message asks for no receipt that could be sent"))?;
        self.send_receipt(&read, &octets, to).await
    }

    async fn send_receipt(
        &self,
        read: &reader::Reading,
        octets: &Bytes,
        to: Mailbox,
    ) -> Result<(), DeskError> {
        let identities = self.all_identities().await?;
        let named = |identity: &&Identity| {
            read.to
                .iter()
                .chain(&read.cc)
                .any(|person| person.address.eq_ignore_ascii_case(&identity.person.address))
        };
        let identity = identities.iter().find(named).or(identities.first()).cloned().unwrap_or_default();
        let author = mailbox_of(&identity.person).ok_or_else(|| invalid("the identity has no address"))?;
        let report = DispositionReport {
            reporting_ua: Some(HeaderText::clean("Posta")),
            original_recipient: None,
            final_recipient: author.mailbox.clone(),
            original_message_id: read.message_id.as_deref().and_then(|id| MessageId::parse(id).ok()),
            disposition: Disposition {
                action: ActionMode::Manual,
                sending: SendingMode::Manual,
                kind: DispositionKind::Displayed,
                is_error: false,
            },
            error: None,
        };
        let text = format!(
            "Your message\n\n    {}\n\nwas shown to {}. That it was read or understood is not said by this.\n",
            read.subject, author.mailbox
        );
        let message = Message::parse(octets);
        let header = message.root().raw_header();
        let subject = HeaderText::clean(&format!("Read: {}", read.subject));
        let mut builder = MessageBuilder::new(author.clone(), DateTime::utc(self.shared.now()))
            .to(to.clone())
            .subject(subject)
            .message_id(self.fresh_message_id(&author.mailbox))
            .field(HeaderName::of("Auto-Submitted"), HeaderText::clean("auto-replied"))
            .body(report.part(text, Returned::Headers(header)));
        if let Some(id) = read.message_id.as_deref().and_then(|id| MessageId::parse(id).ok()) {
            builder = builder.in_reply_to(id.clone()).references([id]);
        }
        // RFC 8098 §2.1: from the null reverse-path, so that nothing answers it.
        self.submit_now(ReversePath::Null, vec![to], &builder.build()).await
    }

    /// Sends something made here at once, without a copy.
    pub(super) async fn submit_now(
        &self,
        from: ReversePath,
        to: Vec<Mailbox>,
        built: &BuiltMessage,
    ) -> Result<(), DeskError> {
        let submission = Submission {
            reverse_path: from,
            recipients: to,
            needs_smtputf8: built.needs_smtputf8,
            content: Bytes::from(built.octets.clone()),
            release_at: self.shared.now(),
        };
        self.shared.parts.outbox.submit(self.account, submission).await.map(drop).map_err(outbox_error)
    }

    pub(super) async fn leave_list(&self, key: &MessageKey) -> Result<Option<Unsubscribe>, DeskError> {
        let (_, octets) = self.whole(key).await?;
        let way = reader::unsubscribe_way(Message::parse(&octets).root());
        let way = way.ok_or_else(|| invalid("the message says no way off its list"))?;
        match &way {
            Unsubscribe::OneClick(address) => match &self.shared.parts.one_click {
                Some(client) => {
                    client
                        .post(address)
                        .await
                        .map_err(|why| DeskError::Failed(format!("the list's host said: {why}")))?;
                    Ok(None)
                }
                None => Ok(Some(way)),
            },
            Unsubscribe::Mail { address, subject } => {
                let to = Mailbox::parse(address).map_err(|error| invalid(format!("{address}: {error}")))?;
                let author = NamedMailbox::from(self.address.clone());
                let built = MessageBuilder::new(author, DateTime::utc(self.shared.now()))
                    .to(to.clone())
                    .subject(HeaderText::clean(subject))
                    .message_id(self.fresh_message_id(&self.address))
                    .build();
                self.submit_now(ReversePath::Mailbox(self.address.clone()), vec![to], &built).await?;
                Ok(None)
            }
            Unsubscribe::Page(_) => Ok(Some(way)),
        }
    }
}
