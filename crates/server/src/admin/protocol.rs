//! What the operator can ask for, and what comes back: one JSON value per line over `DIR/admin.sock`.

use crate::presence::Notice;
use jiff::Timestamp;
use posta_address::{Domain, ForwardPath, Mailbox, ReversePath};
use posta_journal::Record;
use posta_store::{AliasKind, AppPasswordScope, QueueId, Tally};
use posta_wire::Secret;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// A secret on its way through the socket (which only its owner can open). Does not print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretText(pub Secret);

impl Serialize for SecretText {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose())
    }
}
impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| SecretText(Secret::new(text)))
    }
}

/// What another host is asked for, and as whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FetchInfo {
    /// `host:port`.
    pub host: String,
    /// How.
    pub kind: FetchKind,
    /// Which mail; for ETRN one, as the command has it.
    pub domains: Vec<String>,
    /// The name to log in with.
    pub user: Option<String>,
    /// And the password.
    pub password: Option<SecretText>,
}

/// How another host is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FetchKind {
    /// ETRN (RFC 1985): it sends the mail over a connection of its own.
    Etrn,
    /// ATRN (RFC 2645): over the same connection.
    Atrn,
    /// TURN (RFC 821 §3.8): likewise, all that there is.
    Turn,
}

/// A request of the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Hosts mail of a domain, or changes its settings: [`Response::Done`].
    DomainPut(DomainInfo),
    /// Hosts it no more; refused while accounts or aliases use it: [`Response::Done`].
    DomainRemove {
        /// Which.
        domain: Domain,
    },
    /// [`Response::Domains`].
    DomainList,

    /// A new account: [`Response::Done`].
    AccountAdd(NewAccount),
    /// Changes an account: [`Response::Done`].
    AccountChange {
        /// Whose.
        address: Mailbox,
        /// What, in this order.
        changes: Vec<AccountChange>,
    },
    /// Removes an account with its maildrop: [`Response::Done`].
    AccountRemove {
        /// Whose.
        address: Mailbox,
    },
    /// A new application password: [`Response::AppPassword`], told this once.
    AppPasswordAdd {
        /// Whose.
        address: Mailbox,
        /// What it is called.
        name: String,
        /// What it opens.
        scope: Scope,
    },
    /// [`Response::AppPasswords`].
    AppPasswordList {
        /// Whose.
        address: Mailbox,
    },
    /// It opens nothing any more: [`Response::Done`].
    AppPasswordRevoke {
        /// Whose.
        address: Mailbox,
        /// What it is called.
        name: String,
    },
    /// [`Response::Accounts`], of one domain or of all.
    AccountList {
        /// Only these.
        #[serde(default)]
        domain: Option<Domain>,
    },
    /// [`Response::Accounts`] with one.
    AccountShow {
        /// Whose.
        address: Mailbox,
    },

    /// A new alias or list, or a change of one as a whole: [`Response::Done`].
    AliasPut(AliasInfo),
    /// [`Response::Done`].
    AliasRemove {
        /// Which.
        address: Mailbox,
    },
    /// Adds a member to an alias or list: [`Response::Done`].
    MemberAdd {
        /// Of which.
        address: Mailbox,
        /// Who.
        member: Mailbox,
    },
    /// Removes a member: [`Response::Done`].
    MemberRemove {
        /// Of which.
        address: Mailbox,
        /// Who.
        member: Mailbox,
    },
    /// [`Response::Aliases`].
    AliasList {
        /// Only these.
        #[serde(default)]
        domain: Option<Domain>,
    },
    /// [`Response::Aliases`] with one.
    AliasShow {
        /// Which.
        address: Mailbox,
    },

    /// [`Response::Queue`], oldest first.
    QueueList {
        /// At most so many.
        limit: usize,
    },
    /// [`Response::Queue`] with one entry.
    QueueShow {
        /// Which.
        id: QueueId,
    },
    /// Acts on one entry, or on all: [`Response::Done`].
    QueueAct {
        /// Which; `None` means all.
        id: Option<QueueId>,
        /// What.
        action: QueueAction,
    },

    /// Takes back a message that waits for its time: [`Response::Done`].
    TakeBack {
        /// Which.
        id: QueueId,
    },

    /// Compares index and volumes: [`Response::Check`].
    StoreCheck,
    /// Makes the index anew from the volumes: [`Response::Done`].
    StoreRebuild,
    /// [`Response::Usage`] of every account.
    StoreUsage,
    /// The count of every message-recipient ever accepted: [`Response::Tally`].
    Audit,
    /// All that the journal knows about a queue id, a Message-ID or an address: [`Response::Records`].
    Explain {
        /// One of these.
        subject: String,
        /// At most so many records, the newest ones.
        limit: usize,
    },

    /// [`Response::Status`]; needs a running server.
    Status,
    /// Reads the configuration again: [`Response::Done`]; needs a running server.
    Reload,
    /// Stops the server gracefully: [`Response::Done`]; needs a running server.
    Stop,

    /// Asks another host for the mail that it keeps for us: [`Response::Done`]; needs a running server.
    Fetch(FetchInfo),

    /// Makes the connection a live session: [`Response::Watching`], then a [`Response::Notice`] for each
    /// message; needs a running server.
    Watch {
        /// Whose.
        address: Mailbox,
    },
    /// A watcher's answer to a notice: it is on the screen.
    Taken,
}

/// A hosted domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainInfo {
    /// Its name.
    pub domain: Domain,
    /// Who gets mail for addresses that nobody has.
    #[serde(default)]
    pub catch_all: Option<Mailbox>,
    /// What divides `user` from `tag`; absent turns sub-addressing off.
    #[serde(default)]
    pub subaddress_separator: Option<char>,
}

/// An account to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewAccount {
    /// Its address.
    pub address: Mailbox,
    /// Full name.
    #[serde(default)]
    pub name: Option<String>,
    /// Without one nobody can log in with a password.
    #[serde(default)]
    pub password: Option<SecretText>,
    /// APOP's shared secret.
    #[serde(default)]
    pub apop_secret: Option<SecretText>,
    /// Octets the maildrop may hold.
    #[serde(default)]
    pub quota_octets: Option<u64>,
}

/// What an application password opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Everything.
    All,
    /// Sending mail.
    Smtp,
    /// Fetching mail.
    Pop3,
}

impl From<Scope> for AppPasswordScope {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::All => AppPasswordScope::All,
            Scope::Smtp => AppPasswordScope::Smtp,
            Scope::Pop3 => AppPasswordScope::Pop3,
        }
    }
}

impl From<AppPasswordScope> for Scope {
    fn from(scope: AppPasswordScope) -> Self {
        match scope {
            AppPasswordScope::All => Scope::All,
            AppPasswordScope::Smtp => Scope::Smtp,
            AppPasswordScope::Pop3 => Scope::Pop3,
        }
    }
}

/// An application password as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppPasswordInfo {
    /// What it is called.
    pub name: String,
    /// What it opens.
    pub scope: Scope,
    /// Since when there is it.
    pub created_at: Timestamp,
    /// When it was last used, to the hour.
    pub last_used_at: Option<Timestamp>,
}

/// One change of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccountChange {
    /// Another address; the maildrop stays.
    Address(Mailbox),
    /// Another full name, or none.
    Name(Option<String>),
    /// Another password, or none.
    Password(Option<SecretText>),
    /// Another APOP secret, or no APOP.
    ApopSecret(Option<SecretText>),
    /// Another quota in octets, or none.
    Quota(Option<u64>),
    /// Whether it may log in and gets mail.
    Enabled(bool),
    /// For how many seconds what it sends waits, so that it can be taken back; 0: not at all.
    Hold(u32),
}

/// An account as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountInfo {
    /// Its address.
    pub address: Mailbox,
    /// Its id.
    pub id: u64,
    /// Full name.
    pub name: Option<String>,
    /// Whether it has a password.
    pub has_password: bool,
    /// Whether it has an APOP secret.
    pub has_apop_secret: bool,
    /// Octets the maildrop may hold.
    pub quota_octets: Option<u64>,
    /// Whether it may log in and gets mail.
    pub enabled: bool,
    /// Seconds that what it sends waits.
    #[serde(default)]
    pub hold_seconds: u32,
    /// Messages in the maildrop.
    pub messages: u64,
    /// Octets in the maildrop.
    pub octets: u64,
    /// Its folders; only where one account is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub folders: Vec<FolderInfo>,
}

/// A folder of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderInfo {
    /// Its name, levels divided by `/`.
    pub name: String,
    /// Messages in it.
    pub messages: u64,
    /// Of those, what was not read.
    pub unseen: u64,
    /// Octets in it.
    pub octets: u64,
}

/// An alias or list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasInfo {
    /// The address.
    pub address: Mailbox,
    /// Whether it is a list.
    #[serde(default)]
    pub list: bool,
    /// Full name.
    #[serde(default)]
    pub name: Option<String>,
    /// Who gets its mail.
    pub members: Vec<Mailbox>,
    /// A list's owner.
    #[serde(default)]
    pub owner: Option<Mailbox>,
}

impl AliasInfo {
    /// The store's word for it.
    pub fn kind(&self) -> AliasKind {
        if self.list { AliasKind::List } else { AliasKind::Alias }
    }
}

/// What can be done with queue entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QueueAction {
    /// Try now.
    Retry,
    /// Stop trying.
    Hold,
    /// Go on trying.
    Release,
    /// Give up without a word; counted as discarded.
    Delete,
    /// Give up, and report to the sender.
    Bounce,
}

/// A queue entry as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueInfo {
    /// Its id.
    pub id: QueueId,
    /// Envelope sender.
    pub from: ReversePath,
    /// Message-ID, if any.
    pub message_id: Option<String>,
    /// Octets.
    pub size_octets: u64,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// Stopped by the operator.
    pub held: bool,
    /// Those not settled yet.
    pub recipients: Vec<QueueRecipientInfo>,
}

/// One recipient of a queue entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueRecipientInfo {
    /// Where to.
    pub mailbox: Mailbox,
    /// As the envelope had it.
    pub original: ForwardPath,
    /// Attempts so far.
    pub attempts: u32,
    /// Not before this.
    pub next_attempt_at: Timestamp,
    /// When it was last tried.
    pub last_attempt_at: Option<Timestamp>,
    /// The host of the last attempt.
    pub last_host: Option<String>,
    /// What it said, or our words.
    pub last_detail: Option<String>,
}

/// What `posta store check` found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckInfo {
    /// Whether all is well.
    pub sound: bool,
    /// In plain words, a line each.
    pub lines: Vec<String>,
}

/// How much a maildrop holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageInfo {
    /// Whose.
    pub address: Mailbox,
    /// Messages.
    pub messages: u64,
    /// Octets.
    pub octets: u64,
    /// How many it may hold.
    pub quota_octets: Option<u64>,
}

/// A running server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusInfo {
    /// Its name.
    pub hostname: Domain,
    /// Since when it runs.
    pub started_at: Timestamp,
    /// Protocol and address of each listener.
    pub listeners: Vec<(String, SocketAddr)>,
    /// Connections open now.
    pub connections: usize,
    /// Version of the program.
    pub version: String,
}

/// Why a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// There is no such thing.
    NotFound,
    /// It contradicts what is there.
    Conflict,
    /// The request makes no sense.
    Invalid,
    /// Only a running server can do this.
    NeedsServer,
    /// Store, disk or the server failed.
    Failed,
}

/// The answer to a [`Request`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "response", content = "value", rename_all = "kebab-case")]
pub enum Response {
    /// It is done (durably); in plain words.
    Done(String),
    /// By name.
    Domains(Vec<DomainInfo>),
    /// By address.
    Accounts(Vec<AccountInfo>),
    /// The new application password.
    AppPassword(SecretText),
    /// Oldest first.
    AppPasswords(Vec<AppPasswordInfo>),
    /// By address.
    Aliases(Vec<AliasInfo>),
    /// Oldest first.
    Queue(Vec<QueueInfo>),
    /// Of the store.
    Check(CheckInfo),
    /// By address.
    Usage(Vec<UsageInfo>),
    /// Of everything ever accepted.
    Tally(Tally),
    /// Of the journal, oldest first.
    Records(Vec<Record>),
    /// Of the server.
    Status(StatusInfo),
    /// Messages will be shown on this connection.
    Watching,
    /// A message to be shown; to be answered with [`Request::Taken`].
    Notice(Box<Notice>),
    /// It failed.
    Error {
        /// Of which kind.
        kind: ErrorKind,
        /// In plain words.
        message: String,
    },
}

impl Response {
    /// A failure.
    pub fn error(kind: ErrorKind, message: impl Into<String>) -> Self {
        Response::Error { kind, message: message.into() }
    }
}
