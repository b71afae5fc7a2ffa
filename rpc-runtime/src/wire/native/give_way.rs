//! When and how the driver lets other tasks run before it goes on.

use std::future::Future;
use std::pin::pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::Instant;

use super::look::Look;

/// So many bytes leave without waiting for more to come beside them.
const ENOUGH: usize = 2 << 10;

/// How often frames wait for those of others.
const MOST_WAITS: u32 = 8;

/// A thread that was away for so long has tasks that compute.
pub(super) const HELD: Duration = Duration::from_millis(1);

/// How often the driver then lets another thread take it, before it waits for its own again.
const FREE: u32 = 256;

/// What the driver of one connection remembers of that.
#[derive(Default)]
pub(super) struct GiveWay {
    /// How often the frames that wait were left for more to come.
    waits: u32,
    /// The bytes that waited then.
    waited: usize,
    /// When the driver was last left to its thread.
    left: Option<Instant>,
    /// So often it may go to another thread.
    free: u32,
}

impl GiveWay {
    /// Says whether what is to be written waits until other tasks that are ready have run, so that their
    /// frames leave with it: a woken writer otherwise runs right after the first task that woke it, with one
    /// frame. Where some of them run on other threads, they have time as long as there are few bytes, and
    /// they become more.
    pub(super) fn before_write(&mut self, look: &Look) -> bool {
        let more = look.outgoing > self.waited;
        let soon = self.waits == 0 || look.outgoing < ENOUGH && self.waits < MOST_WAITS;
        let waits = look.has_company && more && soon;
        (self.waits, self.waited) = if waits {
            (self.waits + 1, look.outgoing)
        } else {
            (0, 0)
        };
        waits
    }

    /// Goes on when the tasks have run that are ready now.
    ///
    /// It does so on the same thread: a task that wakes itself also wakes a thread that sleeps, which takes it to
    /// another core, and what it works with too. But where tasks hold the thread for long, that is better.
    pub(super) fn until_others_ran<T>(
        &mut self,
        cx: &mut TaskContext<'_>,
        now: Instant,
    ) -> Poll<T> {
        if self.free > 0 {
            self.free -= 1;
            cx.waker().wake_by_ref();
        } else {
            self.left = Some(now);
            // Ready at its second poll only; the first one has left the waker with the runtime.
            let _ = pin!(yield_now()).poll(cx);
        }
        Poll::Pending
    }

    /// Says whether its thread is the driver's own, more or less: only then it helps to keep it awake.
    pub(super) fn has_its_thread(&mut self) -> bool {
        let has = self.free == 0;
        self.free = self.free.saturating_sub(1);
        has
    }

    /// Notes that the driver goes on.
    pub(super) fn is_back(&mut self) {
        if let Some(left) = self.left.take()
            && left.elapsed() > HELD
        {
            self.free = FREE;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    use tokio::time::advance;

    use super::*;

    #[test]
    fn frames_wait_for_those_of_others_while_they_become_more() {
        let mut give_way = GiveWay::default();
        let mut waits = |outgoing, has_company| {
            give_way.before_write(&Look {
                calls: 2,
                has_company,
                outgoing,
                next_sweep: None,
            })
        };
        assert!(!waits(100, false), "nobody else is there");
        assert!(!waits(0, true), "there is nothing to write");
        assert!(waits(100, true));
        assert!(waits(200, true));
        assert!(!waits(200, true), "nobody has come");
        assert!(waits(ENOUGH, true), "others have their turn once");
        assert!(!waits(2 * ENOUGH, true), "it is enough");
        for bytes in 1..=MOST_WAITS as usize {
            assert!(waits(bytes, true));
        }
        assert!(!waits(1000, true), "it has waited often enough");
    }

    /// Counts the times that a task wakes itself.
    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_thread_that_was_held_is_not_waited_for_again() {
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(Arc::clone(&wakes));
        let mut cx = TaskContext::from_waker(&waker);
        let mut give_way = GiveWay::default();
        let mut wakes_itself = |give_way: &mut GiveWay| {
            let before = wakes.0.load(Ordering::Relaxed);
            let polled = give_way.until_others_ran::<()>(&mut cx, Instant::now());
            assert!(polled.is_pending());
            wakes.0.load(Ordering::Relaxed) > before
        };
        for away in [Duration::ZERO, HELD] {
            assert!(!wakes_itself(&mut give_way));
            advance(away).await;
            give_way.is_back();
        }
        assert!(!wakes_itself(&mut give_way));
        advance(HELD + Duration::from_millis(1)).await;
        for _ in 0..FREE {
            give_way.is_back();
            assert!(wakes_itself(&mut give_way));
        }
        give_way.is_back();
        assert!(!wakes_itself(&mut give_way), "it is tried again");
        assert!(give_way.has_its_thread());
        advance(2 * HELD).await;
        give_way.is_back();
        for _ in 0..FREE {
            assert!(!give_way.has_its_thread());
        }
        assert!(give_way.has_its_thread());
    }
}
