//! Sending a stream: as fast as the peer gives credit and the connection takes bytes.

use std::cell::RefCell;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use bytes::BytesMut;
use http::HeaderMap;

use super::calls::{PeersCall, Sending};
use super::connection::{Role, Shared};
use super::field::{put_metadata, put_varint};
use super::frame::{Flags, FrameHeader, FrameType, HEADER_LENGTH, begin_frame, finish_frame};
use super::inbox::{MESSAGE_OVERHEAD, cost, too_large};
use super::outgoing::{Body as OutBody, Parts};
use super::room::Wanted;
use super::state::State;
use crate::call::{Batch, BatchBounds, Body, BodyFrame, Filled, Message, Prefix, Rope};
use crate::codec::{Encoding, Pieces};
use crate::status::Status;

thread_local! {
    /// Where small messages are encoded before they are appended under a lock.
    static SCRATCH: RefCell<BytesMut> = RefCell::new(BytesMut::new());
}

/// The most memory that a thread keeps for the next message.
const KEEP_SCRATCH: usize = 64 << 10;

/// From here on an encoded message is handed over instead of being copied.
const HAND_OVER: usize = 16 << 10;

/// About how much of a stream is encoded before it is queued and others get their turn.
const BATCH: usize = 32 << 10;

// A message costs as much credit as its frame has bytes, so that a batch can count only those.
const _: () = assert!(MESSAGE_OVERHEAD == HEADER_LENGTH as i64);

/// Lends a cleared buffer that lives as long as the thread.
pub(super) fn with_scratch<T>(use_it: impl FnOnce(&mut BytesMut) -> T) -> T {
    // Taken out, not borrowed: a value's own `Serialize` may do anything, also another call.
    let mut scratch = SCRATCH.take();
    scratch.clear();
    let result = use_it(&mut scratch);
    if scratch.capacity() <= KEEP_SCRATCH {
        SCRATCH.set(scratch);
    }
    result
}

/// Encodes a message behind what `scratch` holds already; a large one comes out on its own.
pub(super) fn encode_behind(
    message: &mut Message,
    encoding: Encoding,
    scratch: &mut BytesMut,
) -> Result<Option<Rope>, Status> {
    if let Some(bytes) = message.as_bytes()
        && bytes.len() >= HAND_OVER
    {
        return Ok(Some(bytes.clone().into()));
    }
    let head = scratch.len();
    let mut pieces = Pieces::default();
    message.encode_into(encoding, scratch, &mut pieces)?;
    if !pieces.is_empty() {
        return Ok(Some(Rope::of(scratch, head, pieces)));
    }
    if scratch.len() - head < HAND_OVER {
        return Ok(None);
    }
    Ok(Some(scratch.split_off(head).freeze().into()))
}

/// Whose call a stream belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    /// Ours: the stream is an upload.
    Ours,
    /// The peer's: the stream is its answer.
    Peers,
}

/// One stream on its way out.
pub(super) struct Sender {
    pub(super) shared: Arc<Shared>,
    pub(super) call: u64,
    pub(super) side: Side,
    pub(super) encoding: Encoding,
    /// The room that the last message took: the next one is taken to be like it.
    pub(super) wants: Wanted,
}

/// How the next messages are sent.
enum Next {
    /// Those that are in the batch; a panic of the stream is passed on behind them.
    Batch(std::thread::Result<Filled>),
    /// The next one is made, and then waits for credit or room.
    Message,
}

/// Why a stream was not sent to its end.
pub(super) enum Stopped {
    /// The stream itself failed.
    Failed(Status),
    /// A message of it cannot be sent.
    Unsendable(Status),
    /// The call is over; nobody is left to tell.
    Over,
}

impl Sender {
    /// Sends every message, and returns the trailers.
    pub(super) async fn send_all(&mut self, body: &mut Body) -> Result<HeaderMap, Stopped> {
        let header = FrameHeader::new(FrameType::MESSAGE, Flags::NONE, self.call);
        let mut batch = Batch::new(self.encoding, Prefix::LengthFirst(header.to_bytes()))
            .telling_skips(put_skipped, self.call);
        loop {
            match poll_fn(|cx| self.poll_fill(cx, body, &mut batch)).await? {
                Next::Batch(filled) => {
                    if let Some(trailers) = self.send_batch(&mut batch, filled).await? {
                        return Ok(trailers);
                    }
                }
                Next::Message => match body.frame().await.transpose() {
                    Err(status) => return Err(Stopped::Failed(status)),
                    Ok(None) => return Ok(HeaderMap::new()),
                    Ok(Some(BodyFrame::Message(message))) => self.send(message).await?,
                    Ok(Some(BodyFrame::Trailers(trailers))) => return Ok(trailers),
                },
            }
        }
    }

    /// Fills a batch with what is ready now.
    fn poll_fill(
        &self,
        cx: &mut TaskContext<'_>,
        body: &mut Body,
        batch: &mut Batch,
    ) -> Poll<Result<Next, Stopped>> {
        let bounds = match self.bounds() {
            Ok(Some(bounds)) => bounds,
            Ok(None) => return Poll::Ready(Ok(Next::Message)),
            Err(stopped) => return Poll::Ready(Err(stopped)),
        };
        batch.begin(bounds);
        let filled = catch_unwind(AssertUnwindSafe(|| body.poll_batch(cx, batch)));
        if matches!(filled, Ok(Filled::Waiting)) && batch.is_empty() {
            return Poll::Pending;
        }
        Poll::Ready(Ok(Next::Batch(filled)))
    }

    /// Says how much may be sent now; nothing without credit or room.
    fn bounds(&self) -> Result<Option<BatchBounds>, Stopped> {
        let mut state = self.shared.state();
        let limits = &self.shared.config.limits;
        let has_room = self.wants.fits(&state.outgoing, limits);
        let small = state.outgoing.small_len();
        let large = HAND_OVER.min(max_length(&self.shared).0.saturating_add(1));
        let credit = self.sending(&mut state).ok_or(Stopped::Over)?.credit;
        if credit <= 0 || !has_room {
            return Ok(None);
        }
        let credit = usize::try_from(credit).unwrap_or(usize::MAX);
        let room = limits.max_outgoing.saturating_sub(small).saturating_add(1);
        let length = BATCH.min(credit).min(room);
        Ok(Some(BatchBounds { length, large }))
    }

    /// Sends what is in a batch, and does what the stream has come to behind it.
    async fn send_batch(
        &mut self,
        batch: &mut Batch,
        filled: std::thread::Result<Filled>,
    ) -> Result<Option<HeaderMap>, Stopped> {
        // What comes to its end leaves together with the end.
        let goes_on = matches!(filled, Ok(Filled::Full | Filled::Waiting));
        self.push_batch(batch, goes_on)?;
        if let Some(status) = batch.take_failure() {
            return Err(Stopped::Unsendable(status));
        }
        match filled {
            Ok(Filled::Ended(trailers)) => return Ok(Some(trailers)),
            Ok(Filled::Failed(status)) => return Err(Stopped::Failed(status)),
            Ok(Filled::Full) => {}
            Ok(Filled::Waiting) => wait_for_wake().await,
            Err(panic) => resume_unwind(panic),
        }
        Ok(None)
    }

    fn push_batch(&mut self, batch: &mut Batch, flush: bool) -> Result<(), Stopped> {
        let mut state = self.shared.state();
        let sending = self.sending(&mut state).ok_or(Stopped::Over)?;
        let frames = batch.bytes();
        let costs = frames.len() - batch.skips_len();
        sending.credit -= i64::try_from(costs).unwrap_or(i64::MAX);
        state.outgoing.push_frames_of(self.call, frames);
        let large = batch.take_large();
        if large.is_none() {
            self.wants = Wanted::Any;
        }
        if let Some(large) = large {
            drop(state);
            self.push(Some(large), &[])?;
            state = self.shared.state();
        }
        if flush {
            self.shared.flush_or_wake_from(state);
        }
        Ok(())
    }

    /// Waits for credit and for room, and queues one message.
    async fn send(&mut self, mut message: Message) -> Result<(), Stopped> {
        poll_fn(|cx| {
            let mut state = self.shared.state();
            let Some(sending) = self.sending(&mut state) else {
                return Poll::Ready(Err(Stopped::Over));
            };
            if sending.credit <= 0 {
                sending.waker = Some(cx.waker().clone());
                return Poll::Pending;
            }
            if !self.wants.fits(&state.outgoing, &self.shared.config.limits) {
                state.room.push(self.wants, cx.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(Ok(()))
        })
        .await?;
        if message.skipped() > 0 {
            let mut frame = BytesMut::new();
            put_skipped(&mut frame, self.call, message.skipped());
            let mut state = self.shared.state();
            state.outgoing.push_frames_of(self.call, &frame);
        }
        with_scratch(|scratch| {
            let large = encode_behind(&mut message, self.encoding, scratch);
            let large = large.map_err(Stopped::Unsendable)?;
            self.push(large, scratch)
        })?;
        self.shared.flush_or_wake();
        Ok(())
    }

    fn push(&mut self, large: Option<Rope>, small: &[u8]) -> Result<(), Stopped> {
        let body = large.map_or(OutBody::Slice(small), OutBody::Shared);
        let length = body.len();
        self.wants = body.wants();
        let mut state = self.shared.state();
        check_length(&self.shared, length).map_err(Stopped::Unsendable)?;
        let sending = self.sending(&mut state).ok_or(Stopped::Over)?;
        sending.credit -= cost(length);
        state.outgoing.push(Parts {
            frame_type: FrameType::MESSAGE,
            flags: Flags::NONE,
            call: self.call,
            head: &[],
            body,
        });
        Ok(())
    }

    /// Queues the good end. A call of the peer is over before that can be read: who reads it may call
    /// again at once, in the same place.
    pub(super) fn end(&self, trailers: &HeaderMap) {
        let mut payload = BytesMut::new();
        put_metadata(&mut payload, trailers);
        let mut state = self.shared.state();
        let is_open = self.sending(&mut state).is_some();
        let ended = match self.side {
            Side::Peers => state.remove_peers_call(self.call),
            Side::Ours => None,
        };
        if is_open {
            state.push(FrameType::END, Flags::END, self.call, &payload);
        }
        drop(state);
        ended.into_iter().for_each(PeersCall::end);
    }

    fn sending<'a>(&self, state: &'a mut State) -> Option<&'a mut Sending> {
        match self.side {
            Side::Ours => state.calls.get_mut(&self.call).map(|it| &mut it.sending),
            Side::Peers => {
                let call = state.peers_calls.get_mut(&self.call)?;
                (!call.silenced).then_some(&mut call.sending)
            }
        }
    }
}

/// Says how many messages were left out before the next one.
fn put_skipped(out: &mut BytesMut, call: u64, skipped: u32) {
    let start = begin_frame(out);
    put_varint(out, skipped.into());
    finish_frame(
        out,
        start,
        FrameHeader::new(FrameType::SKIPPED, Flags::NONE, call),
    );
}

/// Refuses a message that is over our limit or over what the peer said it takes.
pub(super) fn check_length(shared: &Shared, length: usize) -> Result<(), Status> {
    let (limit, side) = max_length(shared);
    if length > limit {
        return Err(too_large(length, limit, side));
    }
    Ok(())
}

/// The longest message that both sides take, and whose limit that is.
fn max_length(shared: &Shared) -> (usize, Role) {
    let own = shared.config.limits.max_message;
    let peers = shared.peer_settings.get();
    let peers = peers.map_or(u64::MAX, |it| it.max_message);
    let peers = usize::try_from(peers).unwrap_or(usize::MAX);
    // Of equal limits the receiver's: it would have to rise as well.
    if own < peers {
        (own, shared.role)
    } else {
        (peers, shared.role.other())
    }
}

/// Waits until the task is woken: its waker was left with what it waits for.
async fn wait_for_wake() {
    let mut waited = false;
    poll_fn(|_| {
        if std::mem::replace(&mut waited, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}
