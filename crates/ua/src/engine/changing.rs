//! Changes of mail, each with its way back.

use super::documents::{self, SNOOZED};
use super::index::Located;
use super::room::{Kept, Room};
use super::store_error;
use crate::desk::{Change, DeskError, Done, Selection, UndoKey, limits};
use jiff::Timestamp;
use posta_store::{Flags, FolderId, Label, MailboxChange, QueueId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Mail that comes back later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Snoozed {
    pub(super) message: QueueId,
    pub(super) until: Timestamp,
}

/// Snoozed messages of one person.
const SNOOZED_MAX: usize = 5000;

fn invalid(words: impl Into<String>) -> DeskError {
    DeskError::Invalid(words.into())
}

fn ids(messages: &[Located]) -> Vec<QueueId> {
    messages.iter().map(|message| message.id).collect()
}

fn counted(count: usize) -> String {
    if count == 1 { "1 message".to_owned() } else { format!("{count} messages") }
}

impl Room {
    pub(super) async fn make_change(&self, change: &Change) -> Result<Done, DeskError> {
        self.fresh().await?;
        match change {
            Change::Move { selection, folder } => {
                let target = self.folder(folder).await?;
                self.move_to(selection, target).await
            }
            Change::Read { selection, read } => {
                let messages = self.selected(selection, false).await?;
                let word = if *read { "marked as read" } else { "marked as unread" };
                self.flag(messages, Flags::SEEN, *read, word).await
            }
            Change::Flag { selection, flagged } => self.flag_selection(selection, *flagged).await,
            Change::Label { selection, add, remove } => self.label(selection, add, remove).await,
            Change::Mute { selection, muted } => {
                let messages = self.selected(selection, false).await?;
                let word = if *muted { "in conversations that are muted now" } else { "no longer muted" };
                self.flag(messages, Flags::MUTED, *muted, word).await
            }
            Change::Snooze { selection, until } => self.snooze(selection, *until).await,
            Change::DeleteForEver { selection } => self.delete_for_ever(selection).await,
        }
    }

    /// The messages that a selection means. `moving`: of conversations only those that a move takes.
    async fn selected(&self, selection: &Selection, moving: bool) -> Result<Vec<Located>, DeskError> {
        if selection.conversations.len() + selection.messages.len() > limits::SELECTION_MAX {
            return Err(invalid(format!("at most {} at once", limits::SELECTION_MAX)));
        }
        let within = match &selection.within {
            Some(folder) => Some(self.folder(folder).await?.0),
            None => None,
        };
        let keys: Vec<String> = selection.conversations.iter().map(|key| key.as_str().to_owned()).collect();
        let messages: Vec<QueueId> =
            selection.messages.iter().filter_map(|key| key.as_str().parse().ok()).collect();
        self.ask(move |index| {
            let mut found: BTreeMap<QueueId, Located> = BTreeMap::new();
            for key in keys {
                let Some(key) = super::index::number(&key) else { continue };
                let Some(thread) = index.thread(key)? else { continue };
                let (members, _) = index.thread_messages(thread, limits::SELECTION_MAX)?;
                let takes = |message: &Located| match within {
                    Some(folder) => message.folder == folder,
                    None => !matches!(message.folder, 1 | 2),
                };
                found
                    .extend(members.into_iter().filter(|one| !moving || takes(one)).map(|one| (one.id, one)));
            }
            for id in messages {
                if let Some(message) = index.message(id)? {
                    found.insert(id, message);
                }
            }
            Ok(found.into_values().take(limits::SELECTION_MAX).collect())
        })
        .await
    }

    async fn move_to(&self, selection: &Selection, target: FolderId) -> Result<Done, DeskError> {
        let mut messages = self.selected(selection, true).await?;
        messages.retain(|message| message.folder != target.0);
        let folders = self.own_folders().await?;
        let name = folders.iter().find(|folder| folder.id == target).map(|folder| folder.name.to_string());
        let text = format!("{} moved to {}", counted(messages.len()), name.unwrap_or_default());
        let mut back: BTreeMap<u32, Vec<QueueId>> = BTreeMap::new();
        for message in &messages {
            back.entry(message.folder).or_default().push(message.id);
        }
        let undo = back
            .into_iter()
            .map(|(folder, messages)| MailboxChange::Move { messages, folder: FolderId(folder) });
        let changes = vec![MailboxChange::Move { messages: ids(&messages), folder: target }];
        self.perform(changes, undo.collect(), messages.len(), text).await
    }

    /// Of a conversation the newest message is flagged, and all are unflagged.
    async fn flag_selection(&self, selection: &Selection, flagged: bool) -> Result<Done, DeskError> {
        let mut messages = self.selected(selection, false).await?;
        if flagged {
            let named: Vec<QueueId> =
                selection.messages.iter().filter_map(|key| key.as_str().parse().ok()).collect();
            let mut newest: BTreeMap<i64, (Timestamp, QueueId)> = BTreeMap::new();
            for message in &messages {
                let entry = newest.entry(message.thread).or_insert((message.row.time, message.id));
                *entry = (*entry).max((message.row.time, message.id));
            }
            let is_newest =
                |message: &Located| newest.get(&message.thread).is_some_and(|(_, id)| *id == message.id);
            let whole = !selection.conversations.is_empty();
            messages.retain(|message| named.contains(&message.id) || (whole && is_newest(message)));
        }
        let word = if flagged { "flagged" } else { "no longer flagged" };
        self.flag(messages, Flags::FLAGGED, flagged, word).await
    }

    async fn flag(
        &self,
        mut messages: Vec<Located>,
        flag: Flags,
        set: bool,
        word: &str,
    ) -> Result<Done, DeskError> {
        let bit = super::index::bits(flag);
        messages.retain(|message| (message.flags & bit != 0) != set);
        let change = |set: bool| {
            let (add, remove) = if set { (flag, Flags::NONE) } else { (Flags::NONE, flag) };
            vec![MailboxChange::Flag { messages: ids(&messages), add, remove }]
        };
        let text = format!("{} {word}", counted(messages.len()));
        self.perform(change(set), change(!set), messages.len(), text).await
    }

    async fn label(
        &self,
        selection: &Selection,
        add: &[String],
        remove: &[String],
    ) -> Result<Done, DeskError> {
        let parse = |labels: &[String]| -> Result<Vec<Label>, DeskError> {
            labels
                .iter()
                .take(100)
                .map(|label| label.trim().parse().map_err(|error| invalid(format!("{label}: {error}"))))
                .collect()
        };
        let (add, remove) = (parse(add)?, parse(remove)?);
        let messages = self.selected(selection, false).await?;
        // One step back for each label and the messages that it really changed.
        let mut undo = Vec::new();
        for label in &add {
            let without =
                messages.iter().filter(|message| !has_label(message, label)).map(|message| message.id);
            undo.push(MailboxChange::Label {
                messages: without.collect(),
                add: vec![],
                remove: vec![label.clone()],
            });
        }
        for label in &remove {
            let with = messages.iter().filter(|message| has_label(message, label)).map(|message| message.id);
            undo.push(MailboxChange::Label {
                messages: with.collect(),
                add: vec![label.clone()],
                remove: vec![],
            });
        }
        let text = match (add.first(), remove.first()) {
            (Some(label), None) if add.len() == 1 => {
                format!("{} labelled {}", counted(messages.len()), label.as_str())
            }
            _ => format!("labels of {} changed", counted(messages.len())),
        };
        let changes = vec![MailboxChange::Label { messages: ids(&messages), add, remove }];
        self.perform(changes, undo, messages.len(), text).await
    }

    async fn snooze(&self, selection: &Selection, until: Option<Timestamp>) -> Result<Done, DeskError> {
        let before: Vec<Snoozed> = self.document(SNOOZED).await?;
        let mut after = before.clone();
        let messages = match until {
            Some(_) => {
                let mut messages = self.selected(selection, true).await?;
                messages.retain(|message| message.folder == FolderId::INBOX.0);
                messages
            }
            None => {
                let mut messages = self.selected(selection, false).await?;
                messages.retain(|message| before.iter().any(|snoozed| snoozed.message == message.id));
                messages
            }
        };
        after.retain(|snoozed| !messages.iter().any(|message| message.id == snoozed.message));
        let (folder, text) = match until {
            Some(until) => {
                after.extend(messages.iter().map(|message| Snoozed { message: message.id, until }));
                (FolderId::ARCHIVE, format!("{} will come back later", counted(messages.len())))
            }
            None => (FolderId::INBOX, format!("{} back in the Inbox", counted(messages.len()))),
        };
        if after.len() > SNOOZED_MAX {
            return Err(invalid(format!("at most {SNOOZED_MAX} messages can be snoozed")));
        }
        let mut back: BTreeMap<u32, Vec<QueueId>> = BTreeMap::new();
        for message in &messages {
            back.entry(message.folder).or_default().push(message.id);
        }
        let mut undo: Vec<MailboxChange> = back
            .into_iter()
            .map(|(folder, messages)| MailboxChange::Move { messages, folder: FolderId(folder) })
            .collect();
        undo.push(documents::put(SNOOZED, &before)?);
        let changes =
            vec![MailboxChange::Move { messages: ids(&messages), folder }, documents::put(SNOOZED, &after)?];
        self.perform(changes, undo, messages.len(), text).await
    }

    /// Brings back to the Inbox, unread, what was snoozed until now.
    pub(super) async fn wake_snoozed(&self, now: Timestamp) -> Result<(), DeskError> {
        let Some(snoozed) = self.document_if_any::<Vec<Snoozed>>(SNOOZED).await? else { return Ok(()) };
        let (due, later): (Vec<Snoozed>, Vec<Snoozed>) =
            snoozed.into_iter().partition(|one| one.until <= now);
        if due.is_empty() {
            return Ok(());
        }
        let messages: Vec<QueueId> = due.iter().map(|one| one.message).collect();
        self.commit(vec![
            MailboxChange::Move { messages: messages.clone(), folder: FolderId::INBOX },
            MailboxChange::Flag { messages, add: Flags::NONE, remove: Flags::SEEN },
            if later.is_empty() { documents::remove(SNOOZED)? } else { documents::put(SNOOZED, &later)? },
        ])
        .await
    }

    async fn delete_for_ever(&self, selection: &Selection) -> Result<Done, DeskError> {
        let mut messages = self.selected(selection, false).await?;
        let within = match &selection.within {
            Some(folder) => Some(self.folder(folder).await?.0),
            None => None,
        };
        let named: Vec<QueueId> =
            selection.messages.iter().filter_map(|key| key.as_str().parse().ok()).collect();
        messages.retain(|message| {
            matches!(message.folder, 1 | 4 | 5)
                && (named.contains(&message.id) || within.is_none_or(|folder| folder == message.folder))
        });
        self.store().remove_messages(self.account, &ids(&messages)).await.map_err(store_error)?;
        self.set_stale();
        self.fresh().await?;
        let text = format!("{} deleted for ever", counted(messages.len()));
        Ok(Done { messages: messages.len() as u32, text, undo: None })
    }

    /// Makes changes and keeps the way back.
    pub(super) async fn perform(
        &self,
        changes: Vec<MailboxChange>,
        undo: Vec<MailboxChange>,
        count: usize,
        text: String,
    ) -> Result<Done, DeskError> {
        if count == 0 {
            return Ok(Done { messages: 0, text: "nothing to change".to_owned(), undo: None });
        }
        self.commit(changes).await?;
        let key = self.keep_undo(undo, text.clone());
        Ok(Done { messages: count as u32, text, undo: Some(key) })
    }

    pub(super) fn keep_undo(&self, changes: Vec<MailboxChange>, text: String) -> UndoKey {
        let key = self.shared.random_name();
        let mut undos = self.undos();
        undos.push_back(Kept { key: key.clone(), changes, text });
        while undos.len() > limits::UNDO_KEPT_MAX {
            undos.pop_front();
        }
        UndoKey::new(key)
    }

    pub(super) async fn go_back(&self, undo: &UndoKey) -> Result<Done, DeskError> {
        let kept = {
            let mut undos = self.undos();
            let at = undos.iter().position(|kept| kept.key == undo.as_str());
            at.and_then(|at| undos.remove(at))
        };
        let kept = kept.ok_or_else(|| DeskError::NotFound("the way back".to_owned()))?;
        let count = kept.changes.iter().map(|change| match change {
            MailboxChange::Move { messages, .. }
            | MailboxChange::Flag { messages, .. }
            | MailboxChange::Label { messages, .. } => messages.len(),
            _ => 0,
        });
        let count = count.sum::<usize>() as u32;
        self.commit(kept.changes).await?;
        Ok(Done { messages: count, text: format!("undone: {}", kept.text), undo: None })
    }
}

fn has_label(message: &Located, label: &Label) -> bool {
    message.row.labels.iter().any(|known| known.eq_ignore_ascii_case(label.as_str()))
}
