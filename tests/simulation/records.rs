//! What both sides did, by call.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::trace::Trace;

/// How a handler was left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Left {
    Good,
    Error,
    Panicked,
    Dropped,
}

/// What one handler did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// The life of a server that it belongs to.
    pub(crate) life: usize,
    /// When it began, and when it must have ended at the latest by its deadline.
    pub(crate) began: Instant,
    pub(crate) deadline: Option<Instant>,
    pub(crate) left: Option<(Instant, Left)>,
}

/// What the handlers of one call did. Several, if a call ran more than once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Handled {
    pub(crate) runs: Vec<Run>,
    pub(crate) received: u32,
    pub(crate) upload_ended: bool,
    pub(crate) upload_failed: bool,
    pub(crate) shields_began: u32,
    pub(crate) shields_ended: u32,
}

impl Handled {
    /// Returns whether a handler was left like this.
    pub(crate) fn was_left(&self, left: Left) -> bool {
        self.runs
            .iter()
            .any(|it| it.left.is_some_and(|(_, it)| it == left))
    }
}

/// What both sides did, by call.
#[derive(Clone)]
pub(crate) struct Records {
    handled: Arc<Mutex<BTreeMap<u64, Handled>>>,
    called: Arc<Mutex<BTreeMap<u64, Called>>>,
    pub(crate) trace: Trace,
}

/// What the caller of one call did, as far as the handler's side is held against it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Called {
    /// Items that the caller took out of the answer.
    pub(crate) consumed: u32,
    /// Items of which the caller was told that they are lost.
    pub(crate) lost: u32,
    /// Items that the caller's stream gave out.
    pub(crate) uploaded: u32,
    /// The caller's stream was read to its end.
    pub(crate) upload_ended: bool,
    /// How many items a side may be ahead of the other.
    pub(crate) download_bound: u32,
    pub(crate) upload_bound: u32,
    /// Its network changes bytes, so that nothing can be said of what arrives.
    pub(crate) garbled: bool,
}

impl Records {
    pub(crate) fn new(trace: Trace) -> Self {
        Self {
            handled: Arc::default(),
            called: Arc::default(),
            trace,
        }
    }

    pub(crate) fn all_handled(&self) -> MutexGuard<'_, BTreeMap<u64, Handled>> {
        self.handled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn all_called(&self) -> MutexGuard<'_, BTreeMap<u64, Called>> {
        self.called.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn handled(&self, call: u64) -> Handled {
        self.all_handled().get(&call).cloned().unwrap_or_default()
    }

    pub(crate) fn called(&self, call: u64) -> Called {
        self.all_called().get(&call).cloned().unwrap_or_default()
    }

    pub(crate) fn change_handled<T>(&self, call: u64, change: impl FnOnce(&mut Handled) -> T) -> T {
        change(self.all_handled().entry(call).or_default())
    }

    pub(crate) fn change_called<T>(&self, call: u64, change: impl FnOnce(&mut Called) -> T) -> T {
        change(self.all_called().entry(call).or_default())
    }

    /// Notes what is wrong with a call, unless its network may be to blame.
    pub(crate) fn violation(&self, call: u64, text: impl std::fmt::Display) {
        if !self.called(call).garbled {
            self.trace.violation(format!("call {call}: {text}"));
        }
    }

    /// Notes an item of a caller's stream, and that it is not too far ahead of the handler.
    pub(crate) fn uploaded(&self, call: u64) {
        let called = self.change_called(call, |it| {
            it.uploaded += 1;
            it.clone()
        });
        let received = self.handled(call).received;
        if called.uploaded > received + called.upload_bound {
            let text = format!(
                "{} items were uploaded with {received} received, the bound is {}",
                called.uploaded, called.upload_bound
            );
            self.violation(call, text);
        }
    }
}
