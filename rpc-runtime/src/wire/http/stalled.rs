//! A byte stream that breaks when its peer takes nothing for too long. HTTP/1.1 needs it, where
//! nobody can be pinged, and a body that cannot be written is not asked for its deadline.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::head_time::HeadTime;
use super::prefixed::Prefixed;
use crate::call::deadline_after;
use crate::wire::incomplete::Patience;

pub(super) struct Stalled {
    io: Prefixed,
    limit: Duration,
    /// When the time is over, while a write waits.
    timer: Option<Pin<Box<Sleep>>>,
    /// How slowly what waits may be taken.
    patience: Patience,
    /// How long the heads of requests may take, at a server.
    heads: Option<HeadTime>,
}

impl Stalled {
    /// Bounds how long a write may wait before the peer takes a byte, and how slowly it may take what
    /// waits: as fast as it must send itself.
    pub(super) fn new(io: Prefixed, limit: Duration, message_timeout: Duration) -> Self {
        Self {
            io,
            limit,
            timer: None,
            patience: Patience::new(message_timeout),
            heads: None,
        }
    }

    /// Bounds also how long each request may take to begin.
    pub(super) fn with_heads(self, heads: HeadTime) -> Self {
        let heads = Some(heads);
        Self { heads, ..self }
    }

    /// Returns the byte stream without the bound.
    #[cfg(feature = "websocket")]
    pub(super) fn into_inner(self) -> Prefixed {
        self.io
    }

    fn wrote(
        &mut self,
        written: Poll<io::Result<usize>>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = &written {
            self.patience.came(*bytes);
        }
        self.bound(written, cx)
    }

    fn bound<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.timer = None;
            return written;
        }
        self.patience.begin();
        if self.patience.poll_over(cx).is_ready() {
            let text = "the peer takes what is sent too slowly for `message_timeout`";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, text)));
        }
        let limit = self.limit;
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(deadline_after(Instant::now(), limit))));
        ready!(timer.as_mut().poll(cx));
        let text = "the peer took nothing for `keepalive_timeout`";
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, text)))
    }
}

impl AsyncRead for Stalled {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.io).poll_read(cx, buffer);
        match &mut self.heads {
            Some(heads) => heads.bound(read, cx),
            None => read,
        }
    }
}

impl AsyncWrite for Stalled {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.wrote(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, slices);
        self.wrote(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        if flushed.is_ready() {
            // It comes when nothing waits any more.
            self.patience.end();
        }
        self.bound(flushed, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        // TLS has a last word, which must be taken too.
        let shut = Pin::new(&mut self.io).poll_shutdown(cx);
        self.bound(shut, cx)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tokio::io::AsyncWriteExt;
    use tokio::time::timeout;

    use super::*;
    use crate::transport::Io;

    /// A stream whose peer takes everything but the end.
    struct Endless;

    impl AsyncRead for Endless {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut TaskContext<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl AsyncWrite for Endless {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut TaskContext<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_no_last_word_is_not_waited_for() {
        let io = Prefixed::new(Bytes::new(), Io::new(Endless));
        let limit = Duration::from_secs(20);
        let mut stalled = Stalled::new(io, limit, Duration::from_secs(30));
        let began = Instant::now();
        stalled.write_all(b"answer").await.unwrap();
        let ended = timeout(Duration::from_secs(60), stalled.shutdown()).await;
        let error = ended.expect("it ends").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), limit.as_secs());
    }
}
