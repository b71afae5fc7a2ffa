//! What the runtime's `crate::sync` has, as loom knows it. What loom has not is made of what it has, with
//! the orderings of the original.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicUsize, Ordering};
pub(crate) use loom::sync::{Arc, Mutex};
pub(crate) use std::sync::PoisonError;

/// As `std::sync::OnceLock`: who sees the value sees what was done before it was set.
#[derive(Default)]
pub(crate) struct OnceLock<T> {
    value: std::sync::OnceLock<T>,
    is_set: AtomicBool,
    setting: Mutex<()>,
}

impl<T> OnceLock<T> {
    pub(crate) fn get(&self) -> Option<&T> {
        match self.is_set.load(Ordering::Acquire) {
            true => self.value.get(),
            false => None,
        }
    }

    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        if let Some(value) = self.get() {
            return value;
        }
        let _setting = self.setting.lock().unwrap_or_else(PoisonError::into_inner);
        let value = self.value.get_or_init(make);
        self.is_set.store(true, Ordering::Release);
        value
    }
}

/// As `tokio::sync::Notify`, of which only the waking of all is used: those who began to wait before are
/// woken, polled or not.
#[derive(Default)]
pub(crate) struct Notify {
    rounds: AtomicUsize,
    waiting: Mutex<Vec<Waker>>,
}

impl Notify {
    fn waiting(&self) -> loom::sync::MutexGuard<'_, Vec<Waker>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn notify_waiters(&self) {
        let woken = {
            let mut waiting = self.waiting();
            self.rounds.fetch_add(1, Ordering::AcqRel);
            std::mem::take(&mut *waiting)
        };
        woken.into_iter().for_each(Waker::wake);
    }
}

/// As `tokio::sync::futures::OwnedNotified`.
pub(crate) struct OwnedNotified {
    notify: Arc<Notify>,
    round: usize,
}

pub(crate) fn notified(notify: &Arc<Notify>) -> OwnedNotified {
    OwnedNotified {
        round: notify.rounds.load(Ordering::Acquire),
        notify: Arc::clone(notify),
    }
}

impl Future for OwnedNotified {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut waiting = self.notify.waiting();
        if self.notify.rounds.load(Ordering::Acquire) != self.round {
            return Poll::Ready(());
        }
        waiting.push(cx.waker().clone());
        Poll::Pending
    }
}
