//! The ends of a link, as byte streams.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::link::{Shared, lock, tell};
use crate::call::deadline_after;

/// Reads what arrives.
pub(super) struct Reader {
    link: Shared,
    direction: usize,
    timer: Pin<Box<Sleep>>,
}

impl Reader {
    pub(super) fn new(link: Shared, direction: usize, now: Instant) -> Self {
        let timer = Box::pin(sleep_until(now));
        Self {
            link,
            direction,
            timer,
        }
    }
}

impl AsyncRead for Reader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            let mut link = lock(&this.link);
            if link.reset {
                return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
            }
            let pipe = &mut link.pipes[this.direction];
            // Kept also while a chunk is on its way: a reset does not wait for it.
            pipe.reader = Some(cx.waker().clone());
            let now = Instant::now();
            let Some((arrival, chunk)) = pipe.chunks.front_mut() else {
                if pipe.ended && !pipe.silent {
                    return Poll::Ready(Ok(()));
                }
                return Poll::Pending;
            };
            let ready_at = (*arrival).max(pipe.read_again);
            if ready_at > now {
                drop(link);
                this.timer.as_mut().reset(ready_at);
                ready!(this.timer.as_mut().poll(cx));
                continue;
            }
            let length = chunk.len().min(buffer.remaining());
            let bytes: Vec<u8> = chunk.drain(..length).collect();
            buffer.put_slice(&bytes);
            if chunk.is_empty() {
                pipe.chunks.pop_front();
            }
            pipe.on_the_way -= length;
            pipe.read_again = deadline_after(now, pipe.settings.pause);
            if let Some(writer) = pipe.writer.take() {
                writer.wake();
            }
            return Poll::Ready(Ok(()));
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut link = lock(&self.link);
        let pipe = &mut link.pipes[self.direction];
        pipe.reader_gone = true;
        pipe.chunks.clear();
        pipe.wake();
    }
}

/// Sends.
pub(super) struct Writer {
    link: Shared,
    direction: usize,
}

impl Writer {
    pub(super) fn new(link: Shared, direction: usize) -> Self {
        Self { link, direction }
    }

    fn end(&self) {
        let mut link = lock(&self.link);
        let pipe = &mut link.pipes[self.direction];
        pipe.ended = true;
        pipe.wake();
    }
}

impl AsyncWrite for Writer {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut link = lock(&self.link);
        if link.reset {
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        }
        let pipe = &mut link.pipes[self.direction];
        if !pipe.silent && (pipe.ended || pipe.reader_gone) {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if let Some(length) = link.write(self.direction, bytes) {
            drop(link);
            tell(&self.link);
            return Poll::Ready(Ok(length));
        }
        link.pipes[self.direction].writer = Some(cx.waker().clone());
        Poll::Pending
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Waits for room, as a stream must that says goodbye in bytes of its own.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut link = lock(&self.link);
        let reset = link.reset;
        let pipe = &mut link.pipes[self.direction];
        let full = pipe.on_the_way >= pipe.settings.capacity;
        if full && !reset && !pipe.ended && !pipe.reader_gone {
            pipe.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        drop(link);
        self.end();
        Poll::Ready(Ok(()))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.end();
    }
}
