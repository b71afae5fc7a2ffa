//! The body of a request that streams.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use futures_core::Stream;
use http::HeaderMap;

use crate::call::{Batch, Body, BodyFrame, Filled, Frames, Message, Streaming, ValueMessage};
use crate::codec::Encodes;
use crate::status::Status;

/// Makes the body: the arguments beside the stream, if there are any, and then its items.
pub(super) fn body<C, T>(first: Option<Message>, items: Streaming<T>) -> Body
where
    C: Encodes<T>,
    T: Send + 'static,
{
    let has_head = first.is_some();
    let body = Body::frames(Upload {
        first,
        items,
        wrap: ValueMessage::<C, T>::wrap,
        put: Batch::put::<C, T>,
    });
    if has_head { body.with_head() } else { body }
}

struct Upload<T> {
    first: Option<Message>,
    items: Streaming<T>,
    wrap: fn(T) -> Message,
    put: fn(&mut Batch, T),
}

impl<T> Stream for Upload<T> {
    type Item = Result<BodyFrame, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let Some(message) = this.first.take() {
            return Poll::Ready(Some(Ok(BodyFrame::Message(message))));
        }
        let item = std::task::ready!(Pin::new(&mut this.items).poll_next(cx));
        Poll::Ready(item.map(|item| item.map(|it| BodyFrame::Message((this.wrap)(it)))))
    }
}

impl<T> Frames for Upload<T> {
    fn poll_batch(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>, batch: &mut Batch) -> Filled {
        let this = &mut *self;
        if let Some(message) = this.first.take() {
            batch.put_message(message);
        }
        while !batch.is_full() {
            match Pin::new(&mut this.items).poll_next(cx) {
                Poll::Pending => return Filled::Waiting,
                Poll::Ready(None) => return Filled::Ended(HeaderMap::new()),
                Poll::Ready(Some(Ok(item))) => (this.put)(batch, item),
                Poll::Ready(Some(Err(status))) => return Filled::Failed(status),
            }
        }
        Filled::Full
    }
}
