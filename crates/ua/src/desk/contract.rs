//! What a desk can do.

use super::*;
use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;

/// One person's mail. All methods may be called at any time from any task; what a method changed is durable and seen
/// by every later call when it returns `Ok`. Everything that comes in is bounded ([`limits`]); what is beyond is refused
/// as [`DeskError::Invalid`] with words for the person.
#[async_trait]
pub trait Desk: Send + Sync + 'static {
    /// Whose desk: the account's address, with the name that the person goes by.
    async fn owner(&self) -> Result<Person, DeskError>;

    // What there is.

    /// All folders: the six, then the person's own by name.
    async fn folders(&self) -> Result<Vec<FolderView>, DeskError>;
    /// Labels in use, with the number of messages.
    async fn labels(&self) -> Result<Vec<(String, u64)>, DeskError>;
    /// A page of conversations.
    async fn conversations(&self, query: &ConversationQuery) -> Result<ConversationPage, DeskError>;
    /// A page of single messages, by the same query.
    async fn messages(&self, query: &ConversationQuery) -> Result<MessagePage, DeskError>;
    /// A conversation; its messages are read one by one with [`Desk::message`].
    async fn conversation(&self, key: &ConversationKey) -> Result<ConversationView, DeskError>;
    /// A message as it is read. Doesn't mark it read.
    async fn message(&self, key: &MessageKey, options: &ReadOptions) -> Result<MessageView, DeskError>;
    /// A message as it came.
    async fn raw(&self, key: &MessageKey) -> Result<Bytes, DeskError>;
    /// One part of a message, decoded.
    async fn part(&self, key: &MessageKey, path: &PartPath) -> Result<PartContent, DeskError>;

    // Changes.

    /// Changes messages.
    async fn change(&self, change: &Change) -> Result<Done, DeskError>;
    /// Goes back.
    async fn undo(&self, undo: &UndoKey) -> Result<Done, DeskError>;
    /// A new folder; `/` in its name nests.
    async fn create_folder(&self, name: &str) -> Result<FolderKey, DeskError>;
    /// Another name.
    async fn rename_folder(&self, folder: &FolderKey, name: &str) -> Result<(), DeskError>;
    /// Removes an empty folder.
    async fn remove_folder(&self, folder: &FolderKey) -> Result<(), DeskError>;
    /// Puts a message into a folder as it is, for instance one that is imported.
    async fn append(
        &self,
        folder: &FolderKey,
        marks: &MarkView,
        octets: Bytes,
    ) -> Result<MessageKey, DeskError>;

    // Writing.

    /// A draft that goes on from a message. It isn't saved yet.
    async fn reply_draft(&self, key: &MessageKey, kind: ReplyKind) -> Result<Draft, DeskError>;
    /// A draft, by its key.
    async fn draft(&self, key: &DraftKey) -> Result<Draft, DeskError>;
    /// Saves a draft: a new one, or the next version of one. At most one version is in Drafts.
    async fn save_draft(&self, draft: &Draft) -> Result<Saved, DeskError>;
    /// Throws a draft away; [`Desk::undo`] brings it back.
    async fn discard_draft(&self, key: &DraftKey) -> Result<Done, DeskError>;
    /// Hands in a file for a draft. It is kept for a day, or until a saved draft has it.
    async fn upload(&self, name: &str, media_type: &str, octets: Bytes) -> Result<UploadKey, DeskError>;
    /// Sends a saved draft. It leaves at once, at its time, or after the time for second thoughts.
    async fn send(&self, key: &DraftKey, options: &SendOptions) -> Result<Sent, DeskError>;
    /// Takes a message back that hasn't left yet: it is a draft again.
    async fn unsend(&self, key: &OutboxKey) -> Result<DraftKey, DeskError>;
    /// What waits for its time.
    async fn outbox(&self) -> Result<Vec<OutboxEntry>, DeskError>;
    /// Answers (or not) the wish for a receipt that a message has (RFC 8098); asked only once.
    async fn answer_receipt(&self, key: &MessageKey, consent: bool) -> Result<(), DeskError>;
    /// Gets off the list that a message came by, if that can be done without the person; else says what is to be done.
    async fn unsubscribe(&self, key: &MessageKey) -> Result<Option<Unsubscribe>, DeskError>;

    // People.

    /// Who may be meant by what is typed, the likeliest first.
    async fn complete_address(&self, typed: &str, limit: u32) -> Result<Vec<Suggestion>, DeskError>;
    /// The address book, by name.
    async fn contacts(&self) -> Result<Vec<Contact>, DeskError>;
    /// Adds or changes somebody.
    async fn put_contact(&self, contact: &Contact) -> Result<ContactKey, DeskError>;
    /// Removes somebody.
    async fn remove_contact(&self, key: &ContactKey) -> Result<(), DeskError>;
    /// The address book as vCards (RFC 6350).
    async fn export_contacts(&self) -> Result<String, DeskError>;
    /// Reads vCards (versions 2.1 to 4); those with a known UID replace. How many people came.
    async fn import_contacts(&self, vcards: &str) -> Result<u32, DeskError>;

    // What is settled.

    /// Habits.
    async fn settings(&self) -> Result<Settings, DeskError>;
    /// Changes them all.
    async fn put_settings(&self, settings: &Settings) -> Result<(), DeskError>;
    /// Always shows remote images of this sender (an address or `@domain`), or no longer.
    async fn allow_images(&self, sender: &str, allowed: bool) -> Result<(), DeskError>;
    /// Who this person may write as; never empty, exactly one is the default.
    async fn identities(&self) -> Result<Vec<Identity>, DeskError>;
    /// Changes them all. Addresses that aren't this person's are refused.
    async fn put_identities(&self, identities: &[Identity]) -> Result<(), DeskError>;
    /// Rules, in the order in which they are asked.
    async fn rules(&self) -> Result<Vec<Rule>, DeskError>;
    /// Changes them all.
    async fn put_rules(&self, rules: &[Rule]) -> Result<(), DeskError>;
    /// The answer given while away.
    async fn vacation(&self) -> Result<Vacation, DeskError>;
    /// Changes it.
    async fn put_vacation(&self, vacation: &Vacation) -> Result<(), DeskError>;
    /// Accounts elsewhere.
    async fn fetch_accounts(&self) -> Result<Vec<FetchAccount>, DeskError>;
    /// Adds or changes one.
    async fn put_fetch_account(&self, account: &FetchAccount) -> Result<FetchKey, DeskError>;
    /// Removes one; what was fetched stays.
    async fn remove_fetch_account(&self, key: &FetchKey) -> Result<(), DeskError>;
    /// Looks there now.
    async fn fetch_now(&self, key: &FetchKey) -> Result<FetchOutcome, DeskError>;

    // News.

    /// What changes from now on, until the receiver is dropped.
    async fn notices(&self) -> Result<mpsc::Receiver<Notice>, DeskError>;
}
