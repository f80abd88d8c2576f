//! One person's mail as every agent sees it: the [`Desk`], and the types that it speaks in.
//!
//! The webmail, the terminal and the commands work on a `Desk` and know no store. The JSON of the API is
//! exactly the serde form of these types: names in snake_case, times as RFC 3339 text in UTC, octets of
//! files never inside JSON. Ids ([`MessageKey`], [`ConversationKey`], …) are opaque text, safe in a URL.

mod change;
mod contact;
mod contract;
mod draft;
mod error;
mod keys;
pub mod limits;
mod listing;
mod notice;
mod settings;
mod view;

pub use change::{Change, Done, Selection};
pub use contact::{Contact, Person, Suggestion};
pub use contract::Desk;
pub use draft::{
    AttachmentSource, Draft, DraftAttachment, DraftBody, DraftSource, OutboxEntry, ReplyKind, Saved,
    SendOptions, Sent,
};
pub use error::DeskError;
pub use keys::{
    ContactKey, ConversationKey, Cursor, DraftKey, FetchKey, FolderKey, MessageKey, OutboxKey, PartPath,
    UndoKey, UploadKey,
};
pub use listing::{
    ConversationPage, ConversationQuery, ConversationRow, FolderView, MessagePage, MessageRow, RowPerson,
};
pub use notice::Notice;
pub use posta_store::FolderRole;
pub use settings::{
    FetchAccount, FetchOutcome, FetchSecurity, Identity, ReceiptPolicy, RemoteImages, Rule, RuleAction,
    RuleCondition, RuleField, RuleTest, Settings, Vacation,
};
pub use view::{
    AttachmentPart, BodyView, ConversationView, HtmlView, Invitation, LinkView, MarkView, MessageView,
    PartContent, ReadOptions, ReportKind, ReportRecipient, ReportView, TextBlock, TextBlockKind, Unsubscribe,
    Warning,
};
