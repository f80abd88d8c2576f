//! The loop that drives a conversation over a stream.

use crate::{Clock, Stream};
use async_trait::async_trait;
use posta_wire::Conversation;
use std::io;

/// Answers a session's questions and takes its events.
#[async_trait]
pub trait Handler<C: Conversation>: Send {
    /// Answers.
    async fn answer(&mut self, question: C::Question) -> C::Answer;
    /// Carries out; the session waits meanwhile.
    async fn event(&mut self, event: C::Event);
}

/// Sees all octets of a connection as they pass, for showing a dialogue.
pub trait Transcript: Send + Sync {
    /// Octets that our end sent.
    fn sent(&self, octets: &[u8]);
    /// Octets that came from the peer.
    fn received(&self, octets: &[u8]);
    /// The connection ended.
    fn closed(&self);
}

/// How a conversation ended.
#[derive(Debug)]
pub enum Driven {
    /// The session closed it.
    Closed,
    /// The peer closed it, and the session had nothing more to do.
    PeerClosed,
    /// The connection broke.
    Broken(io::Error),
}

/// Drives `conversation` over `stream` until one side ends it.
///
/// Holds no read buffer while the peer is silent. When `shutdown` turns true the session is told.
pub async fn drive<C, H>(
    conversation: &mut C,
    handler: &mut H,
    stream: &mut dyn Stream,
    clock: &dyn Clock,
    transcript: Option<&dyn Transcript>,
    shutdown: tokio::sync::watch::Receiver<bool>,
) -> Driven
where
    C: Conversation + Send,
    C::Question: Send,
    C::Answer: Send,
    C::Event: Send,
    H: Handler<C>,
{
    let _ = (conversation, handler, stream, clock, transcript, shutdown);
    unimplemented!("written with the first server")
}
