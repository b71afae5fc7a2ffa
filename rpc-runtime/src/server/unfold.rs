//! A stream of what one asynchronous function says again and again.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use futures_core::Stream;

use crate::service::BoxFuture;
use crate::status::Status;

type Step<S, T> = BoxFuture<'static, Result<(S, T), Status>>;

/// Streams what `step` returns beside the state for its next turn, until it fails.
pub(crate) struct Unfold<S, T> {
    step: fn(S) -> Step<S, T>,
    next: Option<Step<S, T>>,
}

impl<S, T> Unfold<S, T> {
    pub(crate) fn new(state: S, step: fn(S) -> Step<S, T>) -> Self {
        Self {
            step,
            next: Some(step(state)),
        }
    }
}

impl<S, T> Stream for Unfold<S, T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let Some(waiting) = &mut self.next else {
            return Poll::Ready(None);
        };
        let told = ready!(waiting.as_mut().poll(cx));
        self.next = None;
        Poll::Ready(Some(told.map(|(state, item)| {
            self.next = Some((self.step)(state));
            item
        })))
    }
}
