//! Bounds of the desk: how much one request may ask for and one answer may hold.

/// Rows on one page of a list.
pub const PAGE_ROWS_MAX: u32 = 500;
/// Messages or conversations that one change may name.
pub const SELECTION_MAX: usize = 10_000;
/// Messages of one conversation that are shown; older ones beyond it are only counted.
pub const CONVERSATION_MESSAGES_MAX: usize = 500;
/// Octets of a search expression.
pub const QUERY_OCTETS_MAX: usize = 1024;
/// Words and fields in a search expression.
pub const QUERY_TERMS_MAX: usize = 32;
/// Octets of a message that are read for showing and indexing; what lies beyond is only there in the raw form.
pub const READ_OCTETS_MAX: u64 = 64 * 1024 * 1024;
/// Octets of text of a message that are put into the index.
pub const INDEXED_TEXT_OCTETS_MAX: usize = 256 * 1024;
/// Octets of HTML that are sanitised; longer ones are shown as text.
pub const HTML_OCTETS_MAX: usize = 4 * 1024 * 1024;
/// Octets of text that are shown.
pub const TEXT_OCTETS_MAX: usize = 2 * 1024 * 1024;
/// Characters of a snippet.
pub const SNIPPET_CHARS_MAX: usize = 200;
/// Octets of all attachments of a draft together.
pub const DRAFT_ATTACHMENTS_OCTETS_MAX: usize = 50 * 1024 * 1024;
/// Attachments of a draft.
pub const DRAFT_ATTACHMENTS_MAX: usize = 100;
/// Octets of the text or HTML of a draft.
pub const DRAFT_BODY_OCTETS_MAX: usize = 4 * 1024 * 1024;
/// Recipients of a draft. RFC 5321 §4.5.3.1.8 asks for 100 at least in one envelope.
pub const DRAFT_RECIPIENTS_MAX: usize = 1000;
/// Octets of one typed address with its name.
pub const ADDRESS_TEXT_OCTETS_MAX: usize = 1024;
/// Octets of a subject.
pub const SUBJECT_OCTETS_MAX: usize = 4096;
/// Seconds that a sent message may be held back for second thoughts.
pub const UNDO_SECS_MAX: u32 = 120;
/// Changes that can be undone, the last ones of each person.
pub const UNDO_KEPT_MAX: usize = 64;
/// Rules of a person.
pub const RULES_MAX: usize = 200;
/// Identities of a person.
pub const IDENTITIES_MAX: usize = 50;
/// Octets of a signature.
pub const SIGNATURE_OCTETS_MAX: usize = 16 * 1024;
/// Senders whose remote images are always shown.
pub const IMAGE_SENDERS_MAX: usize = 2000;
/// People in an address book.
pub const CONTACTS_MAX: usize = 10_000;
/// Octets of a vCard file that is read.
pub const VCARD_OCTETS_MAX: usize = 8 * 1024 * 1024;
/// Mail accounts elsewhere.
pub const FETCH_ACCOUNTS_MAX: usize = 20;
/// Suggestions for a half-typed address.
pub const SUGGESTIONS_MAX: u32 = 20;
/// Notices that wait for a slow reader; then it is told [`super::Notice::Everything`].
pub const NOTICES_WAITING_MAX: usize = 64;
/// Octets of a file handed in for a draft.
pub const UPLOAD_OCTETS_MAX: usize = DRAFT_ATTACHMENTS_OCTETS_MAX;
/// Settings of an agent's own.
pub const AGENT_SETTINGS_MAX: usize = 100;
