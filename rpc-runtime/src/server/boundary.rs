//! The boundary of user code: its context around it, its panics caught.

use std::any::Any;
use std::future::{Future, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use pin_project_lite::pin_project;

use super::dispatch::HandlerFuture;
use crate::call::{Context, Entered, Response, current};
use crate::status::Status;

pin_project! {
    /// Runs a handler inside its context. A panic becomes [`Code::Internal`](crate::Code).
    pub(crate) struct Boundary<F> {
        context: Context,
        #[pin]
        future: Option<F>,
    }
}

impl<F> Boundary<F> {
    pub(crate) fn new(context: Context, future: F) -> Self {
        Self {
            context,
            future: Some(future),
        }
    }
}

impl<F, T> Future for Boundary<F>
where
    F: Future<Output = Result<T, Status>>,
{
    type Output = Result<T, Status>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let _entered = Entered::new(this.context.clone());
        // Only one poll after a panic could see a broken value, and there is none: the future is
        // taken out below. What it shares with others is behind locks that notice.
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let Some(future) = this.future.as_mut().as_pin_mut() else {
                return Poll::Ready(Err(Status::internal("a handler was polled after its end")));
            };
            let polled = future.poll(cx);
            if polled.is_ready() {
                // Dropped here, so that a destructor that panics is caught as well.
                this.future.set(None);
            }
            polled
        }));
        polled.unwrap_or_else(|panic| {
            let _ = catch_unwind(AssertUnwindSafe(|| this.future.set(None)));
            Poll::Ready(Err(panicked(this.context.method().path(), &*panic)))
        })
    }
}

/// Logs a panic of user code and makes the status that its caller gets.
pub(crate) fn panicked(method: &str, panic: &(dyn Any + Send)) -> Status {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a value that is not text");
    tracing::error!(method, panic = message, "a handler panicked");
    Status::internal("the handler panicked")
}

/// Boxes a handler's future inside the context that is current: the one of its call, which
/// [`dispatch`](super::dispatch) has entered. The generated glue is shorter for not passing it.
#[doc(hidden)]
pub fn boxed<F>(future: F) -> HandlerFuture
where
    F: Future<Output = Result<Response, Status>> + Send + 'static,
{
    match current() {
        Some(context) => boxed_in(context, future),
        None => Box::pin(ready(Err(Status::internal(
            "a handler was made outside of a call",
        )))),
    }
}

/// Boxes a handler's future inside a context.
pub(crate) fn boxed_in<F>(context: Context, future: F) -> HandlerFuture
where
    F: Future<Output = Result<Response, Status>> + Send + 'static,
{
    Box::pin(Boundary::new(context, future))
}
