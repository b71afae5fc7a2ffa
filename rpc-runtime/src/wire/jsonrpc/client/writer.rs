//! Who writes what is queued: the caller, at once, while its call is the only one; else the task of the
//! connection, for all of them together.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context as TaskContext, Poll, Waker, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncWrite, WriteHalf};

use super::calls::Calls;
use crate::transport::Io;

/// The writing half of a connection, until it is closed.
#[derive(Default)]
pub(super) struct Writer(Mutex<Option<Writing>>);

struct Writing {
    io: WriteHalf<Io>,
    /// What was taken of the queue and not written.
    out: BytesMut,
    is_flushed: bool,
}

impl Writer {
    fn lock(&self) -> MutexGuard<'_, Option<Writing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn open(&self, io: WriteHalf<Io>) {
        *self.lock() = Some(Writing {
            io,
            out: BytesMut::new(),
            is_flushed: true,
        });
    }

    pub(super) fn close(&self) {
        *self.lock() = None;
    }

    /// Writes what is queued, if that is possible now. False leaves it to the task of the connection.
    pub(super) fn write_at_once(&self, calls: &Calls) -> bool {
        let mut writing = match self.0.try_lock() {
            Ok(writing) => writing,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        // What has to wait is polled again by the task, with a waker of its own.
        let mut cx = TaskContext::from_waker(Waker::noop());
        let written = writing.as_mut().map(|it| it.poll_write(calls, &mut cx));
        matches!(written, Some(Poll::Ready(Ok(_))))
    }

    /// Writes what is queued, and says whether that was anything.
    pub(super) async fn write(&self, calls: &Calls) -> io::Result<bool> {
        poll_fn(|cx| match &mut *self.lock() {
            Some(writing) => writing.poll_write(calls, cx),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        })
        .await
    }

    pub(super) async fn shutdown(&self) {
        poll_fn(|cx| match &mut *self.lock() {
            // The peer is gone, if it fails.
            Some(writing) => Pin::new(&mut writing.io).poll_shutdown(cx).map(drop),
            None => Poll::Ready(()),
        })
        .await;
    }
}

impl Writing {
    fn poll_write(&mut self, calls: &Calls, cx: &mut TaskContext<'_>) -> Poll<io::Result<bool>> {
        if self.out.is_empty() && self.is_flushed {
            self.out = calls.take_out();
            if self.out.is_empty() {
                return Poll::Ready(Ok(false));
            }
            self.is_flushed = false;
        }
        while !self.out.is_empty() {
            let written = ready!(Pin::new(&mut self.io).poll_write(cx, &self.out))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.out.advance(written);
        }
        ready!(Pin::new(&mut self.io).poll_flush(cx))?;
        self.is_flushed = true;
        Poll::Ready(Ok(true))
    }
}
