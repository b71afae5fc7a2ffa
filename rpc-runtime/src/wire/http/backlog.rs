//! What HTTP/2 was handed for one connection and has not written.
//!
//! Its windows are the peer's to choose, so they do not bound that: a peer that gives two gigabytes and
//! then reads nothing from its socket would have them wait here.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context as TaskContext, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// The bytes of a connection that wait to be written, and who waits for them to leave.
pub(super) struct Backlog {
    bytes: AtomicUsize,
    limit: usize,
    room: Arc<Notify>,
}

/// Waits for room; empty while there is some.
pub(super) type Waiting = Option<Pin<Box<OwnedNotified>>>;

impl Backlog {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            bytes: AtomicUsize::new(0),
            limit,
            room: Arc::default(),
        })
    }

    /// Says whether nothing more is to be handed over. Threads that do so at once may each go past the
    /// limit by one piece.
    pub(super) fn is_full(&self) -> bool {
        // In one order with what is given back, or a wake-up would be missed.
        self.bytes.load(Ordering::SeqCst) >= self.limit
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
        let half = self.limit / 2;
        if before > half && before - bytes <= half {
            self.room.notify_waiters();
        }
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
        let backlog = Backlog::new(100);
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
        let backlog = Backlog::new(100);
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
        let backlog = Backlog::new(100);
        let mut cx = TaskContext::from_waker(Waker::noop());
        let mut waiting = None;
        let all = Arc::clone(&backlog).count(zeros(100));
        assert!(backlog.poll_room(&mut waiting, &mut cx).is_pending());
        drop(all);
        assert!(backlog.poll_room(&mut waiting, &mut cx).is_ready());
        assert!(waiting.is_none());
    }
}
