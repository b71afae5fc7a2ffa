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
use crate::wire::progress::Watch;

/// The writing half of a connection, until it is closed.
#[derive(Default)]
pub(super) struct Writer(Mutex<Option<Writing>>);

struct Writing {
    io: WriteHalf<Io>,
    /// What was taken of the queue and not written.
    out: BytesMut,
    is_flushed: bool,
    watch: Watch,
}

impl Writer {
    fn lock(&self) -> MutexGuard<'_, Option<Writing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn open(&self, io: WriteHalf<Io>, watch: Watch) {
        *self.lock() = Some(Writing {
            io,
            out: BytesMut::new(),
            is_flushed: true,
            watch,
        });
    }

    pub(super) fn close(&self) {
        *self.lock() = None;
    }

    /// Writes what is queued, if that is possible now. False leaves it to the task of the connection,
    /// which must be woken.
    pub(super) fn write_at_once(&self, calls: &Calls) -> bool {
        let mut writing = match self.0.try_lock() {
            Ok(writing) => writing,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        let Some(writing) = writing.as_mut() else {
            return false;
        };
        // The task waits until it can go on with what it took before, and then takes the queue. It
        // would not be woken any more if the waker here took the place of its own.
        if writing.has_begun() {
            return true;
        }
        // What has to wait is polled again by the task, with a waker of its own.
        let mut cx = TaskContext::from_waker(Waker::noop());
        let written = writing.poll_write(calls, &mut cx);
        matches!(written, Poll::Ready(Ok(_))) && !writing.has_begun()
    }

    /// Writes what is queued, or a part of it, and says whether that was anything.
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
    /// Says whether something was taken of the queue and is not out.
    fn has_begun(&self) -> bool {
        !self.out.is_empty() || !self.is_flushed
    }

    /// Ready with each part that goes out, as whoever waits only waits for so long for one.
    fn poll_write(&mut self, calls: &Calls, cx: &mut TaskContext<'_>) -> Poll<io::Result<bool>> {
        if !self.has_begun() {
            self.out = calls.take_out();
            if self.out.is_empty() {
                return Poll::Ready(Ok(false));
            }
            self.is_flushed = false;
        }
        let before = self.out.len();
        let written = self.poll_out(cx);
        if written.is_pending() && (self.watch.has_moved() || self.out.len() < before) {
            return Poll::Ready(Ok(true));
        }
        written.map_ok(|()| true)
    }

    fn poll_out(&mut self, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            let written = ready!(Pin::new(&mut self.io).poll_write(cx, &self.out))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.out.advance(written);
        }
        ready!(Pin::new(&mut self.io).poll_flush(cx))?;
        self.is_flushed = true;
        Poll::Ready(Ok(()))
    }
}
