//! Memory of large messages, which a connection keeps for the next ones: see [`spares`](crate::wire::spares).

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep_until};

use crate::wire::budget::Budget;
use crate::wire::spares::LEAST;

/// The memory that the messages of one stream may use again.
#[derive(Debug)]
pub(super) struct KeptMemory {
    budget: Arc<Budget>,
    /// The size of what the message that comes has taken.
    reused: usize,
}

impl KeptMemory {
    pub(super) fn new(budget: Arc<Budget>) -> Self {
        Self { budget, reused: 0 }
    }

    /// Returns how much memory the message that comes uses again. Its stream has to count all of it.
    pub(super) fn reused(&self) -> usize {
        self.reused
    }

    /// Takes memory for a message of this length, once.
    pub(super) fn take(&mut self, length: usize) -> Option<BytesMut> {
        if length < LEAST || self.reused > 0 {
            return None;
        }
        let (memory, capacity) = self.budget.spares().take()?;
        // The stream counts it from here on.
        self.budget.release(capacity);
        self.reused = capacity;
        Some(memory)
    }

    /// Makes a message of what was put together, and keeps its memory for a moment.
    pub(super) fn finish(&mut self, message: BytesMut) -> Bytes {
        self.reused = 0;
        let spares = self.budget.spares();
        let (message, is_first) = spares.finish(message, &self.budget);
        if is_first {
            match Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn(let_go(Arc::clone(&self.budget)))),
                // Nobody would let go of it.
                Err(_) => drop(spares.clear(&self.budget)),
            }
        }
        message
    }
}

/// Lets go of the memory when no large message has come for a moment.
async fn let_go(budget: Arc<Budget>) {
    while let Some(expires) = budget.spares().expires() {
        if expires <= Instant::now() {
            budget.spares().clear(&budget);
        } else {
            sleep_until(expires).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LARGE: usize = 1 << 20;

    /// Receives a message of so many bytes, and returns the address of its memory.
    fn receive(memory: &mut KeptMemory, length: usize) -> (Bytes, usize) {
        let mut bytes = memory.take(length).unwrap_or_default();
        bytes.reserve(length + 5);
        bytes.resize(length, 7);
        let message = memory.finish(bytes);
        let address = message.as_ptr().addr();
        (message, address)
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_used_again_for_a_moment_and_counted() {
        let budget = Arc::new(Budget::new(16 << 20, None));
        let mut memory = KeptMemory::new(Arc::clone(&budget));
        let (message, first) = receive(&mut memory, LARGE);
        assert!(budget.used() > LARGE);
        let (_other, address) = receive(&mut memory, LARGE);
        assert_ne!(address, first, "it is in use");
        drop(message);
        let before = budget.used();
        let taken = memory.take(LARGE).unwrap();
        assert_eq!(taken.as_ptr().addr(), first);
        assert_eq!(budget.used(), before - memory.reused());
        assert!(memory.take(LARGE).is_none(), "one for a message");
        memory.finish(taken);
        // A small message leaves it alone.
        assert!(memory.take(4_000).is_none());
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(budget.used(), 0);
        assert!(memory.take(LARGE).is_none());
        // And again, as somebody looks at it again.
        drop(receive(&mut memory, LARGE));
        assert!(budget.used() > LARGE);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test]
    async fn memory_that_is_only_kept_gives_way() {
        let budget = Arc::new(Budget::new(4 << 20, None));
        let mut memory = KeptMemory::new(Arc::clone(&budget));
        drop(receive(&mut memory, LARGE));
        assert!(budget.used() > LARGE);
        budget.try_charge(4 << 20).unwrap();
        assert!(memory.take(LARGE).is_none());
        assert!(budget.try_charge(1).is_err());
    }

    #[test]
    fn without_a_runtime_nothing_is_kept() {
        let budget = Arc::new(Budget::new(16 << 20, None));
        let mut memory = KeptMemory::new(Arc::clone(&budget));
        drop(receive(&mut memory, LARGE));
        assert_eq!(budget.used(), 0);
    }
}
