//! A message that has begun to come and is not whole: its memory and its time.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::call::deadline_after;
use crate::status::Status;
use crate::wire::budget::Budget;

/// Each so many bytes of a message put its time limit off by a second.
const BYTES_A_SECOND: usize = 16 << 10;
const SECOND_OF_BYTES: Duration = Duration::from_secs(1);

/// What a message that is not whole takes of the connection's budget.
pub(crate) struct Held {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Held {
    pub(crate) fn new(budget: Arc<Budget>) -> Self {
        Self { budget, bytes: 0 }
    }

    pub(crate) fn set(&mut self, bytes: usize) -> Result<(), Status> {
        if bytes > self.bytes {
            self.budget.try_charge(bytes - self.bytes)?;
        } else if bytes < self.bytes {
            self.budget.release(self.bytes - bytes);
        }
        self.bytes = bytes;
        Ok(())
    }

    pub(crate) fn clear(&mut self) {
        if self.bytes > 0 {
            self.budget.release(self.bytes);
            self.bytes = 0;
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.clear();
    }
}

/// How long a message may stay incomplete: see
/// [`Limits::message_timeout`](crate::Limits::message_timeout).
pub(crate) struct Patience {
    timeout: Duration,
    /// When it ends, for a message that has begun.
    due: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            due: None,
            timer: None,
        }
    }

    pub(crate) fn begin(&mut self) {
        if self.due.is_none() {
            self.due = Some(deadline_after(Instant::now(), self.timeout));
        }
    }

    pub(crate) fn came(&mut self, bytes: usize) {
        if let Some(due) = self.due {
            let more = SECOND_OF_BYTES.mul_f64(bytes as f64 / BYTES_A_SECOND as f64);
            let latest = deadline_after(Instant::now(), self.timeout);
            self.due = Some(deadline_after(due, more).min(latest));
        }
    }

    pub(crate) fn end(&mut self) {
        self.due = None;
        self.timer = None;
    }

    /// Ready when it is over; it leaves the waker for that.
    pub(crate) fn poll_over(&mut self, cx: &mut TaskContext<'_>) -> Poll<Status> {
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
