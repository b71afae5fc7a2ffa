//! A byte stream whose beginning may have been read already, and that notes when bytes came.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as TaskContext, Poll};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::transport::Io;

/// When bytes came last.
#[derive(Clone, Debug)]
pub(super) struct LastRead(Arc<Mutex<Instant>>);

impl LastRead {
    fn now() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    pub(super) fn get(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

/// Reads first what was received while the wire was detected.
pub(super) struct Prefixed {
    received: Bytes,
    io: Io,
    last_read: LastRead,
}

impl Prefixed {
    pub(super) fn new(received: Bytes, io: Io) -> Self {
        Self {
            received,
            io,
            last_read: LastRead::now(),
        }
    }

    /// Gives the stream back, and what was received of it and not read.
    #[cfg(feature = "websocket")]
    pub(super) fn into_parts(self) -> (Bytes, Io) {
        (self.received, self.io)
    }

    pub(super) fn last_read(&self) -> LastRead {
        self.last_read.clone()
    }
}

impl AsyncRead for Prefixed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.received.is_empty() {
            let polled = Pin::new(&mut self.io).poll_read(cx, buffer);
            if polled.is_ready() {
                self.last_read.set();
            }
            return polled;
        }
        let length = self.received.len().min(buffer.remaining());
        buffer.put_slice(self.received.get(..length).unwrap_or_default());
        self.received.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Prefixed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
