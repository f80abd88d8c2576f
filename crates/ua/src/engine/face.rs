//! The desk's face: each method of [`Desk`] by the part of the engine that does it.

use super::documents::{RULES, SETTINGS, VACATION};
use super::index::folder_key;
use super::room::Room;
use super::{store_error, vcard};
use crate::desk::*;
use crate::reader;
use async_trait::async_trait;
use bytes::Bytes;
use posta_store::{Filing, Flags, FolderName, Label, MailboxChange};
use tokio::sync::mpsc;

#[async_trait]
impl Desk for Room {
    async fn owner(&self) -> Result<Person, DeskError> {
        Ok(Person::new(self.name.clone(), self.address.to_string()))
    }

    async fn folders(&self) -> Result<Vec<FolderView>, DeskError> {
        self.list_folders().await
    }
    async fn labels(&self) -> Result<Vec<(String, u64)>, DeskError> {
        self.fresh().await?;
        self.ask(|index| index.labels()).await
    }
    async fn conversations(&self, query: &ConversationQuery) -> Result<ConversationPage, DeskError> {
        self.list_conversations(query).await
    }
    async fn messages(&self, query: &ConversationQuery) -> Result<MessagePage, DeskError> {
        self.list_messages(query).await
    }
    async fn conversation(&self, key: &ConversationKey) -> Result<ConversationView, DeskError> {
        self.show_conversation(key).await
    }
    async fn message(&self, key: &MessageKey, options: &ReadOptions) -> Result<MessageView, DeskError> {
        self.show_message(key, options).await
    }
    async fn raw(&self, key: &MessageKey) -> Result<Bytes, DeskError> {
        Ok(self.whole(key).await?.1)
    }
    async fn part(&self, key: &MessageKey, path: &PartPath) -> Result<PartContent, DeskError> {
        let (_, octets) = self.whole(key).await?;
        let path = path.clone();
        let found = tokio::task::spawn_blocking(move || reader::part_content(&octets, &path)).await;
        let found = found.map_err(|error| DeskError::Failed(error.to_string()))?;
        found.ok_or_else(|| DeskError::NotFound("the part".to_owned()))
    }

    async fn change(&self, change: &Change) -> Result<Done, DeskError> {
        self.make_change(change).await
    }
    async fn undo(&self, undo: &UndoKey) -> Result<Done, DeskError> {
        self.go_back(undo).await
    }
    async fn create_folder(&self, name: &str) -> Result<FolderKey, DeskError> {
        let folder = self.store().new_folder_id(self.account).await.map_err(store_error)?;
        self.commit(vec![MailboxChange::CreateFolder { folder, name: folder_name(name)? }]).await?;
        Ok(folder_key(folder.0))
    }
    async fn rename_folder(&self, folder: &FolderKey, name: &str) -> Result<(), DeskError> {
        let folder = self.folder(folder).await?;
        self.commit(vec![MailboxChange::RenameFolder { folder, name: folder_name(name)? }]).await
    }
    async fn remove_folder(&self, folder: &FolderKey) -> Result<(), DeskError> {
        let folder = self.folder(folder).await?;
        self.commit(vec![MailboxChange::RemoveFolder { folder }]).await
    }
    async fn append(
        &self,
        folder: &FolderKey,
        marks: &MarkView,
        octets: Bytes,
    ) -> Result<MessageKey, DeskError> {
        let folder = self.folder(folder).await?;
        let mut flags = Flags::NONE;
        for (is_set, flag) in [
            (marks.is_read, Flags::SEEN),
            (marks.is_flagged, Flags::FLAGGED),
            (marks.is_answered, Flags::ANSWERED),
            (marks.is_forwarded, Flags::FORWARDED),
            (marks.is_draft, Flags::DRAFT),
        ] {
            if is_set {
                flags |= flag;
            }
        }
        let label = |label: &String| {
            label.parse::<Label>().map_err(|error| DeskError::Invalid(format!("{label}: {error}")))
        };
        let labels = marks
            .labels
            .iter()
            .take(posta_store::limits::LABELS_PER_MESSAGE_MAX)
            .map(label)
            .collect::<Result<_, _>>()?;
        let received_at = marks.received_at.unwrap_or_else(|| self.shared.now());
        let filing = Filing { account: self.account, folder, flags, labels, received_at };
        let id = self.store().append(filing, octets).await.map_err(store_error)?;
        self.set_stale();
        Ok(MessageKey::new(id.to_string()))
    }

    async fn reply_draft(&self, key: &MessageKey, kind: ReplyKind) -> Result<Draft, DeskError> {
        self.begin_reply(key, kind).await
    }
    async fn draft(&self, key: &DraftKey) -> Result<Draft, DeskError> {
        self.open_draft(key).await
    }
    async fn save_draft(&self, draft: &Draft) -> Result<Saved, DeskError> {
        self.keep_draft(draft).await
    }
    async fn discard_draft(&self, key: &DraftKey) -> Result<Done, DeskError> {
        self.throw_draft_away(key).await
    }
    async fn upload(&self, name: &str, media_type: &str, octets: Bytes) -> Result<UploadKey, DeskError> {
        self.keep_upload(name, media_type, octets).await
    }
    async fn send(&self, key: &DraftKey, options: &SendOptions) -> Result<Sent, DeskError> {
        self.send_draft(key, options).await
    }
    async fn unsend(&self, key: &OutboxKey) -> Result<DraftKey, DeskError> {
        self.take_back(key).await
    }
    async fn outbox(&self) -> Result<Vec<OutboxEntry>, DeskError> {
        self.waiting().await
    }
    async fn answer_receipt(&self, key: &MessageKey, consent: bool) -> Result<(), DeskError> {
        self.receipt(key, consent).await
    }
    async fn unsubscribe(&self, key: &MessageKey) -> Result<Option<Unsubscribe>, DeskError> {
        self.leave_list(key).await
    }

    async fn complete_address(&self, typed: &str, limit: u32) -> Result<Vec<Suggestion>, DeskError> {
        self.suggestions(typed, limit).await
    }
    async fn contacts(&self) -> Result<Vec<Contact>, DeskError> {
        self.all_contacts().await
    }
    async fn put_contact(&self, contact: &Contact) -> Result<ContactKey, DeskError> {
        self.change_contact(contact).await
    }
    async fn remove_contact(&self, key: &ContactKey) -> Result<(), DeskError> {
        self.forget_contact(key).await
    }
    async fn export_contacts(&self) -> Result<String, DeskError> {
        Ok(vcard::write(&self.all_contacts().await?))
    }
    async fn import_contacts(&self, vcards: &str) -> Result<u32, DeskError> {
        self.take_vcards(vcards).await
    }

    async fn settings(&self) -> Result<Settings, DeskError> {
        self.document(SETTINGS).await
    }
    async fn put_settings(&self, settings: &Settings) -> Result<(), DeskError> {
        self.change_settings(settings).await
    }
    async fn allow_images(&self, sender: &str, allowed: bool) -> Result<(), DeskError> {
        self.set_images_allowed(sender, allowed).await
    }
    async fn identities(&self) -> Result<Vec<Identity>, DeskError> {
        self.all_identities().await
    }
    async fn put_identities(&self, identities: &[Identity]) -> Result<(), DeskError> {
        self.change_identities(identities).await
    }
    async fn rules(&self) -> Result<Vec<Rule>, DeskError> {
        self.document(RULES).await
    }
    async fn put_rules(&self, rules: &[Rule]) -> Result<(), DeskError> {
        self.change_rules(rules).await
    }
    async fn vacation(&self) -> Result<Vacation, DeskError> {
        self.document(VACATION).await
    }
    async fn put_vacation(&self, vacation: &Vacation) -> Result<(), DeskError> {
        self.change_vacation(vacation).await
    }
    async fn fetch_accounts(&self) -> Result<Vec<FetchAccount>, DeskError> {
        self.all_fetch_accounts().await
    }
    async fn put_fetch_account(&self, account: &FetchAccount) -> Result<FetchKey, DeskError> {
        self.change_fetch_account(account).await
    }
    async fn remove_fetch_account(&self, key: &FetchKey) -> Result<(), DeskError> {
        self.forget_fetch_account(key).await
    }
    async fn fetch_now(&self, key: &FetchKey) -> Result<FetchOutcome, DeskError> {
        self.look_now(key).await
    }

    async fn notices(&self) -> Result<mpsc::Receiver<Notice>, DeskError> {
        // Whoever listens has seen what there is by now.
        self.fresh().await?;
        Ok(self.listen())
    }
}

fn folder_name(name: &str) -> Result<FolderName, DeskError> {
    name.parse().map_err(|error| DeskError::Invalid(format!("{name}: {error}")))
}

impl Room {
    /// What is due by now.
    pub(super) async fn tick(&self) -> Result<(), DeskError> {
        let now = self.shared.now();
        self.wake_snoozed(now).await?;
        self.forget_sent(now).await?;
        if self.is_open() {
            self.forget_uploads().await;
        }
        if self.is_open() || self.has_automation().await {
            self.fresh().await?;
        }
        Ok(())
    }
}
