//! The calls of one batch: all at once, the answers in their order.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use tokio::task::{JoinSet, yield_now};

use crate::service::BoxFuture;
use crate::wire::pace::{InPlace, Pace};

/// Runs calls side by side, and returns what each gave, in their order; `None` for one that
/// broke off.
///
/// Each is polled once here, as most have their result at once; the others become tasks, and so do
/// those that come behind slow ones. A long batch lets others of its task run in between.
///
/// # Cancel safety
///
/// Dropping the future drops the calls that are not over.
pub(super) async fn all<T: Send + 'static>(
    calls: impl Iterator<Item = BoxFuture<'static, T>>,
) -> Vec<Option<T>> {
    let mut results = Vec::new();
    let mut waiting = JoinSet::new();
    let (mut pace, mut turns) = (Pace::default(), InPlace::default());
    for (index, mut call) in calls.enumerate() {
        if !turns.begin() {
            yield_now().await;
            turns = InPlace::default();
        }
        let mut result = None;
        if pace.is_quick() {
            result = once(call.as_mut()).await;
            pace.took(turns.end());
        }
        if result.is_none() {
            waiting.spawn(async move { (index, call.await) });
        }
        results.push(result);
    }
    while let Some(joined) = waiting.join_next().await {
        if let Ok((index, result)) = joined
            && let Some(slot) = results.get_mut(index)
        {
            *slot = Some(result);
        }
    }
    results
}

/// Polls a future once.
pub(super) async fn once<F: Future + ?Sized>(mut future: Pin<&mut F>) -> Option<F::Output> {
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
