//! A message that waits for its time is taken back by hand.

use super::{
    desk::{Desk, Refused, conflict, not_found},
    protocol::Response,
};
use posta_journal::Fate;
use posta_queue::TakeBack;
use posta_store::{QueueChange, QueueEntry, QueueId};

impl Desk {
    /// Takes a message back, with all copies that were made of it.
    pub(super) async fn take_back(&self, id: QueueId) -> Result<Response, Refused> {
        let taken = match &self.queue {
            Some(queue) => queue.take_back(id, None).await?,
            None => self.take_back_offline(id).await?,
        };
        match taken {
            TakeBack::Done => Ok(self.note(Some(id), format!("{id} taken back: nobody gets it"))),
            TakeBack::TooLate => Err(conflict(format!("{id} is on its way already"))),
            TakeBack::Unknown => Err(not_found(format!("{id} does not wait for its time"))),
        }
    }

    async fn take_back_offline(&self, id: QueueId) -> Result<TakeBack, Refused> {
        let now = self.clock.timestamp();
        let is_copy = |entry: &QueueEntry| {
            let release = entry.envelope.requests.release;
            release.is_some_and(|release| entry.id == id || release.of == Some(id))
        };
        let copies: Vec<_> = self.store.queue().await?.into_iter().filter(is_copy).collect();
        if copies.is_empty() {
            return Ok(TakeBack::Unknown);
        }
        let is_tried = |entry: &QueueEntry| entry.recipients.iter().any(|recipient| recipient.attempts > 0);
        if copies.iter().any(|entry| entry.tried_since() <= now || is_tried(entry)) {
            return Ok(TakeBack::TooLate);
        }
        let settle = |entry: QueueEntry| {
            let mailboxes = entry.recipients.into_iter().map(|recipient| recipient.mailbox);
            mailboxes.map(move |mailbox| (entry.id, QueueChange::Settled { mailbox, fate: Fate::Discarded }))
        };
        self.store.change_queue(copies.into_iter().flat_map(settle).collect()).await?;
        Ok(TakeBack::Done)
    }
}
