//! The calls of one batch: all at once, the answers in their order.

use std::task::{Context as TaskContext, Poll, Waker};

use tokio::task::{JoinSet, yield_now};

use crate::service::BoxFuture;
use crate::wire::first_poll::{poll_through, poll_to_handler};
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
        // What is not ready is polled by its task next.
        let mut cx = TaskContext::from_waker(Waker::noop());
        let polled = if pace.is_quick() {
            poll_through(call.as_mut(), &mut cx, &mut pace, &mut turns)
        } else {
            poll_to_handler(call.as_mut(), &mut cx, &mut turns)
        };
        results.push(match polled {
            Poll::Ready(result) => Some(result),
            Poll::Pending => {
                waiting.spawn(async move { (index, call.await) });
                None
            }
        });
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
