//! The messages of a request on their way out.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Context as TaskContext, Poll};

use bytes::Bytes;
use h2::{Reason, SendStream};
use tokio::sync::oneshot;

use crate::call::{Body, Filled};
use crate::status::Status;
use crate::wire::catch_panic::catch_panic;
use crate::wire::http::envelopes::{BATCH, Batches};
use crate::wire::http::sending::{is_reset, poll_send};

/// A stream on its way out.
pub(super) struct Upload {
    pub(super) stream: SendStream<Bytes>,
    /// Encoded, and next to go out.
    pub(super) ready: VecDeque<Bytes>,
    pub(super) body: Body,
    pub(super) batches: Batches,
    /// Hears why the stream failed.
    pub(super) failed: oneshot::Sender<Status>,
}

/// Why no more is sent.
enum Stopped {
    /// The stream itself failed, or a message of it cannot be sent.
    Failed(Status),
    /// The call is over; nobody is left to tell.
    Over,
}

/// Sends a stream to its end. One that fails is never an end for the peer, but a reset.
pub(super) async fn upload(mut upload: Upload) {
    let sent = catch_panic("the stream of the call", upload.send_all()).await;
    match sent.unwrap_or_else(|status| Err(Stopped::Failed(status))) {
        Ok(()) => {
            let _ = upload.stream.send_data(Bytes::new(), true);
        }
        Err(Stopped::Over) => {}
        Err(Stopped::Failed(status)) => {
            let _ = upload.failed.send(status);
            upload.stream.send_reset(Reason::CANCEL);
        }
    }
}

impl Upload {
    async fn send_all(&mut self) -> Result<(), Stopped> {
        loop {
            while let Some(mut chunk) = self.ready.pop_front() {
                let stream = &mut self.stream;
                while !chunk.is_empty() {
                    let sent = poll_fn(|cx| poll_send(stream, &mut chunk, false, cx)).await;
                    if !matches!(sent, Ok(false)) {
                        return Err(Stopped::Over);
                    }
                }
            }
            if poll_fn(|cx| self.poll_fill(cx)).await? {
                return Ok(());
            }
        }
    }

    /// Encodes what is ready now. True at the end of the stream.
    fn poll_fill(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<bool, Stopped>> {
        if is_reset(&mut self.stream) {
            return Poll::Ready(Err(Stopped::Over));
        }
        // Nothing is made ahead of what there is room for, but for one message.
        self.stream.reserve_capacity(BATCH);
        let room = self.stream.capacity();
        match self.batches.fill(cx, room, &mut self.ready, &mut self.body) {
            Filled::Failed(status) => Poll::Ready(Err(Stopped::Failed(status))),
            // Metadata behind a request means nothing in gRPC.
            Filled::Ended(_) if self.ready.is_empty() => Poll::Ready(Ok(true)),
            Filled::Waiting if self.ready.is_empty() => {
                // Room that is held back is missed by others.
                self.stream.reserve_capacity(0);
                self.stream.poll_reset(cx).map(|_| Err(Stopped::Over))
            }
            // Asked again, a body that has ended says so again.
            _ => Poll::Ready(Ok(false)),
        }
    }
}
