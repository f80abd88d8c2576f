//! What is to be sent, gathered so that it leaves in few system calls.

use crate::{
    Stream, Transcript,
    limits::{GATHER_PIECES_MAX, WRITE_STALL_MAX},
};
use bytes::{Buf, Bytes};
use std::{
    collections::VecDeque,
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

/// Pieces that wait to be written, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    pieces: VecDeque<Bytes>,
    octets: usize,
}

impl Outgoing {
    pub(crate) fn push(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.octets += piece.len();
            self.pieces.push_back(piece);
        }
    }

    pub(crate) fn octets(&self) -> usize {
        self.octets
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.octets == 0
    }

    pub(crate) fn clear(&mut self) {
        *self = Outgoing::default();
    }

    /// Writes all of it. A peer that takes nothing for [`WRITE_STALL_MAX`] is given up.
    pub(crate) async fn write_to(
        &mut self,
        stream: &mut dyn Stream,
        transcript: Option<&dyn Transcript>,
    ) -> io::Result<()> {
        if let Some(transcript) = transcript {
            self.pieces.iter().for_each(|piece| transcript.sent(piece));
        }
        while !self.is_empty() {
            let at_once = poll_fn(|cx| Poll::Ready(self.poll_write(stream, cx))).await;
            match at_once {
                Poll::Ready(result) => result?,
                // The peer is slow: only now is a timer worth having, and it is boxed, because most
                // connections never need it.
                Poll::Pending => Box::pin(self.write_with_limit(stream)).await?,
            }
        }
        // Plain sockets keep nothing back, wrapped ones (TLS) may.
        poll_fn(|cx| Pin::new(&mut *stream).poll_flush(cx)).await?;
        // An idle connection holds no buffer.
        if self.pieces.capacity() > GATHER_PIECES_MAX {
            self.pieces = VecDeque::new();
        }
        Ok(())
    }

    async fn write_with_limit(&mut self, stream: &mut dyn Stream) -> io::Result<()> {
        let progress = poll_fn(|cx| self.poll_write(stream, cx));
        match tokio::time::timeout(WRITE_STALL_MAX, progress).await {
            Ok(result) => result,
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the peer takes no data")),
        }
    }

    fn poll_write(&mut self, stream: &mut dyn Stream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut slices = [IoSlice::new(&[]); GATHER_PIECES_MAX];
        let mut count = 0;
        for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
            *slice = IoSlice::new(piece);
            count += 1;
        }
        let stream: Pin<&mut dyn Stream> = Pin::new(stream);
        let written = match count {
            1 => stream.poll_write(cx, &slices[0]),
            _ => stream.poll_write_vectored(cx, &slices[..count]),
        };
        match written {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Poll::Ready(Ok(count)) => {
                self.advance(count);
                Poll::Ready(Ok(()))
            }
        }
    }

    fn advance(&mut self, mut count: usize) {
        self.octets -= count;
        while let Some(first) = self.pieces.front_mut() {
            if first.len() > count {
                first.advance(count);
                return;
            }
            count -= first.len();
            self.pieces.pop_front();
        }
    }
}
