//! The messages of one direction of a call as they come.

use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use bytes::Bytes;

use super::frame::Decoder;
use crate::status::Status;
use crate::wire::budget::Budget;
use crate::wire::http::chunks::{Chunks, Stopped};
use crate::wire::http::compression::Unpacked;
use crate::wire::incomplete::{Held, Patience};

/// Reads messages, and bounds how long one may be on its way.
pub(in crate::wire::http) struct Messages {
    pub(in crate::wire::http) chunks: Chunks,
    decoder: Decoder,
    held: Held,
    patience: Patience,
}

impl Messages {
    /// `awaits_first` says that the time of the first message begins now.
    pub(in crate::wire::http) fn new(
        chunks: Chunks,
        decoder: Decoder,
        budget: &Arc<Budget>,
        message_timeout: Duration,
        awaits_first: bool,
    ) -> Self {
        let mut patience = Patience::new(message_timeout);
        if awaits_first {
            patience.begin();
        }
        Self {
            chunks,
            decoder: decoder.with_memory(Arc::clone(budget)),
            held: Held::new(Arc::clone(budget)),
            patience,
        }
    }

    /// Takes out what came in the envelope behind the messages.
    pub(in crate::wire::http) fn take_end(&mut self) -> Option<Bytes> {
        self.decoder.take_end()
    }

    /// Takes out the messages behind the last one that are here already.
    pub(in crate::wire::http) fn take_run(&mut self) -> Bytes {
        self.decoder.take_run()
    }

    /// Returns the next message; `None` at the end, which is none inside a message.
    pub(in crate::wire::http) fn poll_message(
        &mut self,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Result<Option<Unpacked>, Stopped>> {
        loop {
            if let Some(message) = self.decoder.next().map_err(Stopped::Failed)? {
                self.patience.end();
                self.held.set(0).map_err(Stopped::Failed)?;
                return Poll::Ready(Ok(Some(message)));
            }
            let held = self.held.set(self.decoder.held());
            held.map_err(Stopped::Failed)?;
            if self.decoder.is_mid_message() {
                self.patience.begin();
            }
            let Poll::Ready(chunk) = self.chunks.poll_chunk(cx) else {
                let status = ready!(self.patience.poll_over(cx));
                return Poll::Ready(Err(Stopped::Failed(status)));
            };
            match chunk {
                Some(Ok(bytes)) => {
                    self.patience.came(bytes.len());
                    self.decoder.push(bytes).map_err(Stopped::Failed)?;
                }
                Some(Err(error)) => return Poll::Ready(Err(Stopped::Broken(error))),
                None if self.decoder.is_mid_message() => {
                    let text = "the stream ended inside a message";
                    return Poll::Ready(Err(Stopped::Failed(Status::internal(text))));
                }
                None => return Poll::Ready(Ok(None)),
            }
        }
    }
}
