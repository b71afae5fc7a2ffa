//! A handler's stream that goes on while its reader is slow: see [`SlowReader`].
//!
//! A task asks it for items and leaves them here; whoever polls the body takes them. Only methods that
//! ask for it have the task.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll, Waker};

use futures_core::Stream;
use http::{HeaderMap, HeaderValue};
use tokio::task::AbortHandle;

use crate::call::{Body, BodyFrame, Message, SKIPPED, SlowReader};
use crate::codec::Encoding;
use crate::status::Status;
use crate::wire::budget::{Budget, Spare};

/// How many items the task takes before others get their turn.
const TURN: usize = 64;

/// What an item weighs beside its bytes: its place, and the memory that a short one is encoded into.
const OVERHEAD: usize = 384;

/// What may wait of a stream.
pub(super) struct Room {
    pub(super) policy: SlowReader,
    /// So many items, at least one.
    pub(super) places: usize,
    /// Where bytes are counted and in which encoding; in process items stay values.
    pub(super) bytes: Option<(Arc<Budget>, Encoding)>,
}

impl Room {
    /// Takes a place and so much weight beside the items that wait.
    fn take(&self, weight: usize, waiting: usize) -> Result<Option<Spare>, Full> {
        if waiting >= self.places {
            return Err(Full::Places);
        }
        match &self.bytes {
            Some((budget, _)) if weight > 0 => {
                Spare::take(budget, weight).map(Some).ok_or(Full::Bytes)
            }
            _ => Ok(None),
        }
    }

    fn too_slow(&self, full: &Full) -> Status {
        let what = match full {
            Full::Places => format!("over {} items of the stream waited for it", self.places),
            Full::Bytes => "what its connection holds, or all of them, came to half of the limit \
                            `max_buffered` or `max_buffered_total`"
                .to_owned(),
        };
        Status::resource_exhausted(format!(
            "the caller reads too slowly: {what}, where the method's `SlowReader::Close` ends it"
        ))
    }
}

/// Makes a body of a handler's stream, of which no more waits than there is room for.
pub(super) fn body(
    items: impl Stream<Item = Result<BodyFrame, Status>> + Send + 'static,
    room: Room,
) -> Body {
    let waiting = Arc::new(Waiting {
        room,
        state: Mutex::default(),
    });
    let filling = fill(Ending(Arc::clone(&waiting)), Box::pin(items));
    let task = tokio::spawn(filling).abort_handle();
    Body::stream(Ahead { waiting, task })
}

/// What the task and the body share.
struct Waiting {
    room: Room,
    state: Mutex<State>,
}

struct Item {
    message: Message,
    _counted: Option<Spare>,
}

/// No item more may wait.
enum Full {
    Places,
    Bytes,
}

#[derive(Default)]
struct State {
    items: VecDeque<Item>,
    /// How many were left out since the last one was taken: all of them before those that wait.
    skipped: u32,
    skipped_in_all: u64,
    end: Option<Result<HeaderMap, Status>>,
    reader: Option<Waker>,
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No code of a user runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an item; `false` if that was the end of the stream.
    fn put(&self, mut message: Message) -> bool {
        let weight = match self.weigh(&mut message) {
            Ok(weight) => weight,
            Err(status) => {
                self.end(Err(status));
                return false;
            }
        };
        let mut left_out = Vec::new();
        let mut state = self.lock();
        if let Err(full) = state.add(message, weight, &self.room, &mut left_out) {
            drop(state);
            self.end(Err(self.room.too_slow(&full)));
            return false;
        }
        let has_items = !state.items.is_empty();
        let reader = state.reader.take_if(|_| has_items);
        drop(state);
        // A user's destructor may do anything, so it runs without the lock.
        drop(left_out);
        reader.into_iter().for_each(Waker::wake);
        true
    }

    /// Encodes an item to know what it weighs, unless its reader takes it at once.
    fn weigh(&self, message: &mut Message) -> Result<usize, Status> {
        let Some((_, encoding)) = &self.room.bytes else {
            return Ok(0);
        };
        let state = self.lock();
        let is_awaited = state.items.is_empty() && state.reader.is_some();
        drop(state);
        if is_awaited {
            return Ok(0);
        }
        Ok(message.bytes(*encoding)?.len() + OVERHEAD)
    }

    /// Adds the end. Only the first one counts.
    fn end(&self, end: Result<HeaderMap, Status>) {
        let mut state = self.lock();
        state.end.get_or_insert(end);
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
    }
}

impl State {
    /// Adds an item of that weight. Those for which there is no room any more are `left_out`, the oldest
    /// first.
    ///
    /// # Errors
    ///
    /// What there is no room for, where that ends the stream.
    fn add(
        &mut self,
        message: Message,
        weight: usize,
        room: &Room,
        left_out: &mut Vec<Message>,
    ) -> Result<(), Full> {
        loop {
            match room.take(weight, self.items.len()) {
                Ok(_counted) => {
                    self.items.push_back(Item { message, _counted });
                    return Ok(());
                }
                Err(full) if matches!(room.policy, SlowReader::Close(_)) => return Err(full),
                Err(_) => {}
            }
            self.skipped = self.skipped.saturating_add(1);
            self.skipped_in_all += 1;
            match self.items.pop_front() {
                Some(oldest) => left_out.push(oldest.message),
                // There is no room even for one.
                None => {
                    left_out.push(message);
                    return Ok(());
                }
            }
        }
    }

    /// Takes the end, with how many items were left out.
    fn take_end(&mut self) -> Option<Result<HeaderMap, Status>> {
        let mut end = self.end.as_mut()?;
        let skipped = std::mem::take(&mut self.skipped_in_all);
        if skipped > 0 {
            let metadata = match &mut end {
                Ok(trailers) => trailers,
                Err(status) => status.metadata_mut(),
            };
            // One entry more than there is room for is left out: what it says is known at its place, too.
            let _ = metadata.try_insert(SKIPPED, HeaderValue::from(skipped));
        }
        // It stays ended, also for who asks again.
        self.end.replace(Ok(HeaderMap::new()))
    }
}

/// Ends the stream also when its task ends otherwise.
struct Ending(Arc<Waiting>);

impl Drop for Ending {
    fn drop(&mut self) {
        let text = "the task of a stream was stopped";
        self.0.end(Err(Status::internal(text)));
    }
}

/// Asks for items until there are no more, or nobody wants them.
async fn fill(ending: Ending, mut items: Pin<Box<impl Stream<Item = Result<BodyFrame, Status>>>>) {
    let waiting = &ending.0;
    loop {
        for _ in 0..TURN {
            match poll_fn(|cx| items.as_mut().poll_next(cx)).await {
                Some(Ok(BodyFrame::Message(item))) => {
                    if !waiting.put(item) {
                        return;
                    }
                }
                Some(Ok(BodyFrame::Trailers(trailers))) => return waiting.end(Ok(trailers)),
                Some(Err(status)) => return waiting.end(Err(status)),
                None => return waiting.end(Ok(HeaderMap::new())),
            }
        }
        tokio::task::yield_now().await;
    }
}

/// What waits, as a stream. The task ends with it.
struct Ahead {
    waiting: Arc<Waiting>,
    task: AbortHandle,
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Stream for Ahead {
    type Item = Result<BodyFrame, Status>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let mut state = self.waiting.lock();
        if let Some(item) = state.items.pop_front() {
            let skipped = std::mem::take(&mut state.skipped);
            let message = item.message.behind_skipped(skipped);
            return Poll::Ready(Some(Ok(BodyFrame::Message(message))));
        }
        match state.take_end() {
            Some(Ok(trailers)) if trailers.is_empty() => Poll::Ready(None),
            Some(Ok(trailers)) => Poll::Ready(Some(Ok(BodyFrame::Trailers(trailers)))),
            Some(Err(status)) => Poll::Ready(Some(Err(status))),
            None => {
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;
    use crate::call::ValueMessage;
    use crate::codec::Serde;

    const ITEMS: usize = 100;
    const SIZE: usize = 10 << 10;

    /// A stream of 1,000 KiB, of which at most 32 KiB may wait, and its budget.
    async fn slow(policy: SlowReader) -> (Body, Arc<Budget>) {
        slow_with(policy, ITEMS, SIZE).await
    }

    /// The same of so many items of so many bytes.
    async fn slow_with(policy: SlowReader, count: usize, size: usize) -> (Body, Arc<Budget>) {
        let budget = Arc::new(Budget::new(64 << 10, None));
        let item = move |_| ValueMessage::<Serde, String>::wrap("x".repeat(size));
        let items = stream::iter((0..count).map(item).map(|it| Ok(BodyFrame::Message(it))));
        let room = Room {
            policy,
            places: policy.places().unwrap(),
            bytes: Some((Arc::clone(&budget), Encoding::MESSAGE_PACK)),
        };
        let body = body(items, room);
        // As often as the task lets others run.
        for _ in 0..count {
            tokio::task::yield_now().await;
        }
        (body, budget)
    }

    #[tokio::test]
    async fn large_items_that_wait_are_bounded_in_bytes() {
        let (mut body, budget) = slow(SlowReader::DropOldest(usize::MAX)).await;
        assert_eq!(budget.used() / SIZE, 3);
        let mut skipped = Vec::new();
        while let Some(frame) = body.frame().await {
            if let BodyFrame::Message(message) = frame.unwrap() {
                skipped.push(message.skipped());
            }
        }
        assert_eq!(skipped, [97, 0, 0]);
        assert_eq!(budget.used(), 0);

        let (body, budget) = slow(SlowReader::DropOldest(usize::MAX)).await;
        drop(body);
        tokio::task::yield_now().await;
        assert_eq!(budget.used(), 0);
    }

    /// An item of a byte takes hundreds of them.
    #[tokio::test]
    async fn small_items_that_wait_are_bounded_by_the_memory_that_they_take() {
        let (mut body, _) = slow_with(SlowReader::DropOldest(usize::MAX), 10_000, 1).await;
        let mut waited = 0;
        while let Some(frame) = body.frame().await {
            waited += usize::from(matches!(frame, Ok(BodyFrame::Message(_))));
        }
        assert!((10..=128).contains(&waited), "{waited} in 32 KiB");
    }

    #[tokio::test]
    async fn what_others_hold_is_not_there_for_items_that_wait() {
        let budget = Arc::new(Budget::new(64 << 10, None));
        budget.try_charge(60 << 10).unwrap();
        let room = |policy| Room {
            policy,
            places: 5,
            bytes: Some((Arc::clone(&budget), Encoding::MESSAGE_PACK)),
        };
        let mut state = State::default();
        let message = || Message::encoded(vec![0; SIZE].into(), Encoding::MESSAGE_PACK);
        let drops = room(SlowReader::DropOldest(5));
        let added = state.add(message(), SIZE, &drops, &mut Vec::new());
        assert!(added.is_ok() && state.items.is_empty() && state.skipped == 1);
        let closes = room(SlowReader::Close(5));
        let full = state.add(message(), SIZE, &closes, &mut Vec::new());
        let status = closes.too_slow(&full.unwrap_err());
        assert!(status.message().contains("`max_buffered`"), "{status}");
    }
}
