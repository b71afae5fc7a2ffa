//! The answer of a call that may still be made again.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use futures_core::Stream;
use http::HeaderMap;

use super::attempts::Attempts;
use crate::call::{Body, BodyFrame, Response};
use crate::service::BoxFuture;
use crate::status::Status;

/// An answer of which nothing was read so far; until then it can be that of another attempt.
pub(super) struct Unread {
    body: Body,
    /// The trailers of an answer that is whole, which came beside its body.
    trailers: HeaderMap,
    state: State,
}

enum State {
    /// Nothing was read.
    Fresh(Box<Attempts>),
    Recovering(BoxFuture<'static, Result<(Box<Attempts>, Response), Status>>),
    /// The answer is given: what fails now fails the call.
    Given,
}

impl Unread {
    pub(super) fn new(body: Body, attempts: Box<Attempts>) -> Self {
        Self {
            body,
            trailers: HeaderMap::new(),
            state: State::Fresh(attempts),
        }
    }

    fn poll_body(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<Result<BodyFrame, Status>>> {
        let frame = ready!(self.body.poll_frame(cx));
        if frame.is_none() && !self.trailers.is_empty() {
            let trailers = std::mem::take(&mut self.trailers);
            return Poll::Ready(Some(Ok(BodyFrame::Trailers(trailers))));
        }
        Poll::Ready(frame)
    }
}

async fn recover(
    mut attempts: Box<Attempts>,
    failure: Status,
) -> Result<(Box<Attempts>, Response), Status> {
    attempts.recover(failure).await?;
    let response = attempts.answered().await?;
    Ok((attempts, response))
}

impl Stream for Unread {
    type Item = Result<BodyFrame, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            match &mut this.state {
                State::Given => return this.poll_body(cx),
                State::Fresh(_) => {
                    let frame = ready!(this.poll_body(cx));
                    let fresh = std::mem::replace(&mut this.state, State::Given);
                    match (frame, fresh) {
                        (Some(Err(failure)), State::Fresh(attempts)) => {
                            let recovering = Box::pin(recover(attempts, failure));
                            this.state = State::Recovering(recovering);
                        }
                        (frame, _) => return Poll::Ready(frame),
                    }
                }
                State::Recovering(recovering) => match ready!(recovering.as_mut().poll(cx)) {
                    Ok((attempts, mut response)) => {
                        this.trailers = std::mem::take(response.trailers_mut());
                        this.body = response.take_body();
                        this.state = State::Fresh(attempts);
                    }
                    Err(failure) => {
                        this.state = State::Given;
                        return Poll::Ready(Some(Err(failure)));
                    }
                },
            }
        }
    }
}
