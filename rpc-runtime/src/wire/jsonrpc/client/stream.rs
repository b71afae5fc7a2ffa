//! A stream as its caller reads it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use futures_core::Stream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::connection::Link;
use crate::call::{BodyFrame, Message};
use crate::codec::Encoding;
use crate::status::{Phase, Status};

/// The items of one subscription. Dropping it before the end has the server end it.
pub(super) struct Items {
    link: Arc<Link>,
    key: u64,
    deadline: Option<Pin<Box<Sleep>>>,
    is_over: bool,
}

impl Items {
    /// Reads the stream that a call opened.
    pub(super) fn new(link: Arc<Link>, key: u64, deadline: Option<Instant>) -> Self {
        Self {
            link,
            key,
            deadline: deadline.map(|it| Box::pin(sleep_until(it))),
            is_over: false,
        }
    }

    fn poll_message(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<Result<Message, Status>>> {
        if let Some(deadline) = &mut self.deadline
            && deadline.as_mut().poll(cx).is_ready()
        {
            let text = "the deadline passed before the stream ended";
            return Poll::Ready(Some(Err(Status::deadline_exceeded(text))));
        }
        let item = ready!(self.link.calls.poll_item(self.key, cx));
        let limits = self.link.config.limits.decode_limits();
        Poll::Ready(
            item.map(|item| item.map(|bytes| Message::with_limits(bytes, Encoding::JSON, limits))),
        )
    }
}

impl Stream for Items {
    type Item = Result<BodyFrame, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let next = ready!(self.poll_message(cx));
        if !matches!(next, Some(Ok(_))) {
            self.is_over = true;
            self.link.calls.leave_stream(self.key);
        }
        let peer = &self.link.peer;
        Poll::Ready(next.map(|next| match next {
            Ok(message) => Ok(BodyFrame::Message(message)),
            Err(status) => Err(status.in_phase(Phase::Reply).at_peer(peer)),
        }))
    }
}

impl Drop for Items {
    fn drop(&mut self) {
        if !self.is_over {
            self.link.calls.leave_stream(self.key);
        }
    }
}
