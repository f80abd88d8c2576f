//! `posta mail unsend`.

use super::DONE;
use crate::{configuration::Place, operator::Operator};
use posta_server::admin::Request;
use posta_store::QueueId;

/// Take a message back that still waits for its time: nobody gets it, and nobody is told
///
/// On the machine of the server, for its operator (elsewhere the web page does it). What waits is in `posta queue
/// list`; messages wait because their sender's account has a hold (`posta account hold`) or because that was asked
/// for (`posta mail send --at TIME`).
#[derive(Debug, clap::Args)]
pub(super) struct Unsend {
    /// Queue id: what the server said when it took the message
    id: QueueId,
}

impl Unsend {
    pub(super) async fn run(self, place: &Place) -> anyhow::Result<u8> {
        Operator::new(place.load()?).act(Request::TakeBack { id: self.id }).await?;
        Ok(DONE)
    }
}
