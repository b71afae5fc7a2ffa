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
use crate::status::Status;

/// How many items the task takes before others get their turn.
const TURN: usize = 64;

/// Makes a body of a handler's stream, of which at most so many items wait.
pub(super) fn body(
    items: impl Stream<Item = Result<BodyFrame, Status>> + Send + 'static,
    policy: SlowReader,
    places: usize,
) -> Body {
    let waiting = Arc::new(Waiting {
        policy,
        places,
        state: Mutex::default(),
    });
    let filling = fill(Ending(Arc::clone(&waiting)), Box::pin(items));
    let task = tokio::spawn(filling).abort_handle();
    Body::stream(Ahead { waiting, task })
}

/// What the task and the body share.
struct Waiting {
    policy: SlowReader,
    places: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    items: VecDeque<Message>,
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
    fn put(&self, item: Message) -> bool {
        let mut state = self.lock();
        let mut left_out = None;
        if state.items.len() >= self.places {
            if let SlowReader::Close(_) = self.policy {
                drop(state);
                self.end(Err(self.too_slow()));
                return false;
            }
            left_out = state.items.pop_front();
            state.skipped = state.skipped.saturating_add(1);
            state.skipped_in_all += 1;
        }
        state.items.push_back(item);
        let reader = state.reader.take();
        drop(state);
        // A user's destructor may do anything, so it runs without the lock.
        drop(left_out);
        reader.into_iter().for_each(Waker::wake);
        true
    }

    fn too_slow(&self) -> Status {
        let places = self.places;
        Status::resource_exhausted(format!(
            "the caller reads too slowly: over {places} items of the stream waited for it, where the \
             method's `SlowReader::Close` ends it"
        ))
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
            return Poll::Ready(Some(Ok(BodyFrame::Message(item.behind_skipped(skipped)))));
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
