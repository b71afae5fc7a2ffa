//! The context around running code: set while a handler is polled, taken off when it returns.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use pin_project_lite::pin_project;
use tokio::task::JoinHandle;

use super::context::Context;
use crate::status::Status;

thread_local! {
    static CURRENT: RefCell<Option<Context>> = const { RefCell::new(None) };
}

/// Returns the context of the call that is being served on this thread right now.
pub(crate) fn current() -> Option<Context> {
    CURRENT.with_borrow(Clone::clone)
}

thread_local! {
    static BLOCKING_THREAD: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` on this thread, which was set aside for work that blocks.
pub(crate) fn enter_blocking_thread<T>(context: Context, work: impl FnOnce() -> T) -> T {
    let _entered = Entered::new(context);
    BLOCKING_THREAD.set(true);
    let result = work();
    BLOCKING_THREAD.set(false);
    result
}

/// Says whether this thread may block although it belongs to a runtime.
pub(crate) fn is_blocking_thread() -> bool {
    BLOCKING_THREAD.get()
}

/// Holds a context in place until it is dropped, also by a panic.
pub(crate) struct Entered(Option<Context>);

impl Entered {
    pub(crate) fn new(context: Context) -> Self {
        Self(CURRENT.replace(Some(context)))
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

pin_project! {
    /// A future that runs inside a context.
    pub(crate) struct Scoped<F> {
        context: Context,
        #[pin]
        future: F,
    }
}

impl<F> Scoped<F> {
    pub(crate) fn new(context: Context, future: F) -> Self {
        Self { context, future }
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = Entered::new(this.context.clone());
        this.future.poll(cx)
    }
}

/// Runs a piece of work to its end, whatever happens to the call that started it.
///
/// A handler is dropped when its caller gives up; work that must not stop half-way (the second
/// half of a transfer, say) goes in here. The work keeps the call's context but is not stopped by
/// its cancellation or its deadline. Awaiting the result is optional.
///
/// # Cancel safety
///
/// Dropping the returned future does not stop the work.
///
/// # Panics
///
/// Panics outside a tokio runtime.
///
/// # Examples
///
/// ```
/// # async fn transfer() {}
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), rpc_runtime::Status> {
/// rpc_runtime::shield(async { transfer().await }).await?;
/// # Ok(()) }
/// ```
pub fn shield<F>(work: F) -> Shielded<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let work = async move { Ok(work.await) };
    match current() {
        Some(context) => spawn_in(context.detached(), work),
        None => Detached(tokio::spawn(work)),
    }
}

/// The result of [`shield`]ed work.
pub type Shielded<T> = Detached<T>;

/// A task that goes on when this handle is dropped; awaiting it gives the task's result.
///
/// # Errors
///
/// [`Code::Cancelled`](crate::Code::Cancelled) if the call that it belongs to was cancelled, and
/// [`Code::Internal`](crate::Code::Internal) if the task panicked.
#[must_use = "await the task for its result, or drop it explicitly"]
pub struct Detached<T>(JoinHandle<Result<T, Status>>);

pub(super) fn spawn_in<F, T>(context: Context, future: F) -> Detached<T>
where
    F: Future<Output = Result<T, Status>> + Send + 'static,
    T: Send + 'static,
{
    Detached(tokio::spawn(Scoped::new(context, future)))
}

impl<T> Future for Detached<T> {
    type Output = Result<T, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|joined| match joined {
            Ok(result) => result,
            Err(error) if error.is_panic() => Err(Status::internal("a task of the call panicked")),
            Err(error) => {
                Err(Status::cancelled("a task of the call was stopped").with_source(error))
            }
        })
    }
}

impl<T> fmt::Debug for Detached<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Detached")
    }
}
