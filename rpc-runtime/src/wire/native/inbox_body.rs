//! A body whose messages come over the connection.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use bytes::BytesMut;
use futures_core::Stream;

use super::caller::OpenCall;
use super::connection::Shared;
use super::field::put_varint;
use super::frame::{Flags, FrameType};
use super::inbox::Inbox;
use super::reader::{Reader, Taken};
use crate::call::{BodyFrame, Frames, Message};
use crate::codec::Encoding;
use crate::status::{Phase, Status};

/// The messages of a call as they come.
pub(super) struct InboxBody {
    pub(super) shared: Arc<Shared>,
    pub(super) inbox: Arc<Inbox>,
    pub(super) encoding: Encoding,
    pub(super) call: u64,
    pub(super) ended: bool,
    pub(super) reader: Reader,
    /// A call of ours ends when its answer is dropped.
    pub(super) _open: Option<OpenCall>,
}

impl InboxBody {
    pub(super) fn of_peers(
        shared: Arc<Shared>,
        inbox: Arc<Inbox>,
        encoding: Encoding,
        call: u64,
    ) -> Self {
        Self {
            shared,
            inbox,
            encoding,
            call,
            ended: false,
            reader: Reader::default(),
            _open: None,
        }
    }

    fn give_credit(&self, credit: u64) {
        let mut payload = BytesMut::new();
        put_varint(&mut payload, credit);
        let mut state = self.shared.state();
        if state.closed.is_some() {
            return;
        }
        state.push(FrameType::CREDIT, Flags::NONE, self.call, &payload);
        // At once, if it can: its reader goes on with what is here, and the sender would stand still
        // until the connection's task has its turn.
        self.shared.flush_or_wake_from(state);
    }
}

impl Drop for InboxBody {
    fn drop(&mut self) {
        self.inbox.abandon(&self.shared.budget);
    }
}

impl Stream for InboxBody {
    type Item = Result<BodyFrame, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let this = &mut *self;
        let (shared, window) = (&this.shared, this.shared.config.limits.stream_window);
        match ready!(
            this.reader
                .poll_take(cx, &this.inbox, window, &shared.budget)
        ) {
            Taken::Message(bytes, credit) => {
                if let Some(credit) = credit {
                    this.give_credit(credit);
                }
                let limits = this.shared.config.limits.decode_limits();
                let message = Message::with_limits(bytes, this.encoding, limits);
                let message = message.behind_skipped(this.reader.take_skipped());
                Poll::Ready(Some(Ok(BodyFrame::Message(message))))
            }
            Taken::End(end) => {
                self.ended = true;
                match end {
                    Ok(trailers) if trailers.is_empty() => Poll::Ready(None),
                    Ok(trailers) => Poll::Ready(Some(Ok(BodyFrame::Trailers(trailers.into_map())))),
                    Err(status) => Poll::Ready(Some(Err(status.in_phase(Phase::Reply)))),
                }
            }
        }
    }
}

// A message that came as bytes gains nothing from a batch.
impl Frames for InboxBody {}
