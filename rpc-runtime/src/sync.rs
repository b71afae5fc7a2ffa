//! What tasks meet at on the hot path is made of these. `tests/loom` builds the same files with others in
//! their place, under which it tries every order in which threads can meet.

pub(crate) use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicUsize, Ordering};
pub(crate) use std::sync::{Arc, Mutex, OnceLock, PoisonError};
pub(crate) use tokio::sync::Notify;
pub(crate) use tokio::sync::futures::OwnedNotified;

/// Waits from here on, polled or not.
pub(crate) fn notified(notify: &Arc<Notify>) -> OwnedNotified {
    Arc::clone(notify).notified_owned()
}
