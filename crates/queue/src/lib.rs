//! What happens after 250: when a message is tried, where it goes, and what its sender is told.
//!
//! ```text
//!  Queue::submit ─► Scheduler ─► worker: route ─► connect ─► converse ─► one Outcome per recipient
//!                   (when?)                                                │
//!                      ▲                                                   ▼
//!                      │                                     retry::decide ─► done / again / bounce
//!                      └────────── again at T ◄────────────── settlement (store) and report (DSN)
//! ```
//!
//! - [`Scheduler`]: pure; says what is due, within the limits of concurrency.
//! - [`retry`]: pure; one `match` from outcomes to decisions.
//! - [`report`](DeliveryStatus): what the sender is told when it fails or takes long.
//! - [`Queue`]: the service that drives them.

mod connection;
mod conversion;
mod delivery;
mod here;
pub mod limits;
mod null_mx;
mod outcome;
mod reinjection;
mod report;
pub mod retry;
mod scheduler;
mod security;
mod service;
mod settings;
mod settlement;
mod turn;

pub use here::MaildropRefusal;
pub use outcome::{Obstacle, Outcome, PeerName};
pub use reinjection::{InjectError, Reinjection};
pub use report::{DeliveryStatus, News, Report, ReportKind};
pub use scheduler::{Concurrency, Dispatch, Scheduler, Suspension};
pub use security::{TlsLevel, TlsPolicy};
pub use service::{Listing, Parts, Queue, QueueError, TakeBack, TranscriptFactory};
pub use settings::{BadNextHop, Destination, NextHop, Settings};
pub use turn::{NoTurn, Turn};
