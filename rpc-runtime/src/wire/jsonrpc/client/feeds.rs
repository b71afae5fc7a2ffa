//! The streams of a connection, as far as they have come: items wait here for their readers.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

use crate::status::Status;
use crate::wire::budget::Budget;
use crate::wire::incomplete::Held;

/// What every item takes beside its bytes.
const ITEM: usize = 64;

/// The open streams, and those that have ended and were not read to the end.
pub(super) struct Feeds {
    /// A stream with so many bytes unread is behind.
    window: usize,
    budget: Arc<Budget>,
    open: HashMap<u64, Feed>,
    /// Which of them the server's ids mean.
    ids: HashMap<Box<str>, u64>,
    /// How many are behind.
    behind: usize,
}

struct Feed {
    /// As the server writes it.
    id: Box<str>,
    /// The method that ends it.
    ending: Box<str>,
    items: VecDeque<Bytes>,
    held: Held,
    bytes: usize,
    /// What comes after the items.
    end: Option<Result<(), Status>>,
    reader: Option<Waker>,
    _place: OwnedSemaphorePermit,
}

/// A subscription that the server is to end.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Ending {
    pub(super) method: Box<str>,
    pub(super) id: Box<str>,
}

impl Feed {
    fn end(&mut self, end: Result<(), Status>) {
        self.end.get_or_insert(end);
        self.wake();
    }

    fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

impl Feeds {
    pub(super) fn new(window: usize, budget: Arc<Budget>) -> Self {
        Self {
            window,
            budget,
            open: HashMap::new(),
            ids: HashMap::new(),
            behind: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Says whether the server may tell of one.
    pub(super) fn is_told(&self) -> bool {
        !self.ids.is_empty()
    }

    /// Begins a stream that the server calls `id`.
    pub(super) fn begin(
        &mut self,
        key: u64,
        id: &str,
        ending: Box<str>,
        place: OwnedSemaphorePermit,
    ) {
        let feed = Feed {
            id: id.into(),
            ending,
            items: VecDeque::new(),
            held: Held::new(Arc::clone(&self.budget)),
            bytes: 0,
            end: None,
            reader: None,
            _place: place,
        };
        // What comes by the id is the newer stream's from now on, and nobody tells the older of its end.
        let older = self.ids.insert(feed.id.clone(), key);
        if let Some(older) = older.and_then(|it| self.open.get_mut(&it)) {
            let text = "the server gave the id of the stream to another before its end";
            older.end(Err(Status::internal(text)));
        }
        self.open.insert(key, feed);
    }

    /// Takes an item; returns the subscription if there is no room for it. False for `id`s that
    /// nobody has.
    pub(super) fn push(&mut self, id: &str, item: Bytes) -> Result<bool, Ending> {
        let Some(key) = self.ids.get(id).copied() else {
            return Ok(false);
        };
        let Some(feed) = self.open.get_mut(&key) else {
            return Ok(false);
        };
        let was_behind = feed.bytes > self.window;
        feed.bytes += item.len() + ITEM;
        if let Err(status) = feed.held.set(feed.bytes) {
            feed.bytes -= item.len() + ITEM;
            let text = format!("the stream is not read fast enough: {}", status.message());
            let ended = self.fail(key, Status::resource_exhausted(text));
            return ended.map_or(Ok(true), Err);
        }
        feed.items.push_back(item);
        feed.wake();
        self.behind += usize::from(!was_behind && feed.bytes > self.window);
        Ok(true)
    }

    /// Ends a stream as the server says; false for `id`s that nobody has.
    pub(super) fn end(&mut self, id: &str, end: Result<(), Status>) -> bool {
        let feed = self.ids.remove(id).and_then(|it| self.open.get_mut(&it));
        let is_known = feed.is_some();
        if let Some(feed) = feed {
            feed.end(end);
        }
        is_known
    }

    /// Ends a stream behind the items that have come; returns the subscription if it is open.
    fn fail(&mut self, key: u64, reason: Status) -> Option<Ending> {
        let feed = self.open.get_mut(&key)?;
        feed.end(Err(reason));
        forget(&mut self.ids, &feed.id, key).then(|| Ending {
            method: feed.ending.clone(),
            id: feed.id.clone(),
        })
    }

    /// Ends every stream that is behind.
    pub(super) fn fail_behind(&mut self, reason: &Status) -> Vec<Ending> {
        let behind = self.open.iter().filter(|(_, it)| it.bytes > self.window);
        let keys: Vec<_> = behind.map(|(key, _)| *key).collect();
        let failed = keys.into_iter();
        failed
            .filter_map(|key| self.fail(key, reason.clone()))
            .collect()
    }

    /// Ends every stream.
    pub(super) fn close(&mut self, reason: &Status) {
        self.ids.clear();
        for feed in self.open.values_mut() {
            feed.end(Err(reason.clone()));
        }
    }

    /// Polls for the next item; `None` is the good end.
    pub(super) fn poll_item(
        &mut self,
        key: u64,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Bytes, Status>>> {
        let Some(feed) = self.open.get_mut(&key) else {
            return Poll::Ready(None);
        };
        if let Some(item) = feed.items.pop_front() {
            let was_behind = feed.bytes > self.window;
            feed.bytes -= item.len() + ITEM;
            // Less than before always fits.
            let _ = feed.held.set(feed.bytes);
            self.behind -= usize::from(was_behind && feed.bytes <= self.window);
            return Poll::Ready(Some(Ok(item)));
        }
        match &feed.end {
            Some(end) => Poll::Ready(end.clone().err().map(Err)),
            None => {
                feed.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Forgets a stream that nobody reads any more; returns the subscription if it is open.
    pub(super) fn leave(&mut self, key: u64) -> Option<Ending> {
        let feed = self.open.remove(&key)?;
        self.behind -= usize::from(feed.bytes > self.window);
        forget(&mut self.ids, &feed.id, key).then_some(Ending {
            method: feed.ending,
            id: feed.id,
        })
    }

    /// Says whether a stream that is not over is behind.
    pub(super) fn is_behind(&self) -> bool {
        self.behind > 0
            && self
                .open
                .values()
                .any(|it| it.bytes > self.window && it.end.is_none())
    }

    /// Says whether somebody waits for an item.
    pub(super) fn is_awaited(&self) -> bool {
        self.open.values().any(|it| it.reader.is_some())
    }
}

/// Forgets the id of a stream, and says whether the server still means this one by it. A server may
/// use the id of a stream that it has ended for another, while nobody has read the first to its end.
fn forget(ids: &mut HashMap<Box<str>, u64>, id: &str, key: u64) -> bool {
    ids.get(id) == Some(&key) && ids.remove(id).is_some()
}

#[cfg(test)]
mod tests {
    use tokio::sync::Semaphore;

    use super::*;
    use crate::status::Code;

    const ID: &str = "\"0x1\"";

    fn begin(feeds: &mut Feeds, key: u64) {
        let places = Arc::new(Semaphore::new(1));
        let place = places.try_acquire_owned().unwrap();
        feeds.begin(key, ID, "unsubscribe".into(), place);
    }

    /// Reads the next item of a stream, which is there already.
    fn next(feeds: &mut Feeds, key: u64) -> Option<Result<Bytes, Code>> {
        match feeds.poll_item(key, &mut TaskContext::from_waker(Waker::noop())) {
            Poll::Ready(item) => item.map(|it| it.map_err(|status| status.code())),
            Poll::Pending => panic!("stream {key} waits for more"),
        }
    }

    fn feeds() -> Feeds {
        Feeds::new(1 << 10, Arc::new(Budget::new(1 << 20, None)))
    }

    #[test]
    fn an_id_that_is_used_again_means_the_newer_stream() {
        let mut feeds = feeds();
        begin(&mut feeds, 1);
        assert!(feeds.end(ID, Ok(())));
        begin(&mut feeds, 2);
        assert_eq!(feeds.leave(1), None, "the server has ended it");
        assert_eq!(feeds.push(ID, "5".into()), Ok(true), "the other is open");
        assert_eq!(next(&mut feeds, 2), Some(Ok("5".into())));
        assert!(feeds.end(ID, Ok(())));
        assert_eq!(next(&mut feeds, 2), None);
    }

    #[test]
    fn a_stream_that_is_too_far_behind_does_not_end_the_one_that_got_its_id() {
        let mut feeds = feeds();
        begin(&mut feeds, 1);
        assert_eq!(feeds.push(ID, vec![b'1'; 2_000].into()), Ok(true));
        assert!(feeds.end(ID, Ok(())));
        begin(&mut feeds, 2);
        let reason = Status::resource_exhausted("it is not read");
        assert_eq!(feeds.fail_behind(&reason), []);
        assert_eq!(feeds.push(ID, "5".into()), Ok(true), "the other is open");
    }

    #[test]
    fn a_stream_whose_id_is_given_away_fails_behind_its_items() {
        let mut feeds = feeds();
        begin(&mut feeds, 1);
        assert_eq!(feeds.push(ID, "5".into()), Ok(true));
        begin(&mut feeds, 2);
        assert_eq!(next(&mut feeds, 1), Some(Ok("5".into())));
        assert_eq!(next(&mut feeds, 1), Some(Err(Code::Internal)));
        assert_eq!(feeds.leave(1), None, "the server would end the other");
    }
}
