//! Panics of user code inside the tasks of calls: they fail the call, and never leave it open.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use crate::status::Status;

/// Waits for a future; a panic in it becomes the status of its call.
pub(super) async fn catch_panic<F: Future>(what: &str, future: F) -> Result<F::Output, Status> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)));
        match polled {
            Ok(polled) => polled.map(Ok),
            Err(_) => Poll::Ready(Err(panicked(what))),
        }
    })
    .await
}

/// Logs a panic and makes the status of its call.
pub(super) fn panicked(what: &str) -> Status {
    tracing::error!("{what} panicked");
    Status::internal(format!("{what} panicked"))
}
