//! What HTTP/2 was handed for one connection and has not written.
//!
//! Its windows are the peer's to choose, so they do not bound that: a peer that gives two gigabytes and
//! then reads nothing from its socket would have them wait here. What waits of all connections together is bounded, too.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

use crate::wire::budget::SharedBudget;

/// So much may wait for any connection, whatever waits for others: their number bounds it.
const FREE: usize = 64 << 10;

/// How much more of the common budget is taken at a time.
const STEP: usize = 256 << 10;

/// The bytes of a connection that wait to be written, and who waits for them to leave.
pub(super) struct Backlog {
    bytes: AtomicUsize,
    /// So much may wait now: [`FREE`], and what was taken of the common budget.
    granted: AtomicUsize,
    limit: usize,
    shared: Option<Arc<SharedBudget>>,
    /// Held while `granted` changes.
    change: Mutex<()>,
    room: Arc<Notify>,
}

/// Waits for room; empty while there is some.
pub(super) type Waiting = Option<Pin<Box<OwnedNotified>>>;

impl Backlog {
    pub(super) fn new(limit: usize, shared: Option<Arc<SharedBudget>>) -> Arc<Self> {
        let free = if shared.is_some() { FREE } else { limit };
        Arc::new(Self {
            bytes: AtomicUsize::new(0),
            granted: AtomicUsize::new(free.min(limit)),
            limit,
            shared,
            change: Mutex::new(()),
            room: Arc::default(),
        })
    }

    /// Says whether nothing more is to be handed over. Threads that do so at once may each go past the
    /// limit by one piece.
    pub(super) fn is_full(&self) -> bool {
        // In one order with what is given back, or a wake-up would be missed.
        let is_full = || self.bytes.load(Ordering::SeqCst) >= self.granted.load(Ordering::SeqCst);
        is_full() && (!self.take_more() || is_full())
    }

    /// Takes more of the common budget, of which half stays for what comes in. False if there is no more.
    fn take_more(&self) -> bool {
        let Some(shared) = &self.shared else {
            return false;
        };
        let _changing = self.changing();
        let granted = self.granted.load(Ordering::SeqCst);
        // Somebody else may have taken some, or everything may have left.
        let missing = (self.bytes.load(Ordering::SeqCst) + 1).saturating_sub(granted);
        let more = missing.next_multiple_of(STEP).min(self.limit - granted);
        if missing > more || more > 0 && !(shared.has(more) && shared.try_take(more)) {
            return false;
        }
        if more > 0 {
            self.granted.store(granted + more, Ordering::SeqCst);
            // For those who wait, half of what there is now may have left long ago.
            self.room.notify_waiters();
        }
        true
    }

    fn give_budget_back(&self) {
        let Some(shared) = &self.shared else {
            return;
        };
        let _changing = self.changing();
        let granted = self.granted.load(Ordering::SeqCst);
        if granted > FREE && self.bytes.load(Ordering::SeqCst) == 0 {
            self.granted.store(FREE, Ordering::SeqCst);
            shared.give_back(granted - FREE);
        }
    }

    fn changing(&self) -> MutexGuard<'_, ()> {
        self.change.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ready when there is room; it leaves the waker for that.
    pub(super) fn poll_room(&self, waiting: &mut Waiting, cx: &mut TaskContext<'_>) -> Poll<()> {
        while self.is_full() {
            let notified = waiting.get_or_insert_with(|| {
                let room = Arc::clone(&self.room);
                Box::pin(room.notified_owned())
            });
            // What left before that was made woke nobody.
            if !self.is_full() {
                break;
            }
            ready!(notified.as_mut().poll(cx));
            *waiting = None;
        }
        *waiting = None;
        Poll::Ready(())
    }

    /// Counts bytes until they were written, or dropped with their stream.
    pub(super) fn count(self: Arc<Self>, bytes: Bytes) -> Counted {
        let length = bytes.len();
        self.bytes.fetch_add(length, Ordering::SeqCst);
        Counted {
            bytes,
            length,
            backlog: Some(self),
        }
    }

    fn give_back(&self, bytes: usize) {
        let before = self.bytes.fetch_sub(bytes, Ordering::SeqCst);
        // Only when half of it has left, so that many who wait are not woken for each piece.
        let granted = self.granted.load(Ordering::SeqCst);
        let half = granted / 2;
        if before > half && before - bytes <= half {
            self.room.notify_waiters();
        }
        if before == bytes && granted > FREE {
            self.give_budget_back();
        }
    }
}

impl Drop for Backlog {
    fn drop(&mut self) {
        // A piece that was handed over when the last had just left may have been the only one.
        self.give_budget_back();
    }
}

/// Bytes on their way out of a connection.
pub(super) struct Counted {
    bytes: Bytes,
    length: usize,
    backlog: Option<Arc<Backlog>>,
}

impl Counted {
    pub(super) fn nothing() -> Self {
        Self {
            bytes: Bytes::new(),
            length: 0,
            backlog: None,
        }
    }
}

impl Buf for Counted {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(backlog) = &self.backlog {
            backlog.give_back(self.length);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Waker;

    use super::*;

    fn zeros(length: usize) -> Bytes {
        vec![0; length].into()
    }

    #[test]
    fn bytes_count_until_they_are_dropped() {
        let backlog = Backlog::new(100, None);
        let mut first = Arc::clone(&backlog).count(zeros(60));
        assert!(!backlog.is_full());
        let second = Arc::clone(&backlog).count(zeros(40));
        assert!(backlog.is_full());
        // Frames are cut from it, and it stays whole until the last of them.
        first.advance(59);
        assert!(backlog.is_full() && first.chunk().len() == 1);
        drop(first);
        assert!(!backlog.is_full());
        drop((second, Counted::nothing()));
        assert_eq!(backlog.bytes.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn who_waits_is_woken_when_half_has_left() {
        let backlog = Backlog::new(100, None);
        let pieces: Vec<_> = (0..10)
            .map(|_| Arc::clone(&backlog).count(zeros(10)))
            .collect();
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                let backlog = Arc::clone(&backlog);
                tokio::spawn(async move {
                    let mut waiting = None;
                    poll_fn(|cx| backlog.poll_room(&mut waiting, cx)).await;
                })
            })
            .collect();
        tokio::task::yield_now().await;
        let mut left = pieces.into_iter();
        drop(left.by_ref().take(4).collect::<Vec<_>>());
        tokio::task::yield_now().await;
        assert!(waiters.iter().all(|it| !it.is_finished()));
        drop(left.next());
        for waiter in waiters {
            waiter.await.unwrap();
        }
    }

    #[test]
    fn who_comes_when_there_is_room_does_not_wait() {
        let backlog = Backlog::new(100, None);
        let mut cx = TaskContext::from_waker(Waker::noop());
        let mut waiting = None;
        let all = Arc::clone(&backlog).count(zeros(100));
        assert!(backlog.poll_room(&mut waiting, &mut cx).is_pending());
        drop(all);
        assert!(backlog.poll_room(&mut waiting, &mut cx).is_ready());
        assert!(waiting.is_none());
    }

    /// Hands over pieces of 16 KiB until there is no room.
    fn fill(backlog: &Arc<Backlog>) -> Vec<Counted> {
        let pieces = std::iter::from_fn(|| {
            let has_room = !backlog.is_full();
            has_room.then(|| Arc::clone(backlog).count(zeros(16 << 10)))
        });
        pieces.collect()
    }

    #[tokio::test]
    async fn what_waits_for_all_connections_together_is_bounded() {
        let shared = SharedBudget::new(2 << 20);
        let backlogs: Vec<_> = (0..10)
            .map(|_| Backlog::new(4 << 20, Some(Arc::clone(&shared))))
            .collect();
        let mut waiting: Vec<_> = backlogs.iter().map(fill).collect();
        let lengths = waiting.iter().map(|pieces| pieces.len() * (16 << 10));
        let lengths: Vec<_> = lengths.collect();
        assert_eq!(lengths[0], (1 << 20) + FREE, "half of it");
        assert_eq!(
            lengths[1..],
            [FREE; 9],
            "and what every connection may have"
        );
        assert_eq!(shared.used(), 1 << 20);

        // Who waits for the first one hears when half has left, and then the others have room, too.
        let first = Arc::clone(&backlogs[0]);
        let waiter = tokio::spawn(async move {
            let mut waiting = None;
            poll_fn(|cx| first.poll_room(&mut waiting, cx)).await;
        });
        tokio::task::yield_now().await;
        let half = waiting[0].len() / 2;
        waiting[0].truncate(half);
        waiter.await.unwrap();
        waiting[0].clear();
        assert_eq!(shared.used(), 0);
        assert!(!backlogs[1].is_full());
        waiting.clear();
        drop(backlogs);
        assert_eq!(shared.used(), 0);
    }
}
