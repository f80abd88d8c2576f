//! SMTP as pure values (RFC 5321): commands, replies, extensions, and both ends of a session.
//!
//! No sockets, clock, randomness or runtime: the sessions are [`posta_wire::Conversation`]s.

pub mod client;
mod command;
mod delivery;
mod enhanced;
mod extension;
pub mod limits;
mod parameters;
mod quirks;
pub mod replies;
mod reply;
pub mod server;
mod trace;
mod turn;
mod xclient;

pub use command::{AuthCommand, Command, CommandError, Lookup, Verb};
pub use delivery::Delivery;
pub use enhanced::EnhancedStatus;
pub use extension::{FutureRelease, OfferedLimits, PeerExtensions, SizeOffer};
pub use parameters::{BadSubmitter, Body, MailParameters, RecipientParameters, Submitter};
pub use quirks::SyntaxQuirks;
pub use reply::{Reply, ReplyAssembler, ReplyError};
pub use trace::{Received, TransmissionType, return_path_field};
pub use turn::{QueueName, Turning};
pub use xclient::{Given, Introduction};
