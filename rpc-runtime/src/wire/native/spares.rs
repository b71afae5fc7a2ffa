//! Memory of large messages that can be used again.
//!
//! New memory is dear: each page of it is cleared when it is first touched, and a message that
//! grows is moved. A connection that receives large messages therefore keeps the memory of the
//! last few, for a moment and within its budget.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use tokio::time::Instant;

use crate::wire::budget::Budget;

/// The least memory that is worth keeping.
const LEAST: usize = 128 << 10;

/// The most memory that one connection keeps: two messages of the usual `max_message`, in memory
/// that grew by doubling.
const MOST: usize = 64 << 20;

/// How long a connection keeps memory after its last large message.
const KEPT_FOR: Duration = Duration::from_secs(1);

/// The memory that one connection keeps.
#[derive(Default)]
pub(super) struct Spares(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    kept: Vec<Spare>,
    /// What all of them have charged.
    charged: usize,
    expires: Option<Instant>,
}

/// The memory of a message, which may still be in use.
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

    /// Keeps the memory of a message for when the message is gone, if the budget has plenty.
    pub(super) fn keep(&self, message: &mut BytesMut, budget: &Budget) {
        let (length, capacity) = (message.len(), message.capacity());
        // Without room behind the message there is nothing to share.
        if !(LEAST..=MOST).contains(&capacity) || length == capacity {
            return;
        }
        let mut inner = self.lock();
        while inner.charged + capacity > MOST {
            let oldest = inner.kept.remove(0).capacity;
            inner.charged -= oldest;
            budget.release(oldest);
        }
        if budget.try_charge_spare(capacity) {
            inner.charged += capacity;
            let handle = message.split_off(length);
            inner.kept.push(Spare { handle, capacity });
            inner.expires = Some(Instant::now() + KEPT_FOR);
        }
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
