//! The stream of a handler as the body of a response.
//!
//! A handler's stream may borrow from the implementation. So it is not stored: an async block owns
//! the implementation, polls the stream inside itself, and leaves its messages in a slot: one as a
//! value, or as many as a wire takes, encoded. Whoever polls the body polls that block and empties
//! the slot. No channel, no task.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll, ready};

use futures_core::Stream;

use super::boundary::Boundary;
use crate::call::{Batch, BodyFrame, Context, Filled, Frames, IntoMessage, Message};
use crate::status::Status;

/// Where a handler's items go.
#[doc(hidden)]
pub struct Items {
    slot: Slot,
}

/// What is between the block and whoever polls the body.
#[derive(Clone, Default)]
struct Slot(Arc<Mutex<Place>>);

/// What the one who polls the body asks for.
enum Place {
    /// One message.
    Message(Option<Message>),
    /// As many as it takes, encoded.
    Batch(Batch),
}

impl Default for Place {
    fn default() -> Self {
        Self::Message(None)
    }
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Place> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_message(&self) -> Option<Message> {
        match &mut *self.lock() {
            Place::Message(message) => message.take(),
            Place::Batch(_) => None,
        }
    }

    /// Lets `run` fill a batch.
    fn fill<T>(&self, batch: &mut Batch, run: impl FnOnce() -> T) -> T {
        *self.lock() = Place::Batch(std::mem::take(batch));
        let result = run();
        if let Place::Batch(filled) = std::mem::take(&mut *self.lock()) {
            *batch = filled;
        }
        result
    }

    /// Polls a stream until the place is full or the stream has no more.
    ///
    /// The body that empties a full place polls again right after; no waker is needed for that.
    fn poll_items<M: IntoMessage>(
        &self,
        mut next: impl FnMut() -> Poll<Option<Result<M, Status>>>,
    ) -> Poll<Result<(), Status>> {
        let mut held = Held::new(self);
        while !held.place.is_full() {
            match ready!(next()) {
                Some(Ok(message)) => held.place.put(message),
                Some(Err(status)) => return Poll::Ready(Err(status)),
                None => return Poll::Ready(Ok(())),
            }
        }
        Poll::Pending
    }
}

impl Place {
    fn is_full(&self) -> bool {
        match self {
            Self::Message(message) => message.is_some(),
            Self::Batch(batch) => batch.is_full(),
        }
    }

    fn put(&mut self, message: impl IntoMessage) {
        match self {
            Self::Message(place) => *place = Some(message.into_message()),
            Self::Batch(batch) => message.put_into(batch),
        }
    }
}

/// The place while the block works on it, without a lock. It goes back also when the handler's
/// stream panics: what came before that is sent.
struct Held<'a> {
    slot: &'a Slot,
    place: Place,
}

impl<'a> Held<'a> {
    fn new(slot: &'a Slot) -> Self {
        let place = std::mem::take(&mut *slot.lock());
        Self { slot, place }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        *self.slot.lock() = std::mem::take(&mut self.place);
    }
}

impl Items {
    /// Passes every item on as a message, up to the first error, which ends the stream.
    pub async fn send<S: Stream, M: IntoMessage>(
        self,
        stream: S,
        write: impl Fn(S::Item) -> Result<M, Status>,
    ) -> Result<(), Status> {
        let mut stream = pin!(stream);
        poll_fn(|cx| {
            let next = || stream.as_mut().poll_next(cx).map(|item| item.map(&write));
            self.slot.poll_items(next)
        })
        .await
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
    /// Takes the message that the handler has left, which has done nothing since.
    fn take_message(&self) -> Option<Message> {
        let message = self.slot.take_message()?;
        Some(match self.context.is_reply_compressed() {
            Some(is_compressed) => message.compressed(is_compressed),
            None => message,
        })
    }

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
        if let Some(message) = self.take_message() {
            return Poll::Ready(Some(Ok(BodyFrame::Message(message))));
        }
        if let Err(status) = self.poll_run(cx) {
            return Poll::Ready(Some(Err(status)));
        }
        if let Some(message) = self.take_message() {
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

impl<F: Future<Output = Result<(), Status>>> Frames for ItemBody<F> {
    fn poll_batch(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>, batch: &mut Batch) -> Filled {
        if let Some(message) = self.slot.take_message() {
            batch.put_message(message);
        }
        if batch.is_full() {
            return Filled::Full;
        }
        let slot = self.slot.clone();
        if let Err(status) = slot.fill(batch, || self.poll_run(cx)) {
            return Filled::Failed(status);
        }
        if self.run.is_none() {
            match self.context.take_trailers() {
                Ok(trailers) => Filled::Ended(trailers.into_map()),
                Err(status) => Filled::Failed(status),
            }
        } else if batch.is_full() {
            Filled::Full
        } else {
            Filled::Waiting
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use futures_util::stream;
    use serde::{Deserialize, Serialize, Serializer, ser};

    use super::*;
    use crate::call::{BatchBounds, Body, Prefix, Request, ValueMessage};
    use crate::codec::{Encoding, Serde};

    /// A number that cannot be encoded if it is 13, and panics then if it is 14.
    #[derive(Deserialize, Debug)]
    struct Number(u64);

    impl Serialize for Number {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            match self.0 {
                13 => Err(ser::Error::custom("unlucky")),
                14 => panic!("worse"),
                number => serializer.serialize_u64(number),
            }
        }
    }

    async fn body(items: impl Stream<Item = u64> + Send + 'static) -> Body {
        let (context, _) =
            Request::new(crate::call::Method::named("x/y"), Body::empty()).into_context();
        let items = futures_util::StreamExt::map(items, Number);
        let started = start(context, |out| {
            out.send(items, |it| Ok(ValueMessage::<Serde, _>::wrap(it)))
        })
        .await;
        Body::frames(started.expect("the handler began"))
    }

    fn batch(length: usize) -> Batch {
        let mut batch = Batch::new(Encoding::JSON, Prefix::LengthFirst([9; 16]));
        batch.begin(BatchBounds {
            length,
            large: 1_000,
        });
        batch
    }

    fn fill(body: &mut Body, batch: &mut Batch) -> Filled {
        body.poll_batch(&mut TaskContext::from_waker(Waker::noop()), batch)
    }

    /// Reads the numbers in a batch back, and checks what stands before each.
    fn numbers(batch: &Batch) -> Vec<u64> {
        let mut bytes = batch.bytes();
        let mut numbers = Vec::new();
        while let Some((prefix, rest)) = bytes.split_at_checked(16) {
            let length = u32::from_le_bytes(*prefix.first_chunk().unwrap());
            assert_eq!(prefix[4..], [9; 12]);
            let (number, rest) = rest.split_at(usize::try_from(length).unwrap());
            numbers.push(std::str::from_utf8(number).unwrap().parse().unwrap());
            bytes = rest;
        }
        numbers
    }

    #[tokio::test]
    async fn items_fill_batches_in_order_as_far_as_they_may() {
        let mut body = body(stream::iter(100..110)).await;
        let mut seen = Vec::new();
        let mut ended = false;
        while !ended {
            // Each takes 19 bytes: two are behind fewer than 38.
            let mut batch = batch(38);
            ended = matches!(fill(&mut body, &mut batch), Filled::Ended(_));
            assert!(numbers(&batch).len() <= 2);
            seen.append(&mut numbers(&batch));
            if let Poll::Ready(Some(frame)) =
                body.poll_frame(&mut TaskContext::from_waker(Waker::noop()))
            {
                let Ok(BodyFrame::Message(message)) = frame else {
                    panic!("{frame:?}");
                };
                seen.push(ValueMessage::<Serde, Number>::unwrap(message).unwrap().0);
            }
        }
        assert_eq!(seen, (100..110).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn what_comes_before_a_failure_is_kept() {
        for bad in [13, 14] {
            let mut body = body(stream::iter([1, 2, 3, bad, 5])).await;
            let mut batch = batch(10_000);
            assert!(matches!(fill(&mut body, &mut batch), Filled::Full));
            assert_eq!(numbers(&batch), [1, 2, 3]);
            assert!(batch.take_failure().is_some());
        }
        let panics = stream::iter(1..5).chain_panic();
        let mut body = body(panics).await;
        let mut batch = batch(10_000);
        let Filled::Failed(status) = fill(&mut body, &mut batch) else {
            panic!("the stream went on");
        };
        assert_eq!(status.code(), crate::Code::Internal);
        assert_eq!(numbers(&batch), [1, 2, 3, 4]);
    }

    trait ChainPanic: Stream<Item = u64> + Sized {
        fn chain_panic(self) -> impl Stream<Item = u64> {
            let end = stream::once(async { panic!("on purpose") });
            futures_util::StreamExt::chain(self, end)
        }
    }

    impl<S: Stream<Item = u64>> ChainPanic for S {}

    #[tokio::test]
    async fn a_stream_that_waits_leaves_what_it_has() {
        let mut body = body(futures_util::StreamExt::chain(
            stream::iter([1, 2]),
            stream::pending(),
        ))
        .await;
        let mut first = batch(10_000);
        assert!(matches!(fill(&mut body, &mut first), Filled::Waiting));
        assert_eq!(numbers(&first), [1, 2]);
        let mut second = batch(10_000);
        assert!(matches!(fill(&mut body, &mut second), Filled::Waiting));
        assert!(second.is_empty());
    }
}
