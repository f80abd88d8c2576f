//! The loop that drives a conversation over a stream.
//!
//! ```text
//!            ┌── poll_output ──► Send: gather    Ask: answer    Event: carry out    Close: end
//!            │ (until None)
//!   loop ────┼── input left over? offer it, begin again
//!            │
//!            └── write what was gathered; wait for input, the timer, or the shutdown signal
//! ```

use crate::{
    Clock, Stream,
    limits::{GATHER_OCTETS_MAX, LINGER_MAX, LINGER_OCTETS_MAX, READ_OCTETS_MAX},
    outgoing::Outgoing,
    tls::{TlsEnd, handshake},
};
use async_trait::async_trait;
use posta_wire::{Conversation, Output, TlsFacts, TlsFailure};
use std::{
    future::{Future, poll_fn},
    io,
    mem::MaybeUninit,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};
use tokio::{
    io::{AsyncWriteExt, ReadBuf},
    time::Sleep,
};

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
    /// From here on the octets pass inside TLS; they are still shown as they are said.
    fn secured(&self, facts: &TlsFacts) {
        let _ = facts;
    }
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
    /// The session gave its role away: the connection is open, for a conversation of the other role.
    Turned,
    /// The connection broke.
    Broken(io::Error),
}

/// Drives `conversation` over `stream` until one side ends it.
///
/// Holds no read buffer while the peer is silent: octets land in a buffer on the stack of the poll
/// that finds them and go straight into the session; only what it does not take is kept. Replies to
/// pipelined commands leave together (RFC 2920 §3.2). While a question is open nothing is read, which
/// is what holds back a fast sender. When `shutdown` turns true the session is told.
///
/// `tls` is our end for a session that starts TLS. Where roles may switch, [`Link`] carries the conversations
/// one after another.
pub async fn drive<C, H>(
    conversation: &mut C,
    handler: &mut H,
    stream: &mut dyn Stream,
    tls: Option<&TlsEnd>,
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
    Link::new(stream, tls, clock, transcript).drive(conversation, handler, shutdown).await
}

/// What octets pass through.
enum Channel<'a> {
    /// As they are.
    Clear(&'a mut dyn Stream),
    /// In TLS, whose state is not small: boxed, so that connections without it don't carry it.
    Secured(Box<dyn Stream + 'a>),
    /// Nothing may pass any more: a handshake failed.
    Lost,
}

/// One connection: the stream and what lies on our side of it, TLS included. It carries one conversation, or
/// several where the roles switch.
pub struct Link<'a> {
    channel: Channel<'a>,
    tls: Option<&'a TlsEnd>,
    clock: &'a dyn Clock,
    transcript: Option<&'a dyn Transcript>,
    outgoing: Outgoing,
    /// Input that the session has not taken yet.
    left_over: LeftOver,
}

/// Input that waits while a question is open; at most one read's worth.
#[derive(Default)]
struct LeftOver {
    octets: Vec<u8>,
    /// How many of them were taken since.
    taken: usize,
}

impl LeftOver {
    fn is_empty(&self) -> bool {
        self.octets.is_empty()
    }
}

/// Why we stopped waiting.
enum Woken {
    /// The session got input.
    Input,
    /// The peer will say no more.
    EndOfInput,
    Timeout,
    Shutdown,
}

async fn converse<C, H>(
    conversation: &mut C,
    handler: &mut H,
    line: &mut Link<'_>,
    mut shutdown: tokio::sync::watch::Receiver<bool>,
) -> io::Result<Driven>
where
    C: Conversation + Send,
    C::Question: Send,
    C::Answer: Send,
    C::Event: Send,
    H: Handler<C>,
{
    let mut peer_closed = false;
    let mut told_of_shutdown = false;
    let mut signal = pin!(async move {
        if shutdown.wait_for(|stopping| *stopping).await.is_err() {
            // Whoever could have told us is gone: no signal will ever come.
            std::future::pending::<()>().await;
        }
    });
    let mut alarm = pin!(tokio::time::sleep(std::time::Duration::from_secs(86_400)));
    let mut armed_for = None;
    loop {
        match carry_out(conversation, handler, line).await? {
            Some(End::Close) => {
                line.finish().await?;
                return Ok(if peer_closed { Driven::PeerClosed } else { Driven::Closed });
            }
            Some(End::Turn) => return line.turn(peer_closed).await,
            None => {}
        }
        if !line.left_over.is_empty() && line.offer_left_over(conversation) {
            continue;
        }
        line.flush().await?;
        if peer_closed {
            // The session knows, and has nothing to add.
            return Ok(Driven::PeerClosed);
        }
        let woken = poll_fn(|cx| {
            if line.left_over.is_empty()
                && let Poll::Ready(woken) = line.poll_input(conversation, cx)
            {
                return Poll::Ready(woken);
            }
            let due = conversation.poll_timeout();
            if poll_alarm(alarm.as_mut(), &mut armed_for, due, line.clock, cx).is_ready() {
                return Poll::Ready(Ok(Woken::Timeout));
            }
            if !told_of_shutdown && signal.as_mut().poll(cx).is_ready() {
                told_of_shutdown = true;
                return Poll::Ready(Ok(Woken::Shutdown));
            }
            Poll::Pending
        })
        .await?;
        let now = line.clock.now();
        match woken {
            Woken::Input => {}
            Woken::EndOfInput => {
                peer_closed = true;
                conversation.handle_closed(now);
            }
            Woken::Timeout => conversation.handle_timeout(now),
            Woken::Shutdown => conversation.handle_shutdown(now),
        }
    }
}

/// How a session wants to end.
enum End {
    Close,
    Turn,
}

/// Carries out all that the session wants now, perhaps to its end.
async fn carry_out<C, H>(
    conversation: &mut C,
    handler: &mut H,
    line: &mut Link<'_>,
) -> io::Result<Option<End>>
where
    C: Conversation + Send,
    C::Question: Send,
    C::Answer: Send,
    C::Event: Send,
    H: Handler<C>,
{
    while let Some(output) = conversation.poll_output() {
        match output {
            Output::Send(octets) => {
                line.outgoing.push(octets);
                if line.outgoing.octets() >= GATHER_OCTETS_MAX {
                    line.flush().await?;
                }
            }
            Output::Ask(question) => {
                let mut answering = handler.answer(question);
                let at_once = poll_fn(|cx| Poll::Ready(answering.as_mut().poll(cx))).await;
                let answer = match at_once {
                    Poll::Ready(answer) => answer,
                    Poll::Pending => {
                        // It takes a while: let the peer have what is said already.
                        line.flush().await?;
                        answering.await
                    }
                };
                conversation.handle_answer(answer, line.clock.now());
            }
            Output::Event(event) => handler.event(event).await,
            // Once in a connection: its future is not part of every connection's.
            Output::StartTls => match Box::pin(line.start_tls()).await {
                Ok(facts) => conversation.handle_tls(Arc::new(facts), line.clock.now()),
                Err(failure) => {
                    conversation.handle_tls_failed(failure.clone(), line.clock.now());
                    return Err(io::Error::new(io::ErrorKind::ConnectionAborted, failure));
                }
            },
            Output::Turn => return Ok(Some(End::Turn)),
            Output::Close => return Ok(Some(End::Close)),
        }
    }
    Ok(None)
}

/// After the connection broke: events still count, words do not.
async fn settle<C, H>(conversation: &mut C, handler: &mut H, clock: &dyn Clock)
where
    C: Conversation + Send,
    H: Handler<C>,
{
    while let Some(output) = conversation.poll_output() {
        match output {
            Output::Send(_) | Output::StartTls => {}
            Output::Ask(question) => {
                let answer = handler.answer(question).await;
                conversation.handle_answer(answer, clock.now());
            }
            Output::Event(event) => handler.event(event).await,
            Output::Turn | Output::Close => return,
        }
    }
}

impl<'a> Link<'a> {
    /// A connection that is open; `tls` as for [`drive`].
    pub fn new(
        stream: &'a mut dyn Stream,
        tls: Option<&'a TlsEnd>,
        clock: &'a dyn Clock,
        transcript: Option<&'a dyn Transcript>,
    ) -> Self {
        Link {
            channel: Channel::Clear(stream),
            tls,
            clock,
            transcript,
            outgoing: Outgoing::default(),
            left_over: LeftOver::default(),
        }
    }

    /// Drives a conversation, as [`drive`] does. After [`Driven::Turned`] it takes another.
    pub async fn drive<C, H>(
        &mut self,
        conversation: &mut C,
        handler: &mut H,
        shutdown: tokio::sync::watch::Receiver<bool>,
    ) -> Driven
    where
        C: Conversation + Send,
        C::Question: Send,
        C::Answer: Send,
        C::Event: Send,
        H: Handler<C>,
    {
        let driven = match converse(conversation, handler, self, shutdown).await {
            Ok(Driven::Turned) => return Driven::Turned,
            Ok(driven) => driven,
            Err(error) => {
                conversation.handle_closed(self.clock.now());
                self.outgoing.clear();
                settle(conversation, handler, self.clock).await;
                Driven::Broken(error)
            }
        };
        if let Some(transcript) = self.transcript {
            transcript.closed();
        }
        driven
    }

    fn stream(&mut self) -> io::Result<&mut dyn Stream> {
        match &mut self.channel {
            Channel::Clear(stream) => Ok(&mut **stream),
            Channel::Secured(stream) => Ok(&mut **stream),
            Channel::Lost => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Says what is to be said in the clear, then shakes hands. Whoever spoke on in the clear is not
    /// heard: what we hold of it may have been put there to be taken for words said inside TLS.
    async fn start_tls(&mut self) -> Result<TlsFacts, TlsFailure> {
        let failed = |error: io::Error| TlsFailure::Handshake(error.to_string());
        if !self.left_over.is_empty() {
            self.channel = Channel::Lost;
            return Err(TlsFailure::ClearTextBehind);
        }
        let Some(end) = self.tls else {
            self.channel = Channel::Lost;
            return Err(TlsFailure::NotConfigured);
        };
        self.flush().await.map_err(failed)?;
        let Channel::Clear(stream) = std::mem::replace(&mut self.channel, Channel::Lost) else {
            return Err(TlsFailure::Handshake("the connection has TLS already".to_owned()));
        };
        let (secured, facts): (Box<dyn Stream + 'a>, _) = handshake(end, stream).await?;
        self.channel = Channel::Secured(secured);
        if let Some(transcript) = self.transcript {
            transcript.secured(&facts);
        }
        Ok(facts)
    }

    /// Gives the session what it left earlier; whether it took any.
    fn offer_left_over<C: Conversation>(&mut self, conversation: &mut C) -> bool {
        let rest = &self.left_over.octets[self.left_over.taken..];
        let taken = conversation.handle_input(rest, self.clock.now());
        if taken == rest.len() {
            // Back to nothing: an idle connection holds no buffer.
            self.left_over = LeftOver::default();
        } else {
            self.left_over.taken += taken;
        }
        taken > 0
    }

    /// Reads once, if there is something, and hands it to the session.
    ///
    /// Not inlined, so that the buffer is on the stack for this call only.
    #[inline(never)]
    fn poll_input<C: Conversation>(
        &mut self,
        conversation: &mut C,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Woken>> {
        let mut space = [const { MaybeUninit::<u8>::uninit() }; READ_OCTETS_MAX];
        let mut buffer = ReadBuf::uninit(&mut space);
        let stream = match self.stream() {
            Ok(stream) => Pin::new(stream),
            Err(error) => return Poll::Ready(Err(error)),
        };
        match stream.poll_read(cx, &mut buffer) {
            Poll::Pending => Poll::Pending,
            // TLS that was not closed properly. Mail's protocols say themselves where something ends, so
            // nothing half can be taken for whole.
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Poll::Ready(Ok(Woken::EndOfInput))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => Poll::Ready(Ok(Woken::EndOfInput)),
            Poll::Ready(Ok(())) => {
                let input = buffer.filled();
                if let Some(transcript) = self.transcript {
                    transcript.received(input);
                }
                let taken = conversation.handle_input(input, self.clock.now());
                self.left_over.octets.extend_from_slice(&input[taken..]);
                Poll::Ready(Ok(Woken::Input))
            }
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        if self.outgoing.is_empty() {
            return Ok(());
        }
        let stream: &mut dyn Stream = match &mut self.channel {
            Channel::Clear(stream) => &mut **stream,
            Channel::Secured(stream) => &mut **stream,
            Channel::Lost => return Err(io::ErrorKind::NotConnected.into()),
        };
        self.outgoing.write_to(stream, self.transcript).await
    }

    /// The last words of a role that is given away. Whoever spoke before it was given is not heard.
    async fn turn(&mut self, peer_closed: bool) -> io::Result<Driven> {
        self.flush().await?;
        match self.left_over.is_empty() && !peer_closed {
            true => Ok(Driven::Turned),
            false => Err(io::Error::new(io::ErrorKind::InvalidData, "said before the roles switched")),
        }
    }

    /// The last words, then the end: our side is closed first, and what the peer still sends is read
    /// for a moment, because closing a socket with unread input resets the connection and may take
    /// our last reply with it.
    async fn finish(&mut self) -> io::Result<()> {
        self.flush().await?;
        self.stream()?.shutdown().await?;
        if !self.left_over.is_empty() || self.discard_input().await {
            let linger = async { while self.discard_input_pending().await {} };
            // Rare, so its future is not part of every connection's.
            let _ = Box::pin(tokio::time::timeout(LINGER_MAX, linger)).await;
        }
        Ok(())
    }

    /// Throws away what has come already; whether there was any.
    async fn discard_input(&mut self) -> bool {
        poll_fn(|cx| Poll::Ready(matches!(self.poll_discard(cx), Poll::Ready(count) if count > 0))).await
    }

    /// Waits for input and throws it away, within bounds; false at its end.
    async fn discard_input_pending(&mut self) -> bool {
        let mut discarded = 0;
        while discarded < LINGER_OCTETS_MAX {
            match poll_fn(|cx| self.poll_discard(cx)).await {
                0 => return false,
                count => discarded += count,
            }
        }
        false
    }

    #[inline(never)]
    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        let mut space = [const { MaybeUninit::<u8>::uninit() }; READ_OCTETS_MAX];
        let mut buffer = ReadBuf::uninit(&mut space);
        let Ok(stream) = self.stream() else { return Poll::Ready(0) };
        Pin::new(stream).poll_read(cx, &mut buffer).map(|_| buffer.filled().len())
    }
}

/// Polls the one timer of a connection. It is not set anew for each command: when it rings before
/// the session's time has come, it is put forward then.
fn poll_alarm(
    mut alarm: Pin<&mut Sleep>,
    armed_for: &mut Option<Instant>,
    due: Option<Instant>,
    clock: &dyn Clock,
    cx: &mut Context<'_>,
) -> Poll<()> {
    let Some(due) = due else { return Poll::Pending };
    loop {
        if armed_for.is_none_or(|armed| due < armed) {
            let wait = due.saturating_duration_since(clock.now());
            alarm.as_mut().reset(tokio::time::Instant::now() + wait);
            *armed_for = Some(due);
        }
        if alarm.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        *armed_for = None;
        if clock.now() >= due {
            return Poll::Ready(());
        }
    }
}
