//! The one shape of all protocol sessions, both ends.

use crate::{TlsFacts, TlsFailure};
use bytes::Bytes;
use std::{sync::Arc, time::Instant};

/// A protocol session as a value: bytes, answers and the time go in; what to send, ask, report or
/// close comes out. It never waits and never reads a clock; whoever drives it hands in `now`.
///
/// The driver's loop: drain [`poll_output`](Self::poll_output) until it gives `None`, carrying out
/// each output before the next; then give it more input, or the time when
/// [`poll_timeout`](Self::poll_timeout) has passed. While a question is open the session takes no
/// input (`handle_input` returns 0), so pipelining and slow look-ups cannot reorder replies.
pub trait Conversation {
    /// What the session wants to know; the driver answers with [`Self::Answer`].
    type Question;
    /// The answer to the open question.
    type Answer;
    /// What the session reports; no answer is expected, but the driver carries it out (awaits it)
    /// before it goes on, which is what holds back a fast sender.
    type Event;

    /// Offers octets from the peer. Returns how many were taken: all of them, or fewer when a
    /// question was opened (or the session ended) on the way. The driver keeps the rest and offers
    /// it again; it reads no more from the peer while it holds any.
    fn handle_input(&mut self, input: &[u8], now: Instant) -> usize;

    /// Answers the open question.
    fn handle_answer(&mut self, answer: Self::Answer, now: Instant);

    /// The handshake that [`Output::StartTls`] asked for is through: from here on everything is said
    /// inside TLS. What was learnt before, in the clear, must be forgotten (RFC 3207 §4.2).
    fn handle_tls(&mut self, facts: Arc<TlsFacts>, now: Instant) {
        let _ = (facts, now);
    }

    /// There is no TLS, and the connection is of no more use: neither side may go on in the clear.
    fn handle_tls_failed(&mut self, failure: TlsFailure, now: Instant) {
        let _ = failure;
        self.handle_closed(now);
    }

    /// The peer closed its side, or the connection broke.
    fn handle_closed(&mut self, now: Instant);

    /// The time that `poll_timeout` named has come.
    fn handle_timeout(&mut self, now: Instant);

    /// The process is stopping: finish what is open within the session's limits, begin nothing new.
    fn handle_shutdown(&mut self, now: Instant);

    /// The next thing to carry out; `None` when the session waits.
    fn poll_output(&mut self) -> Option<Output<Self::Question, Self::Event>>;

    /// When `handle_timeout` is due, if ever.
    fn poll_timeout(&self) -> Option<Instant>;
}

/// What a session wants done.
#[derive(Debug)]
pub enum Output<Q, E> {
    /// Send these octets. Replies to pipelined commands come as one.
    Send(Bytes),
    /// Answer this question; the session takes no input until then.
    Ask(Q),
    /// Note this.
    Event(E),
    /// What was to be sent has been said: begin TLS. The session takes no input until
    /// [`Conversation::handle_tls`]; octets that the driver holds by then came in the clear, and end the
    /// connection.
    StartTls,
    /// What was to be sent has been said: the roles switch (RFC 821 §3.8, RFC 2645). Nothing follows from this
    /// session, but the connection stays open, and the driver goes on with one of the other role. Octets
    /// that it holds by then were said too early, and end the connection.
    Turn,
    /// Close the connection; nothing follows.
    Close,
}
