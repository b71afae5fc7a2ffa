//! The messages of a stream on their way out, encoded many at once.

use std::collections::VecDeque;
use std::task::{Context as TaskContext, Poll};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use super::encoder::{Encoder, HAND_OVER};
use super::frame::HEADER_LENGTH;
use crate::call::{Batch, BatchBounds, Body, BodyFrame, Filled, Prefix, Rope};
use crate::status::Status;
use crate::wire::http::compression::Compression;
use crate::wire::running::Replying;

/// About how much of a stream is encoded before it is sent and others get their turn.
pub(in crate::wire::http) const BATCH: usize = 32 << 10;

/// Where messages come from: one at a time, or as many as are ready.
pub(in crate::wire::http) trait Source {
    fn poll_frame(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<Result<BodyFrame, Status>>>;
    fn poll_batch(&mut self, cx: &mut TaskContext<'_>, batch: &mut Batch) -> Filled;
}

impl Source for Body {
    fn poll_frame(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<Result<BodyFrame, Status>>> {
        Self::poll_frame(self, cx)
    }

    fn poll_batch(&mut self, cx: &mut TaskContext<'_>, batch: &mut Batch) -> Filled {
        Self::poll_batch(self, cx, batch)
    }
}

impl Source for Replying {
    fn poll_frame(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<Result<BodyFrame, Status>>> {
        Self::poll_frame(self, cx)
    }

    fn poll_batch(&mut self, cx: &mut TaskContext<'_>, batch: &mut Batch) -> Filled {
        Self::poll_batch(self, cx, batch)
    }
}

/// Encodes what a stream has ready.
pub(in crate::wire::http) struct Batches {
    encoder: Encoder,
    batch: Batch,
    /// What was encoded, and the large message behind it.
    out: BytesMut,
    large: Option<Rope>,
}

impl Batches {
    pub(in crate::wire::http) fn new(encoder: Encoder) -> Self {
        Self {
            batch: Batch::new(encoder.encoding, Prefix::LengthLast([0; HEADER_LENGTH])),
            encoder,
            out: BytesMut::new(),
            large: None,
        }
    }

    /// Encodes what there is now, behind what is `ready`: what there is `room` for, and at least one
    /// message. A message that cannot be sent is a failure behind those before it.
    pub(in crate::wire::http) fn fill(
        &mut self,
        cx: &mut TaskContext<'_>,
        room: usize,
        ready: &mut VecDeque<Bytes>,
        source: &mut impl Source,
    ) -> Filled {
        let room = room.clamp(1, BATCH);
        // Each message may say for itself whether it is compressed, which a batch does not know.
        let filled = match self.encoder.compression {
            Compression::Identity => self.fill_batch(cx, room, source),
            Compression::Gzip => self.fill_one_by_one(cx, room, source),
        };
        if !self.out.is_empty() {
            ready.push_back(std::mem::take(&mut self.out).freeze());
        }
        ready.extend(self.large.take().into_iter().flatten());
        filled
    }

    fn fill_batch(
        &mut self,
        cx: &mut TaskContext<'_>,
        room: usize,
        source: &mut impl Source,
    ) -> Filled {
        self.batch.begin(BatchBounds {
            length: room,
            // What is too large is among these, and found by itself.
            large: HAND_OVER.min(self.encoder.max_message.saturating_add(1)),
        });
        let filled = source.poll_batch(cx, &mut self.batch);
        self.out = self.batch.take_bytes(matches!(filled, Filled::Full));
        if let Some(message) = self.batch.take_large() {
            let put = self.encoder.put_header(&mut self.out, 0, message.len());
            if let Err(status) = put {
                return Filled::Failed(status);
            }
            self.large = Some(message);
        }
        let failure = self.batch.take_failure();
        failure.map_or(filled, Filled::Failed)
    }

    fn fill_one_by_one(
        &mut self,
        cx: &mut TaskContext<'_>,
        room: usize,
        source: &mut impl Source,
    ) -> Filled {
        while self.out.len() < room && self.large.is_none() {
            match source.poll_frame(cx) {
                Poll::Pending => return Filled::Waiting,
                Poll::Ready(None) => return Filled::Ended(HeaderMap::new()),
                Poll::Ready(Some(Err(status))) => return Filled::Failed(status),
                Poll::Ready(Some(Ok(BodyFrame::Trailers(it)))) => return Filled::Ended(it),
                Poll::Ready(Some(Ok(BodyFrame::Message(message)))) => {
                    match self.encoder.put(message, &mut self.out) {
                        Ok(large) => self.large = large,
                        Err(status) => return Filled::Failed(status),
                    }
                }
            }
        }
        Filled::Full
    }
}
