//! The stream of a handler as the body of a response.
//!
//! A handler's stream may borrow from the implementation. So it is not stored: an async block owns
//! the implementation, polls the stream inside itself, and leaves each message in a slot. Whoever
//! polls the body polls that block and empties the slot. No channel, no task.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as TaskContext, Poll};

use futures_core::Stream;

use super::boundary::Boundary;
use crate::call::{BodyFrame, Context, Message};
use crate::status::Status;

/// Where a handler's items go.
#[doc(hidden)]
pub struct Items {
    slot: Slot,
}

#[derive(Clone, Default)]
struct Slot(Arc<Mutex<Option<Message>>>);

impl Slot {
    fn take(&self) -> Option<Message> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn is_full(&self) -> bool {
        let slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slot.is_some()
    }

    /// Leaves a message and waits until it was taken.
    async fn put(&self, message: Message) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(message);
        poll_fn(|_| {
            // The body that takes the message polls again right after; no waker is needed.
            if self.is_full() {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
    }
}

impl Items {
    /// Passes every item on as a message, up to the first error, which ends the stream.
    pub async fn send<S: Stream>(
        self,
        stream: S,
        write: impl Fn(S::Item) -> Result<Message, Status>,
    ) -> Result<(), Status> {
        let mut stream = pin!(stream);
        while let Some(item) = poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
            self.slot.put(write(item)?).await;
        }
        Ok(())
    }
}

impl fmt::Debug for Items {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Items")
    }
}

/// The body: the block that polls the handler's stream, and the slot between them.
pub(super) struct ItemBody<F> {
    context: Context,
    slot: Slot,
    run: Option<Pin<Box<Boundary<F>>>>,
}

/// Starts a handler's stream. The first poll has happened when it returns, so that what the
/// handler says at its beginning (metadata, a refusal) is known.
pub(super) async fn start<F>(
    context: Context,
    run: impl FnOnce(Items) -> F,
) -> Result<ItemBody<F>, Status>
where
    F: Future<Output = Result<(), Status>> + Send + 'static,
{
    let slot = Slot::default();
    let run = run(Items { slot: slot.clone() });
    let mut body = ItemBody {
        run: Some(Box::pin(Boundary::new(context.clone(), run))),
        context,
        slot,
    };
    poll_fn(|cx| Poll::Ready(body.poll_run(cx))).await?;
    Ok(body)
}

impl<F: Future<Output = Result<(), Status>>> ItemBody<F> {
    /// Lets the handler go on until it has left an item, waits for something, or has ended.
    fn poll_run(&mut self, cx: &mut TaskContext<'_>) -> Result<(), Status> {
        let Some(run) = &mut self.run else {
            return Ok(());
        };
        match run.as_mut().poll(cx) {
            Poll::Pending => Ok(()),
            Poll::Ready(result) => {
                self.run = None;
                result
            }
        }
    }
}

impl<F: Future<Output = Result<(), Status>>> Stream for ItemBody<F> {
    type Item = Result<BodyFrame, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        if let Some(message) = self.slot.take() {
            return Poll::Ready(Some(Ok(BodyFrame::Message(message))));
        }
        if let Err(status) = self.poll_run(cx) {
            return Poll::Ready(Some(Err(status)));
        }
        if let Some(message) = self.slot.take() {
            return Poll::Ready(Some(Ok(BodyFrame::Message(message))));
        }
        if self.run.is_some() {
            return Poll::Pending;
        }
        match self.context.take_trailers() {
            Ok(trailers) if trailers.is_empty() => Poll::Ready(None),
            Ok(trailers) => Poll::Ready(Some(Ok(BodyFrame::Trailers(trailers.into_map())))),
            Err(status) => Poll::Ready(Some(Err(status))),
        }
    }
}
