//! Several calls that leave together.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use super::call::Call;
use super::reply_call::ReplyCall;
use crate::call::Reply;
use crate::status::Status;
use crate::wire::cork;

/// The most calls of one batch where nobody says otherwise.
const MAX_CALLS: usize = 1_024;

/// Makes several calls at once, whose requests leave in one write.
///
/// `calls` is a tuple of up to eight calls of any types, or a `Vec` of calls of one type; a call may
/// be [one that gives its metadata](Call::with_reply). Each call keeps its own deadline, passes the
/// same layers and counts against the same limits as if it were made alone, and fails alone. The
/// results come back in the order of the calls.
///
/// A batch of more than 1,024 calls fails as a whole, each call with
/// [`Code::ResourceExhausted`](crate::Code::ResourceExhausted), before anything is sent;
/// [`Batch::max_calls`] sets another bound.
///
/// # Cancel safety
///
/// Dropping the future cancels the calls that have not ended.
///
/// # Examples
///
/// ```
/// # use rpc_runtime::{Channel, Router, Status, batch};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Status> {
/// # let channel = Channel::new(Router::new()
/// #     .function("double", |n: i64| async move { 2 * n })
/// #     .function("hello", |name: String| async move { format!("Hello, {name}!") }));
/// let (six, hello) = batch((
///     channel.call::<_, i64>("double", (3,)),
///     channel.call::<_, String>("hello", ("Alice",)),
/// ))
/// .await;
/// assert_eq!((six?, hello?.as_str()), (6, "Hello, Alice!"));
///
/// let doubled = batch((0..10).map(|n| channel.call::<_, i64>("double", (n,))).collect::<Vec<_>>());
/// assert_eq!(doubled.await.len(), 10);
/// # Ok(()) }
/// ```
pub fn batch<C: Calls>(calls: C) -> Batch<C> {
    Batch {
        calls,
        max_calls: MAX_CALLS,
    }
}

/// Several calls that leave together: see [`batch`].
#[must_use = "calls do nothing unless they are awaited"]
pub struct Batch<C> {
    calls: C,
    max_calls: usize,
}

impl<C> Batch<C> {
    /// Bounds the calls of the batch; 1,024 by default.
    pub fn max_calls(mut self, calls: usize) -> Self {
        self.max_calls = calls;
        self
    }
}

impl<C: Calls> IntoFuture for Batch<C> {
    type Output = C::Results;
    type IntoFuture = BatchFuture<C>;

    fn into_future(self) -> Self::IntoFuture {
        let refused = (self.calls.count() > self.max_calls).then_some(self.max_calls);
        BatchFuture {
            running: self.calls.begin(refused),
            begun: false,
        }
    }
}

impl<C> fmt::Debug for Batch<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Batch")
    }
}

/// The future of a [`Batch`].
#[must_use = "futures do nothing unless polled"]
pub struct BatchFuture<C: Calls> {
    running: C::Running,
    begun: bool,
}

// The calls inside are not pinned in place.
impl<C: Calls> Unpin for BatchFuture<C> {}

impl<C: Calls> Future for BatchFuture<C> {
    type Output = C::Results;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let done = if this.begun {
            C::poll(&mut this.running, cx)
        } else {
            this.begun = true;
            cork::batch(|| C::poll(&mut this.running, cx))
        };
        if !done {
            return Poll::Pending;
        }
        C::results(&mut this.running).map_or(Poll::Pending, Poll::Ready)
    }
}

impl<C: Calls> fmt::Debug for BatchFuture<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BatchFuture")
    }
}

/// What [`batch`] takes: a tuple of calls, or a `Vec` of calls.
pub trait Calls {
    /// The results, in the order of the calls.
    type Results;
    #[doc(hidden)]
    type Running;

    #[doc(hidden)]
    fn count(&self) -> usize;

    /// Makes the calls' futures; all of them fail if the batch is larger than the bound.
    #[doc(hidden)]
    fn begin(self, refused: Option<usize>) -> Self::Running;

    /// Polls every call, and says whether all have ended.
    #[doc(hidden)]
    fn poll(running: &mut Self::Running, cx: &mut TaskContext<'_>) -> bool;

    /// Takes the results out, once.
    #[doc(hidden)]
    fn results(running: &mut Self::Running) -> Option<Self::Results>;
}

/// A call that can be part of a [`batch`]: a [`Call`], or one [with its reply](Call::with_reply).
pub trait BatchCall: IntoFuture<Output = Result<Self::Value, Self::Error>> {
    /// What the call gives.
    type Value;
    /// How the call fails.
    type Error;

    /// Makes the failure of a call that is not made.
    #[doc(hidden)]
    fn refuse(&self, status: Status) -> Self::Error;
}

impl<T, X> BatchCall for Call<T, X> {
    type Value = T;
    type Error = X;

    fn refuse(&self, status: Status) -> X {
        self.fail_with(status)
    }
}

impl<T, X> BatchCall for ReplyCall<T, X> {
    type Value = Reply<T>;
    type Error = X;

    fn refuse(&self, status: Status) -> X {
        self.fail_with(status)
    }
}

/// A call of a batch that runs.
#[doc(hidden)]
#[allow(missing_debug_implementations, reason = "nobody outside sees it")]
pub enum Item<C: BatchCall> {
    Running(Pin<Box<C::IntoFuture>>),
    Ended(Result<C::Value, C::Error>),
    Taken,
}

impl<C: BatchCall> Item<C> {
    fn begin(call: C, refused: Option<usize>) -> Self {
        match refused {
            None => Self::Running(Box::pin(call.into_future())),
            Some(limit) => Self::Ended(Err(call.refuse(Status::resource_exhausted(format!(
                "the batch has more calls than the limit `max_calls` of {limit}"
            ))))),
        }
    }

    fn poll(&mut self, cx: &mut TaskContext<'_>) -> bool {
        if let Self::Running(call) = self {
            match call.as_mut().poll(cx) {
                Poll::Pending => return false,
                Poll::Ready(result) => *self = Self::Ended(result),
            }
        }
        true
    }

    fn take(&mut self) -> Option<Result<C::Value, C::Error>> {
        match std::mem::replace(self, Self::Taken) {
            Self::Ended(result) => Some(result),
            _ => None,
        }
    }
}

impl<C: BatchCall> Calls for Vec<C> {
    type Results = Vec<Result<C::Value, C::Error>>;
    type Running = Vec<Item<C>>;

    fn count(&self) -> usize {
        self.len()
    }

    fn begin(self, refused: Option<usize>) -> Self::Running {
        self.into_iter()
            .map(|call| Item::begin(call, refused))
            .collect()
    }

    fn poll(running: &mut Self::Running, cx: &mut TaskContext<'_>) -> bool {
        let mut done = true;
        for item in running {
            // Every call is polled, also behind one that waits.
            done &= item.poll(cx);
        }
        done
    }

    fn results(running: &mut Self::Running) -> Option<Self::Results> {
        running.iter_mut().map(Item::take).collect()
    }
}

macro_rules! tuples {
    ($($count:literal: $($index:tt $call:ident),*;)*) => {$(
        impl<$($call: BatchCall),*> Calls for ($($call,)*) {
            type Results = ($(Result<$call::Value, $call::Error>,)*);
            type Running = ($(Item<$call>,)*);

            fn count(&self) -> usize {
                $count
            }

            fn begin(self, refused: Option<usize>) -> Self::Running {
                ($(Item::begin(self.$index, refused),)*)
            }

            fn poll(running: &mut Self::Running, cx: &mut TaskContext<'_>) -> bool {
                let mut done = true;
                $(done &= running.$index.poll(cx);)*
                done
            }

            fn results(running: &mut Self::Running) -> Option<Self::Results> {
                Some(($(running.$index.take()?,)*))
            }
        }
    )*};
}

tuples! {
    1: 0 A;
    2: 0 A, 1 B;
    3: 0 A, 1 B, 2 C;
    4: 0 A, 1 B, 2 C, 3 D;
    5: 0 A, 1 B, 2 C, 3 D, 4 E;
    6: 0 A, 1 B, 2 C, 3 D, 4 E, 5 F;
    7: 0 A, 1 B, 2 C, 3 D, 4 E, 5 F, 6 G;
    8: 0 A, 1 B, 2 C, 3 D, 4 E, 5 F, 6 G, 7 H;
}
