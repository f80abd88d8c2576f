//! Bounds of the store, each with its reason.

/// Octets of a content that are kept in memory while it arrives; larger ones go to the volumes in
/// chunks of this size. RFC 5321 §4.5.3.1.7 asks for room for 64 KiB at least; most mail is smaller
/// than this and then is written once, in one piece.
pub const INLINE_OCTETS_MAX: usize = 256 * 1024;

/// Octets of the prefix of a delivery (`Return-Path:` with a path of at most 256 octets,
/// RFC 5321 §4.5.3.1.3; UTF-8 and quoting make room for more).
pub const PREFIX_OCTETS_MAX: usize = 4096;

/// Octets of the facts of one record (envelope, deliveries, queue entry, changes). RFC 5321
/// §4.5.3.1.8 asks for 100 recipients at least; this is room for more than 10,000 of them.
pub const RECORD_META_OCTETS_MAX: usize = 16 * 1024 * 1024;

/// Octets of the content part of one record.
pub const RECORD_CONTENT_OCTETS_MAX: usize = 1024 * 1024;

/// Octets that one `read` returns at most.
pub const READ_OCTETS_MAX: usize = 1024 * 1024;

/// Octets of a text inside a record (names, replies of peers, hashes).
pub const TEXT_OCTETS_MAX: usize = 64 * 1024;

/// Messages removed, or queue entries changed, in one record.
pub const CHANGES_PER_RECORD_MAX: usize = 100_000;

/// Octets of a folder's name, all its levels together.
pub const FOLDER_NAME_OCTETS_MAX: usize = 250;

/// Folders of its own that an account may have; their names are kept in memory.
pub const FOLDERS_PER_ACCOUNT_MAX: usize = 1000;

/// Octets of a label.
pub const LABEL_OCTETS_MAX: usize = 100;

/// Labels of one message; what would be more is passed over.
pub const LABELS_PER_MESSAGE_MAX: usize = 32;

/// Octets of a document's name.
pub const DOCUMENT_NAME_OCTETS_MAX: usize = 200;

/// Octets of a document: they lie in the facts of a record, not in its content.
pub const DOCUMENT_OCTETS_MAX: usize = 1024 * 1024;

/// Documents of an account.
pub const DOCUMENTS_PER_ACCOUNT_MAX: u64 = 20_000;

/// Octets of all documents of an account.
pub const DOCUMENT_OCTETS_PER_ACCOUNT_MAX: u64 = 64 * 1024 * 1024;

/// Accounts that a subscriber may be behind with; then it is told that it has missed some.
pub const SUBSCRIPTION_ACCOUNTS_MAX: usize = 1024;

/// Octets of what is remembered of removed messages, for [`crate::Store::changes_since`]; of more the
/// older half is forgotten, and whoever asks from before that reads all anew.
pub const REMOVED_OCTETS_MAX: u64 = 16 * 1024 * 1024;
