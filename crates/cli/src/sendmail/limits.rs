//! Bounds of `posta sendmail`.

/// Octets of a message on standard input (RFC 5321 §4.5.3.1.7 asks for 64 KiB at least).
pub(super) const MESSAGE_OCTETS_MAX: usize = 64 * 1024 * 1024;
/// Recipients of a message (RFC 5321 §4.5.3.1.8: 100 at least).
pub(super) const RECIPIENTS_MAX: usize = 10_000;
/// Messages that wait in a person's queue.
pub(super) const QUEUE_MESSAGES_MAX: usize = 10_000;
/// Octets of all that waits.
pub(super) const QUEUE_OCTETS_MAX: u64 = 1024 * 1024 * 1024;
/// Octets of the first line of a file of the queue: the envelope.
pub(super) const ENVELOPE_OCTETS_MAX: usize = 8 * 1024 * 1024;
/// Messages of the queue that one ordinary call takes along; `-q` tries all.
pub(super) const TAKEN_ALONG_MAX: usize = 20;
