//! Numbers that are used once.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// Makes nonces.
///
/// A nonce has to be unique, not secret: the signature protects it. It is a counter, hashed under
/// two keys that the standard library draws at random, so that nonces of two processes, or of two
/// signers, are as unlikely to meet as random ones.
pub(super) struct Nonces {
    keys: [RandomState; 2],
    counter: AtomicU64,
}

impl Nonces {
    pub(super) fn new() -> Self {
        Self {
            keys: [RandomState::new(), RandomState::new()],
            counter: AtomicU64::new(0),
        }
    }

    pub(super) fn next(&self) -> [u8; 16] {
        let count = self.counter.fetch_add(1, Ordering::Relaxed);
        let [high, low] = &self.keys;
        let nonce = u128::from(high.hash_one(count)) << 64 | u128::from(low.hash_one(count));
        nonce.to_be_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn nonces_do_not_repeat_within_a_signer_or_between_two() {
        let signers = [Nonces::new(), Nonces::new()];
        let nonces: HashSet<_> = signers
            .iter()
            .flat_map(|signer| (0..1_000).map(|_| signer.next()))
            .collect();
        assert_eq!(nonces.len(), 2_000);
    }
}
