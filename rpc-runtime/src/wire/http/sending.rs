//! Bodies on their way out over HTTP/2.

use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker, ready};

use bytes::{Buf, Bytes};
use h2::{Reason, SendStream};

use super::backlog::{Backlog, Counted, Waiting};
use super::envelopes::BATCH;
use super::reply_body::{Part, ReplyBody};
use crate::wire::incomplete::Held;

/// A body on its way out, as fast as its peer takes it.
pub(super) struct Sending {
    stream: SendStream<Counted>,
    body: ReplyBody,
    /// What the peer has given no room for yet.
    chunk: Bytes,
    /// It is about as long as what is made at once, and more will be behind it. The connection's
    /// task has its turn first, or it would write only when the peer's window is full, and the peer
    /// would have nothing to do until then.
    is_long: bool,
    /// Counts that, so that a peer that asks and does not read cannot fill the memory.
    held: Held,
    /// What the connection is still to write. While that is too much, nothing more is made for it.
    backlog: Arc<Backlog>,
    waiting: Waiting,
    /// What follows is only why the call failed.
    has_failed: bool,
}

impl Sending {
    pub(super) fn new(
        stream: SendStream<Counted>,
        body: ReplyBody,
        held: Held,
        backlog: Arc<Backlog>,
    ) -> Self {
        Self {
            stream,
            body,
            chunk: Bytes::new(),
            is_long: false,
            held,
            backlog,
            waiting: None,
            has_failed: false,
        }
    }

    /// Ready when the body was handed over, or the peer does not want it any more.
    pub(super) fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        loop {
            if is_reset(&mut self.stream) {
                return Poll::Ready(());
            }
            if ready!(self.poll_room(cx)) {
                return Poll::Ready(());
            }
            if !self.chunk.is_empty() {
                if ready!(self.poll_chunk(cx)) {
                    return Poll::Ready(());
                }
                continue;
            }
            self.held.clear();
            // Asked for only as long as the body is: room that is held back is missed by others.
            self.stream.reserve_capacity(BATCH);
            let Poll::Ready(part) = self.body.poll_part(cx, self.stream.capacity()) else {
                self.stream.reserve_capacity(0);
                return self.stream.poll_reset(cx).map(|_| ());
            };
            match part {
                Some(Part::Data(bytes)) => {
                    self.is_long = bytes.len() >= BATCH / 2;
                    self.chunk = bytes;
                }
                Some(Part::Trailers(trailers)) => {
                    let _ = self.stream.send_trailers(trailers);
                    return Poll::Ready(());
                }
                None => {
                    let _ = self.stream.send_data(Counted::nothing(), true);
                    return Poll::Ready(());
                }
            }
        }
    }

    /// Waits while the connection has too much to write. True if the stream has ended.
    fn poll_room(&mut self, cx: &mut TaskContext<'_>) -> Poll<bool> {
        if self.has_failed || self.backlog.poll_room(&mut self.waiting, cx).is_ready() {
            return Poll::Ready(false);
        }
        self.stream.reserve_capacity(0);
        match self.poll_given_up(cx) {
            Poll::Pending => self.stream.poll_reset(cx).map(|_| true),
            given_up => given_up,
        }
    }

    /// Hands over what there is room for of the chunk. True if the stream has ended.
    fn poll_chunk(&mut self, cx: &mut TaskContext<'_>) -> Poll<bool> {
        let Poll::Ready(piece) = poll_piece(&mut self.stream, &mut self.chunk, cx) else {
            return self.poll_given_up(cx);
        };
        let Ok(Some(piece)) = piece else {
            return Poll::Ready(true);
        };
        let ends = self.chunk.is_empty() && self.body.is_end();
        let sent = self
            .stream
            .send_data(Arc::clone(&self.backlog).count(piece), ends);
        if ends || sent.is_err() {
            return Poll::Ready(true);
        }
        if self.chunk.is_empty() && std::mem::take(&mut self.is_long) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(false)
    }

    /// Ready when the peer has taken nothing for so long that the chunk is given up: there is no room
    /// for it any more, or the call's deadline has passed. True if the stream has ended with that.
    fn poll_given_up(&mut self, cx: &mut TaskContext<'_>) -> Poll<bool> {
        let waiting = self.chunk.len() + self.body.waiting();
        let (can_say_so, reason) = match self.held.set(waiting) {
            Err(status) => (self.body.fail(status), Reason::ENHANCE_YOUR_CALM),
            Ok(()) => (ready!(self.body.poll_expired(cx)), Reason::CANCEL),
        };
        self.chunk.clear();
        self.has_failed = true;
        if !can_say_so {
            self.stream.send_reset(reason);
        }
        Poll::Ready(!can_say_so)
    }
}

/// Says whether the peer does not want a stream any more. Whoever waits to hear of that has to ask
/// again, and last: a stream that asks for room wakes them, if it gets some.
pub(super) fn is_reset<B: Buf>(stream: &mut SendStream<B>) -> bool {
    let mut cx = TaskContext::from_waker(Waker::noop());
    stream.poll_reset(&mut cx).is_ready()
}

/// Hands over what there is room for of a chunk, which is the `last` one or not. True if the
/// stream has ended.
pub(super) fn poll_send(
    stream: &mut SendStream<Bytes>,
    chunk: &mut Bytes,
    last: bool,
    cx: &mut TaskContext<'_>,
) -> Poll<Result<bool, h2::Error>> {
    let Some(piece) = ready!(poll_piece(stream, chunk, cx))? else {
        return Poll::Ready(Ok(true));
    };
    let end = chunk.is_empty() && last;
    stream.send_data(piece, end)?;
    Poll::Ready(Ok(end))
}

/// Takes as much of a chunk as there is room for with the peer; `None` if the stream has ended.
fn poll_piece<B: Buf>(
    stream: &mut SendStream<B>,
    chunk: &mut Bytes,
    cx: &mut TaskContext<'_>,
) -> Poll<Result<Option<Bytes>, h2::Error>> {
    while stream.capacity() == 0 {
        stream.reserve_capacity(chunk.len());
        match ready!(stream.poll_capacity(cx)) {
            Some(Ok(_)) => {}
            Some(Err(error)) => return Poll::Ready(Err(error)),
            None => return Poll::Ready(Ok(None)),
        }
    }
    let length = stream.capacity().min(chunk.len());
    Poll::Ready(Ok(Some(chunk.split_to(length))))
}
