//! A call that gives the metadata around its value as well.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use super::call::{Call, CallFuture};
use crate::call::Reply;
use crate::status::Status;

/// A call that is answered by one value, and gives it with the metadata around it: see
/// [`Call::with_reply`]. Await it.
///
/// It behaves and fails like the [`Call`] that it was made of, on which everything is set.
///
/// # Examples
///
/// ```
/// # use rpc_runtime::{Channel, Context, Router, Status, batch};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Status> {
/// # let channel = Channel::new(Router::new().function("hello", |name: String| async move {
/// #     let context = Context::current().expect("inside a call");
/// #     context.add_reply_metadata("served-by", "a1");
/// #     format!("Hello, {name}!")
/// # }));
/// let hello = |name| channel.call::<_, String>("hello", (name,)).metadata("tenant", "7");
/// let reply = hello("Alice").with_reply().await?;
/// assert_eq!(reply.value, "Hello, Alice!");
/// assert_eq!(reply.metadata["served-by"], "a1");
///
/// let (alice, bob) = batch((hello("Alice"), hello("Bob").with_reply())).await;
/// assert_eq!((alice?.as_str(), bob?.value.as_str()), ("Hello, Alice!", "Hello, Bob!"));
/// # Ok(()) }
/// ```
#[must_use = "a call does nothing unless it is awaited or started"]
pub struct ReplyCall<T, X = Status>(Call<T, X>);

impl<T, X> ReplyCall<T, X> {
    pub(super) fn new(call: Call<T, X>) -> Self {
        Self(call)
    }

    /// Begins the call now: see [`Call::start`].
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime.
    pub fn start(self) -> ReplyFuture<T, X> {
        ReplyFuture(self.0.start())
    }

    /// Makes the call and blocks the thread until it has ended: see [`Call::wait`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn wait(self) -> Result<Reply<T>, X> {
        self.0.wait_reply()
    }

    /// Makes the failure of a call that is not made.
    pub(super) fn fail_with(&self, status: Status) -> X {
        self.0.fail_with(status)
    }
}

impl<T, X> IntoFuture for ReplyCall<T, X> {
    type Output = Result<Reply<T>, X>;
    type IntoFuture = ReplyFuture<T, X>;

    fn into_future(self) -> Self::IntoFuture {
        ReplyFuture(self.0.into_future())
    }
}

impl<T, X> fmt::Debug for ReplyCall<T, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReplyCall").field(&self.0).finish()
    }
}

/// The future of a [`ReplyCall`]. Dropping it cancels the call.
#[must_use = "futures do nothing unless polled"]
pub struct ReplyFuture<T, X = Status>(CallFuture<T, X>);

impl<T, X> Future for ReplyFuture<T, X> {
    type Output = Result<Reply<T>, X>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        self.0.poll_reply(cx)
    }
}

impl<T, X> fmt::Debug for ReplyFuture<T, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReplyFuture").field(&self.0).finish()
    }
}
