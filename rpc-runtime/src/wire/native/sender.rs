//! Sending a stream: as fast as the peer gives credit and the connection takes bytes.

use std::cell::RefCell;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use bytes::BytesMut;
use http::HeaderMap;

use super::calls::Sending;
use super::connection::{Shared, State};
use super::field::put_metadata;
use super::frame::{Flags, FrameType};
use super::inbox::{cost, too_large};
use super::outgoing::{Body as OutBody, Parts};
use super::rope::Rope;
use crate::call::{Body, BodyFrame, Message};
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
}

/// Why a stream was not sent to its end.
pub(super) enum Stopped {
    /// The stream itself failed, or a message of it cannot be sent.
    Failed(Status),
    /// The call is over; nobody is left to tell.
    Over,
}

impl Sender {
    /// Sends every message, and returns the trailers.
    pub(super) async fn send_all(&self, body: &mut Body) -> Result<HeaderMap, Stopped> {
        loop {
            let frame = body.frame().await.transpose();
            match frame.map_err(Stopped::Failed)? {
                None => return Ok(HeaderMap::new()),
                Some(BodyFrame::Message(message)) => self.send(message).await?,
                Some(BodyFrame::Trailers(trailers)) => return Ok(trailers),
            }
        }
    }

    /// Waits for credit and for room, and queues one message.
    async fn send(&self, mut message: Message) -> Result<(), Stopped> {
        poll_fn(|cx| {
            let mut state = self.shared.state();
            let Some(sending) = self.sending(&mut state) else {
                return Poll::Ready(Err(Stopped::Over));
            };
            if sending.credit <= 0 {
                sending.waker = Some(cx.waker().clone());
                return Poll::Pending;
            }
            if state.outgoing.len() > self.shared.config.limits.max_outgoing {
                state.room.push(cx.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(Ok(()))
        })
        .await?;
        with_scratch(|scratch| {
            let large = encode_behind(&mut message, self.encoding, scratch);
            let large = large.map_err(Stopped::Failed)?;
            self.push(large, scratch)
        })?;
        self.shared.wake_driver();
        Ok(())
    }

    fn push(&self, large: Option<Rope>, small: &[u8]) -> Result<(), Stopped> {
        let length = large.as_ref().map_or(small.len(), Rope::len);
        let mut state = self.shared.state();
        check_length(&self.shared, length).map_err(Stopped::Failed)?;
        let sending = self.sending(&mut state).ok_or(Stopped::Over)?;
        sending.credit -= cost(length);
        state.outgoing.push(Parts {
            frame_type: FrameType::MESSAGE,
            flags: Flags::NONE,
            call: self.call,
            head: &[],
            body: large.map_or(OutBody::Slice(small), OutBody::Shared),
        });
        Ok(())
    }

    /// Queues the good end.
    pub(super) fn end(&self, trailers: &HeaderMap) {
        let mut payload = BytesMut::new();
        put_metadata(&mut payload, trailers);
        let mut state = self.shared.state();
        if self.sending(&mut state).is_some() {
            state.push(FrameType::END, Flags::END, self.call, &payload);
        }
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

/// Refuses a message that is over our limit or over what the peer said it takes.
pub(super) fn check_length(shared: &Shared, length: usize) -> Result<(), Status> {
    let own = shared.config.limits.max_message;
    let peers = shared.peer_settings.get();
    let peers = peers.map_or(u64::MAX, |it| it.max_message);
    let peers = usize::try_from(peers).unwrap_or(usize::MAX);
    if length > own.min(peers) {
        // Of equal limits the receiver's: it would have to rise as well.
        let (limit, side) = if own < peers {
            (own, shared.role)
        } else {
            (peers, shared.role.other())
        };
        return Err(too_large(length, limit, side));
    }
    Ok(())
}
