//! Memory of large messages that can be used again.
//!
//! New memory is dear: each page of it is cleared when it is first touched, and a message that
//! grows is moved. A connection that receives large messages therefore keeps the memory of the
//! last few, for a moment and within its budget.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use super::budget::Budget;

/// The least memory that is worth keeping.
pub(super) const LEAST: usize = 128 << 10;

/// The most memory that one connection keeps: two messages of the usual `max_message`, in memory
/// that grew by doubling.
const MOST: usize = 64 << 20;

/// How long a connection keeps memory after its last large message.
const KEPT_FOR: Duration = Duration::from_secs(1);

/// A message that was put together keeps no more memory than so many times its length.
const SLACK: usize = 4;

/// The memory that one connection keeps.
#[derive(Default, Debug)]
pub(super) struct Spares(Mutex<Inner>);

#[derive(Default, Debug)]
struct Inner {
    kept: Vec<Spare>,
    /// What all of them have charged.
    charged: usize,
    expires: Option<Instant>,
}

/// The memory of a message, which may still be in use.
#[derive(Debug)]
struct Spare {
    /// No bytes, but a share in the memory.
    handle: BytesMut,
    capacity: usize,
}

impl Spares {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes memory that nobody uses any more. Its capacity stays charged, now to the taker.
    pub(super) fn take(&self) -> Option<(BytesMut, usize)> {
        let mut inner = self.lock();
        let reclaimed = |spare: &mut Spare| spare.handle.try_reclaim(spare.capacity);
        let index = inner.kept.iter_mut().position(reclaimed)?;
        let spare = inner.kept.remove(index);
        inner.charged -= spare.capacity;
        Some((spare.handle, spare.capacity))
    }

    /// Makes a message of what was put together, and keeps its memory for the next one. True if nothing was kept before:
    /// then somebody has to let go of it when it [expires](Self::expires).
    pub(super) fn finish(&self, mut message: BytesMut, budget: &Budget) -> (Bytes, bool) {
        if message.len() < message.capacity() / SLACK {
            let copy = Bytes::copy_from_slice(&message);
            message.clear();
            let is_first = self.keep(&mut message, budget);
            return (copy, is_first);
        }
        let is_first = self.keep(&mut message, budget);
        (message.freeze(), is_first)
    }

    /// Keeps the memory of a message for when the message is gone, if the budget has plenty. True if nothing was kept
    /// before.
    fn keep(&self, message: &mut BytesMut, budget: &Budget) -> bool {
        let (length, capacity) = (message.len(), message.capacity());
        // Without room behind the message there is nothing to share.
        if !(LEAST..=MOST).contains(&capacity) || length == capacity {
            return false;
        }
        let mut inner = self.lock();
        while inner.charged + capacity > MOST {
            let oldest = inner.kept.remove(0).capacity;
            inner.charged -= oldest;
            budget.release(oldest);
        }
        if !budget.try_charge_spare(capacity) {
            return false;
        }
        inner.charged += capacity;
        let handle = message.split_off(length);
        inner.kept.push(Spare { handle, capacity });
        let before = inner.expires.replace(Instant::now() + KEPT_FOR);
        before.is_none()
    }

    /// Returns when what is kept should be let go of.
    pub(super) fn expires(&self) -> Option<Instant> {
        self.lock().expires
    }

    /// Lets go of everything; false if there was nothing.
    pub(super) fn clear(&self, budget: &Budget) -> bool {
        let inner = std::mem::take(&mut *self.lock());
        budget.release(inner.charged);
        inner.charged > 0
    }
}
