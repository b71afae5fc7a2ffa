//! Maps whose keys are our own numbers, which no peer chooses.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map by our own numbers. A peer cannot make them collide, so a multiplication is hash enough.
pub(super) type OwnIds<K, V> = HashMap<K, V, BuildHasherDefault<MultiplyHasher>>;

/// Fibonacci hashing: a multiplication by 2^64 divided by the golden ratio.
#[derive(Default)]
pub(super) struct MultiplyHasher(u64);

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

impl Hasher for MultiplyHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(GOLDEN);
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn finish(&self) -> u64 {
        // The high bits are the mixed ones, and a table picks its place by the low ones.
        self.0.rotate_left(26)
    }
}
