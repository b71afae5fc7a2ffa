//! Panics of user code inside the tasks of calls: they fail the call, and never leave it open.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use pin_project_lite::pin_project;

use crate::call::Response;
use crate::service::BoxFuture;
use crate::status::Status;

pin_project! {
    /// Waits for a future; a panic in it becomes the status of its call.
    pub(crate) struct Catching<F> {
        what: &'static str,
        #[pin]
        future: F,
    }
}

/// Makes a future of which a panic fails only its own call, and which `what` names. An `async fn`
/// would keep room for the one inside twice, and each call has one of these.
pub(crate) fn catch_panic<F: Future>(what: &'static str, future: F) -> Catching<F> {
    Catching { what, future }
}

impl<F: Future> Future for Catching<F> {
    type Output = Result<F::Output, Status>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let polled = catch_unwind(AssertUnwindSafe(|| this.future.poll(cx)));
        match polled {
            Ok(polled) => polled.map(Ok),
            Err(_) => Poll::Ready(Err(panicked(this.what))),
        }
    }
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
