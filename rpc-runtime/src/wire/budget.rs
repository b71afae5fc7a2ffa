//! Bytes that are held for a peer: counted for each connection and for all of them together.

use super::spares::Spares;
use crate::status::Status;
use crate::sync::{Arc, AtomicUsize, Mutex, Ordering, PoisonError};

/// What one message takes of a budget is not counted up to so many bytes: the limits on calls bound it well enough, as
/// [`Limits::max_buffered`](crate::Limits::max_buffered) says.
pub(crate) const LIGHT: usize = 4 << 10;

/// How much a connection takes from the common budget at a time, so that small messages do not
/// all meet at one counter.
const STEP: usize = 256 << 10;

/// A bound on bytes that all connections of a server or of a channel share.
#[derive(Debug)]
pub(crate) struct SharedBudget {
    used: AtomicUsize,
    limit: usize,
}

impl SharedBudget {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            used: AtomicUsize::new(0),
            limit,
        })
    }

    pub(crate) fn try_take(&self, bytes: usize) -> bool {
        let used = self.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let fits = used <= self.limit;
        if !fits {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
        }
        fits
    }

    /// Says whether half of the limit stays free when `bytes` more are used.
    pub(crate) fn has(&self, bytes: usize) -> bool {
        self.used.load(Ordering::Relaxed) + bytes <= self.limit / 2
    }

    pub(crate) fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

/// The bytes that one connection holds.
#[derive(Debug)]
pub(crate) struct Budget {
    used: AtomicUsize,
    limit: usize,
    shared: Option<Arc<SharedBudget>>,
    /// What was taken from the shared budget; a multiple of [`STEP`].
    taken: AtomicUsize,
    /// Held while `taken` changes.
    change: Mutex<()>,
    /// Memory that is kept, and counted as used.
    spares: Spares,
}

/// The limit that a charge would have gone past.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exceeded {
    Connection { limit: usize },
    All { limit: usize },
}

impl From<Exceeded> for Status {
    fn from(exceeded: Exceeded) -> Self {
        Self::resource_exhausted(match exceeded {
            Exceeded::Connection { limit } => {
                format!("the connection holds the limit `max_buffered` of {limit} bytes already")
            }
            Exceeded::All { limit } => format!(
                "all connections together hold the limit `max_buffered_total` of {limit} bytes already"
            ),
        })
    }
}

impl Budget {
    pub(crate) fn new(limit: usize, shared: Option<Arc<SharedBudget>>) -> Self {
        Self {
            used: AtomicUsize::new(0),
            limit,
            shared,
            taken: AtomicUsize::new(0),
            change: Mutex::new(()),
            spares: Spares::default(),
        }
    }

    /// Returns the memory that is kept for the next large messages.
    pub(super) fn spares(&self) -> &Spares {
        &self.spares
    }

    /// Counts `bytes` more; what was counted must be [released](Self::release). Memory that is merely kept gives
    /// way.
    pub(crate) fn try_charge(&self, bytes: usize) -> Result<(), Exceeded> {
        match self.charge(bytes) {
            Err(_) if self.spares.clear(self) => self.charge(bytes),
            charged => charged,
        }
    }

    fn charge(&self, bytes: usize) -> Result<(), Exceeded> {
        let used = self.used.fetch_add(bytes, Ordering::AcqRel) + bytes;
        let result = if used > self.limit {
            Err(Exceeded::Connection { limit: self.limit })
        } else if used > self.taken.load(Ordering::Relaxed) {
            self.take_more()
        } else {
            Ok(())
        };
        if result.is_err() {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
        }
        result
    }

    /// Counts memory that is kept only because there is plenty: at most half of any limit is
    /// used then. False if there is less.
    pub(crate) fn try_charge_spare(&self, bytes: usize) -> bool {
        let used = self.used.load(Ordering::Relaxed) + bytes;
        let is_plenty =
            used <= self.limit / 2 && self.shared.as_ref().is_none_or(|it| it.has(bytes));
        is_plenty && self.charge(bytes).is_ok()
    }

    #[cfg(test)]
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    pub(crate) fn release(&self, bytes: usize) {
        let used = self.used.fetch_sub(bytes, Ordering::Relaxed) - bytes;
        if self.taken.load(Ordering::Relaxed) > used + 2 * STEP {
            self.give_some_back();
        }
    }

    fn take_more(&self) -> Result<(), Exceeded> {
        let Some(shared) = &self.shared else {
            return Ok(());
        };
        let _changing = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = self.taken.load(Ordering::Relaxed);
        let wanted = self.used.load(Ordering::Relaxed).next_multiple_of(STEP);
        let more = wanted.saturating_sub(taken);
        if more > 0 && !shared.try_take(more) {
            return Err(Exceeded::All {
                limit: shared.limit,
            });
        }
        self.taken.store(taken + more, Ordering::Relaxed);
        Ok(())
    }

    fn give_some_back(&self) {
        let Some(shared) = &self.shared else {
            return;
        };
        let _changing = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = self.taken.load(Ordering::Relaxed);
        let kept = self.used.load(Ordering::Relaxed).next_multiple_of(STEP);
        if kept < taken {
            self.taken.store(kept, Ordering::Relaxed);
            // Who charged meanwhile is seen here, if only by a change that changes nothing, or sees the new
            // `taken`: never neither, or what they hold would not be counted for all.
            let used = self.used.fetch_add(0, Ordering::AcqRel);
            let kept = used.next_multiple_of(STEP).clamp(kept, taken);
            self.taken.store(kept, Ordering::Relaxed);
            shared.give_back(taken - kept);
        }
    }
}

/// What a stream that waits for its reader takes of its connection's budget; given back when this is
/// dropped.
pub(crate) struct Spare {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Spare {
    /// Counts bytes if half of every limit stays free for others.
    pub(crate) fn take(budget: &Arc<Budget>, bytes: usize) -> Option<Self> {
        budget.try_charge_spare(bytes).then(|| Self {
            budget: Arc::clone(budget),
            bytes,
        })
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        self.budget.release(self.bytes);
    }
}

impl Drop for Budget {
    fn drop(&mut self) {
        if let Some(shared) = &self.shared {
            shared.give_back(self.taken.load(Ordering::Relaxed));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_bounded_and_gives_back_what_it_took() {
        let shared = SharedBudget::new(4 * STEP);
        let budget = Budget::new(3 * STEP, Some(Arc::clone(&shared)));
        budget.try_charge(STEP + 1).unwrap();
        assert_eq!(shared.used(), 2 * STEP);
        let limit = 3 * STEP;
        assert_eq!(
            budget.try_charge(limit),
            Err(Exceeded::Connection { limit })
        );
        budget.release(STEP + 1);
        budget.try_charge(1).unwrap();
        drop(budget);
        assert_eq!(shared.used(), 0);
    }

    #[test]
    fn connections_share_a_bound() {
        let shared = SharedBudget::new(2 * STEP);
        let first = Budget::new(usize::MAX, Some(Arc::clone(&shared)));
        let second = Budget::new(usize::MAX, Some(Arc::clone(&shared)));
        first.try_charge(2 * STEP).unwrap();
        let limit = 2 * STEP;
        assert_eq!(second.try_charge(1), Err(Exceeded::All { limit }));
        first.release(2 * STEP);
        drop(first);
        second.try_charge(1).unwrap();
    }
}
