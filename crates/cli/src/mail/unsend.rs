//! `posta mail unsend`.

use super::{DONE, desk};
use crate::{
    configuration::Place,
    operator::Operator,
    output::{GOOD, say, styled},
};
use anyhow::Context;
use posta_server::admin::Request;
use posta_store::QueueId;

/// Take a message back that still waits for its time: nobody gets it, and nobody is told
///
/// What waits in your own outbox (`posta mail outbox`) is a draft again. A queue id is taken back from a server's queue:
/// on the machine of the server, for its operator (elsewhere the web page does it). What waits is in `posta queue
/// list`; messages wait because their sender's account has a hold (`posta account hold`) or because that was asked
/// for (`posta mail send --at TIME`).
#[derive(Debug, clap::Args)]
pub(super) struct Unsend {
    /// The key that `outbox` shows; or queue id: what the server said when it took the message
    id: String,
    /// The account of that name (else the default one)
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
}

impl Unsend {
    pub(super) async fn run(self, place: &Place) -> anyhow::Result<u8> {
        if desk::is_set_up(self.account.as_deref())
            && let Some(draft) = desk::take_back(self.account.clone(), &self.id).await?
        {
            say(styled(GOOD, format_args!("taken back; it is the draft {draft}")))?;
            return Ok(DONE);
        }
        let id: QueueId = self.id.parse().ok().with_context(|| format!("nothing waits as `{}`", self.id))?;
        Operator::new(place.load()?).act(Request::TakeBack { id }).await?;
        Ok(DONE)
    }
}
