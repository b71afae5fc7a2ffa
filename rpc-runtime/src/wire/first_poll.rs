//! The first polls of a call by the task that reads its connection.
//!
//! It begins the call, so that layers decide of it before a thread is free for its handler. Whether the
//! handler runs in it too depends on how quick such handlers were. Between the two are the futures of a
//! wire, which know nothing of that: it is told past them, on the thread that polls.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use super::pace::{InPlace, Pace};
use crate::call::Turn;

thread_local! {
    /// Handlers are not to run in the poll that is going on.
    static HELD_BACK: Cell<bool> = const { Cell::new(false) };
    /// One ran in it, or would have.
    static REACHED: Cell<bool> = const { Cell::new(false) };
}

/// Says whether the last of the polls below came to a handler.
#[cfg(feature = "http")]
pub(super) fn has_reached_handler() -> bool {
    REACHED.get()
}

/// Polls a call with its handler, and notes how quick that was.
pub(super) fn poll_through<F: Future + ?Sized>(
    call: Pin<&mut F>,
    cx: &mut TaskContext<'_>,
    pace: &mut Pace,
    turns: &mut InPlace,
) -> Poll<F::Output> {
    // A call of a batch is polled within the poll of the batch.
    let before = REACHED.replace(false);
    let polled = call.poll(cx);
    let taken = turns.end();
    if REACHED.get() {
        pace.took(taken);
    }
    REACHED.set(REACHED.get() || before);
    polled
}

/// Polls a call up to its handler. Whoever is refused has an answer.
pub(super) fn poll_to_handler<F: Future + ?Sized>(
    call: Pin<&mut F>,
    cx: &mut TaskContext<'_>,
    turns: &mut InPlace,
) -> Poll<F::Output> {
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            HELD_BACK.set(self.0);
        }
    }
    REACHED.set(false);
    let _before = Before(HELD_BACK.replace(true));
    let polled = call.poll(cx);
    turns.interrupted();
    polled
}

/// Ready when the handler of a call that was just begun may run.
pub(super) fn poll_handler_may_run(turn: Turn, cx: &mut TaskContext<'_>) -> Poll<()> {
    if turn != Turn::Open {
        return Poll::Ready(());
    }
    REACHED.set(true);
    if HELD_BACK.get() {
        cx.waker().wake_by_ref();
        return Poll::Pending;
    }
    Poll::Ready(())
}
