//! The messages of a stream on their way out, encoded many at once.

use std::collections::VecDeque;

use bytes::Bytes;

use super::frame::{Encoder, HAND_OVER, HEADER_LENGTH};
use crate::call::{Batch, BatchBounds, Filled, Prefix};
use crate::status::Status;

/// About how much of a stream is encoded before it is sent and others get their turn.
pub(in crate::wire::http) const BATCH: usize = 32 << 10;

/// Encodes what a stream has ready.
pub(in crate::wire::http) struct Batches {
    encoder: Encoder,
    batch: Batch,
}

impl Batches {
    pub(in crate::wire::http) fn new(encoder: Encoder) -> Self {
        Self {
            batch: Batch::new(encoder.encoding, Prefix::LengthLast([0; HEADER_LENGTH])),
            encoder,
        }
    }

    /// Encodes what `poll` has now, behind what is `ready`: what there is `room` for, and at least
    /// one message. A message that cannot be sent is a failure behind those before it.
    pub(in crate::wire::http) fn fill(
        &mut self,
        room: usize,
        ready: &mut VecDeque<Bytes>,
        poll: impl FnOnce(&mut Batch) -> Filled,
    ) -> Filled {
        self.batch.begin(BatchBounds {
            length: room.clamp(1, BATCH),
            // What is too large is among these, and found by itself.
            large: HAND_OVER.min(self.encoder.max_message.saturating_add(1)),
        });
        let filled = poll(&mut self.batch);
        let taken = self.take(ready);
        taken.map_or_else(Filled::Failed, |()| filled)
    }

    fn take(&mut self, ready: &mut VecDeque<Bytes>) -> Result<(), Status> {
        let mut out = self.encoder.pack(self.batch.take_bytes())?;
        let large = self.batch.take_large();
        let large = large.map(|it| self.encoder.put_large(it, &mut out));
        if !out.is_empty() {
            ready.push_back(out.freeze());
        }
        ready.extend(large.transpose()?.flatten().into_iter().flatten());
        self.batch.take_failure().map_or(Ok(()), Err)
    }
}
