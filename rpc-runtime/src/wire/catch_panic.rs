//! Panics of user code inside the tasks of calls: they fail the call, and never leave it open.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context as TaskContext, Poll};

use crate::call::Response;
use crate::service::BoxFuture;
use crate::status::Status;

/// Waits for a future; a panic in it becomes the status of its call.
pub(crate) async fn catch_panic<F: Future>(what: &str, future: F) -> Result<F::Output, Status> {
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
pub(crate) fn panicked(what: &str) -> Status {
    tracing::error!("{what} panicked");
    Status::internal(format!("{what} panicked"))
}

/// A service's future, of which a panic (in a layer, say) fails only its own call.
pub(crate) struct CatchPanic(pub(crate) BoxFuture<'static, Result<Response, Status>>);

impl Future for CatchPanic {
    type Output = Result<Response, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let polled = catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx)));
        polled.unwrap_or_else(|_| Poll::Ready(Err(panicked("the service"))))
    }
}
