//! A handle to HTTP/2 that many callers share: one of its own for each call would have to be
//! counted under the lock that the connection works under.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll, Waker};

use bytes::Bytes;
use h2::SendStream;
use h2::client::{ResponseFuture, SendRequest};

pub(super) struct Handle(Mutex<SendRequest<Bytes>>);

impl Handle {
    pub(super) fn new(http2: SendRequest<Bytes>) -> Self {
        Self(Mutex::new(http2))
    }

    fn lock(&self) -> MutexGuard<'_, SendRequest<Bytes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a handle of its own, for who outlives this one.
    pub(super) fn own(&self) -> Self {
        Self::new(self.lock().clone())
    }

    /// Returns whether requests can begin: not from the peer's GOAWAY on.
    pub(super) fn is_open(&self) -> bool {
        let mut cx = TaskContext::from_waker(Waker::noop());
        !matches!(self.lock().poll_ready(&mut cx), Poll::Ready(Err(_)))
    }

    /// Begins a request, whose head `is_all` of it or is followed by a body.
    ///
    /// # Errors
    ///
    /// A connection that takes no new requests.
    pub(super) fn send(
        &self,
        head: http::Request<()>,
        is_all: bool,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        let mut http2 = self.lock();
        let sent = http2.send_request(head, is_all);
        // A handle holds on to a request that waits until it may be sent, which then could not be
        // cancelled.
        let mut cx = TaskContext::from_waker(Waker::noop());
        if http2.poll_ready(&mut cx).is_pending() {
            let other = http2.clone();
            *http2 = other;
        }
        sent
    }
}
