//! Whether a peer takes something of what a byte stream holds.
//!
//! One that carries messages takes all of a message before any of it leaves: whoever writes into it sees
//! nothing move until the whole of it is out, however long the peer takes for that.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::transport::Io;

/// What such a byte stream tells; an extension of its [`Io`].
#[derive(Clone, Default)]
pub(crate) struct Progress(Arc<AtomicUsize>);

impl Progress {
    /// Says that the peer has taken something that was stuck.
    pub(crate) fn made(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Whoever looks at that.
#[derive(Default)]
pub(crate) struct Watch {
    progress: Option<Progress>,
    seen: usize,
}

impl Watch {
    /// Looks at a byte stream, which may have nothing to tell.
    pub(crate) fn new(io: &Io) -> Self {
        Self {
            progress: io.extension().cloned(),
            seen: 0,
        }
    }

    /// Says whether the peer has taken something since this was asked last.
    pub(crate) fn has_moved(&mut self) -> bool {
        let Some(Progress(made)) = &self.progress else {
            return false;
        };
        let made = made.load(Ordering::Relaxed);
        std::mem::replace(&mut self.seen, made) != made
    }
}

/// Such a byte stream, for tests of who looks at it.
#[cfg(test)]
pub(crate) mod holding {
    use std::io;
    use std::pin::Pin;
    use std::task::{Context as TaskContext, Poll, ready};

    use bytes::{Buf, BytesMut};
    use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

    use super::{Io, Progress};

    struct Holding {
        io: DuplexStream,
        held: BytesMut,
        progress: Progress,
    }

    /// Makes one of a byte stream.
    pub(crate) fn open(io: DuplexStream) -> Io {
        let progress = Progress::default();
        let holding = Holding {
            io,
            held: BytesMut::new(),
            progress: progress.clone(),
        };
        Io::new(holding).with_extension(progress)
    }

    impl AsyncRead for Holding {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut TaskContext<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut self.io).poll_read(cx, buffer)
        }
    }

    impl AsyncWrite for Holding {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut TaskContext<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.held.extend_from_slice(bytes);
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
            let this = &mut *self;
            while !this.held.is_empty() {
                let written = ready!(Pin::new(&mut this.io).poll_write(cx, &this.held))?;
                this.held.advance(written);
                this.progress.made();
            }
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(
            mut self: Pin<&mut Self>,
            cx: &mut TaskContext<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut self.io).poll_shutdown(cx)
        }
    }
}
