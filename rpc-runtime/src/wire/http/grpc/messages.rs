//! The messages of one direction of a call as they come.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, Sleep, sleep_until};

use super::frame::Decoder;
use crate::call::deadline_after;
use crate::status::Status;
use crate::wire::budget::Budget;
use crate::wire::http::chunks::{ChunkError, Chunks};

/// Each so many bytes of a message put its time limit off by a second.
const BYTES_A_SECOND: usize = 16 << 10;
const SECOND_OF_BYTES: Duration = Duration::from_secs(1);

/// Why no further message comes.
pub(super) enum Stopped {
    /// The bytes cannot be read, or come too slowly.
    Failed(Status),
    /// The stream broke off.
    Broken(ChunkError),
}

/// Reads messages, and bounds how long one may be on its way.
pub(super) struct Messages {
    pub(super) chunks: Chunks,
    decoder: Decoder,
    held: Held,
    patience: Patience,
}

impl Messages {
    /// `awaits_first` says that the time of the first message begins now.
    pub(super) fn new(
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
            decoder,
            held: Held::new(Arc::clone(budget)),
            patience,
        }
    }

    /// Returns the next message; `None` at the end, which is none inside a message.
    pub(super) fn poll_message(
        &mut self,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Result<Option<Bytes>, Stopped>> {
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
                    self.decoder.push(bytes);
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

/// What a message that is not whole takes of the connection's budget.
struct Held {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Held {
    fn new(budget: Arc<Budget>) -> Self {
        Self { budget, bytes: 0 }
    }

    fn set(&mut self, bytes: usize) -> Result<(), Status> {
        if bytes > self.bytes {
            self.budget.try_charge(bytes - self.bytes)?;
        } else if bytes < self.bytes {
            self.budget.release(self.bytes - bytes);
        }
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.budget.release(self.bytes);
        }
    }
}

/// How long a message may stay incomplete: see
/// [`Limits::message_timeout`](crate::Limits::message_timeout).
struct Patience {
    timeout: Duration,
    /// When it ends, for a message that has begun.
    due: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            due: None,
            timer: None,
        }
    }

    fn begin(&mut self) {
        if self.due.is_none() {
            self.due = Some(deadline_after(Instant::now(), self.timeout));
        }
    }

    fn came(&mut self, bytes: usize) {
        if let Some(due) = self.due {
            let more = SECOND_OF_BYTES.mul_f64(bytes as f64 / BYTES_A_SECOND as f64);
            let latest = deadline_after(Instant::now(), self.timeout);
            self.due = Some(deadline_after(due, more).min(latest));
        }
    }

    fn end(&mut self) {
        self.due = None;
        self.timer = None;
    }

    /// Ready when it is over; it leaves the waker for that.
    fn poll_over(&mut self, cx: &mut TaskContext<'_>) -> Poll<Status> {
        let Some(due) = self.due else {
            return Poll::Pending;
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        loop {
            ready!(timer.as_mut().poll(cx));
            if Instant::now() >= due {
                let limit = self.timeout;
                return Poll::Ready(Status::deadline_exceeded(format!(
                    "a message stayed incomplete for the limit `message_timeout` of {limit:?}"
                )));
            }
            // What came since the timer was set has put it off.
            timer.as_mut().reset(due);
        }
    }
}
