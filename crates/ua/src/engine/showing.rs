//! Lists, conversations and messages as the desk shows them.

use super::changing::Snoozed;
use super::documents::{RECEIPTS, SNOOZED};
use super::index::{Asked, Located, SearchContext, Thread, folder_key, number, thread_key};
use super::room::Room;
use crate::desk::*;
use crate::reader;
use jiff::tz::TimeZone;
use posta_store::{FolderId, QueueId};
use std::collections::HashMap;

/// People named in a row.
const ROW_PEOPLE_MAX: usize = 8;

/// What lists need besides the index.
struct Context {
    folders: Vec<(String, u32)>,
    zone: TimeZone,
    snoozed: HashMap<QueueId, jiff::Timestamp>,
}

impl Room {
    async fn context(&self) -> Result<Context, DeskError> {
        let settings: Settings = self.document(super::documents::SETTINGS).await?;
        let snoozed: Vec<Snoozed> = self.document(SNOOZED).await?;
        let mut folders = Vec::new();
        for folder in self.own_folders().await? {
            folders.push((folder_key(folder.id.0).to_string(), folder.id.0));
            folders.push((folder.name.as_str().to_lowercase(), folder.id.0));
        }
        let zone = TimeZone::get(&settings.zone).unwrap_or(TimeZone::UTC);
        Ok(Context {
            folders,
            zone,
            snoozed: snoozed.into_iter().map(|one| (one.message, one.until)).collect(),
        })
    }

    pub(super) async fn list_folders(&self) -> Result<Vec<FolderView>, DeskError> {
        self.fresh().await?;
        let counts = self.ask(|index| index.counts()).await?;
        let view = |folder: posta_store::Folder| {
            let count = counts.iter().find(|(id, _, _)| *id == i64::from(folder.id.0));
            let (messages, unread) = count.map_or((0, 0), |(_, messages, unread)| (*messages, *unread));
            let (key, name) = (folder_key(folder.id.0), folder.name.to_string());
            FolderView { key, name, role: folder.role, messages, unread }
        };
        Ok(self.own_folders().await?.into_iter().map(view).collect())
    }

    async fn asked(&self, query: &ConversationQuery) -> Result<(Option<u32>, Option<i64>, usize), DeskError> {
        let folder = match &query.folder {
            Some(folder) => Some(self.folder(folder).await?.0),
            None => None,
        };
        let before = match &query.cursor {
            Some(cursor) => {
                Some(number(cursor.as_str()).ok_or_else(|| DeskError::Invalid("no such page".to_owned()))?)
            }
            None => None,
        };
        let limit = if query.limit == 0 { 50 } else { query.limit.min(limits::PAGE_ROWS_MAX) };
        Ok((folder, before, limit as usize))
    }

    pub(super) async fn list_conversations(
        &self,
        query: &ConversationQuery,
    ) -> Result<ConversationPage, DeskError> {
        self.fresh().await?;
        let (folder, before, limit) = self.asked(query).await?;
        let context = self.context().await?;
        let now = self.shared.now();
        let (search, skip, own) = (query.search.clone(), query.skip, self.own_addresses().await?);
        self.ask(move |index| {
            let asked = Asked { folder, search: &search, before, skip, limit };
            let snoozed = context.snoozed.keys().map(|id| id.0).collect();
            let search =
                SearchContext { folders: &context.folders, now, zone: context.zone.clone(), snoozed };
            let page = index.conversations(&asked, &search)?;
            let rows =
                page.items.into_iter().map(|thread| row(thread, folder, &context.snoozed, &own)).collect();
            Ok(ConversationPage { rows, next: page.next, total: page.total })
        })
        .await
    }

    pub(super) async fn list_messages(&self, query: &ConversationQuery) -> Result<MessagePage, DeskError> {
        self.fresh().await?;
        let (folder, before, limit) = self.asked(query).await?;
        let context = self.context().await?;
        let now = self.shared.now();
        let (search, skip) = (query.search.clone(), query.skip);
        self.ask(move |index| {
            let asked = Asked { folder, search: &search, before, skip, limit };
            let snoozed = context.snoozed.keys().map(|id| id.0).collect();
            let search =
                SearchContext { folders: &context.folders, now, zone: context.zone.clone(), snoozed };
            let page = index.messages(&asked, &search)?;
            let rows = page.items.into_iter().map(|message| message.row).collect();
            Ok(MessagePage { rows, next: page.next, total: page.total })
        })
        .await
    }

    pub(super) async fn show_conversation(
        &self,
        key: &ConversationKey,
    ) -> Result<ConversationView, DeskError> {
        self.fresh().await?;
        let snoozed: Vec<Snoozed> = self.document(SNOOZED).await?;
        let missing = || DeskError::NotFound("the conversation".to_owned());
        let number = number(key.as_str()).ok_or_else(missing)?;
        let found = self.ask(move |index| {
            let Some(thread) = index.thread(number)? else { return Ok(None) };
            let (messages, count) = index.thread_messages(thread, limits::CONVERSATION_MESSAGES_MAX)?;
            Ok(Some((thread, messages, count)))
        });
        let (thread, mut messages, count) = found.await?.ok_or_else(missing)?;
        messages.reverse();
        let oldest = messages.first().ok_or_else(missing)?;
        let is_here = |one: &&Snoozed| messages.iter().any(|message| message.id == one.message);
        Ok(ConversationView {
            key: thread_key(thread),
            subject: reader::base_subject(&oldest.row.subject),
            is_muted: messages.iter().any(|message| message.flags & 32 != 0),
            snoozed_until: snoozed.iter().filter(is_here).map(|one| one.until).min(),
            older: count.saturating_sub(messages.len() as u32),
            messages: messages.into_iter().map(|message| message.row).collect(),
        })
    }

    pub(super) async fn show_message(
        &self,
        key: &MessageKey,
        options: &ReadOptions,
    ) -> Result<MessageView, DeskError> {
        self.fresh().await?;
        let located = self.located(key).await?;
        let (_, octets) = self.whole(key).await?;
        let settings: Settings = self.document(super::documents::SETTINGS).await?;
        let shows_images = options.remote_images || self.may_show_images(&settings, &located).await?;
        let base =
            if options.part_base.is_empty() { String::new() } else { format!("{}{key}/", options.part_base) };
        let read = tokio::task::spawn_blocking(move || reader::reading(&octets, shows_images, &base)).await;
        let read = read.map_err(|error| DeskError::Failed(error.to_string()))?;
        let own = self.own_addresses().await?;
        let mut warnings = read.warnings;
        let claims_own = own.iter().any(|address| address.eq_ignore_ascii_case(&located.row.from.address));
        if claims_own
            && located.folder != FolderId::SENT.0
            && located.folder != FolderId::DRAFTS.0
            && !self.sent_it(&read.message_id).await?
        {
            warnings.push(Warning::NotFromYou);
        }
        let wants_receipt = !read.receipt_to.is_empty()
            && !claims_own
            && self.may_answer_receipt(&settings, &located).await?;
        let report = match read.report {
            Some((mut view, Some(message_id))) => {
                let about = self.ask(move |index| index.by_message_id(&message_id)).await?;
                view.about = about.map(|about| about.row.key);
                Some(view)
            }
            Some((view, None)) => Some(view),
            None => None,
        };
        let is_own = matches!(located.folder, 1 | 2);
        Ok(MessageView {
            row: located.row,
            authors: read.authors,
            sender: read.sender,
            reply_to: read.reply_to,
            all_to: read.to,
            cc: read.cc,
            bcc: if is_own { read.bcc } else { Vec::new() },
            date: read.date,
            message_id: read.message_id,
            list: read.list,
            unsubscribe: read.unsubscribe,
            wants_receipt,
            warnings,
            body: read.body,
            attachments: read.attachments,
            invitation: read.invitation,
            report,
        })
    }

    /// Whether a message with this Message-ID was sent from here.
    async fn sent_it(&self, message_id: &Option<String>) -> Result<bool, DeskError> {
        let Some(message_id) = message_id.clone() else { return Ok(false) };
        let found = self.ask(move |index| index.by_message_id(&message_id)).await?;
        Ok(found.is_some_and(|found| found.folder == FolderId::SENT.0))
    }

    async fn may_show_images(&self, settings: &Settings, message: &Located) -> Result<bool, DeskError> {
        if matches!(message.folder, 4 | 5) {
            return Ok(false);
        }
        let address = message.row.from.address.to_lowercase();
        let domain = address.rsplit('@').next().map(|domain| format!("@{domain}")).unwrap_or_default();
        if settings.image_senders.iter().any(|sender| *sender == address || *sender == domain) {
            return Ok(true);
        }
        match settings.remote_images {
            RemoteImages::Always => Ok(true),
            RemoteImages::Ask => Ok(false),
            RemoteImages::Contacts => self.is_contact(&address).await,
        }
    }

    async fn may_answer_receipt(&self, settings: &Settings, message: &Located) -> Result<bool, DeskError> {
        if settings.receipts == ReceiptPolicy::Never || matches!(message.folder, 1 | 2 | 4) {
            return Ok(false);
        }
        let answered: Vec<QueueId> = self.document(RECEIPTS).await?;
        Ok(!answered.contains(&message.id))
    }
}

/// A conversation as a row of a list.
fn row(
    thread: Thread,
    folder: Option<u32>,
    snoozed: &HashMap<QueueId, jiff::Timestamp>,
    own: &[String],
) -> ConversationRow {
    let is_own = |person: &Person| own.iter().any(|address| address.eq_ignore_ascii_case(&person.address));
    let shows_recipients = matches!(folder, Some(1 | 2));
    let mut people: Vec<RowPerson> = Vec::new();
    for message in thread.messages.iter().rev() {
        let named: Vec<&Person> =
            if shows_recipients { message.row.to.iter().collect() } else { vec![&message.row.from] };
        for person in named {
            let known =
                people.iter().position(|known| known.person.address.eq_ignore_ascii_case(&person.address));
            match known {
                Some(at) => people[at].unread |= !message.row.is_read,
                None if people.len() < ROW_PEOPLE_MAX => {
                    people.push(RowPerson {
                        person: person.clone(),
                        me: is_own(person),
                        unread: !message.row.is_read,
                    });
                }
                None => {}
            }
        }
    }
    let mut labels: Vec<String> =
        thread.messages.iter().flat_map(|message| message.row.labels.iter().cloned()).collect();
    labels.sort();
    labels.dedup();
    let mut folders: Vec<u32> = thread.messages.iter().map(|message| message.folder).collect();
    folders.sort_unstable();
    folders.dedup();
    let of_list = |message: &&Located| folder.is_none_or(|folder| message.folder == folder);
    let latest = thread.messages.iter().find(of_list).or(thread.messages.first());
    let any = |test: &dyn Fn(&Located) -> bool| thread.messages.iter().any(test);
    ConversationRow {
        key: thread_key(thread.thread),
        latest: latest.map_or_else(|| MessageKey::new(""), |message| message.row.key.clone()),
        subject: thread
            .messages
            .last()
            .map(|oldest| reader::base_subject(&oldest.row.subject))
            .unwrap_or_default(),
        snippet: latest.map(|message| message.row.snippet.clone()).unwrap_or_default(),
        time: jiff::Timestamp::from_microsecond(thread.latest / 1024).unwrap_or_default(),
        messages: thread.count,
        unread: thread.unread,
        is_flagged: any(&|message| message.row.is_flagged),
        is_answered: any(&|message| message.row.is_answered),
        is_muted: any(&|message| message.flags & 32 != 0),
        has_attachment: any(&|message| message.row.has_attachment),
        has_draft: any(&|message| message.folder == 1),
        snoozed_until: thread.messages.iter().filter_map(|message| snoozed.get(&message.id)).min().copied(),
        people,
        labels,
        folders: folders.into_iter().map(folder_key).collect(),
    }
}
