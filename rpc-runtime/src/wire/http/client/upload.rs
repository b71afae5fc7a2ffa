//! The messages of a request on their way out.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Context as TaskContext, Poll};

use bytes::{Bytes, BytesMut};
use h2::{Reason, SendStream};
use tokio::sync::oneshot;

use crate::call::{Body, BodyFrame};
use crate::status::Status;
use crate::wire::catch_panic::catch_panic;
use crate::wire::http::envelopes::BATCH;
use crate::wire::http::envelopes::frame::Encoder;
use crate::wire::http::http2::poll_send;

/// A stream on its way out.
pub(super) struct Upload {
    pub(super) stream: SendStream<Bytes>,
    /// Encoded, and next to go out.
    pub(super) ready: VecDeque<Bytes>,
    pub(super) body: Body,
    pub(super) encoder: Encoder,
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
        if self.stream.poll_reset(cx).is_ready() {
            return Poll::Ready(Err(Stopped::Over));
        }
        // Nothing is made ahead of what there is room for, but for one message.
        self.stream.reserve_capacity(BATCH);
        let room = self.stream.capacity().min(BATCH);
        let mut out = BytesMut::new();
        while out.is_empty() || out.len() < room {
            let Poll::Ready(frame) = self.body.poll_frame(cx) else {
                if !out.is_empty() {
                    break;
                }
                // Room that is held back is missed by others.
                self.stream.reserve_capacity(0);
                return Poll::Pending;
            };
            match frame.transpose().map_err(Stopped::Failed)? {
                Some(BodyFrame::Message(message)) => {
                    let put = self.encoder.put(message, &mut out);
                    if let Some(large) = put.map_err(Stopped::Failed)? {
                        self.ready.push_back(out.split().freeze());
                        self.ready.extend(large);
                        return Poll::Ready(Ok(false));
                    }
                }
                // Metadata behind a request means nothing in gRPC.
                Some(BodyFrame::Trailers(_)) => {}
                None if out.is_empty() => return Poll::Ready(Ok(true)),
                // Asked again, the body says so again.
                None => break,
            }
        }
        self.ready.push_back(out.freeze());
        Poll::Ready(Ok(false))
    }
}
