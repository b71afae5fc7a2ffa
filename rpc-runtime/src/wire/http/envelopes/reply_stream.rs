//! The messages of an answer and the trailers behind them, as bytes.

use std::collections::VecDeque;
use std::task::{Context as TaskContext, Poll};

use bytes::Bytes;
use http::HeaderMap;

use super::batches::Batches;
use super::encoder::Encoder;
use super::end::End;
use crate::call::{Filled, Rope};
use crate::status::Status;
use crate::wire::http::reply_body::Part;
use crate::wire::running::Replying;

/// The body of an answer.
pub(in crate::wire::http) struct ReplyStream {
    replying: Replying,
    batches: Batches,
    /// Encoded, and next to go out.
    ready: VecDeque<Bytes>,
    trailers: HeaderMap,
    /// How the call has ended, if it has.
    end: Option<Result<(), Status>>,
    write_end: End,
    /// The end was handed over.
    is_over: bool,
}

impl ReplyStream {
    pub(super) fn new(
        replying: Replying,
        encoder: Encoder,
        trailers: HeaderMap,
        write_end: End,
    ) -> Self {
        Self {
            replying,
            batches: Batches::new(encoder),
            ready: VecDeque::new(),
            trailers,
            end: None,
            write_end,
            is_over: false,
        }
    }

    /// Ends the call behind these bytes, which are all of its answer.
    pub(super) fn end_behind(&mut self, bytes: Bytes, large: Option<Rope>) {
        self.push(bytes, large);
        self.end = Some(Ok(()));
    }

    fn push(&mut self, bytes: Bytes, large: Option<Rope>) {
        if !bytes.is_empty() {
            self.ready.push_back(bytes);
        }
        self.ready.extend(large.into_iter().flatten());
    }

    /// Says whether the last part was handed over.
    pub(in crate::wire::http) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Polls for the next part; the end of the call is the last. Nothing is made ahead of what there
    /// is `room` for, but for one message.
    pub(in crate::wire::http) fn poll_part(
        &mut self,
        cx: &mut TaskContext<'_>,
        room: usize,
    ) -> Poll<Part> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Poll::Ready(Part::Data(self.write_end.encoded(bytes)));
            }
            if let Some(end) = self.end.take() {
                self.is_over = true;
                let end = end.map(|()| std::mem::take(&mut self.trailers));
                return Poll::Ready(self.write_end.part(end));
            }
            if self.fill(cx, room).is_pending() && self.ready.is_empty() {
                return Poll::Pending;
            }
        }
    }

    /// Encodes what is ready now. Pending if the stream has left the waker.
    fn fill(&mut self, cx: &mut TaskContext<'_>, room: usize) -> Poll<()> {
        match self
            .batches
            .fill(cx, room, &mut self.ready, &mut self.replying)
        {
            Filled::Full => {}
            Filled::Waiting => return Poll::Pending,
            Filled::Ended(trailers) => {
                self.trailers.extend(trailers);
                self.end = Some(self.replying.end());
            }
            Filled::Failed(status) => {
                self.replying.give_up();
                self.end = Some(Err(status));
            }
        }
        Poll::Ready(())
    }

    /// Ready when the deadline passes while the peer takes nothing, with whether the failure can
    /// still be told.
    pub(in crate::wire::http) fn poll_expired(&mut self, cx: &mut TaskContext<'_>) -> Poll<bool> {
        self.replying
            .poll_expired(cx)
            .map(|status| self.fail(status))
    }

    /// Returns the bytes that are encoded and not sent.
    pub(in crate::wire::http) fn waiting(&self) -> usize {
        self.ready.iter().map(Bytes::len).sum()
    }

    /// Ends the call with a failure in place of what was to follow. False if it cannot be told: in
    /// the middle of a body.
    pub(in crate::wire::http) fn fail(&mut self, status: Status) -> bool {
        self.replying.give_up();
        self.ready.clear();
        self.end = Some(Err(status));
        !self.write_end.dialect.ends_in_body()
    }
}
