//! Calls that no wire brought: their deadline and their cancellation are kept here.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use futures_core::Stream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::dispatch::HandlerFuture;
use crate::call::{Body, BodyFrame, Cancellation, Request};
use crate::status::Status;

/// Gives the signal when it is dropped before the call has ended by itself.
struct CancelOnDrop {
    cancellation: Cancellation,
    ended: bool,
}

impl CancelOnDrop {
    fn disarm(&mut self) {
        self.ended = true;
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if !self.ended {
            self.cancellation.cancel();
        }
    }
}

/// Runs a call. One that no wire brought gets its own deadline, and is cancelled when dropped.
pub(super) fn guard(
    mut request: Request,
    run: impl FnOnce(Request) -> HandlerFuture,
) -> HandlerFuture {
    if request.cancellation().is_some() {
        return run(request);
    }
    let cancellation = Cancellation::new();
    let deadline = request.deadline_instant();
    request.set_cancellation(cancellation.clone());
    let handler = run(request);
    let mut guard = CancelOnDrop {
        cancellation,
        ended: false,
    };
    Box::pin(async move {
        let result = match deadline {
            None => handler.await,
            Some(deadline) => match tokio::time::timeout_at(deadline, handler).await {
                Ok(result) => result,
                Err(_) => return Err(expired()),
            },
        };
        match result {
            Ok(mut response) if response.body().is_stream() => {
                let body = response.take_body();
                let deadline = deadline.map(|it| Box::pin(sleep_until(it)));
                response.set_body(Body::stream(Guarded {
                    body,
                    deadline,
                    guard,
                }));
                Ok(response)
            }
            other => {
                guard.disarm();
                other
            }
        }
    })
}

fn expired() -> Status {
    Status::deadline_exceeded("the deadline passed before the call ended")
}

/// A response stream under the call's deadline.
struct Guarded {
    body: Body,
    deadline: Option<Pin<Box<Sleep>>>,
    guard: CancelOnDrop,
}

impl Stream for Guarded {
    type Item = Result<BodyFrame, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        // By the clock: a stream that always has an item at hand lets no timer run out.
        let is_over = this
            .deadline
            .as_ref()
            .is_some_and(|it| it.deadline() <= Instant::now());
        if !is_over {
            if let Poll::Ready(frame) = this.body.poll_frame(cx) {
                if frame.is_none() {
                    this.guard.disarm();
                }
                return Poll::Ready(frame);
            }
            let Some(deadline) = &mut this.deadline else {
                return Poll::Pending;
            };
            std::task::ready!(deadline.as_mut().poll(cx));
        }
        this.body = Body::empty();
        this.deadline = None;
        this.guard.cancellation.cancel();
        Poll::Ready(Some(Err(expired())))
    }
}
