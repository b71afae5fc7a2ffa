//! The signal that a call was given up.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use crate::sync::{Arc, AtomicBool, AtomicU8, Notify, OnceLock, Ordering, OwnedNotified, notified};

/// Tells a running call that nobody waits for it any more.
///
/// It costs one allocation a call; the machinery for waiting is made when somebody waits.
#[derive(Clone, Default)]
pub struct Cancellation(Arc<Inner>);

#[derive(Default)]
struct Inner {
    cancelled: AtomicBool,
    started: AtomicBool,
    turn: AtomicU8,
    lost: AtomicBool,
    waiting: OnceLock<Arc<Notify>>,
}

/// What a layer decided of a call as it came, before anybody polled it: whoever polls it first need not
/// find out by running its handler.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Turn {
    /// Nobody kept the call from its handler.
    Open = 0,
    /// The call waits for others to end.
    Waits = 1,
    /// The call has its answer, and no handler sees it.
    Refused = 2,
}

impl Cancellation {
    /// Makes a signal that has not been given.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the signal. Further calls do nothing.
    pub fn cancel(&self) {
        // The order matters: `cancelled` looks at the flag after it has begun to wait. Both change the flag, if
        // only to what it is, so that the second of them sees all that the first did before.
        self.0.cancelled.swap(true, Ordering::AcqRel);
        if let Some(waiting) = self.0.waiting.get() {
            waiting.notify_waiters();
        }
    }

    /// Gives the signal because the connection to the caller was lost, who may want to go on.
    pub(crate) fn lose(&self) {
        if !self.is_cancelled() {
            self.0.lost.store(true, Ordering::SeqCst);
        }
        self.cancel();
    }

    /// Returns whether the first reason for the signal was that the connection was lost.
    pub(crate) fn is_lost(&self) -> bool {
        self.0.lost.load(Ordering::SeqCst)
    }

    /// Gives the signal back for another call, if nobody else holds it or ever waited for it.
    pub(crate) fn reclaim(mut self) -> Option<Self> {
        let inner = Arc::get_mut(&mut self.0)?;
        let given = inner.cancelled.load(Ordering::Relaxed);
        let unused = !given && inner.waiting.get().is_none();
        inner.started.store(false, Ordering::Relaxed);
        inner.turn.store(Turn::Open as u8, Ordering::Relaxed);
        unused.then_some(self)
    }

    /// Notes that a handler sees the call.
    pub(crate) fn start(&self) {
        self.0.started.store(true, Ordering::Relaxed);
    }

    /// Returns whether a handler may have seen the call.
    pub(crate) fn is_started(&self) -> bool {
        self.0.started.load(Ordering::Relaxed)
    }

    /// Notes what was decided of the call.
    pub(crate) fn set_turn(&self, turn: Turn) {
        self.0.turn.store(turn as u8, Ordering::Relaxed);
    }

    /// Returns what was decided of the call.
    pub(crate) fn turn(&self) -> Turn {
        match self.0.turn.load(Ordering::Relaxed) {
            1 => Turn::Waits,
            2 => Turn::Refused,
            _ => Turn::Open,
        }
    }

    /// Returns whether the signal was given.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::SeqCst)
    }

    /// Returns a future that ends when the signal is given.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub fn cancelled(&self) -> Cancelled {
        let notified = notified(self.0.waiting.get_or_init(Arc::default));
        let (acquired, failed) = (Ordering::AcqRel, Ordering::Acquire);
        let flag = &self.0.cancelled;
        let is_waiting = flag.compare_exchange(false, false, acquired, failed);
        Cancelled(is_waiting.is_ok().then(|| Box::pin(notified)))
    }
}

impl fmt::Debug for Cancellation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cancellation")
            .field(&self.is_cancelled())
            .finish()
    }
}

/// Ends when a [`Cancellation`] is given.
#[must_use = "futures do nothing unless polled"]
pub struct Cancelled(Option<Pin<Box<OwnedNotified>>>);

impl Future for Cancelled {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        match &mut self.0 {
            Some(notified) => notified.as_mut().poll(cx),
            None => Poll::Ready(()),
        }
    }
}

impl fmt::Debug for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cancelled")
    }
}
