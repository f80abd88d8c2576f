//! What a person has settled: identities, habits, rules, absence, accounts elsewhere.

use super::{FetchKey, FolderKey, Person};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Habits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Seconds in which a sent message can be taken back; at most [`super::limits::UNDO_SECS_MAX`].
    pub undo_secs: u32,
    /// Remote images.
    pub remote_images: RemoteImages,
    /// Senders whose remote images are shown: addresses, or `@domain`.
    pub image_senders: Vec<String>,
    /// What happens when somebody asks for a read receipt.
    pub receipts: ReceiptPolicy,
    /// Time zone (`Europe/Vienna`), for quotes and commands; empty: UTC.
    pub zone: String,
    /// Answers are written above the quoted text.
    pub reply_above: bool,
    /// What agents keep for themselves (theme, widths, …); the engine doesn't look at it.
    pub agent: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            undo_secs: 10,
            remote_images: RemoteImages::Ask,
            image_senders: Vec::new(),
            receipts: ReceiptPolicy::Ask,
            zone: String::new(),
            reply_above: true,
            agent: BTreeMap::new(),
        }
    }
}

/// Whether images that lie on other hosts are shown: showing them tells the sender that and when mail was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemoteImages {
    /// Only for senders allowed before, and on demand.
    #[default]
    Ask,
    /// Also for people in the address book.
    Contacts,
    /// Always.
    Always,
}

/// What happens when somebody asks for a read receipt (RFC 8098 §2.1: never without the person's consent).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptPolicy {
    /// The person is asked each time.
    #[default]
    Ask,
    /// Never.
    Never,
}

/// Somebody that this person may write as.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Identity {
    /// Name and address.
    pub person: Person,
    /// Where answers shall go, if elsewhere.
    pub reply_to: Option<String>,
    /// Put below what is written, after `-- `.
    pub signature: String,
    /// Used where nothing else is asked for.
    pub is_default: bool,
}

/// What is done with new mail by itself. Rules are asked in order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Rule {
    /// As the person calls it.
    pub name: String,
    /// Not asked while false.
    pub enabled: bool,
    /// One condition is enough; else all must hold. Without conditions it never applies.
    pub any: bool,
    /// Conditions.
    pub conditions: Vec<RuleCondition>,
    /// What is done, in order.
    pub actions: Vec<RuleAction>,
    /// The rules after it aren't asked any more where it applied.
    pub stop: bool,
}

/// A condition of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleCondition {
    /// What is looked at.
    pub field: RuleField,
    /// How.
    pub test: RuleTest,
    /// With what; case doesn't matter.
    pub value: String,
}

/// What a condition looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleField {
    /// Name and address of who wrote it.
    From,
    /// To and Cc.
    To,
    /// The subject.
    Subject,
    /// The `List-Id`.
    List,
    /// The text.
    Body,
}

/// How a condition looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleTest {
    /// The value occurs in it.
    Contains,
    /// The value doesn't occur in it.
    ContainsNot,
    /// It is the value (of one of the addresses).
    Is,
}

/// What a rule does. In JSON: `{"action": "move", "folder": "16"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum RuleAction {
    /// Into a folder.
    Move {
        /// Which.
        folder: FolderKey,
    },
    /// With a label.
    Label {
        /// Which.
        label: String,
    },
    /// As read.
    MarkRead,
    /// With a flag.
    Flag,
    /// To somebody else too.
    Forward {
        /// To whom.
        address: String,
    },
    /// Into Trash, read: gone from sight, not from the world.
    Discard,
}

/// An answer given while away (RFC 3834; once in seven days to each sender, RFC 5230 §4.1).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Vacation {
    /// Answers.
    pub enabled: bool,
    /// From then on; none: now.
    pub from: Option<Timestamp>,
    /// Until then; none: until switched off.
    pub until: Option<Timestamp>,
    /// Empty: "Auto: " and the subject of the message that is answered.
    pub subject: String,
    /// What is answered.
    pub text: String,
    /// Only to people in the address book.
    pub contacts_only: bool,
}

/// A mail account elsewhere, fetched by POP3 into a folder here.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchAccount {
    /// None for a new one.
    #[serde(default)]
    pub key: Option<FetchKey>,
    /// Host.
    pub host: String,
    /// 995 with TLS from the first octet, 110 else.
    pub port: u16,
    /// TLS.
    #[serde(default)]
    pub security: FetchSecurity,
    /// Who logs in.
    pub user: String,
    /// Handed in only: what is read has none. None keeps the one that there is.
    #[serde(default, skip_serializing)]
    pub password: Option<String>,
    /// Where its mail goes.
    pub folder: FolderKey,
    /// Messages stay there; else they are deleted once they are durable here.
    #[serde(default)]
    pub keep: bool,
    /// Minutes between two looks; at least 1.
    pub every_minutes: u32,
    /// Set by the engine.
    #[serde(default)]
    pub last: Option<FetchOutcome>,
}

/// Without the password: secrets never print.
impl fmt::Debug for FetchAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchAccount")
            .field("key", &self.key)
            .field("host", &self.host)
            .field("port", &self.port)
            .field("user", &self.user)
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

/// TLS of an account elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FetchSecurity {
    /// By the port: from the first octet at 995, STLS needed else.
    #[default]
    Tls,
    /// In the clear: only to this very machine.
    LocalOnly,
}

/// What came of a look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchOutcome {
    /// When.
    pub at: Timestamp,
    /// Messages that came.
    pub messages: u32,
    /// What went wrong, in words.
    pub failure: Option<String>,
}
