//! A stream that gives up on a peer that neither sends nor takes anything for too long.

use posta_runtime::Stream;
use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

/// See the module.
pub(crate) struct Patient<'a> {
    stream: Box<dyn Stream + 'a>,
    limit: Duration,
    end: Pin<Box<Sleep>>,
}

impl<'a> Patient<'a> {
    pub(crate) fn new(stream: Box<dyn Stream + 'a>, limit: Duration) -> Self {
        Patient { stream, limit, end: Box::pin(sleep(limit)) }
    }

    /// Octets moved: the waiting begins anew. Nothing moved: has it lasted too long?
    fn judge<T>(&mut self, context: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            let end = Instant::now() + self.limit;
            self.end.as_mut().reset(end);
            return polled;
        }
        match self.end.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Patient<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.judge(context, polled)
    }
}

impl AsyncWrite for Patient<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, octets);
        self.judge(context, polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Flushing nothing is always ready and is no sign of life.
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn a_silent_peer_is_given_up_and_a_slow_one_is_not() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let mut patient = Patient::new(Box::new(ours), Duration::from_millis(400));
        let mut octet = [0];
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
            theirs.write_all(b"x").await.expect("sent");
            patient.read_exact(&mut octet).await.expect("read");
        }
        let error = patient.read_exact(&mut octet).await.expect_err("silence");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
